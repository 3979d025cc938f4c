//! The files behind a program's data: asked by the checker for columns, rows and classes, and by a run for the numbers.

use crate::backend::Tensor;
use crate::check::number::Number;
use crate::check::program::{Data, Raw, RawKind};
use crate::check::schema::{Column, Holds, Schemas, Source, Spanned, Split as Wanted};
use crate::data;
use crate::data::fit::{self, Vocabulary};
use crate::data::split::{self, Holdout, Part, Split};
use crate::data::table::{Table, Values};
use crate::diagnostic::Diagnostic;
use crate::io;
use crate::source::{Sources, Span};
use crate::train::record::{DataFile, checksum};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The data files of one `.mlx` file, each read once.
pub struct Files {
    /// The folder that paths are relative to: that of the `.mlx` file.
    folder: PathBuf,
    tables: BTreeMap<(String, u8), (Table, DataFile)>,
    splits: BTreeMap<(String, u8), Split>,
    vocabularies: BTreeMap<(String, u8, String), (Vocabulary, Vec<usize>)>,
}

impl Files {
    pub fn beside(file: &Path) -> Files {
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        Files { folder, tables: BTreeMap::new(), splits: BTreeMap::new(), vocabularies: BTreeMap::new() }
    }

    fn read(&mut self, sources: &mut Sources, source: &Source) -> Result<&Table, Vec<Diagnostic>> {
        let key = key(source);
        if !self.tables.contains_key(&key) {
            let path = self.folder.join(&source.path);
            let bytes = io::read(&path).map_err(|failure| vec![failure.label(source.span, "named here")])?;
            let name = path.display().to_string();
            let table = data::csv::read(sources, &name, &bytes, source.separator, source.span)?;
            let file = DataFile { path: source.path.clone(), sha256: checksum(&bytes) };
            self.tables.insert(key.clone(), (table, file));
        }
        self.tables.get(&key).map(|(table, _)| table).ok_or_else(Vec::new)
    }

    /// New rows, of the kind that a source has: from a file that the command line names.
    pub fn new_rows(sources: &mut Sources, path: &Path, source: &Source) -> Result<Table, Vec<Diagnostic>> {
        let bytes = io::read(path).map_err(|failure| vec![failure])?;
        data::csv::read(sources, &path.display().to_string(), &bytes, source.separator, source.span)
    }

    fn table(&self, source: &Source) -> Option<&Table> {
        self.tables.get(&key(source)).map(|(table, _)| table)
    }

    /// What a run of the data reads: rows of each split, numbers, classes.
    pub fn open(&self, data: &Data) -> Option<Opened<'_>> {
        let key = key(&data.source);
        let (table, file) = self.tables.get(&key)?;
        let split = self.splits.get(&key)?;
        let mut columns = Vec::new();
        for Raw { name, kind, .. } in &data.raw {
            let numbers = match kind {
                RawKind::Numbers => match &table.column(name)?.values {
                    Values::Numbers(numbers) => numbers.clone(),
                    Values::Integers(whole) => whole.iter().map(|number| *number as f64).collect(),
                    Values::Text(_) => return None,
                },
                RawKind::Classes => {
                    let (_, codes) = self.vocabularies.get(&(key.0.clone(), key.1, name.clone()))?;
                    codes.iter().map(|code| *code as f64).collect()
                }
            };
            columns.push(numbers);
        }
        let classes = data.raw.iter().filter(|raw| raw.kind == RawKind::Classes).filter_map(|raw| {
            let (vocabulary, _) = self.vocabularies.get(&(key.0.clone(), key.1, raw.name.clone()))?;
            Some((raw.name.clone(), vocabulary.classes.clone()))
        });
        Some(Opened { file, splits: [&split.train, &split.valid, &split.test], columns, classes: classes.collect() })
    }
}

/// The data of one program.
pub struct Opened<'f> {
    pub file: &'f DataFile,
    /// The rows of train, valid and test.
    pub splits: [&'f [usize]; 3],
    /// The source columns that the program reads, all rows.
    columns: Vec<Vec<f64>>,
    /// The classes of each category column.
    pub classes: BTreeMap<String, Vec<String>>,
}

impl Opened<'_> {
    /// A source column on some rows: `[rows]`.
    pub fn column(&self, at: usize, rows: &[usize]) -> Tensor {
        let values = rows.iter().map(|row| self.columns[at][*row]).collect();
        Tensor { shape: vec![rows.len()], values }
    }
}

fn key(source: &Source) -> (String, u8) {
    (source.path.clone(), source.separator)
}

impl Schemas for Files {
    fn columns(&mut self, sources: &mut Sources, source: &Source) -> Result<Vec<Column>, Vec<Diagnostic>> {
        let table = self.read(sources, source)?;
        let column = |column: &crate::data::table::Column| {
            let holds = match column.values {
                Values::Numbers(_) | Values::Integers(_) => Holds::Numbers,
                Values::Text(_) => Holds::Text,
            };
            Column { name: column.name.clone(), holds, span: column.span }
        };
        Ok(table.columns.iter().map(column).collect())
    }

    fn rows(&mut self, _: &Sources, source: &Source, wanted: Option<&Wanted>) -> Result<[usize; 3], Diagnostic> {
        let Some(table) = self.table(source) else { return Ok([0; 3]) };
        let split = match wanted {
            None => Split { train: (0..table.rows).collect(), ..Split::default() },
            Some(wanted) => {
                let strata = match &wanted.stratify {
                    None => None,
                    Some((name, span)) => match table.columns.iter().position(|column| column.name == *name) {
                        Some(at) => Some(fit::strata(table, at)),
                        None => {
                            let message = format!("no column is called `{name}`");
                            return Err(Diagnostic::error("E0220", message, *span, "unknown"));
                        }
                    },
                };
                split::holdout(table.rows, &holdout(wanted)?, strata.as_deref(), wanted.span)?
            }
        };
        let rows = [split.train.len(), split.valid.len(), split.test.len()];
        self.vocabularies.retain(|(path, separator, _), _| (path, separator) != (&source.path, &source.separator));
        self.splits.insert(key(source), split);
        Ok(rows)
    }

    fn classes(&mut self, sources: &Sources, source: &Source, column: &str, call: Span) -> Result<usize, Diagnostic> {
        let key = key(source);
        let found = self.tables.get(&key).and_then(|(table, _)| {
            let at = table.columns.iter().position(|known| known.name == column)?;
            Some((table, at, self.splits.get(&key)?))
        });
        let Some((table, at, split)) = found else { return Ok(0) };
        let (vocabulary, codes) = fit::category(sources, table, at, split, call)?;
        let count = vocabulary.classes.len();
        self.vocabularies.insert((key.0, key.1, column.to_string()), (vocabulary, codes));
        Ok(count)
    }
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
