//! Which group a node joins: one with an operand as its member, or one that reads the same operands. Elementwise nodes with a
//! single reader, and those that are recomputed, stay inline.

use super::kernel::{Level, Storage};
use super::request::settled;
use super::select::{Group, GroupKind, Location, Member, Selection, Value};
use crate::ir::NodeId;
use std::collections::HashSet;

/// How many of the latest readers of a buffer are tried as the group of one more reader.
const ASKED: usize = 8;

impl Selection<'_> {
    pub(super) fn elementwise(&mut self, id: NodeId, shape: &[usize], inputs: &[NodeId]) -> Location {
        let (group, level) = match self.joinable(shape, inputs) {
            Some(found) => found,
            None => (self.open(shape.to_vec(), None), Level::Full),
        };
        self.reads_of(group, inputs);
        let storage = self.storage(id);
        self.groups[group].nodes.push(id);
        let weight = 1 + inputs.iter().map(|input| self.weight(*input)).sum::<usize>();
        let member = self.member(group, Value::Node(id), level, storage, weight);
        Location::Member(group, member, None)
    }

    /// Makes an inline node a member of a group.
    pub(super) fn materialize(&mut self, node: NodeId) {
        let graph = self.request.graph;
        let shape = settled(graph.shape(node)).unwrap_or_default();
        let place = self.elementwise(node, &shape, &graph.node(node).inputs);
        self.places[node.0 as usize] = Some(place);
    }

    pub(super) fn member(
        &mut self,
        group: usize,
        value: Value,
        level: Level,
        storage: Storage,
        weight: usize,
    ) -> usize {
        let group = &mut self.groups[group];
        group.weight += weight;
        group.members.push(Member { value, level, storage, store: None, regions: Vec::new() });
        group.members.len() - 1
    }

    /// Opens a group for a loop over a shape.
    pub(super) fn open(&mut self, shape: Vec<usize>, split: Option<usize>) -> usize {
        self.groups.push(Group {
            kind: GroupKind::Loop,
            shape,
            split,
            containers: Vec::new(),
            members: Vec::new(),
            weight: 0,
            nodes: Vec::new(),
        });
        self.groups.len() - 1
    }

    pub(super) fn weight(&self, node: NodeId) -> usize {
        match self.place(node) {
            Location::Inline(weight) => *weight,
            Location::Host(_) | Location::Member(..) | Location::Stored(_) => 0,
        }
    }

    /// The nodes that an expression reads, with inline nodes expanded.
    pub(super) fn leaves(&self, inputs: &[NodeId]) -> Vec<NodeId> {
        let mut open = inputs.to_vec();
        let mut leaves = Vec::new();
        let mut seen = HashSet::new();
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            match self.place(node) {
                Location::Inline(_) => open.extend(&self.request.graph.node(node).inputs),
                Location::Host(_) => {}
                Location::Member(..) | Location::Stored(_) => leaves.push(node),
            }
        }
        leaves
    }

    /// Records that a group reads nodes, and stores those that are not members of it.
    pub(super) fn reads_of(&mut self, group: usize, inputs: &[NodeId]) {
        for leaf in self.leaves(inputs) {
            if !matches!(self.place(leaf), Location::Member(home, ..) if *home == group)
                && let Some(buffer) = self.view(leaf).buffer
            {
                self.read_in(buffer, group);
            }
        }
    }

    /// The group that a node can join: all operands are members or ready before it runs, and at least one of them is shared.
    pub(super) fn joinable(&self, shape: &[usize], inputs: &[NodeId]) -> Option<(usize, Level)> {
        let leaves = self.leaves(inputs);
        let weight = 1 + inputs.iter().map(|input| self.weight(*input)).sum::<usize>();
        let fits = |at: usize| -> Option<(usize, Level)> {
            let group = &self.groups[at];
            let alone = match group.kind {
                GroupKind::Special(..) | GroupKind::Run(..) => true,
                GroupKind::Loop | GroupKind::Product(..) => false,
            };
            if alone || group.weight + weight > self.request.limits.fused {
                return None;
            }
            let level = if group.shape == shape {
                Level::Full
            } else if group.split.is_some_and(|split| group.shape[..split] == *shape) {
                Level::Row
            } else {
                return None;
            };
            let here = |leaf: &NodeId| match self.place(*leaf) {
                Location::Member(home, member, _) if *home == at => group.members[*member].level == level,
                Location::Member(home, ..) => *home < at,
                Location::Stored(view) => self.ready_at(view) <= at,
                Location::Host(_) | Location::Inline(_) => true,
            };
            // A kernel cannot read a container that it writes.
            let writes = |leaf: &NodeId| match self.place(*leaf) {
                Location::Member(home, ..) if *home == at => false,
                _ => self.buffer_of(*leaf).is_some_and(|buffer| group.containers.contains(&buffer)),
            };
            let apart = group.containers.is_empty() || !leaves.iter().any(writes);
            (apart && leaves.iter().all(here)).then_some((at, level))
        };
        let latest = |mut groups: Vec<usize>| {
            groups.retain(|group| *group >= self.stage);
            groups.sort_unstable_by_key(|group| std::cmp::Reverse(*group));
            groups.dedup();
            groups.into_iter().find_map(fits)
        };
        let holds = leaves.iter().filter_map(|leaf| match self.place(*leaf) {
            Location::Member(home, ..) => Some(*home),
            _ => None,
        });
        let shares = leaves.iter().filter_map(|leaf| match self.place(*leaf) {
            Location::Stored(view) | Location::Member(_, _, Some(view)) => Some(&self.read_by[view.buffer?.0 as usize]),
            _ => None,
        });
        let shares = shares.flat_map(|groups| groups.iter().rev().take(ASKED));
        latest(holds.collect()).or_else(|| latest(shares.copied().collect()))
    }
}
