//! A loop of the plan, made ready: which instruction writes which slot, and how much is done at a time.

use std::collections::HashMap;

use crate::ir::ScalarOp;
use crate::plan::{BufferId, Instruction, Level, Loop, Register, Target, View};

/// Elements of a tile: half a dozen slots of it stay in the first cache.
const TILE: usize = 1024;

/// Rows are dealt in chunks of at most about so many elements, whatever the number of threads: what is collected over rows
/// is collected chunk by chunk, in their order.
const CHUNK: usize = 4 * 1024;

/// At most so many chunks, so that collecting them costs little.
const MAX_CHUNKS: usize = 64;

/// As many chunks as a power of two: usual numbers of threads get equal shares.
fn rows_of_a_chunk(rows: usize, columns: usize) -> usize {
    let chunks = (rows * columns.max(1)).div_ceil(CHUNK).next_power_of_two().min(MAX_CHUNKS);
    rows.div_ceil(chunks).max(1)
}

/// Where the value of an instruction is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fetch {
    Slot(usize),
    /// In a buffer that is read, by its number among them: the first row from a place on, each further one a step after it.
    Direct {
        read: usize,
        start: usize,
        step: usize,
    },
    /// In the buffer that it is stored in, by its number among those that are written.
    Written(usize),
    /// A scalar of the host, by its number, that arithmetic takes as it is.
    Number(usize),
    /// An instruction without a value.
    Nothing,
}

pub struct Code {
    pub instructions: Vec<Instruction>,
    pub fetch: Vec<Fetch>,
    pub levels: Vec<Level>,
    pub slots: usize,
    pub rows: usize,
    pub columns: usize,
    pub tile_rows: usize,
    pub chunk_rows: usize,
    /// Buffers that are read, written by rows, and collected into.
    pub reads: Vec<BufferId>,
    pub writes: Vec<(BufferId, Level)>,
    pub collects: Vec<(BufferId, Target)>,
    /// How many axes of the space are rows.
    pub split: usize,
}

impl Code {
    /// Of a loop that stands alone, or that ends a product, whose rows are then its own.
    pub fn new(body: &Loop, ends_product: bool) -> Code {
        let flat = !ends_product && body.is_flat();
        let (rows, columns) = if flat { (body.shape.iter().product(), 1) } else { body.space() };
        let split = body.split.unwrap_or(body.shape.len().saturating_sub(1));
        let (mut reads, mut writes, mut collects): (Vec<BufferId>, Vec<_>, Vec<_>) =
            (Vec::new(), Vec::new(), Vec::new());
        for instruction in &body.instructions {
            match instruction {
                Instruction::Store(from, buffer) => writes.push((*buffer, body.level(*from))),
                Instruction::Collect(_, _, target, buffer) => collects.push((*buffer, *target)),
                Instruction::Load(View { buffer: Some(buffer), .. }, _) if !reads.contains(buffer) => {
                    reads.push(*buffer)
                }
                _ => {}
            }
        }
        // What is written in place is read through what writes it.
        reads.retain(|buffer| !writes.iter().any(|(written, _)| written == buffer));
        let levels = (0..body.instructions.len()).map(|register| body.level(register)).collect();
        let chunk_rows = rows_of_a_chunk(rows, columns);
        let mut code = Code {
            instructions: body.instructions.clone(),
            fetch: Vec::new(),
            levels,
            slots: 0,
            rows,
            columns,
            tile_rows: (TILE / columns.max(1)).max(1).min(chunk_rows),
            chunk_rows,
            reads,
            writes,
            collects,
            split,
        };
        code.assign_slots();
        code
    }

    pub fn chunks(&self) -> usize {
        self.rows.div_ceil(self.chunk_rows)
    }

    /// Elements of a register in a full tile.
    pub fn tile(&self) -> usize {
        self.tile_rows * self.columns.max(1)
    }

