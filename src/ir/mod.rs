//! The graph of a computation; it knows nothing of syntax.
//!
//! | file | what |
//! |---|---|
//! | `size` | sizes of axes: polynomials over symbols |
//! | `quotient` | whole quotients of sizes, and what is certain of a size |
//! | `op`, `scalar` | the operations; scalar ones with their values |
//! | `shape` | the shape rule of every operation |
//! | `graph` | nodes, building, verifying, settling, printing |
//! | `body`, `scan`, `checkpoints` | graphs inside a graph; building loops, and such as keep little for their gradient |
//! | `hash` | a quick hash for keys of our own |
//! | `cost` | how many operations a graph takes |
//! | `philox` | draws by counting |

mod body;
mod checkpoints;
mod cost;
mod graph;
mod hash;
mod op;
pub mod philox;
mod quotient;
mod scalar;
mod scan;
mod shape;
mod size;

pub use body::{Body, Part, Scan};
pub use cost::{count, flops, held, largest};
pub use graph::{Graph, Node, NodeId};
pub use hash::{QuickMap, quick};
pub use op::{Class, DType, Draw, Number, Op, Reduce, are_outermost};
pub use scalar::{Inverse, ScalarOp};
pub use scan::{Carry, ScanBuilder, Scanned};
pub use shape::{Shaped, elements, rule};
pub use size::{Size, Symbol};
