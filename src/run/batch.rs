//! Columns that are not kept but computed of the rows of each batch, from the columns of the source. They have the same
//! digits as those that are kept: how long a column is held changes no result.

use crate::backend::cpu::Cpu;
use crate::backend::{Tensor, device};
use crate::check::terms::Host;
use crate::ir::{NodeId, Op, Size, elements};
use crate::lower::program::{Input, Program, Slot};
use crate::plan::Storage;
use crate::run::column::Column;
use crate::run::error::RunError;
use crate::run::prepare::{held, stream_of_sources};
use crate::run::stream::{Feed, Rows, Stream, Table};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

/// Of each column, whether it is computed once, of all rows, before the first step. It is if something reads it, if it is the
/// same in each step and each evaluation, and if it still fits into so many bytes, counted in the order of the program. Other columns are computed
/// of the rows of each batch. `rows` are those of each data set; of one whose rows are windows none is kept, for windows overlap and
/// are cut anew from what they are of.
pub fn kept(program: &Program, rows: &[Option<usize>], bytes: u64) -> Vec<bool> {
    let read = read(program);
    let mut free = bytes;
    let mut keeps = |(at, column): (usize, &Slot)| {
        let changes = draws(program, column.value) || reads_training(program, column.value);
        let Some(rows) = rows[column.set].filter(|_| read.contains(&at) && !changes) else { return false };
        let shape = program.graph.shape(column.value).iter().map(|size| size.with_rows(rows as i64));
        let shape: Vec<Size> = shape.collect();
        let count = elements(&shape).settled().unwrap_or(i64::MAX).max(0) as u64;
        let left = free.checked_sub(count.saturating_mul(4));
        free = left.unwrap_or(free);
        left.is_some()
    };
    program.columns.iter().enumerate().map(&mut keeps).collect()
}

/// Whether a column draws anew in each step.
fn draws(program: &Program, value: NodeId) -> bool {
    inputs(program, &[value]).any(|input| input == Input::Draws)
}

/// Whether a column is another in steps of training than in evaluations.
fn reads_training(program: &Program, value: NodeId) -> bool {
    inputs(program, &[value]).any(|input| input == Input::Host(Host::Training))
}

/// What columns are computed for: what their draws are counted by, and whether it is a step of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occasion {
    pub counters: [f64; 5],
    pub training: bool,
}

/// The inputs that nodes read.
fn inputs(program: &Program, roots: &[NodeId]) -> impl Iterator<Item = Input> {
    program.graph.needed(roots).into_iter().filter_map(|id| {
        let Op::Input { number, .. } = program.graph.node(id).op else { return None };
        program.inputs.get(number as usize).copied()
    })
}

/// The columns that losses, reports, predictions and next values read.
pub fn read(program: &Program) -> BTreeSet<usize> {
    let told = program.reports.iter().chain(&program.predictions).map(|(_, node)| *node);
    let minimized = program.phases.iter().map(|phase| phase.loss);
    let once = program.once.iter().map(|once| once.value);
    // A state of a layer may be moved by a column that no loss reads.
    let moved = program.phases.iter().flat_map(|phase| &phase.updates);
    let next = moved.chain(&program.advance).map(|(next, _)| *next);
    let late = program.late.iter().map(|(_, node)| *node).chain(program.calibrated.iter().map(|own| own.value));
    let demanded = program.demands.iter().flatten().flat_map(|own| own.sides.iter().copied().chain([own.elements]));
    let roots = std::iter::once(program.loss).chain(minimized).chain(told).chain(once).chain(next);
    let roots: Vec<NodeId> = roots.chain(late).chain(demanded).collect();
    inputs(program, &roots).filter_map(|input| if let Input::Column(at) = input { Some(at) } else { None }).collect()
}

/// The number of the host that tells columns whether they are those of a step of training.
pub fn training(program: &Program, training: bool) -> Vec<(u32, f64)> {
    let own = program.hosts.iter().filter(|(host, _)| *host == Host::Training);
    own.map(|(_, input)| (*input as u32, f64::from(u8::from(training)))).collect()
}

/// Some rows of a column of the source, by its place.
pub type Gather<'p> = Box<dyn Fn(usize, &[usize]) -> Vec<f64> + 'p>;

/// Columns of the rows that were asked for last.
pub struct Batch<'p> {
    program: &'p Program,
    /// The data set whose rows they are.
    set: usize,
    gather: Gather<'p>,
    /// The places of the source columns that these columns read.
    raw: Vec<usize>,
    /// What else they read, by input: fitted values.
    feed: Vec<Tensor>,
    device: Cpu,
    stream: Stream<'p>,
    /// The columns that are computed so, by their places.
    pub columns: Vec<usize>,
    storages: Vec<Storage>,
    /// Whether one of them draws anew in each step.
    pub draws: bool,
    values: Vec<Column>,
    /// The rows that the values are of, and what they were computed for.
    of: Option<(Vec<usize>, Occasion)>,
    failure: Option<RunError>,
}

