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

impl Cell {
    /// Of a cell without text: whether it has quotes.
    pub fn is_quoted(&self) -> bool {
        self.start < self.end
    }
}

/// The cell `field` (from 0) of the row that starts at byte `start`; the row's end if the row is shorter.
pub fn find(text: &str, start: usize, field: usize, separator: u8) -> Cell {
    let bytes = text.as_bytes();
    let mut at = start.min(bytes.len());
    while at < bytes.len() && is_break(bytes[at]) {
        at += 1;
    }
    for _ in 0..field {
        let (end, _) = end_of_cell(bytes, at, separator);
        if end == bytes.len() || is_break(bytes[end]) {
            return trimmed(text, end, end, true);
        }
        at = end + 1;
    }
    let (end, closed) = end_of_cell(bytes, at, separator);
    trimmed(text, at, end, closed)
}

/// The byte after the row that starts at `start`, its line break left out.
pub fn end_of_row(text: &str, start: usize, separator: u8) -> usize {
    let last = find(text, start, 0, separator);
    let mut at = last.start;
    loop {
        let (end, _) = end_of_cell(text.as_bytes(), at, separator);
        if end == text.len() || is_break(text.as_bytes()[end]) {
            return end;
        }
        at = end + 1;
    }
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
