//! A run as it goes: data and fitted values first, then one step after the other, and what is reported.

mod figures;
mod held;

use crate::backend::cpu::Cpu;
use crate::backend::device::fill;
use crate::backend::{Device, PlanId, Tensor, Values, reference};
use crate::ir::{Graph, NodeId, Op, count};
use crate::lower::program::{Input, Program};
use crate::plan::{Plan, Storage};
use crate::run::accumulate::Parts;
use crate::run::batch::{self, Batch, Occasion, Split};
use crate::run::demands;
use crate::run::error::RunError;
use crate::run::evaluate::{evaluated, wide_columns};
use crate::run::events::{Event, Named};
use crate::run::opened::{Opened, OpenedSet};
use crate::run::order::{Chosen, Order};
use crate::run::params::Params;
use crate::run::plans::{Moment, advance_of, feed_host, remembered, settle, start, start_states, values_of};
pub use crate::run::plans::{SPLITS, counters, counters_of_split, holder_of, host_value, residents, steps_of};
use crate::run::prepare::{Preparation, rows_at_once};
use crate::run::schedule::Schedule;
use crate::run::stream::{Feed, Table};
use crate::run::tables::{Figures, OfSet, counts, evaluators, part_of, splits_of, tables_of};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

/// A run as it goes: everything that the next step needs.
pub struct Run<'p> {
    program: &'p Program,
    schedule: Schedule,
    /// Of the columns of the source that have any.
    classes: BTreeMap<String, Vec<String>>,
    /// Holds the parameters and states.
    device: Box<dyn Device>,
    fits: Vec<Tensor>,
    sets: Vec<OfSet<'p>>,
    /// By the data sets that have rows in a split.
    evaluators: Vec<(Vec<usize>, Figures<'p>)>,
    /// Whether that is so.
    calibrated: bool,
    /// A plan in which every parameter and state has its place.
    holder: PlanId,
    /// What a step does, by the rows of a batch.
    plans: HashMap<(Stage, Vec<usize>), PlanId>,
    /// The phases in parts, where rows are accumulated.
    parts: HashMap<usize, Parts>,
    /// The order in which an epoch sees the training rows.
    order: Order,
    /// The values that were computed once in the present step.
    once: Vec<Vec<f64>>,
    /// The plan in whose scratch the only batch lies: fed once, as long as no other plan has run.
    fed: Option<PlanId>,
    pub step: u64,
}

/// A part of a step that has a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Once,
    Phase(usize),
    Advance,
}

/// The fitted values that steps and evaluations read themselves, to where they lie.
fn write_fits(program: &Program, fits: &[Tensor], device: &mut dyn Device, holder: PlanId) {
    for at in &program.lying {
        device.write_numbers(holder, program.fits[*at].input as u32, &fits[*at].values);
    }
}

/// What the columns of a step are computed for.
fn of_step(counters: [f64; 5]) -> Occasion {
    Occasion { counters, training: true }
}

