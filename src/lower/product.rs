//! Products with a sum: `a @ b`, and sums over an index of a product, both as one contraction.

use super::term::Lowering;
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Elem, IndexId, Type};
use crate::ir::{DType, NodeId, Reduce, ScalarOp};

/// What an axis of an operand or of the result is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Label {
    Index(IndexId),
    /// An axis of the result, by its place.
    Axis(usize),
    /// The axis that is summed over.
    Summed,
}

/// `a @ b`, of type `ty`.
pub(super) fn matrix(lowering: &mut Lowering, a: TermId, b: TermId, ty: &Type) -> NodeId {
    let (one, two) = (&lowering.terms.get(a).ty, &lowering.terms.get(b).ty);
    let indices = |ty: &Type| ty.free.iter().map(|id| Label::Index(*id)).collect::<Vec<_>>();
    let (rank_a, rank_b) = (one.axes.len(), two.axes.len());
    let mut labels_a = indices(one);
    labels_a.extend((0..rank_a - 1).map(Label::Axis));
    labels_a.push(Label::Summed);
    let mut labels_b = indices(two);
    labels_b.extend((0..rank_b.saturating_sub(2)).map(Label::Axis));
    labels_b.push(Label::Summed);
    if rank_b >= 2 {
        labels_b.push(Label::Axis(rank_a - 1));
    }
    let wanted: Vec<Label> = indices(ty).into_iter().chain((0..ty.axes.len()).map(Label::Axis)).collect();
    let (one, two) = (one.clone(), two.clone());
    let (a, b) = (lowering.operand(a, &one, DType::Float), lowering.operand(b, &two, DType::Float));
    dot(lowering, (a, &labels_a), (b, &labels_b), &wanted)
}

/// A sum over indices of a product of two families: no more than the result is ever built.
pub(super) fn contraction(lowering: &mut Lowering, reduce: Reduce, over: TermId) -> Option<NodeId> {
    let terms = lowering.terms;
    let Kind::Spread(product, summed) = &terms.get(over).kind else { return None };
    if lowering.cuts.contains(&over) || lowering.cuts.contains(product) {
        return None;
    }
    let Kind::Scalar(ScalarOp::Mul, factors) = &terms.get(*product).kind else { return None };
    let (a, b) = (&factors[0], &factors[1]);
    let family = &terms.get(*product).ty;
    let (one, two) = (&terms.get(*a).ty, &terms.get(*b).ty);
    let scalars = [family, one, two].iter().all(|ty| ty.axes.is_empty());
    let floats = matches!(family.elem, Elem::Float);
    let shared = |id: &IndexId| one.free.contains(id) && two.free.contains(id);
    if reduce != Reduce::Sum || !scalars || !floats || !summed.iter().all(shared) {
        return None;
    }
    let labels = |ty: &Type| -> Vec<Label> { ty.free.iter().map(|id| Label::Index(*id)).collect() };
    let kept = family.free.iter().filter(|id| !summed.contains(id));
    let wanted: Vec<Label> = kept.map(|id| Label::Index(*id)).collect();
    let (a, b) = (lowering.operand(*a, one, DType::Float), lowering.operand(*b, two, DType::Float));
    Some(dot(lowering, (a, &labels(one)), (b, &labels(two)), &wanted))
}

/// Axes with one label are multiplied in step; those that are not wanted are summed.
fn dot(lowering: &mut Lowering, a: (NodeId, &[Label]), b: (NodeId, &[Label]), wanted: &[Label]) -> NodeId {
    let pairs = |keep: bool| -> Vec<(usize, usize)> {
        let own = a.1.iter().enumerate().filter(|(_, label)| wanted.contains(label) == keep);
        own.filter_map(|(i, label)| b.1.iter().position(|other| other == label).map(|j| (i, j))).collect()
    };
    let (batch, contracted) = (pairs(true), pairs(false));
    let rest = |labels: &[Label], other: &[Label]| -> Vec<Label> {
        labels.iter().filter(|label| !other.contains(label)).copied().collect()
    };
    let mut made: Vec<Label> = batch.iter().map(|(i, _)| a.1[*i]).collect();
    made.extend(rest(a.1, b.1));
    made.extend(rest(b.1, a.1));
    let node = lowering.graph.dot(batch, contracted, a.0, b.0);
    let order = wanted.iter().filter_map(|label| made.iter().position(|own| own == label)).collect();
    lowering.graph.permute(order, node)
}
