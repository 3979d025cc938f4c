//! The model on new rows: source columns in, fitted values and weights from the weight file, predictions out.

use crate::backend::cpu::Cpu;
use crate::backend::device::fill;
use crate::backend::{Device, Tensor};
use crate::check::program::{Items, Raw, RawKind, TypedProgram};
use crate::check::schema::{From, Lacking};
use crate::check::terms::{Leaf, TermId};
use crate::data::kind::Tally;
use crate::data::table::{Cells, Lying, Table, Values};
use crate::data::{fit, lists};
use crate::diagnostic::{Diagnostic, nearest};
use crate::ir::{NodeId, Size};
use crate::lower::program::Program;
use crate::plan::Storage;
use crate::run::batch::{self, Batch, Occasion, Split};
use crate::run::column::Column;
use crate::run::dataset::{drawn, lacking};
use crate::run::error::RunError;
use crate::run::evaluate::{ROWS, wide_columns};
use crate::run::known;
use crate::run::memory;
use crate::run::naming::{self, Classes};
use crate::run::params::Params;
use crate::run::prepare;
use crate::run::schedule::KEPT;
use crate::run::steps::{counters_of_split, residents};
use crate::run::stream::{self, Digits, Feed, Rows, Stream};
use crate::source::{Sources, Span};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Why nothing was predicted: the new rows are wrong, or the run failed.
pub enum PredictError {
    Data(Vec<Diagnostic>),
    Run(RunError),
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

/// What a weight file holds besides the settings of its program.
pub struct Trained<'w> {
    pub params: &'w Params,
    /// Fitted values by name, and the classes of each category column.
    pub fits: &'w BTreeMap<String, Tensor>,
    pub classes: &'w BTreeMap<String, Vec<String>>,
}

