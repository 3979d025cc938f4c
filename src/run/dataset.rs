//! The files behind a program's data: asked by the checker for columns, rows and classes, and by a run for the numbers.

use crate::backend::Tensor;
use crate::check::number::Number;
use crate::check::program::{Data, Raw, RawKind};
use crate::check::schema::{Column, From, Holds, Lacking, Schemas, Source, Spanned, Split as Wanted};
use crate::check::value::Distribution;
use crate::data;
use crate::data::fit::{self, Vocabulary};
use crate::data::kind::Tally;
use crate::data::split::{self, Holdout, Part, Split};
use crate::data::table::{Table, Values};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::io;
use crate::ir::philox;
use crate::run::known::Known;
use crate::source::{SourceId, Sources, Span};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A file that rows came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    pub path: String,
    pub sha256: String,
}

/// SHA-256 in lower-case hexadecimal digits.
pub fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The data files of one `.mlx` file, each read once.
pub struct Files {
    /// The folder that paths are relative to: that of the `.mlx` file.
    folder: PathBuf,
    tables: BTreeMap<From, (Table, DataFile)>,
    splits: BTreeMap<From, Dealt>,
    vocabularies: BTreeMap<(From, String), (Vocabulary, Vec<usize>)>,
    /// The classes that columns must have: those that weights were trained with.
    trained: BTreeMap<String, Vec<String>>,
    /// Whether what is going on is to end: reading, drawing, and the check that asks for them. A training, which keeps
    /// what it has when it ends, must not see it: it asks for itself, before each step.
    pub stop: fn() -> bool,
}

/// The rows of each split, and what the program said of them; a session asks for the same again and again.
struct Dealt {
    by: Option<(Holdout, Option<String>)>,
    split: Split,
}

impl Files {
    pub fn beside(file: &Path) -> Files {
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        Files {
            folder,
            tables: BTreeMap::new(),
            splits: BTreeMap::new(),
            vocabularies: BTreeMap::new(),
            trained: BTreeMap::new(),
            stop: || false,
        }
    }

    /// The same for weights that were trained with some classes.
    pub fn of_weights(file: &Path, classes: &BTreeMap<String, Vec<String>>) -> Files {
        Files { trained: classes.clone(), ..Files::beside(file) }
    }

    /// Where the file of a source is; none where rows are drawn.
    pub fn path(&self, source: &Source) -> Option<PathBuf> {
        match &source.from {
            From::Csv { path, .. } => Some(self.folder.join(path)),
            From::Rows { .. } => None,
        }
    }

    /// The table of a source; `None` where rows are drawn.
    fn read(&mut self, sources: &mut Sources, source: &Source) -> Result<Option<&Table>, Vec<Diagnostic>> {
        let (From::Csv { path: written, separator }, Some(path)) = (&source.from, self.path(source)) else {
            return Ok(None);
        };
        if !self.tables.contains_key(&source.from) {
            let bytes = io::read_at_most(&path, data::csv::LARGEST, &|| !(self.stop)());
            let bytes = bytes.map_err(|failure| vec![failure.label(source.span, "named here")])?;
            let name = path.display().to_string();
            let table = data::csv::read(sources, &name, &bytes, *separator, source.span, self.stop)?;
            let file = DataFile { path: written.clone(), sha256: checksum(&bytes) };
            self.tables.insert(source.from.clone(), (table, file));
        }
        Ok(self.table(source))
    }

    /// New rows, of the kind that a source has: from a file that the command line names.
    pub fn new_rows(sources: &mut Sources, path: &Path, source: &Source) -> Result<Table, Vec<Diagnostic>> {
        let bytes = io::read_at_most(path, data::csv::LARGEST, &|| true).map_err(|failure| vec![failure])?;
        let separator = match source.from {
            From::Csv { separator, .. } => separator,
            From::Rows { .. } => b',',
        };
        data::csv::read(sources, &path.display().to_string(), &bytes, separator, source.span, || false)
    }

    fn table(&self, source: &Source) -> Option<&Table> {
        self.tables.get(&source.from).map(|(table, _)| table)
    }

