//! The columns of a table that say which rows belong together: rows of one patient, or of a time series.

use crate::check::schema::{Bond, Kin};
use crate::data::table::{Column, Table, Values};
use std::collections::HashSet;

/// Names of columns that say who a row is of. Whoever splits at random over users or shops may mean to meet them again.
const WHO: [&str; 5] = ["patient", "subject", "participant", "person", "speaker"];

/// Names of columns that say when a row was.
const WHEN: [&str; 4] = ["date", "time", "datetime", "timestamp"];

/// Fewer rows are an example.
const FEW: usize = 20;

pub fn of(table: &Table) -> Vec<Kin> {
    let all = table.columns.iter().filter(|_| table.rows >= FEW);
    let kin = |column: &Column| {
        let bond = bond(column, table.rows)?;
        Some(Kin { column: column.name.clone(), span: column.span, bond })
    };
    all.filter_map(kin).collect()
}

fn bond(column: &Column, rows: usize) -> Option<Bond> {
    let lower = column.name.to_lowercase();
    let name = lower.trim_end_matches("id").trim_end_matches(['_', ' ', '-']);
    if WHO.contains(&name) {
        let values = distinct(&column.values)?;
        return (values > 1 && 2 * values <= rows).then_some(Bond::Group(values));
    }
    let is_time = WHEN.contains(&lower.as_str()) && rises(&column.values);
    is_time.then_some(Bond::Time)
}

fn distinct(values: &Values) -> Option<usize> {
    match values {
        Values::Numbers(numbers) => Some(numbers.iter().map(|number| number.to_bits()).collect::<HashSet<_>>().len()),
        Values::Integers(numbers) => Some(numbers.iter().collect::<HashSet<_>>().len()),
        Values::Text(texts) => Some(texts.iter().collect::<HashSet<_>>().len()),
        Values::Cells(_) | Values::Lists(_) | Values::Characters(_) => None,
    }
}

/// Whether each value is greater than the one before. Dates as texts rise where their years come first.
fn rises(values: &Values) -> bool {
    match values {
        Values::Numbers(numbers) => numbers.is_sorted_by(|a, b| a < b),
        Values::Integers(numbers) => numbers.is_sorted_by(|a, b| a < b),
        Values::Text(texts) => texts.is_sorted_by(|a, b| a < b),
        Values::Cells(_) | Values::Lists(_) | Values::Characters(_) => false,
    }
}
