//! Machine code from steps: the function's frame, its loops over rows and columns, and the registers of each section.

use super::assembler::{
    Assembler, Form, General, Jump, LOAD, Last, Mask, Place, RAX, RBP, RBX, RCX, RDI, RDX, RSI, STORE, Vector, Width,
    XOR,
};
use super::frame::{Frame, VECTOR};
use super::registers::{Moved, Registers, live, pressure};
use super::space::{Columns, Memory, Space};
use super::steps::{Fixed, Program, Section, Source, Step};
use std::collections::{BTreeSet, HashMap};

/// Registers for the addresses of accesses; what they hold must be given back to the caller.
const POINTERS: [General; 7] = [RBX, General(8), General(9), General(10), General(11), General(12), General(13)];
/// The first column.
const FIRST: General = General(14);
/// For an address that has no register of its own.
pub const FAR: General = General(15);
const SAVED: [General; 6] = [RBX, RBP, General(12), General(13), General(14), General(15)];

/// The lanes of the last vector of a row; a mask of the moment; the upper half of the first.
pub const TAIL: Mask = 1;
pub const MOMENT: Mask = 2;
pub const GATHERED: Mask = 3;
pub const TAIL_UPPER: Mask = 4;

pub struct Emitter<'p> {
    pub assembler: Assembler,
    /// Whether vectors have 512 bits.
    pub wide: bool,
    pub program: &'p Program,
    pub frame: Frame,
    pub registers: Registers,
    /// What follows the code, and where each vector and list is in it.
    data: Vec<u8>,
    vectors: HashMap<Fixed, usize>,
    lists: HashMap<usize, usize>,
    /// Vectors of memory that are in registers, in all sections or in the present one.
    held: HashMap<Fixed, Vector>,
    /// The registers of accumulators of the present section; of two for each one where vectors have half the lanes.
    pub accumulators: Vec<Vector>,
    pub phase: usize,
    /// Whether the present vector is the last of a row, with fewer lanes.
    pub is_tail: bool,
    over_columns: bool,
    pointers: HashMap<usize, General>,
    width: usize,
    joint: bool,
    most_slots: usize,
}

/// The function, and the bytes of its frame.
pub struct Emitted {
    pub bytes: Vec<u8>,
    pub frame: Frame,
    pub frame_bytes: usize,
}

/// The code of a program; `None` if a distance does not fit it.
pub fn emit(program: &Program, space: &Space, tile: usize, wide: bool) -> Option<Emitted> {
    let frame = Frame::new(program, space, tile);
    if i32::try_from(frame.slots).is_err() {
        return None;
    }
    let nothing = Registers::new(&Section::default(), &[], Vec::new(), 0);
    let mut this = Emitter {
        assembler: Assembler::default(),
        wide,
        program,
        frame,
        registers: nothing,
        data: Vec::new(),
        vectors: HashMap::new(),
        lists: HashMap::new(),
        held: HashMap::new(),
        accumulators: Vec::new(),
        phase: 0,
        is_tail: false,
        over_columns: false,
        pointers: HashMap::new(),
        width: space.width,
        joint: space.is_joint(),
        most_slots: 0,
    };
    this.function()?;
    let frame_bytes = this.frame.slots + this.most_slots * VECTOR;
    Some(Emitted { bytes: this.assembler.finish(&this.data), frame: this.frame, frame_bytes })
}

