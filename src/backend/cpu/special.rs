//! Operations that are not fused, on whole buffers. Each thread computes its own part of the result and reads its operands in a
//! fixed order, so that the number of threads changes no bit.

use super::number::Number;
use super::pool::Pool;
use super::{ALONE, matrix};
use crate::backend::tensor::{places, strides};
use crate::ir::{Draw, Op, philox};
use crate::plan::{Special, Storage};
use bytemuck::{Pod, cast_slice, cast_slice_mut};
use std::cmp::Ordering;
use std::ops::AddAssign;
use std::sync::{Mutex, PoisonError};

/// Computes an operation from its operands into its buffer. An index out of bounds is an error.
pub fn run(special: &Special, operands: &[&[u8]], out: &mut [u8], pool: &Pool) -> Result<(), String> {
    let own = special.storage[special.storage.len() - 1];
    match &special.op {
        Op::ArgMax(axis) => match special.storage[0] {
            Storage::F32 => argmax::<f32>(special, *axis, cast_slice(operands[0]), cast_slice_mut(out), pool),
            Storage::F64 => argmax::<f64>(special, *axis, cast_slice(operands[0]), cast_slice_mut(out), pool),
            Storage::I32 => argmax::<i32>(special, *axis, cast_slice(operands[0]), cast_slice_mut(out), pool),
            Storage::Bool => argmax::<u8>(special, *axis, operands[0], cast_slice_mut(out), pool),
        },
        Op::ArgSort(axis) => {
            match special.storage[0] {
                Storage::F32 => {
                    argsort(special, *axis, cast_slice(operands[0]), cast_slice_mut(out), pool, ascending::<f32>)
                }
                Storage::F64 => {
                    argsort(special, *axis, cast_slice(operands[0]), cast_slice_mut(out), pool, ascending::<f64>)
                }
                Storage::I32 => argsort(special, *axis, cast_slice(operands[0]), cast_slice_mut(out), pool, i32::cmp),
                Storage::Bool => argsort(special, *axis, operands[0], cast_slice_mut(out), pool, u8::cmp),
            }
            Ok(())
        }
        Op::CumSum { axis, reverse } => running_sums(special, *axis, *reverse, operands[0], out, pool),
        Op::Fold { axis, stride, dilation, .. } => {
            fold_windows(special, *axis, [*stride, *dilation], operands[0], out, pool);
            Ok(())
        }
        Op::Gather { batch } => match own.size() {
            1 => gather::<u8>(special, *batch, operands, out, pool),
            4 => gather::<u32>(special, *batch, operands, cast_slice_mut(out), pool),
            _ => gather::<u64>(special, *batch, operands, cast_slice_mut(out), pool),
        },
        Op::ScatterAdd { batch, .. } => match own {
            Storage::F32 => scatter_add::<f32>(special, *batch, operands, cast_slice_mut(out), pool),
            Storage::F64 => scatter_add::<f64>(special, *batch, operands, cast_slice_mut(out), pool),
            Storage::I32 | Storage::Bool => scatter_add::<i32>(special, *batch, operands, cast_slice_mut(out), pool),
        },
        Op::Cholesky => matrix::cholesky(special, operands[0], out, pool),
        Op::TriangularSolve { transposed } => {
            matrix::triangular_solve(special, *transposed, operands, out, pool);
            Ok(())
        }
        Op::Random { draw, path, rows, .. } => {
            let (shape, counters) = (shape_of(special), cast_slice(operands[0]));
            match own {
                Storage::F64 => random::<f64>(*draw, *path, *rows, shape, counters, cast_slice_mut(out), pool),
                Storage::F32 | Storage::I32 | Storage::Bool => {
                    random::<f32>(*draw, *path, *rows, shape, counters, cast_slice_mut(out), pool);
                }
            }
            Ok(())
        }
        Op::Input { .. }
        | Op::Constant(_)
        | Op::SizeOf(_)
        | Op::Iota { .. }
        | Op::Scalar(_)
        | Op::Reduce(..)
        | Op::Dot { .. }
        | Op::Reshape(_)
        | Op::Permute(_)
        | Op::Broadcast { .. }
        | Op::Slice { .. }
        | Op::Window { .. }
        | Op::Pad { .. }
        | Op::Concat(_)
        | Op::StopGradient
        | Op::Call(..)
        | Op::Scan(..) => Err(format!("{} is no operation on its own", special.op)),
    }
}

