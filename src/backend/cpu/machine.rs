//! The state in which kernels run (memory, threads, compiled loops), and plans loaded into it.

use super::code::Prepared;
use super::jit::Engine;
use super::memory::{Memory, Slices};
use super::pass::{self, Pass};
use super::pool::Pool;
use super::tile::{Read, Scratch};
use super::{body, product, special};
use crate::plan::{Binding, Buffer, BufferId, Code, Loop, Matrices, Plan, values};
use bytemuck::cast_slice_mut;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub struct Machine {
    pub memory: Memory,
    pub pool: Pool,
    engine: Engine,
    /// Compiled loops by their code, shared by kernels of all plans.
    prepared: HashMap<Arc<Code>, Arc<Prepared>>,
    partials: Vec<f64>,
    /// Of each thread.
    scratch: Vec<Mutex<Scratch>>,
}

pub struct Loaded {
    pub plan: Arc<Plan>,
    /// With their offsets. Those of a body are bound anew for each run.
    pub buffers: Vec<Buffer>,
    codes: Vec<Ready>,
    /// Values of the host inputs, by number.
    pub hosts: Vec<f64>,
    pub scalars: Vec<f64>,
}

/// A kernel's code, compiled.
enum Ready {
    /// Of a loop, or of a product that is followed by one.
    Loop(Arc<Prepared>),
    Body(Loaded),
    Nothing,
}

impl Machine {
    pub fn new(threads: usize, engine: Engine) -> Machine {
        let pool = Pool::new(threads);
        let scratch = (0..pool.threads()).map(|_| Mutex::default()).collect();
        Machine { memory: Memory::default(), pool, engine, prepared: HashMap::new(), partials: Vec::new(), scratch }
    }

    /// Compiles the code of a plan, and reserves the memory that it needs while it runs.
    pub fn make_ready(&mut self, plan: Arc<Plan>) -> Loaded {
        let mut codes = Vec::with_capacity(plan.kernels.len());
        for kernel in &plan.kernels {
            let (body, ends_product) = match &*kernel.code {
                Code::Loop(body) => (body, false),
                Code::Product(_, body) if body.instructions.len() > 1 => (body, true),
                Code::Product(..) | Code::Special(_) => {
                    codes.push(Ready::Nothing);
                    continue;
                }
                Code::Run(run) => {
                    codes.push(Ready::Body(self.make_ready(Arc::clone(&run.body.plan))));
                    continue;
                }
            };
            let code = self.prepared(&kernel.code, body, ends_product);
            let lens = code.collects.iter().map(|(operand, _)| plan.buffer(kernel.bindings[*operand].buffer).len);
            let partials = lens.sum::<usize>() * code.chunks();
            self.partials.resize(self.partials.len().max(partials), 0.0);
            for scratch in &mut self.scratch {
                scratch.get_mut().unwrap_or_else(PoisonError::into_inner).reserve(&code);
            }
            codes.push(Ready::Loop(code));
        }
        let mut scalars = Vec::with_capacity(plan.scalars.len());
        values(&plan.scalars, |_| 0.0, &mut scalars);
        Loaded { buffers: plan.buffers.clone(), plan, codes, hosts: Vec::new(), scalars }
    }

    fn prepared(&mut self, code: &Arc<Code>, body: &Loop, ends_product: bool) -> Arc<Prepared> {
        if let Some(known) = self.prepared.get(code) {
            return Arc::clone(known);
        }
        let prepared = Arc::new(Prepared::new(body, ends_product, self.engine));
        self.prepared.insert(Arc::clone(code), Arc::clone(&prepared));
        prepared
    }

    /// Runs one kernel, by its number.
    pub fn run_kernel(&mut self, loaded: &mut Loaded, at: usize) -> Result<(), String> {
        let Loaded { plan, buffers, codes, scalars, .. } = loaded;
        let kernel = &plan.kernels[at];
        let bound = |operand: usize| kernel.bindings[operand];
        let mut joined = None;
        match (&*kernel.code, &mut codes[at]) {
            (Code::Special(special), _) => {
                let out = bound(special.shapes.len() - 1).buffer;
                let operands: Vec<BufferId> =
                    (0..special.shapes.len() - 1).map(|operand| bound(operand).buffer).collect();
                let mut slices = Slices::borrow(&mut self.memory, buffers, operands.iter().copied(), [out].into_iter());
                let made = slices.take(out);
                let operands: Vec<&[u8]> = operands.into_iter().map(|operand| slices.get(operand)).collect();
                return special::run(special, &operands, made, &self.pool);
            }
            (Code::Run(run), Ready::Body(inner)) => return body::run(self, run, kernel, buffers, inner),
            (Code::Product(matrices, _), ready) => match ready {
                Ready::Loop(code) if pass::can_fuse(code, kernel, matrices, self.pool.threads()) => {
                    joined = Some(matrices);
                }
                Ready::Loop(_) | Ready::Body(_) | Ready::Nothing => {
                    let [a, b, out] = [Matrices::A, Matrices::B, Matrices::OUT].map(bound);
                    let reads = [a.buffer, b.buffer].into_iter();
                    let mut slices = Slices::borrow(&mut self.memory, buffers, reads, [out.buffer].into_iter());
                    let made = slices.take(out.buffer);
                    let read = |bound: Binding| Read { bytes: slices.get(bound.buffer), start: bound.start };
                    product::run(matrices, read(a), read(b), cast_slice_mut(made), &self.pool)?;
                }
            },
            (Code::Loop(_) | Code::Run(_), _) => {}
        }
        if let Ready::Loop(code) = &codes[at] {
            let scalars: Vec<f64> = kernel.scalars.iter().map(|scalar| scalars[*scalar]).collect();
            let (scratch, pool) = (&self.scratch, &self.pool);
            let pass = Pass { code, kernel, buffers, scalars: &scalars, scratch, pool };
            pass.run(joined, &mut self.memory, &mut self.partials)?;
        }
        Ok(())
    }
}
