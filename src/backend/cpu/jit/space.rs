//! Where a compiled loop reads and writes: for each access the strides along rows and columns, and the runs of rows that one call
//! of the function does.

use super::super::code::Prepared;
use super::frame::VECTOR;
use crate::plan::{Layout, Level, Loop};
use std::ops::Range;

/// The memory of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// An operand that is read, by its number among those.
    Read(usize),
    /// An operand that is written.
    Out(usize),
    /// The accumulators of a reduction over rows.
    Partial(usize),
    /// A tile of values that a reduction of everything joins after the call; by the number of the reduction.
    Tile(usize),
    /// Nothing: the offset itself is the value.
    Offset,
}

/// How many bytes an element has, and what it becomes in a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32 bits as they are.
    Word,
    /// A byte, 0 or 1, which becomes all bits of a lane or none.
    Truth,
    /// An accumulator of 64 bits.
    Wide,
}

impl Element {
    pub fn size(self) -> usize {
        match self {
            Element::Word => 4,
            Element::Truth => 1,
            Element::Wide => 8,
        }
    }
}

/// The columns of an access.
#[derive(Clone, Debug, PartialEq)]
pub enum Columns {
    /// One element for each row.
    None,
    /// One element, the same for all columns.
    Same,
    Adjacent,
    /// With a step between two.
    Stepped(i32),
    /// The offset of each column.
    Listed(Vec<i32>),
    /// The same, where the columns of every vector lie side by side.
    Grouped(Vec<i32>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub memory: Memory,
    pub element: Element,
    /// The offset of its first element.
    pub start: isize,
    pub columns: Columns,
    /// Along the axes of the rows, outermost first; then along the outer axes of columns, if they are run through one by one.
    strides: Vec<isize>,
    /// From one row of a call to the next.
    pub step: isize,
    /// The least and the greatest offset of a column.
    reach: (isize, isize),
}

/// The axes of a loop, after those that lie within each other in every access were merged.
#[derive(Debug)]
pub struct Space {
    /// Sizes of the axes that are run through outside of the function: those of rows, then of columns.
    rows: Vec<usize>,
    columns: Vec<usize>,
    /// Whether rows and columns are one axis in every access.
    joint: bool,
    /// The elements of a row of the loop, where a row of a call is another.
    long: Option<usize>,
    /// Columns of a call.
    pub width: usize,
    /// Rows after which a call ends.
    limit: usize,
}

/// The elements of a list of columns, at most: it lies in memory.
const LIST: usize = 1 << 16;

/// Elements of a call, below which it is short.
const SHORT: usize = 128;

/// An access before axes are merged: all axes of the loop, and how many of them it has.
pub struct Wanted {
    pub memory: Memory,
    pub element: Element,
    pub start: isize,
    pub layout: Layout,
    pub level: Level,
}

impl Space {
    /// The space of a loop with its accesses; `None` if there is one that machine code does not do. Of a loop that is `pure` each
    /// element is alone.
    pub fn of(body: &Loop, code: &Prepared, wanted: &[Wanted], pure: bool) -> Option<(Space, Vec<Access>)> {
        let flat = (code.rows, code.columns) != body.space();
        let (row_sizes, column_sizes) = body.shape.split_at(body.split);
        let (row_sizes, column_sizes) = if flat { (&[code.rows][..], &[][..]) } else { (row_sizes, column_sizes) };
        let mut rows: Vec<Vec<isize>> = Vec::new();
        let mut columns: Vec<Vec<isize>> = Vec::new();
        for want in wanted {
            if flat {
                rows.push(vec![1]);
                columns.push(Vec::new());
                continue;
            }
            let split = row_sizes.len();
            let has_columns = want.level == Level::Full;
            let shape = if has_columns { &body.shape[..] } else { &body.shape[..split] };
            if want.layout.shape != shape {
                return None;
            }
            rows.push(want.layout.strides[..split].to_vec());
            columns.push(if has_columns { want.layout.strides[split..].to_vec() } else { vec![0; column_sizes.len()] });
        }
        let (rows_merged, rows) = merged(row_sizes, &rows);
        let (columns_merged, columns_strides) = merged(column_sizes, &columns);
        let last = columns_merged.len().checked_sub(1);
        let in_pieces = pure && columns_merged.len() > 1;
        let collects = wanted.iter().any(|want| matches!(want.memory, Memory::Partial(_)));
        let width = if in_pieces { last.map_or(1, |last| columns_merged[last]) } else { code.columns };
        let mut accesses = Vec::new();
        for (at, want) in wanted.iter().enumerate() {
            let (own_rows, own_columns) = (&rows[at], &columns_strides[at]);
            let outer = if in_pieces { &own_columns[..own_columns.len() - 1] } else { &[] };
            let strides: Vec<isize> = own_rows.iter().chain(outer).copied().collect();
            let step = strides.last().copied().unwrap_or(0);
            let columns = if want.level == Level::Row {
                Columns::None
            } else if in_pieces {
                stepped(own_columns[own_columns.len() - 1])?
            } else if code.columns == 1 && pure && !collects && !rows_merged.is_empty() {
                stepped(step)?
            } else if code.columns == 1 {
                Columns::Adjacent
            } else {
                match Layout::merged(&columns_merged, own_columns) {
                    Some((_, stride)) => stepped(stride)?,
                    None => grouped(listed(&columns_merged, own_columns)?),
                }
            };
            let reach = columns.reach(width);
            let (memory, element, start) = (want.memory, want.element, want.start);
            accesses.push(Access { memory, element, start, columns, strides, step, reach });
        }
        let outer = if in_pieces { columns_merged[..columns_merged.len() - 1].to_vec() } else { Vec::new() };
        let run = outer.last().or(rows_merged.last()).map_or(1, |size| *size) * width;
        if pure && !collects && !flat && run < SHORT {
            let sizes: Vec<usize> = rows_merged.iter().chain(&columns_merged).copied().collect();
            let strides = rows.iter().zip(&columns_strides).map(|(rows, columns)| [&rows[..], columns].concat());
            if let Some(found) = Space::of_long_rows(&sizes, &strides.collect::<Vec<_>>(), code, wanted) {
                return Some(found);
            }
        }
        let joint = pure
            && !collects
            && outer.is_empty()
            && accesses.iter().all(|access| match access.columns {
                Columns::Adjacent => access.step == width as isize,
                Columns::Same => access.step == 0,
                Columns::Stepped(stride) => access.step == stride as isize * width as isize,
                Columns::None | Columns::Listed(_) | Columns::Grouped(_) => false,
            });
        let tiled = wanted.iter().any(|want| matches!(want.memory, Memory::Tile(_)));
        let limit = if tiled { code.tile_rows } else { usize::MAX };
        Some((Space { rows: rows_merged, columns: outer, joint, long: None, width, limit }, accesses))
    }

