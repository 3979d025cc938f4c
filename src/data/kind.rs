//! What a column holds, by a scan of all its cells.

use crate::source::Span;

/// What one cell is. Spaces around it do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No text at all.
    Empty,
    Integer,
    Number,
    /// `inf`, or a number too large to hold.
    NotFinite,
    /// What many programs write for a missing value, `nan` among it.
    Mark,
    Word,
}

pub fn kind_of(cell: &str) -> Kind {
    let cell = cell.trim();
    if cell.is_empty() {
        return Kind::Empty;
    }
    if cell.parse::<i64>().is_ok() {
        return Kind::Integer;
    }
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() => Kind::Number,
        Ok(value) if value.is_nan() => Kind::Mark,
        Ok(_) => Kind::NotFinite,
        Err(_) if MARKS.contains(&cell.to_lowercase().as_str()) => Kind::Mark,
        Err(_) => Kind::Word,
    }
}

const MARKS: [&str; 8] = ["na", "n/a", "null", "none", "missing", "?", "-", "."];

/// How many cells of one kind there are, and the places of the first of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub count: usize,
    pub first: Vec<Span>,
}

/// Places shown of one mistake.
const SHOWN: usize = 3;

impl Tally {
    fn add(&mut self, place: impl FnOnce() -> Span) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(place());
        }
    }
}

/// What the cells of one column are.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    pub integers: usize,
    pub numbers: usize,
    /// Empty cells without quotes.
    pub missing: Tally,
    /// Empty cells in quotes: `""`.
    pub quoted: Tally,
    pub not_finite: Tally,
    /// In a column of text they are text.
    pub marks: Tally,
    pub words: Tally,
}

/// What a column is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Integers,
    Numbers,
    Text,
    /// Numbers but for a few words: a mistake in the file.
    NumbersBut,
    /// No row has a value.
    Nothing,
}

impl Scan {
    /// Counts a cell; its place is asked for where it may be shown.
    pub fn add(&mut self, cell: &str, place: impl FnOnce() -> Span) {
        match kind_of(cell) {
            Kind::Empty => {
                let place = place();
                // A cell without text that takes room has quotes.
                let tally = if place.start < place.end { &mut self.quoted } else { &mut self.missing };
                tally.add(|| place);
            }
            Kind::Integer => self.integers += 1,
            Kind::Number => self.numbers += 1,
            Kind::NotFinite => self.not_finite.add(place),
            Kind::Mark => self.marks.add(place),
            Kind::Word => self.words.add(place),
        }
    }

    /// The cells without a value: in a column of text, the empty ones without quotes.
    pub fn lacking(&self) -> Tally {
        if self.reading() == Reading::Text {
            return self.missing.clone();
        }
        let all = [&self.missing, &self.quoted, &self.marks];
        let mut first: Vec<Span> = all.iter().flat_map(|tally| &tally.first).copied().collect();
        first.sort_unstable();
        first.truncate(SHOWN);
        Tally { count: all.iter().map(|tally| tally.count).sum(), first }
    }

    /// One word among at least four numbers is a mistake; more words than that make a column of text.
    pub fn reading(&self) -> Reading {
        let numeric = self.integers + self.numbers + self.not_finite.count;
        match self.words.count {
            0 if numeric == 0 => Reading::Nothing,
            0 if self.numbers + self.not_finite.count == 0 => Reading::Integers,
            0 => Reading::Numbers,
            words if words.saturating_mul(4) <= numeric => Reading::NumbersBut,
            _ => Reading::Text,
        }
    }
}
