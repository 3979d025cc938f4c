//! Values over all rows, taken apart so that only a batch of rows is in memory: what is done row by row is computed of each
//! batch; a reduction over rows is joined from those of the batches; the rest reads what was joined. A reduction that reads
//! another one, as a variance reads a mean, takes a further pass over the rows.

use crate::ir::{Graph, Node, NodeId, Op, Reduce, Size, Symbol};
use std::collections::HashMap;

pub struct Streamed {
    /// The graph with an input in the place of each join, and of each number of rows.
    pub graph: Graph,
    pub joins: Vec<Join>,
    /// Inputs that are fed numbers of all rows.
    pub sizes: Vec<(u32, Size)>,
    /// What was asked for, of what joins give.
    pub roots: Vec<NodeId>,
    /// Of each node, the one in the whole graph that it computes.
    whole: HashMap<NodeId, NodeId>,
}

/// A reduction over rows.
pub struct Join {
    /// Its value of a batch.
    pub of_batch: NodeId,
    /// The input where that of all rows is read.
    pub input: u32,
    pub how: Reduce,
    /// The pass over the rows that computes it, from 0; what it reads is joined in passes before.
    pub pass: usize,
}

impl Streamed {
    /// How many passes over the rows there are.
    pub fn passes(&self) -> usize {
        self.joins.iter().map(|join| join.pass + 1).max().unwrap_or(0)
    }

    /// The nodes of the whole graph that some nodes compute.
    pub fn in_whole(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        nodes.iter().filter_map(|node| self.whole.get(node).copied()).collect()
    }

    /// What a pass joins.
    pub fn of_pass(&self, pass: usize) -> impl Iterator<Item = &Join> {
        self.joins.iter().filter(move |join| join.pass == pass)
    }
}

/// Takes roots without rows apart; new inputs are numbered from `inputs` on. `None` where rows meet each other otherwise
/// than in a sum or an extreme, as in a sort or a product of rows with rows.
pub fn streamed(graph: &Graph, rows: &Symbol, roots: &[NodeId], inputs: usize) -> Option<Streamed> {
    let row = Size::symbol(rows.clone());
    let (graph_of_batch, whole) = (Graph::default(), HashMap::new());
    let mut this = Streamed { graph: graph_of_batch, joins: Vec::new(), sizes: Vec::new(), roots: Vec::new(), whole };
    let mut next = inputs as u32..;
    // Of each node: what stands for it, its axis of rows, and the first pass in which it is known.
    let mut known: HashMap<NodeId, (NodeId, Option<usize>, usize)> = HashMap::new();
    for id in graph.needed(roots) {
        let node = graph.node(id);
        let axis = axis_of_rows(&node.shaped.shape, &row)?;
        let operands: Vec<(NodeId, Option<usize>, usize)> = node.inputs.iter().map(|input| known[input]).collect();
        let operand_nodes: Vec<NodeId> = operands.iter().map(|(node, ..)| *node).collect();
        let axes: Vec<Option<usize>> = operands.iter().map(|(_, axis, _)| *axis).collect();
        let pass = operands.iter().map(|(.., pass)| *pass).max().unwrap_or(0);
        let (dtype, shape) = (node.shaped.dtype, node.shaped.shape.clone());
        let made = if let Op::SizeOf(size) = &node.op
            && size.settled().is_none()
        {
            let number = next.next()?;
            this.sizes.push((number, size.clone()));
            (this.graph.input(number, dtype, shape), None, pass)
        } else if node.op.body().is_none() && axis.is_none() && axes.iter().any(Option::is_some) {
            let (how, number) = (joined(&node.op, &axes)?, next.next()?);
            let of_batch = this.graph.add(node.op.clone(), operand_nodes);
            this.joins.push(Join { of_batch, input: number, how, pass });
            this.whole.entry(of_batch).or_insert(id);
            (this.graph.input(number, dtype, shape), None, pass + 1)
        } else if is_row_wise(graph, node, axis, &axes, &row) {
            (this.graph.add(node.op.clone(), operand_nodes), axis, pass)
        } else {
            return None;
        };
        this.whole.entry(made.0).or_insert(id);
        known.insert(id, made);
    }
    this.roots = roots.iter().map(|root| known[root].0).collect();
    Some(this)
}

