//! Functions of 32-bit floats without branches, so that loops over them become vector instructions. Each is within 2 units in
//! the last place of the exact value, for every float; tests hold them against f64. A product and a sum are one operation with
//! one rounding (`mul_add`) everywhere, whatever the processor, so that the bits are the same. The polynomials are fits of least
//! greatest error, relative to the result (Lawson's method at Chebyshev nodes).

use super::number::Operand;
use crate::plan::Fused;

/// `a b + c` and its kin, with one rounding; a and b are not both numbers.
pub fn multiply_add(how: Fused, a: Operand<f32>, b: Operand<f32>, c: Operand<f32>, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if has_fused_products() {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { multiply_add_wide(how, a, b, c, out) };
    }
    multiply_add_here(how, a, b, c, out);
}

#[cfg(target_arch = "x86_64")]
pub fn has_fused_products() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_add_wide(how: Fused, a: Operand<f32>, b: Operand<f32>, c: Operand<f32>, out: &mut [f32]) {
    multiply_add_here(how, a, b, c, out);
}

/// Loops without closures: those would be compiled on their own, for any processor, where a fused product is a call.
#[inline(always)]
fn multiply_add_here(how: Fused, a: Operand<f32>, b: Operand<f32>, c: Operand<f32>, out: &mut [f32]) {
    // The signs of the product and of what is added, as bits to flip.
    let (product, added) = match how {
        Fused::Sum => (0, 0),
        Fused::Less => (0, 1 << 31),
        Fused::From => (1 << 31, 0),
    };
    let (a, b) = if matches!(a, Operand::Number(_)) { (b, a) } else { (a, b) };
    let Operand::Values(a) = a else { return };
    match (b, c) {
        (Operand::Values(b), Operand::Values(c)) => {
            for (o, ((x, y), z)) in out.iter_mut().zip(a.iter().zip(b).zip(c)) {
                *o = flipped(*x, product).mul_add(*y, flipped(*z, added));
            }
        }
        (Operand::Values(b), Operand::Number(z)) => {
            let z = flipped(z, added);
            for (o, (x, y)) in out.iter_mut().zip(a.iter().zip(b)) {
                *o = flipped(*x, product).mul_add(*y, z);
            }
        }
        (Operand::Number(y), Operand::Values(c)) => {
            let y = flipped(y, product);
            for (o, (x, z)) in out.iter_mut().zip(a.iter().zip(c)) {
                *o = x.mul_add(y, flipped(*z, added));
            }
        }
        (Operand::Number(y), Operand::Number(z)) => {
            let (y, z) = (flipped(y, product), flipped(z, added));
            for (o, x) in out.iter_mut().zip(a) {
                *o = x.mul_add(y, z);
            }
        }
    }
}

/// A float with some of its bits flipped.
#[inline(always)]
fn flipped(x: f32, bits: u32) -> f32 {
    f32::from_bits(x.to_bits() ^ bits)
}

/// The operations that the functions are made of: of numbers here, of instructions where machine code is made of them
/// (`jit/function.rs`). So the bits are the same.
pub trait Arithmetic {
    type Float: Copy;
    type Int: Copy;

