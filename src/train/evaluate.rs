//! Loss and reports on a whole split, a batch of rows at a time: see [`crate::passes::streamed`]. What cannot be taken apart
//! so is computed of all rows at once. Sums over rows, and what is added up, have 64 bits.

use crate::backend::cpu::{Cpu, PlanId, fill};
use crate::ir::{Class, DType, Graph, NodeId, Op, Size, count};
use crate::lower::program::Program;
use crate::passes::{Streamed, streamed};
use crate::plan::{Limits, Plan, Precision, Request, Residents, plan};
use crate::train::column::Column;
use crate::train::run::RunError;
use std::collections::BTreeMap;
use std::ops::Range;

/// Rows of a batch, where they take no more memory than [`ROOM`].
const ROWS: usize = 1024;

/// Bytes of scratch that are worth having for speed alone.
const ROOM: usize = 64 << 20;

pub struct Evaluator<'p> {
    program: &'p Program,
    residents: Residents,
    roots: Vec<NodeId>,
    streamed: Option<Streamed>,
    /// Inputs that have 64 bits.
    wide: Vec<u32>,
    /// Rows of a batch.
    batch: usize,
    /// What was planned, by pass and rows.
    plans: BTreeMap<(Stage, usize), PlanId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// All rows at once.
    Whole,
    Pass(usize),
    /// What is left when the rows were joined.
    Rest,
}

/// What an evaluation reads besides the parameters.
pub struct Present<'a> {
    /// The columns of the split, and how many rows they have.
    pub columns: &'a [Column],
    pub rows: usize,
    /// Numbers of the host by input.
    pub hosts: Vec<(u32, f64)>,
    /// Seed (low, high), step, repetition, first row.
    pub counters: [f64; 5],
}

/// The columns that evaluation reads in 64 bits: those that something else than a product of matrices reads.
pub fn wide_columns(program: &Program) -> Vec<u32> {
    let roots = roots(program);
    let graph = &program.graph;
    // Of each node, whether its digits matter to something that is not a product.
    let needed = graph.needed(&roots);
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
    inputs.filter(|number| program.columns.iter().any(|column| column.input == *number as usize)).collect()
}

fn roots(program: &Program) -> Vec<NodeId> {
    std::iter::once(program.loss).chain(program.reports.iter().map(|(_, node)| *node)).collect()
}

