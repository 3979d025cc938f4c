//! The CPU: runs plans on threads with fixed shares. A step allocates no tensor.
//!
//! | file | what |
//! |---|---|
//! | `code` | a loop made ready: slots, tiles, chunks |
//! | `tile` | the interpreter of a loop's code |
//! | `pass` | a loop's code on its shares, and a product before it |
//! | `product` | products of matrices, by ndarray |
//! | `special` | operations that are not fused |
//! | `fold` | reductions |
//! | `number` | the kinds of numbers that loops compute with |
//! | `memory` | resident buffers and scratch |
//! | `math` | functions of 32-bit floats |
//! | `pool` | threads |

mod code;
mod fold;
pub mod math;
mod memory;
mod number;
mod pass;
pub mod pool;
mod product;
mod special;
mod tile;

use crate::backend::device::{Device, PlanId, Values};
use crate::plan::{self, Buffer, BufferId, Code, Matrices, Output, Plan};
use bytemuck::{cast_slice, cast_slice_mut};
use code::Prepared;
use memory::{Memory, Slices};
use pass::Pass;
use pool::Pool;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tile::{Read, Scratch};

/// Below so many elements a loop is not worth waking threads for.
const ALONE: usize = 8 * 1024;

/// A device: its memory, and the plans that were loaded.
pub struct Cpu {
    memory: Memory,
    plans: Vec<Loaded>,
    /// Loops that were made ready, by their code: kernels of all plans share them.
    prepared: HashMap<Arc<Code>, Arc<Prepared>>,
    partials: Vec<f64>,
    scratch: Vec<Mutex<Scratch>>,
    pool: Pool,
}

struct Loaded {
    plan: Plan,
    /// Of each kernel that is or ends in a loop.
    codes: Vec<Option<Arc<Prepared>>>,
    /// What the host feeds, by number of the input.
    hosts: Vec<f64>,
    scalars: Vec<f64>,
}

impl Cpu {
    /// With so many threads, the caller's own among them.
    pub fn new(threads: usize) -> Cpu {
        let pool = Pool::new(threads);
        let scratch = (0..pool.threads()).map(|_| Mutex::default()).collect();
        let (memory, plans, prepared) = (Memory::default(), Vec::new(), HashMap::new());
        Cpu { memory, plans, prepared, partials: Vec::new(), scratch, pool }
    }

    fn values(&self, buffer: &Buffer) -> Values<'_> {
        let bytes = self.memory.get(buffer);
        match buffer.storage {
            plan::Storage::F32 => Values::F32(cast_slice(bytes)),
            plan::Storage::F64 => Values::F64(cast_slice(bytes)),
            plan::Storage::I32 => Values::I32(cast_slice(bytes)),
            plan::Storage::Bool => Values::Bool(bytes),
        }
    }
}

