//! What turns graphs into numbers.
//!
//! | room | what |
//! |---|---|
//! | `tensor` | shapes with their elements |
//! | `reference` | every operation in f64, naively: what the others are held against |

pub mod reference;
pub mod tensor;

pub use tensor::Tensor;
