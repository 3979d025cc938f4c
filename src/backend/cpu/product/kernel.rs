//! The innermost loops of a product: a tile of the result, some rows by one or two vectors, stays in registers while the depth
//! passes.

use super::vector::{Plain, Vector};
#[cfg(target_arch = "x86_64")]
use super::vector::{Wide, Widest};

/// The most rows of a tile.
pub const MOST: usize = 14;

/// The most rows of a tile whose left operand is read in place: as many addresses stay in registers.
pub const MOST_IN_PLACE: usize = 10;

/// How the operands of a tile lie.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    /// The left one in steps of `a_row` and `a_depth`, the right one in steps of `b_depth`.
    Strided,
    /// The left one packed: the tile's rows side by side, one such group for each step of the depth.
    Packed,
    /// The left one where its `rows` and `steps` say.
    LeftInPlace,
    /// The left one packed, the vectors of the right one where `vectors` and `steps` say.
    RightInPlace,
    /// The same for halves of vectors.
    HalvesInPlace,
}

impl Mode {
    const COUNT: usize = 5;
    const STRIDED: u8 = Mode::Strided as u8;
    const LEFT_IN_PLACE: u8 = Mode::LeftInPlace as u8;
    const RIGHT_IN_PLACE: u8 = Mode::RightInPlace as u8;
    const HALVES_IN_PLACE: u8 = Mode::HalvesInPlace as u8;
}

/// A tile of the result, and where its operands lie. What its mode does not name is not read.
#[derive(Clone, Copy)]
pub struct Tile {
    pub a: *const f32,
    pub a_row: isize,
    pub a_depth: isize,
    pub rows: [isize; MOST],
    pub b: *const f32,
    pub b_depth: isize,
    pub vectors: [isize; 4],
    /// The offset of each step of the depth.
    pub steps: *const i32,
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
    /// By mode, vectors less one, rows less one.
    kernels: [[[Kernel; MOST]; 2]; Mode::COUNT],
}

impl Family {
    /// The columns of the widest tile.
    pub fn width(&self) -> usize {
        2 * self.lanes
    }

    /// The kernel for a tile.
    pub fn kernel(&self, mode: Mode, rows: usize, columns: usize) -> Kernel {
        self.kernels[mode as usize][usize::from(columns > self.lanes)][rows - 1]
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
unsafe fn run<V: Vector, const ROWS: usize, const VECTORS: usize, const MODE: u8>(tile: &Tile) {
    let full = tile.columns == VECTORS * V::LANES;
    // SAFETY: the caller has checked all addresses, and what the processor has.
    unsafe {
        let masks: [V::Mask; VECTORS] = std::array::from_fn(|at| V::first(tile.columns.saturating_sub(at * V::LANES)));
        for own in 0..ROWS {
            (0..VECTORS).for_each(|at| V::prefetch(tile.out.wrapping_add(own * tile.out_row + at * V::LANES)));
        }
        let sums = match full {
            true => pass::<V, ROWS, VECTORS, MODE, true>(tile, masks),
            false => pass::<V, ROWS, VECTORS, MODE, false>(tile, masks),
        };
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

/// The sums of a tile.
#[inline(always)]
unsafe fn pass<V: Vector, const ROWS: usize, const VECTORS: usize, const MODE: u8, const FULL: bool>(
    tile: &Tile,
    masks: [V::Mask; VECTORS],
) -> [[V; VECTORS]; ROWS] {
    let (mut a, mut b) = (tile.a, tile.b);
    let (row, step) = if MODE == Mode::STRIDED { (tile.a_row, tile.a_depth) } else { (1, ROWS as isize) };
    let rows: [*const f32; ROWS] = std::array::from_fn(|own| a.wrapping_offset(tile.rows[own]));
    // SAFETY: as the caller says.
    unsafe {
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        let mut cells = [V::zero(); VECTORS];
        for at in 0..tile.depth {
            let offset = match MODE {
                Mode::LEFT_IN_PLACE | Mode::RIGHT_IN_PLACE | Mode::HALVES_IN_PLACE => *tile.steps.add(at) as isize,
                _ => 0,
            };
            for (at, cell) in cells.iter_mut().enumerate() {
                let half = |half: usize| b.offset(tile.vectors[2 * at + half] + offset);
                *cell = match MODE {
                    Mode::RIGHT_IN_PLACE => V::load(half(0)),
                    Mode::HALVES_IN_PLACE => V::load_halves(half(0), half(1)),
                    _ if FULL => V::load(b.add(at * V::LANES)),
                    _ => V::load_some(b.add(at * V::LANES), masks[at]),
                };
            }
            for own in 0..ROWS {
                let x = V::spread(match MODE {
                    Mode::LEFT_IN_PLACE => rows[own].wrapping_offset(offset),
                    _ => a.wrapping_offset(own as isize * row),
                });
                (0..VECTORS).for_each(|at| sums[own][at] = sums[own][at].add_product(x, cells[at]));
            }
            a = a.wrapping_offset(step);
            if MODE != Mode::RIGHT_IN_PLACE && MODE != Mode::HALVES_IN_PLACE {
                b = b.wrapping_offset(tile.b_depth);
            }
        }
        sums
    }
}

unsafe fn plain<const ROWS: usize, const VECTORS: usize, const MODE: u8>(tile: &Tile) {
    // SAFETY: as the caller says.
    unsafe { run::<Plain, ROWS, VECTORS, MODE>(tile) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn wide<const ROWS: usize, const VECTORS: usize, const MODE: u8>(tile: &Tile) {
    // SAFETY: as the caller says.
    unsafe { run::<Wide, ROWS, VECTORS, MODE>(tile) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn widest<const ROWS: usize, const VECTORS: usize, const MODE: u8>(tile: &Tile) {
    // SAFETY: as the caller says.
    unsafe { run::<Widest, ROWS, VECTORS, MODE>(tile) }
}

/// A family of so many lanes, and its rows in order.
macro_rules! family {
    ($kernel:ident, $lanes:literal, $most:literal: $($rows:literal)*) => {
        Family {
            rows: $most,
            lanes: $lanes,
            kernels: [
                family!(@ $kernel, 0: $($rows)*),
                family!(@ $kernel, 1: $($rows)*),
                family!(@ $kernel, 2: $($rows)*),
                family!(@ $kernel, 3: $($rows)*),
                family!(@ $kernel, 4: $($rows)*),
            ],
        }
    };
    (@ $kernel:ident, $mode:literal: $($rows:literal)*) => {
        [family!(@ $kernel, 1, $mode: $($rows)*), family!(@ $kernel, 2, $mode: $($rows)*)]
    };
    (@ $kernel:ident, $vectors:literal, $mode:literal: $($rows:literal)*) => {{
        let mut table: [Kernel; MOST] = [$kernel::<1, $vectors, $mode>; MOST];
        $(table[$rows - 1] = $kernel::<$rows, $vectors, $mode>;)*
        table
    }};
}

static PLAIN: Family = family!(plain, 8, 6: 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
static WIDE: Family = family!(wide, 8, 6: 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
static WIDEST: Family = family!(widest, 16, 14: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
