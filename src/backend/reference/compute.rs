//! The value of one operation.

use super::watch::{PIECE, Watch};
use super::{along, draw, matrix, views};
use crate::backend::Tensor;
use crate::ir::{DType, Op, ScalarOp, Size};

/// `dtype` is the kind of its elements.
pub(super) fn compute(
    op: &Op,
    operands: &[&Tensor],
    dtype: DType,
    shape: Vec<usize>,
    watch: &Watch,
) -> Result<Tensor, String> {
    let a = operands.first().copied();
    let Some(a) = a else { return leaf(op, shape, watch) };
    let (b, c) = (operands.get(1).copied().unwrap_or(a), operands.get(2).copied().unwrap_or(a));
    let values = match op {
        Op::Input { .. } | Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. } => return leaf(op, shape, watch),
        Op::Random { draw: kind, path, rows, .. } => draw::random(*kind, *path, &shape, *rows, &a.values, watch),
        Op::StopGradient => each(watch, a, |x| x),
        // Ints wrap where they leave 32 bits.
        Op::Scalar(scalar) if dtype == DType::Int && !matches!(scalar, ScalarOp::Select | ScalarOp::Cast(_)) => {
            both(watch, a, b, |x, y| f64::from(scalar.value_of_ints(x as i32, y as i32)))
        }
        Op::Scalar(scalar) => match scalar.arity() {
            1 => each(watch, a, |x| scalar.value(&[x])),
            2 => both(watch, a, b, |x, y| scalar.value(&[x, y])),
            _ => three(watch, [a, b, c], |x, y, z| scalar.value(&[x, y, z])),
        },
        Op::Reduce(reduce, axes) => in_32_bits(along::reduce(*reduce, axes, a, &shape, watch), dtype)?,
        Op::ArgMax(axis) => along::argmax(*axis, a, watch)?,
        Op::CumSum { axis, reverse } => in_32_bits(along::cumsum(*axis, *reverse, a, watch), dtype)?,
        Op::ArgSort(axis) => along::argsort(*axis, a, watch),
        Op::Dot { batch, contracted } => along::dot(batch, contracted, a, b, watch),
        Op::Cholesky => matrix::cholesky(a, watch)?,
        Op::TriangularSolve { transposed } => matrix::triangular_solve(*transposed, a, b, watch),
        Op::Reshape(_) => each(watch, a, |x| x),
        Op::Permute(order) => {
            let own = a.strides();
            let strides: Vec<isize> = order.iter().map(|axis| own[*axis]).collect();
            views::read(a, &shape, &strides, 0, watch)
        }
        Op::Broadcast { kept, .. } => {
            let mut strides = vec![0; shape.len()];
            for ((stride, size), place) in a.strides().into_iter().zip(&a.shape).zip(kept) {
                strides[*place] = if *size == 1 { 0 } else { stride };
            }
            views::read(a, &shape, &strides, 0, watch)
        }
        Op::Slice { axis, start, step, .. } => {
            let mut strides = a.strides();
            let first = number(start)? as isize * strides[*axis];
            strides[*axis] *= *step as isize;
            views::read(a, &shape, &strides, first, watch)
        }
        Op::Pad { axis, low, between, .. } => {
            let mut strides = crate::backend::tensor::strides(&shape);
            let first = number(low)? as isize * strides[*axis];
            strides[*axis] *= *between as isize + 1;
            views::write(&[(a, strides, first)], &shape, watch)
        }
        Op::Window { axis, stride, dilation, .. } => {
            let mut strides = a.strides();
            let own = strides[*axis];
            strides[*axis] = own * *stride as isize;
            strides.insert(axis + 1, own * *dilation as isize);
            views::read(a, &shape, &strides, 0, watch)
        }
        Op::Fold { axis, stride, dilation, .. } => {
            let mut strides = crate::backend::tensor::strides(&shape);
            let own = strides[*axis];
            strides[*axis] = own * *stride as isize;
            strides.insert(axis + 1, own * *dilation as isize);
            views::write(&[(a, strides, 0)], &shape, watch)
        }
        Op::Concat(axis) => {
            let strides = crate::backend::tensor::strides(&shape);
            let mut parts = Vec::new();
            let mut first = 0;
            for part in operands {
                parts.push((*part, strides.clone(), first));
                first += part.shape[*axis] as isize * strides[*axis];
            }
            views::write(&parts, &shape, watch)
        }
        Op::Gather { batch } => views::gather(*batch, a, b, watch)?,
        Op::ScatterAdd { batch, .. } => views::scatter_add(*batch, a, b, &shape, watch)?,
        Op::Call(..) | Op::Scan(..) => return Err("a body is run, not computed".to_string()),
    };
    Ok(Tensor { shape, values })
}

fn three(watch: &Watch, [a, b, c]: [&Tensor; 3], f: impl Fn(f64, f64, f64) -> f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(a.values.len());
    let operands = a.values.chunks(PIECE).zip(b.values.chunks(PIECE)).zip(c.values.chunks(PIECE));
    for ((a, b), c) in operands.take_while(|_| watch.goes_on(PIECE)) {
        values.extend(a.iter().zip(b).zip(c).map(|((x, y), z)| f(*x, *y, *z)));
    }
    values
}

/// Sums of ints gather in more than 32 bits; what does not fit those is told. (The greatest of no elements is infinite.)
fn in_32_bits(values: Vec<f64>, dtype: DType) -> Result<Vec<f64>, String> {
    let far = |x: &f64| x.is_finite() && (*x > f64::from(i32::MAX) || *x < f64::from(i32::MIN));
    if dtype == DType::Int && values.iter().any(far) {
        return Err("a sum of ints does not fit 32 bits".to_string());
    }
    Ok(values)
}

/// An operation without operands.
fn leaf(op: &Op, shape: Vec<usize>, watch: &Watch) -> Result<Tensor, String> {
    if let Op::Constant(value) = op {
        return Ok(Tensor::scalar(value.get()));
    }
    if let Op::SizeOf(size) = op {
        return Ok(Tensor::scalar(number(size)? as f64));
    }
    let Op::Iota { axis, .. } = op else { return Err("an operand is missing".to_string()) };
    let mut values = Vec::with_capacity(shape.iter().product());
    let mut strides = vec![0; shape.len()];
    strides[*axis] = 1;
    let goes_on = |count| watch.goes_on(count);
    crate::backend::tensor::places_while(&shape, &strides, 0, goes_on, |place| values.push(place as f64));
    Ok(Tensor { shape, values })
}

pub(super) fn number(size: &Size) -> Result<i64, String> {
    size.settled().ok_or_else(|| format!("the size {size} is not settled"))
}

fn each(watch: &Watch, a: &Tensor, f: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(a.values.len());
    for piece in a.values.chunks(PIECE).take_while(|_| watch.goes_on(PIECE)) {
        values.extend(piece.iter().map(|x| f(*x)));
    }
    values
}

fn both(watch: &Watch, a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(a.values.len());
    for (a, b) in a.values.chunks(PIECE).zip(b.values.chunks(PIECE)).take_while(|_| watch.goes_on(PIECE)) {
        values.extend(a.iter().zip(b).map(|(x, y)| f(*x, *y)));
    }
    values
}
