//! The shape rule of every operation: what it takes, and what it gives.

use super::body::{call_rule, scan_rule};
use super::op::{DType, Op};
use super::scalar::ScalarOp;
use super::size::Size;

/// What a node holds: its elements and its axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shaped {
    pub dtype: DType,
    pub shape: Vec<Size>,
}

/// What an operation gives for its operands, or what is wrong with them.
pub fn rule(op: &Op, operands: &[&Shaped]) -> Result<Shaped, String> {
    match op {
        Op::Input { dtype, shape, .. } => leaf(operands, *dtype, shape.clone()),
        Op::Constant(_) => leaf(operands, DType::Float, Vec::new()),
        Op::SizeOf(_) => leaf(operands, DType::Int, Vec::new()),
        Op::Iota { shape, axis } => {
            axis_of(shape, *axis)?;
            leaf(operands, DType::Int, shape.clone())
        }
        Op::Random { shape, rows, .. } => {
            let [counters] = take(operands)?;
            demand(counters.dtype == DType::Int && counters.shape == [Size::from(5)], "draws count by an int[5]")?;
            rows.map_or(Ok(()), |rows| axis_of(shape, rows).map(|_| ()))?;
            Ok(Shaped { dtype: DType::Float, shape: shape.clone() })
        }
        Op::Scalar(scalar) => elementwise(*scalar, operands),
        Op::StopGradient => take(operands).map(|[a]| a.clone()),
        Op::Reduce(_, axes) => {
            let [a] = take(operands)?;
            demand(a.dtype != DType::Bool, "it is of numbers")?;
            demand(axes.is_sorted_by(|a, b| a < b), "its axes ascend")?;
            axes.iter().try_for_each(|axis| axis_of(&a.shape, *axis).map(|_| ()))?;
            let kept = a.shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
            Ok(Shaped { dtype: a.dtype, shape: kept.map(|(_, size)| size.clone()).collect() })
        }
        Op::ArgMax(axis) => {
            let [a] = take(operands)?;
            axis_of(&a.shape, *axis)?;
            Ok(Shaped { dtype: DType::Int, shape: without(&a.shape, *axis) })
        }
        Op::CumSum { axis, .. } => {
            let [a] = take(operands)?;
            demand(a.dtype != DType::Bool, "it is of numbers")?;
            axis_of(&a.shape, *axis)?;
            Ok(a.clone())
        }
        Op::ArgSort(axis) => {
            let [a] = take(operands)?;
            axis_of(&a.shape, *axis)?;
            Ok(Shaped { dtype: DType::Int, shape: a.shape.clone() })
        }
        Op::Dot { batch, contracted } => {
            let [a, b] = take(operands)?;
            demand(a.dtype == DType::Float && b.dtype == DType::Float, "it is of floats")?;
            dot(a, b, batch, contracted)
        }
        Op::Cholesky => cholesky(operands),
        Op::TriangularSolve { .. } => triangular_solve(operands),
        Op::Reshape(shape) => {
            let [a] = take(operands)?;
            demand(elements(shape) == elements(&a.shape), "the number of elements stays")?;
            Ok(Shaped { dtype: a.dtype, shape: shape.clone() })
        }
        Op::Permute(order) => {
            let [a] = take(operands)?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            demand(sorted.iter().copied().eq(0..a.shape.len()), "every axis stands once in the order")?;
            Ok(Shaped { dtype: a.dtype, shape: order.iter().map(|axis| a.shape[*axis].clone()).collect() })
        }
        Op::Broadcast { shape, kept } => broadcast(operands, shape, kept),
        Op::Slice { axis, start, count, step } => {
            let [a] = take(operands)?;
            let length = axis_of(&a.shape, *axis)?;
            slice_stays_inside(length, start, count, *step)?;
            Ok(Shaped { dtype: a.dtype, shape: with(&a.shape, *axis, count.clone()) })
        }
        Op::Pad { axis, low, high, between } => pad(operands, *axis, [low, high], *between),
        Op::Window { axis, size, stride, dilation } => {
            let [a] = take(operands)?;
            let count = windows(axis_of(&a.shape, *axis)?, size, *stride, *dilation)?;
            let mut shape = with(&a.shape, *axis, count);
            shape.insert(axis + 1, size.clone());
            Ok(Shaped { dtype: a.dtype, shape })
        }
        Op::Fold { axis, length, stride, dilation } => {
            let [a] = take(operands)?;
            let count = axis_of(&a.shape, *axis)?;
            let size = axis_of(&a.shape, *axis + 1)?;
            demand(windows(length, size, *stride, *dilation)? == *count, "as many windows as fit the length")?;
            let shape = without(&a.shape, *axis + 1);
            Ok(Shaped { dtype: a.dtype, shape: with(&shape, *axis, length.clone()) })
        }
        Op::Concat(axis) => concat(operands, *axis),
        Op::Gather { batch } => gather(operands, *batch),
        Op::ScatterAdd { batch, size } => scatter_add(operands, *batch, size),
        Op::Call(body, result) => call_rule(body, *result, operands),
        Op::Scan(scan, part) => scan_rule(scan, *part, operands),
    }
}

