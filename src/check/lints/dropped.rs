//! W0417: dropout right before `batch_norm`: while training the statistics are those of what was dropped, in evaluation the spread is
//! another (Li et al. 2019).

use super::view::View;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.program.applied.iter().filter(|applied| applied.name == "batch_norm") {
        let Some(input) = applied.input("x") else { continue };
        // In evaluation dropout gives what it is given.
        let drops =
            |result| view.gave(result).filter(|one| one.name == "dropout" && one.input("x") != Some(one.result));
        let Some(dropout) = drops(input).or_else(|| drops(view.bare(input))) else { continue };
        let message = "dropout right before `batch_norm`: the spread that it learns is not that of predictions";
        let warning = Diagnostic::error("W0417", message, applied.place, "this keeps the spread of what was dropped")
            .label(dropout.place, "this drops elements, while training only");
        found.push(warning.help("put the dropout behind the `batch_norm` and its activation"));
    }
    found
}
