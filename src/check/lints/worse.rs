//! W0406: a figure that is better the greater it is, minimized as it is.

use super::view::View;
use crate::diagnostic::Diagnostic;

const BETTER_GREATER: &[&str] = &["r2", "explained_variance"];

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for minimized in &view.program.minimized {
        let Some(applied) = view.gave(view.bare(minimized.loss)) else { continue };
        if !BETTER_GREATER.contains(&applied.name.as_str()) {
            continue;
        }
        let name = &applied.name;
        let message = format!("`{name}` is better the greater it is, and this makes it small");
        let warning = Diagnostic::error("W0406", message, applied.place, "this is minimized");
        found.push(warning.help(format!("minimize `mse(…)`, or `1 - {name}(…)`, and report `{name}(…)`")));
    }
    found
}
