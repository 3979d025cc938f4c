//! Loops with as little in them as can be: what leaves them, and what has to stay.

use super::check::{differs, numbers, sizes};
use super::cpu::cpu_of;
use super::loops::{add, mul};
use super::samples::Make;
use crate::trial;
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::{Tensor, reference};
use mlx::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, ScanBuilder, Scanned, Size, Symbol};
use mlx::loops;
use mlx::plan::Code;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ops::lean::a_step_of_a_recurrent_net_has_one_product", one_product),
        trial("ops::lean::a_sum_leaves_its_loop", a_sum_leaves),
        trial("ops::lean::a_sum_that_is_read_stays", a_sum_that_is_read_stays),
        trial("ops::lean::what_only_results_read_is_computed_behind", tails),
        trial("ops::lean::what_may_have_no_value_stays", what_may_fail_stays),
        trial("ops::lean::what_would_be_large_is_not_kept", large_values),
        trial("ops::lean::slices_of_neighbours_meet_in_one_gradient", neighbours),
        trial("ops::lean::slopes_are_computed_where_they_are_read", slopes),
        trial("ops::lean::sums_over_middle_axes_share_a_pass", middle_axes),
        trial("ops::lean::a_product_passes_its_right_operand_as_it_lies", depth_in_order),
        trial("ops::lean::the_gradient_of_a_convolution_reads_rows_of_pixels", rows_of_pixels),
        trial("ops::lean::the_same_values_for_any_number_of_rows", symbolic_rows),
    ]
}

type Build = fn(&mut Make, usize, bool) -> ScanBuilder;

