//! W0401: what takes scores of any size is given probabilities. It makes probabilities of them itself, so that all of them lie
//! close together, and gradients are small.

use super::facts::Fact;
use super::view::View;
use crate::diagnostic::Diagnostic;

/// Functions of the library, the input that takes raw scores, and whether a sigmoid there is wrong too.
const TAKES: &[(&str, &str, bool)] = &[
    ("perplexity", "logits", true),
    ("cross_entropy", "logits", true),
    ("binary_cross_entropy", "logits", true),
    ("focal", "logits", true),
    ("binary_focal", "logits", true),
    ("dice", "logits", true),
    ("hinge", "scores", true),
    ("multi_hinge", "scores", true),
    ("binary_accuracy", "logits", true),
    ("precision", "logits", true),
    ("recall", "logits", true),
    ("f1", "logits", true),
    ("kl", "logits", true),
    ("kl", "target", true),
    ("log_categorical", "logits", true),
    ("softmax", "x", false),
    ("log_softmax", "x", false),
];

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    // The outermost of those that stand at one place is noted last.
    for applied in view.program.applied.iter().rev() {
        for (name, input, sigmoid) in TAKES.iter().filter(|(name, ..)| *name == applied.name) {
            let Some(known) = applied.input(input).and_then(|term| view.fact(term)) else { continue };
            if known.fact != Fact::Probabilities || (known.by == "sigmoid" && !sigmoid) {
                continue;
            }
            if found.iter().any(|found| found.labels[0].span == applied.place) {
                continue;
            }
            let by = known.by;
            let message = format!("`{name}` takes raw scores, and is given what `{by}` made probabilities of");
            let mut warning = Diagnostic::error("W0401", message, applied.place, takes(name));
            if let Some(place) = known.place.filter(|place| *place != applied.place) {
                warning = warning.label(place, format!("`{by}` stands here"));
            }
            found.push(warning.help(help(name, by)));
        }
    }
    found
}

fn takes(name: &str) -> &'static str {
    match name {
        "hinge" | "multi_hinge" => "this wants scores that differ by its margin",
        _ => "this makes probabilities itself",
    }
}

fn help(name: &str, by: &str) -> String {
    match name {
        "binary_accuracy" | "precision" | "recall" | "f1" => {
            format!("a score above 0 is chosen, and every probability is above 0: leave `{by}` out")
        }
        "cross_entropy" if by == "softmax" => {
            format!("leave `{by}` out here, or take `nll(log(…), …)` of probabilities; predict by `softmax(model(x))`")
        }
        _ => format!("leave `{by}` out here; where probabilities are wanted, as in `predict`, apply it there"),
    }
}
