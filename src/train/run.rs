//! A run as it goes: data and fitted values first, then one step after the other, and what is reported.

use crate::backend::cpu::{Cpu, PlanId, Values, fill};
use crate::backend::{Tensor, reference};
use crate::check::terms::Host;
use crate::data::shuffle;
use crate::ir::{Graph, NodeId, Op, count};
use crate::lower::program::Program;
use crate::plan::{Limits, Plan, Precision, Request, Residents, plan};
use crate::train::column::Column;
use crate::train::dataset::Opened;
use crate::train::evaluate::{Evaluator, Present, wide_columns};
use crate::train::events::{Event, Named};
use crate::train::prepare::Preparation;
use crate::train::schedule::Schedule;
use crate::train::weights::{self, Weights};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The splits by name, in the order of [`Opened::splits`].
pub const SPLITS: [&str; 3] = ["train", "valid", "test"];

/// A failure of a run.
#[derive(Clone, Debug)]
pub enum RunError {
    /// A number is not finite, and the node that made the first such, if the reference finds one as well.
    NotFinite { message: String, origin: Option<NodeId> },
    /// What cannot be computed at all.
    Broken(String),
}

impl RunError {
    pub fn message(&self) -> &str {
        match self {
            RunError::NotFinite { message, .. } | RunError::Broken(message) => message,
        }
    }
}

impl From<String> for RunError {
    fn from(message: String) -> RunError {
        RunError::Broken(message)
    }
}

/// A run as it goes: everything that the next step needs.
pub struct Run<'p> {
    program: &'p Program,
    schedule: Schedule,
    /// Holds the parameters and states.
    device: Cpu,
    fits: Vec<Tensor>,
    /// Those that have rows; the first is that of training.
    splits: Vec<Prepared>,
    evaluator: Evaluator<'p>,
    /// Steps on a batch.
    trainer: PlanId,
    /// Steps on the last batch of an epoch, where that has fewer rows.
    last: Option<PlanId>,
    /// The order in which this epoch sees the training rows.
    order: Vec<usize>,
    /// Whether the only batch lies in the scratch of the trainer: fed once, as long as no other plan has run.
    fed: bool,
    pub step: u64,
}

/// A split with its columns.
struct Prepared {
    name: &'static str,
    rows: usize,
    columns: Vec<Column>,
}

