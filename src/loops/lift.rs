//! An operation of a body, done for all steps at once: the steps are a further axis, the first one.

use crate::ir::{Class, Graph, NodeId, Op, ScanBuilder, Size};
use std::collections::HashMap;

/// A value of the body as it is outside of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifted {
    /// The same in each step.
    Same(NodeId),
    /// With the steps as first axis.
    Each(NodeId),
}

/// What is known of a body outside of its loop.
pub struct Outside {
    steps: Size,
    index: NodeId,
    known: HashMap<NodeId, Lifted>,
    body: Graph,
}

impl Outside {
    pub fn of(built: &ScanBuilder) -> Outside {
        let captures = built.captures.iter().map(|(outer, inside)| (*inside, Lifted::Same(*outer)));
        let slices = built.slices.iter().map(|(outer, inside)| (*inside, Lifted::Each(*outer)));
        Outside {
            steps: built.steps.clone(),
            index: built.index,
            known: captures.chain(slices).collect(),
            body: built.body.clone(),
        }
    }

    /// The body has grown.
    pub fn follow(&mut self, built: &ScanBuilder) {
        self.body = built.body.clone();
    }

    pub fn body(&self) -> &Graph {
        &self.body
    }

    /// What the loop gives of each step.
    pub fn know(&mut self, stacked: &HashMap<NodeId, NodeId>) {
        for (inside, outer) in stacked {
            self.known.entry(*inside).or_insert(Lifted::Each(*outer));
        }
    }

    /// A node of the body; what it is made of is lifted with it. As it is in each step, where nothing can be lifted: that does not
    /// happen to what [`can_lift`] says can be, made of what is known.
    pub fn lift(&mut self, graph: &mut Graph, node: NodeId) -> Lifted {
        let given: Vec<NodeId> = self.known.keys().copied().collect();
        if !self.known.contains_key(&node) {
            for id in self.body.needed_behind(&given, &[node]) {
                let made = if id == self.index {
                    Some(Lifted::Each(graph.add(Op::Iota { shape: vec![self.steps.clone()], axis: 0 }, Vec::new())))
                } else {
                    let inputs = self.body.node(id).inputs.iter().map(|input| self.known.get(input).copied()).collect();
                    inputs_lifted(graph, &self.steps, &self.body, id, inputs)
                };
                made.into_iter().for_each(|made| {
                    self.known.insert(id, made);
                });
            }
        }
        self.known.get(&node).copied().unwrap_or(Lifted::Same(node))
    }

    /// The same with an axis of the steps, whether they differ or not.
    pub fn each(&mut self, graph: &mut Graph, node: NodeId) -> NodeId {
        let lifted = self.lift(graph, node);
        stretched(graph, &self.steps, lifted)
    }
}

fn inputs_lifted(
    graph: &mut Graph,
    steps: &Size,
    body: &Graph,
    id: NodeId,
    inputs: Option<Vec<Lifted>>,
) -> Option<Lifted> {
    let (op, inputs) = (&body.node(id).op, inputs?);
    let same = |lifted: &Lifted| if let Lifted::Same(node) = lifted { Some(*node) } else { None };
    if let Some(inputs) = inputs.iter().map(same).collect::<Option<Vec<NodeId>>>() {
        return Some(Lifted::Same(graph.add(op.clone(), inputs)));
    }
    lifted(graph, steps, op, &inputs).map(Lifted::Each)
}

fn stretched(graph: &mut Graph, steps: &Size, lifted: Lifted) -> NodeId {
    match lifted {
        Lifted::Each(node) => node,
        Lifted::Same(node) => {
            let own = graph.shape(node);
            let (shape, kept) = ([std::slice::from_ref(steps), own].concat(), (1..=own.len()).collect());
            graph.broadcast(shape, kept, node)
        }
    }
}

/// Whether a node can be lifted if its operands can; `differs` if one of them differs from step to step. What may have no value stays
/// where it is: a loop without steps does not compute it.
pub fn can_lift(body: &Graph, id: NodeId, differs: bool) -> bool {
    let op = &body.node(id).op;
    if matches!(op, Op::Gather { .. }) {
        // Without steps there are no places that could be outside.
        return differs;
    }
    if op.fault(body.dtype(id)).is_some() {
        return false;
    }
    match op.class() {
        Class::Elementwise | Class::View | Class::Copy | Class::Reduction | Class::Order => true,
        Class::Product => !differs || matches!(op, Op::Dot { .. }),
        Class::Leaf | Class::Draw | Class::Body => !differs,
    }
}

