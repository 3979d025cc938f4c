//! The interpreter of a loop's code: each instruction on a whole tile, so that what chooses it costs little.

use super::code::{Code, Fetch};
use super::math;
use crate::ir::{DType, Reduce, ScalarOp};
use crate::plan::{Instruction, Level, Register, Target, View};

/// What a share of a loop works on: rows of the space, and what it may write there.
pub struct Share<'a> {
    /// The first row, and how many.
    pub first: usize,
    pub rows: usize,
    /// The rows of every buffer that is written.
    pub writes: Vec<&'a mut [f32]>,
    /// What is collected, in f64.
    pub partials: Vec<&'a mut [f64]>,
}

/// Some elements of a buffer that is read.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    pub values: &'a [f32],
    /// The place in the buffer of the first of them.
    pub first: usize,
}

/// Slots of a thread, made once.
#[derive(Default)]
pub struct Scratch {
    slots: Vec<Vec<f32>>,
}

impl Scratch {
    /// Room for a code.
    pub fn reserve(&mut self, code: &Code) {
        self.slots.resize_with(self.slots.len().max(code.slots), Vec::new);
        for slot in &mut self.slots[..code.slots] {
            let len = slot.len().max(code.tile());
            slot.resize(len, 0.0);
        }
    }
}

/// Runs a code on a share.
pub fn run(code: &Code, share: &mut Share, reads: &[Read], scalars: &[f64], scratch: &mut Scratch) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { run_wide(code, share, reads, scalars, scratch) };
    }
    run_here(code, share, reads, scalars, scratch);
}

/// The same, compiled for 256-bit vectors.
///
/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_wide(code: &Code, share: &mut Share, reads: &[Read], scalars: &[f64], scratch: &mut Scratch) {
    run_here(code, share, reads, scalars, scratch);
}

#[inline(always)]
fn run_here(code: &Code, share: &mut Share, reads: &[Read], scalars: &[f64], scratch: &mut Scratch) {
    for (register, instruction) in code.instructions.iter().enumerate() {
        if let (Instruction::Scalar(scalar), Fetch::Slot(slot)) = (instruction, code.fetch[register]) {
            scratch.slots[slot].fill(scalars[*scalar] as f32);
        }
    }
    let mut done = 0;
    while done < share.rows {
        let rows = code.tile_rows.min(share.rows - done);
        let tile = Tile { code, reads, scalars, row: share.first + done, offset: done, rows };
        let (mut written, mut collected) = (0, 0);
        for (register, instruction) in code.instructions.iter().enumerate() {
            match instruction {
                Instruction::Scalar(_) => {}
                Instruction::Store(from, _) => {
                    if code.fetch[*from] != Fetch::Written(written) {
                        let out = std::mem::take(&mut share.writes[written]);
                        let values = tile.get(*from, share, scratch);
                        out[done * tile.width(*from)..][..values.len()].copy_from_slice(values);
                        share.writes[written] = out;
                    }
                    written += 1;
                }
                Instruction::Collect(reduce, from, target, _) => {
                    let partial = std::mem::take(&mut share.partials[collected]);
                    collect(*reduce, tile.get(*from, share, scratch), *target, code.columns, partial);
                    share.partials[collected] = partial;
                    collected += 1;
                }
                _ => match code.fetch[register] {
                    Fetch::Slot(slot) => {
                        let mut out = std::mem::take(&mut scratch.slots[slot]);
                        tile.compute(register, instruction, share, scratch, &mut out);
                        scratch.slots[slot] = out;
                    }
                    Fetch::Written(number) => {
                        let out = std::mem::take(&mut share.writes[number]);
                        let own = &mut out[done * tile.width(register)..];
                        tile.compute(register, instruction, share, scratch, own);
                        share.writes[number] = out;
                    }
                    Fetch::Direct { .. } | Fetch::Number(_) | Fetch::Nothing => {}
                },
            }
        }
        done += rows;
    }
}

/// Some rows of the space, all their columns.
struct Tile<'a> {
    code: &'a Code,
    reads: &'a [Read<'a>],
    scalars: &'a [f64],
    row: usize,
    /// Rows since the start of the share.
    offset: usize,
    rows: usize,
}

