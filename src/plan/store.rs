//! Values in memory: the buffer and the view of a node's value.

use super::kernel::{Buffer, BufferId, Level, Region, Storage};
use super::request::settled;
use super::select::{Location, Selection, Value};
use super::view::View;
use crate::ir::{NodeId, Op};

impl Selection<'_> {
    /// A node as a view of a buffer; it is stored if it is not yet.
    pub(super) fn view(&mut self, node: NodeId) -> View {
        if let Location::Inline(_) = self.place(node) {
            self.materialize(node);
        }
        let shape = settled(self.request.graph.shape(node)).unwrap_or_default();
        let (group, member) = match self.place(node).clone() {
            Location::Stored(view) | Location::Member(_, _, Some(view)) => return view,
            Location::Member(group, member, None) => (group, member),
            Location::Host(scalar) => {
                let group = self.open(shape.clone(), None);
                let storage = Storage::of(self.request.graph.dtype(node));
                let member = self.member(group, Value::Scalar(scalar), Level::Full, storage, 1);
                return View::whole(self.store(group, member, &shape), shape);
            }
            Location::Inline(_) => return View::iota(shape, 0),
        };
        let view = match self.repeated(node) {
            Some(view) => view,
            None => View::whole(self.store(group, member, &shape), shape),
        };
        if let Some(Location::Member(_, _, stored)) = &mut self.places[node.0 as usize] {
            *stored = Some(view.clone());
        }
        view
    }

    /// The dense buffer of a member.
    pub(super) fn store(&mut self, group: usize, member: usize, shape: &[usize]) -> BufferId {
        if let Some(known) = self.groups[group].members[member].store {
            return known;
        }
        let buffer = self.buffer(shape, self.groups[group].members[member].storage, group + 1);
        self.groups[group].members[member].store = Some(buffer);
        buffer
    }

    /// The view of a broadcast member: that of its operand, with stride 0 along the columns.
    pub(super) fn repeated(&mut self, node: NodeId) -> Option<View> {
        let Op::Broadcast { kept, shape } = &self.request.graph.node(node).op else { return None };
        let shape = settled(shape).ok()?;
        Some(self.view(self.request.graph.node(node).inputs[0]).broadcast(shape, kept))
    }

    /// A dense buffer of a storage type with the value of a node: its own if it fills one, else a second store or a copy.
    pub(super) fn whole(&mut self, node: NodeId, view: &View, storage: Storage) -> BufferId {
        match view.buffer {
            Some(buffer)
                if view.is_whole()
                    && self.buffers[buffer.0 as usize].len == view.layout.count()
                    && self.buffers[buffer.0 as usize].storage == storage =>
            {
                buffer
            }
            _ => match *self.place(node) {
                // The value is in a part of a container: the kernel stores it a second time.
                Location::Member(group, member, _) if self.groups[group].members[member].storage == storage => {
                    self.store(group, member, &view.layout.shape)
                }
                _ => self.copied(node, view, storage),
            },
        }
    }

    /// A dense copy of a view in a buffer of its own.
    pub(super) fn copied(&mut self, node: NodeId, view: &View, storage: Storage) -> BufferId {
        let shape = view.layout.shape.clone();
        let group = self.open(shape.clone(), None);
        self.groups[group].nodes.push(node);
        if let Some(buffer) = view.buffer {
            self.read_in(buffer, group);
        }
        let member = self.member(group, Value::Copy(view.clone()), Level::Full, storage, 1);
        self.store(group, member, &shape)
    }

    /// A copy of a root in a buffer that is kept.
    pub(super) fn own_copy(&mut self, root: NodeId) -> BufferId {
        let view = self.view(root);
        let copy = self.copied(root, &view, self.storage(root));
        self.keep(copy);
        copy
    }

    pub(super) fn buffer(&mut self, shape: &[usize], storage: Storage, ready: usize) -> BufferId {
        let len = shape.iter().product();
        self.buffers.push(Buffer { len, storage, region: Region::Scratch, offset: 0, kept: false });
        self.ready.push(ready);
        self.read_by.push(Vec::new());
        BufferId(self.buffers.len() as u32 - 1)
    }

    pub(super) fn keep(&mut self, buffer: BufferId) {
        self.buffers[buffer.0 as usize].kept = true;
    }

    /// Records that a group reads a buffer.
    pub(super) fn read_in(&mut self, buffer: BufferId, group: usize) {
        self.read_by[buffer.0 as usize].push(group);
    }

    pub(super) fn is_stored_as(&self, buffer: BufferId, storage: Storage) -> bool {
        self.buffers[buffer.0 as usize].storage == storage
    }

    /// The buffer that a node is read from; `None` if it has none (yet).
    pub(super) fn buffer_of(&self, node: NodeId) -> Option<BufferId> {
        match self.place(node) {
            Location::Stored(view) | Location::Member(_, _, Some(view)) => view.buffer,
            // A broadcast reads the buffer of its operand.
            Location::Member(_, _, None) if matches!(self.request.graph.node(node).op, Op::Broadcast { .. }) => {
                self.buffer_of(self.request.graph.node(node).inputs[0])
            }
            Location::Member(_, _, None) | Location::Host(_) | Location::Inline(_) => None,
        }
    }

    pub(super) fn ready_at(&self, view: &View) -> usize {
        view.buffer.map_or(0, |buffer| self.ready[buffer.0 as usize])
    }
}
