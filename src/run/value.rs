//! One value of a session: on the training rows, by the present parameters, on the reference executor.

use crate::backend::{Tensor, reference};
use crate::ir::{NodeId, Op};
use crate::lower::program::{Value, of_rows};
use crate::run::memory;
use crate::run::opened::Opened;
use crate::run::params::Params;
use crate::run::schedule::Schedule;
use crate::run::steps::{counters, host_value};
use std::collections::BTreeSet;

/// What there is to read.
pub struct Present<'a> {
    pub data: Option<&'a Opened<'a>>,
    /// Trained parameters by path. Those that are not here, or have another shape, are at their start.
    pub weights: &'a Params,
    pub schedule: Schedule,
    /// Finished steps and epochs.
    pub step: u64,
    pub epoch: u64,
}

/// Computes a value, as long as that shall go on. What cannot be computed is told in words.
pub fn value(program: &Value, present: &Present, goes_on: &dyn Fn() -> bool) -> Result<Tensor, String> {
    let rows: Vec<&[usize]> = present.data.iter().flat_map(|data| &data.sets).map(|set| set.splits[0]).collect();
    let counts: Vec<usize> = rows.iter().map(|rows| rows.len()).collect();
    let graph = program.graph.settle(&of_rows(&program.rows, &counts));
    let inputs = |node: NodeId| -> BTreeSet<usize> {
        let number = |id: NodeId| match graph.node(id).op {
            Op::Input { number, .. } => Some(number as usize),
            _ => None,
        };
        graph.needed(&[node]).into_iter().filter_map(number).collect()
    };
    let trained = |path: &str, shape: &[usize]| present.weights.get(path).filter(|tensor| tensor.shape == shape);

    // What is read, and what that is computed from: the later before the earlier.
    let mut read = inputs(program.root);
    let computed = program.params.iter().filter(|param| trained(&param.path, &param.shape).is_none());
    let slots = program.columns.iter().rev().chain(program.fits.iter().rev());
    let steps: Vec<(usize, NodeId)> = computed
        .map(|param| (param.input, param.initial))
        .chain(slots.map(|slot| (slot.input, slot.value)))
        .filter(|(input, node)| {
            let wanted = read.contains(input);
            if wanted {
                read.extend(inputs(*node));
            }
            wanted
        })
        .collect();
    let roots: Vec<NodeId> = steps.iter().map(|(_, node)| *node).chain([program.root]).collect();
    memory::refuse_value(&graph, &roots)?;

    let mut feed = vec![Tensor::scalar(0.0); program.inputs];
    // Draws are those before the first step: starts are drawn then.
    let draws = counters(present.schedule.seed, 0).map_err(|error| error.message().to_string())?;
    feed[program.draws] = Tensor { shape: vec![5], values: draws.to_vec() };
    for (host, input) in &program.hosts {
        feed[*input] = Tensor::scalar(host_value(*host, present.schedule, present.step, present.epoch) as f64);
    }
    for (at, input) in program.raw.iter().enumerate().filter(|(_, input)| read.contains(input)) {
        if let Some(data) = present.data {
            feed[*input] = data.column(at, rows[program.raw_sets[at]]);
        }
    }
    let wholes = present.data.map(|data| &data.wholes);
    for slot in &program.fits {
        if let Some(whole) = wholes.and_then(|wholes| wholes.get(&slot.name)) {
            feed[slot.input] = whole.clone();
        }
    }
    for param in &program.params {
        if let Some(tensor) = trained(&param.path, &param.shape) {
            let values = tensor.values.iter().map(|value| f64::from(*value)).collect();
            feed[param.input] = Tensor { shape: tensor.shape.clone(), values };
        }
    }
    let one = |node: NodeId, feed: &[Tensor]| -> Result<Tensor, String> {
        let made = reference::run_while(&graph, &[node], feed, goes_on)?.pop();
        made.ok_or_else(|| "nothing was computed".to_string())
    };
    for (input, node) in steps.into_iter().rev() {
        feed[input] = one(node, &feed)?;
    }
    one(program.root, &feed)
}
