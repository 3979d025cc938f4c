//! W0401: what takes scores of any size is given probabilities. It makes probabilities of them itself, so that all of them lie
//! close together, and gradients are small.

use super::facts::{Fact, Found};
use super::view::View;
use crate::check::program::Applied;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

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
    let mut found: Vec<(Option<Span>, Diagnostic)> = Vec::new();
    // Losses first, for they tell what is to be done.
    let trained = view.below(&view.program.losses(), |_, kind| kind.operands());
    let (losses, others): (Vec<&Applied>, Vec<&Applied>) =
        view.program.applied.iter().partition(|applied| trained.contains(&applied.result));
    // The outermost of those that stand at one place is noted last.
    for applied in losses.into_iter().rev().chain(others.into_iter().rev()) {
        for (name, input, sigmoid) in TAKES.iter().filter(|(name, ..)| *name == applied.name) {
            let Some(known) = applied.input(input).and_then(|term| view.fact(term)) else { continue };
            if known.fact != Fact::Probabilities || (known.by == "sigmoid" && !sigmoid) {
                continue;
            }
            add(&mut found, applied, name, &known);
        }
    }
    found.into_iter().map(|(_, warning)| warning).collect()
}

/// What one activation makes probabilities of is one mistake, however many functions are given it.
fn add(found: &mut Vec<(Option<Span>, Diagnostic)>, applied: &Applied, name: &str, known: &Found) {
    let is_told = |told: &Diagnostic| told.labels.iter().any(|label| label.span == applied.place);
    if found.iter().any(|(_, told)| is_told(told)) {
        return;
    }
    let by = known.by;
    let cause = known.place.filter(|place| *place != applied.place);
    if let Some((_, told)) = found.iter_mut().find(|(place, _)| cause.is_some() && *place == cause) {
        *told = told.clone().label(applied.place, format!("`{name}` is given the same"));
        return;
    }
    let message = format!("`{name}` takes raw scores, and is given what `{by}` made probabilities of");
    let mut warning = Diagnostic::error("W0401", message, applied.place, takes(name));
    if let Some(place) = cause {
        warning = warning.label(place, format!("`{by}` stands here"));
    }
    found.push((cause, warning.help(help(name, by))));
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
