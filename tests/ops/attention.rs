//! Attention: the scores of all heads are never there at once, and of what a mask leaves out little is computed. The numbers stay those of the definition.

use super::cpu::{bits, cpu_of, cpu_within, near, results, rounded, run};
use super::loops::{add, mul};
use crate::trial;
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::{Device, reference};
use mlx::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, Size, flops};
use mlx::plan::{Code, Limits, Plan};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ops::attention::any_mask_agrees_with_the_reference", masks_agree),
        trial("ops::attention::random_masks_agree_with_the_reference", random_masks_agree),
        trial("ops::attention::scores_are_not_stored", scores_are_not_stored),
        trial("ops::attention::a_mask_saves_what_it_leaves_out", a_mask_saves),
        trial("ops::attention::what_looks_like_it_agrees", lookalikes_agree),
    ]
}

const SIZES: [i64; 4] = [2, 2, 256, 16];

/// From indices of queries and keys, and numbers of the keys, to whether a key counts.
type Mask = fn(&mut Graph, NodeId, NodeId, NodeId) -> NodeId;

fn known(graph: &mut Graph, value: f64) -> NodeId {
    let number = graph.constant(value);
    let number = graph.cast(DType::Int, number);
    graph.broadcast(scores(), vec![], number)
}

fn scores() -> Vec<Size> {
    [SIZES[0], SIZES[1], SIZES[2], SIZES[2]].map(Size::from).to_vec()
}

const MASKS: [(&str, Mask); 5] = [
    ("causal", |graph, i, j, _| graph.binary(ScalarOp::LessEqual, j, i)),
    ("window", |graph, i, j, _| {
        let (low, high) = (known(graph, 40.0), known(graph, 3.0));
        let (first, last) = (graph.binary(ScalarOp::Sub, i, low), graph.binary(ScalarOp::Add, i, high));
        let (behind, before) = (graph.binary(ScalarOp::Less, first, j), graph.binary(ScalarOp::LessEqual, j, last));
        graph.binary(ScalarOp::And, behind, before)
    }),
    ("causal, padded", |graph, i, j, padding| {
        let causal = graph.binary(ScalarOp::LessEqual, j, i);
        let low = graph.fill(0.8, scores());
        let is_there = graph.binary(ScalarOp::Less, padding, low);
        let first = known(graph, 0.0);
        let is_first = graph.binary(ScalarOp::Equal, j, first);
        let either = graph.binary(ScalarOp::Or, is_there, is_first);
        graph.binary(ScalarOp::And, causal, either)
    }),
    ("blocks", |graph, i, j, _| {
        let size = known(graph, 100.0);
        let (i, j) = (graph.binary(ScalarOp::Quotient, i, size), graph.binary(ScalarOp::Quotient, j, size));
        graph.binary(ScalarOp::Equal, i, j)
    }),
    ("everything", |graph, i, _, _| {
        let all = known(graph, 1e6);
        graph.binary(ScalarOp::Less, i, all)
    }),
];

/// The result, and the gradients of a function of it by queries, keys and values, which have their heads in the middle.
fn attention(mask: Mask) -> (Graph, Vec<NodeId>) {
    let mut graph = Graph::default();
    let [n, h, t, e] = SIZES.map(Size::from);
    let laid = |graph: &mut Graph, number: u32| {
        let all = graph.input(number, DType::Float, vec![n.clone(), t.clone(), h.clone(), e.clone()]);
        (all, graph.permute(vec![0, 2, 1, 3], all))
    };
    let [(q, queries), (k, keys), (v, values)] = [0, 1, 2].map(|number| laid(&mut graph, number));
    let padding = graph.input(3, DType::Float, vec![n, t.clone()]);
    let padding = graph.broadcast(scores(), vec![0, 3], padding);
    let index = graph.add(Op::Iota { shape: vec![t], axis: 0 }, vec![]);
    let (i, j) = (graph.broadcast(scores(), vec![2], index), graph.broadcast(scores(), vec![3], index));
    let mask = mask(&mut graph, i, j, padding);
    let products = graph.dot(vec![(0, 0), (1, 1)], vec![(3, 3)], queries, keys);
    let result = softmax_of(&mut graph, products, mask, values);
    let bent = graph.unary(ScalarOp::Tanh, result);
    let loss = graph.reduce(Reduce::Sum, vec![0, 1, 2, 3], bent);
    let by = gradient(&mut graph, loss, &[q, k, v]);
    (graph, [&[result], &by[..]].concat())
}

