//! Loss and reports on a whole split. Sums over rows, and what is added up, have 64 bits.

use crate::backend::Device;
use crate::ir::{Class, DType, NodeId, Op};
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
    let demands = program.demands[1].iter().map(|demand| demand.holds);
    std::iter::once(program.loss).chain(reports).chain(demands).collect()
}

impl<'p> Evaluator<'p> {
    /// Of splits of at most so many rows, for a program whose steps see `batch` rows in `step` bytes of scratch.
    pub fn new(
        program: &'p Program,
        roots: Vec<NodeId>,
        residents: Residents,
        most: usize,
        batch: usize,
        step: usize,
    ) -> Result<Evaluator<'p>, RunError> {
        let digits = Digits::Evaluation { wide: wide_columns(program, &roots) };
        let hosts = program.host_inputs();
        let rows = ROWS.min(most);
        let stream =
            Stream::new(&program.graph, program.rows.clone(), roots, program.inputs.len(), hosts, digits, rows);
        let mut stream = stream.with_residents(residents);
        if batch < rows && stream.scratch_of_passes(rows)? > ROOM.max(step) {
            stream.batch = batch;
        }
        Ok(Evaluator { program, stream })
    }

    /// The elements of the loss and of each report, by the parameters on the device.
    pub fn evaluate(&mut self, device: &mut dyn Device, present: Present) -> Result<Vec<Vec<f64>>, RunError> {
        let Present { columns, rows, hosts, counters } = present;
        let counters = (self.program.draws as u32, counters);
        let feed = Feed { rows, columns, whole: Vec::new(), hosts, counters };
        let mut values = Vec::new();
        self.stream.run(device, feed, &mut |_, value, count| values.push(value.to_f64(count)))?;
        Ok(values)
    }
}
