//! The plans of a run: where parameters lie, how they start, and what a step does.

use crate::backend::{Device, PlanId, Tensor};
use crate::check::terms::Host;
use crate::ir::{Graph, NodeId, Op, Size, count};
use crate::lower::program::{Input, Phase, Program};
use crate::plan::{Limits, Plan, Precision, Request, Residents, plan};
use crate::run::error::RunError;
use crate::run::schedule::Schedule;
use std::collections::HashSet;

/// The splits by name, in the order of [`crate::run::opened::OpenedSet::splits`].
pub const SPLITS: [&str; 3] = ["train", "valid", "test"];

/// Starting points are computed in about so many stages.
const START_STAGES: usize = 16;

/// Where parameters and states lie on a device: the same for all plans of a program.
pub fn residents(program: &Program) -> Residents {
    let mut all = Residents::of(program.graph.nodes().filter_map(|(id, node)| {
        let Op::Input { number, .. } = node.op else { return None };
        program.is_resident(number).then(|| (number, count(&program.graph, id) as usize))
    }));
    // A parameter after the last update lies where it lay before.
    for (input, param) in &program.nexts {
        if let Some(offset) = all.offsets.get(&(program.params[*param].input as u32)).copied() {
            all.offsets.insert(*input as u32, offset);
        }
    }
    all
}

/// The parameters that next values of states read as they were at the start of a step, though the step moves them: their
/// inputs, and how many elements they have.
pub fn remembered(program: &Program) -> Vec<(u32, usize)> {
    let moved: HashSet<usize> =
        program.phases.iter().flat_map(|phase| &phase.updates).map(|(_, input)| *input).collect();
    let roots: Vec<NodeId> = program.advance.iter().map(|(next, _)| *next).collect();
    let needed = program.graph.needed(&roots);
    let read = needed.into_iter().filter_map(|id| {
        let Op::Input { number, .. } = program.graph.node(id).op else { return None };
        moved.contains(&(number as usize)).then(|| (number, count(&program.graph, id) as usize))
    });
    read.collect()
}

/// The residents of what states become: what a step moves is read where it is remembered.
fn residents_of_advance(program: &Program) -> Residents {
    let mut all = residents(program);
    let others = Residents::of(remembered(program));
    let first = all.bytes;
    all.bytes += others.bytes;
    all.offsets.extend(others.offsets.into_iter().map(|(input, offset)| (input, first + offset)));
    all
}

/// Parameters and states at their start, computed on the device. States start at 0 mostly, which is what memory holds.
pub fn start(program: &Program, graph: &Graph, feed: &[Tensor], device: &mut dyn Device) -> Result<(), RunError> {
    let params = program.params.iter().filter(|param| !param.state).map(|param| (param.input, param.initial));
    let states = program.states.iter().map(|state| (state.input, state.initial));
    starts(program, graph, feed, params.chain(states).collect(), device)
}

/// States of the block at their start, which may read parameters; those of some inputs.
pub fn start_states(
    program: &Program,
    graph: &Graph,
    feed: &[Tensor],
    of: impl Fn(&str) -> bool,
    device: &mut dyn Device,
) -> Result<(), RunError> {
    // One after the other: a later one may read an earlier one.
    let mut states = program.params.iter().filter(|param| param.state && of(&param.path));
    states.try_for_each(|param| starts(program, graph, feed, vec![(param.input, param.initial)], device))
}

