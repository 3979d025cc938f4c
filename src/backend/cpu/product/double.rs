//! Products of 64-bit floats, of evaluation: ndarray's. An operand that is no matrix in memory, such as windows, is gathered block by
//! block of the depth.

use super::offsets::{Offsets, Side};
use crate::backend::cpu::tile::Read;
use bytemuck::cast_slice;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, CowArray, Ix2, ShapeBuilder, ShapeError};
use std::ops::Range;

/// The most of the depth that is gathered at once.
const BLOCK: usize = 512;

/// A product: rows of each matrix, depth and columns, and where the operands lie.
pub struct Double {
    rows: usize,
    depth: usize,
    columns: usize,
    a: Side,
    b: Side,
}

impl Double {
    pub fn new([_, rows, depth, columns]: [usize; 4], a: Side, b: Side) -> Double {
        Double { rows, depth, columns, a, b }
    }

    /// Some rows of the products, one below the other, from the row `first` on, as many as `out` has room for.
    pub fn rows(&self, first: usize, a: Read, b: Read, out: &mut [f64]) -> Result<(), ShapeError> {
        if out.is_empty() || self.depth == 0 {
            out.fill(0.0);
            return Ok(());
        }
        let (mut rest, mut row) = (out, first);
        while !rest.is_empty() {
            let (matrix, own) = (row / self.rows, row % self.rows);
            let rows = (self.rows - own).min(rest.len() / self.columns);
            let (part, others) = rest.split_at_mut(rows * self.columns);
            let made = ArrayViewMut2::from_shape((rows, self.columns), part)?;
            let left = Matrix::of(&self.a, a, matrix, own..own + rows);
            let right = Matrix::of(&self.b, b, matrix, 0..self.columns);
            self.multiply(&left, &right, made)?;
            (rest, row) = (others, row + rows);
        }
        Ok(())
    }

    fn multiply(&self, left: &Matrix, right: &Matrix, mut made: ArrayViewMut2<f64>) -> Result<(), ShapeError> {
        // Blocks depend on the depth alone: bits are the same however rows are divided.
        for start in (0..self.depth).step_by(BLOCK) {
            let steps = start..self.depth.min(start + BLOCK);
            let (a, b) = (left.part(steps.clone())?, right.part(steps)?);
            general_mat_mul(1.0, &a, &b.t(), if start == 0 { 0.0 } else { 1.0 }, &mut made);
        }
        Ok(())
    }
}

/// Lanes of one matrix of an operand.
struct Matrix<'m> {
    all: &'m [f64],
    start: isize,
    side: &'m Side,
    lanes: Range<usize>,
}

impl<'m> Matrix<'m> {
    fn of(side: &'m Side, read: Read<'m>, matrix: usize, lanes: Range<usize>) -> Matrix<'m> {
        Matrix { all: cast_slice(read.bytes), start: read.start + side.batch.at(matrix), side, lanes }
    }

    /// The lanes for some of the depth, where they lie or gathered.
    fn part(&self, steps: Range<usize>) -> Result<CowArray<'m, f64, Ix2>, ShapeError> {
        let misfit = || ShapeError::from_kind(ndarray::ErrorKind::OutOfBounds);
        let Side { lanes, depth, .. } = self.side;
        let shape = (self.lanes.len(), steps.len());
        let plain = |offsets: &Offsets| offsets.stride().filter(|stride| *stride > 0 || offsets.count() == 1);
        if let (Some(lane), Some(step)) = (plain(lanes), plain(depth)) {
            let start = self.start + self.lanes.start as isize * lane + steps.start as isize * step;
            let own = usize::try_from(start).ok().and_then(|start| self.all.get(start..)).ok_or_else(misfit)?;
            let laid = shape.strides((lane.unsigned_abs(), step.unsigned_abs()));
            return Ok(ArrayView2::from_shape(laid, own)?.into());
        }
        let mut gathered = Vec::with_capacity(shape.0 * shape.1);
        for lane in self.lanes.clone() {
            let start = self.start + lanes.at(lane);
            for step in steps.clone() {
                let place = usize::try_from(start + depth.at(step)).map_err(|_| misfit())?;
                gathered.push(*self.all.get(place).ok_or_else(misfit)?);
            }
        }
        Ok(Array2::from_shape_vec(shape, gathered)?.into())
    }
}
