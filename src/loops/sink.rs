//! What leaves a loop to be computed behind it, of what the loop gives of each step: carries that only gather a sum, and products with
//! a matrix that is the same in each step, where only results of the steps read them.

use super::Given;
use super::inside::{Inside, Kind, is_within, moved, size};
use super::lift::{Outside, can_lift};
use super::sums::{Sums, sums};
use crate::ir::{Class, Graph, NodeId, Op, ScanBuilder, Size};
use std::collections::{HashMap, HashSet};

/// What is made and kept for a result may be so many times as large as the result with what a step takes.
const KEPT: i64 = 4;

/// Results of the steps that are computed behind the loop.
#[derive(Default)]
pub struct Tails {
    /// By number of the result, what is read of each step.
    pub reads: HashMap<usize, Vec<NodeId>>,
    pub stacked: Vec<NodeId>,
}

pub fn plan(built: &mut ScanBuilder, outside: &Outside, each: &[Given]) -> (Sums, Tails) {
    debug_assert_eq!(outside.body().nodes().len(), built.body.nodes().len(), "what is known is of this body");
    let inside_only = |(at, given): (usize, &Given)| match given {
        Given::Inside(node) => Some((at, *node)),
        Given::Outside(_) => None,
    };
    let given: Vec<(usize, NodeId)> = each.iter().enumerate().filter_map(inside_only).collect();
    let nodes: Vec<NodeId> = given.iter().map(|(_, node)| *node).collect();
    let sums = sums(built, &nodes);
    let kept: Vec<NodeId> = nodes.iter().chain(&sums.stacked).copied().collect();
    let inside = Inside::of(built, &[built.results(), kept.clone()].concat());
    let nexts = built.results();
    let in_loop: HashSet<NodeId> =
        built.body.needed_behind(&built.inputs(), &[nexts, sums.stacked.clone()].concat()).into_iter().collect();
    let mut tails = Tails::default();
    for (at, node) in given {
        if let Some(reads) = tail(built, &inside, &in_loop, node) {
            tails.stacked.extend(&reads);
            tails.reads.insert(at, reads);
        }
    }
    (sums, tails)
}

/// What a result reads of each step, if it is worth to compute it behind the loop.
fn tail(built: &ScanBuilder, inside: &Inside, in_loop: &HashSet<NodeId>, result: NodeId) -> Option<Vec<NodeId>> {
    let (body, most) = (&built.body, moved(built).plus(&size(&built.body, result)));
    let (mut open, mut seen, mut reads) = (vec![result], HashSet::new(), Vec::new());
    let (mut has_product, mut room) = (false, Size::from(0));
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = body.node(id);
        let with_same = node.inputs.iter().any(|input| inside.kind(*input) == Kind::Same);
        let is_product = matches!(&node.op, Op::Dot { contracted, .. } if with_same && !contracted.is_empty());
        let goes = match node.op.class() {
            Class::Elementwise | Class::View | Class::Copy | Class::Reduction => can_lift(body, id, true),
            Class::Product => is_product,
            Class::Leaf | Class::Draw | Class::Order | Class::Body => false,
        };
        let is_known = inside.is_input[id.0 as usize] || in_loop.contains(&id) || inside.kind(id) != Kind::Carried;
        if is_known || !goes {
            reads.extend(source(built, inside, id));
        } else if is_within(&size(body, id), KEPT, &most) {
            has_product |= is_product;
            open.extend(&node.inputs);
        } else {
            return None;
        }
    }
    reads.sort_unstable();
    reads.dedup();
    reads.iter().for_each(|read| room = room.plus(&size(body, *read)));
    (has_product && is_within(&room, KEPT, &most)).then_some(reads)
}

/// What the loop has to give of each step so that a node can be made outside: nothing where it can be made of what is known there,
/// else the node, or what it is a view of.
pub fn source(built: &ScanBuilder, inside: &Inside, mut id: NodeId) -> Option<NodeId> {
    let body = &built.body;
    loop {
        if inside.can_lift(id) && is_cheap(body, built, id) {
            return None;
        }
        let node = body.node(id);
        let is_view = matches!(node.op, Op::Reshape(_) | Op::Permute(_) | Op::Broadcast { .. } | Op::Slice { .. });
        if !is_view || inside.is_input[id.0 as usize] {
            return Some(id);
        }
        id = node.inputs[0];
    }
}

/// Whether nothing but elementwise operations and views leads to a node.
fn is_cheap(body: &Graph, built: &ScanBuilder, id: NodeId) -> bool {
    body.needed_behind(&built.inputs(), &[id]).into_iter().all(|id| match body.node(id).op.class() {
        Class::Leaf | Class::Elementwise | Class::View => true,
        Class::Draw | Class::Copy | Class::Reduction | Class::Order | Class::Product | Class::Body => false,
    })
}
