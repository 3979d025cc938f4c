//! Products with a sum: `a @ b`, and sums over an index of a product, both as one contraction.

use super::term::Lowering;
use crate::autodiff::may_be_infinite;
use crate::check::terms::{Kind, TermId, Terms};
use crate::check::types::{Elem, IndexId, Type};
use crate::ir::{DType, NodeId, Op, Reduce, ScalarOp};

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

/// A sum over indices of a product: no more than the result is ever built of two factors. More of them are multiplied two by
/// two, those first whose product is smallest.
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
    // One that no factor has repeats the product.
    let repeats = summed.iter().any(|id| !family.free.contains(id));
    if reduce != Reduce::Sum || !scalars || !floats || repeats {
        return None;
    }
    let kept: Vec<IndexId> = family.free.iter().filter(|id| !summed.contains(id)).copied().collect();
    let all = factors_of(lowering, *product);
    let own: Vec<Vec<IndexId>> = all.iter().map(|id| terms.get(*id).ty.free.clone()).collect();
    let worst = volume(terms, &one.free).max(volume(terms, &two.free));
    if all.len() > 2 && order(terms, own, &kept).1 < worst {
        let factors = all.iter().map(|id| factor(lowering, *id)).collect();
        return Some(multiplied(lowering, factors, &kept));
    }
    let shared = |id: &IndexId| one.free.contains(id) && two.free.contains(id);
    if !summed.iter().all(shared) {
        return None;
    }
    let wanted: Vec<Label> = kept.into_iter().map(Label::Index).collect();
    let (a, b) = (lowering.operand(*a, one, DType::Float), lowering.operand(*b, two, DType::Float));
    Some(dot(lowering, (a, &labels(&one.free)), (b, &labels(&two.free)), &wanted))
}

/// The same under a condition that is made of indices alone: a factor that has all of them is 0 where it does not hold.
pub(super) fn under_condition(
    lowering: &mut Lowering,
    condition: TermId,
    body: TermId,
    summed: &[IndexId],
) -> Option<NodeId> {
    let terms = lowering.terms;
    let ty = &terms.get(body).ty;
    let of_indices = matches!(ty.elem, Elem::Float) && is_of_indices(terms, condition);
    if !of_indices || lowering.cuts.contains(&body) {
        return None;
    }
    let all = factors_of(lowering, body);
    let (free, asked) = (|id: &TermId| &terms.get(*id).ty.free, &terms.get(condition).ty.free);
    let scalars = all.iter().all(|id| terms.get(*id).ty.axes.is_empty());
    let smaller = all.iter().all(|id| volume(terms, free(id)) < volume(terms, &ty.free));
    let masked = all
        .iter()
        .filter(|id| asked.iter().all(|index| free(id).contains(index)))
        .min_by(|a, b| volume(terms, free(a)).total_cmp(&volume(terms, free(b))))?;
    if !scalars || !smaller || summed.iter().any(|id| !ty.free.contains(id)) {
        return None;
    }
    let to = Type { free: free(masked).clone(), ..Type::scalar(Elem::Bool) };
    let holds = lowering.operand(condition, &to, DType::Bool);
    let (mut factors, mut finite, mut poles) = (Vec::new(), Vec::new(), Vec::new());
    for id in &all {
        let (mut node, ids) = factor(lowering, *id);
        let zero = lowering.graph.fill(0.0, lowering.graph.shape(node).to_vec());
        let mut bounded = node;
        if id == masked {
            node = lowering.graph.select(holds, node, zero);
            bounded = node;
        } else if may_be_infinite(&lowering.graph, node) {
            // A finite number taken from itself is 0, any other is NaN.
            let difference = lowering.graph.binary(ScalarOp::Sub, node, node);
            let is_finite = lowering.graph.binary(ScalarOp::Equal, difference, zero);
            bounded = lowering.graph.select(is_finite, node, zero);
            poles.push((lowering.graph.add(Op::Scalar(ScalarOp::Not), vec![is_finite]), ids.clone()));
        }
        factors.push((node, ids.clone()));
        finite.push((bounded, ids));
    }
    let mut kept: Vec<IndexId> = ty.free.iter().chain(asked).filter(|id| !summed.contains(id)).copied().collect();
    kept.sort_unstable();
    kept.dedup();
    let product = multiplied(lowering, finite, &kept);
    if poles.is_empty() {
        return Some(product);
    }
    // An infinite element that only elements left out meet adds nothing, though 0 times it is no number.
    let met = met(lowering, (holds, &to.free), poles, &kept);
    let with_poles = multiplied(lowering, factors, &kept);
    let with_poles = lowering.graph.add(Op::StopGradient, vec![with_poles]);
    Some(lowering.graph.select(met, with_poles, product))
}

/// For each element of a product, whether one of some marks is read where a condition holds.
fn met(
    lowering: &mut Lowering,
    (holds, asked): (NodeId, &[IndexId]),
    marks: Vec<(NodeId, Vec<IndexId>)>,
    kept: &[IndexId],
) -> NodeId {
    let shape = lowering.shape(&Type { free: kept.to_vec(), ..Type::scalar(Elem::Bool) });
    let zero = lowering.graph.fill(0.0, shape.clone());
    let mut any = None;
    for (mark, ids) in marks {
        let own: Vec<IndexId> = kept.iter().filter(|id| asked.contains(id) || ids.contains(id)).copied().collect();
        let [holds, mark] = [holds, mark].map(|truths| lowering.graph.cast(DType::Float, truths));
        let count = multiplied(lowering, vec![(holds, asked.to_vec()), (mark, ids)], &own);
        let axes = own.iter().filter_map(|id| kept.iter().position(|other| other == id)).collect();
        let count = lowering.graph.broadcast(shape.clone(), axes, count);
        let found = lowering.graph.binary(ScalarOp::NotEqual, count, zero);
        any = Some(any.map_or(found, |others| lowering.graph.binary(ScalarOp::Or, others, found)));
    }
    any.unwrap_or(zero)
}

