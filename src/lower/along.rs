//! What goes along the last axis, and matrices, the last two.

use super::term::Lowering;
use crate::check::terms::{Running, TermId};
use crate::check::types::Type;
use crate::ir::{DType, NodeId, Op, ScalarOp, ScanBuilder, Size};
use crate::loops;

/// Sums have an operation; all else is a loop along the axis.
pub(super) fn running(lowering: &mut Lowering, how: Running, a: TermId) -> NodeId {
    let a = lowering.node(a);
    let graph = &mut lowering.graph;
    let last = graph.shape(a).len() - 1;
    let join = match how {
        Running::Sum => return graph.add(Op::CumSum { axis: last, reverse: false }, vec![a]),
        Running::Product => ScalarOp::Mul,
        Running::Max => ScalarOp::Max,
        Running::Min => ScalarOp::Min,
    };
    let front = graph.permute(std::iter::once(last).chain(0..last).collect(), a);
    let shape = graph.shape(front).to_vec();
    let first = graph.fill(how.start(), shape[1..].to_vec());
    let first = graph.cast(graph.dtype(a), first);
    let mut scan = ScanBuilder::new(shape[0].clone(), false);
    let (so_far, own) = (scan.carry(graph, first), scan.slice(graph, front));
    let next = scan.body.binary(join, so_far, own);
    scan.next(so_far, next);
    scan.give(next);
    let each = loops::scan(graph, scan).each[0];
    graph.permute((1..=last).chain([0]).collect(), each)
}

/// A vector is a matrix of one column.
pub(super) fn triangular_solve(lowering: &mut Lowering, l: TermId, b: TermId, transposed: bool, ty: &Type) -> NodeId {
    let terms = lowering.terms;
    let of_l = Type { free: ty.free.clone(), ..Type::float(terms.get(l).ty.axes.clone()) };
    let is_vector = terms.get(b).ty.axes.len() < of_l.axes.len();
    let (l, b) = (lowering.operand(l, &of_l, DType::Float), lowering.operand(b, ty, DType::Float));
    let graph = &mut lowering.graph;
    let own = graph.shape(b).to_vec();
    let matrix = if is_vector { [&own[..], &[Size::from(1)]].concat() } else { own.clone() };
    let b = graph.reshape(matrix, b);
    let solved = graph.add(Op::TriangularSolve { transposed }, vec![l, b]);
    graph.reshape(own, solved)
}

/// The elements of the last axis of `from` that `at`, of the result's axes, names.
pub(super) fn pick(lowering: &mut Lowering, from: TermId, at: TermId, ty: &Type) -> NodeId {
    let axes = lowering.terms.get(from).ty.axes.clone();
    let batch = ty.free.len() + axes.len() - 1;
    let wanted = super::term::dtype(&ty.elem);
    let of_from = Type { free: ty.free.clone(), ..Type::float(axes) };
    let (from, at) = (lowering.operand(from, &of_from, wanted), lowering.operand(at, ty, DType::Int));
    lowering.graph.add(Op::Gather { batch }, vec![from, at])
}
