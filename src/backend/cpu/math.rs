//! Functions of 32-bit floats without branches, so that loops over them become vector instructions. Each is within a few
//! units in the last place; tests hold them against f64. The polynomials are those of Cephes (Moshier 1992).

/// eˣ: 2ⁿ e^r with x = n log 2 + r. Overflows to infinity, underflows to 0.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let clamped = x.clamp(-104.0, 89.0);
    // Adding and taking away 1.5 · 2²³ rounds to a whole number.
    let magic = 12_582_912.0f32;
    let n = (clamped * std::f32::consts::LOG2_E + magic) - magic;
    let r = (clamped - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let p = power_tail(r);
    let p = p * r * r + r + 1.0;
    // In two halves: 2¹²⁸ and 2⁻¹⁴⁹ have no exponent of their own.
    let n = n as i32;
    let half = n >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    let value = p * power(half) * power(n - half);
    if x.is_nan() { x } else { value }
}

/// (eʳ - 1 - r) / r², for r near 0.
#[inline(always)]
fn power_tail(r: f32) -> f32 {
    let p = 1.987_569_1e-4f32;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    p * r + 5e-1
}

/// eˣ - 1, with all digits near 0: its series there (the same polynomial as [`exp`]), eˣ less 1 away from it.
#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    let p = power_tail(x);
    let near = p * x * x + x;
    let far = exp(x) - 1.0;
    if x.abs() < 0.35 { near } else { far }
}

/// log(1 + x), with all digits near 0: the logarithm of the rounded sum, with what its rounding lost put back (Kahan).
#[inline(always)]
pub fn log1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    let value = log(sum) + (x - (sum - 1.0)) / sum;
    let value = if sum == f32::INFINITY { sum } else { value };
    let value = if x == -1.0 { f32::NEG_INFINITY } else { value };
    // Below 2⁻²⁴ it is x itself, with its sign.
    if sum == 1.0 { x } else { value }
}

/// Natural logarithm; -∞ at 0, NaN below.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits() as i32;
    // A mantissa between √½ and √2.
    let shifted = bits - 0x3f35_04f3;
    let n = (shifted >> 23) as f32 - if tiny { 23.0 } else { 0.0 };
    let m = f32::from_bits(((shifted & 0x007f_ffff) + 0x3f35_04f3) as u32) - 1.0;
    let z = m * m;
    let p = 7.037_683_6e-2f32;
    let p = p * m - 1.151_461e-1;
    let p = p * m + 1.167_699_9e-1;
    let p = p * m - 1.242_014_1e-1;
    let p = p * m + 1.424_932_3e-1;
    let p = p * m - 1.666_805_8e-1;
    let p = p * m + 2.000_071_5e-1;
    let p = p * m - 2.499_999_4e-1;
    let p = p * m + 3.333_333e-1;
    let y = m * z * p + n * -2.121_944_4e-4 - 0.5 * z;
    let value = m + y + n * 0.693_359_4;
    let value = if x == f32::INFINITY { x } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    if x < 0.0 || x.is_nan() { f32::NAN } else { value }
}

/// Hyperbolic tangent: by its series near 0, by e^2x away from it.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = a * a;
    let p = -5.704_988_7e-3f32;
    let p = p * z + 2.063_909e-2;
    let p = p * z - 5.373_971_6e-2;
    let p = p * z + 1.333_144_2e-1;
    let p = p * z - 3.333_328e-1;
    let near = p * z * a + a;
    let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    let value = if a < 0.625 { near } else { far };
    value.copysign(x)
}

/// Gauss's error function.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    libm::erff(x)
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
