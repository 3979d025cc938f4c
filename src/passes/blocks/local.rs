//! An operation for one index of some axes: what it is without them.

use super::super::behind_reshape;
use crate::ir::{Class, Graph, NodeId, Op, Size};

/// Of each of some axes where it is among those of a node; `None` if the node is the same along it.
pub(super) type Axes = Vec<Option<usize>>;

/// An operation without some axes, and where these are in its operands.
pub(super) struct Local {
    pub op: Op,
    pub operands: Vec<Axes>,
}

/// A node without some of its axes; `None` if it joins what is apart along them.
pub(super) fn local(graph: &Graph, id: NodeId, axes: &Axes) -> Option<Local> {
    let node = graph.node(id);
    let own = &node.shaped.shape;
    let input = |at: usize| graph.shape(node.inputs[at]);
    let along = |op: Op, axis: usize| (!axes.contains(&Some(axis))).then(|| same(op, axes, node.inputs.len()));
    match &node.op {
        Op::Constant(_) | Op::SizeOf(_) => Some(same(node.op.clone(), axes, 0)),
        Op::Scalar(_) | Op::StopGradient => Some(same(node.op.clone(), axes, node.inputs.len())),
        Op::Iota { shape, axis } => {
            along(Op::Iota { shape: without(shape, axes), axis: *axis - before(*axis, axes) }, *axis)
        }
        Op::Broadcast { shape, kept } => {
            let mut from = Vec::with_capacity(axes.len());
            for axis in axes {
                let at = axis.and_then(|axis| kept.iter().position(|kept| *kept == axis));
                // What is stretched along the axis has it with one element.
                if at.is_some_and(|at| input(0)[at] != own[kept[at]]) {
                    return None;
                }
                from.push(at);
            }
            let left = kept.iter().filter(|axis| !axes.contains(&Some(**axis)));
            let kept = left.map(|axis| axis - before(*axis, axes)).collect();
            Some(Local { op: Op::Broadcast { shape: without(shape, axes), kept }, operands: vec![from] })
        }
        Op::Permute(order) => {
            let from: Axes = axes.iter().map(|axis| axis.map(|axis| order[axis])).collect();
            let left = order.iter().filter(|axis| !from.contains(&Some(**axis)));
            let order = left.map(|axis| axis - before(*axis, &from)).collect();
            Some(Local { op: Op::Permute(order), operands: vec![from] })
        }
        Op::Reshape(shape) => {
            let mut from = Vec::with_capacity(axes.len());
            for axis in axes {
                from.push(match axis {
                    Some(axis) => Some(behind_reshape(&settled(input(0)), &settled(shape), *axis)?),
                    None => None,
                });
            }
            Some(Local { op: Op::Reshape(without(shape, axes)), operands: vec![from] })
        }
        Op::Reduce(reduce, over) => {
            let kept: Vec<usize> = (0..input(0).len()).filter(|axis| !over.contains(axis)).collect();
            let from: Axes = axes.iter().map(|axis| axis.map(|axis| kept[axis])).collect();
            let over = over.iter().map(|axis| axis - before(*axis, &from)).collect();
            Some(Local { op: Op::Reduce(*reduce, over), operands: vec![from] })
        }
        Op::Dot { batch, contracted } => Some(product(batch, contracted, [input(0).len(), input(1).len()], axes)),
        Op::Slice { axis, start, count, step } => {
            let moved = *axis - before(*axis, axes);
            along(Op::Slice { axis: moved, start: start.clone(), count: count.clone(), step: *step }, *axis)
        }
        Op::Pad { axis, low, high, between } => {
            let moved = *axis - before(*axis, axes);
            along(Op::Pad { axis: moved, low: low.clone(), high: high.clone(), between: *between }, *axis)
        }
        Op::Concat(axis) => along(Op::Concat(axis - before(*axis, axes)), *axis),
        Op::CumSum { axis, reverse } => {
            along(Op::CumSum { axis: axis - before(*axis, axes), reverse: *reverse }, *axis)
        }
        // What is not known to keep the axes apart may join them.
        _ => None,
    }
}

/// The operands have the axes where the result has them.
fn same(op: Op, axes: &Axes, operands: usize) -> Local {
    Local { op, operands: vec![axes.clone(); operands] }
}

fn product(batch: &[(usize, usize)], contracted: &[(usize, usize)], ranks: [usize; 2], axes: &Axes) -> Local {
    let paired = |at: usize, axis: usize| batch.iter().chain(contracted).any(|(i, j)| [*i, *j][at] == axis);
    let free = |at: usize| (0..ranks[at]).filter(move |axis| !paired(at, *axis));
    // Of each axis of the result, where it is in the two operands.
    let pairs = batch.iter().map(|(i, j)| [Some(*i), Some(*j)]);
    let made: Vec<[Option<usize>; 2]> =
        pairs.chain(free(0).map(|axis| [Some(axis), None])).chain(free(1).map(|axis| [None, Some(axis)])).collect();
    let from = [0, 1].map(|at| axes.iter().map(|axis| axis.and_then(|axis| made[axis][at])).collect::<Axes>());
    let moved = |(i, j): &(usize, usize)| (i - before(*i, &from[0]), j - before(*j, &from[1]));
    let left = batch.iter().filter(|(i, _)| !from[0].contains(&Some(*i)));
    let op = Op::Dot { batch: left.map(moved).collect(), contracted: contracted.iter().map(moved).collect() };
    Local { op, operands: from.to_vec() }
}

/// How many of some axes stand before another.
pub(super) fn before(axis: usize, axes: &Axes) -> usize {
    axes.iter().flatten().filter(|own| **own < axis).count()
}

/// A shape without some axes.
pub(super) fn without(shape: &[Size], axes: &Axes) -> Vec<Size> {
    let left = shape.iter().enumerate().filter(|(axis, _)| !axes.contains(&Some(*axis)));
    left.map(|(_, size)| size.clone()).collect()
}

fn settled(shape: &[Size]) -> Vec<i64> {
    shape.iter().map(|size| size.settled().unwrap_or(0)).collect()
}

/// Whether an operation is cheap to compute again: no product, no sum.
pub(super) fn is_cheap(op: &Op) -> bool {
    match op.class() {
        Class::Elementwise | Class::View | Class::Copy => true,
        Class::Leaf => !matches!(op, Op::Input { .. }),
        Class::Draw | Class::Reduction | Class::Order | Class::Product | Class::Body => false,
    }
}
