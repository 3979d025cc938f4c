//! Code generation for a group: its members in order, each operand loaded at its first use, and stores at the end.

use super::contract::contract;
use super::kernel::{Binding, BufferId, Code, Instruction, Level, Loop, Matrices, Operand, Register, Special, Storage};
use super::select::{Folded, Group, GroupKind, Location, Selection, Value};
use super::view::View;
use crate::ir::{NodeId, Op, ScalarOp};
use std::collections::HashMap;

/// A kernel before its code is shared.
pub(super) struct Emitted {
    pub nodes: Vec<NodeId>,
    pub code: Code,
    pub bindings: Vec<Binding>,
    pub scalars: Vec<usize>,
}

/// The kernel of a group.
pub(super) fn emit(selection: &Selection, at: usize) -> Emitted {
    let group = &selection.groups[at];
    let mut this = Emitter {
        selection,
        at,
        split: group.rows(),
        group,
        members: Vec::new(),
        instructions: Vec::new(),
        storage: Vec::new(),
        loads: HashMap::new(),
        computed: HashMap::new(),
        bindings: Vec::new(),
        scalars: Vec::new(),
    };
    let code = match &group.kind {
        GroupKind::Loop => Code::Loop(this.looped()),
        GroupKind::Product(product, out) => {
            let (matrices, [a, b]) = &**product;
            this.bindings = vec![bound(a), bound(b), Binding { buffer: *out, start: 0 }];
            Code::Product(Box::new(matrices.clone()), this.looped())
        }
        GroupKind::Special(op, operands, out) => {
            let all = operands.iter().map(|(buffer, _)| buffer).chain([out]);
            this.bindings = all.clone().map(|buffer| Binding { buffer: *buffer, start: 0 }).collect();
            let storage = all.map(|buffer| selection.buffers[buffer.0 as usize].storage).collect();
            let shapes = operands.iter().map(|(_, shape)| shape.clone()).chain([group.shape.clone()]).collect();
            Code::Special(Special { op: op.clone(), shapes, storage })
        }
        GroupKind::Run(run, operands) => {
            this.bindings = operands.iter().map(|buffer| Binding { buffer: *buffer, start: 0 }).collect();
            Code::Run(run.clone())
        }
    };
    Emitted { nodes: group.nodes.clone(), code, bindings: this.bindings, scalars: this.scalars }
}

fn bound(view: &View) -> Binding {
    Binding { buffer: view.buffer.unwrap_or(BufferId(0)), start: view.start }
}

struct Emitter<'s> {
    selection: &'s Selection<'s>,
    at: usize,
    group: &'s Group,
    split: usize,
    /// The register of each member that has one.
    members: Vec<Register>,
    instructions: Vec<Instruction>,
    storage: Vec<Storage>,
    /// Loads, scalars and conversions emitted so far.
    loads: HashMap<Instruction, Vec<Register>>,
    /// Inline nodes that were computed so far.
    computed: HashMap<(NodeId, Level), Register>,
    bindings: Vec<Binding>,
    scalars: Vec<usize>,
}

