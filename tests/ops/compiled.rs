//! Loops of random instructions over random layouts: machine code of every width leaves the bits that the interpreter leaves, on
//! one thread and on two. The seed is new in every run (`MLX_SEED` gives one).

use super::random::seed;
use crate::fuzz::below;
use libtest_mimic::Trial;
use mlx::backend::cpu::{Cpu, Engine};
use mlx::backend::{Device, Values};
use mlx::ir::{DType, Reduce, ScalarOp};
use mlx::plan::{
    Binding, Buffer, BufferId, Code, Fused, Instruction, Kernel, Layout, Level, Loop, Output, Plan, Region, Scalar,
    Storage, Target, verify,
};
use std::sync::Arc;

const LOOPS: u64 = 3_000;

pub fn trials() -> Vec<Trial> {
    let seed = seed();
    vec![Trial::test(format!("ops::compiled::loops_of_seed_{seed}"), move || {
        let mut compared = 0;
        for number in 0..LOOPS {
            let own = seed.wrapping_mul(LOOPS).wrapping_add(number);
            compared += compare(own).map_err(|wrong| format!("MLX_SEED={seed}, loop {number}: {wrong}"))?;
        }
        // Most loops are verified plans.
        if compared > LOOPS / 2 { Ok(()) } else { Err(format!("only {compared} loops are plans").into()) }
    })]
}

/// One loop on every engine. 0 if the loop is not a plan.
fn compare(seed: u64) -> Result<u64, String> {
    let mut builder = Builder::new(seed);
    builder.fill();
    let plan = builder.plan();
    if verify(&plan).is_err() {
        return Ok(0);
    }
    let text = plan.to_string();
    let runs = |engine, threads| left(&builder, engine, threads);
    let expected = runs(Engine::Interpreter, 1)?;
    for engine in [Engine::Avx2, Engine::Avx512].into_iter().filter(|engine| engine.is_there()) {
        for threads in [1, 2] {
            let found = runs(engine, threads)?;
            let differs = |at: &usize| found[*at] != expected[*at];
            if let Some(at) = (0..found.len()).find(differs) {
                let place = found[at].iter().zip(&expected[at]).position(|(found, expected)| found != expected);
                return Err(format!(
                    "{engine:?} on {threads} threads leaves other bits in result {at} at {place:?}\n{text}"
                ));
            }
        }
    }
    Ok(1)
}

/// The bits of what a loop leaves in each operand that it writes.
fn left(builder: &Builder, engine: Engine, threads: usize) -> Result<Vec<Vec<u64>>, String> {
    let mut device = Cpu::with(threads, engine);
    let id = device.load(builder.plan());
    let mut numbers = below(builder.seed);
    for (operand, (storage, _)) in builder.operands.iter().enumerate() {
        device.write(id, operand as u32, &mut |bytes, _| fill(bytes, *storage, &mut numbers));
    }
    device.run(id).map_err(|fault| fault.message)?;
    let bits = |values: Values| -> Vec<u64> {
        match values {
            // The bits of what is no number mean nothing.
            Values::F32(all) => {
                all.iter().map(|x| u64::from(if x.is_nan() { f32::NAN } else { *x }.to_bits())).collect()
            }
            Values::F64(all) => all.iter().map(|x| x.to_bits()).collect(),
            Values::I32(all) => all.iter().map(|x| *x as u64).collect(),
            Values::Bool(all) => all.iter().map(|x| u64::from(*x)).collect(),
            Values::Everywhere(x) => vec![x.to_bits()],
        }
    };
    Ok((0..builder.written.len()).map(|root| bits(device.read(id, root))).collect())
}

/// Numbers with everything among them that a function of floats must not trip over.
fn fill(bytes: &mut [u8], storage: Storage, below: &mut impl FnMut(usize) -> usize) {
    const ODD: [f32; 10] = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -1e-42, 3e38, 100.0, -120.0];
    for cell in bytes.chunks_exact_mut(storage.size()) {
        match storage {
            Storage::Bool => cell[0] = below(2) as u8,
            Storage::I32 => {
                let any = (below(1 << 16) << 16 | below(1 << 16)) as u32;
                let small = below(20) as i32 - 10;
                cell.copy_from_slice(&if below(8) == 0 { any.to_le_bytes() } else { small.to_le_bytes() });
            }
            Storage::F32 => {
                let usual = below(1 << 16) as f32 / 16384.0 - 2.0;
                let value = if below(4) == 0 { ODD[below(ODD.len())] } else { usual };
                cell.copy_from_slice(&value.to_le_bytes());
            }
            Storage::F64 => {}
        }
    }
}

struct Builder {
    seed: u64,
    below: Box<dyn FnMut(usize) -> usize>,
    shape: Vec<usize>,
    split: usize,
    /// Whether there are values of rows.
    crosses: bool,
    instructions: Vec<Instruction>,
    storage: Vec<Storage>,
    /// The storage type of each operand, and its elements.
    operands: Vec<(Storage, usize)>,
    written: Vec<usize>,
    scalars: Vec<f64>,
}