/// The shape of the result.
fn shape_of(special: &Special) -> &[usize] {
    special.shapes.last().map_or(&[], Vec::as_slice)
}

/// Divides the result among the threads, in whole groups of elements. The work gets a part and the index of its first group.
pub(super) fn deal<T: Send>(out: &mut [T], group: usize, pool: &Pool, work: impl Fn(&mut [T], usize) + Sync) {
    let group = group.max(1);
    if out.len() < ALONE || pool.threads() == 1 {
        return work(out, 0);
    }
    let share = (out.len() / group).div_ceil(pool.threads()).max(1);
    let parts: Vec<Mutex<&mut [T]>> = out.chunks_mut(share * group).map(Mutex::new).collect();
    pool.run(&|thread| {
        if let Some(part) = parts.get(thread) {
            work(&mut part.lock().unwrap_or_else(PoisonError::into_inner), thread * share);
        }
    });
}

/// The elements along an axis, for one index of the other axes.
struct Line {
    start: usize,
    step: usize,
    length: usize,
}

impl Line {
    fn of(shape: &[usize], axis: usize, number: usize) -> Line {
        let (length, step) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
        Line { start: number / step.max(1) * length * step + number % step.max(1), step, length }
    }

    fn at(&self, place: usize) -> usize {
        self.start + place * self.step
    }
}

/// How many lines there are along an axis.
fn lines(shape: &[usize], axis: usize) -> usize {
    shape[..axis].iter().product::<usize>() * shape[axis + 1..].iter().product::<usize>()
}

fn argmax<T: Pod + PartialOrd + Sync>(
    special: &Special,
    axis: usize,
    from: &[T],
    out: &mut [i32],
    pool: &Pool,
) -> Result<(), String> {
    let shape = &special.shapes[0];
    if shape[axis] == 0 && !out.is_empty() {
        return Err("argmax of no elements".to_string());
    }
    deal(out, 1, pool, |part, first| {
        for (at, cell) in part.iter_mut().enumerate() {
            let line = Line::of(shape, axis, first + at);
            let value = |at: usize| from[line.at(at)];
            // The first of equal ones: a later one must be greater. What is no number counts as the greatest, as for `max`.
            let no_number = |x: T| x.partial_cmp(&x).is_none();
            let beats = |x: T, y: T| x > y || (no_number(x) && !no_number(y));
            *cell = (1..line.length).fold(0, |best, at| if beats(value(at), value(best)) { at } else { best }) as i32;
        }
    });
    Ok(())
}

fn argsort<T: Pod + Sync>(
    special: &Special,
    axis: usize,
    from: &[T],
    out: &mut [i32],
    pool: &Pool,
    order: impl Fn(&T, &T) -> Ordering + Sync,
) {
    along(&special.shapes[0], axis, out, pool, |cells, own, all| {
        let mut places: Vec<usize> = (0..all.length).collect();
        places.sort_by(|x, y| order(&from[all.at(*x)], &from[all.at(*y)]));
        places.iter().enumerate().for_each(|(at, from)| cells[own.at(at)] = *from as i32);
    });
}

