//! The graph of a computation; it knows nothing of syntax.

mod size;

pub use size::{Size, Symbol};
