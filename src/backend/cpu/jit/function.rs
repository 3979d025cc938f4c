//! A section under construction, and the functions of floats in it: those of `math`, of the same operations in the same order.

use super::super::math::{self, Arithmetic};
use super::steps::{Binary, Fixed, Section, Source, Step, Test, Unary};
use crate::plan::Fused;

impl Section {
    pub fn push(&mut self, step: Step) -> Source {
        self.steps.push(step);
        Source::Value(self.steps.len() - 1)
    }

    pub fn unary(&mut self, op: Unary, a: Source) -> Source {
        self.push(Step::Unary(op, a))
    }

    pub fn binary(&mut self, op: Binary, a: Source, b: Source) -> Source {
        self.push(Step::Binary(op, [a, b]))
    }

    pub fn pick(&mut self, test: Test, a: Source, b: Source, values: [Source; 2]) -> Source {
        self.push(Step::Pick(test, [a, b, values[0], values[1]]))
    }
}

pub fn bits(bits: u32) -> Source {
    Source::Fixed(Fixed::Constant(bits))
}

const SIGN: u32 = 1 << 31;

impl Arithmetic for Section {
    type Float = Source;
    type Int = Source;

    fn float(&mut self, value: f32) -> Source {
        bits(value.to_bits())
    }

    fn int(&mut self, value: i32) -> Source {
        bits(value as u32)
    }

    fn add(&mut self, a: Source, b: Source) -> Source {
        self.binary(Binary::Add, a, b)
    }

    fn sub(&mut self, a: Source, b: Source) -> Source {
        self.binary(Binary::Sub, a, b)
    }

    fn mul(&mut self, a: Source, b: Source) -> Source {
        self.binary(Binary::Mul, a, b)
    }

    fn div(&mut self, a: Source, b: Source) -> Source {
        self.binary(Binary::Div, a, b)
    }

    fn fused(&mut self, a: Source, b: Source, c: Source) -> Source {
        self.push(Step::Fused(Fused::Sum, [a, b, c]))
    }

    fn scaled(&mut self, a: Source, n: (Source, Source)) -> Source {
        if self.scales { self.binary(Binary::Scale, a, n.0) } else { math::scaled_in_halves(self, a, n.1) }
    }

    fn at_least(&mut self, a: Source, bound: Source) -> Source {
        self.binary(Binary::Max, bound, a)
    }

    fn at_most(&mut self, a: Source, bound: Source) -> Source {
        self.binary(Binary::Min, bound, a)
    }

    fn if_less(&mut self, a: Source, b: Source, values: [Source; 2]) -> Source {
        self.pick(Test::Less, a, b, values)
    }

    fn if_equal(&mut self, a: Source, b: Source, values: [Source; 2]) -> Source {
        self.pick(Test::Equal, a, b, values)
    }

    fn if_nan(&mut self, a: Source, values: [Source; 2]) -> Source {
        self.pick(Test::Unordered, a, a, values)
    }

    fn abs(&mut self, a: Source) -> Source {
        self.binary(Binary::And, a, bits(!SIGN))
    }

    fn neg(&mut self, a: Source) -> Source {
        self.binary(Binary::Xor, a, bits(SIGN))
    }

    fn with_sign(&mut self, a: Source, sign: Source) -> Source {
        let sign = self.binary(Binary::And, sign, bits(SIGN));
        let size = self.binary(Binary::And, a, bits(!SIGN));
        self.binary(Binary::Or, size, sign)
    }

    fn bits(&mut self, a: Source) -> Source {
        a
    }

    fn of_bits(&mut self, a: Source) -> Source {
        a
    }

    fn of_int(&mut self, a: Source) -> Source {
        self.unary(Unary::FloatOfInt, a)
    }

    fn int_add(&mut self, a: Source, b: Source) -> Source {
        self.binary(Binary::IntAdd, a, b)
    }

    fn int_sub(&mut self, a: Source, b: Source) -> Source {
        self.binary(Binary::IntSub, a, b)
    }

    fn int_and(&mut self, a: Source, b: Source) -> Source {
        self.binary(Binary::And, a, b)
    }

    fn shift_left(&mut self, a: Source, by: u8) -> Source {
        self.unary(Unary::ShiftLeft(by), a)
    }

    fn shift_right(&mut self, a: Source, by: u8) -> Source {
        self.unary(Unary::ShiftRight(by), a)
    }
}
