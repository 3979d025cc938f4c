//! Matrices that products of the steps read: a capture is laid once as they read it, row by row, instead of in each step.

use super::Given;
use super::inside::{Inside, Kind};
use super::lift::{Lifted, Outside};
use crate::ir::{Graph, NodeId, Op, ScanBuilder};
use std::collections::HashMap;

pub fn lay(graph: &mut Graph, built: &mut ScanBuilder, outside: &mut Outside, each: &mut [Given]) {
    let nexts = built.carries.iter().map(|carry| carry.next);
    let given = each.iter().filter_map(|given| if let Given::Inside(node) = given { Some(*node) } else { None });
    let inside = Inside::of(built, &nexts.chain(given).collect::<Vec<_>>());
    let mut now: HashMap<NodeId, NodeId> = HashMap::new();
    let mut laid = Vec::new();
    for id in &inside.needed {
        let node = built.body.node(*id).clone();
        let mut inputs: Vec<NodeId> = node.inputs.iter().map(|input| *now.get(input).unwrap_or(input)).collect();
        let mut op = node.op.clone();
        if let Op::Dot { batch, contracted } = &node.op
            && let [a, b] = node.inputs[..]
            && (inside.kind(a), inside.kind(b)) == (Kind::Carried, Kind::Same)
            && inside.can_lift(b)
            && let Some((order, renamed)) = in_rows(batch, contracted, built.body.shape(b).len())
        {
            op = renamed;
            inputs[1] = built.body.permute(order, b);
            laid.push(inputs[1]);
        }
        if (&op, &inputs) != (&node.op, &node.inputs) {
            now.insert(*id, built.body.add(op, inputs));
        }
    }
    built.replace(&now);
    for given in each.iter_mut() {
        if let Given::Inside(node) = given {
            *node = *now.get(node).unwrap_or(node);
        }
    }
    outside.follow(built);
    for node in laid {
        if let Lifted::Same(outer) = outside.lift(graph, node)
            && !built.captures.contains(&(outer, node))
        {
            built.captures.push((outer, node));
        }
    }
}

/// The order of the axes of a second operand in which those that are summed over come before the free ones, and the product with it;
/// `None` where that is its own.
fn in_rows(batch: &[(usize, usize)], contracted: &[(usize, usize)], rank: usize) -> Option<(Vec<usize>, Op)> {
    let paired: Vec<usize> = batch.iter().chain(contracted).map(|(_, j)| *j).collect();
    let order: Vec<usize> = paired.iter().copied().chain((0..rank).filter(|axis| !paired.contains(axis))).collect();
    let renamed =
        |pairs: &[(usize, usize)], from: usize| pairs.iter().enumerate().map(|(at, (i, _))| (*i, from + at)).collect();
    let op = Op::Dot { batch: renamed(batch, 0), contracted: renamed(contracted, batch.len()) };
    (!order.is_sorted()).then_some((order, op))
}
