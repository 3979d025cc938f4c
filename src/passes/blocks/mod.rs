//! Batches of products one after the other: of what products make and other products make small again, the scores of attention, no more is in
//! memory than those of the batches that are being computed.
//!
//! Such products, and what lies between them, become a loop over their batches that carries nothing. What a gradient reads of
//! the large values it computes again. (The idea is that of Dao et al., "FlashAttention", 2022.)
//!
//! | file | what |
//! |---|---|
//! | `local` | what an operation is for one batch |
//! | `find` | which products, and what of their operands |
//! | `segment` | a batch in segments of rows |
//! | `places` | where rows and columns are |
//! | `mask` | of which columns a mask leaves nothing |

mod find;
mod local;
mod mask;
mod places;
mod segment;

use super::Rewritten;
use crate::ir::{Graph, NodeId, Op, ScanBuilder, Size};
use find::{Group, Seen, groups};
use local::without;
use std::collections::HashMap;

/// The graph for some roots, its sizes numbers; `None` if nothing in it has so many bytes that need not be there.
pub(super) fn blocked(graph: &Graph, roots: &[NodeId], least: usize) -> Option<Rewritten> {
    let needed = graph.needed(roots);
    let groups = groups(graph, &needed, least);
    if groups.is_empty() {
        return None;
    }
    let mut group_of: HashMap<NodeId, usize> = HashMap::new();
    for (at, group) in groups.iter().enumerate() {
        group_of.extend(group.targets.iter().map(|(id, _)| (*id, at)));
    }
    let mut builder = Builder {
        from: graph,
        graph: Graph::default(),
        origins: Vec::new(),
        places: vec![None; graph.nodes().len()],
        at: NodeId(0),
        looked: HashMap::new(),
    };
    let mut begun = vec![false; graph.nodes().len()];
    for id in needed {
        let mut open = vec![(id, false)];
        while let Some((id, is_ready)) = open.pop() {
            if builder.places[id.0 as usize].is_some() {
                continue;
            }
            let group = group_of.get(&id).map(|at| &groups[*at]);
            if is_ready {
                match group {
                    Some(group) => builder.scan(group),
                    None => builder.copy(id),
                }
                continue;
            }
            // Two loops that wait for each other: it stays as it is.
            if std::mem::replace(&mut begun[id.0 as usize], true) {
                return None;
            }
            open.push((id, true));
            let waits_for: Vec<NodeId> = match group {
                Some(group) => group.outside.iter().map(|(id, _)| *id).collect(),
                None => graph.node(id).inputs.clone(),
            };
            open.extend(
                waits_for.into_iter().filter(|id| builder.places[id.0 as usize].is_none()).map(|id| (id, false)),
            );
        }
    }
    Some(Rewritten { graph: builder.graph, places: builder.places, origins: builder.origins })
}

struct Builder<'b> {
    from: &'b Graph,
    graph: Graph,
    origins: Vec<NodeId>,
    places: Vec<Option<NodeId>>,
    /// The node of the graph before that is being made.
    at: NodeId,
    looked: segment::Looked,
}

impl Builder<'_> {
    fn add(&mut self, op: Op, inputs: Vec<NodeId>) -> NodeId {
        let id = self.graph.add(op, inputs);
        if self.origins.len() <= id.0 as usize {
            self.origins.resize(id.0 as usize + 1, self.at);
        }
        id
    }

    fn place(&self, id: NodeId) -> NodeId {
        self.places[id.0 as usize].unwrap_or(id)
    }

    fn copy(&mut self, id: NodeId) {
        self.at = id;
        let node = self.from.node(id);
        let inputs = node.inputs.iter().map(|input| self.place(*input)).collect();
        self.places[id.0 as usize] = Some(self.add(node.op.clone(), inputs));
    }

    /// The loop of a group, and its results in the places of the group's products.
    fn scan(&mut self, group: &Group) {
        self.at = group.targets[0].0;
        let mut scan = ScanBuilder::new(Size::from(group.sizes.iter().product::<i64>()), false);
        let mut made: HashMap<&Seen, NodeId> = HashMap::new();
        for seen in &group.outside {
            let place = self.place(seen.0);
            let inner = if seen.1.iter().all(Option::is_none) {
                scan.capture(&self.graph, place)
            } else {
                let batches = self.in_batches(place, seen, &group.sizes);
                scan.slice(&self.graph, batches)
            };
            made.insert(seen, inner);
        }
        for (seen, own) in &group.inside {
            let inputs = self.from.node(seen.0).inputs.iter().copied().zip(own.operands.iter().cloned());
            let inputs = inputs.map(|input| made[&input]).collect();
            made.insert(seen, scan.body.add(own.op.clone(), inputs));
        }
        let targets: Vec<NodeId> = group.targets.iter().map(|target| made[target]).collect();
        let inputs = scan.inputs();
        let targets = segment::segmented(&mut scan.body, inputs, &targets, &mut self.looked).unwrap_or(targets);
        targets.into_iter().for_each(|target| scan.give(target));
        let results = self.graph.scan(scan).each;
        self.origins.resize(self.graph.nodes().len(), self.at);
        for ((id, _), result) in group.targets.iter().zip(results) {
            self.at = *id;
            self.places[id.0 as usize] = Some(self.add(Op::Reshape(self.from.shape(*id).to_vec()), vec![result]));
        }
    }

    /// A value with one axis of all batches before those of a batch.
    fn in_batches(&mut self, place: NodeId, (_, axes): &Seen, sizes: &[i64]) -> NodeId {
        let shape = self.graph.shape(place).to_vec();
        let present: Vec<usize> = axes.iter().flatten().copied().collect();
        let rest = without(&shape, axes);
        let order: Vec<usize> =
            present.iter().copied().chain((0..shape.len()).filter(|axis| !present.contains(axis))).collect();
        let mut at = self.add(Op::Permute(order), vec![place]);
        if present.len() < axes.len() {
            let batch = sizes.iter().map(|size| Size::from(*size));
            let kept = (0..axes.len()).filter(|batch| axes[*batch].is_some());
            let kept = kept.chain(axes.len()..axes.len() + rest.len()).collect();
            at = self.add(Op::Broadcast { shape: batch.chain(rest.iter().cloned()).collect(), kept }, vec![at]);
        }
        let all = Size::from(sizes.iter().product::<i64>());
        self.add(Op::Reshape([&[all], &rest[..]].concat()), vec![at])
    }
}
