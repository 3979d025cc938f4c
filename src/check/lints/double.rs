//! W0402: `log_softmax` before `cross_entropy`, which does the same once more: it changes no value, and costs.

use super::facts::Fact;
use super::view::View;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.program.applied.iter().filter(|applied| applied.name == "cross_entropy") {
        let known = applied.input("logits").and_then(|term| view.fact(term));
        let Some(known) = known.filter(|known| known.fact == Fact::LogProbabilities && known.by == "log_softmax")
        else {
            continue;
        };
        let message = "`cross_entropy` takes raw scores, and `log_softmax` before it changes nothing";
        let mut warning = Diagnostic::error("W0402", message, applied.place, "this begins with a `log_softmax`");
        if let Some(place) = known.place.filter(|place| *place != applied.place) {
            warning = warning.label(place, "and another one stands here");
        }
        found.push(warning.help("leave `log_softmax` out, or write `nll` in place of `cross_entropy`"));
    }
    found
}