/// Loops that differ in what can leave them; their operands are small.
pub const CASES: &[(&str, Build)] = &[
    ("gates of a concatenation", |make, steps, reverse| {
        let (x, h) = (make.floats(&[steps, 2, 3], (-1.0, 1.0)), make.floats(&[2, 2], (-1.0, 1.0)));
        let (w, v) = (make.floats(&[5, 4], (-1.0, 1.0)), make.floats(&[2, 3], (-1.0, 1.0)));
        gates(&make.graph, Size::from(steps as i64), reverse, [x, h, w, v])
    }),
    ("sums of products and views", |make, steps, reverse| {
        let (x, h) = (make.floats(&[steps, 2, 3], (-1.0, 1.0)), make.floats(&[3, 2], (-1.0, 1.0)));
        let (w, sum) = (make.floats(&[2, 2], (-1.0, 1.0)), make.floats(&[3, 2], (-1.0, 1.0)));
        let mut scan = ScanBuilder::new(Size::from(steps as i64), reverse);
        let (h, sum) = (scan.carry(&make.graph, h), scan.carry(&make.graph, sum));
        let (x, w) = (scan.slice(&make.graph, x), scan.capture(&make.graph, w));
        let body = &mut scan.body;
        let square = body.dot(vec![], vec![(1, 1)], w, w);
        let product = body.dot(vec![], vec![(1, 1)], h, square);
        let next = body.unary(ScalarOp::Sin, product);
        let other = body.dot(vec![], vec![(1, 1)], next, square);
        let across = body.dot(vec![], vec![(0, 1)], square, next);
        let across = body.permute(vec![1, 0], across);
        let back = body.unary(ScalarOp::Neg, other);
        let terms = add(body, across, back);
        let gathered = add(body, terms, sum);
        let turned = body.permute(vec![1, 0], x);
        let mixed = mul(body, turned, next);
        scan.next(h, next);
        scan.next(sum, gathered);
        scan.give(mixed);
        scan
    }),
    ("sums of what each step reads", |make, steps, reverse| {
        let (x, first) = (make.floats(&[steps, 2, 3], (0.5, 1.0)), make.floats(&[3], (-1.0, 1.0)));
        let (w, all) = (make.floats(&[3], (-1.0, 1.0)), make.floats(&[], (-1.0, 1.0)));
        let mut scan = ScanBuilder::new(Size::from(steps as i64), reverse);
        let (sum, total) = (scan.carry(&make.graph, first), scan.carry(&make.graph, all));
        let (x, w) = (scan.slice(&make.graph, x), scan.capture(&make.graph, w));
        let body = &mut scan.body;
        let log = body.unary(ScalarOp::Log, x);
        let columns = body.reduce(Reduce::Sum, vec![0], log);
        let next = add(body, columns, sum);
        let product = body.dot(vec![], vec![(1, 0)], x, w);
        let rows = body.unary(ScalarOp::Tanh, product);
        let row = body.reduce(Reduce::Sum, vec![0], rows);
        let next_total = add(body, total, row);
        scan.next(sum, next);
        scan.next(total, next_total);
        scan.give(rows);
        scan
    }),
    ("the place of the step, and what is the same in each", |make, steps, reverse| {
        let (x, h) = (make.floats(&[steps, 2], (-1.0, 1.0)), make.floats(&[2], (-1.0, 1.0)));
        let (w, c) = (make.floats(&[2, 2], (-1.0, 1.0)), make.floats(&[2], (-1.0, 1.0)));
        let mut scan = ScanBuilder::new(Size::from(steps as i64), reverse);
        let (h, x) = (scan.carry(&make.graph, h), scan.slice(&make.graph, x));
        let (w, c) = (scan.capture(&make.graph, w), scan.capture(&make.graph, c));
        let body = &mut scan.body;
        let place = body.cast(DType::Float, scan.index);
        let place = body.broadcast(sizes(&[2]), Vec::new(), place);
        let shifted = add(body, place, x);
        let product = body.dot(vec![], vec![(0, 1)], shifted, w);
        let power = body.unary(ScalarOp::Exp, c);
        let sum = add(body, product, power);
        let own = body.dot(vec![], vec![(1, 0)], w, h);
        let both = mul(body, own, sum);
        let next = body.unary(ScalarOp::Sin, both);
        scan.next(h, next);
        scan.give(power);
        scan.give(sum);
        scan
    }),
    ("products of batches", |make, steps, reverse| {
        let (x, h) = (make.floats(&[steps, 2, 3], (-1.0, 1.0)), make.floats(&[2, 2], (-1.0, 1.0)));
        let (w, k) = (make.floats(&[2, 3, 2], (-1.0, 1.0)), make.floats(&[2, 2, 2], (-1.0, 1.0)));
        let mut scan = ScanBuilder::new(Size::from(steps as i64), reverse);
        let (h, x) = (scan.carry(&make.graph, h), scan.slice(&make.graph, x));
        let (w, k) = (scan.capture(&make.graph, w), scan.capture(&make.graph, k));
        let body = &mut scan.body;
        let of_x = body.dot(vec![(0, 0)], vec![(1, 1)], x, w);
        let turned = body.dot(vec![(0, 0)], vec![(1, 1)], w, x);
        let of_h = body.dot(vec![(0, 0)], vec![(1, 2)], h, k);
        let sum = add(body, of_x, of_h);
        let sum = mul(body, sum, turned);
        let next = body.unary(ScalarOp::Tanh, sum);
        scan.next(h, next);
        scan.give(of_x);
        scan
    }),
];

/// `h' = tanh(a) sin(b)` with the two halves `a, b` of `concat(x, h) w`; what is given is `h' v`.
fn gates(graph: &Graph, steps: Size, reverse: bool, [x, h, w, v]: [NodeId; 4]) -> ScanBuilder {
    let mut scan = ScanBuilder::new(steps, reverse);
    let (h, x) = (scan.carry(graph, h), scan.slice(graph, x));
    let (w, v) = (scan.capture(graph, w), scan.capture(graph, v));
    let body = &mut scan.body;
    let both = body.add(Op::Concat(1), vec![x, h]);
    let z = body.dot(vec![], vec![(1, 0)], both, w);
    let half = Size::from(body.shape(z)[1].settled().expect("a number") / 2);
    let part = |start: Size| Op::Slice { axis: 1, start, count: half.clone(), step: 1 };
    let (a, b) = (body.add(part(Size::from(0)), vec![z]), body.add(part(half.clone()), vec![z]));
    let (a, b) = (body.unary(ScalarOp::Tanh, a), body.unary(ScalarOp::Sin, b));
    let next = mul(body, a, b);
    let told = body.dot(vec![], vec![(1, 0)], next, v);
    scan.next(h, next);
    scan.give(told);
    scan
}

