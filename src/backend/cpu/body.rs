//! Runs a body once, or step after step. Its buffers are bound to those of the enclosing plan: captures and slices are read in
//! place, and the results of a step are written in its row.

use super::machine::{Loaded, Machine};
use crate::backend::device::fill;
use crate::plan::{Buffer, Kernel, Output, Role, Run, Times};

/// A buffer of the body that is bound to another row in every step: its index, the offset of the first row, and bytes of a row.
struct Moving {
    buffer: usize,
    start: usize,
    stride: usize,
}

pub fn run(
    machine: &mut Machine,
    run: &Run,
    kernel: &Kernel,
    outside: &[Buffer],
    inner: &mut Loaded,
) -> Result<(), String> {
    let count = run.count();
    let outer = |operand: usize| &outside[kernel.bindings[operand].buffer.0 as usize];
    let stride = |operand: usize| outer(operand).bytes() / count.max(1);
    let row = |operand: usize, place: usize| {
        let all = outer(operand);
        let stride = stride(operand);
        Buffer { len: stride / all.storage.size(), offset: all.offset + place * stride, ..*all }
    };
    let (moving, copied) = bind(run, &outer, &stride, inner);
    let carries = carries(run, inner);
    for step in 0..count {
        let place = match run.times {
            Times::Steps { reverse: true, .. } => count - 1 - step,
            Times::Steps { reverse: false, .. } | Times::Once => step,
        };
        for Moving { buffer, start, stride } in &moving {
            inner.buffers[*buffer].offset = start + place * stride;
        }
        if let Some(buffer) = run.body.place {
            let buffer = &inner.buffers[buffer.0 as usize];
            fill(machine.memory.get_mut(buffer), buffer.storage, std::iter::once(place as f64));
        }
        for (operand, role) in run.roles.iter().enumerate() {
            if let Role::Before { carry } = role {
                let carry = match run.roles[*carry] {
                    Role::Carry { input, .. } => run.body.input(input).map(|own| &inner.buffers[own.0 as usize]),
                    _ => None,
                }
                .unwrap_or(outer(*carry));
                machine.memory.copy(carry, &row(operand, place));
            }
        }
        for at in 0..inner.plan.kernels.len() {
            machine.run_kernel(inner, at).map_err(|wrong| match run.times {
                Times::Once => wrong,
                Times::Steps { .. } => format!("step {place} of a scan: {wrong}"),
            })?;
        }
        for operand in &copied {
            match &run.roles[*operand] {
                Role::Each { result } => {
                    put(machine, inner, *result, &row(*operand, place));
                }
                Role::Carry { result, .. } => put(machine, inner, *result, outer(*operand)),
                Role::Whole { .. } | Role::Slice { .. } | Role::Before { .. } | Role::Scratch => {}
            }
        }
        // A next value that is not written over the present one is read where it is: the two buffers take turns.
        for (from, to) in &inner.plan.copies {
            let (next, now) = (inner.buffers[from.0 as usize], inner.buffers[to.0 as usize]);
            let present = &mut inner.buffers[to.0 as usize];
            (present.region, present.offset) = (next.region, next.offset);
            let moves = moving.iter().any(|moving| moving.buffer == from.0 as usize);
            if !moves {
                let following = &mut inner.buffers[from.0 as usize];
                (following.region, following.offset) = (now.region, now.offset);
            }
        }
    }
    for (operand, own) in carries {
        let (last, wanted) = (&inner.buffers[own], outer(operand));
        if (last.region, last.offset) != (wanted.region, wanted.offset) {
            machine.memory.copy(last, wanted);
        }
    }
    Ok(())
}

/// The operands that are carries, and the buffers in which the body reads them, of those that it reads.
fn carries(run: &Run, inner: &Loaded) -> Vec<(usize, usize)> {
    let nexts = |own: usize| inner.plan.copies.iter().any(|(_, to)| to.0 as usize == own);
    let carry = |(operand, role): (usize, &Role)| match role {
        Role::Carry { input, .. } => Some((operand, run.body.input(*input)?.0 as usize)),
        Role::Whole { .. } | Role::Slice { .. } | Role::Before { .. } | Role::Each { .. } | Role::Scratch => None,
    };
    run.roles.iter().enumerate().filter_map(carry).filter(|(_, own)| nexts(*own)).collect()
}

/// Binds every buffer of the body. Returns those that move with the steps, and the operands that results are copied to after each
/// step because they are elsewhere.
fn bind<'b>(
    run: &Run,
    outer: &impl Fn(usize) -> &'b Buffer,
    stride: &impl Fn(usize) -> usize,
    inner: &mut Loaded,
) -> (Vec<Moving>, Vec<usize>) {
    let scratch = outer(run.roles.len() - 1);
    for (own, planned) in inner.buffers.iter_mut().zip(&inner.plan.buffers) {
        (own.region, own.offset) = (scratch.region, scratch.offset + planned.offset);
    }
    let (mut moving, mut copied): (Vec<Moving>, Vec<usize>) = Default::default();
    for (operand, role) in run.roles.iter().enumerate() {
        let (own, moves) = match role {
            Role::Whole { input } | Role::Carry { input, .. } => (run.body.input(*input), false),
            Role::Slice { input } => (run.body.input(*input), true),
            Role::Each { result } => (run.body.own(*result), true),
            Role::Before { .. } | Role::Scratch => continue,
        };
        let taken = |own: usize| moving.iter().any(|moving| moving.buffer == own);
        match own.map(|own| own.0 as usize) {
            Some(own) if !taken(own) => {
                let all = outer(operand);
                (inner.buffers[own].region, inner.buffers[own].offset) = (all.region, all.offset);
                if moves {
                    moving.push(Moving { buffer: own, start: all.offset, stride: stride(operand) });
                }
            }
            _ => copied.push(operand),
        }
    }
    (moving, copied)
}

/// Copies a result of the body.
fn put(machine: &mut Machine, inner: &Loaded, result: usize, to: &Buffer) {
    match inner.plan.outputs[result] {
        Output::Buffer(from) => machine.memory.copy(&inner.buffers[from.0 as usize], to),
        Output::Scalar(scalar) => {
            let value = inner.scalars[scalar];
            fill(machine.memory.get_mut(to), to.storage, std::iter::repeat(value));
        }
    }
}
