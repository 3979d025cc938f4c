//! What operations are in the words of the field, found by their form: a product of windows is a convolution.

use crate::ir::{Graph, NodeId, Op, ScalarOp};
use std::collections::HashMap;

/// Names of the nodes that have one.
pub fn named(graph: &Graph) -> HashMap<NodeId, &'static str> {
    graph.nodes().filter_map(|(id, _)| Some((id, name(graph, id)?))).collect()
}

fn name(graph: &Graph, id: NodeId) -> Option<&'static str> {
    let node = graph.node(id);
    match &node.op {
        Op::Dot { .. } if node.inputs.iter().any(|input| is_windows(graph, *input)) => Some("convolution"),
        Op::Dot { .. } if node.inputs.iter().any(|input| is_softmax_of_product(graph, *input)) => Some("attention"),
        Op::Dot { .. } => Some("contraction"),
        Op::Reduce(..) if is_windows(graph, node.inputs[0]) => Some("pooling"),
        Op::Gather { .. } => Some("gather"),
        Op::ScatterAdd { .. } => Some("scatter-add"),
        Op::CumSum { .. } => Some("cumulative sum"),
        _ => None,
    }
}

/// Whether a node is windows of another, in whatever order.
fn is_windows(graph: &Graph, mut id: NodeId) -> bool {
    loop {
        let node = graph.node(id);
        match &node.op {
            Op::Window { .. } => return true,
            Op::Permute(_) | Op::Reshape(_) | Op::Slice { .. } => id = node.inputs[0],
            _ => return false,
        }
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
