//! The checker: names, types and index notation. Checking is per instantiation, with every hyperparameter
//! settled and only the rows of a batch symbolic.

pub mod chains;
pub mod later;
pub mod names;
pub mod number;
pub mod shapes;
mod surface;
pub mod types;
mod walk;

pub use surface::surface;
