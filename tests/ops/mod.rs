//! Every operation of the graph, by construction: its shape rule against the real result, its gradient and second
//! gradient against central differences in f64; random graphs; and that each rule matters.

mod attention;
mod bodies;
mod check;
mod compiled;
mod containers;
pub mod cpu;
mod lean;
mod loops;
mod matrices;
mod random;
mod samples;
mod values;

use crate::trial;
use check::{differs, gradients_agree, scale};
use libtest_mimic::Trial;
use mlx::autodiff::{contributions, gradient};
use mlx::backend::{Tensor, reference};
use mlx::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, Size, Symbol};
use samples::{name, representatives, samples};

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = representatives()
        .into_iter()
        .map(|op| {
            Trial::test(format!("ops::samples::{}", name(&op)), move || {
                let samples = samples(&op);
                assert!(!samples.is_empty(), "there is no sample");
                for sample in samples {
                    gradients_agree(&sample, &contributions).map_err(|wrong| format!("{}: {wrong}", sample.what))?;
                }
                Ok(())
            })
        })
        .collect();
    trials.extend(attention::trials());
    trials.extend(bodies::trials());
    trials.extend(containers::trials());
    trials.extend(compiled::trials());
    trials.extend(cpu::trials());
    trials.extend(lean::trials());
    trials.extend(random::trials());
    trials.extend(values::trials());
    trials.push(trial("ops::each_rule_of_the_gradient_matters", each_rule_of_the_gradient_matters));
    trials.push(trial("ops::symbolic_rows_settle_to_the_same_graph", symbolic_rows));
    trials.push(trial("ops::the_verifier_finds_a_broken_rule", the_verifier_finds_a_broken_rule));
    trials
}

/// The names of all operations: of a kind with variants, the variants'.
pub fn names() -> Vec<String> {
    let inner = |kind: String| match kind.split_once('(') {
        Some((_, variant)) => variant.trim_end_matches(')').to_string(),
        None => kind,
    };
    representatives().iter().map(|op| inner(name(op))).collect()
}

/// One rule after the other is made wrong by half, and the samples must see it.
fn each_rule_of_the_gradient_matters() {
    let mut perturbed = 0;
    for op in representatives() {
        let samples = samples(&op);
        let kind = name(&op);
        for operand in 0..3 {
            let used = std::cell::Cell::new(false);
            let wrong = |graph: &mut Graph, of: &[(NodeId, NodeId)], wanted: &[bool]| {
                let mut parts = contributions(graph, of, wanted);
                if name(&graph.node(of[0].0).op) == kind
                    && let Some(Some(part)) = parts.get_mut(operand)
                {
                    used.set(true);
                    *part = scale(graph, *part, 1.5);
                }
                parts
            };
            let seen = samples.iter().any(|sample| gradients_agree(sample, &wrong).is_err());
            assert!(seen || !used.get(), "nothing sees a wrong rule of {kind} for operand {operand}");
            perturbed += usize::from(used.get());
        }
    }
    // As many as there are rules that give an operand something.
    assert_eq!(perturbed, 60, "rules that were perturbed");
}

/// A graph over symbolic rows, differentiated and then settled, is the graph of that many rows.
fn symbolic_rows() {
    let build = |rows: Size| {
        let mut graph = Graph::default();
        let x = graph.input(0, DType::Float, vec![rows.clone(), Size::from(3)]);
        let w = graph.input(1, DType::Float, vec![Size::from(3), Size::from(2)]);
        let z = graph.dot(vec![], vec![(1, 0)], x, w);
        let y = graph.unary(ScalarOp::Tanh, z);
        let sum = graph.reduce(Reduce::Sum, vec![0, 1], y);
        let count = graph.add(Op::SizeOf(rows), Vec::new());
        let count = graph.cast(DType::Float, count);
        let mean = graph.binary(ScalarOp::Div, sum, count);
        let by = gradient(&mut graph, mean, &[w, x]);
        graph.verify().expect("a sound graph");
        (graph, vec![mean, by[0], by[1]])
    };
    let (symbolic, roots) = build(Size::symbol(Symbol::new("n")));
    let settled = symbolic.settle(&[(Symbol::new("n"), 4)]);
    settled.verify().expect("a sound graph");
    let (plain, _) = build(Size::from(4));
    assert_eq!(settled.to_string(), plain.to_string());
    let inputs = [check::numbers(&[4, 3], (-1.0, 1.0), 1), check::numbers(&[3, 2], (-1.0, 1.0), 2)];
    let run = |graph: &Graph| reference::run(graph, &roots, &inputs).expect("numbers");
    for (a, b) in run(&settled).iter().zip(run(&plain)) {
        assert!(!differs(a, &b, 0.0));
    }
    assert!(reference::run(&symbolic, &roots, &inputs).is_err(), "symbolic sizes have no numbers");
}

fn the_verifier_finds_a_broken_rule() {
    let mut graph = Graph::default();
    let a = graph.input(0, DType::Float, vec![Size::from(2)]);
    let b = graph.input(1, DType::Float, vec![Size::from(3)]);
    graph.verify().expect("a sound graph");
    graph.binary(ScalarOp::Add, a, b);
    let broken = graph.verify().expect_err("2 is not 3");
    assert!(broken.contains("Add of float[2], float[3]"), "{broken}");
    let inputs = [Tensor::filled(vec![2], 1.0), Tensor::filled(vec![2], 1.0)];
    assert!(reference::run(&graph, &[b], &inputs).is_err(), "an input of another shape");
}
