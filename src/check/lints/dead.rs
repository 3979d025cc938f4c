//! W0440: a `relu` behind the last layer of what takes scores of either sign: no class can be ruled out, and where all scores
//! are below 0 nothing is learned.

use super::view::View;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.losses().into_iter().rev() {
        let Some(scores) = applied.input("logits").or(applied.input("scores")) else { continue };
        let is_relu = |id| view.gave(id).is_some_and(|one| one.name == "relu");
        let Some(relu) = view.shows(scores, is_relu).and_then(|id| view.gave(id)) else { continue };
        if found.iter().any(|found| found.labels[0].span == relu.place) {
            continue;
        }
        let name = &applied.name;
        let message = format!("`relu` makes every score at least 0, and `{name}` takes scores of either sign");
        let warning =
            Diagnostic::error("W0440", message, relu.place, "scores below 0 end here, and so do their gradients")
                .label(applied.place, "this takes raw scores");
        found.push(warning.help("leave `relu` out behind the last layer"));
    }
    found
}
