//! W0441: a loss with its sign turned, as the only thing that moves the model: it gets worse without end. Of several `minimize` one
//! may well want another's loss to be great, and what a `param` of the block makes great is an attack.

use super::sense::is_better_greater;
use super::view::View;
use crate::check::terms::{Kind, TermId};
use crate::diagnostic::Diagnostic;
use crate::ir::ScalarOp;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let [minimized] = &view.program.minimized[..] else { return Vec::new() };
    let param = |at: crate::check::terms::ParamId| &view.program.params[at.0 as usize];
    let moves_model = minimized.updates.iter().any(|update| view.program.is_of_model(&param(update.param).path));
    let Some(applied) = turned(view, minimized.loss).and_then(|id| view.gave(view.bare(id))) else { return Vec::new() };
    if !moves_model || is_better_greater(&applied.name) != Some(false) {
        return Vec::new();
    }
    let name = &applied.name;
    let message = format!("`{name}` is better the smaller it is, and this makes it great");
    let warning = Diagnostic::error("W0441", message, minimized.span, "it has no least value")
        .label(applied.place, "this gets worse with every step");
    vec![warning.help(format!("minimize `{name}(…)` as it is; `minimize` needs no sign"))]
}

/// What a term grows with when it falls.
fn turned(view: &View, id: TermId) -> Option<TermId> {
    let is = |id: &TermId, wanted: fn(f64) -> bool| view.number(*id).is_some_and(wanted);
    match &view.term(view.bare(id)).kind {
        Kind::Scalar(ScalarOp::Neg, parts) => Some(parts[0]),
        Kind::Scalar(ScalarOp::Sub, parts) if is(&parts[0], |_| true) => Some(parts[1]),
        Kind::Scalar(ScalarOp::Mul, parts) => match parts[..] {
            [a, b] if is(&a, |number| number < 0.0) => Some(b),
            [a, b] if is(&b, |number| number < 0.0) => Some(a),
            _ => None,
        },
        _ => None,
    }
}
