//! Diagnostics that only follow from text that could not be parsed.

use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use crate::syntax::tree::{File, Item, ItemKind};
use std::collections::HashSet;

/// Removes the diagnostics about what is missing only because the text that has it could not be parsed; `unread` are the spans
/// of that text.
pub fn remove(found: &mut Vec<Diagnostic>, unread: &[Span], file: &File, sources: &Sources) {
    if unread.is_empty() {
        return;
    }
    let declared = sources.get(file.source).text.lines().filter_map(declares).collect();
    found.retain(|found| !follows(found, unread, &declared, file, sources));
}

/// `declared` are the names that lines of the file seem to declare.
fn follows(found: &Diagnostic, unread: &[Span], declared: &HashSet<&str>, file: &File, sources: &Sources) -> bool {
    let Some(place) = found.labels.first().map(|label| label.span).filter(|span| span.source == file.source) else {
        return false;
    };
    match found.code {
        // Something that a body lacks.
        "E0216" => file.items.iter().any(|item| {
            let inside = |span: Span| item.span.start <= span.start && span.end <= item.span.end;
            // What could not be read may stand behind it on its line.
            let behind = |unread: Span| {
                let text = &sources.get(file.source).text;
                let between = text.get(item.span.end as usize..unread.start as usize);
                between.is_some_and(|between| !between.contains('\n'))
            };
            inside(place) && unread.iter().any(|unread| inside(*unread) || behind(*unread))
        }),
        "W0301" => {
            let name = |item: &Item| matches!(&item.kind, ItemKind::Data(data) if data.name.span == place);
            let inside = |item: &Item| unread.iter().any(|unread| item.span.start <= unread.start);
            file.items.iter().any(|item| name(item) && inside(item))
        }
        // What is read as a name where none was meant.
        "E0201" if unread.contains(&place) => true,
        "E0201" | "E0220" => declared.contains(sources.text(place)),
        _ => false,
    }
}

/// The name that a line seems to declare.
fn declares(line: &str) -> Option<&str> {
    let words = ["let", "param", "state", "fn", "layer", "model", "optimizer", "data"];
    let line = line.trim_start();
    let rest = words.iter().find_map(|word| line.strip_prefix(word)?.strip_prefix(' ')).unwrap_or(line).trim_start();
    let quoted = rest.strip_prefix('`').and_then(|rest| rest.find('`')).map(|end| end + 2);
    let sign = |c: char| c.is_whitespace() || ['=', ':', '~', '(', '[', ','].contains(&c);
    let name = &rest[..quoted.or_else(|| rest.find(sign))?];
    rest[name.len()..].trim_start().starts_with(['=', ':', '~', '(', '[', ',']).then_some(name)
}
