//! W0442: dropout behind the last layer: parts of the prediction itself are 0 while training.

use super::view::View;
use crate::diagnostic::Diagnostic;

const DROP: &[&str] = &["dropout", "drop_path"];

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.losses() {
        let Some(prediction) = view.prediction(applied) else { continue };
        // In evaluation dropout gives what it is given.
        let drops = |id| {
            view.gave(id).is_some_and(|one| DROP.contains(&one.name.as_str()) && one.input("x") != Some(one.result))
        };
        let Some(drop) = view.shows(prediction, drops).and_then(|id| view.gave(id)) else { continue };
        if found.iter().any(|found| found.labels[0].span == drop.place) {
            continue;
        }
        let message = format!("`{}` behind the last layer: what is predicted is partly 0 while training", drop.name);
        let warning = Diagnostic::error("W0442", message, drop.place, "this drops parts of the prediction")
            .label(applied.place, "here it is held against the target");
        found.push(warning.help("put it before the last layer, or leave it out"));
    }
    found
}
