//! Gradients against central differences.

use mlx::autodiff::{Rule, gradient, gradient_by};
use mlx::backend::{Tensor, reference};
use mlx::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, Size};

/// One use of an operation: the graph, what it is fed, and the result that is looked at.
pub struct Sample {
    pub what: String,
    pub graph: Graph,
    pub inputs: Vec<Tensor>,
    pub root: NodeId,
}

/// Numbers of a shape in an interval, the same for the same seed. No two are equal.
pub fn numbers(shape: &[usize], (low, high): (f64, f64), seed: u64) -> Tensor {
    let count: usize = shape.iter().product();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((state >> 11) as f64 / (1u64 << 53) as f64)
    };
    Tensor { shape: shape.to_vec(), values: (0..count).map(|_| next()).collect() }
}

pub fn sizes(shape: &[usize]) -> Vec<Size> {
    shape.iter().map(|size| Size::from(*size as i64)).collect()
}

/// Whether two tensors differ by more than a tolerance, relative to 1 and their size.
pub fn differs(a: &Tensor, b: &Tensor, tolerance: f64) -> bool {
    let far = |(x, y): (&f64, &f64)| (x - y).abs() > tolerance * (1.0 + y.abs()) || x.is_nan() != y.is_nan();
    a.shape != b.shape || a.values.iter().zip(&b.values).any(far)
}

/// A node times a number.
pub fn scale(graph: &mut Graph, node: NodeId, factor: f64) -> NodeId {
    let shape = graph.shape(node).to_vec();
    let factor = graph.fill(factor, shape);
    graph.binary(ScalarOp::Mul, node, factor)
}

/// The sum of a node's elements, each with a weight of its own: fed through a further input.
fn weighed(graph: &mut Graph, inputs: &mut Vec<Tensor>, node: NodeId, seed: u64) -> NodeId {
    let shape: Vec<usize> =
        graph.shape(node).iter().map(|size| size.settled().expect("a settled size") as usize).collect();
    let weights = graph.input(inputs.len() as u32, DType::Float, sizes(&shape));
    inputs.push(numbers(&shape, (0.5, 1.5), seed));
    let product = graph.binary(ScalarOp::Mul, node, weights);
    graph.reduce(Reduce::Sum, (0..shape.len()).collect(), product)
}

/// The shape rule against the real result; the gradient by a given rule, and its own gradient, against differences.
pub fn gradients_agree(sample: &Sample, rule: Rule) -> Result<(), String> {
    let (mut graph, mut inputs) = (sample.graph.clone(), sample.inputs.clone());
    graph.verify()?;
    let result = &reference::run(&graph, &[sample.root], &inputs)?[0];
    if sizes(&result.shape) != graph.shape(sample.root) || result.values.len() != result.shape.iter().product::<usize>()
    {
        return Err(format!("the result is {:?}, the rule says {:?}", result.shape, graph.shape(sample.root)));
    }
    if graph.dtype(sample.root) != DType::Float {
        return Ok(());
    }
    let floats = |(id, node): (NodeId, &mlx::ir::Node)| match &node.op {
        Op::Input { number, dtype: DType::Float, .. } => Some((*number as usize, id)),
        _ => None,
    };
    let by: Vec<(usize, NodeId)> = graph.nodes().filter_map(floats).collect();
    let nodes: Vec<NodeId> = by.iter().map(|(_, node)| *node).collect();
    let first = weighed(&mut graph, &mut inputs, sample.root, 11);
    let gradients = gradient_by(&mut graph, first, &nodes, rule);
    against_differences(&graph, &inputs, first, &by, &gradients).map_err(|wrong| format!("gradient: {wrong}"))?;
    let parts: Vec<NodeId> = gradients
        .iter()
        .enumerate()
        .map(|(at, gradient)| weighed(&mut graph, &mut inputs, *gradient, 20 + at as u64))
        .collect();
    let Some(second) = parts.into_iter().reduce(|a, b| graph.binary(ScalarOp::Add, a, b)) else { return Ok(()) };
    let gradients = gradient(&mut graph, second, &nodes);
    against_differences(&graph, &inputs, second, &by, &gradients).map_err(|wrong| format!("second gradient: {wrong}"))
}

fn against_differences(
    graph: &Graph,
    inputs: &[Tensor],
    of: NodeId,
    by: &[(usize, NodeId)],
    gradients: &[NodeId],
) -> Result<(), String> {
    graph.verify()?;
    let found = reference::run(graph, gradients, inputs)?;
    let value = |inputs: &[Tensor]| reference::run(graph, &[of], inputs).map(|values| values[0].values[0]);
    for ((number, _), gradient) in by.iter().zip(found) {
        let mut moved = inputs.to_vec();
        for at in 0..inputs[*number].values.len() {
            let (x, h) = (inputs[*number].values[at], 1e-5);
            moved[*number].values[at] = x + h;
            let above = value(&moved)?;
            moved[*number].values[at] = x - h;
            let below = value(&moved)?;
            moved[*number].values[at] = x;
            let (expected, got) = ((above - below) / (2.0 * h), gradient.values[at]);
            let near = (got - expected).abs() <= 1e-6 * (1.0 + expected.abs());
            if !near {
                return Err(format!("by element {at} of input {number} it is {got}, and differences give {expected}"));
            }
        }
    }
    Ok(())
}
