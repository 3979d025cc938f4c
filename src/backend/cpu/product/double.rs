//! Products of 64-bit floats, of evaluation: ndarray's.

use crate::plan::Matrices;
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder, ShapeError};

/// Some rows of the products, one below the other, from the row `first` on, as many as `out` has room for.
pub fn rows(matrices: &Matrices, first: usize, a: &[f64], b: &[f64], out: &mut [f64]) -> Result<(), ShapeError> {
    let Matrices { depth, columns, .. } = *matrices;
    if out.is_empty() || depth == 0 {
        out.fill(0.0);
        return Ok(());
    }
    let plain = |[_, x, y]: [isize; 3]| (x.max(0) as usize, y.max(0) as usize);
    let (mut rest, mut row) = (out, first);
    while !rest.is_empty() {
        let (batch, own) = (row / matrices.rows, row % matrices.rows);
        let rows = (matrices.rows - own).min(rest.len() / columns);
        let (part, others) = rest.split_at_mut(rows * columns);
        let start_a = batch * matrices.a[0].max(0) as usize + own * plain(matrices.a).0;
        let start_b = batch * matrices.b[0].max(0) as usize;
        let left = ArrayView2::from_shape((rows, depth).strides(plain(matrices.a)), &a[start_a.min(a.len())..]);
        let right = ArrayView2::from_shape((depth, columns).strides(plain(matrices.b)), &b[start_b.min(b.len())..]);
        let mut made = ArrayViewMut2::from_shape((rows, columns), part)?;
        general_mat_mul(1.0, &left?, &right?, 0.0, &mut made);
        (rest, row) = (others, row + rows);
    }
    Ok(())
}
