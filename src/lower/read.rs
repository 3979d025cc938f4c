//! Reads at places. What is affine in indices of its own is a view: slices and windows, behind zeros where a condition leaves
//! out what stands beside the axis. All else is a gather at places that are computed, over what is read bare beside them.

use super::term::Lowering;
use crate::check::affine::Affine;
use crate::check::terms::{Place, TermId};
use crate::check::types::{Elem, IndexId, Type};
use crate::ir::{DType, NodeId, Op, ScalarOp, Size};

/// A base while it is read: each axis has the index that it became, or is still to be gathered at a place.
struct Reading<'p> {
    node: NodeId,
    axes: Vec<Mark<'p>>,
}

enum Mark<'p> {
    Index(IndexId),
    Gather(&'p Place),
}

pub(super) fn read(lowering: &mut Lowering, base: TermId, places: &[Place], ty: &Type) -> NodeId {
    let own = lowering.terms.get(base).ty.free.clone();
    let node = lowering.node(base);
    let mut reading = Reading { node, axes: own.iter().map(|id| Mark::Index(*id)).collect() };
    reading.axes.extend(places.iter().map(Mark::Gather));
    // From the last axis, so that those before keep their numbers.
    for at in (0..places.len()).rev() {
        let Place::Affine(affine) = &places[at] else { continue };
        if is_view(affine, at, places, &own, lowering) {
            view(lowering, &mut reading, own.len() + at, affine);
        }
    }
    gather(lowering, &mut reading, ty);
    laid_out(lowering, reading, ty)
}

/// Whether the indices of a place are its own, or it is the first that reads its index bare.
fn is_view(affine: &Affine, at: usize, places: &[Place], free: &[IndexId], lowering: &Lowering) -> bool {
    let ids = || affine.factors.iter().map(|(id, _)| *id);
    let reads = |place: &Place, id: IndexId| match place {
        Place::Affine(other) => other.factor(id) != 0,
        Place::At(term) => lowering.terms.get(*term).ty.free.contains(&id),
    };
    if ids().any(|id| free.contains(&id)) {
        return false;
    }
    if let Some(id) = affine.bare() {
        let bare = |place: &Place| matches!(place, Place::Affine(other) if other.bare() == Some(id));
        return places.iter().position(bare) == Some(at);
    }
    let others = || places.iter().enumerate().filter(|(other, _)| *other != at);
    ids().all(|id| others().all(|(_, place)| !reads(place, id)))
}

/// Reads one axis as a view, if strides can say it.
fn view(lowering: &mut Lowering, reading: &mut Reading, axis: usize, affine: &Affine) {
    let one = Size::from(1);
    let sizes: Option<Vec<Size>> = affine.factors.iter().map(|(id, _)| lowering.terms.size_of(*id)).collect();
    let (Some(sizes), Some((low, high))) = (sizes, affine.extremes(|id| lowering.terms.size_of(id))) else { return };
    let length = lowering.graph.shape(reading.node)[axis].clone();
    let last = length.minus(&one);
    let strided = affine.factors.len() > 1 && affine.factors.iter().any(|(_, factor)| factor.abs() != 1);
    let unsettled = sizes.iter().any(|size| size.settled().is_none());
    if sizes.iter().any(|size| size.settled() == Some(0)) || (strided && unsettled) {
        return;
    }
    // Zeros before the first element and behind the last.
    let (Some(before), Some(behind)) = (excess(&low.times(&Size::from(-1))), excess(&high.minus(&last))) else {
        return;
    };
    let (zero, mut node) = (Size::from(0), reading.node);
    if before != zero || behind != zero {
        node = lowering.graph.add(Op::Pad { axis, low: before.clone(), high: behind, between: 0 }, vec![node]);
    }
    let mut factors: Vec<(IndexId, i64, Size)> =
        affine.factors.iter().zip(sizes).map(|((id, factor), size)| (*id, *factor, size)).collect();
    factors.sort_by_key(|(_, factor, _)| std::cmp::Reverse(factor.abs()));
    if let [(id, factor, size)] = &factors[..] {
        let start = affine.constant.plus(&before);
        node = sliced(lowering, node, axis, start, size.clone(), *factor);
        reading.node = node;
        reading.axes[axis] = Mark::Index(*id);
        return;
    }
    node = sliced(lowering, node, axis, low.plus(&before), high.minus(&low).plus(&one), 1);
    if factors.is_empty() {
        let mut shape = lowering.graph.shape(node).to_vec();
        shape.remove(axis);
        reading.node = lowering.graph.reshape(shape, node);
        reading.axes.remove(axis);
        return;
    }
    reading.node = windows(lowering, node, axis, &factors);
    reading.axes.splice(axis..=axis, factors.iter().map(|(id, ..)| Mark::Index(*id)));
}

