//! What the memory of a step holds when it is fullest: how much of each kind, and the largest of it by the text that asks for it.

use crate::ir::{NodeId, Op, elements};
use crate::lower::program::{Input, Phase, Program};
use crate::plan::{Held, Output, Plan};
use crate::run::memory::{settled, size};
use crate::source::Span;
use std::collections::{BTreeMap, HashSet};

/// Buffers that are less than this part of the memory are not named.
const PART: usize = 200;

/// Kinds that are less than this part of it are left out of a line.
const WORTH_A_WORD: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What the loss is made of.
    Values,
    /// What only gradients and next values are made of.
    Slopes,
    Gradients,
    Parameters,
    /// Of optimizers and layers, and fitted values that steps read.
    States,
    Batch,
    /// Between buffers.
    Gaps,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Values => "values of the model",
            Kind::Slopes => "values for gradients",
            Kind::Gradients => "gradients",
            Kind::Parameters => "parameters",
            Kind::States => "states",
            Kind::Batch => "batch",
            Kind::Gaps => "gaps",
        }
    }
}

/// Buffers of one size that one text asks for, in layers of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub kind: Kind,
    pub count: usize,
    /// Of each.
    pub bytes: usize,
    pub shape: String,
    /// The layer of the nearest parameter before it; of a gradient the parameter, of the batch the column.
    pub layer: Option<String>,
    /// In the program or in the library.
    pub place: Option<Span>,
}

pub struct Contents {
    pub bytes: usize,
    /// The largest first; none is 0.
    pub kinds: Vec<(Kind, usize)>,
    /// The largest first.
    pub items: Vec<Item>,
}

impl Contents {
    /// `61.7 MiB: 36.5 MiB values of the model, 8.5 MiB states, …; most in conv_1, 9.0 MiB`
    pub fn line(&self) -> String {
        let worth = |(_, bytes): &&(Kind, usize)| *bytes >= self.bytes / WORTH_A_WORD;
        let kinds = self.kinds.iter().filter(worth);
        let kinds: Vec<String> =
            kinds.map(|(kind, bytes)| format!("{} {}", size(*bytes as u64), kind.name())).collect();
        let most = self.items.iter().find_map(|item| Some((item.layer.as_ref()?, (item.count * item.bytes) as u64)));
        let most = most.map_or(String::new(), |(layer, bytes)| format!("; most in {layer}, {}", size(bytes)));
        format!("{}: {}{most}", size(self.bytes as u64), kinds.join(", "))
    }
}

/// A buffer that lies there when most does.
struct Buffer {
    kind: Kind,
    node: Option<NodeId>,
    bytes: usize,
    /// The column or the parameter that it is of.
    of: Option<String>,
}

