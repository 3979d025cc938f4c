//! The model on new rows: source columns in, fitted values and weights from the weight file, predictions out.

use crate::backend::{Tensor, reference};
use crate::check::program::{RawKind, TypedProgram};
use crate::check::schema::{From, Lacking};
use crate::check::terms::{Leaf, TermId};
use crate::data::kind::Tally;
use crate::data::table::{Table, Values};
use crate::diagnostic::{Diagnostic, nearest};
use crate::lower::program::Program;
use crate::source::{Sources, Span};
use crate::train::dataset::{drawn, lacking};
use crate::train::identity::Identity;
use crate::train::known;
use crate::train::memory;
use crate::train::naming::{self, Classes};
use crate::train::weights::Weights;
use std::collections::HashMap;

/// Why nothing was predicted: the new rows are wrong, or the run failed.
pub enum PredictError {
    Data(Vec<Diagnostic>),
    Run(String),
}

/// The rows that something is predicted for.
pub enum NewRows {
    Table(Table),
    /// So many of a source that is drawn, those that come after its own.
    Drawn(usize),
}

pub struct Prediction {
    pub name: String,
    pub tensor: Tensor,
    /// Of what is a class: the names of the classes.
    pub classes: Option<Vec<String>>,
    /// The columns whose classes it may be one of, where there are several: it stays a number.
    pub unclear: Vec<String>,
}

/// The predictions of a program for every new row.
pub fn predict(
    checked: &TypedProgram,
    program: &Program,
    weights: &Weights,
    identity: &Identity,
    new: &NewRows,
    sources: &Sources,
) -> Result<Vec<Prediction>, PredictError> {
    let rows = match new {
        NewRows::Table(table) => table.rows,
        NewRows::Drawn(rows) => *rows,
    };
    let graph = program.graph.settle(&[(program.rows.clone(), rows as i64)]);
    let columns = read_columns(checked);
    let values: Vec<_> = columns.iter().map(|at| program.columns[*at].value).collect();
    let nodes: Vec<_> = program.predictions.iter().map(|(_, node)| *node).collect();
    memory::refuse_value(&graph, &[&values[..], &nodes].concat()).map_err(PredictError::Run)?;
    let mut feed = vec![Tensor::scalar(0.0); program.inputs];
    feed[program.draws] = Tensor::filled(vec![5], 0.0);
    for at in raw_columns(checked, &columns) {
        feed[program.raw[at]] =
            raw(checked, at, identity, new, sources).map_err(|wrong| PredictError::Data(vec![wrong]))?;
    }
    for fit in &program.fits {
        if let Some(fitted) = identity.fits.get(&fit.name) {
            feed[fit.input] = fitted.clone();
        }
    }
    for param in &program.params {
        if let Some(tensor) = weights.tensors.get(&param.path) {
            let values = tensor.values.iter().map(|value| f64::from(*value)).collect();
            feed[param.input] = Tensor { shape: tensor.shape.clone(), values };
        }
    }
    let made = reference::run(&graph, &values, &feed).map_err(PredictError::Run)?;
    for (at, tensor) in columns.iter().zip(made) {
        feed[program.columns[*at].input] = tensor;
    }
    let found = reference::run(&graph, &nodes, &feed).map_err(PredictError::Run)?;
    let predictions = checked.predictions.iter().zip(found).map(|(report, tensor)| {
        let name = report.name.clone();
        match naming::classes(checked, report.value) {
            Classes::Of(column) => {
                let classes = identity.classes.get(column).cloned();
                Prediction { name, tensor, classes, unclear: Vec::new() }
            }
            Classes::Unclear(columns) => {
                let unclear = columns.into_iter().map(str::to_string).collect();
                Prediction { name, tensor, classes: None, unclear }
            }
            Classes::None => Prediction { name, tensor, classes: None, unclear: Vec::new() },
        }
    });
    Ok(predictions.collect())
}

/// The columns that the predictions read: a target need not be among the new rows' columns.
fn read_columns(checked: &TypedProgram) -> Vec<usize> {
    let roots: Vec<TermId> = checked.predictions.iter().map(|prediction| prediction.value).collect();
    let mut columns: Vec<usize> = checked
        .terms
        .leaves(&roots)
        .into_iter()
        .filter_map(|leaf| if let Leaf::Column(at) = leaf { Some(at) } else { None })
        .collect();
    columns.sort_unstable();
    columns
}

/// The source columns that those columns read.
fn raw_columns(checked: &TypedProgram, columns: &[usize]) -> Vec<usize> {
    let roots: Vec<TermId> = columns.iter().map(|at| checked.data.columns[*at].value).collect();
    let leaves = checked.terms.leaves(&roots).into_iter();
    leaves.filter_map(|leaf| if let Leaf::Raw(at) = leaf { Some(at) } else { None }).collect()
}

