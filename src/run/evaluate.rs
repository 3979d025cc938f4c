//! Loss and reports on a whole split. Sums over rows, and what is added up, have 64 bits.

use crate::backend::Device;
use crate::ir::{Class, DType, NodeId, Op, Size};
use crate::lower::program::{Input, Program};
use crate::plan::Residents;
use crate::run::error::RunError;
use crate::run::stream::{Digits, Feed, Rows, Stream};

/// Rows of a batch, where that takes little memory.
pub const ROWS: usize = 1024;

/// Bytes of scratch that are worth having for speed alone.
const ROOM: usize = 64 << 20;

pub struct Evaluator<'p> {
    program: &'p Program,
    stream: Stream<'p>,
    /// What is computed of whole splits, by the numbers of the roots; the others are means over batches.
    whole: Vec<usize>,
    batches: Option<Batches<'p>>,
}

/// Roots in which rows meet, one with another: each is a mean over batches of as many rows as a step has.
struct Batches<'p> {
    stream: Stream<'p>,
    roots: Vec<usize>,
    rows: usize,
}

/// What an evaluation reads besides the parameters.
pub struct Present<'a> {
    /// What the columns of the split are fed, and how many rows they have.
    pub columns: Vec<(u32, Rows<'a>)>,
    pub rows: usize,
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

/// Whether rows meet in pairs below a root: such a table grows with the square of them.
fn is_of_pairs(program: &Program, root: NodeId) -> bool {
    let row = Size::symbol(program.rows.clone());
    let pairs = |node: &NodeId| program.graph.shape(*node).iter().filter(|size| **size == row).count() > 1;
    program.graph.needed(&[root]).iter().any(pairs)
}

impl<'p> Evaluator<'p> {
    /// Of splits of at most so many rows, for a program whose steps see `batch` rows in `step` bytes of scratch.
    pub fn new(
        program: &'p Program,
        roots: Vec<NodeId>,
        residents: Residents,
        most: usize,
        (batch, in_batches): (usize, bool),
        step: usize,
    ) -> Result<Evaluator<'p>, RunError> {
        let (inputs, rows) = (program.inputs.len(), ROWS.min(most));
        // Where steps see all rows, so do evaluations.
        let (meeting, whole): (Vec<usize>, Vec<usize>) =
            (0..roots.len()).partition(|at| in_batches && is_of_pairs(program, roots[*at]));
        let of = |numbers: &[usize], rows: usize| {
            let roots: Vec<NodeId> = numbers.iter().map(|at| roots[*at]).collect();
            let digits = Digits::Evaluation { wide: wide_columns(program, &roots) };
            let (graph, symbol, hosts) = (&program.graph, program.rows.clone(), program.host_inputs());
            Stream::new(graph, symbol, roots, inputs, hosts, digits, rows).with_residents(residents.clone())
        };
        let mut stream = of(&whole, rows);
        if batch < rows && stream.scratch_of_passes(rows)? > ROOM.max(step) {
            stream.batch = batch;
        }
        let batches = Batches { stream: of(&meeting, batch), roots: meeting, rows: batch };
        let batches = (!batches.roots.is_empty()).then_some(batches);
        Ok(Evaluator { program, stream, whole, batches })
    }

    /// The roots that are means over batches, by their numbers.
    pub fn per_batch(&self) -> &[usize] {
        self.batches.as_ref().map_or(&[], |batches| &batches.roots)
    }

    /// The elements of the loss and of each report, by the parameters on the device.
    pub fn evaluate(&mut self, device: &mut dyn Device, present: Present) -> Result<Vec<Vec<f64>>, RunError> {
        let Present { columns, rows, hosts, counters } = present;
        let draws = self.program.draws as u32;
        let mut values = vec![Vec::new(); self.whole.len() + self.per_batch().len()];
        if let Some(batches) = &mut self.batches {
            batches.means(device, (&columns, rows), &hosts, (draws, counters), &mut values)?;
        }
        let feed = Feed { rows, columns, whole: Vec::new(), hosts, counters: (draws, counters) };
        let whole = &self.whole;
        self.stream.run(device, feed, &mut |root, value, count| values[whole[root]] = value.to_f64(count))?;
        Ok(values)
    }
}

impl Batches<'_> {
    /// The mean of each root over the batches of a split, which count by their rows.
    fn means(
        &mut self,
        device: &mut dyn Device,
        (columns, rows): (&[(u32, Rows)], usize),
        hosts: &[(u32, f64)],
        (draws, counters): (u32, [f64; 5]),
        into: &mut [Vec<f64>],
    ) -> Result<(), RunError> {
        for first in (0..rows).step_by(self.rows.max(1)) {
            let count = self.rows.min(rows - first);
            let columns = columns.iter().map(|(input, column)| -> (u32, Rows) {
                (*input, Box::new(move |own, to| column(own.start + first..own.end + first, to)))
            });
            let mut counters = counters;
            counters[4] += first as f64;
            let feed = Feed {
                rows: count,
                columns: columns.collect(),
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
