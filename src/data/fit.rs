//! What is fitted on training rows alone: the classes of a category column.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use crate::data::lists;
use crate::data::mistakes::{goes_on, interrupted};
use crate::data::split::Split;
use crate::data::table::{Table, Values};
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
    wanted: Wanted,
    call: Span,
    stop: fn() -> bool,
) -> Result<(Vocabulary, Vec<usize>), Diagnostic> {
    if let Some(order) = wanted.order {
        return ordered(sources, table, column, order, call, stop);
    }
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
                None if wanted.unknown.is_some() => codes[*row] = places.len(),
                None => return Err(unseen(sources, table, column, *row, name, &class.text(), call)),
            }
        }
    }
    let classes = places.keys().map(Class::text).chain(wanted.unknown.map(str::to_string));
    Ok((Vocabulary { classes: classes.collect() }, codes))
}

/// What a program says of the classes of a column.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'w> {
    /// All classes, in order.
    pub order: Option<&'w [String]>,
    /// The class of what no training row has, behind all others.
    pub unknown: Option<&'w str>,
}

/// The class of every row as its place in an order that the program gives, which has every class of the column.
fn ordered(
    sources: &Sources,
    table: &Table,
    column: usize,
    order: &[String],
    call: Span,
    stop: fn() -> bool,
) -> Result<(Vocabulary, Vec<usize>), Diagnostic> {
    let places: HashMap<&str, usize> = order.iter().enumerate().map(|(at, class)| (class.as_str(), at)).collect();
    let (mut seen, mut codes) = (vec![false; order.len()], vec![0; table.rows]);
    let name = &table.columns[column].name;
    for (row, code) in codes.iter_mut().enumerate() {
        if !goes_on(row, stop) {
            return Err(interrupted(call));
        }
        let text = class(table, column, row).text();
        let Some(place) = places.get(&*text) else {
            let message = format!("the class `{text}` of column `{name}` is not in the order");
            return Err(Diagnostic::error("E0347", message, table.place(sources, row, column), "this class")
                .label(call, format!("the order has {}", listed(order)))
                .help("an order has every class of the column"));
        };
        (*code, seen[*place]) = (*place, true);
    }
    if let Some((gone, _)) = order.iter().zip(seen).find(|(_, seen)| !seen) {
        let message = format!("column `{name}` has no class `{gone}`");
        return Err(Diagnostic::error("E0347", message, call, "the order has it")
            .label(table.columns[column].span, "no row of this column has it")
            .help("classes are written in the order as the file has them"));
    }
    Ok((Vocabulary { classes: order.to_vec() }, codes))
}

/// The class of every row as its place among the classes of another column, which it need not have all.
pub fn like(
    sources: &Sources,
    table: &Table,
    column: usize,
    (classes, shown, has_unknown): (&[String], &str, bool),
    call: Span,
) -> Result<(Vocabulary, Vec<usize>), Diagnostic> {
    let places: HashMap<&str, usize> = classes.iter().enumerate().map(|(at, class)| (class.as_str(), at)).collect();
    let mut codes = vec![0; table.rows];
    for (row, code) in codes.iter_mut().enumerate() {
        let text = class(table, column, row).text();
        *code = match places.get(&*text) {
            Some(place) => *place,
            None if has_unknown => classes.len().saturating_sub(1),
            None => {
                let message =
                    format!("the class `{text}` of column `{}` is none of `{shown}`", table.columns[column].name);
                let error = Diagnostic::error("E0386", message, table.place(sources, row, column), "this class");
                let error = error.label(call, format!("`{shown}` has {}", listed(classes)));
                return Err(error.help(
                    "leave the rows out, or have `unknown = \"other\"` there: then what its training rows lack is one more class",
                ));
            }
        };
    }
    Ok((Vocabulary { classes: classes.to_vec() }, codes))
}

/// The class of every row as its place among classes that are known: those of the rows that weights were trained on. All
/// of them, and no others, are in the column, or what the weights say means something else.
pub fn by(
    sources: &Sources,
    table: &Table,
    column: usize,
    known: &[String],
    has_unknown: bool,
    call: Span,
) -> Result<Vec<usize>, Diagnostic> {
    let places: HashMap<&str, usize> = known.iter().enumerate().map(|(at, class)| (class.as_str(), at)).collect();
    let mut seen = vec![false; known.len()];
    let mut codes = vec![0; table.rows];
    let mut new: BTreeMap<Class, usize> = BTreeMap::new();
    for (row, code) in codes.iter_mut().enumerate() {
        let class = class(table, column, row);
        match places.get(&*class.text()) {
            Some(place) => (*code, seen[*place]) = (*place, true),
            None if has_unknown => *code = known.len() - 1,
            None => drop(new.entry(class).or_insert(row)),
        }
    }
    let told = known.len() - usize::from(has_unknown);
    let gone =
        known.iter().take(told).zip(seen).filter(|(_, seen)| !seen).map(|(class, _)| class.clone()).collect::<Vec<_>>();
    if new.is_empty() && gone.is_empty() {
        return Ok(codes);
    }
    let name = &table.columns[column].name;
    let first = new.values().min().copied();
    let told = [("has", new.keys().map(Class::text).collect()), ("lacks", gone)];
    let told =
        told.iter().filter(|(_, classes)| !classes.is_empty()).map(|(word, all)| format!("{word} {}", listed(all)));
    let told = told.collect::<Vec<_>>().join(" and ");
    let message = format!("column `{name}` has other classes than the weights were trained with: it {told}");
    let place = first.map_or(table.columns[column].span, |row| table.place(sources, row, column));
    let what = if first.is_some() { "the weights know no such class" } else { "this column" };
    Err(Diagnostic::error("E0325", message, place, what)
        .label(call, format!("the weights know {}", listed(known)))
        .help("use data with the classes of the run, or train again"))
}

