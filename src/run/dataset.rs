//! The files behind a program's data: asked by the checker for columns, rows and classes, and by a run for the numbers.

use crate::backend::Tensor;
use crate::check::program::{Data, Set, Whole};
use crate::check::schema::{Asked, Column, From, Holds, Kin, Lacking, Lengths, Look, Schemas, Source, Split as Wanted};
use crate::data;
use crate::data::fit::{self, Vocabulary};
use crate::data::kind::Tally;
use crate::data::lists;
use crate::data::split::Split;
use crate::data::table::{Listed, Lists, Table, Values};
use crate::data::windows;
use crate::diagnostic::Diagnostic;
use crate::io;
use crate::run::kin;
use crate::run::known::KnownTable;
pub use crate::run::raw::{DRAWN, drawn, lies};
use crate::run::splits;
use crate::source::{SourceId, Sources, Span};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

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

/// The bytes of a file.
struct Bytes {
    name: String,
    bytes: Vec<u8>,
    file: DataFile,
}

/// What the files of a source hold, in the order of [`From::paths`].
fn table_of(
    sources: &mut Sources,
    mut texts: Vec<Bytes>,
    source: &Source,
    stop: fn() -> bool,
) -> Result<Table, Vec<Diagnostic>> {
    match &source.from {
        From::Csv { separator, .. } => {
            let text = texts.pop().map_or((String::new(), Vec::new()), |text| (text.name, text.bytes));
            data::csv::read(sources, &text.0, &text.1, *separator, source.span, stop)
        }
        From::Jsonl { .. } => {
            let text = texts.pop().map_or((String::new(), Vec::new()), |text| (text.name, text.bytes));
            data::jsonl::read(sources, &text.0, &text.1, source.span, stop)
        }
        From::Text { .. } => {
            let text = texts.pop().map_or((String::new(), Vec::new()), |text| (text.name, text.bytes));
            data::text::read(sources, &text.0, text.1, source.span).map_err(|wrong| vec![wrong])
        }
        From::Idx { train_labels, test, test_labels, .. } => {
            let mut texts = texts.into_iter().map(|text| (text.name, text.bytes));
            let mut next = |is_there: bool| if is_there { texts.next() } else { None };
            let train = next(true).unwrap_or_default();
            let files = data::idx::Files {
                train,
                train_labels: next(train_labels.is_some()),
                test: next(test.is_some()),
                test_labels: next(test_labels.is_some()),
            };
            data::idx::read(files, source.span).map_err(|wrong| vec![wrong])
        }
        // Nothing is read of rows that are drawn.
        From::Rows { .. } => Err(Vec::new()),
    }
}

/// The data files of one `.mlx` file, each read once.
pub struct Files {
    /// The folder that paths are relative to: that of the `.mlx` file.
    folder: PathBuf,
    tables: BTreeMap<From, (Table, Vec<DataFile>)>,
    /// Of each source and what a program says of its split; the last is the one that was asked for last.
    splits: Vec<Dealt>,
    /// The classes that columns must have: those that weights were trained with.
    trained: BTreeMap<String, Vec<String>>,
    /// Whether what is going on is to end: reading, drawing, and the check that asks for them. A training, which keeps
    /// what it has when it ends, must not see it: it asks for itself, before each step.
    pub stop: fn() -> bool,
}

/// The rows of each split, and what the program said of them; a session asks for the same again and again.
pub(super) struct Dealt {
    from: From,
    /// The data set, where a training lists several: each has windows and classes of its own.
    set: String,
    by: Option<Wanted>,
    pub split: Split,
    /// The windows in it, by their first rows, with the rows of one.
    pub windows: Option<(usize, Split)>,
    /// By column: what was asked of its classes, those that it has, and the class of each row.
    pub vocabularies: BTreeMap<String, (Asked, Vocabulary, Vec<usize>)>,
}

impl Dealt {
    fn is_of(&self, source: &Source, by: Option<&Wanted>) -> bool {
        self.from == source.from && self.set == source.set && self.by.as_ref() == by
    }
}

