//! W0405: a loss that reads parameters only through steps: its gradient is 0 wherever it is taken, and nothing moves.

use super::view::View;
use crate::check::terms::{Kind, Leaf, TermId};
use crate::check::types::Elem;
use crate::diagnostic::Diagnostic;
use crate::ir::ScalarOp;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for minimized in &view.program.minimized {
        let smooth = view.below(&[minimized.loss], |id, kind| slopes(view, id, kind));
        let is_param = |id: &TermId| matches!(view.term(*id).kind, Kind::Leaf(Leaf::Param(_)));
        if minimized.updates.is_empty() || smooth.iter().any(is_param) {
            continue;
        }
        let message = "the gradient of this loss is 0 everywhere, and training moves nothing";
        // What holds parameters constant, if something does.
        let held = smooth.iter().find(|id| match view.term(**id).kind {
            Kind::Constant(of) => view.below(&[of], |_, kind| kind.operands()).iter().any(is_param),
            _ => false,
        });
        let (label, behind, help) = match held {
            Some(_) => (
                "it depends on parameters only through `constant`",
                "no gradient flows through this",
                "leave `constant` out of what is to be trained",
            ),
            None => (
                "it depends on parameters only by steps",
                "small changes of what is read here change nothing",
                instead(view, minimized.loss),
            ),
        };
        let mut warning = Diagnostic::error("W0405", message, minimized.span, label);
        let end = held.or_else(|| smooth.iter().find(|id| steps(view, **id)));
        if let Some(place) = end.and_then(|id| view.place(*id)).filter(|place| *place != minimized.span) {
            warning = warning.label(place, behind);
        }
        found.push(warning.help(help));
    }
    found
}

/// What to minimize in place of a figure that goes by steps.
fn instead(view: &View, loss: TermId) -> &'static str {
    let called = view.losses().into_iter().rev().find(|applied| applied.result == loss);
    match called.map(|applied| applied.name.as_str()) {
        Some("accuracy") => "minimize `cross_entropy(…)`, and `report accuracy(…)`",
        Some("binary_accuracy" | "precision" | "recall" | "f1") => {
            "minimize `binary_cross_entropy(…)`, and report this one"
        }
        _ => "minimize something that changes smoothly with the parameters, and report this one",
    }
}

/// The operands by which a term has a slope.
pub fn slopes(view: &View, id: TermId, kind: &Kind) -> Vec<TermId> {
    if !matches!(view.term(id).ty.elem, Elem::Float) {
        return Vec::new();
    }
    match kind {
        Kind::Constant(_) | Kind::ArgMax(_) | Kind::Order(_) => Vec::new(),
        Kind::Scalar(ScalarOp::Floor | ScalarOp::Quotient, _) => Vec::new(),
        Kind::Scalar(ScalarOp::Select, parts) => parts[1..].to_vec(),
        Kind::Read(a, _) | Kind::Pick(a, _) => vec![*a],
        other => other.operands(),
    }
}

/// Whether a term is where the slope ends.
fn steps(view: &View, id: TermId) -> bool {
    let conditions = matches!(&view.term(id).kind, Kind::Scalar(ScalarOp::Select, _));
    conditions || !matches!(view.term(id).ty.elem, Elem::Float)
}
