//! The state in which kernels run (memory, threads, compiled loops), and plans loaded into it.

use super::code::Prepared;
use super::jit::Engine;
use super::memory::{Memory, Slices};
use super::pass::{self, Pass};
use super::pool::Pool;
use super::product::Product;
use super::product::room::Rooms;
use super::tile::{Read, Scratch};
use super::{body, map, special};
use crate::plan::{Binding, Buffer, BufferId, Code, Kernel, Loop, Matrices, Plan, Run, values};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub struct Machine {
    pub memory: Memory,
    pub pool: Pool,
    engine: Engine,
    /// Compiled loops by their code, shared by kernels of all plans.
    prepared: HashMap<Arc<Code>, Arc<Prepared>>,
    /// Products, whatever loops end them: the tables of where operands lie may be long.
    products: HashMap<Matrices, Arc<Product>>,
    partials: Vec<f64>,
    /// Of each thread.
    scratch: Vec<Mutex<Scratch>>,
    /// Of products.
    rooms: Rooms,
    /// Of each thread, for loops whose steps are divided; made when there is one.
    pub workers: Vec<Mutex<Machine>>,
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
    Loop(Arc<Prepared>),
    /// A product, and the loop that follows it.
    Product(Arc<Product>, Option<Arc<Prepared>>),
    Body(Loaded),
    /// A body whose steps are divided, as each thread runs it.
    Divided(Vec<Mutex<Loaded>>),
    Nothing,
}

impl Machine {
    pub fn new(threads: usize, engine: Engine) -> Machine {
        let pool = Pool::new(threads);
        let scratch = (0..pool.threads()).map(|_| Mutex::default()).collect();
        let rooms = Rooms::new(pool.threads());
        let (memory, prepared, products) = (Memory::default(), HashMap::new(), HashMap::new());
        let (partials, workers) = (Vec::new(), Vec::new());
        Machine { memory, pool, engine, prepared, products, partials, scratch, rooms, workers }
    }

    /// Compiles the code of a plan, and reserves the memory that it needs while it runs.
    pub fn make_ready(&mut self, plan: Arc<Plan>) -> Loaded {
        let mut codes = Vec::with_capacity(plan.kernels.len());
        for kernel in &plan.kernels {
            let ready = match &*kernel.code {
                Code::Loop(body) => Ready::Loop(self.loop_of(&plan, kernel, body, false)),
                Code::Product(matrices, body) => {
                    let product = self.product(matrices);
                    let follows = body.instructions.len() > 1;
                    Ready::Product(product, follows.then(|| self.loop_of(&plan, kernel, body, true)))
                }
                Code::Run(run) if map::is_divided(run, &plan, kernel, self.pool.threads()) => {
                    Ready::Divided(self.divided(run))
                }
                Code::Run(run) => Ready::Body(self.make_ready(Arc::clone(&run.body.plan))),
                Code::Special(_) => Ready::Nothing,
            };
            codes.push(ready);
        }
        let mut scalars = Vec::with_capacity(plan.scalars.len());
        values(&plan.scalars, |_| 0.0, &mut scalars);
        Loaded { buffers: plan.buffers.clone(), plan, codes, hosts: Vec::new(), scalars }
    }

    /// The body of a loop for each thread.
    fn divided(&mut self, run: &Run) -> Vec<Mutex<Loaded>> {
        let (threads, engine) = (self.pool.threads(), self.engine);
        self.workers.resize_with(threads, || Mutex::new(Machine::new(1, engine)));
        let ready = |worker: &mut Mutex<Machine>| {
            Mutex::new(map::make_ready(worker.get_mut().unwrap_or_else(PoisonError::into_inner), run))
        };
        self.workers.iter_mut().map(ready).collect()
    }

    /// A kernel's loop, and the memory that it needs.
    fn loop_of(&mut self, plan: &Plan, kernel: &Kernel, body: &Loop, ends_product: bool) -> Arc<Prepared> {
        let code = self.prepared(&kernel.code, body, ends_product);
        let lens = code.collects.iter().map(|(operand, _)| plan.buffer(kernel.bindings[*operand].buffer).len);
        let partials = lens.sum::<usize>() * code.chunks();
        self.partials.resize(self.partials.len().max(partials), 0.0);
        for scratch in &mut self.scratch {
            scratch.get_mut().unwrap_or_else(PoisonError::into_inner).reserve(&code);
        }
        code
    }

    fn prepared(&mut self, code: &Arc<Code>, body: &Loop, ends_product: bool) -> Arc<Prepared> {
        if let Some(known) = self.prepared.get(code) {
            return Arc::clone(known);
        }
        let prepared = Arc::new(Prepared::new(body, ends_product, self.engine));
        self.prepared.insert(Arc::clone(code), Arc::clone(&prepared));
        prepared
    }

    fn product(&mut self, matrices: &Matrices) -> Arc<Product> {
        if let Some(known) = self.products.get(matrices) {
            return Arc::clone(known);
        }
        let product = Arc::new(Product::new(matrices, self.pool.threads()));
        product.reserve(&mut self.rooms);
        self.products.insert(matrices.clone(), Arc::clone(&product));
        product
    }

    /// Runs one kernel, by its number.
    pub fn run_kernel(&mut self, loaded: &mut Loaded, at: usize) -> Result<(), String> {
        let Loaded { plan, buffers, codes, scalars, .. } = loaded;
        let kernel = &plan.kernels[at];
        let bound = |operand: usize| kernel.bindings[operand];
        let (code, product) = match (&*kernel.code, &mut codes[at]) {
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
            (Code::Run(run), Ready::Divided(inner)) => return map::run(self, run, kernel, buffers, inner),
            (Code::Product(..), Ready::Product(product, follows)) => {
                let [a, b, out] = [Matrices::A, Matrices::B, Matrices::OUT].map(bound);
                let fused =
                    follows.as_ref().filter(|code| pass::can_fuse(code, kernel, product, self.pool.threads())).cloned();
                let writes = if fused.is_some() { None } else { Some(out.buffer) };
                let reads = [a.buffer, b.buffer].into_iter();
                let mut slices = Slices::borrow(&mut self.memory, buffers, reads, writes.into_iter());
                let made = slices.take(out.buffer);
                let [a, b] = [a, b].map(|bound: Binding| Read { bytes: slices.get(bound.buffer), start: bound.start });
                match (fused, follows) {
                    (Some(code), _) => {
                        product.prepare(a, b, &mut self.rooms, &self.pool)?;
                        (code, Some(&**product))
                    }
                    (None, follows) => {
                        product.run(a, b, made, &mut self.rooms, &self.pool)?;
                        let Some(code) = follows else { return Ok(()) };
                        (Arc::clone(code), None)
                    }
                }
            }
            (Code::Loop(_), Ready::Loop(code)) => (Arc::clone(code), None),
            (Code::Loop(_) | Code::Product(..) | Code::Run(_), _) => return Ok(()),
        };
        let scalars: Vec<f64> = kernel.scalars.iter().map(|scalar| scalars[*scalar]).collect();
        let (scratch, rooms, pool) = (&self.scratch, &self.rooms, &self.pool);
        let pass = Pass { code: &code, kernel, buffers, scalars: &scalars, scratch, rooms, pool };
        pass.run(product, &mut self.memory, &mut self.partials)
    }
}