impl Tile<'_> {
    /// Elements that a register has for each row.
    #[inline(always)]
    fn width(&self, register: Register) -> usize {
        match self.code.levels[register] {
            Level::Full => self.code.columns,
            Level::Row => 1,
        }
    }

    #[inline(always)]
    fn get<'s>(&'s self, register: Register, share: &'s Share, scratch: &'s Scratch) -> &'s [f32] {
        let width = self.width(register);
        let len = self.rows * width;
        match self.code.fetch[register] {
            Fetch::Slot(slot) => &scratch.slots[slot][..len],
            Fetch::Direct { read, start, step } => {
                let Read { values, first } = self.reads[read];
                &values[start + self.row * step - first..][..len]
            }
            Fetch::Written(number) => &share.writes[number][self.offset * width..][..len],
            Fetch::Number(_) | Fetch::Nothing => &[],
        }
    }

    #[inline(always)]
    fn operand<'s>(&'s self, register: Register, share: &'s Share, scratch: &'s Scratch) -> Operand<'s> {
        match self.code.fetch[register] {
            Fetch::Number(scalar) => Operand::Number(self.scalars[scalar] as f32),
            _ => Operand::Values(self.get(register, share, scratch)),
        }
    }

    #[inline(always)]
    fn compute(
        &self,
        register: Register,
        instruction: &Instruction,
        share: &Share,
        scratch: &Scratch,
        out: &mut [f32],
    ) {
        let out = &mut out[..self.rows * self.width(register)];
        let get = |register: &Register| self.get(*register, share, scratch);
        let operand = |register: &Register| self.operand(*register, share, scratch);
        match instruction {
            Instruction::Load(view, level) => self.load(view, *level, share, out),
            Instruction::Apply(op, operands) => match operands[..] {
                [a] => unary(*op, get(&a), out),
                [a, b] => binary(*op, operand(&a), operand(&b), out),
                [c, a, b] => select(get(&c), operand(&a), operand(&b), out),
                _ => {}
            },
            Instruction::Fold(reduce, a) => {
                let (values, columns) = (get(a), self.code.columns);
                for (row, o) in out.iter_mut().enumerate() {
                    *o = fold(*reduce, &values[row * columns..][..columns]);
                }
            }
            Instruction::Expand(a) => {
                let columns = self.code.columns.max(1);
                out.chunks_exact_mut(columns).zip(get(a)).for_each(|(row, x)| row.fill(*x));
            }
            Instruction::Scalar(_) | Instruction::Store(..) | Instruction::Collect(..) => {}
        }
    }

    /// Reads a view that does not lie in the order of the space.
    #[inline(always)]
    fn load(&self, view: &View, level: Level, share: &Share, out: &mut [f32]) {
        let code = self.code;
        let source = match view.buffer {
            None => Read { values: &[], first: 0 },
            Some(buffer) => match code.writes.iter().position(|(written, _)| *written == buffer) {
                Some(written) => {
                    // In place, hence dense, and the rows of this share.
                    let from = self.offset * (out.len() / self.rows.max(1));
                    return out.copy_from_slice(&share.writes[written][from..][..out.len()]);
                }
                None => match code.reads.iter().position(|read| *read == buffer) {
                    Some(number) => self.reads[number],
                    None => Read { values: &[], first: 0 },
                },
            },
        };
        let (source, first) = (source.values, source.first);
        let read = |place: isize| if view.buffer.is_none() { place as f32 } else { source[place as usize - first] };
        let split = code.split.min(view.shape.len());
        let (row_sizes, column_sizes) = match level {
            Level::Full => (&view.shape[..split], &view.shape[split..]),
            Level::Row => (&view.shape[..], &view.shape[..0]),
        };
        let (row_strides, column_strides) = view.strides.split_at(row_sizes.len());
        let columns: usize = column_sizes.iter().product();
        for (at, row) in out.chunks_exact_mut(columns.max(1)).enumerate() {
            let mut rest = self.row + at;
            let mut start = view.start;
            for (size, stride) in row_sizes.iter().zip(row_strides).rev() {
                start += (rest % size) as isize * stride;
                rest /= size;
            }
            match View::merged(column_sizes, column_strides) {
                Some((_, 0)) => row.fill(read(start)),
                Some((_, 1)) if view.buffer.is_some() => {
                    row.copy_from_slice(&source[start as usize - first..][..row.len()])
                }
                Some((_, stride)) => {
                    row.iter_mut().enumerate().for_each(|(column, o)| *o = read(start + column as isize * stride));
                }
                None => {
                    let mut places = row.iter_mut();
                    crate::backend::tensor::places(column_sizes, column_strides, start, |place| {
                        if let Some(o) = places.next() {
                            *o = read(place as isize);
                        }
                    });
                }
            }
        }
    }
}

