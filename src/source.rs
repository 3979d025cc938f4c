//! Source texts and places in them.
//!
//! A [`Span`] is a range of bytes in one source; [`Sources`] owns the texts and turns a byte into
//! the line and column that people see (both count from 1, columns in Unicode scalar values).

use std::fmt;
use std::sync::Arc;

/// Names one text of a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// The bytes `start..end` of one source text. Both lie on character boundaries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

/// `120..125`, bytes of a text: which text, whoever prints a tree knows.
impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl Span {
    pub fn new(source: SourceId, start: usize, end: usize) -> Span {
        Span { source, start: start as u32, end: end as u32 }
    }

    /// The least span that holds both; of two sources, the first wins.
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        Span { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One text with the name that messages give it (a path, or `<stdlib>/dense.mlx`).
#[derive(Clone, Debug)]
pub struct Source {
    pub name: String,
    pub text: Arc<str>,
    /// Byte offset of the start of each line.
    lines: Vec<u32>,
}

/// A position as editors count it, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    pub line: usize,
    pub column: usize,
}

impl Source {
    fn line_column(&self, byte: usize) -> LineColumn {
        let byte = byte.min(self.text.len());
        let line = self.lines.partition_point(|&start| start as usize <= byte) - 1;
        let start = self.lines[line] as usize;
        let column = self.text[start..].char_indices().take_while(|(at, _)| start + at < byte).count() + 1;
        LineColumn { line: line + 1, column }
    }
}

/// All texts of one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
}

impl Sources {
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        let text = text.into();
        let after = |(at, _): (usize, &str)| at as u32 + 1;
        let mut lines: Vec<u32> = std::iter::once(0).chain(text.match_indices('\n').map(after)).collect();
        // As they are drawn: a `\r` alone ends a line too.
        let alone = |found: &(usize, &str)| text.as_bytes().get(found.0 + 1) != Some(&b'\n');
        lines.extend(text.match_indices('\r').filter(alone).map(after));
        lines.sort_unstable();
        self.all.push(Source { name: name.into(), text, lines });
        SourceId(self.all.len() as u32 - 1)
    }

    pub fn get(&self, id: SourceId) -> &Source {
        &self.all[id.0 as usize]
    }

    /// The text that a span covers.
    pub fn text(&self, span: Span) -> &str {
        &self.get(span.source).text[span.start as usize..span.end as usize]
    }

    pub fn start(&self, span: Span) -> LineColumn {
        self.get(span.source).line_column(span.start as usize)
    }

    pub fn end(&self, span: Span) -> LineColumn {
        self.get(span.source).line_column(span.end as usize)
    }
}
