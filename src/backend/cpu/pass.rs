//! Runs a loop, its rows divided among the threads. A matrix product whose rows are divided in the same way runs before it on
//! each thread, so that the loop reads its result from the cache and there is no barrier in between.

use super::ALONE;
use super::code::Prepared;
use super::memory::{Memory, Slices};
use super::pool::Pool;
use super::product::Product;
use super::product::room::Rooms;
use super::tile::{self, Inputs, Read, Scratch, Share};
use crate::ir::Reduce;
use crate::plan::{Instruction, Kernel, Matrices, Storage};
use bytemuck::cast_slice_mut;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

pub struct Pass<'c> {
    pub code: &'c Prepared,
    pub kernel: &'c Kernel,
    pub buffers: &'c [crate::plan::Buffer],
    /// The values of the kernel's scalars.
    pub scalars: &'c [f64],
    /// Of each thread.
    pub scratch: &'c [Mutex<Scratch>],
    pub rooms: &'c Rooms,
    pub pool: &'c Pool,
}

/// The most elements of a product, or few more, that a loop reads while they are in the cache.
const TOGETHER: usize = 64 * 1024;

/// The work of one thread: its rows of a product, if there is one, then its chunks of the loop.
struct Deal<'d, 'a> {
    shares: &'d mut [Share<'a>],
    made: &'a mut [u8],
}

/// Whether a product can be fused with its loop, row by row: the loop reads its result and does not overwrite its operands.
pub fn can_fuse(code: &Prepared, kernel: &Kernel, product: &Product, threads: usize) -> bool {
    let matrices = &product.matrices;
    let written = code.outs.iter().map(|out| out.operand).chain(code.collects.iter().map(|(operand, _)| *operand));
    let buffer = |operand: usize| kernel.bindings[operand].buffer;
    let operands = [buffer(Matrices::A), buffer(Matrices::B)];
    let apart = written.into_iter().all(|operand| !operands.contains(&buffer(operand)));
    let [batch, rows, _, columns] = matrices.counts();
    let same = (code.rows, code.columns) == (batch * rows, columns);
    same && apart && code.reads.contains(&Matrices::OUT) && code.chunks() >= threads && product.by_rows()
}

