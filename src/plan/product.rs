//! Contractions as batched matrix products. Permutations, windows and repetitions of the operands are strides.

use super::kernel::{Level, Matrices, Storage};
use super::request::settled;
use super::select::{Group, GroupKind, Location, Member, Selection, Value};
use super::view::View;
use crate::ir::{NodeId, Op};
use std::cmp::Reverse;

/// With fewer rows or columns a product is not laid out as its reader wants it.
const FEW: usize = 8;

/// An axis of a contraction, by its places in the operands that have it.
#[derive(Clone, Copy, PartialEq)]
struct Axis([Option<usize>; 2]);

impl Axis {
    /// The only operand that has it.
    fn owner(self) -> Option<usize> {
        match self.0 {
            [Some(_), None] => Some(0),
            [None, Some(_)] => Some(1),
            _ => None,
        }
    }
}

/// The axes of a product of matrices, and which operand is the left one.
struct Roles<'x> {
    left: usize,
    batch: &'x [Axis],
    rows: &'x [Axis],
    columns: &'x [Axis],
}

/// What the readers of a product make of it: its axes in another order, other shapes of the same elements.
struct Wanted {
    order: Option<Vec<usize>>,
    /// These readers, each the only one of what is before it.
    chain: Vec<NodeId>,
}

impl Selection<'_> {
    pub(super) fn dot(
        &mut self,
        id: NodeId,
        batch: &[(usize, usize)],
        contracted: &[(usize, usize)],
        operands: [NodeId; 2],
    ) -> Location {
        let storage = self.storage(id);
        let views = operands.map(|operand| self.view(operand));
        let both = |(i, j): &(usize, usize)| Axis([Some(*i), Some(*j)]);
        let of_a = |axis: usize| Axis([Some(axis), None]);
        let of_b = |axis: usize| Axis([None, Some(axis)]);
        let paired = |at: usize, axis: usize| {
            let own = |(i, j): &(usize, usize)| [*i, *j][at] == axis;
            batch.iter().chain(contracted).any(own)
        };
        let free = |at: usize| (0..views[at].layout.shape.len()).filter(move |axis| !paired(at, *axis));
        let axes: Vec<Axis> = batch.iter().map(both).chain(free(0).map(of_a)).chain(free(1).map(of_b)).collect();
        let mut depth: Vec<Axis> = contracted.iter().map(both).collect();
        let free_a = free(0).count();

        let size = |axis: &Axis| match axis.0 {
            [Some(axis), _] => views[0].layout.shape[axis],
            [None, Some(axis)] => views[1].layout.shape[axis],
            [None, None] => 1,
        };
        let wanted = self.wanted(id);
        let ordered: Option<Vec<Axis>> =
            wanted.order.as_ref().map(|order| order.iter().map(|axis| axes[*axis]).collect());
        let as_wanted = ordered.as_ref().and_then(|axes| Roles::in_order(axes, size));
        let is_wanted = ordered.is_none() || as_wanted.is_some();
        let roles = as_wanted.unwrap_or(Roles {
            left: 0,
            batch: &axes[..batch.len()],
            rows: &axes[batch.len()..batch.len() + free_a],
            columns: &axes[batch.len() + free_a..],
        });
        let right = 1 - roles.left;
        // The right operand, of which most is packed, is passed in the order in which it lies.
        depth.sort_by_key(|axis| axis.0[right].map(|axis| Reverse(views[right].layout.strides[axis].unsigned_abs())));
        let (rows, columns) = (roles.rows, roles.columns);
        let left = roles.left;
        let a = self.matrix(operands[left], &views[left], left, [roles.batch, rows, &depth], storage);
        let b = self.matrix(operands[right], &views[right], right, [roles.batch, &depth, columns], storage);
        let split = roles.batch.len() + rows.len();
        let sizes = |axes: &[Axis]| axes.iter().map(size).collect::<Vec<usize>>();
        let made: Vec<usize> = [roles.batch, rows, columns].into_iter().flatten().map(size).collect();
        let matrices = Matrices {
            storage,
            batch: sizes(roles.batch),
            rows: sizes(rows),
            depth: sizes(&depth),
            columns: sizes(columns),
            a: a.1,
            b: b.1,
        };
        let at = self.groups.len();
        let out = self.buffer(&made, storage, at + 1);
        let view = View::whole(out, made.clone());
        let operands = [a.0, b.0];
        operands.iter().filter_map(|view| view.buffer).for_each(|buffer| self.read_in(buffer, at));
        // What follows joins the product's own loop if its shape has the rows of the product.
        let last = wanted.chain.last().filter(|_| is_wanted).and_then(|last| {
            let shape = settled(self.request.graph.shape(*last)).ok()?;
            let split = rows_of(&shape, made[..split].iter().product(), made[split..].iter().product())?;
            Some((*last, shape, split))
        });
        let (shape, split) = match &last {
            Some((_, shape, split)) => (shape.clone(), *split),
            None => (made, split),
        };
        let value = Member { value: Value::Made, level: Level::Full, storage, store: Some(out), regions: Vec::new() };
        self.groups.push(Group {
            kind: GroupKind::Product(Box::new((merged(matrices), operands)), out),
            shape: shape.clone(),
            split: Some(split),
            containers: Vec::new(),
            members: vec![value],
            weight: 1,
            nodes: vec![id],
        });
        if let Some((last, shape, _)) = last {
            self.placed.insert(last, Location::Member(at, 0, Some(View::whole(out, shape))));
        }
        match wanted.order.filter(|_| is_wanted) {
            Some(order) => {
                // Each axis of the node is an axis of the product.
                let back = inverse(&order);
                Location::Stored(view.permute(&back))
            }
            None => Location::Member(at, 0, Some(view)),
        }
    }

    /// What the only reader of a node makes of it, and the only reader of that.
    fn wanted(&self, id: NodeId) -> Wanted {
        let mut wanted = Wanted { order: None, chain: Vec::new() };
        let mut at = id;
        while let (Some(reader), 1) = (self.reader[at.0 as usize], self.readers[at.0 as usize]) {
            let op = &self.request.graph.node(reader).op;
            if let (Op::Permute(order), true) = (op, wanted.chain.is_empty()) {
                wanted.order = Some(order.clone());
            } else if !matches!(op, Op::Reshape(_)) {
                break;
            }
            wanted.chain.push(reader);
            at = reader;
        }
        wanted
    }

    /// An operand in memory, and its strides along three groups of axes.
    fn matrix(
        &mut self,
        node: NodeId,
        view: &View,
        operand: usize,
        groups: [&[Axis]; 3],
        storage: Storage,
    ) -> (View, [Vec<isize>; 3]) {
        let strides = |view: &View| {
            groups.map(|axes| {
                let stride = |axis: &Axis| axis.0[operand].map_or(0, |axis| view.layout.strides[axis]);
                axes.iter().map(stride).collect()
            })
        };
        // What is not in memory or has another storage type is copied.
        if view.buffer.is_some_and(|buffer| self.is_stored_as(buffer, storage)) {
            return (view.clone(), strides(view));
        }
        let mut order: Vec<usize> = groups.concat().iter().filter_map(|axis| axis.0[operand]).collect();
        // An axis of one element may stand among those of the other operand.
        order.extend(
            (0..view.layout.shape.len())
                .filter(|axis| !groups.concat().iter().any(|own| own.0[operand] == Some(*axis))),
        );
        let buffer = self.copied(node, &view.permute(&order), storage);
        let shape = order.iter().map(|axis| view.layout.shape[*axis]).collect();
        let laid = View::whole(buffer, shape).permute(&inverse(&order));
        let strides = strides(&laid);
        (laid, strides)
    }
}

