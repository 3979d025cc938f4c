//! The table of rules. In each row `g` is the gradient by the node's value, and what is written is what its operands
//! get. Nothing flows through ints, truth values and choices.

use super::structure;
use crate::ir::{Binary, Compare, DType, Graph, NodeId, Op, Reduce, Unary};
use std::collections::HashSet;

/// What each operand of a node gets of the gradient by its value.
pub fn contributions(graph: &mut Graph, id: NodeId, g: NodeId) -> Vec<Option<NodeId>> {
    let node = graph.node(id).clone();
    let operand = |at: usize| node.inputs.get(at).copied().unwrap_or(id);
    let (a, b) = (operand(0), operand(1));
    match &node.op {
        Op::Input { .. } | Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. } => Vec::new(),
        Op::Random { .. }
        | Op::Compare(_)
        | Op::And
        | Op::Or
        | Op::Not
        | Op::Cast(_)
        | Op::ArgMax(_)
        | Op::ArgSort(_)
        | Op::StopGradient => vec![None; node.inputs.len()],
        Op::Unary(op) => vec![unary(graph, *op, a, id, g)],
        Op::Binary(op) => binary(graph, *op, a, b, id, g).map(Some).to_vec(),
        Op::Select => {
            // Chosen, not multiplied: what was not chosen may hold a NaN, and its gradient is 0.
            let zero = like(graph, 0.0, id);
            vec![None, Some(graph.select(a, g, zero)), Some(graph.select(a, zero, g))]
        }
        Op::Reduce(reduce, axes) => vec![Some(reduced(graph, *reduce, axes, a, id, g))],
        Op::CumSum { axis, reverse } => {
            vec![Some(graph.add(Op::CumSum { axis: *axis, reverse: !reverse }, vec![g]))]
        }
        Op::Dot { batch, contracted } => structure::dot(graph, batch, contracted, a, b, g).map(Some).to_vec(),
        Op::Reshape(_) => {
            let shape = graph.shape(a).to_vec();
            vec![Some(graph.reshape(shape, g))]
        }
        Op::Permute(order) => {
            let back = (0..order.len()).map(|axis| order.iter().position(|own| *own == axis).unwrap_or(axis)).collect();
            vec![Some(graph.permute(back, g))]
        }
        Op::Broadcast { kept, .. } => vec![Some(structure::broadcast(graph, kept, a, g))],
        Op::Slice { axis, start, count, step } => vec![Some(structure::slice(graph, *axis, start, count, *step, a, g))],
        Op::Pad { axis, low, between, .. } => {
            let count = graph.shape(a)[*axis].clone();
            vec![Some(graph.add(Op::Slice { axis: *axis, start: low.clone(), count, step: between + 1 }, vec![g]))]
        }
        Op::Window { axis, stride, dilation, .. } => {
            let length = graph.shape(a)[*axis].clone();
            vec![Some(graph.add(Op::Fold { axis: *axis, length, stride: *stride, dilation: *dilation }, vec![g]))]
        }
        Op::Fold { axis, stride, dilation, .. } => {
            let size = graph.shape(a)[axis + 1].clone();
            vec![Some(graph.add(Op::Window { axis: *axis, size, stride: *stride, dilation: *dilation }, vec![g]))]
        }
        Op::Concat(axis) => structure::concat(graph, *axis, &node.inputs, g),
        Op::Gather { batch } => {
            let size = graph.shape(a)[*batch].clone();
            vec![Some(graph.add(Op::ScatterAdd { batch: *batch, size }, vec![b, g])), None]
        }
        Op::ScatterAdd { batch, .. } => vec![None, Some(graph.add(Op::Gather { batch: *batch }, vec![g, a]))],
    }
}

