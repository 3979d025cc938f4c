//! A run as it goes: data and fitted values first, then one step after the other, and what is reported.

use crate::backend::cpu::{Cpu, pool::Pool};
use crate::backend::{Tensor, reference};
use crate::check::terms::Host;
use crate::data::shuffle;
use crate::ir::{Graph, NodeId, Op};
use crate::lower::program::Program;
use crate::plan::{Plan, Request, plan};
use crate::train::dataset::Opened;
use crate::train::evaluate::{Evaluator, Present};
use crate::train::events::{Event, Named};
use crate::train::prepare::Preparation;
use crate::train::schedule::Schedule;
use crate::train::weights::{self, Weights};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The splits by name, in the order of [`Opened::splits`].
pub const SPLITS: [&str; 3] = ["train", "valid", "test"];

/// A failure of a run.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// A number is not finite, and the node that made the first such, if the reference finds one as well.
    NotFinite { message: String, origin: Option<NodeId> },
    /// What cannot be computed at all.
    Broken(String),
}

impl Trouble {
    pub fn message(&self) -> &str {
        match self {
            Trouble::NotFinite { message, .. } | Trouble::Broken(message) => message,
        }
    }
}

impl From<String> for Trouble {
    fn from(message: String) -> Trouble {
        Trouble::Broken(message)
    }
}

/// A run as it goes: everything that the next step needs.
pub struct Run<'p> {
    program: &'p Program,
    schedule: Schedule,
    fits: Vec<Tensor>,
    /// Those that have rows; the first is that of training.
    splits: Vec<Prepared>,
    evaluator: Evaluator<'p>,
    /// Steps on a batch: its inputs hold the parameters and states.
    trainer: Cpu,
    /// Steps on the last batch of an epoch, where that has fewer rows.
    last: Option<Cpu>,
    /// The order in which this epoch sees the training rows.
    order: Vec<usize>,
    pub step: u64,
}

/// A split with its columns.
struct Prepared {
    name: &'static str,
    rows: usize,
    columns: Vec<Vec<f32>>,
}

impl<'p> Run<'p> {
    /// Computes fitted values on the training rows, the columns of every split and the starting point.
    pub fn new(program: &'p Program, schedule: Schedule, data: &Opened) -> Result<Run<'p>, Trouble> {
        Run::with_fits(program, schedule, data, &BTreeMap::new())
    }

    /// The same with fitted values that are known: those of a weight file.
    pub fn with_fits(
        program: &'p Program,
        schedule: Schedule,
        data: &Opened,
        known: &BTreeMap<String, Tensor>,
    ) -> Result<Run<'p>, Trouble> {
        let pool = Arc::new(Pool::new(schedule.threads));
        let mut feed = vec![Tensor::scalar(0.0); program.inputs];
        feed[program.draws] = Tensor { shape: vec![5], values: counters(schedule.seed, 0)?.to_vec() };
        let preparation = Preparation { program, data, threads: schedule.threads };
        let fits = preparation.fit(known, &mut feed)?;
        let rows = data.splits[0].len();
        let batch = schedule.batch.clamp(1, rows.max(1));
        let schedule = Schedule { batch, ..schedule };
        let cpu = |rows: usize| -> Result<Cpu, Trouble> {
            Ok(Cpu::new(steps_of(program, &settle(program, rows))?, Arc::clone(&pool)))
        };
        let mut trainer = cpu(batch)?;
        let last = if rows.is_multiple_of(batch) { None } else { Some(cpu(rows % batch)?) };
        let mut splits = Vec::new();
        for (name, rows) in SPLITS.into_iter().zip(data.splits).filter(|(_, rows)| !rows.is_empty()) {
            let columns = preparation.columns(rows, &feed)?;
            splits.push(Prepared { name, rows: rows.len(), columns });
        }
        let params = program.params.iter().map(|param| (param.input, param.initial));
        let states = program.states.iter().map(|state| (state.input, state.initial));
        let starts = settle(program, rows);
        for (input, initial) in params.chain(states) {
            fill(&mut trainer, input, &one(&starts, initial, &feed)?.values);
        }
        let order = (0..rows).collect();
        let most = splits.iter().map(|split| split.rows).max().unwrap_or(0);
        let evaluator = Evaluator::new(program, pool, most, batch, trainer.plan().arena * 4)?;
        let mut run = Run { program, schedule, fits, splits, evaluator, trainer, last, order, step: 0 };
        if batch == rows {
            // The only batch is fed once.
            feed_rows(program, &run.splits[0].columns, &run.order, &mut run.trainer);
        }
        Ok(run)
    }