impl<'p> Evaluator<'p> {
    /// Of splits of at most so many rows, for a program whose steps see `batch` rows in `step` bytes of scratch.
    pub fn new(
        program: &'p Program,
        residents: Residents,
        most: usize,
        batch: usize,
        step: usize,
    ) -> Result<Evaluator<'p>, RunError> {
        let roots = roots(program);
        let streamed = streamed(&program.graph, &program.rows, &roots, program.inputs);
        let passes = streamed.as_ref().map_or(0, Streamed::passes);
        let joins = streamed.iter().flat_map(|streamed| &streamed.joins).map(|join| join.input);
        let wide = wide_columns(program).into_iter().chain(joins).collect();
        let wanted = ROWS.min(most);
        let plans = BTreeMap::new();
        let mut this = Evaluator { program, residents, roots, streamed, wide, batch: wanted, plans };
        for pass in (0..passes).filter(|_| batch < wanted) {
            if this.planned(Stage::Pass(pass), wanted)?.scratch > ROOM.max(step) {
                this.batch = batch;
                break;
            }
        }
        Ok(this)
    }

    fn planned(&self, stage: Stage, rows: usize) -> Result<Plan, RunError> {
        let (graph, roots): (&Graph, Vec<NodeId>) = match (stage, &self.streamed) {
            (Stage::Pass(pass), Some(streamed)) => {
                (&streamed.graph, streamed.of_pass(pass).map(|join| join.of_batch).collect())
            }
            (Stage::Rest, Some(streamed)) => (&streamed.graph, streamed.roots.clone()),
            (Stage::Whole, _) | (_, None) => (&self.program.graph, self.roots.clone()),
        };
        let graph = graph.settle(&[(self.program.rows.clone(), rows as i64)]);
        let sizes = self.streamed.iter().flat_map(|streamed| &streamed.sizes).map(|(input, _)| *input);
        let hosts: Vec<u32> = self.program.hosts.iter().map(|(_, input)| *input as u32).chain(sizes).collect();
        Ok(plan(&Request {
            graph: &graph,
            stages: &[roots],
            hosts: &hosts,
            updates: &[],
            residents: &self.residents,
            precision: Precision::Evaluation { wide: &self.wide },
            limits: Limits::default(),
        })?)
    }

    fn plan(&mut self, device: &mut Cpu, stage: Stage, rows: usize) -> Result<PlanId, RunError> {
        if let Some(known) = self.plans.get(&(stage, rows)) {
            return Ok(*known);
        }
        let id = device.load(self.planned(stage, rows)?);
        self.plans.insert((stage, rows), id);
        Ok(id)
    }

    /// The values of the loss and of each report, by the parameters on the device.
    pub fn evaluate(&mut self, device: &mut Cpu, mut present: Present) -> Result<Vec<f64>, RunError> {
        let count = self.roots.len();
        let Some(streamed) = &self.streamed else {
            let id = self.plan(device, Stage::Whole, present.rows)?;
            feed_rows(device, id, self.program, &present, 0..present.rows);
            device.run(id)?;
            return Ok((0..count).map(|root| device.scalar(id, root)).collect());
        };
        let rows = [(self.program.rows.clone(), present.rows as i64)];
        let number = |size: &Size| size.settle(&rows).settled().unwrap_or(0) as f64;
        present.hosts.extend(streamed.sizes.iter().map(|(input, size)| (*input, number(size))));
        let passes = streamed.passes();
        let mut given = BTreeMap::new();
        for pass in 0..passes {
            let sums = self.pass(device, pass, &present, &given)?;
            given.extend(sums);
        }
        let rest = self.plan(device, Stage::Rest, 0)?;
        feed_joined(device, rest, &given);
        feed_rows(device, rest, self.program, &present, 0..0);
        device.run(rest)?;
        Ok((0..count).map(|root| device.scalar(rest, root)).collect())
    }

    /// What a pass joins over all rows, by input.
    fn pass(
        &mut self,
        device: &mut Cpu,
        pass: usize,
        present: &Present,
        given: &BTreeMap<u32, Vec<f64>>,
    ) -> Result<BTreeMap<u32, Vec<f64>>, RunError> {
        let mut sums: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        let mut first = 0;
        while first < present.rows {
            let rows = first..present.rows.min(first + self.batch);
            let id = self.plan(device, Stage::Pass(pass), rows.len())?;
            // There are two plans: of full batches, and of what is left.
            if first == 0 || rows.len() < self.batch {
                feed_joined(device, id, given);
            }
            feed_rows(device, id, self.program, present, rows.clone());
            device.run(id)?;
            let Some(streamed) = &self.streamed else { break };
            for (root, join) in streamed.of_pass(pass).enumerate() {
                let part = device.output(id, root).to_f64(count(&streamed.graph, join.of_batch) as usize);
                let sum = sums.entry(join.input).or_insert_with(|| vec![join.how.start(); part.len()]);
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum = join.how.join(*sum, part));
            }
            first = rows.end;
        }
        Ok(sums)
    }
}

/// What was joined in earlier passes.
fn feed_joined(device: &mut Cpu, id: PlanId, given: &BTreeMap<u32, Vec<f64>>) {
    for (input, values) in given {
        if let Some((bytes, storage)) = device.input(id, *input) {
            fill(bytes, storage, values.iter().copied());
        }
    }
}

/// Rows of the columns, numbers of the host, and what draws are counted by.
fn feed_rows(device: &mut Cpu, id: PlanId, program: &Program, present: &Present, rows: Range<usize>) {
    for (input, value) in &present.hosts {
        device.set_host(id, *input, *value);
    }
    let mut counters = present.counters;
    counters[4] = rows.start as f64;
    if let Some((bytes, storage)) = device.input(id, program.draws as u32) {
        fill(bytes, storage, counters.into_iter());
    }
    for (column, values) in program.columns.iter().zip(present.columns) {
        if let Some(to) = device.input(id, column.input as u32) {
            values.feed(present.rows, rows.clone(), to);
        }
    }
}