    /// For short runs: so many inner axes together that a row is long, whose elements are gathered by a list of offsets.
    fn of_long_rows(
        sizes: &[usize],
        strides: &[Vec<isize>],
        code: &Prepared,
        wanted: &[Wanted],
    ) -> Option<(Space, Vec<Access>)> {
        let is_long = |axis: &usize| sizes[*axis..].iter().product::<usize>() >= SHORT;
        let first = (0..sizes.len()).rev().find(is_long).unwrap_or(0);
        let width: usize = sizes[first..].iter().product();
        let mut accesses = Vec::new();
        for (want, strides) in wanted.iter().zip(strides) {
            let columns = match Layout::merged(&sizes[first..], &strides[first..]) {
                Some((_, stride)) => stepped(stride)?,
                None => Columns::Listed(listed(&sizes[first..], &strides[first..])?),
            };
            let is_listed = matches!(columns, Columns::Listed(_));
            // What is written of such a row is a part of it, and bytes are not gathered.
            if is_listed && (matches!(want.memory, Memory::Out(_)) || want.element == Element::Truth) {
                return None;
            }
            let reach = columns.reach(width);
            let (memory, element, start) = (want.memory, want.element, want.start);
            let strides = strides[..first].to_vec();
            accesses.push(Access { memory, element, start, columns, strides, step: 0, reach });
        }
        let tiled = wanted.iter().any(|want| matches!(want.memory, Memory::Tile(_)));
        let limit = if tiled { code.tile_rows } else { usize::MAX };
        let own = Some(code.columns);
        let space = Space { rows: sizes[..first].to_vec(), columns: Vec::new(), joint: true, long: own, width, limit };
        Some((space, accesses))
    }

