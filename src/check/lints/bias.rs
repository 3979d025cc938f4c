//! W0416: a bias right before `batch_norm`, which takes the mean away again: the bias changes nothing.

use super::view::View;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.program.applied.iter().filter(|applied| applied.name == "batch_norm") {
        let Some(input) = applied.input("x").map(|input| view.bare(input)) else { continue };
        let Some((_, bias)) = view.without_bias(input) else { continue };
        let param = &view.program.params[bias.0 as usize];
        // Elsewhere than along the channels it is not taken away.
        if param.ty.axes.len() != 1 || view.term(input).ty.axes.len() != 2 {
            continue;
        }
        let message = format!("the bias `{}` changes nothing: `batch_norm` takes it away again", param.path);
        let mut warning = Diagnostic::error("W0416", message, applied.place, "this takes the mean away");
        if let Some(place) = view.place(input).filter(|place| *place != applied.place) {
            warning = warning.label(place, "this adds a bias");
        }
        found.push(warning.help("leave it out: `dense(…, bias = false)`"));
    }
    found
}
