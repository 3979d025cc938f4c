//! The checker: names, types and index notation. Checking is per instantiation, with every hyperparameter
//! settled and only the rows of a batch symbolic.

pub mod number;
pub mod shapes;
pub mod types;