fn softmax_of(graph: &mut Graph, products: NodeId, mask: NodeId, values: NodeId) -> NodeId {
    let (none, zero) = (graph.fill(f64::NEG_INFINITY, scores()), graph.fill(0.0, scores()));
    let chosen = graph.select(mask, products, none);
    let most = graph.reduce(Reduce::Max, vec![3], chosen);
    let most = graph.add(Op::StopGradient, vec![most]);
    let most = graph.broadcast(scores(), vec![0, 1, 2], most);
    let below = graph.binary(ScalarOp::Sub, products, most);
    let power = graph.unary(ScalarOp::Exp, below);
    let counted = graph.select(mask, power, zero);
    let sum = graph.reduce(Reduce::Sum, vec![3], counted);
    let sum = graph.broadcast(scores(), vec![0, 1, 2], sum);
    let shares = graph.binary(ScalarOp::Div, power, sum);
    let shares = graph.select(mask, shares, zero);
    graph.dot(vec![(0, 0), (1, 1)], vec![(3, 2)], shares, values)
}

fn inputs() -> Vec<mlx::backend::Tensor> {
    let [n, h, t, e] = SIZES.map(|size| size as usize);
    let mut all: Vec<_> = [1, 2, 3].map(|seed| rounded(&[n, t, h, e], 1.0, seed)).to_vec();
    all.push(rounded(&[n, t], 1.0, 4));
    all
}

fn planned(graph: &Graph, roots: &[NodeId], look: impl FnOnce(&Plan)) {
    let (device, id) = cpu_of(graph, roots, 1).expect("a plan");
    look(device.plan(id));
}

fn agree(what: &str, graph: &Graph, roots: &[NodeId], inputs: &[mlx::backend::Tensor]) {
    graph.verify().expect("a sound graph");
    planned(graph, roots, |plan| assert!(loops(plan) > 0, "{what} has no loop\n{plan}"));
    let expected = reference::run(graph, roots, inputs).expect("numbers");
    let alone = run(graph, roots, inputs, 1).expect("numbers");
    for (at, (found, expected)) in alone.iter().zip(&expected).enumerate() {
        assert!(near(found, expected, 2e-5), "{what}, root {at}");
    }
    for threads in [2, 3] {
        let found = run(graph, roots, inputs, threads).expect("numbers");
        assert!(bits(&found) == bits(&alone), "{what}, {threads} threads");
    }
}

fn loops(plan: &Plan) -> usize {
    plan.kernels.iter().filter(|kernel| matches!(*kernel.code, Code::Run(_))).count()
}

fn masks_agree() {
    for (what, mask) in MASKS {
        let (graph, roots) = attention(mask);
        agree(what, &graph, &roots, &inputs());
    }
}

