//! W0403: `nll` takes logarithms of probabilities. Of raw scores it has no least value: the loss falls below 0, without end.

use super::facts::Fact;
use super::view::View;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.program.applied.iter().filter(|applied| applied.name == "nll") {
        let Some(known) = applied.input("log_probabilities").and_then(|term| view.fact(term)) else { continue };
        let (given, help) = match known.fact {
            Fact::LogProbabilities => continue,
            Fact::Scores | Fact::Activated => {
                ("raw scores", "write `cross_entropy` in place of `nll`, or apply `log_softmax` before it")
            }
            Fact::Probabilities => ("probabilities", "take their logarithm, or write `cross_entropy` of raw scores"),
        };
        let message = format!("`nll` takes logarithms of probabilities, and is given {given}");
        let mut warning = Diagnostic::error("W0403", message, applied.place, format!("this is given {given}"));
        if let Some(place) = known.place.filter(|place| *place != applied.place) {
            warning = warning.label(place, "they come from here");
        }
        found.push(warning.help(help));
    }
    found
}