fn cholesky(operands: &[&Shaped]) -> Result<Shaped, String> {
    let [a] = take(operands)?;
    demand(a.dtype == DType::Float, "it is of floats")?;
    square(&a.shape)?;
    Ok(a.clone())
}

fn triangular_solve(operands: &[&Shaped]) -> Result<Shaped, String> {
    let [l, b] = take(operands)?;
    demand(l.dtype == DType::Float && b.dtype == DType::Float, "it is of floats")?;
    let rank = square(&l.shape)?;
    demand(b.shape.len() == rank && b.shape[..rank - 1] == l.shape[..rank - 1], "both have as many rows")?;
    Ok(b.clone())
}

/// Axes keep their size or stretch from 1.
fn broadcast(operands: &[&Shaped], shape: &[Size], kept: &[usize]) -> Result<Shaped, String> {
    let [a] = take(operands)?;
    demand(kept.len() == a.shape.len() && kept.is_sorted_by(|a, b| a < b), "each axis has its ascending place")?;
    for (size, place) in a.shape.iter().zip(kept) {
        let wide = axis_of(shape, *place)?;
        demand(size == wide || *size == Size::from(1), "an axis keeps its size or has size 1")?;
    }
    Ok(Shaped { dtype: a.dtype, shape: shape.to_vec() })
}

/// Zeros before, behind and between the elements of an axis.
fn pad(operands: &[&Shaped], axis: usize, [low, high]: [&Size; 2], between: i64) -> Result<Shaped, String> {
    let [a] = take(operands)?;
    let length = axis_of(&a.shape, axis)?;
    demand(between >= 0 && !negative(low) && !negative(high), "it never takes away")?;
    let gaps = match length.settled() {
        Some(count) => Size::from((count - 1).max(0)),
        None => length.minus(&Size::from(1)),
    };
    let size = length.plus(low).plus(high).plus(&gaps.times(&Size::from(between)));
    Ok(Shaped { dtype: a.dtype, shape: with(&a.shape, axis, size) })
}

fn concat(operands: &[&Shaped], axis: usize) -> Result<Shaped, String> {
    let Some((first, rest)) = operands.split_first() else { return Err("it has operands".into()) };
    let mut sum = axis_of(&first.shape, axis)?.clone();
    for other in rest {
        let size = axis_of(&other.shape, axis)?;
        let same = without(&other.shape, axis) == without(&first.shape, axis);
        demand(same && other.dtype == first.dtype, "the other axes agree")?;
        sum = sum.plus(size);
    }
    Ok(Shaped { dtype: first.dtype, shape: with(&first.shape, axis, sum) })
}

fn gather(operands: &[&Shaped], batch: usize) -> Result<Shaped, String> {
    let [from, at] = take(operands)?;
    demand(at.dtype == DType::Int, "places are ints")?;
    demand(from.shape.len() > batch && at.shape.len() >= batch, "the batch axes are there")?;
    demand(from.shape[..batch] == at.shape[..batch], "the batch axes agree")?;
    Ok(Shaped { dtype: from.dtype, shape: [&at.shape[..], &from.shape[batch + 1..]].concat() })
}

fn scatter_add(operands: &[&Shaped], batch: usize, size: &Size) -> Result<Shaped, String> {
    let [at, updates] = take(operands)?;
    demand(at.dtype == DType::Int && updates.dtype != DType::Bool, "places are ints, updates numbers")?;
    demand(at.shape.len() >= batch, "the batch axes are there")?;
    demand(updates.shape.starts_with(&at.shape), "the updates start with the axes of the places")?;
    let rest = &updates.shape[at.shape.len()..];
    Ok(Shaped { dtype: updates.dtype, shape: [&at.shape[..batch], std::slice::from_ref(size), rest].concat() })
}

