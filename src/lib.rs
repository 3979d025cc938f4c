//! mlx: a declarative language for machine-learning models, and the program that trains them.

pub mod check;
pub mod cli;
pub mod data;
pub mod diagnostic;
pub mod io;
pub mod ir;
pub mod source;
pub mod syntax;
pub mod train;
