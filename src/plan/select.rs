//! Which nodes become one kernel. Nodes are visited in topological order; each joins a group that has what it reads, or opens a
//! new one. Scalars stay with the host, views stay views, and only what another group reads is stored. No code is emitted yet, so
//! that a group can still change when its readers are known.

use super::body::{Bodies, Run};
use super::host::{Scalar, Scalars};
use super::kernel::{Buffer, BufferId, Level, Matrices, Output, Region, Storage, Target};
use super::recompute::recomputed;
use super::request::{Request, number, settled};
use super::view::View;
use crate::ir::{DType, NodeId, Op, QuickMap, Reduce, ScalarOp};
use std::collections::HashMap;

/// The largest expression that stays inline, in operations.
const INLINE: usize = 64;

/// Nodes that become one kernel.
pub(super) struct Group {
    pub kind: GroupKind,
    pub shape: Vec<usize>,
    /// How many leading axes are rows, once a member depends on it.
    pub split: Option<usize>,
    /// Containers that it stores parts of.
    pub containers: Vec<BufferId>,
    pub members: Vec<Member>,
    /// Number of operations, those of inline nodes included.
    pub weight: usize,
    pub nodes: Vec<NodeId>,
}

pub(super) enum GroupKind {
    Loop,
    /// Its operands, and the buffer of the result.
    Product(Box<(Matrices, [View; 2])>, BufferId),
    Special(Op, Vec<(BufferId, Vec<usize>)>, BufferId),
    /// A call or a loop, and the buffers of its operands.
    Run(Run, Vec<BufferId>),
}

/// A value computed by a group's loop.
pub(super) struct Member {
    pub value: Value,
    pub level: Level,
    pub storage: Storage,
    /// Its own dense buffer, once another group reads it.
    pub store: Option<BufferId>,
    /// Parts of containers that it is stored to.
    pub regions: Vec<View>,
}

pub(super) enum Value {
    /// The result of the product that precedes the loop.
    Made,
    /// An elementwise node.
    Node(NodeId),
    Copy(View),
    Scalar(usize),
    ReduceColumns(Reduce, Folded),
    ReduceRows(Reduce, NodeId, Target, BufferId),
    /// A member with one value per row, broadcast to all columns.
    Expand(usize),
}

/// The operand of a reduction over columns.
pub(super) enum Folded {
    Node(NodeId),
    Member(usize),
}

/// Where the value of a node is found.
#[derive(Clone, Debug)]
pub(super) enum Location {
    /// A scalar of the host, the same for every element.
    Host(usize),
    /// A member of a group, by their indices; with its view once it is stored.
    Member(usize, usize, Option<View>),
    Stored(View),
    /// Elementwise, and computed inside of whatever reads it. Holds its number of operations.
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
    pub places: Vec<Option<Location>>,
    storage: Vec<Storage>,
    /// The first group that may read each buffer.
    pub ready: Vec<usize>,
    /// The groups that read each buffer, in their order.
    pub read_by: Vec<Vec<usize>>,
    /// The first group of the present stage.
    pub stage: usize,
    /// How often each node is read; a root is read once more.
    pub readers: Vec<u32>,
    /// The last node that reads each node.
    pub reader: Vec<Option<NodeId>>,
    /// What readers compute themselves instead of reading it from memory.
    recomputed: Vec<bool>,
    /// The part of a container that a concatenation, a padding or a reshape is written to, once it is decided.
    pub regions: HashMap<NodeId, Option<View>>,
    /// What is made by the kernel of a product before it, and where.
    pub placed: HashMap<NodeId, Location>,
    /// All results of a call or loop that are needed in any stage, by each of them.
    families: HashMap<NodeId, Vec<NodeId>>,
}

/// Groups for all nodes that the roots need.
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
        reader: vec![None; count],
        recomputed: Vec::new(),
        regions: HashMap::new(),
        placed: HashMap::new(),
        families: HashMap::new(),
    };
    for (nodes, roots) in this.analyze_uses().into_iter().zip(request.stages) {
        this.stage = this.groups.len();
        for node in nodes {
            if this.places[node.0 as usize].is_some() {
                continue;
            }
            if let Some(family) = this.families.remove(&node) {
                family.iter().for_each(|node| this.assign_storage(*node));
                for (node, place) in family.iter().zip(this.run(&family)?) {
                    this.places[node.0 as usize] = Some(place);
                }
            } else {
                this.assign_storage(node);
                let place = this.node(node)?;
                this.places[node.0 as usize] = Some(place);
            }
        }
        let nexts = this.nexts();
        for root in roots {
            let output = this.output(*root, &nexts);
            this.outputs.push(output);
        }
        this.stages.push(this.groups.len());
    }
    Ok(this)
}

