//! The invariants of a plan, checked for every plan in tests and debug builds.

use super::arena::lifetimes;
use super::body::{Role, Run};
use super::kernel::{
    BufferId, Code, Instruction, Kernel, Loop, Matrices, Operand, Output, Plan, Region, Register, Storage,
};
use super::view::{Layout, rows_ascend};
use crate::ir::ScalarOp;
use std::collections::HashMap;

/// Checks a plan; an error describes the first invariant that is violated.
pub fn verify(plan: &Plan) -> Result<(), String> {
    let mut parts = Parts::of(plan);
    // There is nothing to write of an empty buffer.
    let mut written: Vec<bool> = plan.buffers.iter().map(|buffer| buffer.len == 0).collect();
    plan.inputs.iter().for_each(|(_, buffer)| written[buffer.0 as usize] = true);
    for (at, kernel) in plan.kernels.iter().enumerate() {
        let wrong = |rule: String| format!("kernel {at}, {}: {rule}", kernel.name());
        if let Some(unwritten) = kernel.reads().find(|buffer| !written[buffer.0 as usize]) {
            return Err(wrong(format!("{unwritten} is read before it is written")));
        }
        parts.follow(kernel).map_err(wrong)?;
        kernel.writes().for_each(|buffer| written[buffer.0 as usize] = true);
        match &*kernel.code {
            Code::Loop(body) | Code::Product(_, body) => verify_loop(plan, kernel, body).map_err(wrong)?,
            Code::Special(special) => {
                for (operand, (shape, storage)) in special.shapes.iter().zip(&special.storage).enumerate() {
                    let buffer = plan.buffer(kernel.bindings[operand].buffer);
                    if (shape.iter().product::<usize>(), *storage) != (buffer.len, buffer.storage) {
                        return Err(wrong(format!("operand {operand} does not fill its buffer")));
                    }
                }
            }
            Code::Run(run) => verify_run(plan, kernel, run).map_err(wrong)?,
        }
    }
    for output in &plan.outputs {
        if let Output::Buffer(buffer) = output
            && !written[buffer.0 as usize]
        {
            return Err(format!("the root in {buffer} is never written"));
        }
    }
    parts.end()?;
    no_overlap(plan)
}

/// The buffers that are written part by part: which of their elements are written so far.
struct Parts(HashMap<BufferId, Vec<bool>>);

impl Parts {
    fn of(plan: &Plan) -> Parts {
        let mut parts = HashMap::new();
        for kernel in &plan.kernels {
            for (buffer, _, layout) in stores(kernel) {
                let len = plan.buffer(buffer).len;
                if layout.count() != len {
                    parts.insert(buffer, vec![false; len]);
                }
            }
        }
        Parts(parts)
    }

    /// Checks that what a kernel reads of them is written, and that it writes no element twice.
    fn follow(&mut self, kernel: &Kernel) -> Result<(), String> {
        for (read, view) in reads(kernel) {
            let Some(written) = self.0.get(&read) else { continue };
            let is_written = match view {
                Some((start, layout)) => all_places(&layout, start, |place| written[place]),
                None => written.iter().all(|written| *written),
            };
            if !is_written {
                return Err(format!("it reads elements of {read} that are not written yet"));
            }
        }
        for (buffer, start, layout) in stores(kernel) {
            let Some(written) = self.0.get_mut(&buffer) else { continue };
            if !all_places(layout, start, |place| !std::mem::replace(&mut written[place], true)) {
                return Err(format!("it writes an element of {buffer} that is written already"));
            }
        }
        Ok(())
    }

    /// Checks that every element is written in the end.
    fn end(&self) -> Result<(), String> {
        match self.0.iter().find(|(_, written)| written.contains(&false)) {
            Some((buffer, _)) => Err(format!("an element of {buffer} is never written")),
            None => Ok(()),
        }
    }
}

/// The parts of buffers that the loop of a kernel stores.
fn stores(kernel: &Kernel) -> impl Iterator<Item = (BufferId, isize, &Layout)> {
    let instructions = kernel.code.looped().into_iter().flat_map(|body| &body.instructions);
    instructions.filter_map(|instruction| match instruction {
        Instruction::Store(_, operand, start, layout) => Some((kernel.bindings[*operand].buffer, *start, layout)),
        _ => None,
    })
}

