//! The rows of each split of a table, as the program says.

use crate::check::number::Number;
use crate::check::schema::{Spanned, Split as Wanted, Way};
use crate::data::folds::{self, Chosen};
use crate::data::split::{self, Holdout, Part, Split};
use crate::data::table::{Table, Values};
use crate::data::{fit, shuffle};
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::{Sources, Span};

/// Splits so many rows; `table` is where its columns are, which drawn rows have not.
pub fn dealt(
    sources: &Sources,
    table: Option<&Table>,
    rows: usize,
    wanted: &Wanted,
    stop: fn() -> bool,
) -> Result<Split, Diagnostic> {
    let numbers = |by: &Option<(String, Span)>| -> Result<Option<Vec<usize>>, Diagnostic> {
        let Some((name, span)) = by else { return Ok(None) };
        let (table, at) = column(table, name, *span)?;
        Ok(Some(fit::strata(table, at, stop)))
    };
    let (strata, groups) = (numbers(&wanted.stratify)?, numbers(&wanted.group)?);
    let by = By { strata, groups, shuffle: wanted.shuffle, seed: wanted.seed, call: wanted.span, stop };
    let split = match &wanted.way {
        Way::Shares { train, valid, test } => {
            let part = |part: &Option<Spanned>| part.map(share).transpose();
            let parts = [Some(share(*train)?), part(valid)?, part(test)?];
            by.shares((0..rows).collect(), parts)?
        }
        Way::Fold { count, held } => by.fold(rows, *count, *held)?,
        Way::Column(name, span) => {
            let (table, at) = column(table, name, *span)?;
            by.said(sources, table, at, *span)?
        }
        Way::Given { valid } => by.given(table, rows, *valid)?,
    };
    Ok(split)
}

fn column<'t>(table: Option<&'t Table>, name: &str, span: Span) -> Result<(&'t Table, usize), Diagnostic> {
    let at = table.and_then(|table| table.by_name.get(name).copied());
    table.zip(at).ok_or_else(|| {
        let error = Diagnostic::error("E0220", format!("cannot find column `{name}`"), span, "not found");
        let names = table.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str());
        match nearest(name, names) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("rows are split by a column of the source"),
        }
    })
}

fn share(spanned: Spanned) -> Result<Part, Diagnostic> {
    match spanned.number {
        Number::Exact { above, below } => Ok(Part { share: (above, below), span: spanned.span }),
        Number::Float(_) => {
            let message = "the share of a split is written as digits";
            Err(Diagnostic::error("E0312", message, spanned.span, "this is not").help("write `80%` or `0.8`"))
        }
    }
}

/// By what rows are put in order and kept together.
struct By {
    /// The class and the group of each row.
    strata: Option<Vec<usize>>,
    groups: Option<Vec<usize>>,
    shuffle: bool,
    seed: u64,
    call: Span,
    stop: fn() -> bool,
}

impl By {
    fn order(&self, rows: usize) -> Vec<usize> {
        if self.shuffle { shuffle::order_until(rows, self.seed, self.stop) } else { (0..rows).collect() }
    }

    fn split(&self, rows: usize, chosen: Chosen) -> Result<Split, Diagnostic> {
        split::of_parts(rows, chosen.into_iter(), self.call, self.stop)
    }

    /// Some rows by shares.
    fn shares(&self, rows: Vec<usize>, parts: [Option<Part>; 3]) -> Result<Split, Diagnostic> {
        let of = |all: &Vec<usize>| rows.iter().map(|row| all[*row]).collect::<Vec<_>>();
        let split = match (&self.groups, parts) {
            (Some(groups), _) => {
                let counts = split::counts(rows.len(), &parts, self.call)?;
                let groups = folds::groups(&self.order(rows.len()), &of(groups));
                self.split(rows.len(), folds::by_groups(groups, counts, !self.shuffle, self.call)?)?
            }
            (None, [Some(train), valid, test]) => {
                let holdout = Holdout { train, valid, test, seed: self.seed, shuffle: self.shuffle };
                let strata = self.strata.as_ref().map(of);
                split::holdout(rows.len(), &holdout, strata.as_deref(), self.call, self.stop)?
            }
            (None, [None, ..]) => Split { train: (0..rows.len()).collect(), ..Split::default() },
        };
        let own = |split: Vec<usize>| split.into_iter().map(|at| rows[at]).collect();
        Ok(Split { train: own(split.train), valid: own(split.valid), test: own(split.test) })
    }

