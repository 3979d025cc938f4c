//! Samples of calls and loops.

use super::check::{Sample, sizes};
use super::lean;
use super::samples::Make;
use mlx::ir::{Body, DType, Graph, NodeId, Op, Part, Reduce, ScalarOp, Scan, ScanBuilder, Scanned, Size};
use std::sync::Arc;

/// Any call, and any loop: representatives of their kinds.
pub fn call() -> Op {
    Op::Call(Arc::new(Body::new(&Graph::default(), &[], &[])), 0)
}

pub fn scan() -> Op {
    let body = Arc::new(Body::new(&Graph::default(), &[], &[]));
    let scan = Scan { steps: Size::from(0), reverse: false, carries: 0, slices: 0, body };
    Op::Scan(Arc::new(scan), Part::Last(0))
}

/// One number of several results, in which each element counts otherwise.
fn all(make: &mut Make, nodes: &[NodeId]) -> NodeId {
    let mut sum = make.graph.constant(0.0);
    for (at, node) in nodes.iter().enumerate() {
        let node = make.graph.cast(DType::Float, *node);
        let bent = if at % 2 == 0 { ScalarOp::Sin } else { ScalarOp::Tanh };
        let node = make.graph.unary(bent, node);
        let part = make.graph.reduce(Reduce::Sum, (0..make.graph.shape(node).len()).collect(), node);
        sum = make.graph.binary(ScalarOp::Add, sum, part);
    }
    sum
}

pub fn mul(graph: &mut Graph, a: NodeId, b: NodeId) -> NodeId {
    graph.binary(ScalarOp::Mul, a, b)
}

pub fn add(graph: &mut Graph, a: NodeId, b: NodeId) -> NodeId {
    graph.binary(ScalarOp::Add, a, b)
}

/// `h' = tanh(w h + x)`, which gives `h' h`.
pub fn recurrent(graph: &mut Graph, steps: Size, reverse: bool, h: NodeId, x: NodeId, w: NodeId) -> Scanned {
    let scan = recurrent_scan(graph, steps, reverse, h, x, w);
    graph.scan(scan)
}

pub fn recurrent_scan(graph: &Graph, steps: Size, reverse: bool, h: NodeId, x: NodeId, w: NodeId) -> ScanBuilder {
    let mut scan = ScanBuilder::new(steps, reverse);
    let (now, slice, w) = (scan.carry(graph, h), scan.slice(graph, x), scan.capture(graph, w));
    let product = scan.body.dot(vec![], vec![(1, 0)], w, now);
    let sum = add(&mut scan.body, product, slice);
    let next = scan.body.unary(ScalarOp::Tanh, sum);
    let both = mul(&mut scan.body, next, now);
    scan.next(now, next);
    scan.give(both);
    scan
}

/// The operands of [`recurrent`].
fn recurrent_of(make: &mut Make, steps: usize, reverse: bool) -> Scanned {
    let (h, x) = (make.floats(&[2], (-1.0, 1.0)), make.floats(&[steps, 2], (-1.0, 1.0)));
    let w = make.floats(&[2, 2], (-1.0, 1.0));
    let scan = recurrent_scan(&make.graph, Size::from(steps as i64), reverse, h, x, w);
    make.scan(scan)
}

pub fn calls(op: &Op) -> Vec<Sample> {
    // y = tanh(a b) and z = y + c; one operand that the body does not read, one that comes twice.
    let build = |make: &mut Make| {
        let operands =
            [make.floats(&[2, 2], (-1.0, 1.0)), make.floats(&[2, 2], (-1.0, 1.0)), make.floats(&[2, 2], (0.5, 2.0))];
        let mut graph = Graph::default();
        let inputs: Vec<NodeId> = (0..4).map(|at| graph.input(at, DType::Float, sizes(&[2, 2]))).collect();
        let product = graph.dot(vec![], vec![(1, 0)], inputs[0], inputs[1]);
        let y = graph.unary(ScalarOp::Tanh, product);
        let z = mul(&mut graph, y, inputs[2]);
        let twice = mul(&mut graph, z, inputs[0]);
        let body = Arc::new(Body::new(&graph, &inputs, &[y, twice, inputs[1]]));
        make.graph.call(&body, &[operands[0], operands[1], operands[2], operands[2]])
    };
    let mut samples = Vec::new();
    for result in 0..3 {
        let mut make = Make::new(op, format!("result {result}"));
        let root = build(&mut make)[result];
        samples.push(make.at(root));
    }
    let mut make = Make::new(op, "all results");
    let results = build(&mut make);
    let root = all(&mut make, &results);
    samples.push(make.at(root));
    samples
}