/// The predictions of a program for every new row, on so many threads.
pub fn predict(
    checked: &TypedProgram,
    program: &Program,
    trained: &Trained,
    new: &NewRows,
    sources: &Sources,
    threads: usize,
) -> Result<Vec<Prediction>, PredictError> {
    let rows = match new {
        NewRows::Table(table) => windows_of(checked, table).map_err(|wrong| PredictError::Data(vec![wrong]))?.len(),
        NewRows::Drawn(rows) => *rows,
    };
    let read = read_columns(checked);
    let counters = counters_of_split(checked.run.seed, "new").map_err(PredictError::Run)?;
    let set = checked.set_predicted();
    let counts: Vec<usize> = (0..program.rows.len()).map(|at| if at == set { rows } else { 0 }).collect();
    let kept = batch::kept(program, &vec![Some(rows); program.rows.len()], KEPT);
    let (kept, computed): (Vec<usize>, Vec<usize>) = read.iter().partition(|at| kept[**at]);
    let values: Vec<NodeId> = kept.iter().map(|at| program.columns[*at].value).collect();
    let nodes: Vec<NodeId> = program.predictions.iter().map(|(_, node)| *node).collect();
    let graph = program.graph.settle(&program.of_rows(&counts));
    memory::refuse_tables(&graph, &[&values[..], &nodes].concat())
        .map_err(|message| PredictError::Run(RunError::Broken(message)))?;
    let mut device = Cpu::new(threads);
    let mut raws = BTreeMap::new();
    for at in raw_columns(checked, &read) {
        let values = raw(checked, at, trained, new, sources).map_err(|wrong| PredictError::Data(vec![wrong]))?;
        raws.insert(at, values);
    }
    let mut feed = vec![Tensor::scalar(0.0); program.inputs.len()];
    feed[program.draws] = Tensor::filled(vec![5], 0.0);
    for fit in &program.fits {
        feed[fit.input] = trained.fits.get(&fit.name).cloned().unwrap_or(Tensor::scalar(0.0));
    }
    let wide = wide_columns(program, &nodes);
    let kept = columns(program, &mut device, &feed, &wide, &kept, (set, rows), &raws).map_err(PredictError::Run)?;
    let gather = Box::new(|at: usize, some: &[usize]| {
        let values = &raws[&at].values;
        let width = values.len() / rows.max(1);
        some.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
    });
    let computed = RefCell::new(Batch::new(program, (set, computed), &wide, gather, feed, threads, ROWS));
    let all: Vec<usize> = (0..rows).collect();
    let split = Split { name: "new", rows: Cow::Borrowed(&all), kept };
    let found =
        values_of(program, &mut device, trained, (&split, counters), (set, &computed)).map_err(PredictError::Run)?;
    let predictions = checked.predictions.iter().zip(found).map(|(report, tensor)| {
        let name = report.name.clone();
        if let Some(decision) = program.decisions.get(&name) {
            let mut classes = trained.classes.get(&decision.column).cloned();
            // What is not true is the other one.
            classes.iter_mut().filter(|_| !decision.second).for_each(|classes| classes.reverse());
            return Prediction { name, tensor, classes, unclear: Vec::new() };
        }
        match naming::classes(checked, report.value) {
            Classes::Of(column) => {
                let classes = trained.classes.get(column).cloned();
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

/// Some columns of new rows, from the columns of their source: those that are kept, the others empty.
fn columns(
    program: &Program,
    device: &mut dyn Device,
    feed: &[Tensor],
    wide: &[u32],
    read: &[usize],
    (set, rows): (usize, usize),
    sources: &BTreeMap<usize, Tensor>,
) -> Result<Vec<Column>, RunError> {
    let own = program.columns.iter();
    let mut columns: Vec<Column> = own.map(|own| Column::empty(prepare::held(program, own, wide))).collect();
    let raws = sources.iter().map(|(at, tensor)| -> (u32, Rows) {
        let some = move |own: Range<usize>, (bytes, storage): (&mut [u8], Storage)| {
            let width = tensor.values.len() / rows.max(1);
            fill(bytes, storage, tensor.values[own.start * width..own.end * width].iter().copied());
        };
        (program.raw[*at] as u32, Box::new(some))
    });
    let table = stream::Table { rows, columns: raws.collect() };
    let source = prepare::Source { set, table, batch: ROWS, stop: || false };
    let roots = read.iter().map(|at| program.columns[*at].value).collect();
    prepare::of_sources(program, device, roots, source, feed, &mut |root, values| {
        columns[read[root]].extend(values.into_iter());
    })?;
    Ok(columns)
}

/// The predictions for some rows, by the trained parameters.
fn values_of(
    program: &Program,
    device: &mut dyn Device,
    trained: &Trained,
    (split, counters): (&Split, [f64; 5]),
    (set, computed): (usize, &RefCell<Batch>),
) -> Result<Vec<Tensor>, RunError> {
    let rows = split.rows.len();
    let nodes: Vec<NodeId> = program.predictions.iter().map(|(_, node)| *node).collect();
    let size = |size: &Size| size.with_rows(rows as i64).settled().unwrap_or(0).max(0) as usize;
    let shape = |node: &NodeId| program.graph.shape(*node).iter().map(size).collect();
    let mut found: Vec<Tensor> = nodes.iter().map(|node| Tensor { shape: shape(node), values: Vec::new() }).collect();
    let params = program.params.iter().filter_map(|param| {
        let own = trained.params.get(&param.path)?;
        let values = own.values.iter().map(|value| f64::from(*value)).collect();
        Some((param.input as u32, Tensor { shape: own.shape.clone(), values }))
    });
    let fits = program.lying.iter().filter_map(|at| {
        let fit = &program.fits[*at];
        Some((fit.input as u32, trained.fits.get(&fit.name)?.clone()))
    });
    let params: Vec<(u32, Tensor)> = params.chain(fits).collect();
    let feed = Feed {
        tables: stream::Table { rows, columns: split.feeds(computed, None, Occasion { counters, training: false }) }
            .one(set, program.rows.len()),
        whole: params.iter().map(|(input, tensor)| (*input, tensor)).collect(),
        hosts: Vec::new(),
        counters: (program.draws as u32, counters),
    };
    let digits = Digits::Evaluation { wide: wide_columns(program, &nodes) };
    let (hosts, inputs) = (program.host_inputs(), program.inputs.len());
    Stream::new(&program.graph, &program.rows, nodes, inputs, hosts, digits, ROWS)
        .with_residents(residents(program))
        .run(device, feed, &mut |root, values, count| found[root].values.extend(values.to_f64(count)))?;
    computed.borrow_mut().failure()?;
    Ok(found)
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
    trained: &Trained,
    new: &NewRows,
    sources: &Sources,
) -> Result<Tensor, Diagnostic> {
    let raw = &checked.data.raw[at];
    let inner: Vec<usize> =
        raw.ty.sizes()[1..].iter().map(|size| size.settled().unwrap_or(0).max(0) as usize).collect();
    let width: usize = inner.iter().product();
    let set = &checked.data.sets[raw.set];
    let from = &set.source.from;
    let has_unknown = set.unknown.contains(&raw.name);
    let values = match (new, &raw.kind, from) {
        (NewRows::Drawn(rows), RawKind::Drawn(distribution), From::Rows { count, .. }) => {
            drawn(from, &raw.name, *distribution, width, *rows, |row| count + row, || false)
        }
        (NewRows::Drawn(_), ..) => {
            let message = "new rows are drawn only of data whose source is `rows`";
            return Err(Diagnostic::error("E0220", message, raw.span, "this column is read from a file"));
        }
        (NewRows::Table(table), RawKind::Classes, _) => {
            let classes = trained.classes.get(&raw.key).ok_or_else(|| known::no_classes(&raw.name, raw.span))?;
            codes(table, raw, (classes, has_unknown), sources)?
        }
        (NewRows::Table(table), RawKind::Window { offset }, _) => {
            let classes = trained.classes.get(&raw.key).ok_or_else(|| known::no_classes(&raw.name, raw.span))?;
            let codes = codes(table, raw, (classes, has_unknown), sources)?;
            let starts = windows_of(checked, table)?;
            // What stands behind the last row is not known.
            let cell = |at: usize| codes.get(at).copied().unwrap_or(0.0);
            starts.into_iter().flat_map(|start| start + offset..start + offset + width).map(cell).collect()
        }
        (NewRows::Table(table), RawKind::Drawn(_), _) if !inner.is_empty() => {
            // Of several numbers a row, each has a column: `x.0`, `x.1`, as predictions are written.
            let parts: Vec<Vec<f64>> = (0..width)
                .map(|at| numbers(table, &format!("{}.{at}", raw.name), false, raw.span))
                .collect::<Result<_, _>>()?;
            (0..table.rows).flat_map(|row| parts.iter().map(move |part| part[row])).collect()
        }
        (NewRows::Table(table), RawKind::Numbers, _)
            if shape_in(table, &raw.name).is_some_and(|shape| shape != inner) =>
        {
            let found = shape_in(table, &raw.name).unwrap_or_default();
            let message = format!("a row of `{}` is {found:?}, and the weights are of rows of {inner:?}", table.name);
            return Err(Diagnostic::error("E0345", message, raw.span, "read here"));
        }
        (NewRows::Table(table), RawKind::Whole(below), _) => {
            let column = place(table, &raw.name, raw.span)?;
            fit::whole(sources, table, column, *below, raw.span)?;
            numbers(table, &raw.name, false, raw.span)?
        }
        (NewRows::Table(table), RawKind::Padded { items, length, .. }, _) => {
            padded(table, raw, (*items, *length), (trained.classes, has_unknown), sources)?
        }
        (NewRows::Table(table), RawKind::Length { most }, _) => {
            let starts = starts(table, raw)?;
            (0..table.rows).map(lists::lengths(&starts, *most)).collect()
        }
        (NewRows::Table(table), RawKind::Gappy, _) => numbers(table, &raw.name, true, raw.span)?,
        (NewRows::Table(table), RawKind::Numbers | RawKind::Drawn(_), _) => numbers(table, &raw.name, false, raw.span)?,
    };
    let shape = [&[values.len() / width.max(1)], &inner[..]].concat();
    Ok(Tensor { shape, values })
}

/// The rows that something is predicted for: those of the table, or, where rows are windows, the first of each.
fn windows_of(checked: &TypedProgram, table: &Table) -> Result<Vec<usize>, Diagnostic> {
    let set = &checked.data.sets[checked.set_predicted()];
    let Some(length) = set.window else { return Ok((0..table.rows).collect()) };
    if table.rows < length {
        let message = format!("`{}` has {} characters, and a window takes {length}", table.name, table.rows);
        let call = set.source.span;
        return Err(Diagnostic::error("E0348", message, call, "the weights are of windows of this data"));
    }
    Ok((0..=table.rows - length).step_by(length).collect())
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

/// The shape of a row of a column, if the table has it.
fn shape_in<'t>(table: &'t Table, name: &str) -> Option<&'t [usize]> {
    table.column(name).map(|column| column.shape())
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
        Values::Numbers(values) | Values::Cells(Cells { numbers: Lying::Floats(values), .. }) => Ok(values.clone()),
        Values::Cells(Cells { numbers: Lying::Bytes(bytes), .. }) => {
            Ok(bytes.iter().map(|byte| f64::from(*byte)).collect())
        }
        Values::Integers(values) => Ok(values.iter().map(|value| *value as f64).collect()),
        Values::Text(_) | Values::Lists(_) | Values::Characters(_) => {
            let message = format!("column `{name}` of `{}` holds text, and numbers are wanted", table.name);
            Err(Diagnostic::error("E0211", message, column.span, "this column").label(call, "read here"))
        }
    }
}

/// The place of each cell among the classes of the training rows.
fn codes(
    table: &Table,
    raw: &Raw,
    (classes, has_unknown): (&[String], bool),
    sources: &Sources,
) -> Result<Vec<f64>, Diagnostic> {
    let (name, call) = (raw.name.as_str(), raw.span);
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
        Values::Characters(values) => values.iter().map(char::to_string).collect(),
        Values::Cells(_) | Values::Lists(_) => {
            let message =
                format!("column `{name}` of `{}` has several numbers a row, and classes are wanted", table.name);
            return Err(Diagnostic::error("E0211", message, column.span, "this column").label(call, "read here"));
        }
    };
    let places: HashMap<&String, usize> = classes.iter().enumerate().map(|(code, class)| (class, code)).collect();
    let code = |(row, cell): (usize, &String)| match places.get(cell) {
        Some(code) => Ok(*code as f64),
        None if has_unknown => Ok((classes.len() - 1) as f64),
        None => Err(unseen(name, cell, table.place(sources, row, place), call)),
    };
    cells.iter().enumerate().map(code).collect()
}

/// Where the elements of each row of a column of unequal length lie.
fn starts<'t>(table: &'t Table, raw: &Raw) -> Result<Cow<'t, [usize]>, Diagnostic> {
    let column = &table.columns[place(table, &raw.name, raw.span)?];
    if let Some(wrong) = lacking(table, column).mistake(&raw.name, raw.span) {
        return Err(wrong);
    }
    lists::starts(&column.values).ok_or_else(|| {
        let message =
            format!("column `{}` of `{}` holds one value a row, and rows of several are wanted", raw.name, table.name);
        Diagnostic::error("E0352", message, column.span, "this column").label(raw.span, "read here")
    })
}