#[inline(always)]
fn each(a: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    out.iter_mut().zip(a).for_each(|(o, x)| *o = f(*x));
}

/// What arithmetic takes.
enum Operand<'s> {
    Values(&'s [f32]),
    /// The same for every element.
    Number(f32),
}

#[inline(always)]
fn both(a: Operand, b: Operand, out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    match (a, b) {
        (Operand::Values(a), Operand::Values(b)) => {
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (x, y))| *o = f(*x, *y));
        }
        (Operand::Values(a), Operand::Number(y)) => each(a, out, |x| f(x, y)),
        (Operand::Number(x), Operand::Values(b)) => each(b, out, |y| f(x, y)),
        (Operand::Number(x), Operand::Number(y)) => out.fill(f(x, y)),
    }
}

#[inline(always)]
fn select(c: &[f32], a: Operand, b: Operand, out: &mut [f32]) {
    match (a, b) {
        (Operand::Values(a), Operand::Values(b)) => {
            let chosen = c.iter().zip(a).zip(b);
            out.iter_mut().zip(chosen).for_each(|(o, ((c, x), y))| *o = if *c != 0.0 { *x } else { *y });
        }
        (Operand::Values(a), Operand::Number(y)) => {
            out.iter_mut().zip(c.iter().zip(a)).for_each(|(o, (c, x))| *o = if *c != 0.0 { *x } else { y });
        }
        (Operand::Number(x), Operand::Values(b)) => {
            out.iter_mut().zip(c.iter().zip(b)).for_each(|(o, (c, y))| *o = if *c != 0.0 { x } else { *y });
        }
        (Operand::Number(x), Operand::Number(y)) => each(c, out, |c| if c != 0.0 { x } else { y }),
    }
}

#[inline(always)]
fn truth(holds: bool) -> f32 {
    if holds { 1.0 } else { 0.0 }
}

/// An operation of one operand.
#[inline(always)]
fn unary(op: ScalarOp, a: &[f32], out: &mut [f32]) {
    match op {
        ScalarOp::Neg => each(a, out, |x| -x),
        ScalarOp::Abs => each(a, out, f32::abs),
        ScalarOp::Exp => each(a, out, math::exp),
        ScalarOp::Expm1 => each(a, out, math::expm1),
        ScalarOp::Log => each(a, out, math::log),
        ScalarOp::Log1p => each(a, out, math::log1p),
        ScalarOp::Sqrt => each(a, out, f32::sqrt),
        ScalarOp::Sin => each(a, out, math::sin),
        ScalarOp::Cos => each(a, out, math::cos),
        ScalarOp::Tanh => each(a, out, math::tanh),
        ScalarOp::Erf => each(a, out, math::erf),
        ScalarOp::Floor => each(a, out, f32::floor),
        ScalarOp::Not => each(a, out, |x| truth(x == 0.0)),
        ScalarOp::Cast(DType::Bool) => each(a, out, |x| truth(x != 0.0)),
        ScalarOp::Cast(DType::Int) => each(a, out, f32::trunc),
        ScalarOp::Cast(DType::Float) => out.copy_from_slice(a),
        ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul | ScalarOp::Div | ScalarOp::Pow => {}
        ScalarOp::Min | ScalarOp::Max | ScalarOp::Less | ScalarOp::LessEqual => {}
        ScalarOp::Equal | ScalarOp::NotEqual | ScalarOp::And | ScalarOp::Or | ScalarOp::Select => {}
    }
}