/// `y` is the value of the operation.
fn unary(graph: &mut Graph, op: Unary, x: NodeId, y: NodeId, g: NodeId) -> Option<NodeId> {
    Some(match op {
        Unary::Negate => graph.unary(Unary::Negate, g),
        // sign(x), 0 at 0
        Unary::Absolute => {
            let zero = like(graph, 0.0, x);
            let (below, above) = (graph.compare(Compare::Less, x, zero), graph.compare(Compare::Less, zero, x));
            let negated = graph.unary(Unary::Negate, g);
            let rest = graph.select(below, negated, zero);
            graph.select(above, g, rest)
        }
        Unary::Exp => sloped(graph, g, y),
        Unary::Log => {
            let one = like(graph, 1.0, x);
            let slope = graph.binary(Binary::Divide, one, x);
            sloped(graph, g, slope)
        }
        Unary::SquareRoot => {
            let half = like(graph, 0.5, x);
            let slope = graph.binary(Binary::Divide, half, y);
            sloped(graph, g, slope)
        }
        Unary::Sin => {
            let slope = graph.unary(Unary::Cos, x);
            graph.binary(Binary::Multiply, g, slope)
        }
        Unary::Cos => {
            let sine = graph.unary(Unary::Sin, x);
            let slope = graph.unary(Unary::Negate, sine);
            graph.binary(Binary::Multiply, g, slope)
        }
        // 1 - y²
        Unary::HyperbolicTangent => {
            let (one, square) = (like(graph, 1.0, x), graph.binary(Binary::Multiply, y, y));
            let slope = graph.binary(Binary::Subtract, one, square);
            graph.binary(Binary::Multiply, g, slope)
        }
        // 2/√π e^(-x²)
        Unary::ErrorFunction => {
            let square = graph.binary(Binary::Multiply, x, x);
            let power = graph.unary(Unary::Negate, square);
            let bell = graph.unary(Unary::Exp, power);
            let factor = like(graph, std::f64::consts::FRAC_2_SQRT_PI, x);
            let slope = graph.binary(Binary::Multiply, factor, bell);
            graph.binary(Binary::Multiply, g, slope)
        }
        Unary::Floor => return None,
    })
}

fn binary(graph: &mut Graph, op: Binary, a: NodeId, b: NodeId, y: NodeId, g: NodeId) -> [NodeId; 2] {
    match op {
        Binary::Add => [g, g],
        Binary::Subtract => [g, graph.unary(Unary::Negate, g)],
        Binary::Multiply => [times(graph, g, b), times(graph, g, a)],
        // 1 / b, and -y / b
        Binary::Divide => {
            let one = like(graph, 1.0, b);
            let slope = graph.binary(Binary::Divide, one, b);
            let quotient = graph.binary(Binary::Divide, y, b);
            let falling = graph.unary(Unary::Negate, quotient);
            [sloped(graph, g, slope), sloped(graph, g, falling)]
        }
        Binary::Power => power(graph, a, b, y, g),
        Binary::Minimum => {
            let (less, more) = (graph.compare(Compare::Less, a, b), graph.compare(Compare::Less, b, a));
            extreme(graph, less, more, g)
        }
        Binary::Maximum => {
            let (less, more) = (graph.compare(Compare::Less, a, b), graph.compare(Compare::Less, b, a));
            extreme(graph, more, less, g)
        }
    }
}

/// b a^(b-1), which is 0 where b is; and a^b log a, which is 0 where a is.
fn power(graph: &mut Graph, a: NodeId, b: NodeId, y: NodeId, g: NodeId) -> [NodeId; 2] {
    let (zero, one) = (like(graph, 0.0, a), like(graph, 1.0, a));
    let lower = graph.binary(Binary::Subtract, b, one);
    let slope = graph.binary(Binary::Power, a, lower);
    let slope = graph.binary(Binary::Multiply, b, slope);
    let constant = graph.compare(Compare::Equal, b, zero);
    let slope = graph.select(constant, zero, slope);
    let by_a = sloped(graph, g, slope);
    let at_zero = graph.compare(Compare::Equal, a, zero);
    let positive = graph.select(at_zero, one, a);
    let log = graph.unary(Unary::Log, positive);
    let slope = graph.binary(Binary::Multiply, y, log);
    [by_a, sloped(graph, g, slope)]
}

/// `g` times a slope that may have a pole or overflow. Where `g` is 0 and the slope is not finite it is 0: this is how a
/// branch that an `if` did not choose contributes nothing, whatever its own values are.
fn sloped(graph: &mut Graph, g: NodeId, slope: NodeId) -> NodeId {
    let zero = like(graph, 0.0, g);
    let difference = graph.binary(Binary::Subtract, slope, slope);
    let infinite = graph.compare(Compare::NotEqual, difference, zero);
    let unwanted = graph.compare(Compare::Equal, g, zero);
    let skipped = graph.add(Op::And, vec![unwanted, infinite]);
    let slope = graph.select(skipped, zero, slope);
    graph.binary(Binary::Multiply, g, slope)
}

