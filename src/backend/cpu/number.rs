//! The element types that loops compute with, each with its operations.

use super::math;
use crate::ir::ScalarOp;
use bytemuck::Pod;

/// An element type. Booleans are 0 and 1, in a slot as wide as a float.
pub trait Number: Pod + PartialOrd + Send + Sync {
    fn of(value: f64) -> Self;
    fn to_f64(self) -> f64;
    /// Of operations of one and of two operands to the same kind; what an operation is not of this kind gives the first one.
    fn unary(op: ScalarOp, a: &[Self], out: &mut [Self]);
    fn binary(op: ScalarOp, a: Operand<Self>, b: Operand<Self>, out: &mut [Self]);
}

/// An operand of arithmetic.
#[derive(Clone, Copy)]
pub enum Operand<'s, T> {
    Values(&'s [T]),
    /// The same for every element.
    Number(T),
}

#[inline(always)]
pub fn each<T: Copy, U>(a: &[T], out: &mut [U], f: impl Fn(T) -> U) {
    out.iter_mut().zip(a).for_each(|(o, x)| *o = f(*x));
}

#[inline(always)]
pub fn both<T: Copy, U: Copy>(a: Operand<T>, b: Operand<T>, out: &mut [U], f: impl Fn(T, T) -> U) {
    match (a, b) {
        (Operand::Values(a), Operand::Values(b)) => {
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (x, y))| *o = f(*x, *y));
        }
        (Operand::Values(a), Operand::Number(y)) => each(a, out, |x| f(x, y)),
        (Operand::Number(x), Operand::Values(b)) => each(b, out, |y| f(x, y)),
        (Operand::Number(x), Operand::Number(y)) => out.fill(f(x, y)),
    }
}

/// Elementwise selection.
#[inline(always)]
pub fn select<T: Copy>(c: &[u32], a: Operand<T>, b: Operand<T>, out: &mut [T]) {
    match (a, b) {
        (Operand::Values(a), Operand::Values(b)) => {
            let chosen = c.iter().zip(a).zip(b);
            out.iter_mut().zip(chosen).for_each(|(o, ((c, x), y))| *o = if *c != 0 { *x } else { *y });
        }
        (Operand::Values(a), Operand::Number(y)) => {
            out.iter_mut().zip(c.iter().zip(a)).for_each(|(o, (c, x))| *o = if *c != 0 { *x } else { y });
        }
        (Operand::Number(x), Operand::Values(b)) => {
            out.iter_mut().zip(c.iter().zip(b)).for_each(|(o, (c, y))| *o = if *c != 0 { x } else { *y });
        }
        (Operand::Number(x), Operand::Number(y)) => each(c, out, |c| if c != 0 { x } else { y }),
    }
}

/// Comparisons, to booleans.
#[inline(always)]
pub fn compare<T: Number>(op: ScalarOp, a: Operand<T>, b: Operand<T>, out: &mut [u32]) {
    match op {
        ScalarOp::Less => both(a, b, out, |x, y| u32::from(x < y)),
        ScalarOp::LessEqual => both(a, b, out, |x, y| u32::from(x <= y)),
        ScalarOp::Equal => both(a, b, out, |x, y| u32::from(x == y)),
        _ => both(a, b, out, |x, y| u32::from(x != y)),
    }
}

/// Applies a function of `math` to a slice.
fn map(op: ScalarOp, a: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if math::has_fused_products() {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { map_wide(op, a, out) };
    }
    map_here(op, a, out);
}

/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn map_wide(op: ScalarOp, a: &[f32], out: &mut [f32]) {
    map_here(op, a, out);
}

/// Loops without closures: those would be compiled on their own, for any processor, where a fused product is a call.
#[inline(always)]
fn map_here(op: ScalarOp, a: &[f32], out: &mut [f32]) {
    let all = out.iter_mut().zip(a);
    if op == ScalarOp::Exp {
        for (o, x) in all {
            *o = math::exp(*x);
        }
    } else if op == ScalarOp::Expm1 {
        for (o, x) in all {
            *o = math::expm1(*x);
        }
    } else if op == ScalarOp::Log {
        for (o, x) in all {
            *o = math::log(*x);
        }
    } else if op == ScalarOp::Log1p {
        for (o, x) in all {
            *o = math::log1p(*x);
        }
    } else if op == ScalarOp::Tanh {
        for (o, x) in all {
            *o = math::tanh(*x);
        }
    } else if op == ScalarOp::Erf {
        for (o, x) in all {
            *o = math::erf(*x);
        }
    }
}