    /// What a run of the data reads: rows of each split, numbers, classes.
    pub fn open<'f>(&'f self, data: &'f Data) -> Option<Opened<'f>> {
        let from = &data.source.from;
        let split = &self.splits.get(from)?.split;
        let vocabulary = |name: &str| self.vocabularies.get(&(from.clone(), name.to_string()));
        let columns: Option<Vec<RawColumn>> = data
            .raw
            .iter()
            .map(|raw| {
                let shape: Option<Vec<usize>> =
                    raw.ty.sizes()[1..].iter().map(|size| usize::try_from(size.settled()?).ok()).collect();
                let shape = shape?;
                let lying = |values: Vec<f64>| OnceLock::from(values);
                let values = match &raw.kind {
                    RawKind::Numbers | RawKind::Gappy => {
                        let table = self.table(&data.source)?;
                        let column = table.column(&raw.name)?;
                        match &column.values {
                            Values::Numbers(numbers) => lying(numbers.clone()),
                            Values::Integers(whole) => lying(whole.iter().map(|number| *number as f64).collect()),
                            Values::Text(_) if table.is_without_values(column) => lying(vec![f64::NAN; table.rows]),
                            Values::Text(_) => return None,
                        }
                    }
                    RawKind::Classes => lying(vocabulary(&raw.name)?.1.iter().map(|code| *code as f64).collect()),
                    RawKind::Drawn(_) => OnceLock::new(),
                };
                Some(RawColumn { raw, shape, values })
            })
            .collect();
        let classes = data.raw.iter().filter(|raw| raw.kind == RawKind::Classes);
        let classes = classes.filter_map(|raw| Some((raw.name.clone(), vocabulary(&raw.name)?.0.classes.clone())));
        let held = |raw: &Raw| {
            let table = self.table(&data.source)?;
            let place = table.columns.iter().position(|column| column.name == raw.name)?;
            Some((place, raw.name.clone(), holds(&table.columns[place].values)))
        };
        let mut in_file: Vec<(usize, String, Holds)> = data.raw.iter().filter_map(held).collect();
        in_file.sort_by_key(|(place, ..)| *place);
        Some(Opened {
            from,
            file: self.tables.get(from).map(|(_, file)| file),
            splits: [&split.train, &split.valid, &split.test],
            columns: columns?,
            classes: classes.collect(),
            holds: in_file.into_iter().map(|(_, name, holds)| (name, holds)).collect(),
            stop: Cell::new(self.stop),
        })
    }
}

/// A source column: the shape of a row, and the values of all rows; draws once they are asked for.
struct RawColumn<'f> {
    raw: &'f Raw,
    shape: Vec<usize>,
    values: OnceLock<Vec<f64>>,
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
            philox::draw_row(distribution.draw, stream, row(first + at) as u32, cells);
            cells.iter_mut().for_each(|cell| *cell = distribution.of(*cell));
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

/// The data of one program.
pub struct Opened<'f> {
    from: &'f From,
    /// None where rows are drawn.
    pub file: Option<&'f DataFile>,
    /// The rows of train, valid and test.
    pub splits: [&'f [usize]; 3],
    /// The source columns that the program reads, all rows.
    columns: Vec<RawColumn<'f>>,
    /// The classes of each category column.
    pub classes: BTreeMap<String, Vec<String>>,
    /// What each of the columns of a file holds, in the order of the file.
    holds: Vec<(String, Holds)>,
    stop: Cell<fn() -> bool>,
}

impl Opened<'_> {
    /// Whether what reads it is to end.
    pub fn stops(&self) -> fn() -> bool {
        self.stop.get()
    }

    /// From now on nothing that is read is cut short: what has begun with it keeps what it has.
    pub fn stays_whole(&self) {
        self.stop.set(|| false);
    }

    /// What weights remember of the data.
    pub fn known(&self) -> Known {
        Known {
            sha256: self.file.map(|file| file.sha256.clone()),
            rows: self.splits.map(<[usize]>::len),
            columns: self.holds.clone(),
        }
    }

    /// The most elements that a row of a source column has.
    pub fn widest(&self) -> usize {
        self.columns.iter().map(|column| column.shape.iter().product()).max().unwrap_or(0)
    }

    /// A source column on some rows: `[rows, …]`. Where that is to stop, the rest is 0, and of no use.
    pub fn column(&self, at: usize, rows: &[usize]) -> Tensor {
        let RawColumn { raw, shape, values } = &self.columns[at];
        let width: usize = shape.iter().product();
        let shape = [&[rows.len()], &shape[..]].concat();
        if let RawKind::Drawn(distribution) = raw.kind
            && !lies(raw, self.from)
        {
            let row = |at: usize| rows[at];
            let values = drawn(self.from, &raw.name, distribution, width, rows.len(), row, self.stop.get());
            return Tensor { shape, values };
        }
        let values = values.get_or_init(|| match (&raw.kind, self.from) {
            (RawKind::Drawn(distribution), From::Rows { count, .. }) => {
                drawn(self.from, &raw.name, *distribution, width, *count, |row| row, self.stop.get())
            }
            _ => Vec::new(),
        });
        let mut chosen = Vec::with_capacity(rows.len() * width);
        for piece in rows.chunks(PIECE).take_while(|_| !(self.stop.get())()) {
            chosen.extend(piece.iter().flat_map(|row| &values[row * width..(row + 1) * width]));
        }
        chosen.resize(rows.len() * width, 0.0);
        Tensor { shape, values: chosen }
    }
}

impl Schemas for Files {
    fn goes_on(&self) -> bool {
        !(self.stop)()
    }

    fn other(&mut self, sources: &mut Sources, path: &str) -> Result<SourceId, Diagnostic> {
        io::read_text(sources, &self.folder.join(path))
    }

