//! What a session is given: items, statements and expressions in any order.

use super::build::take;
use super::words::{token_at, word_at};
use super::{Driver, ITEMS, Rule, STATEMENTS, drive};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Sources, Span};
use crate::syntax::tree::{Item, Statement, StatementKind};

/// A part of an entry.
pub enum Part {
    Item(Item),
    /// With the text of the `///` lines before it. An expression alone is an `out`.
    Statement(Statement, Option<String>),
}

/// Reads an entry from a byte of its text on: what could be read of it, and everything that could not.
pub fn entry(sources: &Sources, source: SourceId, from: usize) -> (Vec<Part>, Vec<Diagnostic>) {
    drive(sources, source, from, |parser| parser.parts())
}

/// Why a text is not a whole entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// A `}` is missing.
    Body,
    /// It ends where something must follow: in brackets, behind an operator.
    Rest,
}

/// Whether more of a text must follow.
pub fn open(text: &str) -> Option<Open> {
    let mut sources = Sources::default();
    let source = sources.add("", text);
    let (_, found) = entry(&sources, source, 0);
    found.iter().find_map(|found| {
        let at = found.labels.first().map(|label| label.span.start as usize).filter(|at| nothing(&text[*at..]))?;
        match found.code {
            "E0102" => Some(Open::Body),
            "E0101" if at > 0 => Some(Open::Rest),
            _ => None,
        }
    })
}

/// Whether a text has nothing but space and comments.
fn nothing(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with("//"))
}

impl Driver<'_> {
    fn parts(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            let doc = self.skip_space();
            let start = self.at;
            if self.rest().is_empty() {
                return parts;
            }
            match self.part(doc) {
                Some(part) => parts.push(part),
                None => self.skip_to(
                    |word, column| column == 0 && (ITEMS.contains(&word) || STATEMENTS.contains(&word)),
                    start,
                ),
            }
        }
    }

    fn part(&mut self, doc: Option<String>) -> Option<Part> {
        let start = self.at;
        let word = self.word();
        if self.names_item() {
            let kind = self.item()?;
            let end = start + self.text[start..self.at].trim_end().len();
            return Some(Part::Item(Item { doc, span: Span::new(self.builder.source, start, end), kind }));
        }
        if word == "let" || STATEMENTS.contains(&word) {
            let statement = self.read(Rule::statement)?;
            return Some(Part::Statement(self.builder.statement(statement), doc));
        }
        let after = self.rest()[word.len()..].trim_start();
        if !word.is_empty() && after.starts_with('=') && !after.starts_with("==") {
            let span = Span::new(self.builder.source, start, start + word.len());
            let wrong =
                Diagnostic::error("E0101", "expected an expression, found a value given to a name", span, "here");
            self.found.push(wrong.help(format!("to declare it, write `let {word} = …`; to compare, write `==`")));
            return None;
        }
        let value = take(&mut self.read(Rule::value)?.into_inner());
        let value = self.builder.expr(value);
        let rest = self.rest();
        let gap = &rest[..rest.len() - rest.trim_start().len()];
        let fresh = rest.trim_start();
        if !fresh.is_empty() && !fresh.starts_with("//") && !gap.contains('\n') && !self.text[..self.at].ends_with('\n')
        {
            let token = token_at(fresh);
            let place = self.at + gap.len();
            let span = Span::new(self.builder.source, place, place + token.len());
            let message = format!("expected an operator or the end of the line, found `{}`", word_at(fresh));
            self.found.push(Diagnostic::error("E0101", message, span, "here"));
            return None;
        }
        let span = value.span;
        Some(Part::Statement(Statement { span, kind: StatementKind::Out(value) }, doc))
    }
}