impl Builder {
    fn new(seed: u64) -> Builder {
        let mut below: Box<dyn FnMut(usize) -> usize> = Box::new(below(seed));
        let rank = 1 + below(4);
        let mut shape: Vec<usize> = (0..rank).map(|_| [1, 2, 3, 5, 7, 8, 13, 16][below(8)]).collect();
        // Tails of every length, and rows for several threads.
        if below(2) == 0 {
            shape[rank - 1] = 1 + below(70);
        }
        if below(3) == 0 {
            shape[0] = 1 + below(90);
        }
        let split = if below(4) == 0 { below(rank + 1) } else { rank - 1 };
        let crosses = below(2) == 0;
        let scalars = vec![below(100) as f64 / 25.0 - 2.0, below(9) as f64 - 4.0, below(2) as f64];
        let (instructions, storage, operands, written) = Default::default();
        Builder { seed, below, shape, split, crosses, instructions, storage, operands, written, scalars }
    }

    fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[(self.below)(all.len())]
    }

    fn push(&mut self, instruction: Instruction, storage: Storage) -> usize {
        self.instructions.push(instruction);
        self.storage.push(storage);
        self.instructions.len() - 1
    }

    fn body(&self) -> Loop {
        let (shape, split) = (self.shape.clone(), self.split);
        Loop { shape, split, instructions: self.instructions.clone(), storage: self.storage.clone() }
    }

    fn level(&self, register: usize) -> Level {
        self.body().levels()[register]
    }

    fn sizes(&self, level: Level) -> Vec<usize> {
        let axes = if level == Level::Full { self.shape.len() } else { self.split };
        self.shape[..axes].to_vec()
    }

    /// An operand that a layout fits into.
    fn operand(&mut self, storage: Storage, layout: &Layout) -> usize {
        let reach = layout.shape.iter().zip(&layout.strides).map(|(size, stride)| (size - 1) * *stride as usize);
        self.operands.push((storage, 1 + reach.sum::<usize>()));
        self.operands.len() - 1
    }

    /// Axes in any order, some repeated, some with gaps.
    fn any_layout(&mut self, shape: Vec<usize>) -> Layout {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        (1..shape.len()).for_each(|axis| order.swap(axis, (self.below)(axis + 1)));
        let mut strides = vec![0; shape.len()];
        let mut step = 1;
        for axis in order {
            strides[axis] = if (self.below)(4) == 0 { 0 } else { step };
            step *= shape[axis] as isize * if (self.below)(3) == 0 { 2 } else { 1 };
        }
        Layout { shape, strides }
    }

    fn load(&mut self) {
        let storage = self.one(&[Storage::F32, Storage::F32, Storage::I32, Storage::Bool]);
        let level = if self.crosses && (self.below)(4) == 0 { Level::Row } else { Level::Full };
        let shape = self.sizes(level);
        let layout = if (self.below)(4) == 0 { self.any_layout(shape) } else { Layout::dense(shape) };
        if storage == Storage::I32 && (self.below)(3) == 0 {
            self.push(Instruction::Iota(5, layout, level), storage);
        } else {
            let operand = self.operand(storage, &layout);
            self.push(Instruction::Load(operand, layout, level), storage);
        }
    }

    /// A register that goes with another, or a scalar.
    fn partner(&mut self, of: usize, storage: Storage) -> usize {
        let level = self.level(of);
        let alike = |at: &usize| self.storage[*at] == storage && self.level(*at) == level;
        let known: Vec<usize> = (0..self.instructions.len()).filter(alike).collect();
        if known.is_empty() || (self.below)(5) == 0 {
            let number = [Storage::F32, Storage::I32, Storage::Bool].iter().position(|own| *own == storage);
            return self.push(Instruction::Scalar(number.unwrap_or(0)), storage);
        }
        self.one(&known)
    }

    fn apply(&mut self, op: ScalarOp, operands: Vec<usize>) {
        let storage = match op {
            ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual => Storage::Bool,
            ScalarOp::Cast(dtype) => Storage::of(dtype),
            _ => self.storage[*operands.last().expect("an operand")],
        };
        self.push(Instruction::Apply(op, operands), storage);
    }

    fn step(&mut self) {
        use ScalarOp::*;
        let a = (self.below)(self.instructions.len());
        let (storage, level) = (self.storage[a], self.level(a));
        let is_scalar = matches!(self.instructions[a], Instruction::Scalar(_));
        match ((self.below)(10), storage) {
            _ if is_scalar => {}
            (0, _) if self.crosses && level == Level::Row => {
                self.push(Instruction::Expand(a), storage);
            }
            (1, Storage::F32 | Storage::I32) if self.crosses && level == Level::Full => {
                let first = usize::from(storage == Storage::I32);
                let reduce = self.one(&[Reduce::Sum, Reduce::Max, Reduce::Min][first..]);
                self.push(Instruction::ReduceColumns(reduce, a), storage);
            }
            (2 | 3, Storage::F32) => {
                let casts = [Cast(DType::Int), Cast(DType::Bool)];
                let functions = [Neg, Abs, Exp, Expm1, Log, Log1p, Sqrt, Tanh, Erf, Floor];
                let op = self.one(&[&functions[..], &casts].concat());
                self.apply(op, vec![a]);
            }
            (2, Storage::I32) => {
                let op = self.one(&[Neg, Abs, Cast(DType::Float), Cast(DType::Bool)]);
                self.apply(op, vec![a]);
            }
            (2, Storage::Bool) => {
                let op = self.one(&[Not, Cast(DType::Float), Cast(DType::Int)]);
                self.apply(op, vec![a]);
            }
            (4, _) => {
                let (condition, b) = (self.partner(a, Storage::Bool), self.partner(a, storage));
                let operands = if (self.below)(2) == 0 { vec![condition, a, b] } else { vec![condition, b, a] };
                self.apply(Select, operands);
            }
            (5, Storage::F32) => {
                let (b, c) = (self.partner(a, storage), self.partner(a, storage));
                let how = self.one(&[Fused::Sum, Fused::Less, Fused::From]);
                self.push(Instruction::MultiplyAdd(how, [a, b, c]), storage);
            }
            (_, storage) => {
                let b = self.partner(a, storage);
                let op = match storage {
                    Storage::Bool => self.one(&[And, Or]),
                    Storage::I32 => self.one(&[Add, Sub, Mul, Min, Max, Less, LessEqual, Equal, NotEqual]),
                    _ => self.one(&[Add, Sub, Mul, Div, Min, Max, Quotient, Less, LessEqual, Equal, NotEqual]),
                };
                let operands = if (self.below)(2) == 0 { vec![a, b] } else { vec![b, a] };
                self.apply(op, operands);
            }
        }
    }

    /// Instructions, then stores and reductions of some of the last values; one may be written over what was read.
    fn fill(&mut self) {
        (0..1 + (self.below)(4)).for_each(|_| self.load());
        let dense = Layout::dense(self.shape.clone());
        let updated = ((self.below)(3) == 0).then(|| self.operand(Storage::F32, &dense));
        if let Some(operand) = updated {
            self.push(Instruction::Load(operand, dense.clone(), Level::Full), Storage::F32);
        }
        (0..2 + (self.below)(14)).for_each(|_| self.step());
        if let Some(operand) = updated {
            let is_new = |at: &usize| {
                let computed = matches!(self.instructions[*at], Instruction::Apply(..) | Instruction::MultiplyAdd(..));
                computed && self.storage[*at] == Storage::F32 && self.level(*at) == Level::Full
            };
            if let Some(last) = (0..self.instructions.len()).rev().find(is_new) {
                self.push(Instruction::Store(last, operand, 0, dense), Storage::F32);
                self.written.push(operand);
            }
        }
        let is_value = |at: &usize| !matches!(self.instructions[*at], Instruction::Scalar(_) | Instruction::Store(..));
        let values: Vec<usize> = (0..self.instructions.len()).rev().filter(is_value).take(5).collect();
        (0..3).for_each(|_| self.end(&values));
    }

    fn end(&mut self, values: &[usize]) {
        let value = self.one(values);
        let (storage, level) = (self.storage[value], self.level(value));
        let operand = match (self.below)(6) {
            0 | 1 if storage == Storage::F32 => {
                let to_columns = level == Level::Full && self.crosses && (self.below)(2) == 0;
                let target = if to_columns { Target::Columns } else { Target::All };
                let shape = if to_columns { self.shape[self.split..].to_vec() } else { Vec::new() };
                let operand = self.operand(storage, &Layout::dense(shape));
                let reduce = self.one(&[Reduce::Sum, Reduce::Max, Reduce::Min]);
                self.push(Instruction::ReduceRows(reduce, value, target, operand), storage);
                operand
            }
            _ => {
                let layout = Layout::dense(self.sizes(level));
                let operand = self.operand(storage, &layout);
                self.push(Instruction::Store(value, operand, 0, layout), storage);
                operand
            }
        };
        self.written.push(operand);
    }

    fn plan(&self) -> Plan {
        let mut scratch = 0;
        let mut buffers = Vec::new();
        for (storage, len) in &self.operands {
            let buffer = Buffer { len: *len, storage: *storage, region: Region::Scratch, offset: scratch, kept: true };
            scratch += buffer.bytes().next_multiple_of(64);
            buffers.push(buffer);
        }
        let id = |operand: usize| BufferId(operand as u32);
        let kernel = Kernel {
            nodes: Vec::new(),
            code: Arc::new(Code::Loop(self.body())),
            bindings: (0..self.operands.len()).map(|at| Binding { buffer: id(at), start: 0 }).collect(),
            scalars: vec![0, 1, 2],
        };
        Plan {
            kernels: vec![kernel],
            stages: vec![1],
            buffers,
            scratch,
            resident: 0,
            scalars: self.scalars.iter().map(|value| Scalar::Constant(*value)).collect(),
            inputs: (0..self.operands.len()).map(|at| (at as u32, id(at))).collect(),
            outputs: self.written.iter().map(|operand| Output::Buffer(id(*operand))).collect(),
            copies: Vec::new(),
        }
    }
}
