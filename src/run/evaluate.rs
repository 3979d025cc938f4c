//! Loss and reports on a whole split. Sums over rows, and what is added up, have 64 bits.

use crate::backend::Device;
use crate::ir::{Class, DType, Node, NodeId, Op};
use crate::lower::program::{Input, Program};
use crate::plan::Residents;
use crate::run::error::RunError;
use crate::run::stream::{Digits, Feed, Rows, Stream, Table};
use std::collections::BTreeMap;
use std::ops::Range;

/// Rows of a batch, where that takes little memory.
pub const ROWS: usize = 1024;

/// Bytes of scratch that are worth having for speed alone.
const ROOM: usize = 64 << 20;

pub struct Evaluator<'p> {
    program: &'p Program,
    stream: Stream<'p>,
    /// How many roots there are. Those that read a data set without rows have no values.
    roots: usize,
    /// What is computed of whole splits, by the numbers of the roots; the others are means over batches.
    whole: Vec<usize>,
    batches: Vec<Batches<'p>>,
}

/// Roots in which rows meet, one with another, or that read some by their places, of the same data sets: each is a mean over batches of as many rows as a step has.
struct Batches<'p> {
    stream: Stream<'p>,
    roots: Vec<usize>,
    sets: Vec<usize>,
    rows: usize,
}

/// What an evaluation reads besides the parameters.
pub struct Present<'a> {
    /// The rows of the split, of each data set.
    pub tables: Vec<Table<'a>>,
    /// Numbers of the host by input.
    pub hosts: Vec<(u32, f64)>,
    /// Seed (low, high), step, repetition, first row.
    pub counters: [f64; 5],
}

/// The columns that some nodes read in 64 bits: those that something else than a product of matrices reads.
pub fn wide_columns(program: &Program, roots: &[NodeId]) -> Vec<u32> {
    let graph = &program.graph;
    // Of each node, whether its digits matter to something that is not a product.
    let needed = graph.needed(roots);
    let mut matters: Vec<bool> = vec![false; graph.nodes().len()];
    roots.iter().for_each(|root| matters[root.0 as usize] = true);
    for id in needed.iter().rev() {
        let node = graph.node(*id);
        let own = matters[id.0 as usize];
        if node.op.class() != Class::Product && (own || node.op.class() != Class::View) {
            node.inputs.iter().for_each(|input| matters[input.0 as usize] = true);
        }
    }
    let column = |id: &NodeId| {
        let Op::Input { number, dtype: DType::Float, .. } = graph.node(*id).op else { return None };
        matters[id.0 as usize].then_some(number)
    };
    let inputs = needed.iter().filter_map(column);
    inputs.filter(|number| matches!(program.inputs.get(*number as usize), Some(Input::Column(_)))).collect()
}

/// The loss, then the reports, with those that are known when training is over where it is; then whether demands hold.
pub fn evaluated(program: &Program, over: bool) -> Vec<NodeId> {
    let late = program.late.iter().filter(|_| over);
    let reports = program.reports.iter().chain(late).map(|(_, node)| *node);
    let demands = program.demands[1].iter().filter(|demand| over || !demand.late).map(|demand| demand.holds);
    std::iter::once(program.loss).chain(reports).chain(demands).collect()
}

/// Whether a root says something else of more rows: where rows meet in pairs, which are a table that grows with the square of them, and
/// where so many of them are read by their places, as in `x[0]`.
fn is_of_batches(program: &Program, root: NodeId) -> bool {
    let graph = &program.graph;
    let pairs = |node: NodeId| graph.shape(node).iter().filter(|size| size.is_rows()).count() > 1;
    let places = |node: NodeId| {
        let Node { op, inputs, .. } = graph.node(node);
        matches!(op, Op::Slice { axis, count, .. } if count.settled().is_some() && graph.shape(inputs[0])[*axis].is_rows())
    };
    graph.needed(&[root]).into_iter().any(|node| pairs(node) || places(node))
}

