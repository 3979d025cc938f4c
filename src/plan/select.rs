//! Which nodes become one kernel. Nodes come in their order; each joins a group that has what it reads, or opens a new one.
//! Scalars stay with the host, views stay views, and only what another group reads is stored. No code is made yet, so that a
//! group can still change when its readers are known.

use super::body::{Bodies, Run};
use super::host::{Scalar, Scalars};
use super::kernel::{Buffer, BufferId, Level, Matrices, Output, Region, Storage, Target};
use super::request::{Request, number, settled};
use super::view::View;
use crate::ir::{DType, NodeId, Op, Reduce, ScalarOp};
use std::collections::HashMap;

/// How many of the groups that read a buffer last are asked whether one more reader can join them.
const ASKED: usize = 8;

/// Operations that may wait, unstored, for the one that reads them.
const INLINE: usize = 64;

/// What becomes a kernel.
pub(super) struct Group {
    pub kind: GroupKind,
    pub shape: Vec<usize>,
    pub split: Option<usize>,
    pub members: Vec<Member>,
    /// Operations in it, those of inline nodes included.
    pub weight: usize,
    pub nodes: Vec<NodeId>,
}

pub(super) enum GroupKind {
    Loop,
    /// Its operands, and the buffer that it makes.
    Product(Matrices, [View; 2], BufferId),
    Special(Op, Vec<(BufferId, Vec<usize>)>, BufferId),
    /// Of a body, and the buffers that are its operands.
    Run(Run, Vec<BufferId>),
}

/// A value of a group's loop.
pub(super) struct Member {
    pub value: Value,
    pub level: Level,
    pub storage: Storage,
    /// Where it is stored, once something else wants it.
    pub store: Option<BufferId>,
}

pub(super) enum Value {
    /// What the product before the loop has made.
    Made,
    /// An elementwise node.
    Node(NodeId),
    Copy(View),
    Scalar(usize),
    ReduceColumns(Reduce, Folded),
    ReduceRows(Reduce, NodeId, Target, BufferId),
    /// A member with one element for each row, at all its columns.
    Expand(usize),
}

/// What is folded along the columns.
pub(super) enum Folded {
    Node(NodeId),
    Member(usize),
}

/// Where the value of a node is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A scalar of the host, everywhere.
    Host(usize),
    /// A member of a group, by their numbers; in memory as well once something else wants it.
    Member(usize, usize, Option<View>),
    Stored(View),
    /// Elementwise and read once: computed by its reader. So many operations.
    Inline(usize),
}

pub(super) struct Selection<'g> {
    pub request: &'g Request<'g>,
    pub groups: Vec<Group>,
    pub stages: Vec<usize>,
    pub buffers: Vec<Buffer>,
    pub scalars: Scalars,
    pub inputs: Vec<(u32, BufferId)>,
    pub outputs: Vec<Output>,
    pub bodies: Bodies,
    places: Vec<Option<Place>>,
    storage: Vec<Storage>,
    /// The first group that may read each buffer.
    ready: Vec<usize>,
    /// The groups that read each buffer, in their order.
    read_by: Vec<Vec<usize>>,
    /// The first group of the present stage.
    stage: usize,
    /// How often each node is read; a root is read once more.
    readers: Vec<u32>,
    /// All that a run of a body is asked for, in whichever stage, by each of its results.
    families: HashMap<NodeId, Vec<NodeId>>,
}

