//! Bodies: what is kept for their gradients, draws in loops, what is wrong with a body, how it is printed, what it costs.

use super::check::{differs, numbers, sizes};
use super::loops::{add, mul, recurrent, recurrent_scan};
use crate::trial;
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::{Tensor, reference};
use mlx::ir::{
    Body, DType, Draw, Graph, NodeId, Op, Part, Reduce, ScalarOp, Scan, ScanBuilder, Scanned, Size, Symbol, flops, held,
};
use mlx::passes::streamed;
use std::sync::Arc;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ops::bodies::a_loop_is_its_steps_written_out", a_loop_is_its_steps_written_out),
        trial("ops::bodies::no_steps_give_the_first_carries_and_nothing", no_steps),
        trial("ops::bodies::a_symbolic_number_of_steps_settles", symbolic_steps),
        trial("ops::bodies::a_gradient_keeps_only_what_it_reads", a_gradient_keeps_only_what_it_reads),
        trial("ops::bodies::checkpoints_hold_less", checkpoints_hold_less),
        trial("ops::bodies::a_gradient_of_a_call_computes_it_anew", a_gradient_of_a_call_computes_it_anew),
        trial("ops::bodies::what_no_result_needs_is_not_computed", what_no_result_needs_is_not_computed),
        trial("ops::bodies::each_step_draws_anew", each_step_draws_anew),
        trial("ops::bodies::counters_are_numbers_modulo_2_to_the_32", counters_above_2_to_the_31),
        trial("ops::bodies::each_step_can_be_interrupted", each_step_can_be_interrupted),
        trial("ops::bodies::equal_bodies_are_one", equal_bodies_are_one),
        trial("ops::bodies::the_verifier_finds_what_is_wrong", the_verifier_finds_what_is_wrong),
        trial("ops::bodies::a_body_is_printed_once_below_its_node", printed),
        trial("ops::bodies::what_a_loop_costs", costs),
        trial("ops::bodies::rows_stream_through_loops_along_other_axes", rows_stream),
    ]
}

fn run(graph: &Graph, roots: &[NodeId], inputs: &[Tensor]) -> Vec<Tensor> {
    graph.verify().unwrap_or_else(|wrong| panic!("{wrong}\n{graph}"));
    reference::run(graph, roots, inputs).unwrap_or_else(|wrong| panic!("{wrong}\n{graph}"))
}

/// The operands of [`recurrent`] with these steps.
fn numbers_of(steps: usize) -> [Tensor; 3] {
    [numbers(&[2], (-1.0, 1.0), 1), numbers(&[steps, 2], (-1.0, 1.0), 2), numbers(&[2, 2], (-1.0, 1.0), 3)]
}

fn inputs_of(graph: &mut Graph, steps: Size) -> [NodeId; 3] {
    [vec![Size::from(2)], vec![steps, Size::from(2)], sizes(&[2, 2])]
        .into_iter()
        .enumerate()
        .map(|(at, shape)| graph.input(at as u32, DType::Float, shape))
        .collect::<Vec<_>>()
        .try_into()
        .expect("three")
}

fn a_loop_is_its_steps_written_out() {
    for reverse in [false, true] {
        let mut graph = Graph::default();
        let [h, x, w] = inputs_of(&mut graph, Size::from(3));
        let scanned = recurrent(&mut graph, Size::from(3), reverse, h, x, w);
        let mut now = h;
        let mut each = vec![h; 3];
        for step in 0..3 {
            let place = if reverse { 2 - step } else { step };
            let (start, count) = (Size::from(place), Size::from(1));
            let slice = graph.add(Op::Slice { axis: 0, start, count, step: 1 }, vec![x]);
            let slice = graph.reshape(sizes(&[2]), slice);
            let product = graph.dot(vec![], vec![(1, 0)], w, now);
            let sum = add(&mut graph, product, slice);
            let next = graph.unary(ScalarOp::Tanh, sum);
            let both = mul(&mut graph, next, now);
            each[place as usize] = graph.reshape(sizes(&[1, 2]), both);
            now = next;
        }
        let each = graph.add(Op::Concat(0), each);
        let found = run(&graph, &[scanned.last[0], scanned.each[0], now, each], &numbers_of(3));
        assert_eq!(found[..2], found[2..]);
    }
}

