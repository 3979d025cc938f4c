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

/// log 2, in a part of few digits, whose products with whole numbers are exact, and the rest.
const LOG_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// Adding 1.5 · 2²³ rounds to a whole number, which then stands in the last bits.
const ROUND: f32 = 12_582_912.0;

/// (n, r) with x = n log 2 + r, for |x| up to some thousands.
#[inline(always)]
fn reduced(x: f32) -> (i32, f32) {
    let sum = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = sum - ROUND;
    let r = n.mul_add(-LOG_2.0, x);
    (sum.to_bits() as i32 - ROUND.to_bits() as i32, n.mul_add(-LOG_2.1, r))
}

/// 2ⁿ for n from -126 to 127.
#[inline(always)]
fn power_of_2(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

/// eʳ - 1 for |r| up to log 2 / 2.
#[inline(always)]
fn tail(r: f32) -> f32 {
    let p = 1.388_252_2e-3f32;
    let p = p.mul_add(r, 8.366_515e-3);
    let p = p.mul_add(r, 4.166_72e-2);
    let p = p.mul_add(r, 1.666_654_3e-1);
    let p = p.mul_add(r, 0.499_999_97);
    (p * r).mul_add(r, r)
}

/// eˣ: 2ⁿ e^r with x = n log 2 + r. Overflows to infinity, underflows to 0.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (n, r) = reduced(x.clamp(-104.0, 89.0));
    // In two halves: 2¹²⁸ and 2⁻¹⁴⁹ have no exponent of their own.
    let half = n >> 1;
    (1.0 + tail(r)) * power_of_2(half) * power_of_2(n - half)
}

/// eˣ - 1, with all digits near 0: 2ⁿ (e^r - 1) + (2ⁿ - 1).
#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    let (n, r) = reduced(x.clamp(-18.0, 89.0));
    // 2¹²⁸ has no exponent of its own: half of it, twice.
    let power = power_of_2(n - 1);
    let value = 2.0 * tail(r).mul_add(power, power - 0.5);
    // -0 is itself.
    if x == 0.0 { x } else { value }
}

/// Natural logarithm; -∞ at 0, NaN below.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    // A mantissa between √½ and √2.
    let shifted = (scaled.to_bits() as i32).wrapping_sub(0x3f35_04f3);
    let n = (shifted >> 23) as f32 - if tiny { 23.0 } else { 0.0 };
    let m = f32::from_bits(((shifted & 0x007f_ffff) + 0x3f35_04f3) as u32) - 1.0;
    let value = logarithm(n, m);
    let value = if x == f32::INFINITY { x } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    if x < 0.0 || x.is_nan() { f32::NAN } else { value }
}

/// log(2ⁿ (1 + m)) for m from √½ - 1 to √2 - 1.
#[inline(always)]
fn logarithm(n: f32, m: f32) -> f32 {
    let p = -7.634_588e-2f32;
    let p = p.mul_add(m, 1.276_17e-1);
    let p = p.mul_add(m, -1.316_020_8e-1);
    let p = p.mul_add(m, 1.420_174_4e-1);
    let p = p.mul_add(m, -1.662_335_4e-1);
    let p = p.mul_add(m, 2.000_122_7e-1);
    let p = p.mul_add(m, -2.500_082_3e-1);
    let p = p.mul_add(m, 3.333_333e-1);
    let z = m * m;
    let y = (m * z).mul_add(p, n * LOG_2.1);
    let y = z.mul_add(-0.5, y);
    n.mul_add(LOG_2.0, m + y)
}

/// log(1 + x), with all digits near 0: the logarithm of the rounded sum, with what its rounding lost put back (Kahan).
#[inline(always)]
pub fn log1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    let lost = x - (sum - 1.0);
    let value = log(sum) + lost / sum;
    let value = if sum == f32::INFINITY { sum } else { value };
    let value = if x == -1.0 { f32::NEG_INFINITY } else { value };
    // Below 2⁻²⁴ it is x itself, with its sign.
    if sum == 1.0 { x } else { value }
}

/// Hyperbolic tangent: by its series near 0, by e^2x away from it.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = a * a;
    let p = -5.704_987e-3f32;
    let p = p.mul_add(z, 2.063_908_8e-2);
    let p = p.mul_add(z, -5.373_971_5e-2);
    let p = p.mul_add(z, 1.333_144_2e-1);
    let p = p.mul_add(z, -3.333_328e-1);
    let near = (p * z).mul_add(a, a);
    let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    let value = if a < 0.625 { near } else { far };
    value.copysign(x)
}

/// Gauss's error function: by its series near 0, as 1 - e^-q away from it.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let z = a * a;
    let p = 8.316_775e-5f32;
    let p = p.mul_add(z, -8.130_013e-4);
    let p = p.mul_add(z, 5.199_907e-3);
    let p = p.mul_add(z, -2.685_894e-2);
    let p = p.mul_add(z, 1.128_368_75e-1);
    let p = p.mul_add(z, -3.761_263_2e-1);
    let p = p.mul_add(z, 1.283_791_7e-1);
    let near = p.mul_add(a, a);
    // From 4 on it is 1.
    let b = if a > 4.0 { 4.0 } else { a };
    let q = -2.143_016_5e-4f32;
    let q = q.mul_add(b, 3.217_565_6e-3);
    let q = q.mul_add(b, -2.289_833_3e-2);
    let q = q.mul_add(b, 1.052_749e-1);
    let q = q.mul_add(b, 6.357_084e-1);
    let q = q.mul_add(b, 1.285_172_8e-1);
    let far = 1.0 - exp(-q.mul_add(b, b));
    let value = if a < 0.93 { near } else { far };
    let value = value.copysign(x);
    if x.is_nan() { x } else { value }
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
