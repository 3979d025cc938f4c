//! Concatenation and padding: whoever computes a part of the result stores it there. Results against the reference, above what
//! one thread does alone, the same to the bit for any number of threads; and how few kernels that takes.

use super::check::numbers;
use super::cpu::{bits, cpu_of, near, rounded, run, run_precise};
use super::loops::recurrent;
use crate::trial;
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::{Tensor, reference};
use mlx::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, Size};
use mlx::plan::{Code, Precision};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ops::containers::parts_are_stored_where_they_are_computed", parts_are_stored),
        trial("ops::containers::what_cannot_store_is_copied", what_cannot_store_is_copied),
        trial("ops::containers::nested_parts_share_a_buffer", nested_parts_share_a_buffer),
        trial("ops::containers::padding_is_filled_once", padding_is_filled_once),
        trial("ops::containers::gradients_are_views", gradients_are_views),
        trial("ops::containers::truth_values_are_joined", truth_values_are_joined),
        trial("ops::containers::random_joins_agree", random_joins_agree),
    ]
}

fn size(count: i64) -> Size {
    Size::from(count)
}

fn input(graph: &mut Graph, number: u32, shape: &[i64]) -> NodeId {
    graph.input(number, DType::Float, shape.iter().map(|count| size(*count)).collect())
}

fn concat(graph: &mut Graph, axis: usize, parts: &[NodeId]) -> NodeId {
    graph.add(Op::Concat(axis), parts.to_vec())
}

fn pad(graph: &mut Graph, axis: usize, low: i64, high: i64, between: i64, of: NodeId) -> NodeId {
    graph.add(Op::Pad { axis, low: size(low), high: size(high), between }, vec![of])
}

/// Agrees with the reference, to the same bits on 1 to 4 threads.
fn agree(graph: &Graph, roots: &[NodeId], inputs: &[Tensor], tolerance: f64) {
    let expected = reference::run(graph, roots, inputs).expect("numbers");
    let one = run(graph, roots, inputs, 1).expect("numbers");
    for (at, (found, expected)) in one.iter().zip(&expected).enumerate() {
        assert!(near(found, expected, tolerance), "root {at}\n{graph}");
    }
    for threads in 2..=4 {
        let found = run(graph, roots, inputs, threads).expect("numbers");
        assert_eq!(bits(&one), bits(&found), "{threads} threads change a bit\n{graph}");
    }
    let precision = Precision::Evaluation { wide: &[0] };
    let wide = run_precise(graph, roots, inputs, 3, precision).expect("numbers");
    for (at, (found, expected)) in wide.iter().zip(&expected).enumerate() {
        assert!(near(found, expected, tolerance), "root {at} of evaluation\n{graph}");
    }
}

fn kernels(graph: &Graph, roots: &[NodeId]) -> usize {
    let (device, id) = cpu_of(graph, roots, 1).expect("a plan");
    mlx::backend::Device::plan(&device, id).kernels.len()
}

/// Two halves of one loop side by side, as rotary embeddings are; functions of a row stacked; a product and a loop behind it.
fn parts_are_stored() {
    let mut graph = Graph::default();
    let (x, w) = (input(&mut graph, 0, &[300, 64]), input(&mut graph, 1, &[64, 64]));
    let (sine, cosine) = (graph.unary(ScalarOp::Sin, x), graph.unary(ScalarOp::Cos, x));
    let product = graph.binary(ScalarOp::Mul, sine, cosine);
    let halves = concat(&mut graph, 1, &[sine, cosine, product]);
    assert_eq!(kernels(&graph, &[halves]), 1);

    let stacked: Vec<NodeId> =
        [sine, cosine, x].iter().map(|part| graph.reshape(vec![size(300), size(64), size(1)], *part)).collect();
    let stacked = concat(&mut graph, 2, &stacked);
    // The input is copied.
    assert_eq!(kernels(&graph, &[stacked]), 2);

    let dot = graph.dot(vec![], vec![(1, 0)], x, w);
    let bounded = graph.unary(ScalarOp::Tanh, dot);
    let behind = concat(&mut graph, 1, &[bounded, dot]);
    assert_eq!(kernels(&graph, &[behind]), 1);

    let inputs = [rounded(&[300, 64], 1.0, 1), rounded(&[64, 64], 0.2, 2)];
    for roots in [vec![halves], vec![stacked], vec![behind], vec![halves, stacked, behind, sine, bounded]] {
        agree(&graph, &roots, &inputs, 1e-5);
    }
}

