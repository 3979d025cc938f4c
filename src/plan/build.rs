//! Nodes to kernels. Nodes come in their order; each joins a kernel that has what it reads, or opens a new one. Scalars
//! stay with the host, views stay views, and only what another kernel reads is stored.

use super::arena;
use super::host::Scalar;
use super::kernel::{Body, Buffer, BufferId, Instruction, Kernel, Level, Loop, Output, Plan, Register, Special};
use super::view::View;
use crate::ir::{DType, Graph, NodeId, Op, ScalarOp, Size};
use std::collections::HashMap;

/// What is to be planned.
pub struct Request<'a> {
    /// All its sizes are settled.
    pub graph: &'a Graph,
    /// The roots of each stage; a stage begins when the one before it has ended.
    pub stages: &'a [Vec<NodeId>],
    /// Numbers of the scalar inputs that the host feeds.
    pub hosts: &'a [u32],
    /// The number of the input that counts draws.
    pub counters: u32,
    /// Roots that become inputs of the next step: parameters and states.
    pub updates: &'a [(NodeId, u32)],
}

/// The plan. What cannot be planned (a size that is not settled) is told in words.
pub fn plan(request: &Request) -> Result<Plan, String> {
    let plan = Plan {
        kernels: Vec::new(),
        stages: Vec::new(),
        buffers: Vec::new(),
        arena: 0,
        scalars: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        copies: Vec::new(),
    };
    let mut builder = Builder {
        request,
        graph: request.graph,
        plan,
        places: HashMap::new(),
        ready: Vec::new(),
        read_by: Vec::new(),
        stage: 0,
        readers: readers(request),
    };
    for roots in request.stages {
        builder.stage = builder.plan.kernels.len();
        for node in request.graph.needed(roots) {
            if !builder.places.contains_key(&node) {
                let place = builder.node(node)?;
                builder.places.insert(node, place);
            }
        }
        for root in roots {
            let output = builder.output(*root);
            builder.plan.outputs.push(output);
        }
        builder.plan.stages.push(builder.plan.kernels.len());
    }
    builder.write_in_place();
    let mut plan = builder.plan;
    arena::place(&mut plan);
    Ok(plan)
}

/// Where the value of a node is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A scalar of the host, everywhere.
    Scalar(usize),
    /// In a register of a kernel, and in a buffer as well once something else wants it.
    Held(usize, Register, Option<View>),
    View(View),
    /// Elementwise, read once, and of nothing that is held: computed where it is read.
    Deferred,
    /// The counters of draws.
    Counters(u32),
}

pub(super) struct Builder<'g> {
    pub request: &'g Request<'g>,
    pub graph: &'g Graph,
    pub plan: Plan,
    pub places: HashMap<NodeId, Place>,
    /// The first kernel that may read each buffer.
    ready: Vec<usize>,
    /// The kernels that read each buffer, in their order.
    read_by: Vec<Vec<usize>>,
    /// The first kernel of the present stage.
    pub stage: usize,
    /// How often each node is read; a root is read once more.
    readers: HashMap<NodeId, usize>,
}

fn readers(request: &Request) -> HashMap<NodeId, usize> {
    let roots: Vec<NodeId> = request.stages.iter().flatten().copied().collect();
    let mut readers = HashMap::new();
    let needed = request.graph.needed(&roots);
    for node in needed.iter().flat_map(|node| &request.graph.node(*node).inputs).chain(&roots) {
        *readers.entry(*node).or_default() += 1;
    }
    readers
}