fn no_steps() {
    let mut graph = Graph::default();
    let [h, x, w] = inputs_of(&mut graph, Size::from(0));
    let scanned = recurrent(&mut graph, Size::from(0), false, h, x, w);
    let last = graph.reduce(Reduce::Sum, vec![0], scanned.last[0]);
    let by = gradient(&mut graph, last, &[h, x, w]);
    let inputs = numbers_of(0);
    let found = run(&graph, &[scanned.last[0], scanned.each[0], by[0], by[1], by[2]], &inputs);
    assert_eq!(found[0], inputs[0]);
    assert_eq!(found[1], Tensor { shape: vec![0, 2], values: Vec::new() });
    assert_eq!(found[2].values, [1.0, 1.0]);
    assert_eq!((&found[3].shape[..], &found[4].values[..]), (&[0, 2][..], &[0.0; 4][..]));
}

fn symbolic_steps() {
    let build = |steps: Size| {
        let mut graph = Graph::default();
        let [h, x, w] = inputs_of(&mut graph, steps.clone());
        let scanned = recurrent(&mut graph, steps, true, h, x, w);
        let sum = graph.reduce(Reduce::Sum, vec![0], scanned.last[0]);
        let by = gradient(&mut graph, sum, &[h, x, w]);
        graph.verify().expect("a sound graph");
        (graph, [vec![scanned.each[0]], by].concat())
    };
    let (symbolic, roots) = build(Size::symbol(Symbol::new("n")));
    let settled = symbolic.settle(&[(Symbol::new("n"), 4)]);
    let (plain, _) = build(Size::from(4));
    assert_eq!(settled.to_string(), plain.to_string());
    assert_eq!(run(&settled, &roots, &numbers_of(4)), run(&plain, &roots, &numbers_of(4)));
    let told = reference::run(&symbolic, &roots, &numbers_of(4)).expect_err("symbolic sizes have no numbers");
    assert!(told.contains("the size n is not settled"), "{told}");
}

fn a_gradient_keeps_only_what_it_reads() {
    let parts = |graph: &Graph, roots: &[NodeId]| -> Vec<Part> {
        let part = |id: NodeId| if let Op::Scan(_, part) = &graph.node(id).op { Some(*part) } else { None };
        graph.needed(roots).into_iter().filter_map(part).collect()
    };
    // The slope of a sum does not depend on the sum: no carry is kept.
    let mut graph = Graph::default();
    let (x, zero) = (graph.input(0, DType::Float, sizes(&[5])), graph.constant(0.0));
    let mut scan = ScanBuilder::new(Size::from(5), false);
    let (sum, slice) = (scan.carry(&graph, zero), scan.slice(&graph, x));
    let square = mul(&mut scan.body, slice, slice);
    let next = add(&mut scan.body, sum, square);
    scan.next(sum, next);
    let last = graph.scan(scan).last[0];
    let by = gradient(&mut graph, last, &[x]);
    assert_eq!(parts(&graph, &by), [Part::Each(0)], "\n{graph}");
    let found = run(&graph, &by, &[numbers(&[5], (-1.0, 1.0), 1)]).remove(0);
    let doubled: Vec<f64> = numbers(&[5], (-1.0, 1.0), 1).values.iter().map(|x| 2.0 * x).collect();
    assert_eq!(found.values, doubled);

    // Here it is, and where no gradient by the capture is wanted none is summed.
    let mut graph = Graph::default();
    let [h, x, w] = inputs_of(&mut graph, Size::from(3));
    let last = recurrent(&mut graph, Size::from(3), false, h, x, w).last[0];
    let sum = graph.reduce(Reduce::Sum, vec![0], last);
    let by = gradient(&mut graph, sum, &[h]);
    let back: Vec<usize> = graph
        .nodes()
        .filter_map(
            |(_, node)| if let Op::Scan(scan, _) = &node.op { scan.reverse.then_some(scan.carries) } else { None },
        )
        .collect();
    assert_eq!(back, [1], "one carry, the gradient by h\n{graph}");
    assert_eq!(parts(&graph, &by), [Part::Before(0), Part::Last(0)]);
}

