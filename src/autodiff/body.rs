//! Rules of bodies. What runs backwards computes the body anew from what the body was given, and keeps nothing of what is within a
//! call. Of a loop it reads the carries before each step, and what the steps gave where that would be dear to compute anew: of those
//! the ones that the gradient reads.

use super::{backward, reached, rules::contributions};
use crate::ir::{Body, Carry, DType, Graph, NodeId, Op, Part, ScalarOp, Scan, ScanBuilder, Shaped};
use crate::loops;
use std::sync::Arc;

/// A call gets a call: of a body that computes the first one's values and, from the gradients by its results, those by
/// its operands.
pub(super) fn call(
    graph: &mut Graph,
    body: &Body,
    inputs: &[NodeId],
    of: &[(NodeId, NodeId)],
    wanted: &[bool],
) -> Vec<Option<NodeId>> {
    let mut inside = Inside::default();
    let own: Vec<NodeId> = body.inputs().map(|shaped| inside.input(shaped)).collect();
    let given: Vec<NodeId> = of.iter().map(|(_, g)| inside.input(&graph.node(*g).shaped)).collect();
    let values = inside.graph.inline(body, &own);
    let mut seeds = Vec::new();
    for ((id, _), given) in of.iter().zip(&given) {
        if let Op::Call(_, result) = &graph.node(*id).op {
            seeds.push((values[*result], *given));
        }
    }
    let by: Vec<NodeId> = chosen(&own, wanted);
    let found = backward(&mut inside.graph, &seeds, &by, &contributions);
    let results: Vec<NodeId> = found.iter().copied().flatten().collect();
    let read = inside.graph.needed(&results);
    let outside = inputs.iter().copied().chain(of.iter().map(|(_, g)| *g));
    let (operands, taken): (Vec<NodeId>, Vec<NodeId>) =
        outside.zip(own.iter().chain(&given).copied()).filter(|(_, input)| read.contains(input)).unzip();
    let body = Arc::new(Body::new(&inside.graph, &taken, &results));
    let mut made = graph.call(&body, &operands).into_iter();
    let mut found = found.into_iter();
    wanted.iter().map(|wanted| if *wanted { found.next()?.and_then(|_| made.next()) } else { None }).collect()
}

/// A loop gets a loop that runs the other way. It carries the gradients by the carries and, for each capture, their sum;
/// it reads slices of what the first loop read and of the gradients by what its steps gave; its steps give the gradients
/// by slices.
pub(super) fn scan(
    graph: &mut Graph,
    scan: &Arc<Scan>,
    inputs: &[NodeId],
    of: &[(NodeId, NodeId)],
    wanted: &[bool],
) -> Vec<Option<NodeId>> {
    let mut arrived: Vec<(Part, NodeId)> = Vec::new();
    for (id, g) in of {
        if let Op::Scan(_, part) = graph.node(*id).op {
            arrived.push((part, *g));
        }
    }
    let through = through(scan, wanted);
    // Carries whose gradient is carried: those that one arrives at, then all that get one from those.
    let mut active: Vec<usize> = Vec::new();
    for (part, _) in &arrived {
        if let Part::Last(carry) | Part::Before(carry) = part
            && through[*carry]
        {
            active.push(*carry);
        }
    }
    let step = loop {
        active.sort_unstable();
        active.dedup();
        let step = step_back(graph, scan, &arrived, &through, &active);
        let more: Vec<usize> =
            (0..scan.carries).filter(|carry| step.by[*carry].is_some() && !active.contains(carry)).collect();
        if more.is_empty() {
            break step;
        }
        active.extend(more);
    };
    assemble(graph, scan, inputs, &arrived, &active, step)
}

/// One step backwards.
struct Step {
    inside: Inside,
    /// What the step forwards took: its place, and of each operand what it saw.
    own: Vec<NodeId>,
    /// The gradients by the active carries after the step.
    after: Vec<NodeId>,
    /// The gradients that arrive in this step, if any, for each that arrives at all.
    given: Vec<Option<NodeId>>,
    /// The gradient by what the step took of each operand.
    by: Vec<Option<NodeId>>,
    /// What the step forwards gave, and this one reads instead of computing it anew: by number.
    kept: Vec<(usize, NodeId)>,
}