impl<'p> Batch<'p> {
    /// Of some columns of a data set, on so many threads. Those that are `wide` have 64 bits; so many rows go through a plan at a time.
    pub fn new(
        program: &'p Program,
        (set, columns): (usize, Vec<usize>),
        wide: &[u32],
        gather: Gather<'p>,
        feed: Vec<Tensor>,
        threads: usize,
        rows: usize,
    ) -> Batch<'p> {
        let roots: Vec<NodeId> = columns.iter().map(|at| program.columns[*at].value).collect();
        let raw = inputs(program, &roots).filter_map(|input| if let Input::Raw(at) = input { Some(at) } else { None });
        let raw = raw.collect();
        let storages = columns.iter().map(|at| held(program, &program.columns[*at], wide)).collect();
        let draws = roots.iter().any(|root| draws(program, *root));
        let stream = stream_of_sources(program, roots, rows);
        // Threads that have nothing to do are not started.
        let device = Cpu::new(if columns.is_empty() { 1 } else { threads });
        let values = Vec::new();
        Batch {
            program,
            set,
            gather,
            raw,
            feed,
            device,
            stream,
            columns,
            storages,
            draws,
            values,
            of: None,
            failure: None,
        }
    }

    /// Computes the columns of some rows, if they are not those of the last time.
    fn compute(&mut self, rows: &[usize], occasion: Occasion) -> Result<(), RunError> {
        let same = |known: &Occasion| known.training == occasion.training && (!self.draws || *known == occasion);
        if self.of.as_ref().is_some_and(|(own, known)| own == rows && same(known)) {
            return Ok(());
        }
        self.of = None;
        let gather = &self.gather;
        let raw = self.raw.iter().map(|at| -> (u32, Rows) {
            let column = move |own: Range<usize>, (bytes, storage): (&mut [u8], Storage)| {
                device::fill(bytes, storage, gather(*at, &rows[own]).into_iter());
            };
            (self.program.raw[*at] as u32, Box::new(column))
        });
        let whole = self.program.fits.iter().map(|fit| (fit.input as u32, &self.feed[fit.input]));
        let feed = Feed {
            tables: Table { rows: rows.len(), columns: raw.collect() }.one(self.set, self.program.rows.len()),
            whole: whole.collect(),
            hosts: training(self.program, occasion.training),
            counters: (self.program.draws as u32, occasion.counters),
        };
        let mut values: Vec<Column> = self.storages.iter().map(|storage| Column::empty(*storage)).collect();
        self.stream.run(&mut self.device, feed, &mut |root, found, count| {
            values[root].extend(found.to_f64(count).into_iter());
        })?;
        (self.values, self.of) = (values, Some((rows.to_vec(), occasion)));
        Ok(())
    }

    /// What went wrong in columns that were fed.
    pub fn failure(&mut self) -> Result<(), RunError> {
        self.failure.take().map_or(Ok(()), Err)
    }
}

/// The columns of a split: those that are kept, and those that are computed of the rows that are asked for.
pub struct Split<'p> {
    pub name: &'static str,
    /// Its rows in the data.
    pub rows: Cow<'p, [usize]>,
    /// By the places of columns; those that are not kept are empty.
    pub kept: Vec<Column>,
}

impl Split<'_> {
    /// What columns are fed: of the rows of the split, or of some of them in their order. Whoever feeds them asks `batch` for
    /// failures afterwards.
    pub fn feeds<'a>(
        &'a self,
        batch: &'a RefCell<Batch<'_>>,
        order: Option<&'a [usize]>,
        occasion: Occasion,
    ) -> Vec<(u32, Rows<'a>)> {
        let chosen = move |at: usize| order.map_or(at, |order| order[at]);
        let (program, set) = (batch.borrow().program, batch.borrow().set);
        let computed = batch.borrow().columns.clone();
        let own = |at: &usize| program.columns[*at].set == set && !computed.contains(at);
        let kept = program.columns.iter().zip(&self.kept).enumerate().filter(|(at, _)| own(at));
        let kept = kept.map(|(_, (column, values))| -> (u32, Rows) {
            (column.input as u32, Box::new(move |rows, to| values.feed(self.rows.len(), rows.map(chosen), to)))
        });
        let mut feeds: Vec<(u32, Rows)> = kept.collect();
        let computed = computed.into_iter().enumerate().map(|(place, at)| -> (u32, Rows) {
            let column = move |rows: Range<usize>, to: (&mut [u8], Storage)| {
                let batch = &mut *batch.borrow_mut();
                let (first, count) = (rows.start, rows.len());
                let rows: Vec<usize> = rows.map(|at| self.rows[chosen(at)]).collect();
                let mut occasion = occasion;
                occasion.counters[4] += first as f64;
                match batch.compute(&rows, occasion) {
                    Ok(()) => batch.values[place].feed(count, 0..count, to),
                    Err(failure) => batch.failure = Some(failure),
                }
            };
            (program.columns[at].input as u32, Box::new(column))
        });
        feeds.extend(computed);
        feeds
    }

    /// The columns of some rows of the split, by their places.
    pub fn values(
        &self,
        batch: &RefCell<Batch>,
        at: usize,
        order: &[usize],
        occasion: Occasion,
    ) -> Result<Vec<f64>, RunError> {
        let batch = &mut *batch.borrow_mut();
        match batch.columns.iter().position(|own| *own == at) {
            None => Ok(self.kept[at].rows(self.rows.len(), order.iter().copied())),
            Some(place) => {
                let rows: Vec<usize> = order.iter().map(|at| self.rows[*at]).collect();
                batch.compute(&rows, occasion)?;
                Ok(batch.values[place].rows(rows.len(), 0..rows.len()))
            }
        }
    }
}