impl Files {
    /// The rows of each split of a data set that was checked.
    pub(super) fn dealt(&self, set: &Set) -> Option<&Dealt> {
        self.splits.iter().find(|dealt| dealt.is_of(&set.source, set.split.as_ref()))
    }

    pub fn beside(file: &Path) -> Files {
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        Files { folder, tables: BTreeMap::new(), splits: Vec::new(), trained: BTreeMap::new(), stop: || false }
    }

    /// The same for weights that were trained with some classes.
    pub fn of_weights(file: &Path, classes: &BTreeMap<String, Vec<String>>) -> Files {
        Files { trained: classes.clone(), ..Files::beside(file) }
    }

    /// Where the files of a source are; none where rows are drawn.
    pub fn paths(&self, source: &Source) -> Vec<PathBuf> {
        source.from.paths().into_iter().map(|path| self.folder.join(path)).collect()
    }

    /// The table of a source; `None` where rows are drawn.
    fn read(&mut self, sources: &mut Sources, source: &Source) -> Result<Option<&Table>, Vec<Diagnostic>> {
        if matches!(source.from, From::Rows { .. }) {
            return Ok(None);
        }
        if !self.tables.contains_key(&source.from) {
            let mut texts: Vec<Bytes> = Vec::new();
            for (written, path) in source.from.paths().into_iter().zip(self.paths(source)) {
                let bytes = io::read_at_most(&path, data::csv::LARGEST, &|| !(self.stop)());
                let bytes = bytes.map_err(|failure| vec![failure.label(source.span, "named here")])?;
                let file = DataFile { path: written.to_string(), sha256: checksum(&bytes) };
                texts.push(Bytes { name: path.display().to_string(), bytes, file });
            }
            let files = texts.iter().map(|text| text.file.clone()).collect();
            let table = table_of(sources, texts, source, self.stop)?;
            self.tables.insert(source.from.clone(), (table, files));
        }
        Ok(self.table(source))
    }

    /// What the data takes that was read, roughly.
    pub fn bytes(&self) -> usize {
        let tables = self.tables.values().map(|(table, _)| table.rows * table.columns.len());
        tables.sum::<usize>() * size_of::<f64>()
    }

    /// New rows, of the kind that a source has: from a file that the command line names.
    pub fn new_rows(sources: &mut Sources, path: &Path, source: &Source) -> Result<Table, Vec<Diagnostic>> {
        let bytes = io::read_at_most(path, data::csv::LARGEST, &|| true).map_err(|failure| vec![failure])?;
        let text = Bytes { name: path.display().to_string(), bytes, file: DataFile::default() };
        let from = match &source.from {
            From::Rows { .. } => From::Csv { path: text.name.clone(), separator: b',' },
            // New images have no labels.
            From::Idx { .. } => {
                From::Idx { train: text.name.clone(), train_labels: None, test: None, test_labels: None }
            }
            From::Csv { .. } | From::Text { .. } | From::Jsonl { .. } => source.from.clone(),
        };
        table_of(sources, vec![text], &Source::new(from, source.span), || false)
    }

    pub(super) fn table(&self, source: &Source) -> Option<&Table> {
        self.tables.get(&source.from).map(|(table, _)| table)
    }

    /// The sources of what is read whole, each once.
    fn whole_sources(data: &Data) -> Vec<&Source> {
        let mut sources: Vec<&Source> = Vec::new();
        for whole in data.fits.iter().filter_map(|fit| fit.whole.as_ref()) {
            if !sources.iter().any(|known| known.from == whole.source.from) {
                sources.push(&whole.source);
            }
        }
        sources
    }

    /// Where all files of some data are.
    pub fn paths_of(&self, data: &Data) -> Vec<PathBuf> {
        let wholes = Files::whole_sources(data).into_iter().flat_map(|source| self.paths(source));
        data.sets.iter().flat_map(|set| self.paths(&set.source)).chain(wholes).collect()
    }

