//! Samples of the operations on triangles of matrices.

use super::check::{Sample, sizes};
use super::samples::Make;
use mlx::ir::{DType, NodeId, Op, ScalarOp};

/// Positive definite matrices, one and several, of one row and of none. What is added may be a little asymmetric.
pub fn choleskys(op: &Op) -> Vec<Sample> {
    let cases: [&[usize]; 5] = [&[3, 3], &[2, 3, 3], &[1, 1], &[0, 2, 2], &[2, 0, 0]];
    let sample = |shape: &&[usize]| {
        let mut make = Make::new(op, shape);
        let rank = shape.len();
        let a = make.floats(shape, (-1.0, 1.0));
        let little = make.floats(shape, (-1e-5, 1e-5));
        let batch = (0..rank - 2).map(|axis| (axis, axis)).collect();
        let square = make.graph.dot(batch, vec![(rank - 1, rank - 1)], a, a);
        let diagonal = diagonal(&mut make, shape);
        let definite = make.graph.binary(ScalarOp::Add, square, diagonal);
        let definite = make.graph.binary(ScalarOp::Add, definite, little);
        make.done(op.clone(), vec![definite])
    };
    cases.iter().map(sample).collect()
}

/// Triangles with a strong diagonal, and what stands above it, which is not read.
pub fn solves(op: &Op) -> Vec<Sample> {
    let cases: [(&[usize], usize); 5] = [(&[3, 3], 2), (&[2, 3, 3], 1), (&[1, 1], 3), (&[0, 2, 2], 2), (&[2, 2], 0)];
    let sample = |(shape, width): &(&[usize], usize)| {
        let mut make = Make::new(op, (shape, width));
        let l = make.floats(shape, (-1.0, 1.0));
        let diagonal = diagonal(&mut make, shape);
        let l = make.graph.binary(ScalarOp::Add, l, diagonal);
        let b = make.floats(&[&shape[..shape.len() - 1], &[*width]].concat(), (-1.0, 1.0));
        make.done(op.clone(), vec![l, b])
    };
    cases.iter().map(sample).collect()
}

/// 2 on the diagonal, 0 elsewhere.
fn diagonal(make: &mut Make, shape: &[usize]) -> NodeId {
    let rank = shape.len();
    let [row, column] =
        [rank - 2, rank - 1].map(|axis| make.graph.add(Op::Iota { shape: sizes(shape), axis }, Vec::new()));
    let equal = make.graph.binary(ScalarOp::Equal, row, column);
    let unit = make.graph.cast(DType::Float, equal);
    make.graph.binary(ScalarOp::Add, unit, unit)
}