impl<'p> Run<'p> {
    /// Computes fitted values on the training rows, the columns of every split and the starting point.
    pub fn new(program: &'p Program, schedule: Schedule, data: &'p Opened<'p>) -> Result<Run<'p>, RunError> {
        Run::with_fits(program, schedule, data, &BTreeMap::new())
    }

    /// The same with fitted values that are known: those of a weight file.
    pub fn with_fits(
        program: &'p Program,
        schedule: Schedule,
        data: &'p Opened<'p>,
        known: &BTreeMap<String, Tensor>,
    ) -> Result<Run<'p>, RunError> {
        let mut device: Box<dyn Device> = Box::new(Cpu::new(schedule.threads));
        let mut feed = vec![Tensor::scalar(0.0); program.inputs.len()];
        feed[program.draws] = Tensor { shape: vec![5], values: counters(schedule.seed, 0)?.to_vec() };
        let mut preparation = Preparation { program, data, device: &mut *device };
        let mut known = known.clone();
        // What is read whole is what the files hold.
        known.extend(data.wholes.clone());
        let fits = preparation.fit(&known, &mut feed)?;
        let trained = |set: &OpenedSet| if set.lends { 0 } else { set.splits[0].len() };
        let rows: Vec<usize> = data.sets.iter().map(trained).collect();
        let longest = rows.iter().copied().max().unwrap_or(0);
        let batch = schedule.batch.clamp(1, longest.max(1));
        let schedule = Schedule { batch, ..schedule };
        let wide = wide_columns(program, &evaluated(program, true));
        let in_all = |set: &OpenedSet| {
            (set.window.is_none() && !set.lends).then(|| set.splits.iter().map(|rows| rows.len()).sum())
        };
        let in_all: Vec<Option<usize>> = data.sets.iter().map(in_all).collect();
        let kept = batch::kept(program, &in_all, schedule.kept);
        let mut sets = Vec::new();
        for at in 0..data.sets.len() {
            let splits = splits_of(&mut preparation, (at, &data.sets[at]), &feed, &wide, &kept)?;
            let computed =
                batch::read(program).into_iter().filter(|own| !kept[*own] && program.columns[*own].set == at);
            let gather = Box::new(|at: usize, rows: &[usize]| data.column(at, rows).values);
            let at_once = rows_at_once(&data.sets[at]);
            let computed = (at, computed.collect());
            let computed = Batch::new(program, computed, &wide, gather, feed.clone(), schedule.threads, at_once);
            sets.push(OfSet { splits, computed: RefCell::new(computed) });
        }
        let stop = data.stops();
        let goes_on = || if stop() { Err(RunError::Interrupted) } else { Ok(()) };
        goes_on()?;
        let order = Order::new(&rows, batch, schedule.seed);
        let full = order.full();
        let graph = settle(program, &full);
        let holder = device.load(holder_of(program, &graph)?);
        write_fits(program, &fits, &mut *device, holder);
        start(program, &settle(program, &rows), &feed, &mut *device)?;
        goes_on()?;
        start_states(program, &settle(program, &rows), &feed, |_| true, &mut *device)?;
        let planned = match program.phases.first() {
            Some(phase) if program.accumulate == 1 => Some(steps_of(program, phase, &graph)?),
            _ => None,
        };
        let scratch = planned.as_ref().map_or(0, |plan| plan.scratch);
        let mut run = Run {
            program,
            schedule,
            classes: data.classes.clone(),
            device,
            fits,
            evaluators: evaluators(program, &sets, (batch, !order.is_whole()), scratch)?,
            sets,
            calibrated: false,
            holder,
            plans: HashMap::new(),
            parts: HashMap::new(),
            once: Vec::new(),
            fed: None,
            step: 0,
            order,
        };
        goes_on()?;
        run.load(&full, planned, &goes_on)?;
        if let Some(last) = run.order.last() {
            run.load(&last, None, &goes_on)?;
        }
        data.stays_whole();
        Ok(run)
    }

    /// Has every plan ready for batches of so many rows; that of the first phase may be there already.
    fn load(
        &mut self,
        rows: &[usize],
        mut planned: Option<Plan>,
        goes_on: &impl Fn() -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let program = self.program;
        let graph = settle(program, rows);
        if !program.once.is_empty() {
            let roots = program.once.iter().map(|once| once.value).collect();
            let id = self.device.load(values_of(program, &graph, roots)?);
            self.plans.insert((Stage::Once, rows.to_vec()), id);
        }
        for (at, phase) in program.phases.iter().enumerate() {
            goes_on()?;
            if program.accumulate == 1 {
                let plan = match planned.take() {
                    Some(plan) => plan,
                    None => steps_of(program, phase, &graph)?,
                };
                let id = self.device.load(plan);
                self.plans.insert((Stage::Phase(at), rows.to_vec()), id);
            } else if !self.parts.contains_key(&at) {
                self.parts.insert(at, Parts::new(program, phase, &mut *self.device)?);
            }
        }
        if !program.advance.is_empty() {
            let id = self.device.load(advance_of(program, &graph)?);
            self.plans.insert((Stage::Advance, rows.to_vec()), id);
        }
        Ok(())
    }