/// New rows of unequal length, filled up.
fn padded(
    table: &Table,
    raw: &Raw,
    (items, length): (Items, usize),
    (classes, has_unknown): (&BTreeMap<String, Vec<String>>, bool),
    sources: &Sources,
) -> Result<Vec<f64>, Diagnostic> {
    let starts = starts(table, raw)?;
    let at = place(table, &raw.name, raw.span)?;
    let of = |row: usize| starts[row]..starts[row + 1];
    if items == Items::Classes {
        let classes = classes.get(&raw.key).ok_or_else(|| known::no_classes(&raw.name, raw.span))?;
        let codes = lists::by(sources, table, at, classes, has_unknown, raw.span)?;
        return Ok((0..table.rows)
            .flat_map(|row| lists::padded(&codes, of(row), length, |code| code as f64))
            .collect());
    }
    if let Items::Whole(below) = items {
        fit::whole(sources, table, at, below, raw.span)?;
    }
    let Some(numbers) = lists::numbers(&table.columns[at].values) else {
        let message = format!("column `{}` of `{}` holds text, and numbers are wanted", raw.name, table.name);
        return Err(
            Diagnostic::error("E0211", message, table.columns[at].span, "this column").label(raw.span, "read here")
        );
    };
    Ok((0..table.rows).flat_map(|row| lists::padded(&numbers, of(row), length, |number| number)).collect())
}

fn unseen(column: &str, class: &str, cell: Span, call: Span) -> Diagnostic {
    let message = format!("the class `{class}` of column `{column}` was in no training row");
    Diagnostic::error("E0311", message, cell, "the model does not know it").label(call, "read here")
}
