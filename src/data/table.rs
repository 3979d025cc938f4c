//! Tables: named columns of equal length.

use crate::data::cell;
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
        let text = &sources.get(self.origin.source).text;
        let start = self.origin.starts.get(row).map_or(text.len(), |start| *start as usize);
        let found = cell::find(text, start, column, self.origin.separator);
        Span::new(self.origin.source, found.start, found.end)
    }
}
