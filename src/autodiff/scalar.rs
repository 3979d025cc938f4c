//! The rules of scalar operations. In each, `g` is the gradient by the value `y`.

use super::range::range;
use super::rules::like;
use crate::ir::{Class, DType, Graph, NodeId, Op, ScalarOp};
use std::collections::HashSet;

/// What each operand gets. Nothing flows through truth values, conditions and casts.
pub(super) fn scalar(graph: &mut Graph, op: ScalarOp, x: &[NodeId], y: NodeId, g: NodeId) -> Vec<Option<NodeId>> {
    let (a, b) = (x[0], x.get(1).copied().unwrap_or(x[0]));
    let one = |part: NodeId| vec![Some(part)];
    match op {
        ScalarOp::Neg => one(graph.unary(ScalarOp::Neg, g)),
        ScalarOp::Abs => one(absolute(graph, a, g)),
        ScalarOp::Exp => one(times(graph, g, y)),
        // Not y + 1, which has lost its digits where eˣ is near 0.
        ScalarOp::Expm1 => {
            let slope = graph.unary(ScalarOp::Exp, a);
            one(times(graph, g, slope))
        }
        ScalarOp::Log => {
            let slope = reciprocal(graph, a);
            one(times(graph, g, slope))
        }
        ScalarOp::Log1p => {
            let unit = like(graph, 1.0, a);
            let sum = graph.binary(ScalarOp::Add, unit, a);
            let slope = reciprocal(graph, sum);
            one(times(graph, g, slope))
        }
        ScalarOp::Sqrt => {
            let half = like(graph, 0.5, a);
            let slope = graph.binary(ScalarOp::Div, half, y);
            one(times_slope(graph, g, slope))
        }
        ScalarOp::Sin => {
            let slope = graph.unary(ScalarOp::Cos, a);
            one(times(graph, g, slope))
        }
        ScalarOp::Cos => {
            let sine = graph.unary(ScalarOp::Sin, a);
            let slope = graph.unary(ScalarOp::Neg, sine);
            one(times(graph, g, slope))
        }
        // 1 - y²
        ScalarOp::Tanh => {
            let (unit, square) = (like(graph, 1.0, a), graph.binary(ScalarOp::Mul, y, y));
            let slope = graph.binary(ScalarOp::Sub, unit, square);
            one(times(graph, g, slope))
        }
        ScalarOp::Erf => one(erf(graph, a, g)),
        ScalarOp::Cast(DType::Float) if graph.dtype(a) == DType::Float => one(g),
        ScalarOp::Floor | ScalarOp::Not | ScalarOp::Cast(_) => vec![None],
        ScalarOp::Add => vec![Some(g), Some(g)],
        ScalarOp::Sub => vec![Some(g), Some(graph.unary(ScalarOp::Neg, g))],
        ScalarOp::Mul => vec![Some(times(graph, g, b)), Some(times(graph, g, a))],
        ScalarOp::Div => quotient(graph, b, y, g),
        ScalarOp::Pow => power(graph, a, b, y, g),
        ScalarOp::Min => {
            let (less, more) = (graph.binary(ScalarOp::Less, a, b), graph.binary(ScalarOp::Less, b, a));
            extreme(graph, less, more, g)
        }
        ScalarOp::Max => {
            let (less, more) = (graph.binary(ScalarOp::Less, a, b), graph.binary(ScalarOp::Less, b, a));
            extreme(graph, more, less, g)
        }
        // a - b ⌊a / b⌋
        ScalarOp::Mod => {
            let whole = graph.binary(ScalarOp::Quotient, a, b);
            let slope = graph.unary(ScalarOp::Neg, whole);
            vec![Some(g), Some(times_slope(graph, g, slope))]
        }
        // Of the point (b, a): b / (a² + b²), and -a / (a² + b²)
        ScalarOp::Atan2 => {
            let (square, other) = (graph.binary(ScalarOp::Mul, a, a), graph.binary(ScalarOp::Mul, b, b));
            let distance = graph.binary(ScalarOp::Add, square, other);
            let rising = graph.binary(ScalarOp::Div, b, distance);
            let falling = graph.binary(ScalarOp::Div, a, distance);
            let falling = graph.unary(ScalarOp::Neg, falling);
            vec![Some(times_slope(graph, g, rising)), Some(times_slope(graph, g, falling))]
        }
        ScalarOp::Quotient => vec![None, None],
        ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual | ScalarOp::And | ScalarOp::Or => {
            vec![None, None]
        }
        ScalarOp::Select => {
            // Chosen, not multiplied: what was not chosen may hold a NaN, and its gradient is 0.
            let zero = like(graph, 0.0, y);
            vec![None, Some(graph.select(a, g, zero)), Some(graph.select(a, zero, g))]
        }
    }
}

