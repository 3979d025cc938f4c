//! Building loops, and calls of bodies.

use super::body::{Body, Part, Scan};
use super::graph::{Graph, NodeId};
use super::op::{DType, Op};
use super::size::Size;
use std::collections::HashMap;
use std::sync::Arc;

/// A loop in the making. Its body is built in a graph of its own; what comes into it is told along the way, and each
/// such method takes a node of the graph around the loop and gives what stands for it in the body.
pub struct ScanBuilder {
    pub body: Graph,
    /// The place of the step, an int.
    pub index: NodeId,
    pub steps: Size,
    pub reverse: bool,
    pub carries: Vec<Carry>,
    /// What is outside, and what stands for it in the body.
    pub slices: Vec<(NodeId, NodeId)>,
    pub captures: Vec<(NodeId, NodeId)>,
    pub each: Vec<NodeId>,
}

pub struct Carry {
    /// Its first value, outside.
    pub first: NodeId,
    pub now: NodeId,
    pub next: NodeId,
}

/// What a loop gives, in the order in which it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The carries after all steps.
    pub last: Vec<NodeId>,
    /// What the steps give, stacked.
    pub each: Vec<NodeId>,
}

impl ScanBuilder {
    pub fn new(steps: Size, reverse: bool) -> ScanBuilder {
        let mut body = Graph::default();
        let index = body.input(0, DType::Int, Vec::new());
        let (carries, slices, captures, each) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        ScanBuilder { body, index, steps, reverse, carries, slices, captures, each }
    }

    fn input(&mut self, dtype: DType, shape: Vec<Size>) -> NodeId {
        let number = 1 + self.carries.len() + self.slices.len() + self.captures.len();
        self.body.input(number as u32, dtype, shape)
    }

    /// A value that goes from step to step; as it is, unless [`ScanBuilder::next`] says what comes next.
    pub fn carry(&mut self, outside: &Graph, first: NodeId) -> NodeId {
        let now = self.input(outside.dtype(first), outside.shape(first).to_vec());
        self.carries.push(Carry { first, now, next: now });
        now
    }

    /// What a carry is in the next step.
    pub fn next(&mut self, now: NodeId, next: NodeId) {
        self.carries.iter_mut().filter(|carry| carry.now == now).for_each(|carry| carry.next = next);
    }

    /// The slice of a tensor that is at the place of the step along its first axis.
    pub fn slice(&mut self, outside: &Graph, tensor: NodeId) -> NodeId {
        let shape = outside.shape(tensor).iter().skip(1).cloned().collect();
        let slice = self.input(outside.dtype(tensor), shape);
        self.slices.push((tensor, slice));
        slice
    }

    /// A value that is the same in every step.
    pub fn capture(&mut self, outside: &Graph, value: NodeId) -> NodeId {
        if let Some((_, known)) = self.captures.iter().find(|(known, _)| *known == value) {
            return *known;
        }
        let inside = self.input(outside.dtype(value), outside.shape(value).to_vec());
        self.captures.push((value, inside));
        inside
    }

    /// A result of every step.
    pub fn give(&mut self, each: NodeId) {
        self.each.push(each);
    }

    /// What the body takes.
    pub fn inputs(&self) -> Vec<NodeId> {
        let carries = self.carries.iter().map(|carry| carry.now);
        let others = self.slices.iter().chain(&self.captures).map(|(_, inside)| *inside);
        std::iter::once(self.index).chain(carries).chain(others).collect()
    }

    /// What the body gives: the next carries, then what each step gives.
    pub fn results(&self) -> Vec<NodeId> {
        self.carries.iter().map(|carry| carry.next).chain(self.each.iter().copied()).collect()
    }

    /// Nodes of the body take the places of others.
    pub fn replace(&mut self, others: &HashMap<NodeId, NodeId>) {
        let nexts = self.carries.iter_mut().map(|carry| &mut carry.next);
        for node in nexts.chain(&mut self.each) {
            *node = *others.get(node).unwrap_or(node);
        }
    }

    /// The loop and its operands: first carries, slices, captures. What comes in need not be an input of the body: it is cut there.
    pub(super) fn close(mut self) -> (Scan, Vec<NodeId>) {
        let results = self.results();
        let read = self.body.read_behind(&self.inputs(), &results);
        let is_read = |(_, inside): &(NodeId, NodeId)| read.contains(inside);
        self.slices.retain(is_read);
        self.captures.retain(is_read);
        let carries = self.carries.iter().map(|carry| (carry.first, carry.now));
        let rest = self.slices.iter().chain(&self.captures).copied();
        let (operands, mut inputs): (Vec<NodeId>, Vec<NodeId>) = carries.chain(rest).unzip();
        inputs.insert(0, self.index);
        let scan = Scan {
            steps: self.steps,
            reverse: self.reverse,
            carries: self.carries.len(),
            slices: self.slices.len(),
            body: Arc::new(Body::new(&self.body, &inputs, &results)),
        };
        (scan, operands)
    }
}

impl Graph {
    /// The results of a loop. What its body does not read is no operand of it.
    pub fn scan(&mut self, built: ScanBuilder) -> Scanned {
        let (scan, operands) = built.close();
        let each = scan.body.results().len() - scan.carries;
        let scan = Arc::new(scan);
        let mut part = |part: Part| self.add(Op::Scan(Arc::clone(&scan), part), operands.clone());
        Scanned {
            last: (0..scan.carries).map(|at| part(Part::Last(at))).collect(),
            each: (0..each).map(|at| part(Part::Each(at))).collect(),
        }
    }

    /// The results of a body, computed by itself: nothing within is shared with the graph around it, and its gradient
    /// computes it anew instead of keeping what is within.
    pub fn call(&mut self, body: &Arc<Body>, operands: &[NodeId]) -> Vec<NodeId> {
        (0..body.results().len()).map(|at| self.add(Op::Call(Arc::clone(body), at), operands.to_vec())).collect()
    }

    /// The results of a body, its nodes among those of the graph.
    pub fn inline(&mut self, body: &Body, operands: &[NodeId]) -> Vec<NodeId> {
        let mut made: HashMap<NodeId, NodeId> = HashMap::new();
        for (id, node) in body.graph().nodes() {
            let known = match operands.get(id.0 as usize) {
                Some(operand) => *operand,
                None => self.add(node.op.clone(), node.inputs.iter().map(|input| made[input]).collect()),
            };
            made.insert(id, known);
        }
        body.results().iter().map(|result| made[result]).collect()
    }
}