/// Numbers in a row, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn known(&mut self, graph: &mut Graph, shape: &[Size], end: usize) -> NodeId {
        let number = graph.constant(self.below(end) as f64);
        let number = graph.cast(DType::Int, number);
        graph.broadcast(shape.to_vec(), vec![], number)
    }

    /// A condition on the indices of rows and columns.
    fn condition(&mut self, graph: &mut Graph, places: [NodeId; 2], end: usize, depth: usize) -> NodeId {
        if depth > 0 && self.below(3) > 0 {
            let a = self.condition(graph, places, end, depth - 1);
            let b = self.condition(graph, places, end, depth - 1);
            return match self.below(3) {
                0 => graph.binary(ScalarOp::And, a, b),
                1 => graph.binary(ScalarOp::Or, a, b),
                _ => graph.unary(ScalarOp::Not, a),
            };
        }
        let shape = graph.shape(places[0]).to_vec();
        let mut side = |graph: &mut Graph| {
            let place = places[self.below(2)];
            let number = self.known(graph, &shape, end);
            let few = self.known(graph, &shape, 4);
            let one = graph.fill(1.0, shape.clone());
            let one = graph.cast(DType::Int, one);
            let few = graph.binary(ScalarOp::Add, few, one);
            match self.below(6) {
                0 => number,
                1 => graph.binary(ScalarOp::Add, place, number),
                2 => graph.binary(ScalarOp::Quotient, place, few),
                3 => graph.binary(ScalarOp::Mul, place, few),
                4 => graph.binary(ScalarOp::Mod, place, few),
                _ => place,
            }
        };
        let (a, b) = (side(graph), side(graph));
        let ops = [ScalarOp::Less, ScalarOp::LessEqual, ScalarOp::LessEqual, ScalarOp::Equal, ScalarOp::NotEqual];
        graph.binary(ops[self.below(ops.len())], a, b)
    }
}

/// Any condition on indices, any sizes, rows or columns that nothing is left of: some function of products where it holds, zero elsewhere, with
/// sums over rows or columns.
fn random_masks_agree() {
    let mut looped = 0;
    for seed in 0..60 {
        let dice = &mut Dice(seed);
        let mut graph = Graph::default();
        let [n, i, j, e] = [1 + dice.below(3), 60 + dice.below(150), 60 + dice.below(150), 1 + dice.below(5)];
        let sizes = |sizes: &[usize]| sizes.iter().map(|size| Size::from(*size as i64)).collect::<Vec<Size>>();
        let lengths = [vec![n, 2, i, e], vec![n, 2, j, e], vec![n, 2, j, e]];
        let of = |graph: &mut Graph, at: usize| graph.input(at as u32, DType::Float, sizes(&lengths[at]));
        let inputs = [0, 1, 2].map(|at| of(&mut graph, at));
        let all = sizes(&[n, 2, i, j]);
        let mut index = |length: usize, axis: usize| {
            let index = graph.add(Op::Iota { shape: sizes(&[length]), axis: 0 }, vec![]);
            graph.broadcast(all.clone(), vec![axis], index)
        };
        let places = [index(i, 2), index(j, 3)];
        let mask = dice.condition(&mut graph, places, i.max(j), 2);
        let batch = vec![(0, 0), (1, 1)];
        let products = graph.dot(batch.clone(), vec![(3, 3)], inputs[0], inputs[1]);
        let bent = graph.unary([ScalarOp::Tanh, ScalarOp::Exp, ScalarOp::Abs][dice.below(3)], products);
        let zero = graph.fill(0.0, all.clone());
        let mut left = graph.select(mask, bent, zero);
        let (axis, kept) = [(3, vec![0, 1, 2]), (2, vec![0, 1, 3])][dice.below(2)].clone();
        if dice.below(3) > 0 {
            // Shares of a sum that is never zero.
            let sum = graph.reduce(Reduce::Sum, vec![axis], left);
            let size = graph.unary(ScalarOp::Abs, sum);
            let one = graph.fill(1.0, graph.shape(size).to_vec());
            let above = add(&mut graph, size, one);
            let above = graph.broadcast(all.clone(), kept, above);
            left = graph.binary(ScalarOp::Div, left, above);
        }
        let result = graph.dot(batch, vec![(3, 2)], left, inputs[2]);
        let bent = graph.unary(ScalarOp::Tanh, result);
        let loss = graph.reduce(Reduce::Sum, vec![0, 1, 2, 3], bent);
        let by = gradient(&mut graph, loss, &inputs);
        let roots = [&[result], &by[..]].concat();
        let numbers: Vec<_> = (0..3).map(|at| rounded(&lengths[at], 0.5, seed * 3 + at as u64)).collect();
        let expected = reference::run(&graph, &roots, &numbers).expect("numbers");
        let mut run = |threads: usize| {
            let limits = Limits { large: 0, ..Limits::default() };
            let made = cpu_within(limits, &graph, &roots, threads).expect("a plan");
            looped += usize::from(loops(made.0.plan(made.1)) == 2);
            results(made, &graph, &roots, &numbers).expect("numbers")
        };
        let found = run(1);
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(near(found, expected, 1e-4), "seed {seed}, root {at}");
        }
        assert!(bits(&run(2)) == bits(&found), "seed {seed}, two threads");
    }
    assert!(looped > 60, "{looped} of 120 plans have a loop forwards and one backwards");
}

