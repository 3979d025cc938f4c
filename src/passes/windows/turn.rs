//! Axes in another order, of the values that an expression is made from instead of the expression: it is then computed where it is
//! read, and lies nowhere. The sums of a batch norm's gradient over all axes but the second are one pass over two images.

use super::Rewriter;
use crate::ir::{Class, Graph, NodeId, Op, Reduce, are_outermost};

/// The most operations of an expression that is computed in another order.
const MOST: usize = 64;

/// For each node whether something reads it from memory.
pub(super) fn in_memory(graph: &Graph, needed: &[NodeId], roots: &[NodeId]) -> Vec<bool> {
    let mut stored = vec![false; graph.nodes().len()];
    roots.iter().for_each(|root| stored[root.0 as usize] = true);
    for id in needed.iter().rev() {
        let node = graph.node(*id);
        let reads_memory = match node.op.class() {
            Class::Elementwise => false,
            Class::Reduction => !matches!(node.op, Op::Reduce(..)),
            Class::View => !matches!(node.op, Op::Permute(_)) || stored[id.0 as usize],
            Class::Leaf | Class::Draw | Class::Copy | Class::Order | Class::Product | Class::Body => true,
        };
        node.inputs.iter().for_each(|input| stored[input.0 as usize] |= reads_memory);
    }
    stored
}

impl Rewriter {
    /// A reduction over axes that are neither the first nor the last: over the last ones.
    pub(super) fn reduced_last(&mut self, reduce: Reduce, axes: &[usize], x: NodeId) -> Option<NodeId> {
        let (rank, count) = (self.graph.shape(x).len(), axes.len());
        if are_outermost(axes, rank) {
            return None;
        }
        let kept = (0..rank).filter(|axis| !axes.contains(axis));
        let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
        let turned = self.turned(&order, x)?;
        Some(self.add(Op::Reduce(reduce, (rank - count..rank).collect()), vec![turned]))
    }

    /// An expression with its axes in another order; `None` if it is in memory, or long.
    pub(super) fn turned(&mut self, order: &[usize], x: NodeId) -> Option<NodeId> {
        let mut expression = vec![x];
        let mut at = 0;
        while at < expression.len() {
            if expression.len() > MOST {
                return None;
            }
            if self.is_expression(expression[at]) {
                let inputs = self.graph.node(expression[at]).inputs.clone();
                let new: Vec<NodeId> = inputs.into_iter().filter(|input| !expression.contains(input)).collect();
                expression.extend(new);
            } else if expression[at] == x {
                return None;
            }
            at += 1;
        }
        // Operands have smaller numbers than what they are operands of.
        expression.sort_unstable();
        expression.dedup();
        let mut made: Vec<NodeId> = Vec::with_capacity(expression.len());
        for id in &expression {
            let turned = if self.is_expression(*id) {
                let node = self.graph.node(*id).clone();
                let place = |input: &NodeId| expression.binary_search(input).ok().map(|at| made[at]);
                let inputs = node.inputs.iter().map(place).collect::<Option<Vec<NodeId>>>()?;
                self.add(node.op, inputs)
            } else {
                self.view_turned(order, *id)
            };
            made.push(turned);
        }
        made.get(expression.binary_search(&x).ok()?).copied()
    }

    fn is_expression(&self, id: NodeId) -> bool {
        let is_elementwise = matches!(self.op(id).class(), Class::Elementwise);
        is_elementwise && !self.stored[self.origins[id.0 as usize].0 as usize]
    }

    /// A view of the same elements.
    fn view_turned(&mut self, order: &[usize], x: NodeId) -> NodeId {
        let node = self.graph.node(x).clone();
        if let Op::Permute(inner) = &node.op {
            let order: Vec<usize> = order.iter().map(|axis| inner[*axis]).collect();
            if order.iter().copied().eq(0..order.len()) {
                return node.inputs[0];
            }
            return self.add(Op::Permute(order), node.inputs);
        }
        let Op::Broadcast { kept, shape } = &node.op else { return self.add(Op::Permute(order.to_vec()), vec![x]) };
        // The axes of the operand in the order in which they are now.
        let places: Vec<usize> = (0..order.len()).filter(|at| kept.contains(&order[*at])).collect();
        let axis = |at: &usize| kept.iter().position(|axis| *axis == order[*at]);
        let own: Vec<usize> = places.iter().filter_map(axis).collect();
        let operand = match own.iter().copied().eq(0..own.len()) {
            true => node.inputs[0],
            false => self.view_turned(&own, node.inputs[0]),
        };
        let shape = order.iter().map(|axis| shape[*axis].clone()).collect();
        self.add(Op::Broadcast { kept: places, shape }, vec![operand])
    }
}