/// Works on every line along an axis. The axes before it are divided among the threads: the work gets a part of the result, the line
/// in that, and the line in the whole.
fn along<T: Send>(
    shape: &[usize],
    axis: usize,
    out: &mut [T],
    pool: &Pool,
    work: impl Fn(&mut [T], &Line, &Line) + Sync,
) {
    let group: usize = shape[axis..].iter().product();
    let each = lines(&shape[axis..], 0);
    deal(out, group, pool, |part, first| {
        for number in 0..part.len() / group.max(1) * each {
            work(part, &Line::of(shape, axis, number), &Line::of(shape, axis, first * each + number));
        }
    });
}

fn running_sums(
    special: &Special,
    axis: usize,
    reverse: bool,
    from: &[u8],
    out: &mut [u8],
    pool: &Pool,
) -> Result<(), String> {
    match special.storage[0] {
        Storage::F32 => cumsum(special, axis, reverse, cast_slice(from), cast_slice_mut(out), pool, |x| x as f32),
        Storage::F64 => cumsum(special, axis, reverse, cast_slice(from), cast_slice_mut(out), pool, |x| x),
        Storage::I32 | Storage::Bool => {
            cumsum(special, axis, reverse, cast_slice(from), cast_slice_mut(out), pool, |x| x as i32);
            return sums_fit(&special.shapes[0], axis, reverse, cast_slice(from));
        }
    }
    Ok(())
}

/// What is no number comes last.
fn ascending<T: PartialOrd>(x: &T, y: &T) -> Ordering {
    let no_number = |x: &T| x.partial_cmp(x).is_none();
    x.partial_cmp(y).unwrap_or_else(|| no_number(x).cmp(&no_number(y)))
}

fn cumsum<T: Pod + Into<f64> + Send + Sync>(
    special: &Special,
    axis: usize,
    reverse: bool,
    from: &[T],
    out: &mut [T],
    pool: &Pool,
    narrow: impl Fn(f64) -> T + Sync,
) {
    along(&special.shapes[0], axis, out, pool, |cells, own, all| {
        let mut sum = 0.0f64;
        for k in 0..all.length {
            let place = if reverse { all.length - 1 - k } else { k };
            sum += from[all.at(place)].into();
            cells[own.at(place)] = narrow(sum);
        }
    });
}

/// An error if a running sum of ints overflows 32 bits.
fn sums_fit(shape: &[usize], axis: usize, reverse: bool, from: &[i32]) -> Result<(), String> {
    for number in 0..lines(shape, axis) {
        let line = Line::of(shape, axis, number);
        let mut sum = 0i64;
        for k in 0..line.length {
            sum += i64::from(from[line.at(if reverse { line.length - 1 - k } else { k })]);
            i32::try_from(sum).map_err(|_| "a sum of ints does not fit 32 bits".to_string())?;
        }
    }
    Ok(())
}

/// The adjoint of windows: each element is added where a window has read it. `along` says how far windows, and the elements of
/// one, are apart.
fn fold_windows(special: &Special, axis: usize, along: [i64; 2], from: &[u8], out: &mut [u8], pool: &Pool) {
    let mut steps = strides(shape_of(special));
    let step = steps[axis];
    steps[axis] = step * along[0] as isize;
    steps.insert(axis + 1, step * along[1] as isize);
    let shape = &special.shapes[0];
    match special.storage[special.storage.len() - 1] {
        Storage::F32 => add::<f32>(cast_slice(from), shape, &steps, cast_slice_mut(out), axis, pool),
        Storage::F64 => add::<f64>(cast_slice(from), shape, &steps, cast_slice_mut(out), axis, pool),
        Storage::I32 | Storage::Bool => add::<i32>(cast_slice(from), shape, &steps, cast_slice_mut(out), axis, pool),
    }
}