impl Emitter<'_> {
    fn looped(&mut self) -> Loop {
        let group = self.group;
        for member in &group.members {
            let register = match &member.value {
                Value::Made => self.made(),
                Value::Node(node) => self.compute(*node, member.level),
                Value::Copy(view) => {
                    let register = self.load(view, member.level);
                    self.converted(register, member.storage)
                }
                Value::Scalar(scalar) => self.scalar(*scalar, member.storage),
                Value::ReduceColumns(reduce, from) => {
                    let from = match from {
                        Folded::Node(node) => self.register(*node, Level::Full),
                        Folded::Member(member) => self.members[*member],
                    };
                    let from = self.converted(from, member.storage);
                    self.push(Instruction::ReduceColumns(*reduce, from), member.storage)
                }
                Value::Expand(row) => self.push(Instruction::Expand(self.members[*row]), member.storage),
                Value::ReduceRows(reduce, from, target, buffer) => {
                    let from = self.register(*from, member.level);
                    let operand = self.operand(Binding { buffer: *buffer, start: 0 });
                    self.push(Instruction::ReduceRows(*reduce, from, *target, operand), member.storage)
                }
            };
            self.members.push(register);
        }
        for (at, member) in group.members.iter().enumerate() {
            if let (Some(buffer), false) = (member.store, matches!(member.value, Value::Made)) {
                let rows = if member.level == Level::Full { group.shape.len() } else { self.split };
                let whole = View::whole(buffer, group.shape[..rows].to_vec());
                self.store(self.members[at], &whole);
            }
            member.regions.iter().for_each(|region| self.store(self.members[at], region));
        }
        let (instructions, storage) = (std::mem::take(&mut self.instructions), std::mem::take(&mut self.storage));
        contract(Loop { shape: group.shape.clone(), split: self.split, instructions, storage })
    }

    fn store(&mut self, register: Register, view: &View) {
        let Some(buffer) = view.buffer else { return };
        let storage = self.selection.buffers[buffer.0 as usize].storage;
        let register = self.converted(register, storage);
        let operand = self.operand(Binding { buffer, start: 0 });
        self.push(Instruction::Store(register, operand, view.start, view.layout.clone()), storage);
    }

    fn push(&mut self, instruction: Instruction, storage: Storage) -> Register {
        self.instructions.push(instruction);
        self.storage.push(storage);
        self.instructions.len() - 1
    }

    /// Emits an instruction unless an equal one exists.
    fn pushed_once(&mut self, instruction: Instruction, storage: Storage) -> Register {
        let known = self.loads.get(&instruction).into_iter().flatten();
        if let Some(known) = known.copied().find(|register| self.storage[*register] == storage) {
            return known;
        }
        let register = self.push(instruction.clone(), storage);
        self.loads.entry(instruction).or_default().push(register);
        register
    }

    fn operand(&mut self, binding: Binding) -> Operand {
        let bindings = &mut self.bindings;
        // The operands of a product come first and stay its own.
        let first = if matches!(self.group.kind, GroupKind::Product(..)) { Matrices::OUT } else { 0 };
        match bindings.iter().skip(first).position(|known| *known == binding) {
            Some(known) => first + known,
            None => {
                bindings.push(binding);
                bindings.len() - 1
            }
        }
    }

    /// The result of the product that precedes this loop.
    fn made(&mut self) -> Register {
        let layout = super::view::Layout::dense(self.group.shape.clone());
        self.pushed_once(Instruction::Load(Matrices::OUT, layout, Level::Full), self.group.members[0].storage)
    }

    fn load(&mut self, view: &View, level: Level) -> Register {
        match view.buffer {
            None => self.pushed_once(Instruction::Iota(view.start, view.layout.clone(), level), Storage::I32),
            Some(buffer) => {
                let operand = self.operand(bound(view));
                let storage = self.selection.buffers[buffer.0 as usize].storage;
                self.pushed_once(Instruction::Load(operand, view.layout.clone(), level), storage)
            }
        }
    }

    fn scalar(&mut self, scalar: usize, storage: Storage) -> Register {
        let scalars = &mut self.scalars;
        let number = scalars.iter().position(|known| *known == scalar).unwrap_or_else(|| {
            scalars.push(scalar);
            scalars.len() - 1
        });
        self.pushed_once(Instruction::Scalar(number), storage)
    }

    fn converted(&mut self, register: Register, storage: Storage) -> Register {
        if self.storage[register] == storage {
            return register;
        }
        self.pushed_once(Instruction::Convert(register), storage)
    }

    /// The register of a node. A host scalar has the type of its node.
    fn register(&mut self, node: NodeId, level: Level) -> Register {
        match self.selection.place(node) {
            Location::Member(home, member, _) if *home == self.at => self.members[*member],
            Location::Member(_, _, Some(view)) | Location::Stored(view) => self.load(view, level),
            Location::Host(scalar) => self.scalar(*scalar, Storage::of(self.selection.request.graph.dtype(node))),
            Location::Inline(_) | Location::Member(_, _, None) => self.compute(node, level),
        }
    }

    /// An elementwise node and its inline operands, with an explicit stack: the chain may be long.
    fn compute(&mut self, root: NodeId, level: Level) -> Register {
        let graph = self.selection.request.graph;
        let mut open = vec![(root, false)];
        while let Some((node, operands_made)) = open.pop() {
            if self.computed.contains_key(&(node, level)) {
                continue;
            }
            let inputs = &graph.node(node).inputs;
            let inline = |input: &NodeId| matches!(self.selection.place(*input), Location::Inline(_));
            if !operands_made {
                open.push((node, true));
                open.extend(inputs.iter().filter(|input| inline(input)).map(|input| (*input, false)));
                continue;
            }
            let registers = inputs.iter().map(|input| self.computed.get(&(*input, level)).copied()).collect::<Vec<_>>();
            let register = self.apply(node, &registers, level);
            self.computed.insert((node, level), register);
        }
        self.computed[&(root, level)]
    }

    fn apply(&mut self, node: NodeId, made: &[Option<Register>], level: Level) -> Register {
        let graph = self.selection.request.graph;
        let inputs = graph.node(node).inputs.clone();
        let Op::Scalar(op) = graph.node(node).op else { return self.register(inputs[0], level) };
        let is_host = |input: &NodeId| matches!(self.selection.place(*input), Location::Host(_));
        let mut registers: Vec<Option<Register>> = Vec::new();
        for (input, made) in inputs.iter().zip(made) {
            let own = match made {
                Some(register) => Some(*register),
                None if is_host(input) => None,
                None => Some(self.register(*input, level)),
            };
            registers.push(own);
        }
        // The operands of one type: all of them but the condition of a select.
        let first = usize::from(op == ScalarOp::Select);
        let mut storages = registers[first..].iter().flatten().map(|register| self.storage[*register]);
        let wide = storages.any(|storage| storage == Storage::F64);
        let plain = Storage::of(graph.dtype(inputs[first]));
        let common = if wide { Storage::F64 } else { plain };
        let operands: Vec<Register> = inputs
            .iter()
            .zip(registers)
            .enumerate()
            .map(|(at, (input, register))| {
                let storage = if at < first { Storage::Bool } else { common };
                match (register, self.selection.place(*input)) {
                    (Some(register), _) if storage.is_float() => self.converted(register, storage),
                    (Some(register), _) => register,
                    (None, Location::Host(scalar)) => self.scalar(*scalar, storage),
                    (None, _) => 0,
                }
            })
            .collect();
        let result = match Storage::of(graph.dtype(node)) {
            Storage::F32 if !matches!(op, ScalarOp::Cast(_)) => common,
            Storage::F32 => self.selection.storage(node),
            other => other,
        };
        let register = self.push(Instruction::Apply(op, operands), result);
        self.converted(register, if result.is_float() { self.selection.storage(node) } else { result })
    }
}
