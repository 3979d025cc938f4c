//! What is fitted on training rows alone: the classes of a category column.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::data::split::Split;
use crate::data::table::{Table, Values};
use crate::data::trouble::{goes_on, interrupted};
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};

/// The classes of a column, in order: numbers by value, text by its characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    pub classes: Vec<String>,
}

/// The classes of a column's training rows, and the class of every row as its place among them. A class that only
/// other rows have is an error. `call` is where the program asks for the category; `stop` is
/// asked now and then whether that is to end.
pub fn category(
    sources: &Sources,
    table: &Table,
    column: usize,
    split: &Split,
    call: Span,
    stop: fn() -> bool,
) -> Result<(Vocabulary, Vec<usize>), Diagnostic> {
    let mut places: BTreeMap<Class, usize> = BTreeMap::new();
    for (at, row) in split.train.iter().enumerate() {
        if !goes_on(at, stop) {
            return Err(interrupted(call));
        }
        places.insert(class(table, column, *row), 0);
    }
    for (place, (_, value)) in places.iter_mut().enumerate() {
        *value = place;
    }
    let mut codes = vec![0; table.rows];
    for (name, rows) in [("train", &split.train), ("valid", &split.valid), ("test", &split.test)] {
        for (at, row) in rows.iter().enumerate() {
            if !goes_on(at, stop) {
                return Err(interrupted(call));
            }
            let class = class(table, column, *row);
            match places.get(&class) {
                Some(place) => codes[*row] = *place,
                None => return Err(unseen(sources, table, column, *row, name, &class.text(), call)),
            }
        }
    }
    Ok((Vocabulary { classes: places.keys().map(Class::text).collect() }, codes))
}

/// Each row's value as a number that equal values share: what a split is stratified by. Where that is to stop, they are no use.
pub fn strata(table: &Table, column: usize, stop: fn() -> bool) -> Vec<usize> {
    let mut places: BTreeMap<Class, usize> = BTreeMap::new();
    for row in (0..table.rows).take_while(|row| goes_on(*row, stop)) {
        places.insert(class(table, column, row), 0);
    }
    for (place, (_, value)) in places.iter_mut().enumerate() {
        *value = place;
    }
    let place = |row: usize| places.get(&class(table, column, row)).copied().unwrap_or(0);
    let mut strata: Vec<usize> = (0..table.rows).take_while(|row| goes_on(*row, stop)).map(place).collect();
    strata.resize(table.rows, 0);
    strata
}

fn unseen(
    sources: &Sources,
    table: &Table,
    column: usize,
    row: usize,
    split: &str,
    class: &str,
    call: Span,
) -> Diagnostic {
    let name = &table.columns[column].name;
    let message = format!("the class `{class}` of column `{name}` is in no training row");
    let place = table.place(sources, row, column);
    Diagnostic::error("E0311", message, place, format!("row {} is in `{split}`", row + 1))
        .label(call, "classes are those of the training rows")
        .help(format!("stratify the split by `{name}`, or leave such rows out"))
}

/// One value of a column, in an order of its own.
#[derive(Debug, PartialEq)]
enum Class<'t> {
    Integer(i64),
    Number(f64),
    Text(&'t str),
}

impl Class<'_> {
    fn text(&self) -> String {
        match self {
            Class::Integer(value) => value.to_string(),
            Class::Number(value) => value.to_string(),
            Class::Text(value) => value.to_string(),
        }
    }
}

impl Eq for Class<'_> {}

impl PartialOrd for Class<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Class<'_> {
    /// Classes of one column are of one kind; the rest is there to make the order whole.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Class::Integer(a), Class::Integer(b)) => a.cmp(b),
            (Class::Number(a), Class::Number(b)) if a == b => Ordering::Equal,
            (Class::Number(a), Class::Number(b)) => a.total_cmp(b),
            (Class::Text(a), Class::Text(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl Class<'_> {
    fn rank(&self) -> u8 {
        match self {
            Class::Integer(_) => 0,
            Class::Number(_) => 1,
            Class::Text(_) => 2,
        }
    }
}

fn class(table: &Table, column: usize, row: usize) -> Class<'_> {
    match &table.columns[column].values {
        Values::Integers(values) => Class::Integer(values[row]),
        Values::Numbers(values) => Class::Number(values[row]),
        Values::Text(values) => Class::Text(&values[row]),
    }
}