    /// Whether a call has one row, of all the elements of its rows.
    pub fn is_joint(&self) -> bool {
        self.joint
    }

    /// Calls a function for each run of rows from the row `first` on; `offsets` has room for each access.
    pub fn runs(
        &self,
        accesses: &[Access],
        first: usize,
        rows: usize,
        offsets: &mut [isize],
        mut call: impl FnMut(Call),
    ) {
        if let Some(columns) = self.long {
            return self.long_rows(accesses, (first, rows), columns, offsets, &mut call);
        }
        let inner = self.rows.last().copied().unwrap_or(1);
        let mut row = first;
        while row < first + rows {
            let mut count = (inner - row % inner).min(first + rows - row);
            // Runs end where tiles do.
            count = count.min(self.limit - (row - first) % self.limit);
            if !self.columns.is_empty() {
                count = 1;
            }
            for (offset, access) in offsets.iter_mut().zip(accesses) {
                *offset = access.start + access.row(&self.rows, row);
            }
            let done = Some(row + count - first);
            if !self.columns.is_empty() {
                self.pieces(accesses, row - first, offsets, &mut call);
            } else if self.joint {
                call(Call { row: row - first, offsets, rows: 1, columns: 0..count * self.width, done });
            } else {
                call(Call { row: row - first, offsets, rows: count, columns: 0..self.width, done });
            }
            row += count;
        }
    }

    /// The elements of some rows, as parts of rows that are longer or shorter.
    fn long_rows(
        &self,
        accesses: &[Access],
        (first, rows): (usize, usize),
        columns: usize,
        offsets: &mut [isize],
        call: &mut impl FnMut(Call),
    ) {
        let (mut element, end) = (first * columns, (first + rows) * columns);
        while element < end {
            let row = element / columns - first;
            // Calls end where tiles do.
            let tile_end =
                first.saturating_add((row - row % self.limit).saturating_add(self.limit)).saturating_mul(columns);
            let from = element % self.width;
            let to = self.width.min(from + end.min(tile_end) - element);
            for (offset, access) in offsets.iter_mut().zip(accesses) {
                *offset = access.start + access.row(&self.rows, element / self.width);
            }
            element += to - from;
            let done = (element % columns == 0).then_some(element / columns - first);
            call(Call { row, offsets, rows: 1, columns: from..to, done });
        }
    }

    /// One row whose columns have several axes: the innermost two are done by a call. `offsets` are those of the row.
    fn pieces(&self, accesses: &[Access], row: usize, offsets: &mut [isize], call: &mut impl FnMut(Call)) {
        let (inner, outer) = self.columns.split_last().unwrap_or((&1, &[]));
        let count: usize = outer.iter().product();
        for piece in 0..count {
            let place = |access: &Access| access.within(outer, self.rows.len(), piece);
            offsets.iter_mut().zip(accesses).for_each(|(offset, access)| *offset += place(access));
            let done = (piece + 1 == count).then_some(row + 1);
            call(Call { row, offsets, rows: *inner, columns: 0..self.width, done });
            offsets.iter_mut().zip(accesses).for_each(|(offset, access)| *offset -= place(access));
        }
    }
}

/// A call of the function.
pub struct Call<'a> {
    /// The first row, counted from that of the share.
    pub row: usize,
    /// Where each access starts, in elements.
    pub offsets: &'a [isize],
    pub rows: usize,
    pub columns: Range<usize>,
    /// How many rows of the share are done after it, if it ends one.
    pub done: Option<usize>,
}

impl Access {
    /// The offset of a row.
    fn row(&self, sizes: &[usize], row: usize) -> isize {
        self.within(sizes, 0, row)
    }

