//! Draws a diagnostic over its source text, by ariadne, which nothing else here uses.

use super::{Diagnostic, Severity};
use crate::source::{Sources, Span};
use ariadne::{Color, Config, IndexType, Label, Report, ReportKind};
use std::ops::Range;

/// Lines are drawn at most this long: ariadne copies whole lines.
const MAX_LINE: usize = 400;

/// The drawing, with its code, message, every labelled place and what to do.
pub fn draw(diagnostic: &Diagnostic, sources: &Sources, colour: bool) -> String {
    if diagnostic.labels.iter().any(|label| has_long_line(sources, label.span)) {
        return plain(diagnostic, sources);
    }
    let (kind, main) = match diagnostic.severity {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let Some(first) = diagnostic.labels.first() else { return plain(diagnostic, sources) };
    let mut report = Report::build(kind, place(sources, first.span))
        .with_config(Config::default().with_color(colour).with_index_type(IndexType::Byte))
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
    let texts = diagnostic.labels.iter().map(|label| {
        let source = sources.get(label.span.source);
        (source.name.clone(), source.text.to_string())
    });
    let mut drawing = Vec::new();
    match report.finish().write(ariadne::sources(texts), &mut drawing) {
        Ok(()) => String::from_utf8_lossy(&drawing).into_owned(),
        Err(_) => plain(diagnostic, sources),
    }
}

fn place(sources: &Sources, span: Span) -> (String, Range<usize>) {
    (sources.get(span.source).name.clone(), span.start as usize..span.end.max(span.start) as usize)
}

fn has_long_line(sources: &Sources, span: Span) -> bool {
    let text = &sources.get(span.source).text;
    let before = text[..span.start as usize].rfind('\n').map_or(0, |at| at + 1);
    let after = text[span.end as usize..].find('\n').map_or(text.len(), |at| span.end as usize + at);
    after - before > MAX_LINE
}

/// Without the text: one line a place.
fn plain(diagnostic: &Diagnostic, sources: &Sources) -> String {
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
