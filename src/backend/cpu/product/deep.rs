//! Products of much depth and few results, such as gradients of weights: threads divide the depth. Its parts depend on the sizes
//! alone, and so do the bits of the result.

use super::room::Rooms;
use super::single::{Operands, Place, Single};
use crate::backend::cpu::pool::Pool;
use std::sync::PoisonError;

/// The most results. Their sums, once for each part, should stay in the L2 cache.
const RESULTS: usize = 64 * 1024;

/// Into how many parts the depth is divided, if it is: the fewer, the less is added in the end.
pub fn parts([batch, rows, depth, columns]: [usize; 4]) -> Option<usize> {
    let parts = match depth {
        16_384.. => 8,
        2048.. => 4,
        _ => return None,
    };
    (batch == 1 && rows * columns <= RESULTS).then_some(parts)
}

impl Single {
    /// The whole product, part by part, and then their sum.
    pub(super) fn run_parts(&self, parts: usize, operands: Operands, out: &mut [f32], rooms: &mut Rooms, pool: &Pool) {
        let (tall, broad) = self.computed();
        let sums = Place::of(rooms.shared.start_mut());
        let rooms = &*rooms;
        assert!(rooms.shared.floats() >= parts * tall * broad && out.len() == tall * broad);
        // More threads than parts divide the rows as well.
        let pieces = pool.threads().div_ceil(parts).min(tall);
        let tasks = parts * pieces;
        self.on_threads(pool, &|thread, threads| {
            let operands = { operands };
            let mut own = rooms.own[thread].lock().unwrap_or_else(PoisonError::into_inner);
            assert!(own.floats() >= self.own_room());
            for task in tasks * thread / threads..tasks * (thread + 1) / threads {
                let (part, piece) = (task / pieces, task % pieces);
                let rows = tall * piece / pieces..tall * (piece + 1) / pieces;
                let depth = self.depth * part / parts..self.depth * (part + 1) / parts;
                let out = sums.from((part * tall + rows.start) * broad);
                // SAFETY: the operands have all their elements, and these rows of this part are the thread's.
                unsafe { self.block(operands, (out, broad), &rooms.shared, &mut own).run(rows, 0..broad, depth) }
            }
        });
        let (out, rows, columns) = (Place::of(out.as_mut_ptr()), self.rows, self.columns);
        let (row, column) = if self.turned { (1, broad) } else { (broad, 1) };
        self.on_threads(pool, &|thread, threads| {
            for own in rows * thread / threads..rows * (thread + 1) / threads {
                for at in 0..columns {
                    let place = sums.from(own * row + at * column).cast_const();
                    // SAFETY: all parts are made, and each row of the result is one thread's.
                    unsafe {
                        let part = |part: usize| *place.add(part * tall * broad);
                        *out.from(own * columns + at) = (1..parts).fold(part(0), |sum, next| sum + part(next));
                    }
                }
            }
        });
    }
}
