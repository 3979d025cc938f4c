//! What a backend is to a run: plans are loaded, inputs written, stages run, roots read. Parameters and states lie in a
//! resident region that all plans share; whatever else a plan holds is its own until another one runs.

use crate::ir::NodeId;
use crate::plan::{Plan, Storage};
use bytemuck::cast_slice_mut;
use std::fmt;

pub trait Device {
    /// As a run calls it: `cpu`.
    fn name(&self) -> &'static str;

    /// Takes a plan: makes its code ready, and room for what it reads and writes.
    fn load(&mut self, plan: Plan) -> PlanId;

    fn plan(&self, id: PlanId) -> &Plan;

    /// Sets a scalar of the host.
    fn set_host(&mut self, id: PlanId, number: u32, value: f64);

    /// Has the buffer of an input filled: its bytes, and how its elements are held. False where nothing reads it.
    fn write(&mut self, id: PlanId, input: u32, fill: &mut dyn FnMut(&mut [u8], Storage)) -> bool;

    /// What lies in the buffer of an input.
    fn written(&self, id: PlanId, input: u32) -> Option<Values<'_>>;

    /// Runs a stage; after the last, next values are in place.
    fn run_stage(&mut self, id: PlanId, stage: usize) -> Result<(), Fault>;

    /// Runs one kernel, by its number: to measure it.
    fn run_kernel(&mut self, id: PlanId, kernel: usize) -> Result<(), Fault>;

    /// How often work was handed to all threads so far: to measure.
    fn rounds(&self) -> u64;

    /// The elements of a root; a scalar of the host stands for any number of them.
    fn read(&self, id: PlanId, root: usize) -> Values<'_>;

    /// Whether a root has no infinity and no NaN.
    fn is_finite(&self, id: PlanId, root: usize) -> bool;

    /// Copies a root of so many 32-bit floats into the resident region, some bytes from its start.
    fn keep(&mut self, id: PlanId, root: usize, offset: usize, len: usize);

    /// Runs every stage.
    fn run(&mut self, id: PlanId) -> Result<(), Fault> {
        (0..self.plan(id).stages.len()).try_for_each(|stage| self.run_stage(id, stage))
    }

    /// Numbers into the buffer of an input, if something reads it.
    fn write_numbers(&mut self, id: PlanId, input: u32, values: &[f64]) {
        self.write(id, input, &mut |bytes, storage| fill(bytes, storage, values.iter().copied()));
    }
}

/// Something that cannot be computed, such as an element beside its axis: in words, and the nodes of the kernel that was to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    pub nodes: Vec<NodeId>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Names a plan that a device has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanId(pub usize);

/// The elements of a buffer.
#[derive(Clone, Copy, Debug)]
pub enum Values<'m> {
    F32(&'m [f32]),
    F64(&'m [f64]),
    I32(&'m [i32]),
    /// 0 and 1.
    Bool(&'m [u8]),
    /// The same number for any element.
    Everywhere(f64),
}

impl Values<'_> {
    /// As many elements as a shape has.
    pub fn to_f64(self, count: usize) -> Vec<f64> {
        match self {
            Values::F32(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Values::F64(values) => values.to_vec(),
            Values::I32(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Values::Bool(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Values::Everywhere(value) => vec![value; count],
        }
    }

    pub fn first(self) -> f64 {
        match self {
            Values::F32(values) => values.first().map_or(f64::NAN, |value| f64::from(*value)),
            Values::F64(values) => values.first().copied().unwrap_or(f64::NAN),
            Values::I32(values) => values.first().map_or(f64::NAN, |value| f64::from(*value)),
            Values::Bool(values) => values.first().map_or(f64::NAN, |value| f64::from(*value)),
            Values::Everywhere(value) => value,
        }
    }
}

/// Numbers into the bytes of a buffer, as its elements are held.
pub fn fill(bytes: &mut [u8], storage: Storage, values: impl Iterator<Item = f64>) {
    match storage {
        Storage::F32 => {
            cast_slice_mut::<u8, f32>(bytes).iter_mut().zip(values).for_each(|(cell, value)| *cell = value as f32);
        }
        Storage::F64 => {
            cast_slice_mut::<u8, f64>(bytes).iter_mut().zip(values).for_each(|(cell, value)| *cell = value);
        }
        Storage::I32 => {
            cast_slice_mut::<u8, i32>(bytes).iter_mut().zip(values).for_each(|(cell, value)| *cell = value as i32);
        }
        Storage::Bool => bytes.iter_mut().zip(values).for_each(|(cell, value)| *cell = u8::from(value != 0.0)),
    }
}
