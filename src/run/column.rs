//! The columns of a split as steps and evaluations read them.

use crate::plan::Storage;
use bytemuck::{Pod, cast_slice_mut};

/// Elements row by row.
#[derive(Clone, Debug)]
pub enum Column {
    F32(Vec<f32>),
    /// Where evaluation needs more digits than 32 bits have.
    F64(Vec<f64>),
    I32(Vec<i32>),
}

impl Column {
    pub fn empty(storage: Storage) -> Column {
        match storage {
            Storage::F32 => Column::F32(Vec::new()),
            Storage::F64 => Column::F64(Vec::new()),
            Storage::I32 | Storage::Bool => Column::I32(Vec::new()),
        }
    }

    pub fn extend(&mut self, values: impl Iterator<Item = f64>) {
        match self {
            Column::F32(own) => own.extend(values.map(|value| value as f32)),
            Column::F64(own) => own.extend(values),
            Column::I32(own) => own.extend(values.map(|value| value as i32)),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Column::F32(own) => own.len(),
            Column::F64(own) => own.len(),
            Column::I32(own) => own.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As few bits as hold all digits.
    pub fn narrowed(self) -> Column {
        match self {
            Column::F64(own) if own.iter().all(|value| f64::from(*value as f32) == *value) => {
                Column::F32(own.into_iter().map(|value| value as f32).collect())
            }
            other => other,
        }
    }

    /// Some rows, of all that there are.
    pub fn rows(&self, all: usize, rows: impl Iterator<Item = usize>) -> Vec<f64> {
        let width = self.len() / all.max(1);
        let element = |at: usize| match self {
            Column::F32(own) => f64::from(own[at]),
            Column::F64(own) => own[at],
            Column::I32(own) => f64::from(own[at]),
        };
        rows.flat_map(|row| row * width..(row + 1) * width).map(element).collect()
    }

    /// Some rows, of all that there are, into the buffer of an input.
    pub fn feed(&self, all: usize, rows: impl Iterator<Item = usize>, to: (&mut [u8], Storage)) {
        let (bytes, storage) = to;
        let width = self.len() / all.max(1);
        match (self, storage) {
            (Column::F32(own), Storage::F32) => copy(own, width, rows, cast_slice_mut(bytes), |x| x),
            (Column::F32(own), Storage::F64) => copy(own, width, rows, cast_slice_mut(bytes), f64::from),
            (Column::F64(own), Storage::F32) => copy(own, width, rows, cast_slice_mut(bytes), |x| x as f32),
            (Column::F64(own), Storage::F64) => copy(own, width, rows, cast_slice_mut(bytes), |x| x),
            (Column::I32(own), Storage::I32) => copy(own, width, rows, cast_slice_mut(bytes), |x| x),
            (Column::I32(own), Storage::Bool) => copy(own, width, rows, bytes, |x| u8::from(x != 0)),
            // The kinds of a column and of its input are one.
            (Column::F32(_) | Column::F64(_), Storage::I32 | Storage::Bool)
            | (Column::I32(_), Storage::F32 | Storage::F64) => {}
        }
    }
}

fn copy<T: Copy, U: Pod>(
    from: &[T],
    width: usize,
    rows: impl Iterator<Item = usize>,
    to: &mut [U],
    as_held: impl Fn(T) -> U,
) {
    for (cells, row) in to.chunks_exact_mut(width.max(1)).zip(rows) {
        cells.iter_mut().zip(&from[row * width..][..width]).for_each(|(cell, value)| *cell = as_held(*value));
    }
}
