//! The graph of a computation; it knows nothing of syntax.

mod graph;
mod op;
mod scalar;
mod shape;
mod size;

pub use graph::{Graph, Node, NodeId};
pub use op::{DType, Draw, Number, Op, Reduce};
pub use scalar::{Binary, Compare, Unary};
pub use shape::{Shaped, elements, rule};
pub use size::{Size, Symbol};
