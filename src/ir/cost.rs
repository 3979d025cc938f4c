//! What computing nodes of a settled graph costs.

use super::graph::{Graph, NodeId};
use super::op::Op;
use super::shape::elements;
use std::collections::HashMap;

/// Floating-point operations: two for each term of a product, one for each element of the rest; views cost none.
pub fn flops(graph: &Graph, roots: &[NodeId]) -> u64 {
    let cost = |id: &NodeId| {
        let node = graph.node(*id);
        let made = count(graph, *id);
        let read = node.inputs.first().map_or(0, |input| count(graph, *input));
        match &node.op {
            Op::Dot { contracted, .. } => {
                let shape = node.inputs.first().map_or(&[][..], |input| graph.shape(*input));
                let depth = contracted.iter().map(|(axis, _)| shape[*axis].settled().unwrap_or(0).max(0) as u64);
                depth.product::<u64>().saturating_mul(made).saturating_mul(2)
            }
            Op::Input { .. }
            | Op::Constant(_)
            | Op::SizeOf(_)
            | Op::Iota { .. }
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Broadcast { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Window { .. }
            | Op::Concat(_)
            | Op::Gather { .. }
            | Op::StopGradient => 0,
            Op::Random { .. } | Op::Scalar(_) => made,
            Op::Reduce(..)
            | Op::ArgMax(_)
            | Op::CumSum { .. }
            | Op::ArgSort(_)
            | Op::Fold { .. }
            | Op::ScatterAdd { .. } => read,
        }
    };
    graph.needed(roots).iter().map(cost).fold(0, u64::saturating_add)
}

/// The nodes with the most elements, the largest first, and how many each has. A count that does not fit is the greatest.
pub fn largest(graph: &Graph, roots: &[NodeId]) -> Vec<(NodeId, u64)> {
    let mut all: Vec<(NodeId, u64)> = graph.needed(roots).into_iter().map(|id| (id, count(graph, id))).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}

/// The most elements that are held at once where nodes are computed one after another, views included, and each is kept
/// until all that reads it is computed.
pub fn held(graph: &Graph, roots: &[NodeId]) -> u64 {
    let needed = graph.needed(roots);
    let mut readers: HashMap<NodeId, usize> = HashMap::new();
    for read in needed.iter().flat_map(|id| &graph.node(*id).inputs).chain(roots) {
        *readers.entry(*read).or_default() += 1;
    }
    let (mut now, mut most) = (0u64, 0);
    for id in needed {
        now = now.saturating_add(count(graph, id));
        most = most.max(now);
        for input in &graph.node(id).inputs {
            if let Some(left) = readers.get_mut(input) {
                *left -= 1;
                if *left == 0 {
                    now = now.saturating_sub(count(graph, *input));
                }
            }
        }
    }
    most
}

/// Elements of a settled result; 0 of one whose shape is still open.
pub fn count(graph: &Graph, id: NodeId) -> u64 {
    elements(graph.shape(id)).settled().unwrap_or(0).max(0) as u64
}