fn is_of_indices(terms: &Terms, condition: TermId) -> bool {
    match &terms.get(condition).kind {
        Kind::Index(_) | Kind::Size(_) | Kind::Number(_) | Kind::Truth(_) => true,
        Kind::Cast(of) => is_of_indices(terms, *of),
        Kind::Scalar(_, parts) => parts.iter().all(|part| is_of_indices(terms, *part)),
        _ => false,
    }
}

/// The factors of a product of products, in the order of the text.
fn factors_of(lowering: &Lowering, product: TermId) -> Vec<TermId> {
    let (mut found, mut open) = (Vec::new(), vec![product]);
    while let Some(id) = open.pop() {
        match &lowering.terms.get(id).kind {
            Kind::Scalar(ScalarOp::Mul, parts) if id == product || !lowering.cuts.contains(&id) => {
                open.extend(parts.iter().rev());
            }
            _ => found.push(id),
        }
    }
    found
}

fn factor(lowering: &mut Lowering, id: TermId) -> (NodeId, Vec<IndexId>) {
    let ty = &lowering.terms.get(id).ty;
    (lowering.operand(id, ty, DType::Float), ty.free.clone())
}

/// How much a family over indices holds, where rows are as many as are usual in a batch.
fn volume(terms: &Terms, ids: &[IndexId]) -> f64 {
    let size = |id: &IndexId| terms.size_of(*id)?.with_rows(64).settled();
    ids.iter().map(|id| size(id).unwrap_or(64).max(1) as f64).product()
}

/// The indices of a product of two factors, summed over those that neither other factors nor the result has.
fn product_of(sets: &[Vec<IndexId>], (a, b): (usize, usize), kept: &[IndexId]) -> Vec<IndexId> {
    let others = |id: &IndexId| sets.iter().enumerate().any(|(at, set)| at != a && at != b && set.contains(id));
    let mut ids = [&sets[a][..], &sets[b][..]].concat();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| kept.contains(id) || others(id));
    ids
}

/// Which factors are multiplied, each time the two whose product is smallest, and how much the largest of them holds that is
/// not the result. What two become stands last.
fn order(terms: &Terms, mut sets: Vec<Vec<IndexId>>, kept: &[IndexId]) -> (Vec<(usize, usize)>, f64) {
    let (mut pairs, mut worst) = (Vec::new(), 0.0f64);
    while sets.len() > 2 {
        let all = (0..sets.len()).flat_map(|a| (a + 1..sets.len()).map(move |b| (a, b)));
        let held = |pair: &(usize, usize)| volume(terms, &product_of(&sets, *pair, kept));
        let Some(best) = all.min_by(|a, b| held(a).total_cmp(&held(b))) else { break };
        let made = product_of(&sets, best, kept);
        worst = worst.max(volume(terms, &made));
        sets.remove(best.1);
        sets.remove(best.0);
        sets.push(made);
        pairs.push(best);
    }
    pairs.extend((sets.len() == 2).then_some((0, 1)));
    (pairs, worst)
}

/// The product of factors over indices, of which those are kept, ascending.
fn multiplied(lowering: &mut Lowering, factors: Vec<(NodeId, Vec<IndexId>)>, kept: &[IndexId]) -> NodeId {
    let terms = lowering.terms;
    let mut factors = factors;
    // An index of one factor alone is summed there.
    for at in 0..factors.len() {
        let ids = factors[at].1.clone();
        let lone = |id: &IndexId| {
            !kept.contains(id) && factors.iter().enumerate().all(|(other, (_, ids))| other == at || !ids.contains(id))
        };
        let axes: Vec<usize> = ids.iter().enumerate().filter(|(_, id)| lone(id)).map(|(axis, _)| axis).collect();
        if !axes.is_empty() {
            let left = ids.iter().filter(|id| !lone(id)).copied().collect();
            factors[at] = (lowering.graph.reduce(Reduce::Sum, axes, factors[at].0), left);
        }
    }
    let sets: Vec<Vec<IndexId>> = factors.iter().map(|(_, ids)| ids.clone()).collect();
    for (a, b) in order(terms, sets, kept).0 {
        let sets: Vec<Vec<IndexId>> = factors.iter().map(|(_, ids)| ids.clone()).collect();
        let ids = product_of(&sets, (a, b), kept);
        let ((second, own_b), (first, own_a)) = (factors.remove(b), factors.remove(a));
        let contracts = own_a.iter().any(|id| own_b.contains(id) && !ids.contains(id));
        let node = if contracts {
            dot(lowering, (first, &labels(&own_a)), (second, &labels(&own_b)), &labels(&ids))
        } else {
            let shape = lowering.shape(&Type { free: ids.clone(), ..Type::scalar(Elem::Float) });
            let [first, second] = [(first, own_a), (second, own_b)].map(|(node, own)| {
                let axes = own.iter().filter_map(|id| ids.iter().position(|other| other == id)).collect();
                lowering.graph.broadcast(shape.clone(), axes, node)
            });
            lowering.graph.binary(ScalarOp::Mul, first, second)
        };
        factors.push((node, ids));
    }
    factors.pop().map_or_else(|| lowering.graph.constant(1.0), |(node, _)| node)
}

fn labels(ids: &[IndexId]) -> Vec<Label> {
    ids.iter().map(|id| Label::Index(*id)).collect()
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