    fn fold(&self, rows: usize, count: usize, held: usize) -> Result<Split, Diagnostic> {
        if count > rows {
            let message = format!("{rows} rows cannot fill {count} folds");
            return Err(Diagnostic::error("E0342", message, self.call, "a fold has at least one row"));
        }
        let order = self.order(rows);
        let chosen = match (&self.groups, &self.strata) {
            (Some(groups), _) => folds::fold_groups(folds::groups(&order, groups), count, held, self.call)?,
            (None, Some(strata)) => folds::fold(split::by_class(&order, strata, self.stop), count, held, true),
            (None, None) => folds::fold(order, count, held, false),
        };
        self.split(rows, chosen)
    }

    /// A column that says `train`, `valid` or `test`.
    fn said(&self, sources: &Sources, table: &Table, at: usize, span: Span) -> Result<Split, Diagnostic> {
        let column = &table.columns[at];
        let Values::Text(words) = &column.values else {
            let message = format!("column `{}` says no splits: it holds numbers", column.name);
            let error = Diagnostic::error("E0344", message, span, "this column");
            let error = error.label(column.span, "the column is named here");
            return Err(error.help("its cells are `train`, `valid` and `test`"));
        };
        let mut chosen = Chosen::new();
        for (row, word) in words.iter().enumerate() {
            let Some(part) = folds::part(word) else {
                let place = table.place(sources, row, at);
                let message = format!("`{word}` in column `{}` is no split", column.name);
                let error = Diagnostic::error("E0344", message, place, "this cell");
                let error = error.label(span, "the column says the split of each row");
                return Err(error.help("its cells are `train`, `valid` and `test`"));
            };
            chosen.push((row, part));
        }
        if chosen.iter().all(|(_, part)| *part != 0) {
            let message = format!("the split `train` is empty: column `{}` says it of no row", column.name);
            return Err(Diagnostic::error("E0313", message, span, "this column"));
        }
        self.split(table.rows, chosen)
    }

    /// The source's own test rows, and some of the others for validation.
    fn given(&self, table: Option<&Table>, rows: usize, valid: Option<Spanned>) -> Result<Split, Diagnostic> {
        let Some(own) = table.and_then(|table| table.own_test) else {
            let message = "this source does not say which of its rows are for the test";
            let error = Diagnostic::error("E0344", message, self.call, "nothing is given");
            return Err(error.help("write `given(by = column)` with a column that says it, or `holdout(…)`"));
        };
        let parts = match valid {
            None => [None; 3],
            Some(valid) => {
                // From 1 on it is a count, below a share.
                let number = match valid.number.to_whole() {
                    Some(count) if count >= own as i64 => {
                        let message = format!("{count} of {own} training rows leave none for training");
                        return Err(Diagnostic::error("E0313", message, valid.span, "so many for validation"));
                    }
                    Some(count) if count >= 1 => Number::ratio(count.into(), own as i128).unwrap_or(valid.number),
                    _ => valid.number,
                };
                let rest = Spanned { number: Number::whole(1).minus(number), span: self.call };
                [Some(share(rest)?), Some(share(Spanned { number, ..valid })?), None]
            }
        };
        let mut split = self.shares((0..own).collect(), parts)?;
        split.test = (own..rows).collect();
        Ok(split)
    }
}