/// Groups of everything that the roots need.
pub(super) fn select<'g>(request: &'g Request<'g>) -> Result<Selection<'g>, String> {
    let count = request.graph.nodes().len();
    let mut this = Selection {
        request,
        groups: Vec::new(),
        stages: Vec::new(),
        buffers: Vec::new(),
        scalars: Scalars::default(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        bodies: Bodies::new(),
        places: vec![None; count],
        storage: vec![Storage::F32; count],
        ready: Vec::new(),
        read_by: Vec::new(),
        stage: 0,
        readers: vec![0; count],
        families: HashMap::new(),
    };
    this.look_around();
    for roots in request.stages {
        this.stage = this.groups.len();
        for node in request.graph.needed(roots) {
            if this.places[node.0 as usize].is_some() {
                continue;
            }
            if let Some(family) = this.families.remove(&node) {
                family.iter().for_each(|node| this.hold(*node));
                for (node, place) in family.iter().zip(this.run(&family)?) {
                    this.places[node.0 as usize] = Some(place);
                }
            } else {
                this.hold(node);
                let place = this.node(node)?;
                this.places[node.0 as usize] = Some(place);
            }
        }
        for root in roots {
            let output = this.output(*root);
            this.outputs.push(output);
        }
        this.stages.push(this.groups.len());
    }
    Ok(this)
}

impl Selection<'_> {
    /// Who reads each node, and what runs together.
    fn look_around(&mut self) {
        let graph = self.request.graph;
        let roots: Vec<NodeId> = self.request.stages.iter().flatten().copied().collect();
        let needed = graph.needed(&roots);
        for node in needed.iter().flat_map(|node| &graph.node(*node).inputs).chain(&roots) {
            self.readers[node.0 as usize] += 1;
        }
        for family in graph.families(&needed).filter(|family| graph.node(family[0]).op.body().is_some()) {
            self.families.extend(family.iter().map(|node| (*node, family.to_vec())));
        }
    }

    /// The place of a node whose turn has been.
    pub fn place(&self, node: NodeId) -> &Place {
        const NOWHERE: &Place = &Place::Inline(0);
        self.places[node.0 as usize].as_ref().unwrap_or(NOWHERE)
    }

    /// How the value of a node is held.
    pub fn storage(&self, node: NodeId) -> Storage {
        self.storage[node.0 as usize]
    }

    fn hold(&mut self, id: NodeId) {
        let graph = self.request.graph;
        // A scalar of the host has as many digits as are wanted.
        let held = graph.node(id).inputs.iter().filter(|input| !matches!(self.place(**input), Place::Host(_)));
        let held = held.map(|input| self.storage(*input));
        self.storage[id.0 as usize] = self.request.precision.storage(graph, id, held);
    }

    fn node(&mut self, id: NodeId) -> Result<Place, String> {
        let graph = self.request.graph;
        let node = graph.node(id);
        let shape = settled(&node.shaped.shape)?;
        let inputs = &node.inputs;
        if let Some(scalar) = self.scalar(&node.op, inputs) {
            return Ok(Place::Host(scalar));
        }
        Ok(match &node.op {
            Op::Input { number, .. } => {
                let buffer = self.buffer(&shape, self.storage(id), 0);
                self.keep(buffer);
                if let Some(offset) = self.request.residents.offsets.get(number) {
                    let own = &mut self.buffers[buffer.0 as usize];
                    (own.region, own.offset) = (Region::Resident, *offset);
                }
                self.inputs.push((*number, buffer));
                Place::Stored(View::whole(buffer, shape))
            }
            Op::Constant(_) | Op::SizeOf(_) => return Err("a scalar has no place".to_string()),
            Op::Iota { axis, .. } => Place::Stored(View::iota(shape, *axis)),
            Op::StopGradient => self.same(inputs[0]),
            // To the kind that it has.
            Op::Scalar(ScalarOp::Cast(dtype)) if graph.dtype(inputs[0]) == *dtype => self.same(inputs[0]),
            Op::Scalar(_) => {
                let weight = 1 + inputs.iter().map(|input| self.weight(*input)).sum::<usize>();
                let held = |input: &NodeId| matches!(self.place(*input), Place::Member(..));
                if self.readers[id.0 as usize] == 1 && weight <= INLINE && !inputs.iter().any(held) {
                    return Ok(Place::Inline(weight));
                }
                self.elementwise(id, &shape, inputs)
            }
            Op::Reshape(_) => {
                let view = self.view(inputs[0]);
                match view.reshape(&shape) {
                    Some(view) => Place::Stored(view),
                    None => {
                        let copy = self.copied(id, &view, self.storage(id));
                        Place::Stored(View::whole(copy, shape))
                    }
                }
            }
            Op::Permute(order) => Place::Stored(self.view(inputs[0]).permute(order)),
            Op::Broadcast { kept, .. } => self.broadcast(inputs[0], shape, kept),
            Op::Slice { axis, start, count, step } => {
                Place::Stored(self.view(inputs[0]).slice(*axis, number(start)?, number(count)? as usize, *step))
            }
            Op::Window { axis, stride, dilation, .. } => {
                let (count, size) = (shape[*axis], shape[axis + 1]);
                Place::Stored(self.view(inputs[0]).window(*axis, count, size, *stride, *dilation))
            }
            Op::Reduce(reduce, axes) => self.reduce(id, *reduce, axes, inputs[0])?,
            Op::Dot { batch, contracted } => self.dot(id, batch, contracted, [inputs[0], inputs[1]], shape),
            Op::Random { .. }
            | Op::ArgMax(_)
            | Op::CumSum { .. }
            | Op::ArgSort(_)
            | Op::Cholesky
            | Op::TriangularSolve { .. }
            | Op::Pad { .. }
            | Op::Fold { .. }
            | Op::Concat(_)
            | Op::Gather { .. }
            | Op::ScatterAdd { .. } => self.special(id, &node.op, inputs, shape),
            Op::Call(..) | Op::Scan(..) => return Err(format!("{} is planned with what it runs with", node.op)),
        })
    }

    /// Where another node is, too. What is inline is computed by that one's reader as well, for it has no other.
    fn same(&mut self, input: NodeId) -> Place {
        if let Place::Inline(_) = self.place(input) {
            self.settle(input);
        }
        self.place(input).clone()
    }

    pub fn weight(&self, node: NodeId) -> usize {
        match self.place(node) {
            Place::Inline(weight) => *weight,
            Place::Host(_) | Place::Member(..) | Place::Stored(_) => 0,
        }
    }

    /// A scalar of the host: what reads nothing else, and every view of one.
    fn scalar(&mut self, op: &Op, inputs: &[NodeId]) -> Option<usize> {
        let host = |input: &NodeId| match self.place(*input) {
            Place::Host(scalar) => Some(*scalar),
            Place::Member(..) | Place::Stored(_) | Place::Inline(_) => None,
        };
        let operands = inputs.iter().map(host).collect::<Option<Vec<usize>>>()?;
        let scalar = match op {
            Op::Constant(value) => Scalar::Constant(value.get()),
            Op::SizeOf(size) => Scalar::Constant(size.settled()? as f64),
            Op::Input { number, .. } if self.request.hosts.contains(number) => Scalar::Input(*number),
            Op::Scalar(scalar) => Scalar::Apply(*scalar, operands),
            Op::StopGradient
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Broadcast { .. }
            | Op::Slice { .. }
            | Op::Window { .. } => return Some(operands[0]),
            Op::Input { .. }
            | Op::Iota { .. }
            | Op::Random { .. }
            | Op::Reduce(..)
            | Op::ArgMax(_)
            | Op::CumSum { .. }
            | Op::ArgSort(_)
            | Op::Cholesky
            | Op::TriangularSolve { .. }
            | Op::Dot { .. }
            | Op::Pad { .. }
            | Op::Fold { .. }
            | Op::Concat(_)
            | Op::Gather { .. }
            | Op::ScatterAdd { .. }
            | Op::Call(..)
            | Op::Scan(..) => return None,
        };
        Some(self.scalars.number(scalar))
    }

    fn elementwise(&mut self, id: NodeId, shape: &[usize], inputs: &[NodeId]) -> Place {
        let (group, level) = match self.joinable(shape, inputs) {
            Some(found) => found,
            None => (self.open(shape.to_vec(), None), Level::Full),
        };
        self.reads_of(group, inputs);
        let storage = self.storage(id);
        self.groups[group].nodes.push(id);
        let weight = 1 + inputs.iter().map(|input| self.weight(*input)).sum::<usize>();
        let member = self.member(group, Value::Node(id), level, storage, weight);
        Place::Member(group, member, None)
    }

    pub fn member(&mut self, group: usize, value: Value, level: Level, storage: Storage, weight: usize) -> usize {
        let group = &mut self.groups[group];
        group.weight += weight;
        group.members.push(Member { value, level, storage, store: None });
        group.members.len() - 1
    }

    /// The nodes that are read once inline nodes are computed where they are wanted.
    fn leaves(&self, inputs: &[NodeId]) -> Vec<NodeId> {
        let mut open = inputs.to_vec();
        let mut leaves = Vec::new();
        while let Some(node) = open.pop() {
            match self.place(node) {
                Place::Inline(_) => open.extend(&self.request.graph.node(node).inputs),
                Place::Host(_) => {}
                Place::Member(..) | Place::Stored(_) => leaves.push(node),
            }
        }
        leaves
    }

    /// A group reads nodes: what it does not hold itself is stored for it.
    pub fn reads_of(&mut self, group: usize, inputs: &[NodeId]) {
        for leaf in self.leaves(inputs) {
            if !matches!(self.place(leaf), Place::Member(home, ..) if *home == group)
                && let Some(buffer) = self.view(leaf).buffer
            {
                self.read_in(buffer, group);
            }
        }
    }

    /// The group that a node of a shape can join: all that it reads is there, or ready before; and something is shared.
    pub fn joinable(&self, shape: &[usize], inputs: &[NodeId]) -> Option<(usize, Level)> {
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
                Place::Member(home, member, _) if *home == at => group.members[*member].level == level,
                Place::Member(home, ..) => *home < at,
                Place::Stored(view) => self.ready_at(view) <= at,
                Place::Host(_) | Place::Inline(_) => true,
            };
            leaves.iter().all(here).then_some((at, level))
        };
        let latest = |mut groups: Vec<usize>| {
            groups.retain(|group| *group >= self.stage);
            groups.sort_unstable_by_key(|group| std::cmp::Reverse(*group));
            groups.dedup();
            groups.into_iter().find_map(fits)
        };
        let holds = inputs.iter().filter_map(|input| match self.place(*input) {
            Place::Member(home, ..) => Some(*home),
            _ => None,
        });
        let shares = leaves.iter().filter_map(|leaf| match self.place(*leaf) {
            Place::Stored(view) | Place::Member(_, _, Some(view)) => Some(&self.read_by[view.buffer?.0 as usize]),
            _ => None,
        });
        let shares = shares.flat_map(|groups| groups.iter().rev().take(ASKED));
        latest(holds.collect()).or_else(|| latest(shares.copied().collect()))
    }

    /// Opens a pass over a shape.
    pub fn open(&mut self, shape: Vec<usize>, split: Option<usize>) -> usize {
        let group = Group { kind: GroupKind::Loop, shape, split, members: Vec::new(), weight: 0, nodes: Vec::new() };
        self.groups.push(group);
        self.groups.len() - 1
    }

    /// An inline node becomes a member of a group.
    fn settle(&mut self, node: NodeId) {
        let graph = self.request.graph;
        let shape = settled(graph.shape(node)).unwrap_or_default();
        let place = self.elementwise(node, &shape, &graph.node(node).inputs);
        self.places[node.0 as usize] = Some(place);
    }

    /// A node as a view of a buffer; it is stored for that, if it is not yet.
    pub fn view(&mut self, node: NodeId) -> View {
        if let Place::Inline(_) = self.place(node) {
            self.settle(node);
        }
        let shape = settled(self.request.graph.shape(node)).unwrap_or_default();
        let (group, member) = match self.place(node).clone() {
            Place::Stored(view) | Place::Member(_, _, Some(view)) => return view,
            Place::Member(group, member, None) => (group, member),
            Place::Host(scalar) => {
                let group = self.open(shape.clone(), None);
                let storage = Storage::of(self.request.graph.dtype(node));
                let member = self.member(group, Value::Scalar(scalar), Level::Full, storage, 1);
                return View::whole(self.store(group, member, &shape), shape);
            }
            Place::Inline(_) => return View::iota(shape, 0),
        };
        let view = match self.repeated(node) {
            Some(view) => view,
            None => View::whole(self.store(group, member, &shape), shape),
        };
        if let Some(Place::Member(_, _, stored)) = &mut self.places[node.0 as usize] {
            *stored = Some(view.clone());
        }
        view
    }

    /// The buffer of a member, of some shape.
    fn store(&mut self, group: usize, member: usize, shape: &[usize]) -> BufferId {
        if let Some(known) = self.groups[group].members[member].store {
            return known;
        }
        let buffer = self.buffer(shape, self.groups[group].members[member].storage, group + 1);
        self.groups[group].members[member].store = Some(buffer);
        buffer
    }

    /// Of a row that a group repeats along its columns: the row's own view, with stride 0.
    fn repeated(&mut self, node: NodeId) -> Option<View> {
        let Op::Broadcast { kept, shape } = &self.request.graph.node(node).op else { return None };
        let shape = settled(shape).ok()?;
        Some(self.view(self.request.graph.node(node).inputs[0]).broadcast(shape, kept))
    }

    /// A row that its own group wants at every column stays in that group.
    fn broadcast(&mut self, input: NodeId, shape: Vec<usize>, kept: &[usize]) -> Place {
        if let Place::Inline(_) = self.place(input) {
            self.settle(input);
        }
        if let Place::Member(at, row, _) = *self.place(input)
            && at >= self.stage
            && self.groups[at].members[row].level == Level::Row
            && self.groups[at].shape == shape
            && self.groups[at].split == Some(kept.len())
            && kept.iter().copied().eq(0..kept.len())
        {
            let whole = settled(self.request.graph.shape(input)).is_ok_and(|own| own == shape[..kept.len()]);
            if whole {
                let storage = self.groups[at].members[row].storage;
                return Place::Member(at, self.member(at, Value::Expand(row), Level::Full, storage, 1), None);
            }
        }
        Place::Stored(self.view(input).broadcast(shape, kept))
    }

    fn special(&mut self, id: NodeId, op: &Op, inputs: &[NodeId], shape: Vec<usize>) -> Place {
        let mut operands = Vec::new();
        for input in inputs {
            let view = self.view(*input);
            let shape = view.layout.shape.clone();
            let storage = self.joined_storage(op, id, *input);
            operands.push((self.whole(*input, &view, storage), shape));
        }
        let group = self.open(shape.clone(), None);
        for (buffer, _) in &operands {
            self.read_in(*buffer, group);
        }
        let out = self.buffer(&shape, self.storage(id), group + 1);
        self.groups[group].kind = GroupKind::Special(op.clone(), operands, out);
        self.groups[group].nodes.push(id);
        Place::Stored(View::whole(out, shape))
    }

    /// Runs a body. What is carried is ready only then.
    pub fn body_group(&mut self, family: &[NodeId], run: Run, operands: Vec<BufferId>, carried: &[BufferId]) {
        let group = self.open(Vec::new(), None);
        for operand in run.reads() {
            self.read_in(operands[operand], group);
        }
        carried.iter().for_each(|buffer| self.ready[buffer.0 as usize] = group + 1);
        self.groups[group].kind = GroupKind::Run(run, operands);
        self.groups[group].nodes.extend(family);
    }

    /// How an operand of an operation on its own is held: parts that become one are held as that is.
    fn joined_storage(&self, op: &Op, id: NodeId, input: NodeId) -> Storage {
        let updates = matches!(op, Op::ScatterAdd { .. }) && self.request.graph.dtype(input) != DType::Int;
        self.storage(if updates || matches!(op, Op::Concat(_)) { id } else { input })
    }

    /// The buffer of a view that fills one, held in some way; of another view a copy.
    pub fn whole(&mut self, node: NodeId, view: &View, storage: Storage) -> BufferId {
        match view.buffer {
            Some(buffer)
                if view.is_whole()
                    && self.buffers[buffer.0 as usize].len == view.layout.count()
                    && self.buffers[buffer.0 as usize].storage == storage =>
            {
                buffer
            }
            _ => self.copied(node, view, storage),
        }
    }

    /// A buffer of its own with the elements of a view.
    pub fn copied(&mut self, node: NodeId, view: &View, storage: Storage) -> BufferId {
        let shape = view.layout.shape.clone();
        let group = self.open(shape.clone(), None);
        self.groups[group].nodes.push(node);
        if let Some(buffer) = view.buffer {
            self.read_in(buffer, group);
        }
        let member = self.member(group, Value::Copy(view.clone()), Level::Full, storage, 1);
        self.store(group, member, &shape)
    }

    /// A copy of a root in a buffer of its own, which is kept.
    pub fn own_copy(&mut self, root: NodeId) -> BufferId {
        let view = self.view(root);
        let copy = self.copied(root, &view, self.storage(root));
        self.keep(copy);
        copy
    }

    pub fn buffer(&mut self, shape: &[usize], storage: Storage, ready: usize) -> BufferId {
        let len = shape.iter().product();
        self.buffers.push(Buffer { len, storage, region: Region::Scratch, offset: 0, kept: false });
        self.ready.push(ready);
        self.read_by.push(Vec::new());
        BufferId(self.buffers.len() as u32 - 1)
    }

    fn keep(&mut self, buffer: BufferId) {
        self.buffers[buffer.0 as usize].kept = true;
    }

    /// A group reads a buffer.
    pub fn read_in(&mut self, buffer: BufferId, group: usize) {
        self.read_by[buffer.0 as usize].push(group);
    }

    pub fn is_stored_as(&self, buffer: BufferId, storage: Storage) -> bool {
        self.buffers[buffer.0 as usize].storage == storage
    }

    fn ready_at(&self, view: &View) -> usize {
        view.buffer.map_or(0, |buffer| self.ready[buffer.0 as usize])
    }

    fn output(&mut self, root: NodeId) -> Output {
        if let Place::Host(scalar) = self.place(root) {
            return Output::Scalar(*scalar);
        }
        let view = self.view(root);
        let buffer = self.whole(root, &view, self.storage(root));
        if self.is_lost(root, buffer) {
            return Output::Buffer(self.own_copy(root));
        }
        self.keep(buffer);
        Output::Buffer(buffer)
    }

    /// Whether another next value than a root itself is to lie where the root does.
    fn is_lost(&self, root: NodeId, buffer: BufferId) -> bool {
        let input = self.inputs.iter().find(|(_, input)| *input == buffer);
        let mut updates = self.request.updates.iter();
        input.is_some_and(|(number, _)| updates.any(|(next, into)| into == number && *next != root))
    }
}
