//! Loss and reports on a whole split, a batch of rows at a time: see [`crate::passes::streamed`]. What cannot be taken apart
//! so is computed of all rows at once.

use crate::backend::cpu::{Cpu, pool::Pool};
use crate::ir::{Graph, NodeId, Size, count};
use crate::lower::program::Program;
use crate::passes::{Streamed, streamed};
use crate::plan::{Request, plan};
use crate::train::run::Trouble;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a batch, where they take no more memory than [`ROOM`].
const ROWS: usize = 1024;

/// Bytes of an arena that is worth having for speed alone.
const ROOM: usize = 64 << 20;

pub struct Evaluator<'p> {
    program: &'p Program,
    pool: Arc<Pool>,
    roots: Vec<NodeId>,
    streamed: Option<Streamed>,
    /// Rows of a batch.
    batch: usize,
    /// What was planned, by pass and rows.
    plans: BTreeMap<(Stage, usize), Cpu>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// All rows at once.
    Whole,
    Pass(usize),
    /// What is left when the rows were joined.
    Rest,
}

/// What an evaluation reads.
pub struct Present<'a> {
    /// The columns of the split, and how many rows they have.
    pub columns: &'a [Vec<f32>],
    pub rows: usize,
    /// Numbers of the host by input.
    pub hosts: Vec<(u32, f64)>,
    /// Seed (low, high), step, repetition, first row.
    pub counters: [f64; 5],
    /// The present parameters by input.
    pub parameter: &'a dyn Fn(u32) -> Option<&'a [f32]>,
}