impl Emitter<'_> {
    pub fn lanes(&self) -> usize {
        if self.wide { 16 } else { 8 }
    }

    pub fn size(&self) -> Width {
        if self.wide { Width::Bits512 } else { Width::Bits256 }
    }

    /// Registers that steps use within themselves.
    pub fn moments(&self) -> [Vector; 2] {
        if self.wide { [30, 31] } else { [14, 15] }
    }

    fn all_registers(&self) -> Vec<Vector> {
        (0..if self.wide { 30 } else { 14 }).collect()
    }

    pub fn vector(&mut self, form: Form, first: Vector, second: Vector, last: Last) {
        self.assembler.vector(self.size(), form, first, second, last);
    }

    pub fn vector_imm(&mut self, form: Form, first: Vector, second: Vector, last: Last, imm: u8) {
        self.assembler.vector_imm(self.size(), form, first, second, last, imm);
    }

    pub fn in_frame(&self, offset: usize) -> Place {
        Place::At { base: RDI, index: None, offset: offset as i32 }
    }

    /// `fn(frame, rows, end of columns, first column)`: in `rdi`, `rsi`, `rdx`, `rcx`.
    fn function(&mut self) -> Option<()> {
        SAVED.iter().for_each(|register| self.assembler.push(*register));
        // The end of whole vectors of a row.
        self.assembler.copy(FIRST, RCX);
        self.assembler.copy(RBP, RDX);
        self.assembler.subtract(RBP, RCX);
        self.assembler.and_number(RBP, -(self.lanes() as i32));
        self.assembler.add(RBP, RCX);
        self.tail_mask();
        let sections = &self.program.sections;
        let read = rows_read(sections);
        let alive: Vec<Vec<bool>> = sections.iter().map(|section| live(section, &read)).collect();
        let free = self.hold_constants(&alive);
        let top = self.assembler.label();
        self.assembler.place(top);
        let always = self.held.clone();
        for (section, live) in sections.iter().zip(&alive) {
            self.held.clone_from(&always);
            if section.over_columns {
                self.columns(section, live, free.clone());
            } else {
                self.over_columns = false;
                self.is_tail = false;
                self.steps(section, live, free.clone());
            }
        }
        if !self.joint {
            for (at, access) in self.program.accesses.iter().enumerate().filter(|(_, access)| access.step != 0) {
                let size = if access.memory == Memory::Offset { 1 } else { access.element.size() as isize };
                let step = i32::try_from(access.step * size).ok()?;
                let place = self.in_frame(at * 8);
                self.assembler.add_number(Last::Place(place), step);
            }
            self.assembler.add_number(Last::Vector(RSI.0), -1);
            self.assembler.jump(Jump::NotEqual, top);
        }
        SAVED.iter().rev().for_each(|register| self.assembler.pop(*register));
        self.assembler.finish_function();
        Some(())
    }

    /// The lanes of the last vector, which has fewer than the others.
    fn tail_mask(&mut self) {
        self.assembler.copy(RCX, RDX);
        self.assembler.subtract(RCX, RBP);
        if self.wide {
            self.assembler.set(RAX, 1);
            self.assembler.shift_left(RAX);
            self.assembler.add_number(Last::Vector(RAX.0), -1);
            self.assembler.mask_of(TAIL, RAX);
            self.assembler.mask_upper(TAIL_UPPER, TAIL);
            return;
        }
        // Eight lanes of ones, then eight of zeros: the vector that starts as many lanes before the zeros as are wanted.
        let start = self.data.len();
        self.data.extend([0xff; 32]);
        self.data.extend([0; 32]);
        let [moment, _] = self.moments();
        self.assembler.address(RAX, Place::Data(start + 32));
        self.assembler.multiply(RCX, RCX, -4);
        self.vector(LOAD, moment, 0, Last::Place(Place::At { base: RAX, index: Some((RCX, 0)), offset: 0 }));
        let mask = self.in_frame(self.frame.mask);
        self.vector(STORE, moment, 0, Last::Place(mask));
    }

    /// Puts the vectors that are used most into registers for the whole function; returns the registers that remain.
    fn hold_constants(&mut self, alive: &[Vec<bool>]) -> Vec<Vector> {
        let mut most = 0;
        let mut counts: HashMap<Fixed, usize> = HashMap::new();
        for (section, live) in self.program.sections.iter().zip(alive) {
            let each = if self.wide { 1 } else { 2 };
            most = most.max(pressure(section, live) + each * section.accumulators.len());
            let weight = if section.over_columns { 4 } else { 1 };
            for (fixed, count) in self.fixed(section, live) {
                if !matches!(fixed, Fixed::Row(_)) {
                    *counts.entry(fixed).or_default() += weight * count;
                }
            }
        }
        let mut free = self.all_registers();
        // Some are lent within a step, and some are left to values of rows.
        let spare = free.len().saturating_sub(most + 5);
        for (fixed, _) in by_count(counts).into_iter().take(spare) {
            self.hold(fixed, &mut free);
        }
        free
    }

    fn hold(&mut self, fixed: Fixed, free: &mut Vec<Vector>) {
        let Some(register) = free.pop() else { return };
        let place = self.fixed_place(fixed);
        self.vector(LOAD, register, 0, Last::Place(place));
        self.held.insert(fixed, register);
    }

    /// How often each vector of memory is used by a section.
    fn fixed(&self, section: &Section, live: &[bool]) -> HashMap<Fixed, usize> {
        let mut counts: HashMap<Fixed, usize> = HashMap::new();
        for step in section.steps.iter().zip(live).filter(|(_, live)| **live).map(|(step, _)| step) {
            for source in step.sources() {
                if let Source::Fixed(fixed) = source {
                    *counts.entry(*fixed).or_default() += 1;
                }
            }
            if let Step::Load(access) = step
                && let Columns::Stepped(stride) = self.program.accesses[*access].columns
            {
                *counts.entry(Fixed::Count(stride)).or_default() += 1;
            }
        }
        counts
    }

    /// The loop over columns of a section.
    fn columns(&mut self, section: &Section, live: &[bool], mut free: Vec<Vector>) {
        self.over_columns = true;
        self.pointers.clear();
        let each = if self.wide { 1 } else { 2 };
        self.accumulators = free.drain(..each * section.accumulators.len()).collect();
        let most = pressure(section, live) + 3;
        let rows = self.fixed(section, live);
        let rows = rows.into_iter().filter(|(fixed, _)| matches!(fixed, Fixed::Row(_))).collect();
        let spare = free.len().saturating_sub(most);
        for (fixed, _) in by_count(rows).into_iter().take(spare) {
            self.hold(fixed, &mut free);
        }
        self.load_pointers(section, live);
        self.start_accumulators(section);
        self.assembler.copy(RCX, FIRST);
        let lanes = self.lanes();
        // Two halves of an accumulator take turns.
        let halves = if section.accumulators.is_empty() || self.wide { 1 } else { 2 };
        let whole = self.width / (lanes * halves) * (lanes * halves);
        let end = self.assembler.label();
        if self.joint || whole > 0 {
            let (top, past) = (self.assembler.label(), self.assembler.label());
            if self.joint {
                self.assembler.compare(RCX, RBP);
                self.assembler.jump(Jump::NotBelow, past);
            }
            self.assembler.place(top);
            for phase in 0..halves {
                self.vector_of_columns(section, live, &free, phase, false);
                self.assembler.add_number(Last::Vector(RCX.0), lanes as i32);
            }
            if self.joint {
                self.assembler.compare(RCX, RBP);
            } else {
                self.assembler.compare_number(Last::Vector(RCX.0), whole as i32);
            }
            self.assembler.jump(Jump::Below, top);
            self.assembler.place(past);
        }
        if self.joint {
            self.assembler.compare(RCX, RDX);
            self.assembler.jump(Jump::NotBelow, end);
            self.vector_of_columns(section, live, &free, 0, true);
        } else {
            let mut rest = self.width - whole;
            let mut phase = 0;
            if rest >= lanes {
                self.vector_of_columns(section, live, &free, 0, false);
                self.assembler.add_number(Last::Vector(RCX.0), lanes as i32);
                (rest, phase) = (rest - lanes, 1);
            }
            if rest > 0 {
                self.vector_of_columns(section, live, &free, phase, true);
            }
        }
        self.assembler.place(end);
        self.finish_accumulators(section);
        self.pointers.clear();
    }

    fn vector_of_columns(&mut self, section: &Section, live: &[bool], free: &[Vector], phase: usize, is_tail: bool) {
        (self.phase, self.is_tail) = (phase, is_tail);
        self.steps(section, live, free.to_vec());
    }

    /// The addresses that a section uses most go into registers.
    fn load_pointers(&mut self, section: &Section, live: &[bool]) {
        let mut next = POINTERS.iter();
        for (step, _) in section.steps.iter().zip(live).filter(|(_, live)| **live) {
            let access = match step {
                Step::Load(access) | Step::Store(access, _) | Step::Collect(access, ..) => *access,
                Step::Unary(..) | Step::Binary(..) | Step::Fused(..) | Step::Compare(..) | Step::Pick(..) => continue,
                Step::Choose(_) | Step::Accumulate(..) | Step::Keep(..) | Step::Kept(_) => continue,
                Step::SetRow(..) | Step::Total(_) => continue,
            };
            if self.pointers.contains_key(&access) {
                continue;
            }
            let Some(register) = next.next() else { return };
            let place = self.in_frame(access * 8);
            self.assembler.load(*register, place);
            self.pointers.insert(access, *register);
        }
    }

    /// The register with the address of an access.
    pub fn pointer(&mut self, access: usize) -> General {
        if let Some(register) = self.pointers.get(&access) {
            return *register;
        }
        let place = self.in_frame(access * 8);
        self.assembler.load(FAR, place);
        FAR
    }

    /// Whether each access has one element in this section.
    pub fn is_single(&self, access: usize) -> bool {
        !self.over_columns || matches!(self.program.accesses[access].columns, Columns::None | Columns::Same)
    }

    fn steps(&mut self, section: &Section, live: &[bool], free: Vec<Vector>) {
        self.registers = Registers::new(section, live, free, 0);
        for (at, step) in section.steps.iter().enumerate().filter(|(at, _)| live[*at]) {
            self.step(section, at, step);
        }
        self.most_slots = self.most_slots.max(self.registers.slots);
    }

    /// The vector of memory.
    pub fn fixed_place(&mut self, fixed: Fixed) -> Place {
        match fixed {
            Fixed::Scalar(scalar) => self.in_frame(self.frame.scalars + scalar * VECTOR),
            Fixed::Row(row) => self.in_frame(self.frame.row_values + row * VECTOR),
            Fixed::Constant(_) | Fixed::Count(_) => {
                let data = &mut self.data;
                Place::Data(*self.vectors.entry(fixed).or_insert_with(|| {
                    let start = data.len();
                    for lane in 0..16i32 {
                        let bits = match fixed {
                            Fixed::Constant(bits) => bits,
                            Fixed::Count(by) => lane.wrapping_mul(by) as u32,
                            Fixed::Scalar(_) | Fixed::Row(_) => 0,
                        };
                        data.extend(bits.to_le_bytes());
                    }
                    start
                }))
            }
        }
    }

    /// The offsets of the columns of an access, and what fills up a vector.
    pub fn list(&mut self, access: usize) -> Place {
        let (data, program) = (&mut self.data, self.program);
        Place::Data(*self.lists.entry(access).or_insert_with(|| {
            let start = data.len();
            if let Columns::Listed(all) | Columns::Grouped(all) = &program.accesses[access].columns {
                all.iter().for_each(|offset| data.extend(offset.to_le_bytes()));
            }
            // A vector that starts at any of them stays within.
            data.resize((data.len() + VECTOR).next_multiple_of(VECTOR), 0);
            start
        }))
    }

    fn moved(&mut self, moved: Option<Moved>) {
        if let Some(Moved { register, slot }) = moved {
            let place = self.in_frame(self.frame.slots + slot * VECTOR);
            self.vector(STORE, register, 0, Last::Place(place));
        }
    }

    /// A register for a result.
    pub fn take(&mut self) -> Vector {
        let (register, moved) = self.registers.take();
        self.moved(moved);
        register
    }

    pub fn lend(&mut self) -> Vector {
        let (register, moved) = self.registers.lend();
        self.moved(moved);
        register
    }

    /// A source, in a register.
    pub fn source(&mut self, source: Source) -> Vector {
        match source {
            Source::Value(value) => {
                if let Some(register) = self.registers.register(value) {
                    return register;
                }
                let register = self.take();
                let place = self.in_frame(self.frame.slots + self.registers.slot(value).unwrap_or(0) * VECTOR);
                self.vector(LOAD, register, 0, Last::Place(place));
                self.registers.hold(value, register);
                register
            }
            Source::Fixed(fixed) => {
                if let Some(register) = self.held.get(&fixed) {
                    return *register;
                }
                let register = self.lend();
                if fixed == Fixed::Constant(0) {
                    self.vector(XOR, register, register, Last::Vector(register));
                } else {
                    let place = self.fixed_place(fixed);
                    self.vector(LOAD, register, 0, Last::Place(place));
                }
                register
            }
        }
    }

    /// Whether a source is in a register already.
    pub fn at_hand(&self, source: Source) -> bool {
        match source {
            Source::Value(value) => self.registers.in_register(value),
            Source::Fixed(fixed) => self.held.contains_key(&fixed),
        }
    }

    /// A source as the last operand, which may be in memory.
    pub fn last(&mut self, source: Source) -> Last {
        match source {
            Source::Fixed(fixed) if !self.held.contains_key(&fixed) => Last::Place(self.fixed_place(fixed)),
            Source::Value(value) if !self.registers.in_register(value) => {
                Last::Place(self.in_frame(self.frame.slots + self.registers.slot(value).unwrap_or(0) * VECTOR))
            }
            Source::Value(_) | Source::Fixed(_) => Last::Vector(self.source(source)),
        }
    }
}

/// The values of rows that sections read.
fn rows_read(sections: &[Section]) -> BTreeSet<usize> {
    let sources = sections.iter().flat_map(|section| &section.steps).flat_map(Step::sources);
    sources
        .filter_map(|source| match source {
            Source::Fixed(Fixed::Row(row)) => Some(*row),
            Source::Fixed(_) | Source::Value(_) => None,
        })
        .collect()
}

/// Those that are used most first; in an order of their own where they are used alike.
fn by_count(counts: HashMap<Fixed, usize>) -> Vec<(Fixed, usize)> {
    let mut all: Vec<(Fixed, usize)> = counts.into_iter().collect();
    all.sort_by_key(|(fixed, count)| {
        let order = match fixed {
            Fixed::Constant(bits) => (0, i64::from(*bits)),
            Fixed::Scalar(at) => (1, *at as i64),
            Fixed::Row(at) => (2, *at as i64),
            Fixed::Count(by) => (3, i64::from(*by)),
        };
        (std::cmp::Reverse(*count), order)
    });
    all
}