/// The same numbers; of 10,000 carries a hundred are kept, and a hundred of a block.
fn checkpoints_hold_less() {
    for (steps, reverse) in [(4, false), (11, true), (16, false), (23, false), (30, true)] {
        let build = |checkpoints: bool| {
            let mut graph = Graph::default();
            let [h, x, w] = inputs_of(&mut graph, Size::from(steps));
            let mut scan = recurrent_scan(&graph, Size::from(steps), reverse, h, x, w);
            // The place of each step is told too.
            scan.give(scan.index);
            let scanned = if checkpoints { graph.scan_with_checkpoints(scan) } else { graph.scan(scan) };
            let sum = graph.reduce(Reduce::Sum, vec![0, 1], scanned.each[0]);
            let by = gradient(&mut graph, sum, &[h, x, w]);
            run(&graph, &[scanned.last, scanned.each, by].concat(), &numbers_of(steps as usize))
        };
        for (one, other) in build(true).iter().zip(build(false)) {
            assert!(!differs(one, &other, 1e-12), "{steps} steps: {one:?} is not {other:?}");
        }
    }
    let most = |checkpoints: bool| {
        let mut graph = Graph::default();
        let (h, w) = (graph.input(0, DType::Float, sizes(&[50])), graph.input(1, DType::Float, sizes(&[50])));
        let mut scan = ScanBuilder::new(Size::from(10_000), false);
        let (now, w_inside) = (scan.carry(&graph, h), scan.capture(&graph, w));
        let product = mul(&mut scan.body, now, w_inside);
        let next = scan.body.unary(ScalarOp::Tanh, product);
        scan.next(now, next);
        let scanned = if checkpoints { graph.scan_with_checkpoints(scan) } else { graph.scan(scan) };
        let sum = graph.reduce(Reduce::Sum, vec![0], scanned.last[0]);
        let by = gradient(&mut graph, sum, &[h, w]);
        held(&graph, &by)
    };
    assert!(most(false) > 500_000 && most(true) < 12_000, "{} and {}", most(false), most(true));
}

fn a_gradient_of_a_call_computes_it_anew() {
    let mut inner = Graph::default();
    let x = inner.input(0, DType::Float, sizes(&[3]));
    let deep = (0..5).fold(x, |x, _| inner.unary(ScalarOp::Tanh, x));
    let body = Arc::new(Body::new(&inner, &[x], &[deep]));
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, sizes(&[3]));
    let y = graph.call(&body, &[x])[0];
    let sum = graph.reduce(Reduce::Sum, vec![0], y);
    let by = gradient(&mut graph, sum, &[x])[0];
    let plain = graph.inline(&body, &[x])[0];
    let plain = graph.reduce(Reduce::Sum, vec![0], plain);
    let plain = gradient(&mut graph, plain, &[x])[0];
    let found = run(&graph, &[by, plain], &[numbers(&[3], (-1.0, 1.0), 4)]);
    assert!(!differs(&found[0], &found[1], 1e-15), "{found:?}");
    // Nothing of the first call is read by the second one.
    let second = graph.node(by);
    assert!(second.op.body().is_some() && !graph.needed(&[by]).contains(&y), "\n{graph}");
}

fn what_no_result_needs_is_not_computed() {
    // The second carry reads outside of an axis: nobody asks for it.
    let mut graph = Graph::default();
    let (table, start) = (graph.input(0, DType::Float, sizes(&[2])), graph.constant(0.0));
    let far = graph.cast(DType::Int, start);
    let mut scan = ScanBuilder::new(Size::from(5), false);
    let (sum, place, table) = (scan.carry(&graph, start), scan.carry(&graph, far), scan.capture(&graph, table));
    let read = scan.body.add(Op::Gather { batch: 0 }, vec![table, place]);
    let one = scan.body.constant(1.0);
    let next = add(&mut scan.body, sum, one);
    let next_place = add(&mut scan.body, place, scan.index);
    scan.next(sum, next);
    scan.next(place, next_place);
    scan.give(read);
    let scanned = graph.scan(scan);
    let input = [Tensor::filled(vec![2], 1.0)];
    assert_eq!(run(&graph, &scanned.last[..1], &input)[0].values, [5.0]);
    let told = reference::run(&graph, &scanned.each, &input).expect_err("place 3 of 2");
    assert_eq!(told, "step 3 of a scan: Gather { batch: 0 }: place 3 is outside of an axis of 2");
}

/// A loop of draws, each step counted by its place: `x` times the draw, summed in a carry.
pub fn drawing(graph: &mut Graph, steps: i64) -> (Scanned, NodeId) {
    let (counters, x) = (graph.input(0, DType::Int, sizes(&[5])), graph.input(1, DType::Float, sizes(&[3])));
    let zero = graph.fill(0.0, sizes(&[3]));
    let mut scan = ScanBuilder::new(Size::from(steps), false);
    let (sum, counters, x_inside) = (scan.carry(graph, zero), scan.capture(graph, counters), scan.capture(graph, x));
    let body = &mut scan.body;
    // The repetition is the fourth counter.
    let place = body.reshape(sizes(&[1]), scan.index);
    let at_its_place = body.add(Op::Pad { axis: 0, low: Size::from(3), high: Size::from(1), between: 0 }, vec![place]);
    let counters = add(body, counters, at_its_place);
    let draw = body.random(Draw::Normal, 9, sizes(&[3]), None, counters);
    let product = mul(body, x_inside, draw);
    let next = add(body, sum, product);
    scan.next(sum, next);
    scan.give(draw);
    (graph.scan(scan), x)
}

