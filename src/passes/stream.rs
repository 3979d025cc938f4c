//! Values over all rows, taken apart so that only a batch of rows is in memory: what is done row by row is computed of each
//! batch; a reduction over rows is joined from those of the batches; the rest reads what was joined. A reduction that reads
//! another one, as a variance reads a mean, takes a further pass over the rows. Rows of several data sets have passes of their own.

use crate::ir::{Graph, Node, NodeId, Op, Part, Reduce, ScalarOp, Size, Symbol};
use std::collections::{BTreeSet, HashMap};

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
    /// The data set whose rows these are.
    pub set: usize,
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

    /// What a pass over the rows of a data set joins.
    pub fn of_pass(&self, pass: usize, set: usize) -> impl Iterator<Item = &Join> {
        self.joins.iter().filter(move |join| (join.pass, join.set) == (pass, set))
    }

    /// The data sets whose rows a pass goes over.
    pub fn sets_of_pass(&self, pass: usize) -> Vec<usize> {
        let own = self.joins.iter().filter(|join| join.pass == pass);
        let sets: BTreeSet<usize> = own.map(|join| join.set).collect();
        sets.into_iter().collect()
    }
}

/// What stands for a node, its axis of rows with their set, and the first pass in which it is known.
type Known = (NodeId, Option<(usize, usize)>, usize);

/// Takes roots without rows apart; new inputs are numbered from `inputs` on. `None` where rows meet each other otherwise
/// than in a sum or an extreme, as in a sort or a product of rows with rows. `rows` are those of each data set.
pub fn streamed(graph: &Graph, rows: &[Symbol], roots: &[NodeId], inputs: usize) -> Option<Streamed> {
    let rows: Vec<Size> = rows.iter().map(|symbol| Size::symbol(symbol.clone())).collect();
    let (graph_of_batch, whole) = (Graph::default(), HashMap::new());
    let mut this = Streamed { graph: graph_of_batch, joins: Vec::new(), sizes: Vec::new(), roots: Vec::new(), whole };
    let mut next = inputs as u32..;
    let mut known: HashMap<NodeId, Known> = HashMap::new();
    for id in graph.needed(roots) {
        let node = graph.node(id);
        let own = axis_of_any(&node.shaped.shape, &rows)?;
        let operands: Vec<Known> = node.inputs.iter().map(|input| known[input]).collect();
        let operand_nodes: Vec<NodeId> = operands.iter().map(|(node, ..)| *node).collect();
        // The rows of two sets meet nowhere but in what was joined.
        let sets: BTreeSet<usize> =
            operands.iter().filter_map(|(_, own, _)| *own).chain(own).map(|(_, set)| set).collect();
        if sets.len() > 1 {
            return None;
        }
        let set = sets.first().copied().unwrap_or(0);
        let axis = own.map(|(axis, _)| axis);
        let axes: Vec<Option<usize>> = operands.iter().map(|(_, own, _)| own.map(|(axis, _)| axis)).collect();
        let pass = operands.iter().map(|(.., pass)| *pass).max().unwrap_or(0);
        let (dtype, shape) = (node.shaped.dtype, node.shaped.shape.clone());
        let made = if let Op::SizeOf(size) = &node.op
            && size.settled().is_none()
        {
            let number = next.next()?;
            this.sizes.push((number, size.clone()));
            (this.graph.input(number, dtype, shape), None, pass)
        } else if let Some(result) = result_of_body(&node.op) {
            let sums = sums_of_body(graph, node, rows.get(set)?)?;
            let of_batch = this.graph.add(node.op.clone(), operand_nodes);
            if sums.get(result) == Some(&true) {
                let number = next.next()?;
                this.joins.push(Join { of_batch, input: number, how: Reduce::Sum, set, pass });
                (this.graph.input(number, dtype, shape), None, pass + 1)
            } else {
                (of_batch, own, pass)
            }
        } else if axis.is_none() && axes.iter().any(Option::is_some) {
            let (how, number) = (joined(&node.op, &axes)?, next.next()?);
            let of_batch = this.graph.add(node.op.clone(), operand_nodes);
            this.joins.push(Join { of_batch, input: number, how, set, pass });
            this.whole.entry(of_batch).or_insert(id);
            (this.graph.input(number, dtype, shape), None, pass + 1)
        } else if is_row_wise(graph, node, axis, &axes) {
            (this.graph.add(node.op.clone(), operand_nodes), own, pass)
        } else {
            return None;
        };
        this.whole.entry(made.0).or_insert(id);
        known.insert(id, made);
    }
    this.roots = roots.iter().map(|root| known[root].0).collect();
    Some(this)
}

