//! From the instructions of a loop to steps in sections: what runs once for each row, and the runs over its columns between which
//! reductions over columns lie.

use super::super::code::Prepared;
use super::operation::apply;
use super::space::{Element, Memory, Space, Wanted};
use super::steps::{Fixed, Kind, Program, Section, Source, Step, Unary};
use crate::plan::{Instruction, Layout, Level, Loop, Register, Storage, Target};
use std::collections::{BTreeSet, HashMap};

/// The steps of a loop in its space; `None` if there is something in it that machine code does not do.
pub fn lower(body: &Loop, code: &Prepared, wide: bool) -> Option<(Program, Space)> {
    if code.rows == 0 || code.columns == 0 || !is_of_32_bits(code) {
        return None;
    }
    let mut this = Lowering {
        code,
        body,
        wide,
        level: vec![0; code.instructions.len()],
        stores: vec![None; code.instructions.len()],
        wanted: Vec::new(),
        access: HashMap::new(),
        program: Program::default(),
        kept: HashMap::new(),
        row_slots: HashMap::new(),
        values: HashMap::new(),
    };
    this.number();
    this.place();
    let needed = this.needed();
    let last = needed.len();
    for (at, needed) in needed.into_iter().enumerate() {
        this.row_section(at)?;
        if at + 1 < last || !needed.is_empty() {
            this.column_section(at, &needed)?;
        }
    }
    this.row_section(last)?;
    let Lowering { wanted, mut program, .. } = this;
    let crosses =
        |instruction: &Instruction| matches!(instruction, Instruction::ReduceColumns(..) | Instruction::Expand(_));
    let pure = code.levels.iter().all(|level| *level == Level::Full) && !code.instructions.iter().any(crosses);
    let (space, accesses) = Space::of(body, code, &wanted, pure)?;
    program.accesses = accesses;
    program.sections.retain(|section| !section.steps.is_empty());
    Some((program, space))
}

struct Lowering<'l> {
    code: &'l Prepared,
    body: &'l Loop,
    /// Whether vectors have 512 bits.
    wide: bool,
    /// Of a value of columns the run over columns that computes it; of a value of rows the first run before which it is there.
    level: Vec<usize>,
    /// The number of each store among the writes, and of each reduction over rows.
    stores: Vec<Option<usize>>,
    wanted: Vec<Wanted>,
    /// The access of each instruction that has one.
    access: HashMap<Register, usize>,
    program: Program,
    /// The row of working memory of each value that a later section reads.
    kept: HashMap<Register, usize>,
    /// The place of each value of a row.
    row_slots: HashMap<Register, usize>,
    /// What the registers are in the present section.
    values: HashMap<Register, Source>,
}

