//! Gradients: graph to graph, by one table of rules that is closed under itself, so that a gradient has gradients too.

mod blocks;
mod body;
mod matrix;
mod range;
mod rules;
mod scalar;
mod structure;

use crate::ir::{DType, Graph, NodeId};

pub use blocks::in_blocks;
pub use rules::contributions;
pub use scalar::may_be_infinite;

/// The rule of a node: what each of its operands gets of the gradient by its value. The graph; the node with that
/// gradient, and if its operation has several results, all of those that have one; which operands something is wanted
/// for. `None` for an operand that nothing flows to.
pub type Rule<'r> = &'r dyn Fn(&mut Graph, &[(NodeId, NodeId)], &[bool]) -> Vec<Option<NodeId>>;

/// The derivatives of the scalar `of` by each of `by`, of its shape; zeros where it does not depend on it.
pub fn gradient(graph: &mut Graph, of: NodeId, by: &[NodeId]) -> Vec<NodeId> {
    gradient_by(graph, of, by, &contributions)
}

/// The same by given rules: how tests see that each rule matters.
pub fn gradient_by(graph: &mut Graph, of: NodeId, by: &[NodeId], rule: Rule) -> Vec<NodeId> {
    let one = graph.constant(1.0);
    let found = backward(graph, &[(of, one)], by, rule);
    let or_zeros = |(by, found): (&NodeId, Option<NodeId>)| {
        found.unwrap_or_else(|| {
            let shape = graph.shape(*by).to_vec();
            graph.fill(0.0, shape)
        })
    };
    by.iter().zip(found).map(or_zeros).collect()
}

/// What each of `by` gets of the gradients by values that are given; `None` where nothing depends on it.
fn backward(graph: &mut Graph, given: &[(NodeId, NodeId)], by: &[NodeId], rule: Rule) -> Vec<Option<NodeId>> {
    let order = graph.needed(&given.iter().map(|(of, _)| *of).collect::<Vec<_>>());
    let reaches = reached(graph, &order, by);
    // By number of the node, parts that add up; those that come while this goes on have no gradient.
    let mut parts: Vec<Vec<NodeId>> = vec![Vec::new(); reaches.len()];
    given.iter().for_each(|(of, gradient)| parts[of.0 as usize].push(*gradient));
    let families: Vec<Vec<NodeId>> = graph.families(&order).map(<[NodeId]>::to_vec).collect();
    for family in families.into_iter().rev() {
        let of_family = family.iter().filter(|id| reaches[id.0 as usize]);
        let mut arrived: Vec<(NodeId, NodeId)> = Vec::new();
        for id in of_family {
            arrived.extend(structure::sum(graph, &mut parts[id.0 as usize]).map(|gradient| (*id, gradient)));
        }
        let inputs = graph.node(family[0]).inputs.clone();
        let wanted: Vec<bool> = inputs.iter().map(|input| reaches[input.0 as usize]).collect();
        if arrived.is_empty() || !wanted.contains(&true) {
            continue;
        }
        for (input, part) in inputs.into_iter().zip(rule(graph, &arrived, &wanted)) {
            if let Some(part) = part.filter(|_| reaches[input.0 as usize]) {
                parts[input.0 as usize].push(part);
            }
        }
    }
    let of = |id: &NodeId| {
        if reaches[id.0 as usize] { structure::sum(graph, &mut parts[id.0 as usize]) } else { None }
    };
    by.iter().map(of).collect()
}

/// Of each node of the graph, by its number: whether it is one of `order`, and floats go from some nodes to it.
fn reached(graph: &Graph, order: &[NodeId], by: &[NodeId]) -> Vec<bool> {
    let mut is_by = vec![false; graph.nodes().len()];
    by.iter().for_each(|id| is_by[id.0 as usize] = true);
    let mut reaches = vec![false; is_by.len()];
    for id in order {
        let through = || graph.node(*id).inputs.iter().any(|input| reaches[input.0 as usize]);
        reaches[id.0 as usize] = graph.dtype(*id) == DType::Float && (is_by[id.0 as usize] || through());
    }
    reaches
}
