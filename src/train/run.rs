//! The loop of a run: data and fitted values first, then steps, then what is reported.

use crate::backend::{Tensor, reference};
use crate::check::terms::Host;
use crate::ir::{Graph, NodeId};
use crate::lower::program::Program;
use crate::train::dataset::Opened;
use crate::train::events::{Event, Named};
use crate::train::weights::{self, Weights};
use std::collections::BTreeMap;

/// The splits by name, in the order of [`Opened::splits`].
pub const SPLITS: [&str; 3] = ["train", "valid", "test"];

/// How long, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub steps: u64,
    pub epochs: u64,
    pub seed: u64,
}

/// A failure of a run, in words: what the person is told before status 3.
pub type Trouble = String;

/// A run as it goes: everything that the next step needs.
pub struct Run<'p> {
    program: &'p Program,
    schedule: Schedule,
    /// What the graph is fed, by number of the input.
    feed: Vec<Tensor>,
    splits: Vec<Prepared>,
    pub step: u64,
}

/// The columns of a split, and the graph for its number of rows.
struct Prepared {
    name: &'static str,
    rows: usize,
    graph: Graph,
    columns: Vec<Tensor>,
}

impl<'p> Run<'p> {
    /// Computes fitted values on the training rows, the columns of every split and the starting point.
    pub fn new(program: &'p Program, schedule: Schedule, data: &Opened) -> Result<Run<'p>, Trouble> {
        let feed = vec![Tensor { shape: Vec::new(), values: vec![0.0] }; program.inputs];
        let mut run = Run { program, schedule, feed, splits: Vec::new(), step: 0 };
        run.feed_host()?;
        let train = settle(program, data.splits[0].len());
        run.feed_raw(data, data.splits[0]);
        for fit in &program.fits {
            run.feed[fit.input] = one(&train, fit.value, &run.feed)?;
        }
        for (name, rows) in SPLITS.into_iter().zip(data.splits) {
            if rows.is_empty() {
                continue;
            }
            run.feed_raw(data, rows);
            let graph = settle(program, rows.len());
            let values: Vec<NodeId> = program.columns.iter().map(|column| column.value).collect();
            let columns = reference::run(&graph, &values, &run.feed)?;
            run.splits.push(Prepared { name, rows: rows.len(), graph, columns });
        }
        let params = program.params.iter().map(|param| (param.input, param.initial));
        let states = program.states.iter().map(|state| (state.input, state.initial));
        for (input, initial) in params.chain(states) {
            run.feed[input] = one(&train, initial, &run.feed)?;
        }
        Ok(run)
    }

    /// Starts from given weights, whose paths and shapes are those of the program.
    pub fn start_from(&mut self, weights: &Weights) {
        for param in &self.program.params {
            if let Some(tensor) = weights.tensors.get(&param.path) {
                let values = tensor.values.iter().map(|value| f64::from(*value)).collect();
                self.feed[param.input] = Tensor { shape: tensor.shape.clone(), values };
            }
        }
    }

    fn feed_raw(&mut self, data: &Opened, rows: &[usize]) {
        for (at, input) in self.program.raw.iter().enumerate() {
            self.feed[*input] = data.column(at, rows);
        }
    }

    /// Numbers of the host for the next step. Without batches an epoch is a step.
    fn feed_host(&mut self) -> Result<(), Trouble> {
        let Schedule { steps, epochs, seed } = self.schedule;
        for (host, input) in &self.program.hosts {
            let value = match host {
                Host::Step | Host::Epoch => self.step,
                Host::Steps => steps,
                Host::Epochs => epochs,
                Host::Updates => self.step + 1,
            };
            self.feed[*input] = Tensor { shape: Vec::new(), values: vec![value as f64] };
        }
        let step = u32::try_from(self.step).map_err(|_| "more steps than can be counted".to_string())?;
        let counters = [seed as u32, (seed >> 32) as u32, step, 0, 0].map(f64::from);
        self.feed[self.program.draws] = Tensor { shape: vec![5], values: counters.to_vec() };
        Ok(())
    }

    /// One step on all training rows. What comes back is the loss before the update; if it or an updated value is not
    /// finite, the step is not taken and the failure says so.
    pub fn take_step(&mut self) -> Result<Event, Trouble> {
        self.feed_host()?;
        let Some(train) = self.splits.first() else { return Err("there are no training rows".to_string()) };
        feed_columns(self.program, train, &mut self.feed);
        let trainable = || self.program.params.iter().filter(|param| param.trainable);
        let next = trainable().map(|param| (param.input, param.next));
        let next: Vec<(usize, NodeId)> = next.chain(self.program.states.iter().map(|s| (s.input, s.next))).collect();
        let mut roots = vec![self.program.loss];
        roots.extend(self.program.lr);
        roots.extend(next.iter().map(|(_, node)| *node));
        let mut results = reference::run(&train.graph, &roots, &self.feed)?.into_iter();
        let loss = results.next().map_or(f64::NAN, |loss| scalar(&loss));
        let lr = self.program.lr.and_then(|_| results.next()).map_or(f64::NAN, |lr| scalar(&lr));
        let number = self.step + 1;
        if !loss.is_finite() {
            return Err(format!("the loss of step {number} is {loss}; is the learning rate too large?"));
        }
        let results: Vec<Tensor> = results.collect();
        if results.iter().any(|tensor| tensor.values.iter().any(|value| !value.is_finite())) {
            return Err(format!("the update of step {number} is not finite; is the learning rate too large?"));
        }
        for ((input, _), value) in next.into_iter().zip(results) {
            self.feed[input] = value;
        }
        self.step = number;
        Ok(Event::Step { step: number, epoch: number, loss, lr, terms: Vec::new() })
    }

    /// Loss and reports on a whole split, by the present weights. `None` if it has no rows.
    pub fn evaluate(&mut self, split: &str) -> Result<Option<Event>, Trouble> {
        let Some(split) = self.splits.iter().find(|prepared| prepared.name == split) else { return Ok(None) };
        feed_columns(self.program, split, &mut self.feed);
        let roots: Vec<NodeId> =
            std::iter::once(self.program.loss).chain(self.program.reports.iter().map(|(_, node)| *node)).collect();
        let values = reference::run(&split.graph, &roots, &self.feed)?;
        let mut numbers = values.iter().map(scalar);
        let loss = numbers.next().unwrap_or(f64::NAN);
        let reports: Named = self.program.reports.iter().map(|(name, _)| name.clone()).zip(numbers).collect();
        Ok(Some(Event::Eval { step: self.step, split: split.name.to_string(), loss, reports }))
    }

    /// Rows of each split that has any.
    pub fn rows(&self) -> Vec<(&'static str, usize)> {
        self.splits.iter().map(|split| (split.name, split.rows)).collect()
    }

    /// The present parameters by path.
    pub fn weights(&self) -> BTreeMap<String, weights::Tensor> {
        let tensor = |input: usize| {
            let Tensor { shape, values } = &self.feed[input];
            weights::Tensor { shape: shape.clone(), values: values.iter().map(|value| *value as f32).collect() }
        };
        self.program.params.iter().map(|param| (param.path.clone(), tensor(param.input))).collect()
    }

    /// Fitted values by name.
    pub fn fits(&self) -> BTreeMap<String, &Tensor> {
        self.program.fits.iter().map(|fit| (fit.name.clone(), &self.feed[fit.input])).collect()
    }

    /// The graph of a step on all training rows and what it computes, to count what it costs.
    pub fn step_graph(&self) -> Option<(&Graph, Vec<NodeId>)> {
        let nexts = self.program.params.iter().map(|param| param.next);
        let states = self.program.states.iter().map(|state| state.next);
        let roots = std::iter::once(self.program.loss).chain(nexts).chain(states).collect();
        self.splits.first().map(|train| (&train.graph, roots))
    }
}

fn feed_columns(program: &Program, split: &Prepared, feed: &mut [Tensor]) {
    for (column, values) in program.columns.iter().zip(&split.columns) {
        feed[column.input] = values.clone();
    }
}

fn settle(program: &Program, rows: usize) -> Graph {
    program.graph.settle(&[(program.rows.clone(), rows as i64)])
}

fn one(graph: &Graph, node: NodeId, feed: &[Tensor]) -> Result<Tensor, Trouble> {
    reference::run(graph, &[node], feed)?.pop().ok_or_else(|| "nothing was computed".to_string())
}

fn scalar(tensor: &Tensor) -> f64 {
    tensor.values.first().copied().unwrap_or(f64::NAN)
}
