//! Operations along axes.

use super::views;
use super::watch::{PIECE, Watch};
use crate::backend::Tensor;
use crate::backend::tensor::{places_while, strides};
use crate::ir::Reduce;
use std::cmp::Ordering;

/// Every element goes to the place of the result that it belongs to.
pub(super) fn reduce(reduce: Reduce, axes: &[usize], a: &Tensor, shape: &[usize], watch: &Watch) -> Vec<f64> {
    let start = reduce.start();
    let mut own = strides(shape).into_iter();
    let to: Vec<isize> =
        (0..a.shape.len()).map(|axis| if axes.contains(&axis) { 0 } else { own.next().unwrap_or(0) }).collect();
    let mut values = vec![start; shape.iter().product()];
    let mut from = a.values.iter().copied();
    let join = |place: usize| values[place] = reduce.join(values[place], from.next().unwrap_or(start));
    places_while(&a.shape, &to, 0, |count| watch.goes_on(count), join);
    values
}

/// Where each line along an axis starts, how many elements it has, and how far apart they are.
fn lines(a: &Tensor, axis: usize) -> (Vec<usize>, usize, usize) {
    let step = a.shape[axis + 1..].iter().product::<usize>();
    let (length, outer) = (a.shape[axis], a.shape[..axis].iter().product::<usize>());
    let starts = (0..outer).flat_map(|line| (0..step).map(move |at| line * length * step + at)).collect();
    (starts, length, step)
}

pub(super) fn argmax(axis: usize, a: &Tensor, watch: &Watch) -> Result<Vec<f64>, String> {
    let (starts, length, step) = lines(a, axis);
    if length == 0 && !starts.is_empty() {
        return Err("nothing is the greatest of no elements".to_string());
    }
    let greatest = |start: &usize| {
        let value = |at: &usize| a.values[start + at * step];
        // The first of equal ones: a later one must be greater. What is no number counts as the greatest, as for `max`.
        let beats = |x: f64, y: f64| x > y || (x.is_nan() && !y.is_nan());
        let others = (1..length).take_while(|_| watch.goes_on(1));
        others.fold(0, |best, at| if beats(value(&at), value(&best)) { at } else { best }) as f64
    };
    Ok(starts.iter().map(greatest).collect())
}

pub(super) fn cumsum(axis: usize, reverse: bool, a: &Tensor, watch: &Watch) -> Vec<f64> {
    let (starts, length, step) = lines(a, axis);
    let mut values = a.values.clone();
    for start in starts {
        let mut sum = 0.0;
        for k in (0..length).take_while(|_| watch.goes_on(1)) {
            let at = start + step * if reverse { length - 1 - k } else { k };
            sum += values[at];
            values[at] = sum;
        }
    }
    values
}

pub(super) fn argsort(axis: usize, a: &Tensor, watch: &Watch) -> Vec<f64> {
    let (starts, length, step) = lines(a, axis);
    let mut values = vec![0.0; a.values.len()];
    for start in starts.into_iter().take_while(|_| watch.went_on()) {
        let value = |at: usize| a.values[start + at * step];
        let order = sorted(length, watch, |x, y| ascending(value(x), value(y)));
        order.iter().enumerate().for_each(|(at, from)| values[start + at * step] = *from as f64);
    }
    values
}

/// What is no number comes last.
fn ascending(x: f64, y: f64) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
}

/// The numbers below `length`, sorted, equal ones as they were: piece by piece, then ever larger runs merged, so that it
/// can end in between.
fn sorted(length: usize, watch: &Watch, compare: impl Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    for piece in order.chunks_mut(PIECE).take_while(|_| watch.goes_on(length.min(PIECE))) {
        piece.sort_by(|x, y| compare(*x, *y));
    }
    let mut run = PIECE;
    while run < length {
        let mut merged = Vec::with_capacity(length);
        for pair in order.chunks(2 * run) {
            let (mut left, mut right) = pair.split_at(run.min(pair.len()));
            while let ([x, ..], [y, ..]) = (left, right) {
                if !watch.goes_on(1) {
                    return order;
                }
                let side = if compare(*x, *y).is_le() { &mut left } else { &mut right };
                merged.push(side[0]);
                *side = &side[1..];
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        (order, run) = (merged, 2 * run);
    }
    order
}

/// Both operands laid out as `[batch, rows, depth]` and `[batch, depth, columns]`, then the product of matrices.
pub(super) fn dot(
    batch: &[(usize, usize)],
    contracted: &[(usize, usize)],
    a: &Tensor,
    b: &Tensor,
    watch: &Watch,
) -> Vec<f64> {
    let free = |tensor: &Tensor, used: Vec<usize>| -> Vec<usize> {
        (0..tensor.shape.len()).filter(|axis| !used.contains(axis)).collect()
    };
    let pairs = || batch.iter().chain(contracted);
    let free_a = free(a, pairs().map(|(i, _)| *i).collect());
    let free_b = free(b, pairs().map(|(_, j)| *j).collect());
    let axes =
        |of: &dyn Fn(&(usize, usize)) -> usize, pairs: &[(usize, usize)]| pairs.iter().map(of).collect::<Vec<_>>();
    let order_a = [axes(&|pair| pair.0, batch), free_a.clone(), axes(&|pair| pair.0, contracted)].concat();
    let order_b = [axes(&|pair| pair.1, batch), axes(&|pair| pair.1, contracted), free_b.clone()].concat();
    let size = |tensor: &Tensor, axes: &[usize]| axes.iter().map(|axis| tensor.shape[*axis]).product::<usize>();
    let (rows, columns) = (size(a, &free_a), size(b, &free_b));
    let depth = size(a, &axes(&|pair| pair.0, contracted));
    let (a, b) = (permuted(a, &order_a, watch), permuted(b, &order_b, watch));
    let count = size_of(batch, &a.shape);
    let mut values = vec![0.0; count * rows * columns];
    for matrix in 0..count {
        for row in 0..rows {
            let to = &mut values[(matrix * rows + row) * columns..][..columns];
            for k in 0..depth {
                if !watch.goes_on(columns) {
                    return values;
                }
                let x = a.values[(matrix * rows + row) * depth + k];
                let from = &b.values[(matrix * depth + k) * columns..][..columns];
                to.iter_mut().zip(from).for_each(|(sum, y)| *sum += x * y);
            }
        }
    }
    values
}

/// The number of matrices: the leading axes of what is laid out.
fn size_of(batch: &[(usize, usize)], shape: &[usize]) -> usize {
    shape[..batch.len()].iter().product()
}

fn permuted(a: &Tensor, order: &[usize], watch: &Watch) -> Tensor {
    let own = a.strides();
    let shape: Vec<usize> = order.iter().map(|axis| a.shape[*axis]).collect();
    let strides: Vec<isize> = order.iter().map(|axis| own[*axis]).collect();
    Tensor { values: views::read(a, &shape, &strides, 0, watch), shape }
}
