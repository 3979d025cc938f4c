//! The plan on the CPU against the reference: every sample with its gradients, random graphs, any number of threads.

use super::check::{Sample, numbers};
use super::random;
use super::samples::{representatives, samples};
use crate::trial;
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::cpu::{Cpu, math, pool::Pool};
use mlx::backend::{Device, PlanId, Tensor, reference};
use mlx::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, Size};
use mlx::plan::{Limits, Precision, Request, Residents, plan, verify};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ops::cpu::samples_agree_with_the_reference", samples_agree),
        trial("ops::cpu::functions_are_exact_to_a_few_places", functions_are_exact),
        trial("ops::cpu::random_graphs_agree_with_the_reference", random_graphs_agree),
        trial("ops::cpu::products_and_the_loops_that_end_them_agree", products_and_their_loops_agree),
        trial("ops::cpu::every_thread_does_its_share", every_thread_does_its_share),
    ]
}

/// A device with a plan of roots, ready to be fed.
pub fn cpu_of(graph: &Graph, roots: &[NodeId], threads: usize) -> Result<(Cpu, PlanId), String> {
    of_precision(graph, roots, threads, Precision::Step)
}

fn of_precision(
    graph: &Graph,
    roots: &[NodeId],
    threads: usize,
    precision: Precision,
) -> Result<(Cpu, PlanId), String> {
    let (hosts, updates, residents) = (&[], &[], &Residents::default());
    let stages = &[roots.to_vec()];
    let plan = plan(&Request { graph, stages, hosts, updates, residents, precision, limits: Limits::default() })?;
    verify(&plan)?;
    let mut device = Cpu::new(threads);
    let id = device.load(plan);
    Ok((device, id))
}

/// Runs roots by a plan.
pub fn run(graph: &Graph, roots: &[NodeId], inputs: &[Tensor], threads: usize) -> Result<Vec<Tensor>, String> {
    run_precise(graph, roots, inputs, threads, Precision::Step)
}

fn run_precise(
    graph: &Graph,
    roots: &[NodeId],
    inputs: &[Tensor],
    threads: usize,
    precision: Precision,
) -> Result<Vec<Tensor>, String> {
    let (mut device, id) = of_precision(graph, roots, threads, precision)?;
    for (number, tensor) in inputs.iter().enumerate() {
        device.write_numbers(id, number as u32, &tensor.values);
    }
    device.run(id)?;
    let tensor = |(at, root): (usize, &NodeId)| {
        let size = |size: &Size| size.settled().expect("settled") as usize;
        let shape: Vec<usize> = graph.shape(*root).iter().map(size).collect();
        Tensor { values: device.read(id, at).to_f64(shape.iter().product()), shape }
    };
    Ok(roots.iter().enumerate().map(tensor).collect())
}

/// Whether 32-bit numbers are those of 64 bits, to a tolerance that sums of rounding stay below.
fn near(found: &Tensor, expected: &Tensor, tolerance: f64) -> bool {
    found.shape == expected.shape
        && found.values.len() == expected.values.len()
        && found
            .values
            .iter()
            .zip(&expected.values)
            .all(|(a, b)| a == b || (a - b).abs() <= tolerance * (1.0 + b.abs()) || (a.is_nan() && b.is_nan()))
}

/// Whether the planner knows all that is in a graph. UNTIL IT HAS BODIES: then this goes, and so do its uses.
fn planned(graph: &Graph) -> bool {
    graph.nodes().all(|(_, node)| node.op.body().is_none())
}

fn samples_agree() {
    for op in representatives() {
        for Sample { what, mut graph, inputs, root } in samples(&op).into_iter().filter(|sample| planned(&sample.graph))
        {
            let mut roots = vec![root];
            if graph.dtype(root) == DType::Float {
                let sum = graph.reduce(Reduce::Sum, (0..graph.shape(root).len()).collect(), root);
                let by: Vec<NodeId> = graph
                    .nodes()
                    .filter(|(_, node)| matches!(node.op, Op::Input { dtype: DType::Float, .. }))
                    .map(|(id, _)| id)
                    .collect();
                roots.push(sum);
                roots.extend(gradient(&mut graph, sum, &by));
            }
            // What the plan sees are 32-bit inputs.
            let inputs: Vec<Tensor> = inputs
                .into_iter()
                .map(|tensor| Tensor { values: tensor.values.iter().map(|x| f64::from(*x as f32)).collect(), ..tensor })
                .collect();
            let expected = reference::run(&graph, &roots, &inputs).expect("numbers");
            let found = run(&graph, &roots, &inputs, 2).expect("numbers");
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!(near(found, expected, 1e-5), "{what}, root {at}: {found:?} is not {expected:?}\n{graph}");
            }
        }
    }
}

