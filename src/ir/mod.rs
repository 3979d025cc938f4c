//! The graph of a computation; it knows nothing of syntax.

mod op;
mod scalar;
mod size;

pub use op::{DType, Draw, Number, Op, Reduce};
pub use scalar::{Binary, Compare, Unary};
pub use size::{Size, Symbol};
