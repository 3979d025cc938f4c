//! The surface of the language: its tree.

pub mod tree;