    pub(super) fn files_of(&self, data: &Data) -> Vec<DataFile> {
        let sources = data.sets.iter().map(|set| &set.source).chain(Files::whole_sources(data));
        let all = sources.filter_map(|source| self.tables.get(&source.from)).flat_map(|(_, files)| files.clone());
        let mut files: Vec<DataFile> = Vec::new();
        // Several sets may be made of one file.
        all.for_each(|file| {
            if !files.contains(&file) {
                files.push(file)
            }
        });
        files
    }

    pub(super) fn wholes_of(&self, data: &Data) -> Option<BTreeMap<String, Tensor>> {
        let mut all = BTreeMap::new();
        for fit in &data.fits {
            let Some(Whole { source, columns, matrix }) = &fit.whole else { continue };
            let table = self.table(source)?;
            let columns: Option<Vec<Cow<[f64]>>> =
                columns.iter().map(|name| numbers_in(&table.column(name)?.values)).collect();
            let columns = columns?;
            let values = (0..table.rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
            let shape = if *matrix { vec![table.rows, columns.len()] } else { vec![table.rows] };
            all.insert(fit.name.clone(), Tensor { shape, values });
        }
        Some(all)
    }

    pub(super) fn tables_of(&self, data: &Data) -> Vec<KnownTable> {
        let known = |source: &Source| {
            let table = self.table(source)?;
            let columns = table.columns.iter();
            let columns = columns.map(|column| (column.name.clone(), (holds(&column.values), column.shape().to_vec())));
            Some(KnownTable { paths: source.from.paths().join("\n"), rows: table.rows, columns: columns.collect() })
        };
        Files::whole_sources(data).into_iter().filter_map(known).collect()
    }
}

/// Of tables with more rows the lints see nothing: a check is quick.
const LOOKED_AT: usize = 200_000;

impl Schemas for Files {
    fn goes_on(&self) -> bool {
        !(self.stop)()
    }

    fn other(&mut self, sources: &mut Sources, path: &str) -> Result<SourceId, Diagnostic> {
        io::read_text(sources, &self.folder.join(path))
    }

    fn columns(&mut self, sources: &mut Sources, source: &Source) -> Result<Vec<Column>, Vec<Diagnostic>> {
        let Some(table) = self.read(sources, source)? else { return Ok(Vec::new()) };
        Ok(table.columns.iter().map(|column| seen(table, column)).collect())
    }

    fn whole_table(&mut self, sources: &mut Sources, source: &Source) -> Result<(Vec<Column>, usize), Vec<Diagnostic>> {
        let Some(table) = self.read(sources, source)? else { return Ok((Vec::new(), 0)) };
        Ok((table.columns.iter().map(|column| seen(table, column)).collect(), table.rows))
    }

    fn rows(&mut self, sources: &Sources, source: &Source, wanted: Option<&Wanted>) -> Result<[usize; 3], Diagnostic> {
        let sizes = |split: &Split| [split.train.len(), split.valid.len(), split.test.len()];
        let known = self.splits.iter().position(|known| known.is_of(source, wanted));
        if let Some(at) = known {
            let known = self.splits.remove(at);
            let rows = sizes(&known.split);
            self.splits.push(known);
            return Ok(rows);
        }
        let table = self.table(source);
        let count = match &source.from {
            From::Csv { .. } | From::Idx { .. } | From::Text { .. } | From::Jsonl { .. } => {
                table.map_or(0, |table| table.rows)
            }
            From::Rows { count, .. } => *count,
        };
        let split = match wanted {
            None => Split { train: (0..count).collect(), ..Split::default() },
            Some(wanted) => splits::dealt(sources, table, count, wanted, self.stop)?,
        };
        let rows = sizes(&split);
        let (from, set, by) = (source.from.clone(), source.set.clone(), wanted.cloned());
        self.splits.push(Dealt { from, set, by, split, windows: None, vocabularies: BTreeMap::new() });
        Ok(rows)
    }

