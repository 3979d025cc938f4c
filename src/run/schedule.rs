//! How long a run is, in what portions, and from where.

use crate::check::program::{Length, TypedProgram};

/// Bytes of columns that are kept: these are computed once, and cost a step no more than a copy of its rows.
pub const KEPT: u64 = 1 << 30;

#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub steps: u64,
    pub epochs: u64,
    /// Rows of a step.
    pub batch: usize,
    pub seed: u64,
    pub threads: usize,
    /// The most bytes of columns that are computed once and kept.
    pub kept: u64,
}

impl Schedule {
    /// What the file says, for a run of some length, on all processors.
    pub fn of(program: &TypedProgram, length: Length) -> Schedule {
        let rows = program.data.rows()[0];
        let batch = program.run.batch.map_or(rows, |batch| batch as usize);
        let in_epoch = Schedule::steps_of(rows, batch, 1).max(1);
        // Each repetition of a `minimize` sees another batch, unless all rows are one.
        let times = program.minimized.iter().map(|minimized| minimized.times).max().unwrap_or(1);
        let batches = if batch >= rows { 1 } else { times.max(1) };
        let (steps, epochs) = match length {
            Length::Epochs(epochs) => (epochs.saturating_mul(in_epoch).div_ceil(batches), epochs),
            Length::Steps(steps) => (steps, steps.saturating_mul(batches).div_ceil(in_epoch)),
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Schedule { steps, epochs, batch, seed: program.run.seed, threads, kept: KEPT }
    }

    /// Steps for `epochs` epochs over `rows` rows, the last one of each epoch with what is left.
    pub fn steps_of(rows: usize, batch: usize, epochs: u64) -> u64 {
        epochs.saturating_mul(rows.div_ceil(batch.max(1)) as u64)
    }
}
