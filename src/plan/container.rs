//! Concatenation and padding without copies: their result is a buffer, the container, and whoever computes a part of it stores
//! the part there. Only what cannot store with strides (an input, an operation that is not fused) is copied, by a loop.

use super::host::Scalar;
use super::kernel::{Level, Storage};
use super::request::{Precision, settled};
use super::select::{Group, Place, Selection, Value};
use super::view::{Layout, View, rows_ascend};
use crate::ir::{NodeId, Op};

/// Rows of fewer columns are not worth a loop of their own each: each element of such a shape is a row.
const NARROW: usize = 16;

impl Group {
    /// How many axes are rows: all but the last one, if nothing else was decided.
    pub(super) fn rows(&self) -> usize {
        let narrow = !self.containers.is_empty()
            && (self.shape.len() == 1 || self.shape.last().is_some_and(|columns| *columns < NARROW));
        self.split.unwrap_or(if narrow { self.shape.len() } else { self.shape.len().saturating_sub(1) })
    }
}

impl Selection<'_> {
    pub(super) fn concat(&mut self, id: NodeId, axis: usize, inputs: &[NodeId]) -> Result<Place, String> {
        let container = self.container(id)?;
        let mut start = 0;
        for input in inputs {
            let size = settled(self.request.graph.shape(*input))?[axis];
            self.write_into(id, *input, container.slice(axis, start, size, 1));
            start += size as i64;
        }
        Ok(Place::Stored(container))
    }

    pub(super) fn pad(
        &mut self,
        id: NodeId,
        axis: usize,
        low: i64,
        between: i64,
        input: NodeId,
    ) -> Result<Place, String> {
        let container = self.container(id)?;
        let count = settled(self.request.graph.shape(input))?[axis];
        let gaps = count.saturating_sub(1);
        let end = low + (count + gaps * between as usize) as i64;
        let rest = container.layout.shape[axis] - end as usize;
        let (width, apart) = (between as usize, between + 1);
        let zeros = [
            container.slice(axis, 0, low as usize, 1),
            container.slice(axis, end, rest, 1),
            container.slice(axis, low + 1, gaps, 1).window(axis, gaps, width, apart, 1),
        ];
        zeros.into_iter().for_each(|gap| self.fill(id, gap));
        self.write_into(id, input, container.slice(axis, low, count, between + 1));
        Ok(Place::Stored(container))
    }

    /// A reshape of what is joined or padded: its operand is written there at once.
    pub(super) fn reshaped_in_place(&mut self, id: NodeId, input: NodeId) -> Option<Place> {
        let region = self.region(id)?;
        let shape = settled(self.request.graph.shape(input)).ok()?;
        self.write_into(id, input, region.reshape(&shape)?);
        Some(Place::Stored(region))
    }

    fn container(&mut self, id: NodeId) -> Result<View, String> {
        self.region(id).ok_or_else(|| "what is joined or padded has no place".to_string())
    }

    /// Where the value of a concatenation, a padding or a reshape is written: in its reader's container, if it has one reader and
    /// that is written in parts as well; else in a container of its own, which a reshape has none.
    fn region(&mut self, id: NodeId) -> Option<View> {
        let graph = self.request.graph;
        // From the node outwards, as long as the next one is the only reader.
        let mut path = vec![id];
        let mut at = id;
        while !self.regions.contains_key(&at)
            && self.readers[at.0 as usize] == 1
            && let Some(reader) = self.reader[at.0 as usize]
            && is_written_in_parts(&graph.node(reader).op)
            && self.storage_ahead(at).is_some()
        {
            path.push(reader);
            at = reader;
        }
        let mut outer: Option<(NodeId, View)> = None;
        for node in path.into_iter().rev() {
            let region = match self.regions.get(&node) {
                Some(known) => known.clone(),
                None => {
                    let shape = settled(graph.shape(node)).ok()?;
                    let within = outer.as_ref().and_then(|(reader, region)| self.part(*reader, region, node, &shape));
                    if within.is_some() || matches!(graph.node(node).op, Op::Reshape(_)) {
                        within
                    } else {
                        let storage = self.storage_ahead(node).unwrap_or(self.storage(node));
                        Some(View::whole(self.buffer(&shape, storage, 0), shape))
                    }
                }
            };
            self.regions.insert(node, region.clone());
            outer = region.map(|region| (node, region));
        }
        outer.map(|(_, region)| region)
    }

    /// The part of a reader's region that one of its operands has.
    fn part(&self, reader: NodeId, region: &View, operand: NodeId, shape: &[usize]) -> Option<View> {
        let graph = self.request.graph;
        if let Op::Concat(axis) = &graph.node(reader).op {
            let mut start = 0;
            for input in graph.node(reader).inputs.iter().take_while(|input| **input != operand) {
                start += graph.shape(*input)[*axis].settled()?;
            }
            return Some(region.slice(*axis, start, shape[*axis], 1));
        }
        if let Op::Pad { axis, low, between, .. } = &graph.node(reader).op {
            return Some(region.slice(*axis, low.settled()?, shape[*axis], between + 1));
        }
        region.reshape(shape)
    }

    /// How the value of a node will be held, if that can be told before its turn.
    fn storage_ahead(&self, node: NodeId) -> Option<Storage> {
        let plain = Storage::of(self.request.graph.dtype(node));
        match self.request.precision {
            Precision::Step => Some(plain),
            Precision::Double => Some(if plain == Storage::F32 { Storage::F64 } else { plain }),
            Precision::Evaluation { .. } => (plain != Storage::F32).then_some(plain),
        }
    }

    /// Has the value of a node written in a region of a container: where it is computed, if its kernel can store it there; else by
    /// a copy of what it is, for `whom`.
    fn write_into(&mut self, whom: NodeId, node: NodeId, region: View) {
        let Some(buffer) = region.buffer.filter(|_| region.layout.count() > 0) else { return };
        if let Place::Inline(_) = self.place(node) {
            self.settle(node);
        }
        match self.place(node).clone() {
            Place::Stored(view) if view == region => {}
            Place::Member(group, member, stored) if self.can_store(group, &region) => {
                let alike = self.is_stored_as(buffer, self.groups[group].members[member].storage);
                self.store_into(group, member, region.clone());
                if stored.is_none() && alike {
                    self.places[node.0 as usize] = Some(Place::Member(group, member, Some(region)));
                }
            }
            Place::Host(scalar) => self.fill_with(whom, scalar, region),
            Place::Member(..) | Place::Stored(_) | Place::Inline(_) => {
                let mut view = self.view(node);
                let storage = view.buffer.map_or(Storage::I32, |from| self.buffers[from.0 as usize].storage);
                if view.buffer == region.buffer {
                    // A part of this container already: no kernel reads what it writes a part of.
                    view = View::whole(self.whole(node, &view, storage), view.layout.shape.clone());
                }
                let group = self.open(view.layout.shape.clone(), None);
                self.groups[group].nodes.push(whom);
                view.buffer.into_iter().for_each(|from| self.read_in(from, group));
                let member = self.member(group, Value::Copy(view), Level::Full, storage, 1);
                self.store_into(group, member, region);
            }
        }
    }

    /// Zeros in a region.
    fn fill(&mut self, whom: NodeId, region: View) {
        let zero = self.scalars.number(Scalar::Constant(0.0));
        self.fill_with(whom, zero, region);
    }

    fn fill_with(&mut self, whom: NodeId, scalar: usize, region: View) {
        let Some(buffer) = region.buffer.filter(|_| region.layout.count() > 0) else { return };
        let group = self.open(region.layout.shape.clone(), None);
        self.groups[group].nodes.push(whom);
        let storage = self.buffers[buffer.0 as usize].storage;
        let member = self.member(group, Value::Scalar(scalar), Level::Full, storage, 1);
        self.store_into(group, member, region);
    }

    /// Whether a group can store a value in a region: it reads nothing of the container, and rows stay apart in it.
    fn can_store(&self, at: usize, region: &View) -> bool {
        let (group, Some(buffer)) = (&self.groups[at], region.buffer) else { return false };
        if self.read_by[buffer.0 as usize].contains(&at) {
            return false;
        }
        let others = group.members.iter().flat_map(|member| &member.regions).filter(|own| own.buffer == Some(buffer));
        let parts: Vec<(isize, &Layout)> = others.chain([region]).map(|own| (own.start, &own.layout)).collect();
        parts.len() == 1 || rows_ascend(&parts, group.rows())
    }

    fn store_into(&mut self, at: usize, member: usize, region: View) {
        let Some(buffer) = region.buffer else { return };
        let group = &mut self.groups[at];
        if group.containers.contains(&buffer) {
            // Two parts in one container: their rows stay as they are now.
            group.split = Some(group.rows());
        } else {
            group.containers.push(buffer);
        }
        group.members[member].regions.push(region);
        let ready = &mut self.ready[buffer.0 as usize];
        *ready = (*ready).max(at + 1);
    }
}

/// Whether an operation's operands can be parts of a buffer that is written piece by piece.
fn is_written_in_parts(op: &Op) -> bool {
    matches!(op, Op::Concat(_) | Op::Pad { .. } | Op::Reshape(_))
}
