//! What the checker must know of data, and whom it asks: so that it reads no file itself.

use super::number::Number;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Sources, Span};

/// Where rows come from, as a `data` item says it.
#[derive(Clone, Debug)]
pub struct Source {
    pub from: From,
    /// Where it is written.
    pub span: Span,
    /// The name of its data set, where a training lists several; else nothing.
    pub set: String,
}

impl Source {
    pub fn new(from: From, span: Span) -> Source {
        Source { from, span, set: String::new() }
    }

    /// What a column of the source is called beside those of other sets.
    pub fn key(&self, column: &str) -> String {
        if self.set.is_empty() { column.to_string() } else { format!("{}.{column}", self.set) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    Csv {
        path: String,
        separator: u8,
    },
    /// Arrays of bytes or numbers, of which the last two may be missing.
    Idx {
        train: String,
        train_labels: Option<String>,
        test: Option<String>,
        test_labels: Option<String>,
    },
    /// A text, a row for each character.
    Text {
        path: String,
    },
    /// An object of JSON a line.
    Jsonl {
        path: String,
    },
    /// Rows that are drawn.
    Rows {
        count: usize,
        seed: u64,
    },
}

impl From {
    /// The files, as the program names them.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            From::Csv { path, .. } | From::Text { path } | From::Jsonl { path } => vec![path],
            From::Idx { train, train_labels, test, test_labels } => {
                [Some(train), train_labels.as_ref(), test.as_ref(), test_labels.as_ref()]
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .collect()
            }
            From::Rows { .. } => Vec::new(),
        }
    }
}

/// What a program says of the classes of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// All classes, in order.
    pub order: Option<Vec<String>>,
    /// The class of what no training row has.
    pub unknown: Option<String>,
    /// The classes of another column, as which this one is read, and how that is named.
    pub like: Option<(Vec<String>, String)>,
    /// Whether each element of a row is of a class: the characters of a text, what an array holds.
    pub each: bool,
}

/// A number and where it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spanned {
    pub number: Number,
    pub span: Span,
}

/// How the rows of a source are split.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    pub way: Way,
    pub seed: u64,
    pub shuffle: bool,
    /// The column whose classes have their share in each split.
    pub stratify: Option<(String, Span)>,
    /// The column whose equal values stay together.
    pub group: Option<(String, Span)>,
    pub span: Span,
}

/// What decides which split a row is in.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// `holdout(train = …, valid = …, test = …)`.
    Shares { train: Spanned, valid: Option<Spanned>, test: Option<Spanned> },
    /// `kfold(count, fold = held)`: one of equal parts is for validation.
    Fold { count: usize, held: usize },
    /// `given(by = column)`: a column of the source says `train`, `valid` or `test`.
    Column(String, Span),
    /// `given(valid = …)`: the source has rows for training and others for the test; so many of the former are for
    /// validation, as a share or, from 1 on, as a count.
    Given { valid: Option<Spanned> },
}

/// What a column of a source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Numbers,
    Text,
    /// Each row is a character.
    Characters,
    /// As many numbers, or texts, in each row as it has.
    Lists,
    Texts,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub holds: Holds,
    /// Of a row.
    pub shape: Vec<usize>,
    /// Where the source names it.
    pub span: Span,
    pub lacking: Lacking,
    /// The first cell of a column of text that is no number.
    pub word: Option<Span>,
    /// What is wrong with it as a column of numbers.
    pub mistakes: Vec<Diagnostic>,
}

/// How many rows have no value in a column, and where the first of them should stand.
#[derive(Clone, Debug, Default)]
pub struct Lacking {
    pub count: usize,
    pub first: Vec<Span>,
    /// Whether no row at all has one.
    pub all: bool,
}

impl Lacking {
    /// The mistake of reading a column as if it had a value in every row; `None` where it has. `call` is what reads it.
    pub fn mistake(&self, column: &str, call: Span) -> Option<Diagnostic> {
        let (first, more) = self.first.split_first()?;
        let message = match self.count {
            _ if self.all => format!("column `{column}` has no value in any row"),
            1 => format!("column `{column}` lacks a value in 1 row"),
            count => format!("column `{column}` lacks a value in {count} rows"),
        };
        let error = Diagnostic::error("E0306", message, *first, "no value here");
        let error = more.iter().fold(error, |error, place| error.label(*place, "nor here"));
        Some(error.label(call, "read here"))
    }
}

/// What the training rows have in a column; two columns of one `sum` have the same values in all rows.
#[derive(Clone, Debug)]
pub struct Look {
    pub least: f64,
    pub greatest: f64,
    pub sum: u64,
    /// Whether its cells are numbers, also where it is read as classes.
    pub of_numbers: bool,
    /// Of a column that is read as classes, how many rows have each.
    pub counts: Vec<usize>,
}

/// How long rows are, beside a length.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    pub longer: usize,
    pub shorter: usize,
    pub all: usize,
    /// The elements of the longest.
    pub longest: usize,
}

/// Whoever can look into data. Mistakes in the data are reported as diagnostics, drawn over the data's own text.
pub trait Schemas {
    /// Whether checking shall go on. Where it shall not, what is found is of no use.
    fn goes_on(&self) -> bool;

    /// Another `.mlx` file, whose path is relative to the folder of the program.
    fn other(&mut self, sources: &mut Sources, path: &str) -> Result<SourceId, Diagnostic>;

    /// The columns of a source.
    fn columns(&mut self, sources: &mut Sources, source: &Source) -> Result<Vec<Column>, Vec<Diagnostic>>;

    /// The columns and the number of rows of a table that is read whole.
    fn whole_table(&mut self, sources: &mut Sources, source: &Source) -> Result<(Vec<Column>, usize), Vec<Diagnostic>>;

    /// How many rows train, valid and test have; without a split all are for training.
    fn rows(&mut self, sources: &Sources, source: &Source, split: Option<&Split>) -> Result<[usize; 3], Diagnostic>;

    /// Whether a training row of the split that was asked for last has a value in a column.
    fn is_known(&mut self, source: &Source, column: &str) -> bool;

    /// What stands in a column that was read, if it can be told soon.
    fn look(&mut self, source: &Source, column: &str) -> Option<Look>;

    /// How many classes a column has in the training rows of the split that was asked for last.
    fn classes(
        &mut self,
        sources: &Sources,
        source: &Source,
        column: &str,
        asked: &Asked,
        call: Span,
    ) -> Result<usize, Diagnostic>;

    /// The classes of a column that was asked for, in their order.
    fn class_names(&mut self, source: &Source, column: &str) -> Option<Vec<String>>;

    /// Whether all values of a column are whole numbers from 0 to below a bound; `call` makes classes of them.
    fn whole(
        &mut self,
        sources: &Sources,
        source: &Source,
        column: &str,
        below: usize,
        call: Span,
    ) -> Result<(), Diagnostic>;

    /// The rows of a column of unequal length beside so many elements, if that can be told.
    fn lengths(&mut self, source: &Source, column: &str, length: usize) -> Option<Lengths>;

    /// How many windows of so many rows, and one behind them, train, valid and test have, of the split that was asked for last.
    fn windows(&mut self, source: &Source, length: usize, call: Span) -> Result<[usize; 3], Diagnostic>;
}