/// The operands of [`gates`], of so many rows.
fn operands(graph: &mut Graph, steps: i64, rows: Size) -> [NodeId; 4] {
    let shapes = [
        vec![Size::from(steps), rows.clone(), Size::from(3)],
        vec![rows, Size::from(2)],
        sizes(&[5, 4]),
        sizes(&[2, 3]),
    ];
    let mut number = 0..;
    shapes.map(|shape| graph.input(number.next().unwrap_or_default(), DType::Float, shape))
}

fn bodies(graph: &Graph, roots: &[NodeId]) -> Vec<(usize, Vec<Op>)> {
    let needed = graph.needed(roots);
    let scan = |family: &[NodeId]| match &graph.node(family[0]).op {
        Op::Scan(scan, _) => {
            let parts: Vec<_> = family
                .iter()
                .filter_map(|id| if let Op::Scan(_, part) = graph.node(*id).op { Some(part) } else { None })
                .collect();
            let live: Vec<NodeId> = scan.live(&parts).iter().map(|at| scan.body.results()[*at]).collect();
            let ops = scan.body.graph().needed(&live).iter().map(|id| scan.body.graph().node(*id).op.clone()).collect();
            Some((scan.carries, ops))
        }
        _ => None,
    };
    graph.families(&needed).filter_map(scan).collect()
}

fn products(ops: &[Op]) -> usize {
    ops.iter().filter(|op| matches!(op, Op::Dot { .. })).count()
}

fn sum_of(graph: &mut Graph, nodes: &[NodeId]) -> NodeId {
    let zero = graph.constant(0.0);
    nodes.iter().fold(zero, |sum, node| {
        let bent = graph.unary(ScalarOp::Sin, *node);
        let one = graph.reduce(Reduce::Sum, (0..graph.shape(bent).len()).collect(), bent);
        add(graph, sum, one)
    })
}

fn one_product() {
    let mut graph = Graph::default();
    let inputs = operands(&mut graph, 4, Size::from(2));
    let built = gates(&graph, Size::from(4), false, inputs);
    let scanned = loops::scan(&mut graph, built);
    let of = sum_of(&mut graph, &[scanned.last, scanned.each].concat());
    let by = gradient(&mut graph, of, &inputs);
    graph.verify().expect("a sound graph");
    let found = bodies(&graph, &by);
    let counts: Vec<(usize, usize)> = found.iter().map(|(carries, ops)| (*carries, products(ops))).collect();
    assert_eq!(counts, [(1, 1), (1, 1)], "forwards and backwards\n{graph}");
}

fn a_sum_leaves() {
    for (reverse, steps) in [(false, 3), (true, 3), (false, 0)] {
        let mut graph = Graph::default();
        let x = graph.input(0, DType::Float, sizes(&[steps, 2, 3]));
        let first = graph.input(1, DType::Float, sizes(&[3, 3]));
        let build = |graph: &Graph| {
            let mut scan = ScanBuilder::new(Size::from(steps as i64), reverse);
            let (sum, x) = (scan.carry(graph, first), scan.slice(graph, x));
            let square = scan.body.dot(vec![], vec![(0, 0)], x, x);
            let next = add(&mut scan.body, sum, square);
            scan.next(sum, next);
            scan
        };
        let (plain, built) = (build(&graph), build(&graph));
        let plain = graph.scan(plain).last[0];
        let lean = loops::scan(&mut graph, built).last[0];
        assert!(bodies(&graph, &[lean]).is_empty(), "nothing is left of the loop\n{graph}");
        let inputs = [numbers(&[steps, 2, 3], (-1.0, 1.0), 1), numbers(&[3, 3], (-1.0, 1.0), 2)];
        let found = reference::run(&graph, &[plain, lean], &inputs).expect("numbers");
        assert!(!differs(&found[0], &found[1], 1e-12), "{found:?}");
    }
}

