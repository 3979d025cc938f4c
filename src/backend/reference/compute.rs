//! The value of one operation.

use super::{along, draw, views};
use crate::backend::Tensor;
use crate::ir::{Op, Size};

pub(super) fn compute(op: &Op, operands: &[&Tensor], shape: Vec<usize>) -> Result<Tensor, String> {
    let a = operands.first().copied();
    let Some(a) = a else { return leaf(op, shape) };
    let (b, c) = (operands.get(1).copied().unwrap_or(a), operands.get(2).copied().unwrap_or(a));
    let values = match op {
        Op::Input { .. } | Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. } => return leaf(op, shape),
        Op::Random { draw: kind, path, rows, .. } => draw::random(*kind, *path, &shape, *rows, &a.values),
        Op::StopGradient => a.values.clone(),
        Op::Scalar(scalar) => match scalar.arity() {
            1 => each(a, |x| scalar.value(&[x])),
            2 => both(a, b, |x, y| scalar.value(&[x, y])),
            _ => {
                let operands = a.values.iter().zip(&b.values).zip(&c.values);
                operands.map(|((x, y), z)| scalar.value(&[*x, *y, *z])).collect()
            }
        },
        Op::Reduce(reduce, axes) => along::reduce(*reduce, axes, a, &shape),
        Op::ArgMax(axis) => along::argmax(*axis, a)?,
        Op::CumSum { axis, reverse } => along::cumsum(*axis, *reverse, a),
        Op::ArgSort(axis) => along::argsort(*axis, a),
        Op::Dot { batch, contracted } => along::dot(batch, contracted, a, b),
        Op::Reshape(_) => a.values.clone(),
        Op::Permute(order) => {
            let own = a.strides();
            let strides: Vec<isize> = order.iter().map(|axis| own[*axis]).collect();
            views::read(a, &shape, &strides, 0)
        }
        Op::Broadcast { kept, .. } => {
            let mut strides = vec![0; shape.len()];
            for ((stride, size), place) in a.strides().into_iter().zip(&a.shape).zip(kept) {
                strides[*place] = if *size == 1 { 0 } else { stride };
            }
            views::read(a, &shape, &strides, 0)
        }
        Op::Slice { axis, start, step, .. } => {
            let mut strides = a.strides();
            let first = number(start)? as isize * strides[*axis];
            strides[*axis] *= *step as isize;
            views::read(a, &shape, &strides, first)
        }
        Op::Pad { axis, low, between, .. } => {
            let mut strides = crate::backend::tensor::strides(&shape);
            let first = number(low)? as isize * strides[*axis];
            strides[*axis] *= *between as isize + 1;
            views::write(&[(a, strides, first)], &shape)
        }
        Op::Window { axis, stride, dilation, .. } => {
            let mut strides = a.strides();
            let own = strides[*axis];
            strides[*axis] = own * *stride as isize;
            strides.insert(axis + 1, own * *dilation as isize);
            views::read(a, &shape, &strides, 0)
        }
        Op::Fold { axis, stride, dilation, .. } => {
            let mut strides = crate::backend::tensor::strides(&shape);
            let own = strides[*axis];
            strides[*axis] = own * *stride as isize;
            strides.insert(axis + 1, own * *dilation as isize);
            views::write(&[(a, strides, 0)], &shape)
        }
        Op::Concat(axis) => {
            let strides = crate::backend::tensor::strides(&shape);
            let mut parts = Vec::new();
            let mut first = 0;
            for part in operands {
                parts.push((*part, strides.clone(), first));
                first += part.shape[*axis] as isize * strides[*axis];
            }
            views::write(&parts, &shape)
        }
        Op::Gather { batch } => views::gather(*batch, a, b)?,
        Op::ScatterAdd { batch, .. } => views::scatter_add(*batch, a, b, &shape)?,
        Op::Call(..) | Op::Scan(..) => return Err("a body is run, not computed".to_string()),
    };
    Ok(Tensor { shape, values })
}

/// An operation without operands.
fn leaf(op: &Op, shape: Vec<usize>) -> Result<Tensor, String> {
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
    crate::backend::tensor::places(&shape, &strides, 0, |place| values.push(place as f64));
    Ok(Tensor { shape, values })
}

pub(super) fn number(size: &Size) -> Result<i64, String> {
    size.settled().ok_or_else(|| format!("the size {size} is not settled"))
}

fn each(a: &Tensor, f: impl Fn(f64) -> f64) -> Vec<f64> {
    a.values.iter().map(|x| f(*x)).collect()
}

fn both(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.values.iter().zip(&b.values).map(|(x, y)| f(*x, *y)).collect()
}