/// `a`, `b`, `c` and 4 more
pub(super) fn listed(classes: &[String]) -> String {
    let shown: Vec<String> = classes.iter().take(LISTED).map(|class| format!("`{class}`")).collect();
    match classes.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// How many classes a message names.
const LISTED: usize = 10;

/// Whether all numbers of a column are classes themselves: whole, from 0 to below a bound. `call` makes classes of them.
pub fn whole(sources: &Sources, table: &Table, column: usize, below: usize, call: Span) -> Result<(), Diagnostic> {
    let values = &table.columns[column].values;
    let name = &table.columns[column].name;
    let is_class = |number: f64| number.fract() == 0.0 && (0.0..below as f64).contains(&number);
    let numbers: Cow<[f64]> = match values {
        Values::Numbers(numbers) => Cow::Borrowed(numbers),
        Values::Integers(whole) => whole.iter().map(|number| *number as f64).collect(),
        Values::Lists(_) | Values::Cells(_) => lists::numbers(values).unwrap_or_default(),
        Values::Text(_) | Values::Characters(_) => return Ok(()),
    };
    let wrong: Vec<usize> = (0..numbers.len()).filter(|at| !is_class(numbers[*at])).collect();
    let Some(first) = wrong.first() else { return Ok(()) };
    let number = numbers[*first];
    // Of several numbers a row, the row that has this one.
    let row = match lists::starts(values) {
        Some(starts) => starts.partition_point(|start| start <= first).saturating_sub(1),
        None => first / (numbers.len() / table.rows.max(1)).max(1),
    };
    let message = match wrong.len() {
        1 => format!("{number} in row {} of column `{name}` is none of the classes 0 to {}", row + 1, below - 1),
        count => format!(
            "{count} values of column `{name}`, the first of them {number} in row {}, are none of the classes 0 to {}",
            row + 1,
            below - 1
        ),
    };
    let error = Diagnostic::error("E0351", message, table.place(sources, row, column), format!("this is {number}"));
    let error = error.label(call, format!("{below} classes are the whole numbers from 0 to {}", below - 1));
    let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all_are = |least: f64| numbers.iter().all(|number| number.fract() == 0.0 && *number >= least);
    Err(error.help(match () {
        () if all_are(1.0) && most == below as f64 => {
            format!("classes count from 0: write `as_class(floor({name} - 1), {below})`, or `category({name})`")
        }
        () if all_are(0.0) => format!("there are {} classes at least", most + 1.0),
        () => format!("`category({name})` makes classes of whatever stands in a column"),
    }))
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

pub(super) fn unseen(
    sources: &Sources,
    table: &Table,
    column: usize,
    row: usize,
    split: &str,
    class: &str,
    call: Span,
) -> Diagnostic {
    let name = &table.columns[column].name;
    let shown = class.escape_debug();
    let message = format!("the class `{shown}` of column `{name}` is in no training row");
    let place = table.place(sources, row, column);
    Diagnostic::error("E0311", message, place, format!("row {} is in `{split}`", row + 1))
        .label(call, "classes are those of the training rows")
        .help(match &table.columns[column].values {
            Values::Characters(_) => format!("make one class of all such: `characters({name}, unknown = \"?\")`"),
            Values::Numbers(_) | Values::Integers(_) | Values::Text(_) | Values::Cells(_) | Values::Lists(_) => {
                format!("stratify the split by `{name}`, or leave such rows out")
            }
        })
}

/// One value of a column, in an order of its own; of rows that have several, one element.
#[derive(Debug, PartialEq)]
pub(super) enum Class<'t> {
    Integer(i64),
    Number(f64),
    Text(&'t str),
    Character(char),
}

impl Class<'_> {
    pub(super) fn text(&self) -> String {
        match self {
            Class::Integer(value) => value.to_string(),
            Class::Number(value) => value.to_string(),
            Class::Text(value) => value.to_string(),
            Class::Character(value) => value.to_string(),
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
            (Class::Character(a), Class::Character(b)) => a.cmp(b),
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
            Class::Character(_) => 3,
        }
    }
}

fn class(table: &Table, column: usize, row: usize) -> Class<'_> {
    match &table.columns[column].values {
        Values::Integers(values) => Class::Integer(values[row]),
        Values::Numbers(values) => Class::Number(values[row]),
        Values::Text(values) => Class::Text(&values[row]),
        Values::Characters(values) => Class::Character(values[row]),
        // The checker lets none be classes.
        Values::Cells(_) | Values::Lists(_) => Class::Integer(0),
    }
}