/// What a kernel reads: which elements of which buffer; `None` of all.
fn reads(kernel: &Kernel) -> Vec<(BufferId, Option<(isize, Layout)>)> {
    let bound = |operand: usize| kernel.bindings[operand];
    let mut found: Vec<(BufferId, Option<(isize, Layout)>)> = match &*kernel.code {
        Code::Loop(_) => Vec::new(),
        Code::Product(matrices, _) => {
            let read = |(operand, layout)| (bound(operand).buffer, Some((bound(operand).start, layout)));
            [Matrices::A, Matrices::B].into_iter().zip(matrices.layouts()).map(read).collect()
        }
        Code::Special(_) | Code::Run(_) => kernel.reads().map(|buffer| (buffer, None)).collect(),
    };
    for instruction in kernel.code.looped().into_iter().flat_map(|body| &body.instructions) {
        if let Instruction::Load(operand, layout, _) = instruction {
            found.push((bound(*operand).buffer, Some((bound(*operand).start, layout.clone()))));
        }
    }
    found
}

/// Whether a predicate holds for every offset of a layout; called for each, in row-major order.
fn all_places(layout: &Layout, start: isize, mut holds: impl FnMut(usize) -> bool) -> bool {
    let mut index = vec![0; layout.shape.len()];
    let (mut all, mut place) = (true, start);
    for _ in 0..layout.count() {
        all &= holds(place as usize);
        for axis in (0..index.len()).rev() {
            (index[axis], place) = (index[axis] + 1, place + layout.strides[axis]);
            if index[axis] < layout.shape[axis] {
                break;
            }
            place -= layout.strides[axis] * layout.shape[axis] as isize;
            index[axis] = 0;
        }
    }
    all
}

/// Registers are written before they are read, operands of an instruction have one storage type, and accesses are in bounds.
fn verify_loop(plan: &Plan, kernel: &Kernel, body: &Loop) -> Result<(), String> {
    if body.split > body.shape.len() || body.storage.len() != body.instructions.len() {
        return Err("its split or its registers do not match its shape".to_string());
    }
    let buffer = |operand: Operand| {
        let bound = kernel.bindings.get(operand).map(|binding| (plan.buffer(binding.buffer), binding.start));
        bound.ok_or_else(|| format!("operand {operand} is not bound"))
    };
    for (at, instruction) in body.instructions.iter().enumerate() {
        let own = body.storage[at];
        let wrong = |rule: &str| Err(format!("r{at} = {instruction}: {rule}"));
        if instruction.registers().iter().any(|register| *register >= at) {
            return wrong("it reads a register that is defined after it");
        }
        let storage = |register: &usize| body.storage[*register];
        match instruction {
            Instruction::Load(operand, layout, _) => {
                let (buffer, start) = buffer(*operand)?;
                if buffer.storage != own || !inside(layout, start, buffer.len) {
                    return wrong("it is out of the bounds of its buffer");
                }
            }
            Instruction::Iota(..) if own != Storage::I32 => return wrong("the storage of an iota is i32"),
            Instruction::Scalar(number) if *number >= kernel.scalars.len() => return wrong("the scalar is not bound"),
            Instruction::Apply(op, operands) => {
                let first = usize::from(*op == ScalarOp::Select);
                let alike = operands[first..].iter().all(|operand| storage(operand) == storage(&operands[first]));
                if operands.len() != op.arity() || !alike {
                    return wrong("its operands differ in storage");
                }
            }
            Instruction::MultiplyAdd(_, operands) => {
                if own != Storage::F32 || operands.iter().any(|operand| storage(operand) != Storage::F32) {
                    return wrong("it is of 32-bit floats");
                }
                let is_scalar = |register: &Register| matches!(body.instructions[*register], Instruction::Scalar(_));
                if operands[..2].iter().all(is_scalar) {
                    return wrong("the host multiplies its own scalars");
                }
            }
            Instruction::Store(from, operand, first, layout) => {
                let (to, start) = buffer(*operand)?;
                if to.storage != storage(from) || start != 0 {
                    return wrong("its storage differs from that of its buffer");
                }
                if !inside(layout, *first, to.len) {
                    return wrong("it is out of the bounds of its buffer");
                }
                let parts: Vec<(isize, &Layout)> = body.stores(*operand).collect();
                if !rows_ascend(&parts, body.split) {
                    return wrong("its rows overlap, and cannot be divided among threads");
                }
                let own = kernel.bindings[*operand].buffer;
                let in_place = parts.len() == 1 && layout.is_dense() && layout.count() == to.len;
                let reads = kernel.code.reads().into_iter().any(|read| kernel.bindings[read].buffer == own);
                if reads && !in_place {
                    return wrong("it reads a buffer that it also writes in part");
                }
            }
            Instruction::ReduceRows(_, _, _, operand) if buffer(*operand)?.0.storage != own => {
                return wrong("its storage differs from that of its buffer");
            }
            Instruction::ReduceColumns(_, from) | Instruction::Expand(from) if storage(from) != own => {
                return wrong("its storage differs from that of its operand");
            }
            Instruction::Iota(..)
            | Instruction::Scalar(_)
            | Instruction::Convert(_)
            | Instruction::ReduceColumns(..)
            | Instruction::Expand(_)
            | Instruction::ReduceRows(..) => {}
        }
    }
    Ok(())
}

