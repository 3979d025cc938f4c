//! Gradients: graph to graph, by one table of rules that is closed under itself, so that a gradient has gradients too.

mod rules;
mod scalar;
mod structure;

use crate::ir::{DType, Graph, NodeId, ScalarOp};
use std::collections::HashMap;

pub use rules::contributions;

/// The rule of a node: what each of its operands gets of the gradient by its value. The graph, the node, and that
/// gradient; `None` for an operand that nothing flows to.
pub type Rule<'r> = &'r dyn Fn(&mut Graph, NodeId, NodeId) -> Vec<Option<NodeId>>;

/// The derivatives of the scalar `of` by each of `by`, of its shape; zeros where it does not depend on it.
pub fn gradient(graph: &mut Graph, of: NodeId, by: &[NodeId]) -> Vec<NodeId> {
    gradient_by(graph, of, by, &contributions)
}

/// The same by given rules: how tests see that each rule matters.
pub fn gradient_by(graph: &mut Graph, of: NodeId, by: &[NodeId], rule: Rule) -> Vec<NodeId> {
    let order = graph.needed(&[of]);
    let mut reaches: HashMap<NodeId, bool> = HashMap::new();
    for id in &order {
        let through = graph.node(*id).inputs.iter().any(|input| reaches.get(input) == Some(&true));
        reaches.insert(*id, graph.dtype(*id) == DType::Float && (through || by.contains(id)));
    }
    let one = graph.constant(1.0);
    let mut gradients: HashMap<NodeId, NodeId> = HashMap::from([(of, one)]);
    for id in order.into_iter().rev() {
        let Some(gradient) = gradients.get(&id).copied().filter(|_| reaches[&id]) else { continue };
        let inputs = graph.node(id).inputs.clone();
        if !inputs.iter().any(|input| reaches[input]) {
            continue;
        }
        for (input, part) in inputs.into_iter().zip(rule(graph, id, gradient)) {
            let Some(part) = part.filter(|_| reaches[&input]) else { continue };
            let sum = match gradients.get(&input) {
                Some(other) => graph.binary(ScalarOp::Add, *other, part),
                None => part,
            };
            gradients.insert(input, sum);
        }
    }
    let zeros = |graph: &mut Graph, id: &NodeId| {
        let shape = graph.shape(*id).to_vec();
        graph.fill(0.0, shape)
    };
    by.iter().map(|id| gradients.get(id).copied().unwrap_or_else(|| zeros(graph, id))).collect()
}
