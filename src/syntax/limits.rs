//! What no text may exceed, checked before anything that takes time or stack.

use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};

/// Model files are a few kilobytes; this leaves room for generated ones.
const MAX_BYTES: usize = 1 << 20;

/// The parser and everything after it recurse once or more a level.
const MAX_DEPTH: usize = 64;

/// The first limit that a text exceeds.
pub fn exceeded(source: SourceId, text: &str) -> Option<Diagnostic> {
    if text.len() > MAX_BYTES {
        let start = Span::new(source, 0, 0);
        let message = format!("the text has {} bytes, more than {MAX_BYTES}", text.len());
        return Some(Diagnostic::error("E0103", message, start, "the text starts here").help("is this an .mlx file?"));
    }
    if let Some(at) = text.find('\0') {
        let span = Span::new(source, at, at + 1);
        return Some(
            Diagnostic::error("E0104", "the text holds a NUL byte", span, "here").help("save it as UTF-8 text"),
        );
    }
    too_deep(text).map(|at| {
        let message = format!("nested deeper than {MAX_DEPTH}");
        Diagnostic::error("E0105", message, Span::new(source, at, at + 1), "here").help("name an inner part with `let`")
    })
}

/// Where brackets, `if`s and signs in a row nest too deep. Counts what would recurse: brackets while open;
/// a prefix (`-`, `^`, `not`, `if`, …) until a comma or a bracket ends what it stands before.
fn too_deep(text: &str) -> Option<usize> {
    let mut prefixes = vec![0];
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = match rest.chars().next()? {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => rest[1..].find(['"', '\n']).map_or(rest.len(), |end| end + 2),
            '(' | '[' | '{' => {
                depth += 1;
                prefixes.push(0);
                1
            }
            ')' | ']' | '}' => {
                if prefixes.len() > 1 {
                    depth -= 1 + prefixes.pop().unwrap_or(0);
                }
                1
            }
            '-' if rest.starts_with("->") => 2,
            '-' | '^' | '!' => {
                depth += 1;
                *prefixes.last_mut()? += 1;
                1
            }
            ',' | '=' => {
                let counted = prefixes.last_mut()?;
                depth -= *counted;
                *counted = 0;
                1
            }
            letter if letter.is_alphabetic() || letter == '_' => {
                let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                if matches!(&rest[..word], "if" | "not") {
                    depth += 1;
                    *prefixes.last_mut()? += 1;
                }
                word
            }
            other => other.len_utf8(),
        };
        if depth > MAX_DEPTH {
            return Some(at);
        }
        at += length;
    }
    None
}
