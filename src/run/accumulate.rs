//! A step whose rows are computed in parts. Its loss and gradients are taken apart by [`crate::passes::streamed`]: what is done
//! row by row is computed of each part, sums over rows are joined from those of the parts, and what reads such a sum (the
//! slope of a ratio of sums, say) takes one more pass over the parts. So the parts change nothing but the order of additions.

use crate::backend::{Device, Fault, PlanId};
use crate::ir::{NodeId, Size, count};
use crate::lower::program::{Phase, Program};
use crate::passes::{Streamed, streamed};
use crate::plan::{Limits, Plan, Precision, Request, plan};
use crate::run::error::RunError;
use crate::run::plans::{Moment, feed_host, residents, stages_of};
use crate::run::schedule::Schedule;
use std::collections::BTreeMap;
use std::ops::Range;

/// A phase in parts.
pub struct Parts {
    streamed: Streamed,
    hosts: Vec<u32>,
    /// The plans of each pass over the rows of a data set, by the rows of a part.
    passes: BTreeMap<(usize, usize, usize), PlanId>,
    /// What reads the sums: the loss and its gradients, then the next values.
    pub rest: PlanId,
}

/// Feeds the columns of some rows of a data set's batch to a plan.
pub type FeedRows<'a> = &'a mut dyn FnMut(&mut dyn Device, PlanId, usize, Range<usize>);

/// A phase taken apart; `None` where rows meet otherwise than in sums and extremes.
pub fn taken_apart(program: &Program, phase: &Phase) -> Option<Streamed> {
    let [first, second] = stages_of(program, phase, &program.graph);
    streamed(&program.graph, &program.rows, &[first, second].concat(), program.inputs.len())
}

impl Parts {
    pub fn new(program: &Program, phase: &Phase, device: &mut dyn Device) -> Result<Parts, RunError> {
        let streamed = taken_apart(program, phase)
            .ok_or_else(|| "the rows of a step meet, so they cannot be computed in parts".to_string())?;
        let mut hosts = program.host_inputs();
        hosts.extend(streamed.sizes.iter().map(|(input, _)| *input));
        let count_of_first = 1 + phase.gradients.len() + usize::from(phase.lr.is_some());
        let (first, second) = streamed.roots.split_at(count_of_first);
        let updates: Vec<(NodeId, u32)> =
            second.iter().zip(&phase.updates).map(|(next, (_, input))| (*next, *input as u32)).collect();
        let graph = streamed.graph.settle(&program.with_rows(0));
        let rest = plan(&Request {
            graph: &graph,
            stages: &[first.to_vec(), second.to_vec()],
            hosts: &hosts,
            updates: &updates,
            residents: &residents(program),
            precision: Precision::Step,
            limits: Limits::default(),
        })?;
        let rest = device.load(rest);
        Ok(Parts { streamed, hosts, passes: BTreeMap::new(), rest })
    }

    fn planned(&self, program: &Program, (pass, set): (usize, usize), rows: usize) -> Result<Plan, RunError> {
        let graph = self.streamed.graph.settle(&[(program.rows[set].clone(), rows as i64)]);
        let graph = graph.settle(&program.with_rows(0));
        let roots: Vec<NodeId> = self.streamed.of_pass(pass, set).map(|join| join.of_batch).collect();
        Ok(plan(&Request {
            graph: &graph,
            stages: &[roots],
            hosts: &self.hosts,
            updates: &[],
            residents: &residents(program),
            precision: Precision::Step,
            limits: Limits::default(),
        })?)
    }

    /// The passes over the rows of a batch in so many parts; what they gave is fed to the rest, which is left to the caller.
    pub fn run(
        &mut self,
        program: &Program,
        (schedule, moment): (Schedule, Moment),
        rows: &[usize],
        device: &mut dyn Device,
        feed: FeedRows,
    ) -> Result<(), RunError> {
        let mut joined: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        let part = |set: usize| rows[set].div_ceil(program.accumulate.max(1) as usize).max(1);
        for pass in 0..self.streamed.passes() {
            let mut sums: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
            let sets = self.streamed.sets_of_pass(pass).into_iter();
            let parts = sets.flat_map(|set| (0..rows[set]).step_by(part(set)).map(move |first| (set, first)));
            for (set, first) in parts {
                let own = first..rows[set].min(first + part(set));
                let id = match self.passes.get(&(pass, set, own.len())) {
                    Some(id) => *id,
                    None => {
                        let id = device.load(self.planned(program, (pass, set), own.len())?);
                        self.passes.insert((pass, set, own.len()), id);
                        id
                    }
                };
                self.feed_whole(program, (schedule, moment), rows, device, id, &joined)?;
                let mut counters = moment.counters(schedule.seed)?;
                counters[4] = own.start as f64;
                device.write_numbers(id, program.draws as u32, &counters);
                feed(device, id, set, own);
                device.run(id).map_err(|fault| self.fault(fault))?;
                for (root, join) in self.streamed.of_pass(pass, set).enumerate() {
                    let elements = count(&self.streamed.graph, join.of_batch) as usize;
                    let part = device.read(id, root).to_f64(elements);
                    let sum = sums.entry(join.input).or_insert_with(|| vec![join.how.start(); part.len()]);
                    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum = join.how.join(*sum, part));
                }
            }
            joined.extend(sums);
        }
        self.feed_whole(program, (schedule, moment), rows, device, self.rest, &joined)
    }

    /// What cannot be computed, by the nodes of the program's graph.
    pub fn fault(&self, fault: Fault) -> Fault {
        Fault { nodes: self.streamed.in_whole(&fault.nodes), ..fault }
    }

    /// What is the same for all parts.
    fn feed_whole(
        &self,
        program: &Program,
        (schedule, moment): (Schedule, Moment),
        rows: &[usize],
        device: &mut dyn Device,
        id: PlanId,
        joined: &BTreeMap<u32, Vec<f64>>,
    ) -> Result<(), RunError> {
        feed_host(program, schedule, moment, device, id)?;
        let all = program.of_rows(rows);
        let number = |size: &Size| size.settle(&all).settled().unwrap_or(0) as f64;
        self.streamed.sizes.iter().for_each(|(input, size)| device.set_host(id, *input, number(size)));
        joined.iter().for_each(|(input, values)| device.write_numbers(id, *input, values));
        Ok(())
    }
}