/// In the step, in what it gives, by another carry, twice.
fn a_sum_that_is_read_stays() {
    let read: [fn(&mut ScanBuilder, NodeId, NodeId, NodeId); 5] = [
        |scan, sum, next, _| {
            scan.next(sum, next);
            scan.give(next);
        },
        |scan, sum, next, _| {
            scan.next(sum, next);
            scan.give(sum);
        },
        |scan, sum, next, other| {
            scan.next(sum, next);
            scan.next(other, sum);
        },
        |scan, sum, next, _| {
            let twice = add(&mut scan.body, next, sum);
            scan.next(sum, twice);
        },
        |scan, sum, next, other| {
            scan.next(sum, next);
            scan.next(other, next);
        },
    ];
    for (case, read) in read.into_iter().enumerate() {
        let mut graph = Graph::default();
        let x = graph.input(0, DType::Float, sizes(&[3, 2, 2]));
        let first = graph.input(1, DType::Float, sizes(&[2, 2]));
        let build = |graph: &Graph| {
            let mut scan = ScanBuilder::new(Size::from(3), false);
            let (sum, other) = (scan.carry(graph, first), scan.carry(graph, first));
            let x = scan.slice(graph, x);
            let square = scan.body.dot(vec![], vec![(0, 0)], x, x);
            let next = add(&mut scan.body, sum, square);
            read(&mut scan, sum, next, other);
            scan
        };
        let (plain, built) = (build(&graph), build(&graph));
        let (plain, lean) = (graph.scan(plain), loops::scan(&mut graph, built));
        let all = |scanned: &Scanned| [scanned.last.clone(), scanned.each.clone()].concat();
        assert!(!bodies(&graph, &all(&lean)).is_empty(), "case {case}");
        let inputs = [numbers(&[3, 2, 2], (-1.0, 1.0), 1), numbers(&[2, 2], (-1.0, 1.0), 2)];
        let found = reference::run(&graph, &[all(&plain), all(&lean)].concat(), &inputs).expect("numbers");
        let (one, other) = found.split_at(found.len() / 2);
        for (one, other) in one.iter().zip(other) {
            assert!(!differs(one, other, 1e-12), "case {case}: {one:?} is not {other:?}");
        }
    }
}

fn tails() {
    let mut graph = Graph::default();
    let inputs = operands(&mut graph, 4, Size::from(2));
    let built = gates(&graph, Size::from(4), false, inputs);
    let scanned = loops::scan(&mut graph, built);
    let found = bodies(&graph, &scanned.each);
    assert_eq!(found.iter().map(|(_, ops)| products(ops)).collect::<Vec<_>>(), [1], "that of the carry\n{graph}");
    assert!(matches!(graph.node(scanned.each[0]).op, Op::Dot { .. }), "\n{graph}");
}

/// Where there are no steps, nothing outside of the table is read.
fn what_may_fail_stays() {
    for steps in [0, 2] {
        let mut graph = Graph::default();
        let (table, first) = (graph.input(0, DType::Float, sizes(&[2])), graph.constant(0.0));
        let far = graph.constant(7.0);
        let far = graph.cast(DType::Int, far);
        let mut scan = ScanBuilder::new(Size::from(steps), false);
        let (sum, table, far) = (scan.carry(&graph, first), scan.capture(&graph, table), scan.capture(&graph, far));
        let read = scan.body.add(Op::Gather { batch: 0 }, vec![table, far]);
        let bent = scan.body.unary(ScalarOp::Sin, sum);
        let next = add(&mut scan.body, bent, read);
        scan.next(sum, next);
        let last = loops::scan(&mut graph, scan).last[0];
        let found = reference::run(&graph, &[last], &[Tensor::filled(vec![2], 1.0)]);
        match steps {
            0 => assert_eq!(found.expect("the first carry")[0].values, [0.0]),
            _ => assert!(found.expect_err("place 7 of 2").starts_with("step 0 of a scan: "), "a step is wrong"),
        }
    }
}

/// `h' = Σ_s tanh(k_s + h)`: the slopes of all s are computed anew.
fn large_values() {
    let mut graph = Graph::default();
    let (keys, h) = (graph.input(0, DType::Float, sizes(&[50, 2])), graph.input(1, DType::Float, sizes(&[2])));
    let mut scan = ScanBuilder::new(Size::from(6), false);
    let (now, keys_inside) = (scan.carry(&graph, h), scan.capture(&graph, keys));
    let wide = scan.body.broadcast(sizes(&[50, 2]), vec![1], now);
    let sum = add(&mut scan.body, wide, keys_inside);
    let bent = scan.body.unary(ScalarOp::Tanh, sum);
    let next = scan.body.reduce(Reduce::Sum, vec![0], bent);
    scan.next(now, next);
    let last = loops::scan(&mut graph, scan).last[0];
    let of = sum_of(&mut graph, &[last]);
    let by = gradient(&mut graph, of, &[keys, h]);
    let elements = |id: NodeId| graph.shape(id).iter().filter_map(Size::settled).product::<i64>();
    let most = graph.needed(&by).into_iter().map(elements).max();
    assert_eq!(most, Some(100), "nothing is larger than the keys\n{graph}");
}

