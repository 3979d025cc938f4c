//! Rows of unequal length: arrays of numbers or texts, and texts by their characters. `pad` makes them of one length.

use crate::data::fit::{Class, Vocabulary, Wanted, listed, unseen};
use crate::data::mistakes::{goes_on, interrupted};
use crate::data::split::{NAMES, Split};
use crate::data::table::{Cells, Listed, Lying, Table, Values};
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Where the elements of each row lie among those of all rows: the first of each, and behind the last row their number.
/// `None` where rows are single values.
pub fn starts(values: &Values) -> Option<Cow<'_, [usize]>> {
    let of = |lengths: &mut dyn Iterator<Item = usize>| {
        let mut starts = vec![0];
        lengths.for_each(|length| starts.push(starts.last().copied().unwrap_or(0) + length));
        Cow::Owned(starts)
    };
    match values {
        Values::Lists(lists) => Some(Cow::Borrowed(&lists.starts)),
        Values::Text(cells) => Some(of(&mut cells.iter().map(|cell| cell.chars().count()))),
        Values::Cells(Cells { shape, numbers }) => {
            let [length] = shape[..] else { return None };
            let rows = numbers.len() / length.max(1);
            Some(of(&mut std::iter::repeat_n(length, rows)))
        }
        Values::Numbers(_) | Values::Integers(_) | Values::Characters(_) => None,
    }
}

/// All elements of all rows, where they are numbers.
pub fn numbers(values: &Values) -> Option<Cow<'_, [f64]>> {
    match values {
        Values::Lists(lists) => match &lists.items {
            Listed::Numbers(numbers) => Some(Cow::Borrowed(numbers)),
            // Rows without elements hold whatever is asked for.
            Listed::Texts(texts) => texts.is_empty().then_some(Cow::Borrowed(&[])),
        },
        Values::Cells(Cells { numbers: Lying::Floats(numbers), .. }) => Some(Cow::Borrowed(numbers)),
        Values::Cells(Cells { numbers: Lying::Bytes(bytes), .. }) => {
            Some(Cow::Owned(bytes.iter().map(|byte| f64::from(*byte)).collect()))
        }
        Values::Numbers(_) | Values::Integers(_) | Values::Text(_) | Values::Characters(_) => None,
    }
}

/// All elements of all rows as classes.
fn classes(values: &Values) -> Vec<Class<'_>> {
    let number = |number: &f64| match number.fract() == 0.0 && number.abs() < 9e15 {
        true => Class::Integer(*number as i64),
        false => Class::Number(*number),
    };
    match values {
        Values::Text(cells) => cells.iter().flat_map(|cell| cell.chars().map(Class::Character)).collect(),
        Values::Lists(lists) => match &lists.items {
            Listed::Texts(texts) => texts.iter().map(|text| Class::Text(text)).collect(),
            Listed::Numbers(numbers) => numbers.iter().map(number).collect(),
        },
        Values::Cells(Cells { numbers: Lying::Floats(numbers), .. }) => numbers.iter().map(number).collect(),
        Values::Cells(Cells { numbers: Lying::Bytes(bytes), .. }) => {
            bytes.iter().map(|byte| Class::Integer(i64::from(*byte))).collect()
        }
        Values::Numbers(_) | Values::Integers(_) | Values::Characters(_) => Vec::new(),
    }
}

/// So many elements of a row, the rest 0; what is longer is cut.
pub fn padded<T: Copy>(items: &[T], own: Range<usize>, length: usize, as_number: impl Fn(T) -> f64) -> Vec<f64> {
    let kept = own.start..own.end.min(own.start + length);
    let mut row: Vec<f64> = items[kept].iter().map(|item| as_number(*item)).collect();
    row.resize(length, 0.0);
    row
}

/// How many elements of each of some rows are kept.
pub fn lengths(starts: &[usize], most: usize) -> impl Fn(usize) -> f64 + '_ {
    move |row| (starts[row + 1] - starts[row]).min(most) as f64
}

