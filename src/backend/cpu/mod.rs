//! The CPU: runs plans on threads with fixed shares. A step allocates no tensor.
//!
//! | file | what |
//! |---|---|
//! | `machine` | the state in which kernels run, and loaded plans |
//! | `body` | a plan within a plan, once or step after step |
//! | `map` | steps of a loop divided among threads |
//! | `code` | a compiled loop: slots, tiles, chunks |
//! | `tile` | the interpreter of a loop's code |
//! | `jit` | machine code of it |
//! | `pass` | a loop divided among threads, with a fused product |
//! | `product` | products of matrices |
//! | `special` | operations that are not fused |
//! | `matrix` | those on triangles of a matrix |
//! | `fold` | reductions |
//! | `number` | the element types that loops compute with |
//! | `memory` | resident buffers and scratch |
//! | `pages` | what both lie in |
//! | `math` | functions of 32-bit floats |
//! | `pool` | threads |
//! | `peaks` | what the machine can do |
//! | `chains` | the most that it can compute |

mod body;
mod chains;
mod code;
mod fold;
mod jit;
mod machine;
mod map;
pub mod math;
mod matrix;
mod memory;
mod number;
mod pages;
mod pass;
pub mod peaks;
pub mod pool;
pub mod product;
mod special;
mod tile;

use crate::backend::device::{Device, Fault, PlanId, Values};
use crate::plan::{self, Buffer, Output, Plan};
use bytemuck::{cast_slice, cast_slice_mut};
pub use jit::Engine;
use machine::{Loaded, Machine};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// With fewer elements a loop is not worth waking threads for.
const ALONE: usize = 8 * 1024;

/// A device: its memory, and the plans that were loaded.
pub struct Cpu {
    machine: Machine,
    plans: Vec<Loaded>,
}

impl Cpu {
    /// With so many threads, the caller's own among them.
    pub fn new(threads: usize) -> Cpu {
        Cpu::with(threads, Engine::chosen())
    }

    /// With what runs its loops.
    pub fn with(threads: usize, engine: Engine) -> Cpu {
        Cpu { machine: Machine::new(threads, engine), plans: Vec::new() }
    }

    fn values(&self, buffer: &Buffer) -> Values<'_> {
        let bytes = self.machine.memory.get(buffer);
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
        self.machine.memory.reserve(plan.resident, plan.scratch);
        let loaded = self.machine.make_ready(Arc::new(plan));
        self.plans.push(loaded);
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
        fill(self.machine.memory.get_mut(buffer), buffer.storage);
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
        if values.len() < ALONE || self.machine.pool.threads() == 1 {
            return finite(values);
        }
        let share = values.len().div_ceil(self.machine.pool.threads());
        let found = AtomicBool::new(true);
        self.machine.pool.run(&|thread| {
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
            Output::Buffer(buffer) => self.machine.memory.copy(plan.buffer(buffer), &to),
            Output::Scalar(scalar) => {
                let value = scalars.get(scalar).copied().unwrap_or(f64::NAN) as f32;
                let cells: &mut [f32] = cast_slice_mut(self.machine.memory.get_mut(&to));
                // Memory that was never touched holds zeros, and takes no room until it is written.
                if cells.iter().any(|cell| cell.to_bits() != value.to_bits()) {
                    cells.fill(value);
                }
            }
        }
    }

    fn run_stage(&mut self, id: PlanId, stage: usize) -> Result<(), Fault> {
        let loaded = &mut self.plans[id.0];
        let plan = Arc::clone(&loaded.plan);
        if stage == 0 {
            let Loaded { hosts, scalars, .. } = loaded;
            plan::values(&plan.scalars, |number| hosts.get(number as usize).copied().unwrap_or(0.0), scalars);
        }
        let first = if stage == 0 { 0 } else { plan.stages[stage - 1] };
        for kernel in first..plan.stages[stage] {
            let done = self.machine.run_kernel(loaded, kernel);
            done.map_err(|message| Fault { message, nodes: plan.kernels[kernel].nodes.clone() })?;
        }
        if stage + 1 == plan.stages.len() {
            for (from, to) in &plan.copies {
                self.machine.memory.copy(plan.buffer(*from), plan.buffer(*to));
            }
        }
        Ok(())
    }

    fn rounds(&self) -> u64 {
        self.machine.pool.rounds()
    }

    fn run_kernel(&mut self, id: PlanId, at: usize) -> Result<(), Fault> {
        let loaded = &mut self.plans[id.0];
        let nodes = loaded.plan.kernels[at].nodes.clone();
        self.machine.run_kernel(loaded, at).map_err(|message| Fault { message, nodes })
    }
}

/// Without a branch for each element, so that it becomes vector instructions.
fn finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    let unbounded = |chunk: &[f32]| chunk.iter().fold(false, |any, x| any | (x.to_bits() & EXPONENT == EXPONENT));
    !values.chunks(4096).any(unbounded)
}
