//! The graph of a computation; it knows nothing of syntax.

mod cost;
mod graph;
mod op;
pub mod philox;
mod scalar;
mod shape;
mod size;

pub use cost::{flops, peak_bytes};
pub use graph::{Graph, Node, NodeId};
pub use op::{DType, Draw, Number, Op, Reduce};
pub use scalar::{Binary, Compare, Unary};
pub use shape::{Shaped, elements, rule};
pub use size::{Size, Symbol};