/// What lies in the plan of a phase, on so many rows of each data set.
pub fn contents(program: &Program, phase: Option<&Phase>, plan: &Plan, rows: &[usize]) -> Contents {
    let rows = program.of_rows(rows);
    let shape = |node: NodeId| settled(program.graph.node(node), &rows).shape;
    let count = |node: NodeId| elements(&shape(node)).settled().unwrap_or(0).max(0) as usize;
    let buffers = buffers(program, phase, plan, &count);
    let parameters: usize = program.params.iter().map(|param| 4 * param.shape.iter().product::<usize>()).sum();
    let mut kinds = BTreeMap::from([
        (Kind::Parameters, parameters.min(plan.resident)),
        (Kind::States, plan.resident.saturating_sub(parameters)),
        (Kind::Gaps, plan.scratch.saturating_sub(buffers.iter().map(|buffer| buffer.bytes).sum())),
    ]);
    buffers.iter().for_each(|buffer| *kinds.entry(buffer.kind).or_default() += buffer.bytes);
    let mut kinds: Vec<(Kind, usize)> = kinds.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    kinds.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let shown =
        |node: NodeId| format!("[{}]", shape(node).iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let items = items(program, buffers, plan.arena() / PART, &shown);
    Contents { bytes: plan.arena(), kinds, items }
}

fn buffers(program: &Program, phase: Option<&Phase>, plan: &Plan, count: &dyn Fn(NodeId) -> usize) -> Vec<Buffer> {
    let loss = phase.map(|phase| program.graph.needed(&[phase.loss]));
    let loss: HashSet<NodeId> = loss.into_iter().flatten().collect();
    let params = phase.iter().flat_map(|phase| &phase.gradients).map(|(param, _)| *param);
    // The loss is the first root, gradients follow.
    let gradients: Vec<(Output, usize)> = plan.outputs.iter().skip(1).copied().zip(params).collect();
    let buffer = |held: &Held| {
        let len = plan.buffer(held.buffer).len;
        let nodes = held.made.map_or(&[][..], |made| &plan.kernels[made].nodes);
        // Of the nodes of its kernel the last that has as many elements.
        let node = nodes.iter().rev().find(|node| count(**node) == len).or(nodes.last()).copied();
        let input = plan.inputs.iter().find(|(_, input)| *input == held.buffer);
        let gradient = gradients.iter().find(|(output, _)| *output == Output::Buffer(held.buffer));
        let (kind, of) = match (input, gradient, node) {
            (Some((number, _)), ..) => (Kind::Batch, column(program, *number)),
            (None, Some((_, param)), _) => (Kind::Gradients, Some(program.params[*param].path.clone())),
            (None, None, Some(node)) if !loss.contains(&node) => (Kind::Slopes, None),
            (None, None, Some(_) | None) => (Kind::Values, None),
        };
        Buffer { kind, node, bytes: plan.buffer(held.buffer).bytes(), of }
    };
    plan.held_most().iter().map(buffer).collect()
}

/// The column that an input is.
fn column(program: &Program, number: u32) -> Option<String> {
    match program.inputs.get(number as usize)? {
        Input::Column(at) => Some(program.columns[*at].name.clone()),
        Input::Draws
        | Input::Host(_)
        | Input::Raw(_)
        | Input::Fit(_)
        | Input::Param(_)
        | Input::State(_)
        | Input::Next(_)
        | Input::Once(_) => None,
    }
}

/// The largest buffers, those of one name as one.
fn items(program: &Program, mut buffers: Vec<Buffer>, least: usize, shown: &dyn Fn(NodeId) -> String) -> Vec<Item> {
    buffers.retain(|buffer| buffer.bytes >= least.max(1));
    buffers.sort_by_key(|buffer| std::cmp::Reverse(buffer.bytes));
    let readers = program.readers();
    let mut items: Vec<Item> = Vec::new();
    for Buffer { kind, node, bytes, of } in buffers {
        let place = node.and_then(|node| match kind {
            Kind::Values => program.place(&readers, node, &|_| true),
            Kind::Slopes => slope_of(program, node),
            Kind::Gradients | Kind::Parameters | Kind::States | Kind::Batch | Kind::Gaps => None,
        });
        let layer = of.or_else(|| layer_of(program, node?)).map(|path| of_all(&path));
        let same = |item: &&mut Item| (item.kind, item.place, &item.layer, item.bytes) == (kind, place, &layer, bytes);
        match items.iter_mut().find(same) {
            Some(item) => item.count += 1,
            None => items.push(Item { kind, count: 1, bytes, shape: node.map_or(String::new(), shown), layer, place }),
        }
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.count * item.bytes));
    items
}

/// A path with the numbers of repetitions left open: `block_1.*.conv_1`.
fn of_all(path: &str) -> String {
    let open = |part: &str| part.bytes().all(|sign| sign.is_ascii_digit());
    path.split('.').map(|part| if open(part) { "*" } else { part }).collect::<Vec<_>>().join(".")
}

/// What the gradient adds has no place of its own: it is the slope of something that it reads.
fn slope_of(program: &Program, node: NodeId) -> Option<Span> {
    before(program, node, |node| program.places.get(&node).copied())
}

/// The layer of the parameter that is nearest before a node.
fn layer_of(program: &Program, node: NodeId) -> Option<String> {
    let param = before(program, node, |node| {
        let Op::Input { number, .. } = program.graph.node(node).op else { return None };
        program.params.iter().find(|param| param.input == number as usize)
    })?;
    param.path.rsplit_once('.').map(|(layer, _)| layer.to_string())
}

/// Of a node and what it reads the first that has something, the nearest first.
fn before<T>(program: &Program, node: NodeId, of: impl Fn(NodeId) -> Option<T>) -> Option<T> {
    let (mut nodes, mut seen) = (vec![node], HashSet::from([node]));
    while !nodes.is_empty() {
        if let Some(found) = nodes.iter().find_map(|node| of(*node)) {
            return Some(found);
        }
        let inputs = nodes.iter().flat_map(|node| &program.graph.node(*node).inputs).copied();
        nodes = inputs.filter(|input| seen.insert(*input)).collect();
    }
    None
}