/// Starting points into the resident region.
fn starts(
    program: &Program,
    graph: &Graph,
    feed: &[Tensor],
    all: Vec<(usize, NodeId)>,
    device: &mut dyn Device,
) -> Result<(), RunError> {
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
    for (number, tensor) in
        feed.iter().enumerate().filter(|(number, _)| !residents.offsets.contains_key(&(*number as u32)))
    {
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
    let [first, second] = stages_of(program, phase, graph);
    let updates: Vec<(NodeId, u32)> = phase.updates.iter().map(|(next, input)| (*next, *input as u32)).collect();
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

/// The roots of the two stages of a phase: the loss with its gradients and the learning rate; next values, and what rests.
pub fn stages_of(program: &Program, phase: &Phase, graph: &Graph) -> [Vec<NodeId>; 2] {
    let gradients = phase.gradients.iter().map(|(_, gradient)| *gradient);
    let first = std::iter::once(phase.loss).chain(gradients).chain(phase.lr).collect();
    let moved: HashSet<usize> = phase.updates.iter().map(|(_, input)| *input).collect();
    let resting = graph.nodes().filter(|(_, node)| {
        let Op::Input { number, .. } = node.op else { return false };
        let param = matches!(program.inputs.get(number as usize), Some(Input::Param(_)));
        param && !moved.contains(&(number as usize))
    });
    let second = phase.updates.iter().map(|(node, _)| *node).chain(resting.map(|(id, _)| id)).collect();
    [first, second]
}

/// The plan of what states become after the phases.
pub fn advance_of(program: &Program, graph: &Graph) -> Result<Plan, RunError> {
    let mut roots: Vec<NodeId> = program.advance.iter().map(|(next, _)| *next).collect();
    let updates: Vec<(NodeId, u32)> = program.advance.iter().map(|(next, input)| (*next, *input as u32)).collect();
    // A state that no next value reads is in it as well, so that it has a place.
    let read: HashSet<NodeId> = graph.needed(&roots).into_iter().collect();
    let unread = graph.nodes().filter(|(id, node)| {
        let Op::Input { number, .. } = node.op else { return false };
        !read.contains(id) && updates.iter().any(|(_, input)| *input == number)
    });
    roots.extend(unread.map(|(id, _)| id));
    Ok(plan(&Request {
        graph,
        stages: &[Vec::new(), roots],
        hosts: &program.host_inputs(),
        updates: &updates,
        residents: &residents_of_advance(program),
        precision: Precision::Step,
        limits: Limits::default(),
    })?)
}

/// A plan that computes some roots and moves nothing.
pub fn values_of(program: &Program, graph: &Graph, roots: Vec<NodeId>) -> Result<Plan, RunError> {
    Ok(plan(&Request {
        graph,
        stages: &[roots],
        hosts: &program.host_inputs(),
        updates: &[],
        residents: &residents(program),
        precision: Precision::Step,
        limits: Limits::default(),
    })?)
}

/// A plan in which every parameter, state and fitted value that steps read has its place.
pub fn holder_of(program: &Program, graph: &Graph) -> Result<Plan, RunError> {
    let mut graph = graph.clone();
    let held = program.graph.nodes().filter_map(|(id, node)| {
        let Op::Input { number, .. } = node.op else { return None };
        program.is_resident(number).then_some(id)
    });
    // One element of each, so that none is copied whole.
    let mut first = Vec::new();
    for id in held.collect::<Vec<NodeId>>() {
        let line = graph.reshape(vec![Size::from(count(&graph, id) as i64)], id);
        let (start, count) = (Size::from(0), Size::from(1));
        let one = graph.add(Op::Slice { axis: 0, start, count, step: 1 }, vec![line]);
        first.push(one);
    }
    values_of(program, &graph, first)
}

/// Where a step is: finished steps and epochs, which `minimize` it is at, and which repetition of that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    pub step: u64,
    pub epoch: u64,
    pub phase: usize,
    pub repetition: u64,
    /// How often the `minimize` is repeated in a step.
    pub times: u64,
}

impl Moment {
    /// What the host gives for a number of its own.
    pub fn host(self, host: Host, schedule: Schedule) -> u64 {
        match host {
            Host::Updates => self.step * self.times.max(1) + self.repetition + 1,
            Host::Training => 1,
            Host::Step | Host::Epoch | Host::Steps | Host::Epochs => host_value(host, schedule, self.step, self.epoch),
        }
    }

    /// What draws are counted by.
    pub fn counters(self, seed: u64) -> Result<[f64; 5], RunError> {
        let mut counters = counters(seed, self.step)?;
        // Room for as many repetitions as `times` may ask for.
        let repetition = (self.phase as u32) << 20 | self.repetition as u32;
        counters[3] = f64::from(repetition as i32);
        Ok(counters)
    }
}

/// Numbers of the host for a moment of a step, and what its draws are counted by.
pub fn feed_host(
    program: &Program,
    schedule: Schedule,
    moment: Moment,
    device: &mut dyn Device,
    id: PlanId,
) -> Result<(), RunError> {
    for (host, input) in &program.hosts {
        device.set_host(id, *input as u32, moment.host(*host, schedule) as f64);
    }
    device.write_numbers(id, program.draws as u32, &moment.counters(schedule.seed)?);
    Ok(())
}

/// What the host gives for a number of its own in an evaluation.
pub fn host_value(host: Host, schedule: Schedule, step: u64, epoch: u64) -> u64 {
    match host {
        Host::Step => step,
        Host::Epoch => epoch,
        Host::Steps => schedule.steps,
        Host::Epochs => schedule.epochs,
        Host::Updates => step + 1,
        Host::Training => 0,
    }
}

/// What the draws of an evaluation are counted by, which are the same after any step: the split stands where the last steps that can be
/// counted would. New rows are a split of their own.
pub fn counters_of_split(seed: u64, split: &str) -> Result<[f64; 5], RunError> {
    let place = SPLITS.iter().position(|own| *own == split).unwrap_or(SPLITS.len());
    counters(seed, u64::from(u32::MAX) - place as u64)
}

/// What draws are counted by: seed (low, high), step, repetition, first row; each the bits of an int.
pub fn counters(seed: u64, step: u64) -> Result<[f64; 5], RunError> {
    let step = u32::try_from(step).map_err(|_| "more steps than can be counted".to_string())?;
    Ok([seed as u32, (seed >> 32) as u32, step, 0, 0].map(|bits| f64::from(bits as i32)))
}

/// The graph of a batch of so many rows of each data set.
pub fn settle(program: &Program, rows: &[usize]) -> Graph {
    program.graph.settle(&program.of_rows(rows))
}
