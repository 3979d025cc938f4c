//! Operations that are not fused, on whole buffers.

use crate::backend::tensor::{places, strides};
use crate::ir::{Op, philox};
use crate::plan::Special;

/// Computes an operation from its operands into its buffer. A place outside of an axis is told in words.
pub fn run(special: &Special, operands: &[&[f32]], counters: &[f64], out: &mut [f32]) -> Result<(), String> {
    let shapes: Vec<&[usize]> = special.operands.iter().map(|(_, shape)| shape.as_slice()).collect();
    match &special.op {
        Op::ArgMax(axis) => {
            if shapes[0][*axis] == 0 && !out.is_empty() {
                return Err("nothing is the greatest of no elements".to_string());
            }
            each_line(shapes[0], *axis, |line, number| {
                let value = |at: usize| operands[0][line.at(at)];
                out[number] =
                    (1..line.length).fold(0, |best, at| if value(at) > value(best) { at } else { best }) as f32;
            });
        }
        Op::CumSum { axis, reverse } => each_line(shapes[0], *axis, |line, _| {
            let mut sum = 0.0f64;
            for k in 0..line.length {
                let place = line.at(if *reverse { line.length - 1 - k } else { k });
                sum += f64::from(operands[0][place]);
                out[place] = sum as f32;
            }
        }),
        Op::ArgSort(axis) => each_line(shapes[0], *axis, |line, _| {
            let value = |at: &usize| operands[0][line.at(*at)];
            let mut order: Vec<usize> = (0..line.length).collect();
            order.sort_by(|x, y| value(x).total_cmp(&value(y)));
            order.iter().enumerate().for_each(|(at, from)| out[line.at(at)] = *from as f32);
        }),
        Op::Pad { axis, low, between, .. } => {
            let mut steps = strides(&special.shape);
            let first = low.settled().unwrap_or(0) as isize * steps[*axis];
            steps[*axis] *= *between as isize + 1;
            out.fill(0.0);
            add(operands[0], shapes[0], &steps, first, out);
        }
        Op::Fold { axis, stride, dilation, .. } => {
            let mut steps = strides(&special.shape);
            let own = steps[*axis];
            steps[*axis] = own * *stride as isize;
            steps.insert(axis + 1, own * *dilation as isize);
            out.fill(0.0);
            add(operands[0], shapes[0], &steps, 0, out);
        }
        Op::Window { axis, stride, dilation, .. } => {
            let mut steps = strides(shapes[0]);
            let own = steps[*axis];
            steps[*axis] = own * *stride as isize;
            steps.insert(axis + 1, own * *dilation as isize);
            let mut cells = out.iter_mut();
            places(&special.shape, &steps, 0, |place| {
                if let Some(cell) = cells.next() {
                    *cell = operands[0][place];
                }
            });
        }
        Op::Concat(axis) => {
            let steps = strides(&special.shape);
            let mut first = 0;
            out.fill(0.0);
            for (part, shape) in operands.iter().zip(&shapes) {
                add(part, shape, &steps, first, out);
                first += shape[*axis] as isize * steps[*axis];
            }
        }
        Op::Gather { batch } => {
            let (length, width) = (shapes[0][*batch], shapes[0][batch + 1..].iter().product::<usize>());
            let each: usize = shapes[1][*batch..].iter().product();
            for (number, place) in operands[1].iter().enumerate() {
                let row = number / each * length + inside(*place, length)?;
                out[number * width..][..width].copy_from_slice(&operands[0][row * width..][..width]);
            }
        }
        Op::ScatterAdd { batch, .. } => {
            let (length, width) = (special.shape[*batch], special.shape[batch + 1..].iter().product::<usize>());
            let each: usize = shapes[0][*batch..].iter().product();
            out.fill(0.0);
            for (number, place) in operands[0].iter().enumerate() {
                let row = number / each * length + inside(*place, length)?;
                let cells = out[row * width..][..width].iter_mut();
                cells.zip(&operands[1][number * width..]).for_each(|(sum, x)| *sum += x);
            }
        }
        Op::Random { draw, path, rows, .. } => {
            let counter = |at: usize| counters.get(at).copied().unwrap_or(0.0) as u32;
            let stream = philox::stream([counter(0), counter(1)], *path, counter(2), counter(3));
            let (length, inner) = match rows {
                Some(axis) => (special.shape[*axis], special.shape[axis + 1..].iter().product::<usize>()),
                None => (1, special.shape.iter().product()),
            };
            let first = if rows.is_some() { counter(4) } else { 0 };
            for (at, cell) in out.iter_mut().enumerate() {
                let row = at / inner % length;
                let element = at / (inner * length) * inner + at % inner;
                *cell = philox::draw(*draw, stream, first.wrapping_add(row as u32), element as u32) as f32;
            }
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
        | Op::StopGradient
        | Op::Call(..)
        | Op::Scan(..) => return Err(format!("{} is no operation on its own", special.op)),
    }
    Ok(())
}

/// A line along an axis.
struct Line {
    start: usize,
    step: usize,
    length: usize,
}

impl Line {
    fn at(&self, place: usize) -> usize {
        self.start + place * self.step
    }
}

/// Every line along an axis, with its number.
fn each_line(shape: &[usize], axis: usize, mut visit: impl FnMut(Line, usize)) {
    let (length, step) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let outer: usize = shape[..axis].iter().product();
    for number in 0..outer * step {
        visit(Line { start: number / step.max(1) * length * step + number % step.max(1), step, length }, number);
    }
}

fn add(from: &[f32], shape: &[usize], steps: &[isize], start: isize, out: &mut [f32]) {
    let mut values = from.iter();
    places(shape, steps, start, |place| out[place] += values.next().copied().unwrap_or(0.0));
}

fn inside(place: f32, length: usize) -> Result<usize, String> {
    if place >= 0.0 && place < length as f32 {
        return Ok(place as usize);
    }
    Err(format!("place {place} is outside of an axis of {length}"))
}