fn neighbours() {
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, sizes(&[2, 6]));
    let mut of = Vec::new();
    // Neighbours in another order, one apart, and one that overlaps.
    for (start, count) in [(4, 1), (0, 2), (2, 2), (5, 1), (1, 2)] {
        let slice = Op::Slice { axis: 1, start: Size::from(start), count: Size::from(count), step: 1 };
        of.push(graph.add(slice, vec![x]));
    }
    let sum = sum_of(&mut graph, &of);
    let by = gradient(&mut graph, sum, &[x])[0];
    let pads = graph.needed(&[by]).into_iter().filter(|id| matches!(graph.node(*id).op, Op::Pad { .. })).count();
    assert_eq!(pads, 1, "that of the one that overlaps\n{graph}");
    let input = numbers(&[2, 6], (-1.0, 1.0), 1);
    let times = [1.0, 2.0, 2.0, 1.0, 1.0, 1.0];
    let wanted = input.values.iter().enumerate().map(|(at, x)| times[at % 6] * x.cos()).collect();
    let found = reference::run(&graph, &[by], std::slice::from_ref(&input)).expect("numbers").remove(0);
    assert!(!differs(&found, &Tensor { shape: vec![2, 6], values: wanted }, 1e-12), "{found:?}");
}

fn symbolic_rows() {
    let build = |rows: Size, lean: bool| {
        let mut graph = Graph::default();
        let inputs = operands(&mut graph, 3, rows);
        let built = gates(&graph, Size::from(3), true, inputs);
        let scanned = if lean { loops::scan(&mut graph, built) } else { graph.scan(built) };
        let of = sum_of(&mut graph, &[scanned.last, scanned.each].concat());
        let by = gradient(&mut graph, of, &inputs);
        graph.verify().expect("a sound graph");
        (graph, [vec![of], by].concat())
    };
    let (symbolic, roots) = build(Size::symbol(Symbol::new("n")), true);
    let settled = symbolic.settle(&[(Symbol::new("n"), 2)]);
    let (lean, _) = build(Size::from(2), true);
    assert_eq!(settled.to_string(), lean.to_string());
    let (plain, plain_roots) = build(Size::from(2), false);
    let shapes: [&[usize]; 4] = [&[3, 2, 3], &[2, 2], &[5, 4], &[2, 3]];
    let inputs: Vec<Tensor> =
        shapes.iter().enumerate().map(|(at, shape)| numbers(shape, (-1.0, 1.0), at as u64)).collect();
    let found = reference::run(&settled, &roots, &inputs).expect("numbers");
    for (one, other) in found.iter().zip(reference::run(&plain, &plain_roots, &inputs).expect("numbers")) {
        assert!(!differs(one, &other, 1e-12), "{one:?} is not {other:?}");
    }
}

/// Of a chain of functions of a product a step keeps the product and what the next product reads: no slope, no part of one.
fn slopes() {
    let mut graph = Graph::default();
    let input =
        |graph: &mut Graph, number, sizes: [i64; 2]| graph.input(number, DType::Float, sizes.map(Size::from).to_vec());
    let (x, w, v) = (input(&mut graph, 0, [64, 32]), input(&mut graph, 1, [32, 48]), input(&mut graph, 2, [48, 32]));
    let h = graph.dot(vec![], vec![(1, 0)], x, w);
    let cube = mul(&mut graph, h, h);
    let cube = mul(&mut graph, cube, h);
    let inner = add(&mut graph, h, cube);
    let bend = graph.unary(ScalarOp::Tanh, inner);
    let bent = mul(&mut graph, h, bend);
    let out = graph.dot(vec![], vec![(1, 0)], bent, v);
    let squares = mul(&mut graph, out, out);
    let loss = graph.reduce(Reduce::Sum, vec![0, 1], squares);
    let by = gradient(&mut graph, loss, &[w, v]);
    let roots = [loss, by[0], by[1]];
    let (device, id) = cpu_of(&graph, &roots, 1).expect("a plan");
    let plan = mlx::backend::Device::plan(&device, id);
    let wide = plan.buffers.iter().filter(|buffer| buffer.len == 64 * 48).count();
    // The product and its bent values; the gradients by these.
    assert!(wide <= 4, "{wide} values of a layer are stored\n{plan}");
}

