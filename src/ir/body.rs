//! Closed graphs inside a graph, and what runs them: a call, and a loop.
//!
//! A body reads its own inputs, numbered from 0, and nothing else: what it wants of the graph around it is an operand (a
//! capture). So it can be compared, moved, differentiated and run without looking around.
//!
//! A node is one tensor. An operation that runs a body has several results, and each of them is a node of its own: the
//! same operation on the same operands, with another part. Such nodes are *siblings*; [`Graph::needed`] puts them next
//! to each other, and whoever computes one computes all of them at once ([`Graph::families`]). Whatever looks at single
//! nodes need not know of this. A result that no root needs costs nothing, so a loop offers more than its body gives: its
//! carries before each step, which only a gradient reads.

use super::graph::{Graph, NodeId};
use super::hash::quick;
use super::op::{DType, Op};
use super::shape::Shaped;
use super::size::Size;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// In the place of a result that the graph of the body does not have.
const NOWHERE: NodeId = NodeId(u32::MAX);

/// Two bodies are equal if they are built alike.
#[derive(Clone, Debug)]
pub struct Body {
    /// Node `i` is input `i`; what no result needs is not there.
    graph: Graph,
    inputs: usize,
    results: Vec<NodeId>,
    hash: u64,
}

impl Body {
    /// What computes `results` from `inputs`, which are nodes of a graph, whatever they are there.
    pub fn new(graph: &Graph, inputs: &[NodeId], results: &[NodeId]) -> Body {
        let mut own = Graph::default();
        let mut made: HashMap<NodeId, NodeId> = HashMap::new();
        for (number, input) in inputs.iter().enumerate() {
            let shaped = graph.node(*input).shaped.clone();
            made.insert(*input, own.input(number as u32, shaped.dtype, shaped.shape));
        }
        for id in graph.needed_behind(inputs, results) {
            let node = graph.node(id);
            let mut op = node.op.clone();
            if let Op::Input { number, .. } = &mut op {
                // An input that is not told stays one that the body does not have.
                *number = number.saturating_add(inputs.len() as u32);
            }
            let operands = node.inputs.iter().map(|input| made[input]).collect();
            made.insert(id, own.add(op, operands));
        }
        let results = results.iter().map(|result| made.get(result).copied().unwrap_or(NOWHERE)).collect();
        Body::of(own, inputs.len(), results)
    }

    fn of(graph: Graph, inputs: usize, results: Vec<NodeId>) -> Body {
        let nodes = graph.nodes().fold(0, |hash, (_, node)| quick(&(hash, &node.op, &node.inputs)));
        let hash = quick(&(nodes, inputs, &results));
        Body { graph, inputs, results, hash }
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What it takes, by number.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = &Shaped> {
        (0..self.inputs).map(|number| &self.graph.node(NodeId(number as u32)).shaped)
    }

    pub fn results(&self) -> &[NodeId] {
        &self.results
    }

    pub fn result(&self, at: usize) -> Option<&Shaped> {
        self.results.get(at).filter(|id| **id != NOWHERE).map(|id| &self.graph.node(*id).shaped)
    }

    /// Which inputs these of its results are made of.
    pub fn reads(&self, results: &[NodeId]) -> Vec<usize> {
        self.graph.needed(results).into_iter().map(|id| id.0 as usize).take_while(|id| *id < self.inputs).collect()
    }

    /// Whether it is closed and all its nodes are sound.
    pub fn verify(&self) -> Result<(), String> {
        for (id, node) in self.graph.nodes() {
            if let Op::Input { number, .. } = &node.op
                && (*number as usize >= self.inputs || NodeId(*number) != id)
            {
                let count = self.inputs;
                return Err(format!("the body reads {id} = {}, which is none of its {count} inputs", node.op));
            }
        }
        if let Some(at) = self.results.iter().position(|id| *id == NOWHERE) {
            return Err(format!("result {at} is no node of the body"));
        }
        self.graph.verify().map_err(|broken| format!("in the body, {broken}"))
    }

    /// The body with every size replaced; itself where that changes nothing.
    pub fn mapped(body: &Arc<Body>, f: &impl Fn(&Size) -> Size) -> Arc<Body> {
        let mapped = Body::of(body.graph.map_sizes(f), body.inputs, body.results.clone());
        if mapped == **body { Arc::clone(body) } else { Arc::new(mapped) }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        let nodes = || self.graph.nodes().zip(other.graph.nodes());
        self.hash == other.hash
            && (self.inputs, &self.results) == (other.inputs, &other.results)
            && self.graph.nodes().count() == other.graph.nodes().count()
            && nodes().all(|((_, a), (_, b))| a.op == b.op && a.inputs == b.inputs)
    }
}

impl Eq for Body {}

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// A loop. Operands: the first values of the carries; tensors that each step reads one slice of, along their first axis,
/// which has as many slices as there are steps; and captures, which all steps read whole. The body takes the place of
/// the step (an int), the carries, the slices, the captures; it gives the next carries, then what each step gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    pub steps: Size,
    /// From the last place to the first.
    pub reverse: bool,
    pub carries: usize,
    pub slices: usize,
    pub body: Arc<Body>,
}

