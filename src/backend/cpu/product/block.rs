//! A block of one result of 32-bit floats: which parts of the operands pass when, so that they are read from the cache.

use super::kernel::{MOST, Mode, Tile};
use super::pack::pack;
use super::single::{Operands, Right, Single};
use std::ops::Range;

/// The most of the depth that a tile passes at once.
pub const BLOCK: usize = 512;

/// The most rows that pass over the right operand together.
pub const GROUP: usize = 256;

/// The most floats of the left operand that are packed at once, and of the result that are computed at once: they stay in the L2
/// cache.
pub const AT_ONCE: usize = GROUP * 1024;

/// What makes a block.
pub struct Block<'b> {
    pub single: &'b Single,
    /// Of this one result.
    pub operands: Operands<'b>,
    /// The first element of the block, and the elements from row to row.
    pub out: *mut f32,
    pub out_row: usize,
    /// The right operand, packed for all threads.
    pub shared: *const f32,
    /// Room of the thread to pack the left operand, and a panel of the right one.
    pub left: *mut f32,
    pub right: *mut f32,
    /// Whether the rows of the left operand have been packed for all of the depth.
    pub packed: bool,
}

impl Block<'_> {
    /// Computes these rows and columns, for some of the depth.
    ///
    /// # Safety
    /// The operands have all their elements, the rooms are as large as the product says, and nobody else uses the block.
    pub unsafe fn run(&self, rows: Range<usize>, columns: Range<usize>, depth: Range<usize>) {
        let width = self.single.family.width();
        for group in even(rows.len(), GROUP) {
            let tiles = Tiles::new(rows.start + group.start..rows.start + group.end, self.single.tile_rows());
            let whole = self.single.packs_whole(group.len(), depth.len());
            let few = columns.len() <= 8 * width;
            let broad = if few { 8 * width } else { (AT_ONCE / group.len() / width).max(8) * width };
            // SAFETY: as the caller says.
            unsafe {
                if whole && !self.packed {
                    let place = |steps: &Range<usize>| self.left.add(group.len() * (steps.start - depth.start));
                    blocks(depth.clone()).for_each(|steps| self.pack_left(&tiles, steps.clone(), place(&steps)));
                }
                for start in columns.clone().step_by(broad) {
                    let end = columns.end.min(start + broad);
                    for steps in blocks(depth.clone()) {
                        if self.single.packs_left() && !whole {
                            self.pack_left(&tiles, steps.clone(), self.left);
                        }
                        let before = steps.start - depth.start;
                        let left = self.left.add(if whole { group.len() * before } else { 0 });
                        for panel in (start..end).step_by(width) {
                            let out = self.out.add(group.start * self.out_row + panel - columns.start);
                            self.panel(&tiles, left, panel..end.min(panel + width), steps.clone(), (out, before > 0));
                        }
                    }
                }
            }
        }
    }

    /// A panel of the right operand: where it is, and the elements from one step of the depth to the next.
    #[inline(always)]
    unsafe fn right(&self, panel: Range<usize>, steps: Range<usize>) -> (*const f32, isize) {
        let Single { b, depth, right, mode, .. } = self.single;
        let broad = self.single.broad(panel.len());
        // SAFETY: as the caller of `run` says.
        unsafe {
            match (right, mode) {
                (Right::InPlace, Mode::RightInPlace | Mode::HalvesInPlace) => (self.operands.b, 0),
                (Right::InPlace, _) => {
                    let start = b.lanes.at(panel.start) + b.depth.at(steps.start);
                    (self.operands.b.offset(start), b.depth.stride().unwrap_or(0))
                }
                (Right::Shared, _) => (self.shared.add(panel.start * depth + steps.start * broad), broad as isize),
                (Right::Own, _) => {
                    pack(self.operands.b, (&b.lanes, panel), (&b.depth, steps), self.right, broad);
                    (self.right.cast_const(), broad as isize)
                }
            }
        }
    }

    /// All tiles of a panel, whose results are added to what is there, or take its place.
    #[inline(always)]
    unsafe fn panel(
        &self,
        tiles: &Tiles,
        left: *const f32,
        panel: Range<usize>,
        steps: Range<usize>,
        (out, add): (*mut f32, bool),
    ) {
        let Single { a, b, family, mode, .. } = self.single;
        let (a_row, a_depth) = a.lanes.stride().zip(a.depth.stride()).unwrap_or((0, 0));
        let (depth, out_row, columns) = (steps.len(), self.out_row, panel.len());
        let half = family.lanes / 2;
        let vectors = match mode {
            Mode::RightInPlace | Mode::HalvesInPlace => std::array::from_fn(|at| {
                let lane = panel.start + at * half;
                if lane < panel.end { b.lanes.at(lane) } else { 0 }
            }),
            Mode::Strided | Mode::Packed | Mode::LeftInPlace => [0; 4],
        };
        // SAFETY: as the caller of `run` says.
        unsafe {
            let (b, b_depth) = self.right(panel, steps.clone());
            for rows in tiles.each() {
                let before = rows.start - tiles.rows.start;
                let mut offsets = [0; MOST];
                let a = match mode {
                    Mode::Packed | Mode::RightInPlace | Mode::HalvesInPlace => left.add(before * depth),
                    Mode::LeftInPlace => {
                        offsets.iter_mut().zip(rows.clone()).for_each(|(offset, row)| *offset = a.lanes.at(row));
                        self.operands.a
                    }
                    Mode::Strided => {
                        let place = rows.start as isize * a_row + steps.start as isize * a_depth;
                        self.operands.a.wrapping_offset(place)
                    }
                };
                let out = out.add(before * out_row);
                let steps = self.single.steps.as_ptr().wrapping_add(steps.start);
                let (rows, height) = (offsets, rows.len());
                let tile =
                    Tile { a, a_row, a_depth, rows, b, b_depth, vectors, steps, depth, out, out_row, columns, add };
                family.kernel(*mode, height, columns)(&tile);
            }
        }
    }

    /// Packs the left operand's tiles for some of the depth.
    unsafe fn pack_left(&self, tiles: &Tiles, steps: Range<usize>, left: *mut f32) {
        let a = &self.single.a;
        for rows in tiles.each() {
            let (before, height) = (rows.start - tiles.rows.start, rows.len());
            // SAFETY: as the caller of `run` says.
            unsafe {
                let out = left.add(before * steps.len());
                pack(self.operands.a, (&a.lanes, rows), (&a.depth, steps.clone()), out, height);
            }
        }
    }
}

