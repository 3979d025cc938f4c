//! A run as it goes: data and fitted values first, then one step after the other, and what is reported.

use crate::backend::cpu::Cpu;
use crate::backend::{Device, PlanId, Tensor, Values, reference};
use crate::check::terms::Host;
use crate::data::shuffle;
use crate::ir::{Graph, NodeId, Op, count};
use crate::lower::program::{Input, Phase, Program};
use crate::plan::{Limits, Plan, Precision, Request, Residents, plan};
use crate::run::column::Column;
use crate::run::dataset::Opened;
use crate::run::evaluate::{Evaluator, Present, evaluated, wide_columns};
use crate::run::events::{Event, Named};
use crate::run::params::{Params, Tensor as Param};
use crate::run::prepare::Preparation;
use crate::run::schedule::Schedule;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// The splits by name, in the order of [`Opened::splits`].
pub const SPLITS: [&str; 3] = ["train", "valid", "test"];

/// Starting points are computed in about so many stages.
const START_STAGES: usize = 16;

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
    device: Box<dyn Device>,
    fits: Vec<Tensor>,
    /// Those that have rows; the first is that of training.
    splits: Vec<Prepared>,
    evaluator: Evaluator<'p>,
    /// Of each phase, steps on a batch.
    full: Vec<PlanId>,
    /// The same on the last batch of an epoch, where that has fewer rows.
    rest: Vec<PlanId>,
    /// The order in which this epoch sees the training rows.
    order: Vec<usize>,
    /// The plan in whose scratch the only batch lies: fed once, as long as no other plan has run.
    fed: Option<PlanId>,
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
        let mut device: Box<dyn Device> = Box::new(Cpu::new(schedule.threads));
        let mut feed = vec![Tensor::scalar(0.0); program.inputs.len()];
        feed[program.draws] = Tensor { shape: vec![5], values: counters(schedule.seed, 0)?.to_vec() };
        let mut preparation = Preparation { program, data, device: &mut *device };
        let fits = preparation.fit(known, &mut feed)?;
        let rows = data.splits[0].len();
        let batch = schedule.batch.clamp(1, rows.max(1));
        let schedule = Schedule { batch, ..schedule };
        let mut splits = Vec::new();
        let wide = wide_columns(program, &evaluated(program));
        for (name, rows) in SPLITS.into_iter().zip(data.splits).filter(|(_, rows)| !rows.is_empty()) {
            let columns = preparation.columns(rows, &feed, &wide)?;
            splits.push(Prepared { name, rows: rows.len(), columns });
        }
        start(program, &settle(program, rows), &feed, &mut *device)?;
        let planned = |rows: usize| -> Result<Vec<Plan>, RunError> {
            let graph = settle(program, rows);
            program.phases.iter().map(|phase| steps_of(program, phase, &graph)).collect()
        };
        let full = planned(batch)?;
        let scratch = full.iter().map(|plan| plan.scratch).max().unwrap_or(0);
        let most = splits.iter().map(|split| split.rows).max().unwrap_or(0);
        let evaluator = Evaluator::new(program, residents(program), most, batch, scratch)?;
        let mut load = |plans: Vec<Plan>| plans.into_iter().map(|plan| device.load(plan)).collect();
        let full = load(full);
        let rest = load(if rows.is_multiple_of(batch) { Vec::new() } else { planned(rows % batch)? });
        let order = (0..rows).collect();
        Ok(Run { program, schedule, device, fits, splits, evaluator, full, rest, order, fed: None, step: 0 })
    }

    fn steps_in_epoch(&self) -> u64 {
        Schedule::steps_of(self.order.len(), self.schedule.batch, 1).max(1)
    }

    /// Whether every training row was seen as often as any other.
    pub fn ends_epoch(&self) -> bool {
        self.step.is_multiple_of(self.steps_in_epoch())
    }

    /// Starts from given weights, whose paths and shapes are those of the program.
    pub fn start_from(&mut self, params: &Params) {
        for param in &self.program.params {
            let given = params.get(&param.path);
            if let Some(tensor) = given {
                let values = bytemuck::cast_slice(&tensor.values);
                self.device.write(self.full[0], param.input as u32, &mut |bytes, _| bytes.copy_from_slice(values));
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
        let plans = if own.len() < batch { self.rest.clone() } else { self.full.clone() };
        let (mut loss, mut lr) = (0.0, f64::NAN);
        for (phase, id) in plans.into_iter().enumerate() {
            if !(self.fed == Some(id) && batch == rows) {
                for (column, values) in self.program.columns.iter().zip(&self.splits[0].columns) {
                    let own = &self.order[own.clone()];
                    self.device.write(id, column.input as u32, &mut |bytes, storage| {
                        values.feed(rows, own.iter().copied(), (bytes, storage));
                    });
                }
                self.fed = Some(id);
            }
            let (own_loss, own_lr) = self.run_phase(phase, id, epoch)?;
            loss += own_loss;
            lr = if phase == 0 { own_lr } else { lr };
        }
        self.step += 1;
        Ok(Event::Step { step: self.step, epoch: epoch + 1, loss, lr, terms: Vec::new() })
    }

    /// One phase of a step on what is fed: its loss before the update, and its learning rate.
    fn run_phase(&mut self, phase: usize, id: PlanId, epoch: u64) -> Result<(f64, f64), RunError> {
        let number = self.step + 1;
        let program = self.program;
        let phase = &program.phases[phase];
        feed_host(program, self.schedule, self.step, epoch, &mut *self.device, id)?;
        self.device.run_stage(id, 0)?;
        let loss = self.device.read(id, 0).first();
        if !loss.is_finite() {
            let message = format!("the loss of step {number} is {loss}");
            return Err(RunError::NotFinite { message, origin: self.origin(phase.loss)? });
        }
        for (at, (param, gradient)) in phase.gradients.iter().enumerate() {
            if !self.device.is_finite(id, 1 + at) {
                let path = &program.params[*param].path;
                let message = format!("the gradient of `{path}` in step {number} is not finite");
                return Err(RunError::NotFinite { message, origin: self.origin(*gradient)? });
            }
        }
        let lr = phase.lr.map_or(f64::NAN, |_| self.device.read(id, 1 + phase.gradients.len()).first());
        self.device.run_stage(id, 1)?;
        Ok((loss, lr))
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
        let mut feed = vec![Tensor::scalar(0.0); self.program.inputs.len()];
        for (_, node) in graph.nodes() {
            let Op::Input { number, shape, .. } = &node.op else { continue };
            let values = match self.program.inputs.get(*number as usize) {
                Some(Input::Column(at)) => self.splits[0].columns[*at].rows(self.order.len(), rows.iter().copied()),
                _ => self.device.written(self.full[0], *number).map_or(Vec::new(), |values| values.to_f64(0)),
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
        self.fed = None;
        let present = Present {
            columns: &split.columns,
            rows: split.rows,
            hosts,
            counters: counters(self.schedule.seed, self.step)?,
        };
        let values = self.evaluator.evaluate(&mut *self.device, present)?;
        let names = self.program.reports.iter().map(|(name, _)| name.clone());
        let reports: Named = names.zip(values[1..].iter().copied()).collect();
        Ok(Some(Event::Eval { step: self.step, split: split.name.to_string(), loss: values[0], reports }))
    }

    /// Rows of each split that has any.
    pub fn rows(&self) -> Vec<(&'static str, usize)> {
        self.splits.iter().map(|split| (split.name, split.rows)).collect()
    }

    /// The present parameters by path: shape and values, where they lie.
    pub fn weights_lying(&self) -> BTreeMap<&str, (&[usize], &[f32])> {
        let mut tensors = BTreeMap::new();
        for param in &self.program.params {
            let values = match self.device.written(self.full[0], param.input as u32) {
                Some(Values::F32(values)) => values,
                _ => &[],
            };
            tensors.insert(param.path.as_str(), (&param.shape[..], values));
        }
        tensors
    }

    /// The present parameters by path.
    pub fn weights(&self) -> Params {
        let own = |(path, (shape, values)): (&str, (&[usize], &[f32]))| {
            (path.to_string(), Param { shape: shape.to_vec(), values: values.to_vec() })
        };
        self.weights_lying().into_iter().map(own).collect()
    }

    /// Fitted values by name.
    pub fn fits(&self) -> BTreeMap<String, &Tensor> {
        self.program.fits.iter().map(|fit| fit.name.clone()).zip(&self.fits).collect()
    }

    /// What it runs on: `cpu`.
    pub fn device(&self) -> &'static str {
        self.device.name()
    }

    /// The plan of the first phase of a step.
    pub fn plan(&self) -> &Plan {
        self.device.plan(self.full[0])
    }

    /// What a root of the last full batch's step gave, by its number: the loss, then the gradients.
    pub fn output(&self, root: usize) -> Values<'_> {
        self.device.read(self.full[0], root)
    }

    /// What lies in an input of a step; `None` where nothing reads it.
    pub fn fed(&self, input: usize) -> Option<Values<'_>> {
        self.device.written(self.full[0], input as u32)
    }

    /// Runs one kernel of a step, to measure it.
    pub fn run_kernel(&mut self, kernel: usize) -> Result<(), RunError> {
        Ok(self.device.run_kernel(self.full[0], kernel)?)
    }
}