/// One axis as windows in windows, the farthest apart first.
fn windows(lowering: &mut Lowering, mut node: NodeId, axis: usize, factors: &[(IndexId, i64, Size)]) -> NodeId {
    let one = Size::from(1);
    let far = |(_, factor, size): &(IndexId, i64, Size)| size.minus(&one).times(&Size::from(factor.abs()));
    for at in 0..factors.len() - 1 {
        let rest = &factors[at + 1..];
        let (size, dilation) = match rest {
            [(_, factor, size)] => (size.clone(), factor.abs()),
            _ => (rest.iter().map(far).fold(one.clone(), |sum, far| sum.plus(&far)), 1),
        };
        let window = Op::Window { axis: axis + at, size, stride: factors[at].1.abs(), dilation };
        node = lowering.graph.add(window, vec![node]);
    }
    for (at, (_, factor, size)) in factors.iter().enumerate() {
        if *factor < 0 {
            node = sliced(lowering, node, axis + at, size.minus(&one), size.clone(), -1);
        }
    }
    node
}

fn sliced(lowering: &mut Lowering, node: NodeId, axis: usize, start: Size, count: Size, step: i64) -> NodeId {
    let whole = start == Size::from(0) && step == 1 && lowering.graph.shape(node)[axis] == count;
    if whole { node } else { lowering.graph.add(Op::Slice { axis, start, count, step }, vec![node]) }
}

/// By how much a number is above 0; `None` where that is not known.
fn excess(size: &Size) -> Option<Size> {
    if size.times(&Size::from(-1)).is_never_negative() {
        return Some(Size::from(0));
    }
    size.is_never_negative().then(|| size.clone())
}

/// Reads the axes that are left at places that are computed: the axes become one, and each place a number in it.
fn gather(lowering: &mut Lowering, reading: &mut Reading, ty: &Type) {
    let left: Vec<(usize, &Place)> = reading
        .axes
        .iter()
        .enumerate()
        .filter_map(|(axis, mark)| match mark {
            Mark::Gather(place) => Some((axis, *place)),
            Mark::Index(_) => None,
        })
        .collect();
    if left.is_empty() {
        return;
    }
    let of_places: Vec<IndexId> = ty
        .free
        .iter()
        .copied()
        .filter(|id| left.iter().any(|(_, place)| free_of(lowering, place).contains(id)))
        .collect();
    let marks: Vec<(usize, IndexId)> = reading
        .axes
        .iter()
        .enumerate()
        .filter_map(|(axis, mark)| match mark {
            Mark::Index(id) => Some((axis, *id)),
            Mark::Gather(_) => None,
        })
        .collect();
    let (batch, rest): (Vec<_>, Vec<_>) = marks.into_iter().partition(|(_, id)| of_places.contains(id));
    let axes = |of: &[(usize, IndexId)]| of.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
    let gathered: Vec<usize> = left.iter().map(|(axis, _)| *axis).collect();
    let node = lowering.graph.permute([axes(&batch), gathered, axes(&rest)].concat(), reading.node);
    let shape = lowering.graph.shape(node).to_vec();
    let (first, behind) = (batch.len(), batch.len() + left.len());
    let lengths = shape[first..behind].to_vec();
    let flat = lengths.iter().fold(Size::from(1), |product, size| product.times(size));
    let node = lowering.graph.reshape([&shape[..first], &[flat], &shape[behind..]].concat(), node);
    // The places have the shared axes in the order in which the base has them, then their own.
    let own: Vec<IndexId> =
        of_places.iter().copied().filter(|id| !batch.iter().any(|(_, known)| known == id)).collect();
    let order: Vec<IndexId> = batch.iter().map(|(_, id)| *id).chain(own).collect();
    let places: Vec<&Place> = left.iter().map(|(_, place)| *place).collect();
    let at = numbers(lowering, &places, &lengths, &of_places);
    let axes = order.iter().filter_map(|id| of_places.iter().position(|own| own == id)).collect();
    let at = lowering.graph.permute(axes, at);
    reading.node = lowering.graph.add(Op::Gather { batch: first }, vec![node, at]);
    reading.axes = order.into_iter().chain(rest.iter().map(|(_, id)| *id)).map(Mark::Index).collect();
}

fn free_of(lowering: &Lowering, place: &Place) -> Vec<IndexId> {
    match place {
        Place::Affine(affine) => affine.factors.iter().map(|(id, _)| *id).collect(),
        Place::At(term) => lowering.terms.get(*term).ty.free.clone(),
    }
}