pub fn scans(op: &Op) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut sample = |what: &str, build: &dyn Fn(&mut Make) -> Vec<NodeId>| {
        for lean in [false, true] {
            let mut make = Make::new(op, format!("{what}, lean {lean}"));
            make.lean = lean;
            let results = build(&mut make);
            let root = if results.len() == 1 { results[0] } else { all(&mut make, &results) };
            samples.push(make.at(root));
        }
    };
    for reverse in [false, true] {
        for steps in [0, 1, 4] {
            let what = format!("{steps} steps, reverse {reverse}");
            sample(&format!("{what}: last"), &|make| recurrent_of(make, steps, reverse).last);
            sample(&format!("{what}: each"), &|make| recurrent_of(make, steps, reverse).each);
            sample(&format!("{what}: all"), &|make| {
                let scanned = recurrent_of(make, steps, reverse);
                [scanned.last, scanned.each].concat()
            });
            sample(&format!("{what}: before"), &|make| {
                let scanned = recurrent_of(make, steps, reverse);
                vec![before(&mut make.graph, scanned.last[0], 0)]
            });
        }
    }
    sample("no carries", &|make| {
        let (x, c) = (make.floats(&[3, 2], (0.5, 2.0)), make.floats(&[2], (-1.0, 1.0)));
        let mut scan = ScanBuilder::new(Size::from(3), false);
        let (x, c) = (scan.slice(&make.graph, x), scan.capture(&make.graph, c));
        let log = scan.body.unary(ScalarOp::Log, x);
        let product = mul(&mut scan.body, log, c);
        scan.give(product);
        make.scan(scan).each
    });
    sample("no slices, and the place of the step", &|make| {
        let (h, c) = (make.floats(&[], (-1.0, 1.0)), make.floats(&[], (-1.0, 1.0)));
        let mut scan = ScanBuilder::new(Size::from(3), true);
        let (now, c) = (scan.carry(&make.graph, h), scan.capture(&make.graph, c));
        let place = scan.body.cast(DType::Float, scan.index);
        let shifted = add(&mut scan.body, place, c);
        let next = mul(&mut scan.body, now, shifted);
        let next = scan.body.unary(ScalarOp::Sin, next);
        scan.next(now, next);
        make.scan(scan).last
    });
    sample("two of each", &two_of_each);
    sample("an int carry", &int_carry);
    sample("a carry that only another one reads, and one that stays", &chain);
    sample("a loop in a loop", &nested);
    sample("a call in a loop", &called);
    for (steps, reverse) in [(3, false), (4, true), (5, false), (7, true)] {
        sample(&format!("{steps} steps with checkpoints, reverse {reverse}"), &|make| {
            let (h, x) = (make.floats(&[2], (-1.0, 1.0)), make.floats(&[steps as usize, 2], (-1.0, 1.0)));
            let w = make.floats(&[2, 2], (-1.0, 1.0));
            let scan = recurrent_scan(&make.graph, Size::from(steps), reverse, h, x, w);
            let scanned = make.graph.scan_with_checkpoints(scan);
            [scanned.last, scanned.each].concat()
        });
    }
    sample("results that are operands, the same one twice", &|make| {
        let (h, x) = (make.floats(&[2], (-1.0, 1.0)), make.floats(&[3, 2], (-1.0, 1.0)));
        let mut scan = ScanBuilder::new(Size::from(3), false);
        let (now, x) = (scan.carry(&make.graph, h), scan.slice(&make.graph, x));
        scan.next(now, x);
        scan.give(now);
        scan.give(x);
        scan.give(x);
        let scanned = make.scan(scan);
        [scanned.last, scanned.each].concat()
    });
    sample("carries that change places, given as they were", &change_places);
    sample("results that do not depend on the step", &the_same_in_each);
    sample("a tensor that is sliced twice and captured, one row after the other", &one_in_many_ways);
    for (what, build) in lean::CASES {
        for (steps, reverse) in [(0, false), (3, false), (3, true)] {
            sample(&format!("{what}, {steps} steps, reverse {reverse}"), &|make| {
                let built = build(make, steps, reverse);
                let scanned = make.scan(built);
                [scanned.last, scanned.each].concat()
            });
        }
    }
    samples
}

