//! Scalar operations: each with its value, beside the others, in one exhaustive match.
//!
//! Arithmetic takes floats; comparisons take floats and give truth values. The executor that defines every value works in f64.

/// Of one float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    Negate,
    Absolute,
    Exp,
    Log,
    SquareRoot,
    Sin,
    Cos,
    HyperbolicTangent,
    /// (2 / √π) ∫₀ˣ e^(-t²) dt
    ErrorFunction,
    /// The greatest whole number that is not above.
    Floor,
}

/// Of two floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Minimum,
    Maximum,
}

/// Of two floats, to a truth value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    Less,
    LessEqual,
    Equal,
    NotEqual,
}

impl Unary {
    pub const ALL: [Unary; 10] = [
        Unary::Negate,
        Unary::Absolute,
        Unary::Exp,
        Unary::Log,
        Unary::SquareRoot,
        Unary::Sin,
        Unary::Cos,
        Unary::HyperbolicTangent,
        Unary::ErrorFunction,
        Unary::Floor,
    ];

    pub fn value(self, x: f64) -> f64 {
        match self {
            Unary::Negate => -x,
            Unary::Absolute => x.abs(),
            Unary::Exp => libm::exp(x),
            Unary::Log => libm::log(x),
            Unary::SquareRoot => x.sqrt(),
            Unary::Sin => libm::sin(x),
            Unary::Cos => libm::cos(x),
            Unary::HyperbolicTangent => libm::tanh(x),
            Unary::ErrorFunction => libm::erf(x),
            Unary::Floor => x.floor(),
        }
    }

    /// An interval where the operation is smooth, for tests that draw its operand.
    pub fn domain(self) -> (f64, f64) {
        match self {
            Unary::Negate | Unary::Exp | Unary::Sin | Unary::Cos => (-2.0, 2.0),
            Unary::HyperbolicTangent | Unary::ErrorFunction => (-2.0, 2.0),
            Unary::Absolute | Unary::Log | Unary::SquareRoot => (0.5, 2.0),
            Unary::Floor => (0.1, 0.9),
        }
    }
}

impl Binary {
    pub const ALL: [Binary; 7] = [
        Binary::Add,
        Binary::Subtract,
        Binary::Multiply,
        Binary::Divide,
        Binary::Power,
        Binary::Minimum,
        Binary::Maximum,
    ];

    pub fn value(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            Binary::Power => libm::pow(a, b),
            // Not `f64::min`, which hides a NaN.
            Binary::Minimum => {
                if a <= b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            Binary::Maximum => {
                if a >= b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
        }
    }

    /// Intervals of both operands where the operation is smooth, but for operands that are equal.
    pub fn domain(self) -> [(f64, f64); 2] {
        match self {
            Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Minimum | Binary::Maximum => {
                [(-2.0, 2.0), (-2.0, 2.0)]
            }
            Binary::Divide => [(-2.0, 2.0), (0.5, 2.0)],
            Binary::Power => [(0.5, 2.0), (-2.0, 2.0)],
        }
    }
}

impl Compare {
    pub const ALL: [Compare; 4] = [Compare::Less, Compare::LessEqual, Compare::Equal, Compare::NotEqual];

    pub fn value(self, a: f64, b: f64) -> bool {
        match self {
            Compare::Less => a < b,
            Compare::LessEqual => a <= b,
            Compare::Equal => a == b,
            Compare::NotEqual => a != b,
        }
    }
}