/// An operation of which at least one operand has the steps as first axis.
fn lifted(graph: &mut Graph, steps: &Size, op: &Op, operands: &[Lifted]) -> Option<NodeId> {
    let long = |shape: &[Size]| [std::slice::from_ref(steps), shape].concat();
    let further = |axes: &[usize]| axes.iter().map(|axis| axis + 1).collect::<Vec<usize>>();
    let first = |axes: &[usize]| [vec![0], further(axes)].concat();
    let op = match op {
        Op::Dot { batch, contracted } => {
            let [a, b] = operands else { return None };
            return Some(dot(graph, batch, contracted, *a, *b));
        }
        Op::Gather { batch: 0 } if let [Lifted::Same(table), Lifted::Each(places)] = operands => {
            return Some(graph.add(Op::Gather { batch: 0 }, vec![*table, *places]));
        }
        Op::Scalar(_) | Op::StopGradient => op.clone(),
        Op::Reduce(reduce, axes) => Op::Reduce(*reduce, further(axes)),
        Op::ArgMax(axis) => Op::ArgMax(axis + 1),
        Op::CumSum { axis, reverse } => Op::CumSum { axis: axis + 1, reverse: *reverse },
        Op::ArgSort(axis) => Op::ArgSort(axis + 1),
        Op::Reshape(shape) => Op::Reshape(long(shape)),
        Op::Permute(order) => Op::Permute(first(order)),
        Op::Broadcast { shape, kept } => Op::Broadcast { shape: long(shape), kept: first(kept) },
        Op::Slice { axis, start, count, step } => {
            Op::Slice { axis: axis + 1, start: start.clone(), count: count.clone(), step: *step }
        }
        Op::Pad { axis, low, high, between } => {
            Op::Pad { axis: axis + 1, low: low.clone(), high: high.clone(), between: *between }
        }
        Op::Window { axis, size, stride, dilation } => {
            Op::Window { axis: axis + 1, size: size.clone(), stride: *stride, dilation: *dilation }
        }
        Op::Fold { axis, length, stride, dilation } => {
            Op::Fold { axis: axis + 1, length: length.clone(), stride: *stride, dilation: *dilation }
        }
        Op::Concat(axis) => Op::Concat(axis + 1),
        Op::Gather { batch } => Op::Gather { batch: batch + 1 },
        Op::ScatterAdd { batch, size } => Op::ScatterAdd { batch: batch + 1, size: size.clone() },
        Op::Input { .. }
        | Op::Constant(_)
        | Op::SizeOf(_)
        | Op::Iota { .. }
        | Op::Random { .. }
        | Op::Cholesky
        | Op::TriangularSolve { .. }
        | Op::Call(..)
        | Op::Scan(..) => return None,
    };
    let operands = operands.iter().map(|operand| stretched(graph, steps, *operand)).collect();
    Some(graph.add(op, operands))
}

type Pairs = [(usize, usize)];

/// A product in each step. With a matrix that is the same in all of them it is one product of more rows.
fn dot(graph: &mut Graph, batch: &Pairs, contracted: &Pairs, a: Lifted, b: Lifted) -> NodeId {
    let moved = |by: (usize, usize)| {
        let all = |pairs: &Pairs| pairs.iter().map(|(i, j)| (i + by.0, j + by.1)).collect::<Vec<_>>();
        (all(batch), all(contracted))
    };
    let (made, steps_at) = match (a, b) {
        (Lifted::Each(a), Lifted::Each(b)) => {
            let (batch, contracted) = moved((1, 1));
            (graph.dot([vec![(0, 0)], batch].concat(), contracted, a, b), 0)
        }
        (Lifted::Each(a), Lifted::Same(b)) => {
            let (batch, contracted) = moved((1, 0));
            let at = batch.len();
            (graph.dot(batch, contracted, a, b), at)
        }
        (Lifted::Same(a), Lifted::Each(b)) => {
            let (batch, contracted) = moved((0, 1));
            let at = graph.shape(a).len() - contracted.len();
            (graph.dot(batch, contracted, a, b), at)
        }
        (Lifted::Same(a), Lifted::Same(b)) => (graph.dot(batch.to_vec(), contracted.to_vec(), a, b), 0),
    };
    let rank = graph.shape(made).len();
    graph.permute(std::iter::once(steps_at).chain((0..rank).filter(|axis| *axis != steps_at)).collect(), made)
}

/// The sum over all steps of a product in each of them.
pub fn dot_over_steps(graph: &mut Graph, batch: &Pairs, contracted: &Pairs, a: Lifted, b: Lifted) -> Option<NodeId> {
    let further = |pairs: &Pairs| pairs.iter().map(|(i, j)| (i + 1, j + 1)).collect::<Vec<_>>();
    let mut sum = |node: NodeId| graph.reduce(crate::ir::Reduce::Sum, vec![0], node);
    let (a, b) = match (a, b) {
        (Lifted::Each(a), Lifted::Each(b)) => {
            return Some(graph.dot(further(batch), [vec![(0, 0)], further(contracted)].concat(), a, b));
        }
        (Lifted::Each(a), Lifted::Same(b)) => (sum(a), b),
        (Lifted::Same(a), Lifted::Each(b)) => (a, sum(b)),
        (Lifted::Same(_), Lifted::Same(_)) => return None,
    };
    Some(graph.dot(batch.to_vec(), contracted.to_vec(), a, b))
}