/// A source column of the new rows.
fn raw(
    checked: &TypedProgram,
    at: usize,
    identity: &Identity,
    new: &NewRows,
    sources: &Sources,
) -> Result<Tensor, Diagnostic> {
    let raw = &checked.data.raw[at];
    let inner: Vec<usize> =
        raw.ty.sizes()[1..].iter().map(|size| size.settled().unwrap_or(0).max(0) as usize).collect();
    let width: usize = inner.iter().product();
    let from = &checked.data.source.from;
    let values = match (new, &raw.kind, from) {
        (NewRows::Drawn(rows), RawKind::Drawn(distribution), From::Rows { count, .. }) => {
            drawn(from, &raw.name, *distribution, width, *count..count + rows, || false)
        }
        (NewRows::Drawn(_), ..) => {
            let message = "new rows are drawn only of data whose source is `rows`";
            return Err(Diagnostic::error("E0220", message, raw.span, "this column is read from a file"));
        }
        (NewRows::Table(table), RawKind::Classes, _) => {
            let classes = identity.classes.get(&raw.name).ok_or_else(|| known::no_classes(&raw.name, raw.span))?;
            codes(table, &raw.name, classes, raw.span, sources)?
        }
        (NewRows::Table(table), RawKind::Drawn(_), _) if !inner.is_empty() => {
            // Of several numbers a row, each has a column: `x.0`, `x.1`, as predictions are written.
            let parts: Vec<Vec<f64>> = (0..width)
                .map(|at| numbers(table, &format!("{}.{at}", raw.name), false, raw.span))
                .collect::<Result<_, _>>()?;
            (0..table.rows).flat_map(|row| parts.iter().map(move |part| part[row])).collect()
        }
        (NewRows::Table(table), RawKind::Gappy, _) => numbers(table, &raw.name, true, raw.span)?,
        (NewRows::Table(table), RawKind::Numbers | RawKind::Drawn(_), _) => numbers(table, &raw.name, false, raw.span)?,
    };
    let shape = [&[values.len() / width.max(1)], &inner[..]].concat();
    Ok(Tensor { shape, values })
}

/// The place of a column; `call` is what reads it.
fn place(table: &Table, name: &str, call: Span) -> Result<usize, Diagnostic> {
    table.by_name.get(name).copied().ok_or_else(|| {
        let message = format!("`{}` has no column `{name}`", table.name);
        let error = Diagnostic::error("E0220", message, call, "the program reads it");
        match nearest(name, table.columns.iter().map(|column| column.name.as_str())) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

fn numbers(table: &Table, name: &str, gaps: bool, call: Span) -> Result<Vec<f64>, Diagnostic> {
    let column = &table.columns[place(table, name, call)?];
    if let Some(wrong) = column.mistakes.first() {
        return Err(wrong.clone());
    }
    if let Some(wrong) = lacking(table, column).mistake(name, call).filter(|_| !gaps) {
        return Err(wrong);
    }
    match &column.values {
        // A few rows may lack the value in all of them.
        Values::Text(cells) if table.is_without_values(column) => Ok(vec![f64::NAN; cells.len()]),
        Values::Numbers(values) => Ok(values.clone()),
        Values::Integers(values) => Ok(values.iter().map(|value| *value as f64).collect()),
        Values::Text(_) => {
            let message = format!("column `{name}` of `{}` holds text, and numbers are wanted", table.name);
            Err(Diagnostic::error("E0211", message, column.span, "this column").label(call, "read here"))
        }
    }
}

/// The place of each cell among the classes of the training rows.
fn codes(table: &Table, name: &str, classes: &[String], call: Span, sources: &Sources) -> Result<Vec<f64>, Diagnostic> {
    let place = place(table, name, call)?;
    let column = &table.columns[place];
    // What stands for a missing number may be the name of a class: `NA`.
    let text = table.is_without_values(column).then(|| Tally::clone(&column.empty));
    let Tally { count, first } = text.unwrap_or_else(|| column.lacking.clone());
    if let Some(wrong) = (Lacking { count, first, all: count == table.rows }).mistake(name, call) {
        return Err(wrong);
    }
    let cells: Vec<String> = match &column.values {
        Values::Text(cells) => cells.clone(),
        Values::Integers(values) => values.iter().map(i64::to_string).collect(),
        Values::Numbers(values) => values.iter().map(f64::to_string).collect(),
    };
    let places: HashMap<&String, usize> = classes.iter().enumerate().map(|(code, class)| (class, code)).collect();
    let code = |(row, cell): (usize, &String)| match places.get(cell) {
        Some(code) => Ok(*code as f64),
        None => Err(unseen(name, cell, table.place(sources, row, place), call)),
    };
    cells.iter().enumerate().map(code).collect()
}

fn unseen(column: &str, class: &str, cell: Span, call: Span) -> Diagnostic {
    let message = format!("the class `{class}` of column `{column}` was in no training row");
    Diagnostic::error("E0311", message, cell, "the model does not know it").label(call, "read here")
}
