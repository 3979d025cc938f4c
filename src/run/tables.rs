//! The data sets of a run: their splits, what steps and evaluations are fed of them, and what evaluates.

use crate::backend::Tensor;
use crate::data::windows;
use crate::lower::program::Program;
use crate::run::batch::{Batch, Occasion, Split};
use crate::run::error::RunError;
use crate::run::evaluate::{Evaluator, evaluated};
use crate::run::opened::OpenedSet;
use crate::run::order::Chosen;
use crate::run::plans::{SPLITS, residents};
use crate::run::prepare::Preparation;
use crate::run::stream::Table;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

/// A data set of a run.
pub struct OfSet<'p> {
    /// Those that have rows; the first is that of training.
    pub splits: Vec<Split<'p>>,
    /// The columns that are not kept.
    pub computed: RefCell<Batch<'p>>,
}

impl<'p> OfSet<'p> {
    /// A split in evaluation: of two of training, the last is that.
    pub fn split(&self, name: &str) -> Option<&Split<'p>> {
        self.splits.iter().rfind(|split| split.name == name)
    }

    /// The rows of a split as evaluations see them.
    pub fn table(&self, split: &str, counters: [f64; 5]) -> Table<'_> {
        let Some(split) = self.split(split) else { return Table::default() };
        let columns = split.feeds(&self.computed, None, Occasion { counters, training: false });
        Table { rows: split.rows.len(), columns }
    }
}

/// What evaluates.
pub struct Figures<'p> {
    pub evaluator: Evaluator<'p>,
    /// The same, with the reports that are known when training is over.
    pub late: Option<Evaluator<'p>>,
}

/// What columns are fed in a step: those that were read once keep the rows and draws that they had.
pub fn tables_of<'a>(
    program: &Program,
    sets: &'a [OfSet<'_>],
    (rows, occasion): (&'a Chosen, Occasion),
    (held, at_first): (&'a Chosen, Occasion),
) -> Vec<Table<'a>> {
    let keeps = |input: u32| program.held.iter().any(|at| program.columns[*at].input as u32 == input);
    let of = |(at, set): (usize, &'a OfSet<'_>)| {
        let Some(split) = set.splits.first() else { return Table::default() };
        let own = split.feeds(&set.computed, Some(&rows[at]), occasion).into_iter();
        let own = own.filter(|(input, _)| !keeps(*input));
        let held = match program.held.is_empty() {
            true => Vec::new(),
            false => split.feeds(&set.computed, Some(&held[at]), at_first),
        };
        let columns = own.chain(held.into_iter().filter(|(input, _)| keeps(*input))).collect();
        Table { rows: rows[at].len(), columns }
    };
    sets.iter().enumerate().map(of).collect()
}

/// How many rows of each data set there are.
pub fn counts(rows: &Chosen) -> Vec<usize> {
    rows.iter().map(|rows| rows.len()).collect()
}

/// The part of a value that was computed once that belongs to some rows of so many; all of it, where it has no rows.
pub fn part_of(values: &[f64], rows: Range<usize>, all: usize, has_rows: bool) -> &[f64] {
    let each = if has_rows { values.len() / all.max(1) } else { return values };
    &values[rows.start * each..rows.end * each]
}

/// The splits of a data set that have rows. Where rows are windows, there are two of training: that of steps, and that of evaluations.
pub fn splits_of<'p>(
    preparation: &mut Preparation,
    (set, opened): (usize, &'p OpenedSet<'p>),
    feed: &[Tensor],
    wide: &[u32],
    kept: &[bool],
) -> Result<Vec<Split<'p>>, RunError> {
    let mut splits = Vec::new();
    if opened.lends {
        return Ok(splits);
    }
    for (name, rows) in SPLITS.into_iter().zip(opened.splits).filter(|(_, rows)| !rows.is_empty()) {
        let kept = preparation.columns(set, rows, feed, wide, kept)?;
        splits.push(Split { name, rows: Cow::Borrowed(rows), kept });
    }
    if let (Some(length), Some(steps)) = (opened.window, splits.first()) {
        // No column of windows is kept.
        let rows = windows::following(&steps.rows, length);
        splits.push(Split { name: SPLITS[0], rows: Cow::Owned(rows), kept: steps.kept.clone() });
    }
    Ok(splits)
}

/// What evaluates the splits: those in which the same data sets have rows share it.
pub fn evaluators<'p>(
    program: &'p Program,
    sets: &[OfSet<'p>],
    batch: (usize, bool),
    scratch: usize,
) -> Result<Vec<(Vec<usize>, Figures<'p>)>, RunError> {
    let is_late = !program.late.is_empty() || program.demands[1].iter().any(|demand| demand.late);
    let mut all: Vec<(Vec<usize>, Figures)> = Vec::new();
    for name in SPLITS {
        let present: Vec<usize> = (0..sets.len()).filter(|at| sets[*at].split(name).is_some()).collect();
        if present.is_empty() || all.iter().any(|(known, _)| *known == present) {
            continue;
        }
        let splits = sets.iter().flat_map(|set| &set.splits);
        let most = splits.map(|split| split.rows.len()).max().unwrap_or(0);
        let of = |over| {
            let roots = evaluated(program, over);
            Evaluator::new(program, roots, residents(program), (most, &present), batch, scratch)
        };
        let figures = Figures { evaluator: of(false)?, late: if is_late { Some(of(true)?) } else { None } };
        all.push((present, figures));
    }
    Ok(all)
}
