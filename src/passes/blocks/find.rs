//! Which products are computed together, and what of their operands is made where they are.

use super::local::{Axes, Local, is_cheap, local};
use crate::ir::{Class, Graph, NodeId, Op, count};
use std::collections::{BTreeMap, HashSet};

/// A node, and where some axes are in it.
pub(super) type Seen = (NodeId, Axes);

/// Products of the same batches that are made of the same large values.
pub(super) struct Group {
    /// How many there are along each axis of the batches.
    pub sizes: Vec<i64>,
    pub targets: Vec<Seen>,
    /// What is made in a batch, operands first.
    pub inside: BTreeMap<Seen, Local>,
    /// What is read by it.
    pub outside: Vec<Seen>,
    /// The products that make its large values.
    makers: HashSet<Seen>,
}

/// The most nodes that are made in a batch.
const MOST: usize = 400;

/// So many nodes are looked at for what a small one is made from.
const LOOKS: usize = 64;

/// The greatest depth of a product that is as soon computed again as read from memory.
const SHALLOW: i64 = 128;

/// Groups of products; each has at least so many bytes of large values that need not be there at once.
pub(super) fn groups(graph: &Graph, needed: &[NodeId], least: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for id in needed {
        let Some(found) = target(graph, *id, least as u64) else { continue };
        let above = Above::of(graph, *id);
        let joins = |group: &&mut Group| {
            group.sizes == found.sizes
                && group.makers.intersection(&found.makers).next().is_some()
                && !group.targets.iter().any(|(target, _)| above.contains(*target))
        };
        match groups.iter_mut().find(joins) {
            Some(group) => {
                group.targets.extend(found.targets);
                group.inside.extend(found.inside);
                group.makers.extend(found.makers);
                let new = found.outside.into_iter().filter(|seen| !group.outside.contains(seen)).collect::<Vec<_>>();
                group.outside.extend(new);
            }
            None => groups.push(found),
        }
    }
    groups
}

/// A product that makes something small of a large operand, which a product has made.
fn target(graph: &Graph, id: NodeId, least: u64) -> Option<Group> {
    let node = graph.node(id);
    let Op::Dot { batch, .. } = &node.op else { return None };
    let size = |axis: usize| graph.shape(id)[axis].settled().unwrap_or(0);
    let axes: Axes = (0..batch.len()).filter(|axis| size(*axis) > 1).map(Some).collect();
    let sizes: Vec<i64> = axes.iter().flatten().map(|axis| size(*axis)).collect();
    let batches = sizes.iter().product::<i64>() as u64;
    let large = node.inputs.iter().map(|input| count(graph, *input)).max()? / batches.max(1);
    let is_wide = batches > 1 && batches * large * 4 >= least && count(graph, id) / batches < large;
    if !is_wide {
        return None;
    }
    let mut walk = Walk { graph, sizes: &sizes, large, inside: BTreeMap::new(), outside: Vec::new() };
    walk.follow((id, axes.clone()))?;
    let Walk { inside, outside, .. } = walk;
    let is_maker = |(maker, _): &&Seen| *maker != id && matches!(graph.node(*maker).op, Op::Dot { .. });
    let makers: HashSet<Seen> = inside.keys().filter(is_maker).cloned().collect();
    let shallow = |(maker, _): &Seen| depth(graph, *maker) <= SHALLOW;
    let is_worth_it = !makers.is_empty() && makers.iter().all(shallow);
    is_worth_it.then(|| Group { targets: vec![(id, axes)], inside, outside, makers, sizes: sizes.clone() })
}

fn depth(graph: &Graph, product: NodeId) -> i64 {
    let Op::Dot { contracted, .. } = &graph.node(product).op else { return 0 };
    let shape = graph.shape(graph.node(product).inputs[0]);
    contracted.iter().map(|(axis, _)| shape[*axis].settled().unwrap_or(0)).product()
}

struct Walk<'w> {
    graph: &'w Graph,
    sizes: &'w [i64],
    /// Elements for one batch from which on a value is large.
    large: u64,
    inside: BTreeMap<Seen, Local>,
    outside: Vec<Seen>,
}

impl Walk<'_> {
    /// Takes a product in, and what of its operands is large. `None` if that is too much.
    fn follow(&mut self, target: Seen) -> Option<()> {
        let mut open = vec![target.clone()];
        let mut known: HashSet<Seen> = HashSet::new();
        while let Some(seen) = open.pop() {
            if !known.insert(seen.clone()) {
                continue;
            }
            let own = if seen == target || self.belongs(&seen) { local(self.graph, seen.0, &seen.1) } else { None };
            let Some(own) = own else {
                self.outside.push(seen);
                continue;
            };
            let inputs = &self.graph.node(seen.0).inputs;
            open.extend(inputs.iter().copied().zip(own.operands.iter().cloned()));
            self.inside.insert(seen, own);
            if self.inside.len() > MOST {
                return None;
            }
        }
        Some(())
    }

    /// Whether a value is made in a batch: what is large, and what is made from that.
    fn belongs(&self, (id, axes): &Seen) -> bool {
        let op = &self.graph.node(*id).op;
        if axes.iter().all(Option::is_none) && self.is_of_indices(*id) {
            return true;
        }
        let is_of_batch = axes.iter().all(Option::is_some);
        if self.is_large(&(*id, axes.clone())) {
            return is_of_batch || is_cheap(op);
        }
        is_of_batch && self.is_of_large(*id, axes)
    }

    /// Whether a value is made of constants and indices, element by element.
    fn is_of_indices(&self, id: NodeId) -> bool {
        let mut open = vec![id];
        for _ in 0..LOOKS {
            let Some(id) = open.pop() else { return true };
            if !is_cheap(&self.graph.node(id).op) {
                return false;
            }
            open.extend(&self.graph.node(id).inputs);
        }
        false
    }

    fn is_large(&self, (id, axes): &Seen) -> bool {
        let batches = axes.iter().zip(self.sizes).filter(|(axis, _)| axis.is_some()).map(|(_, size)| *size as u64);
        count(self.graph, *id) / batches.product::<u64>().max(1) >= self.large
    }

    /// Whether a small value is made of a large one, by sums and element by element.
    fn is_of_large(&self, id: NodeId, axes: &Axes) -> bool {
        let mut open = vec![(id, axes.clone())];
        for _ in 0..LOOKS {
            let Some(seen) = open.pop() else { return false };
            let op = &self.graph.node(seen.0).op;
            if self.is_large(&seen) {
                return true;
            }
            let is_made = matches!(op.class(), Class::Elementwise | Class::View) || matches!(op, Op::Reduce(..));
            if !is_made || seen.1.iter().any(Option::is_none) {
                continue;
            }
            if let Some(own) = local(self.graph, seen.0, &seen.1) {
                open.extend(self.graph.node(seen.0).inputs.iter().copied().zip(own.operands));
            }
        }
        false
    }
}

/// The nodes that a node is made from.
struct Above(Vec<bool>);

impl Above {
    fn of(graph: &Graph, id: NodeId) -> Above {
        let mut above = vec![false; id.0 as usize + 1];
        above[id.0 as usize] = true;
        for at in (0..above.len()).rev() {
            if above[at] {
                graph.node(NodeId(at as u32)).inputs.iter().for_each(|input| above[input.0 as usize] = true);
            }
        }
        Above(above)
    }

    fn contains(&self, id: NodeId) -> bool {
        self.0.get(id.0 as usize).copied().unwrap_or(false)
    }
}
