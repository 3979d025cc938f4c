//! W0410: the target can be read off the inputs: all source columns that it is made of are among those that the prediction reads.
//! A loss whose target is the very column that the model reads is an autoencoder's, and meant so.

use super::view::View;
use crate::check::program::RawKind;
use crate::diagnostic::Diagnostic;

/// Losses, and what they hold against the target.
const PREDICTS: &[(&str, &str)] = &[
    ("mse", "prediction"),
    ("mae", "prediction"),
    ("huber", "prediction"),
    ("cross_entropy", "logits"),
    ("binary_cross_entropy", "logits"),
    ("nll", "log_probabilities"),
];

pub fn find(view: &View) -> Vec<Diagnostic> {
    let data = &view.program.data;
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.losses() {
        let Some((_, input)) = PREDICTS.iter().find(|(name, _)| *name == applied.name) else { continue };
        let (Some(prediction), Some(target)) = (applied.input(input), applied.input("target")) else { continue };
        let Some(column) = view.column(target) else { continue };
        let read = view.columns(prediction);
        if read.is_empty() || read.contains(&column) {
            continue;
        }
        let wanted = view.raws(data.columns[column].value);
        let is_drawn = |raw: &usize| matches!(data.raw[*raw].kind, RawKind::Drawn(_));
        let known: Vec<(usize, usize)> =
            read.iter().flat_map(|at| view.raws(data.columns[*at].value).into_iter().map(|raw| (raw, *at))).collect();
        let of = |raw: &usize| known.iter().find(|(known, _)| same(view, *known, *raw)).map(|(_, at)| *at);
        if wanted.is_empty() || wanted.iter().any(is_drawn) || !wanted.iter().all(|raw| of(raw).is_some()) {
            continue;
        }
        let (name, first) = (&data.columns[column].name, of(&wanted[0]));
        let raws: Vec<String> = wanted.iter().map(|raw| format!("`{}`", data.raw[*raw].name)).collect();
        let raws = raws.join(", ");
        let message = format!("the target `{name}` can be read off the inputs, which have {raws}");
        let mut warning = Diagnostic::error("W0410", message, applied.place, format!("`{name}` is the target here"));
        if let Some(first) = first {
            let (place, input) = (view.term(data.columns[first].value).span, &data.columns[first].name);
            warning = warning.label(place, format!("`{input}` is an input, and reads {raws}"));
        }
        found.push(warning.help(format!("leave {raws} out of the inputs")));
    }
    found
}

/// Whether two source columns are one, or have the same values.
fn same(view: &View, a: usize, b: usize) -> bool {
    let raw = &view.program.data.raw;
    raw[a].name == raw[b].name
}
