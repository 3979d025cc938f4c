//! Loops: the terms of a step become a body, what they read of what is outside its captures.

use super::term::{Lowering, dtype};
use crate::check::steps::{Scan, ScanPart};
use crate::check::terms::Leaf;
use crate::ir::{DType, NodeId, Op, ScalarOp, ScanBuilder, Scanned, Size};
use crate::loops;

/// By how much a draw's repetition grows with each loop around it: more steps than this, and those of two loops may meet.
const STRIDE: f64 = 65_537.0;

/// The node of a result of a loop.
pub(super) fn part(lowering: &mut Lowering, scan: &Scan, part: ScanPart) -> NodeId {
    if !lowering.scans.contains_key(&scan.id) {
        let made = made(lowering, scan);
        lowering.scans.insert(scan.id, made);
    }
    let made = &lowering.scans[&scan.id];
    match part {
        ScanPart::Last(carry) => made.last[carry],
        ScanPart::Given { at, .. } if at < scan.lasts => made.last[scan.carries.len() + at],
        ScanPart::Given { at, axis } => {
            let each = made.each[at - scan.lasts];
            let rank = lowering.graph.shape(each).len();
            let axis = lowering.terms.get(scan.given[at]).ty.free.len() + axis;
            // The axis of the steps is the first.
            let order = (1..=axis).chain([0]).chain(axis + 1..rank).collect();
            lowering.graph.permute(order, each)
        }
    }
}

fn made(lowering: &mut Lowering, scan: &Scan) -> Scanned {
    let terms = lowering.terms;
    let inside = scan.inside(terms);
    let mut builder = ScanBuilder::new(scan.steps.clone(), false);
    let mut inner = Lowering::new(terms);
    for (at, carry) in scan.carries.iter().enumerate() {
        let first = lowering.operand(carry.first, &carry.ty, dtype(&carry.ty.elem));
        let now = builder.carry(&lowering.graph, first);
        inner.leaves.insert(Leaf::Carry(scan.id, at), now);
    }
    // What only the last step gives is carried, and nothing reads it.
    let mut given_last = Vec::new();
    for given in &scan.given[..scan.lasts] {
        let ty = &terms.get(*given).ty;
        let zero = lowering.graph.constant(0.0);
        let zero = lowering.graph.cast(dtype(&ty.elem), zero);
        let shape = lowering.shape(ty);
        let zeros = lowering.graph.broadcast(shape, Vec::new(), zero);
        given_last.push(builder.carry(&lowering.graph, zeros));
    }
    for (at, (source, axis)) in scan.sources.iter().enumerate() {
        let node = lowering.node(*source);
        let rank = lowering.graph.shape(node).len();
        let along = terms.get(*source).ty.free.len() + axis;
        let order = std::iter::once(along).chain((0..rank).filter(|other| *other != along)).collect();
        let node = lowering.graph.permute(order, node);
        let slice = builder.slice(&lowering.graph, node);
        inner.leaves.insert(Leaf::Slice(scan.id, at), slice);
    }
    inner.leaves.insert(Leaf::Step(scan.id), builder.index);
    for capture in &inside.captures {
        let node = lowering.node(*capture);
        inner.know(*capture, builder.capture(&lowering.graph, node));
    }
    let counters = inside.draws.then(|| builder.capture(&lowering.graph, lowering.counters));
    inner.graph = std::mem::take(&mut builder.body);
    if let Some(counters) = counters {
        inner.counters = counted(&mut inner, counters, builder.index);
    }
    for (at, carry) in scan.carries.iter().enumerate() {
        let next = inner.operand(carry.next, &carry.ty, dtype(&carry.ty.elem));
        let now = builder.carries[at].now;
        builder.next(now, next);
    }
    for (at, given) in scan.given.iter().enumerate() {
        let node = inner.whole(*given);
        match given_last.get(at) {
            Some(now) => builder.next(*now, node),
            None => builder.give(node),
        }
    }
    builder.body = inner.graph;
    loops::scan(&mut lowering.graph, builder)
}

/// The counters of a step: the repetition tells its place, too.
fn counted(inner: &mut Lowering, counters: NodeId, index: NodeId) -> NodeId {
    let graph = &mut inner.graph;
    let shape = vec![Size::from(5)];
    let places = graph.add(Op::Iota { shape: shape.clone(), axis: 0 }, Vec::new());
    let mut whole = |value: f64| {
        let value = graph.constant(value);
        let value = graph.cast(DType::Int, value);
        graph.broadcast(shape.clone(), Vec::new(), value)
    };
    let (repetition, stride, one) = (whole(3.0), whole(STRIDE), whole(1.0));
    let is_it = graph.binary(ScalarOp::Equal, places, repetition);
    let index = graph.broadcast(shape, Vec::new(), index);
    let scaled = graph.binary(ScalarOp::Mul, counters, stride);
    let placed = graph.binary(ScalarOp::Add, scaled, index);
    let placed = graph.binary(ScalarOp::Add, placed, one);
    graph.select(is_it, placed, counters)
}