impl<'p> Run<'p> {
    /// Computes fitted values on the training rows, the columns of every split and the starting point.
    pub fn new(program: &'p Program, schedule: Schedule, data: &Opened) -> Result<Run<'p>, RunError> {
        Run::with_fits(program, schedule, data, &BTreeMap::new())
    }

    /// The same with fitted values that are known: those of a weight file.
    pub fn with_fits(
        program: &'p Program,
        schedule: Schedule,
        data: &Opened,
        known: &BTreeMap<String, Tensor>,
    ) -> Result<Run<'p>, RunError> {
        let mut device = Cpu::new(schedule.threads);
        let mut feed = vec![Tensor::scalar(0.0); program.inputs];
        feed[program.draws] = Tensor { shape: vec![5], values: counters(schedule.seed, 0)?.to_vec() };
        let preparation = Preparation { program, data, threads: schedule.threads };
        let fits = preparation.fit(known, &mut feed)?;
        let rows = data.splits[0].len();
        let batch = schedule.batch.clamp(1, rows.max(1));
        let schedule = Schedule { batch, ..schedule };
        let mut splits = Vec::new();
        let wide = wide_columns(program);
        for (name, rows) in SPLITS.into_iter().zip(data.splits).filter(|(_, rows)| !rows.is_empty()) {
            let columns = preparation.columns(rows, &feed, &wide)?;
            splits.push(Prepared { name, rows: rows.len(), columns });
        }
        start(program, &settle(program, rows), &feed, &mut device)?;
        let trainer = steps_of(program, &settle(program, batch))?;
        let most = splits.iter().map(|split| split.rows).max().unwrap_or(0);
        let evaluator = Evaluator::new(program, residents(program), most, batch, trainer.scratch)?;
        let trainer = device.load(trainer);
        let last = match rows.is_multiple_of(batch) {
            true => None,
            false => Some(device.load(steps_of(program, &settle(program, rows % batch))?)),
        };
        let order = (0..rows).collect();
        Ok(Run { program, schedule, device, fits, splits, evaluator, trainer, last, order, fed: false, step: 0 })
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
            if let (Some(tensor), Some((bytes, _))) = (given, self.device.input(self.trainer, param.input as u32)) {
                bytes.copy_from_slice(bytemuck::cast_slice(&tensor.values));
            }
        }
    }

    /// One step. What comes back is the loss before the update; if it or a gradient is not finite, the step is not taken
    /// and the failure says so.
    pub fn take_step(&mut self) -> Result<Event, RunError> {
        let (rows, batch) = (self.order.len(), self.schedule.batch);
        let epoch = self.step / self.steps_in_epoch();
        if batch < rows && self.step.is_multiple_of(self.steps_in_epoch()) {
            // Anew in every epoch.
            self.order =
                shuffle::order(rows, self.schedule.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(epoch));
        }
        let own = self.present_rows();
        let id = self.last.filter(|_| own.len() < batch).unwrap_or(self.trainer);
        if !(self.fed && batch == rows) {
            for (column, values) in self.program.columns.iter().zip(&self.splits[0].columns) {
                if let Some(to) = self.device.input(id, column.input as u32) {
                    values.feed(rows, self.order[own.clone()].iter().copied(), to);
                }
            }
            self.fed = true;
        }
        self.step_on(id, epoch)
    }

    /// A step on what is fed.
    fn step_on(&mut self, id: PlanId, epoch: u64) -> Result<Event, RunError> {
        let number = self.step + 1;
        let program = self.program;
        feed_host(program, self.schedule, self.step, epoch, &mut self.device, id)?;
        self.device.run_stage(id, 0)?;
        let loss = self.device.scalar(id, 0);
        if !loss.is_finite() {
            let message = format!("the loss of step {number} is {loss}");
            let origin = self.origin(program.loss)?;
            return Err(RunError::NotFinite { message, origin });
        }
        for (at, param) in program.params.iter().filter(|param| param.trainable).enumerate() {
            if !self.device.is_finite(id, 1 + at) {
                let message = format!("the gradient of `{}` in step {number} is not finite", param.path);
                let origin = self.origin(program.gradients[at])?;
                return Err(RunError::NotFinite { message, origin });
            }
        }
        let lr = program.lr.map_or(f64::NAN, |_| self.device.scalar(id, 1 + program.gradients.len()));
        self.device.run_stage(id, 1)?;
        self.step = number;
        Ok(Event::Step { step: number, epoch: epoch + 1, loss, lr, terms: Vec::new() })
    }

    /// The present step again, on the reference: the node below `root` where numbers stop being finite.
    fn origin(&self, root: NodeId) -> Result<Option<NodeId>, RunError> {
        let (graph, feed) = self.for_reference()?;
        Ok(reference::source_of_trouble(&graph, root, &feed)?)
    }

    /// Where in the order of the epoch the rows of the present step stand.
    fn present_rows(&self) -> Range<usize> {
        let first = (self.step % self.steps_in_epoch()) as usize * self.schedule.batch;
        first..self.order.len().min(first + self.schedule.batch)
    }

    /// What the present step computes, as the reference takes it: the graph of its rows, and what every input is fed.
    pub fn for_reference(&self) -> Result<(Graph, Vec<Tensor>), RunError> {
        let rows = &self.order[self.present_rows()];
        let graph = settle(self.program, rows.len());
        let mut feed = vec![Tensor::scalar(0.0); self.program.inputs];
        for (_, node) in graph.nodes() {
            let Op::Input { number, shape, .. } = &node.op else { continue };
            let column = self.program.columns.iter().position(|column| column.input == *number as usize);
            let values = match column {
                Some(column) => self.splits[0].columns[column].rows(self.order.len(), rows.iter().copied()),
                None => self.device.fed(self.trainer, *number).map_or(Vec::new(), |values| values.to_f64(0)),
            };
            let shape = shape.iter().map(|size| size.settled().unwrap_or(0).max(0) as usize).collect();
            feed[*number as usize] = Tensor { shape, values };
        }
        let epoch = self.step / self.steps_in_epoch();
        for (host, input) in &self.program.hosts {
            feed[*input] = Tensor::scalar(host_value(*host, self.schedule, self.step, epoch) as f64);
        }
        feed[self.program.draws] = Tensor { shape: vec![5], values: counters(self.schedule.seed, self.step)?.to_vec() };
        Ok((graph, feed))
    }

    /// Loss and reports on a whole split, by the present weights. `None` if it has no rows.
    pub fn evaluate(&mut self, split: &str) -> Result<Option<Event>, RunError> {
        let Some(split) = self.splits.iter().find(|prepared| prepared.name == split) else { return Ok(None) };
        let epoch = self.step / self.steps_in_epoch();
        let host =
            |(host, input): &(Host, usize)| (*input as u32, host_value(*host, self.schedule, self.step, epoch) as f64);
        let hosts: Vec<(u32, f64)> = self.program.hosts.iter().map(host).collect();
        self.fed = false;
        let present = Present {
            columns: &split.columns,
            rows: split.rows,
            hosts,
            counters: counters(self.schedule.seed, self.step)?,
        };
        let values = self.evaluator.evaluate(&mut self.device, present)?;
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
            let values = match self.device.fed(self.trainer, param.input as u32) {
                Some(Values::F32(values)) => values.to_vec(),
                _ => Vec::new(),
            };
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
        self.device.plan(self.trainer)
    }

    /// What a root of the last full batch's step gave, by its number: the loss, then the gradients.
    pub fn output(&self, root: usize) -> Values<'_> {
        self.device.output(self.trainer, root)
    }

    /// What lies in an input of a step; `None` where nothing reads it.
    pub fn fed(&self, input: usize) -> Option<Values<'_>> {
        self.device.fed(self.trainer, input as u32)
    }

    /// Runs one kernel of a step, to measure it.
    pub fn run_kernel(&mut self, kernel: usize) -> Result<(), RunError> {
        Ok(self.device.run_kernel(self.trainer, kernel)?)
    }
}

