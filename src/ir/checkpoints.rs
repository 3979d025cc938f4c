//! Loops whose gradient computes again instead of keeping: √steps carries are alive at once instead of all of them.

use super::body::Scan;
use super::graph::{Graph, NodeId};
use super::op::Op;
use super::scalar::ScalarOp;
use super::scan::{ScanBuilder, Scanned};
use super::size::Size;

impl Graph {
    /// The same results as [`Graph::scan`] gives, by a loop over blocks of steps whose body is a loop over the steps of a
    /// block. What the gradient keeps of it are the carries before each block (checkpoints); within a block, which it
    /// computes anew, those before each step. As it is where the number of steps is not settled, or too small.
    pub fn scan_with_checkpoints(&mut self, built: ScanBuilder) -> Scanned {
        let Some(steps) = built.steps.settled().filter(|steps| *steps > 3) else { return self.scan(built) };
        let (scan, operands) = built.close();
        let size = (1..).find(|size| size * size >= steps).unwrap_or(steps);
        let whole = steps / size * size;
        let (carries, others) = operands.split_at(scan.carries);
        if scan.reverse {
            let behind = self.tail(&scan, carries, others, whole, steps);
            let before = self.blocks(&scan, &behind.last, others, whole / size, size);
            self.joined(before.last, before.each, behind.each)
        } else {
            let before = self.blocks(&scan, carries, others, whole / size, size);
            let behind = self.tail(&scan, &before.last, others, whole, steps);
            self.joined(behind.last, before.each, behind.each)
        }
    }

    fn joined(&mut self, last: Vec<NodeId>, before: Vec<NodeId>, behind: Vec<NodeId>) -> Scanned {
        let each = before.into_iter().zip(behind).map(|(before, behind)| self.add(Op::Concat(0), vec![before, behind]));
        Scanned { each: each.collect(), last }
    }

    /// The steps at the places from 0 on, in so many blocks of a size.
    fn blocks(&mut self, scan: &Scan, carries: &[NodeId], others: &[NodeId], count: i64, size: i64) -> Scanned {
        let (count, size) = (Size::from(count), Size::from(size));
        let mut outer = ScanBuilder::new(count.clone(), scan.reverse);
        let mut operands: Vec<NodeId> = carries.iter().map(|first| outer.carry(self, *first)).collect();
        for (at, other) in others.iter().enumerate() {
            operands.push(if at < scan.slices {
                let whole = self.places(*other, Size::from(0), count.times(&size));
                let blocks = [&[count.clone(), size.clone()], &self.shape(whole)[1..]].concat();
                let blocks = self.reshape(blocks, whole);
                outer.slice(self, blocks)
            } else {
                outer.capture(self, *other)
            });
        }
        let length = int(&mut outer.body, &size);
        let start = outer.body.binary(ScalarOp::Mul, outer.index, length);
        let inner = outer.body.steps_from(scan, start, size.clone(), &operands);
        let nows: Vec<NodeId> = outer.carries.iter().map(|carry| carry.now).collect();
        nows.into_iter().zip(inner.last).for_each(|(now, next)| outer.next(now, next));
        inner.each.into_iter().for_each(|each| outer.give(each));
        let Scanned { last, each } = self.scan(outer);
        let flat = |node: NodeId| {
            let shape = [&[count.times(&size)], &self.shape(node)[2..]].concat();
            self.reshape(shape, node)
        };
        Scanned { last, each: each.into_iter().map(flat).collect() }
    }

    /// The steps at the places from `from` to the end, one by one.
    fn tail(&mut self, scan: &Scan, carries: &[NodeId], others: &[NodeId], from: i64, end: i64) -> Scanned {
        let (from, count) = (Size::from(from), Size::from(end - from));
        let mut operands = carries.to_vec();
        for (at, other) in others.iter().enumerate() {
            let is_slice = at < scan.slices;
            operands.push(if is_slice { self.places(*other, from.clone(), count.clone()) } else { *other });
        }
        let start = int(self, &from);
        self.steps_from(scan, start, count, &operands)
    }

    /// So many steps of a loop, the first place of which is at `start`; the operands are of these steps.
    fn steps_from(&mut self, scan: &Scan, start: NodeId, steps: Size, operands: &[NodeId]) -> Scanned {
        let mut inner = ScanBuilder::new(steps, scan.reverse);
        let start = inner.capture(self, start);
        let place = inner.body.binary(ScalarOp::Add, start, inner.index);
        let mut inputs = vec![place];
        for (at, operand) in operands.iter().enumerate() {
            inputs.push(if at < scan.carries {
                inner.carry(self, *operand)
            } else if at < scan.carries + scan.slices {
                inner.slice(self, *operand)
            } else {
                inner.capture(self, *operand)
            });
        }
        let results = inner.body.inline(&scan.body, &inputs);
        for (at, result) in results.into_iter().enumerate() {
            if at < scan.carries { inner.next(inputs[1 + at], result) } else { inner.give(result) }
        }
        self.scan(inner)
    }

    /// So many places of the first axis.
    fn places(&mut self, all: NodeId, start: Size, count: Size) -> NodeId {
        self.add(Op::Slice { axis: 0, start, count, step: 1 }, vec![all])
    }
}

fn int(graph: &mut Graph, size: &Size) -> NodeId {
    graph.add(Op::SizeOf(size.clone()), Vec::new())
}
