//! Reductions join the loop that computes their operand.

use super::host::Scalar;
use super::kernel::{Level, Target};
use super::request::settled;
use super::select::{Folded, Location, Selection, Value};
use super::view::View;
use crate::ir::{NodeId, Reduce, ScalarOp};

impl Selection<'_> {
    pub(super) fn reduce(
        &mut self,
        id: NodeId,
        reduce: Reduce,
        axes: &[usize],
        from: NodeId,
    ) -> Result<Location, String> {
        let shape = settled(self.request.graph.shape(from))?;
        if let Location::Host(scalar) = *self.place(from) {
            return Ok(self.of_scalar(reduce, scalar, axes.iter().map(|axis| shape[*axis]).product()));
        }
        let (rank, count) = (shape.len(), axes.len());
        if count == rank {
            let (group, level) = self.group_of(from, &shape, None);
            return Ok(self.collected(id, group, level, reduce, from, Target::All));
        }
        if axes.iter().copied().eq(0..count) {
            let (group, level) = self.group_of(from, &shape, Some(count));
            return Ok(self.collected(id, group, level, reduce, from, Target::Columns));
        }
        if axes.iter().copied().eq(rank - count..rank) {
            let (group, _) = self.group_of(from, &shape, Some(rank - count));
            return Ok(self.folded(id, group, reduce, Folded::Node(from)));
        }
        let kept = (0..rank).filter(|axis| !axes.contains(axis));
        let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
        let view = self.view(from).permute(&order);
        let group = self.open(view.layout.shape.clone(), Some(rank - count));
        view.buffer.into_iter().for_each(|buffer| self.read_in(buffer, group));
        let member = self.member(group, Value::Copy(view), Level::Full, self.storage(from), 1);
        Ok(self.folded(id, group, reduce, Folded::Member(member)))
    }

    /// Of a host scalar, the same for every element: the sum is a multiple, the maximum the scalar itself.
    fn of_scalar(&mut self, reduce: Reduce, scalar: usize, count: usize) -> Location {
        Location::Host(match reduce {
            Reduce::Sum => {
                let count = self.scalars.number(Scalar::Constant(count as f64));
                self.scalars.number(Scalar::Apply(ScalarOp::Mul, vec![scalar, count]))
            }
            Reduce::Max | Reduce::Min if count == 0 => self.scalars.number(Scalar::Constant(reduce.start())),
            Reduce::Max | Reduce::Min => scalar,
        })
    }

    /// The group of the operand if it has the same rows; else a new one.
    fn group_of(&mut self, from: NodeId, shape: &[usize], split: Option<usize>) -> (usize, Level) {
        if let Some((at, level)) = self.joinable(shape, &[from])
            && (level == Level::Full || split.is_none())
            && (split.is_none() || self.groups[at].split.is_none() || self.groups[at].split == split)
        {
            self.groups[at].split = self.groups[at].split.or(split);
            self.reads_of(at, &[from]);
            return (at, level);
        }
        if let Location::Member(..) = self.place(from) {
            self.view(from);
        }
        let group = self.open(shape.to_vec(), split);
        self.reads_of(group, &[from]);
        (group, Level::Full)
    }

    fn folded(&mut self, id: NodeId, group: usize, reduce: Reduce, from: Folded) -> Location {
        self.groups[group].nodes.push(id);
        let weight = 1 + if let Folded::Node(node) = from { self.weight(node) } else { 0 };
        let member = self.member(group, Value::ReduceColumns(reduce, from), Level::Row, self.storage(id), weight);
        Location::Member(group, member, None)
    }

    fn collected(
        &mut self,
        id: NodeId,
        group: usize,
        level: Level,
        reduce: Reduce,
        from: NodeId,
        target: Target,
    ) -> Location {
        self.groups[group].nodes.push(id);
        let shape = settled(self.request.graph.shape(id)).unwrap_or_default();
        let buffer = self.buffer(&shape, self.storage(id), group + 1);
        let weight = 1 + self.weight(from);
        self.member(group, Value::ReduceRows(reduce, from, target, buffer), level, self.storage(id), weight);
        Location::Stored(View::whole(buffer, shape))
    }
}
