//! Loops with as little in them as can be: graphs to graphs, the same values but for the order of sums.
//!
//! A step of a loop is small, and each of its operations is paid for in every step. What does not depend on the step before can be
//! computed for all steps at once: a product with the same matrix in each step is then one product of many rows. What only the results
//! read is computed behind the loop in the same way, and so is a carry that only gathers a sum.
//!
//! | file | what |
//! |---|---|
//! | `inside` | what each node of a body depends on |
//! | `lift` | an operation for all steps at once |
//! | `part` | products of concatenations, part by part |
//! | `hoist` | what is computed before the loop |
//! | `lay` | matrices as the products of the steps read them |
//! | `sink` | what is computed behind the loop |
//! | `sums` | carries that only gather a sum |
//! | `offer` | values within that a gradient may read instead of computing them anew |

mod hoist;
mod inside;
mod lay;
mod lift;
mod offer;
mod part;
mod sink;
mod sums;

use crate::ir::{Graph, NodeId, ScanBuilder, Scanned};
use lift::Outside;
use std::collections::{HashMap, HashSet};

pub use offer::is_dear;

/// A value that the loop was to give.
#[derive(Clone, Copy)]
enum Given {
    /// The node of the body that each step gives.
    Inside(NodeId),
    /// All steps at once, outside.
    Outside(NodeId),
}

/// The results of a loop; as much as is sensible is computed outside of it.
pub fn scan(graph: &mut Graph, mut built: ScanBuilder) -> Scanned {
    part::split(&mut built);
    let mut outside = Outside::of(&built);
    let mut each: Vec<Given> = std::mem::take(&mut built.each).into_iter().map(Given::Inside).collect();
    hoist::hoist(graph, &mut built, &mut outside, &mut each);
    lay::lay(graph, &mut built, &mut outside, &mut each);
    let (sums, tails) = sink::plan(&mut built, &outside, &each);

    // What the steps give: what was asked for and stays, what is read behind the loop, and what a gradient may read.
    let stays = |(at, given): (usize, &Given)| match given {
        Given::Inside(node) if !tails.reads.contains_key(&at) => Some(*node),
        Given::Inside(_) | Given::Outside(_) => None,
    };
    let mut told: Vec<NodeId> = each.iter().enumerate().filter_map(stays).collect();
    told.extend(sums.stacked.iter().chain(&tails.stacked));
    let carries = built.carries.len() + sums.sums.len();
    built.each = distinct(told);
    offer::offer(&mut built);
    let inside = built.each.clone();
    let scanned = graph.scan(built);
    let stacked: HashMap<NodeId, NodeId> = inside.into_iter().zip(scanned.each).collect();
    outside.know(&stacked);

    let mut stay = scanned.last.into_iter();
    let mut last = Vec::with_capacity(carries);
    for carry in 0..carries {
        let sunk = sums.sums.iter().find(|sum| sum.carry == carry);
        last.extend(match sunk {
            Some(sum) => Some(sum.made(graph, &mut outside)),
            None => stay.next(),
        });
    }
    let made = |(at, given): (usize, &Given)| match given {
        Given::Outside(node) => *node,
        Given::Inside(node) if tails.reads.contains_key(&at) => outside.each(graph, *node),
        Given::Inside(node) => stacked[node],
    };
    Scanned { last, each: each.iter().enumerate().map(made).collect() }
}

fn distinct(nodes: Vec<NodeId>) -> Vec<NodeId> {
    let mut all = Vec::with_capacity(nodes.len());
    let mut known = HashSet::new();
    all.extend(nodes.into_iter().filter(|node| known.insert(*node)));
    all
}
