//! Between which numbers a value lies, where its form tells: a slope that cannot be infinite is not looked at in each step.

use crate::ir::{Class, Graph, NodeId, Op, ScalarOp};

/// So deep is looked.
const DEPTH: usize = 6;

/// The least and the greatest value of a node whose inputs are finite; infinite where nothing is known.
pub(super) fn range(graph: &Graph, id: NodeId) -> (f64, f64) {
    within(graph, id, DEPTH)
}

fn within(graph: &Graph, id: NodeId, depth: usize) -> (f64, f64) {
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    let node = graph.node(id);
    if depth == 0 {
        return all;
    }
    if let Op::Constant(number) = node.op {
        return (number.get(), number.get());
    }
    if let Op::Scalar(op) = node.op {
        let operands: Vec<(f64, f64)> = node.inputs.iter().map(|input| within(graph, *input, depth - 1)).collect();
        let (low, high) = op.range(&operands);
        return if is_turned_down(graph, id) { (low, high.min(0.0)) } else { (low, high) };
    }
    if node.op.class() == Class::View { within(graph, node.inputs[0], depth - 1) } else { all }
}

/// Whether a node is `if x > 0 then -x else x`.
fn is_turned_down(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let (Op::Scalar(ScalarOp::Select), [condition, turned, x]) = (&node.op, &node.inputs[..]) else { return false };
    let (condition, turned) = (graph.node(*condition), graph.node(*turned));
    let is_positive = matches!(condition.op, Op::Scalar(ScalarOp::Less)) && condition.inputs[1] == *x;
    let is_negative = matches!(turned.op, Op::Scalar(ScalarOp::Neg)) && turned.inputs[0] == *x;
    is_positive && is_negative && within(graph, condition.inputs[0], 2) == (0.0, 0.0)
}
