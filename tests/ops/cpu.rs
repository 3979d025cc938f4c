//! The plan on the CPU against the reference: every sample with its gradients, random graphs, any number of threads.

use super::bodies::drawing;
use super::check::{Sample, numbers};
use super::loops::{add, recurrent};
use super::random;
use super::samples::{representatives, samples};
use crate::trial;
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::cpu::{Cpu, Engine, math, pool::Pool};
use mlx::backend::{Device, PlanId, Tensor, reference};
use mlx::ir::{Body, DType, Graph, NodeId, Op, Reduce, ScalarOp, ScanBuilder, Scanned, Size};
use mlx::plan::{Code, Limits, Precision, Request, Residents, plan, verify};
use std::sync::Arc;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ops::cpu::samples_agree_with_the_reference", samples_agree),
        trial("ops::cpu::functions_are_exact_to_a_few_places", functions_are_exact),
        trial("ops::cpu::random_graphs_agree_with_the_reference", random_graphs_agree),
        trial("ops::cpu::products_and_the_loops_that_end_them_agree", products_and_their_loops_agree),
        trial("ops::cpu::long_loops_over_large_products_agree", large_loops_agree),
        trial("ops::cpu::orders_and_running_sums_of_many_lines_agree", many_lines_agree),
        trial("ops::cpu::steps_draw_what_they_count", steps_draw_what_they_count),
        trial("ops::cpu::a_loop_is_one_run_for_all_stages", a_loop_is_one_run_for_all_stages),
        trial("ops::cpu::what_bodies_hold_is_counted_once", what_bodies_hold_is_counted_once),
        trial("ops::cpu::what_a_loop_leaves_is_the_next_value", what_a_loop_leaves_is_the_next_value),
        trial("ops::cpu::loops_are_of_32_bits_in_evaluation_too", loops_in_evaluation),
        trial("ops::cpu::a_mistake_in_a_step_names_it", a_mistake_in_a_step_names_it),
        trial("ops::cpu::every_thread_does_its_share", every_thread_does_its_share),
    ]
}

/// A device with a plan of roots, ready to be fed.
pub fn cpu_of(graph: &Graph, roots: &[NodeId], threads: usize) -> Result<(Cpu, PlanId), String> {
    of_precision(graph, roots, threads, Precision::Step, Engine::best(), Limits::default())
}

fn of_precision(
    graph: &Graph,
    roots: &[NodeId],
    threads: usize,
    precision: Precision,
    engine: Engine,
    limits: Limits,
) -> Result<(Cpu, PlanId), String> {
    let (hosts, updates, residents) = (&[], &[], &Residents::default());
    let stages = &[roots.to_vec()];
    let plan = plan(&Request { graph, stages, hosts, updates, residents, precision, limits })?;
    verify(&plan)?;
    let mut device = Cpu::with(threads, engine);
    let id = device.load(plan);
    Ok((device, id))
}

/// Runs roots by a plan.
pub fn run(graph: &Graph, roots: &[NodeId], inputs: &[Tensor], threads: usize) -> Result<Vec<Tensor>, String> {
    run_precise(graph, roots, inputs, threads, Precision::Step)
}

/// By machine code and by the interpreter, which do not differ in a bit.
pub fn run_precise(
    graph: &Graph,
    roots: &[NodeId],
    inputs: &[Tensor],
    threads: usize,
    precision: Precision,
) -> Result<Vec<Tensor>, String> {
    let expected = run_on(Engine::Interpreter, graph, roots, inputs, threads, precision);
    for engine in [Engine::Avx2, Engine::Avx512].into_iter().filter(|engine| engine.is_there()) {
        let found = run_on(engine, graph, roots, inputs, threads, precision);
        let same = match (&found, &expected) {
            (Ok(found), Ok(expected)) => bits(found) == bits(expected),
            (found, expected) => found == expected,
        };
        assert!(same, "{engine:?}: {found:?} instead of {expected:?}");
    }
    expected
}

fn run_on(
    engine: Engine,
    graph: &Graph,
    roots: &[NodeId],
    inputs: &[Tensor],
    threads: usize,
    precision: Precision,
) -> Result<Vec<Tensor>, String> {
    let made = of_precision(graph, roots, threads, precision, engine, Limits::default())?;
    results(made, graph, roots, inputs)
}

