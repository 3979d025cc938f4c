//! A loop of the plan, compiled: the slot of each instruction, and the sizes of tiles and chunks. It is independent of buffers,
//! so that kernels of equal code share it.

use super::jit::{Engine, Native};
use crate::ir::ScalarOp;
use crate::plan::{Instruction, Layout, Level, Loop, Operand, Register, Storage, Target};
use std::collections::HashMap;

/// Elements of a tile: half a dozen slots of this size stay in the L1 cache.
const TILE: usize = 1024;

/// Rows are divided into chunks of at most about this many elements, independently of the number of threads: reductions over rows
/// accumulate chunk by chunk, in their order.
const CHUNK: usize = 4 * 1024;

/// The most chunks, so that combining their accumulators costs little.
const MAX_CHUNKS: usize = 64;

/// As many chunks as a power of two: usual numbers of threads get equal shares.
fn rows_of_a_chunk(rows: usize, columns: usize) -> usize {
    let chunks = (rows * columns.max(1)).div_ceil(CHUNK).next_power_of_two().min(MAX_CHUNKS);
    rows.div_ceil(chunks).max(1)
}

/// Where the value of an instruction is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Location {
    Slot(usize),
    /// In an operand that is read, by its index among them: row `i` starts at `i * step`.
    Direct {
        read: usize,
        step: usize,
    },
    /// In the operand that it is stored to, by the index of the store.
    Written(usize),
    /// A scalar of the kernel, by its index, used as an immediate.
    Number(usize),
    /// Instructions without a value.
    Nothing,
}

/// A part of an operand that a store writes.
#[derive(Clone, Debug)]
pub struct Write {
    /// The number of the operand among those that are written.
    pub out: usize,
    /// The offset of the first element.
    pub start: usize,
    pub layout: Layout,
    /// How many of the layout's axes are rows.
    split: usize,
    /// Elements of a row.
    pub width: usize,
    /// Whether the part is contiguous and row-major.
    pub dense: bool,
    /// Elements from one row to the next; `None` if that varies.
    pub row_step: Option<usize>,
    /// Elements from one column to the next; `None` if that varies.
    pub column_step: Option<usize>,
}

impl Write {
    fn new(out: usize, start: isize, layout: &Layout, split: usize, width: usize) -> Write {
        let (dense, split) = (layout.is_dense(), split.min(layout.shape.len()));
        let step = |axes: std::ops::Range<usize>| {
            let (_, step) = Layout::merged(&layout.shape[axes.clone()], &layout.strides[axes])?;
            usize::try_from(step).ok()
        };
        Write {
            out,
            start: start.max(0) as usize,
            layout: layout.clone(),
            split,
            width,
            dense,
            row_step: if dense { Some(width) } else { step(0..split) },
            column_step: if dense || width == 1 { Some(1) } else { step(split..layout.shape.len()) },
        }
    }

    /// The offset of the first element of a row in the operand.
    pub fn row(&self, row: usize) -> usize {
        if let Some(step) = self.row_step {
            return self.start + row * step;
        }
        let (mut rest, mut place) = (row, self.start);
        for (size, stride) in self.layout.shape[..self.split].iter().zip(&self.layout.strides).rev() {
            place += rest % size * *stride as usize;
            rest /= size;
        }
        place
    }

    /// Sizes and strides of the columns.
    pub fn columns(&self) -> (&[usize], &[isize]) {
        (&self.layout.shape[self.split..], &self.layout.strides[self.split..])
    }

    /// Elements from the first of a row to its last.
    fn extent(&self) -> usize {
        if self.width == 0 || self.dense || self.column_step == Some(1) {
            return self.width;
        }
        let (sizes, strides) = self.columns();
        1 + sizes.iter().zip(strides).map(|(size, stride)| (size - 1) * *stride as usize).sum::<usize>()
    }
}

/// An operand that stores write.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    pub operand: Operand,
    pub storage: Storage,
    /// How many stores write parts of it.
    stores: usize,
}