/// An operation of two operands.
#[inline(always)]
fn binary(op: ScalarOp, a: Operand, b: Operand, out: &mut [f32]) {
    match op {
        ScalarOp::Add => both(a, b, out, |x, y| x + y),
        ScalarOp::Sub => both(a, b, out, |x, y| x - y),
        ScalarOp::Mul => both(a, b, out, |x, y| x * y),
        ScalarOp::Div => both(a, b, out, |x, y| x / y),
        ScalarOp::Pow => both(a, b, out, math::power),
        // Not `f32::min`, which hides a NaN.
        ScalarOp::Min => both(a, b, out, |x, y| if x <= y || x.is_nan() { x } else { y }),
        ScalarOp::Max => both(a, b, out, |x, y| if x >= y || x.is_nan() { x } else { y }),
        ScalarOp::Less => both(a, b, out, |x, y| truth(x < y)),
        ScalarOp::LessEqual => both(a, b, out, |x, y| truth(x <= y)),
        ScalarOp::Equal => both(a, b, out, |x, y| truth(x == y)),
        ScalarOp::NotEqual => both(a, b, out, |x, y| truth(x != y)),
        ScalarOp::And => both(a, b, out, |x, y| truth(x != 0.0 && y != 0.0)),
        ScalarOp::Or => both(a, b, out, |x, y| truth(x != 0.0 || y != 0.0)),
        ScalarOp::Neg | ScalarOp::Abs | ScalarOp::Exp | ScalarOp::Expm1 | ScalarOp::Log | ScalarOp::Log1p => {}
        ScalarOp::Sqrt | ScalarOp::Sin | ScalarOp::Cos | ScalarOp::Tanh | ScalarOp::Erf | ScalarOp::Floor => {}
        ScalarOp::Not | ScalarOp::Select | ScalarOp::Cast(_) => {}
    }
}

/// How many sums run side by side: a vector register of the widest processors.
const LANES: usize = 16;

/// One number of a row, by lanes and then across them: an order that does not depend on the processor.
#[inline(always)]
fn fold(reduce: Reduce, values: &[f32]) -> f32 {
    let (start, join): (f32, fn(f32, f32) -> f32) = match reduce {
        Reduce::Sum => (0.0, |a, b| a + b),
        Reduce::Max => (f32::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a }),
        Reduce::Min => (f32::INFINITY, |a, b| if b < a || b.is_nan() { b } else { a }),
    };
    let mut lanes = [start; LANES];
    let mut groups = values.chunks_exact(LANES);
    for group in groups.by_ref() {
        match reduce {
            Reduce::Sum => lanes.iter_mut().zip(group).for_each(|(sum, x)| *sum += x),
            Reduce::Max => {
                lanes.iter_mut().zip(group).for_each(|(m, x)| *m = if *x > *m || x.is_nan() { *x } else { *m })
            }
            Reduce::Min => {
                lanes.iter_mut().zip(group).for_each(|(m, x)| *m = if *x < *m || x.is_nan() { *x } else { *m })
            }
        }
    }
    lanes.iter_mut().zip(groups.remainder()).for_each(|(lane, x)| *lane = join(*lane, *x));
    lanes.into_iter().fold(start, join)
}

/// Adds a tile to what is collected.
#[inline(always)]
fn collect(reduce: Reduce, values: &[f32], target: Target, columns: usize, partial: &mut [f64]) {
    match target {
        Target::Columns => {
            for row in values.chunks_exact(columns.max(1)) {
                let cells = partial.iter_mut().zip(row);
                match reduce {
                    Reduce::Sum => cells.for_each(|(sum, x)| *sum += f64::from(*x)),
                    Reduce::Max | Reduce::Min => cells.for_each(|(m, x)| *m = reduce.join(*m, f64::from(*x))),
                }
            }
        }
        Target::All => partial[0] = reduce.join(partial[0], f64::from(fold(reduce, values))),
    }
}
