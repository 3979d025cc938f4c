//! What the machine can do, measured: the limits that the times of kernels are held against. Each is the best of several rounds,
//! for whatever else runs only makes it less.

use super::chains::Chains;
use super::pool::Pool;
use super::product::Product;
use super::product::room::Rooms;
use super::tile::Read;
use crate::plan::{Cost, Matrices, Storage};
use bytemuck::{cast_slice, cast_slice_mut};
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub struct Peaks {
    pub threads: usize,
    /// The instructions that compute.
    pub instructions: &'static str,
    /// Products and sums in a second: of one thread, of all at once.
    pub one: f64,
    pub all: f64,
    /// Products of square matrices: their rows, operations in a second.
    pub products: Vec<(usize, f64)>,
    /// Copies by all threads: the bytes that they read and write over and over, the least first, and bytes in a second.
    pub copies: Vec<(usize, f64)>,
    /// Seconds until all threads have begun and ended: work of nothing.
    pub round: f64,
}

/// The shortest time that something could take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub seconds: f64,
    pub of: Bound,
}

/// What takes the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    Computing,
    /// Copies of such a working set.
    Moving(usize),
}

/// The sizes of products: one whose operands lie in the second cache, one whose operands do not.
const SIDES: [usize; 2] = [256, 1024];

/// The working sets of copies. A quarter of the next: between two of them a cache ends.
const WORKING: [usize; 7] = [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20];

/// A round of computing and of copying is about so much, that starting it is little of it.
const CHAIN: u32 = 40_000;
const COPIED: usize = 4 << 20;
const HANDED: u32 = 200;

/// The least rounds, however long they take.
const ROUNDS: usize = 3;

impl Peaks {
    /// Measures with so many threads, each of a dozen limits for so long, with copies of at most so many bytes.
    pub fn measure(threads: usize, patience: Duration, most: usize) -> Peaks {
        let pool = Pool::new(threads);
        let chains = Chains::best();
        let computed = chains.run(CHAIN);
        let one = computed / least(patience, || _ = chains.run(CHAIN));
        let all = computed * pool.threads() as f64 / least(patience, || pool.run(&|_| _ = chains.run(CHAIN)));
        let products = SIDES.into_iter().map(|side| (side, product(side, &pool, patience))).collect();
        let copies = copies(&pool, patience, most);
        let rounds = || (0..HANDED).for_each(|_| pool.run(&|thread| _ = black_box(thread)));
        let round = least(patience, rounds) / f64::from(HANDED);
        Peaks { threads: pool.threads(), instructions: chains.instructions, one, all, products, copies, round }
    }

    /// The shortest time in which the machine could compute and move this. What is moved lies where a working set of its size does.
    pub fn limit(&self, cost: Cost) -> Limit {
        let computing = cost.flops as f64 / self.all;
        let copy = self.copies.iter().find(|(working, _)| *working as u64 >= cost.bytes).or(self.copies.last());
        let moving = copy.map(|(working, rate)| (cost.bytes as f64 / rate, *working));
        match moving.filter(|(seconds, _)| *seconds > computing) {
            Some((seconds, working)) => Limit { seconds, of: Bound::Moving(working) },
            None => Limit { seconds: computing, of: Bound::Computing },
        }
    }
}

/// The least seconds that something takes.
fn least(patience: Duration, mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut least = f64::INFINITY;
    for round in 0.. {
        if round >= ROUNDS && began.elapsed() >= patience {
            break;
        }
        let started = Instant::now();
        work();
        least = least.min(started.elapsed().as_secs_f64());
    }
    least
}

fn product(side: usize, pool: &Pool, patience: Duration) -> f64 {
    let row = side as isize;
    let matrices = Matrices {
        storage: Storage::F32,
        batch: Vec::new(),
        rows: vec![side],
        depth: vec![side],
        columns: vec![side],
        a: [vec![], vec![row], vec![1]],
        b: [vec![], vec![row], vec![1]],
    };
    let product = Product::new(&matrices, pool.threads());
    let mut rooms = Rooms::new(pool.threads());
    product.reserve(&mut rooms);
    let (a, b, mut out) = (vec![0.5f32; side * side], vec![0.25f32; side * side], vec![0f32; side * side]);
    let read = |floats| Read { bytes: cast_slice(floats), start: 0 };
    let seconds = least(patience, || {
        let made = product.run(read(&a), read(&b), cast_slice_mut(&mut out), &mut rooms, pool);
        debug_assert_eq!(made, Ok(()));
    });
    2.0 * (side as f64).powi(3) / seconds
}

/// Each thread copies its own bytes, over and over.
fn copies(pool: &Pool, patience: Duration, most: usize) -> Vec<(usize, f64)> {
    let fits = |working: &usize| *working <= most || *working == WORKING[0];
    let largest = WORKING.into_iter().filter(fits).max().unwrap_or(0) / 2;
    let (mut from, mut to) = (vec![0u8; largest], vec![0u8; largest]);
    // Memory that was never written may be one page of zeros.
    let share = largest.div_ceil(pool.threads());
    let parts: Vec<_> = from.chunks_mut(share).zip(to.chunks_mut(share)).map(Mutex::new).collect();
    pool.run(&|thread| {
        let Some(part) = parts.get(thread) else { return };
        let (from, to) = &mut *part.lock().unwrap_or_else(PoisonError::into_inner);
        from.fill(1);
        to.fill(2);
    });
    drop(parts);
    let copied = |working: usize| {
        let share = (working / 2).div_ceil(pool.threads());
        let parts = from[..working / 2].chunks(share).zip(to[..working / 2].chunks_mut(share));
        let parts: Vec<_> = parts.map(Mutex::new).collect();
        let times = (COPIED / working).max(1);
        let seconds = least(patience, || {
            pool.run(&|thread| {
                let Some(part) = parts.get(thread) else { return };
                let (from, to) = &mut *part.lock().unwrap_or_else(PoisonError::into_inner);
                (0..times).for_each(|_| black_box(&mut **to).copy_from_slice(from));
            });
        });
        (working, (times * working) as f64 / seconds)
    };
    WORKING.into_iter().filter(fits).map(copied).collect()
}