    fn steps_in_epoch(&self) -> u64 {
        Schedule::steps_of(self.order.len(), self.schedule.batch, 1).max(1)
    }

    /// Whether every training row was seen as often as any other.
    pub fn ends_epoch(&self) -> bool {
        self.step.is_multiple_of(self.steps_in_epoch())
    }

    /// Starts from given weights, whose paths and shapes are those of the program.
    pub fn start_from(&mut self, weights: &Weights) {
        for param in &self.program.params {
            let given = weights.tensors.get(&param.path);
            if let (Some(tensor), Some(buffer)) = (given, self.trainer.input(param.input as u32)) {
                buffer.copy_from_slice(&tensor.values);
            }
        }
    }

    /// One step. What comes back is the loss before the update; if it or a gradient is not finite, the step is not taken
    /// and the failure says so.
    pub fn take_step(&mut self) -> Result<Event, Trouble> {
        let (rows, batch) = (self.order.len(), self.schedule.batch);
        let (epoch, place) = (self.step / self.steps_in_epoch(), (self.step % self.steps_in_epoch()) as usize);
        if batch == rows {
            return self.step_on(epoch, false);
        }
        if place == 0 {
            // Anew in every epoch.
            self.order =
                shuffle::order(rows, self.schedule.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(epoch));
        }
        let own = self.present_rows();
        match &mut self.last {
            Some(last) if own.len() < batch => {
                feed_rows(self.program, &self.splits[0].columns, &self.order[own], last);
                copy_state(self.program, &self.trainer, last);
                let event = self.step_on(epoch, true)?;
                if let Some(last) = &self.last {
                    copy_state(self.program, last, &mut self.trainer);
                }
                Ok(event)
            }
            _ => {
                feed_rows(self.program, &self.splits[0].columns, &self.order[own], &mut self.trainer);
                self.step_on(epoch, false)
            }
        }
    }

    /// A step on what is fed.
    fn step_on(&mut self, epoch: u64, on_last: bool) -> Result<Event, Trouble> {
        let number = self.step + 1;
        let cpu = match &mut self.last {
            Some(last) if on_last => last,
            _ => &mut self.trainer,
        };
        feed_host(self.program, self.schedule, self.step, epoch, cpu)?;
        cpu.run_stage(0)?;
        let loss = cpu.scalar(0);
        if !loss.is_finite() {
            let message = format!("the loss of step {number} is {loss}");
            let origin = self.origin(self.program.loss)?;
            return Err(Trouble::NotFinite { message, origin });
        }
        for (at, param) in self.program.params.iter().filter(|param| param.trainable).enumerate() {
            if !cpu.is_finite(1 + at) {
                let message = format!("the gradient of `{}` in step {number} is not finite", param.path);
                let origin = self.origin(self.program.gradients[at])?;
                return Err(Trouble::NotFinite { message, origin });
            }
        }
        let lr = self.program.lr.map_or(f64::NAN, |_| cpu.scalar(1 + self.program.gradients.len()));
        cpu.run_stage(1)?;
        self.step = number;
        Ok(Event::Step { step: number, epoch: epoch + 1, loss, lr, terms: Vec::new() })
    }

    /// The present step again, on the reference: the node below `root` where numbers stop being finite.
    fn origin(&self, root: NodeId) -> Result<Option<NodeId>, Trouble> {
        let (graph, feed) = self.for_reference()?;
        Ok(reference::source_of_trouble(&graph, root, &feed)?)
    }

