//! Tables: named columns of equal length.

use crate::data::cell;
use crate::data::kind::Tally;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Sources, Span};

/// The values of a column, one for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Finite numbers; NaN where a value is missing.
    Numbers(Vec<f64>),
    /// Whole numbers, where every cell is one.
    Integers(Vec<i64>),
    Text(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    /// Where the column is named: its cell of the header.
    pub span: Span,
    pub values: Values,
    /// Cells without a value.
    pub lacking: Tally,
    /// What is wrong with it as a column of numbers.
    pub mistakes: Vec<Diagnostic>,
}

/// Where the rows of a table stand in the text that they were read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub source: SourceId,
    pub separator: u8,
    /// The byte at which each row starts.
    pub starts: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What messages call it: the path of the file.
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: usize,
    pub origin: Origin,
}

impl Table {
    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Where a cell stands in the file. Rows and columns count from 0, the header not being a row.
    pub fn place(&self, sources: &Sources, row: usize, column: usize) -> Span {
        let text = &sources.get(self.origin.source).text;
        let start = self.origin.starts.get(row).map_or(text.len(), |start| *start as usize);
        let found = cell::find(text, start, column, self.origin.separator);
        Span::new(self.origin.source, found.start, found.end)
    }

    /// How many values a column lacks, and where the first of them should stand.
    pub fn lacking(&self, sources: &Sources, column: usize) -> (usize, Vec<Span>) {
        let lacking = &self.columns[column].lacking;
        (lacking.count, lacking.first.iter().map(|row| self.place(sources, *row, column)).collect())
    }

    /// The first row of a text column that holds no number: why the column is one of text.
    pub fn first_word(&self, column: usize) -> Option<usize> {
        match &self.columns.get(column)?.values {
            Values::Text(cells) => cells.iter().position(|cell| cell.trim().parse::<f64>().is_err()),
            Values::Numbers(_) | Values::Integers(_) => None,
        }
    }
}
