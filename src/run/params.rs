//! The values of parameters.

use std::collections::BTreeMap;

/// In row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// By path: `dense_1.w`.
pub type Params = BTreeMap<String, Tensor>;
