//! A loop of the plan, made ready: which instruction writes which slot, and how much is done at a time.

use crate::plan::{BufferId, Instruction, Level, Loop, Register, Target, View};

/// Elements of a tile: a dozen slots of it stay in the first cache.
const TILE: usize = 512;

/// Rows are dealt in chunks of about so many elements, whatever the number of threads: what is collected over rows is
/// collected chunk by chunk, in their order.
const CHUNK: usize = 4 * 1024;

/// At most so many chunks, so that collecting them costs little.
const MAX_CHUNKS: usize = 64;

/// Where the value of an instruction is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fetch {
    Slot(usize),
    /// In the buffer itself: a dense view, from this place on, by the number of the buffer among those that are read.
    Direct(usize, usize),
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
    pub fn new(body: &Loop) -> Code {
        let flat = body.is_flat();
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
        let chunk_rows = (CHUNK / columns.max(1)).max(rows.div_ceil(MAX_CHUNKS)).max(1);
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
        let mut free: Vec<usize> = Vec::new();
        let mut fetch: Vec<Fetch> = Vec::new();
        let mut slots = 0;
        let mut new_slot = || {
            slots += 1;
            slots - 1
        };
        for (at, instruction) in self.instructions.iter().enumerate() {
            let made = match instruction {
                Instruction::Store(..) | Instruction::Collect(..) => Fetch::Nothing,
                Instruction::Load(view, _) if self.is_direct(view) => {
                    let number = self.reads.iter().position(|read| Some(*read) == view.buffer);
                    Fetch::Direct(number.unwrap_or(0), view.start as usize)
                }
                // Scalars are filled before everything else, and stay: in a slot that nothing else has had.
                Instruction::Scalar(_) => Fetch::Slot(new_slot()),
                _ => Fetch::Slot(free.pop().unwrap_or_else(&mut new_slot)),
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

    fn is_direct(&self, view: &View) -> bool {
        view.is_dense() && view.start >= 0 && view.buffer.is_some_and(|buffer| self.reads.contains(&buffer))
    }
}