/// Inputs, reductions over rows, sorted places, the result of a loop, scalars; parts that others read densely or as views.
fn what_cannot_store_is_copied() {
    let mut graph = Graph::default();
    let x = input(&mut graph, 0, &[120, 90]);
    let sine = graph.unary(ScalarOp::Sin, x);
    let sums = graph.add(Op::CumSum { axis: 1, reverse: false }, vec![sine]);
    let ones = graph.fill(1.0, vec![size(120), size(3)]);
    let row_sums = graph.reduce(Reduce::Sum, vec![1], sine);
    let column_sums = graph.reduce(Reduce::Sum, vec![0], sine);
    let repeated = graph.broadcast(vec![size(120), size(90)], vec![1], column_sums);
    let sum = graph.reshape(vec![size(120), size(1)], row_sums);
    let nothing = graph.fill(1.0, vec![size(120), size(0)]);
    let all = concat(&mut graph, 1, &[x, nothing, sine, sums, ones, sum, repeated, sine, x]);
    let (below, twice) = (concat(&mut graph, 0, &[sine, sums]), concat(&mut graph, 0, &[sine, sine]));
    let permuted = graph.permute(vec![1, 0], sine);
    let product = graph.dot(vec![], vec![(1, 0)], sine, permuted);
    let after = graph.unary(ScalarOp::Cos, all);
    let maximum = graph.reduce(Reduce::Max, vec![0], all);
    let inputs = [rounded(&[120, 90], 1.0, 1)];
    for roots in [vec![all], vec![below, twice], vec![all, product, after, maximum, sums, row_sums]] {
        agree(&graph, &roots, &inputs, 1e-4);
    }
    // In a loop, of what it carries.
    let mut graph = Graph::default();
    let (h, steps, w) = (input(&mut graph, 0, &[2]), input(&mut graph, 1, &[5, 2]), input(&mut graph, 2, &[2, 2]));
    let scanned = recurrent(&mut graph, size(5), false, h, steps, w);
    let (last, each) = (graph.reshape(vec![size(1), size(2)], scanned.last[0]), scanned.each[0]);
    let joined = concat(&mut graph, 0, &[each, last]);
    agree(&graph, &[joined], &[rounded(&[2], 1.0, 1), rounded(&[5, 2], 1.0, 2), rounded(&[2, 2], 1.0, 3)], 1e-5);
}

fn nested_parts_share_a_buffer() {
    let mut graph = Graph::default();
    let x = input(&mut graph, 0, &[100, 100]);
    let ops = [ScalarOp::Sin, ScalarOp::Cos, ScalarOp::Tanh];
    let [sine, cosine, tangent] = ops.map(|op| graph.unary(op, x));
    let inner = concat(&mut graph, 1, &[sine, cosine]);
    let shape = vec![size(100), size(2), size(100)];
    let reshaped = graph.reshape(shape, inner);
    let other = graph.reshape(vec![size(100), size(1), size(100)], tangent);
    let outer = concat(&mut graph, 1, &[reshaped, other]);
    let padded = pad(&mut graph, 1, 1, 0, 0, outer);
    let (device, id) = cpu_of(&graph, &[padded], 1).expect("a plan");
    let plan = mlx::backend::Device::plan(&device, id);
    // The loop and the padding; the input and the result.
    assert_eq!((plan.kernels.len(), plan.scratch / 4), (2, 10_000 + 40_000), "{plan}");
    agree(&graph, &[padded], &[rounded(&[100, 100], 1.0, 1)], 1e-5);
    // A part of the inner buffer, read by what is written beside it.
    let doubled = graph.binary(ScalarOp::Add, inner, inner);
    let beside = concat(&mut graph, 0, &[inner, doubled]);
    let shifted = pad(&mut graph, 0, 1, 0, 0, sine);
    let upwards = pad(&mut graph, 0, 0, 1, 0, cosine);
    let diagonal = concat(&mut graph, 1, &[shifted, upwards]);
    agree(&graph, &[beside, diagonal], &[rounded(&[100, 100], 1.0, 1)], 1e-5);
}