impl Roles<'_> {
    /// Those of a product whose result has its axes in this order: the last axes that only one operand has are columns, those
    /// before them that only the other has are rows. None where a product of such matrices would be a slow one.
    fn in_order(axes: &[Axis], size: impl Fn(&Axis) -> usize) -> Option<Roles<'_>> {
        let count = |axes: &[Axis]| axes.iter().map(&size).product::<usize>();
        let run = |axes: &[Axis], owner: usize| {
            axes.iter().rev().take_while(|axis| axis.owner() == Some(owner) || size(axis) == 1).count()
        };
        let right = axes.iter().rev().find(|axis| size(axis) != 1)?.owner()?;
        let (before, columns) = axes.split_at(axes.len() - run(axes, right));
        let (batch, rows) = before.split_at(before.len() - run(before, 1 - right));
        (count(columns) >= FEW && count(rows) >= FEW).then_some(Roles { left: 1 - right, batch, rows, columns })
    }
}

/// How many leading axes of a shape are so many rows, and the others so many columns.
fn rows_of(shape: &[usize], rows: usize, columns: usize) -> Option<usize> {
    let count = |axes: &[usize]| axes.iter().product::<usize>();
    (0..=shape.len()).find(|split| count(&shape[..*split]) == rows && count(&shape[*split..]) == columns)
}

/// Of an order of axes the one that undoes it.
fn inverse(order: &[usize]) -> Vec<usize> {
    (0..order.len()).map(|axis| order.iter().position(|own| *own == axis).unwrap_or(axis)).collect()
}

/// The same matrices with axes of one element left out, and neighbours that are one axis in memory joined.
fn merged(mut matrices: Matrices) -> Matrices {
    let Matrices { batch, rows, depth, columns, a, b, .. } = &mut matrices;
    let ([a_batch, a_rows, a_depth], [b_batch, b_depth, b_columns]) = (a, b);
    merge(batch, &mut [a_batch, b_batch]);
    merge(rows, &mut [a_rows]);
    merge(depth, &mut [a_depth, b_depth]);
    merge(columns, &mut [b_columns]);
    matrices
}

fn merge(sizes: &mut Vec<usize>, strides: &mut [&mut Vec<isize>]) {
    let mut at = 0;
    while at < sizes.len() {
        let joins = at > 0 && strides.iter().all(|own| own[at - 1] == own[at] * sizes[at] as isize);
        let gone = match (sizes[at], joins) {
            (1, _) => at,
            (size, true) => {
                sizes[at] = size * sizes[at - 1];
                at - 1
            }
            (_, false) => {
                at += 1;
                continue;
            }
        };
        sizes.remove(gone);
        for own in strides.iter_mut() {
            own.remove(gone);
        }
    }
}
