//! Values over all rows of a table, a batch of rows at a time: see [`crate::passes::streamed`]. What cannot be taken apart so
//! is computed of all rows at once. Fitted values, columns, evaluation and prediction are all this: roots of a graph, what its
//! inputs are fed, and where the values go.

use crate::backend::{Device, Fault, PlanId, Tensor, Values};
use crate::ir::{DType, Graph, NodeId, Size, Symbol, count};
use crate::lower::program::of_rows;
use crate::passes::{Streamed, streamed};
use crate::plan::{Limits, Plan, Precision, Request, Residents, Storage, plan};
use crate::run::error::RunError;
use std::collections::BTreeMap;
use std::ops::Range;

/// Roots of a graph, planned as they are asked for.
pub struct Stream<'g> {
    graph: &'g Graph,
    /// The rows of a batch in the graph, of each data set.
    symbols: Vec<Symbol>,
    roots: Vec<NodeId>,
    /// None where rows meet: then all are one batch.
    streamed: Option<Streamed>,
    /// Inputs that are numbers of the host, and parameters.
    hosts: Vec<u32>,
    residents: Residents,
    digits: Digits,
    /// Rows of a batch.
    pub batch: usize,
    /// Whether it is to end; asked before each batch.
    pub stop: fn() -> bool,
    plans: BTreeMap<(Stage, Vec<usize>), PlanId>,
    /// The plan that ran last: what it was fed is still there.
    ran: Option<PlanId>,
}

/// How many digits floats have.
#[derive(Clone, Debug)]
pub enum Digits {
    /// 64 bits throughout: fitted values and columns.
    Double,
    /// 64 bits in sums over rows, and in given inputs and what reads them.
    Evaluation { wide: Vec<u32> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// All rows at once.
    Whole,
    /// By its number, over the rows of a data set.
    Pass(usize, usize),
    /// What reads what was joined: of a batch of rows, or without any.
    Rest,
}

/// Some rows of an input, into its buffer.
pub type Rows<'a> = Box<dyn Fn(Range<usize>, (&mut [u8], Storage)) + 'a>;

/// The rows of a data set.
#[derive(Default)]
pub struct Table<'a> {
    /// How many there are.
    pub rows: usize,
    /// Inputs that have them.
    pub columns: Vec<(u32, Rows<'a>)>,
}

impl<'a> Table<'a> {
    /// The tables of so many data sets, of which only one has rows.
    pub fn one(self, at: usize, sets: usize) -> Vec<Table<'a>> {
        let mut own = Some(self);
        (0..sets).map(|set| own.take_if(|_| set == at).unwrap_or_default()).collect()
    }
}

/// What the inputs are fed.
pub struct Feed<'a> {
    /// Of each data set.
    pub tables: Vec<Table<'a>>,
    /// Inputs without rows.
    pub whole: Vec<(u32, &'a Tensor)>,
    /// Numbers of the host.
    pub hosts: Vec<(u32, f64)>,
    /// The input that draws are counted by: seed (low, high), step, repetition, and the row that the first of these is.
    pub counters: (u32, [f64; 5]),
}

