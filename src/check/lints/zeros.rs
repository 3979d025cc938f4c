//! W0407: weights before a hidden activation that all start at one number: every unit is the same as every other, and those before
//! a `relu` get no gradient at all.

use super::view::View;
use crate::check::terms::{Kind, TermId};
use crate::diagnostic::Diagnostic;

const ACTIVATIONS: &[&str] = &["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus"];

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    if !view.program.begun.is_empty() {
        // What begins from other weights does not start as the text says.
        return found;
    }
    let mut told = Vec::new();
    for at in 0..view.program.terms.count() {
        let Some((input, _)) = view.linear(TermId(at as u32)) else { continue };
        // The activation, then maybe a bias, then the product.
        let Some(applied) = view.gave(view.bare(input)).filter(|one| ACTIVATIONS.contains(&one.name.as_str())) else {
            continue;
        };
        let Some(inner) = applied.inputs.first().and_then(|(name, _)| applied.input(name)).map(|id| view.bare(id))
        else {
            continue;
        };
        let product = view.without_bias(inner).map_or(inner, |(of, _)| view.bare(of));
        let Some((from, w)) = view.linear(product) else { continue };
        let param = &view.program.params[w.0 as usize];
        let Some(start) = view.start(w) else { continue };
        let several = param.ty.axes.last().and_then(|axis| axis.size.settled()).is_some_and(|units| units > 1);
        let moves = view.program.minimized.iter().any(|one| one.updates.iter().any(|update| update.param == w));
        let is_data = !matches!(view.term(from).kind, Kind::Number(_));
        if !several || !moves || !is_data || param.ty.axes.len() < 2 || told.contains(&w) {
            continue;
        }
        told.push(w);
        let message = format!("all weights of `{}` start at {start}, so that its units are all the same", param.path);
        let warning = Diagnostic::error("W0407", message, param.span, "every unit starts with the same weights")
            .label(applied.place, format!("they stand before this `{}`", applied.name));
        found.push(warning.help("draw the weights: `param w: [d, units] ~ glorot_uniform`"));
    }
    found
}