    fn float(&mut self, value: f32) -> Self::Float;
    fn int(&mut self, value: i32) -> Self::Int;
    fn add(&mut self, a: Self::Float, b: Self::Float) -> Self::Float;
    fn sub(&mut self, a: Self::Float, b: Self::Float) -> Self::Float;
    fn mul(&mut self, a: Self::Float, b: Self::Float) -> Self::Float;
    fn div(&mut self, a: Self::Float, b: Self::Float) -> Self::Float;
    /// `a b + c` with one rounding.
    fn fused(&mut self, a: Self::Float, b: Self::Float, c: Self::Float) -> Self::Float;
    /// `a 2ⁿ` for n from -252 to 254, given as a float and as an int, with one rounding.
    fn scaled(&mut self, a: Self::Float, n: (Self::Float, Self::Int)) -> Self::Float;
    /// The number, or the bound if it is less.
    fn at_least(&mut self, a: Self::Float, bound: Self::Float) -> Self::Float;
    /// The number, or the bound if it is greater.
    fn at_most(&mut self, a: Self::Float, bound: Self::Float) -> Self::Float;
    /// The first of `values` where a is less than b, else the second.
    fn if_less(&mut self, a: Self::Float, b: Self::Float, values: [Self::Float; 2]) -> Self::Float;
    fn if_equal(&mut self, a: Self::Float, b: Self::Float, values: [Self::Float; 2]) -> Self::Float;
    fn if_nan(&mut self, a: Self::Float, values: [Self::Float; 2]) -> Self::Float;
    fn abs(&mut self, a: Self::Float) -> Self::Float;
    fn neg(&mut self, a: Self::Float) -> Self::Float;
    /// The size of the first with the sign of the second.
    fn with_sign(&mut self, a: Self::Float, sign: Self::Float) -> Self::Float;
    fn bits(&mut self, a: Self::Float) -> Self::Int;
    fn of_bits(&mut self, a: Self::Int) -> Self::Float;
    fn of_int(&mut self, a: Self::Int) -> Self::Float;
    fn int_add(&mut self, a: Self::Int, b: Self::Int) -> Self::Int;
    fn int_sub(&mut self, a: Self::Int, b: Self::Int) -> Self::Int;
    fn int_and(&mut self, a: Self::Int, b: Self::Int) -> Self::Int;
    fn shift_left(&mut self, a: Self::Int, by: u8) -> Self::Int;
    fn shift_right(&mut self, a: Self::Int, by: u8) -> Self::Int;
}

/// Arithmetic of numbers themselves.
struct Plain;

impl Arithmetic for Plain {
    type Float = f32;
    type Int = i32;

