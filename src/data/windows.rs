//! Windows: so many neighbouring rows of a split, and the one behind them. None reaches across the border of a split.

use crate::data::split::{NAMES, Split};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// The first rows of all windows of the training rows, and of those of the other splits that follow one another. `length`
/// does not count the row behind a window.
pub fn of(split: &Split, length: usize, call: Span) -> Result<Split, Diagnostic> {
    for (name, rows) in NAMES.into_iter().zip([&split.train, &split.valid, &split.test]) {
        if rows.len() <= length && !rows.is_empty() {
            let message = format!("the split `{name}` has {} rows, and a window takes {}", rows.len(), length + 1);
            let error = Diagnostic::error("E0348", message, call, "these windows");
            return Err(
                error.help("windows are cut inside a split: take a shorter `context`, or give the split more rows")
            );
        }
    }
    let every = |rows: &[usize]| starts(rows, length);
    let (valid, test) = (every(&split.valid), every(&split.test));
    Ok(Split { train: every(&split.train), valid: following(&valid, length), test: following(&test, length) })
}

/// Where `length + 1` rows stand side by side.
fn starts(rows: &[usize], length: usize) -> Vec<usize> {
    rows.windows(length + 1).filter(|rows| rows[length] - rows[0] == length).map(|rows| rows[0]).collect()
}

/// Of windows, those that do not overlap, one as soon as the other ends.
pub fn following(starts: &[usize], length: usize) -> Vec<usize> {
    let mut last = None;
    let follows = |start: &&usize| {
        let follows = last.is_none_or(|last| **start >= last + length);
        last = if follows { Some(**start) } else { last };
        follows
    };
    starts.iter().filter(follows).copied().collect()
}