impl Number for f32 {
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn unary(op: ScalarOp, a: &[f32], out: &mut [f32]) {
        match op {
            ScalarOp::Neg => each(a, out, |x| -x),
            ScalarOp::Abs => each(a, out, f32::abs),
            ScalarOp::Exp | ScalarOp::Expm1 | ScalarOp::Log | ScalarOp::Log1p => map(op, a, out),
            ScalarOp::Tanh | ScalarOp::Erf => map(op, a, out),
            ScalarOp::Sqrt => each(a, out, f32::sqrt),
            ScalarOp::Sin => each(a, out, math::sin),
            ScalarOp::Cos => each(a, out, math::cos),
            ScalarOp::Floor => each(a, out, f32::floor),
            // To another kind, of truth values, or of more operands: not here.
            ScalarOp::Cast(_) | ScalarOp::And | ScalarOp::Or | ScalarOp::Not | ScalarOp::Select => {}
            ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul | ScalarOp::Div | ScalarOp::Pow => {}
            ScalarOp::Min | ScalarOp::Max | ScalarOp::Mod | ScalarOp::Quotient | ScalarOp::Atan2 => {}
            ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual => {}
        }
    }

    #[inline(always)]
    fn binary(op: ScalarOp, a: Operand<f32>, b: Operand<f32>, out: &mut [f32]) {
        match op {
            ScalarOp::Add => both(a, b, out, |x, y| x + y),
            ScalarOp::Sub => both(a, b, out, |x, y| x - y),
            ScalarOp::Mul => both(a, b, out, |x, y| x * y),
            ScalarOp::Div => both(a, b, out, |x, y| x / y),
            ScalarOp::Pow => both(a, b, out, math::power),
            // Not `f32::min`, which hides a NaN.
            ScalarOp::Min => both(a, b, out, |x, y| if x <= y || x.is_nan() { x } else { y }),
            ScalarOp::Max => both(a, b, out, |x, y| if x >= y || x.is_nan() { x } else { y }),
            ScalarOp::Mod => both(a, b, out, math::left),
            ScalarOp::Quotient => both(a, b, out, |x, y| (x / y).floor()),
            ScalarOp::Atan2 => both(a, b, out, math::atan2),
            ScalarOp::Neg | ScalarOp::Abs | ScalarOp::Exp | ScalarOp::Expm1 | ScalarOp::Log | ScalarOp::Log1p => {}
            ScalarOp::Sqrt | ScalarOp::Sin | ScalarOp::Cos | ScalarOp::Tanh | ScalarOp::Erf | ScalarOp::Floor => {}
            ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual => {}
            ScalarOp::And | ScalarOp::Or | ScalarOp::Not | ScalarOp::Select | ScalarOp::Cast(_) => {}
        }
    }
}

/// In evaluation, by the definition itself.
impl Number for f64 {
    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn unary(op: ScalarOp, a: &[f64], out: &mut [f64]) {
        each(a, out, |x| op.value(&[x]));
    }

    #[inline(always)]
    fn binary(op: ScalarOp, a: Operand<f64>, b: Operand<f64>, out: &mut [f64]) {
        match op {
            ScalarOp::Add => both(a, b, out, |x, y| x + y),
            ScalarOp::Sub => both(a, b, out, |x, y| x - y),
            ScalarOp::Mul => both(a, b, out, |x, y| x * y),
            ScalarOp::Div => both(a, b, out, |x, y| x / y),
            _ => both(a, b, out, |x, y| op.value(&[x, y])),
        }
    }
}

impl Number for i32 {
    #[inline(always)]
    fn of(value: f64) -> i32 {
        value as i32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn unary(op: ScalarOp, a: &[i32], out: &mut [i32]) {
        each(a, out, |x| op.value_of_ints(x, x));
    }

    #[inline(always)]
    fn binary(op: ScalarOp, a: Operand<i32>, b: Operand<i32>, out: &mut [i32]) {
        match op {
            ScalarOp::Add => both(a, b, out, i32::wrapping_add),
            ScalarOp::Sub => both(a, b, out, i32::wrapping_sub),
            ScalarOp::Mul => both(a, b, out, i32::wrapping_mul),
            _ => both(a, b, out, |x, y| op.value_of_ints(x, y)),
        }
    }
}
