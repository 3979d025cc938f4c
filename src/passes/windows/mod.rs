//! Graphs in which nothing that overlaps is stored: what adds windows up, the gradients of convolutions and poolings, in terms of products,
//! slices and views.
//!
//! | file | what |
//! |---|---|
//! | `cheaper` | the same numbers for less |
//! | `fold` | windows of a product that are added up are a product of windows |
//! | `pick` | windows of few elements, element by element |
//! | `slice` | slices are taken before a product, not after it |
//! | `region` | masks that are a box of indices |
//! | `turn` | axes in another order, of operands instead of what is made from them |

mod cheaper;
mod fold;
mod pick;
mod region;
mod slice;
mod turn;

use super::Rewritten;
use crate::ir::{Graph, NodeId, Op, ScalarOp};

/// The graph for some roots; `None` if there is nothing in it to rewrite. Its sizes are numbers.
pub(super) fn rewritten(graph: &Graph, roots: &[NodeId]) -> Option<Rewritten> {
    let needed = graph.needed(roots);
    let may_change = |id: &NodeId| {
        matches!(graph.node(*id).op, Op::Window { .. } | Op::Fold { .. } | Op::Permute(_) | Op::Reduce(..))
    };
    if !needed.iter().any(may_change) {
        return None;
    }
    let mut readers = vec![0_u32; graph.nodes().len()];
    needed.iter().flat_map(|id| &graph.node(*id).inputs).for_each(|input| readers[input.0 as usize] += 1);
    roots.iter().for_each(|root| readers[root.0 as usize] += 1);
    let stored = turn::in_memory(graph, &needed, roots);
    let mut rewriter = Rewriter { graph: Graph::default(), origins: Vec::new(), readers, stored, at: NodeId(0) };
    let mut places = vec![None; graph.nodes().len()];
    for id in needed {
        let node = graph.node(id);
        let inputs: Vec<NodeId> = node.inputs.iter().filter_map(|input| places[input.0 as usize]).collect();
        rewriter.at = id;
        places[id.0 as usize] = Some(rewriter.node(&node.op, inputs));
    }
    Some(Rewritten { graph: rewriter.graph, places, origins: rewriter.origins })
}

struct Rewriter {
    graph: Graph,
    origins: Vec<NodeId>,
    /// How often each node of the graph before is read.
    readers: Vec<u32>,
    /// Whether something reads it from memory.
    stored: Vec<bool>,
    /// The node of the graph before that is being made.
    at: NodeId,
}

impl Rewriter {
    fn node(&mut self, op: &Op, inputs: Vec<NodeId>) -> NodeId {
        let better = match (op, &inputs[..]) {
            (Op::Fold { axis, length, stride, dilation }, [x]) => length.settled().and_then(|length| {
                self.folded(fold::Fold { axis: *axis, length, stride: *stride, dilation: *dilation }, *x)
            }),
            (Op::Slice { axis, start, count, step: 1 }, [x]) => start
                .settled()
                .zip(count.settled())
                .and_then(|(start, count)| self.sliced_before(slice::Cut { axis: *axis, start, count }, *x)),
            (Op::Scalar(ScalarOp::Select), [mask, yes, no]) => self.chosen(*mask, *yes, *no),
            (Op::Scalar(op), inputs) => self.before_repeated(*op, inputs).or_else(|| match (op, inputs) {
                (ScalarOp::Div, [a, b]) => self.product_of(*a, *b),
                _ => None,
            }),
            (Op::Reduce(reduce, axes), [x]) => {
                self.reduced(*reduce, axes, *x).or_else(|| self.reduced_last(*reduce, axes, *x))
            }
            (Op::Permute(order), [x]) if !self.stored[self.at.0 as usize] => self.turned(order, *x),
            _ => None,
        };
        better.unwrap_or_else(|| self.add(op.clone(), inputs))
    }

    fn add(&mut self, op: Op, inputs: Vec<NodeId>) -> NodeId {
        let id = self.graph.add(op, inputs);
        if self.origins.len() <= id.0 as usize {
            self.origins.resize(id.0 as usize + 1, self.at);
        }
        id
    }

    fn op(&self, id: NodeId) -> &Op {
        &self.graph.node(id).op
    }

    fn input(&self, id: NodeId) -> NodeId {
        self.graph.node(id).inputs[0]
    }

    /// Settled sizes.
    fn sizes(&self, id: NodeId) -> Vec<i64> {
        self.graph.shape(id).iter().map(|size| size.settled().unwrap_or(0)).collect()
    }

    /// Whether what is being made is the only thing that reads a node.
    fn is_read_once(&self, id: NodeId) -> bool {
        let origin = self.origins[id.0 as usize];
        origin == self.at || self.readers[origin.0 as usize] <= 1
    }

    fn slice(&mut self, cut: slice::Cut, x: NodeId) -> NodeId {
        let slice::Cut { axis, start, count } = cut;
        if start == 0 && Some(count) == self.graph.shape(x)[axis].settled() {
            return x;
        }
        self.add(Op::Slice { axis, start: start.into(), count: count.into(), step: 1 }, vec![x])
    }
}
