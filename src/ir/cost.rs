//! What computing nodes of a settled graph costs.

use super::graph::{Graph, NodeId};
use super::op::{DType, Op};
use super::shape::elements;

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
            Op::Random { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::And
            | Op::Or
            | Op::Not
            | Op::Select
            | Op::Cast(_) => made,
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

/// The most bytes that are held at once, where values are dropped after their last reader; inputs stay. An element takes
/// `width` bytes, a truth value one.
pub fn peak_bytes(graph: &Graph, roots: &[NodeId], width: u64) -> u64 {
    let needed = graph.needed(roots);
    let bytes = |id: NodeId| count(graph, id) * if graph.dtype(id) == DType::Bool { 1 } else { width };
    let mut last = std::collections::HashMap::new();
    for id in &needed {
        last.extend(graph.node(*id).inputs.iter().map(|input| (*input, *id)));
    }
    let stays = |id: NodeId| matches!(graph.node(id).op, Op::Input { .. }) || roots.contains(&id);
    let (mut held, mut peak) = (0u64, 0u64);
    for id in needed {
        held = held.saturating_add(bytes(id));
        peak = peak.max(held);
        let mut inputs = graph.node(id).inputs.clone();
        inputs.sort_unstable();
        inputs.dedup();
        for input in inputs.into_iter().filter(|input| last.get(input) == Some(&id) && !stays(*input)) {
            held = held.saturating_sub(bytes(input));
        }
    }
    peak
}

fn count(graph: &Graph, id: NodeId) -> u64 {
    elements(graph.shape(id)).settled().unwrap_or(0).max(0) as u64
}