fn each_step_draws_anew() {
    let mut graph = Graph::default();
    let (scanned, x) = drawing(&mut graph, 4);
    let sum = graph.reduce(Reduce::Sum, vec![0], scanned.last[0]);
    let by = gradient(&mut graph, sum, &[x])[0];
    let inputs = [Tensor { shape: vec![5], values: vec![1.0, 2.0, 3.0, 6.0, 0.0] }, numbers(&[3], (-1.0, 1.0), 1)];
    let found = run(&graph, &[scanned.each[0], by], &inputs);
    assert_eq!(found, run(&graph, &[scanned.each[0], by], &inputs), "the same when run again");
    let draws = &found[0].values;
    for step in 1..4 {
        assert_ne!(draws[..3], draws[3 * step..][..3], "step {step} draws anew");
    }
    // A step draws what its counters say, and the gradient sees the same numbers.
    let mut plain = Graph::default();
    let counters = plain.input(0, DType::Int, sizes(&[5]));
    let draw = plain.random(Draw::Normal, 9, sizes(&[3]), None, counters);
    let third = Tensor { shape: vec![5], values: vec![1.0, 2.0, 3.0, 8.0, 0.0] };
    assert_eq!(run(&plain, &[draw], &[third])[0].values, draws[6..9]);
    let sums: Vec<f64> = (0..3).map(|element| (0..4).map(|step| draws[3 * step + element]).sum()).collect();
    assert!(!differs(&found[1], &Tensor { shape: vec![3], values: sums }, 1e-12), "{found:?}");
}

fn counters_above_2_to_the_31() {
    let mut graph = Graph::default();
    let counters = graph.input(0, DType::Int, sizes(&[5]));
    let draw = graph.random(Draw::Uniform, 9, sizes(&[3]), Some(0), counters);
    let drawn = |values: [f64; 5]| {
        let counters = Tensor { shape: vec![5], values: values.to_vec() };
        run(&graph, &[draw], &[counters]).remove(0).values
    };
    let whole = f64::from(u32::MAX) + 1.0;
    let large = [3e9, 4e9, 2_147_483_648.0, 4_294_967_295.0, 4_000_000_000.0];
    // As ints of 32 bits they are negative; a sum may have gone beyond.
    assert_eq!(drawn(large), drawn(large.map(|counter| counter - whole)));
    assert_eq!(drawn(large), drawn(large.map(|counter| counter + whole)));
    assert_ne!(drawn(large), drawn([3e9, 4e9, 2_147_483_647.0, 4_294_967_295.0, 4_000_000_000.0]));
    assert_ne!(drawn(large), drawn([3e9, 4e9, 2_147_483_648.0, 4_294_967_294.0, 4_000_000_000.0]));
}

fn each_step_can_be_interrupted() {
    let mut graph = Graph::default();
    let (scanned, _) = drawing(&mut graph, 1_000_000_000);
    let inputs = [Tensor::filled(vec![5], 1.0), Tensor::filled(vec![3], 1.0)];
    let asked = std::cell::Cell::new(0);
    let told = reference::run_while(&graph, &scanned.last, &inputs, &|| {
        asked.set(asked.get() + 1);
        asked.get() < 1_000
    });
    assert_eq!(told.expect_err("it ends"), "interrupted");
}

fn equal_bodies_are_one() {
    let mut graph = Graph::default();
    let [h, x, w] = inputs_of(&mut graph, Size::from(3));
    let one = recurrent(&mut graph, Size::from(3), false, h, x, w);
    let count = graph.nodes().count();
    assert_eq!(one, recurrent(&mut graph, Size::from(3), false, h, x, w));
    assert_eq!(graph.nodes().count(), count);
    // What the body does not need is not there, so it makes no difference.
    let mut scan = ScanBuilder::new(Size::from(3), false);
    let unread = scan.capture(&graph, x);
    scan.body.unary(ScalarOp::Exp, unread);
    let (now, slice, inside) = (scan.carry(&graph, h), scan.slice(&graph, x), scan.capture(&graph, w));
    let product = scan.body.dot(vec![], vec![(1, 0)], inside, now);
    let sum = add(&mut scan.body, product, slice);
    let next = scan.body.unary(ScalarOp::Tanh, sum);
    let both = mul(&mut scan.body, next, now);
    scan.next(now, next);
    scan.give(both);
    assert_eq!(one, graph.scan(scan));
    assert_ne!(one, recurrent(&mut graph, Size::from(3), true, h, x, w));
}