pub struct Prepared {
    pub instructions: Vec<Instruction>,
    pub storage: Vec<Storage>,
    pub fetch: Vec<Location>,
    pub levels: Vec<Level>,
    pub slots: usize,
    pub rows: usize,
    pub columns: usize,
    pub tile_rows: usize,
    pub chunk_rows: usize,
    /// Operands that are only read; that are written by rows; that reductions over rows write.
    pub reads: Vec<Operand>,
    pub outs: Vec<Out>,
    pub collects: Vec<(Operand, Target)>,
    /// Of each store, in their order.
    pub writes: Vec<Write>,
    /// How many axes of the space are rows.
    pub split: usize,
    /// Its machine code, if it has one.
    pub native: Option<Native>,
}

impl Prepared {
    /// Of a loop that stands alone, or that follows a product and has the rows of that.
    pub fn new(body: &Loop, ends_product: bool, engine: Engine) -> Prepared {
        let flat = !ends_product && body.is_flat();
        let (rows, columns) = if flat { (body.shape.iter().product(), 1) } else { body.space() };
        let levels = body.levels();
        let (mut reads, mut writes, mut collects): (Vec<Operand>, Vec<Write>, Vec<_>) = Default::default();
        let mut outs: Vec<Out> = Vec::new();
        for instruction in &body.instructions {
            match instruction {
                Instruction::Store(from, operand, start, layout) => {
                    let out = outs.iter().position(|out| out.operand == *operand).unwrap_or_else(|| {
                        outs.push(Out { operand: *operand, storage: body.storage[*from], stores: 0 });
                        outs.len() - 1
                    });
                    outs[out].stores += 1;
                    let width = if levels[*from] == Level::Full { columns } else { 1 };
                    writes.push(Write::new(out, *start, layout, body.split, width));
                }
                Instruction::ReduceRows(_, _, target, operand) => collects.push((*operand, *target)),
                Instruction::Load(operand, ..) if !reads.contains(operand) => reads.push(*operand),
                _ => {}
            }
        }
        // An operand that is updated in place is read through the slice that writes it.
        reads.retain(|operand| !outs.iter().any(|out| out.operand == *operand));
        let chunk_rows = rows_of_a_chunk(rows, columns);
        let mut prepared = Prepared {
            instructions: body.instructions.clone(),
            storage: body.storage.clone(),
            fetch: Vec::new(),
            levels,
            slots: 0,
            rows,
            columns,
            tile_rows: (TILE / columns.max(1)).max(1).min(chunk_rows),
            chunk_rows,
            reads,
            outs,
            collects,
            writes,
            split: body.split,
            native: None,
        };
        prepared.assign_slots();
        prepared.native = Native::compile(body, &prepared, engine);
        prepared
    }

    pub fn chunks(&self) -> usize {
        self.rows.div_ceil(self.chunk_rows)
    }

    /// The elements of an operand that some rows write, and what lies between those.
    pub fn span(&self, out: usize, rows: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let writes = || self.writes.iter().filter(|write| write.out == out);
        if rows.is_empty() || writes().any(|write| write.width == 0) {
            return 0..0;
        }
        let first = writes().map(|write| write.row(rows.start)).min();
        let end = writes().map(|write| write.row(rows.end - 1) + write.extent()).max();
        first.unwrap_or(0)..end.unwrap_or(0)
    }

    /// Elements of a register in a full tile.
    pub fn tile(&self) -> usize {
        self.tile_rows * self.columns.max(1)
    }

