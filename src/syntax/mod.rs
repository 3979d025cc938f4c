//! The surface of the language: its tree, and the parser, which alone sees pest's pairs.

mod limits;
mod parse;
pub mod tree;
pub mod walk;

pub use parse::{Open, Part, entry, open, parse};