/// `g` times a factor, which may itself have a pole or overflow: `if x > 0 then a * log(x) else 0`.
fn times(graph: &mut Graph, g: NodeId, factor: NodeId) -> NodeId {
    if may_be_infinite(graph, factor) { sloped(graph, g, factor) } else { graph.binary(Binary::Multiply, g, factor) }
}

/// How many nodes are looked at before a factor is taken for one that may be infinite.
const LOOKS: usize = 64;

/// Whether a node is made with something that can leave the finite numbers. What goes through a product of matrices is looked
/// at no further: there one row spoils others anyway.
fn may_be_infinite(graph: &Graph, node: NodeId) -> bool {
    let mut open = vec![node];
    let mut seen = HashSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        if seen.len() > LOOKS {
            return true;
        }
        let node = graph.node(id);
        match &node.op {
            Op::Unary(Unary::Exp | Unary::Log | Unary::SquareRoot) => return true,
            // A square is a product by now.
            Op::Binary(Binary::Power) => return true,
            Op::Binary(Binary::Divide) if !is_constant(graph, node.inputs[1]) => return true,
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Select
            | Op::StopGradient
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Broadcast { .. }
            | Op::Slice { .. }
            | Op::Concat(_)
            | Op::Reduce(..)
            | Op::CumSum { .. }
            | Op::Gather { .. } => open.extend(&node.inputs),
            Op::Input { .. }
            | Op::Constant(_)
            | Op::SizeOf(_)
            | Op::Iota { .. }
            | Op::Random { .. }
            | Op::Compare(_)
            | Op::And
            | Op::Or
            | Op::Not
            | Op::Cast(_)
            | Op::ArgMax(_)
            | Op::ArgSort(_)
            | Op::Dot { .. }
            | Op::Pad { .. }
            | Op::Window { .. }
            | Op::Fold { .. }
            | Op::ScatterAdd { .. } => {}
        }
    }
    false
}

/// A number that is not 0 and that the program writes, or that of some rows, everywhere.
fn is_constant(graph: &Graph, node: NodeId) -> bool {
    let node = graph.node(node);
    match &node.op {
        Op::Constant(number) => number.get() != 0.0,
        Op::SizeOf(_) => true,
        Op::Broadcast { .. } | Op::Cast(_) => is_constant(graph, node.inputs[0]),
        _ => false,
    }
}

/// To the operand that was chosen; equal ones share.
fn extreme(graph: &mut Graph, first: NodeId, second: NodeId, g: NodeId) -> [NodeId; 2] {
    let (zero, half) = (like(graph, 0.0, g), like(graph, 0.5, g));
    let shared = graph.binary(Binary::Multiply, g, half);
    let mut share = |chosen: NodeId, other: NodeId| {
        let rest = graph.select(other, zero, shared);
        graph.select(chosen, g, rest)
    };
    [share(first, second), share(second, first)]
}

/// A sum gives each element the gradient; the greatest (least) ones share it equally.
fn reduced(graph: &mut Graph, reduce: Reduce, axes: &[usize], x: NodeId, y: NodeId, g: NodeId) -> NodeId {
    let shape = graph.shape(x).to_vec();
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let wide = graph.broadcast(shape.clone(), kept.clone(), g);
    match reduce {
        Reduce::Sum => wide,
        Reduce::Max | Reduce::Min => {
            let extreme = graph.broadcast(shape.clone(), kept.clone(), y);
            let chosen = graph.compare(Compare::Equal, x, extreme);
            let ones = graph.cast(DType::Float, chosen);
            let count = graph.reduce(Reduce::Sum, axes.to_vec(), ones);
            let count = graph.broadcast(shape, kept, count);
            let share = graph.binary(Binary::Divide, wide, count);
            let zero = like(graph, 0.0, x);
            graph.select(chosen, share, zero)
        }
    }
}

/// A number everywhere in the shape of a node.
fn like(graph: &mut Graph, value: f64, shape: NodeId) -> NodeId {
    let shape = graph.shape(shape).to_vec();
    graph.fill(value, shape)
}