/// Where parameters and states lie on a device: the same for all plans of a program.
pub fn residents(program: &Program) -> Residents {
    Residents::of(program.graph.nodes().filter_map(|(id, node)| {
        let Op::Input { number, .. } = node.op else { return None };
        let resident = matches!(program.inputs.get(number as usize), Some(Input::Param(_) | Input::State(_)));
        resident.then(|| (number, count(&program.graph, id) as usize))
    }))
}

/// Parameters and states at their start, computed on the device. States start at 0 mostly, which is what memory holds.
fn start(program: &Program, graph: &Graph, feed: &[Tensor], device: &mut dyn Device) -> Result<(), RunError> {
    let params = program.params.iter().map(|param| (param.input, param.initial));
    let states = program.states.iter().map(|state| (state.input, state.initial));
    let all: Vec<(usize, NodeId)> = params.chain(states).collect();
    let residents = residents(program);
    let hosts = program.host_inputs();
    // In a few stages: what lies between draws and starting points is that of one stage.
    let mut stages = vec![Vec::new()];
    let mut bytes = 0;
    for (_, initial) in &all {
        if let Some(stage) = stages.last_mut() {
            stage.push(*initial);
        }
        bytes += 4 * count(graph, *initial) as usize;
        if bytes > residents.bytes / START_STAGES {
            stages.push(Vec::new());
            bytes = 0;
        }
    }
    let request = Request {
        graph,
        stages: &stages,
        hosts: &hosts,
        updates: &[],
        residents: &residents,
        precision: Precision::Step,
        limits: Limits::default(),
    };
    let id = device.load(plan(&request)?);
    for (number, tensor) in feed.iter().enumerate() {
        device.write_numbers(id, number as u32, &tensor.values);
    }
    device.run(id)?;
    for (root, (input, initial)) in all.into_iter().enumerate() {
        if let Some(offset) = residents.offsets.get(&(input as u32)) {
            device.keep(id, root, *offset, count(graph, initial) as usize);
        }
    }
    Ok(())
}

