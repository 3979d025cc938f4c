//! What computing nodes of a settled graph costs.

use super::body::{Body, Part};
use super::graph::{Graph, NodeId};
use super::op::{Class, Op};
use super::shape::elements;
use super::size::Size;
use std::collections::HashMap;

/// Floating-point operations: two for each term of a product, one for each element of the rest; views cost none. A body
/// costs as often as it runs.
pub fn flops(graph: &Graph, roots: &[NodeId]) -> u64 {
    let cost = |family: &[NodeId]| {
        let node = graph.node(family[0]);
        let made = count(graph, family[0]);
        match node.op.class() {
            Class::Product => made.saturating_mul(terms(graph, family[0])).saturating_mul(2),
            Class::Leaf | Class::View | Class::Copy => 0,
            Class::Draw | Class::Elementwise => made,
            Class::Reduction | Class::Order => node.inputs.first().map_or(0, |input| count(graph, *input)),
            Class::Body => {
                run_of(graph, family).map_or(0, |run| run.times.saturating_mul(flops(run.body.graph(), &run.results)))
            }
        }
    };
    graph.families(&graph.needed(roots)).map(cost).fold(0, u64::saturating_add)
}

/// How many products each element of a product of matrices adds up.
fn terms(graph: &Graph, product: NodeId) -> u64 {
    let node = graph.node(product);
    let Some(a) = node.inputs.first() else { return 0 };
    // A row of a triangle meets those before it.
    let Op::Dot { contracted, .. } = &node.op else {
        return graph.shape(*a).last().and_then(Size::settled).unwrap_or(0).max(0) as u64 / 2;
    };
    contracted.iter().map(|(axis, _)| graph.shape(*a)[*axis].settled().unwrap_or(0).max(0) as u64).product()
}

/// What a family of nodes has run: how often, which body, and what of it.
struct Run<'g> {
    times: u64,
    body: &'g Body,
    results: Vec<NodeId>,
}

fn run_of<'g>(graph: &'g Graph, family: &[NodeId]) -> Option<Run<'g>> {
    let ops = || family.iter().map(|id| &graph.node(*id).op);
    let op = ops().next()?;
    let body = op.body()?;
    let (times, live) = if let Op::Scan(scan, _) = op {
        let parts: Vec<Part> =
            ops().filter_map(|op| if let Op::Scan(_, part) = op { Some(*part) } else { None }).collect();
        (scan.steps.settled().unwrap_or(0).max(0) as u64, scan.live(&parts))
    } else {
        (1, ops().filter_map(|op| if let Op::Call(_, at) = op { Some(*at) } else { None }).collect())
    };
    Some(Run { times, body, results: live.iter().map(|at| body.results()[*at]).collect() })
}

/// The nodes with the most elements, the largest first, and how many each has. A count that does not fit is the greatest.
pub fn largest(graph: &Graph, roots: &[NodeId]) -> Vec<(NodeId, u64)> {
    let mut all: Vec<(NodeId, u64)> = graph.needed(roots).into_iter().map(|id| (id, count(graph, id))).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}

/// The most elements that are held at once where nodes are computed one after another, views included, and each is kept
/// until all that reads it is computed. Of a body that runs, what one step of it holds.
pub fn held(graph: &Graph, roots: &[NodeId]) -> u64 {
    let needed = graph.needed(roots);
    let mut readers: HashMap<NodeId, usize> = HashMap::new();
    for read in needed.iter().flat_map(|id| &graph.node(*id).inputs).chain(roots) {
        *readers.entry(*read).or_default() += 1;
    }
    let (mut now, mut most) = (0u64, 0);
    for family in graph.families(&needed) {
        now = family.iter().fold(now, |now, id| now.saturating_add(count(graph, *id)));
        let run = run_of(graph, family).filter(|run| run.times > 0);
        most = most.max(now.saturating_add(run.map_or(0, |run| held(run.body.graph(), &run.results))));
        for input in family.iter().flat_map(|id| &graph.node(*id).inputs) {
            if let Some(left) = readers.get_mut(input) {
                *left -= 1;
                if *left == 0 {
                    now = now.saturating_sub(count(graph, *input));
                }
            }
        }
    }
    most
}

/// Elements of a settled result; 0 of one whose shape is still open.
pub fn count(graph: &Graph, id: NodeId) -> u64 {
    elements(graph.shape(id)).settled().unwrap_or(0).max(0) as u64
}