    /// Where in the order of the epoch the rows of the present step stand.
    fn present_rows(&self) -> Range<usize> {
        let first = (self.step % self.steps_in_epoch()) as usize * self.schedule.batch;
        first..self.order.len().min(first + self.schedule.batch)
    }

    /// What the present step computes, as the reference takes it: the graph of its rows, and what every input is fed.
    pub fn for_reference(&self) -> Result<(Graph, Vec<Tensor>), Trouble> {
        let rows = &self.order[self.present_rows()];
        let graph = settle(self.program, rows.len());
        let mut feed = vec![Tensor::scalar(0.0); self.program.inputs];
        let cpu = self.last.as_ref().filter(|_| rows.len() < self.schedule.batch).unwrap_or(&self.trainer);
        for (_, node) in graph.nodes() {
            let Op::Input { number, shape, .. } = &node.op else { continue };
            let column = self.program.columns.iter().position(|column| column.input == *number as usize);
            let values = match column {
                Some(column) => some_rows(&self.splits[0].columns[column], self.order.len(), rows),
                None => cpu.fed(*number).map_or(Vec::new(), <[f32]>::to_vec),
            };
            let shape = shape.iter().map(|size| size.settled().unwrap_or(0).max(0) as usize).collect();
            feed[*number as usize] = Tensor { shape, values: values.into_iter().map(f64::from).collect() };
        }
        let epoch = self.step / self.steps_in_epoch();
        for (host, input) in &self.program.hosts {
            feed[*input] = Tensor::scalar(host_value(*host, self.schedule, self.step, epoch) as f64);
        }
        feed[self.program.draws] = Tensor { shape: vec![5], values: counters(self.schedule.seed, self.step)?.to_vec() };
        Ok((graph, feed))
    }

    /// Loss and reports on a whole split, by the present weights. `None` if it has no rows.
    pub fn evaluate(&mut self, split: &str) -> Result<Option<Event>, Trouble> {
        let Some(split) = self.splits.iter().find(|prepared| prepared.name == split) else { return Ok(None) };
        let epoch = self.step / self.steps_in_epoch();
        let host =
            |(host, input): &(Host, usize)| (*input as u32, host_value(*host, self.schedule, self.step, epoch) as f64);
        let hosts: Vec<(u32, f64)> = self.program.hosts.iter().map(host).collect();
        let values = self.evaluator.evaluate(Present {
            columns: &split.columns,
            rows: split.rows,
            hosts,
            counters: counters(self.schedule.seed, self.step)?,
            parameter: &|input| self.trainer.fed(input),
        })?;
        let names = self.program.reports.iter().map(|(name, _)| name.clone());
        let reports: Named = names.zip(values[1..].iter().copied()).collect();
        Ok(Some(Event::Eval { step: self.step, split: split.name.to_string(), loss: values[0], reports }))
    }

    /// Rows of each split that has any.
    pub fn rows(&self) -> Vec<(&'static str, usize)> {
        self.splits.iter().map(|split| (split.name, split.rows)).collect()
    }

    /// The present parameters by path.
    pub fn weights(&self) -> BTreeMap<String, weights::Tensor> {
        let tensor = |param: &crate::lower::program::Param| {
            let values = self.trainer.fed(param.input as u32).unwrap_or_default().to_vec();
            (param.path.clone(), weights::Tensor { shape: param.shape.clone(), values })
        };
        self.program.params.iter().map(tensor).collect()
    }

    /// Fitted values by name.
    pub fn fits(&self) -> BTreeMap<String, &Tensor> {
        self.program.fits.iter().map(|fit| fit.name.clone()).zip(&self.fits).collect()
    }

    /// The plan of a step.
    pub fn plan(&self) -> &Plan {
        self.trainer.plan()
    }

    /// The backend of a step, to measure it kernel by kernel.
    pub fn trainer(&mut self) -> &mut Cpu {
        &mut self.trainer
    }
}

