//! A loop that carries nothing: its steps are divided among the threads. Each has memory of its own for what a step computes, into which it
//! copies what the step reads, and from which what it gives; so it disturbs no other, and its values stay in its cache.

use super::machine::{Loaded, Machine};
use super::memory::Slices;
use crate::backend::device::fill;
use crate::plan::{Buffer, Kernel, Output, Plan, Region, Role, Run, Times};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Operations for each byte that is copied, from which on copying does not matter.
const WORTH: usize = 2;

/// Whether threads divide the steps of a loop: there are enough, they are independent, and each computes more than it copies.
pub fn is_divided(run: &Run, outside: &Plan, kernel: &Kernel, threads: usize) -> bool {
    let Times::Steps { count, .. } = run.times else { return false };
    let carries = |role: &Role| matches!(role, Role::Carry { .. } | Role::Before { .. });
    if threads == 1 || count < threads || run.roles.iter().any(carries) {
        return false;
    }
    let bytes = |(operand, role): (usize, &Role)| {
        let all = outside.buffer(kernel.bindings[operand].buffer).bytes();
        match role {
            Role::Whole { .. } => all * threads,
            Role::Slice { .. } | Role::Each { .. } => all,
            Role::Carry { .. } | Role::Before { .. } | Role::Scratch => 0,
        }
    };
    let copied: usize = run.roles.iter().enumerate().map(bytes).sum();
    copied * WORTH <= outside.cost(kernel).flops as usize
}

/// The body as one thread runs it: its operands and results lie in the thread's own memory.
pub fn make_ready(worker: &mut Machine, run: &Run) -> Loaded {
    let mut inner = worker.make_ready(std::sync::Arc::clone(&run.body.plan));
    let mut resident = 0;
    for buffer in inner.buffers.iter_mut().filter(|buffer| buffer.region == Region::Resident) {
        buffer.offset = resident;
        resident += buffer.bytes().next_multiple_of(64);
    }
    worker.memory.reserve(resident, inner.plan.scratch);
    inner
}

/// What one thread computes.
struct Share<'s> {
    steps: Range<usize>,
    /// Of each result in the order of their operands.
    given: Vec<&'s mut [u8]>,
}

/// Runs the loop; of several steps that fail the first one tells why.
pub fn run(
    machine: &mut Machine,
    run: &Run,
    kernel: &Kernel,
    outside: &[Buffer],
    inner: &[Mutex<Loaded>],
) -> Result<(), String> {
    let Machine { memory, pool, workers, .. } = machine;
    let count = run.count();
    let bound = |operand: usize| kernel.bindings[operand].buffer;
    let operands = |which: fn(&Role) -> bool| {
        run.roles.iter().enumerate().filter(move |(_, role)| which(role)).map(|(operand, _)| operand)
    };
    let read = || operands(|role| matches!(role, Role::Whole { .. } | Role::Slice { .. }));
    let each = || operands(|role| matches!(role, Role::Each { .. }));
    let mut slices = Slices::borrow(memory, outside, read().map(bound), each().map(bound));
    let threads = pool.threads();
    let steps = |thread: usize| count * thread / threads..count * (thread + 1) / threads;
    let mut shares: Vec<Share> = (0..threads).map(|thread| Share { steps: steps(thread), given: Vec::new() }).collect();
    for operand in each() {
        let mut rest = slices.take(bound(operand));
        let stride = rest.len() / count;
        for share in &mut shares {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(stride * share.steps.len());
            share.given.push(own);
            rest = others;
        }
    }
    let shares: Vec<Mutex<Share>> = shares.into_iter().map(Mutex::new).collect();
    let failed: Mutex<Option<(usize, String)>> = Mutex::new(None);
    pool.run(&|thread| {
        let mut share = lock(&shares[thread]);
        let mut worker = lock(&workers[thread]);
        let mut inner = lock(&inner[thread]);
        for (number, step) in share.steps.clone().enumerate() {
            for operand in read() {
                let all = slices.get(bound(operand));
                take(&mut worker, &inner, run, run.roles[operand], all, number == 0, step);
            }
            if let Some(place) = run.body.place {
                let place = inner.buffers[place.0 as usize];
                fill(worker.memory.get_mut(&place), place.storage, std::iter::once(step as f64));
            }
            for at in 0..inner.plan.kernels.len() {
                if let Err(wrong) = worker.run_kernel(&mut inner, at) {
                    let mut failed = lock(&failed);
                    if failed.as_ref().is_none_or(|(first, _)| step < *first) {
                        *failed = Some((step, wrong));
                    }
                    return;
                }
            }
            for (operand, given) in each().zip(&mut share.given) {
                let Role::Each { result } = run.roles[operand] else { continue };
                let stride = outside[bound(operand).0 as usize].bytes() / count;
                let given = &mut given[number * stride..(number + 1) * stride];
                match inner.plan.outputs[result] {
                    Output::Buffer(from) => {
                        given.copy_from_slice(worker.memory.get(&inner.buffers[from.0 as usize]));
                    }
                    Output::Scalar(scalar) => {
                        let storage = outside[bound(operand).0 as usize].storage;
                        fill(given, storage, std::iter::repeat(inner.scalars[scalar]));
                    }
                }
            }
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), |(step, wrong)| Err(format!("step {step} of a scan: {wrong}")))
}

/// Copies an operand to where the body reads it: its part of a step, or once all of it.
fn take(worker: &mut Machine, inner: &Loaded, run: &Run, role: Role, all: &[u8], is_first: bool, step: usize) {
    let input = match role {
        Role::Slice { input } => input,
        Role::Whole { input } if is_first => input,
        Role::Whole { .. } | Role::Carry { .. } | Role::Before { .. } | Role::Each { .. } | Role::Scratch => return,
    };
    let Some(own) = run.body.input(input) else { return };
    let own = worker.memory.get_mut(&inner.buffers[own.0 as usize]);
    let start = if matches!(role, Role::Slice { .. }) { step * own.len() } else { 0 };
    own.copy_from_slice(&all[start..start + own.len()]);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
