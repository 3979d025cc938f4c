//! What a loop offers besides what it is asked for: values within that would be dear to compute anew. Nothing that no one reads is
//! computed or kept; a gradient reads them.

use super::inside::{Inside, Kind, is_within, moved, size};
use crate::ir::{Class, Graph, NodeId, Op, ScalarOp, ScanBuilder};
use std::collections::HashSet;

/// A value that is kept may be so many times as large as all that a step takes.
const KEPT: i64 = 4;

/// Sums that end a product are looked through so far.
const DEPTH: usize = 4;

pub fn offer(built: &mut ScanBuilder) {
    let results = built.results();
    let inside = Inside::of(built, &results);
    let told: HashSet<NodeId> = results.into_iter().collect();
    let most = moved(built);
    let is_offered = |id: &NodeId| {
        let is_new = !told.contains(id) && inside.kind(*id) == Kind::Carried;
        is_new && is_gathered(&built.body, *id, DEPTH) && is_within(&size(&built.body, *id), KEPT, &most)
    };
    let offered: Vec<NodeId> = inside.needed.iter().copied().filter(is_offered).collect();
    built.each.extend(offered);
}

/// Whether a value is made of many, by a product, a reduction or a sort, and is at most added to after that.
fn is_gathered(body: &Graph, id: NodeId, depth: usize) -> bool {
    let node = body.node(id);
    match node.op.class() {
        Class::Product => !matches!(&node.op, Op::Dot { contracted, .. } if contracted.is_empty()),
        Class::Reduction | Class::Order => true,
        Class::Elementwise => {
            matches!(node.op, Op::Scalar(ScalarOp::Add | ScalarOp::Sub))
                && depth > 0
                && node.inputs.iter().any(|input| is_gathered(body, *input, depth - 1))
        }
        Class::Leaf | Class::Draw | Class::View | Class::Copy | Class::Body => false,
    }
}

/// Whether what runs backwards reads a result of the steps rather than compute it anew.
pub fn is_dear(body: &Graph, id: NodeId) -> bool {
    let is_function = matches!(&body.node(id).op, Op::Scalar(op) if op.is_function());
    is_function || is_gathered(body, id, DEPTH)
}
