//! The data of a program: sets of rows, the columns made of them, and what is fitted.

use super::schema::{Source, Split};
use super::terms::{Leaf, TermId, Terms};
use super::types::Type;
use super::value::Distribution;
use crate::ir::{Size, Symbol};
use crate::source::Span;

/// What a `train` block reads.
#[derive(Default)]
pub struct Data {
    /// In the order in which the block names them; one without a name where it names none.
    pub sets: Vec<Set>,
    /// Whether the block lists them, so that a column is read as a part of its set, `a.x`.
    pub listed: bool,
    /// The columns of the sources that are read.
    pub raw: Vec<Raw>,
    /// Values on the training rows, and what is read whole; a later one may read an earlier one.
    pub fits: Vec<Fit>,
    pub columns: Vec<Column>,
}

/// One data set.
pub struct Set {
    pub name: String,
    pub source: Source,
    pub split: Option<Split>,
    /// Rows in train, valid, test.
    pub rows: [usize; 3],
    /// Where rows are windows: how many rows of the source each has.
    pub window: Option<usize>,
    /// The columns whose last class stands for all that no training row has.
    pub unknown: Vec<String>,
    /// The rows of a batch of it.
    pub symbol: Symbol,
    /// Whether the training reads no row of it: others are fitted as its columns are.
    pub lends: bool,
}

impl Data {
    /// The most rows that a set has in train, valid and test: those of the set where there is one.
    pub fn rows(&self) -> [usize; 3] {
        let own = || self.sets.iter().filter(|set| !set.lends);
        std::array::from_fn(|split| own().map(|set| set.rows[split]).max().unwrap_or(0))
    }

    /// Whether the block names none.
    pub fn is_missing(&self) -> bool {
        self.sets.iter().all(|set| set.name.is_empty())
    }

    /// The rows of a batch, of each set.
    pub fn symbols(&self) -> Vec<Symbol> {
        self.sets.iter().map(|set| set.symbol.clone()).collect()
    }

    /// The set whose rows a size is.
    pub fn set_of(&self, size: &Size) -> Option<usize> {
        self.sets.iter().position(|set| size.symbols().contains(&set.symbol))
    }

    /// The sets whose columns, or rows, a term reads.
    pub fn sets_of(&self, terms: &Terms, roots: &[TermId]) -> Vec<usize> {
        let columns = terms.leaves(roots).into_iter().filter_map(|leaf| match leaf {
            Leaf::Column(at) => Some(self.columns[at].set),
            Leaf::Raw(at) => Some(self.raw[at].set),
            _ => None,
        });
        let mut sets: Vec<usize> = columns.collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum RawKind {
    Numbers,
    /// Numbers, and NaN where a cell has no value.
    Gappy,
    /// The place of each cell among the classes of the training rows.
    Classes,
    /// The classes of neighbouring cells, from so many behind the row on.
    Window {
        offset: usize,
    },
    /// Numbers that are classes themselves: whole, and below a bound.
    Whole(usize),
    /// So many elements of each row, filled up with 0.
    Padded {
        items: Items,
        length: usize,
        /// Whether a row has fewer.
        filled: bool,
    },
    /// How many of them each row has itself.
    Length {
        most: usize,
    },
    /// A draw for each element.
    Drawn(Distribution),
}

/// What the elements of rows of unequal length are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Items {
    Numbers,
    /// Classes by their numbers, which are below a bound.
    Whole(usize),
    /// Classes of the training rows.
    Classes,
}

impl RawKind {
    /// Whether it has the classes of a column.
    pub fn is_class(&self) -> bool {
        match self {
            RawKind::Classes | RawKind::Window { .. } | RawKind::Padded { items: Items::Classes, .. } => true,
            RawKind::Numbers
            | RawKind::Gappy
            | RawKind::Whole(_)
            | RawKind::Padded { items: Items::Numbers | Items::Whole(_), .. }
            | RawKind::Length { .. }
            | RawKind::Drawn(_) => false,
        }
    }
}

pub struct Raw {
    /// Its name in the source.
    pub name: String,
    /// The set whose source it is of.
    pub set: usize,
    /// What its classes are known by: its name, and where sets are listed that of its set before it.
    pub key: String,
    pub kind: RawKind,
    pub ty: Type,
    /// Where the program asks for it.
    pub span: Span,
}

pub struct Fit {
    /// `diabetes.x.1`: the column that it was fitted for, and its number there.
    pub name: String,
    /// Of what is read whole, itself.
    pub value: TermId,
    /// Whose training rows it is of.
    pub set: usize,
    /// The call in the `data` block that fits it, and of what.
    pub of: Option<(Span, String)>,
    /// Where it comes from, if it is read from a table and not computed.
    pub whole: Option<Whole>,
}

/// Columns of a table that is read whole.
pub struct Whole {
    pub source: Source,
    pub columns: Vec<String>,
    /// Whether they stand side by side in a matrix; else it is one.
    pub matrix: bool,
}

pub struct Column {
    /// `x`; where sets are listed `a.x`.
    pub name: String,
    pub value: TermId,
    pub set: usize,
}