/// The plan of a step: the loss and its gradients, then the next values, which take the place of the present ones.
/// Parameters that the loss does not read are in it as well, so that they have a place.
pub fn steps_of(program: &Program, graph: &Graph) -> Result<Plan, Trouble> {
    let trainable = || program.params.iter().filter(|param| param.trainable);
    let first = [vec![program.loss], program.gradients.clone(), program.lr.into_iter().collect()].concat();
    let states = program.states.iter().map(|state| (state.next, state.input as u32));
    let updates: Vec<(NodeId, u32)> = trainable().map(|param| (param.next, param.input as u32)).chain(states).collect();
    let untrained = program.params.iter().filter(|param| !param.trainable).map(|param| param.next);
    let second = updates.iter().map(|(node, _)| *node).chain(untrained).collect();
    let hosts: Vec<u32> = program.hosts.iter().map(|(_, input)| *input as u32).collect();
    Ok(plan(&Request {
        graph,
        stages: &[first, second],
        hosts: &hosts,
        counters: program.draws as u32,
        updates: &updates,
    })?)
}

/// Numbers of the host for the next step.
fn feed_host(program: &Program, schedule: Schedule, step: u64, epoch: u64, cpu: &mut Cpu) -> Result<(), Trouble> {
    for (host, input) in &program.hosts {
        cpu.set_host(*input as u32, host_value(*host, schedule, step, epoch) as f64);
    }
    cpu.set_counters(counters(schedule.seed, step)?);
    Ok(())
}

/// What the host gives for a number of its own.
pub fn host_value(host: Host, schedule: Schedule, step: u64, epoch: u64) -> u64 {
    match host {
        Host::Step => step,
        Host::Epoch => epoch,
        Host::Steps => schedule.steps,
        Host::Epochs => schedule.epochs,
        Host::Updates => step + 1,
    }
}

/// What draws are counted by: seed (low, high), step, repetition, first row.
pub fn counters(seed: u64, step: u64) -> Result<[f64; 5], Trouble> {
    let step = u32::try_from(step).map_err(|_| "more steps than can be counted".to_string())?;
    Ok([seed as u32, (seed >> 32) as u32, step, 0, 0].map(f64::from))
}

/// Some training rows of every column.
fn feed_rows(program: &Program, columns: &[Vec<f32>], rows: &[usize], cpu: &mut Cpu) {
    for (column, values) in program.columns.iter().zip(columns) {
        let Some(buffer) = cpu.input(column.input as u32) else { continue };
        let width = buffer.len() / rows.len().max(1);
        for (cells, row) in buffer.chunks_exact_mut(width.max(1)).zip(rows) {
            cells.copy_from_slice(&values[row * width..][..width]);
        }
    }
}

/// Some of the rows of a column.
fn some_rows(values: &[f32], all: usize, rows: &[usize]) -> Vec<f32> {
    let width = values.len() / all.max(1);
    rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
}

/// Parameters and states of one plan to another.
fn copy_state(program: &Program, from: &Cpu, to: &mut Cpu) {
    let inputs = program.params.iter().map(|param| param.input).chain(program.states.iter().map(|state| state.input));
    for input in inputs {
        if let (Some(from), Some(to)) = (from.fed(input as u32), to.input(input as u32)) {
            to.copy_from_slice(from);
        }
    }
}

fn fill(cpu: &mut Cpu, input: usize, values: &[f64]) {
    if let Some(buffer) = cpu.input(input as u32) {
        buffer.iter_mut().zip(values).for_each(|(cell, value)| *cell = *value as f32);
    }
}

fn settle(program: &Program, rows: usize) -> Graph {
    program.graph.settle(&[(program.rows.clone(), rows as i64)])
}

fn one(graph: &Graph, node: NodeId, feed: &[Tensor]) -> Result<Tensor, Trouble> {
    reference::run(graph, &[node], feed)?.pop().ok_or_else(|| "nothing was computed".to_string().into())
}
