//! Carries that only gather a sum: `s' = s + f`, where nothing else reads s. Such a sum is taken behind the loop, of all steps at once;
//! of products it is a product of more terms.

use super::inside::{Inside, is_within, moved, size};
use super::lift::{Outside, dot_over_steps};
use super::sink::source;
use crate::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, ScanBuilder, Size};
use std::collections::HashSet;

/// What is kept of each step for the sums may be so many times as large as what a step takes.
const KEPT: i64 = 4;

/// The sum of a carry.
pub struct Sum {
    pub carry: usize,
    /// Outside.
    first: NodeId,
    terms: Vec<Term>,
}

/// A node of the body, and the views of its sum that are added, the last one first.
struct Term {
    of: NodeId,
    views: Vec<NodeId>,
}

#[derive(Default)]
pub struct Sums {
    pub sums: Vec<Sum>,
    /// What the loop gives of each step for them.
    pub stacked: Vec<NodeId>,
}

/// Takes the carries that are sums out of the loop, where that needs little besides what is given anyway.
pub fn sums(built: &mut ScanBuilder, given: &[NodeId]) -> Sums {
    let inside = Inside::of(built, &[built.results(), given.to_vec()].concat());
    let most = moved(built);
    let mut kept: HashSet<NodeId> = given.iter().copied().collect();
    let mut this = Sums::default();
    let mut left: Vec<Sum> = (0..built.carries.len()).filter_map(|carry| sum(built, &inside, carry, given)).collect();
    // Products first: what they need, others may read.
    for of_products in [true, false] {
        let is_product = |term: &Term| matches!(built.body.node(term.of).op, Op::Dot { .. });
        for sum in std::mem::take(&mut left) {
            let mut needs: Vec<NodeId> = sum.terms.iter().flat_map(|term| term.sources(built, &inside)).collect();
            needs.retain(|node| !kept.contains(node));
            needs.sort_unstable();
            needs.dedup();
            let room = needs.iter().fold(Size::from(0), |room, node| room.plus(&size(&built.body, *node)));
            let is_worth = match of_products {
                true => sum.terms.iter().any(is_product) && is_within(&room, KEPT, &most),
                false => needs.is_empty(),
            };
            if is_worth {
                kept.extend(&needs);
                this.stacked.extend(needs);
                this.sums.push(sum);
            } else {
                left.push(sum);
            }
        }
    }
    let mut number = 0..;
    built.carries.retain(|_| number.next().is_some_and(|at| this.sums.iter().all(|sum| sum.carry != at)));
    this
}

/// The sum that a carry is, if it is one.
fn sum(built: &ScanBuilder, inside: &Inside, carry: usize, given: &[NodeId]) -> Option<Sum> {
    let (body, own) = (&built.body, &built.carries[carry]);
    if body.dtype(own.now) != DType::Float {
        return None;
    }
    let results: Vec<NodeId> = built.carries.iter().map(|carry| carry.next).chain(given.iter().copied()).collect();
    let told = |node: NodeId| results.iter().filter(|result| **result == node).count();
    let (mut at, mut added) = (own.now, Vec::new());
    while at != own.next {
        let [reader] = inside.readers[at.0 as usize][..] else { return None };
        let node = body.node(reader);
        if told(at) > 0 || !matches!(node.op, Op::Scalar(ScalarOp::Add)) {
            return None;
        }
        added.extend(node.inputs.iter().copied().filter(|input| *input != at));
        at = reader;
    }
    let is_read = !inside.readers[at.0 as usize].is_empty() || told(at) > 1;
    (!is_read && !added.is_empty()).then(|| Sum { carry, first: own.first, terms: terms(body, added) })
}

/// Terms of sums are terms; a view of a sum is the sum of views.
fn terms(body: &Graph, added: Vec<NodeId>) -> Vec<Term> {
    let mut open: Vec<Term> = added.into_iter().map(|of| Term { of, views: Vec::new() }).collect();
    let mut terms = Vec::new();
    while let Some(Term { of, views }) = open.pop() {
        let node = body.node(of);
        if matches!(node.op, Op::Scalar(ScalarOp::Add)) {
            open.extend(node.inputs.iter().map(|input| Term { of: *input, views: views.clone() }));
        } else if is_linear(&node.op) {
            open.push(Term { of: node.inputs[0], views: [views, vec![of]].concat() });
        } else {
            terms.push(Term { of, views });
        }
    }
    terms
}

/// Whether the result of a sum is the sum of results.
fn is_linear(op: &Op) -> bool {
    matches!(
        op,
        Op::Reshape(_)
            | Op::Permute(_)
            | Op::Broadcast { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Scalar(ScalarOp::Neg)
    )
}

impl Term {
    /// What it reads of each step that is not known outside.
    fn sources(&self, built: &ScanBuilder, inside: &Inside) -> Vec<NodeId> {
        let node = built.body.node(self.of);
        let is_taken_apart = matches!(node.op, Op::Dot { .. } | Op::Reduce(Reduce::Sum, _));
        let read = if is_taken_apart { node.inputs.clone() } else { vec![self.of] };
        read.into_iter().filter_map(|node| source(built, inside, node)).collect()
    }

    /// Its sum over the steps.
    fn made(&self, graph: &mut Graph, body: &Graph, outside: &mut Outside) -> NodeId {
        let node = body.node(self.of);
        let mut sum = None;
        if let Op::Dot { batch, contracted } = &node.op {
            let [a, b] = [node.inputs[0], node.inputs[1]].map(|input| outside.lift(graph, input));
            sum = dot_over_steps(graph, batch, contracted, a, b);
        } else if let Op::Reduce(Reduce::Sum, axes) = &node.op {
            let operand = outside.each(graph, node.inputs[0]);
            let axes = std::iter::once(0).chain(axes.iter().map(|axis| axis + 1)).collect();
            sum = Some(graph.reduce(Reduce::Sum, axes, operand));
        }
        let sum = sum.unwrap_or_else(|| {
            let each = outside.each(graph, self.of);
            graph.reduce(Reduce::Sum, vec![0], each)
        });
        self.views.iter().rev().fold(sum, |sum, view| graph.add(body.node(*view).op.clone(), vec![sum]))
    }
}

impl Sum {
    /// The carry after all steps.
    pub fn made(&self, graph: &mut Graph, outside: &mut Outside) -> NodeId {
        let body = outside.body().clone();
        let mut sum = Some(self.first).filter(|first| !is_zero(graph, *first));
        for term in &self.terms {
            let term = term.made(graph, &body, outside);
            sum = Some(sum.map_or(term, |sum| graph.binary(ScalarOp::Add, sum, term)));
        }
        sum.unwrap_or(self.first)
    }
}

/// Whether every element is 0.
fn is_zero(graph: &Graph, mut id: NodeId) -> bool {
    while matches!(graph.node(id).op, Op::Broadcast { .. } | Op::Reshape(_)) {
        id = graph.node(id).inputs[0];
    }
    matches!(graph.node(id).op, Op::Constant(number) if number.get() == 0.0)
}
