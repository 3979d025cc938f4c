//! Products of 32-bit floats. Each element of the result is a sum over blocks of the depth, whose bounds depend on the depth alone,
//! and within a block one chain of products that are added with one rounding. So its bits do not depend on how a product is
//! packed, computed, or divided among threads.

use super::block::{AT_ONCE, BLOCK, Block, GROUP};
use super::deep;
use super::kernel::{Family, MOST_IN_PLACE, Mode};
use super::offsets::Side;
use super::pack::pack;
use super::room::{Room, Rooms};
use crate::backend::cpu::pool::Pool;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};

/// With fewer multiplications a product is not worth waking threads for.
const ALONE: usize = 64 * 1024;

/// The most floats of a right operand that is packed for all threads.
const MOST_SHARED: usize = 4 << 20;

/// With more rows, a right operand whose depth is scattered is worth packing.
const IN_PLACE_ROWS: usize = 128;

/// With more vectors of columns, a scattered left operand is worth packing.
const IN_PLACE_VECTORS: usize = 4;

/// Where the right operand is read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Right {
    /// Where it lies.
    InPlace,
    /// Packed once for all threads.
    Shared,
    /// Packed by each thread, panel by panel.
    Own,
}

/// What threads divide.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Division {
    Rows,
    Columns,
    /// The depth, into so many parts.
    Depth(usize),
}

/// A product, made ready for a processor and a number of threads.
pub struct Single {
    batch: usize,
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) a: Side,
    pub(super) b: Side,
    /// How many elements before the first one, and how many from there on, each needs.
    extents: [(usize, usize); 2],
    pub(super) family: &'static Family,
    pub(super) mode: Mode,
    pub(super) right: Right,
    /// The offset of each step of the depth, of an operand that is read in place though they have no stride.
    pub(super) steps: Arc<[i32]>,
    /// Whether the operands have changed places: a result of one column is one row as well, and what is divided by its depth is
    /// summed into any order.
    pub(super) turned: bool,
    division: Division,
}

/// Operands of a product, each from its first element on.
#[derive(Clone, Copy)]
pub struct Operands<'o> {
    pub(super) a: *const f32,
    pub(super) b: *const f32,
    borrowed: PhantomData<&'o [f32]>,
}

// SAFETY: they are borrowed, and read only.
unsafe impl Sync for Operands<'_> {}

/// A place of the result, or of a packed operand, that threads write parts of.
#[derive(Clone, Copy)]
pub(super) struct Place(*mut f32);

// SAFETY: each thread writes its own part.
unsafe impl Sync for Place {}

impl Place {
    pub(super) fn of(start: *mut f32) -> Place {
        Place(start)
    }

