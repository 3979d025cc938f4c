//! Finds one cell again in the text of a file, to point at it. Reading is the `csv` crate's; its rules are
//! followed here: a cell that starts with a quote runs to the next single quote, `""` inside it is one quote.

/// The bytes of a cell, spaces around it (but not its quotes) left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub start: usize,
    pub end: usize,
    /// False for a quote that opens and never closes.
    pub closed: bool,
}

/// The cells of the row that starts at a byte, from left to right. A line without text is no row: those before it are
/// passed over.
pub struct Cells<'t> {
    text: &'t str,
    separator: u8,
    /// Where the next cell starts; at the end of the row once the last one was given.
    at: usize,
    /// How many were given.
    given: usize,
    ended: bool,
}

impl Cells<'_> {
    pub fn of(text: &str, start: usize, separator: u8) -> Cells<'_> {
        let blank = text.as_bytes().iter().skip(start).take_while(|byte| is_break(**byte)).count();
        Cells { text, separator, at: start.min(text.len()) + blank, given: 0, ended: false }
    }

    /// The cell `field` (from 0), which is still to come; the row's end if the row is shorter.
    pub fn find(&mut self, field: usize) -> Cell {
        let found = self.nth(field.saturating_sub(self.given));
        found.unwrap_or(Cell { start: self.at, end: self.at, closed: true })
    }

    /// The byte after the row, its line break left out.
    pub fn end(mut self) -> usize {
        self.by_ref().for_each(drop);
        self.at
    }
}

impl Iterator for Cells<'_> {
    type Item = Cell;

    fn next(&mut self) -> Option<Cell> {
        if self.ended {
            return None;
        }
        let bytes = self.text.as_bytes();
        let (end, closed) = end_of_cell(bytes, self.at, self.separator);
        let cell = trimmed(self.text, self.at, end, closed);
        self.ended = bytes.get(end) != Some(&self.separator);
        self.at = if self.ended { end } else { end + 1 };
        self.given += 1;
        Some(cell)
    }
}

/// The cell `field` (from 0) of the row that starts at byte `start`; the row's end if the row is shorter.
pub fn find(text: &str, start: usize, field: usize, separator: u8) -> Cell {
    Cells::of(text, start, separator).find(field)
}

fn is_break(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// Where the cell that starts at `at` ends, and whether its quote, if it has one, closes.
fn end_of_cell(bytes: &[u8], mut at: usize, separator: u8) -> (usize, bool) {
    if bytes.get(at) == Some(&b'"') {
        at += 1;
        loop {
            match (bytes.get(at), bytes.get(at + 1)) {
                (None, _) => return (bytes.len(), false),
                (Some(b'"'), Some(b'"')) => at += 2,
                (Some(b'"'), _) => break,
                _ => at += 1,
            }
        }
    }
    while at < bytes.len() && bytes[at] != separator && !is_break(bytes[at]) {
        at += 1;
    }
    (at, true)
}

fn trimmed(text: &str, start: usize, end: usize, closed: bool) -> Cell {
    let cell = &text[start..end];
    let left = start + cell.len() - cell.trim_start().len();
    let right = left + cell.trim().len();
    Cell { start: left, end: right, closed }
}
