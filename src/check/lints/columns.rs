//! W0412 and W0413: an input that is the same in every training row tells nothing, and one that another one repeats tells nothing
//! more. Columns that no one names singly, `p0..p63` or `columns(…)`, may be so.

use super::view::View;
use crate::check::program::{Raw, RawKind};
use crate::check::schema::Look;
use crate::diagnostic::Diagnostic;

/// So many columns whose names differ by a number, `p0`, `p1`, …, are one thing: pixels, in whose corners nothing may happen.
const KIN: usize = 4;

/// Fewer rows are an example, in which much is the same by chance.
const FEW: usize = 20;

pub fn constant(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for (_, raw, look) in named(view) {
        let same = match raw.kind {
            RawKind::Numbers | RawKind::Whole(_) => look.least == look.greatest,
            RawKind::Classes => look.counts.iter().filter(|count| **count > 0).count() == 1,
            RawKind::Gappy
            | RawKind::Window { .. }
            | RawKind::Padded { .. }
            | RawKind::Length { .. }
            | RawKind::Drawn(_) => false,
        };
        if same {
            let message = format!("`{}` is the same in every training row", raw.name);
            let warning = Diagnostic::error("W0412", message, raw.span, "this column tells nothing");
            found.push(warning.help("leave it out"));
        }
    }
    found
}

pub fn twice(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let all: Vec<(usize, &Raw, &Look)> = named(view).collect();
    for (at, (_, raw, look)) in all.iter().enumerate() {
        let is_constant = look.least == look.greatest;
        let first = all[..at].iter().find(|(_, other, known)| {
            known.sum == look.sum && other.name != raw.name && other.kind == raw.kind && !is_constant
        });
        if let Some((_, first, _)) = first {
            let message = format!("`{}` has the values of `{}` in every row", raw.name, first.name);
            let warning = Diagnostic::error("W0413", message, raw.span, "this one tells nothing more")
                .label(first.span, format!("`{}`", first.name));
            found.push(warning.help("leave one of them out; if one is the target, it can be read off the other"));
        }
    }
    found
}

/// A name without the digits at its end.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|sign: char| sign.is_ascii_digit())
}

/// The columns of a file that the program names one by one.
fn named<'v>(view: &'v View) -> impl Iterator<Item = (usize, &'v Raw, &'v Look)> {
    let data = &view.program.data;
    let alone = |raw: &Raw| {
        let kin = data.raw.iter().filter(|other| other.span == raw.span || stem(&other.name) == stem(&raw.name));
        kin.count() < if stem(&raw.name) == raw.name { 2 } else { KIN }
    };
    let looked = move |(at, raw): (usize, &'v Raw)| Some((at, raw, view.looks.get(at)?.as_ref()?));
    let enough = data.rows()[0] >= FEW;
    data.raw.iter().enumerate().filter(move |(_, raw)| enough && alone(raw)).filter_map(looked)
}
