//! The table of rules. In each row `g` is the gradient by the node's value, and what is written is what its operands
//! get. Nothing flows through ints, truth values and choices.

use super::{body, matrix, scalar, structure};
use crate::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp};

/// What each operand of a node gets of the gradient by its value, where it is wanted: see [`super::Rule`].
pub fn contributions(graph: &mut Graph, of: &[(NodeId, NodeId)], wanted: &[bool]) -> Vec<Option<NodeId>> {
    let Some((id, g)) = of.first().copied() else { return vec![None; wanted.len()] };
    let node = graph.node(id).clone();
    let operand = |at: usize| node.inputs.get(at).copied().unwrap_or(id);
    let (a, b) = (operand(0), operand(1));
    match &node.op {
        Op::Input { .. } | Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. } => Vec::new(),
        Op::Random { .. } | Op::ArgMax(_) | Op::ArgSort(_) | Op::StopGradient => vec![None; node.inputs.len()],
        Op::Scalar(op) => scalar::scalar(graph, *op, &node.inputs, id, g),
        Op::Reduce(reduce, axes) => vec![Some(reduced(graph, *reduce, axes, a, id, g))],
        Op::CumSum { axis, reverse } => {
            vec![Some(graph.add(Op::CumSum { axis: *axis, reverse: !reverse }, vec![g]))]
        }
        Op::Dot { batch, contracted } => structure::dot(graph, batch, contracted, a, b, g).map(Some).to_vec(),
        Op::Cholesky => vec![Some(matrix::cholesky(graph, id, g))],
        Op::TriangularSolve { transposed } => matrix::triangular_solve(graph, *transposed, a, id, g).map(Some).to_vec(),
        Op::Reshape(_) => {
            let shape = graph.shape(a).to_vec();
            vec![Some(graph.reshape(shape, g))]
        }
        Op::Permute(order) => {
            let back = (0..order.len()).map(|axis| order.iter().position(|own| *own == axis).unwrap_or(axis)).collect();
            vec![Some(graph.permute(back, g))]
        }
        Op::Broadcast { kept, .. } => vec![Some(structure::broadcast(graph, kept, a, g))],
        Op::Slice { axis, start, count, step } => vec![Some(structure::slice(graph, *axis, start, count, *step, a, g))],
        Op::Pad { axis, low, between, .. } => {
            let count = graph.shape(a)[*axis].clone();
            vec![Some(graph.add(Op::Slice { axis: *axis, start: low.clone(), count, step: between + 1 }, vec![g]))]
        }
        Op::Window { axis, stride, dilation, .. } => {
            let length = graph.shape(a)[*axis].clone();
            vec![Some(graph.add(Op::Fold { axis: *axis, length, stride: *stride, dilation: *dilation }, vec![g]))]
        }
        Op::Fold { axis, stride, dilation, .. } => {
            let size = graph.shape(a)[axis + 1].clone();
            vec![Some(graph.add(Op::Window { axis: *axis, size, stride: *stride, dilation: *dilation }, vec![g]))]
        }
        Op::Concat(axis) => structure::concat(graph, *axis, &node.inputs, g),
        Op::Gather { batch } => {
            let size = graph.shape(a)[*batch].clone();
            vec![Some(graph.add(Op::ScatterAdd { batch: *batch, size }, vec![b, g])), None]
        }
        Op::ScatterAdd { batch, .. } => vec![None, Some(graph.add(Op::Gather { batch: *batch }, vec![g, a]))],
        Op::Call(called, _) => body::call(graph, called, &node.inputs, of, wanted),
        Op::Scan(scan, _) => body::scan(graph, scan, &node.inputs, of, wanted),
    }
}

/// A sum gives each element the gradient; the greatest (least) ones share it equally.
fn reduced(graph: &mut Graph, reduce: Reduce, axes: &[usize], x: NodeId, y: NodeId, g: NodeId) -> NodeId {
    let shape = graph.shape(x).to_vec();
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let wide = graph.broadcast(shape.clone(), kept.clone(), g);
    match reduce {
        Reduce::Sum => wide,
        Reduce::Max | Reduce::Min => {
            let extreme = graph.broadcast(shape.clone(), kept.clone(), y);
            let chosen = graph.binary(ScalarOp::Equal, x, extreme);
            let ones = graph.cast(DType::Float, chosen);
            let count = graph.reduce(Reduce::Sum, axes.to_vec(), ones);
            let count = graph.broadcast(shape, kept, count);
            let share = graph.binary(ScalarOp::Div, wide, count);
            let zero = like(graph, 0.0, x);
            graph.select(chosen, share, zero)
        }
    }
}

/// A number everywhere in the shape of a node.
pub(super) fn like(graph: &mut Graph, value: f64, shape: NodeId) -> NodeId {
    let shape = graph.shape(shape).to_vec();
    graph.fill(value, shape)
}
