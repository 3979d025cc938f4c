//! Which elementwise values are computed again wherever they are read, instead of being stored: those that need little arithmetic
//! and no memory that would not be needed anyway. What the gradient asks of the forward pass (slopes, normalized values, masks) is
//! then made from the few values that have to be there. (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, for
//! elementwise values alone.)

use super::request::settled;
use crate::ir::{Class, DType, Graph, NodeId, Op, ScalarOp, are_outermost};
use std::collections::HashSet;

/// The most arithmetic of a value that is computed again, in additions an element (`ScalarOp::price`).
const MOST: usize = 48;

/// The most values of its own size that it is computed from.
const LEAVES: usize = 2;

/// For each node whether its readers compute it. `needed` are the nodes of the plan in topological order.
pub(super) fn recomputed(graph: &Graph, needed: &[NodeId], roots: &[NodeId]) -> Vec<bool> {
    let count = graph.nodes().len();
    let mut this = Recompute { graph, marked: vec![false; count], stored: vec![false; count], counts: vec![0; count] };
    roots.iter().for_each(|root| this.stored[root.0 as usize] = true);
    for id in needed {
        let node = graph.node(*id);
        this.counts[id.0 as usize] = settled(&node.shaped.shape).map_or(0, |shape| shape.iter().product());
        for input in &node.inputs {
            this.stored[input.0 as usize] |= !takes_expressions(graph, *id, *input);
        }
    }
    // Which could be, and how long its values would be read then: by those that surely are, and if all are.
    let candidates: Vec<Option<Made>> =
        needed.iter().map(|id| this.mark(*id, |made| made.leaves.len() <= LEAVES)).collect();
    let is_sure = |made: &Made| !made.is_truth && made.leaves.len() <= 1;
    let sure: Vec<bool> = candidates.iter().map(|made| made.as_ref().is_some_and(is_sure)).collect();
    let until = last_reads(graph, needed, &candidates.iter().map(Option::is_some).collect::<Vec<_>>());
    let surely_until = last_reads(graph, needed, &sure);
    this.marked.fill(false);
    for id in needed {
        let end = until[id.0 as usize];
        this.mark(*id, |made| {
            let lengthened = made.leaves.iter().filter(|leaf| surely_until[leaf.0 as usize] < end).count();
            // Instead of a number in memory, one other number; instead of a truth value none.
            made.leaves.len() <= LEAVES && lengthened <= usize::from(!made.is_truth)
        });
    }
    this.marked
}

/// What a value is made from: values in memory that have its size.
struct Made {
    leaves: Vec<NodeId>,
    is_truth: bool,
}

struct Recompute<'g> {
    graph: &'g Graph,
    marked: Vec<bool>,
    /// What has to be in memory for something that reads it.
    stored: Vec<bool>,
    /// Elements.
    counts: Vec<usize>,
}

impl Recompute<'_> {
    /// Marks an elementwise node for which this holds.
    fn mark(&mut self, id: NodeId, holds: impl Fn(&Made) -> bool) -> Option<Made> {
        let made = self.made(id).filter(holds)?;
        self.marked[id.0 as usize] = true;
        Some(made)
    }

    /// `None` if the node has to be in memory or needs much arithmetic.
    fn made(&self, id: NodeId) -> Option<Made> {
        let Op::Scalar(_) = self.graph.node(id).op else { return None };
        if self.stored[id.0 as usize] {
            return None;
        }
        let (mut open, mut seen, mut leaves, mut cost) = (vec![id], HashSet::from([id]), Vec::new(), 0);
        while let Some(at) = open.pop() {
            let node = self.graph.node(at);
            if let (Op::Scalar(op), true) = (&node.op, at == id || self.marked[at.0 as usize]) {
                cost += op.price();
                if cost > MOST {
                    return None;
                }
                open.extend(node.inputs.iter().filter(|input| seen.insert(**input)));
            } else if self.is_large(at, self.counts[id.0 as usize]) {
                leaves.push(at);
            }
        }
        Some(Made { leaves, is_truth: self.graph.dtype(id) == DType::Bool })
    }

    /// Whether a value takes about as much memory as so many numbers: a truth value takes a byte, and what is broadcast less.
    fn is_large(&self, mut id: NodeId, count: usize) -> bool {
        while let Op::Broadcast { .. } | Op::Permute(_) | Op::Reshape(_) | Op::Window { .. } = self.graph.node(id).op {
            id = self.graph.node(id).inputs[0];
        }
        let is_leaf = matches!(self.graph.node(id).op, Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. });
        !is_leaf && self.graph.dtype(id) != DType::Bool && 2 * self.counts[id.0 as usize] > count
    }
}

/// The place of the last node that reads each node, where the readers of what is marked (by place) compute it.
fn last_reads(graph: &Graph, needed: &[NodeId], marked: &[bool]) -> Vec<usize> {
    let mut last = vec![0; graph.nodes().len()];
    for (place, id) in needed.iter().enumerate().rev() {
        let own = if marked[place] { last[id.0 as usize] } else { place };
        for input in &graph.node(*id).inputs {
            let last = &mut last[input.0 as usize];
            *last = own.max(*last);
        }
    }
    last
}

/// Whether a node takes an operand as an expression, and not from memory.
fn takes_expressions(graph: &Graph, id: NodeId, operand: NodeId) -> bool {
    let node = graph.node(id);
    // A cast to its own type is the operand itself.
    if matches!(node.op, Op::Scalar(ScalarOp::Cast(dtype)) if dtype == graph.dtype(operand)) {
        return false;
    }
    match (node.op.class(), &node.op) {
        (Class::Elementwise, _) => true,
        (Class::Reduction, Op::Reduce(_, axes)) => are_outermost(axes, graph.shape(operand).len()),
        (Class::Reduction | Class::Leaf | Class::Draw | Class::View | Class::Copy, _) => false,
        (Class::Order | Class::Product | Class::Body, _) => false,
    }
}