    /// Register allocation: a slot is free again after the last instruction that reads it.
    fn assign_slots(&mut self) {
        let mut last: Vec<usize> = (0..self.instructions.len()).collect();
        for (at, instruction) in self.instructions.iter().enumerate() {
            instruction.registers().iter().for_each(|operand| last[*operand] = at);
        }
        let stores = self.stored_at_once();
        let spread = self.spread();
        let mut free: Vec<usize> = Vec::new();
        let mut fetch: Vec<Location> = Vec::new();
        let mut slots = 0;
        let mut new_slot = || {
            slots += 1;
            slots - 1
        };
        for (at, instruction) in self.instructions.iter().enumerate() {
            let direct = match instruction {
                Instruction::Load(operand, layout, level) => self.direct(at, *operand, layout, *level),
                _ => None,
            };
            let made = match (instruction, direct, stores.get(&at)) {
                (Instruction::Store(..) | Instruction::ReduceRows(..), ..) => Location::Nothing,
                (_, Some(direct), _) => direct,
                (Instruction::Scalar(scalar), ..) if !spread[at] => Location::Number(*scalar),
                // Filled before everything else, and stays: in a slot that nothing else has had.
                (Instruction::Scalar(_), ..) => Location::Slot(new_slot()),
                (_, None, Some(store)) => Location::Written(*store),
                (_, None, None) => Location::Slot(free.pop().unwrap_or_else(&mut new_slot)),
            };
            fetch.push(made);
            let mut ended: Vec<Register> = instruction.registers().to_vec();
            ended.push(at);
            ended.sort_unstable();
            ended.dedup();
            for register in ended.into_iter().filter(|register| last[*register] == at) {
                let stays = matches!(self.instructions[register], Instruction::Scalar(_));
                if let (Location::Slot(slot), false) = (fetch[register], stays) {
                    free.push(slot);
                }
            }
        }
        self.fetch = fetch;
        self.slots = slots;
    }

    /// Which scalars an instruction needs as a full tile, not as an immediate.
    fn spread(&self) -> Vec<bool> {
        let mut spread = vec![false; self.instructions.len()];
        for instruction in &self.instructions {
            let taken = match instruction {
                Instruction::Apply(ScalarOp::Select, operands) => &operands[..1],
                Instruction::Apply(op, _) if op.arity() == 2 => &[],
                Instruction::MultiplyAdd(..) => &[],
                other => other.registers(),
            };
            taken.iter().for_each(|register| spread[*register] = true);
        }
        spread
    }

    /// Registers whose value is computed where it is stored, and the number of the store: if the elements of a tile lie side by
    /// side there, and nothing else is stored in the operand. Nothing may read what the operand holds, the present value of a
    /// parameter, between the two. Truth values have another storage in memory.
    fn stored_at_once(&self) -> HashMap<Register, usize> {
        let mut last_load: HashMap<Operand, usize> = HashMap::new();
        let mut found = HashMap::new();
        let mut number = 0;
        for (at, instruction) in self.instructions.iter().enumerate() {
            match instruction {
                Instruction::Load(operand, ..) => {
                    last_load.insert(*operand, at);
                }
                Instruction::Store(from, operand, ..) => {
                    let undisturbed = last_load.get(operand).is_none_or(|load| load <= from);
                    let write = &self.writes[number];
                    let together = write.dense || (self.tile_rows == 1 && write.column_step == Some(1));
                    let alone = self.outs[write.out].stores == 1;
                    if undisturbed && together && alone && self.storage[*from] != Storage::Bool {
                        found.entry(*from).or_insert(number);
                    }
                    number += 1;
                }
                _ => {}
            }
        }
        found
    }

    /// Where an operand can be read without a copy: it is contiguous, or a tile is one row and rows are contiguous.
    fn direct(&self, at: Register, operand: Operand, layout: &Layout, level: Level) -> Option<Location> {
        if self.storage[at] == Storage::Bool {
            return None;
        }
        let read = self.reads.iter().position(|read| *read == operand)?;
        let width = if level == Level::Full { self.columns } else { 1 };
        if layout.is_dense() {
            return Some(Location::Direct { read, step: width });
        }
        if self.tile_rows != 1 || level != Level::Full {
            return None;
        }
        let split = self.split.min(layout.shape.len());
        let (_, step) = Layout::merged(&layout.shape[..split], &layout.strides[..split])?;
        let (_, column_step) = Layout::merged(&layout.shape[split..], &layout.strides[split..])?;
        let step = usize::try_from(step).ok()?;
        (column_step == 1 || self.columns == 1).then_some(Location::Direct { read, step })
    }
}
