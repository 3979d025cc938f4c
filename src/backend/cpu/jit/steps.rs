//! What a loop becomes before registers are given out: straight lines of steps on vectors, one line for each run over the columns
//! and for what is between two of them.

use super::space::Access;
use crate::ir::Reduce;
use crate::plan::Fused;

/// The value of a step, by a number within its section.
pub type Value = usize;

/// A vector that lies in memory while the function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fixed {
    /// The same bits in every lane.
    Constant(u32),
    /// A scalar of the kernel as `Kind`, in every lane; by its place in [`Program::scalars`].
    Scalar(usize),
    /// A value of the present row, in every lane.
    Row(usize),
    /// 0, 1, 2, … times a number.
    Count(i32),
}

/// How the bits of a scalar are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Float,
    Int,
    /// All bits set or none.
    Truth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Value(Value),
    Fixed(Fixed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Sqrt,
    Floor,
    /// To an int, towards 0.
    IntOfFloat,
    FloatOfInt,
    IntAbs,
    ShiftLeft(u8),
    /// With the sign.
    ShiftRight(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// The first by 2 to the power of the second (of 512 bits only).
    Scale,
    /// The second operand unless the first is greater.
    Max,
    /// The second operand unless the first is less.
    Min,
    And,
    Or,
    Xor,
    IntAdd,
    IntSub,
    IntMul,
    IntMax,
    IntMin,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    /// Either is no number.
    Unordered,
    IntLess,
    IntLessEqual,
    IntEqual,
    IntNotEqual,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// From memory, by the number of the access.
    Load(usize),
    Unary(Unary, Source),
    Binary(Binary, [Source; 2]),
    Fused(Fused, [Source; 3]),
    /// All bits of a lane or none.
    Compare(Test, [Source; 2]),
    /// The third where the test of the first two holds, else the fourth.
    Pick(Test, [Source; 4]),
    /// The second where the first has all bits, else the third.
    Choose([Source; 3]),
    /// Joins a vector to an accumulator of the section.
    Accumulate(usize, Source),
    Store(usize, Source),
    /// Joins a vector to accumulators of 64 bits in memory; the vector is of ints or floats.
    Collect(usize, Reduce, Kind, Source),
    /// Writes a row of working memory that later sections read, and reads it.
    Keep(usize, Source),
    Kept(usize),
    /// Sets a value of the row.
    SetRow(usize, Source),
    /// What an accumulator of the section before came to, in every lane.
    Total(usize),
}

impl Step {
    pub fn sources(&self) -> &[Source] {
        match self {
            Step::Load(_) | Step::Kept(_) | Step::Total(_) => &[],
            Step::Unary(_, a)
            | Step::Accumulate(_, a)
            | Step::Store(_, a)
            | Step::Collect(_, _, _, a)
            | Step::Keep(_, a)
            | Step::SetRow(_, a) => std::slice::from_ref(a),
            Step::Fused(_, all) | Step::Choose(all) => all,
            Step::Binary(_, all) | Step::Compare(_, all) => all,
            Step::Pick(_, all) => all,
        }
    }
}

/// Steps that run once for each row, or once for each vector of its columns.
#[derive(Clone, Debug, Default)]
pub struct Section {
    pub over_columns: bool,
    /// Whether [`Binary::Scale`] is there.
    pub scales: bool,
    pub steps: Vec<Step>,
    pub accumulators: Vec<(Reduce, Kind)>,
}

/// A loop, ready to be given registers.
#[derive(Debug, Default)]
pub struct Program {
    pub sections: Vec<Section>,
    pub accesses: Vec<Access>,
    /// The scalars that are used, each with how its bits are read.
    pub scalars: Vec<(usize, Kind)>,
    /// How many values of a row are set, and how many rows are kept.
    pub row_values: usize,
    pub kept: usize,
}