impl<'p> Evaluator<'p> {
    /// Of splits of at most so many rows, for a program whose steps see `batch` rows in an arena of `step` bytes.
    pub fn new(
        program: &'p Program,
        pool: Arc<Pool>,
        most: usize,
        batch: usize,
        step: usize,
    ) -> Result<Evaluator<'p>, Trouble> {
        let roots: Vec<NodeId> =
            std::iter::once(program.loss).chain(program.reports.iter().map(|(_, node)| *node)).collect();
        let streamed = streamed(&program.graph, &program.rows, &roots, program.inputs);
        let passes = streamed.as_ref().map_or(0, Streamed::passes);
        let wanted = ROWS.min(most);
        let mut this = Evaluator { program, pool, roots, streamed, batch: wanted, plans: BTreeMap::new() };
        for pass in (0..passes).filter(|_| batch < wanted) {
            if this.plan(Stage::Pass(pass), wanted)?.plan().arena * 4 > ROOM.max(step) {
                (this.batch, this.plans) = (batch, BTreeMap::new());
                break;
            }
        }
        Ok(this)
    }

    fn plan(&mut self, stage: Stage, rows: usize) -> Result<&mut Cpu, Trouble> {
        let (graph, roots): (&Graph, Vec<NodeId>) = match (stage, &self.streamed) {
            (Stage::Pass(pass), Some(streamed)) => {
                (&streamed.graph, streamed.of_pass(pass).map(|join| join.of_batch).collect())
            }
            (Stage::Rest, Some(streamed)) => (&streamed.graph, streamed.roots.clone()),
            (Stage::Whole, _) | (_, None) => (&self.program.graph, self.roots.clone()),
        };
        match self.plans.entry((stage, rows)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let graph = graph.settle(&[(self.program.rows.clone(), rows as i64)]);
                let sizes = self.streamed.iter().flat_map(|streamed| &streamed.sizes).map(|(input, _)| *input);
                let hosts = self.program.hosts.iter().map(|(_, input)| *input as u32).chain(sizes);
                let hosts: Vec<u32> = hosts.collect();
                let counters = self.program.draws as u32;
                let plan = plan(&Request { graph: &graph, stages: &[roots], hosts: &hosts, counters, updates: &[] })?;
                Ok(new.insert(Cpu::new(plan, Arc::clone(&self.pool))))
            }
        }
    }

    /// The values of the loss and of each report.
    pub fn evaluate(&mut self, mut present: Present) -> Result<Vec<f64>, Trouble> {
        let count = self.roots.len();
        let Some(streamed) = &self.streamed else {
            let program = self.program;
            let cpu = self.plan(Stage::Whole, present.rows)?;
            feed_parameters(cpu, program, &present);
            feed_rows(cpu, program, &present, 0..present.rows);
            cpu.run()?;
            return Ok((0..count).map(|root| cpu.scalar(root)).collect());
        };
        let rows = [(self.program.rows.clone(), present.rows as i64)];
        let number = |size: &Size| size.settle(&rows).settled().unwrap_or(0) as f64;
        present.hosts.extend(streamed.sizes.iter().map(|(input, size)| (*input, number(size))));
        let mut given = BTreeMap::new();
        for pass in 0..streamed.passes() {
            let sums = self.pass(pass, &present, &given)?;
            given.extend(sums);
        }
        let program = self.program;
        let rest = self.plan(Stage::Rest, 0)?;
        feed_parameters(rest, program, &present);
        feed_joined(rest, &given);
        feed_rows(rest, program, &present, 0..0);
        rest.run()?;
        Ok((0..count).map(|root| rest.scalar(root)).collect())
    }

    /// What a pass joins over all rows, by input.
    fn pass(
        &mut self,
        pass: usize,
        present: &Present,
        given: &BTreeMap<u32, Vec<f64>>,
    ) -> Result<BTreeMap<u32, Vec<f64>>, Trouble> {
        let (program, batch) = (self.program, self.batch);
        let mut sums: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        let mut first = 0;
        while first < present.rows {
            let rows = first..present.rows.min(first + batch);
            let cpu = self.plan(Stage::Pass(pass), rows.len())?;
            // There are two plans: of full batches, and of what is left.
            if first == 0 || rows.len() < batch {
                feed_parameters(cpu, program, present);
                feed_joined(cpu, given);
            }
            feed_rows(cpu, program, present, rows.clone());
            cpu.run()?;
            let Some(streamed) = &self.streamed else { break };
            let Some(cpu) = self.plans.get(&(Stage::Pass(pass), rows.len())) else { break };
            for (root, join) in streamed.of_pass(pass).enumerate() {
                let part: Vec<f64> = match cpu.output(root) {
                    // A number of the host, everywhere.
                    [] => vec![cpu.scalar(root); count(&streamed.graph, join.of_batch) as usize],
                    values => values.iter().map(|value| f64::from(*value)).collect(),
                };
                let sum = sums.entry(join.input).or_insert_with(|| vec![join.how.start(); part.len()]);
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum = join.how.join(*sum, part));
            }
            first = rows.end;
        }
        Ok(sums)
    }
}

fn feed_parameters(cpu: &mut Cpu, program: &Program, present: &Present) {
    for param in &program.params {
        let input = param.input as u32;
        if let (Some(from), Some(to)) = ((present.parameter)(input), cpu.input(input)) {
            to.copy_from_slice(from);
        }
    }
}

/// What was joined in earlier passes.
fn feed_joined(cpu: &mut Cpu, given: &BTreeMap<u32, Vec<f64>>) {
    for (input, values) in given {
        if let Some(to) = cpu.input(*input) {
            to.iter_mut().zip(values).for_each(|(cell, value)| *cell = *value as f32);
        }
    }
}

/// Rows of the columns, and numbers of the host.
fn feed_rows(cpu: &mut Cpu, program: &Program, present: &Present, rows: Range<usize>) {
    for (input, value) in &present.hosts {
        cpu.set_host(*input, *value);
    }
    let mut counters = present.counters;
    counters[4] = rows.start as f64;
    cpu.set_counters(counters);
    for (column, values) in program.columns.iter().zip(present.columns) {
        let width = values.len() / present.rows.max(1);
        if let Some(to) = cpu.input(column.input as u32) {
            to.copy_from_slice(&values[rows.start * width..rows.end * width]);
        }
    }
}