    #[inline(always)]
    fn float(&mut self, value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn int(&mut self, value: i32) -> i32 {
        value
    }

    #[inline(always)]
    fn add(&mut self, a: f32, b: f32) -> f32 {
        a + b
    }

    #[inline(always)]
    fn sub(&mut self, a: f32, b: f32) -> f32 {
        a - b
    }

    #[inline(always)]
    fn mul(&mut self, a: f32, b: f32) -> f32 {
        a * b
    }

    #[inline(always)]
    fn div(&mut self, a: f32, b: f32) -> f32 {
        a / b
    }

    #[inline(always)]
    fn fused(&mut self, a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn scaled(&mut self, a: f32, (_, n): (f32, i32)) -> f32 {
        scaled_in_halves(self, a, n)
    }

    #[inline(always)]
    fn at_least(&mut self, a: f32, bound: f32) -> f32 {
        if a < bound { bound } else { a }
    }

    #[inline(always)]
    fn at_most(&mut self, a: f32, bound: f32) -> f32 {
        if a > bound { bound } else { a }
    }

    #[inline(always)]
    fn if_less(&mut self, a: f32, b: f32, values: [f32; 2]) -> f32 {
        if a < b { values[0] } else { values[1] }
    }

    #[inline(always)]
    fn if_equal(&mut self, a: f32, b: f32, values: [f32; 2]) -> f32 {
        if a == b { values[0] } else { values[1] }
    }

    #[inline(always)]
    fn if_nan(&mut self, a: f32, values: [f32; 2]) -> f32 {
        if a.is_nan() { values[0] } else { values[1] }
    }

    #[inline(always)]
    fn abs(&mut self, a: f32) -> f32 {
        a.abs()
    }

    #[inline(always)]
    fn neg(&mut self, a: f32) -> f32 {
        -a
    }

    #[inline(always)]
    fn with_sign(&mut self, a: f32, sign: f32) -> f32 {
        a.copysign(sign)
    }

    #[inline(always)]
    fn bits(&mut self, a: f32) -> i32 {
        a.to_bits() as i32
    }

    #[inline(always)]
    fn of_bits(&mut self, a: i32) -> f32 {
        f32::from_bits(a as u32)
    }

    #[inline(always)]
    fn of_int(&mut self, a: i32) -> f32 {
        a as f32
    }

    #[inline(always)]
    fn int_add(&mut self, a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }

    #[inline(always)]
    fn int_sub(&mut self, a: i32, b: i32) -> i32 {
        a.wrapping_sub(b)
    }

    #[inline(always)]
    fn int_and(&mut self, a: i32, b: i32) -> i32 {
        a & b
    }

    #[inline(always)]
    fn shift_left(&mut self, a: i32, by: u8) -> i32 {
        a << by
    }

    #[inline(always)]
    fn shift_right(&mut self, a: i32, by: u8) -> i32 {
        a >> by
    }
}

/// A polynomial by Horner's rule, its highest coefficient first.
#[inline(always)]
fn polynomial<A: Arithmetic, const N: usize>(on: &mut A, coefficients: [f32; N], x: A::Float) -> A::Float {
    let mut sum = on.float(coefficients[0]);
    for coefficient in &coefficients[1..] {
        let coefficient = on.float(*coefficient);
        sum = on.fused(sum, x, coefficient);
    }
    sum
}

/// log 2, in a part of few digits, whose products with whole numbers are exact, and the rest.
const LOG_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// Adding 1.5 · 2²³ rounds to a whole number, which then stands in the last bits.
const ROUND: f32 = 12_582_912.0;

/// `a 2ⁿ` in two halves: 2¹²⁸ and 2⁻¹⁴⁹ have no exponent of their own.
#[inline(always)]
pub fn scaled_in_halves<A: Arithmetic>(on: &mut A, a: A::Float, n: A::Int) -> A::Float {
    let half = on.shift_right(n, 1);
    let rest = on.int_sub(n, half);
    let (half, rest) = (power_of_2(on, half), power_of_2(on, rest));
    let value = on.mul(a, half);
    on.mul(value, rest)
}

/// (n, r) with x = n log 2 + r, for |x| up to some thousands; n as a float and as an int.
#[inline(always)]
fn reduced<A: Arithmetic>(on: &mut A, x: A::Float) -> ((A::Float, A::Int), A::Float) {
    let (per_log_2, round) = (on.float(std::f32::consts::LOG2_E), on.float(ROUND));
    let sum = on.fused(x, per_log_2, round);
    let n = on.sub(sum, round);
    let (high, low) = (on.float(-LOG_2.0), on.float(-LOG_2.1));
    let r = on.fused(n, high, x);
    let (sum, round) = (on.bits(sum), on.int(ROUND.to_bits() as i32));
    ((n, on.int_sub(sum, round)), on.fused(n, low, r))
}

/// 2ⁿ for n from -126 to 127.
#[inline(always)]
fn power_of_2<A: Arithmetic>(on: &mut A, n: A::Int) -> A::Float {
    let bias = on.int(127);
    let exponent = on.int_add(n, bias);
    let bits = on.shift_left(exponent, 23);
    on.of_bits(bits)
}

/// eʳ - 1 for |r| up to log 2 / 2.
#[inline(always)]
fn tail<A: Arithmetic>(on: &mut A, r: A::Float) -> A::Float {
    let p = polynomial(on, [1.388_252_2e-3, 8.366_515e-3, 4.166_72e-2, 1.666_654_3e-1, 0.499_999_97], r);
    let p = on.mul(p, r);
    on.fused(p, r, r)
}

/// A number between two bounds; what is no number stays none.
#[inline(always)]
fn between<A: Arithmetic>(on: &mut A, x: A::Float, least: f32, most: f32) -> A::Float {
    let (least, most) = (on.float(least), on.float(most));
    let x = on.at_least(x, least);
    on.at_most(x, most)
}

/// eˣ: 2ⁿ e^r with x = n log 2 + r. Overflows to infinity, underflows to 0.
#[inline(always)]
pub fn exp_of<A: Arithmetic>(on: &mut A, x: A::Float) -> A::Float {
    let x = between(on, x, -104.0, 89.0);
    let (n, r) = reduced(on, x);
    let (one, tail) = (on.float(1.0), tail(on, r));
    let value = on.add(one, tail);
    on.scaled(value, n)
}

/// eˣ - 1, with all digits near 0: 2ⁿ (e^r - 1) + (2ⁿ - 1).
#[inline(always)]
pub fn expm1_of<A: Arithmetic>(on: &mut A, x: A::Float) -> A::Float {
    let clamped = between(on, x, -18.0, 89.0);
    let (n, r) = reduced(on, clamped);
    // 2¹²⁸ has no exponent of its own: half of it, twice.
    let one = on.int(1);
    let less = on.int_sub(n.1, one);
    let power = power_of_2(on, less);
    let (half, two, zero) = (on.float(0.5), on.float(2.0), on.float(0.0));
    let rest = on.sub(power, half);
    let tail = tail(on, r);
    let value = on.fused(tail, power, rest);
    let value = on.mul(two, value);
    // -0 is itself.
    on.if_equal(x, zero, [x, value])
}

/// Natural logarithm; -∞ at 0, NaN below.
#[inline(always)]
pub fn log_of<A: Arithmetic>(on: &mut A, x: A::Float) -> A::Float {
    let (least, zero) = (on.float(f32::MIN_POSITIVE), on.float(0.0));
    let (scale, digits) = (on.float(8_388_608.0), on.float(23.0));
    let scaled = on.mul(x, scale);
    let scaled = on.if_less(x, least, [scaled, x]);
    let lost = on.if_less(x, least, [digits, zero]);
    // A mantissa between √½ and √2.
    let (root, mantissa) = (on.int(0x3f35_04f3), on.int(0x007f_ffff));
    let bits = on.bits(scaled);
    let shifted = on.int_sub(bits, root);
    let exponent = on.shift_right(shifted, 23);
    let n = on.of_int(exponent);
    let n = on.sub(n, lost);
    let bits = on.int_and(shifted, mantissa);
    let bits = on.int_add(bits, root);
    let (m, one) = (on.of_bits(bits), on.float(1.0));
    let m = on.sub(m, one);
    let value = logarithm(on, n, m);
    let (infinity, least, nan) = (on.float(f32::INFINITY), on.float(f32::NEG_INFINITY), on.float(f32::NAN));
    let value = on.if_equal(x, infinity, [x, value]);
    let value = on.if_equal(x, zero, [least, value]);
    let value = on.if_less(x, zero, [nan, value]);
    on.if_nan(x, [nan, value])
}

/// log(2ⁿ (1 + m)) for m from √½ - 1 to √2 - 1.
#[inline(always)]
fn logarithm<A: Arithmetic>(on: &mut A, n: A::Float, m: A::Float) -> A::Float {
    const SERIES: [f32; 8] = [
        -7.634_588e-2,
        1.276_17e-1,
        -1.316_020_8e-1,
        1.420_174_4e-1,
        -1.662_335_4e-1,
        2.000_122_7e-1,
        -2.500_082_3e-1,
        3.333_333e-1,
    ];
    let p = polynomial(on, SERIES, m);
    let (high, low, half) = (on.float(LOG_2.0), on.float(LOG_2.1), on.float(-0.5));
    let z = on.mul(m, m);
    let (cube, rest) = (on.mul(m, z), on.mul(n, low));
    let y = on.fused(cube, p, rest);
    let y = on.fused(z, half, y);
    let y = on.add(m, y);
    on.fused(n, high, y)
}

/// log(1 + x), with all digits near 0: the logarithm of the rounded sum, with what its rounding lost put back (Kahan).
#[inline(always)]
pub fn log1p_of<A: Arithmetic>(on: &mut A, x: A::Float) -> A::Float {
    let one = on.float(1.0);
    let sum = on.add(one, x);
    let taken = on.sub(sum, one);
    let lost = on.sub(x, taken);
    let lost = on.div(lost, sum);
    let value = log_of(on, sum);
    let value = on.add(value, lost);
    let (infinity, least, start) = (on.float(f32::INFINITY), on.float(f32::NEG_INFINITY), on.float(-1.0));
    let value = on.if_equal(sum, infinity, [sum, value]);
    let value = on.if_equal(x, start, [least, value]);
    // Below 2⁻²⁴ it is x itself, with its sign.
    on.if_equal(sum, one, [x, value])
}

/// Hyperbolic tangent: by its series near 0, by e^2x away from it.
#[inline(always)]
pub fn tanh_of<A: Arithmetic>(on: &mut A, x: A::Float) -> A::Float {
    let a = on.abs(x);
    let z = on.mul(a, a);
    let p = polynomial(on, [-5.704_987e-3, 2.063_908_8e-2, -5.373_971_5e-2, 1.333_144_2e-1, -3.333_328e-1], z);
    let p = on.mul(p, z);
    let near = on.fused(p, a, a);
    let (one, two, end) = (on.float(1.0), on.float(2.0), on.float(0.625));
    let double = on.mul(two, a);
    let e = exp_of(on, double);
    let e = on.add(e, one);
    let quotient = on.div(two, e);
    let far = on.sub(one, quotient);
    let value = on.if_less(a, end, [near, far]);
    on.with_sign(value, x)
}

/// Gauss's error function: by its series near 0, as 1 - e^-q away from it.
#[inline(always)]
pub fn erf_of<A: Arithmetic>(on: &mut A, x: A::Float) -> A::Float {
    const NEAR: [f32; 7] =
        [8.316_775e-5, -8.130_013e-4, 5.199_907e-3, -2.685_894e-2, 1.128_368_75e-1, -3.761_263_2e-1, 1.283_791_7e-1];
    const FAR: [f32; 6] =
        [-2.143_016_5e-4, 3.217_565_6e-3, -2.289_833_3e-2, 1.052_749e-1, 6.357_084e-1, 1.285_172_8e-1];
    let a = on.abs(x);
    let z = on.mul(a, a);
    let p = polynomial(on, NEAR, z);
    let near = on.fused(p, a, a);
    // From 4 on it is 1.
    let (last, one, end) = (on.float(4.0), on.float(1.0), on.float(0.93));
    let b = on.at_most(a, last);
    let q = polynomial(on, FAR, b);
    let q = on.fused(q, b, b);
    let q = on.neg(q);
    let e = exp_of(on, q);
    let far = on.sub(one, e);
    let value = on.if_less(a, end, [near, far]);
    let value = on.with_sign(value, x);
    on.if_nan(x, [x, value])
}

#[inline(always)]
pub fn exp(x: f32) -> f32 {
    exp_of(&mut Plain, x)
}

#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    expm1_of(&mut Plain, x)
}

#[inline(always)]
pub fn log(x: f32) -> f32 {
    log_of(&mut Plain, x)
}

#[inline(always)]
pub fn log1p(x: f32) -> f32 {
    log1p_of(&mut Plain, x)
}

#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    tanh_of(&mut Plain, x)
}

#[inline(always)]
pub fn erf(x: f32) -> f32 {
    erf_of(&mut Plain, x)
}

#[inline(always)]
pub fn sin(x: f32) -> f32 {
    libm::sinf(x)
}

#[inline(always)]
pub fn cos(x: f32) -> f32 {
    libm::cosf(x)
}

#[inline(always)]
pub fn power(a: f32, b: f32) -> f32 {
    libm::powf(a, b)
}

#[inline(always)]
pub fn atan2(a: f32, b: f32) -> f32 {
    libm::atan2f(a, b)
}

/// What is left of a division, of the divisor's sign. A remainder of floats is exact, so that more bits change nothing.
#[inline(always)]
pub fn left(a: f32, b: f32) -> f32 {
    crate::ir::ScalarOp::Mod.value(&[f64::from(a), f64::from(b)]) as f32
}
