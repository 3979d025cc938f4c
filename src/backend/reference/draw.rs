//! Draws of the graph.

use super::watch::Watch;
use crate::ir::{Draw, philox};

/// A draw takes as long as so many elements of other operations.
const DRAW: usize = 16;

/// `counters`: seed (low, high), step, repetition, first row, each a number modulo 2³²: as an int of 32 bits those above
/// 2³¹ are negative, and what a loop adds may go beyond. With `rows`, a draw is counted by its row in the whole
/// batch and its place within the row, so that it does not depend on how rows are batched.
pub(super) fn random(
    draw: Draw,
    path: u64,
    shape: &[usize],
    rows: Option<usize>,
    counters: &[f64],
    watch: &Watch,
) -> Vec<f64> {
    let counter = |at: usize| counters.get(at).copied().unwrap_or(0.0) as i64 as u32;
    let stream = philox::stream([counter(0), counter(1)], path, counter(2), counter(3));
    let places = (0..shape.iter().product::<usize>()).take_while(|_| watch.goes_on(DRAW));
    let Some(axis) = rows else {
        return places.map(|element| philox::draw(draw, stream, 0, element as u32)).collect();
    };
    let (length, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    places
        .map(|at| {
            let row = at / inner % length;
            let element = at / (inner * length) * inner + at % inner;
            philox::draw(draw, stream, counter(4).wrapping_add(row as u32), element as u32)
        })
        .collect()
}