/// sign(x), 0 at 0.
fn absolute(graph: &mut Graph, a: NodeId, g: NodeId) -> NodeId {
    let zero = like(graph, 0.0, a);
    let (below, above) = (graph.binary(ScalarOp::Less, a, zero), graph.binary(ScalarOp::Less, zero, a));
    let negated = graph.unary(ScalarOp::Neg, g);
    let rest = graph.select(below, negated, zero);
    graph.select(above, g, rest)
}

/// 2/√π e^(-x²), which is at most 1.13: only an operand that is infinite can make it NaN.
fn erf(graph: &mut Graph, a: NodeId, g: NodeId) -> NodeId {
    let square = graph.binary(ScalarOp::Mul, a, a);
    let power = graph.unary(ScalarOp::Neg, square);
    let bell = graph.unary(ScalarOp::Exp, power);
    let factor = like(graph, std::f64::consts::FRAC_2_SQRT_PI, a);
    let slope = graph.binary(ScalarOp::Mul, factor, bell);
    if may_be_infinite(graph, a) { times_slope(graph, g, slope) } else { graph.binary(ScalarOp::Mul, g, slope) }
}

/// 1 / b, and -y / b.
fn quotient(graph: &mut Graph, b: NodeId, y: NodeId, g: NodeId) -> Vec<Option<NodeId>> {
    let slope = reciprocal(graph, b);
    let quotient = graph.binary(ScalarOp::Div, y, b);
    let falling = graph.unary(ScalarOp::Neg, quotient);
    vec![Some(times(graph, g, slope)), Some(times(graph, g, falling))]
}

fn reciprocal(graph: &mut Graph, x: NodeId) -> NodeId {
    let one = like(graph, 1.0, x);
    graph.binary(ScalarOp::Div, one, x)
}

/// b a^(b-1), which is 0 where b is; and a^b log a, which is 0 where a is.
fn power(graph: &mut Graph, a: NodeId, b: NodeId, y: NodeId, g: NodeId) -> Vec<Option<NodeId>> {
    let (zero, one) = (like(graph, 0.0, a), like(graph, 1.0, a));
    let lower = graph.binary(ScalarOp::Sub, b, one);
    let slope = graph.binary(ScalarOp::Pow, a, lower);
    let slope = graph.binary(ScalarOp::Mul, b, slope);
    let constant = graph.binary(ScalarOp::Equal, b, zero);
    let slope = graph.select(constant, zero, slope);
    let by_a = times_slope(graph, g, slope);
    let at_zero = graph.binary(ScalarOp::Equal, a, zero);
    let positive = graph.select(at_zero, one, a);
    let log = graph.unary(ScalarOp::Log, positive);
    let slope = graph.binary(ScalarOp::Mul, y, log);
    vec![Some(by_a), Some(times_slope(graph, g, slope))]
}

/// To the operand that was chosen; equal ones share.
fn extreme(graph: &mut Graph, first: NodeId, second: NodeId, g: NodeId) -> Vec<Option<NodeId>> {
    let (zero, half) = (like(graph, 0.0, g), like(graph, 0.5, g));
    let shared = graph.binary(ScalarOp::Mul, g, half);
    let mut share = |chosen: NodeId, other: NodeId| {
        let rest = graph.select(other, zero, shared);
        graph.select(chosen, g, rest)
    };
    vec![Some(share(first, second)), Some(share(second, first))]
}

/// `g` times a slope that may have a pole or overflow. Where `g` is 0 and the slope is not finite it is 0: this is how a
/// branch that an `if` did not choose contributes nothing, whatever its own values are.
fn times_slope(graph: &mut Graph, g: NodeId, slope: NodeId) -> NodeId {
    let zero = like(graph, 0.0, g);
    let difference = graph.binary(ScalarOp::Sub, slope, slope);
    let infinite = graph.binary(ScalarOp::NotEqual, difference, zero);
    let unwanted = graph.binary(ScalarOp::Equal, g, zero);
    let skipped = graph.binary(ScalarOp::And, unwanted, infinite);
    let slope = graph.select(skipped, zero, slope);
    graph.binary(ScalarOp::Mul, g, slope)
}

