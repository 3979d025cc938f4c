//! Blocks whose gradient computes them again: what they give is kept, and nothing within them. A net of n blocks then needs memory for n
//! results and the inside of one block, and computes each block twice (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).

use crate::ir::{Body, Class, Graph, NodeId, Op};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A value that is made from what some blocks give, one after the other: what is the same as each of its nodes where each block is a call. Where
/// rows come `in_parts`, a block in which rows meet stays as it is: what is summed over them must be seen.
pub fn in_blocks(graph: &mut Graph, of: NodeId, blocks: &[NodeId], in_parts: bool) -> BTreeMap<NodeId, NodeId> {
    if blocks.is_empty() {
        return BTreeMap::from([(of, of)]);
    }
    let needed = graph.needed(&[of]);
    let mut blocks: Vec<NodeId> = blocks.iter().copied().filter(|block| needed.contains(block)).collect();
    blocks.sort_unstable();
    blocks.dedup();
    let mut within = within(graph, &blocks);
    if in_parts {
        let is_apart = |own: &HashSet<NodeId>| !own.iter().any(|id| rows_meet(graph, *id));
        (blocks, within) = blocks.into_iter().zip(within).filter(|(_, own)| is_apart(own)).unzip();
    }
    let mut made: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for id in needed {
        let block = blocks.iter().position(|block| *block == id);
        let inputs = match block {
            Some(block) => outside(graph, &within[block]),
            None => graph.node(id).inputs.clone(),
        };
        let now: Vec<NodeId> = inputs.iter().map(|input| made[input]).collect();
        let own = if block.is_some() {
            let body = Arc::new(Body::new(graph, &inputs, &[id]));
            graph.call(&body, &now)[0]
        } else if now == inputs {
            id
        } else {
            graph.add(graph.node(id).op.clone(), now)
        };
        made.insert(id, own);
    }
    made
}

/// Of each block the nodes that are computed within it: what it alone needs, and of what others need as well what is made of numbers and indices, and
/// repetitions.
fn within(graph: &Graph, blocks: &[NodeId]) -> Vec<HashSet<NodeId>> {
    let is_input = |id: &NodeId| matches!(graph.node(*id).op, Op::Input { .. });
    let needed = |at: usize| graph.needed_behind(&blocks[..at], &blocks[at..=at]).into_iter();
    let all: Vec<HashSet<NodeId>> =
        (0..blocks.len()).map(|at| needed(at).filter(|id| !is_input(id)).collect()).collect();
    let mut count: HashMap<NodeId, usize> = HashMap::new();
    all.iter().flatten().for_each(|id| *count.entry(*id).or_default() += 1);
    let mut of_indices: HashSet<NodeId> = HashSet::new();
    for (id, node) in graph.nodes().filter(|(id, _)| count.contains_key(id)) {
        let is_cheap = matches!(node.op.class(), Class::Leaf | Class::View | Class::Elementwise);
        if is_cheap && node.inputs.iter().all(|input| of_indices.contains(input)) {
            of_indices.insert(id);
        }
    }
    let is_free = |id: &NodeId| of_indices.contains(id) || matches!(graph.node(*id).op, Op::Broadcast { .. });
    let own = |id: &NodeId| count[id] == 1 || is_free(id);
    all.into_iter().map(|within| within.into_iter().filter(own).collect()).collect()
}

/// Whether a node sums over rows.
fn rows_meet(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let is_row = |axis: &usize| graph.shape(node.inputs[0])[*axis].has_rows();
    match &node.op {
        Op::Reduce(_, axes) => axes.iter().any(is_row),
        Op::Dot { contracted, .. } => contracted.iter().any(|(axis, _)| is_row(axis)),
        _ => false,
    }
}

/// What the nodes of a block read that is not among them.
fn outside(graph: &Graph, within: &HashSet<NodeId>) -> Vec<NodeId> {
    let read = within.iter().flat_map(|id| &graph.node(*id).inputs).filter(|input| !within.contains(input));
    let mut read: Vec<NodeId> = read.copied().collect();
    read.sort_unstable();
    read.dedup();
    read
}
