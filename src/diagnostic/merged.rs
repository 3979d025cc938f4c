//! One mistake, one message: what is said of one cause at several places becomes one diagnostic that shows them all.

use super::{Diagnostic, Label};
use crate::source::Span;
use std::collections::HashMap;

/// So many further places are shown.
const SHOWN: usize = 4;

/// What a label says that only leads to a use.
const USE: &str = "in this use of ";

/// Of diagnostics with one message and one cause the first, with the places of the others. They are in the order of the text.
pub fn merged(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut first: HashMap<(&'static str, String, Vec<Label>), usize> = HashMap::new();
    let mut kept: Vec<Diagnostic> = Vec::new();
    let mut further: Vec<Vec<Span>> = Vec::new();
    for diagnostic in found {
        let Some(cause) = cause(&diagnostic) else {
            kept.push(diagnostic);
            further.push(Vec::new());
            continue;
        };
        match first.get(&(diagnostic.code, diagnostic.message.clone(), cause.clone())) {
            Some(at) => further[*at].extend(diagnostic.labels.first().map(|label| label.span)),
            None => {
                first.insert((diagnostic.code, diagnostic.message.clone(), cause), kept.len());
                kept.push(diagnostic);
                further.push(Vec::new());
            }
        }
    }
    let with = |(diagnostic, places): (Diagnostic, Vec<Span>)| {
        let rest = places.len().saturating_sub(SHOWN);
        let shown = places.into_iter().take(SHOWN).enumerate();
        shown.fold(diagnostic, |diagnostic, (at, span)| {
            let last = at + 1 == SHOWN && rest > 0;
            diagnostic
                .label(span, if last { format!("and here, and at {rest} more places") } else { "and here".to_string() })
        })
    };
    kept.into_iter().zip(further).map(with).collect()
}

/// What makes a mistake of names or types: of a name that is not found it is the name alone, which the message says.
fn cause(diagnostic: &Diagnostic) -> Option<Vec<Label>> {
    match diagnostic.code {
        "E0201" => Some(Vec::new()),
        "E0203" | "E0205" | "E0211" => {
            let causes = diagnostic.labels.iter().skip(1).filter(|label| !label.text.starts_with(USE));
            let causes: Vec<Label> = causes.cloned().collect();
            (!causes.is_empty()).then_some(causes)
        }
        _ => None,
    }
}