    /// How many batches a step sees: each repetition of a `minimize` sees another.
    fn batches_in_step(&self) -> u64 {
        self.program.batches_in_step(self.order.is_whole())
    }

    /// The training rows of each data set.
    fn rows_of_training(&self) -> Vec<usize> {
        self.sets.iter().map(|set| set.splits.first().map_or(0, |split| split.rows.len())).collect()
    }

    /// The epoch that a step begins in.
    fn epoch_of(&self, step: u64) -> u64 {
        step * self.batches_in_step() / self.order.batches_in_epoch()
    }

    /// Whether every training row was seen as often as any other, or about so.
    pub fn ends_epoch(&self) -> bool {
        self.step > 0 && self.epoch_of(self.step) > self.epoch_of(self.step - 1)
    }

    /// Starts from given weights, whose paths and shapes are those of the program. States that are not among them start from
    /// what these make them.
    pub fn start_from(&mut self, params: &Params) -> Result<(), RunError> {
        self.write_weights(params);
        let mut feed = vec![Tensor::scalar(0.0); self.program.inputs.len()];
        feed[self.program.draws] = Tensor { shape: vec![5], values: counters(self.schedule.seed, 0)?.to_vec() };
        for (fit, value) in self.program.fits.iter().zip(&self.fits) {
            feed[fit.input] = value.clone();
        }
        let graph = settle(self.program, &self.rows_of_training());
        start_states(self.program, &graph, &feed, |path| !params.contains_key(path), &mut *self.device)
    }

    /// Parameters and states take given values, and no others change.
    pub fn write_weights(&mut self, params: &Params) {
        for param in &self.program.params {
            if let Some(tensor) = params.get(&param.path) {
                let values = bytemuck::cast_slice(&tensor.values);
                self.device.write(self.holder, param.input as u32, &mut |bytes, _| bytes.copy_from_slice(values));
            }
        }
    }

    /// One step. What comes back is the loss before the update; if it or a gradient is not finite, the step is not taken
    /// and the failure says so.
    pub fn take_step(&mut self) -> Result<Event, RunError> {
        let program = self.program;
        let epoch = self.epoch_of(self.step);
        let first = self.step * self.batches_in_step();
        let held = self.order.batch(first);
        self.remember()?;
        self.compute_once(&held, epoch)?;
        if self.step == 0 {
            self.look(&held, epoch)?;
        }
        let (mut sum, mut first_lr, mut named, mut rates) = (0.0, f64::NAN, Named::new(), Named::new());
        for (at, phase) in program.phases.iter().enumerate() {
            for repetition in 0..phase.times {
                let own = first + repetition % self.batches_in_step();
                let rows = if repetition == 0 { Rc::clone(&held) } else { self.order.batch(own) };
                let moment = Moment { step: self.step, epoch, phase: at, repetition, times: phase.times };
                let (loss, lr) = self.run_phase(moment, &rows, &held)?;
                if repetition > 0 {
                    continue;
                }
                sum += loss;
                named.extend(phase.name.iter().map(|name| (name.clone(), loss)));
                if at == 0 {
                    first_lr = lr;
                } else if let Some(name) = &phase.name {
                    rates.push((format!("lr.{name}"), lr));
                }
            }
        }
        self.advance(&held, epoch)?;
        if program.phases.is_empty() {
            sum = f64::NAN;
        }
        self.step += 1;
        named.extend(rates);
        Ok(Event::Step { step: self.step, epoch: epoch + 1, loss: sum, lr: first_lr, terms: named })
    }