/// The axis whose size is the rows. `None` outside: rows are in the shape in another way.
fn axis_of_rows(shape: &[Size], row: &Size) -> Option<Option<usize>> {
    let mut axis = None;
    for (at, size) in shape.iter().enumerate().filter(|(_, size)| size.settled().is_none()) {
        if size != row || axis.is_some() {
            return None;
        }
        axis = Some(at);
    }
    Some(axis)
}

/// How an operation whose operands have rows, and whose result has none, is joined from batches.
fn joined(op: &Op, axes: &[Option<usize>]) -> Option<Reduce> {
    if let Op::Reduce(reduce, _) = op {
        return Some(*reduce);
    }
    if matches!(op, Op::ScatterAdd { .. }) {
        return Some(Reduce::Sum);
    }
    let (Op::Dot { contracted, .. }, [Some(a), Some(b)]) = (op, axes) else { return None };
    contracted.contains(&(*a, *b)).then_some(Reduce::Sum)
}

/// Whether rows never meet in a body that an operation runs, so that each row of a result is of that row of the operands
/// alone, and a result without rows is of none. How often it runs must not depend on the rows either.
fn body_is_row_wise(op: &Op, row: &Size) -> bool {
    let steps = if let Op::Scan(scan, _) = op { scan.steps.settled() } else { Some(1) };
    let Some(body) = op.body().filter(|_| steps.is_some()) else { return false };
    let graph = body.graph();
    let mut known: HashMap<NodeId, Option<usize>> = HashMap::new();
    for (id, node) in graph.nodes() {
        let Some(axis) = axis_of_rows(&node.shaped.shape, row) else { return false };
        let axes: Vec<Option<usize>> = node.inputs.iter().map(|input| known[input]).collect();
        let sound = if let Op::SizeOf(size) = &node.op {
            size.settled().is_some()
        } else {
            // Rows may be any axis of what comes in.
            matches!(node.op, Op::Input { .. }) || is_row_wise(graph, node, axis, &axes, row)
        };
        if !sound {
            return false;
        }
        known.insert(id, axis);
    }
    true
}

/// Whether each row of the result is of that row of the operands alone; without rows, whether it is of none.
fn is_row_wise(graph: &Graph, node: &Node, axis: Option<usize>, axes: &[Option<usize>], row: &Size) -> bool {
    if node.op.body().is_some() {
        return body_is_row_wise(&node.op, row);
    }
    let Some(axis) = axis else { return axes.iter().all(Option::is_none) };
    let first = axes.first().copied().flatten();
    match &node.op {
        Op::Input { .. } => axis == 0,
        Op::Iota { axis: along, .. } => *along != axis,
        Op::Random { rows, .. } => *rows == Some(axis),
        Op::Constant(_) | Op::SizeOf(_) | Op::Scalar(_) | Op::StopGradient | Op::Reduce(..) | Op::Permute(_) => true,
        Op::ArgMax(along)
        | Op::CumSum { axis: along, .. }
        | Op::ArgSort(along)
        | Op::Slice { axis: along, .. }
        | Op::Pad { axis: along, .. }
        | Op::Window { axis: along, .. }
        | Op::Fold { axis: along, .. }
        | Op::Concat(along) => first != Some(*along),
        Op::Reshape(shape) => {
            // As many elements stand before the rows as did.
            let before = |shape: &[Size]| shape.iter().fold(Size::from(1), |count, size| count.times(size));
            first.is_some_and(|first| before(&graph.shape(node.inputs[0])[..first]) == before(&shape[..axis]))
        }
        Op::Broadcast { kept, .. } => first.is_none_or(|first| kept[first] == axis),
        Op::Dot { batch, .. } => match axes {
            [Some(a), Some(b)] => batch.contains(&(*a, *b)),
            _ => true,
        },
        // Rows are matrices of their own.
        Op::Cholesky | Op::TriangularSolve { .. } => {
            axes.iter().flatten().all(|own| *own + 2 < graph.shape(node.inputs[0]).len())
        }
        Op::Gather { batch } => first.is_none_or(|first| first < *batch),
        Op::ScatterAdd { batch, .. } => axes.iter().flatten().all(|axis| axis < batch),
        // Looked into before: `body_is_row_wise`.
        Op::Call(..) | Op::Scan(..) => false,
    }
}