/// A carry before each step of the loop that a node is a result of.
fn before(graph: &mut Graph, of: NodeId, carry: usize) -> NodeId {
    let node = graph.node(of).clone();
    let Op::Scan(scan, _) = node.op else { panic!("{of} is no loop") };
    graph.add(Op::Scan(scan, Part::Before(carry)), node.inputs)
}

/// Each is the next value of the other, and is given as another shape.
fn change_places(make: &mut Make) -> Vec<NodeId> {
    let (a, b) = (make.floats(&[2], (-1.0, 1.0)), make.floats(&[2], (-1.0, 1.0)));
    let mut scan = ScanBuilder::new(Size::from(3), false);
    let (a, b) = (scan.carry(&make.graph, a), scan.carry(&make.graph, b));
    let bent = scan.body.unary(ScalarOp::Sin, b);
    scan.next(a, bent);
    scan.next(b, a);
    let column = scan.body.reshape(sizes(&[2, 1]), a);
    scan.give(column);
    scan.give(b);
    scan.give(bent);
    let scanned = make.scan(scan);
    [scanned.last, scanned.each].concat()
}

/// Numbers, a capture; a truth value that turns over; a carry that becomes a number.
fn the_same_in_each(make: &mut Make) -> Vec<NodeId> {
    let (a, b) = (make.floats(&[2], (-1.0, 1.0)), make.floats(&[2], (-1.0, 1.0)));
    let zero = make.graph.constant(0.0);
    let one = make.graph.constant(1.0);
    let yes = make.graph.binary(ScalarOp::Less, zero, one);
    let mut scan = ScanBuilder::new(Size::from(3), true);
    let (now, turns, b) = (scan.carry(&make.graph, a), scan.carry(&make.graph, yes), scan.capture(&make.graph, b));
    let half = scan.body.fill(0.5, sizes(&[2]));
    let product = mul(&mut scan.body, now, b);
    let turned = scan.body.unary(ScalarOp::Not, turns);
    scan.next(now, half);
    scan.next(turns, turned);
    [product, half, b, turned, turns].into_iter().for_each(|each| scan.give(each));
    let scanned = make.scan(scan);
    [scanned.last, scanned.each].concat()
}

/// Row by row, each with all rows; a call and a loop in the body read the row where it lies.
fn one_in_many_ways(make: &mut Make) -> Vec<NodeId> {
    let x = make.floats(&[3, 3], (-1.0, 1.0));
    let mut scan = ScanBuilder::new(Size::from(3), false);
    let (row, again) = (scan.slice(&make.graph, x), scan.slice(&make.graph, x));
    let all = scan.capture(&make.graph, x);
    let product = scan.body.dot(vec![], vec![(1, 0)], all, row);
    let square = mul(&mut scan.body, product, again);
    let mut inner = ScanBuilder::new(Size::from(3), false);
    let start = scan.body.constant(0.5);
    let (sum, element) = (inner.carry(&scan.body, start), inner.slice(&scan.body, row));
    let whole = inner.capture(&scan.body, row);
    let place = inner.body.add(Op::Gather { batch: 0 }, vec![whole, inner.index]);
    let term = mul(&mut inner.body, element, place);
    let next = add(&mut inner.body, sum, term);
    inner.next(sum, next);
    let last = scan.body.scan(inner).last[0];
    scan.give(square);
    scan.give(last);
    make.scan(scan).each
}

/// Carries that mix, one of which gives nothing; slices along one axis; captures, one of them twice.
fn two_of_each(make: &mut Make) -> Vec<NodeId> {
    let (a, b) = (make.floats(&[2], (-1.0, 1.0)), make.floats(&[], (-1.0, 1.0)));
    let (x, y) = (make.floats(&[3, 2], (-1.0, 1.0)), make.floats(&[3], (-1.0, 1.0)));
    let (v, w) = (make.floats(&[2], (-1.0, 1.0)), make.floats(&[], (-1.0, 1.0)));
    let mut scan = ScanBuilder::new(Size::from(3), false);
    let (a, b) = (scan.carry(&make.graph, a), scan.carry(&make.graph, b));
    let (x, y) = (scan.slice(&make.graph, x), scan.slice(&make.graph, y));
    let (v, w, again) = (scan.capture(&make.graph, v), scan.capture(&make.graph, w), scan.capture(&make.graph, v));
    assert_eq!(v, again, "a value is captured once");
    let body = &mut scan.body;
    let dotted = body.dot(vec![], vec![(0, 0)], a, v);
    let scaled = mul(body, dotted, y);
    let next_b = add(body, scaled, b);
    let wide = body.broadcast(sizes(&[2]), Vec::new(), next_b);
    let product = mul(body, wide, x);
    let next_a = body.unary(ScalarOp::Sin, product);
    let told = mul(body, w, b);
    scan.next(a, next_a);
    scan.next(b, next_b);
    scan.give(next_a);
    scan.give(told);
    let scanned = make.scan(scan);
    [scanned.last, scanned.each].concat()
}