    fn columns(&mut self, sources: &mut Sources, source: &Source) -> Result<Vec<Column>, Vec<Diagnostic>> {
        let Some(table) = self.read(sources, source)? else { return Ok(Vec::new()) };
        let column = |column: &data::table::Column| {
            let lacking = lacking(table, column);
            // A column without values may be filled with numbers.
            let holds = if lacking.all { Holds::Numbers } else { holds(&column.values) };
            let (name, mistakes) = (column.name.clone(), column.mistakes.clone());
            Column { name, holds, span: column.span, lacking, word: column.word, mistakes }
        };
        Ok(table.columns.iter().map(column).collect())
    }

    fn rows(&mut self, _: &Sources, source: &Source, wanted: Option<&Wanted>) -> Result<[usize; 3], Diagnostic> {
        let stratify = |wanted: &Wanted| wanted.stratify.as_ref().map(|(name, _)| name.clone());
        let by = wanted.map(|wanted| Ok((holdout(wanted)?, stratify(wanted)))).transpose()?;
        let sizes = |split: &Split| [split.train.len(), split.valid.len(), split.test.len()];
        if let Some(known) = self.splits.get(&source.from).filter(|known| known.by == by) {
            return Ok(sizes(&known.split));
        }
        let table = self.table(source);
        let count = match &source.from {
            From::Csv { .. } => table.map_or(0, |table| table.rows),
            From::Rows { count, .. } => *count,
        };
        let split = match wanted.zip(by.as_ref()) {
            None => Split { train: (0..count).collect(), ..Split::default() },
            Some((wanted, (parts, _))) => {
                let strata = wanted.stratify.as_ref().map(|(name, span)| {
                    let at = table.and_then(|table| table.by_name.get(name).copied());
                    table.zip(at).map(|(table, at)| fit::strata(table, at, self.stop)).ok_or_else(|| {
                        let error =
                            Diagnostic::error("E0220", format!("cannot find column `{name}`"), *span, "not found");
                        let names = table.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str());
                        match nearest(name, names) {
                            Some(near) => error.help(format!("did you mean `{near}`?")),
                            None => error.help("a split is stratified by a column of the source"),
                        }
                    })
                });
                split::holdout(count, parts, strata.transpose()?.as_deref(), wanted.span, self.stop)?
            }
        };
        let rows = sizes(&split);
        self.vocabularies.retain(|(from, _), _| *from != source.from);
        self.splits.insert(source.from.clone(), Dealt { by, split });
        Ok(rows)
    }

    fn is_known(&mut self, source: &Source, column: &str) -> bool {
        let column = self.table(source).and_then(|table| Some((table, table.column(column)?)));
        let Some(((table, column), Dealt { split, .. })) = column.zip(self.splits.get(&source.from)) else {
            return true;
        };
        match &column.values {
            Values::Numbers(values) => split.train.iter().any(|row| !values[*row].is_nan()),
            Values::Integers(_) | Values::Text(_) => !table.is_without_values(column),
        }
    }

    fn classes(&mut self, sources: &Sources, source: &Source, column: &str, call: Span) -> Result<usize, Diagnostic> {
        let key = (source.from.clone(), column.to_string());
        if let Some((known, _)) = self.vocabularies.get(&key) {
            return Ok(known.classes.len());
        }
        let found = self
            .table(source)
            .and_then(|table| Some((table, *table.by_name.get(column)?, self.splits.get(&source.from)?)));
        let Some((table, at, Dealt { split, .. })) = found else { return Ok(0) };
        let (vocabulary, codes) = match self.trained.get(column) {
            None => fit::category(sources, table, at, split, call, self.stop)?,
            Some(classes) => (Vocabulary { classes: classes.clone() }, fit::by(sources, table, at, classes, call)?),
        };
        let count = vocabulary.classes.len();
        self.vocabularies.insert(key, (vocabulary, codes));
        Ok(count)
    }
}

fn holds(values: &Values) -> Holds {
    match values {
        Values::Numbers(_) | Values::Integers(_) => Holds::Numbers,
        Values::Text(_) => Holds::Text,
    }
}

/// The rows of a table that have no value in a column.
pub fn lacking(table: &Table, column: &data::table::Column) -> Lacking {
    let Tally { count, first } = column.lacking.clone();
    Lacking { count, first, all: table.is_without_values(column) }
}

fn holdout(wanted: &Wanted) -> Result<Holdout, Diagnostic> {
    let part = |spanned: Spanned| match spanned.number {
        Number::Exact { above, below } => Ok(Part { share: (above, below), span: spanned.span }),
        Number::Float(_) => {
            let message = "the share of a split is written as digits";
            Err(Diagnostic::error("E0312", message, spanned.span, "this is not").help("write `80%` or `0.8`"))
        }
    };
    Ok(Holdout {
        train: part(wanted.train)?,
        valid: wanted.valid.map(part).transpose()?,
        test: wanted.test.map(part).transpose()?,
        seed: wanted.seed,
        shuffle: wanted.shuffle,
    })
}