/// A device with these limits.
pub fn cpu_within(limits: Limits, graph: &Graph, roots: &[NodeId], threads: usize) -> Result<(Cpu, PlanId), String> {
    of_precision(graph, roots, threads, Precision::Step, Engine::best(), limits)
}

/// Runs roots by a plan that is loaded.
pub fn results(
    (mut device, id): (Cpu, PlanId),
    graph: &Graph,
    roots: &[NodeId],
    inputs: &[Tensor],
) -> Result<Vec<Tensor>, String> {
    for (number, tensor) in inputs.iter().enumerate() {
        device.write_numbers(id, number as u32, &tensor.values);
    }
    device.run(id).map_err(|fault| fault.message)?;
    let tensor = |(at, root): (usize, &NodeId)| {
        let size = |size: &Size| size.settled().expect("settled") as usize;
        let shape: Vec<usize> = graph.shape(*root).iter().map(size).collect();
        Tensor { values: device.read(id, at).to_f64(shape.iter().product()), shape }
    };
    Ok(roots.iter().enumerate().map(tensor).collect())
}

/// Whether 32-bit numbers are those of 64 bits, to a tolerance that sums of rounding stay below.
pub fn near(found: &Tensor, expected: &Tensor, tolerance: f64) -> bool {
    found.shape == expected.shape
        && found.values.len() == expected.values.len()
        && found
            .values
            .iter()
            .zip(&expected.values)
            .all(|(a, b)| a == b || (a - b).abs() <= tolerance * (1.0 + b.abs()) || (a.is_nan() && b.is_nan()))
}

