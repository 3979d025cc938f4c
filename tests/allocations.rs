//! A step allocates no tensor, and finding the origin of a NaN keeps no value that nothing reads any more: an allocator
//! watches the largest request of a thread, and how much it holds at most.

use crate::ops::cpu::cpu_of;
use crate::trial;
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::{Device, Tensor, reference};
use mlx::ir::{DType, Graph, Reduce, ScalarOp, ScanBuilder, Size};
use mlx::plan::Code;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    /// Bytes that this thread has asked for and not given back; what it gives back for another counts below zero.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST_HELD: Cell<isize> = const { Cell::new(0) };
}

fn hold(bytes: isize) {
    let held = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        held.get()
    });
    let _ = MOST_HELD.try_with(|most| most.set(most.get().max(held.unwrap_or(0))));
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        hold(layout.size() as isize);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static WATCHING: Watching = Watching;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("allocations::a_step_allocates_no_tensor", a_step_allocates_no_tensor),
        trial("allocations::a_step_of_a_loop_allocates_no_tensor", a_step_of_a_loop_allocates_no_tensor),
        trial(
            "allocations::the_origin_of_a_nan_is_found_in_little_memory",
            the_origin_of_a_nan_is_found_in_little_memory,
        ),
    ]
}

/// The smallest tensor of the net below, in bytes, is far above what lists of shares take.
const ROWS: i64 = 300;
const WIDTH: i64 = 64;
const SMALL: usize = 8 * 1024;

fn a_step_allocates_no_tensor() {
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, vec![Size::from(ROWS), Size::from(WIDTH)]);
    let w = graph.input(1, DType::Float, vec![Size::from(WIDTH), Size::from(WIDTH)]);
    let z = graph.dot(vec![], vec![(1, 0)], x, w);
    let y = graph.unary(ScalarOp::Tanh, z);
    let top = graph.reduce(Reduce::Max, vec![1], y);
    let wide = graph.broadcast(vec![Size::from(ROWS), Size::from(WIDTH)], vec![0], top);
    let spread = graph.binary(ScalarOp::Sub, y, wide);
    let loss = graph.reduce(Reduce::Sum, vec![0, 1], spread);
    let by = gradient(&mut graph, loss, &[w])[0];
    let (mut cpu, id) = cpu_of(&graph, &[loss, by], 1).expect("a plan");
    cpu.run(id).expect("numbers");
    assert!((ROWS * WIDTH * 4) as usize > 4 * SMALL);
    for kernel in 0..cpu.plan(id).kernels.len() {
        // A product packs its operands.
        let product = matches!(*cpu.plan(id).kernels[kernel].code, Code::Product(..));
        LARGEST.set(0);
        cpu.run_kernel(id, kernel).expect("numbers");
        let largest = LARGEST.get();
        assert!(product || largest < SMALL, "kernel {kernel} allocates {largest} bytes at once");
    }
}

/// Nor does the gradient of one. Without products, which pack.
fn a_step_of_a_loop_allocates_no_tensor() {
    let shape = || vec![Size::from(ROWS), Size::from(WIDTH)];
    let mut graph = Graph::default();
    let h = graph.input(0, DType::Float, shape());
    let w = graph.input(1, DType::Float, shape());
    let mut scan = ScanBuilder::new(Size::from(5), false);
    let (now, w_inside) = (scan.carry(&graph, h), scan.capture(&graph, w));
    let product = scan.body.binary(ScalarOp::Mul, now, w_inside);
    let turned = scan.body.add(mlx::ir::Op::CumSum { axis: 0, reverse: false }, vec![product]);
    let next = scan.body.unary(ScalarOp::Tanh, turned);
    scan.next(now, next);
    scan.give(next);
    let scanned = graph.scan(scan);
    let loss = graph.reduce(Reduce::Sum, vec![0, 1, 2], scanned.each[0]);
    let by = gradient(&mut graph, loss, &[w])[0];
    let (mut cpu, id) = cpu_of(&graph, &[loss, scanned.last[0], by], 1).expect("a plan");
    cpu.run(id).expect("numbers");
    LARGEST.set(0);
    cpu.run(id).expect("numbers");
    let largest = LARGEST.get();
    assert!(largest < SMALL, "{largest} bytes at once");
}

/// A chain of 200 values of which two are alive at once; the root of a negative number stands in its middle.
fn the_origin_of_a_nan_is_found_in_little_memory() {
    const COUNT: usize = 4096;
    let mut graph = Graph::default();
    let x = graph.input(0, DType::Float, vec![Size::from(COUNT as i64)]);
    let mut chain = x;
    let mut origin = None;
    for at in 0..200 {
        let negative = graph.unary(ScalarOp::Neg, chain);
        chain = graph.binary(ScalarOp::Add, negative, x);
        if at == 100 {
            chain = graph.unary(ScalarOp::Sqrt, negative);
            origin = Some(chain);
        }
    }
    let loss = graph.reduce(Reduce::Sum, vec![0], chain);
    let inputs = [Tensor { shape: vec![COUNT], values: vec![1.0; COUNT] }];
    let before = HELD.get();
    MOST_HELD.set(before);
    let found = reference::origin_of_non_finite(&graph, loss, &inputs).expect("numbers");
    let values = (MOST_HELD.get() - before) as usize / (8 * COUNT);
    assert_eq!(found, origin);
    assert!(values <= 6, "{values} values are held at once");
}
