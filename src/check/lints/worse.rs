//! W0406: a figure that is better the greater it is, minimized as it is, or among other terms of what is minimized.

use super::sense::GREATER_WITH_SLOPE;
use super::view::View;
use crate::check::terms::{Kind, TermId};
use crate::diagnostic::Diagnostic;
use crate::ir::ScalarOp;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for minimized in &view.program.minimized {
        for id in view.below(&[minimized.loss], |id, kind| summands(view, id, kind)) {
            let Some(applied) = view.gave(id).filter(|one| GREATER_WITH_SLOPE.contains(&one.name.as_str())) else {
                continue;
            };
            let name = &applied.name;
            let message = format!("`{name}` is better the greater it is, and this makes it small");
            let warning = Diagnostic::error("W0406", message, applied.place, "this is minimized");
            found.push(warning.help(format!("minimize `mse(…)`, or `1 - {name}(…)`, and report `{name}(…)`")));
        }
    }
    found
}

/// The operands that grow with a term, but for what is in a figure of the library.
fn summands(view: &View, id: TermId, kind: &Kind) -> Vec<TermId> {
    if view.gave(id).is_some() {
        return Vec::new();
    }
    let is_positive = |id: &TermId| view.number(*id).is_some_and(|number| number > 0.0);
    match kind {
        Kind::Scalar(ScalarOp::Add, parts) => parts.clone(),
        Kind::Scalar(ScalarOp::Sub, parts) => parts[..1].to_vec(),
        Kind::Scalar(ScalarOp::Mul, parts) => match parts[..] {
            [a, b] if is_positive(&a) => vec![b],
            [a, b] if is_positive(&b) => vec![a],
            _ => Vec::new(),
        },
        Kind::Scalar(ScalarOp::Div, parts) if is_positive(&parts[1]) => parts[..1].to_vec(),
        _ => view.shown(id).into_iter().collect(),
    }
}
