//! The CPU: runs a plan in 32-bit floats, in one arena, on threads with fixed shares. A step allocates no tensor.
//!
//! | file | what |
//! |---|---|
//! | `code` | a loop made ready: slots, tiles, chunks |
//! | `tile` | the interpreter of a loop's code |
//! | `pass` | a loop's code on its shares, and a product before it |
//! | `product` | products of matrices, by ndarray |
//! | `special` | operations that are not fused |
//! | `math` | functions of 32-bit floats |
//! | `pool` | threads |

mod code;
pub mod math;
mod pass;
pub mod pool;
mod product;
mod special;
mod tile;

use crate::plan::{self, Body, BufferId, Kernel, Output, Plan};
use code::Code;
use pass::Pass;
use pool::Pool;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tile::Scratch;

/// Below so many elements a loop is not worth waking threads for.
const ALONE: usize = 8 * 1024;

/// A plan with its arena, ready to run.
pub struct Cpu {
    plan: Plan,
    /// Of each kernel that is or ends in a loop.
    codes: Vec<Option<Code>>,
    arena: Vec<f32>,
    /// What the host feeds, by number of the input.
    hosts: Vec<f64>,
    counters: Vec<f64>,
    scalars: Vec<f64>,
    partials: Vec<f64>,
    scratch: Vec<Mutex<Scratch>>,
    pool: Arc<Pool>,
}

