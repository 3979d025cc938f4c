//! The interpreter of a loop's code. Each instruction runs on a whole tile, so that dispatch costs little.

use super::code::{Location, Prepared, Write};
use super::fold::{collect, fold, fold_ints};
use super::jit::{Native, run_checked};
use super::math;
use super::number::{Number, Operand, both, compare, each, select};
use crate::backend::tensor::places;
use crate::ir::{DType, ScalarOp};
use crate::plan::{Instruction, Layout, Level, Register, Storage};
use bytemuck::{cast_slice, cast_slice_mut};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// A share of a loop: rows of the space, and the slices that it writes.
pub struct Share<'a> {
    /// The first row, and how many.
    pub first: usize,
    pub rows: usize,
    /// Its part of every operand that is written, in bytes, and the first element of that.
    pub outs: Vec<(&'a mut [u8], usize)>,
    /// Accumulators of reductions over rows, in f64.
    pub partials: Vec<&'a mut [f64]>,
}

/// Some elements of an operand that is read, in bytes.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    pub bytes: &'a [u8],
    /// The element of the buffer that the operand starts from, counted from the first of these.
    pub start: isize,
}

/// The inputs of all shares.
pub struct Inputs<'a> {
    pub reads: &'a [Read<'a>],
    /// The values of the kernel's scalars.
    pub scalars: &'a [f64],
    /// Set where a sum of ints overflows 32 bits.
    pub overflow: &'a AtomicBool,
}

/// Slots of a thread, made once. In words of 8 bytes, so that they hold elements of any kind.
#[derive(Default)]
pub struct Scratch {
    slots: Vec<Vec<u64>>,
    /// What machine code works in.
    frame: Vec<u64>,
}

impl Scratch {
    /// Room for a code.
    pub fn reserve(&mut self, code: &Prepared) {
        self.slots.resize_with(self.slots.len().max(code.slots), Vec::new);
        let wide = code.storage.contains(&Storage::F64);
        let words = if wide { code.tile() } else { code.tile().div_ceil(2) };
        for slot in &mut self.slots[..code.slots] {
            slot.resize(slot.len().max(words), 0);
        }
        let words = code.native.as_ref().map_or(0, Native::words);
        self.frame.resize(self.frame.len().max(words), 0);
    }
}

/// Runs a code on a share: its machine code, or the interpreter.
pub fn run(code: &Prepared, share: &mut Share, inputs: &Inputs, scratch: &mut Scratch) {
    match &code.native {
        None => interpret(code, share, inputs, scratch),
        Some(native) if native.is_to_check() => {
            let mut frame = std::mem::take(&mut scratch.frame);
            let compiled = |share: &mut Share| native.run(code, share, inputs, &mut frame);
            run_checked(code, share, inputs, compiled, |share| interpret(code, share, inputs, scratch));
            scratch.frame = frame;
        }
        Some(native) => native.run(code, share, inputs, &mut scratch.frame),
    }
}

fn interpret(code: &Prepared, share: &mut Share, inputs: &Inputs, scratch: &mut Scratch) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { run_wide(code, share, inputs, scratch) };
    }
    run_here(code, share, inputs, scratch);
}

/// The same, compiled for 256-bit vectors.
///
/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_wide(code: &Prepared, share: &mut Share, inputs: &Inputs, scratch: &mut Scratch) {
    run_here(code, share, inputs, scratch);
}

