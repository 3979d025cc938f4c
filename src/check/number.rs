//! Settled numbers: exact rationals until a function that has no exact value makes a float of them.

use std::fmt;

/// A number known before the run.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// `above / below` in lowest terms, `below` positive.
    Exact {
        above: i128,
        below: i128,
    },
    Float(f64),
}

impl Number {
    pub fn whole(value: i64) -> Number {
        Number::Exact { above: value.into(), below: 1 }
    }

    /// In lowest terms; `None` for a zero below, and where the result does not fit.
    pub fn ratio(above: i128, below: i128) -> Option<Number> {
        if below == 0 {
            return None;
        }
        let divisor = gcd(above, below)?.checked_mul(below.signum())?;
        Some(Number::Exact { above: above.checked_div(divisor)?, below: below.checked_div(divisor)? })
    }

    /// The number that decimal digits write, exactly where it fits: `50000`, `1e-3`, `0.25`.
    pub fn parse(digits: &str) -> Option<Number> {
        let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exact = || {
            let above: i128 = format!("{whole}{part}").parse().ok()?;
            let shift = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(part.len()).ok()?)?;
            let power = 10i128.checked_pow(shift.unsigned_abs())?;
            if shift < 0 { Number::ratio(above, power) } else { Number::ratio(above.checked_mul(power)?, 1) }
        };
        exact().or_else(|| digits.parse().ok().map(Number::Float))
    }

    pub fn to_f64(self) -> f64 {
        match self {
            Number::Exact { above, below } => above as f64 / below as f64,
            Number::Float(value) => value,
        }
    }

    /// The whole number that this is, if it is one.
    pub fn to_whole(self) -> Option<i64> {
        match self {
            Number::Exact { above, below: 1 } => above.try_into().ok(),
            Number::Exact { .. } => None,
            Number::Float(value) => (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64),
        }
    }

    pub fn negate(self) -> Number {
        match self {
            Number::Exact { above, below } => match above.checked_neg() {
                Some(above) => Number::Exact { above, below },
                None => Number::Float(-self.to_f64()),
            },
            Number::Float(value) => Number::Float(-value),
        }
    }

    /// The greatest whole number that is not above.
    pub fn floor(self) -> Number {
        match self {
            Number::Exact { above, below } => Number::Exact { above: above.div_euclid(below), below: 1 },
            Number::Float(value) => {
                let floor = Number::Float(value.floor());
                floor.to_whole().map_or(floor, Number::whole)
            }
        }
    }

    /// What is left when the greatest whole multiple of another is taken away.
    pub fn modulo(self, other: Number) -> Number {
        match (self, other) {
            (Number::Exact { .. }, Number::Exact { .. }) => self.minus(self.over(other).floor().times(other)),
            (Number::Float(_), _) | (_, Number::Float(_)) => {
                Number::Float(crate::ir::ScalarOp::Mod.value(&[self.to_f64(), other.to_f64()]))
            }
        }
    }

    pub fn plus(self, other: Number) -> Number {
        exact(self, other, |a, b, c, d| {
            Number::ratio(a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?)
        })
        .unwrap_or(Number::Float(self.to_f64() + other.to_f64()))
    }

    pub fn minus(self, other: Number) -> Number {
        self.plus(other.negate())
    }

    pub fn times(self, other: Number) -> Number {
        exact(self, other, |a, b, c, d| Number::ratio(a.checked_mul(c)?, b.checked_mul(d)?))
            .unwrap_or(Number::Float(self.to_f64() * other.to_f64()))
    }

    /// Division by zero gives the float that IEEE 754 gives.
    pub fn over(self, other: Number) -> Number {
        exact(self, other, |a, b, c, d| Number::ratio(a.checked_mul(d)?, b.checked_mul(c)?))
            .unwrap_or(Number::Float(self.to_f64() / other.to_f64()))
    }

    /// Exact for whole exponents that fit, else a float.
    pub fn power(self, exponent: Number) -> Number {
        let exact_power = |base: Number, times: i64| {
            let Number::Exact { above, below } = base else { return None };
            let count = u32::try_from(times.unsigned_abs()).ok()?;
            let (above, below) = (above.checked_pow(count)?, below.checked_pow(count)?);
            if times < 0 { Number::ratio(below, above) } else { Number::ratio(above, below) }
        };
        exponent
            .to_whole()
            .and_then(|times| exact_power(self, times))
            .unwrap_or(Number::Float(self.to_f64().powf(exponent.to_f64())))
    }
}

/// Applies a rule on `a / b` and `c / d`, where both are exact and nothing overflows.
fn exact(x: Number, y: Number, rule: impl Fn(i128, i128, i128, i128) -> Option<Number>) -> Option<Number> {
    match (x, y) {
        (Number::Exact { above: a, below: b }, Number::Exact { above: c, below: d }) => rule(a, b, c, d),
        (Number::Float(_), _) | (_, Number::Float(_)) => None,
    }
}

/// Compares by value, exactly where both are exact.
impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.partial_cmp(other) == Some(std::cmp::Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<std::cmp::Ordering> {
        match self.minus(*other) {
            Number::Exact { above, .. } => Some(above.cmp(&0)),
            Number::Float(_) => self.to_f64().partial_cmp(&other.to_f64()),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Exact { above, below: 1 } => write!(f, "{above}"),
            Number::Exact { .. } => write!(f, "{}", self.to_f64()),
            Number::Float(value) => write!(f, "{value}"),
        }
    }
}

fn gcd(a: i128, b: i128) -> Option<i128> {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.try_into().ok()
}
