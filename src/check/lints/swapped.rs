//! W0448: a prediction that no parameter has a part in, held against a target that is computed by the model: they change places.

use super::view::View;
use crate::check::terms::{Kind, Leaf, TermId};
use crate::diagnostic::Diagnostic;

/// Figures that are the same either way round.
const EITHER_WAY: &[&str] = &["mse", "mae", "rmse", "huber", "cosine_loss"];

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let reads = |id: TermId, wanted: fn(&Leaf) -> bool| {
        let below = view.below(&[id], |_, kind| kind.operands());
        below.iter().any(|id| matches!(&view.term(*id).kind, Kind::Leaf(leaf) if wanted(leaf)))
    };
    let is_param = |leaf: &Leaf| matches!(leaf, Leaf::Param(_) | Leaf::Next(_));
    for applied in view.program.applied.iter().rev().filter(|one| !EITHER_WAY.contains(&one.name.as_str())) {
        let (Some((first, _)), Some(target)) = (applied.inputs.first(), applied.input("target")) else { continue };
        let Some(prediction) = view.prediction(applied) else { continue };
        let crossed = reads(prediction, |leaf| matches!(leaf, Leaf::Column(_)))
            && !reads(prediction, is_param)
            && reads(target, is_param);
        if !crossed || first == "target" || found.iter().any(|found| found.labels[0].span == applied.place) {
            continue;
        }
        let name = &applied.name;
        let message = format!("`{name}` is given the target as what is predicted, and the model's as the target");
        let warning = Diagnostic::error("W0448", message, applied.place, "the first is what is predicted");
        found.push(warning.help(format!("`{name}({first}, target)` is the order: let them change places")));
    }
    found
}
