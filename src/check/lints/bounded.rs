//! W0408: what a model gives lies between the bounds of its last activation, and the targets do not.

use super::view::View;
use crate::check::program::RawKind;
use crate::check::terms::TermId;
use crate::diagnostic::Diagnostic;
use crate::ir::Draw;

/// Activations, and between what they lie.
const BOUNDS: &[(&str, f64, f64)] = &[
    ("sigmoid", 0.0, 1.0),
    ("softmax", 0.0, 1.0),
    ("tanh", -1.0, 1.0),
    ("relu", 0.0, f64::INFINITY),
    ("softplus", 0.0, f64::INFINITY),
];

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.losses() {
        if !matches!(applied.name.as_str(), "mse" | "mae" | "huber") {
            continue;
        }
        let (Some(prediction), Some(target)) = (applied.input("prediction"), applied.input("target")) else { continue };
        let bound = |id| view.gave(id).and_then(|one| BOUNDS.iter().find(|(name, ..)| *name == one.name));
        let Some(last) = view.shows(prediction, |id| bound(id).is_some()) else { continue };
        let (Some((by, low, high)), Some(last)) = (bound(last), view.gave(last)) else { continue };
        let Some((least, greatest)) = range(view, target) else { continue };
        if least >= *low && greatest <= *high {
            continue;
        }
        let outside = if least < *low { format!("below {low}") } else { format!("above {high}") };
        let message = format!("`{by}` gives nothing {outside}, and the target goes there");
        let warning = Diagnostic::error("W0408", message, last.place, "this bounds what is predicted");
        let warning = match view.place(target) {
            Some(place) if place != last.place => warning.label(place, format!("the target has values {outside}")),
            _ => warning,
        };
        found
            .push(warning.help(format!("leave `{by}` out of the end of the model, or scale the target to its bounds")));
    }
    found
}

/// Between what the training rows of a target lie, where that is known.
fn range(view: &View, target: TermId) -> Option<(f64, f64)> {
    let column = view.column(target)?;
    let value = view.program.data.columns.get(column)?.value;
    let standard = |id: TermId| view.gave(id).is_some_and(|applied| applied.name == "standardize");
    if standard(value) {
        // A mean of 0 and a deviation of 1: there are both signs, and some are further away.
        return Some((-1.5, 1.5));
    }
    let known = view.beside(value).into_iter().filter_map(|raw| of_raw(view, raw));
    known.reduce(|(least, greatest), (low, high)| (least.min(low), greatest.max(high)))
}

/// The same of a column of the source.
fn of_raw(view: &View, raw: usize) -> Option<(f64, f64)> {
    match &view.program.data.raw.get(raw)?.kind {
        RawKind::Numbers => view.looks.get(raw)?.as_ref().map(|look| (look.least, look.greatest)),
        RawKind::Drawn(drawn) => match drawn.draw {
            Draw::Uniform => Some((drawn.first, drawn.second)),
            Draw::Normal => Some((f64::NEG_INFINITY, f64::INFINITY)),
        },
        RawKind::Gappy
        | RawKind::Classes
        | RawKind::Whole(_)
        | RawKind::Padded { .. }
        | RawKind::Length { .. }
        | RawKind::Window { .. } => None,
    }
}