fn step_back(graph: &Graph, scan: &Scan, arrived: &[(Part, NodeId)], through: &[bool], active: &[usize]) -> Step {
    let mut inside = Inside::default();
    let own: Vec<NodeId> = scan.body.inputs().map(|shaped| inside.input(shaped)).collect();
    let after: Vec<NodeId> = active.iter().map(|carry| inside.like(own[1 + carry])).collect();
    let mut given = Vec::new();
    for (part, g) in arrived {
        let Shaped { dtype, shape } = &graph.node(*g).shaped;
        let slice = Shaped { dtype: *dtype, shape: shape.iter().skip(1).cloned().collect() };
        given.push(if let Part::Last(_) = part { None } else { Some(inside.input(&slice)) });
    }
    // The whole gradient by what is both carried and given is there before the step forwards is computed anew: a loop over elements
    // that reads both is then one, and does not keep what the step forwards makes for another.
    for ((part, _), given) in arrived.iter().zip(&given) {
        let of = |each: usize| scan.body.results()[scan.carries + each];
        let is_given = |carry: &usize| matches!(part, Part::Each(each) if of(*each) == scan.body.results()[*carry]);
        if let (Some(at), Some(given)) = (active.iter().position(is_given), given) {
            inside.graph.binary(ScalarOp::Add, after[at], *given);
        }
    }
    let values = inside.graph.inline(&scan.body, &own);
    let mut seeds: Vec<(NodeId, NodeId)> = active.iter().map(|carry| values[*carry]).zip(after.clone()).collect();
    for ((part, _), given) in arrived.iter().zip(&given) {
        if let (Part::Each(each), Some(given)) = (part, given) {
            seeds.push((values[scan.carries + each], *given));
        }
    }
    let found = backward(&mut inside.graph, &seeds, &chosen(&own[1..], through), &contributions);
    let mut found = found.into_iter();
    let mut by: Vec<Option<NodeId>> =
        through.iter().map(|through| if *through { found.next().flatten() } else { None }).collect();
    // What a carry was before the step is read there, and by whoever read it as a result.
    for ((part, _), given) in arrived.iter().zip(&given) {
        if let (Part::Before(carry), Some(given)) = (part, given)
            && through[*carry]
        {
            by[*carry] = Some(inside.sum(by[*carry], *given));
        }
    }
    let of_body = scan.body.results().iter().zip(&values).skip(scan.carries).enumerate();
    let kept = of_body.filter(|(_, (result, _))| loops::is_dear(scan.body.graph(), **result));
    let kept = kept.map(|(each, (_, value))| (each, *value)).collect();
    Step { inside, own, after, given, by, kept }
}