impl<'p> Evaluator<'p> {
    /// Of splits of at most so many rows in which some data sets have rows, for a program whose steps see `batch` rows in `step` bytes
    /// of scratch.
    pub fn new(
        program: &'p Program,
        roots: Vec<NodeId>,
        residents: Residents,
        (most, sets): (usize, &[usize]),
        (batch, in_batches): (usize, bool),
        step: usize,
    ) -> Result<Evaluator<'p>, RunError> {
        let (inputs, rows) = (program.inputs.len(), ROWS.min(most));
        let read: Vec<Vec<usize>> = roots.iter().map(|root| program.sets_of(&[*root])).collect();
        let readable = (0..roots.len()).filter(|at| read[*at].iter().all(|set| sets.contains(set)));
        // Where steps see all rows, so do evaluations.
        let (meeting, whole): (Vec<usize>, Vec<usize>) =
            readable.partition(|at| in_batches && is_of_batches(program, roots[*at]));
        let of = |numbers: &[usize], rows: usize| {
            let roots: Vec<NodeId> = numbers.iter().map(|at| roots[*at]).collect();
            let digits = Digits::Evaluation { wide: wide_columns(program, &roots) };
            let (graph, symbols, hosts) = (&program.graph, &program.rows, program.host_inputs());
            Stream::new(graph, symbols, roots, inputs, hosts, digits, rows).with_residents(residents.clone())
        };
        let mut stream = of(&whole, rows);
        if batch < rows && stream.scratch_of_passes(rows)? > ROOM.max(step) {
            stream.batch = batch;
        }
        let mut alike: BTreeMap<&[usize], Vec<usize>> = BTreeMap::new();
        meeting.into_iter().for_each(|at| alike.entry(&read[at]).or_default().push(at));
        let batches = alike.into_iter().map(|(sets, roots)| {
            let stream = of(&roots, batch);
            Batches { stream, roots, sets: sets.to_vec(), rows: batch }
        });
        let batches = batches.collect();
        Ok(Evaluator { program, stream, roots: roots.len(), whole, batches })
    }

    /// The roots that are means over batches, by their numbers.
    pub fn per_batch(&self) -> Vec<usize> {
        self.batches.iter().flat_map(|batches| batches.roots.iter().copied()).collect()
    }

    /// The elements of the loss and of each report, by the parameters on the device.
    pub fn evaluate(&mut self, device: &mut dyn Device, present: Present) -> Result<Vec<Vec<f64>>, RunError> {
        let Present { tables, hosts, counters } = present;
        let draws = self.program.draws as u32;
        let mut values = vec![Vec::new(); self.roots];
        for batches in &mut self.batches {
            batches.means(device, &tables, &hosts, (draws, counters), &mut values)?;
        }
        let feed = Feed { tables, whole: Vec::new(), hosts, counters: (draws, counters) };
        let whole = &self.whole;
        self.stream.run(device, feed, &mut |root, value, count| values[whole[root]] = value.to_f64(count))?;
        Ok(values)
    }
}

impl Batches<'_> {
    /// The mean of each root over the batches of a split, which count by their rows. Of several data sets the one with most rows says how
    /// many batches there are, and the others begin again.
    fn means(
        &mut self,
        device: &mut dyn Device,
        tables: &[Table],
        hosts: &[(u32, f64)],
        (draws, counters): (u32, [f64; 5]),
        into: &mut [Vec<f64>],
    ) -> Result<(), RunError> {
        let rows = self.sets.iter().map(|set| tables[*set].rows).max().unwrap_or(0);
        for first in (0..rows).step_by(self.rows.max(1)) {
            let count = self.rows.min(rows - first);
            let tables = tables.iter().map(|table| {
                let first = if table.rows == rows { first } else { around(first, self.rows, table.rows) };
                let rows = self.rows.min(table.rows - first);
                let columns = table.columns.iter().map(|(input, column)| -> (u32, Rows) {
                    (*input, Box::new(move |own: Range<usize>, to| column(own.start + first..own.end + first, to)))
                });
                Table { rows, columns: columns.collect() }
            });
            let mut counters = counters;
            counters[4] += first as f64;
            let feed = Feed {
                tables: tables.collect(),
                whole: Vec::new(),
                hosts: hosts.to_vec(),
                counters: (draws, counters),
            };
            let (roots, share) = (&self.roots, count as f64 / rows as f64);
            self.stream.run(device, feed, &mut |root, value, elements| {
                let sum = &mut into[roots[root]];
                let part = value.to_f64(elements);
                sum.resize(part.len(), 0.0);
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += share * part);
            })?;
        }
        Ok(())
    }
}

/// Where the batch that begins at `first` lies in a table of fewer rows, which begins again where it has no whole batch left.
fn around(first: usize, batch: usize, rows: usize) -> usize {
    let whole = (rows / batch.max(1)).max(1);
    (first / batch.max(1) % whole) * batch
}