fn padding_is_filled_once() {
    let mut graph = Graph::default();
    let x = input(&mut graph, 0, &[60, 7, 40]);
    let sine = graph.unary(ScalarOp::Sin, x);
    let mut roots = Vec::new();
    for axis in 0..3 {
        for (low, high, between) in [(0, 0, 0), (2, 0, 0), (0, 3, 1), (1, 1, 2)] {
            let padded = pad(&mut graph, axis, low, high, between, sine);
            let around = pad(&mut graph, (axis + 1) % 3, 1, 2, 1, padded);
            roots.extend([padded, around]);
        }
    }
    let none = graph.fill(1.0, vec![size(3), size(0)]);
    roots.push(pad(&mut graph, 1, 2, 1, 3, none));
    for root in &roots {
        agree(&graph, &[*root], &[rounded(&[60, 7, 40], 1.0, 1)], 1e-5);
    }
    agree(&graph, &roots, &[rounded(&[60, 7, 40], 1.0, 1)], 1e-5);
}

/// The gradient by a part is read where the gradient by the whole is: a loop for what follows, and none for what is cut.
fn gradients_are_views() {
    let mut graph = Graph::default();
    let (x, y, t) =
        (input(&mut graph, 0, &[200, 40]), input(&mut graph, 1, &[200, 24]), input(&mut graph, 2, &[201, 64]));
    let (sine, cosine) = (graph.unary(ScalarOp::Sin, x), graph.unary(ScalarOp::Cos, y));
    let joined = concat(&mut graph, 1, &[sine, cosine]);
    let padded = pad(&mut graph, 0, 1, 0, 0, joined);
    let error = graph.binary(ScalarOp::Sub, padded, t);
    let squares = graph.binary(ScalarOp::Mul, error, error);
    let loss = graph.reduce(Reduce::Sum, vec![0, 1], squares);
    let by = gradient(&mut graph, loss, &[x, y]);
    let roots = [loss, by[0], by[1]];
    let (device, id) = cpu_of(&graph, &roots, 1).expect("a plan");
    let plan = mlx::backend::Device::plan(&device, id);
    assert!(plan.kernels.iter().all(|kernel| matches!(*kernel.code, Code::Loop(_))), "{plan}");
    // Two parts, zeros, the loss, and the gradient by each part.
    assert!(plan.kernels.len() <= 6, "{plan}");
    let inputs = [rounded(&[200, 40], 1.0, 1), rounded(&[200, 24], 1.0, 2), rounded(&[201, 64], 1.0, 3)];
    agree(&graph, &roots, &inputs, 1e-4);
}

