//! Scalars that the host computes in f64 before a step: constants, settings, schedules, `1 - beta^t`. They are the same
//! for a whole shape, so that a broadcast of one is itself.

use crate::ir::{Binary, Compare, DType, Unary};

/// One scalar; operands are earlier scalars by number.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Constant(f64),
    /// An input that the host feeds.
    Input(u32),
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    Compare(Compare, usize, usize),
    And(usize, usize),
    Or(usize, usize),
    Not(usize),
    Select(usize, usize, usize),
    Cast(DType, usize),
}

/// The values of all scalars, given those of the inputs.
pub fn values(scalars: &[Scalar], input: impl Fn(u32) -> f64, values: &mut Vec<f64>) {
    values.clear();
    let truth = |holds: bool| f64::from(u8::from(holds));
    for scalar in scalars {
        let at = |number: &usize| values[*number];
        let value = match scalar {
            Scalar::Constant(value) => *value,
            Scalar::Input(number) => input(*number),
            Scalar::Unary(unary, a) => unary.value(at(a)),
            Scalar::Binary(binary, a, b) => binary.value(at(a), at(b)),
            Scalar::Compare(compare, a, b) => truth(compare.value(at(a), at(b))),
            Scalar::And(a, b) => truth(at(a) != 0.0 && at(b) != 0.0),
            Scalar::Or(a, b) => truth(at(a) != 0.0 || at(b) != 0.0),
            Scalar::Not(a) => truth(at(a) == 0.0),
            Scalar::Select(condition, yes, no) => at(if at(condition) != 0.0 { yes } else { no }),
            Scalar::Cast(DType::Float, a) => at(a),
            Scalar::Cast(DType::Int, a) => at(a).trunc(),
            Scalar::Cast(DType::Bool, a) => truth(at(a) != 0.0),
        };
        values.push(value);
    }
}