/// A result of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A carry after all steps; its first value if there are none.
    Last(usize),
    /// What the steps give, each at its place of a new first axis.
    Each(usize),
    /// A carry as each step finds it, likewise.
    Before(usize),
}

impl Scan {
    /// Which results of the body some parts depend on, in ascending order: what else the body gives need not be computed.
    pub fn live(&self, parts: &[Part]) -> Vec<usize> {
        let mut live: Vec<usize> = parts
            .iter()
            .map(|part| match part {
                Part::Last(carry) | Part::Before(carry) => *carry,
                Part::Each(each) => self.carries + each,
            })
            .collect();
        loop {
            live.sort_unstable();
            live.dedup();
            let results: Vec<NodeId> = live.iter().map(|at| self.body.results[*at]).collect();
            let carries = self.body.reads(&results).into_iter().filter(|input| (1..=self.carries).contains(input));
            let more: Vec<usize> = carries.map(|input| input - 1).filter(|carry| !live.contains(carry)).collect();
            if more.is_empty() {
                return live;
            }
            live.extend(more);
        }
    }
}

/// The shape rule of a call.
pub(super) fn call_rule(body: &Body, result: usize, operands: &[&Shaped]) -> Result<Shaped, String> {
    let inputs = body.inputs();
    if inputs.len() != operands.len() {
        return Err(format!("the body takes {} operands, not {}", inputs.len(), operands.len()));
    }
    for (at, (input, operand)) in inputs.zip(operands).enumerate() {
        agree(&format!("operand {at}"), operand, input)?;
    }
    body.result(result).cloned().ok_or_else(|| format!("the body has no result {result}"))
}

/// The shape rule of a loop.
pub(super) fn scan_rule(scan: &Scan, part: Part, operands: &[&Shaped]) -> Result<Shaped, String> {
    let (body, carries, slices) = (&scan.body, scan.carries, scan.slices);
    let mut inputs = body.inputs();
    if inputs.len() != operands.len() + 1 || operands.len() < carries + slices {
        let count = inputs.len();
        return Err(format!(
            "the body takes {count} inputs, and there are the step and {} operands: {carries} carries, {slices} slices and captures",
            operands.len()
        ));
    }
    if body.results.len() < carries {
        return Err(format!("the body gives {} of {carries} next carries", body.results.len()));
    }
    if scan.steps.settled().is_some_and(|steps| steps < 0) {
        return Err(format!("there are {} steps", scan.steps));
    }
    let step = Shaped { dtype: DType::Int, shape: Vec::new() };
    inputs.next().map_or(Ok(()), |input| agree("the step", &step, input))?;
    for (at, (operand, input)) in operands.iter().zip(inputs).enumerate() {
        if at < carries {
            agree(&format!("the first carry {at}"), operand, input)?;
            body.result(at).map_or(Ok(()), |next| agree(&format!("the next carry {at}"), next, input))?;
        } else if at < carries + slices {
            let at = at - carries;
            let Some((length, rest)) = operand.shape.split_first() else {
                return Err(format!("tensor {at} is {operand}, which has no axis to be read along"));
            };
            if *length != scan.steps {
                return Err(format!("tensor {at} has {length} slices, and there are {} steps", scan.steps));
            }
            agree(&format!("slice {at}"), &Shaped { dtype: operand.dtype, shape: rest.to_vec() }, input)?;
        } else {
            agree(&format!("capture {}", at - carries - slices), operand, input)?;
        }
    }
    let stacked = |one: &Shaped| Shaped {
        dtype: one.dtype,
        shape: [std::slice::from_ref(&scan.steps), one.shape.as_slice()].concat(),
    };
    let carry = |at: usize| operands[..carries].get(at).copied();
    let result = match part {
        Part::Last(at) => carry(at).cloned(),
        Part::Before(at) => carry(at).map(stacked),
        Part::Each(at) => body.result(carries + at).map(stacked),
    };
    result.ok_or_else(|| format!("there is no {part:?}"))
}

fn agree(what: &str, found: &Shaped, wanted: &Shaped) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found}, and the body takes {wanted}")) }
}