/// Rows in tiles of about equal height: 128 rows are ten tiles of 12 or 13, not nine of 14 and one of 2.
struct Tiles {
    rows: Range<usize>,
    count: usize,
    /// Of a tile, and how many have one more.
    height: usize,
    more: usize,
}

impl Tiles {
    fn new(rows: Range<usize>, most: usize) -> Tiles {
        let len = rows.len();
        if len <= most {
            return Tiles { rows, count: 1, height: len, more: 0 };
        }
        let count = len.div_ceil(most);
        Tiles { rows, count, height: len / count, more: len % count }
    }

    #[inline(always)]
    fn each(&self) -> impl Iterator<Item = Range<usize>> {
        let start = |tile: usize| self.rows.start + tile * self.height + tile.min(self.more);
        (0..self.count).map(move |tile| start(tile)..start(tile + 1))
    }
}

/// The depth, or a part of it, in blocks. They depend on it alone.
#[inline(always)]
fn blocks(depth: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    even(depth.len(), BLOCK).map(move |steps| depth.start + steps.start..depth.start + steps.end)
}

/// So many in parts of about equal size.
#[inline(always)]
fn even(len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = if len <= most { 1 } else { len.div_ceil(most) };
    (0..count).map(move |part| if count == 1 { 0..len } else { len * part / count..len * (part + 1) / count })
}
