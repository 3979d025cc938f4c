//! The steps of a scalar operation.

use super::super::math::{self, Arithmetic};
use super::function::bits;
use super::steps::{Binary, Section, Source, Step, Test, Unary};
use crate::ir::{DType, ScalarOp};
use crate::plan::Storage;

const ALL: u32 = u32::MAX;

/// What an operation gives; `None` if machine code does not do it.
pub fn apply(op: ScalarOp, values: &[Source], storage: &[Storage], own: Storage, to: &mut Section) -> Option<Source> {
    let last = *storage.last()?;
    match (op, last) {
        (ScalarOp::Select, _) => Some(select(values, to)),
        (ScalarOp::Cast(dtype), from) => cast(dtype, from, values[0], own, to),
        (_, Storage::F32) => floats(op, values, to),
        (_, Storage::I32) => ints(op, values, to),
        (_, Storage::Bool) => truths(op, values, to),
        (_, Storage::F64) => None,
    }
}

/// By a comparison itself where it is in the same section.
fn select(values: &[Source], to: &mut Section) -> Source {
    let compared = match values[0] {
        Source::Value(value) => to.steps[value],
        Source::Fixed(_) => Step::Choose([values[0]; 3]),
    };
    match compared {
        Step::Compare(test, [a, b]) => to.pick(test, a, b, [values[1], values[2]]),
        _ => to.push(Step::Choose([values[0], values[1], values[2]])),
    }
}

fn floats(op: ScalarOp, values: &[Source], to: &mut Section) -> Option<Source> {
    let a = values[0];
    let b = values.get(1).copied().unwrap_or(a);
    Some(match op {
        ScalarOp::Neg => to.neg(a),
        ScalarOp::Abs => to.abs(a),
        ScalarOp::Exp => math::exp_of(to, a),
        ScalarOp::Expm1 => math::expm1_of(to, a),
        ScalarOp::Log => math::log_of(to, a),
        ScalarOp::Log1p => math::log1p_of(to, a),
        ScalarOp::Tanh => math::tanh_of(to, a),
        ScalarOp::Erf => math::erf_of(to, a),
        ScalarOp::Sqrt => to.unary(Unary::Sqrt, a),
        ScalarOp::Floor => to.unary(Unary::Floor, a),
        ScalarOp::Add => to.binary(Binary::Add, a, b),
        ScalarOp::Sub => to.binary(Binary::Sub, a, b),
        ScalarOp::Mul => to.binary(Binary::Mul, a, b),
        ScalarOp::Div => to.binary(Binary::Div, a, b),
        // The first where it is not greater, or is no number.
        ScalarOp::Min => {
            let least = to.pick(Test::LessEqual, a, b, [a, b]);
            to.pick(Test::Unordered, a, a, [a, least])
        }
        ScalarOp::Max => {
            let most = to.pick(Test::LessEqual, b, a, [a, b]);
            to.pick(Test::Unordered, a, a, [a, most])
        }
        ScalarOp::Quotient => {
            let quotient = to.binary(Binary::Div, a, b);
            to.unary(Unary::Floor, quotient)
        }
        ScalarOp::Less => to.push(Step::Compare(Test::Less, [a, b])),
        ScalarOp::LessEqual => to.push(Step::Compare(Test::LessEqual, [a, b])),
        ScalarOp::Equal => to.push(Step::Compare(Test::Equal, [a, b])),
        ScalarOp::NotEqual => to.push(Step::Compare(Test::NotEqual, [a, b])),
        // Calls of the standard library.
        ScalarOp::Sin | ScalarOp::Cos | ScalarOp::Pow | ScalarOp::Mod | ScalarOp::Atan2 => return None,
        ScalarOp::And | ScalarOp::Or | ScalarOp::Not | ScalarOp::Select | ScalarOp::Cast(_) => return None,
    })
}

