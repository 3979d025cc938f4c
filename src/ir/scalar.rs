//! Scalar operations: what one is, what it takes and gives, and its value. Everything that lists them does so in one
//! exhaustive match; `docs/architecture.md` has the places that a new one touches.
//!
//! The value is defined in f64; a backend that computes in fewer bits is held against it.

use super::op::DType;

/// One operation on numbers or truth values, applied element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScalarOp {
    // Of one number.
    Neg,
    Abs,
    Exp,
    /// eˣ - 1, with all digits near 0.
    Expm1,
    Log,
    /// log(1 + x), with all digits near 0.
    Log1p,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    /// (2 / √π) ∫₀ˣ e^(-t²) dt
    Erf,
    /// The greatest whole number that is not above.
    Floor,

    // Of two numbers.
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
    /// What is left of the first when the greatest whole multiple of the second is taken away; of the second's sign.
    Mod,
    /// The greatest whole number that is not above the quotient.
    Quotient,
    /// The angle of the point (second, first) as seen from the origin, between -π and π.
    Atan2,

    // Of two numbers, to a truth value.
    Less,
    LessEqual,
    Equal,
    NotEqual,

    // Of truth values.
    And,
    Or,
    Not,

    /// (condition, where true, where false)
    Select,
    Cast(DType),
}

use ScalarOp::*;

/// How an operand is found again from what an operation gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inverse {
    Of(ScalarOp),
    Square,
    /// Of what it gave and the other operand.
    With(ScalarOp),
    /// Of the other operand and what it gave.
    Against(ScalarOp),
}

impl ScalarOp {
    pub const ALL: [ScalarOp; 33] = [
        Neg,
        Abs,
        Exp,
        Expm1,
        Log,
        Log1p,
        Sqrt,
        Sin,
        Cos,
        Tanh,
        Erf,
        Floor,
        Add,
        Sub,
        Mul,
        Div,
        Pow,
        Min,
        Max,
        Mod,
        Quotient,
        Atan2,
        Less,
        LessEqual,
        Equal,
        NotEqual,
        And,
        Or,
        Not,
        Select,
        Cast(DType::Float),
        Cast(DType::Int),
        Cast(DType::Bool),
    ];

    /// How many operands it takes.
    pub fn arity(self) -> usize {
        match self {
            Neg | Abs | Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Erf | Floor | Not | Cast(_) => 1,
            Add | Sub | Mul | Div | Pow | Min | Max | Mod | Quotient | Atan2 => 2,
            Less | LessEqual | Equal | NotEqual | And | Or => 2,
            Select => 3,
        }
    }

    /// Whether it holds two numbers against each other.
    pub fn compares(self) -> bool {
        matches!(self, Less | LessEqual | Equal | NotEqual)
    }

    /// What undoes it in one operand, the first or another.
    pub fn inverse(self, in_first: bool) -> Option<Inverse> {
        Some(match self {
            Neg => Inverse::Of(Neg),
            Exp => Inverse::Of(Log),
            Log => Inverse::Of(Exp),
            Expm1 => Inverse::Of(Log1p),
            Log1p => Inverse::Of(Expm1),
            Sqrt => Inverse::Square,
            Add => Inverse::With(Sub),
            Sub if in_first => Inverse::With(Add),
            Sub => Inverse::Against(Sub),
            Mul => Inverse::With(Div),
            Div if in_first => Inverse::With(Mul),
            Div => Inverse::Against(Div),
            Abs | Sin | Cos | Tanh | Erf | Floor | Pow | Min | Max | Mod | Quotient | Atan2 => return None,
            Less | LessEqual | Equal | NotEqual | And | Or | Not | Select | Cast(_) => return None,
        })
    }