/// Whether a value of the graph jumps somewhere: rounding may then fall to the other side in 32 bits.
fn jumps(graph: &Graph) -> bool {
    graph.nodes().any(|(_, node)| {
        let jumping = [
            Op::Scalar(ScalarOp::Floor),
            Op::Scalar(ScalarOp::Cast(DType::Int)),
            Op::Scalar(ScalarOp::Cast(DType::Bool)),
        ];
        let choosing = match node.op {
            Op::Scalar(scalar) => scalar.dtype(&[DType::Float; 2]) == Ok(DType::Bool),
            _ => matches!(node.op, Op::ArgMax(_) | Op::ArgSort(_)),
        };
        choosing || jumping.contains(&node.op)
    })
}

/// Products that are shared by threads, with loops behind them that are about single elements, rows, columns or all.
fn products_and_their_loops_agree() {
    let (rows, depth, columns) = (257, 33, 65);
    let size = |count: i64| Size::from(count);
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, vec![size(rows), size(depth)]);
    let w = graph.input(1, DType::Float, vec![size(depth), size(columns)]);
    let b = graph.input(2, DType::Float, vec![size(columns)]);
    let t = graph.input(3, DType::Float, vec![size(rows), size(columns)]);
    let shape = vec![size(rows), size(columns)];
    let z = graph.dot(vec![], vec![(1, 0)], x, w);
    let zero = graph.fill(0.0, shape.clone());
    let positive = graph.binary(ScalarOp::Less, zero, z);
    let relu = graph.select(positive, z, zero);
    let wide = graph.broadcast(shape.clone(), vec![1], b);
    let shifted = graph.binary(ScalarOp::Add, z, wide);
    let error = graph.binary(ScalarOp::Sub, z, t);
    let squares = graph.binary(ScalarOp::Mul, error, error);
    let transposed = graph.permute(vec![1, 0], t);
    let back = graph.dot(vec![], vec![(1, 0)], transposed, relu);
    let tangent = graph.unary(ScalarOp::Tanh, back);
    let roots_of = |graph: &mut Graph| -> Vec<Vec<NodeId>> {
        let all = |graph: &mut Graph, node| graph.reduce(Reduce::Sum, vec![0, 1], node);
        let (sum, loss) = (all(graph, z), all(graph, squares));
        let (of_rows, of_columns) =
            (graph.reduce(Reduce::Max, vec![1], shifted), graph.reduce(Reduce::Sum, vec![0], relu));
        vec![
            vec![relu],
            vec![z, sum],
            vec![loss],
            vec![shifted, of_rows],
            vec![of_columns],
            vec![tangent],
            vec![squares, relu],
        ]
    };
    for roots in roots_of(&mut graph) {
        let inputs: Vec<Tensor> = [vec![257, 33], vec![33, 65], vec![65], vec![257, 65]]
            .into_iter()
            .enumerate()
            .map(|(at, shape)| numbers(&shape, (-1.0, 1.0), at as u64))
            .map(|t| Tensor { values: t.values.iter().map(|x| f64::from(*x as f32)).collect(), ..t })
            .collect();
        let expected = reference::run(&graph, &roots, &inputs).expect("numbers");
        for threads in [1, 2, 3, 5] {
            let found = run(&graph, &roots, &inputs, threads).expect("numbers");
            for (found, expected) in found.iter().zip(&expected) {
                assert!(near(found, expected, 1e-4), "{threads} threads, {roots:?}");
            }
        }
    }
}

