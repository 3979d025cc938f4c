//! The columns of a source where they lie: those of a table as it was read, classes as codes, draws once they are asked for.

use crate::backend::Tensor;
use crate::check::program::{Items, Raw, RawKind};
use crate::check::schema::From;
use crate::check::value::Distribution;
use crate::data::lists;
use crate::data::table::{Cells, Lying, Table, Values};
use crate::ir::philox;
use std::borrow::Cow;
use std::sync::OnceLock;

/// A source column: the shape of a row, and the values of all rows; draws once they are asked for.
pub struct RawColumn<'f> {
    raw: &'f Raw,
    shape: Vec<usize>,
    values: ColumnValues<'f>,
}

/// How the values of a column lie.
enum ColumnValues<'f> {
    Floats(&'f [f64]),
    Bytes(&'f [u8]),
    /// From so many rows behind a row on.
    Codes {
        codes: &'f [usize],
        offset: usize,
    },
    /// As many in a row as it has; what it lacks is 0.
    Padded {
        items: Elements<'f>,
        starts: Cow<'f, [usize]>,
    },
    /// Its own, once they are there.
    Own(OnceLock<Vec<f64>>),
}

impl ColumnValues<'_> {
    fn own(values: Vec<f64>) -> Self {
        ColumnValues::Own(OnceLock::from(values))
    }
}

