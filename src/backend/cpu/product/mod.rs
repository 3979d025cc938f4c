//! Products of matrices. How a product is divided among threads changes no bit of it.
//!
//! | file | what |
//! |---|---|
//! | `single` | those of 32-bit floats: what each thread does |
//! | `deep` | those whose depth is divided |
//! | `block` | which parts of their operands pass when |
//! | `kernel` | their innermost loops |
//! | `vector` | what those compute with |
//! | `pack` | operands, rearranged |
//! | `offsets` | where operands lie |
//! | `room` | working memory |
//! | `double` | those of 64-bit floats |

mod block;
mod deep;
mod double;
pub mod kernel;
pub mod offsets;
mod pack;
pub mod room;
pub mod single;
pub(super) mod vector;

use super::pool::Pool;
use super::tile::Read;
use crate::plan::{Matrices, Storage};
use bytemuck::{cast_slice, cast_slice_mut};
use double::Double;
use offsets::{Offsets, Side};
use room::Rooms;
use single::{Operands, Single};
use std::sync::{Mutex, PoisonError};

/// A product, made ready when its plan is loaded.
pub struct Product {
    pub matrices: Matrices,
    single: Single,
    double: Double,
}

impl Product {
    pub fn new(matrices: &Matrices, threads: usize) -> Product {
        let Matrices { batch, rows, depth, columns, a, b, .. } = matrices;
        let offsets = |sizes: &[usize], strides: &[isize]| {
            Offsets::new(&sizes.iter().copied().zip(strides.iter().copied()).collect::<Vec<_>>())
        };
        let left = Side { batch: offsets(batch, &a[0]), lanes: offsets(rows, &a[1]), depth: offsets(depth, &a[2]) };
        let right = Side { batch: offsets(batch, &b[0]), lanes: offsets(columns, &b[2]), depth: offsets(depth, &b[1]) };
        let double = Double::new(matrices.counts(), left.clone(), right.clone());
        let single = Single::new(matrices.counts(), left, right, threads);
        Product { matrices: matrices.clone(), single, double }
    }

    /// Makes the room that it needs.
    pub fn reserve(&self, rooms: &mut Rooms) {
        match self.matrices.storage {
            Storage::F64 => {}
            Storage::F32 | Storage::I32 | Storage::Bool => self.single.reserve(rooms),
        }
    }

    /// Whether threads divide its rows: the loop that follows it can then run on the same thread.
    pub fn by_rows(&self) -> bool {
        self.single.by_rows()
    }

    pub fn is_small(&self) -> bool {
        self.single.is_small()
    }

    /// Packs what all threads read, before any of the rows.
    pub fn prepare(&self, a: Read, b: Read, rooms: &mut Rooms, pool: &Pool) -> Result<(), String> {
        match self.matrices.storage {
            Storage::F64 => {}
            Storage::F32 | Storage::I32 | Storage::Bool => self.single.prepare(self.operands(a, b)?, rooms, pool),
        }
        Ok(())
    }

    /// Some rows of the products, one below the other, from the row `first` on, as many as `out` has room for: what one thread
    /// does.
    pub fn rows(
        &self,
        first: usize,
        a: Read,
        b: Read,
        out: &mut [u8],
        rooms: &Rooms,
        thread: usize,
    ) -> Result<(), String> {
        match self.matrices.storage {
            Storage::F64 => {
                let made = self.double.rows(first, a, b, cast_slice_mut(out));
                return made.map_err(|wrong| format!("{MISFIT}: {wrong}"));
            }
            Storage::F32 | Storage::I32 | Storage::Bool => {
                self.single.rows(self.operands(a, b)?, first, cast_slice_mut(out), rooms, thread);
            }
        }
        Ok(())
    }

    /// All of it. Operands that do not fit their buffers are a fault of the plan, and an error.
    pub fn run(&self, a: Read, b: Read, out: &mut [u8], rooms: &mut Rooms, pool: &Pool) -> Result<(), String> {
        match self.matrices.storage {
            Storage::F64 => return self.run_double(a, b, out, rooms, pool),
            Storage::F32 | Storage::I32 | Storage::Bool => {
                self.single.run(self.operands(a, b)?, cast_slice_mut(out), rooms, pool);
            }
        }
        Ok(())
    }

    fn run_double(&self, a: Read, b: Read, out: &mut [u8], rooms: &Rooms, pool: &Pool) -> Result<(), String> {
        let [batch, rows, _, columns] = self.matrices.counts();
        let threads = if self.is_small() { 1 } else { pool.threads() };
        let share = (batch * rows).div_ceil(threads).max(1);
        let bytes = (share * columns * Storage::F64.size()).max(1);
        let parts: Vec<Mutex<&mut [u8]>> = out.chunks_mut(bytes).map(Mutex::new).collect();
        let failed: Mutex<Option<String>> = Mutex::new(None);
        let work = |thread: usize| {
            let Some(part) = parts.get(thread) else { return };
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(wrong) = self.rows(thread * share, a, b, &mut part, rooms, thread) {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
            }
        };
        if threads == 1 {
            work(0)
        } else {
            pool.run(&work)
        }
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn operands<'r>(&self, a: Read<'r>, b: Read<'r>) -> Result<Operands<'r>, String> {
        fn floats<'r>(read: Read<'r>) -> (&'r [f32], usize) {
            // A start before the buffer is far behind its end.
            (cast_slice(read.bytes), read.start as usize)
        }
        self.single.operands(floats(a), floats(b)).ok_or(MISFIT.to_string())
    }
}

const MISFIT: &str = "a product does not fit its buffers";