/// Places in several axes as places in one. One that is outside of its own axis is outside of that one.
fn numbers(lowering: &mut Lowering, places: &[&Place], lengths: &[Size], free: &[IndexId]) -> NodeId {
    let to = Type { free: free.to_vec(), ..Type::scalar(Elem::Int) };
    let shape = lowering.shape(&to);
    let mut sum = None;
    let mut inside = None;
    for (place, length) in places.iter().zip(lengths) {
        let at = match place {
            Place::Affine(affine) => affine_number(lowering, affine, length, free, &shape),
            Place::At(term) => lowering.operand(*term, &to, DType::Int),
        };
        if let Place::At(term) = place
            && places.len() > 1
            && matches!(lowering.terms.get(*term).ty.elem, Elem::Int)
        {
            let (zero, end) = (whole(lowering, &Size::from(0), &shape), whole(lowering, length, &shape));
            let low = lowering.graph.binary(ScalarOp::LessEqual, zero, at);
            let high = lowering.graph.binary(ScalarOp::Less, at, end);
            let both = lowering.graph.binary(ScalarOp::And, low, high);
            inside = Some(match inside {
                None => both,
                Some(others) => lowering.graph.binary(ScalarOp::And, others, both),
            });
        }
        sum = Some(match sum {
            None => at,
            Some(outer) => {
                let stride = whole(lowering, length, &shape);
                let scaled = lowering.graph.binary(ScalarOp::Mul, outer, stride);
                lowering.graph.binary(ScalarOp::Add, scaled, at)
            }
        });
    }
    let at = sum.unwrap_or_else(|| whole(lowering, &Size::from(0), &shape));
    match inside {
        None => at,
        Some(inside) => {
            let outside = whole(lowering, &Size::from(-1), &shape);
            lowering.graph.select(inside, at, outside)
        }
    }
}

/// A place made of indices. One that a condition leaves out may be outside of the axis: it is the nearest that is not.
fn affine_number(lowering: &mut Lowering, affine: &Affine, length: &Size, free: &[IndexId], shape: &[Size]) -> NodeId {
    let mut sum = whole(lowering, &affine.constant, shape);
    for (id, factor) in &affine.factors {
        let Some(axis) = free.iter().position(|own| own == id) else { continue };
        let iota = lowering.graph.add(Op::Iota { shape: shape.to_vec(), axis }, Vec::new());
        let factor = whole(lowering, &Size::from(*factor), shape);
        let scaled = lowering.graph.binary(ScalarOp::Mul, iota, factor);
        sum = lowering.graph.binary(ScalarOp::Add, sum, scaled);
    }
    let last = length.minus(&Size::from(1));
    let inside = affine
        .extremes(|id| lowering.terms.size_of(id))
        .is_some_and(|(low, high)| low.is_never_negative() && last.minus(&high).is_never_negative());
    if inside {
        return sum;
    }
    let (zero, last) = (whole(lowering, &Size::from(0), shape), whole(lowering, &last, shape));
    let sum = lowering.graph.binary(ScalarOp::Max, sum, zero);
    lowering.graph.binary(ScalarOp::Min, sum, last)
}

/// A whole number everywhere in a shape.
fn whole(lowering: &mut Lowering, size: &Size, shape: &[Size]) -> NodeId {
    let number = match size.settled() {
        Some(number) => {
            let number = lowering.graph.constant(number as f64);
            lowering.graph.cast(DType::Int, number)
        }
        None => lowering.graph.add(Op::SizeOf(size.clone()), Vec::new()),
    };
    lowering.graph.broadcast(shape.to_vec(), Vec::new(), number)
}

/// The axes in the order of the free indices; those that the read has not are repeated.
fn laid_out(lowering: &mut Lowering, reading: Reading, ty: &Type) -> NodeId {
    let own: Vec<IndexId> = reading
        .axes
        .iter()
        .filter_map(|mark| match mark {
            Mark::Index(id) => Some(*id),
            Mark::Gather(_) => None,
        })
        .collect();
    let sorted: Vec<IndexId> = ty.free.iter().copied().filter(|id| own.contains(id)).collect();
    let order = sorted.iter().filter_map(|id| own.iter().position(|known| known == id)).collect();
    let node = lowering.graph.permute(order, reading.node);
    let kept = sorted.iter().filter_map(|id| ty.free.iter().position(|known| known == id)).collect();
    let shape = lowering.shape(ty);
    lowering.graph.broadcast(shape, kept, node)
}
