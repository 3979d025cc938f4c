//! What a run computes beside its steps: the figures of a split, and what is known when training is over.

use super::Run;
use crate::check::terms::Host;
use crate::ir::count;
use crate::run::demands;
use crate::run::error::RunError;
use crate::run::evaluate::{Present, ROWS, wide_columns};
use crate::run::events::{Event, Figure, Reported};
use crate::run::plans::{SPLITS, counters_of_split, host_value, residents};
use crate::run::stream::{Digits, Feed, Stream};

impl Run<'_> {
    /// Loss and reports on a whole split, by the present weights. `None` if it has no rows.
    pub fn evaluate(&mut self, split: &str) -> Result<Option<Event>, RunError> {
        let epoch = self.epoch_of(self.step);
        let present: Vec<usize> = (0..self.sets.len()).filter(|at| self.sets[*at].split(split).is_some()).collect();
        let Some(split) = SPLITS.into_iter().find(|name| *name == split) else { return Ok(None) };
        let Some((_, figures)) = self.evaluators.iter_mut().find(|(sets, _)| *sets == present) else { return Ok(None) };
        let host =
            |(host, input): &(Host, usize)| (*input as u32, host_value(*host, self.schedule, self.step, epoch) as f64);
        let hosts: Vec<(u32, f64)> = self.program.hosts.iter().map(host).collect();
        self.fed = None;
        let counters = counters_of_split(self.schedule.seed, split)?;
        let tables = || self.sets.iter().map(|set| set.table(split, counters)).collect();
        let now = Present { tables: tables(), hosts: hosts.clone(), counters };
        let late = figures.late.as_mut().filter(|_| self.calibrated);
        let over = late.is_some();
        let evaluator = late.unwrap_or(&mut figures.evaluator);
        let values = evaluator.evaluate(&mut *self.device, now)?;
        let of_batches = evaluator.per_batch();
        self.sets.iter().try_for_each(|set| set.computed.borrow_mut().failure())?;
        let Some((loss, values)) = values.split_first() else { return Ok(None) };
        let program = self.program;
        let demands = program.demands[1].iter().filter(|demand| over || !demand.late).count();
        let (values, holds) = values.split_at(values.len() - demands);
        if let Some(broken) = holds.iter().position(|holds| holds.first() == Some(&0.0)) {
            let feed = Feed { tables: tables(), whole: Vec::new(), hosts, counters: (program.draws as u32, counters) };
            let rows = self.sets.iter().map(|set| set.split(split).map_or(&[][..], |split| &split.rows));
            let rows: Vec<&[usize]> = rows.collect();
            let place = (&*format!("on `{split}`"), &rows[..]);
            return Err(demands::broken(program, &mut *self.device, (1, broken), feed, place)?);
        }
        let all = program.reports.iter().chain(program.late.iter().filter(|_| over));
        // What reads a data set without rows here is not known.
        let known =
            all.zip(values).filter(|((_, node), values)| !values.is_empty() || count(&program.graph, *node) == 0);
        let reports = known.map(|((name, node), values)| {
            let shape = self.program.graph.shape(*node).iter();
            let shape: Vec<usize> = shape.map(|size| size.settled().unwrap_or(0).max(0) as usize).collect();
            let classes = self.program.classes.get(name).and_then(|column| self.classes.get(column));
            Reported {
                name: name.clone(),
                figure: Figure::of(&shape, values),
                classes: classes.cloned().unwrap_or_default(),
            }
        });
        let reports: Vec<Reported> = reports.collect();
        let all: Vec<&String> = program.reports.iter().chain(&program.late).map(|(name, _)| name).collect();
        let name = |at: &usize| if *at == 0 { Some("loss") } else { Some(all.get(at - 1)?.as_str()) };
        let per_batch = of_batches.iter().filter_map(name).map(str::to_string).collect();
        // Where nothing is minimized there is no loss.
        let loss = loss.first().copied().filter(|_| !self.program.phases.is_empty());
        Ok(Some(Event::Eval { step: self.step, split: split.to_string(), loss, reports, per_batch }))
    }

    /// Computes what is known when training is over, by the present weights.
    pub fn calibrate(&mut self) -> Result<(), RunError> {
        let program = self.program;
        let epoch = self.epoch_of(self.step);
        self.fed = None;
        for calibration in &program.calibrated {
            let split = calibration.split.as_str();
            let host = |(host, input): &(Host, usize)| {
                (*input as u32, host_value(*host, self.schedule, self.step, epoch) as f64)
            };
            let counters = counters_of_split(self.schedule.seed, split)?;
            let feed = Feed {
                tables: self.sets.iter().map(|set| set.table(split, counters)).collect(),
                whole: Vec::new(),
                hosts: program.hosts.iter().map(host).collect(),
                counters: (program.draws as u32, counters),
            };
            let roots = vec![calibration.value];
            let digits = Digits::Evaluation { wide: wide_columns(program, &roots) };
            let (hosts, inputs) = (program.host_inputs(), program.inputs.len());
            let mut stream = Stream::new(&program.graph, &program.rows, roots, inputs, hosts, digits, ROWS)
                .with_residents(residents(program));
            let mut values: Vec<f32> = Vec::new();
            stream.run(&mut *self.device, feed, &mut |_, found, count| {
                values.extend(found.to_f64(count).into_iter().map(|value| value as f32));
            })?;
            self.failure()?;
            let input = program.params[calibration.param].input as u32;
            self.device.write(self.holder, input, &mut |bytes, _| bytes.copy_from_slice(bytemuck::cast_slice(&values)));
        }
        self.calibrated = true;
        Ok(())
    }
}