impl Builder<'_> {
    fn node(&mut self, id: NodeId) -> Result<Place, String> {
        let node = self.graph.node(id);
        let shape = settled(&node.shaped.shape)?;
        let inputs = node.inputs.clone();
        if let Some(scalar) = self.scalar(&node.op, &inputs) {
            return Ok(scalar);
        }
        Ok(match node.op.clone() {
            Op::Input { number, .. } if number == self.request.counters => Place::Counters(number),
            Op::Input { number, .. } => {
                let buffer = self.buffer(&shape, 0);
                self.keep(buffer);
                self.plan.inputs.push((number, buffer));
                Place::View(View::whole(buffer, shape))
            }
            Op::Constant(_) | Op::SizeOf(_) => return Err("a scalar has no place".to_string()),
            Op::Iota { axis, .. } => Place::View(View::iota(shape, axis)),
            Op::StopGradient => self.places[&inputs[0]].clone(),
            // Ints and truth values are held as floats already.
            Op::Scalar(ScalarOp::Cast(DType::Float)) => self.places[&inputs[0]].clone(),
            Op::Scalar(ScalarOp::Cast(DType::Int)) if self.graph.dtype(inputs[0]) != DType::Float => {
                self.places[&inputs[0]].clone()
            }
            Op::Scalar(_) => {
                let once = self.readers.get(&id) == Some(&1);
                let held = |input: &NodeId| matches!(self.places[input], Place::Held(..) | Place::Counters(_));
                if once && !inputs.iter().any(held) {
                    return Ok(Place::Deferred);
                }
                self.elementwise(id, &shape, &inputs)
            }
            Op::Reshape(_) => {
                let view = self.view(inputs[0]);
                match view.reshape(&shape) {
                    Some(view) => Place::View(view),
                    None => {
                        let copy = self.copied(id, &view);
                        Place::View(View::whole(copy, shape))
                    }
                }
            }
            Op::Permute(order) => Place::View(self.view(inputs[0]).permute(&order)),
            Op::Broadcast { kept, .. } => self.broadcast(inputs[0], shape, &kept),
            Op::Slice { axis, start, count, step } => {
                Place::View(self.view(inputs[0]).slice(axis, number(&start)?, number(&count)? as usize, step))
            }
            Op::Reduce(reduce, axes) => self.reduce(id, reduce, &axes, inputs[0])?,
            Op::Dot { batch, contracted } => self.dot(id, &batch, &contracted, inputs[0], inputs[1], shape)?,
            Op::Random { .. }
            | Op::ArgMax(_)
            | Op::CumSum { .. }
            | Op::ArgSort(_)
            | Op::Pad { .. }
            | Op::Window { .. }
            | Op::Fold { .. }
            | Op::Concat(_)
            | Op::Gather { .. }
            | Op::ScatterAdd { .. } => self.special(id, &node.op, &inputs, shape)?,
            Op::Call(..) | Op::Scan(..) => return Err(format!("{} is not planned yet", node.op)),
        })
    }

    /// A scalar of the host: what reads nothing else, and every view of one.
    fn scalar(&mut self, op: &Op, inputs: &[NodeId]) -> Option<Place> {
        let operands: Option<Vec<usize>> = inputs
            .iter()
            .map(|input| match self.places[input] {
                Place::Scalar(scalar) => Some(scalar),
                Place::Held(..) | Place::View(_) | Place::Deferred | Place::Counters(_) => None,
            })
            .collect();
        let operands = operands?;
        let scalar = match op {
            Op::Constant(value) => Scalar::Constant(value.get()),
            Op::SizeOf(size) => Scalar::Constant(size.settled()? as f64),
            Op::Input { number, .. } if self.request.hosts.contains(number) => Scalar::Input(*number),
            Op::Scalar(scalar) => Scalar::Apply(*scalar, operands),
            Op::StopGradient | Op::Reshape(_) | Op::Permute(_) | Op::Broadcast { .. } | Op::Slice { .. } => {
                return Some(Place::Scalar(operands[0]));
            }
            Op::Input { .. }
            | Op::Iota { .. }
            | Op::Random { .. }
            | Op::Reduce(..)
            | Op::ArgMax(_)
            | Op::CumSum { .. }
            | Op::ArgSort(_)
            | Op::Dot { .. }
            | Op::Pad { .. }
            | Op::Window { .. }
            | Op::Fold { .. }
            | Op::Concat(_)
            | Op::Gather { .. }
            | Op::ScatterAdd { .. }
            | Op::Call(..)
            | Op::Scan(..) => return None,
        };
        Some(Place::Scalar(self.known_scalar(scalar)))
    }

    fn elementwise(&mut self, id: NodeId, shape: &[usize], inputs: &[NodeId]) -> Place {
        let (kernel, level) =
            self.joinable(shape, inputs).unwrap_or_else(|| (self.open(shape.to_vec(), None), Level::Full));
        let register = self.compute(kernel, id, level);
        Place::Held(kernel, register, None)
    }

    /// An elementwise node in a kernel, from registers of that kernel.
    fn compute(&mut self, kernel: usize, id: NodeId, level: Level) -> Register {
        let node = self.graph.node(id);
        let registers: Vec<Register> = node.inputs.iter().map(|input| self.register(kernel, *input, level)).collect();
        // Nothing else is elementwise.
        let Op::Scalar(op) = node.op else { return registers.first().copied().unwrap_or(0) };
        let instruction = Instruction::Apply(op, registers);
        self.plan.kernels[kernel].nodes.push(id);
        self.push(kernel, instruction)
    }

    /// The number of a scalar of the host; equal ones are one.
    fn known_scalar(&mut self, scalar: Scalar) -> usize {
        let known = self.plan.scalars.iter().position(|known| *known == scalar);
        known.unwrap_or_else(|| {
            self.plan.scalars.push(scalar);
            self.plan.scalars.len() - 1
        })
    }

    /// The kernel that a node of a shape can join: all that it reads is there, or ready before; and something is shared.
    pub(super) fn joinable(&self, shape: &[usize], inputs: &[NodeId]) -> Option<(usize, Level)> {
        // What is deferred reads through what it reads itself.
        let mut inputs = inputs.to_vec();
        let mut at = 0;
        while let Some(input) = inputs.get(at) {
            if matches!(self.places[input], Place::Deferred) {
                inputs.extend(&self.graph.node(*input).inputs);
            }
            at += 1;
        }
        let fits = |kernel: usize| -> Option<(usize, Level)> {
            let body = self.plan.kernels[kernel].looped()?;
            let level = if body.shape == shape {
                Level::Full
            } else if body.split.is_some_and(|split| body.shape[..split] == *shape) {
                Level::Row
            } else {
                return None;
            };
            let here = |input: &NodeId| match &self.places[input] {
                Place::Scalar(_) | Place::Deferred => true,
                Place::Held(home, register, _) if *home == kernel => body.level(*register) == level,
                Place::Held(home, ..) => *home < kernel,
                Place::View(view) => self.ready_at(view) <= kernel,
                Place::Counters(_) => false,
            };
            inputs.iter().all(here).then_some((kernel, level))
        };
        let latest = |mut kernels: Vec<usize>| {
            kernels.retain(|kernel| *kernel >= self.stage);
            kernels.sort_unstable_by_key(|kernel| std::cmp::Reverse(*kernel));
            kernels.dedup();
            kernels.into_iter().find_map(fits)
        };
        let holds = inputs.iter().filter_map(|input| match self.places[input] {
            Place::Held(home, ..) => Some(home),
            _ => None,
        });
        let shares = inputs.iter().filter_map(|input| match &self.places[input] {
            Place::View(View { buffer: Some(buffer), .. })
            | Place::Held(_, _, Some(View { buffer: Some(buffer), .. })) => Some(&self.read_by[buffer.0 as usize]),
            _ => None,
        });
        latest(holds.collect()).or_else(|| latest(shares.flatten().copied().collect()))
    }

    /// Opens a pass over a shape.
    pub(super) fn open(&mut self, shape: Vec<usize>, split: Option<usize>) -> usize {
        self.plan.kernels.push(Kernel { nodes: Vec::new(), body: Body::Loop(Loop::new(shape, split)) });
        self.plan.kernels.len() - 1
    }

    pub(super) fn push(&mut self, kernel: usize, instruction: Instruction) -> Register {
        if let Instruction::Load(View { buffer: Some(buffer), .. }, _) = &instruction {
            self.reads(kernel, *buffer);
        }
        match self.plan.kernels[kernel].looped_mut() {
            Some(body) => {
                body.instructions.push(instruction);
                body.instructions.len() - 1
            }
            None => 0,
        }
    }

    pub(super) fn reads(&mut self, kernel: usize, buffer: BufferId) {
        self.read_by[buffer.0 as usize].push(kernel);
    }

    /// A node as a register of a kernel.
    pub(super) fn register(&mut self, kernel: usize, node: NodeId, level: Level) -> Register {
        let instruction = match &self.places[&node] {
            Place::Held(home, register, _) if *home == kernel => return *register,
            Place::Deferred => return self.compute(kernel, node, level),
            Place::Scalar(scalar) => Instruction::Scalar(*scalar),
            Place::Held(..) | Place::View(_) | Place::Counters(_) => Instruction::Load(self.view(node), level),
        };
        self.pushed_once(kernel, instruction)
    }

    /// A load or a scalar of a kernel; the one that is there already, if there is one.
    fn pushed_once(&mut self, kernel: usize, instruction: Instruction) -> Register {
        let same = |known: &Instruction| match (known, &instruction) {
            (Instruction::Load(a, x), Instruction::Load(b, y)) => a == b && x == y,
            (Instruction::Scalar(a), Instruction::Scalar(b)) => a == b,
            _ => false,
        };
        let body = self.plan.kernels[kernel].looped();
        match body.and_then(|body| body.instructions.iter().position(same)) {
            Some(register) => register,
            None => self.push(kernel, instruction),
        }
    }

    /// A node as a view of a buffer; it is stored for that, if it is not yet.
    pub(super) fn view(&mut self, node: NodeId) -> View {
        let shape = settled(self.graph.shape(node)).unwrap_or_default();
        if let Place::Deferred = self.places[&node] {
            let inputs = self.graph.node(node).inputs.clone();
            let place = self.elementwise(node, &shape, &inputs);
            self.places.insert(node, place);
        }
        let view = match self.places[&node].clone() {
            Place::View(view) | Place::Held(_, _, Some(view)) => return view,
            Place::Held(kernel, register, None) => match self.repeated(node) {
                Some(view) => view,
                None => {
                    let buffer = self.buffer(&shape, kernel + 1);
                    self.push(kernel, Instruction::Store(register, buffer));
                    View::whole(buffer, shape)
                }
            },
            Place::Scalar(scalar) => {
                let kernel = self.open(shape.clone(), None);
                let buffer = self.buffer(&shape, kernel + 1);
                let register = self.push(kernel, Instruction::Scalar(scalar));
                self.push(kernel, Instruction::Store(register, buffer));
                return View::whole(buffer, shape);
            }
            Place::Deferred | Place::Counters(_) => return View::iota(shape, 0),
        };
        if let Some(Place::Held(_, _, stored)) = self.places.get_mut(&node) {
            *stored = Some(view.clone());
        }
        view
    }

    /// Of a row that a kernel repeats along its columns: the row's own view, with stride 0.
    fn repeated(&mut self, node: NodeId) -> Option<View> {
        let Op::Broadcast { kept, shape } = &self.graph.node(node).op else { return None };
        let shape = settled(shape).ok()?;
        Some(self.view(self.graph.node(node).inputs[0]).broadcast(shape, kept))
    }

    /// A row that its own kernel wants at every column stays in that kernel.
    fn broadcast(&mut self, input: NodeId, shape: Vec<usize>, kept: &[usize]) -> Place {
        if let Place::Held(kernel, register, _) = self.places[&input]
            && kernel >= self.stage
            && let Some(body) = self.plan.kernels[kernel].looped()
            && body.level(register) == Level::Row
            && body.shape == shape
            && body.split == Some(kept.len())
            && kept.iter().copied().eq(0..kept.len())
        {
            let whole = settled(self.graph.shape(input)).is_ok_and(|own| own == shape[..kept.len()]);
            if whole {
                return Place::Held(kernel, self.push(kernel, Instruction::Expand(register)), None);
            }
        }
        Place::View(self.view(input).broadcast(shape, kept))
    }

    fn special(&mut self, id: NodeId, op: &Op, inputs: &[NodeId], shape: Vec<usize>) -> Result<Place, String> {
        let mut operands = Vec::new();
        let mut counters = None;
        for input in inputs {
            if let Place::Counters(number) = self.places[input] {
                counters = Some(number);
                continue;
            }
            let view = self.view(*input);
            let shape = view.shape.clone();
            operands.push((self.whole(*input, &view), shape));
        }
        let out = self.buffer(&shape, self.plan.kernels.len() + 1);
        let body = Body::Special(Special { op: op.clone(), operands, counters, shape: shape.clone(), out });
        self.plan.kernels.push(Kernel { nodes: vec![id], body });
        // What copies opened before it came first.
        self.ready[out.0 as usize] = self.plan.kernels.len();
        Ok(Place::View(View::whole(out, shape)))
    }

    /// The buffer of a view that fills one; of another view a copy.
    fn whole(&mut self, node: NodeId, view: &View) -> BufferId {
        match view.buffer {
            Some(buffer) if view.is_whole() && self.plan.buffers[buffer.0 as usize].len == view.count() => buffer,
            _ => self.copied(node, view),
        }
    }

    /// A buffer of its own with the elements of a view.
    pub(super) fn copied(&mut self, node: NodeId, view: &View) -> BufferId {
        let kernel = self.open(view.shape.clone(), None);
        self.plan.kernels[kernel].nodes.push(node);
        let buffer = self.buffer(&view.shape, kernel + 1);
        let register = self.push(kernel, Instruction::Load(view.clone(), Level::Full));
        self.push(kernel, Instruction::Store(register, buffer));
        buffer
    }

    pub(super) fn buffer(&mut self, shape: &[usize], ready: usize) -> BufferId {
        self.plan.buffers.push(Buffer { len: shape.iter().product(), offset: 0, kept: false });
        self.ready.push(ready);
        self.read_by.push(Vec::new());
        BufferId(self.plan.buffers.len() as u32 - 1)
    }

    pub(super) fn keep(&mut self, buffer: BufferId) {
        self.plan.buffers[buffer.0 as usize].kept = true;
    }

    fn ready_at(&self, view: &View) -> usize {
        view.buffer.map_or(0, |buffer| self.ready[buffer.0 as usize])
    }

    fn output(&mut self, root: NodeId) -> Output {
        if let Place::Scalar(scalar) = self.places[&root] {
            return Output::Scalar(scalar);
        }
        let view = self.view(root);
        let buffer = self.whole(root, &view);
        self.keep(buffer);
        Output::Buffer(buffer)
    }
}

pub(super) fn settled(shape: &[Size]) -> Result<Vec<usize>, String> {
    shape.iter().map(|size| number(size).map(|size| size.max(0) as usize)).collect()
}

fn number(size: &Size) -> Result<i64, String> {
    size.settled().ok_or_else(|| format!("the size {size} is not settled"))
}
