//! Tables: named columns of equal length.

use crate::data::cell;
use crate::data::jsonl;
use crate::data::kind::Tally;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Sources, Span};
use std::collections::HashMap;

/// The values of a column, one for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Finite numbers; NaN where a value is missing.
    Numbers(Vec<f64>),
    /// Whole numbers, where every cell is one.
    Integers(Vec<i64>),
    Text(Vec<String>),
    /// Several numbers in each row.
    Cells(Cells),
    /// As many in each row as it has.
    Lists(Lists),
    Characters(Vec<char>),
}

/// Rows of unequal length, one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Lists {
    /// The place of each row's first element, and behind the last row the number of all.
    pub starts: Vec<usize>,
    pub items: Listed,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Listed {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

impl Lists {
    /// Of rows of these lengths.
    pub fn of(lengths: impl Iterator<Item = usize>, items: Listed) -> Lists {
        let mut starts = vec![0];
        lengths.for_each(|length| starts.push(starts.last().copied().unwrap_or(0) + length));
        Lists { starts, items }
    }
}

/// Rows of one shape, one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    pub shape: Vec<usize>,
    pub numbers: Lying,
}

/// Numbers as a file has them.
#[derive(Clone, Debug, PartialEq)]
pub enum Lying {
    Bytes(Vec<u8>),
    Floats(Vec<f64>),
}

impl Lying {
    pub fn len(&self) -> usize {
        match self {
            Lying::Bytes(bytes) => bytes.len(),
            Lying::Floats(floats) => floats.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Column {
    /// The shape of a row.
    pub fn shape(&self) -> &[usize] {
        match &self.values {
            Values::Cells(cells) => &cells.shape,
            Values::Numbers(_) | Values::Integers(_) | Values::Text(_) | Values::Lists(_) | Values::Characters(_) => {
                &[]
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    /// Where the column is named: its cell of the header.
    pub span: Span,
    /// Of a column without a value in any row, the text of its cells.
    pub values: Values,
    /// Cells without a value.
    pub lacking: Tally,
    /// Those of them that are empty, without quotes: what text lacks.
    pub empty: Tally,
    /// The first cell that is a word: why a column of text is one.
    pub word: Option<Span>,
    /// What is wrong with it as a column of numbers.
    pub mistakes: Vec<Diagnostic>,
}

/// Where the rows of a table stand.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Cells with separators between them; the byte at which each row starts.
    Cells { source: SourceId, separator: u8, starts: Vec<u32> },
    /// An object of JSON a line; the byte at which each starts.
    Lines { source: SourceId, starts: Vec<u32> },
    /// A character a row.
    Characters(SourceId),
    /// They are no text; where the program asks for them.
    Call(Span),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What messages call it: the path of the file.
    pub name: String,
    pub columns: Vec<Column>,
    /// The place of each column, by its name.
    pub by_name: HashMap<String, usize>,
    pub rows: usize,
    /// The row from which on they are for the test, where the source says so.
    pub own_test: Option<usize>,
    pub origin: Origin,
}

impl Table {
    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.by_name.get(name).map(|at| &self.columns[*at])
    }

    /// Whether no row has a value in a column.
    pub fn is_without_values(&self, column: &Column) -> bool {
        column.lacking.count == self.rows
    }

    /// Where a cell stands in the file. Rows and columns count from 0, the header not being a row.
    pub fn place(&self, sources: &Sources, row: usize, column: usize) -> Span {
        match &self.origin {
            Origin::Cells { source, separator, starts } => {
                let text = &sources.get(*source).text;
                let start = starts.get(row).map_or(text.len(), |start| *start as usize);
                let found = cell::find(text, start, column, *separator);
                Span::new(*source, found.start, found.end)
            }
            Origin::Lines { source, starts } => {
                let start = starts.get(row).copied().unwrap_or(0) as usize;
                let found = jsonl::find(&sources.get(*source).text, start, &self.columns[column].name);
                Span::new(*source, found.start, found.end)
            }
            Origin::Characters(source) => {
                let text = &sources.get(*source).text;
                let found = text.char_indices().nth(row);
                let (start, length) = found.map_or((text.len(), 0), |(start, character)| (start, character.len_utf8()));
                Span::new(*source, start, start + length)
            }
            Origin::Call(span) => *span,
        }
    }
}
