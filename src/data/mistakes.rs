//! What can be wrong with a table's file: one diagnostic each, drawn in the file, with the call that asked for it.

use crate::data::cell::{Cell, Cells};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};

/// A file being read, and what its diagnostics need.
pub struct TableFile<'t> {
    pub name: &'t str,
    pub source: SourceId,
    pub separator: u8,
    pub text: &'t str,
    pub call: Span,
    /// Whether reading is to end.
    pub stop: fn() -> bool,
}

/// Rows shown of those that are too long or too short.
const SHOWN: usize = 3;

pub fn rows_phrase(count: usize) -> String {
    if count == 1 { "1 row".to_string() } else { format!("{count} rows") }
}

fn cells_phrase(count: usize) -> String {
    if count == 1 { "1 cell".to_string() } else { format!("{count} cells") }
}

/// Reading was interrupted. The caller that interrupts reports that in its own words.
pub fn interrupted(call: Span) -> Diagnostic {
    Diagnostic::error("E0331", "reading the data was interrupted", call, "read here")
}

/// Rows or cells between two questions whether to go on: some milliseconds.
pub const PIECE: usize = 100_000;

/// Whether what is done row by row goes on before a row; asked now and then.
pub fn goes_on(row: usize, stop: fn() -> bool) -> bool {
    !row.is_multiple_of(PIECE) || !stop()
}

impl TableFile<'_> {
    /// The cells of the row that starts at byte `start`.
    pub fn cells_of(&self, start: usize) -> Cells<'_> {
        Cells::of(self.text, start, self.separator)
    }

    pub fn place(&self, cell: Cell) -> Span {
        Span::new(self.source, cell.start, cell.end)
    }

    /// The place of a whole row; of a row over several lines, that of its first line.
    pub fn row(&self, start: usize) -> Span {
        let end = self.cells_of(start).end();
        let line = self.text[start..end].find(['\n', '\r']).map_or(end, |at| start + at);
        Span::new(self.source, start, line)
    }

    fn error(&self, code: &'static str, message: String, span: Span, label: String) -> Diagnostic {
        Diagnostic::error(code, message, span, label).label(self.call, "read here")
    }

    pub fn not_text(&self, at: usize, bytes: &[u8]) -> Diagnostic {
        let kind = match bytes {
            [0x1f, 0x8b, ..] => Some("a gzip archive: unpack it first"),
            [b'P', b'K', 3, 4, ..] => Some("a zip archive or a spreadsheet: save it as CSV first"),
            [b'P', b'A', b'R', b'1', ..] => Some("a Parquet file"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16 text: save it as UTF-8 first"),
            _ => None,
        };
        let end = at + self.text[at..].chars().next().map_or(0, char::len_utf8);
        let error = self.error(
            "E0301",
            format!("`{}` is not a text file in UTF-8", self.name),
            Span::new(self.source, at, end),
            format!("byte {at} is no text"),
        );
        match kind {
            Some(kind) => error.help(format!("it looks like {kind}")),
            None => error.help("save the file as UTF-8"),
        }
    }

    pub fn empty(&self) -> Diagnostic {
        let place = Span::new(self.source, 0, 0);
        self.error("E0302", format!("`{}` is empty", self.name), place, "no header here".to_string())
    }

    pub fn only_header(&self) -> Diagnostic {
        let start = self.text.len() - self.text.trim_start_matches([' ', '\n', '\r']).len();
        let message = format!("`{}` has a header and no rows", self.name);
        self.error("E0303", message, self.row(start), "nothing follows this line".to_string())
    }

    pub fn doubled(&self, name: &str, first: Span, second: Span) -> Diagnostic {
        Diagnostic::error("E0304", format!("two columns are named `{name}`"), second, "the second")
            .label(first, "the first")
            .label(self.call, "read here")
            .help("rename one of them in the file")
    }

    pub fn ragged(&self, columns: usize, rows: &[(Span, usize)]) -> Diagnostic {
        let verb = if rows.len() == 1 { "has" } else { "have" };
        let message = format!(
            "{} of `{}` {verb} another number of cells than the header's {columns}",
            rows_phrase(rows.len()),
            self.name
        );
        let (span, cells) = rows[0];
        let first = Diagnostic::error("E0305", message, span, format!("{} here", cells_phrase(cells)));
        rows.iter()
            .take(SHOWN)
            .skip(1)
            .fold(first, |error, (span, cells)| error.label(*span, format!("{} here", cells_phrase(*cells))))
            .label(self.call, "read here")
            .help(if rows.iter().all(|(span, cells)| *cells == columns + 1 && self.ends_in_a_separator(*span)) {
                "leave the separator at the end of the row out, or end the header with one too"
            } else if rows.iter().all(|(_, cells)| *cells > columns) {
                "a cell that holds the separator is written in quotes"
            } else {
                "a row has a cell for each name of the header"
            })
    }

    fn ends_in_a_separator(&self, row: Span) -> bool {
        self.text[row.start as usize..row.end as usize].trim_end_matches(' ').as_bytes().last() == Some(&self.separator)
    }

    /// A mistake that several cells share; the first few are shown.
    pub fn cells(&self, code: &'static str, message: String, places: &[Span], what: &str) -> Diagnostic {
        let error = Diagnostic::error(code, message, places[0], what);
        let error = places[1..].iter().fold(error, |error, place| error.label(*place, what));
        error.label(self.call, "read here").help("mend it or leave the row out")
    }

    pub fn open_quote(&self, at: usize) -> Diagnostic {
        let place = Span::new(self.source, at, (at + 1).min(self.text.len()));
        let message = format!("a quote in `{}` never closes", self.name);
        self.error("E0309", message, place, "it opens here".to_string())
    }

    /// A header of one cell with other separators in it is a file read with the wrong one.
    pub fn other_separator(&self, name: &str, span: Span) -> Option<Diagnostic> {
        let signs = [(';', ";"), ('\t', "\\t"), (',', ","), ('|', "|")];
        let (_, sign) = signs.iter().find(|(sign, _)| *sign as u8 != self.separator && name.contains(*sign))?;
        let message = format!("the header of `{}` is a single cell", self.name);
        let error = self.error("E0310", message, span, format!("`{sign}` stands between the names"));
        Some(error.help(format!("is the separator `{sign}`? `csv(…, separator = \"{sign}\")`")))
    }
}
