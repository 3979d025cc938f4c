//! What operations are in the words of the field, found by their form: a product of windows is a convolution.

use crate::ir::{Graph, NodeId, Op, ScalarOp};
use std::collections::HashMap;

/// Names of the nodes that have one.
pub fn named(graph: &Graph) -> HashMap<NodeId, &'static str> {
    graph.nodes().filter_map(|(id, _)| Some((id, name(graph, id)?))).collect()
}

fn name(graph: &Graph, id: NodeId) -> Option<&'static str> {
    let node = graph.node(id);
    if matches!(node.op, Op::Dot { .. }) {
        let any = |is: fn(&Graph, NodeId) -> bool| node.inputs.iter().any(|input| is(graph, *input));
        return Some(match (any(is_windows), any(is_softmax_of_product)) {
            (true, _) => "convolution",
            (false, true) => "attention",
            (false, false) => "contraction",
        });
    }
    if node.op.is_running_sum() {
        return Some("cumulative sum");
    }
    let names = [
        (matches!(node.op, Op::Reduce(..)) && is_windows(graph, node.inputs[0]), "pooling"),
        (matches!(node.op, Op::Gather { .. }), "gather"),
        (matches!(node.op, Op::ScatterAdd { .. }), "scatter-add"),
    ];
    names.into_iter().find(|(is_it, _)| *is_it).map(|(_, name)| name)
}

/// Whether a node is windows of another, in whatever order.
fn is_windows(graph: &Graph, mut id: NodeId) -> bool {
    loop {
        let node = graph.node(id);
        if matches!(node.op, Op::Window { .. }) {
            return true;
        }
        if !matches!(node.op, Op::Permute(_) | Op::Reshape(_) | Op::Slice { .. }) {
            return false;
        }
        id = node.inputs[0];
    }
}

/// So many nodes are looked through, from an operand to the softmax that it is.
const MOST: usize = 60;

/// Whether elementwise operations lead from a product of matrices through an exponential to a node.
fn is_softmax_of_product(graph: &Graph, id: NodeId) -> bool {
    let through = |from: Vec<NodeId>, wanted: fn(&Op) -> bool| -> Option<NodeId> {
        let (mut open, mut left) = (from, MOST);
        while let Some(id) = open.pop() {
            let node = graph.node(id);
            if wanted(&node.op) {
                return Some(id);
            }
            left = left.checked_sub(1)?;
            if matches!(
                node.op,
                Op::Scalar(_) | Op::Permute(_) | Op::Reshape(_) | Op::Broadcast { .. } | Op::Slice { .. }
            ) {
                open.extend(&node.inputs);
            }
        }
        None
    };
    let power = through(vec![id], |op| matches!(op, Op::Scalar(ScalarOp::Exp)));
    power.and_then(|power| through(graph.node(power).inputs.clone(), |op| matches!(op, Op::Dot { .. }))).is_some()
}