/// The axis whose size is the rows of a data set, and which that is. `None` outside: rows are in the shape in another way.
fn axis_of_any(shape: &[Size], rows: &[Size]) -> Option<Option<(usize, usize)>> {
    let Some(size) = shape.iter().find(|size| size.settled().is_none()) else { return Some(None) };
    let set = rows.iter().position(|row| row == size)?;
    Some(axis_of_rows(shape, &rows[set])?.map(|axis| (axis, set)))
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

/// What a node of a body is of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Of {
    /// Each row is of that row of what comes in; without an axis of rows it is of none.
    Row(Option<usize>),
    /// Linear in sums over rows: that of all rows is the sum of those of batches.
    Sum,
}

/// Of each result of a body that an operation runs, whether it is a sum over rows; those that are not have each row of that row of
/// the operands alone, and without rows are of none. `None` where rows meet otherwise, or the number of steps depends on them.
fn sums_of_body(graph: &Graph, node: &Node, row: &Size) -> Option<Vec<bool>> {
    let (steps, carries) =
        if let Op::Scan(scan, _) = &node.op { (scan.steps.settled(), scan.carries) } else { (Some(1), 0) };
    let body = node.op.body().filter(|_| steps.is_some())?;
    // The gradient by what all steps of a loop read begins at 0, and each step adds to it.
    let gathers = |carry: usize| {
        let next = body.result(carry).map(|_| body.graph().node(body.results()[carry]));
        let adds = next.is_some_and(|next| {
            let now = NodeId(1 + carry as u32);
            matches!(next.op, Op::Scalar(ScalarOp::Add)) && next.inputs.contains(&now)
        });
        adds && is_zero(graph, node.inputs[carry])
    };
    // So is whatever else begins at 0 and is linear in such sums, as the gradient by a state without rows.
    let reached = reached(body.graph(), body.results(), carries, row)?;
    let from_zero = reached.iter().enumerate().map(|(carry, one)| *one && is_zero(graph, node.inputs[carry]));
    let summed = [(0..carries).map(gathers).collect(), from_zero.collect(), vec![false; carries]];
    summed.into_iter().find_map(|summed: Vec<bool>| {
        let known = of_body(body.graph(), &summed, row)?;
        let sums: Vec<bool> = body.results().iter().map(|result| known.get(result) == Some(&Of::Sum)).collect();
        (sums[..carries] == summed[..]).then_some(sums)
    })
}

/// Which carries of a body have no rows, and read something that has, maybe through other carries or earlier steps.
fn reached(graph: &Graph, results: &[NodeId], carries: usize, row: &Size) -> Option<Vec<bool>> {
    let mut reached = vec![false; carries];
    loop {
        // Of each node, whether it has rows, and whether it has none and reads some.
        let mut known: HashMap<NodeId, (bool, bool)> = HashMap::new();
        for (id, node) in graph.nodes() {
            let has_rows = axis_of_rows(&node.shaped.shape, row)?.is_some();
            let carry = if let Op::Input { number, .. } = &node.op { (*number as usize).checked_sub(1) } else { None };
            let is_reached = carry.and_then(|carry| reached.get(carry)) == Some(&true);
            let reads = node.inputs.iter().any(|input| known[input].0 || known[input].1);
            known.insert(id, (has_rows, !has_rows && (is_reached || reads)));
        }
        let next: Vec<bool> =
            results.iter().take(carries).map(|result| known.get(result).is_some_and(|own| own.1)).collect();
        if next == reached {
            return Some(reached);
        }
        reached = next;
    }
}

