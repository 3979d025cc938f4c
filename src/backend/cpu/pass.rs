//! One pass of a loop: its rows are dealt to the threads. A product of matrices whose rows are dealt in the same way goes
//! before it on each thread, so that what the loop reads is still in the cache and nobody waits in between.

use super::code::Code;
use super::pool::Pool;
use super::tile::{self, Read, Scratch, Share};
use super::{ALONE, borrow, product};
use crate::ir::Reduce;
use crate::plan::{Buffer, BufferId, Instruction, Level, Matrices};
use std::sync::{Mutex, PoisonError};

pub struct Pass<'c> {
    pub code: &'c Code,
    pub buffers: &'c [Buffer],
    pub scalars: &'c [f64],
    /// Of each thread.
    pub scratch: &'c [Mutex<Scratch>],
    pub pool: &'c Pool,
}

/// What one thread does: its rows of a product, if there is one, then its chunks of the loop.
struct Deal<'d, 'a> {
    shares: &'d mut [Share<'a>],
    made: &'a mut [f32],
}

/// Whether a product can go before its loop on the same rows: the loop reads it, and overwrites nothing that it reads.
pub fn takes_in(code: &Code, matrices: &Matrices, threads: usize) -> bool {
    let written = code.writes.iter().map(|(buffer, _)| buffer).chain(code.collects.iter().map(|(buffer, _)| buffer));
    let operands = [matrices.a.0, matrices.b.0];
    let apart = written.into_iter().all(|buffer| !operands.contains(buffer));
    let same = (code.rows, code.columns) == (matrices.rows, matrices.columns);
    matrices.batch == 1
        && same
        && apart
        && code.reads.contains(&matrices.out)
        && code.chunks() >= threads
        && product::by_rows(matrices.rows, matrices.columns)
}

impl Pass<'_> {
    pub fn run(&self, product: Option<&Matrices>, arena: &mut [f32], partials: &mut [f64]) -> Result<(), String> {
        let code = self.code;
        let chunks = code.chunks();
        let written = code.writes.iter().map(|(id, _)| *id);
        let collected = code.collects.iter().map(|(id, _)| *id);
        let operands = product.map(|matrices| [matrices.a.0, matrices.b.0]);
        let wanted: Vec<BufferId> =
            code.reads.iter().copied().chain(written).chain(collected).chain(operands.into_iter().flatten()).collect();
        let mut slices = borrow(arena, self.buffers, &wanted);
        let operands = slices.split_off(code.reads.len() + code.writes.len() + code.collects.len());
        let collected = slices.split_off(code.reads.len() + code.writes.len());
        let outs = slices.split_off(code.reads.len());
        let place = product.and_then(|matrices| code.reads.iter().position(|read| *read == matrices.out));
        let made = place.map_or(Default::default(), |at| std::mem::take(&mut slices[at]));
        let reads: Vec<Read> = slices.into_iter().map(|values| Read { values, first: 0 }).collect();
        // A buffer that is wanted twice came the first time.
        let operand = |at: usize| -> &[f32] {
            let id = product.map(|matrices| if at == 0 { matrices.a.0 } else { matrices.b.0 });
            match id.and_then(|id| code.reads.iter().position(|read| *read == id)) {
                Some(read) => reads[read].values,
                None if at == 1 && operands[1].is_empty() => &*operands[0],
                None => &*operands[at],
            }
        };

        let mut shares = self.shares(outs);
        let reduces: Vec<Reduce> = code
            .instructions
            .iter()
            .filter_map(|instruction| match instruction {
                Instruction::Collect(reduce, ..) => Some(*reduce),
                _ => None,
            })
            .collect();
        let mut rest = &mut partials[..];
        for (out, reduce) in collected.iter().zip(&reduces) {
            for share in &mut shares {
                let (own, others) = rest.split_at_mut(out.len());
                own.fill(reduce.start());
                share.partials.push(own);
                rest = others;
            }
        }

        let small = product.is_none_or(product::is_small) && code.rows * code.columns.max(1) < ALONE;
        let threads = if small || chunks < 2 { 1 } else { self.pool.threads() };
        // Neighbouring chunks go to one thread.
        let per_thread = chunks.div_ceil(threads).max(1);
        let mut rest = made;
        let dealt: Vec<Mutex<Deal>> = shares
            .chunks_mut(per_thread)
            .map(|shares| {
                let rows: usize = shares.iter().map(|share| share.rows).sum();
                let len = if place.is_some() { rows * code.columns } else { 0 };
                let (made, others) = std::mem::take(&mut rest).split_at_mut(len);
                rest = others;
                Mutex::new(Deal { shares, made })
            })
            .collect();
        let failed: Mutex<Option<String>> = Mutex::new(None);
        let work = |thread: usize| {
            let Some(deal) = dealt.get(thread) else { return };
            let mut deal = deal.lock().unwrap_or_else(PoisonError::into_inner);
            let Deal { shares, made } = &mut *deal;
            let first = shares.first().map_or(0, |share| share.first);
            let own: Vec<Read>;
            let mut reads = &reads;
            if let (Some(matrices), Some(place)) = (product, place) {
                if let Err(wrong) = product::rows(matrices, first, operand(0), operand(1), made) {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
                    return;
                }
                let made = Read { values: made, first: first * code.columns };
                own = reads.iter().enumerate().map(|(at, read)| if at == place { made } else { *read }).collect();
                reads = &own;
            }
            let mut scratch = self.scratch[thread].lock().unwrap_or_else(PoisonError::into_inner);
            shares.iter_mut().for_each(|share| tile::run(code, share, reads, self.scalars, &mut scratch));
        };
        if threads == 1 {
            work(0)
        } else {
            self.pool.run(&work)
        }
        drop(dealt);
        for (number, (out, reduce)) in collected.into_iter().zip(&reduces).enumerate() {
            join(&mut shares, number, *reduce, out);
        }
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// The rows of each chunk, and its part of whatever is written.
    fn shares<'a>(&self, outs: Vec<&'a mut [f32]>) -> Vec<Share<'a>> {
        let code = self.code;
        let share = |chunk: usize| {
            let first = chunk * code.chunk_rows;
            let rows = code.chunk_rows.min(code.rows - first);
            let (writes, partials) = (Vec::with_capacity(outs.len()), Vec::with_capacity(code.collects.len()));
            Share { first, rows, writes, partials }
        };
        let mut shares: Vec<Share> = (0..code.chunks()).map(share).collect();
        for (mut rest, (_, level)) in outs.into_iter().zip(&code.writes) {
            let width = if *level == Level::Full { code.columns } else { 1 };
            for share in &mut shares {
                let (own, others) = rest.split_at_mut(share.rows * width);
                share.writes.push(own);
                rest = others;
            }
        }
        shares
    }
}

/// What is collected over rows: chunk after chunk, in their order.
fn join(shares: &mut [Share], number: usize, reduce: Reduce, out: &mut [f32]) {
    let Some((first, rest)) = shares.split_first_mut() else {
        return out.fill(reduce.start() as f32);
    };
    let sums = &mut first.partials[number];
    for share in rest {
        let parts = share.partials[number].iter();
        match reduce {
            Reduce::Sum => sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part),
            Reduce::Max | Reduce::Min => {
                sums.iter_mut().zip(parts).for_each(|(most, part)| *most = reduce.join(*most, *part));
            }
        }
    }
    out.iter_mut().zip(sums.iter()).for_each(|(cell, sum)| *cell = *sum as f32);
}
