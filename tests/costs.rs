//! What a kernel costs: its operations and bytes, held against the formulas.

use crate::trial;
use libtest_mimic::Trial;
use mlx::ir::{DType, Op, Reduce, ScalarOp};
use mlx::plan::{
    Binding, Buffer, BufferId, Code, Cost, Held, Instruction, Kernel, Layout, Level, Loop, Matrices, Plan, Region,
    Special, Storage, Target,
};
use std::sync::Arc;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("costs::a_product_and_its_loop", product),
        trial("costs::a_loop_that_repeats_a_row", repeated_row),
        trial("costs::reductions", reductions),
        trial("costs::a_gather_reads_what_it_asks_for", gather),
        trial("costs::windows_overlap", windows),
        trial("costs::what_lies_in_memory_when_most_does", held_most),
    ]
}

/// The cost of code whose operands are buffers of their own, of so many elements each.
fn cost(code: Code, sizes: &[usize]) -> Cost {
    let buffer =
        |len: &usize| Buffer { len: *len, storage: Storage::F32, region: Region::Scratch, offset: 0, kept: false };
    let bindings = (0..sizes.len()).map(|at| Binding { buffer: BufferId(at as u32), start: 0 }).collect();
    let plan = Plan {
        kernels: Vec::new(),
        stages: Vec::new(),
        buffers: sizes.iter().map(buffer).collect(),
        scratch: 0,
        resident: 0,
        scalars: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        copies: Vec::new(),
    };
    plan.cost(&Kernel { nodes: Vec::new(), code: Arc::new(code), bindings, scalars: Vec::new() })
}

fn layout(shape: &[usize], strides: &[isize]) -> Layout {
    Layout { shape: shape.to_vec(), strides: strides.to_vec() }
}

fn looped(shape: &[usize], instructions: Vec<Instruction>) -> Loop {
    Loop { shape: shape.to_vec(), split: 1, storage: vec![Storage::F32; instructions.len()], instructions }
}

fn product() {
    let dense = layout(&[3, 5], &[5, 1]);
    let matrices = Matrices {
        storage: Storage::F32,
        batch: vec![],
        rows: vec![3],
        depth: vec![4],
        columns: vec![5],
        a: [vec![], vec![4], vec![1]],
        b: [vec![], vec![5], vec![1]],
    };
    let then = looped(
        &[3, 5],
        vec![
            Instruction::Load(Matrices::OUT, dense.clone(), Level::Full),
            Instruction::Apply(ScalarOp::Add, vec![0, 0]),
            Instruction::Store(1, Matrices::OUT, 0, dense),
        ],
    );
    // 2 m k n and one for each result; a, b and the result once.
    let wanted = Cost { flops: 2 * 3 * 4 * 5 + 15, bytes: 4 * (12 + 20 + 15) };
    same(cost(Code::Product(Box::new(matrices), then), &[12, 20, 15]), wanted);
}

fn repeated_row() {
    let dense = layout(&[6, 7], &[7, 1]);
    let body = looped(
        &[6, 7],
        vec![
            Instruction::Load(0, dense.clone(), Level::Full),
            Instruction::Load(1, layout(&[6, 7], &[0, 1]), Level::Full),
            Instruction::Apply(ScalarOp::Add, vec![0, 1]),
            // The same elements again move nothing.
            Instruction::Load(0, dense.clone(), Level::Full),
            Instruction::Apply(ScalarOp::Mul, vec![2, 3]),
            Instruction::Store(4, 2, 0, dense),
        ],
    );
    same(cost(Code::Loop(body), &[42, 7, 42]), Cost { flops: 2 * 42, bytes: 4 * (42 + 7 + 42) });
}

fn reductions() {
    let body = looped(
        &[6, 7],
        vec![
            Instruction::Load(0, layout(&[6, 7], &[7, 1]), Level::Full),
            Instruction::ReduceColumns(Reduce::Sum, 0),
            Instruction::Apply(ScalarOp::Add, vec![1, 1]),
            Instruction::Store(2, 1, 0, layout(&[6], &[1])),
            Instruction::ReduceRows(Reduce::Sum, 0, Target::Columns, 2),
        ],
    );
    // A value of a row is computed once a row.
    same(cost(Code::Loop(body), &[42, 6, 7]), Cost { flops: 42 + 6 + 42, bytes: 4 * (42 + 6 + 7) });
}

fn gather() {
    let special = Special {
        op: Op::Gather { batch: 0 },
        shapes: vec![vec![1000, 8], vec![3], vec![3, 8]],
        storage: vec![Storage::of(DType::Float), Storage::of(DType::Int), Storage::F32],
    };
    same(cost(Code::Special(special), &[8000, 3, 24]), Cost { flops: 0, bytes: 4 * (24 + 3 + 24) });
}

fn windows() {
    let body = looped(
        &[8, 3],
        vec![
            Instruction::Load(0, layout(&[8, 3], &[1, 1]), Level::Full),
            Instruction::ReduceColumns(Reduce::Max, 0),
            Instruction::Store(1, 1, 0, layout(&[8], &[1])),
        ],
    );
    // 8 windows of 3 lie on 10 elements.
    same(cost(Code::Loop(body), &[100, 8]), Cost { flops: 24, bytes: 4 * (10 + 8) });
}

fn same(made: Cost, wanted: Cost) {
    assert_eq!(made, wanted, "what is counted, and what the formula says");
}

/// An input that is kept, and three kernels that each read what the one before has made.
fn held_most() {
    let dense = |len: usize| layout(&[len, 1], &[1, 1]);
    let kernel = |from: u32, to: u32, len: usize| {
        let code = looped(
            &[len, 1],
            vec![Instruction::Load(0, dense(len), Level::Full), Instruction::Store(0, 1, 0, dense(len))],
        );
        let bindings = [from, to].map(|buffer| Binding { buffer: BufferId(buffer), start: 0 }).to_vec();
        Kernel { nodes: Vec::new(), code: Arc::new(Code::Loop(code)), bindings, scalars: Vec::new() }
    };
    let buffer =
        |(len, kept): (usize, bool)| Buffer { len, storage: Storage::F32, region: Region::Scratch, offset: 0, kept };
    let plan = Plan {
        kernels: vec![kernel(0, 1, 10), kernel(1, 2, 10), kernel(2, 3, 10)],
        stages: vec![3],
        buffers: [(10, true), (100, false), (50, false), (20, false)].into_iter().map(buffer).collect(),
        scratch: 0,
        resident: 0,
        scalars: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        copies: Vec::new(),
    };
    let held = |buffer: u32, made: Option<usize>| Held { buffer: BufferId(buffer), made };
    assert_eq!(plan.held_most(), [held(0, None), held(1, Some(0)), held(2, Some(1))]);
}
