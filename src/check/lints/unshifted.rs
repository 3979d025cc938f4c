//! W0444: the token that the model reads is the one that it is to tell.

use super::next_token;
use super::view::View;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for told in next_token::all(view).into_iter().filter(|told| told.behind == 0) {
        if found.iter().any(|found| found.labels[0].span == told.loss.place) {
            continue;
        }
        let message = "the target is the token that the model reads at the same place";
        let warning = Diagnostic::error("W0444", message, told.loss.place, "there is nothing to tell");
        let help = "take the tokens one place behind: `y` of `x, y = next_token(…)`, or `model(x)[.., 0..t - 1, 0..k]` \
                    with `x[.., 1..t]`";
        found.push(warning.help(help));
    }
    found
}