    fn is_known(&mut self, source: &Source, column: &str) -> bool {
        let column = self.table(source).and_then(|table| Some((table, table.column(column)?)));
        let Some(((table, column), Dealt { split, .. })) = column.zip(self.splits.last()) else {
            return true;
        };
        match &column.values {
            Values::Numbers(values) => split.train.iter().any(|row| !values[*row].is_nan()),
            Values::Integers(_) | Values::Text(_) | Values::Cells(_) | Values::Lists(_) | Values::Characters(_) => {
                !table.is_without_values(column)
            }
        }
    }

    fn whole(
        &mut self,
        sources: &Sources,
        source: &Source,
        column: &str,
        below: usize,
        call: Span,
    ) -> Result<(), Diagnostic> {
        let found = self.table(source).and_then(|table| Some((table, *table.by_name.get(column)?)));
        found.map_or(Ok(()), |(table, at)| fit::whole(sources, table, at, below, call))
    }

    fn lengths(&mut self, source: &Source, column: &str, length: usize) -> Option<Lengths> {
        let starts = lists::starts(&self.table(source)?.column(column)?.values)?;
        let lengths: Vec<usize> = starts.windows(2).map(|ends| ends[1] - ends[0]).collect();
        let count = |is: &dyn Fn(usize) -> bool| lengths.iter().filter(|own| is(**own)).count();
        let (longer, shorter) = (count(&|own| own > length), count(&|own| own < length));
        Some(Lengths { longer, shorter, all: lengths.len(), longest: lengths.iter().copied().max().unwrap_or(0) })
    }

    fn windows(&mut self, source: &Source, length: usize, call: Span) -> Result<[usize; 3], Diagnostic> {
        let Some(dealt) = self.splits.last_mut().filter(|dealt| dealt.from == source.from) else { return Ok([0; 3]) };
        let windows = windows::of(&dealt.split, length, call)?;
        let rows = [windows.train.len(), windows.valid.len(), windows.test.len()];
        dealt.windows = Some((length, windows));
        Ok(rows)
    }

    fn look(&mut self, source: &Source, column: &str) -> Option<Look> {
        let own = |dealt: &&Dealt| dealt.from == source.from && dealt.set == source.set;
        let dealt = self.splits.iter().rfind(own)?;
        let (table, split) = (self.table(source)?, &dealt.split);
        if table.rows > LOOKED_AT {
            return None;
        }
        let codes = dealt.vocabularies.get(column).filter(|(asked, ..)| !asked.each);
        let codes = codes.map(|(_, vocabulary, codes)| (vocabulary, codes));
        let values: Vec<f64> = match (codes, &table.column(column)?.values) {
            (Some((_, codes)), _) => codes.iter().map(|code| *code as f64).collect(),
            (None, Values::Numbers(numbers)) => numbers.clone(),
            (None, Values::Integers(whole)) => whole.iter().map(|number| *number as f64).collect(),
            (None, Values::Text(_) | Values::Cells(_) | Values::Lists(_) | Values::Characters(_)) => return None,
        };
        let trained = || split.train.iter().map(|row| values[*row]).filter(|value| !value.is_nan());
        let mut hasher = DefaultHasher::new();
        values.iter().for_each(|value| value.to_bits().hash(&mut hasher));
        let mut counts = vec![0; codes.map_or(0, |(vocabulary, _)| vocabulary.classes.len())];
        if codes.is_some() {
            trained().for_each(|code| counts.get_mut(code as usize).into_iter().for_each(|count| *count += 1));
        }
        let (least, greatest) = (trained().fold(f64::INFINITY, f64::min), trained().fold(f64::NEG_INFINITY, f64::max));
        let of_numbers = table.column(column).is_some_and(|column| holds(&column.values) == Holds::Numbers);
        Some(Look { least, greatest, sum: hasher.finish(), of_numbers, counts })
    }

    fn kin(&mut self, source: &Source) -> Vec<Kin> {
        self.table(source).filter(|table| table.rows <= LOOKED_AT).map_or(Vec::new(), kin::of)
    }