impl<'g> Stream<'g> {
    /// Of a graph with so many inputs, of which some are numbers of the host; in batches of so many rows.
    pub fn new(
        graph: &'g Graph,
        symbols: &[Symbol],
        roots: Vec<NodeId>,
        inputs: usize,
        mut hosts: Vec<u32>,
        digits: Digits,
        batch: usize,
    ) -> Stream<'g> {
        let streamed = streamed(graph, symbols, &roots, inputs);
        let sizes = streamed.iter().flat_map(|streamed| &streamed.sizes).map(|(input, _)| *input);
        hosts.extend(sizes);
        let digits = match digits {
            Digits::Double => Digits::Double,
            Digits::Evaluation { mut wide } => {
                let joins = streamed.iter().flat_map(|streamed| &streamed.joins);
                wide.extend(joins.map(|join| join.input));
                Digits::Evaluation { wide }
            }
        };
        let (residents, plans) = (Residents::default(), BTreeMap::new());
        Stream {
            graph,
            symbols: symbols.to_vec(),
            roots,
            streamed,
            hosts,
            residents,
            digits,
            batch: batch.max(1),
            stop: || false,
            plans,
            ran: None,
        }
    }

    /// The same with inputs that lie in the resident region of the device.
    pub fn with_residents(self, residents: Residents) -> Stream<'g> {
        Stream { residents, ..self }
    }

    /// How many passes over the rows come before the values themselves.
    pub fn passes(&self) -> usize {
        self.streamed.as_ref().map_or(0, Streamed::passes)
    }

    /// The most scratch that a pass over batches of so many rows takes.
    pub fn scratch_of_passes(&self, rows: usize) -> Result<usize, RunError> {
        let sets = |pass| self.streamed.iter().flat_map(move |streamed| streamed.sets_of_pass(pass));
        let stages = (0..self.passes()).flat_map(|pass| sets(pass).map(move |set| (pass, set)));
        let plans = stages.map(|(pass, set)| self.planned(Stage::Pass(pass, set), &self.only(set, rows)));
        plans.map(|plan| Ok(plan?.scratch)).try_fold(0, |most, scratch: Result<usize, RunError>| Ok(most.max(scratch?)))
    }

    /// So many rows of one data set.
    fn only(&self, set: usize, rows: usize) -> Vec<usize> {
        (0..self.symbols.len()).map(|at| if at == set { rows } else { 0 }).collect()
    }

    fn has_rows(&self, root: NodeId) -> bool {
        self.graph.shape(root).iter().any(|size| size.settled().is_none())
    }

    fn planned(&self, stage: Stage, rows: &[usize]) -> Result<Plan, RunError> {
        let (graph, roots): (&Graph, Vec<NodeId>) = match (stage, &self.streamed) {
            (Stage::Pass(pass, set), Some(streamed)) => {
                (&streamed.graph, streamed.of_pass(pass, set).map(|join| join.of_batch).collect())
            }
            (Stage::Rest, Some(streamed)) => (&streamed.graph, streamed.roots.clone()),
            (Stage::Whole, _) | (_, None) => (self.graph, self.roots.clone()),
        };
        let graph = graph.settle(&of_rows(&self.symbols, rows));
        let precision = match &self.digits {
            Digits::Double => Precision::Double,
            Digits::Evaluation { wide } => Precision::Evaluation { wide },
        };
        let (hosts, residents, limits) = (&self.hosts, &self.residents, Limits::default());
        Ok(plan(&Request { graph: &graph, stages: &[roots], hosts, updates: &[], residents, precision, limits })?)
    }

    fn plan(&mut self, device: &mut dyn Device, stage: Stage, rows: &[usize]) -> Result<PlanId, RunError> {
        if let Some(known) = self.plans.get(&(stage, rows.to_vec())) {
            return Ok(*known);
        }
        let id = device.load(self.planned(stage, rows)?);
        self.plans.insert((stage, rows.to_vec()), id);
        Ok(id)
    }

    /// Computes the roots. Those with rows are handed on batch by batch, in the order of the rows, the others once: the number of
    /// the root, its elements, and how many there are.
    pub fn run(
        &mut self,
        device: &mut dyn Device,
        mut feed: Feed,
        take: &mut dyn FnMut(usize, Values, usize),
    ) -> Result<(), RunError> {
        self.ran = None;
        let all: Vec<usize> = feed.tables.iter().map(|table| table.rows).collect();
        let Some(streamed) = &self.streamed else {
            let id = self.plan(device, Stage::Whole, &all)?;
            let rows: Vec<Range<usize>> = all.iter().map(|rows| 0..*rows).collect();
            self.run_on(device, id, &feed, &BTreeMap::new(), &rows)?;
            self.hand_on(device, id, &all, true, take);
            return Ok(());
        };
        let all = of_rows(&self.symbols, &all);
        let number = |size: &Size| size.settle(&all).settled().unwrap_or(0) as f64;
        feed.hosts.extend(streamed.sizes.iter().map(|(input, size)| (*input, number(size))));
        let mut joined: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for pass in 0..self.passes() {
            let sets = self.streamed.as_ref().map_or(Vec::new(), |streamed| streamed.sets_of_pass(pass));
            let mut sums = BTreeMap::new();
            for set in sets {
                sums.extend(self.pass(device, (pass, set), &feed, &joined)?);
            }
            joined.extend(sums);
        }
        let Some(set) = self.set_of_roots() else {
            let none = self.only(0, 0);
            let id = self.plan(device, Stage::Rest, &none)?;
            self.run_on(device, id, &feed, &joined, &self.range(0, 0..0))?;
            self.hand_on(device, id, &none, true, take);
            return Ok(());
        };
        for rows in batches(feed.tables[set].rows, self.batch) {
            let first = rows.start == 0;
            let count = self.only(set, rows.len());
            let id = self.plan(device, Stage::Rest, &count)?;
            self.run_on(device, id, &feed, &joined, &self.range(set, rows))?;
            self.hand_on(device, id, &count, first, take);
        }
        Ok(())
    }

    /// The data set whose rows roots have, if some have rows: it is one for all of them.
    fn set_of_roots(&self) -> Option<usize> {
        let mut sizes = self.roots.iter().flat_map(|root| self.graph.shape(*root));
        sizes.find_map(|size| self.symbols.iter().position(|symbol| size.symbols().contains(symbol)))
    }

    /// Some rows of one data set.
    fn range(&self, set: usize, rows: Range<usize>) -> Vec<Range<usize>> {
        (0..self.symbols.len()).map(|at| if at == set { rows.clone() } else { 0..0 }).collect()
    }

    /// Feeds a plan and runs it on some rows. What has no rows is fed where another plan ran before.
    fn run_on(
        &mut self,
        device: &mut dyn Device,
        id: PlanId,
        feed: &Feed,
        joined: &BTreeMap<u32, Vec<f64>>,
        rows: &[Range<usize>],
    ) -> Result<(), RunError> {
        if (self.stop)() {
            return Err(RunError::Interrupted);
        }
        if self.ran != Some(id) {
            write_whole(device, id, feed, joined);
        }
        write_rows(device, id, feed, rows);
        device.run(id).map_err(|fault| self.fault(fault))?;
        self.ran = Some(id);
        Ok(())
    }

    /// What cannot be computed, by the nodes of the whole graph.
    fn fault(&self, fault: Fault) -> Fault {
        let nodes = self.streamed.as_ref().map(|streamed| streamed.in_whole(&fault.nodes));
        Fault { nodes: nodes.unwrap_or(fault.nodes), ..fault }
    }

    /// What a plan of the roots on so many rows gave; of roots without rows only where `all` are wanted.
    fn hand_on(
        &self,
        device: &dyn Device,
        id: PlanId,
        rows: &[usize],
        all: bool,
        take: &mut dyn FnMut(usize, Values, usize),
    ) {
        for (at, root) in self.roots.iter().enumerate().filter(|(_, root)| all || self.has_rows(**root)) {
            let shape = self.graph.shape(*root).iter();
            let sizes = shape.map(|size| size.settle(&of_rows(&self.symbols, rows)).settled().unwrap_or(0));
            take(at, device.read(id, at), sizes.product::<i64>().max(0) as usize);
        }
    }

    /// What a pass joins over all rows of a data set, by input.
    fn pass(
        &mut self,
        device: &mut dyn Device,
        (pass, set): (usize, usize),
        feed: &Feed,
        joined: &BTreeMap<u32, Vec<f64>>,
    ) -> Result<BTreeMap<u32, Vec<f64>>, RunError> {
        let mut sums: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for rows in batches(feed.tables[set].rows, self.batch) {
            let id = self.plan(device, Stage::Pass(pass, set), &self.only(set, rows.len()))?;
            self.run_on(device, id, feed, joined, &self.range(set, rows))?;
            let Some(streamed) = &self.streamed else { break };
            for (root, join) in streamed.of_pass(pass, set).enumerate() {
                let part = device.read(id, root).to_f64(count(&streamed.graph, join.of_batch) as usize);
                let sum = sums.entry(join.input).or_insert_with(|| vec![join.how.start(); part.len()]);
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum = join.how.join(*sum, part));
            }
        }
        let Some(streamed) = &self.streamed else { return Ok(sums) };
        for join in streamed.of_pass(pass, set).filter(|join| streamed.graph.dtype(join.of_batch) == DType::Int) {
            let far = |sum: &f64| sum.is_finite() && f64::from(*sum as i32) != *sum;
            if sums.get(&join.input).is_some_and(|sums| sums.iter().any(far)) {
                let message = "a sum of ints does not fit 32 bits".to_string();
                return Err(self.fault(Fault { message, nodes: vec![join.of_batch] }).into());
            }
        }
        Ok(sums)
    }
}

