//! Sums under a condition that are something better: `sum(e where to[e] == i: m[e])` adds each element where it goes, and
//! `sum(j where j <= i: x[j])` runs along. Nothing of the size of all pairs is gone through.

use super::term::{Lowering, dtype};
use crate::check::terms::{Kind, TermId, Terms};
use crate::check::types::{Elem, IndexId, Type};
use crate::ir::{DType, NodeId, Op, Reduce, ScalarOp, Size};

/// A sum over indices of a term where a condition holds, and of 0 elsewhere.
struct Masked {
    condition: TermId,
    body: TermId,
    summed: Vec<IndexId>,
}

/// A fold that is such a sum, lowered so; otherwise `None`.
pub(super) fn sum(lowering: &mut Lowering, reduce: Reduce, over: TermId, ty: &Type) -> Option<NodeId> {
    if reduce != Reduce::Sum || !ty.axes.is_empty() {
        return None;
    }
    let masked = masked(lowering.terms, over)?;
    let body = &lowering.terms.get(masked.body).ty;
    if !body.axes.is_empty() || matches!(body.elem, Elem::Bool) {
        return None;
    }
    running(lowering, &masked, ty)
        .or_else(|| scattered(lowering, &masked, ty))
        .or_else(|| contracted(lowering, &masked, ty))
}

fn masked(terms: &Terms, over: TermId) -> Option<Masked> {
    let chosen = |id: TermId| match &terms.get(id).kind {
        Kind::Scalar(ScalarOp::Select, parts) if matches!(terms.get(parts[2]).kind, Kind::Number(0.0)) => {
            Some((parts[0], parts[1]))
        }
        _ => None,
    };
    let spread = |id: TermId| match &terms.get(id).kind {
        Kind::Spread(inner, ids) => Some((*inner, ids.clone())),
        _ => None,
    };
    if let Some((condition, body)) = chosen(over) {
        let ((condition, ids), (body, summed)) = (spread(condition)?, spread(body)?);
        return (ids == summed).then_some(Masked { condition, body: plain(terms, body), summed });
    }
    let (inner, summed) = spread(over)?;
    let (condition, body) = chosen(inner)?;
    Some(Masked { condition, body: plain(terms, body), summed })
}

/// A mask is laid over a body by a cast to the same elements, with the indices of the condition.
fn plain(terms: &Terms, mut body: TermId) -> TermId {
    while let Kind::Cast(inner) = &terms.get(body).kind
        && dtype(&terms.get(*inner).ty.elem) == dtype(&terms.get(body).ty.elem)
        && terms.get(*inner).ty.axes.is_empty()
    {
        body = *inner;
    }
    body
}

/// A contraction of which a condition on its indices leaves out a part.
fn contracted(lowering: &mut Lowering, masked: &Masked, ty: &Type) -> Option<NodeId> {
    let product = super::product::under_condition(lowering, masked.condition, masked.body, &masked.summed)?;
    let shape = lowering.shape(ty);
    (lowering.graph.shape(product) == shape).then_some(product)
}

/// A running sum, along an index up to another of the same size.
fn running(lowering: &mut Lowering, masked: &Masked, ty: &Type) -> Option<NodeId> {
    let terms = lowering.terms;
    let Kind::Scalar(op @ (ScalarOp::Less | ScalarOp::LessEqual), sides) = &terms.get(masked.condition).kind else {
        return None;
    };
    let (Kind::Index(a), Kind::Index(b)) = (&terms.get(sides[0]).kind, &terms.get(sides[1]).kind) else { return None };
    let [summed] = masked.summed[..] else { return None };
    let (to, reverse) = if *a == summed { (*b, false) } else { (*a, true) };
    let free = terms.get(masked.body).ty.free.clone();
    let size = terms.size_of(summed)?;
    let same = terms.size_of(to).as_ref() == Some(&size);
    if to == summed || (*a != summed && *b != summed) || !same || free.contains(&to) || !free.contains(&summed) {
        return None;
    }
    let axis = free.iter().position(|id| *id == summed)?;
    let from = terms.get(masked.body).ty.clone();
    let node = lowering.operand(masked.body, &from, dtype(&ty.elem));
    let mut sums = lowering.graph.add(Op::running_sum(axis, reverse), vec![node]);
    if *op == ScalarOp::Less {
        // Without the element itself: the sum of one place before.
        let (zero, one) = (Size::from(0), Size::from(1));
        let (low, high) = if reverse { (zero.clone(), one.clone()) } else { (one.clone(), zero.clone()) };
        let start = high.clone();
        let wider = lowering.graph.add(Op::Pad { axis, low, high, between: 0 }, vec![sums]);
        sums = lowering.graph.add(Op::Slice { axis, start, count: size, step: 1 }, vec![wider]);
    }
    let made: Vec<IndexId> = free.iter().map(|id| if *id == summed { to } else { *id }).collect();
    laid_out(lowering, sums, &made, ty)
}