/// What each node of a body is of, where these carries are sums.
fn of_body(graph: &Graph, summed: &[bool], row: &Size) -> Option<HashMap<NodeId, Of>> {
    let mut known: HashMap<NodeId, Of> = HashMap::new();
    for (id, node) in graph.nodes() {
        let axis = axis_of_rows(&node.shaped.shape, row)?;
        let operands: Vec<Of> = node.inputs.iter().map(|input| known[input]).collect();
        if matches!(&node.op, Op::SizeOf(size) if size.settled().is_none()) {
            return None;
        }
        let of = if let Op::Input { number, .. } = &node.op {
            // Rows may be any axis of what comes in; the carries come behind the place of the step.
            let carry = (*number as usize).checked_sub(1);
            if carry.and_then(|carry| summed.get(carry)) == Some(&true) { Of::Sum } else { Of::Row(axis) }
        } else if operands.contains(&Of::Sum) {
            linear(&node.op, axis, &operands)?
        } else {
            let axes: Vec<Option<usize>> =
                operands.iter().map(|of| if let Of::Row(axis) = of { *axis } else { None }).collect();
            of_rows(graph, node, axis, &axes, row)?
        };
        known.insert(id, of);
    }
    Some(known)
}

/// What a node is of whose operands are no sums.
fn of_rows(graph: &Graph, node: &Node, axis: Option<usize>, axes: &[Option<usize>], row: &Size) -> Option<Of> {
    if let Some(result) = result_of_body(&node.op) {
        let sums = sums_of_body(graph, node, row)?;
        return Some(if sums.get(result) == Some(&true) { Of::Sum } else { Of::Row(axis) });
    }
    if axis.is_none() && axes.iter().any(Option::is_some) {
        return (joined(&node.op, axes)? == Reduce::Sum).then_some(Of::Sum);
    }
    is_row_wise(graph, node, axis, axes).then_some(Of::Row(axis))
}

/// Whether an operation is linear in those of its operands that are sums over rows.
fn linear(op: &Op, axis: Option<usize>, operands: &[Of]) -> Option<Of> {
    let sums = operands.iter().filter(|of| **of == Of::Sum).count();
    let plain = operands.iter().filter(|of| **of == Of::Row(None)).count();
    let keeps = matches!(
        op,
        Op::Scalar(ScalarOp::Add | ScalarOp::Sub | ScalarOp::Neg)
            | Op::Reduce(Reduce::Sum, _)
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Broadcast { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
    );
    let scales = matches!(op, Op::Scalar(ScalarOp::Mul) | Op::Dot { .. });
    let divides = matches!(op, Op::Scalar(ScalarOp::Div)) && operands.first() == Some(&Of::Sum);
    let sound = (keeps && sums == operands.len()) || ((scales || divides) && (sums, plain) == (1, 1));
    (sound && axis.is_none()).then_some(Of::Sum)
}

/// Which result of a body an operation is.
fn result_of_body(op: &Op) -> Option<usize> {
    if let Op::Call(_, result) = op {
        return Some(*result);
    }
    let Op::Scan(scan, part) = op else { return None };
    Some(match part {
        Part::Last(carry) | Part::Before(carry) => *carry,
        Part::Each(each) => scan.carries + each,
    })
}

/// Whether every element is 0.
fn is_zero(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    if let Op::Constant(number) = &node.op {
        return number.get() == 0.0;
    }
    matches!(node.op, Op::Broadcast { .. } | Op::Reshape(_)) && is_zero(graph, node.inputs[0])
}

/// Whether each row of the result is of that row of the operands alone; without rows, whether it is of none.
fn is_row_wise(graph: &Graph, node: &Node, axis: Option<usize>, axes: &[Option<usize>]) -> bool {
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
        // Looked into before: `sums_of_body`.
        Op::Call(..) | Op::Scan(..) => false,
    }
}