    /// What next values of states read as it was at the start of the step.
    fn remember(&mut self) -> Result<(), RunError> {
        let Some(advance) = self.plans.get(&(Stage::Advance, self.order.full())).copied() else { return Ok(()) };
        for (input, _) in remembered(self.program) {
            let Some(Values::F32(values)) = self.device.written(self.holder, input) else { continue };
            let values = values.to_vec();
            let bytes = bytemuck::cast_slice(&values);
            self.device.write(advance, input, &mut |place, _| place.copy_from_slice(bytes));
        }
        Ok(())
    }

    /// What is computed once a step, before anything is minimized.
    fn compute_once(&mut self, rows: &Chosen, epoch: u64) -> Result<(), RunError> {
        let Some(id) = self.plans.get(&(Stage::Once, counts(rows))).copied() else { return Ok(()) };
        self.once.clear();
        let moment = Moment { step: self.step, epoch, ..Moment::default() };
        self.feed_columns(id, moment, rows, rows)?;
        feed_host(self.program, self.schedule, moment, &mut *self.device, id)?;
        self.device.run(id)?;
        let graph = settle(self.program, &counts(rows));
        for (root, once) in self.program.once.iter().enumerate() {
            self.once.push(self.device.read(id, root).to_f64(count(&graph, once.value) as usize));
        }
        Ok(())
    }

    /// Whether what the first step demands holds, of its rows.
    fn look(&mut self, held: &Chosen, epoch: u64) -> Result<(), RunError> {
        let program = self.program;
        if program.demands[0].is_empty() {
            return Ok(());
        }
        let times = program.phases.first().map_or(1, |phase| phase.times);
        let moment = Moment { step: self.step, epoch, times, ..Moment::default() };
        let counters = moment.counters(self.schedule.seed)?;
        let hosts = program.hosts.iter();
        let hosts: Vec<_> =
            hosts.map(|(host, input)| (*input as u32, moment.host(*host, self.schedule) as f64)).collect();
        let feed = || {
            let own = (held, of_step(counters));
            let mut tables = tables_of(program, &self.sets, own, own);
            for (slot, values) in program.once.iter().zip(&self.once) {
                let (all, has_rows) = (held[slot.set].len(), program.has_rows(slot.value));
                let some = move |rows: Range<usize>, (bytes, storage): (&mut [u8], Storage)| {
                    fill(bytes, storage, part_of(values, rows, all, has_rows).iter().copied());
                };
                tables[slot.set].columns.push((slot.input as u32, Box::new(some)));
            }
            let (whole, counters) = (Vec::new(), (program.draws as u32, counters));
            Feed { tables, whole, hosts: hosts.clone(), counters }
        };
        let most = held.iter().map(|rows| rows.len()).max().unwrap_or(0);
        let part = most.div_ceil(program.accumulate.max(1) as usize);
        let rows = self.sets.iter().zip(held.iter());
        let rows = rows.map(|(set, held)| held.iter().map(|at| set.splits[0].rows[*at]).collect());
        let rows: Vec<Vec<usize>> = rows.collect();
        let rows: Vec<&[usize]> = rows.iter().map(Vec::as_slice).collect();
        let looked =
            demands::look(program, &mut *self.device, part, &feed, (&format!("in step {}", self.step + 1), &rows));
        self.fed = None;
        self.failure()?;
        looked
    }

    /// Next values of states, from the rows of the last `minimize`.
    fn advance(&mut self, held: &Chosen, epoch: u64) -> Result<(), RunError> {
        let program = self.program;
        if program.advance.is_empty() {
            return Ok(());
        }
        let last = program.phases.last().map_or(1, |phase| phase.times);
        let rows = self.step * self.batches_in_step() + (last - 1) % self.batches_in_step();
        let rows = self.order.batch(rows);
        let Some(id) = self.plans.get(&(Stage::Advance, counts(&rows))).copied() else { return Ok(()) };
        let phase = program.phases.len().saturating_sub(1);
        let moment = Moment { step: self.step, epoch, phase, repetition: last - 1, times: last };
        self.feed_columns(id, moment, &rows, held)?;
        feed_host(program, self.schedule, moment, &mut *self.device, id)?;
        Ok(self.device.run(id)?)
    }

