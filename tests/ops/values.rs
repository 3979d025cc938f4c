//! Values by hand, and draws.

use super::check::sizes;
use crate::trial;
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::{Tensor, reference};
use mlx::ir::{DType, Draw, Graph, NodeId, Op, Reduce, ScalarOp, philox};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ops::values::philox_gives_the_published_numbers", philox_gives_the_published_numbers),
        trial("ops::values::draws_depend_on_their_row_alone", draws_depend_on_their_row_alone),
        trial("ops::values::draws_have_their_moments", draws_have_their_moments),
        trial("ops::values::what_stops_and_what_is_shared", what_stops_and_what_is_shared),
        trial("ops::values::a_branch_that_is_not_chosen_gives_no_nan", a_branch_that_is_not_chosen_gives_no_nan),
        trial("ops::values::places_outside_are_told", places_outside_are_told),
        trial("ops::values::extremes_and_orders", extremes_and_orders),
        trial("ops::values::a_long_sort_is_stable", a_long_sort_is_stable),
        trial("ops::values::an_operation_ends_when_it_shall", an_operation_ends_when_it_shall),
    ]
}

/// The known answers of Random123 (Salmon et al. 2011).
fn philox_gives_the_published_numbers() {
    let all = u32::MAX;
    assert_eq!(philox::philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    assert_eq!(philox::philox([all; 4], [all; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    let pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    assert_eq!(philox::philox(pi, [0xa4093822, 0x299f31d0]), [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
}

fn drawn(draw: Draw, shape: &[usize], first_row: f64) -> Tensor {
    let mut graph = Graph::default();
    let counters = graph.input(0, DType::Int, sizes(&[5]));
    let root = graph.random(draw, 42, sizes(shape), Some(0), counters);
    let counters = Tensor { shape: vec![5], values: vec![1.0, 0.0, 3.0, 0.0, first_row] };
    reference::run(&graph, &[root], &[counters]).expect("draws").remove(0)
}

fn draws_depend_on_their_row_alone() {
    let whole = drawn(Draw::Normal, &[6, 5], 0.0);
    let part = drawn(Draw::Normal, &[2, 5], 3.0);
    assert_eq!(part.values, whole.values[15..25]);
}

fn draws_have_their_moments() {
    let count = 40_000;
    let moments = |draw| {
        let values = drawn(draw, &[count, 1], 0.0).values;
        let mean = values.iter().sum::<f64>() / count as f64;
        (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64, values)
    };
    let (mean, variance, values) = moments(Draw::Uniform);
    assert!(values.iter().all(|x| (0.0..1.0).contains(x)));
    assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.002, "{mean} {variance}");
    let (mean, variance, _) = moments(Draw::Normal);
    assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
}

/// The derivative of a scalar by input 0, at given numbers.
fn derivative(values: &[f64], build: impl Fn(&mut Graph, NodeId) -> NodeId) -> Vec<f64> {
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, sizes(&[values.len()]));
    let y = build(&mut graph, x);
    let sum = graph.reduce(Reduce::Sum, vec![0], y);
    let by = gradient(&mut graph, sum, &[x])[0];
    let input = Tensor { shape: vec![values.len()], values: values.to_vec() };
    reference::run(&graph, &[by], &[input]).expect("numbers").remove(0).values
}

fn what_stops_and_what_is_shared() {
    let stopped = derivative(&[3.0], |graph, x| {
        let constant = graph.add(Op::StopGradient, vec![x]);
        graph.binary(ScalarOp::Mul, x, constant)
    });
    assert_eq!(stopped, [3.0]);
    let shared = derivative(&[1.0, 5.0, 5.0], |graph, x| {
        let top = graph.reduce(Reduce::Max, vec![0], x);
        graph.reshape(sizes(&[1]), top)
    });
    assert_eq!(shared, [0.0, 0.5, 0.5]);
    let halves = derivative(&[2.0], |graph, x| graph.binary(ScalarOp::Max, x, x));
    assert_eq!(halves, [1.0]);
    assert_eq!(derivative(&[0.0], |graph, x| graph.unary(ScalarOp::Abs, x)), [0.0]);
    let zero = derivative(&[0.0], |graph, x| {
        let zero = graph.fill(0.0, sizes(&[1]));
        graph.binary(ScalarOp::Pow, x, zero)
    });
    assert_eq!(zero, [0.0], "x⁰ is constant");
}

fn a_branch_that_is_not_chosen_gives_no_nan() {
    let chosen = |branch: fn(&mut Graph, NodeId, NodeId) -> NodeId| {
        derivative(&[-1.0, 0.0, 4.0], |graph, x| {
            let zero = graph.fill(0.0, sizes(&[3]));
            let positive = graph.binary(ScalarOp::Less, zero, x);
            let branch = branch(graph, x, zero);
            graph.select(positive, branch, zero)
        })
    };
    assert_eq!(chosen(|graph, x, _| graph.unary(ScalarOp::Log, x)), [0.0, 0.0, 0.25]);
    assert_eq!(chosen(|graph, x, _| graph.unary(ScalarOp::Sqrt, x)), [0.0, 0.0, 0.25]);
    let inverse = |graph: &mut Graph, x: NodeId, _| {
        let one = graph.fill(1.0, sizes(&[3]));
        graph.binary(ScalarOp::Div, one, x)
    };
    assert_eq!(chosen(inverse), [0.0, 0.0, -0.0625]);
    let root = |graph: &mut Graph, x: NodeId, _| {
        let half = graph.fill(0.5, sizes(&[3]));
        graph.binary(ScalarOp::Pow, x, half)
    };
    assert_eq!(chosen(root), [0.0, 0.0, 0.25]);
}

fn places_outside_are_told() {
    let mut graph = Graph::default();
    let (from, at) = (graph.input(0, DType::Float, sizes(&[3])), graph.input(1, DType::Int, sizes(&[1])));
    let root = graph.add(Op::Gather { batch: 0 }, vec![from, at]);
    for place in [-1.0, 3.0] {
        let inputs = [Tensor::filled(vec![3], 1.0), Tensor::filled(vec![1], place)];
        let told = reference::run(&graph, &[root], &inputs).expect_err("outside");
        assert!(told.contains(&format!("place {place} is outside of an axis of 3")), "{told}");
    }
}

fn extremes_and_orders() {
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, sizes(&[4]));
    let roots = [
        graph.reduce(Reduce::Max, vec![0], x),
        graph.add(Op::ArgMax(0), vec![x]),
        graph.add(Op::ArgSort(0), vec![x]),
        graph.add(Op::CumSum { axis: 0, reverse: true }, vec![x]),
    ];
    let input = Tensor { shape: vec![4], values: vec![2.0, 7.0, 7.0, 1.0] };
    let values: Vec<Vec<f64>> =
        reference::run(&graph, &roots, &[input]).expect("numbers").into_iter().map(|tensor| tensor.values).collect();
    assert_eq!(values, [vec![7.0], vec![1.0], vec![3.0, 0.0, 1.0, 2.0], vec![17.0, 15.0, 8.0, 1.0]]);
}

/// Sorted piece by piece, equal ones stay in their order.
fn a_long_sort_is_stable() {
    const LENGTH: usize = 300_000;
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, sizes(&[LENGTH]));
    let order = graph.add(Op::ArgSort(0), vec![x]);
    let values: Vec<f64> = (0..LENGTH).map(|at| ((at * 7919) % 1000) as f64).collect();
    let input = Tensor { shape: vec![LENGTH], values: values.clone() };
    let found = reference::run(&graph, &[order], &[input]).expect("numbers").remove(0).values;
    let mut wanted: Vec<usize> = (0..LENGTH).collect();
    wanted.sort_by(|x, y| values[*x].total_cmp(&values[*y]));
    assert!(found.iter().zip(&wanted).all(|(found, wanted)| *found == *wanted as f64));
}

/// It is asked within an operation, not only before it.
fn an_operation_ends_when_it_shall() {
    const LENGTH: usize = 1_000_000;
    let float = Op::Scalar(ScalarOp::Cast(DType::Float));
    let ops: [(Op, &[usize]); 6] = [
        (Op::Scalar(ScalarOp::Exp), &[LENGTH]),
        (Op::Reduce(Reduce::Sum, vec![0]), &[LENGTH]),
        (Op::CumSum { axis: 0, reverse: false }, &[LENGTH]),
        (Op::ArgMax(0), &[LENGTH]),
        (Op::ArgSort(0), &[LENGTH]),
        (Op::Permute(vec![1, 0]), &[1000, LENGTH / 1000]),
    ];
    for (op, shape) in ops {
        let mut graph = Graph::default();
        let x = graph.input(0, DType::Float, sizes(shape));
        let root = graph.add(op.clone(), vec![x]);
        let last = graph.add(float.clone(), vec![root]);
        let input = Tensor::filled(shape.to_vec(), 1.0);
        let asked = std::cell::Cell::new(0);
        let goes_on = || {
            asked.set(asked.get() + 1);
            asked.get() < 6
        };
        let told = reference::run_while(&graph, &[last], &[input], &goes_on).expect_err("an end");
        assert!(told == "interrupted" && asked.get() == 6, "{op}: {told}, asked {} times", asked.get());
    }
}
