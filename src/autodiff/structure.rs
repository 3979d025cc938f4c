//! Rules of products and views: each view's adjoint writes back where the view reads.

use crate::ir::{Graph, NodeId, Op, Reduce, ScalarOp, Size};
use std::collections::{HashMap, HashSet};

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
    let pairs =
        |free: &[usize], at: usize| free.iter().enumerate().map(|(k, axis)| (at + k, *axis)).collect::<Vec<_>>();
    // Gradient and b share the free axes of b: [batch, free of a, contracted in b's order].
    let by_a = graph.dot(batch_pairs(batch, |pair| pair.1, false), pairs(&free_b, at_b), g, b);
    let made =
        [axes(batch, |pair| pair.0), free_a.clone(), in_order(contracted, |pair| pair.1, |pair| pair.0)].concat();
    let by_a = ordered(graph, &made, by_a);
    // a and the gradient share the free axes of a: [batch, contracted in a's order, free of b]. Mostly b's own order.
    let by_b = graph.dot(batch_pairs(batch, |pair| pair.0, true), swap(&pairs(&free_a, at_a)), a, g);
    let made = [axes(batch, |pair| pair.1), in_order(contracted, |pair| pair.0, |pair| pair.1), free_b].concat();
    [by_a, ordered(graph, &made, by_b)]
}

type Pairs = [(usize, usize)];

fn axes(pairs: &Pairs, of: fn(&(usize, usize)) -> usize) -> Vec<usize> {
    pairs.iter().map(of).collect()
}

/// The batch axes of the gradient, which come first, with those of an operand.
fn batch_pairs(batch: &Pairs, of: fn(&(usize, usize)) -> usize, operand_first: bool) -> Vec<(usize, usize)> {
    let pair = |(at, pair): (usize, &(usize, usize))| if operand_first { (of(pair), at) } else { (at, of(pair)) };
    batch.iter().enumerate().map(pair).collect()
}

/// One side of the contracted pairs in the order of the other.
fn in_order(pairs: &Pairs, by: fn(&(usize, usize)) -> usize, of: fn(&(usize, usize)) -> usize) -> Vec<usize> {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable_by_key(by);
    axes(&sorted, of)
}

/// A node whose axes stand as `made` says, in their own order.
fn ordered(graph: &mut Graph, made: &[usize], node: NodeId) -> NodeId {
    let order = (0..made.len()).map(|axis| made.iter().position(|from| *from == axis).unwrap_or(axis)).collect();
    graph.permute(order, node)
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

/// The sum of the parts of a gradient, of which one is left; none of no parts.
pub(super) fn sum(graph: &mut Graph, parts: &mut Vec<NodeId>) -> Option<NodeId> {
    let sum = side_by_side(graph, parts).into_iter().reduce(|sum, part| graph.binary(ScalarOp::Add, sum, part));
    *parts = sum.into_iter().collect();
    sum
}

/// What came from neighbouring slices is put side by side instead of being added with zeros around it.
fn side_by_side(graph: &mut Graph, parts: &[NodeId]) -> Vec<NodeId> {
    let places: Vec<Option<Padded>> = parts.iter().map(|part| padded(graph, *part)).collect();
    // The first that begins at a place, and where others end.
    let mut begin: HashMap<(usize, &Size), usize> = HashMap::new();
    let mut ends: HashSet<(usize, &Size)> = HashSet::new();
    for (at, Padded { axis, low, end, .. }) in
        places.iter().enumerate().filter_map(|(at, own)| Some((at, own.as_ref()?)))
    {
        begin.entry((*axis, low)).or_insert(at);
        ends.insert((*axis, end));
    }
    let mut is_taken = vec![false; parts.len()];
    let mut made = Vec::new();
    // Those that follow no other begin a row of neighbours; what is left of the rest stands alone.
    for alone in [false, true] {
        for at in 0..parts.len() {
            let follows = places[at].as_ref().is_some_and(|own| ends.contains(&(own.axis, &own.low)));
            if is_taken[at] || (follows && !alone) {
                continue;
            }
            let mut row: Vec<&Padded> = Vec::new();
            let mut next = Some(at);
            while let Some(own) = next.filter(|own| !is_taken[*own]) {
                is_taken[own] = true;
                row.extend(&places[own]);
                next = places[own].as_ref().and_then(|own| begin.get(&(own.axis, &own.end)).copied());
            }
            made.push(if row.len() > 1 { padded_row(graph, &row) } else { parts[at] });
        }
    }
    made
}

/// What has zeros around it along one axis, and none between.
struct Padded {
    of: NodeId,
    axis: usize,
    low: Size,
    end: Size,
    high: Size,
}

fn padded(graph: &Graph, part: NodeId) -> Option<Padded> {
    let node = graph.node(part);
    let Op::Pad { axis, low, high, between: 0 } = &node.op else { return None };
    let (axis, low, high, of) = (*axis, low.clone(), high.clone(), node.inputs[0]);
    let end = low.plus(&graph.shape(of)[axis]);
    (low != end).then_some(Padded { of, axis, low, end, high })
}

fn padded_row(graph: &mut Graph, row: &[&Padded]) -> NodeId {
    let (first, last) = (row[0], row[row.len() - 1]);
    let whole = graph.add(Op::Concat(first.axis), row.iter().map(|own| own.of).collect());
    let (low, high) = (first.low.clone(), last.high.clone());
    if low == Size::from(0) && high == Size::from(0) {
        return whole;
    }
    graph.add(Op::Pad { axis: first.axis, low, high, between: 0 }, vec![whole])
}