    /// A slot is free again after the last instruction that reads it.
    fn assign_slots(&mut self) {
        let mut last: Vec<usize> = (0..self.instructions.len()).collect();
        for (at, instruction) in self.instructions.iter().enumerate() {
            instruction.operands().into_iter().for_each(|operand| last[operand] = at);
        }
        let stores = self.stored_at_once();
        let mut free: Vec<usize> = Vec::new();
        let mut fetch: Vec<Fetch> = Vec::new();
        let mut slots = 0;
        let mut new_slot = || {
            slots += 1;
            slots - 1
        };
        for (at, instruction) in self.instructions.iter().enumerate() {
            let direct = match instruction {
                Instruction::Load(view, level) => self.direct(view, *level),
                _ => None,
            };
            let made = match (instruction, direct, stores.get(&at)) {
                (Instruction::Store(..) | Instruction::Collect(..), ..) => Fetch::Nothing,
                (_, Some(direct), _) => direct,
                (Instruction::Scalar(scalar), ..) if !self.is_spread(at) => Fetch::Number(*scalar),
                // Filled before everything else, and stays: in a slot that nothing else has had.
                (Instruction::Scalar(_), ..) => Fetch::Slot(new_slot()),
                (_, None, Some(store)) => Fetch::Written(*store),
                (_, None, None) => Fetch::Slot(free.pop().unwrap_or_else(&mut new_slot)),
            };
            fetch.push(made);
            let mut ended: Vec<Register> = instruction.operands();
            ended.push(at);
            ended.sort_unstable();
            ended.dedup();
            for register in ended.into_iter().filter(|register| last[*register] == at) {
                let stays = matches!(self.instructions[register], Instruction::Scalar(_));
                if let (Fetch::Slot(slot), false) = (fetch[register], stays) {
                    free.push(slot);
                }
            }
        }
        self.fetch = fetch;
        self.slots = slots;
    }

    /// Whether something takes a scalar element by element.
    fn is_spread(&self, scalar: Register) -> bool {
        self.instructions.iter().any(|instruction| match instruction {
            Instruction::Apply(ScalarOp::Select, operands) => operands[0] == scalar,
            Instruction::Apply(op, _) if op.arity() == 2 => false,
            other => other.operands().contains(&scalar),
        })
    }

    /// Registers whose value is made where it is stored, and the number of the store. Nothing may read what lies in the
    /// buffer, the present value of a parameter, between the two.
    fn stored_at_once(&self) -> HashMap<Register, usize> {
        let stores = self.instructions.iter().enumerate().filter_map(|(at, instruction)| match instruction {
            Instruction::Store(from, buffer) => Some((at, *from, *buffer)),
            _ => None,
        });
        let mut found = HashMap::new();
        for (number, (at, from, buffer)) in stores.enumerate() {
            let reads = |instruction: &Instruction| match instruction {
                Instruction::Load(view, _) => view.buffer == Some(buffer),
                _ => false,
            };
            if !self.instructions[from + 1..at].iter().any(reads) {
                found.entry(from).or_insert(number);
            }
        }
        found
    }

    /// Where a view can be read without a copy: it lies densely, or its rows do and there is one in a tile.
    fn direct(&self, view: &View, level: Level) -> Option<Fetch> {
        let read = self.reads.iter().position(|read| Some(*read) == view.buffer)?;
        let start = usize::try_from(view.start).ok()?;
        let width = if level == Level::Full { self.columns } else { 1 };
        if view.is_dense() {
            return Some(Fetch::Direct { read, start, step: width });
        }
        if self.tile_rows != 1 || level != Level::Full {
            return None;
        }
        let split = self.split.min(view.shape.len());
        let (_, step) = View::merged(&view.shape[..split], &view.strides[..split])?;
        let (_, column_step) = View::merged(&view.shape[split..], &view.strides[split..])?;
        let step = usize::try_from(step).ok()?;
        (column_step == 1 || self.columns == 1).then_some(Fetch::Direct { read, start, step })
    }
}
