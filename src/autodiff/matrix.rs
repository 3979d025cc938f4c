//! Rules of the operations on matrices: the last two axes.

use super::rules::like;
use crate::ir::{Graph, NodeId, Op, ScalarOp, Size};

/// Of l = cholesky(a): with the lower triangle p of lᵀ g, whose diagonal counts half, s = l⁻ᵀ p l⁻¹; of each pair of elements
/// of s that mirror each other, a gets the mean (Murray 2016).
pub(super) fn cholesky(graph: &mut Graph, l: NodeId, g: NodeId) -> NodeId {
    let turned = transpose(graph, l);
    let product = multiply(graph, turned, g);
    let lower = triangle(graph, product, true);
    let strict = triangle(graph, product, false);
    let both = graph.binary(ScalarOp::Add, lower, strict);
    let half = like(graph, 0.5, l);
    let p = graph.binary(ScalarOp::Mul, both, half);
    let solve = |graph: &mut Graph, b: NodeId| graph.add(Op::TriangularSolve { transposed: true }, vec![l, b]);
    let left = solve(graph, p);
    let left = transpose(graph, left);
    let s = solve(graph, left);
    let mirrored = transpose(graph, s);
    let sum = graph.binary(ScalarOp::Add, s, mirrored);
    graph.binary(ScalarOp::Mul, sum, half)
}

/// Of x with l x = b: l⁻ᵀ g for b, of which l gets the lower triangle of -(l⁻ᵀ g) xᵀ; of lᵀ x = b, l⁻¹ g and -x (l⁻¹ g)ᵀ.
pub(super) fn triangular_solve(graph: &mut Graph, transposed: bool, l: NodeId, x: NodeId, g: NodeId) -> [NodeId; 2] {
    let by_b = graph.add(Op::TriangularSolve { transposed: !transposed }, vec![l, g]);
    let (first, second) = if transposed { (x, by_b) } else { (by_b, x) };
    let second = transpose(graph, second);
    let product = multiply(graph, first, second);
    let lower = triangle(graph, product, true);
    [graph.unary(ScalarOp::Neg, lower), by_b]
}

fn transpose(graph: &mut Graph, a: NodeId) -> NodeId {
    let rank = graph.shape(a).len();
    graph.permute((0..rank - 2).chain([rank - 1, rank - 2]).collect(), a)
}

/// The products of matrices, each with its own.
fn multiply(graph: &mut Graph, a: NodeId, b: NodeId) -> NodeId {
    let rank = graph.shape(a).len();
    graph.dot((0..rank - 2).map(|axis| (axis, axis)).collect(), vec![(rank - 1, rank - 2)], a, b)
}

/// The lower triangle, with the diagonal or without it; 0 elsewhere.
fn triangle(graph: &mut Graph, a: NodeId, diagonal: bool) -> NodeId {
    let shape: Vec<Size> = graph.shape(a).to_vec();
    let rank = shape.len();
    let row = graph.add(Op::Iota { shape: shape.clone(), axis: rank - 2 }, Vec::new());
    let column = graph.add(Op::Iota { shape, axis: rank - 1 }, Vec::new());
    let kept = graph.binary(if diagonal { ScalarOp::LessEqual } else { ScalarOp::Less }, column, row);
    let zero = like(graph, 0.0, a);
    graph.select(kept, a, zero)
}