    pub(super) fn from(self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

impl Single {
    /// Of so many matrices, rows, steps of the depth and columns.
    pub fn new([batch, rows, depth, columns]: [usize; 4], a: Side, b: Side, threads: usize) -> Single {
        Single::with(Family::best(), [batch, rows, depth, columns], a, b, threads)
    }

    pub fn with(family: &'static Family, sizes: [usize; 4], a: Side, b: Side, threads: usize) -> Single {
        let [batch, rows, depth, columns] = sizes;
        let parts = deep::parts(sizes);
        let readable = |side: &Side| side.depth.stride().is_some() && side.lanes.stride() == Some(1);
        let turned = (columns == 1 && rows > 1) || (parts.is_some() && columns > rows && !readable(&b));
        let (a, b, tall, broad) = if turned { (b, a, columns, rows) } else { (a, b, rows, columns) };
        let panels = broad.div_ceil(family.width());
        let strided = |side: &Side| Some((side.lanes.stride()?, side.depth.stride()?));
        let left = match strided(&a) {
            None if broad <= IN_PLACE_VECTORS * family.lanes => Mode::LeftInPlace,
            None => Mode::Packed,
            // Rows that a power of two lies between would drive one another out of the L1 cache.
            Some((row, 1)) if row % 1024 == 0 && panels >= 4 && tall > 8 => Mode::Packed,
            Some((_, depth)) if depth != 1 && panels >= 2 && tall > 1 => Mode::Packed,
            Some(_) => Mode::Strided,
        };
        let in_groups =
            |of: usize| broad.is_multiple_of(family.lanes) && tall <= IN_PLACE_ROWS && !turned && b.lanes.in_groups(of);
        let reads_in_place = readable(&b) || (strided(&b).is_some() && broad == 1);
        let one_right = batch == 1 || b.batch.stride() == Some(0);
        let shareable = depth * broad.next_multiple_of(family.width()) <= MOST_SHARED && parts.is_none();
        let few = tall <= 2 * family.rows || broad <= 2 * family.width();
        let mut by_rows = batch > 1 || rows >= columns / 4 || depth == 0;
        let (mode, right) = if reads_in_place && few {
            (left, Right::InPlace)
        } else if !reads_in_place && in_groups(family.lanes) {
            (Mode::RightInPlace, Right::InPlace)
        } else if !reads_in_place && in_groups(family.lanes / 2) {
            (Mode::HalvesInPlace, Right::InPlace)
        } else if one_right && by_rows && shareable && !turned {
            (left, Right::Shared)
        } else {
            by_rows &= batch > 1 || turned || depth == 0;
            (left, Right::Own)
        };
        let division = match parts {
            Some(parts) => Division::Depth(parts),
            None if by_rows || threads == 1 => Division::Rows,
            None => Division::Columns,
        };
        let steps = match mode {
            Mode::Strided | Mode::Packed => Arc::default(),
            Mode::LeftInPlace => a.depth.table(),
            Mode::RightInPlace | Mode::HalvesInPlace => b.depth.table(),
        };
        // Where there is nothing to multiply, nothing is read.
        let extents = if sizes.contains(&0) { Default::default() } else { [a.extent(), b.extent()] };
        Single { batch, rows, depth, columns, a, b, extents, family, mode, right, steps, turned, division }
    }

    /// The rows and columns that are computed.
    pub(super) fn computed(&self) -> (usize, usize) {
        if self.turned { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    pub(super) fn packs_left(&self) -> bool {
        match self.mode {
            Mode::Strided | Mode::LeftInPlace => false,
            Mode::Packed | Mode::RightInPlace | Mode::HalvesInPlace => true,
        }
    }

    /// Whether so many rows of the left operand are packed for so much of the depth before any of it is read.
    pub(super) fn packs_whole(&self, rows: usize, depth: usize) -> bool {
        self.packs_left() && rows * depth <= self.left_room()
    }

    /// The most rows of a tile.
    pub(super) fn tile_rows(&self) -> usize {
        if self.mode == Mode::LeftInPlace { self.family.rows.min(MOST_IN_PLACE) } else { self.family.rows }
    }

    /// Whether threads divide its rows: the loop that follows it can then run on the same thread.
    pub fn by_rows(&self) -> bool {
        self.division == Division::Rows
    }

    /// Floats of what is packed for all threads, or of the parts of the depth.
    fn shared_room(&self) -> usize {
        match self.division {
            Division::Depth(parts) => parts * self.rows * self.columns,
            Division::Rows | Division::Columns if self.right == Right::Shared => {
                self.depth * self.columns.next_multiple_of(self.family.width())
            }
            Division::Rows | Division::Columns => 0,
        }
    }

    /// Floats that each thread needs to pack.
    pub(super) fn own_room(&self) -> usize {
        self.left_room() + if self.right == Right::Own { self.depth.min(BLOCK) * self.family.width() } else { 0 }
    }

    pub(super) fn left_room(&self) -> usize {
        let group = self.computed().0.min(GROUP);
        let steps = if group * self.depth <= AT_ONCE { self.depth } else { BLOCK };
        // Aligned, for what follows it.
        if self.packs_left() { (group * steps).next_multiple_of(16) } else { 0 }
    }

    pub fn is_small(&self) -> bool {
        self.batch * self.rows * self.depth * self.columns < ALONE
    }

    /// Makes the room that it needs.
    pub fn reserve(&self, rooms: &mut Rooms) {
        rooms.shared.reserve(self.shared_room());
        for own in &mut rooms.own {
            own.get_mut().unwrap_or_else(PoisonError::into_inner).reserve(self.own_room());
        }
    }

    /// Its operands, each from some element of a buffer on, if all their elements are there.
    pub fn operands<'o>(
        &self,
        (a, a_start): (&'o [f32], usize),
        (b, b_start): (&'o [f32], usize),
    ) -> Option<Operands<'o>> {
        let (first, second) = if self.turned { ((b, b_start), (a, a_start)) } else { ((a, a_start), (b, b_start)) };
        let place = |(floats, start): (&[f32], usize), (before, after): (usize, usize)| {
            let fits = start >= before && start.checked_add(after)? <= floats.len();
            fits.then(|| floats.as_ptr().wrapping_add(start))
        };
        let [left, right] = self.extents;
        Some(Operands { a: place(first, left)?, b: place(second, right)?, borrowed: PhantomData })
    }

    /// Packs what all threads read, before any of the rows.
    pub fn prepare(&self, operands: Operands, rooms: &mut Rooms, pool: &Pool) {
        if self.right != Right::Shared {
            return;
        }
        assert!(rooms.shared.floats() >= self.shared_room());
        let (width, shared) = (self.family.width(), Place(rooms.shared.start_mut()));
        let panels = self.columns.div_ceil(width);
        self.on_threads(pool, &|thread, threads| {
            let operands = { operands };
            for panel in panels * thread / threads..panels * (thread + 1) / threads {
                let own = panel * width..self.columns.min((panel + 1) * width);
                let broad = self.broad(own.len());
                let out = shared.from(panel * width * self.depth);
                // SAFETY: the operand has all its elements, and panels are apart.
                unsafe { pack(operands.b, (&self.b.lanes, own), (&self.b.depth, 0..self.depth), out, broad) }
            }
        });
    }

    /// Work that is given its thread and the number of threads.
    pub(super) fn on_threads(&self, pool: &Pool, work: &(dyn Fn(usize, usize) + Sync)) {
        if self.is_small() || pool.threads() == 1 {
            return work(0, 1);
        }
        pool.run(&|thread| work(thread, pool.threads()));
    }

    /// The width of a packed panel of so many columns.
    pub(super) fn broad(&self, columns: usize) -> usize {
        if columns <= self.family.lanes { self.family.lanes } else { self.family.width() }
    }

    /// Some rows of the products, one below the other, from the row `first` on, as many as `out` has room for: what one thread
    /// does.
    pub fn rows(&self, operands: Operands, first: usize, out: &mut [f32], rooms: &Rooms, thread: usize) {
        if self.depth == 0 {
            return out.fill(0.0);
        }
        let rows = out.len() / self.columns.max(1);
        let (shared, mut own) = (&rooms.shared, rooms.own[thread].lock().unwrap_or_else(PoisonError::into_inner));
        assert!(first + rows <= self.batch * self.rows && out.len() == rows * self.columns);
        assert!(own.floats() >= self.own_room() && shared.floats() >= self.shared_room());
        let (out, end) = (out.as_mut_ptr(), first + rows);
        let (mut matrix, mut start, mut row) = (first / self.rows.max(1), first % self.rows.max(1), first);
        // One left operand for all of the batch is packed once.
        let mut before = None;
        while row < end {
            let own_rows = start..self.rows.min(start + end - row);
            let taken = own_rows.len();
            // SAFETY: the operands have all their elements, and these rows of the result are the caller's.
            unsafe {
                let out = out.add((row - first) * self.columns);
                let operands = self.matrix(operands, matrix);
                let (rows, columns) = if self.turned { (0..1, own_rows) } else { (own_rows, 0..self.columns) };
                let whole = rows.len() <= GROUP && self.packs_whole(rows.len(), self.depth);
                let same = Some((self.a.batch.at(matrix), rows.clone()));
                let mut block = self.block(operands, (out, self.columns), shared, &mut own);
                block.packed = whole && before == same;
                block.run(rows, columns, 0..self.depth);
                before = same;
            }
            (matrix, start, row) = (matrix + 1, 0, row + taken);
        }
    }

    /// The whole product.
    pub fn run(&self, operands: Operands, out: &mut [f32], rooms: &mut Rooms, pool: &Pool) {
        assert!(out.len() == self.batch * self.rows * self.columns);
        match self.division {
            Division::Depth(parts) => self.run_parts(parts, operands, out, rooms, pool),
            Division::Columns if !self.is_small() => self.run_columns(operands, out, rooms, pool),
            Division::Rows | Division::Columns => self.run_rows(operands, out, rooms, pool),
        }
    }

    fn run_rows(&self, operands: Operands, out: &mut [f32], rooms: &mut Rooms, pool: &Pool) {
        self.prepare(operands, rooms, pool);
        let (rooms, total) = (&*rooms, self.batch * self.rows);
        let out = Place(out.as_mut_ptr());
        self.on_threads(pool, &|thread, threads| {
            let operands = { operands };
            let part = |thread: usize| total * thread / threads;
            let (first, end) = (part(thread), part(thread + 1));
            let (start, len) = (out.from(first * self.columns), (end - first) * self.columns);
            // SAFETY: rows of one thread.
            let out = unsafe { std::slice::from_raw_parts_mut(start, len) };
            self.rows(operands, first, out, rooms, thread);
        });
    }

    /// One matrix, whose columns are divided at the edges of panels.
    fn run_columns(&self, operands: Operands, out: &mut [f32], rooms: &Rooms, pool: &Pool) {
        let out = Place(out.as_mut_ptr());
        let width = self.family.width();
        let panels = self.columns.div_ceil(width);
        self.on_threads(pool, &|thread, threads| {
            let operands = { operands };
            let mut own = rooms.own[thread].lock().unwrap_or_else(PoisonError::into_inner);
            assert!(own.floats() >= self.own_room());
            let part = |thread: usize| self.columns.min(panels * thread / threads * width);
            let columns = part(thread)..part(thread + 1);
            let out = (out.from(columns.start), self.columns);
            // SAFETY: the operands have all their elements, and columns of the threads are apart.
            unsafe { self.block(operands, out, &rooms.shared, &mut own).run(0..self.rows, columns, 0..self.depth) }
        });
    }

    fn matrix<'o>(&self, operands: Operands<'o>, matrix: usize) -> Operands<'o> {
        Operands {
            a: operands.a.wrapping_offset(self.a.batch.at(matrix)),
            b: operands.b.wrapping_offset(self.b.batch.at(matrix)),
            ..operands
        }
    }

    /// What makes a block of one result, whose first element and the elements from row to row are given.
    pub(super) fn block<'b>(
        &'b self,
        operands: Operands<'b>,
        (out, out_row): (*mut f32, usize),
        shared: &'b Room,
        own: &'b mut Room,
    ) -> Block<'b> {
        let left = own.start_mut();
        // SAFETY: the room is at least as large, as the callers have seen.
        let right = unsafe { left.add(self.left_room()) };
        Block { single: self, operands, out, out_row, shared: shared.start(), left, right, packed: false }
    }
}
