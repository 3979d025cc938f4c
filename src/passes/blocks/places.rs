//! Where rows and columns are in the values of a batch.

use super::local::{Axes, local};
use crate::ir::{Graph, NodeId, Op};
use std::collections::{HashMap, HashSet};

pub(super) const ROW: usize = 0;
pub(super) const COLUMN: usize = 1;

/// The axis of rows, and that of columns, of a node that has them.
pub(super) type Place = [Option<usize>; 2];

pub(super) const NOWHERE: Place = [None, None];

pub(super) struct Places {
    /// Of what a product makes and what is made of that. In anything else, indices for one, they are where its reader has them.
    made: HashMap<NodeId, Place>,
    /// How many rows and columns there are.
    pub sizes: [usize; 2],
}

impl Places {
    /// `None` if something mixes rows or columns.
    pub fn of(body: &Graph, needed: &[NodeId], targets: &[NodeId]) -> Option<Places> {
        let is_product = |id: &&NodeId| matches!(body.node(**id).op, Op::Dot { .. }) && !targets.contains(id);
        let maker = *needed.iter().find(is_product)?;
        let Op::Dot { batch, contracted } = &body.node(maker).op else { return None };
        let of_a = body.shape(body.node(maker).inputs[0]).len() - batch.len() - contracted.len();
        let size = |axis: &usize| body.shape(maker)[*axis].settled().unwrap_or(0);
        let row = (batch.len()..batch.len() + of_a).max_by_key(size)?;
        let column = (batch.len() + of_a..body.shape(maker).len()).max_by_key(size)?;
        let mut places = Places { made: HashMap::new(), sizes: [row, column].map(|axis| size(&axis) as usize) };
        let mut behind: HashSet<NodeId> = HashSet::new();
        for id in needed {
            let node = body.node(*id);
            if matches!(node.op, Op::Dot { .. }) || node.inputs.iter().any(|input| behind.contains(input)) {
                behind.insert(*id);
                places.made.insert(*id, NOWHERE);
            }
        }
        places.made.insert(maker, [Some(row), Some(column)]);
        // What is known of a node tells of its operands, and theirs of it.
        for _ in 0..3 {
            needed.iter().try_for_each(|id| places.told_by_operands(body, *id))?;
            needed.iter().rev().try_for_each(|id| places.tell_operands(body, *id))?;
        }
        places.turn(body, needed)?;
        let is_sound = |id: &NodeId| places.is_sound(body, *id, targets);
        needed.iter().filter(|id| behind.contains(id)).all(is_sound).then_some(places)
    }

    /// Of what a product has made.
    pub fn of_made(&self, id: NodeId) -> Option<Place> {
        self.made.get(&id).copied()
    }

    /// Where they are in the operands of a node that has them at a place.
    pub fn operands(&self, body: &Graph, id: NodeId, place: Place) -> Option<Vec<Place>> {
        let node = body.node(id);
        if node.inputs.is_empty() {
            return Some(Vec::new());
        }
        let mut found: Vec<Place> =
            local(body, id, &place.to_vec())?.operands.iter().map(|axes| [axes[0], axes[1]]).collect();
        for (found, input) in found.iter_mut().zip(&node.inputs) {
            if let Some(made) = self.of_made(*input) {
                *found = made;
            }
        }
        // What a product sums over it has in both operands.
        if let Op::Dot { contracted, .. } = &node.op {
            for (i, j) in contracted {
                for which in [ROW, COLUMN] {
                    if found[0][which] == Some(*i) || found[1][which] == Some(*j) {
                        found[0][which] = Some(*i);
                        found[1][which] = Some(*j);
                    }
                }
            }
        }
        Some(found)
    }

    /// Takes over where an axis is; `None` if it is elsewhere already.
    fn tell(&mut self, id: NodeId, which: usize, axis: usize) -> Option<()> {
        match self.made.get_mut(&id) {
            Some(place) => (*place[which].get_or_insert(axis) == axis).then_some(()),
            None => Some(()),
        }
    }

    fn told_by_operands(&mut self, body: &Graph, id: NodeId) -> Option<()> {
        let node = body.node(id);
        for axis in 0..node.shaped.shape.len() {
            for (input, own) in node.inputs.iter().zip(behind(body, id, axis).unwrap_or_default()) {
                for which in [ROW, COLUMN] {
                    if own.is_some() && self.of_made(*input).is_some_and(|place| place[which] == own) {
                        self.tell(id, which, axis)?;
                    }
                }
            }
        }
        Some(())
    }

    fn tell_operands(&mut self, body: &Graph, id: NodeId) -> Option<()> {
        let Some(place) = self.of_made(id) else { return Some(()) };
        for which in [ROW, COLUMN] {
            let own = place[which].and_then(|axis| behind(body, id, axis)).unwrap_or_default();
            for (input, own) in body.node(id).inputs.iter().zip(own) {
                own.map_or(Some(()), |own| self.tell(*input, which, own))?;
            }
        }
        Some(())
    }

    /// Columns are what a softmax sums over.
    fn turn(&mut self, body: &Graph, needed: &[NodeId]) -> Option<()> {
        let is_summed = |which: usize| {
            needed.iter().any(|id| {
                let node = body.node(*id);
                let has = |id: &NodeId| self.of_made(*id).is_some_and(|place| place[which].is_some());
                matches!(node.op, Op::Reduce(..)) && has(&node.inputs[0]) && !has(id)
            })
        };
        let (rows, columns) = (is_summed(ROW), is_summed(COLUMN));
        if rows && !columns {
            self.made.values_mut().for_each(|place| place.swap(ROW, COLUMN));
            self.sizes.swap(ROW, COLUMN);
        }
        (!rows || !columns).then_some(())
    }

    /// Whether a node can be computed for some rows and columns alone.
    fn is_sound(&self, body: &Graph, id: NodeId, targets: &[NodeId]) -> bool {
        let place = self.made[&id];
        let Some(operands) = self.operands(body, id, place) else { return false };
        let gone = |which: usize| place[which].is_none() && operands.iter().any(|place| place[which].is_some());
        if targets.contains(&id) {
            // Of rows and columns one is summed over, in both operands.
            return gone(ROW) != gone(COLUMN) && place[ROW].is_some() != place[COLUMN].is_some();
        }
        let is_kept = |which: usize| place[which].is_none_or(|axis| behind(body, id, axis).is_some());
        is_kept(ROW) && is_kept(COLUMN) && !gone(ROW) && (matches!(body.node(id).op, Op::Reduce(..)) || !gone(COLUMN))
    }
}

/// Where an axis of a node is in its operands; `None` if it has no such place.
fn behind(body: &Graph, id: NodeId, axis: usize) -> Option<Vec<Option<usize>>> {
    let one: Axes = vec![Some(axis)];
    Some(local(body, id, &one)?.operands.into_iter().map(|axes| axes[0]).collect())
}
