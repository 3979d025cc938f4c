//! What a kernel costs: the arithmetic it does, and what it moves if it reads and writes everything once.

use super::body::Times;
use super::kernel::{Code, Instruction, Kernel, Level, Loop, Matrices, Plan, Special};
use super::view::Layout;
use crate::ir::{Class, Op};
use std::collections::HashMap;

/// Floating-point operations, and bytes of distinct operands and results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub flops: u64,
    pub bytes: u64,
}

impl Plan {
    /// What a kernel of this plan costs. A loop or a call costs as often as it runs; what it keeps to itself moves nothing.
    pub fn cost(&self, kernel: &Kernel) -> Cost {
        let flops = match &*kernel.code {
            Code::Loop(body) => of_loop(body),
            Code::Product(matrices, body) => {
                let each = matrices.counts().into_iter().fold(2u64, |all, count| all.saturating_mul(count as u64));
                each.saturating_add(of_loop(body))
            }
            Code::Special(special) => of_special(special),
            Code::Run(run) => {
                let times = match run.times {
                    Times::Once => 1,
                    Times::Steps { count, reverse: _ } => count as u64,
                };
                let inner = &run.body.plan;
                let once = inner.kernels.iter().map(|kernel| inner.cost(kernel).flops).fold(0, u64::saturating_add);
                once.saturating_mul(times)
            }
        };
        Cost { flops, bytes: self.moved(kernel) }
    }

    fn moved(&self, kernel: &Kernel) -> u64 {
        // Parts of a buffer are counted one by one, and never more than all of it: (is written, buffer) → elements.
        let mut elements: HashMap<(bool, u32), usize> = HashMap::new();
        let mut seen: Vec<(bool, u32, isize, Layout)> = Vec::new();
        let mut add = |written: bool, operand: usize, start: isize, layout: Option<Layout>| {
            let binding = &kernel.bindings[operand];
            let id = binding.buffer;
            let len = self.buffer(id).len;
            let count = elements.entry((written, id.0)).or_default();
            let Some(layout) = layout else {
                *count = len;
                return;
            };
            let part = (written, id.0, binding.start + start, layout);
            if !seen.contains(&part) {
                *count = len.min(count.saturating_add(distinct(&part.3)));
                seen.push(part);
            }
        };
        for (written, operand, start, layout) in parts(&kernel.code) {
            add(written, operand, start, layout);
        }
        let bytes = |((_, id), count): (&(bool, u32), &usize)| count * self.buffers[*id as usize].storage.size();
        elements.iter().map(bytes).sum::<usize>() as u64
    }
}

/// The parts of its operands that a kernel reads and writes: whether it is written, the operand, the first element and the
/// layout, `None` for all of it.
fn parts(code: &Code) -> Vec<(bool, usize, isize, Option<Layout>)> {
    let mut parts = Vec::new();
    if let Some(body) = code.looped() {
        // What the product has made is still in the cache.
        let made = |operand: usize| matches!(code, Code::Product(..)) && operand == Matrices::OUT;
        for instruction in &body.instructions {
            match instruction {
                Instruction::Load(operand, layout, _) if !made(*operand) => {
                    parts.push((false, *operand, 0, Some(layout.clone())));
                }
                Instruction::Store(_, operand, start, layout) => {
                    parts.push((true, *operand, *start, Some(layout.clone())));
                }
                Instruction::ReduceRows(_, _, _, operand) => parts.push((true, *operand, 0, None)),
                Instruction::Load(..)
                | Instruction::Iota(..)
                | Instruction::Scalar(_)
                | Instruction::Apply(..)
                | Instruction::MultiplyAdd(..)
                | Instruction::Convert(_)
                | Instruction::ReduceColumns(..)
                | Instruction::Expand(_) => {}
            }
        }
    }
    match code {
        Code::Loop(_) => {}
        Code::Product(matrices, _) => {
            let [a, b] = matrices.layouts();
            parts.extend([(false, Matrices::A, 0, Some(a)), (false, Matrices::B, 0, Some(b))]);
        }
        Code::Special(special) => parts.extend(of_operands(special)),
        Code::Run(run) => {
            parts.extend(run.reads().map(|operand| (false, operand, 0, None)));
            parts.extend(run.writes().map(|operand| (true, operand, 0, None)));
        }
    }
    parts
}

fn of_operands(special: &Special) -> Vec<(bool, usize, isize, Option<Layout>)> {
    let last = special.shapes.len() - 1;
    let result = special.shapes[last].iter().product::<usize>();
    let part = |operand: usize| {
        let mut count = special.shapes[operand].iter().product::<usize>();
        // Of a table only the rows that are asked for are read.
        if operand == 0 && matches!(special.op, Op::Gather { .. }) {
            count = count.min(result);
        }
        (operand == last, operand, 0, Some(Layout { shape: vec![count], strides: vec![1] }))
    };
    (0..=last).map(part).collect()
}

/// How many distinct elements a layout addresses: axes along which nothing moves repeat, and windows overlap.
fn distinct(layout: &Layout) -> usize {
    let moving = || layout.shape.iter().zip(&layout.strides).filter(|(_, stride)| **stride != 0);
    if layout.shape.contains(&0) {
        return 0;
    }
    let span = moving().map(|(size, stride)| (size - 1).saturating_mul(stride.unsigned_abs())).sum::<usize>() + 1;
    moving().map(|(size, _)| *size).product::<usize>().min(span)
}

/// One for each element that an operation makes or a reduction takes; a fused product and sum are two.
fn of_loop(body: &Loop) -> u64 {
    let (rows, columns) = body.space();
    let levels = body.levels();
    let elements = |register: usize| match levels[register] {
        Level::Full => rows as u64 * columns as u64,
        Level::Row => rows as u64,
    };
    let each = |(at, instruction): (usize, &Instruction)| match instruction {
        Instruction::Apply(..) => elements(at),
        Instruction::MultiplyAdd(..) => 2 * elements(at),
        Instruction::ReduceColumns(_, register) | Instruction::ReduceRows(_, register, ..) => elements(*register),
        Instruction::Load(..)
        | Instruction::Iota(..)
        | Instruction::Scalar(_)
        | Instruction::Convert(_)
        | Instruction::Expand(_)
        | Instruction::Store(..) => 0,
    };
    body.instructions.iter().enumerate().map(each).fold(0, u64::saturating_add)
}

fn of_special(special: &Special) -> u64 {
    let elements = |shape: Option<&Vec<usize>>| shape.map_or(0, |shape| shape.iter().product::<usize>() as u64);
    let (first, made) = (special.shapes.first(), elements(special.shapes.last()));
    match special.op.class() {
        Class::Leaf | Class::View | Class::Copy | Class::Body => 0,
        Class::Draw | Class::Elementwise => made,
        Class::Reduction | Class::Order => elements(first),
        // A product of other numbers than floats, or a row of a triangle, which meets those before it.
        Class::Product => {
            let Some(a) = first else { return 0 };
            if let Op::Dot { contracted, .. } = &special.op {
                return contracted.iter().fold(2 * made, |all, (axis, _)| all.saturating_mul(a[*axis] as u64));
            }
            made.saturating_mul(a.last().map_or(0, |size| *size as u64))
        }
    }
}