#[inline(always)]
fn run_here(code: &Prepared, share: &mut Share, inputs: &Inputs, scratch: &mut Scratch) {
    for (register, instruction) in code.instructions.iter().enumerate() {
        if let (Instruction::Scalar(scalar), Location::Slot(slot)) = (instruction, code.fetch[register]) {
            fill(&mut scratch.slots[slot], code.storage[register], inputs.scalars[*scalar]);
        }
    }
    let mut done = 0;
    while done < share.rows {
        let rows = code.tile_rows.min(share.rows - done);
        let tile = Tile { code, inputs, row: share.first + done, rows };
        let (mut written, mut collected) = (0, 0);
        for (register, instruction) in code.instructions.iter().enumerate() {
            match instruction {
                Instruction::Scalar(_) => {}
                Instruction::Store(from, ..) => {
                    if code.fetch[*from] != Location::Written(written) {
                        let write = &code.writes[written];
                        let (out, start) = std::mem::take(&mut share.outs[write.out]);
                        tile.store(*from, write, share, scratch, out, start);
                        share.outs[write.out] = (out, start);
                    }
                    written += 1;
                }
                Instruction::ReduceRows(reduce, from, target, _) => {
                    let partial = std::mem::take(&mut share.partials[collected]);
                    match code.storage[*from] {
                        Storage::F32 => {
                            collect::<f32>(*reduce, tile.get(*from, share, scratch), *target, code.columns, partial)
                        }
                        Storage::F64 => {
                            collect::<f64>(*reduce, tile.get(*from, share, scratch), *target, code.columns, partial)
                        }
                        Storage::I32 | Storage::Bool => {
                            collect::<i32>(*reduce, tile.get(*from, share, scratch), *target, code.columns, partial)
                        }
                    }
                    share.partials[collected] = partial;
                    collected += 1;
                }
                _ => match code.fetch[register] {
                    Location::Slot(slot) => {
                        let mut out = std::mem::take(&mut scratch.slots[slot]);
                        tile.compute(register, instruction, share, scratch, cast_slice_mut(&mut out));
                        scratch.slots[slot] = out;
                    }
                    Location::Written(number) => {
                        let write = &code.writes[number];
                        let (out, start) = std::mem::take(&mut share.outs[write.out]);
                        let own = tile.written(write, register, start);
                        tile.compute(register, instruction, share, scratch, &mut out[own]);
                        share.outs[write.out] = (out, start);
                    }
                    Location::Direct { .. } | Location::Number(_) | Location::Nothing => {}
                },
            }
        }
        done += rows;
    }
}

/// A number everywhere in a slot.
fn fill(slot: &mut [u64], storage: Storage, value: f64) {
    match storage {
        Storage::F32 => cast_slice_mut::<u64, f32>(slot).fill(value as f32),
        Storage::F64 => cast_slice_mut::<u64, f64>(slot).fill(value),
        Storage::I32 => cast_slice_mut::<u64, i32>(slot).fill(value as i32),
        Storage::Bool => cast_slice_mut::<u64, u32>(slot).fill(u32::from(value != 0.0)),
    }
}