/// A counter goes along; what it is multiplied with has a gradient, it has none.
fn int_carry(make: &mut Make) -> Vec<NodeId> {
    let (x, start) = (make.floats(&[4], (-1.0, 1.0)), make.ints(&[], &[1.0]));
    let sum = make.graph.constant(0.0);
    let mut scan = ScanBuilder::new(Size::from(4), false);
    let (count, sum) = (scan.carry(&make.graph, start), scan.carry(&make.graph, sum));
    let x = scan.slice(&make.graph, x);
    let body = &mut scan.body;
    let next = add(body, count, count);
    let factor = body.cast(DType::Float, count);
    let square = mul(body, x, x);
    let term = mul(body, square, factor);
    let next_sum = add(body, sum, term);
    scan.next(count, next);
    scan.next(sum, next_sum);
    scan.give(next);
    let scanned = make.scan(scan);
    assert_eq!(make.graph.dtype(scanned.each[0]), DType::Int);
    [scanned.last, scanned.each].concat()
}

/// What comes in by the first carry reaches the result two steps later; a constant carry has no gradient to give on.
fn chain(make: &mut Make) -> Vec<NodeId> {
    let (a, zero) = (make.floats(&[2], (-1.0, 1.0)), make.graph.fill(0.5, sizes(&[2])));
    let mut scan = ScanBuilder::new(Size::from(3), false);
    let carries: Vec<NodeId> = [a, zero, zero, zero].map(|first| scan.carry(&make.graph, first)).to_vec();
    let bent = scan.body.unary(ScalarOp::Sin, carries[0]);
    let product = mul(&mut scan.body, carries[1], carries[3]);
    scan.next(carries[1], bent);
    scan.next(carries[2], product);
    let last = make.scan(scan).last;
    vec![last[2], last[3]]
}

/// Each step runs a loop over the elements of its slice, from the carry, with a capture.
fn nested(make: &mut Make) -> Vec<NodeId> {
    let (h, x) = (make.floats(&[], (-1.0, 1.0)), make.floats(&[3, 2], (-1.0, 1.0)));
    let w = make.floats(&[], (0.5, 1.0));
    let mut outer = ScanBuilder::new(Size::from(3), false);
    let (now, row) = (outer.carry(&make.graph, h), outer.slice(&make.graph, x));
    let w = outer.capture(&make.graph, w);
    let mut inner = ScanBuilder::new(Size::from(2), true);
    let (deep, element) = (inner.carry(&outer.body, now), inner.slice(&outer.body, row));
    let w = inner.capture(&outer.body, w);
    let product = mul(&mut inner.body, deep, w);
    let sum = add(&mut inner.body, product, element);
    let next = inner.body.unary(ScalarOp::Sin, sum);
    inner.next(deep, next);
    inner.give(sum);
    let scanned = outer.body.scan(inner);
    outer.next(now, scanned.last[0]);
    outer.give(scanned.each[0]);
    let scanned = make.scan(outer);
    [scanned.last, scanned.each].concat()
}

/// Each step calls a body: a loop that keeps nothing of what is inside.
fn called(make: &mut Make) -> Vec<NodeId> {
    let (h, x) = (make.floats(&[2], (-1.0, 1.0)), make.floats(&[3, 2], (-1.0, 1.0)));
    let mut graph = Graph::default();
    let inputs: Vec<NodeId> = (0..2).map(|at| graph.input(at, DType::Float, sizes(&[2]))).collect();
    let product = mul(&mut graph, inputs[0], inputs[1]);
    let bent = graph.unary(ScalarOp::Cos, product);
    let body = Arc::new(Body::new(&graph, &inputs, &[bent]));
    let mut scan = ScanBuilder::new(Size::from(3), false);
    let (now, x) = (scan.carry(&make.graph, h), scan.slice(&make.graph, x));
    let next = scan.body.call(&body, &[now, x])[0];
    scan.next(now, next);
    make.scan(scan).last
}