/// The sums of a gradient over all axes but the second: one kernel, and what is summed lies nowhere.
fn middle_axes() {
    let mut graph = Graph::default();
    let input = |graph: &mut Graph, number| graph.input(number, DType::Float, [6, 5, 7].map(Size::from).to_vec());
    let (x, y) = (input(&mut graph, 0), input(&mut graph, 1));
    let product = mul(&mut graph, x, y);
    let cube = mul(&mut graph, product, x);
    let roots = [product, cube].map(|terms| graph.reduce(Reduce::Sum, vec![0, 2], terms));
    let (device, id) = cpu_of(&graph, &roots, 1).expect("a plan");
    let plan = mlx::backend::Device::plan(&device, id);
    assert_eq!(plan.kernels.len(), 1, "{plan}");
    assert_eq!(plan.buffers.iter().filter(|buffer| buffer.len == 6 * 5 * 7).count(), 2, "{plan}");
}

/// The depth of a product whose right operand has its channels last: pixel by pixel, though the program says it channel by channel.
fn depth_in_order() {
    let mut graph = Graph::default();
    let weights = graph.input(0, DType::Float, [16, 9, 8].map(Size::from).to_vec());
    let image = graph.input(1, DType::Float, [32, 9, 16].map(Size::from).to_vec());
    let made = graph.dot(vec![], vec![(0, 2), (1, 1)], weights, image);
    let (device, id) = cpu_of(&graph, &[made], 1).expect("a plan");
    let plan = mlx::backend::Device::plan(&device, id);
    let Code::Product(matrices, _) = &*plan.kernels[0].code else { panic!("{plan}") };
    assert_eq!((&matrices.depth, &matrices.b[1]), (&vec![9, 16], &vec![16, 1]), "{plan}");
}

/// The gradient of a convolution by its image: the gradient of its result lies padded, in the order of an image, and the product reads
/// its windows there, pixel by pixel. The zeros on both sides of an axis are written by one loop.
fn rows_of_pixels() {
    let mut graph = Graph::default();
    let image = graph.input(0, DType::Float, [2, 8, 16, 16].map(Size::from).to_vec());
    let kernel = graph.input(1, DType::Float, [12, 8, 3, 3].map(Size::from).to_vec());
    let mut windows = image;
    for axis in [3, 2] {
        windows = graph.add(Op::Pad { axis, low: 1.into(), high: 1.into(), between: 0 }, vec![windows]);
    }
    for axis in [3, 2] {
        windows = graph.add(Op::Window { axis, size: 3.into(), stride: 1, dilation: 1 }, vec![windows]);
    }
    let made = graph.dot(vec![], vec![(1, 1), (3, 2), (5, 3)], windows, kernel);
    let made = graph.permute(vec![0, 3, 1, 2], made);
    let squares = mul(&mut graph, made, made);
    let loss = graph.reduce(Reduce::Sum, vec![0, 1, 2, 3], squares);
    let by = gradient(&mut graph, loss, &[image]);
    let (device, id) = cpu_of(&graph, &by, 1).expect("a plan");
    let plan = mlx::backend::Device::plan(&device, id);
    let strides = |code: &Code| match code {
        Code::Product(matrices, _) => Some(matrices.b[2].clone()),
        _ => None,
    };
    let found: Vec<Vec<isize>> = plan.kernels.iter().filter_map(|kernel| strides(&kernel.code)).collect();
    assert_eq!(found, [vec![18, 1], vec![18, 1]], "{plan}");
    // For each of two containers: zeros beside rows, zeros above and below.
    let zeros = plan.kernels.iter().filter(|kernel| kernel.bindings.len() == 1).count();
    assert_eq!(zeros, 4, "{plan}");
}