fn samples_agree() {
    for op in representatives() {
        for Sample { what, mut graph, inputs, root } in samples(&op) {
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
            Op::Scalar(ScalarOp::Mod),
            Op::Scalar(ScalarOp::Quotient),
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

pub fn bits(tensors: &[Tensor]) -> Vec<u64> {
    // The bits of what is no number mean nothing.
    let bits = |value: &f64| if value.is_nan() { f64::NAN } else { *value }.to_bits();
    tensors.iter().flat_map(|tensor| tensor.values.iter().map(bits)).collect()
}

/// As 32-bit floats hold it.
pub fn rounded(shape: &[usize], scale: f64, seed: u64) -> Tensor {
    let tensor = numbers(shape, (-1.0, 1.0), seed);
    Tensor { values: tensor.values.iter().map(|x| f64::from((x * scale) as f32)).collect(), ..tensor }
}

/// `h' = tanh(h w + x)` of 64 rows, over what one thread does alone, and its gradients.
fn large_loops_agree() {
    let (rows, width, steps) = (64, 256, 20);
    let size = |count: usize| Size::from(count as i64);
    let mut graph = Graph::default();
    let h = graph.input(0, DType::Float, vec![size(rows), size(width)]);
    let w = graph.input(1, DType::Float, vec![size(width), size(width)]);
    let x = graph.input(2, DType::Float, vec![size(steps), size(rows), size(width)]);
    let mut scan = ScanBuilder::new(size(steps), false);
    let (now, x_inside, w_inside) = (scan.carry(&graph, h), scan.slice(&graph, x), scan.capture(&graph, w));
    let product = scan.body.dot(vec![], vec![(1, 0)], now, w_inside);
    let sum = add(&mut scan.body, product, x_inside);
    let next = scan.body.unary(ScalarOp::Tanh, sum);
    scan.next(now, next);
    scan.give(next);
    let scanned = graph.scan(scan);
    let (last, each) = (scanned.last[0], scanned.each[0]);
    let loss = graph.reduce(Reduce::Sum, vec![0, 1], last);
    let by = gradient(&mut graph, loss, &[w, h]);
    let roots = [last, each, by[0], by[1]];
    let inputs = [rounded(&[64, 256], 1.0, 1), rounded(&[256, 256], 0.06, 2), rounded(&[20, 64, 256], 1.0, 3)];
    let expected = reference::run(&graph, &roots, &inputs).expect("numbers");
    let one = run(&graph, &roots, &inputs, 1).expect("numbers");
    for (at, (found, expected)) in one.iter().zip(&expected).enumerate() {
        assert!(near(found, expected, 1e-4), "root {at}");
    }
    for threads in 2..=4 {
        let found = run(&graph, &roots, &inputs, threads).expect("numbers");
        assert_eq!(bits(&one), bits(&found), "{threads} threads change a bit");
    }
}

/// Lines along each axis of what threads share, in both directions.
fn many_lines_agree() {
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, vec![Size::from(30), Size::from(40), Size::from(50)]);
    let mut roots = Vec::new();
    for axis in 0..3 {
        roots.push(graph.add(Op::ArgSort(axis), vec![x]));
        roots.push(graph.add(Op::ArgMax(axis), vec![x]));
        roots.extend([false, true].map(|reverse| graph.add(Op::CumSum { axis, reverse }, vec![x])));
    }
    let inputs = [rounded(&[30, 40, 50], 1.0, 4)];
    let expected = reference::run(&graph, &roots, &inputs).expect("numbers");
    for threads in 1..=3 {
        let found = run(&graph, &roots, &inputs, threads).expect("numbers");
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(near(found, expected, 1e-5), "root {at}, {threads} threads");
        }
    }
}

fn steps_draw_what_they_count() {
    let mut graph = Graph::default();
    let (scanned, _) = drawing(&mut graph, 4);
    let roots = [scanned.last, scanned.each].concat();
    for counters in [[1.0, 2.0, 3.0, 6.0, 0.0], [-5.0, 2.0, 3.0, 2_147_483_646.0, 0.0]] {
        let inputs = [Tensor { shape: vec![5], values: counters.to_vec() }, rounded(&[3], 1.0, 1)];
        let expected = reference::run(&graph, &roots, &inputs).expect("numbers");
        let found = run(&graph, &roots, &inputs, 2).expect("numbers");
        assert!(found.iter().zip(&expected).all(|(found, expected)| near(found, expected, 1e-5)), "{found:?}");
    }
}

/// The operands of a recurrent loop of 5 steps, and the loop.
fn short_loop(graph: &mut Graph) -> ([NodeId; 3], Scanned) {
    let size = |count: i64| Size::from(count);
    let h = graph.input(0, DType::Float, vec![size(2)]);
    let x = graph.input(1, DType::Float, vec![size(5), size(2)]);
    let w = graph.input(2, DType::Float, vec![size(2), size(2)]);
    let scanned = recurrent(graph, size(5), false, h, x, w);
    ([h, x, w], scanned)
}

fn short_inputs() -> [Tensor; 3] {
    [rounded(&[2], 1.0, 1), rounded(&[5, 2], 1.0, 2), rounded(&[2, 2], 1.0, 3)]
}

fn a_loop_is_one_run_for_all_stages() {
    let mut graph = Graph::default();
    let (_, scanned) = short_loop(&mut graph);
    let (residents, limits, precision) = (&Residents::default(), Limits::default(), Precision::Step);
    let stages = &[scanned.last.clone(), scanned.each.clone()];
    let plan = plan(&Request { graph: &graph, stages, hosts: &[], updates: &[], residents, precision, limits })
        .expect("a plan");
    let runs = plan.kernels.iter().filter(|kernel| matches!(*kernel.code, Code::Run(_))).count();
    assert_eq!(runs, 1, "{plan}");
    assert!(plan.to_string().contains("scan, 5 steps, "), "{plan}");
}

/// A result lies where it is wanted, once; what a body needs beside that is counted.
fn what_bodies_hold_is_counted_once() {
    let held = |results: usize, work: bool| {
        let mut inner = Graph::default();
        let x = inner.input(0, DType::Float, vec![Size::from(1000)]);
        let from = if work { inner.add(Op::CumSum { axis: 0, reverse: false }, vec![x]) } else { x };
        let ops = [ScalarOp::Sin, ScalarOp::Tanh, ScalarOp::Exp];
        let made: Vec<NodeId> = ops[..results].iter().map(|op| inner.unary(*op, from)).collect();
        let body = Arc::new(Body::new(&inner, &[x], &made));
        let mut graph = Graph::default();
        let x = graph.input(0, DType::Float, vec![Size::from(1000)]);
        let roots = graph.call(&body, &[x]);
        let (device, id) = cpu_of(&graph, &roots, 1).expect("a plan");
        device.plan(id).scratch / 4000
    };
    // What is fed, the results, and sums before them.
    assert_eq!([held(1, false), held(3, false), held(3, true)], [2, 4, 5]);
}

/// The state is carried on; what is told of it is the value that it had.
fn what_a_loop_leaves_is_the_next_value() {
    let mut graph = Graph::default();
    let ([h, ..], scanned) = short_loop(&mut graph);
    let residents = Residents::of([(0, 2)]);
    let (limits, precision) = (Limits::default(), Precision::Step);
    let stages = &[vec![h, scanned.each[0]], vec![scanned.last[0]]];
    let updates = &[(scanned.last[0], 0)];
    let request = Request { graph: &graph, stages, hosts: &[], updates, residents: &residents, precision, limits };
    let mut device = Cpu::new(2);
    let id = device.load(plan(&request).expect("a plan"));
    let mut inputs = short_inputs();
    for (number, tensor) in inputs.iter().enumerate() {
        device.write_numbers(id, number as u32, &tensor.values);
    }
    for _ in 0..3 {
        let roots = [h, scanned.each[0], scanned.last[0]];
        let expected = reference::run(&graph, &roots, &inputs).expect("numbers");
        device.run(id).expect("numbers");
        for (root, expected) in expected.iter().enumerate() {
            let values = device.read(id, root).to_f64(expected.values.len());
            assert!(near(&Tensor { shape: expected.shape.clone(), values }, expected, 1e-5), "root {root}");
        }
        let next = device.written(id, 0).expect("the state").to_f64(2);
        assert!(near(&Tensor { shape: vec![2], values: next.clone() }, &expected[2], 1e-5));
        inputs[0].values = next;
    }
}

fn loops_in_evaluation() {
    let mut graph = Graph::default();
    let (_, scanned) = short_loop(&mut graph);
    let whole = graph.reduce(Reduce::Sum, vec![0], scanned.last[0]);
    let roots = [scanned.last[0], scanned.each[0], whole];
    let inputs = short_inputs();
    let expected = reference::run(&graph, &roots, &inputs).expect("numbers");
    let precision = Precision::Evaluation { wide: &[0, 1] };
    let found = run_precise(&graph, &roots, &inputs, 2, precision).expect("numbers");
    assert!(found.iter().zip(&expected).all(|(found, expected)| near(found, expected, 1e-5)), "{found:?}");
}

fn a_mistake_in_a_step_names_it() {
    for (reverse, step) in [(false, 3), (true, 4)] {
        let mut graph = Graph::default();
        let table = graph.input(0, DType::Float, vec![Size::from(3)]);
        let mut scan = ScanBuilder::new(Size::from(5), reverse);
        let table = scan.capture(&graph, table);
        let read = scan.body.add(Op::Gather { batch: 0 }, vec![table, scan.index]);
        scan.give(read);
        let each = graph.scan(scan).each;
        let inputs = [Tensor::filled(vec![3], 1.0)];
        let expected = reference::run(&graph, &each, &inputs).expect_err("3 of 3");
        let found = run(&graph, &each, &inputs, 1).expect_err("3 of 3");
        // The reference names the operation as well.
        let last = |said: &str| said.rsplit(": ").next().map(str::to_string);
        assert_eq!(last(&found), last(&expected));
        assert!(found.starts_with(&format!("step {step} of a scan: ")), "{found}");
    }
}

fn random_graphs_agree() {
    let seed = random::seed();
    let mut jumped = 0;
    for seed in (0..600).map(|number| seed.wrapping_mul(10_000).wrapping_add(number)) {
        let (mut graph, loss, x, shape) = random::graph(seed);
        let by = gradient(&mut graph, loss, &[x])[0];
        let point = numbers(&shape, (-1.5, 1.5), seed);
        let point = Tensor { values: point.values.iter().map(|x| f64::from(*x as f32)).collect(), ..point };
        let counters = Tensor { shape: vec![5], values: vec![1.0, 2.0, 3.0, 0.0, 0.0] };
        let inputs = [point, counters];
        let expected = reference::run(&graph, &[loss, by], &inputs).expect("numbers");
        let one = run(&graph, &[loss, by], &inputs, 1).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}\n{graph}"));
        let three = run(&graph, &[loss, by], &inputs, 3).expect("numbers");
        assert_eq!(bits(&one), bits(&three), "seed {seed}: the number of threads changes a bit");
        let agrees = near(&one[0], &expected[0], 2e-3);
        jumped += usize::from(!agrees && jumps(&graph));
        assert!(agrees || jumps(&graph), "seed {seed}: {:?} is not {:?}\n{graph}", one[0], expected[0]);
    }
    // A tanh that is 1 in 32 bits and just below in 64 truncates otherwise: rare.
    assert!(jumped <= 6, "seed {seed}: {jumped} of 600 graphs disagree where they jump");
}