impl Selection<'_> {
    /// Counts the readers of each node and finds the families of bodies. Returns the nodes that each stage adds, in topological
    /// order.
    fn analyze_uses(&mut self) -> Vec<Vec<NodeId>> {
        let graph = self.request.graph;
        let roots: Vec<NodeId> = self.request.stages.iter().flatten().copied().collect();
        let needed = graph.needed(&roots);
        self.recomputed = recomputed(graph, &needed, &roots);
        for (reader, input) in needed.iter().flat_map(|id| graph.node(*id).inputs.iter().map(|input| (*id, *input))) {
            self.readers[input.0 as usize] += 1;
            self.reader[input.0 as usize] = Some(reader);
        }
        roots.iter().for_each(|root| self.readers[root.0 as usize] += 1);
        for family in graph.families(&needed).filter(|family| graph.node(family[0]).op.body().is_some()) {
            self.families.extend(family.iter().map(|node| (*node, family.to_vec())));
        }
        // A node belongs to the first stage that needs it.
        let stages = self.request.stages;
        let mut first = vec![stages.len(); self.readers.len()];
        for (stage, roots) in stages.iter().enumerate().rev() {
            roots.iter().for_each(|root| first[root.0 as usize] = stage);
        }
        for id in needed.iter().rev() {
            for input in &graph.node(*id).inputs {
                first[input.0 as usize] = first[input.0 as usize].min(first[id.0 as usize]);
            }
        }
        let mut added = vec![Vec::new(); stages.len()];
        for id in needed {
            if let Some(nodes) = added.get_mut(first[id.0 as usize]) {
                nodes.push(id);
            }
        }
        added
    }

    /// The place of a node that has been visited.
    pub fn place(&self, node: NodeId) -> &Location {
        const NOWHERE: &Location = &Location::Inline(0);
        self.places[node.0 as usize].as_ref().unwrap_or(NOWHERE)
    }

    /// The storage type of a node.
    pub fn storage(&self, node: NodeId) -> Storage {
        self.storage[node.0 as usize]
    }

    /// Decides the storage type of a node from those of its operands.
    fn assign_storage(&mut self, id: NodeId) {
        let graph = self.request.graph;
        // A scalar of the host is f64 already, and takes the precision of its reader.
        let operands = graph.node(id).inputs.iter().filter(|input| !matches!(self.place(**input), Location::Host(_)));
        let operands = operands.map(|input| self.storage(*input));
        self.storage[id.0 as usize] = self.request.precision.storage(graph, id, operands);
    }

    fn node(&mut self, id: NodeId) -> Result<Location, String> {
        if let Some(place) = self.placed.remove(&id) {
            return Ok(place);
        }
        let graph = self.request.graph;
        let node = graph.node(id);
        let shape = settled(&node.shaped.shape)?;
        let inputs = &node.inputs;
        if let Some(scalar) = self.scalar(&node.op, inputs) {
            return Ok(Location::Host(scalar));
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
                Location::Stored(View::whole(buffer, shape))
            }
            Op::Constant(_) | Op::SizeOf(_) => return Err("a scalar has no place".to_string()),
            Op::Iota { axis, .. } => Location::Stored(View::iota(shape, *axis)),
            Op::StopGradient => self.same(inputs[0]),
            // A cast to its own type.
            Op::Scalar(ScalarOp::Cast(dtype)) if graph.dtype(inputs[0]) == *dtype => self.same(inputs[0]),
            Op::Scalar(_) => {
                let weight = 1 + inputs.iter().map(|input| self.weight(*input)).sum::<usize>();
                if self.recomputed[id.0 as usize] {
                    // What several of its operands have in common is computed once, but counted for each.
                    return Ok(Location::Inline(weight.min(INLINE)));
                }
                let member = |input: &NodeId| matches!(self.place(*input), Location::Member(..));
                if self.readers[id.0 as usize] == 1 && weight <= INLINE && !inputs.iter().any(member) {
                    return Ok(Location::Inline(weight));
                }
                self.elementwise(id, &shape, inputs)
            }
            Op::Reshape(_) => {
                if let Some(place) = self.reshaped_in_place(id, inputs[0]) {
                    return Ok(place);
                }
                let view = self.view(inputs[0]);
                match view.reshape(&shape) {
                    Some(view) => Location::Stored(view),
                    None => {
                        let copy = self.copied(id, &view, self.storage(id));
                        Location::Stored(View::whole(copy, shape))
                    }
                }
            }
            Op::Permute(order) => Location::Stored(self.view(inputs[0]).permute(order)),
            Op::Broadcast { kept, .. } => self.broadcast(inputs[0], shape, kept),
            Op::Slice { axis, start, count, step } => {
                Location::Stored(self.view(inputs[0]).slice(*axis, number(start)?, number(count)? as usize, *step))
            }
            Op::Window { axis, stride, dilation, .. } => {
                let (count, size) = (shape[*axis], shape[axis + 1]);
                Location::Stored(self.view(inputs[0]).window(*axis, count, size, *stride, *dilation))
            }
            Op::Reduce(reduce, axes) => self.reduce(id, *reduce, axes, inputs[0])?,
            Op::Dot { batch, contracted } => self.dot(id, batch, contracted, [inputs[0], inputs[1]]),
            Op::Random { .. }
            | Op::ArgMax(_)
            | Op::CumSum { .. }
            | Op::ArgSort(_)
            | Op::Cholesky
            | Op::TriangularSolve { .. }
            | Op::Fold { .. }
            | Op::Gather { .. }
            | Op::ScatterAdd { .. } => self.special(id, &node.op, inputs, shape),
            Op::Concat(axis) => self.concat(id, *axis, inputs)?,
            Op::Pad { axis, low, between, .. } => self.pad(id, *axis, number(low)?, *between, inputs[0])?,
            Op::Call(..) | Op::Scan(..) => return Err(format!("{} is planned with what it runs with", node.op)),
        })
    }

    /// The host scalar of a node that depends on nothing but host scalars; views of one are the scalar itself.
    fn scalar(&mut self, op: &Op, inputs: &[NodeId]) -> Option<usize> {
        let host = |input: &NodeId| match self.place(*input) {
            Location::Host(scalar) => Some(*scalar),
            Location::Member(..) | Location::Stored(_) | Location::Inline(_) => None,
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

    /// The place of an operand, for a node that is a no-op. An inline operand is materialized first.
    fn same(&mut self, input: NodeId) -> Location {
        if let Location::Inline(_) = self.place(input) {
            self.materialize(input);
        }
        self.place(input).clone()
    }

    /// A row that its own group wants at every column stays in that group.
    fn broadcast(&mut self, input: NodeId, shape: Vec<usize>, kept: &[usize]) -> Location {
        if let Location::Inline(_) = self.place(input) {
            self.materialize(input);
        }
        if let Location::Member(at, row, _) = *self.place(input)
            && at >= self.stage
            && self.groups[at].members[row].level == Level::Row
            && self.groups[at].shape == shape
            && self.groups[at].split == Some(kept.len())
            && kept.iter().copied().eq(0..kept.len())
        {
            let whole = settled(self.request.graph.shape(input)).is_ok_and(|own| own == shape[..kept.len()]);
            if whole {
                let storage = self.groups[at].members[row].storage;
                return Location::Member(at, self.member(at, Value::Expand(row), Level::Full, storage, 1), None);
            }
        }
        Location::Stored(self.view(input).broadcast(shape, kept))
    }

    fn special(&mut self, id: NodeId, op: &Op, inputs: &[NodeId], shape: Vec<usize>) -> Location {
        let mut operands = Vec::new();
        for input in inputs {
            let view = self.view(*input);
            let shape = view.layout.shape.clone();
            let storage = self.operand_storage(op, id, *input);
            operands.push((self.whole(*input, &view, storage), shape));
        }
        let group = self.open(shape.clone(), None);
        for (buffer, _) in &operands {
            self.read_in(*buffer, group);
        }
        let out = self.buffer(&shape, self.storage(id), group + 1);
        self.groups[group].kind = GroupKind::Special(op.clone(), operands, out);
        self.groups[group].nodes.push(id);
        Location::Stored(View::whole(out, shape))
    }

    /// The group of a call or loop. Its carries are ready once it has run.
    pub fn body_group(&mut self, family: &[NodeId], run: Run, operands: Vec<BufferId>, carried: &[BufferId]) {
        let group = self.open(Vec::new(), None);
        for operand in run.reads() {
            self.read_in(operands[operand], group);
        }
        carried.iter().for_each(|buffer| self.ready[buffer.0 as usize] = group + 1);
        self.groups[group].kind = GroupKind::Run(run, operands);
        self.groups[group].nodes.extend(family);
    }

    /// The storage type that an operand of a special operation is passed in: updates have that of the result.
    fn operand_storage(&self, op: &Op, id: NodeId, input: NodeId) -> Storage {
        let updates = matches!(op, Op::ScatterAdd { .. }) && self.request.graph.dtype(input) != DType::Int;
        self.storage(if updates { id } else { input })
    }

    fn output(&mut self, root: NodeId, nexts: &QuickMap<BufferId, NodeId>) -> Output {
        if let Location::Host(scalar) = self.place(root) {
            return Output::Scalar(*scalar);
        }
        let view = self.view(root);
        let buffer = self.whole(root, &view, self.storage(root));
        // Another node's value is written there: the root would be overwritten.
        if nexts.get(&buffer).is_some_and(|next| *next != root) {
            return Output::Buffer(self.own_copy(root));
        }
        self.keep(buffer);
        Output::Buffer(buffer)
    }

    /// The next value of each input that has one, by its buffer.
    fn nexts(&self) -> QuickMap<BufferId, NodeId> {
        let fed: QuickMap<u32, BufferId> = self.inputs.iter().copied().collect();
        let next = |(next, number): &(NodeId, u32)| fed.get(number).map(|buffer| (*buffer, *next));
        self.request.updates.iter().filter_map(next).collect()
    }
}
