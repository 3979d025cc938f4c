//! Concatenation and padding without copies. The result is a buffer, the container, and a kernel that computes a part of it stores
//! the part there, with the strides of the container. Values that no loop computes (inputs, results of operations that are not
//! fused) are copied by a loop.

use super::host::Scalar;
use super::kernel::{Level, Storage};
use super::request::{Precision, settled};
use super::select::{Group, Location, Selection, Value};
use super::view::{Layout, View, rows_ascend};
use crate::ir::{NodeId, Op};

/// With fewer columns than this, each element is a row of its own: a strided store is then one loop instead of one per row.
const NARROW: usize = 8;

impl Group {
    /// How many leading axes are rows: all but the last one unless a member decides otherwise.
    pub(super) fn rows(&self) -> usize {
        let narrow = !self.containers.is_empty()
            && (self.shape.len() == 1 || self.shape.last().is_some_and(|columns| *columns < NARROW));
        self.split.unwrap_or(if narrow { self.shape.len() } else { self.shape.len().saturating_sub(1) })
    }
}

impl Selection<'_> {
    pub(super) fn concat(&mut self, id: NodeId, axis: usize, inputs: &[NodeId]) -> Result<Location, String> {
        let container = self.container(id)?;
        let mut start = 0;
        for input in inputs {
            let size = settled(self.request.graph.shape(*input))?[axis];
            self.write_into(id, *input, container.slice(axis, start, size, 1));
            start += size as i64;
        }
        Ok(Location::Stored(container))
    }

    pub(super) fn pad(
        &mut self,
        id: NodeId,
        axis: usize,
        low: i64,
        between: i64,
        input: NodeId,
    ) -> Result<Location, String> {
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
        self.fill(id, zeros);
        self.write_into(id, input, container.slice(axis, low, count, between + 1));
        Ok(Location::Stored(container))
    }

    /// A reshape whose only reader writes to a container: its operand is stored there.
    pub(super) fn reshaped_in_place(&mut self, id: NodeId, input: NodeId) -> Option<Location> {
        let region = self.region(id)?;
        let shape = settled(self.request.graph.shape(input)).ok()?;
        self.write_into(id, input, region.reshape(&shape)?);
        Some(Location::Stored(region))
    }

    fn container(&mut self, id: NodeId) -> Result<View, String> {
        self.region(id).ok_or_else(|| "a concatenation or padding has no buffer".to_string())
    }

    /// The destination of a concatenation, a padding or a reshape: a part of its reader's destination if that is its only reader and
    /// one of these, else a container of its own. A reshape has no container of its own.
    fn region(&mut self, id: NodeId) -> Option<View> {
        let graph = self.request.graph;
        // The chain of single readers, from the node outwards; each is visited once.
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

    /// The part of a reader's destination that belongs to one of its operands.
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

    /// The storage type that a node will have, if it is known before the node is visited.
    fn storage_ahead(&self, node: NodeId) -> Option<Storage> {
        let plain = Storage::of(self.request.graph.dtype(node));
        match self.request.precision {
            Precision::Step => Some(plain),
            Precision::Double => Some(if plain == Storage::F32 { Storage::F64 } else { plain }),
            Precision::Evaluation { .. } => (plain != Storage::F32).then_some(plain),
        }
    }

    /// Arranges that the value of a node is written to a part of a container: by the kernel that computes it, if that can store it
    /// there, else by a copy on behalf of `reader`.
    fn write_into(&mut self, reader: NodeId, node: NodeId, region: View) {
        let Some(buffer) = region.buffer.filter(|_| region.layout.count() > 0) else { return };
        if let Location::Inline(_) = self.place(node) {
            self.materialize(node);
        }
        match self.place(node).clone() {
            Location::Stored(view) if view == region => {}
            Location::Member(group, member, stored) if self.can_store(group, &region) => {
                let alike = self.is_stored_as(buffer, self.groups[group].members[member].storage);
                self.store_into(group, member, region.clone());
                if stored.is_none() && alike {
                    self.places[node.0 as usize] = Some(Location::Member(group, member, Some(region)));
                }
            }
            Location::Host(scalar) => {
                self.fill_with(reader, scalar, region);
            }
            Location::Member(..) | Location::Stored(_) | Location::Inline(_) => {
                let mut view = self.view(node);
                let storage = view.buffer.map_or(Storage::I32, |from| self.buffers[from.0 as usize].storage);
                if view.buffer == region.buffer {
                    // A kernel cannot read the container that it writes: through a dense buffer.
                    view = View::whole(self.whole(node, &view, storage), view.layout.shape.clone());
                }
                let group = self.open(view.layout.shape.clone(), None);
                self.groups[group].nodes.push(reader);
                view.buffer.into_iter().for_each(|from| self.read_in(from, group));
                let member = self.member(group, Value::Copy(view), Level::Full, storage, 1);
                self.store_into(group, member, region);
            }
        }
    }

    /// Zeros in parts of a container; in those of one shape by one loop, which touches each line of the cache once.
    fn fill(&mut self, reader: NodeId, regions: [View; 3]) {
        let zero = self.scalars.number(Scalar::Constant(0.0));
        let mut before: Option<(usize, usize, Vec<usize>)> = None;
        for region in regions {
            let shape = region.layout.shape.clone();
            match &before {
                Some((group, member, same)) if *same == shape && self.can_store(*group, &region) => {
                    self.store_into(*group, *member, region);
                }
                _ => before = self.fill_with(reader, zero, region).map(|(group, member)| (group, member, shape)),
            }
        }
    }

    fn fill_with(&mut self, reader: NodeId, scalar: usize, region: View) -> Option<(usize, usize)> {
        let buffer = region.buffer.filter(|_| region.layout.count() > 0)?;
        let group = self.open(region.layout.shape.clone(), None);
        self.groups[group].nodes.push(reader);
        let storage = self.buffers[buffer.0 as usize].storage;
        let member = self.member(group, Value::Scalar(scalar), Level::Full, storage, 1);
        self.store_into(group, member, region);
        Some((group, member))
    }

    /// Whether a group can store a value to a part of a container: it does not read the container, and its rows do not overlap there.
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
            // With two parts in one container, the rows are as they were checked.
            group.split = Some(group.rows());
        } else {
            group.containers.push(buffer);
        }
        group.members[member].regions.push(region);
        let ready = &mut self.ready[buffer.0 as usize];
        *ready = (*ready).max(at + 1);
    }
}

/// Whether the operands of an operation can be stored to parts of its destination.
fn is_written_in_parts(op: &Op) -> bool {
    matches!(op, Op::Concat(_) | Op::Pad { .. } | Op::Reshape(_))
}