/// One loop forwards and one backwards; nothing has the elements of all scores.
fn scores_are_not_stored() {
    let (graph, roots) = attention(MASKS[0].1);
    let all = scores().iter().map(|size| size.settled().unwrap_or(0) as usize).product::<usize>();
    planned(&graph, &roots, |plan| {
        assert_eq!(loops(plan), 2, "{plan}");
        assert!(plan.buffers.iter().all(|buffer| buffer.bytes() < all * 4), "{plan}");
    });
}

fn a_mask_saves() {
    let cost = |mask: Mask| {
        let (graph, roots) = attention(mask);
        let mut cost = 0;
        planned(&graph, &roots, |plan| cost = plan.kernels.iter().map(|kernel| plan.cost(kernel).flops).sum());
        (cost, flops(&graph, &roots))
    };
    let (everything, whole) = cost(MASKS[4].1);
    for (mask, most) in [(MASKS[0].1, 0.7), (MASKS[1].1, 0.6)] {
        let (masked, _) = cost(mask);
        assert!((masked as f64) < everything as f64 * most, "{masked} of {everything}, {whole} in the graph");
    }
}

/// Products of products without a softmax; scores that a sum of all reads as well; queries that are themselves made of results.
fn lookalikes_agree() {
    let mut graph = Graph::default();
    let shape = |last: i64| [SIZES[0], SIZES[1], SIZES[2], last].map(Size::from).to_vec();
    let inputs: Vec<NodeId> = (0..3).map(|number| graph.input(number, DType::Float, shape(SIZES[3]))).collect();
    let (batch, all) = (vec![(0, 0), (1, 1)], vec![0, 1, 2, 3]);
    let products = graph.dot(batch.clone(), vec![(3, 3)], inputs[0], inputs[1]);
    let bent = graph.unary(ScalarOp::Tanh, products);
    let result = graph.dot(batch.clone(), vec![(3, 2)], bent, inputs[2]);
    let across = graph.dot(batch.clone(), vec![(2, 2)], bent, inputs[2]);
    let again = graph.dot(batch.clone(), vec![(3, 3)], result, across);
    let square = mul(&mut graph, again, bent);
    let last = graph.dot(batch, vec![(3, 2)], square, inputs[0]);
    let (sum, other) = (graph.reduce(Reduce::Sum, all.clone(), bent), graph.reduce(Reduce::Sum, all, last));
    let scale = graph.constant(1e-4);
    let other = mul(&mut graph, other, scale);
    let loss = add(&mut graph, sum, other);
    let by = gradient(&mut graph, loss, &inputs);
    let [n, h, t, e] = SIZES.map(|size| size as usize);
    let numbers: Vec<_> = [1, 2, 3].map(|seed| rounded(&[n, h, t, e], 0.5, seed)).to_vec();
    agree("products of products", &graph, &[&[result, across, last], &by[..]].concat(), &numbers);
}