/// Each element is added where a place says that it goes.
fn scattered(lowering: &mut Lowering, masked: &Masked, ty: &Type) -> Option<NodeId> {
    let terms = lowering.terms;
    let conditions = conjuncts(terms, masked.condition);
    let free = |id: TermId| &terms.get(id).ty.free;
    let (at, place, index) = conditions.iter().enumerate().find_map(|(at, condition)| {
        let Kind::Scalar(ScalarOp::Equal, sides) = &terms.get(*condition).kind else { return None };
        [(sides[0], sides[1]), (sides[1], sides[0])].into_iter().find_map(|(place, index)| {
            let Kind::Index(index) = terms.get(index).kind else { return None };
            let others = conditions.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| *other);
            let fresh = !masked.summed.contains(&index)
                && [masked.body, place].into_iter().chain(others).all(|id| !free(id).contains(&index));
            let whole = matches!(terms.get(place).ty.elem, Elem::Int | Elem::Class(_));
            let computed = !matches!(terms.get(place).kind, Kind::Index(_)) && terms.get(place).ty.mask.is_none();
            let covers = masked.summed.iter().all(|id| free(place).contains(id));
            (fresh && whole && computed && covers).then_some((at, place, index))
        })
    })?;
    let size = terms.size_of(index)?;
    let batch: Vec<IndexId> = free(place).iter().copied().filter(|id| !masked.summed.contains(id)).collect();
    let mut all: Vec<IndexId> = conditions
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != at)
        .flat_map(|(_, id)| free(*id))
        .chain(free(masked.body))
        .chain(free(place))
        .copied()
        .collect();
    all.sort_unstable();
    all.dedup();
    let rest: Vec<IndexId> = all.iter().copied().filter(|id| !free(place).contains(id)).collect();
    let to = |elem: &Elem| Type { free: all.clone(), ..Type::scalar(elem.clone()) };
    let wanted = dtype(&ty.elem);
    let mut updates = lowering.operand(masked.body, &to(&ty.elem), wanted);
    let own = Type { free: free(place).clone(), ..Type::scalar(Elem::Int) };
    let mut places = lowering.operand(place, &own, DType::Int);
    let mut kept: Vec<NodeId> = Vec::new();
    for (other, condition) in conditions.iter().enumerate() {
        if other != at {
            kept.push(lowering.operand(*condition, &to(&Elem::Bool), DType::Bool));
        }
    }
    if !is_inside(terms, place, &size) {
        let shape = lowering.shape(&own);
        let number = |lowering: &mut Lowering, size: Size| {
            let number = lowering.graph.add(Op::SizeOf(size), Vec::new());
            lowering.graph.broadcast(shape.clone(), Vec::new(), number)
        };
        let (zero, end) = (number(lowering, Size::from(0)), number(lowering, size.clone()));
        let low = lowering.graph.binary(ScalarOp::LessEqual, zero, places);
        let high = lowering.graph.binary(ScalarOp::Less, places, end);
        let inside = lowering.graph.binary(ScalarOp::And, low, high);
        places = lowering.graph.select(inside, places, zero);
        let axes = own.free.iter().filter_map(|id| all.iter().position(|known| known == id)).collect();
        let wide = lowering.shape(&to(&Elem::Bool));
        kept.push(lowering.graph.broadcast(wide, axes, inside));
    }
    if let Some(kept) = kept.into_iter().reduce(|a, b| lowering.graph.binary(ScalarOp::And, a, b)) {
        let shape = lowering.graph.shape(updates).to_vec();
        let zero = lowering.graph.constant(0.0);
        let zero = lowering.graph.cast(wanted, zero);
        let zero = lowering.graph.broadcast(shape, Vec::new(), zero);
        updates = lowering.graph.select(kept, updates, zero);
    }
    let first: Vec<IndexId> = batch.iter().chain(&masked.summed).copied().collect();
    let order = |of: &[IndexId], ids: &[IndexId]| -> Vec<usize> {
        ids.iter().filter_map(|id| of.iter().position(|known| known == id)).collect()
    };
    let places = lowering.graph.permute(order(&own.free, &first), places);
    let updates = lowering.graph.permute(order(&all, &[&first[..], &rest].concat()), updates);
    let sums = lowering.graph.add(Op::ScatterAdd { batch: batch.len(), size }, vec![places, updates]);
    laid_out(lowering, sums, &[&batch[..], &[index], &rest].concat(), ty)
}

/// The conditions that are demanded together.
fn conjuncts(terms: &Terms, condition: TermId) -> Vec<TermId> {
    match &terms.get(condition).kind {
        Kind::Scalar(ScalarOp::And, sides) => sides.iter().flat_map(|side| conjuncts(terms, *side)).collect(),
        _ => vec![condition],
    }
}

/// Whether a place is a class that an axis has room for.
fn is_inside(terms: &Terms, place: TermId, size: &Size) -> bool {
    let term = terms.get(place);
    match (&term.ty.elem, &term.kind) {
        (Elem::Class(count), _) => size.minus(&count.size).is_never_negative(),
        (_, Kind::Cast(of)) => is_inside(terms, *of, size),
        _ => false,
    }
}

/// The axes of a node, which are those indices, in the order of the free indices of a type.
fn laid_out(lowering: &mut Lowering, node: NodeId, own: &[IndexId], ty: &Type) -> Option<NodeId> {
    let order: Option<Vec<usize>> = ty.free.iter().map(|id| own.iter().position(|known| known == id)).collect();
    let order = order.filter(|order| order.len() == own.len())?;
    Some(lowering.graph.permute(order, node))
}
