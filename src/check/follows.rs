//! What only follows from a mistake that is told: the names that a `let` has too few of, and classes that are given to one
//! function of numbers after the other.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::order::primary;
use crate::source::{Sources, Span};
use crate::syntax::tree::{File, Item};
use std::collections::HashSet;

/// So many further places of one mistake are shown.
const SHOWN: usize = 3;

pub fn remove(found: &mut Vec<Diagnostic>, file: &File, sources: &Sources) {
    lost_names(found, file, sources);
    classes_as_numbers(found, file, sources);
}

fn item_of(span: Span, file: &File) -> Option<&Item> {
    let inside =
        |item: &&Item| item.span.source == span.source && item.span.start <= span.start && span.end <= item.span.end;
    file.items.iter().find(inside)
}

/// `let a, b = split(x, 3)`: the third name, which is read behind it, is not also unknown.
fn lost_names(found: &mut Vec<Diagnostic>, file: &File, sources: &Sources) {
    let all: Vec<(Span, usize)> = found.iter().filter_map(lacking).collect();
    for (span, lacks) in all {
        let Some(item) = item_of(span, file) else { continue };
        let mut names: HashSet<&str> = HashSet::new();
        found.retain(|diagnostic| {
            let Some(place) = primary(diagnostic).filter(|_| diagnostic.code == "E0201") else { return true };
            let behind = span.end <= place.start && item_of(place, file).is_some_and(|own| own.span == item.span);
            let name = sources.text(place);
            let lost = behind && (names.contains(name) || names.len() < lacks);
            if lost {
                names.insert(name);
            }
            !lost
        });
    }
}

/// The names of a `let` that has fewer of them than there are values, and how many it lacks.
fn lacking(diagnostic: &Diagnostic) -> Option<(Span, usize)> {
    let (names, values) = diagnostic.message.strip_suffix(" values")?.split_once(" names for ")?;
    let lacks = values.parse::<usize>().ok()?.checked_sub(names.parse().ok()?)?;
    primary(diagnostic).filter(|_| diagnostic.code == "E0227").map(|span| (span, lacks))
}

/// Classes where a number is expected, several times in one item: a loss and the metrics beside it.
fn classes_as_numbers(found: &mut Vec<Diagnostic>, file: &File, sources: &Sources) {
    let mut kept: Vec<Diagnostic> = Vec::new();
    for diagnostic in found.drain(..) {
        let place = primary(&diagnostic).filter(|_| is_of_class(&diagnostic));
        let item = |span: Span| item_of(span, file).map(|item| item.span);
        let same = |first: &&mut Diagnostic| {
            let both = primary(first).filter(|_| is_of_class(first)).zip(place);
            both.is_some_and(|(own, place)| {
                sources.text(own) == sources.text(place) && item(own).is_some() && item(own) == item(place)
            })
        };
        match kept.iter_mut().find(same).zip(place) {
            None => kept.push(diagnostic),
            Some((first, place)) => {
                let further = "and here";
                if first.labels.iter().filter(|label| label.text == further).count() < SHOWN {
                    *first = first.clone().label(place, further);
                }
            }
        }
    }
    *found = kept;
}

fn is_of_class(diagnostic: &Diagnostic) -> bool {
    diagnostic.code == "E0211" && diagnostic.help.iter().any(|help| help == crate::check::NO_MEASUREMENT)
}
