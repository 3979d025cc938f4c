//! The innermost loops of a product: a tile of the result, some rows by one or two vectors, stays in registers while the depth
//! passes.

use super::vector::{Plain, Vector};
#[cfg(target_arch = "x86_64")]
use super::vector::{Wide, Widest};

/// The most rows of a tile.
const MOST: usize = 14;

/// A tile of the result, and where its operands lie: the element `(row, depth)` of the left one at `row * a_row + depth * a_depth`,
/// a row of the right one from `depth * b_depth` on.
#[derive(Clone, Copy)]
pub struct Tile {
    pub a: *const f32,
    pub a_row: isize,
    pub a_depth: isize,
    pub b: *const f32,
    pub b_depth: isize,
    pub depth: usize,
    pub out: *mut f32,
    pub out_row: usize,
    /// At most as many as the vectors have lanes.
    pub columns: usize,
    /// Whether the result is added to what is there, or takes its place.
    pub add: bool,
}

/// # Safety
/// The processor has what the kernel is compiled for, and all that the tile addresses is there; nobody else uses the result.
pub type Kernel = unsafe fn(&Tile);

/// Kernels for one kind of processor.
pub struct Family {
    /// The most rows of a tile.
    pub rows: usize,
    /// Of a vector.
    pub lanes: usize,
    /// By whether the left operand is packed, vectors less one, rows less one.
    kernels: [[[Kernel; MOST]; 2]; 2],
}

impl Family {
    /// The columns of the widest tile.
    pub fn width(&self) -> usize {
        2 * self.lanes
    }

    /// The kernel for a tile. A packed left operand has the tile's rows side by side, one such group for each step of the depth.
    pub fn kernel(&self, packed: bool, rows: usize, columns: usize) -> Kernel {
        self.kernels[usize::from(packed)][usize::from(columns > self.lanes)][rows - 1]
    }

    /// What the processor runs fastest.
    pub fn best() -> &'static Family {
        Family::all().pop().unwrap_or(&PLAIN)
    }

    /// All that the processor can run, the fastest last.
    pub fn all() -> Vec<&'static Family> {
        let mut found = vec![&PLAIN];
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                found.push(&WIDE);
            }
            if std::arch::is_x86_feature_detected!("avx512f") {
                found.push(&WIDEST);
            }
        }
        found
    }
}

#[inline(always)]
unsafe fn run<V: Vector, const ROWS: usize, const VECTORS: usize, const PACKED: bool>(tile: &Tile) {
    let (row, step) = if PACKED { (1, ROWS as isize) } else { (tile.a_row, tile.a_depth) };
    let (mut a, mut b) = (tile.a, tile.b);
    // SAFETY: the caller has checked all addresses, and what the processor has.
    unsafe {
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        let mut cells = [V::zero(); VECTORS];
        let full = tile.columns == VECTORS * V::LANES;
        let masks: [V::Mask; VECTORS] = std::array::from_fn(|at| V::first(tile.columns.saturating_sub(at * V::LANES)));
        for own in 0..ROWS {
            (0..VECTORS).for_each(|at| V::prefetch(tile.out.wrapping_add(own * tile.out_row + at * V::LANES)));
        }
        if full {
            for _ in 0..tile.depth {
                for (at, cell) in cells.iter_mut().enumerate() {
                    *cell = V::load(b.add(at * V::LANES));
                }
                (0..ROWS).for_each(|own| {
                    let x = V::spread(a.wrapping_offset(own as isize * row));
                    (0..VECTORS).for_each(|at| sums[own][at] = sums[own][at].add_product(x, cells[at]));
                });
                (a, b) = (a.wrapping_offset(step), b.wrapping_offset(tile.b_depth));
            }
        } else {
            for _ in 0..tile.depth {
                for (at, cell) in cells.iter_mut().enumerate() {
                    *cell = V::load_some(b.add(at * V::LANES), masks[at]);
                }
                (0..ROWS).for_each(|own| {
                    let x = V::spread(a.wrapping_offset(own as isize * row));
                    (0..VECTORS).for_each(|at| sums[own][at] = sums[own][at].add_product(x, cells[at]));
                });
                (a, b) = (a.wrapping_offset(step), b.wrapping_offset(tile.b_depth));
            }
        }
        for (own, sums) in sums.into_iter().enumerate() {
            for (at, mut sum) in sums.into_iter().enumerate() {
                let out = tile.out.add(own * tile.out_row + at * V::LANES);
                if full {
                    sum = if tile.add { V::load(out).add(sum) } else { sum };
                    sum.store(out);
                } else {
                    sum = if tile.add { V::load_some(out, masks[at]).add(sum) } else { sum };
                    sum.store_some(out, masks[at]);
                }
            }
        }
    }
}

unsafe fn plain<const ROWS: usize, const VECTORS: usize, const PACKED: bool>(tile: &Tile) {
    // SAFETY: as the caller says.
    unsafe { run::<Plain, ROWS, VECTORS, PACKED>(tile) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn wide<const ROWS: usize, const VECTORS: usize, const PACKED: bool>(tile: &Tile) {
    // SAFETY: as the caller says.
    unsafe { run::<Wide, ROWS, VECTORS, PACKED>(tile) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn widest<const ROWS: usize, const VECTORS: usize, const PACKED: bool>(tile: &Tile) {
    // SAFETY: as the caller says.
    unsafe { run::<Widest, ROWS, VECTORS, PACKED>(tile) }
}

/// A family of so many lanes, and its rows in order.
macro_rules! family {
    ($kernel:ident, $lanes:literal, $most:literal: $($rows:literal)*) => {
        Family {
            rows: $most,
            lanes: $lanes,
            kernels: [
                [family!(@ $kernel, 1, false: $($rows)*), family!(@ $kernel, 2, false: $($rows)*)],
                [family!(@ $kernel, 1, true: $($rows)*), family!(@ $kernel, 2, true: $($rows)*)],
            ],
        }
    };
    (@ $kernel:ident, $vectors:literal, $packed:literal: $($rows:literal)*) => {{
        let mut table: [Kernel; MOST] = [$kernel::<1, $vectors, $packed>; MOST];
        $(table[$rows - 1] = $kernel::<$rows, $vectors, $packed>;)*
        table
    }};
}

static PLAIN: Family = family!(plain, 8, 6: 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
static WIDE: Family = family!(wide, 8, 6: 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
static WIDEST: Family = family!(widest, 16, 14: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
