//! Rules of products and views: each view's adjoint writes back where the view reads.

use crate::ir::{Graph, NodeId, Op, Reduce, Size};

/// For each operand the product of the gradient with the other operand, over the other's free axes.
pub(super) fn dot(
    graph: &mut Graph,
    batch: &[(usize, usize)],
    contracted: &[(usize, usize)],
    a: NodeId,
    b: NodeId,
    g: NodeId,
) -> [NodeId; 2] {
    let swap = |pairs: &[(usize, usize)]| pairs.iter().map(|(i, j)| (*j, *i)).collect::<Vec<_>>();
    let free = |rank: usize, used: &dyn Fn(usize) -> bool| (0..rank).filter(|axis| !used(*axis)).collect::<Vec<_>>();
    let paired = |first: bool, axis: usize| {
        batch.iter().chain(contracted).any(|(i, j)| if first { *i == axis } else { *j == axis })
    };
    let free_a = free(graph.shape(a).len(), &|axis| paired(true, axis));
    let free_b = free(graph.shape(b).len(), &|axis| paired(false, axis));
    // The gradient is [batch, free of a, free of b].
    let at_a = batch.len();
    let at_b = at_a + free_a.len();
    let by_a = one_side(graph, batch, contracted, (a, &free_a, at_a), (b, &free_b, at_b), g);
    let by_b = one_side(graph, &swap(batch), &swap(contracted), (b, &free_b, at_b), (a, &free_a, at_a), g);
    [by_a, by_b]
}

/// The gradient by `own`: its free axes and those of `other` stand in the gradient from the given places on.
fn one_side(
    graph: &mut Graph,
    batch: &[(usize, usize)],
    contracted: &[(usize, usize)],
    own: (NodeId, &[usize], usize),
    other: (NodeId, &[usize], usize),
    g: NodeId,
) -> NodeId {
    let batches = batch.iter().enumerate().map(|(at, (_, j))| (at, *j)).collect();
    let pairs = other.1.iter().enumerate().map(|(at, axis)| (other.2 + at, *axis)).collect();
    let product = graph.dot(batches, pairs, g, other.0);
    // [batch, free of own, contracted in the order of the other's axes]
    let mut last: Vec<(usize, usize)> = contracted.to_vec();
    last.sort_unstable_by_key(|(_, j)| *j);
    let made: Vec<usize> =
        batch.iter().map(|(i, _)| *i).chain(own.1.iter().copied()).chain(last.iter().map(|(i, _)| *i)).collect();
    let order = (0..made.len()).map(|axis| made.iter().position(|from| *from == axis).unwrap_or(axis)).collect();
    graph.permute(order, product)
}

/// Sums over the axes that were added or stretched.
pub(super) fn broadcast(graph: &mut Graph, kept: &[usize], a: NodeId, g: NodeId) -> NodeId {
    let own = graph.shape(a).to_vec();
    let stretched = |axis: usize| match kept.iter().position(|place| *place == axis) {
        None => true,
        Some(at) => own[at] != graph.shape(g)[axis],
    };
    let axes = (0..graph.shape(g).len()).filter(|axis| stretched(*axis)).collect();
    let sum = graph.reduce(Reduce::Sum, axes, g);
    graph.reshape(own, sum)
}

/// Zeros around and between what was read.
pub(super) fn slice(
    graph: &mut Graph,
    axis: usize,
    start: &Size,
    count: &Size,
    step: i64,
    a: NodeId,
    g: NodeId,
) -> NodeId {
    let one = Size::from(1);
    let length = graph.shape(a)[axis].clone();
    if count.settled() == Some(0) {
        let shape = graph.shape(a).to_vec();
        return graph.fill(0.0, shape);
    }
    let span = count.minus(&one).times(&Size::from(step.abs()));
    // Read backwards: the first that was written is the last that was read.
    let (g, low) = match step < 0 {
        true => {
            let back = Op::Slice { axis, start: count.minus(&one), count: count.clone(), step: -1 };
            (graph.add(back, vec![g]), start.minus(&span))
        }
        false => (g, start.clone()),
    };
    let high = length.minus(&low).minus(&span).minus(&one);
    graph.add(Op::Pad { axis, low, high, between: step.abs() - 1 }, vec![g])
}

/// Each part its slice.
pub(super) fn concat(graph: &mut Graph, axis: usize, parts: &[NodeId], g: NodeId) -> Vec<Option<NodeId>> {
    let mut start = Size::from(0);
    let mut slices = Vec::new();
    for part in parts {
        let count = graph.shape(*part)[axis].clone();
        slices.push(Some(graph.add(Op::Slice { axis, start: start.clone(), count: count.clone(), step: 1 }, vec![g])));
        start = start.plus(&count);
    }
    slices
}