impl Lowering<'_> {
    /// Counts stores and reductions over rows.
    fn number(&mut self) {
        let (mut stores, mut collects) = (0, 0);
        for (at, instruction) in self.code.instructions.iter().enumerate() {
            match instruction {
                Instruction::Store(..) => {
                    self.stores[at] = Some(stores);
                    stores += 1;
                }
                Instruction::ReduceRows(..) => {
                    self.stores[at] = Some(collects);
                    collects += 1;
                }
                Instruction::Load(..)
                | Instruction::Iota(..)
                | Instruction::Scalar(_)
                | Instruction::Apply(..)
                | Instruction::MultiplyAdd(..)
                | Instruction::Convert(_)
                | Instruction::ReduceColumns(..)
                | Instruction::Expand(_) => {}
            }
        }
    }

    /// Finds the section of every value.
    fn place(&mut self) {
        for (at, instruction) in self.code.instructions.iter().enumerate() {
            let operands = instruction.registers().iter().map(|operand| self.level[*operand]).max().unwrap_or(0);
            let after = usize::from(matches!(instruction, Instruction::ReduceColumns(..)));
            self.level[at] = operands + after;
        }
    }

    fn is_row(&self, register: Register) -> bool {
        self.code.levels[register] == Level::Row
    }

    fn is_scalar(&self, register: Register) -> bool {
        matches!(self.code.instructions[register], Instruction::Scalar(_))
    }

    /// Whether an operand is written as well: what was read of it is not read again.
    fn is_updated(&self, operand: usize) -> bool {
        self.code.outs.iter().any(|out| out.operand == operand)
    }

    /// How many steps it takes to compute a value anew; `None` if that is too many.
    fn cost(&self, register: Register) -> Option<usize> {
        const MOST: usize = 3;
        let own = match &self.code.instructions[register] {
            Instruction::Scalar(_) | Instruction::Expand(_) => return Some(0),
            Instruction::Load(operand, ..) if self.is_updated(*operand) => return None,
            Instruction::Load(..) => 1,
            Instruction::MultiplyAdd(..) => 1,
            Instruction::Apply(op, _) if op.arity() == 2 && is_cheap(*op) => 1,
            Instruction::Apply(..) | Instruction::Iota(..) | Instruction::Convert(_) => return None,
            Instruction::ReduceColumns(..) | Instruction::Store(..) | Instruction::ReduceRows(..) => return None,
        };
        let mut sum = own;
        for operand in self.code.instructions[register].registers() {
            sum += self.cost(*operand)?;
            if sum > MOST {
                return None;
            }
        }
        (sum <= MOST).then_some(sum)
    }

    /// The values of columns that each run computes, in the order of the instructions, and which of them are kept for later ones.
    fn needed(&mut self) -> Vec<BTreeSet<Register>> {
        let mut roots: Vec<Vec<Register>> = Vec::new();
        let mut root = |level: usize, register: Register| {
            if roots.len() <= level {
                roots.resize_with(level + 1, Vec::new);
            }
            roots[level].push(register);
        };
        for (at, instruction) in self.code.instructions.iter().enumerate() {
            match instruction {
                Instruction::ReduceColumns(_, from) => root(self.level[*from], at),
                Instruction::Store(from, ..) | Instruction::ReduceRows(_, from, ..) if !self.is_row(*from) => {
                    root(self.level[*from], at);
                }
                Instruction::Store(..)
                | Instruction::ReduceRows(..)
                | Instruction::Load(..)
                | Instruction::Iota(..)
                | Instruction::Scalar(_)
                | Instruction::Apply(..)
                | Instruction::MultiplyAdd(..)
                | Instruction::Convert(_)
                | Instruction::Expand(_) => {}
            }
        }
        let mut needed = vec![BTreeSet::new(); roots.len()];
        for level in (0..roots.len()).rev() {
            let mut open = std::mem::take(&mut roots[level]);
            while let Some(register) = open.pop() {
                if !needed[level].insert(register) {
                    continue;
                }
                // What a row had before this run is there.
                let reduces = matches!(self.code.instructions[register], Instruction::ReduceColumns(..))
                    && self.level[register] == level + 1;
                if self.is_row(register) && !reduces && self.stores[register].is_none() {
                    needed[level].remove(&register);
                    continue;
                }
                let own = if reduces { level } else { self.level[register] };
                if own < level && self.cost(register).is_none() {
                    let next = self.kept.len();
                    self.kept.entry(register).or_insert(next);
                    roots[own].push(register);
                    continue;
                }
                open.extend(self.code.instructions[register].registers().iter().map(|from| narrow(self.code, *from)));
            }
        }
        self.program.kept = self.kept.len();
        needed
    }

    /// The access of an instruction, made at its first use.
    fn access(
        &mut self,
        at: Register,
        memory: Memory,
        element: Element,
        start: isize,
        layout: Layout,
        level: Level,
    ) -> usize {
        let wanted = &mut self.wanted;
        *self.access.entry(at).or_insert_with(|| {
            wanted.push(Wanted { memory, element, start, layout, level });
            wanted.len() - 1
        })
    }

    fn element(&self, register: Register) -> Element {
        if self.code.storage[register] == Storage::Bool { Element::Truth } else { Element::Word }
    }

    /// What a row computes before a run over its columns.
    fn row_section(&mut self, at: usize) -> Option<()> {
        let mut section = Section { scales: self.wide, ..Section::default() };
        self.values.clear();
        for register in 0..self.code.instructions.len() {
            let instruction = &self.code.instructions[register];
            let stored = matches!(instruction, Instruction::Store(..) | Instruction::ReduceRows(..));
            let is_converted = matches!(instruction, Instruction::Convert(_));
            if !self.is_row(register) || self.level[register] != at || self.is_scalar(register) || is_converted {
                continue;
            }
            if stored {
                self.end(register, &mut section)?;
                continue;
            }
            let value = match instruction {
                Instruction::ReduceColumns(..) => {
                    let place = self.reductions(at).position(|other| other == register)?;
                    section.push(Step::Total(place))
                }
                _ => self.compute(register, &mut section)?,
            };
            self.values.insert(register, value);
            // It stays for the sections that follow.
            let slot = self.row_slots.len();
            self.row_slots.insert(register, slot);
            section.push(Step::SetRow(slot, value));
        }
        self.program.row_values = self.row_slots.len();
        self.program.sections.push(section);
        Some(())
    }

    /// The reductions over columns whose results are there before a run.
    fn reductions(&self, at: usize) -> impl Iterator<Item = Register> + '_ {
        let all = self.code.instructions.iter().enumerate();
        all.filter(move |(own, instruction)| {
            matches!(instruction, Instruction::ReduceColumns(_, from) if self.level[*from] + 1 == at)
                && self.level[*own] == at
        })
        .map(|(own, _)| own)
    }

    fn column_section(&mut self, at: usize, needed: &BTreeSet<Register>) -> Option<()> {
        let mut section = Section { over_columns: true, scales: self.wide, ..Section::default() };
        self.values.clear();
        for register in needed {
            match &self.code.instructions[*register] {
                Instruction::ReduceColumns(reduce, from) => {
                    let kind = match self.code.storage[*from] {
                        Storage::F32 => Kind::Float,
                        Storage::I32 if *reduce != crate::ir::Reduce::Sum => Kind::Int,
                        Storage::I32 | Storage::Bool | Storage::F64 => return None,
                    };
                    let from = self.value(*from)?;
                    section.accumulators.push((*reduce, kind));
                    section.push(Step::Accumulate(section.accumulators.len() - 1, from));
                }
                Instruction::Store(..) | Instruction::ReduceRows(..) => self.end(*register, &mut section)?,
                _ => {
                    let kept = self.kept.get(register).copied();
                    let value = match kept {
                        Some(kept) if self.level[*register] < at => section.push(Step::Kept(kept)),
                        _ => self.compute(*register, &mut section)?,
                    };
                    self.values.insert(*register, value);
                    if let (Some(kept), true) = (kept, self.level[*register] == at) {
                        section.push(Step::Keep(kept, value));
                    }
                }
            }
        }
        self.program.sections.push(section);
        Some(())
    }

    /// A store, or a reduction over rows.
    fn end(&mut self, at: Register, section: &mut Section) -> Option<()> {
        let number = self.stores[at]?;
        let instruction = self.code.instructions[at].clone();
        match instruction {
            Instruction::Store(from, _, start, layout) => {
                let out = self.code.writes[number].out;
                let level = self.code.levels[from];
                let access = self.access(at, Memory::Out(out), self.element(from), start, layout, level);
                let value = self.value(from)?;
                section.push(Step::Store(access, value));
            }
            Instruction::ReduceRows(reduce, from, target, _) => {
                let from = narrow(self.code, from);
                let mut value = self.value(from)?;
                let (level, split) = (self.code.levels[from], self.body.split);
                let kind = match self.code.storage[from] {
                    Storage::F32 => Kind::Float,
                    Storage::I32 => Kind::Int,
                    Storage::Bool => {
                        value = section.unary(Unary::IntAbs, value);
                        Kind::Int
                    }
                    Storage::F64 => return None,
                };
                match target {
                    Target::Columns => {
                        let shape = &self.body.shape;
                        let mut layout = Layout::dense(shape.clone());
                        layout.strides[..split].fill(0);
                        let access = self.access(at, Memory::Partial(number), Element::Wide, 0, layout, level);
                        section.push(Step::Collect(access, reduce, kind, value));
                    }
                    Target::All => {
                        let axes = if level == Level::Full { self.body.shape.len() } else { split };
                        let layout = Layout::dense(self.body.shape[..axes].to_vec());
                        let access = self.access(at, Memory::Tile(number), Element::Word, 0, layout, level);
                        section.push(Step::Store(access, value));
                    }
                }
            }
            Instruction::Load(..)
            | Instruction::Iota(..)
            | Instruction::Scalar(_)
            | Instruction::Apply(..)
            | Instruction::MultiplyAdd(..)
            | Instruction::Convert(_)
            | Instruction::ReduceColumns(..)
            | Instruction::Expand(_) => {}
        }
        Some(())
    }

    /// What a register is in the present section.
    fn value(&mut self, register: Register) -> Option<Source> {
        if let Some(known) = self.values.get(&register) {
            return Some(*known);
        }
        let fixed = match self.code.instructions[register] {
            Instruction::Scalar(scalar) => {
                let kind = match self.code.storage[register] {
                    Storage::F32 => Kind::Float,
                    Storage::I32 => Kind::Int,
                    Storage::Bool => Kind::Truth,
                    Storage::F64 => return None,
                };
                let scalars = &mut self.program.scalars;
                let known = scalars.iter().position(|known| *known == (scalar, kind));
                Fixed::Scalar(known.unwrap_or_else(|| {
                    scalars.push((scalar, kind));
                    scalars.len() - 1
                }))
            }
            Instruction::Expand(row) if self.is_scalar(row) => return self.value(row),
            Instruction::Expand(row) => Fixed::Row(*self.row_slots.get(&row)?),
            _ => Fixed::Row(*self.row_slots.get(&register)?),
        };
        Some(Source::Fixed(fixed))
    }

    /// The steps of an instruction.
    fn compute(&mut self, register: Register, section: &mut Section) -> Option<Source> {
        let code = self.code;
        let level = code.levels[register];
        match &code.instructions[register] {
            Instruction::Load(operand, layout, level) => {
                let element = self.element(register);
                let updated = code.outs.iter().position(|out| out.operand == *operand);
                let memory = match updated {
                    Some(out) => Memory::Out(out),
                    None => Memory::Read(code.reads.iter().position(|read| read == operand)?),
                };
                // An operand that is updated is read where it is written.
                let write = code.writes.iter().find(|write| Some(write.out) == updated);
                let (start, layout) = write.map_or((0, layout), |write| (write.start as isize, &write.layout));
                let access = self.access(register, memory, element, start, layout.clone(), *level);
                Some(section.push(Step::Load(access)))
            }
            Instruction::Iota(start, layout, level) => {
                let access = self.access(register, Memory::Offset, Element::Word, *start, layout.clone(), *level);
                Some(section.push(Step::Load(access)))
            }
            Instruction::Apply(op, operands) => {
                let values = operands.iter().map(|operand| self.value(*operand)).collect::<Option<Vec<Source>>>()?;
                let storage: Vec<Storage> = operands.iter().map(|operand| code.storage[*operand]).collect();
                apply(*op, &values, &storage, code.storage[register], section)
            }
            Instruction::MultiplyAdd(how, operands) => {
                let [a, b, c] = *operands;
                let values = [self.value(a)?, self.value(b)?, self.value(c)?];
                Some(section.push(Step::Fused(*how, values)))
            }
            Instruction::Scalar(_) | Instruction::Expand(_) => self.value(register),
            // Between floats of 32 and of 64 bits.
            Instruction::Convert(_) => None,
            Instruction::ReduceColumns(..) | Instruction::Store(..) | Instruction::ReduceRows(..) => {
                debug_assert!(level == Level::Row, "it is done by its section");
                None
            }
        }
    }
}

/// Whether a loop computes with 32 bits. What it only converts to reduce it over rows is one of them: reductions gather 64 bits
/// of either.
fn is_of_32_bits(code: &Prepared) -> bool {
    let is_wide = |register: &Register| code.storage[*register] == Storage::F64;
    code.instructions.iter().enumerate().all(|(at, instruction)| match instruction {
        Instruction::ReduceRows(_, from, ..) => !is_wide(&narrow(code, *from)),
        Instruction::Convert(from) => is_wide(&at) && !is_wide(from),
        other => !is_wide(&at) && !other.registers().iter().any(is_wide),
    })
}

/// What a register was before it was converted to 64 bits.
fn narrow(code: &Prepared, register: Register) -> Register {
    match code.instructions[register] {
        Instruction::Convert(from) => from,
        _ => register,
    }
}

/// Whether an operation is as cheap as to store what it gives and read it again.
fn is_cheap(op: crate::ir::ScalarOp) -> bool {
    use crate::ir::ScalarOp;
    matches!(op, ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul)
}