/// A byte each in memory, four in a register.
fn truth_values_are_joined() {
    let mut graph = Graph::default();
    let x = input(&mut graph, 0, &[300, 70]);
    let zero = graph.fill(0.0, vec![size(300), size(70)]);
    let (less, more) = (graph.binary(ScalarOp::Less, x, zero), graph.binary(ScalarOp::Less, zero, x));
    let joined = concat(&mut graph, 1, &[less, more]);
    let padded = pad(&mut graph, 0, 1, 1, 1, joined);
    let numbers_of = |graph: &mut Graph, node| graph.cast(DType::Float, node);
    let sums = graph.add(Op::ArgMax(1), vec![padded]);
    let roots = [numbers_of(&mut graph, joined), numbers_of(&mut graph, padded), sums, less];
    agree(&graph, &roots, &[rounded(&[300, 70], 1.0, 1)], 1e-5);
    // A loop over single elements of truth values that lie in memory.
    let mut graph = Graph::default();
    let truths = graph.input(0, DType::Bool, vec![size(3000), size(5)]);
    let not = graph.unary(ScalarOp::Not, truths);
    let values = numbers(&[3000, 5], (0.0, 1.0), 3).values.iter().map(|x| f64::from(*x < 0.5)).collect();
    agree(&graph, &[not], &[Tensor { shape: vec![3000, 5], values }], 1e-5);
}

/// Graphs of joins, paddings, views, reductions, products and loops, of some ten thousand elements.
fn random_joins_agree() {
    for seed in 0..60 {
        let mut state: u64 = seed;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % bound as u64) as usize
        };
        let mut graph = Graph::default();
        let shape = [vec![40, 60], vec![2, 30, 50], vec![3000]][below(3)].clone();
        let mut nodes = vec![input(&mut graph, 0, &shape), input(&mut graph, 1, &shape)];
        for _ in 0..14 {
            let a = nodes[below(nodes.len())];
            let shape: Vec<i64> = graph.shape(a).iter().map(|size| size.settled().expect("settled")).collect();
            let axis = below(shape.len());
            let alike: Vec<NodeId> = nodes.iter().copied().filter(|b| graph.shape(*b) == graph.shape(a)).collect();
            let b = alike[below(alike.len())];
            let made = match below(13) {
                0 | 1 => graph.unary([ScalarOp::Sin, ScalarOp::Cos, ScalarOp::Tanh][below(3)], a),
                2 => graph.binary([ScalarOp::Add, ScalarOp::Sub, ScalarOp::Max][below(3)], a, b),
                3..=5 => {
                    let c = alike[below(alike.len())];
                    let parts = [vec![a, b], vec![a, b, c], vec![b, c]][below(3)].clone();
                    concat(&mut graph, axis, &parts)
                }
                6 => pad(&mut graph, axis, below(3) as i64, below(2) as i64, below(2) as i64, a),
                7 => {
                    let last = shape.len();
                    let parts = [a, b].map(|part| {
                        let wide = [graph.shape(part), &[size(1)]].concat();
                        graph.reshape(wide, part)
                    });
                    concat(&mut graph, last, &parts)
                }
                8 => {
                    let count = size(shape[axis] - shape[axis] / 3);
                    graph.add(Op::Slice { axis, start: size(shape[axis] / 3), count, step: 1 }, vec![a])
                }
                9 => {
                    let largest = graph.reduce(Reduce::Max, vec![axis], a);
                    let kept = (0..shape.len()).filter(|other| *other != axis).collect();
                    let wide = graph.shape(a).to_vec();
                    let wide = graph.broadcast(wide, kept, largest);
                    graph.binary(ScalarOp::Sub, a, wide)
                }
                10 => graph.reshape(vec![size(shape.iter().product())], a),
                11 => {
                    let mut order: Vec<usize> = (0..shape.len()).collect();
                    order.rotate_left(axis);
                    graph.permute(order, a)
                }
                _ => graph.add(Op::CumSum { axis, reverse: true }, vec![a]),
            };
            let count: i64 = graph.shape(made).iter().map(|size| size.settled().expect("settled")).product();
            if count < 60_000 && graph.shape(made).len() < 5 {
                nodes.push(made);
            }
        }
        let count = nodes.len();
        let roots = [nodes[count - 1], nodes[count - 2], nodes[2.min(count - 1)], nodes[count / 2]];
        let shape: Vec<usize> = shape.iter().map(|count| *count as usize).collect();
        agree(&graph, &roots, &[rounded(&shape, 1.0, seed), rounded(&shape, 1.0, seed + 1)], 2e-4);
    }
}
