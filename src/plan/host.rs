//! Scalars that the host computes in f64 before a step: constants, settings, schedules, `1 - beta^t`. A broadcast of one is
//! the scalar itself.

use crate::ir::{Number, ScalarOp};
use std::collections::HashMap;

/// One scalar; operands are earlier scalars by number.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Constant(f64),
    /// An input that the host feeds.
    Input(u32),
    Apply(ScalarOp, Vec<usize>),
}

/// Scalars in their order; equal ones are one.
#[derive(Default)]
pub(super) struct Scalars {
    pub all: Vec<Scalar>,
    known: HashMap<Key, usize>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Constant(Number),
    Input(u32),
    Apply(ScalarOp, Vec<usize>),
}

impl Scalars {
    /// The number of a scalar.
    pub fn number(&mut self, scalar: Scalar) -> usize {
        let key = match &scalar {
            Scalar::Constant(value) => Key::Constant(Number::new(*value)),
            Scalar::Input(number) => Key::Input(*number),
            Scalar::Apply(op, operands) => Key::Apply(*op, operands.clone()),
        };
        *self.known.entry(key).or_insert_with(|| {
            self.all.push(scalar);
            self.all.len() - 1
        })
    }
}

/// The values of all scalars, given those of the inputs.
pub fn values(scalars: &[Scalar], input: impl Fn(u32) -> f64, values: &mut Vec<f64>) {
    values.clear();
    for scalar in scalars {
        let value = match scalar {
            Scalar::Constant(value) => *value,
            Scalar::Input(number) => input(*number),
            Scalar::Apply(op, operands) => {
                let mut numbers = [0.0; 3];
                numbers.iter_mut().zip(operands).for_each(|(number, operand)| *number = values[*operand]);
                op.value(&numbers[..operands.len()])
            }
        };
        values.push(value);
    }
}