    /// The function of the language that is this operation, declared without a body in `stdlib/core.mlx`.
    pub fn function(self) -> Option<&'static str> {
        Some(match self {
            Abs => "abs",
            Exp => "exp",
            Expm1 => "expm1",
            Log => "log",
            Log1p => "log1p",
            Sqrt => "sqrt",
            Sin => "sin",
            Cos => "cos",
            Tanh => "tanh",
            Erf => "erf",
            Floor => "floor",
            Mod => "mod",
            Atan2 => "atan2",
            Neg | Add | Sub | Mul | Div | Pow | Min | Max | Quotient => return None,
            Less | LessEqual | Equal | NotEqual | And | Or | Not | Select | Cast(_) => return None,
        })
    }

    /// Whether it takes many operations of a processor.
    pub fn is_function(self) -> bool {
        match self {
            Exp | Expm1 | Log | Log1p | Sin | Cos | Tanh | Erf | Pow | Atan2 => true,
            Neg | Abs | Sqrt | Floor | Add | Sub | Mul | Div | Min | Max | Mod | Quotient => false,
            Less | LessEqual | Equal | NotEqual | And | Or | Not | Select | Cast(_) => false,
        }
    }

    /// About how long it takes, in additions.
    pub fn price(self) -> usize {
        match self {
            Neg | Abs | Floor | Not | Cast(_) | Add | Sub | Mul | Min | Max | Select => 1,
            Less | LessEqual | Equal | NotEqual | And | Or => 1,
            Div | Sqrt => 3,
            Exp | Expm1 | Log | Log1p | Tanh | Erf => 12,
            Sin | Cos | Pow | Atan2 | Mod | Quotient => 64,
        }
    }

    /// Between which numbers its value is, for operands that are between some; infinite where nothing is known. NaN is outside of this.
    pub fn range(self, operands: &[(f64, f64)]) -> (f64, f64) {
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        let a = operands.first().copied().unwrap_or(all);
        let b = operands.get(1).copied().unwrap_or(all);
        let both = |f: fn(f64, f64) -> f64| {
            let ends = [f(a.0, b.0), f(a.0, b.1), f(a.1, b.0), f(a.1, b.1)];
            let is_known = ends.iter().all(|end| !end.is_nan());
            let least = ends.iter().fold(f64::INFINITY, |least, end| least.min(*end));
            let most = ends.iter().fold(f64::NEG_INFINITY, |most, end| most.max(*end));
            if is_known { (least, most) } else { all }
        };
        let certain = |is: bool, is_not: bool| match (is, is_not) {
            (true, _) => (1.0, 1.0),
            (_, true) => (0.0, 0.0),
            _ => (0.0, 1.0),
        };
        let rising = |f: fn(f64) -> f64, from: f64| if a.0 >= from { (f(a.0), f(a.1)) } else { all };
        match self {
            Neg => (-a.1, -a.0),
            Abs if a.0 >= 0.0 => a,
            Abs => (0.0, a.1.max(-a.0)),
            Exp => (libm::exp(a.0), libm::exp(a.1)),
            Expm1 => (libm::expm1(a.0), libm::expm1(a.1)),
            Log => rising(libm::log, 0.0),
            Log1p => rising(libm::log1p, -1.0),
            Sqrt => rising(f64::sqrt, 0.0),
            Tanh | Erf | Sin | Cos => (-1.0, 1.0),
            Add => both(|a, b| a + b),
            Sub => both(|a, b| a - b),
            Mul => both(|a, b| a * b),
            Div if b.0 > 0.0 || b.1 < 0.0 => both(|a, b| a / b),
            Min => (a.0.min(b.0), a.1.min(b.1)),
            Max => (a.0.max(b.0), a.1.max(b.1)),
            Select if a == (1.0, 1.0) => b,
            Select if a == (0.0, 0.0) => operands.get(2).copied().unwrap_or(all),
            Select => {
                let c = operands.get(2).copied().unwrap_or(all);
                (b.0.min(c.0), b.1.max(c.1))
            }
            Floor => (a.0.floor(), a.1.floor()),
            Cast(DType::Float) => a,
            Cast(DType::Int) if a.0.abs() < 2e9 && a.1.abs() < 2e9 => (a.0.trunc(), a.1.trunc()),
            Cast(DType::Bool) => certain(a.0 > 0.0 || a.1 < 0.0, a == (0.0, 0.0)),
            Quotient if b.0 > 0.0 => both(|a, b| (a / b).floor()),
            Div | Pow | Mod | Quotient | Atan2 | Cast(_) => all,
            Less => certain(a.1 < b.0, a.0 >= b.1),
            LessEqual => certain(a.1 <= b.0, a.0 > b.1),
            Equal => certain(a.0 == a.1 && a == b, a.1 < b.0 || b.1 < a.0),
            NotEqual => certain(a.1 < b.0 || b.1 < a.0, a.0 == a.1 && a == b),
            And => certain(a.0 == 1.0 && b.0 == 1.0, a.1 == 0.0 || b.1 == 0.0),
            Or => certain(a.0 == 1.0 || b.0 == 1.0, a.1 == 0.0 && b.1 == 0.0),
            Not => certain(a.1 == 0.0, a.0 == 1.0),
        }
    }

    /// The kind of its result for operands of given kinds, or what is wrong with them.
    pub fn dtype(self, operands: &[DType]) -> Result<DType, &'static str> {
        let first = operands.first().copied().unwrap_or(DType::Float);
        match self {
            Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Erf | Floor | Div | Pow | Atan2 => {
                if first == DType::Float { Ok(first) } else { Err("it is of floats") }
            }
            Neg | Abs | Add | Sub | Mul | Min | Max | Mod | Quotient => {
                if first == DType::Bool {
                    Err("it is of numbers")
                } else {
                    Ok(first)
                }
            }
            Less | LessEqual | Equal | NotEqual => {
                if first == DType::Bool {
                    Err("truth values have no order")
                } else {
                    Ok(DType::Bool)
                }
            }
            And | Or | Not => {
                if first == DType::Bool {
                    Ok(first)
                } else {
                    Err("it is of truth values")
                }
            }
            Select => {
                if first == DType::Bool {
                    Ok(operands[1])
                } else {
                    Err("the condition is a truth value")
                }
            }
            Cast(dtype) => Ok(dtype),
        }
    }

    /// Its value; truth values are 0 and 1. `operands` has [`ScalarOp::arity`] numbers.
    pub fn value(self, operands: &[f64]) -> f64 {
        let a = operands[0];
        let b = operands.get(1).copied().unwrap_or(a);
        let truth = |holds: bool| f64::from(u8::from(holds));
        match self {
            Neg => -a,
            Abs => a.abs(),
            Exp => libm::exp(a),
            Expm1 => libm::expm1(a),
            Log => libm::log(a),
            Log1p => libm::log1p(a),
            Sqrt => a.sqrt(),
            Sin => libm::sin(a),
            Cos => libm::cos(a),
            Tanh => libm::tanh(a),
            Erf => libm::erf(a),
            Floor => a.floor(),
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            Div => a / b,
            Pow => libm::pow(a, b),
            // Not `f64::min`, which hides a NaN.
            Min if a <= b || a.is_nan() => a,
            Max if a >= b || a.is_nan() => a,
            Min | Max => b,
            Mod => left(a, b),
            Quotient => (a / b).floor(),
            Atan2 => libm::atan2(a, b),
            Less => truth(a < b),
            LessEqual => truth(a <= b),
            Equal => truth(a == b),
            NotEqual => truth(a != b),
            And => truth(a != 0.0 && b != 0.0),
            Or => truth(a != 0.0 || b != 0.0),
            Not => truth(a == 0.0),
            Select if a != 0.0 => b,
            Select => operands[2],
            Cast(DType::Float) => a,
            // Out of 32 bits the nearest int, 0 of what is no number.
            Cast(DType::Int) => f64::from(a as i32),
            Cast(DType::Bool) => truth(a != 0.0),
        }
    }

    /// Its value of 32-bit ints, which wrap; a quotient by 0 is 0, and nothing is left of it. Of operations that ints do not
    /// have, the first operand.
    pub fn value_of_ints(self, a: i32, b: i32) -> i32 {
        match self {
            Neg => a.wrapping_neg(),
            Abs => a.wrapping_abs(),
            Add => a.wrapping_add(b),
            Sub => a.wrapping_sub(b),
            Mul => a.wrapping_mul(b),
            Min => a.min(b),
            Max => a.max(b),
            Mod | Quotient if b == 0 => 0,
            Mod => {
                let left = a.wrapping_rem(b);
                if left != 0 && (left < 0) != (b < 0) { left + b } else { left }
            }
            Quotient => {
                let (whole, left) = (a.wrapping_div(b), a.wrapping_rem(b));
                if left != 0 && (left < 0) != (b < 0) { whole - 1 } else { whole }
            }
            Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Erf | Floor | Div | Pow | Atan2 => a,
            Less | LessEqual | Equal | NotEqual | And | Or | Not | Select | Cast(_) => a,
        }
    }

    /// Intervals of its operands where it is smooth, for tests that draw them; two that are equal apart.
    pub fn domain(self) -> &'static [(f64, f64)] {
        const WIDE: (f64, f64) = (-2.0, 2.0);
        const POSITIVE: (f64, f64) = (0.5, 2.0);
        match self {
            Neg | Exp | Expm1 | Sin | Cos | Tanh | Erf => &[WIDE],
            Abs | Log | Sqrt => &[POSITIVE],
            Log1p => &[(-0.5, 2.0)],
            Floor | Not | Cast(_) => &[(0.1, 0.9)],
            Add | Sub | Mul | Min | Max | Less | LessEqual | Equal | NotEqual | And | Or => &[WIDE, WIDE],
            Div | Atan2 => &[WIDE, POSITIVE],
            // Between two whole quotients.
            Mod | Quotient => &[(2.1, 2.9), (1.1, 1.4)],
            Pow => &[POSITIVE, WIDE],
            Select => &[WIDE, WIDE, WIDE],
        }
    }
}

/// As the remainder of floats in Python: exact, and of the divisor's sign.
fn left(a: f64, b: f64) -> f64 {
    let left = a % b;
    if left == 0.0 {
        left.copysign(b)
    } else if (left < 0.0) != (b < 0.0) {
        left + b
    } else {
        left
    }
}
