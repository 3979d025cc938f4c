//! The instructions of steps that read and write memory, and of reductions.

use super::assembler::*;
use super::emit::{Emitter, GATHERED, MOMENT, TAIL, TAIL_UPPER};
use super::frame::VECTOR;
use super::space::{Columns, Element, Memory};
use super::steps::{Fixed, Kind, Section, Source, Test};
use crate::ir::Reduce;

/// Bytes of a boolean of each lane to all bits or none: the lowest bit to the highest, then everywhere.
const TO_TOP: u8 = 31;
/// Halves, quarters, pairs and neighbours of a vector change places.
const SWAP_HALVES: u8 = 0x4e;
const SWAP_NEIGHBOURS: u8 = 0xb1;

impl Emitter<'_> {
    /// The element that an access has for the present column.
    fn at_column(&self, base: General, element: Element) -> Place {
        let scale = match element {
            Element::Truth => 0,
            Element::Word => 2,
            Element::Wide => 3,
        };
        Place::At { base, index: Some((RCX, scale)), offset: 0 }
    }

    /// The elements that an access of adjacent or grouped columns has for the present vector.
    fn at_columns(&mut self, access: usize, base: General) -> Place {
        if !matches!(self.program.accesses[access].columns, Columns::Grouped(_)) {
            return self.at_column(base, Element::Word);
        }
        let list = self.list(access);
        self.assembler.address(RAX, list);
        let offset = self.at_column(RAX, Element::Word);
        self.assembler.load_int(RAX, offset);
        Place::At { base, index: Some((RAX, 2)), offset: 0 }
    }

    pub fn load(&mut self, access: usize, to: Vector) {
        let (memory, element) = (self.program.accesses[access].memory, self.program.accesses[access].element);
        if memory == Memory::Offset {
            return self.load_offset(access, to);
        }
        let base = self.pointer(access);
        if self.is_single(access) {
            return self.load_single(base, element, to);
        }
        match (&self.program.accesses[access].columns, element) {
            (Columns::Stepped(_) | Columns::Listed(_), _) => self.gather(access, base, to),
            (_, Element::Truth) => self.load_truths(base, to),
            (_, Element::Wide) => {
                let place = self.at_column(base, element);
                self.load_lanes(LOAD, MASKED_LOAD, to, place);
            }
            (Columns::None | Columns::Same | Columns::Adjacent | Columns::Grouped(_), Element::Word) => {
                let place = self.at_columns(access, base);
                self.load_lanes(LOAD, MASKED_LOAD, to, place);
            }
        }
    }

    /// The lanes of the present vector; the others are 0.
    fn load_lanes(&mut self, form: Form, masked: Form, to: Vector, place: Place) {
        match (self.is_tail, self.wide) {
            (false, _) => self.vector(form, to, 0, Last::Place(place)),
            (true, true) => {
                self.assembler.vector_with(self.size(), form, to, 0, Last::Place(place), TAIL, true, None);
            }
            (true, false) => {
                let mask = self.tail_mask_register();
                self.vector(masked, to, mask, Last::Place(place));
            }
        }
    }

    fn tail_mask_register(&mut self) -> Vector {
        let [mask, _] = self.moments();
        let place = self.in_frame(self.frame.mask);
        self.vector(LOAD, mask, 0, Last::Place(place));
        mask
    }

    /// One element, in every lane.
    fn load_single(&mut self, base: General, element: Element, to: Vector) {
        let place = Place::At { base, index: None, offset: 0 };
        match element {
            Element::Word | Element::Wide => self.vector(BROADCAST, to, 0, Last::Place(place)),
            Element::Truth => {
                self.assembler.load_byte(RAX, place);
                self.spread(RAX, to);
                self.truth_of_bit(to);
            }
        }
    }

    fn truth_of_bit(&mut self, to: Vector) {
        self.vector_imm(SHIFT, 6, to, Last::Vector(to), TO_TOP);
        self.vector_imm(SHIFT, 4, to, Last::Vector(to), TO_TOP);
    }

    /// A general register's low bits, in every lane.
    fn spread(&mut self, from: General, to: Vector) {
        if self.wide {
            return self.vector(BROADCAST_GENERAL, to, 0, Last::Vector(from.0));
        }
        self.assembler.vector(Width::Bits128, FROM_GENERAL, to, 0, Last::Vector(from.0));
        self.vector(BROADCAST_INT, to, 0, Last::Vector(to));
    }

    fn load_truths(&mut self, base: General, to: Vector) {
        let place = self.at_column(base, Element::Truth);
        if self.is_tail && !self.wide {
            self.each_byte(|this, lane, spare| {
                this.assembler.load_byte(RAX, Place::At { base, index: Some((RCX, 0)), offset: lane });
                this.assembler.store_byte(Place::At { base: RDI, index: None, offset: spare + lane }, RAX);
            });
            let spare = self.in_frame(self.frame.spare);
            self.vector(INTS_OF_BYTES, to, 0, Last::Place(spare));
        } else {
            self.load_lanes(INTS_OF_BYTES, INTS_OF_BYTES, to, place);
        }
        self.truth_of_bit(to);
    }

    /// Does something for each lane of the present vector of 256 bits: with its number, and the offset of the spare vector.
    fn each_byte(&mut self, mut act: impl FnMut(&mut Self, i32, i32)) {
        let end = self.assembler.label();
        let spare = self.frame.spare as i32;
        for lane in 0..8 {
            if self.is_tail {
                self.assembler.address(RAX, Place::At { base: RCX, index: None, offset: lane });
                self.assembler.compare(RAX, RDX);
                self.assembler.jump(Jump::NotBelow, end);
            }
            act(self, lane, spare);
        }
        self.assembler.place(end);
    }

    /// The offset of each column as its value.
    fn load_offset(&mut self, access: usize, to: Vector) {
        let base = self.pointer(access);
        if self.is_single(access) {
            return self.spread(base, to);
        }
        let stride = match &self.program.accesses[access].columns {
            Columns::None | Columns::Same => 0,
            Columns::Adjacent => 1,
            Columns::Stepped(stride) => *stride,
            Columns::Listed(_) | Columns::Grouped(_) => {
                let list = self.list(access);
                self.spread(base, to);
                self.assembler.address(RAX, list);
                let place = self.at_column(RAX, Element::Word);
                return self.vector(INT_ADD, to, to, Last::Place(place));
            }
        };
        self.assembler.multiply(RAX, RCX, stride);
        self.assembler.add(RAX, base);
        self.spread(RAX, to);
        let count = self.last(Source::Fixed(Fixed::Count(stride)));
        self.vector(INT_ADD, to, to, count);
    }

    /// Loads each lane from its own address.
    fn gather(&mut self, access: usize, base: General, to: Vector) {
        let (base, index) = self.addresses(access, base);
        self.vector(XOR, to, to, Last::Vector(to));
        let place = Last::Place(Place::Lanes { base, index, scale: 2 });
        if self.wide {
            self.gathered_lanes();
            self.assembler.vector_with(self.size(), GATHER, to, 0, place, GATHERED, false, None);
            return;
        }
        let [_, mask] = self.moments();
        if self.is_tail {
            let lanes = self.in_frame(self.frame.mask);
            self.vector(LOAD, mask, 0, Last::Place(lanes));
        } else {
            self.vector(INT_EQUAL, mask, mask, Last::Vector(mask));
        }
        self.vector(GATHER, to, mask, place);
    }

    /// The mask that a gather consumes.
    fn gathered_lanes(&mut self) {
        if self.is_tail {
            self.assembler.mask_copy(GATHERED, TAIL);
        } else {
            self.assembler.mask_all(GATHERED);
        }
    }

    /// An address and the distance of each lane from it, in elements.
    fn addresses(&mut self, access: usize, base: General) -> (General, Vector) {
        let [index, _] = self.moments();
        if let Columns::Stepped(stride) = self.program.accesses[access].columns {
            self.assembler.multiply(RAX, RCX, stride.wrapping_mul(4));
            self.assembler.add(RAX, base);
            return match self.last(Source::Fixed(Fixed::Count(stride))) {
                Last::Vector(held) => (RAX, held),
                Last::Place(place) => {
                    self.vector(LOAD, index, 0, Last::Place(place));
                    (RAX, index)
                }
            };
        }
        let list = self.list(access);
        self.assembler.address(RAX, list);
        let place = self.at_column(RAX, Element::Word);
        self.vector(LOAD, index, 0, Last::Place(place));
        (base, index)
    }

    pub fn store(&mut self, access: usize, from: Vector) {
        let element = self.program.accesses[access].element;
        let base = self.pointer(access);
        if self.is_single(access) {
            return self.store_single(base, element, from);
        }
        match (&self.program.accesses[access].columns, element) {
            (Columns::Stepped(_) | Columns::Listed(_), _) => {
                let (base, index) = self.addresses(access, base);
                self.gathered_lanes();
                let place = Last::Place(Place::Lanes { base, index, scale: 2 });
                self.assembler.vector_with(self.size(), SCATTER, from, 0, place, GATHERED, false, None);
            }
            (_, Element::Truth) => self.store_truths(base, from),
            (_, Element::Wide) => {
                let place = self.at_column(base, element);
                self.store_lanes(STORE, MASKED_STORE, from, place);
            }
            (Columns::None | Columns::Same | Columns::Adjacent | Columns::Grouped(_), Element::Word) => {
                let place = self.at_columns(access, base);
                self.store_lanes(STORE, MASKED_STORE, from, place);
            }
        }
    }

    fn store_lanes(&mut self, form: Form, masked: Form, from: Vector, place: Place) {
        match (self.is_tail, self.wide) {
            (false, _) => self.vector(form, from, 0, Last::Place(place)),
            (true, true) => {
                self.assembler.vector_with(self.size(), form, from, 0, Last::Place(place), TAIL, false, None);
            }
            (true, false) => {
                let mask = self.tail_mask_register();
                self.vector(masked, from, mask, Last::Place(place));
            }
        }
    }

    /// The first lane.
    fn store_single(&mut self, base: General, element: Element, from: Vector) {
        let place = Place::At { base, index: None, offset: 0 };
        match element {
            Element::Word | Element::Wide => self.vector(STORE_ONE, from, 0, Last::Place(place)),
            Element::Truth => {
                let spare = self.in_frame(self.frame.spare);
                self.vector(STORE, from, 0, Last::Place(spare));
                self.assembler.load_byte(RAX, spare);
                self.assembler.and_number(RAX, 1);
                self.assembler.store_byte(place, RAX);
            }
        }
    }

    fn store_truths(&mut self, base: General, from: Vector) {
        let [ones, _] = self.moments();
        self.vector(INT_ABS, ones, 0, Last::Vector(from));
        if self.wide {
            let place = Last::Place(self.at_column(base, Element::Truth));
            let mask = if self.is_tail { TAIL } else { 0 };
            self.assembler.vector_with(self.size(), BYTES_OF_INTS, ones, 0, place, mask, false, None);
            return;
        }
        let spare = self.in_frame(self.frame.spare);
        self.vector(STORE, ones, 0, Last::Place(spare));
        self.each_byte(|this, lane, spare| {
            this.assembler.load_byte(RAX, Place::At { base: RDI, index: None, offset: spare + lane * 4 });
            this.assembler.store_byte(Place::At { base, index: Some((RCX, 0)), offset: lane }, RAX);
        });
    }

    /// Joins a vector to accumulators of 64 bits in memory: the lower half of the lanes, then the upper one.
    pub fn collect(&mut self, access: usize, reduce: Reduce, kind: Kind, from: Vector) {
        let base = self.pointer(access);
        let widen = if kind == Kind::Int { WIDEN_INT } else { WIDEN };
        let half = self.lanes() / 2;
        let [value, _] = self.moments();
        for upper in [false, true] {
            let place = Place::At { base, index: Some((RCX, 3)), offset: (usize::from(upper) * half * 8) as i32 };
            match (upper, self.wide) {
                (false, _) => self.vector(widen, value, 0, Last::Vector(from)),
                (true, true) => {
                    self.vector_imm(UPPER_HALF, from, 0, Last::Vector(value), 1);
                    self.vector(widen, value, 0, Last::Vector(value));
                }
                (true, false) => {
                    self.vector_imm(UPPER_128, from, 0, Last::Vector(value), 1);
                    self.vector(widen, value, 0, Last::Vector(value));
                }
            }
            if self.wide {
                self.collect_wide(reduce, place, upper);
            } else {
                self.collect_half(reduce, place, upper);
            }
        }
    }

    fn collect_wide(&mut self, reduce: Reduce, place: Place, upper: bool) {
        let [value, sum] = self.moments();
        let size = self.size();
        let mask = match (self.is_tail, upper) {
            (false, _) => 0,
            (true, false) => TAIL,
            (true, true) => TAIL_UPPER,
        };
        self.assembler.vector_with(size, LOAD_64, sum, 0, Last::Place(place), mask, mask != 0, None);
        match reduce {
            Reduce::Sum => self.vector(ADD_64, sum, sum, Last::Vector(value)),
            Reduce::Max | Reduce::Min => {
                let form = if reduce == Reduce::Max { MAX_64 } else { MIN_64 };
                self.vector(form, sum, value, Last::Vector(sum));
                self.assembler.vector_with(size, COMPARE_64, MOMENT, value, Last::Vector(value), 0, false, Some(3));
                self.assembler.vector_with(size, BLEND_BY_MASK_64, sum, sum, Last::Vector(value), MOMENT, false, None);
            }
        }
        self.assembler.vector_with(size, STORE_64, sum, 0, Last::Place(place), mask, false, None);
    }

    fn collect_half(&mut self, reduce: Reduce, place: Place, upper: bool) {
        let [value, mask] = self.moments();
        let sum = self.lend();
        let lanes = self.in_frame(self.frame.mask + usize::from(upper) * 16);
        if self.is_tail {
            self.vector(WIDEN_MASK, mask, 0, Last::Place(lanes));
            self.vector(MASKED_LOAD_64, sum, mask, Last::Place(place));
        } else {
            self.vector(LOAD_64, sum, 0, Last::Place(place));
        }
        match reduce {
            Reduce::Sum => self.vector(ADD_64, sum, sum, Last::Vector(value)),
            Reduce::Max | Reduce::Min => {
                let form = if reduce == Reduce::Max { MAX_64 } else { MIN_64 };
                self.vector(form, sum, value, Last::Vector(sum));
                self.vector_imm(COMPARE_64, mask, value, Last::Vector(value), 3);
                self.vector_imm(BLEND_64, sum, sum, Last::Vector(value), mask << 4);
            }
        }
        if self.is_tail {
            self.vector(WIDEN_MASK, mask, 0, Last::Place(lanes));
            self.vector(MASKED_STORE_64, sum, mask, Last::Place(place));
        } else {
            self.vector(STORE_64, sum, 0, Last::Place(place));
        }
    }

    pub fn start_accumulators(&mut self, section: &Section) {
        let halves = if self.wide { 1 } else { 2 };
        for (at, (reduce, kind)) in section.accumulators.iter().enumerate() {
            let start = match (reduce, kind) {
                (Reduce::Sum, _) => 0,
                (Reduce::Max, Kind::Float) => f32::NEG_INFINITY.to_bits(),
                (Reduce::Min, Kind::Float) => f32::INFINITY.to_bits(),
                (Reduce::Max, Kind::Int | Kind::Truth) => i32::MIN as u32,
                (Reduce::Min, Kind::Int | Kind::Truth) => i32::MAX as u32,
            };
            for half in 0..halves {
                let accumulator = self.accumulators[at * halves + half];
                let place = self.fixed_place(Fixed::Constant(start));
                self.vector(LOAD, accumulator, 0, Last::Place(place));
            }
        }
    }

    /// `into = join(into, from)` of the lanes of a mask, if that is not 0; in 256 bits by way of a moment, without a mask.
    fn join(&mut self, (reduce, kind): (Reduce, Kind), into: Vector, from: Vector, mask: Mask) {
        let size = self.size();
        let form = match (reduce, kind) {
            (Reduce::Sum, _) => ADD,
            (Reduce::Max, Kind::Float) => MAX,
            (Reduce::Min, Kind::Float) => MIN,
            (Reduce::Max, Kind::Int | Kind::Truth) => INT_MAX,
            (Reduce::Min, Kind::Int | Kind::Truth) => INT_MIN,
        };
        let hides_nan = reduce != Reduce::Sum && kind == Kind::Float;
        // The first operand only where it is greater.
        let (first, second) = if reduce == Reduce::Sum { (into, from) } else { (from, into) };
        if self.wide {
            self.assembler.vector_with(size, form, into, first, Last::Vector(second), mask, false, None);
            if hides_nan {
                self.test_to_mask(Test::Unordered, MOMENT, mask, from, Last::Vector(from));
                self.assembler.vector_with(size, BLEND_BY_MASK, into, into, Last::Vector(from), MOMENT, false, None);
            }
            return;
        }
        self.vector(form, into, first, Last::Vector(second));
        if hides_nan {
            let [_, unordered] = self.moments();
            self.vector_imm(COMPARE, unordered, from, Last::Vector(from), 3);
            self.vector_imm(BLEND, into, into, Last::Vector(from), unordered << 4);
        }
    }

    pub fn accumulate(&mut self, how: (Reduce, Kind), at: usize, from: Vector) {
        if self.wide {
            let mask = if self.is_tail { TAIL } else { 0 };
            return self.join(how, self.accumulators[at], from, mask);
        }
        let accumulator = self.accumulators[at * 2 + self.phase];
        if !self.is_tail {
            return self.join(how, accumulator, from, 0);
        }
        let [joined, _] = self.moments();
        self.vector(LOAD, joined, 0, Last::Vector(accumulator));
        self.join(how, joined, from, 0);
        let [_, mask] = self.moments();
        let lanes = self.in_frame(self.frame.mask);
        self.vector(LOAD, mask, 0, Last::Place(lanes));
        self.vector_imm(BLEND, accumulator, accumulator, Last::Vector(joined), mask << 4);
    }

    /// Joins the lanes of each accumulator by halves, and leaves the total where the next section reads it.
    pub fn finish_accumulators(&mut self, section: &Section) {
        let [other, _] = self.moments();
        for (at, how) in section.accumulators.iter().enumerate() {
            let own = if self.wide {
                let own = self.accumulators[at];
                self.vector_imm(SHUFFLE_QUARTERS, other, own, Last::Vector(own), SWAP_HALVES);
                self.join(*how, own, other, 0);
                self.vector_imm(SHUFFLE_QUARTERS, other, own, Last::Vector(own), SWAP_NEIGHBOURS);
                self.join(*how, own, other, 0);
                own
            } else {
                let (own, upper) = (self.accumulators[at * 2], self.accumulators[at * 2 + 1]);
                self.join(*how, own, upper, 0);
                self.vector_imm(SWAP_128, other, own, Last::Vector(own), 1);
                self.join(*how, own, other, 0);
                own
            };
            for swap in [SWAP_HALVES, SWAP_NEIGHBOURS] {
                self.vector_imm(PERMUTE, other, 0, Last::Vector(own), swap);
                self.join(*how, own, other, 0);
            }
            self.vector(BROADCAST, own, 0, Last::Vector(own));
            let place = self.in_frame(self.frame.totals + at * VECTOR);
            self.vector(STORE, own, 0, Last::Place(place));
        }
    }
}