fn batches(rows: usize, batch: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(batch).map(move |first| first..rows.min(first + batch))
}

/// What is the same for all rows: numbers of the host, inputs without rows, and what was joined in earlier passes.
fn write_whole(device: &mut dyn Device, id: PlanId, feed: &Feed, joined: &BTreeMap<u32, Vec<f64>>) {
    feed.hosts.iter().for_each(|(input, value)| device.set_host(id, *input, *value));
    let whole = feed.whole.iter().map(|(input, tensor)| (*input, &tensor.values));
    for (input, values) in whole.chain(joined.iter().map(|(input, values)| (*input, values))) {
        device.write_numbers(id, input, values);
    }
}

/// What a batch of rows is fed.
fn write_rows(device: &mut dyn Device, id: PlanId, feed: &Feed, rows: &[Range<usize>]) {
    let (input, mut counters) = feed.counters;
    // They are rows of one data set, or all rows.
    counters[4] += rows.iter().map(|rows| rows.start).max().unwrap_or(0) as f64;
    device.write_numbers(id, input, &counters);
    for (table, rows) in feed.tables.iter().zip(rows) {
        for (input, column) in &table.columns {
            device.write(id, *input, &mut |bytes, storage| column(rows.clone(), (bytes, storage)));
        }
    }
}