/// The elements of all rows of a column of unequal length.
enum Elements<'f> {
    Numbers(Cow<'f, [f64]>),
    Codes(&'f [usize]),
}

impl<'f> RawColumn<'f> {
    /// A column of a table, with the classes of its rows or elements, if it has any.
    pub fn of(raw: &'f Raw, table: Option<&'f Table>, codes: Option<&'f [usize]>) -> Option<RawColumn<'f>> {
        let shape: Option<Vec<usize>> =
            raw.ty.sizes()[1..].iter().map(|size| usize::try_from(size.settled()?).ok()).collect();
        let values = match &raw.kind {
            RawKind::Padded { items, .. } => {
                let values = &table?.column(&raw.name)?.values;
                let items = match items {
                    Items::Classes => Elements::Codes(codes?),
                    Items::Numbers | Items::Whole(_) => Elements::Numbers(lists::numbers(values)?),
                };
                ColumnValues::Padded { items, starts: lists::starts(values)? }
            }
            RawKind::Length { most } => {
                let starts = lists::starts(&table?.column(&raw.name)?.values)?;
                let lengths = (0..starts.len() - 1).map(lists::lengths(&starts, *most));
                ColumnValues::own(lengths.collect())
            }
            RawKind::Numbers | RawKind::Gappy | RawKind::Whole(_) => {
                let (table, column) = (table?, table?.column(&raw.name)?);
                match &column.values {
                    Values::Numbers(numbers) | Values::Cells(Cells { numbers: Lying::Floats(numbers), .. }) => {
                        ColumnValues::Floats(numbers)
                    }
                    Values::Cells(Cells { numbers: Lying::Bytes(bytes), .. }) => ColumnValues::Bytes(bytes),
                    Values::Integers(whole) => ColumnValues::own(whole.iter().map(|number| *number as f64).collect()),
                    Values::Text(_) if table.is_without_values(column) => ColumnValues::own(vec![f64::NAN; table.rows]),
                    Values::Text(_) | Values::Lists(_) | Values::Characters(_) => return None,
                }
            }
            RawKind::Classes => ColumnValues::Codes { codes: codes?, offset: 0 },
            RawKind::Window { offset } => ColumnValues::Codes { codes: codes?, offset: *offset },
            RawKind::Drawn(_) => ColumnValues::Own(OnceLock::new()),
        };
        Some(RawColumn { raw, shape: shape?, values })
    }

    /// The data set whose source it is of.
    pub fn set(&self) -> usize {
        self.raw.set
    }

    /// The elements of a row.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// Some rows of it: `[rows, …]`. Where that is to stop, the rest is 0, and of no use.
    pub fn rows(&self, from: &From, rows: &[usize], stop: fn() -> bool) -> Tensor {
        let RawColumn { raw, shape, values } = self;
        let width = self.width();
        let shape = [&[rows.len()], &shape[..]].concat();
        if let RawKind::Drawn(distribution) = raw.kind
            && !lies(raw, from)
        {
            let row = |at: usize| rows[at];
            let values = drawn(from, &raw.name, distribution, width, rows.len(), row, stop);
            return Tensor { shape, values };
        }
        let own = match values {
            ColumnValues::Own(own) => own.get_or_init(|| match (&raw.kind, from) {
                (RawKind::Drawn(distribution), From::Rows { count, .. }) => {
                    drawn(from, &raw.name, *distribution, width, *count, |row| row, stop)
                }
                _ => Vec::new(),
            }),
            ColumnValues::Floats(values) => *values,
            ColumnValues::Bytes(_) | ColumnValues::Codes { .. } | ColumnValues::Padded { .. } => &[],
        };
        let mut chosen = Vec::with_capacity(rows.len() * width);
        for piece in rows.chunks(PIECE).take_while(|_| !stop()) {
            let cells = piece.iter().map(|row| row * width..(row + 1) * width);
            match values {
                ColumnValues::Own(_) | ColumnValues::Floats(_) => chosen.extend(cells.flat_map(|cells| &own[cells])),
                ColumnValues::Bytes(bytes) => {
                    chosen.extend(cells.flat_map(|cells| &bytes[cells]).map(|byte| f64::from(*byte)));
                }
                ColumnValues::Padded { items, starts } => {
                    let of = |row: &usize| starts[*row]..starts[row + 1];
                    chosen.extend(piece.iter().flat_map(|row| match items {
                        Elements::Numbers(numbers) => lists::padded(numbers, of(row), width, |number| number),
                        Elements::Codes(codes) => lists::padded(codes, of(row), width, |code| code as f64),
                    }));
                }
                ColumnValues::Codes { codes, offset } => {
                    let cells = piece.iter().map(|row| row + offset..row + offset + width);
                    chosen.extend(cells.flat_map(|cells| &codes[cells]).map(|code| *code as f64));
                }
            }
        }
        chosen.resize(rows.len() * width, 0.0);
        Tensor { shape, values: chosen }
    }
}

/// The most bytes of a drawn column that is kept. The rows of a larger one are drawn when they are asked for.
pub const DRAWN: u64 = 1 << 30;

/// Below so many draws no threads are started.
const ALONE: usize = 64 * 1024;

/// Between so many draws it is asked whether to go on.
const PIECE: usize = 1 << 20;

/// Draws of so many rows of a column, which are rows of the source by their places, counted by its name, the row and the
/// element: other columns and the number of rows change none. Where they are to stop, the rest is 0, and of no use.
pub fn drawn(
    from: &From,
    name: &str,
    distribution: Distribution,
    width: usize,
    count: usize,
    row: impl Fn(usize) -> usize + Sync,
    stop: fn() -> bool,
) -> Vec<f64> {
    let From::Rows { seed, .. } = from else { return Vec::new() };
    let stream = philox::stream([*seed as u32, (*seed >> 32) as u32], philox::path(name), 0, 0);
    let mut values = vec![0.0; count * width];
    let draw = |first: usize, cells: &mut [f64]| {
        for (at, cells) in cells.chunks_mut(width.max(1)).enumerate() {
            philox::draws(distribution.draw, stream, row(first + at) as u32, 0, cells, |draw| distribution.of(draw));
        }
    };
    let threads = if values.len() < ALONE { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    let whole = (PIECE / width.max(1)).max(1);
    for (piece, cells) in values.chunks_mut(whole * width.max(1)).enumerate().take_while(|_| !stop()) {
        let first = piece * whole;
        let share = whole.min(count).div_ceil(threads);
        std::thread::scope(|scope| {
            let draw = &draw;
            let mut shares = cells.chunks_mut((share * width).max(1)).enumerate();
            let own = shares.next();
            shares.for_each(|(at, cells)| drop(scope.spawn(move || draw(first + at * share, cells))));
            own.into_iter().for_each(|(_, cells)| draw(first, cells));
        });
    }
    values
}

/// Whether all rows of a source column are in memory.
pub fn lies(raw: &Raw, from: &From) -> bool {
    match (&raw.kind, from) {
        (RawKind::Drawn(_), From::Rows { count, .. }) => {
            let sizes = raw.ty.sizes();
            let sizes = sizes[1..].iter().map(|size| size.settled().unwrap_or(0).max(0) as u64);
            sizes.fold(8 * *count as u64, u64::saturating_mul) <= DRAWN
        }
        _ => true,
    }
}