/// Each mistake that a body can have, and what is said of it.
fn the_verifier_finds_what_is_wrong() {
    let told = |build: &dyn Fn(&mut Graph, &mut ScanBuilder)| {
        let mut graph = Graph::default();
        inputs_of(&mut graph, Size::from(3));
        let mut scan = ScanBuilder::new(Size::from(3), false);
        build(&mut graph, &mut scan);
        graph.scan(scan);
        graph.verify().expect_err("it is broken")
    };
    let hold = |told: String, wanted: &str| assert!(told.contains(wanted), "`{told}` is not `{wanted}`");
    hold(
        told(&|graph, scan| {
            let now = scan.carry(graph, NodeId(0));
            let outside = scan.body.input(7, DType::Float, sizes(&[2]));
            let next = add(&mut scan.body, now, outside);
            scan.next(now, next);
        }),
        "the body reads %2 = Input(9), which is none of its 2 inputs",
    );
    hold(
        told(&|graph, scan| {
            let now = scan.carry(graph, NodeId(0));
            scan.next(now, NodeId(40));
        }),
        "result 0 is no node of the body",
    );
    hold(
        told(&|graph, scan| {
            let now = scan.carry(graph, NodeId(0));
            let next = scan.body.reduce(Reduce::Sum, vec![0], now);
            scan.next(now, next);
        }),
        "the next carry 0 is float[], and the body takes float[2]",
    );
    hold(
        told(&|graph, scan| {
            let now = scan.carry(graph, NodeId(0));
            let next = scan.body.cast(DType::Int, now);
            scan.next(now, next);
        }),
        "the next carry 0 is int[2], and the body takes float[2]",
    );
    hold(
        told(&|graph, scan| {
            let slice = scan.slice(graph, NodeId(2));
            scan.give(slice);
        }),
        "tensor 0 has 2 slices, and there are 3 steps",
    );
    hold(
        told(&|graph, scan| {
            let scalar = graph.constant(1.0);
            let slice = scan.slice(graph, scalar);
            scan.give(slice);
        }),
        "tensor 0 is float[], which has no axis to be read along",
    );
    hold(
        told(&|graph, scan| {
            let (a, b) = (scan.capture(graph, NodeId(0)), scan.capture(graph, NodeId(2)));
            let sum = add(&mut scan.body, a, b);
            scan.give(sum);
        }),
        "in the body, %3 = Add of float[2], float[2, 2]: its operands have one shape",
    );
    hold(
        told(&|graph, scan| {
            scan.steps = Size::from(-1);
            let a = scan.capture(graph, NodeId(0));
            scan.give(a);
        }),
        "there are -1 steps",
    );
    // What no builder makes.
    let mut graph = Graph::default();
    let [h, x, w] = inputs_of(&mut graph, Size::from(3));
    let last = recurrent(&mut graph, Size::from(3), false, h, x, w).last[0];
    let Op::Scan(scan, _) = graph.node(last).op.clone() else { panic!("a loop") };
    let broken = |op: Op, inputs: Vec<NodeId>| {
        let mut graph = graph.clone();
        graph.add(op, inputs);
        graph.verify().expect_err("it is broken")
    };
    let last = || Op::Scan(scan.clone(), Part::Last(0));
    hold(broken(last(), vec![h, x]), "the body takes 4 inputs, and there are the step and 2 operands");
    hold(broken(last(), vec![w, x, w]), "the first carry 0 is float[2, 2], and the body takes float[2]");
    hold(broken(last(), vec![h, x, h]), "capture 0 is float[2], and the body takes float[2, 2]");
    hold(broken(Op::Scan(scan.clone(), Part::Each(1)), vec![h, x, w]), "there is no Each(1)");
    let many = Scan { carries: 3, slices: 0, ..Scan::clone(&scan) };
    hold(broken(Op::Scan(Arc::new(many), Part::Last(0)), vec![h, x, w]), "of 3 next carries");
    let body = || Arc::clone(&scan.body);
    hold(broken(Op::Call(body(), 0), vec![h]), "the body takes 4 operands, not 1");
    hold(broken(Op::Call(body(), 0), vec![h, h, h, w]), "operand 0 is float[2], and the body takes int[]");
}