/// The plan of a phase of a step: the loss and its gradients, then the next values, which take the place of the present ones.
/// Parameters that it does not move are in it as well, so that they have a place.
pub fn steps_of(program: &Program, phase: &Phase, graph: &Graph) -> Result<Plan, RunError> {
    let gradients = phase.gradients.iter().map(|(_, gradient)| *gradient);
    let first = std::iter::once(phase.loss).chain(gradients).chain(phase.lr).collect();
    let updates: Vec<(NodeId, u32)> = phase.updates.iter().map(|(next, input)| (*next, *input as u32)).collect();
    let moved: HashSet<u32> = updates.iter().map(|(_, input)| *input).collect();
    let resting = graph.nodes().filter(|(_, node)| {
        let Op::Input { number, .. } = node.op else { return false };
        let param = matches!(program.inputs.get(number as usize), Some(Input::Param(_)));
        param && !moved.contains(&number)
    });
    let second = updates.iter().map(|(node, _)| *node).chain(resting.map(|(id, _)| id)).collect();
    Ok(plan(&Request {
        graph,
        stages: &[first, second],
        hosts: &program.host_inputs(),
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
    device: &mut dyn Device,
    id: PlanId,
) -> Result<(), RunError> {
    for (host, input) in &program.hosts {
        device.set_host(id, *input as u32, host_value(*host, schedule, step, epoch) as f64);
    }
    device.write_numbers(id, program.draws as u32, &counters(schedule.seed, step)?);
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
