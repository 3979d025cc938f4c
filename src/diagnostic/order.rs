//! Order and deduplication: several passes may find the same mistake.

use super::Diagnostic;
use crate::source::Span;
use std::collections::HashSet;

/// Each diagnostic once, in the order of the text: those of the program's file first, then those of files that it reads. The
/// first `textual` come from passes over the text alone, whose diagnostics may lie within one another.
pub fn in_order(found: Vec<Diagnostic>, textual: usize) -> Vec<Diagnostic> {
    let mut unique: Vec<Diagnostic> = Vec::new();
    let mut seen = Seen::default();
    for (at, diagnostic) in found.into_iter().enumerate() {
        let named = diagnostic.code == "E0201" && primary(&diagnostic).is_some_and(|at| seen.words.contains(&at));
        let repeated = named || if at < textual { seen.all.contains(&diagnostic) } else { seen.covers(&diagnostic) };
        if !repeated {
            seen.add(&diagnostic);
            unique.push(diagnostic);
        }
    }
    unique.sort_by_key(primary);
    unique
}

/// The primary span: where the mistake is.
pub fn primary(found: &Diagnostic) -> Option<Span> {
    found.labels.first().map(|label| label.span)
}

/// The diagnostics so far.
#[derive(Default)]
struct Seen {
    all: HashSet<Diagnostic>,
    /// Code, message and primary span of each.
    heads: HashSet<(&'static str, String, Option<Span>)>,
    /// What is not supported yet, which is found both in the text and in elaboration.
    unsupported: Vec<Span>,
    /// Words of other languages, which are no names that are missing.
    words: HashSet<Span>,
    /// The operands of chained comparisons, of which the first has no number as its value.
    chained: HashSet<Span>,
}

impl Seen {
    fn add(&mut self, diagnostic: &Diagnostic) {
        let at = primary(diagnostic);
        match diagnostic.code {
            "E0199" => self.unsupported.extend(at),
            "E0131" => self.words.extend(at),
            "E0207" => self.chained.extend(diagnostic.labels.iter().map(|label| label.span)),
            _ => {}
        }
        self.heads.insert((diagnostic.code, diagnostic.message.clone(), at));
        self.all.insert(diagnostic.clone());
    }

    /// Whether another diagnostic says nothing new.
    fn covers(&self, other: &Diagnostic) -> bool {
        let at = primary(other);
        let overlaps = |a: &Span, b: Span| a.source == b.source && a.start < b.end && b.start < a.end;
        at.is_some_and(|at| self.chained.contains(&at))
            || (other.code == "E0199" && at.is_some_and(|at| self.unsupported.iter().any(|known| overlaps(known, at))))
            || self.heads.contains(&(other.code, other.message.clone(), at))
    }
}