/// `g` times a factor, which may itself have a pole or overflow: `if x > 0 then a * log(x) else 0`.
fn times(graph: &mut Graph, g: NodeId, factor: NodeId) -> NodeId {
    if may_be_infinite(graph, factor) { times_slope(graph, g, factor) } else { graph.binary(ScalarOp::Mul, g, factor) }
}

/// How many nodes are looked at before a factor is taken for one that may be infinite.
const LOOKS: usize = 64;

/// Whether a node is made with something that can leave the finite numbers. What goes through a product of matrices is looked
/// at no further: there one row spoils others anyway.
pub fn may_be_infinite(graph: &Graph, node: NodeId) -> bool {
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
        if let Op::Scalar(scalar) = node.op {
            if has_pole(graph, scalar, &node.inputs) {
                return true;
            }
            if gives_truth(scalar) {
                continue;
            }
        }
        if let Some(body) = node.op.body()
            && body.results().iter().any(|result| may_be_infinite(body.graph(), *result))
        {
            return true;
        }
        match node.op.class() {
            Class::Elementwise | Class::View | Class::Copy | Class::Reduction | Class::Body => {
                open.extend(&node.inputs)
            }
            Class::Leaf | Class::Draw | Class::Order | Class::Product => {}
        }
    }
    false
}

/// A power up to this is a finite number of 32 bits, and so is what is divided by a number that is no closer to 0.
const GREATEST_POWER: f64 = 80.0;
const LEAST: f64 = 1e-6;

/// Whether an operation of finite operands may be infinite or no number. (Sums and products that overflow are outside of this.)
fn has_pole(graph: &Graph, op: ScalarOp, operands: &[NodeId]) -> bool {
    match op {
        ScalarOp::Exp | ScalarOp::Expm1 => range(graph, operands[0]).1 > GREATEST_POWER,
        ScalarOp::Log => range(graph, operands[0]).0 < LEAST,
        ScalarOp::Log1p => range(graph, operands[0]).0 < LEAST - 1.0,
        // A square is a product by now.
        ScalarOp::Sqrt | ScalarOp::Pow => true,
        ScalarOp::Div => {
            let (low, high) = range(graph, operands[1]);
            !is_constant(graph, operands[1]) && low < LEAST && high > -LEAST
        }
        ScalarOp::Mod | ScalarOp::Quotient => !is_constant(graph, operands[1]),
        ScalarOp::Neg | ScalarOp::Abs | ScalarOp::Sin | ScalarOp::Cos | ScalarOp::Tanh | ScalarOp::Erf => false,
        ScalarOp::Floor | ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul | ScalarOp::Min | ScalarOp::Max => false,
        ScalarOp::Atan2 => false,
        ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual => false,
        ScalarOp::And | ScalarOp::Or | ScalarOp::Not | ScalarOp::Select | ScalarOp::Cast(_) => false,
    }
}

/// Whether a result is 0 or 1 or whole, whatever the operands are made with.
fn gives_truth(op: ScalarOp) -> bool {
    match op {
        ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual => true,
        ScalarOp::And | ScalarOp::Or | ScalarOp::Not | ScalarOp::Cast(_) => true,
        ScalarOp::Neg | ScalarOp::Abs | ScalarOp::Exp | ScalarOp::Expm1 | ScalarOp::Log | ScalarOp::Log1p => false,
        ScalarOp::Sqrt | ScalarOp::Sin | ScalarOp::Cos | ScalarOp::Tanh | ScalarOp::Erf | ScalarOp::Floor => false,
        ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul | ScalarOp::Div | ScalarOp::Pow => false,
        ScalarOp::Min | ScalarOp::Max | ScalarOp::Select => false,
        ScalarOp::Mod | ScalarOp::Quotient | ScalarOp::Atan2 => false,
    }
}

/// A number that is not 0 and that the program writes, or that of some rows, everywhere.
fn is_constant(graph: &Graph, node: NodeId) -> bool {
    let node = graph.node(node);
    if let Op::Constant(number) = node.op {
        return number.get() != 0.0;
    }
    if let Op::Broadcast { .. } | Op::Scalar(ScalarOp::Cast(_)) = node.op {
        return is_constant(graph, node.inputs[0]);
    }
    matches!(node.op, Op::SizeOf(_))
}
