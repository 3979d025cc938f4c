//! Matrix products: ndarray's, single-threaded, on shares of the rows or of the columns. How a product is divided changes no bit
//! of it.

use super::pass::elements;
use super::pool::Pool;
use super::tile::Read;
use crate::plan::{Matrices, Storage};
use bytemuck::{Pod, cast_slice_mut};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis, LinalgScalar, ShapeBuilder, ShapeError};
use std::sync::Mutex;

/// With fewer multiplications a product is not worth waking threads for.
const ALONE: usize = 64 * 1024;

/// A share: rows of the left operand, columns of the right one, and their part of the result.
type Part<'a, T> = (ArrayView3<'a, T>, ArrayView3<'a, T>, ArrayViewMut3<'a, T>);

/// Element types of products.
pub trait Float: LinalgScalar + Pod + Send + Sync {}
impl Float for f32 {}
impl Float for f64 {}

/// Operands that do not fit their buffers are a fault of the plan, and an error.
pub fn run(matrices: &Matrices, a: Read, b: Read, out: &mut [u8], pool: &Pool) -> Result<(), String> {
    match matrices.storage {
        Storage::F64 => run_of::<f64>(matrices, a, b, cast_slice_mut(out), pool),
        Storage::F32 | Storage::I32 | Storage::Bool => run_of::<f32>(matrices, a, b, cast_slice_mut(out), pool),
    }
}

fn run_of<T: Float>(matrices: &Matrices, a: Read, b: Read, out: &mut [T], pool: &Pool) -> Result<(), String> {
    let Matrices { batch, rows, depth, columns, .. } = *matrices;
    if out.is_empty() || depth == 0 {
        out.fill(T::zero());
        return Ok(());
    }
    let plain = |strides: [isize; 3]| {
        let [x, y, z] = strides.map(|stride| stride.max(0) as usize);
        (x, y, z)
    };
    let left = ArrayView3::from_shape((batch, rows, depth).strides(plain(matrices.a)), elements::<T>(a));
    let right = ArrayView3::from_shape((batch, depth, columns).strides(plain(matrices.b)), elements::<T>(b));
    let made = ArrayViewMut3::from_shape((batch, rows, columns), out);
    let whole = (left.map_err(misfit)?, right.map_err(misfit)?, made.map_err(misfit)?);
    if is_small(matrices) || pool.threads() == 1 {
        multiply(whole);
        return Ok(());
    }
    let parts: Vec<Mutex<Option<Part<T>>>> =
        shared(whole, pool.threads()).into_iter().map(|p| Mutex::new(Some(p))).collect();
    pool.run(&|thread| {
        let part = parts.get(thread).and_then(|part| part.lock().ok()?.take());
        part.into_iter().for_each(multiply);
    });
    Ok(())
}

fn misfit(wrong: ShapeError) -> String {
    format!("a product does not fit its buffers: {wrong}")
}

/// Equal shares of the longer of rows and columns.
fn shared<T: Float>(whole: Part<T>, threads: usize) -> Vec<Part<T>> {
    let (left, right, made) = whole;
    let by_rows = by_rows(left.len_of(Axis(1)), right.len_of(Axis(2)));
    let mut parts = Vec::with_capacity(threads);
    let mut rest = (left, right, made);
    for left_over in (1..=threads).rev() {
        let have = if by_rows { rest.0.len_of(Axis(1)) } else { rest.1.len_of(Axis(2)) };
        let share = have.div_ceil(left_over);
        let (left, right, made) = rest;
        if by_rows {
            let (own, other) = left.split_at(Axis(1), share);
            let (own_made, other_made) = made.split_at(Axis(1), share);
            parts.push((own, right, own_made));
            rest = (other, right, other_made);
        } else {
            let (own, other) = right.split_at(Axis(2), share);
            let (own_made, other_made) = made.split_at(Axis(2), share);
            parts.push((left, own, own_made));
            rest = (left, other, other_made);
        }
    }
    parts
}

/// Whether a product is divided by its rows: the loop that follows it can then run on the same thread. With few rows, each thread
/// would pack all columns for little work.
pub fn by_rows(rows: usize, columns: usize) -> bool {
    rows >= columns / 4
}

pub fn is_small(matrices: &Matrices) -> bool {
    matrices.batch * matrices.rows * matrices.depth * matrices.columns < ALONE
}

/// Some rows of the products, one below the other, from the row `first` on, as many as `out` has room for.
pub fn rows(matrices: &Matrices, first: usize, a: Read, b: Read, out: &mut [u8]) -> Result<(), String> {
    match matrices.storage {
        Storage::F64 => rows_of::<f64>(matrices, first, a, b, cast_slice_mut(out)),
        Storage::F32 | Storage::I32 | Storage::Bool => rows_of::<f32>(matrices, first, a, b, cast_slice_mut(out)),
    }
}

fn rows_of<T: Float>(matrices: &Matrices, first: usize, a: Read, b: Read, out: &mut [T]) -> Result<(), String> {
    let Matrices { depth, columns, .. } = *matrices;
    if out.is_empty() || depth == 0 {
        out.fill(T::zero());
        return Ok(());
    }
    let plain = |[_, x, y]: [isize; 3]| (x.max(0) as usize, y.max(0) as usize);
    let (a, b) = (elements::<T>(a), elements::<T>(b));
    let (mut rest, mut row) = (out, first);
    while !rest.is_empty() {
        let (batch, own) = (row / matrices.rows, row % matrices.rows);
        let rows = (matrices.rows - own).min(rest.len() / columns);
        let (part, others) = rest.split_at_mut(rows * columns);
        let start_a = batch * matrices.a[0].max(0) as usize + own * plain(matrices.a).0;
        let start_b = batch * matrices.b[0].max(0) as usize;
        let left = ArrayView2::from_shape((rows, depth).strides(plain(matrices.a)), &a[start_a.min(a.len())..]);
        let right = ArrayView2::from_shape((depth, columns).strides(plain(matrices.b)), &b[start_b.min(b.len())..]);
        let mut made = ArrayViewMut2::from_shape((rows, columns), part).map_err(misfit)?;
        general_mat_mul(T::one(), &left.map_err(misfit)?, &right.map_err(misfit)?, T::zero(), &mut made);
        (rest, row) = (others, row + rows);
    }
    Ok(())
}

fn multiply<T: Float>((left, right, mut made): Part<T>) {
    for at in 0..made.len_of(Axis(0)) {
        let (a, b) = (left.index_axis(Axis(0), at), right.index_axis(Axis(0), at));
        general_mat_mul(T::one(), &a, &b, T::zero(), &mut made.index_axis_mut(Axis(0), at));
    }
}