    /// The offset of a place among some axes, of which the first has the number `axis`.
    fn within(&self, sizes: &[usize], axis: usize, place: usize) -> isize {
        let (mut rest, mut offset) = (place, 0);
        for (size, stride) in sizes.iter().zip(&self.strides[axis..]).rev() {
            offset += (rest % size) as isize * stride;
            rest /= size;
        }
        offset
    }

    /// The least and the greatest offset that some rows and columns from an offset on touch.
    pub fn touched(&self, offset: isize, rows: usize, columns: &Range<usize>) -> (isize, isize) {
        let rows = (rows as isize - 1) * self.step;
        let (low, high) = match self.columns {
            Columns::Adjacent => (columns.start as isize, columns.end as isize - 1),
            Columns::Stepped(stride) => {
                let ends = [columns.start as isize * stride as isize, (columns.end as isize - 1) * stride as isize];
                (ends[0].min(ends[1]), ends[0].max(ends[1]))
            }
            Columns::None | Columns::Same | Columns::Listed(_) | Columns::Grouped(_) => self.reach,
        };
        (offset + rows.min(0) + low, offset + rows.max(0) + high)
    }
}

impl Columns {
    fn reach(&self, width: usize) -> (isize, isize) {
        match self {
            Columns::None | Columns::Same => (0, 0),
            Columns::Adjacent => (0, width as isize - 1),
            Columns::Stepped(stride) => {
                let last = (width as isize - 1) * *stride as isize;
                (last.min(0), last.max(0))
            }
            Columns::Listed(all) | Columns::Grouped(all) => {
                let (least, most) = (all.iter().min(), all.iter().max());
                (least.map_or(0, |x| *x as isize), most.map_or(0, |x| *x as isize))
            }
        }
    }
}

/// Of one axis. Sixteen steps of a lane have to fit 32 bits.
fn stepped(stride: isize) -> Option<Columns> {
    Some(match stride {
        0 => Columns::Same,
        1 => Columns::Adjacent,
        other => Columns::Stepped(i32::try_from(other).ok().filter(|stride| stride.unsigned_abs() < 1 << 24)?),
    })
}

/// Of columns that are passed from the first one on, a vector at a time.
fn grouped(offsets: Vec<i32>) -> Columns {
    const LANES: usize = VECTOR / 4;
    let is_run = |lanes: &[i32]| lanes.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    if offsets.chunks(LANES).all(is_run) { Columns::Grouped(offsets) } else { Columns::Listed(offsets) }
}

/// The offset of each column, in row-major order.
fn listed(sizes: &[usize], strides: &[isize]) -> Option<Vec<i32>> {
    let count: usize = sizes.iter().product();
    if count > LIST {
        return None;
    }
    let offset = |column: usize| {
        let (mut rest, mut offset) = (column, 0);
        for (size, stride) in sizes.iter().zip(strides).rev() {
            offset += (rest % size) as isize * stride;
            rest /= size;
        }
        i32::try_from(offset).ok()
    };
    (0..count).map(offset).collect()
}

/// Merges neighbouring axes that lie within each other in every access, and drops those of size 1.
fn merged(sizes: &[usize], strides: &[Vec<isize>]) -> (Vec<usize>, Vec<Vec<isize>>) {
    let mut merged: Vec<usize> = Vec::new();
    let mut own: Vec<Vec<isize>> = vec![Vec::new(); strides.len()];
    for (axis, size) in sizes.iter().enumerate() {
        if *size == 1 {
            continue;
        }
        let within = |(own, all): (&Vec<isize>, &Vec<isize>)| {
            own.last().is_some_and(|outer| *outer == all[axis] * *size as isize)
        };
        if !merged.is_empty() && own.iter().zip(strides).all(within) {
            merged.last_mut().into_iter().for_each(|last| *last *= size);
            own.iter_mut().zip(strides).for_each(|(own, all)| own.last_mut().into_iter().for_each(|o| *o = all[axis]));
        } else {
            merged.push(*size);
            own.iter_mut().zip(strides).for_each(|(own, all)| own.push(all[axis]));
        }
    }
    (merged, own)
}
