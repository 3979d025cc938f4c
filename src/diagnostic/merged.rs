//! One mistake, one message: what is said of one cause at several places becomes one diagnostic that shows them all.

use super::{Diagnostic, Label};
use crate::source::Span;
use std::collections::HashMap;

/// So many further places are shown.
const SHOWN: usize = 4;

/// What a label says that only leads to a use.
const USE: &str = "in this use of ";

/// What a label says of the type of an input.
const TYPE: &str = "expected by this type";

/// What several diagnostics have in common if they are of one mistake: the code, what is said, and the places that lead to it.
type Cause = (&'static str, String, Vec<Label>);

/// Of diagnostics with one cause the first, with the places of the others. They are in the order of the text.
pub fn merged(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut first: HashMap<Cause, usize> = HashMap::new();
    let mut kept: Vec<(Diagnostic, Vec<Span>)> = Vec::new();
    for diagnostic in found {
        let cause = cause(&diagnostic);
        match cause.as_ref().and_then(|cause| first.get(cause)) {
            Some(at) => kept[*at].1.extend(diagnostic.labels.first().map(|label| label.span)),
            None => {
                first.extend(cause.map(|cause| (cause, kept.len())));
                kept.push((diagnostic, Vec::new()));
            }
        }
    }
    let with = |(diagnostic, places): (Diagnostic, Vec<Span>)| {
        let all = places.len() + 1;
        let shown = places.into_iter().take(SHOWN).enumerate();
        shown.fold(diagnostic, |diagnostic, (at, span)| {
            let is_last = at + 1 == SHOWN && all > SHOWN + 1;
            diagnostic.label(span, if is_last { format!("and here, of {all} in all") } else { "and here".to_string() })
        })
    };
    kept.into_iter().map(with).collect()
}

/// Of a name that is not found it is the name, which the message says; of types that differ, where they come from: the function
/// that meets them is another at each use.
fn cause(diagnostic: &Diagnostic) -> Option<Cause> {
    let message = &diagnostic.message;
    match diagnostic.code {
        "E0201" => Some((diagnostic.code, message.clone(), Vec::new())),
        "E0203" | "E0205" | "E0211" => {
            let labels = diagnostic.labels.iter().skip(1).filter(|label| !label.text.starts_with(USE));
            let (types, origins): (Vec<Label>, Vec<Label>) = labels.cloned().partition(|label| label.text == TYPE);
            match message.split_once(", found ") {
                Some((_, found)) if !origins.is_empty() => Some((diagnostic.code, found.to_string(), origins)),
                _ if types.is_empty() && origins.is_empty() => None,
                _ => Some((diagnostic.code, message.clone(), [types, origins].concat())),
            }
        }
        _ => None,
    }
}