    /// Columns of some rows, and what was computed once; columns that this read keep the rows that it had.
    fn feed_columns(&mut self, id: PlanId, moment: Moment, rows: &Chosen, held: &Chosen) -> Result<(), RunError> {
        let own = (rows, of_step(moment.counters(self.schedule.seed)?));
        let held = (held, of_step(counters(self.schedule.seed, self.step)?));
        // Where a step sees all rows, their columns lie where they were written, as long as they stay the same.
        let lie = self.order.is_whole() && !self.sets.iter().any(|set| set.computed.borrow().draws);
        if !(self.fed == Some(id) && lie) {
            for Table { rows, columns } in tables_of(self.program, &self.sets, own, held) {
                for (input, column) in columns {
                    self.device.write(id, input, &mut |bytes, storage| column(0..rows, (bytes, storage)));
                }
            }
            self.failure()?;
        }
        for (slot, values) in self.program.once.iter().zip(&self.once) {
            self.device.write_numbers(id, slot.input as u32, values);
        }
        self.fed = Some(id);
        Ok(())
    }

    /// One phase of a step: its loss before the update, and its learning rate.
    fn run_phase(&mut self, moment: Moment, rows: &Chosen, held: &Chosen) -> Result<(f64, f64), RunError> {
        let program = self.program;
        let phase = &program.phases[moment.phase];
        let id = match self.plans.get(&(Stage::Phase(moment.phase), counts(rows))) {
            Some(id) => {
                let id = *id;
                self.feed_columns(id, moment, rows, held)?;
                feed_host(program, self.schedule, moment, &mut *self.device, id)?;
                id
            }
            None => self.run_parts(moment, rows, held)?,
        };
        self.run_stage_of(moment, id, 0)?;
        let loss = self.device.read(id, 0).first();
        let number = self.step + 1;
        if !loss.is_finite() {
            let named = phase.name.as_ref().map_or(String::new(), |name| format!(" `{name}`"));
            let message = format!("the loss{named} of step {number} is {loss}");
            return Err(self.not_finite(message, moment, phase.loss)?);
        }
        for (at, (param, gradient)) in phase.gradients.iter().enumerate() {
            if !self.device.is_finite(id, 1 + at) {
                let path = &program.params[*param].path;
                let message = format!("the gradient of `{path}` in step {number} is not finite");
                return Err(self.not_finite(message, moment, *gradient)?);
            }
        }
        let lr = phase.lr.map_or(f64::NAN, |_| self.device.read(id, 1 + phase.gradients.len()).first());
        self.run_stage_of(moment, id, 1)?;
        Ok((loss, lr))
    }

    fn run_stage_of(&mut self, moment: Moment, id: PlanId, stage: usize) -> Result<(), RunError> {
        let parts = self.parts.get(&moment.phase).filter(|parts| parts.rest == id);
        let done = self.device.run_stage(id, stage);
        Ok(done.map_err(|fault| parts.map_or(fault.clone(), |parts| parts.fault(fault)))?)
    }

    /// A phase in parts, up to the plan that reads what they gave.
    fn run_parts(&mut self, moment: Moment, rows: &Chosen, held: &Chosen) -> Result<PlanId, RunError> {
        let Some(mut parts) = self.parts.remove(&moment.phase) else {
            return Err(RunError::Broken("a phase has no plan".to_string()));
        };
        let program = self.program;
        let own = (rows, of_step(moment.counters(self.schedule.seed)?));
        let held = (held, of_step(counters(self.schedule.seed, self.step)?));
        let tables = tables_of(program, &self.sets, own, held);
        let once = &self.once;
        let mut feed = |device: &mut dyn Device, id: PlanId, set: usize, own: Range<usize>| {
            for (input, column) in &tables[set].columns {
                device.write(id, *input, &mut |bytes, storage| column(own.clone(), (bytes, storage)));
            }
            for (slot, values) in program.once.iter().zip(once) {
                let has_rows = program.has_rows(slot.value);
                if !has_rows || slot.set == set {
                    let part = part_of(values, own.clone(), rows[set].len(), has_rows);
                    device.write_numbers(id, slot.input as u32, part);
                }
            }
        };
        let done = parts.run(program, (self.schedule, moment), &counts(rows), &mut *self.device, &mut feed);
        let rest = parts.rest;
        self.parts.insert(moment.phase, parts);
        self.fed = None;
        self.failure()?;
        done.map(|()| rest)
    }