fn random_graphs_agree() {
    let seed = random::seed();
    let mut jumped = 0;
    let seeds = (0..).map(|number| seed.wrapping_mul(10_000).wrapping_add(number));
    let graphs = seeds.map(|seed| (seed, random::graph(seed))).filter(|(_, (graph, ..))| planned(graph));
    for (seed, (mut graph, loss, x, shape)) in graphs.take(600) {
        let by = gradient(&mut graph, loss, &[x])[0];
        let point = numbers(&shape, (-1.5, 1.5), seed);
        let point = Tensor { values: point.values.iter().map(|x| f64::from(*x as f32)).collect(), ..point };
        let counters = Tensor { shape: vec![5], values: vec![1.0, 2.0, 3.0, 0.0, 0.0] };
        let inputs = [point, counters];
        let expected = reference::run(&graph, &[loss, by], &inputs).expect("numbers");
        let one = run(&graph, &[loss, by], &inputs, 1).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}\n{graph}"));
        let three = run(&graph, &[loss, by], &inputs, 3).expect("numbers");
        let bits = |tensors: &[Tensor]| -> Vec<u64> {
            tensors.iter().flat_map(|tensor| tensor.values.iter().map(|value| value.to_bits())).collect()
        };
        assert_eq!(bits(&one), bits(&three), "seed {seed}: the number of threads changes a bit");
        let agrees = near(&one[0], &expected[0], 2e-3);
        jumped += usize::from(!agrees && jumps(&graph));
        assert!(agrees || jumps(&graph), "seed {seed}: {:?} is not {:?}\n{graph}", one[0], expected[0]);
    }
    // A tanh that is 1 in 32 bits and just below in 64 truncates otherwise: rare.
    assert!(jumped <= 6, "seed {seed}: {jumped} of 600 graphs disagree where they jump");
}

fn functions_are_exact() {
    let mut worst = [0.0f64; 3];
    for k in -200_000..200_000i32 {
        let x = k as f32 * 4.5e-4;
        let relative = |found: f32, expected: f64| (f64::from(found) - expected).abs() / expected.abs().max(1e-37);
        worst[0] = worst[0].max(if x > -87.0 && x < 88.0 { relative(math::exp(x), f64::from(x).exp()) } else { 0.0 });
        worst[1] = worst[1].max(if x == 0.0 { 0.0 } else { relative(math::tanh(x), f64::from(x).tanh()) });
        let positive = (k as f32 * 4e-4).exp();
        let log = f64::from(positive).ln();
        worst[2] = worst[2].max((f64::from(math::log(positive)) - log).abs() / log.abs().max(0.1));
    }
    assert!(worst.iter().all(|worst| *worst < 4e-7), "{worst:?}");
    // Near 0, of every magnitude, and away from it.
    let mut worst = [(0.0f64, 0.0f32); 2];
    for bits in (0..0x7f80_0000u32).step_by(1009) {
        for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
            let mut hold = |at: usize, found: f32, expected: f64| {
                let expected32 = expected as f32;
                if expected32.is_finite() && expected32 != 0.0 {
                    let far = (f64::from(found) - expected).abs() / expected.abs().max(1e-37);
                    worst[at] = if far > worst[at].0 { (far, x) } else { worst[at] };
                } else {
                    assert!(found == expected32, "{at} of {x:e}: {found:e}, not {expected32:e}");
                }
            };
            hold(0, math::expm1(x), f64::from(x).exp_m1());
            if x > -1.0 {
                hold(1, math::log1p(x), f64::from(x).ln_1p());
            }
        }
    }
    assert!(worst.iter().all(|(worst, _)| *worst < 4e-7), "{worst:?}");
    assert_eq!((math::expm1(f32::NEG_INFINITY), math::log1p(-1.0)), (-1.0, f32::NEG_INFINITY));
    assert!(math::expm1(f32::NAN).is_nan() && math::log1p(f32::NAN).is_nan() && math::log1p(-1.5).is_nan());
    assert_eq!((math::exp(200.0), math::exp(-200.0), math::exp(f32::NEG_INFINITY)), (f32::INFINITY, 0.0, 0.0));
    assert_eq!((math::exp(f32::INFINITY), math::exp(0.0)), (f32::INFINITY, 1.0));
    assert_eq!((math::log(0.0), math::log(1.0), math::log(f32::INFINITY)), (f32::NEG_INFINITY, 0.0, f32::INFINITY));
    assert!(math::log(-1.0).is_nan() && math::exp(f32::NAN).is_nan() && math::tanh(f32::NAN).is_nan());
    assert_eq!((math::tanh(50.0), math::tanh(-50.0), math::tanh(f32::INFINITY)), (1.0, -1.0, 1.0));
    assert!((f64::from(math::log(1e-40)) - (1e-40f32 as f64).ln()).abs() < 1e-4);
}

fn every_thread_does_its_share() {
    let pool = Pool::new(3);
    let done: Vec<std::sync::atomic::AtomicUsize> = (0..3).map(|_| Default::default()).collect();
    for _ in 0..1_000 {
        pool.run(&|thread| {
            done[thread].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
    }
    assert!(done.iter().all(|count| count.load(std::sync::atomic::Ordering::Relaxed) == 1_000));
}