/// Some rows of the space, all their columns.
struct Tile<'a> {
    code: &'a Prepared,
    inputs: &'a Inputs<'a>,
    row: usize,
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

    /// Elements that a register has in this tile.
    #[inline(always)]
    fn len(&self, register: Register) -> usize {
        self.rows * self.width(register)
    }

    /// The bytes of a register in a part of an operand from some element on, where all of this tile lies side by side.
    #[inline(always)]
    fn written(&self, write: &Write, register: Register, start: usize) -> Range<usize> {
        let size = self.code.storage[register].size();
        let first = (write.row(self.row) - start) * size;
        first..first + self.len(register) * size
    }

    #[inline(always)]
    fn get<'s, T: bytemuck::Pod>(&'s self, register: Register, share: &'s Share, scratch: &'s Scratch) -> &'s [T] {
        let len = self.len(register);
        match self.code.fetch[register] {
            Location::Slot(slot) => &cast_slice::<u64, T>(&scratch.slots[slot])[..len],
            Location::Direct { read, step } => {
                let Read { bytes, start } = self.inputs.reads[read];
                let first = (start + (self.row * step) as isize) as usize;
                &cast_slice::<u8, T>(bytes)[first..][..len]
            }
            Location::Written(number) => {
                let write = &self.code.writes[number];
                let (out, start) = &share.outs[write.out];
                cast_slice::<u8, T>(&out[self.written(write, register, *start)])
            }
            Location::Number(_) | Location::Nothing => &[],
        }
    }

    #[inline(always)]
    fn operand<'s, T: Number>(&'s self, register: Register, share: &'s Share, scratch: &'s Scratch) -> Operand<'s, T> {
        match self.code.fetch[register] {
            Location::Number(scalar) => Operand::Number(T::of(self.inputs.scalars[scalar])),
            _ => Operand::Values(self.get(register, share, scratch)),
        }
    }

    /// Writes a register in a part of an operand, from the element `start` on.
    #[inline(always)]
    fn store(&self, from: Register, write: &Write, share: &Share, scratch: &Scratch, out: &mut [u8], start: usize) {
        match self.code.storage[from] {
            Storage::F32 | Storage::I32 => {
                self.put::<u32, u32>(self.get(from, share, scratch), write, cast_slice_mut(out), start, |x| x)
            }
            Storage::F64 => {
                self.put::<u64, u64>(self.get(from, share, scratch), write, cast_slice_mut(out), start, |x| x)
            }
            Storage::Bool => self.put::<u32, u8>(self.get(from, share, scratch), write, out, start, |x| x as u8),
        }
    }

    #[inline(always)]
    fn put<T: Copy, U>(&self, values: &[T], write: &Write, out: &mut [U], start: usize, f: impl Fn(T) -> U) {
        let place = |row: usize| write.row(self.row + row) - start;
        match (write.dense, write.width, write.row_step, write.column_step) {
            (true, ..) => each(values, &mut out[place(0)..][..values.len()], f),
            (false, 1, Some(step), _) => {
                let cells = out[place(0)..].iter_mut().step_by(step.max(1));
                cells.zip(values).for_each(|(cell, x)| *cell = f(*x));
            }
            (false, width, _, Some(step)) => {
                for (row, values) in values.chunks_exact(width.max(1)).enumerate() {
                    let cells = out[place(row)..].iter_mut().step_by(step.max(1));
                    cells.zip(values).for_each(|(cell, x)| *cell = f(*x));
                }
            }
            (false, width, _, None) => {
                let (sizes, strides) = write.columns();
                for (row, values) in values.chunks_exact(width.max(1)).enumerate() {
                    let mut values = values.iter();
                    places(sizes, strides, place(row) as isize, |place| {
                        values.next().into_iter().for_each(|x| out[place] = f(*x));
                    });
                }
            }
        }
    }

    #[inline(always)]
    fn compute(&self, register: Register, instruction: &Instruction, share: &Share, scratch: &Scratch, out: &mut [u8]) {
        let own = self.code.storage[register];
        // A boolean is as wide as a float in a slot.
        let size = if own == Storage::Bool { 4 } else { own.size() };
        let out = &mut out[..self.len(register) * size];
        match instruction {
            Instruction::Load(operand, layout, level) => match own {
                Storage::F32 | Storage::I32 => self.load::<u32>(*operand, layout, *level, share, cast_slice_mut(out)),
                Storage::F64 => self.load::<u64>(*operand, layout, *level, share, cast_slice_mut(out)),
                Storage::Bool => self.load_bools(*operand, layout, *level, share, cast_slice_mut(out)),
            },
            Instruction::Iota(start, layout, level) => {
                self.each_row(layout, *level, *start, cast_slice_mut::<u8, i32>(out), |row, start, sizes, strides| {
                    let mut cells = row.iter_mut();
                    walk(sizes, strides, start, |place| {
                        cells.next().into_iter().for_each(|cell| *cell = place as i32);
                    });
                });
            }
            Instruction::Apply(op, operands) => self.apply(*op, operands, own, share, scratch, out),
            Instruction::MultiplyAdd(how, operands) => {
                let [a, b, c] = operands.map(|operand| self.operand::<f32>(operand, share, scratch));
                math::multiply_add(*how, a, b, c, cast_slice_mut(out));
            }
            Instruction::Convert(a) => match own {
                Storage::F64 => each(self.get::<f32>(*a, share, scratch), cast_slice_mut::<u8, f64>(out), f64::from),
                _ => each(self.get::<f64>(*a, share, scratch), cast_slice_mut::<u8, f32>(out), |x| x as f32),
            },
            Instruction::ReduceColumns(reduce, a) => {
                let columns = self.code.columns;
                match own {
                    Storage::F32 => rows_of(self.get::<f32>(*a, share, scratch), columns, cast_slice_mut(out), |row| {
                        fold::<f32>(*reduce, row)
                    }),
                    Storage::F64 => rows_of(self.get::<f64>(*a, share, scratch), columns, cast_slice_mut(out), |row| {
                        fold::<f64>(*reduce, row)
                    }),
                    Storage::I32 | Storage::Bool => {
                        rows_of(self.get::<i32>(*a, share, scratch), columns, cast_slice_mut(out), |row| {
                            fold_ints(*reduce, row).unwrap_or_else(|| {
                                self.inputs.overflow.store(true, Ordering::Relaxed);
                                0
                            })
                        });
                    }
                }
            }
            Instruction::Expand(a) => {
                let columns = self.code.columns.max(1);
                match own {
                    Storage::F64 => expand(self.get::<u64>(*a, share, scratch), columns, cast_slice_mut(out)),
                    _ => expand(self.get::<u32>(*a, share, scratch), columns, cast_slice_mut(out)),
                }
            }
            Instruction::Scalar(_) | Instruction::Store(..) | Instruction::ReduceRows(..) => {}
        }
    }

    #[inline(always)]
    fn apply(
        &self,
        op: ScalarOp,
        operands: &[Register],
        own: Storage,
        share: &Share,
        scratch: &Scratch,
        out: &mut [u8],
    ) {
        let storage = self.code.storage[operands[operands.len() - 1]];
        match (op, storage) {
            (ScalarOp::Select, Storage::F64) => self.select::<f64>(operands, share, scratch, out),
            (ScalarOp::Select, Storage::F32) => self.select::<f32>(operands, share, scratch, out),
            // Ints and booleans are selected by their bits.
            (ScalarOp::Select, Storage::I32 | Storage::Bool) => self.select::<i32>(operands, share, scratch, out),
            (ScalarOp::Cast(dtype), _) => self.cast(dtype, operands[0], own, share, scratch, out),
            (_, Storage::F32) => self.numbers::<f32>(op, operands, own, share, scratch, out),
            (_, Storage::F64) => self.numbers::<f64>(op, operands, own, share, scratch, out),
            (_, Storage::I32) => self.numbers::<i32>(op, operands, own, share, scratch, out),
            (_, Storage::Bool) => {
                let out = cast_slice_mut::<u8, u32>(out);
                let operand = |at: usize| -> Operand<u32> {
                    match self.code.fetch[operands[at]] {
                        Location::Number(scalar) => Operand::Number(u32::from(self.inputs.scalars[scalar] != 0.0)),
                        _ => Operand::Values(self.get(operands[at], share, scratch)),
                    }
                };
                if op == ScalarOp::And {
                    both(operand(0), operand(1), out, |x, y| x & y);
                } else if op == ScalarOp::Or {
                    both(operand(0), operand(1), out, |x, y| x | y);
                } else {
                    each(self.get::<u32>(operands[0], share, scratch), out, |x| x ^ 1);
                }
            }
        }
    }

    #[inline(always)]
    fn select<T: Number>(&self, operands: &[Register], share: &Share, scratch: &Scratch, out: &mut [u8]) {
        let (a, b) = (self.operand::<T>(operands[1], share, scratch), self.operand::<T>(operands[2], share, scratch));
        select(self.get::<u32>(operands[0], share, scratch), a, b, cast_slice_mut(out));
    }

    #[inline(always)]
    fn numbers<T: Number>(
        &self,
        op: ScalarOp,
        operands: &[Register],
        own: Storage,
        share: &Share,
        scratch: &Scratch,
        out: &mut [u8],
    ) {
        if let [a] = operands {
            return T::unary(op, self.get(*a, share, scratch), cast_slice_mut(out));
        }
        let (a, b) = (self.operand::<T>(operands[0], share, scratch), self.operand::<T>(operands[1], share, scratch));
        match own {
            Storage::Bool => compare(op, a, b, cast_slice_mut(out)),
            _ => T::binary(op, a, b, cast_slice_mut(out)),
        }
    }

    /// From one type to another.
    #[inline(always)]
    fn cast(&self, dtype: DType, a: Register, own: Storage, share: &Share, scratch: &Scratch, out: &mut [u8]) {
        match (self.code.storage[a], dtype) {
            (Storage::F32, DType::Int) => each(self.get::<f32>(a, share, scratch), cast_slice_mut(out), |x| x as i32),
            (Storage::F32, _) => each(self.get::<f32>(a, share, scratch), cast_slice_mut(out), |x| u32::from(x != 0.0)),
            (Storage::F64, DType::Int) => each(self.get::<f64>(a, share, scratch), cast_slice_mut(out), |x| x as i32),
            (Storage::F64, _) => each(self.get::<f64>(a, share, scratch), cast_slice_mut(out), |x| u32::from(x != 0.0)),
            // Booleans are the ints 0 and 1.
            (Storage::I32 | Storage::Bool, DType::Float) => {
                let a = self.get::<i32>(a, share, scratch);
                match own {
                    Storage::F64 => each(a, cast_slice_mut::<u8, f64>(out), f64::from),
                    _ => each(a, cast_slice_mut::<u8, f32>(out), |x| x as f32),
                }
            }
            (Storage::I32 | Storage::Bool, DType::Bool) => {
                each(self.get::<i32>(a, share, scratch), cast_slice_mut(out), |x| u32::from(x != 0));
            }
            (Storage::I32 | Storage::Bool, DType::Int) => {
                each(self.get::<i32>(a, share, scratch), cast_slice_mut(out), |x| x);
            }
        }
    }

    /// Calls a function with each row of this tile: its cells, the offset of its first element, sizes and strides of its columns.
    #[inline(always)]
    fn each_row<T>(
        &self,
        layout: &Layout,
        level: Level,
        start: isize,
        out: &mut [T],
        f: impl Fn(&mut [T], isize, &[usize], &[isize]),
    ) {
        let split = if level == Level::Full { self.code.split.min(layout.shape.len()) } else { layout.shape.len() };
        let (row_sizes, column_sizes) = layout.shape.split_at(split);
        let (row_strides, column_strides) = layout.strides.split_at(split);
        let columns: usize = column_sizes.iter().product();
        let merged = Layout::merged(row_sizes, row_strides);
        for (at, row) in out.chunks_exact_mut(columns.max(1)).enumerate() {
            let (mut rest, mut first) = (self.row + at, start);
            if let Some((_, step)) = merged {
                first += rest as isize * step;
            } else {
                for (size, stride) in row_sizes.iter().zip(row_strides).rev() {
                    first += (rest % size) as isize * stride;
                    rest /= size;
                }
            }
            f(row, first, column_sizes, column_strides);
        }
    }

    /// An operand that is read and written: all of it, dense, by the same rows. Its part of the share, and the first element of
    /// this tile in that.
    #[inline(always)]
    fn in_place<'s>(&self, operand: usize, share: &'s Share) -> Option<(&'s [u8], usize)> {
        let out = self.code.outs.iter().position(|out| out.operand == operand)?;
        let write = self.code.writes.iter().find(|write| write.out == out)?;
        let (bytes, start) = &share.outs[out];
        Some((bytes, write.row(self.row) - start))
    }

    /// Loads a layout that cannot be read without a copy.
    #[inline(always)]
    fn load<T: bytemuck::Pod>(&self, operand: usize, layout: &Layout, level: Level, share: &Share, out: &mut [T]) {
        if let Some((bytes, from)) = self.in_place(operand, share) {
            return out.copy_from_slice(&cast_slice::<u8, T>(bytes)[from..][..out.len()]);
        }
        let Some(read) = self.code.reads.iter().position(|read| *read == operand) else { return };
        let Read { bytes, start } = self.inputs.reads[read];
        let source: &[T] = cast_slice(bytes);
        self.each_row(layout, level, start, out, |row, start, sizes, strides| match Layout::merged(sizes, strides) {
            Some((_, 0)) => row.fill(source[start as usize]),
            Some((_, 1)) => row.copy_from_slice(&source[start as usize..][..row.len()]),
            Some((_, stride)) => {
                let place = |column: usize| (start + column as isize * stride) as usize;
                row.iter_mut().enumerate().for_each(|(column, o)| *o = source[place(column)]);
            }
            None => {
                let mut cells = row.iter_mut();
                walk(sizes, strides, start, |place| {
                    cells.next().into_iter().for_each(|cell| *cell = source[place as usize]);
                });
            }
        });
    }

    /// The same for booleans, which are bytes in memory.
    #[inline(always)]
    fn load_bools(&self, operand: usize, layout: &Layout, level: Level, share: &Share, out: &mut [u32]) {
        if let Some((bytes, from)) = self.in_place(operand, share) {
            return each(&bytes[from..], out, u32::from);
        }
        let Some(read) = self.code.reads.iter().position(|read| *read == operand) else { return };
        let Read { bytes, start } = self.inputs.reads[read];
        if layout.is_dense() {
            // A flat loop has elements for rows, not the rows of its shape.
            let width = out.len() / self.rows.max(1);
            return each(&bytes[start.max(0) as usize + self.row * width..], out, u32::from);
        }
        self.each_row(layout, level, start, out, |row, start, sizes, strides| {
            let mut cells = row.iter_mut();
            walk(sizes, strides, start, |place| {
                cells.next().into_iter().for_each(|cell| *cell = u32::from(bytes[place as usize]));
            });
        });
    }
}

/// Visits the offsets of a layout.
#[inline(always)]
fn walk(sizes: &[usize], strides: &[isize], start: isize, mut visit: impl FnMut(isize)) {
    match Layout::merged(sizes, strides) {
        Some((count, stride)) => (0..count as isize).for_each(|at| visit(start + at * stride)),
        None => places(sizes, strides, start, |place| visit(place as isize)),
    }
}

/// Reduces each row to one value.
#[inline(always)]
fn rows_of<T>(values: &[T], columns: usize, out: &mut [T], f: impl Fn(&[T]) -> T) {
    out.iter_mut().enumerate().for_each(|(row, o)| *o = f(&values[row * columns..][..columns]));
}

#[inline(always)]
fn expand<T: Copy>(rows: &[T], columns: usize, out: &mut [T]) {
    out.chunks_exact_mut(columns).zip(rows).for_each(|(row, x)| row.fill(*x));
}