/// Where parameters and states lie on a device: the same for all plans of a program.
pub fn residents(program: &Program) -> Residents {
    let inputs = program.params.iter().map(|param| param.input).chain(program.states.iter().map(|state| state.input));
    let inputs: BTreeSet<usize> = inputs.collect();
    Residents::of(program.graph.nodes().filter_map(|(id, node)| {
        let Op::Input { number, .. } = node.op else { return None };
        inputs.contains(&(number as usize)).then(|| (number, count(&program.graph, id) as usize))
    }))
}

/// Parameters and states at their start, computed on the device. States start at 0 mostly, which is what memory holds.
fn start(program: &Program, graph: &Graph, feed: &[Tensor], device: &mut Cpu) -> Result<(), RunError> {
    let params = program.params.iter().map(|param| (param.input, param.initial));
    let states = program.states.iter().map(|state| (state.input, state.initial));
    let all: Vec<(usize, NodeId)> = params.chain(states).collect();
    let residents = residents(program);
    let hosts: Vec<u32> = program.hosts.iter().map(|(_, input)| *input as u32).collect();
    let roots: Vec<NodeId> = all.iter().map(|(_, initial)| *initial).collect();
    let request = Request {
        graph,
        stages: &[roots],
        hosts: &hosts,
        updates: &[],
        residents: &residents,
        precision: Precision::Step,
        limits: Limits::default(),
    };
    let id = device.load(plan(&request)?);
    for (number, tensor) in feed.iter().enumerate() {
        if let Some((bytes, storage)) = device.input(id, number as u32) {
            fill(bytes, storage, tensor.values.iter().copied());
        }
    }
    device.run(id)?;
    for (root, (input, initial)) in all.into_iter().enumerate() {
        if let Some(offset) = residents.offsets.get(&(input as u32)) {
            device.keep(id, root, *offset, count(graph, initial) as usize);
        }
    }
    Ok(())
}

/// The plan of a step: the loss and its gradients, then the next values, which take the place of the present ones.
/// Parameters that the loss does not read are in it as well, so that they have a place.
pub fn steps_of(program: &Program, graph: &Graph) -> Result<Plan, RunError> {
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
        updates: &updates,
        residents: &residents(program),
        precision: Precision::Step,
        limits: Limits::default(),
    })?)
}

/// Numbers of the host for the next step, and what its draws are counted by.
fn feed_host(
    program: &Program,
    schedule: Schedule,
    step: u64,
    epoch: u64,
    device: &mut Cpu,
    id: PlanId,
) -> Result<(), RunError> {
    for (host, input) in &program.hosts {
        device.set_host(id, *input as u32, host_value(*host, schedule, step, epoch) as f64);
    }
    if let Some((bytes, storage)) = device.input(id, program.draws as u32) {
        fill(bytes, storage, counters(schedule.seed, step)?.into_iter());
    }
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

/// What draws are counted by: seed (low, high), step, repetition, first row; each the bits of an int.
pub fn counters(seed: u64, step: u64) -> Result<[f64; 5], RunError> {
    let step = u32::try_from(step).map_err(|_| "more steps than can be counted".to_string())?;
    Ok([seed as u32, (seed >> 32) as u32, step, 0, 0].map(|bits| f64::from(bits as i32)))
}

fn settle(program: &Program, rows: usize) -> Graph {
    program.graph.settle(&[(program.rows.clone(), rows as i64)])
}