fn printed() {
    let mut graph = Graph::default();
    let [h, x, w] = inputs_of(&mut graph, Size::symbol(Symbol::new("n")));
    recurrent(&mut graph, Size::symbol(Symbol::new("n")), true, h, x, w);
    let wanted = "\
%0 = Input(0) : float[2]
%1 = Input(1) : float[n, 2]
%2 = Input(2) : float[2, 2]
%3 = Scan(n steps back, 1 carries, 1 slices: last 0) %0 %1 %2 : float[2]
    %0 = Input(0) : int[]
    %1 = Input(1) : float[2]
    %2 = Input(2) : float[2]
    %3 = Input(3) : float[2, 2]
    %4 = Dot { batch: [], contracted: [(1, 0)] } %3 %1 : float[2]
    %5 = Add %4 %2 : float[2]
    %6 = Tanh %5 : float[2]
    %7 = Mul %6 %1 : float[2]
    gives %6 %7
%4 = Scan(n steps back, 1 carries, 1 slices: each 0) %0 %1 %2 : float[n, 2]
    the body of %3
";
    assert_eq!(graph.to_string(), wanted);
}

fn costs() {
    let mut graph = Graph::default();
    let [h, x, w] = inputs_of(&mut graph, Size::from(10));
    let scanned = recurrent(&mut graph, Size::from(10), false, h, x, w);
    // A step: 8 of the product, 2 of the sum, 2 of tanh; and 2 of the product that it gives.
    assert_eq!(flops(&graph, &scanned.last), 10 * 12);
    assert_eq!(flops(&graph, &[scanned.last[0], scanned.each[0]]), 10 * 14);
    // 2 + 20 + 4 that are fed and 20 that are made, beside what a step holds: its carry, slice, capture and their product.
    assert_eq!(held(&graph, &scanned.each), 46 + 2 + 2 + 4 + 2);
}

fn rows_stream() {
    let rows = Symbol::new("n");
    let n = || Size::symbol(rows.clone());
    // Along 4 places; each row by itself. Then the mean over the rows of what comes out.
    let stream = |axes: [Size; 2], steps: Size, spoil: &dyn Fn(&mut Graph, NodeId) -> NodeId| {
        let mut graph = Graph::default();
        let x = graph.input(0, DType::Float, axes.to_vec());
        let order = if axes[0] == steps { vec![0, 1] } else { vec![1, 0] };
        let x = graph.permute(order, x);
        let first = graph.fill(0.0, graph.shape(x)[1..].to_vec());
        let mut scan = ScanBuilder::new(steps, false);
        let (now, x) = (scan.carry(&graph, first), scan.slice(&graph, x));
        let sum = add(&mut scan.body, now, x);
        let next = scan.body.unary(ScalarOp::Tanh, sum);
        let next = spoil(&mut scan.body, next);
        scan.next(now, next);
        let last = graph.scan(scan).last[0];
        let sum = graph.reduce(Reduce::Sum, (0..graph.shape(last).len()).collect(), last);
        graph.verify().expect("a sound graph");
        let streamed = streamed(&graph, std::slice::from_ref(&rows), &[sum], 1)?;
        streamed.graph.verify().expect("a sound graph");
        Some(streamed.joins.len())
    };
    let same = |_: &mut Graph, node: NodeId| node;
    let four = || Size::from(4);
    assert_eq!(stream([n(), four()], four(), &same), Some(1), "each row by itself");
    assert_eq!(stream([n(), four()], n(), &same), None, "rows follow each other");
    let joins = |body: &mut Graph, node: NodeId| {
        let sum = body.reduce(Reduce::Sum, vec![0], node);
        let shape = body.shape(node).to_vec();
        body.broadcast(shape, Vec::new(), sum)
    };
    assert_eq!(stream([n(), four()], four(), &joins), None, "rows meet in the body");
    let counts = |body: &mut Graph, node: NodeId| {
        let count = body.add(Op::SizeOf(n()), Vec::new());
        let count = body.cast(DType::Float, count);
        let shape = body.shape(node).to_vec();
        let count = body.broadcast(shape, Vec::new(), count);
        mul(body, node, count)
    };
    assert_eq!(stream([n(), four()], four(), &counts), None, "the body knows how many rows there are");
}
