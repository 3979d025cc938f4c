//! Fitted values and columns, in 64 bits: source columns go batch by batch through plans, so that no more than a batch of
//! what lies between source and column is in memory.

use crate::backend::{Device, Tensor, device};
use crate::ir::{DType, NodeId};
use crate::lower::program::{Program, Slot};
use crate::plan::Storage;
use crate::run::batch::training;
use crate::run::column::Column;
use crate::run::error::RunError;
use crate::run::opened::{Opened, OpenedSet};
use crate::run::stream::{Digits, Feed, Rows, Stream, Table};
use std::collections::BTreeMap;

/// Elements of a source column in a batch.
const BATCH: usize = 128 * 1024;

pub struct Preparation<'p> {
    pub program: &'p Program,
    pub data: &'p Opened<'p>,
    pub device: &'p mut dyn Device,
}

impl Preparation<'_> {
    /// Every fitted value: those that are known, the others on the training rows. They go into `feed`.
    pub fn fit(&mut self, known: &BTreeMap<String, Tensor>, feed: &mut [Tensor]) -> Result<Vec<Tensor>, RunError> {
        let mut fits = Vec::new();
        for fit in &self.program.fits {
            let fitted = match known.get(&fit.name) {
                Some(fitted) => fitted.clone(),
                None => {
                    let mut found = Vec::new();
                    let rows = self.data.sets[fit.set].splits[0];
                    self.stream(fit.set, vec![fit.value], rows, feed, &mut |_, values| found.extend(values))?;
                    let size = |size: &crate::ir::Size| size.settled().unwrap_or(0).max(0) as usize;
                    Tensor { shape: self.program.graph.shape(fit.value).iter().map(size).collect(), values: found }
                }
            };
            feed[fit.input] = fitted.clone();
            fits.push(fitted);
        }
        Ok(fits)
    }

    /// The columns of some rows of a data set that are kept; the inputs that are `wide` in 64 bits. The others are empty.
    pub fn columns(
        &mut self,
        set: usize,
        rows: &[usize],
        feed: &[Tensor],
        wide: &[u32],
        kept: &[bool],
    ) -> Result<Vec<Column>, RunError> {
        let wanted: Vec<usize> =
            (0..self.program.columns.len()).filter(|at| kept[*at] && self.program.columns[*at].set == set).collect();
        let roots: Vec<NodeId> = wanted.iter().map(|at| self.program.columns[*at].value).collect();
        let own = self.program.columns.iter();
        let mut columns: Vec<Column> = own.map(|column| Column::empty(held(self.program, column, wide))).collect();
        self.stream(set, roots, rows, feed, &mut |root, values| columns[wanted[root]].extend(values.into_iter()))?;
        Ok(columns.into_iter().map(Column::narrowed).collect())
    }

    /// Roots over source columns and fitted values, on some rows of a data set.
    fn stream(
        &mut self,
        set: usize,
        roots: Vec<NodeId>,
        rows: &[usize],
        feed: &[Tensor],
        take: &mut dyn FnMut(usize, Vec<f64>),
    ) -> Result<(), RunError> {
        let data = self.data;
        let own = self.program.raw.iter().enumerate().filter(|(at, _)| self.program.raw_sets[*at] == set);
        let raw = own.map(|(at, input)| -> (u32, Rows) {
            let column = move |own: std::ops::Range<usize>, (bytes, storage): (&mut [u8], Storage)| {
                let values = data.column(at, &rows[own]).values;
                device::fill(bytes, storage, values.into_iter());
            };
            (*input as u32, Box::new(column))
        });
        let columns = raw.collect();
        let table = Table { rows: rows.len(), columns };
        let source = Source { set, table, batch: rows_at_once(&data.sets[set]), stop: data.stops() };
        of_sources(self.program, self.device, roots, source, feed, take)
    }
}

/// Rows of the source that go through a plan at a time.
pub fn rows_at_once(set: &OpenedSet) -> usize {
    (BATCH / set.widest.max(1)).clamp(1, 4096)
}

/// How a column is held, where some inputs are to be `wide`.
pub fn held(program: &Program, column: &Slot, wide: &[u32]) -> Storage {
    match program.graph.dtype(column.value) {
        DType::Float if wide.contains(&(column.input as u32)) => Storage::F64,
        dtype => Storage::of(dtype),
    }
}

/// Rows of the source of a data set.
pub struct Source<'a> {
    pub set: usize,
    pub table: Table<'a>,
    /// How many rows go through the plans at a time.
    pub batch: usize,
    /// Whether it is to end.
    pub stop: fn() -> bool,
}

/// Roots over source columns and fitted values, in 64 bits.
pub fn of_sources(
    program: &Program,
    device: &mut dyn Device,
    roots: Vec<NodeId>,
    source: Source,
    feed: &[Tensor],
    take: &mut dyn FnMut(usize, Vec<f64>),
) -> Result<(), RunError> {
    let mut stream = stream_of_sources(program, roots, source.batch);
    stream.stop = source.stop;
    let counters: [f64; 5] = std::array::from_fn(|at| feed[program.draws].values.get(at).copied().unwrap_or(0.0));
    let whole = program.fits.iter().map(|fit| (fit.input as u32, &feed[fit.input])).collect();
    let tables = source.table.one(source.set, program.rows.len());
    let feed = Feed { tables, whole, hosts: training(program, false), counters: (program.draws as u32, counters) };
    stream.run(device, feed, &mut |root, values, count| take(root, values.to_f64(count)))
}

/// The same, to be run more than once.
pub fn stream_of_sources(program: &Program, roots: Vec<NodeId>, batch: usize) -> Stream<'_> {
    let (hosts, inputs) = (program.host_inputs(), program.inputs.len());
    Stream::new(&program.graph, &program.rows, roots, inputs, hosts, Digits::Double, batch)
}
