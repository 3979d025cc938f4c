//! Draws a diagnostic over its source text, by ariadne, which nothing else here uses.

use super::{Diagnostic, Severity};
use crate::source::{SourceId, Sources, Span};
use ariadne::{Color, Config, IndexType, Label, Report, ReportKind};
use std::collections::BTreeSet;
use std::ops::Range;

/// Lines are drawn at most this long: ariadne copies whole lines.
const MAX_LINE: usize = 400;

/// The drawing, with its code, message, every labelled place and what to do.
pub fn draw(diagnostic: &Diagnostic, sources: &Sources, colour: bool) -> String {
    let mut diagnostic = diagnostic.clone();
    diagnostic.message = harmless(&diagnostic.message);
    diagnostic.labels.iter_mut().for_each(|label| label.text = harmless(&label.text));
    diagnostic.help = diagnostic.help.as_deref().map(harmless);
    let diagnostic = &diagnostic;
    if diagnostic.labels.iter().any(|label| has_long_line(sources, label.span)) {
        return plain(diagnostic, sources);
    }
    let (kind, main) = match diagnostic.severity {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let Some(first) = diagnostic.labels.first() else { return plain(diagnostic, sources) };
    let mut report = Report::build(kind, place(sources, first.span))
        .with_config(Config::default().with_color(colour).with_index_type(IndexType::Char))
        .with_code(diagnostic.code)
        .with_message(&diagnostic.message);
    // From top to bottom, the file of the mistake first: out of order, ariadne repeats the file's name.
    let mut ordered: Vec<(usize, &super::Label)> = diagnostic.labels.iter().enumerate().collect();
    ordered.sort_by_key(|(_, label)| (label.span.source != first.span.source, label.span));
    for (order, (at, label)) in ordered.into_iter().enumerate() {
        let color = if at == 0 { main } else { Color::Cyan };
        let drawn = Label::new(place(sources, label.span)).with_message(&label.text);
        report = report.with_label(drawn.with_color(color).with_order(order as i32));
    }
    if let Some(help) = &diagnostic.help {
        report = report.with_help(help);
    }
    // A table may be large: each text is copied once.
    let shown: BTreeSet<SourceId> = diagnostic.labels.iter().map(|label| label.span.source).collect();
    let texts = shown.into_iter().map(|id| (sources.get(id).name.clone(), harmless(&sources.get(id).text)));
    let mut drawing = Vec::new();
    match report.finish().write(ariadne::sources(texts), &mut drawing) {
        Ok(()) => String::from_utf8_lossy(&drawing).into_owned(),
        Err(_) => plain(diagnostic, sources),
    }
}

/// A text without what a terminal obeys or what turns its order around, sign for sign: data may hold anything.
pub fn harmless(text: &str) -> String {
    let sign = |sign: char| match sign {
        '\n' | '\t' | '\r' => sign,
        '\0'..='\x1f' | '\x7f' => '?',
        '\u{80}'..='\u{9f}' => '¿',
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => sign,
    };
    text.chars().map(sign).collect()
}

/// A span in characters: counting in bytes, ariadne takes those of a second text for characters.
fn place(sources: &Sources, span: Span) -> (String, Range<usize>) {
    let source = sources.get(span.source);
    let count = |bytes: Range<u32>| source.text[bytes.start as usize..bytes.end as usize].chars().count();
    let start = count(0..span.start);
    (source.name.clone(), start..start + count(span.start..span.end.max(span.start)))
}

fn has_long_line(sources: &Sources, span: Span) -> bool {
    let text = &sources.get(span.source).text;
    let before = text[..span.start as usize].rfind('\n').map_or(0, |at| at + 1);
    let after = text[span.end as usize..].find('\n').map_or(text.len(), |at| span.end as usize + at);
    after - before > MAX_LINE
}

/// Without the text: one line a place.
pub fn plain(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
    };
    let mut lines = vec![format!("[{}] {severity}: {}", diagnostic.code, diagnostic.message)];
    lines.extend(diagnostic.labels.iter().map(|label| {
        let start = sources.start(label.span);
        format!("  {}:{}:{}: {}", sources.get(label.span.source).name, start.line, start.column, label.text)
    }));
    lines.extend(diagnostic.help.iter().map(|help| format!("  Help: {help}")));
    lines.join("\n") + "\n"
}
