//! The surface of the language: its tree, and the parser, which alone sees pest's pairs.

mod limits;
mod parse;
pub mod tree;

pub use parse::parse;