/// The classes of the elements of a column, and that of each element as its place among them. They are those of the training
/// rows, or those that are `known`; an element of no class is an error, unless there is a class for such.
pub fn category(
    sources: &Sources,
    table: &Table,
    column: usize,
    split: &Split,
    (wanted, known): (Wanted, Option<&[String]>),
    (call, stop): (Span, fn() -> bool),
) -> Result<(Vocabulary, Vec<usize>), Diagnostic> {
    let values = &table.columns[column].values;
    let (starts, items) = (starts(values).unwrap_or_default(), classes(values));
    let of_row = |row: usize| starts.get(row).copied().unwrap_or(0)..starts.get(row + 1).copied().unwrap_or(0);
    let told = known.or(wanted.order);
    let mut places: BTreeMap<&Class, usize> = BTreeMap::new();
    if told.is_none() {
        places.extend(split.train.iter().flat_map(|row| &items[of_row(*row)]).map(|item| (item, 0)));
        places.values_mut().enumerate().for_each(|(at, place)| *place = at);
    }
    let codes = match told {
        Some(told) => by(sources, table, column, told, known.is_some() && wanted.unknown.is_some(), call)?,
        None => {
            let mut codes = vec![0; items.len()];
            for (name, rows) in NAMES.into_iter().zip([&split.train, &split.valid, &split.test]) {
                for (at, row) in rows.iter().enumerate() {
                    if !goes_on(at, stop) {
                        return Err(interrupted(call));
                    }
                    for item in of_row(*row) {
                        codes[item] = match places.get(&items[item]) {
                            Some(place) => *place,
                            None if wanted.unknown.is_some() => places.len(),
                            None => return Err(unseen_item(sources, table, (column, *row), name, &items[item], call)),
                        };
                    }
                }
            }
            codes
        }
    };
    let own = places.keys().map(|class| class.text());
    let classes: Vec<String> = match told {
        Some(told) => told.to_vec(),
        None => own.chain(wanted.unknown.map(str::to_string)).collect(),
    };
    if classes.is_empty() {
        let message = format!("no training row of column `{}` has an element", table.columns[column].name);
        return Err(Diagnostic::error("E0355", message, call, "so that there are no classes"));
    }
    Ok((Vocabulary { classes }, codes))
}

fn unseen_item(
    sources: &Sources,
    table: &Table,
    (column, row): (usize, usize),
    split: &str,
    item: &Class,
    call: Span,
) -> Diagnostic {
    let name = &table.columns[column].name;
    let of = if let Class::Character(_) = item { "characters" } else { "category" };
    let error = unseen(sources, table, column, row, split, &item.text(), call);
    error.help(format!("make one class of all such: `{of}({name}, unknown = \"?\")`"))
}

fn no_such(
    sources: &Sources,
    table: &Table,
    (column, row): (usize, usize),
    class: &str,
    told: &[String],
    call: Span,
) -> Diagnostic {
    let name = &table.columns[column].name;
    let message = format!("`{}` in column `{name}` is none of the {} classes", class.escape_debug(), told.len());
    let error = Diagnostic::error("E0347", message, table.place(sources, row, column), format!("row {}", row + 1));
    error.label(call, format!("the classes are {}", listed(told)))
}

/// The class of each element of a column as its place among those that are known, of which the last may stand for all others.
pub fn by(
    sources: &Sources,
    table: &Table,
    column: usize,
    known: &[String],
    has_unknown: bool,
    call: Span,
) -> Result<Vec<usize>, Diagnostic> {
    let values = &table.columns[column].values;
    let (starts, items) = (starts(values).unwrap_or_default(), classes(values));
    let places: HashMap<&str, usize> = known.iter().enumerate().map(|(at, class)| (class.as_str(), at)).collect();
    let code = |(at, item): (usize, &Class)| match places.get(&*item.text()) {
        Some(place) => Ok(*place),
        None if has_unknown => Ok(known.len() - 1),
        None => {
            let row = starts.partition_point(|start| *start <= at).saturating_sub(1);
            Err(no_such(sources, table, (column, row), &item.text(), known, call))
        }
    };
    items.iter().enumerate().map(code).collect()
}
