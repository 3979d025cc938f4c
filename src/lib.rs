//! mlx: a declarative language for machine-learning models, and the program that trains them.

pub mod autodiff;
pub mod backend;
pub mod check;
pub mod cli;
pub mod compile;
pub mod data;
pub mod diagnostic;
pub mod io;
pub mod ir;
pub mod lower;
pub mod source;
pub mod syntax;
pub mod train;
