//! W0447: a training of a model that minimizes nothing: its figures are those of weights as they were drawn.

use super::view::View;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let program = view.program;
    if !program.minimized.is_empty() || !program.nexts.is_empty() || !program.begun.is_empty() {
        return Vec::new();
    }
    let of_model = |id: &&crate::check::terms::ParamId| {
        let param = &program.params[id.0 as usize];
        !param.state && program.is_of_model(&param.path)
    };
    let Some(param) = program.used.iter().find(of_model) else { return Vec::new() };
    let told = program.reports.iter().chain(&program.predictions).find_map(|report| view.place(report.value));
    let param = &program.params[param.0 as usize];
    let message = "nothing is minimized, and the model stays as it begins";
    let warning =
        Diagnostic::error("W0447", message, told.unwrap_or(param.span), "this is of weights that nothing moves");
    vec![warning.help("minimize a loss, `minimize mse(model(x), y) using adam`, or begin `from` trained weights")]
}