/// The plan of a body satisfies the invariants, and the operands match its inputs and results.
fn verify_run(plan: &Plan, kernel: &Kernel, run: &Run) -> Result<(), String> {
    let inner = &run.body.plan;
    verify(inner).map_err(|broken| format!("in the body, {broken}"))?;
    for (operand, role) in run.roles.iter().enumerate() {
        let found = plan.buffer(kernel.bindings[operand].buffer);
        let input = |number: u32| run.body.input(number).map(|buffer| (inner.buffer(buffer), 1));
        let result = |number: usize| match inner.outputs[number] {
            Output::Buffer(buffer) => Some((inner.buffer(buffer), run.count())),
            Output::Scalar(_) => None,
        };
        let taken = match role {
            Role::Whole { input: number } | Role::Carry { input: number, .. } => input(*number),
            Role::Slice { input: number } => input(*number).map(|(slice, _)| (slice, run.count())),
            Role::Each { result: number } => result(*number),
            Role::Before { carry } => Some((plan.buffer(kernel.bindings[*carry].buffer), run.count())),
            Role::Scratch if found.bytes() == inner.scratch => None,
            Role::Scratch => return Err("its scratch has the wrong size".to_string()),
        };
        if taken.is_some_and(|(one, times)| (one.len * times, one.storage) != (found.len, found.storage)) {
            return Err(format!("operand {operand} does not match the input or result of the body"));
        }
    }
    Ok(())
}

/// Whether a layout from some offset on stays within a buffer of `len` elements.
fn inside(layout: &Layout, start: isize, len: usize) -> bool {
    let reach = |sign: isize| -> isize {
        let axes = layout.shape.iter().zip(&layout.strides).filter(|(_, stride)| **stride * sign > 0);
        axes.map(|(size, stride)| (*size as isize - 1) * stride).sum()
    };
    layout.count() == 0 || (start + reach(-1) >= 0 && start + reach(1) < len as isize)
}

/// No two buffers with overlapping lifetimes share a byte.
fn no_overlap(plan: &Plan) -> Result<(), String> {
    let lives = lifetimes(plan);
    let life = |at: usize| match lives[at] {
        _ if plan.buffers[at].kept => Some((0, usize::MAX)),
        life => life,
    };
    let mut scratch: Vec<usize> = (0..plan.buffers.len())
        .filter(|at| plan.buffers[*at].region == Region::Scratch && plan.buffers[*at].len > 0 && life(*at).is_some())
        .collect();
    scratch.sort_by_key(|at| plan.buffers[*at].offset);
    let end = |at: usize| plan.buffers[at].offset + plan.buffers[at].bytes();
    for (number, a) in scratch.iter().enumerate() {
        if end(*a) > plan.scratch {
            return Err(format!("buffer b{a} is outside of scratch"));
        }
        for b in scratch[number + 1..].iter().take_while(|b| plan.buffers[**b].offset < end(*a)) {
            if let (Some(x), Some(y)) = (life(*a), life(*b))
                && x.0 <= y.1
                && y.0 <= x.1
            {
                return Err(format!("buffers b{a} and b{b} overlap while both are alive"));
            }
        }
    }
    Ok(())
}