/// How many windows fit into an axis.
fn windows(length: &Size, size: &Size, stride: i64, dilation: i64) -> Result<Size, String> {
    demand(stride > 0 && dilation > 0, "strides and dilations are above 0")?;
    let span = size.minus(&Size::from(1)).times(&Size::from(dilation)).plus(&Size::from(1));
    let room = length.minus(&span);
    demand(!negative(&room), "a window fits into the axis")?;
    match (stride, room.settled()) {
        (1, _) => Ok(room.plus(&Size::from(1))),
        (_, Some(room)) => Ok(Size::from(room / stride + 1)),
        (_, None) => Err("strides over an axis of unknown size".into()),
    }
}

fn slice_stays_inside(length: &Size, start: &Size, count: &Size, step: i64) -> Result<(), String> {
    demand(step != 0, "a step is not 0")?;
    demand(!negative(count) && !negative(start), "starts and counts are not negative")?;
    if *count == Size::from(0) {
        return Ok(());
    }
    let last = start.plus(&count.minus(&Size::from(1)).times(&Size::from(step)));
    demand(!negative(&last) && !negative(&length.minus(&last).minus(&Size::from(1))), "the slice stays inside")?;
    demand(!negative(&length.minus(start).minus(&Size::from(1))), "the slice starts inside")
}

fn dot(a: &Shaped, b: &Shaped, batch: &[(usize, usize)], contracted: &[(usize, usize)]) -> Result<Shaped, String> {
    let pairs = || batch.iter().chain(contracted);
    for (at, (i, j)) in pairs().enumerate() {
        demand(axis_of(&a.shape, *i)? == axis_of(&b.shape, *j)?, "paired axes have one size")?;
        let fresh = pairs().take(at).all(|(k, l)| k != i && l != j);
        demand(fresh, "an axis stands in one pair")?;
    }
    let rest = |shaped: &Shaped, used: Vec<usize>| -> Vec<Size> {
        let free = shaped.shape.iter().enumerate().filter(|(axis, _)| !used.contains(axis));
        free.map(|(_, size)| size.clone()).collect()
    };
    let mut shape: Vec<Size> = batch.iter().map(|(i, _)| a.shape[*i].clone()).collect();
    shape.extend(rest(a, pairs().map(|(i, _)| *i).collect()));
    shape.extend(rest(b, pairs().map(|(_, j)| *j).collect()));
    Ok(Shaped { dtype: DType::Float, shape })
}

/// The rank of a shape that ends in a square.
fn square(shape: &[Size]) -> Result<usize, String> {
    let rank = shape.len();
    demand(rank >= 2 && shape[rank - 1] == shape[rank - 2], "a matrix is square")?;
    Ok(rank)
}

/// How many elements a shape has.
pub fn elements(shape: &[Size]) -> Size {
    shape.iter().fold(Size::from(1), |product, size| product.times(size))
}

fn leaf(operands: &[&Shaped], dtype: DType, shape: Vec<Size>) -> Result<Shaped, String> {
    let [] = take(operands)?;
    Ok(Shaped { dtype, shape })
}

fn take<'a, const N: usize>(operands: &[&'a Shaped]) -> Result<[&'a Shaped; N], String> {
    operands.try_into().map_err(|_| format!("it takes {N} operands, not {}", operands.len()))
}

/// Of operands of one shape and, but for the condition of a choice, one kind of element.
fn elementwise(op: ScalarOp, operands: &[&Shaped]) -> Result<Shaped, String> {
    demand(operands.len() == op.arity(), "it has as many operands as it takes")?;
    let first = operands[0];
    demand(operands.iter().all(|other| other.shape == first.shape), "its operands have one shape")?;
    let alike = if op == ScalarOp::Select { &operands[1..] } else { operands };
    demand(alike.iter().all(|other| other.dtype == alike[0].dtype), "its operands are of one kind")?;
    let dtypes: Vec<DType> = operands.iter().map(|operand| operand.dtype).collect();
    Ok(Shaped { dtype: op.dtype(&dtypes)?, shape: first.shape.clone() })
}

fn demand(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.to_string()) }
}

fn axis_of(shape: &[Size], axis: usize) -> Result<&Size, String> {
    shape.get(axis).ok_or_else(|| format!("there is no axis {axis}"))
}

/// Whether a settled size is below zero; of others nothing is known.
fn negative(size: &Size) -> bool {
    size.settled().is_some_and(|size| size < 0)
}

fn without(shape: &[Size], axis: usize) -> Vec<Size> {
    let mut shape = shape.to_vec();
    shape.remove(axis);
    shape
}

fn with(shape: &[Size], axis: usize, size: Size) -> Vec<Size> {
    let mut shape = shape.to_vec();
    shape[axis] = size;
    shape
}