fn ints(op: ScalarOp, values: &[Source], to: &mut Section) -> Option<Source> {
    let a = values[0];
    let b = values.get(1).copied().unwrap_or(a);
    Some(match op {
        ScalarOp::Neg => to.binary(Binary::IntSub, bits(0), a),
        ScalarOp::Abs => to.unary(Unary::IntAbs, a),
        ScalarOp::Add => to.binary(Binary::IntAdd, a, b),
        ScalarOp::Sub => to.binary(Binary::IntSub, a, b),
        ScalarOp::Mul => to.binary(Binary::IntMul, a, b),
        ScalarOp::Min => to.binary(Binary::IntMin, a, b),
        ScalarOp::Max => to.binary(Binary::IntMax, a, b),
        ScalarOp::Less => to.push(Step::Compare(Test::IntLess, [a, b])),
        ScalarOp::LessEqual => to.push(Step::Compare(Test::IntLessEqual, [a, b])),
        ScalarOp::Equal => to.push(Step::Compare(Test::IntEqual, [a, b])),
        ScalarOp::NotEqual => to.push(Step::Compare(Test::IntNotEqual, [a, b])),
        // There is no division of vectors of ints.
        ScalarOp::Mod | ScalarOp::Quotient => return None,
        ScalarOp::Exp | ScalarOp::Expm1 | ScalarOp::Log | ScalarOp::Log1p | ScalarOp::Sqrt | ScalarOp::Sin => {
            return None;
        }
        ScalarOp::Cos | ScalarOp::Tanh | ScalarOp::Erf | ScalarOp::Floor | ScalarOp::Div | ScalarOp::Pow => {
            return None;
        }
        ScalarOp::Atan2 | ScalarOp::And | ScalarOp::Or | ScalarOp::Not | ScalarOp::Select | ScalarOp::Cast(_) => {
            return None;
        }
    })
}

fn truths(op: ScalarOp, values: &[Source], to: &mut Section) -> Option<Source> {
    let a = values[0];
    let b = values.get(1).copied().unwrap_or(a);
    Some(match op {
        ScalarOp::And => to.binary(Binary::And, a, b),
        ScalarOp::Or => to.binary(Binary::Or, a, b),
        ScalarOp::Not => to.binary(Binary::Xor, a, bits(ALL)),
        ScalarOp::Neg | ScalarOp::Abs | ScalarOp::Exp | ScalarOp::Expm1 | ScalarOp::Log | ScalarOp::Log1p => {
            return None;
        }
        ScalarOp::Sqrt | ScalarOp::Sin | ScalarOp::Cos | ScalarOp::Tanh | ScalarOp::Erf | ScalarOp::Floor => {
            return None;
        }
        ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul | ScalarOp::Div | ScalarOp::Pow | ScalarOp::Min => return None,
        ScalarOp::Max | ScalarOp::Mod | ScalarOp::Quotient | ScalarOp::Atan2 | ScalarOp::Less => return None,
        ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual | ScalarOp::Select | ScalarOp::Cast(_) => {
            return None;
        }
    })
}

/// From one type to another.
fn cast(dtype: DType, from: Storage, a: Source, own: Storage, to: &mut Section) -> Option<Source> {
    let one = bits(1f32.to_bits());
    Some(match (from, dtype) {
        (Storage::F64, _) | (_, DType::Float) if own == Storage::F64 || from == Storage::F64 => return None,
        (Storage::F32, DType::Int) => {
            let value = to.unary(Unary::IntOfFloat, a);
            // Out of 32 bits the nearest int, 0 of what is no number; below they are the least int anyway.
            let value = to.pick(Test::LessEqual, bits(2_147_483_648f32.to_bits()), a, [bits(i32::MAX as u32), value]);
            to.pick(Test::Unordered, a, a, [bits(0), value])
        }
        (Storage::F32, DType::Bool) => to.push(Step::Compare(Test::NotEqual, [a, bits(0)])),
        (Storage::F32, DType::Float) => a,
        (Storage::I32, DType::Float) => to.unary(Unary::FloatOfInt, a),
        (Storage::I32, DType::Bool) => to.push(Step::Compare(Test::IntNotEqual, [a, bits(0)])),
        (Storage::I32, DType::Int) => a,
        (Storage::Bool, DType::Float) => to.binary(Binary::And, a, one),
        (Storage::Bool, DType::Int) => to.unary(Unary::IntAbs, a),
        (Storage::Bool, DType::Bool) => a,
        (Storage::F64, _) => return None,
    })
}