/// The loop of such steps, and what of it each operand gets.
fn assemble(
    graph: &mut Graph,
    scan: &Arc<Scan>,
    inputs: &[NodeId],
    arrived: &[(Part, NodeId)],
    active: &[usize],
    mut step: Step,
) -> Vec<Option<NodeId>> {
    let (rest, whole) = (scan.carries..scan.carries + scan.slices, scan.carries + scan.slices..inputs.len());
    let zeros = |graph: &mut Graph, like: NodeId| {
        let shape = graph.shape(like).to_vec();
        graph.fill(0.0, shape)
    };
    let mut carries = Vec::new();
    for (carry, after) in active.iter().zip(&step.after) {
        let last = arrived.iter().find(|(part, _)| *part == Part::Last(*carry)).map(|(_, g)| *g);
        let first = last.unwrap_or_else(|| zeros(graph, inputs[*carry]));
        let next = step.by[*carry].unwrap_or_else(|| zeros(&mut step.inside.graph, *after));
        carries.push(Carry { first, now: *after, next });
    }
    for capture in whole.clone() {
        if let Some(part) = step.by[capture] {
            let now = step.inside.like(part);
            let next = step.inside.sum(Some(now), part);
            carries.push(Carry { first: zeros(graph, inputs[capture]), now, next });
        }
    }
    let each: Vec<NodeId> = rest.clone().filter_map(|slice| step.by[slice]).collect();
    if carries.is_empty() && each.is_empty() {
        return vec![None; inputs.len()];
    }
    let results: Vec<NodeId> = carries.iter().map(|carry| carry.next).chain(each.iter().copied()).collect();
    let given = step.given.iter().copied().flatten();
    let inputs_of_step = step.own.iter().chain(&step.after).copied().chain(given);
    let inputs_of_step: Vec<NodeId> = inputs_of_step.chain(step.kept.iter().map(|(_, value)| *value)).collect();
    let read = step.inside.graph.read_behind(&inputs_of_step, &results);
    let is_read = |input: NodeId| read.contains(&input);
    let mut slices = Vec::new();
    for (each, value) in step.kept.iter().filter(|(_, value)| is_read(*value)) {
        slices.push((graph.add(Op::Scan(Arc::clone(scan), Part::Each(*each)), inputs.to_vec()), *value));
    }
    for carry in (0..scan.carries).filter(|carry| is_read(step.own[1 + carry])) {
        let before = graph.add(Op::Scan(Arc::clone(scan), Part::Before(carry)), inputs.to_vec());
        slices.push((before, step.own[1 + carry]));
    }
    slices.extend(rest.clone().map(|slice| (inputs[slice], step.own[1 + slice])));
    slices.extend(arrived.iter().zip(&step.given).filter_map(|((_, g), given)| given.map(|given| (*g, given))));
    let captures = whole.clone().map(|capture| (inputs[capture], step.own[1 + capture])).collect();
    let scanned = loops::scan(
        graph,
        ScanBuilder {
            body: step.inside.graph,
            index: step.own[0],
            steps: scan.steps.clone(),
            reverse: !scan.reverse,
            carries,
            slices,
            captures,
            each,
        },
    );
    let (mut last, mut each) = (scanned.last.into_iter(), scanned.each.into_iter());
    let mut gets = vec![None; inputs.len()];
    active.iter().for_each(|carry| gets[*carry] = last.next());
    whole.filter(|capture| step.by[*capture].is_some()).for_each(|capture| gets[capture] = last.next());
    rest.filter(|slice| step.by[*slice].is_some()).for_each(|slice| gets[slice] = each.next());
    gets
}

/// The operands that a gradient goes through: what is wanted, and carries that something wanted comes into on the way.
fn through(scan: &Scan, wanted: &[bool]) -> Vec<bool> {
    let graph = scan.body.graph();
    let order: Vec<NodeId> = graph.nodes().map(|(id, _)| id).collect();
    let inputs: Vec<NodeId> = (1..=wanted.len()).map(|input| NodeId(input as u32)).collect();
    let mut through = wanted.to_vec();
    loop {
        let reaches = reached(graph, &order, &chosen(&inputs, &through));
        let next = scan.body.results().iter().take(scan.carries);
        let more: Vec<usize> =
            next.enumerate().filter(|(at, id)| reaches[id.0 as usize] && !through[*at]).map(|(at, _)| at).collect();
        if more.is_empty() {
            return through;
        }
        more.into_iter().for_each(|carry| through[carry] = true);
    }
}

fn chosen(nodes: &[NodeId], which: &[bool]) -> Vec<NodeId> {
    nodes.iter().zip(which).filter(|(_, which)| **which).map(|(node, _)| *node).collect()
}

/// A graph that will be a body.
#[derive(Default)]
struct Inside {
    graph: Graph,
    inputs: u32,
}

impl Inside {
    fn input(&mut self, shaped: &Shaped) -> NodeId {
        self.inputs += 1;
        self.graph.input(self.inputs - 1, shaped.dtype, shaped.shape.clone())
    }

    /// A gradient by a node.
    fn like(&mut self, node: NodeId) -> NodeId {
        let shape = self.graph.shape(node).to_vec();
        self.input(&Shaped { dtype: DType::Float, shape })
    }

    fn sum(&mut self, a: Option<NodeId>, b: NodeId) -> NodeId {
        a.map_or(b, |a| self.graph.binary(ScalarOp::Add, a, b))
    }
}
