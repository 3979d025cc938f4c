//! Operations on matrices: the last two axes.

use super::watch::Watch;
use crate::backend::Tensor;
use crate::backend::matrix::{self, of};

pub(super) fn cholesky(a: &Tensor, watch: &Watch) -> Result<Vec<f64>, String> {
    let size = a.shape[a.shape.len() - 1];
    let mut values = a.values.clone();
    for (number, own) in values.chunks_exact_mut((size * size).max(1)).enumerate() {
        matrix::cholesky(own, size, |elements| watch.goes_on(elements)).map_err(|wrong| of(number, &a.shape, wrong))?;
    }
    Ok(values)
}

pub(super) fn triangular_solve(transposed: bool, l: &Tensor, b: &Tensor, watch: &Watch) -> Vec<f64> {
    let (size, width) = (l.shape[l.shape.len() - 1], b.shape[b.shape.len() - 1]);
    let mut values = b.values.clone();
    let pairs = values.chunks_exact_mut((size * width).max(1)).zip(l.values.chunks_exact((size * size).max(1)));
    for (own, l) in pairs {
        matrix::triangular_solve(transposed, l, own, (size, width), |elements| watch.goes_on(elements));
    }
    values
}
