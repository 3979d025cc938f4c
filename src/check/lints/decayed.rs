//! W0461: a strong decay of weights that also takes what starts at 1, the scale of a norm, to 0. A scale has no other work than to be
//! where it is, and biases need no decay; so papers leave both out.

use super::view::View;
use crate::diagnostic::Diagnostic;

/// From this decay on; with weaker ones it makes no difference.
const STRONG: f64 = 0.05;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let params = &view.program.params;
    let pulls = view.program.minimized.iter().flat_map(|one| &one.pulls);
    let told = |pull: &crate::check::program::Pull| {
        let is_scale = |id: &&crate::check::terms::ParamId| {
            params[id.0 as usize].ty.axes.len() == 1 && view.start(**id) == Some(1.0)
        };
        let scale = pull.params.iter().find(is_scale).filter(|_| pull.decay >= STRONG)?;
        let path = &params[scale.0 as usize].path;
        let message = format!("the decay of weights also pulls `{path}` to 0, which scales by 1 at the start");
        let warning = Diagnostic::error("W0461", message, pull.span, format!("a decay of {}", pull.decay));
        let last = path.rsplit('.').next().unwrap_or_default();
        let help =
            format!("leave scales and biases out: `except {}(decay = 0) for \"**.{last}\", \"**.b\"`", pull.optimizer);
        Some(warning.help(help))
    };
    pulls.filter_map(told).collect()
}