    fn class_names(&mut self, source: &Source, column: &str) -> Option<Vec<String>> {
        let dealt = self.splits.iter().rfind(|dealt| dealt.from == source.from && dealt.set == source.set)?;
        Some(dealt.vocabularies.get(column)?.1.classes.clone())
    }

    fn classes(
        &mut self,
        sources: &Sources,
        source: &Source,
        column: &str,
        asked: &Asked,
        call: Span,
    ) -> Result<usize, Diagnostic> {
        let table = self.tables.get(&source.from).map(|(table, _)| table);
        let Some(dealt) = self.splits.last_mut().filter(|dealt| dealt.from == source.from) else { return Ok(0) };
        if let Some((by, known, _)) = dealt.vocabularies.get(column)
            && by == asked
        {
            return Ok(known.classes.len());
        }
        let Some((table, at)) = table.and_then(|table| Some((table, *table.by_name.get(column)?))) else {
            return Ok(0);
        };
        let known = self.trained.get(&source.key(column));
        let (vocabulary, codes) = match known {
            _ if asked.like.is_some() && !asked.each => fit::like(sources, table, at, asked_like(asked), call)?,
            _ if asked.each => {
                let known = asked.like.as_ref().map(|(classes, _)| classes).or(known);
                let wanted = (fit_by(asked), known.map(Vec::as_slice));
                lists::category(sources, table, at, &dealt.split, wanted, (call, self.stop))?
            }
            None => fit::category(sources, table, at, &dealt.split, fit_by(asked), call, self.stop)?,
            Some(classes) => (
                Vocabulary { classes: classes.clone() },
                fit::by(sources, table, at, classes, asked.unknown.is_some(), call)?,
            ),
        };
        let count = vocabulary.classes.len();
        dealt.vocabularies.insert(column.to_string(), (asked.clone(), vocabulary, codes));
        Ok(count)
    }
}

/// A column as the checker sees it.
fn seen(table: &Table, column: &data::table::Column) -> Column {
    let lacking = lacking(table, column);
    // A column without values may be filled with numbers.
    let holds = if lacking.all { Holds::Numbers } else { holds(&column.values) };
    let (name, mistakes, shape) = (column.name.clone(), column.mistakes.clone(), column.shape().to_vec());
    Column { name, holds, shape, span: column.span, lacking, word: column.word, mistakes }
}

/// The classes that a column takes over, how the column that has them is named, and whether the last stands for all others.
fn asked_like(asked: &Asked) -> (&[String], &str, bool) {
    let (classes, shown) = asked.like.as_ref().map_or((&[][..], ""), |(classes, shown)| (&classes[..], shown.as_str()));
    (classes, shown, asked.unknown.is_some())
}

fn fit_by(asked: &Asked) -> fit::Wanted<'_> {
    fit::Wanted { order: asked.order.as_deref(), unknown: asked.unknown.as_deref() }
}

/// The numbers of a column that has one in each row.
fn numbers_in(values: &Values) -> Option<Cow<'_, [f64]>> {
    match values {
        Values::Numbers(numbers) => Some(Cow::Borrowed(numbers)),
        Values::Integers(whole) => Some(whole.iter().map(|number| *number as f64).collect()),
        Values::Text(_) | Values::Cells(_) | Values::Lists(_) | Values::Characters(_) => None,
    }
}

pub(super) fn holds(values: &Values) -> Holds {
    match values {
        Values::Numbers(_) | Values::Integers(_) | Values::Cells(_) => Holds::Numbers,
        Values::Text(_) => Holds::Text,
        Values::Characters(_) => Holds::Characters,
        Values::Lists(Lists { items: Listed::Numbers(_), .. }) => Holds::Lists,
        Values::Lists(Lists { items: Listed::Texts(_), .. }) => Holds::Texts,
    }
}

/// The rows of a table that have no value in a column.
pub fn lacking(table: &Table, column: &data::table::Column) -> Lacking {
    let Tally { count, first } = column.lacking.clone();
    Lacking { count, first, all: table.is_without_values(column) }
}
