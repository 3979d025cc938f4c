//! The model on new rows: source columns in, fitted values and weights from the weight file, predictions out.

use crate::backend::{Tensor, reference};
use crate::check::program::{Program as Checked, RawKind};
use crate::check::terms::{Leaf, TermId};
use crate::data::table::{Table, Values};
use crate::diagnostic::Diagnostic;
use crate::lower::program::Program;
use crate::source::{Sources, Span};
use crate::train::dataset::lacking;
use crate::train::identity::Identity;
use crate::train::weights::Weights;

/// Why nothing was predicted: the new rows are wrong, or the run failed.
pub enum Trouble {
    Data(Vec<Diagnostic>),
    Run(String),
}

/// The predictions of a program for every row of a table, by name.
pub fn predict(
    checked: &Checked,
    program: &Program,
    weights: &Weights,
    identity: &Identity,
    table: &Table,
    sources: &Sources,
) -> Result<Vec<(String, Tensor)>, Trouble> {
    let mut feed = vec![Tensor::scalar(0.0); program.inputs];
    feed[program.draws] = Tensor::filled(vec![5], 0.0);
    let columns = read_columns(checked);
    for at in raw_columns(checked, &columns) {
        feed[program.raw[at]] =
            raw(checked, at, identity, table, sources).map_err(|wrong| Trouble::Data(vec![wrong]))?;
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
    let graph = program.graph.settle(&[(program.rows.clone(), table.rows as i64)]);
    let values: Vec<_> = columns.iter().map(|at| program.columns[*at].value).collect();
    let made = reference::run(&graph, &values, &feed).map_err(Trouble::Run)?;
    for (at, tensor) in columns.iter().zip(made) {
        feed[program.columns[*at].input] = tensor;
    }
    let nodes: Vec<_> = program.predictions.iter().map(|(_, node)| *node).collect();
    let found = reference::run(&graph, &nodes, &feed).map_err(Trouble::Run)?;
    Ok(program.predictions.iter().map(|(name, _)| name.clone()).zip(found).collect())
}

/// The columns that the predictions read: a target need not be among the new rows' columns.
fn read_columns(checked: &Checked) -> Vec<usize> {
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
fn raw_columns(checked: &Checked, columns: &[usize]) -> Vec<usize> {
    let roots: Vec<TermId> = columns.iter().map(|at| checked.data.columns[*at].value).collect();
    let leaves = checked.terms.leaves(&roots).into_iter();
    leaves.filter_map(|leaf| if let Leaf::Raw(at) = leaf { Some(at) } else { None }).collect()
}

/// A source column of the new rows.
fn raw(
    checked: &Checked,
    at: usize,
    identity: &Identity,
    table: &Table,
    sources: &Sources,
) -> Result<Tensor, Diagnostic> {
    let raw = &checked.data.raw[at];
    let Some(place) = table.columns.iter().position(|column| column.name == raw.name) else {
        let message = format!("`{}` has no column `{}`", table.name, raw.name);
        return Err(Diagnostic::error("E0220", message, raw.span, "the program reads it"));
    };
    // A drawn column of one element a row is a column of the new rows.
    let inner = vec![1; raw.ty.axes.len() - 1];
    let tensor = |values: Vec<f64>| Tensor { shape: [&[values.len()], &inner[..]].concat(), values };
    let column = &table.columns[place];
    if let (true, Some(wrong)) =
        (raw.kind != RawKind::Gappy, lacking(table, sources, place).mistake(&raw.name, raw.span))
    {
        return Err(wrong);
    }
    match (&raw.kind, &column.values) {
        (RawKind::Numbers | RawKind::Gappy | RawKind::Drawn(_), Values::Numbers(values)) => Ok(tensor(values.clone())),
        (RawKind::Numbers | RawKind::Gappy | RawKind::Drawn(_), Values::Integers(values)) => {
            Ok(tensor(values.iter().map(|value| *value as f64).collect()))
        }
        (RawKind::Numbers | RawKind::Gappy | RawKind::Drawn(_), Values::Text(_)) => {
            let message = format!("column `{}` of `{}` holds text, and numbers are wanted", raw.name, table.name);
            Err(Diagnostic::error("E0211", message, column.span, "this column").label(raw.span, "read here"))
        }
        (RawKind::Classes, values) => {
            let cells: Vec<String> = match values {
                Values::Text(cells) => cells.clone(),
                Values::Integers(values) => values.iter().map(i64::to_string).collect(),
                Values::Numbers(values) => values.iter().map(f64::to_string).collect(),
            };
            let classes = identity.classes.get(&raw.name).cloned().unwrap_or_default();
            let code = |(row, cell): (usize, &String)| match classes.iter().position(|class| class == cell) {
                Some(code) => Ok(code as f64),
                None => Err(unseen(&raw.name, cell, table.place(sources, row, place), raw.span)),
            };
            cells.iter().enumerate().map(code).collect::<Result<Vec<f64>, _>>().map(tensor)
        }
    }
}

fn unseen(column: &str, class: &str, cell: Span, call: Span) -> Diagnostic {
    let message = format!("the class `{class}` of column `{column}` was in no training row");
    Diagnostic::error("E0311", message, cell, "the model does not know it").label(call, "read here")
}
