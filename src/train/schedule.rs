//! How long a run takes, as its file says it.

use crate::check::program::{Length, Program};
use crate::train::run::Schedule;

/// The schedule of a program for a length, on all processors.
pub fn planned(program: &Program, length: Length) -> Schedule {
    let rows = program.data.rows[0];
    let batch = program.plan.batch.map_or(rows, |batch| batch as usize);
    let in_epoch = Schedule::steps_of(rows, batch, 1).max(1);
    let (steps, epochs) = match length {
        Length::Epochs(epochs) => (epochs.saturating_mul(in_epoch), epochs),
        Length::Steps(steps) => (steps, steps.div_ceil(in_epoch)),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Schedule { steps, epochs, batch, seed: program.plan.seed, threads }
}