/// Every so many floats, or all of them with `MLX_ALL_FLOATS=1`, which takes minutes.
fn functions_are_exact() {
    let step = if std::env::var_os("MLX_ALL_FLOATS").is_some() { 1 } else { 4_099 };
    type Function = (&'static str, fn(f32) -> f32, fn(f64) -> f64);
    let functions: [Function; 6] = [
        ("exp", math::exp, f64::exp),
        ("expm1", math::expm1, f64::exp_m1),
        ("log", math::log, f64::ln),
        ("log1p", math::log1p, f64::ln_1p),
        ("tanh", math::tanh, f64::tanh),
        ("erf", math::erf, libm::erf),
    ];
    for (name, function, exact) in functions {
        let mut worst = (0.0f64, 0.0f32);
        for bits in (0..=u32::MAX).step_by(step) {
            let x = f32::from_bits(bits);
            let far = units_apart(function(x), exact(f64::from(x)));
            worst = if far > worst.0 { (far, x) } else { worst };
        }
        assert!(worst.0 <= 2.0, "{name} of {:e} is {} units in the last place apart", worst.1, worst.0);
    }
    // Where something else begins, and beyond.
    assert_eq!((math::expm1(f32::NEG_INFINITY), math::log1p(-1.0)), (-1.0, f32::NEG_INFINITY));
    assert!(math::expm1(f32::NAN).is_nan() && math::log1p(f32::NAN).is_nan() && math::log1p(-1.5).is_nan());
    assert_eq!((math::exp(200.0), math::exp(-200.0), math::exp(f32::NEG_INFINITY)), (f32::INFINITY, 0.0, 0.0));
    assert_eq!((math::exp(f32::INFINITY), math::exp(0.0)), (f32::INFINITY, 1.0));
    assert_eq!((math::log(0.0), math::log(1.0), math::log(f32::INFINITY)), (f32::NEG_INFINITY, 0.0, f32::INFINITY));
    assert!(math::log(-1.0).is_nan() && math::exp(f32::NAN).is_nan() && math::tanh(f32::NAN).is_nan());
    assert_eq!((math::tanh(50.0), math::tanh(-50.0), math::tanh(f32::INFINITY)), (1.0, -1.0, 1.0));
    assert_eq!((math::erf(5.0), math::erf(f32::NEG_INFINITY), math::erf(-0.0).is_sign_negative()), (1.0, -1.0, true));
    assert!(math::erf(f32::NAN).is_nan());
}

/// How far a float is from an exact value, in units of the last place of the latter.
fn units_apart(found: f32, exact: f64) -> f64 {
    let nearest = exact as f32;
    if found.is_nan() || nearest.is_nan() || found.is_infinite() || nearest.is_infinite() {
        let same = found == nearest || (found.is_nan() && nearest.is_nan());
        return if same { 0.0 } else { f64::INFINITY };
    }
    let exponent = ((nearest.abs().to_bits() >> 23) as i32 - 127).max(-126);
    (f64::from(found) - exact).abs() / 2f64.powi(exponent - 23)
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
