//! Operations on the last two axes. Each matrix is one thread's, in f64.

use super::pool::Pool;
use super::special::deal;
use crate::backend::matrix;
use crate::plan::{Special, Storage};
use bytemuck::{cast_slice, cast_slice_mut};
use std::sync::{Mutex, PoisonError};

pub(super) fn cholesky(special: &Special, a: &[u8], out: &mut [u8], pool: &Pool) -> Result<(), String> {
    let size = special.shapes[0].last().copied().unwrap_or(0);
    let cells = size * size;
    // Of those that fail the first, however they are dealt.
    let failed: Mutex<Option<(usize, String)>> = Mutex::new(None);
    each(special, out, cells, pool, |number, made| {
        read(special.storage[0], a, number * cells, made);
        if let Err(wrong) = matrix::cholesky(made, size, |_| true) {
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                *failed = Some((number, wrong));
            }
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((number, wrong)) => Err(matrix::of(number, &special.shapes[0], wrong)),
        None => Ok(()),
    }
}

pub(super) fn triangular_solve(special: &Special, transposed: bool, operands: &[&[u8]], out: &mut [u8], pool: &Pool) {
    let last = |at: usize| special.shapes[at].last().copied().unwrap_or(0);
    let (size, width) = (last(0), last(1));
    each(special, out, size * width, pool, |number, made| {
        let mut l = vec![0.0; size * size];
        read(special.storage[0], operands[0], number * l.len(), &mut l);
        read(special.storage[1], operands[1], number * made.len(), made);
        matrix::triangular_solve(transposed, &l, made, (size, width), |_| true);
    });
}

/// Has each matrix of so many cells made, by its number, and writes it as what is made is held.
fn each(special: &Special, out: &mut [u8], cells: usize, pool: &Pool, make: impl Fn(usize, &mut [f64]) + Sync) {
    if cells == 0 {
        return;
    }
    if special.storage[special.storage.len() - 1] == Storage::F64 {
        deal(cast_slice_mut::<u8, f64>(out), cells, pool, |part, first| {
            part.chunks_exact_mut(cells).enumerate().for_each(|(at, own)| make(first + at, own));
        });
        return;
    }
    deal(cast_slice_mut::<u8, f32>(out), cells, pool, |part, first| {
        let mut made = vec![0.0; cells];
        for (at, own) in part.chunks_exact_mut(cells).enumerate() {
            make(first + at, &mut made);
            own.iter_mut().zip(&made).for_each(|(to, from)| *to = *from as f32);
        }
    });
}

/// Floats of a buffer, from one on.
fn read(storage: Storage, bytes: &[u8], first: usize, out: &mut [f64]) {
    if storage == Storage::F64 {
        out.copy_from_slice(&cast_slice::<u8, f64>(bytes)[first..][..out.len()]);
        return;
    }
    let from = &cast_slice::<u8, f32>(bytes)[first..];
    out.iter_mut().zip(from).for_each(|(to, from)| *to = f64::from(*from));
}
