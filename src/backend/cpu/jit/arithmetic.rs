//! The instructions of steps that compute.

use super::assembler::*;
use super::emit::{Emitter, MOMENT};
use super::steps::{Binary, Section, Source, Step, Test, Unary};
use crate::plan::Fused;

/// Towards the lesser, without an exception.
const FLOOR: u8 = 0b1001;
/// The bit of a mask, of a first and of a second vector where the mask has a bit, else of the second.
const CHOOSE: u8 = 0xca;

impl Test {
    /// Of floats as an immediate; of ints in the wide encoding.
    fn predicate(self) -> u8 {
        match self {
            Test::Less => 0x11,
            Test::LessEqual => 0x12,
            Test::Equal => 0x00,
            Test::NotEqual => 0x04,
            Test::Unordered => 0x03,
            Test::IntEqual => 0,
            Test::IntLess => 1,
            Test::IntLessEqual => 2,
            Test::IntNotEqual => 4,
        }
    }

    fn is_of_ints(self) -> bool {
        match self {
            Test::IntLess | Test::IntLessEqual | Test::IntEqual | Test::IntNotEqual => true,
            Test::Less | Test::LessEqual | Test::Equal | Test::NotEqual | Test::Unordered => false,
        }
    }
}

impl Emitter<'_> {
    /// One step.
    pub fn step(&mut self, section: &Section, at: usize, step: &Step) {
        match step {
            Step::Load(access) => {
                let to = self.take();
                self.load(*access, to);
                self.made(at, step, to);
            }
            Step::Unary(op, a) => self.unary(at, step, *op, *a),
            Step::Binary(op, [a, b]) => self.binary(at, step, *op, *a, *b),
            Step::Fused(how, [a, b, c]) => self.fused(at, step, *how, [*a, *b, *c]),
            Step::Compare(test, [a, b]) => {
                let a = self.source(*a);
                if self.wide {
                    let b = self.last(*b);
                    self.test_to_mask(*test, MOMENT, 0, a, b);
                    self.registers.release(step, at);
                    let to = self.take();
                    self.vector(VECTOR_OF_MASK, to, 0, Last::Vector(MOMENT));
                    self.made(at, step, to);
                } else {
                    let b = self.source(*b);
                    self.registers.release(step, at);
                    let to = self.take();
                    if self.test_to_vector(*test, to, a, b) {
                        let ones = self.ones();
                        self.vector(XOR, to, to, Last::Vector(ones));
                    }
                    self.made(at, step, to);
                }
            }
            Step::Pick(test, [a, b, x, y]) => self.pick(at, step, *test, [*a, *b], [*x, *y]),
            Step::Choose([mask, x, y]) => self.choose(at, step, [*mask, *x, *y]),
            Step::Accumulate(accumulator, a) => {
                let a = self.source(*a);
                self.accumulate(section.accumulators[*accumulator], *accumulator, a);
                self.registers.release(step, at);
            }
            Step::Store(access, a) => {
                let a = self.source(*a);
                self.store(*access, a);
                self.registers.release(step, at);
            }
            Step::Collect(access, reduce, kind, a) => {
                let a = self.source(*a);
                self.collect(*access, *reduce, *kind, a);
                self.registers.release(step, at);
            }
            Step::Keep(row, a) => {
                let a = self.source(*a);
                let place = self.kept(*row);
                self.vector(STORE, a, 0, Last::Place(place));
                self.registers.release(step, at);
            }
            Step::Kept(row) => {
                let to = self.take();
                let place = self.kept(*row);
                self.vector(LOAD, to, 0, Last::Place(place));
                self.made(at, step, to);
            }
            Step::SetRow(row, a) => {
                let a = self.source(*a);
                let place = self.in_frame(self.frame.row_values + row * super::frame::VECTOR);
                self.vector(STORE, a, 0, Last::Place(place));
                self.registers.release(step, at);
            }
            Step::Total(accumulator) => {
                let to = self.take();
                let place = self.in_frame(self.frame.totals + accumulator * super::frame::VECTOR);
                self.vector(LOAD, to, 0, Last::Place(place));
                self.made(at, step, to);
            }
        }
    }

    /// The present vector of a row of working memory.
    fn kept(&self, row: usize) -> Place {
        let offset = (self.frame.kept + row * self.frame.kept_bytes) as i32;
        Place::At { base: RDI, index: Some((RCX, 2)), offset }
    }

    /// A register has the result of a step.
    fn made(&mut self, at: usize, step: &Step, to: Vector) {
        self.registers.hold(at, to);
        self.registers.release(step, at);
        self.registers.forget(at);
    }

    fn unary(&mut self, at: usize, step: &Step, op: Unary, a: Source) {
        let (form, imm) = match op {
            Unary::Sqrt => (SQRT, None),
            Unary::Floor => (ROUND, Some(FLOOR)),
            Unary::IntOfFloat => (INT_OF_FLOAT, None),
            Unary::FloatOfInt => (FLOAT_OF_INT, None),
            Unary::IntAbs => (INT_ABS, None),
            Unary::ShiftLeft(by) | Unary::ShiftRight(by) => {
                let field = if matches!(op, Unary::ShiftLeft(_)) { 6 } else { 4 };
                let a = self.source(a);
                self.registers.release(step, at);
                let to = self.take();
                self.vector_imm(SHIFT, field, to, Last::Vector(a), by);
                return self.made(at, step, to);
            }
        };
        let a = self.last(a);
        self.registers.release(step, at);
        let to = self.take();
        match imm {
            Some(imm) => self.vector_imm(form, to, 0, a, imm),
            None => self.vector(form, to, 0, a),
        }
        self.made(at, step, to);
    }

    fn binary(&mut self, at: usize, step: &Step, op: Binary, a: Source, b: Source) {
        let (form, commutes) = match op {
            Binary::Add => (ADD, true),
            Binary::Sub => (SUB, false),
            Binary::Mul => (MUL, true),
            Binary::Div => (DIV, false),
            Binary::Scale => (SCALE, false),
            Binary::Max => (MAX, false),
            Binary::Min => (MIN, false),
            Binary::And => (AND, true),
            Binary::Or => (OR, true),
            Binary::Xor => (XOR, true),
            Binary::IntAdd => (INT_ADD, true),
            Binary::IntSub => (INT_SUB, false),
            Binary::IntMul => (INT_MUL, true),
            Binary::IntMax => (INT_MAX, true),
            Binary::IntMin => (INT_MIN, true),
        };
        let (a, b) = if commutes && !self.at_hand(a) && self.at_hand(b) { (b, a) } else { (a, b) };
        let a = self.source(a);
        let b = self.last(b);
        self.registers.release(step, at);
        let to = self.take();
        self.vector(form, to, a, b);
        self.made(at, step, to);
    }

    /// The result takes the register of a source that ends here, if there is one.
    fn fused(&mut self, at: usize, step: &Step, how: Fused, sources: [Source; 3]) {
        let [f132, f213, f231] = match how {
            Fused::Sum => [FMADD_132, FMADD_213, FMADD_231],
            Fused::Less => [FMSUB_132, FMSUB_213, FMSUB_231],
            Fused::From => [FNMADD_132, FNMADD_213, FNMADD_231],
        };
        let ends = |this: &Self, which: usize| match sources[which] {
            Source::Value(value) => {
                let alone = sources.iter().filter(|source| **source == sources[which]).count() == 1;
                alone && this.registers.ends(value, at) && this.registers.in_register(value)
            }
            Source::Fixed(_) => false,
        };
        let factor = if ends(self, 0) {
            Some((0, 1))
        } else if ends(self, 1) {
            Some((1, 0))
        } else {
            None
        };
        let to = match factor {
            Some((own, other)) => {
                let to = self.source(sources[own]);
                if self.at_hand(sources[2]) {
                    let c = self.source(sources[2]);
                    let other = self.last(sources[other]);
                    self.vector(f132, to, c, other);
                } else {
                    let other = self.source(sources[other]);
                    let c = self.last(sources[2]);
                    self.vector(f213, to, other, c);
                }
                self.pass_on(sources[own]);
                to
            }
            None => {
                let (a, b) = if self.at_hand(sources[0]) { (0, 1) } else { (1, 0) };
                let (a, b) = (self.source(sources[a]), self.last(sources[b]));
                let to = if ends(self, 2) {
                    let to = self.source(sources[2]);
                    self.pass_on(sources[2]);
                    to
                } else {
                    let c = self.last(sources[2]);
                    let to = self.take();
                    self.vector(LOAD, to, 0, c);
                    to
                };
                self.vector(f231, to, a, b);
                to
            }
        };
        self.made(at, step, to);
    }

    fn pass_on(&mut self, source: Source) {
        if let Source::Value(value) = source {
            self.registers.pass_on(value);
        }
    }

    /// A comparison to a mask, of the lanes of another if that is not 0.
    pub fn test_to_mask(&mut self, test: Test, to: Mask, among: Mask, a: Vector, b: Last) {
        let form = if test.is_of_ints() { INT_COMPARE_TO_MASK } else { COMPARE };
        let imm = Some(test.predicate());
        self.assembler.vector_with(self.size(), form, to, a, b, among, false, imm);
    }

    /// A comparison to a vector (of 256 bits). Returns whether it is the opposite.
    fn test_to_vector(&mut self, test: Test, to: Vector, a: Vector, b: Vector) -> bool {
        match test {
            Test::Less | Test::LessEqual | Test::Equal | Test::NotEqual | Test::Unordered => {
                self.vector_imm(COMPARE, to, a, Last::Vector(b), test.predicate());
                false
            }
            Test::IntEqual | Test::IntNotEqual => {
                self.vector(INT_EQUAL, to, a, Last::Vector(b));
                test == Test::IntNotEqual
            }
            Test::IntLess => {
                self.vector(INT_GREATER, to, b, Last::Vector(a));
                false
            }
            Test::IntLessEqual => {
                self.vector(INT_GREATER, to, a, Last::Vector(b));
                true
            }
        }
    }

    /// A register of ones.
    fn ones(&mut self) -> Vector {
        let [ones, _] = self.moments();
        self.vector(INT_EQUAL, ones, ones, Last::Vector(ones));
        ones
    }

    fn pick(&mut self, at: usize, step: &Step, test: Test, operands: [Source; 2], values: [Source; 2]) {
        let a = self.source(operands[0]);
        if self.wide {
            let b = self.last(operands[1]);
            self.test_to_mask(test, MOMENT, 0, a, b);
            let y = self.source(values[1]);
            let x = self.last(values[0]);
            self.registers.release(step, at);
            let to = self.take();
            self.assembler.vector_with(self.size(), BLEND_BY_MASK, to, y, x, MOMENT, false, None);
            return self.made(at, step, to);
        }
        let b = self.source(operands[1]);
        let [mask, _] = self.moments();
        let opposite = self.test_to_vector(test, mask, a, b);
        let (x, y) = if opposite { (values[1], values[0]) } else { (values[0], values[1]) };
        let y = self.source(y);
        let x = self.last(x);
        self.registers.release(step, at);
        let to = self.take();
        self.vector_imm(BLEND, to, y, x, mask << 4);
        self.made(at, step, to);
    }

    fn choose(&mut self, at: usize, step: &Step, [mask, x, y]: [Source; 3]) {
        if self.wide {
            let x = self.source(x);
            let y = self.last(y);
            let mask = self.last(mask);
            let to = self.take();
            self.vector(LOAD, to, 0, mask);
            self.vector_imm(TERNARY, to, x, y, CHOOSE);
            return self.made(at, step, to);
        }
        let mask = self.source(mask);
        let y = self.source(y);
        let x = self.last(x);
        self.registers.release(step, at);
        let to = self.take();
        self.vector_imm(BLEND, to, y, x, mask << 4);
        self.made(at, step, to);
    }
}