/// Adds elements at strided offsets. The axes before `axis` are divided among the threads.
fn add<T: Pod + AddAssign + Send + Sync>(
    from: &[T],
    shape: &[usize],
    steps: &[isize],
    out: &mut [T],
    axis: usize,
    pool: &Pool,
) {
    let outer: usize = shape[..axis].iter().product();
    let (read, group) = (from.len() / outer.max(1), out.len() / outer.max(1));
    deal(out, group, pool, |part, first| {
        part.fill(T::zeroed());
        let groups = part.len() / group.max(1);
        for (own, cells) in (first..first + groups).zip(part.chunks_mut(group.max(1))) {
            let mut values = from[own * read..][..read].iter();
            places(&shape[axis..], &steps[axis..], 0, |place| {
                values.next().into_iter().for_each(|value| cells[place] += *value);
            });
        }
    });
}

fn gather<T: Pod + Send + Sync>(
    special: &Special,
    batch: usize,
    operands: &[&[u8]],
    out: &mut [T],
    pool: &Pool,
) -> Result<(), String> {
    let (from, at): (&[T], &[i32]) = (cast_slice(operands[0]), cast_slice(operands[1]));
    let (length, width) = (special.shapes[0][batch], special.shapes[0][batch + 1..].iter().product::<usize>());
    let each: usize = special.shapes[1][batch..].iter().product();
    at.iter().try_for_each(|place| inside(*place, length).map(|_| ()))?;
    if width == 0 {
        return Ok(());
    }
    deal(out, width, pool, |part, first| {
        for (number, cells) in (first..).zip(part.chunks_exact_mut(width)) {
            let row = number / each * length + at[number] as usize;
            cells.copy_from_slice(&from[row * width..][..width]);
        }
    });
    Ok(())
}

/// Each thread owns rows of the result, and adds the updates to them in the order of the indices.
fn scatter_add<T: Pod + AddAssign + Send + Sync>(
    special: &Special,
    batch: usize,
    operands: &[&[u8]],
    out: &mut [T],
    pool: &Pool,
) -> Result<(), String> {
    let (at, updates): (&[i32], &[T]) = (cast_slice(operands[0]), cast_slice(operands[1]));
    let made = shape_of(special);
    let (length, width) = (made[batch], made[batch + 1..].iter().product::<usize>());
    let each: usize = special.shapes[0][batch..].iter().product();
    at.iter().try_for_each(|place| inside(*place, length).map(|_| ()))?;
    deal(out, width, pool, |part, first| {
        part.fill(T::zeroed());
        let rows = first..first + part.len() / width.max(1);
        for (number, place) in at.iter().enumerate() {
            let row = number / each * length + *place as usize;
            if rows.contains(&row) {
                let cells = part[(row - first) * width..][..width].iter_mut();
                cells.zip(&updates[number * width..]).for_each(|(sum, x)| *sum += *x);
            }
        }
    });
    Ok(())
}

/// Draws, counted by their row in the whole batch and their place within it.
fn random<T: Number>(
    draw: Draw,
    path: u64,
    rows: Option<usize>,
    shape: &[usize],
    counters: &[i32],
    out: &mut [T],
    pool: &Pool,
) {
    let counter = |at: usize| counters.get(at).copied().unwrap_or(0) as u32;
    let stream = philox::stream([counter(0), counter(1)], path, counter(2), counter(3));
    let (length, inner) = match rows {
        Some(axis) => (shape[axis], shape[axis + 1..].iter().product::<usize>()),
        None => (1, shape.iter().product()),
    };
    let first_row = if rows.is_some() { counter(4) } else { 0 };
    deal(out, 1, pool, |part, first| {
        let (mut rest, mut at) = (part, first);
        while !rest.is_empty() {
            let (row, place) = (at / inner % length, at % inner);
            let element = at / (inner * length) * inner + place;
            let (cells, others) = rest.split_at_mut(rest.len().min(inner - place));
            philox::draws(draw, stream, first_row.wrapping_add(row as u32), element as u32, cells, T::of);
            at += cells.len();
            rest = others;
        }
    });
}

fn inside(place: i32, length: usize) -> Result<usize, String> {
    match usize::try_from(place) {
        Ok(place) if place < length => Ok(place),
        _ => Err(format!("place {place} is outside of an axis of {length}")),
    }
}
