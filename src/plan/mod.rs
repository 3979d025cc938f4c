//! The plan of a run: which kernels compute a graph, in which order, and where in one arena their values lie.
//!
//! | file | what |
//! |---|---|
//! | `view` | strided views, and which operations only change them |
//! | `kernel` | what a plan is made of |
//! | `build` | nodes to kernels: what is fused with what |
//! | `reduce`, `product` | the same for reductions and contractions |
//! | `in_place` | next values over the present ones |
//! | `host` | scalars that the host computes in f64 |
//! | `arena` | lifetimes and offsets |
//! | `print` | a plan in words |

mod arena;
mod build;
mod host;
mod in_place;
mod kernel;
mod print;
mod product;
mod reduce;
mod view;

pub use build::{Request, plan};
pub use host::{Scalar, values};
pub use kernel::{
    Body, Buffer, BufferId, Instruction, Kernel, Level, Loop, Matrices, Output, Plan, Register, Special, Target,
};
pub use view::View;