impl Pass<'_> {
    pub fn run(&self, product: Option<&Product>, memory: &mut Memory, partials: &mut [f64]) -> Result<(), String> {
        let code = self.code;
        let bound = |operand: usize| self.kernel.bindings[operand];
        let read = code.reads.iter().map(|operand| bound(*operand).buffer);
        let operands = product.iter().flat_map(|_| [Matrices::A, Matrices::B]).map(|operand| bound(operand).buffer);
        // The result of a fused product is written, then read by the same thread.
        let place = product.and_then(|_| code.reads.iter().position(|read| *read == Matrices::OUT));
        let made = place.map(|_| bound(Matrices::OUT).buffer);
        let written = code.outs.iter().map(|out| bound(out.operand).buffer).chain(made);
        let collected = code.collects.iter().map(|(operand, _)| bound(*operand).buffer);
        let mut slices = Slices::borrow(memory, self.buffers, read.chain(operands), written.chain(collected));
        let outs: Vec<&mut [u8]> = code.outs.iter().map(|out| slices.take(bound(out.operand).buffer)).collect();
        let collected: Vec<&mut [u8]> =
            code.collects.iter().map(|(operand, _)| slices.take(bound(*operand).buffer)).collect();
        let made = made.map_or(Default::default(), |made| slices.take(made));
        let input = |operand: usize| Read { bytes: slices.get(bound(operand).buffer), start: bound(operand).start };
        let reads: Vec<Read> = code.reads.iter().map(|operand| input(*operand)).collect();

        let mut shares = self.shares(outs);
        self.deal_partials(&mut shares, partials);
        let small = product.is_none_or(Product::is_small) && code.rows * code.columns.max(1) < ALONE;
        let threads = if small || code.chunks() < 2 { 1 } else { self.pool.threads() };
        let dealt = self.deal(&mut shares, made, place.and(product), threads);
        let failed: Mutex<Option<String>> = Mutex::new(None);
        let overflow = AtomicBool::new(false);
        let work = |thread: usize| {
            let Some(deal) = dealt.get(thread) else { return };
            let mut deal = deal.lock().unwrap_or_else(PoisonError::into_inner);
            let Deal { shares, made } = &mut *deal;
            let mut scratch = self.scratch[thread].lock().unwrap_or_else(PoisonError::into_inner);
            let (Some(product), Some(place)) = (product, place) else {
                let inputs = Inputs { reads: &reads, scalars: self.scalars, overflow: &overflow };
                return shares.iter_mut().for_each(|share| tile::run(code, share, &inputs, &mut scratch));
            };
            let (a, b) = (input(Matrices::A), input(Matrices::B));
            let mut rest = &mut **made;
            let row = code.columns * product.matrices.storage.size();
            let at_once = (TOGETHER / code.columns.max(1)).div_ceil(code.chunk_rows).max(1);
            // So many rows that their product stays in the cache until the loop has read it.
            for shares in even(shares, at_once) {
                let first = shares.first().map_or(0, |share| share.first);
                let rows: usize = shares.iter().map(|share| share.rows).sum();
                let (made, others) = std::mem::take(&mut rest).split_at_mut(rows * row);
                rest = others;
                if let Err(wrong) = product.rows(first, a, b, made, self.rooms, thread) {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
                    return;
                }
                let made = Read { bytes: made, start: -((first * code.columns) as isize) };
                let own: Vec<Read> =
                    reads.iter().enumerate().map(|(at, read)| if at == place { made } else { *read }).collect();
                let inputs = Inputs { reads: &own, scalars: self.scalars, overflow: &overflow };
                shares.iter_mut().for_each(|share| tile::run(code, share, &inputs, &mut scratch));
            }
        };
        if threads == 1 {
            work(0)
        } else {
            self.pool.run(&work)
        }
        drop(dealt);
        let mut fits = !overflow.into_inner();
        for (number, (out, reduce)) in collected.into_iter().zip(self.reduces()).enumerate() {
            let storage = self.buffers[bound(code.collects[number].0).buffer.0 as usize].storage;
            fits &= join(&mut shares, number, reduce, storage, out);
        }
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.map_or(Ok(()), Err)?;
        if fits { Ok(()) } else { Err("a sum of ints does not fit 32 bits".to_string()) }
    }

    /// The reductions over rows, in their order.
    fn reduces(&self) -> impl Iterator<Item = Reduce> {
        self.code.instructions.iter().filter_map(|instruction| match instruction {
            Instruction::ReduceRows(reduce, ..) => Some(*reduce),
            _ => None,
        })
    }

    /// The rows of each chunk, and its part of every buffer that is written.
    fn shares<'a>(&self, outs: Vec<&'a mut [u8]>) -> Vec<Share<'a>> {
        let code = self.code;
        let share = |chunk: usize| {
            let first = chunk * code.chunk_rows;
            let rows = code.chunk_rows.min(code.rows - first);
            let (outs, partials) = (Vec::with_capacity(outs.len()), Vec::with_capacity(code.collects.len()));
            Share { first, rows, outs, partials }
        };
        let mut shares: Vec<Share> = (0..code.chunks()).map(share).collect();
        for (number, mut rest) in outs.into_iter().enumerate() {
            let size = code.outs[number].storage.size();
            let mut done = 0;
            for share in &mut shares {
                // Chunks ascend in the buffer; what lies between their spans belongs to other kernels.
                let span = code.span(number, share.first..share.first + share.rows);
                let (own, others) = rest[(span.start - done) * size..].split_at_mut(span.len() * size);
                share.outs.push((own, span.start));
                (rest, done) = (others, span.end);
            }
        }
        shares
    }

    /// The accumulators of each chunk for reductions over rows.
    fn deal_partials<'a>(&self, shares: &mut [Share<'a>], partials: &'a mut [f64]) {
        let mut rest = partials;
        for ((operand, _), reduce) in self.code.collects.iter().zip(self.reduces()) {
            let len = self.buffers[self.kernel.bindings[*operand].buffer.0 as usize].len;
            for share in shares.iter_mut() {
                let (own, others) = rest.split_at_mut(len);
                own.fill(reduce.start());
                share.partials.push(own);
                rest = others;
            }
        }
    }

    /// The work of each thread: consecutive chunks, and their rows of a product that precedes the loop.
    fn deal<'d, 'a>(
        &self,
        shares: &'d mut [Share<'a>],
        made: &'a mut [u8],
        product: Option<&Product>,
        threads: usize,
    ) -> Vec<Mutex<Deal<'d, 'a>>> {
        let per_thread = self.code.chunks().div_ceil(threads).max(1);
        let row = product.map_or(0, |product| self.code.columns * product.matrices.storage.size());
        let mut rest = made;
        let deal = |shares: &'d mut [Share<'a>]| {
            let rows: usize = shares.iter().map(|share| share.rows).sum();
            let (made, others) = std::mem::take(&mut rest).split_at_mut(rows * row);
            rest = others;
            Mutex::new(Deal { shares, made })
        };
        shares.chunks_mut(per_thread).map(deal).collect()
    }
}

/// Shares in groups of at most so many, about equally large.
fn even<'d, 'a>(mut shares: &'d mut [Share<'a>], most: usize) -> impl Iterator<Item = &'d mut [Share<'a>]> {
    let mut groups = shares.len().div_ceil(most);
    std::iter::from_fn(move || {
        let own = shares.len().div_ceil(groups.max(1));
        groups = groups.saturating_sub(1);
        let (own, others) = std::mem::take(&mut shares).split_at_mut(own);
        shares = others;
        (!own.is_empty()).then_some(own)
    })
}

/// Combines the accumulators of the chunks, in their order. False if a sum of ints overflows.
fn join(shares: &mut [Share], number: usize, reduce: Reduce, storage: Storage, out: &mut [u8]) -> bool {
    let mut nothing = vec![reduce.start(); if shares.is_empty() { out.len() / storage.size() } else { 0 }];
    let sums: &mut [f64] = match shares.split_first_mut() {
        None => &mut nothing,
        Some((first, rest)) => {
            let sums = &mut *first.partials[number];
            for share in rest {
                let parts = share.partials[number].iter();
                match reduce {
                    Reduce::Sum => sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part),
                    Reduce::Max | Reduce::Min => {
                        sums.iter_mut().zip(parts).for_each(|(most, part)| *most = reduce.join(*most, *part));
                    }
                }
            }
            sums
        }
    };
    match storage {
        Storage::F32 => cast_slice_mut::<u8, f32>(out).iter_mut().zip(&*sums).for_each(|(cell, x)| *cell = *x as f32),
        Storage::F64 => cast_slice_mut::<u8, f64>(out).copy_from_slice(sums),
        Storage::I32 | Storage::Bool => {
            cast_slice_mut::<u8, i32>(out).iter_mut().zip(&*sums).for_each(|(cell, x)| *cell = *x as i32);
            let far = |x: &f64| x.is_finite() && (*x > f64::from(i32::MAX) || *x < f64::from(i32::MIN));
            return !sums.iter().any(far);
        }
    }
    true
}