    /// What went wrong in columns that were fed.
    fn failure(&self) -> Result<(), RunError> {
        self.sets.iter().try_for_each(|set| set.computed.borrow_mut().failure())
    }

    /// The present step again, on the reference: the node below `root` where numbers stop being finite.
    fn not_finite(&mut self, message: String, moment: Moment, root: NodeId) -> Result<RunError, RunError> {
        let rows = self.step * self.batches_in_step() + moment.repetition % self.batches_in_step();
        let rows = self.order.batch(rows);
        let (graph, feed) = self.fed_as(moment, &rows)?;
        let origin = reference::origin_of_non_finite(&graph, root, &feed)?;
        Ok(RunError::NotFinite { message, origin, phase: moment.phase })
    }

    /// What the first phase of the present step computes, as the reference takes it: the graph of its rows, and what every
    /// input is fed.
    pub fn for_reference(&mut self) -> Result<(Graph, Vec<Tensor>), RunError> {
        let rows = self.step * self.batches_in_step();
        let rows = self.order.batch(rows);
        let times = self.program.phases.first().map_or(1, |phase| phase.times);
        self.fed_as(Moment { step: self.step, epoch: self.epoch_of(self.step), times, ..Moment::default() }, &rows)
    }

    fn fed_as(&self, moment: Moment, rows: &Chosen) -> Result<(Graph, Vec<Tensor>), RunError> {
        let graph = settle(self.program, &counts(rows));
        let counters = moment.counters(self.schedule.seed)?;
        let mut feed = vec![Tensor::scalar(0.0); self.program.inputs.len()];
        for (_, node) in graph.nodes() {
            let Op::Input { number, shape, .. } = &node.op else { continue };
            let values = match self.program.inputs.get(*number as usize) {
                Some(Input::Column(at)) => {
                    let own = self.program.columns[*at].set;
                    let set = &self.sets[own];
                    let split = set.splits.first();
                    let values = |split: &Split| split.values(&set.computed, *at, &rows[own], of_step(counters));
                    split.map_or(Ok(Vec::new()), values)?
                }
                Some(Input::Once(at)) => self.once.get(*at).cloned().unwrap_or_default(),
                Some(Input::Next(param)) => {
                    let input = self.program.params[*param].input as u32;
                    self.device.written(self.holder, input).map_or(Vec::new(), |values| values.to_f64(0))
                }
                _ => self.device.written(self.holder, *number).map_or(Vec::new(), |values| values.to_f64(0)),
            };
            let shape: Vec<usize> = shape.iter().map(|size| size.settled().unwrap_or(0).max(0) as usize).collect();
            feed[*number as usize] = Tensor { shape, values };
        }
        for (host, input) in &self.program.hosts {
            feed[*input] = Tensor::scalar(moment.host(*host, self.schedule) as f64);
        }
        feed[self.program.draws] = Tensor { shape: vec![5], values: counters.to_vec() };
        for (at, slot) in self.program.once.iter().enumerate().filter(|_| self.once.is_empty()) {
            if let [value] = &reference::run(&graph, &[self.program.once[at].value], &feed)?[..] {
                feed[slot.input] = value.clone();
            }
        }
        Ok((graph, feed))
    }
}