impl Cpu {
    pub fn new(plan: Plan, pool: Arc<Pool>) -> Cpu {
        let codes: Vec<Option<Code>> = plan
            .kernels
            .iter()
            .map(|kernel| match &kernel.body {
                Body::Loop(body) => Some(Code::new(body, false)),
                Body::Product(_, body) if body.instructions.len() > 1 => Some(Code::new(body, true)),
                Body::Product(..) | Body::Special(_) => None,
            })
            .collect();
        let mut scratch = Scratch::default();
        codes.iter().flatten().for_each(|code| scratch.reserve(code));
        let collected = |code: &Code| -> usize {
            code.collects.iter().map(|(buffer, _)| plan.buffers[buffer.0 as usize].len * code.chunks()).sum()
        };
        let partials = codes.iter().flatten().map(collected).max().unwrap_or(0);
        let make = |_| {
            let mut scratch = Scratch::default();
            codes.iter().flatten().for_each(|code| scratch.reserve(code));
            Mutex::new(scratch)
        };
        Cpu {
            arena: vec![0.0; plan.arena],
            hosts: Vec::new(),
            counters: vec![0.0; 5],
            scalars: Vec::with_capacity(plan.scalars.len()),
            partials: vec![0.0; partials],
            scratch: (0..pool.threads()).map(make).collect(),
            pool,
            codes,
            plan,
        }
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Sets a scalar of the host.
    pub fn set_host(&mut self, number: u32, value: f64) {
        let at = number as usize;
        if self.hosts.len() <= at {
            self.hosts.resize(at + 1, 0.0);
        }
        self.hosts[at] = value;
    }

    /// Sets what draws are counted by.
    pub fn set_counters(&mut self, counters: [f64; 5]) {
        self.counters.copy_from_slice(&counters);
    }

    /// The buffer of an input, to be filled; `None` where nothing reads it.
    pub fn input(&mut self, number: u32) -> Option<&mut [f32]> {
        let (_, buffer) = self.plan.inputs.iter().find(|(known, _)| *known == number)?;
        let range = self.range(*buffer);
        Some(&mut self.arena[range])
    }

    /// What lies in the buffer of an input.
    pub fn fed(&self, number: u32) -> Option<&[f32]> {
        let (_, buffer) = self.plan.inputs.iter().find(|(known, _)| *known == number)?;
        Some(&self.arena[self.range(*buffer)])
    }

    /// The elements of a root, as many as it has; a scalar of the host stands for any number of them.
    pub fn output(&self, root: usize) -> &[f32] {
        match &self.plan.outputs[root] {
            Output::Buffer(buffer) => &self.arena[self.range(*buffer)],
            Output::Scalar(_) => &[],
        }
    }

    /// Whether a root has no infinity and no NaN.
    pub fn is_finite(&self, root: usize) -> bool {
        let values = self.output(root);
        if values.len() < ALONE || self.pool.threads() == 1 {
            return finite(values);
        }
        let share = values.len().div_ceil(self.pool.threads());
        let found = AtomicBool::new(true);
        self.pool.run(&|thread| {
            let own = values.chunks(share).nth(thread).unwrap_or_default();
            if !finite(own) {
                found.store(false, Ordering::Relaxed);
            }
        });
        found.into_inner()
    }

    /// A root that is one number.
    pub fn scalar(&self, root: usize) -> f64 {
        match &self.plan.outputs[root] {
            Output::Buffer(_) => self.output(root).first().map_or(f64::NAN, |value| f64::from(*value)),
            Output::Scalar(scalar) => self.scalars.get(*scalar).copied().unwrap_or(f64::NAN),
        }
    }

    fn range(&self, buffer: BufferId) -> Range<usize> {
        let buffer = &self.plan.buffers[buffer.0 as usize];
        buffer.offset..buffer.offset + buffer.len
    }

    /// Runs every stage.
    pub fn run(&mut self) -> Result<(), String> {
        for stage in 0..self.plan.stages.len() {
            self.run_stage(stage)?;
        }
        Ok(())
    }

    /// Runs a stage; after the last, next values are in place.
    pub fn run_stage(&mut self, stage: usize) -> Result<(), String> {
        if stage == 0 {
            let hosts = &self.hosts;
            plan::values(
                &self.plan.scalars,
                |number| hosts.get(number as usize).copied().unwrap_or(0.0),
                &mut self.scalars,
            );
        }
        let first = if stage == 0 { 0 } else { self.plan.stages[stage - 1] };
        for kernel in first..self.plan.stages[stage] {
            self.run_kernel(kernel)?;
        }
        if stage + 1 == self.plan.stages.len() {
            for (from, to) in &self.plan.copies {
                let (from, to) = (self.range(*from), self.range(*to));
                if from.len() == to.len() {
                    self.arena.copy_within(from, to.start);
                }
            }
        }
        Ok(())
    }

    /// Runs one kernel, by its number.
    pub fn run_kernel(&mut self, at: usize) -> Result<(), String> {
        let Kernel { body, .. } = &self.plan.kernels[at];
        let mut joined = None;
        match body {
            Body::Special(special) => {
                let wanted: Vec<BufferId> = special.operands.iter().map(|(id, _)| *id).chain([special.out]).collect();
                let mut slices = borrow(&mut self.arena, &self.plan.buffers, &wanted);
                let place = |id: BufferId| wanted.iter().position(|other| *other == id).unwrap_or(0);
                let out = std::mem::take(&mut slices[place(special.out)]);
                let operands: Vec<&[f32]> = special.operands.iter().map(|(id, _)| &*slices[place(*id)]).collect();
                return special::run(special, &operands, &self.counters, out)
                    .map_err(|e| format!("{}: {e}", special.op));
            }
            Body::Product(matrices, _) => {
                let code = self.codes[at].as_ref().filter(|code| pass::takes_in(code, matrices, self.pool.threads()));
                match code {
                    Some(_) => joined = Some(matrices),
                    None => {
                        let wanted = [matrices.a.0, matrices.b.0, matrices.out];
                        let mut slices = borrow(&mut self.arena, &self.plan.buffers, &wanted);
                        let out = std::mem::take(&mut slices[2]);
                        let b = if wanted[0] == wanted[1] { &*slices[0] } else { &*slices[1] };
                        product::run(matrices, &*slices[0], b, out, &self.pool)?;
                    }
                }
            }
            Body::Loop(_) => {}
        }
        if let Some(code) = &self.codes[at] {
            Pass {
                code,
                buffers: &self.plan.buffers,
                scalars: &self.scalars,
                scratch: &self.scratch,
                pool: &self.pool,
            }
            .run(joined, &mut self.arena, &mut self.partials)?;
        }
        Ok(())
    }
}

/// Without a branch for each element, so that it becomes vector instructions.
fn finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    let unbounded = |chunk: &[f32]| chunk.iter().fold(false, |any, x| any | (x.to_bits() & EXPONENT == EXPONENT));
    !values.chunks(4096).any(unbounded)
}

/// Buffers of the arena, each its own range. A buffer that is wanted again comes back empty.
fn borrow<'a>(arena: &'a mut [f32], buffers: &[plan::Buffer], wanted: &[BufferId]) -> Vec<&'a mut [f32]> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|at| (buffers[wanted[*at].0 as usize].offset, *at));
    let mut slices: Vec<&mut [f32]> = wanted.iter().map(|_| Default::default()).collect();
    let (mut rest, mut start) = (arena, 0);
    let mut seen: Vec<BufferId> = Vec::with_capacity(wanted.len());
    for at in order {
        let buffer = &buffers[wanted[at].0 as usize];
        if buffer.len == 0 || seen.contains(&wanted[at]) {
            continue;
        }
        seen.push(wanted[at]);
        let (_, tail) = rest.split_at_mut(buffer.offset - start);
        let (own, tail) = tail.split_at_mut(buffer.len);
        slices[at] = own;
        (rest, start) = (tail, buffer.offset + buffer.len);
    }
    slices
}