impl Device for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn load(&mut self, plan: Plan) -> PlanId {
        self.memory.reserve(plan.resident, plan.scratch);
        let mut codes = Vec::with_capacity(plan.kernels.len());
        for kernel in &plan.kernels {
            let (body, ends_product) = match &*kernel.code {
                Code::Loop(body) => (body, false),
                Code::Product(_, body) if body.instructions.len() > 1 => (body, true),
                Code::Product(..) | Code::Special(_) => {
                    codes.push(None);
                    continue;
                }
            };
            let known = self.prepared.get(&kernel.code).cloned();
            let code = known.unwrap_or_else(|| {
                let code = Arc::new(Prepared::new(body, ends_product));
                self.prepared.insert(Arc::clone(&kernel.code), Arc::clone(&code));
                code
            });
            let lens = code.collects.iter().map(|(operand, _)| plan.buffer(kernel.bindings[*operand].buffer).len);
            let partials = lens.sum::<usize>() * code.chunks();
            self.partials.resize(self.partials.len().max(partials), 0.0);
            for scratch in &mut self.scratch {
                scratch.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).reserve(&code);
            }
            codes.push(Some(code));
        }
        let scalars = Vec::with_capacity(plan.scalars.len());
        self.plans.push(Loaded { plan, codes, hosts: Vec::new(), scalars });
        PlanId(self.plans.len() - 1)
    }

    fn plan(&self, id: PlanId) -> &Plan {
        &self.plans[id.0].plan
    }

    fn set_host(&mut self, id: PlanId, number: u32, value: f64) {
        let hosts = &mut self.plans[id.0].hosts;
        let at = number as usize;
        if hosts.len() <= at {
            hosts.resize(at + 1, 0.0);
        }
        hosts[at] = value;
    }

    fn write(&mut self, id: PlanId, input: u32, fill: &mut dyn FnMut(&mut [u8], plan::Storage)) -> bool {
        let plan = &self.plans[id.0].plan;
        let Some((_, buffer)) = plan.inputs.iter().find(|(known, _)| *known == input) else { return false };
        let buffer = plan.buffer(*buffer);
        fill(self.memory.get_mut(buffer), buffer.storage);
        true
    }

    fn written(&self, id: PlanId, number: u32) -> Option<Values<'_>> {
        let plan = &self.plans[id.0].plan;
        let (_, buffer) = plan.inputs.iter().find(|(known, _)| *known == number)?;
        Some(self.values(plan.buffer(*buffer)))
    }

    fn read(&self, id: PlanId, root: usize) -> Values<'_> {
        let Loaded { plan, scalars, .. } = &self.plans[id.0];
        match plan.outputs[root] {
            Output::Buffer(buffer) => self.values(plan.buffer(buffer)),
            Output::Scalar(scalar) => Values::Everywhere(scalars.get(scalar).copied().unwrap_or(f64::NAN)),
        }
    }

    fn is_finite(&self, id: PlanId, root: usize) -> bool {
        let values = match self.read(id, root) {
            Values::F32(values) => values,
            Values::F64(values) => return values.iter().all(|value| value.is_finite()),
            Values::Everywhere(value) => return value.is_finite(),
            Values::I32(_) | Values::Bool(_) => return true,
        };
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

    fn keep(&mut self, id: PlanId, root: usize, offset: usize, len: usize) {
        let Loaded { plan, scalars, .. } = &self.plans[id.0];
        let to = Buffer { len, storage: plan::Storage::F32, region: plan::Region::Resident, offset, kept: true };
        match plan.outputs[root] {
            Output::Buffer(buffer) => self.memory.copy(plan.buffer(buffer), &to),
            Output::Scalar(scalar) => {
                let value = scalars.get(scalar).copied().unwrap_or(f64::NAN) as f32;
                let cells: &mut [f32] = cast_slice_mut(self.memory.get_mut(&to));
                // Memory that was never touched holds zeros, and takes no room until it is written.
                if cells.iter().any(|cell| cell.to_bits() != value.to_bits()) {
                    cells.fill(value);
                }
            }
        }
    }

    fn run_stage(&mut self, id: PlanId, stage: usize) -> Result<(), String> {
        let Loaded { plan, hosts, scalars, .. } = &mut self.plans[id.0];
        if stage == 0 {
            plan::values(&plan.scalars, |number| hosts.get(number as usize).copied().unwrap_or(0.0), scalars);
        }
        let first = if stage == 0 { 0 } else { plan.stages[stage - 1] };
        for kernel in first..plan.stages[stage] {
            self.run_kernel(id, kernel)?;
        }
        let plan = &self.plans[id.0].plan;
        if stage + 1 == plan.stages.len() {
            for (from, to) in &plan.copies {
                self.memory.copy(plan.buffer(*from), plan.buffer(*to));
            }
        }
        Ok(())
    }

    fn run_kernel(&mut self, id: PlanId, at: usize) -> Result<(), String> {
        let Loaded { plan, codes, scalars, .. } = &self.plans[id.0];
        let kernel = &plan.kernels[at];
        let bound = |operand: usize| kernel.bindings[operand];
        let mut joined = None;
        match &*kernel.code {
            Code::Special(special) => {
                let out = bound(special.shapes.len() - 1).buffer;
                let operands: Vec<BufferId> =
                    (0..special.shapes.len() - 1).map(|operand| bound(operand).buffer).collect();
                let mut slices =
                    Slices::borrow(&mut self.memory, &plan.buffers, operands.iter().copied(), [out].into_iter());
                let made = slices.take(out);
                let operands: Vec<&[u8]> = operands.into_iter().map(|operand| slices.get(operand)).collect();
                return special::run(special, &operands, made, &self.pool).map_err(|e| format!("{}: {e}", special.op));
            }
            Code::Product(matrices, _) => {
                let code = codes[at].as_ref();
                match code.filter(|code| pass::takes_in(code, kernel, matrices, self.pool.threads())) {
                    Some(_) => joined = Some(matrices),
                    None => {
                        let [a, b, out] = [Matrices::A, Matrices::B, Matrices::OUT].map(bound);
                        let reads = [a.buffer, b.buffer].into_iter();
                        let mut slices =
                            Slices::borrow(&mut self.memory, &plan.buffers, reads, [out.buffer].into_iter());
                        let made = slices.take(out.buffer);
                        let read = |bound: plan::Binding| Read { bytes: slices.get(bound.buffer), start: bound.start };
                        product::run(matrices, read(a), read(b), made, &self.pool)?;
                    }
                }
            }
            Code::Loop(_) => {}
        }
        if let Some(code) = &codes[at] {
            let scalars: Vec<f64> = kernel.scalars.iter().map(|scalar| scalars[*scalar]).collect();
            let (buffers, scratch, pool) = (&plan.buffers, &self.scratch, &self.pool);
            let pass = Pass { code, kernel, buffers, scalars: &scalars, scratch, pool };
            pass.run(joined, &mut self.memory, &mut self.partials)
                .map_err(|wrong| format!("{}: {wrong}", kernel.name()))?;
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
