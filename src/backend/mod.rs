//! What turns graphs into numbers.
//!
//! | room | what |
//! |---|---|
//! | `tensor` | shapes with their elements |
//! | `matrix` | triangles of a matrix |
//! | `device` | what a backend is to a run |
//! | `cpu` | plans, in f32 on threads |
//! | `reference` | every operation in f64, naively: what the others are held against |

pub mod cpu;
pub mod device;
mod matrix;
pub mod reference;
pub mod tensor;

pub use device::{Device, Fault, PlanId, Values};
pub use tensor::Tensor;
