//! W0419: a schedule of another length than the run: it ends before, and rises again or stands still, or after, and never falls as far.

use super::view::View;
use crate::check::program::Length;
use crate::check::terms::{Host, Kind, Leaf, TermId};
use crate::diagnostic::Diagnostic;
use crate::ir::ScalarOp;

/// Differences up to this share are roundings of one's own.
const LITTLE: f64 = 0.02;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let program = view.program;
    let rows = program.data.rows()[0] as u64;
    let in_epoch = program.run.batch.map_or(1, |batch| rows.div_ceil(batch.max(1)));
    let (steps, epochs) = match program.run.length {
        Length::Steps(steps) => (steps as f64, steps as f64 / in_epoch.max(1) as f64),
        Length::Epochs(epochs) => ((epochs * in_epoch.max(1)) as f64, epochs as f64),
    };
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in &program.applied {
        let length = match applied.name.as_str() {
            "cosine" | "one_cycle" => applied.number("steps"),
            "warmup" => applied.number("over"),
            _ => None,
        };
        let host = applied.input("step").map(|step| &view.term(view.bare(step)).kind);
        let (planned, unit, name) = match host {
            Some(Kind::Leaf(Leaf::Host(Host::Step))) => (steps, "steps", "steps"),
            Some(Kind::Leaf(Leaf::Host(Host::Epoch))) => (epochs, "epochs", "epochs"),
            _ => continue,
        };
        let Some(length) = length else { continue };
        let name_of = &applied.name;
        let (message, label) = match name_of.as_str() {
            "warmup" if length > planned => {
                (format!("this warms up over {length} {unit}, and the run has {planned}"), "it never ends")
            }
            "warmup" => continue,
            _ if length > planned * (1.0 + LITTLE) => (
                format!("`{name_of}` ends after {length} {unit}, and the run after {planned}"),
                "it never comes to its end",
            ),
            _ if length < planned * (1.0 - LITTLE) && !is_a_piece(view, applied.result) => (
                format!("`{name_of}` ends after {length} {unit}, and the run after {planned}"),
                "the run goes on behind its end",
            ),
            _ => continue,
        };
        let help = match name_of.as_str() {
            "warmup" => "warm up over fewer, or train for longer".to_string(),
            _ => format!("`{name}` is the number of {unit} of the run: write it in place of {length}"),
        };
        found.push(Diagnostic::error("W0419", message, applied.place, label).help(help));
    }
    found
}

/// Whether an `if` or a bound of one's own chooses when a schedule holds.
fn is_a_piece(view: &View, result: TermId) -> bool {
    let ids = (0..view.program.terms.count()).map(|at| TermId(at as u32));
    let chooses = |id: &TermId| {
        let kind = &view.term(*id).kind;
        matches!(kind, Kind::Scalar(ScalarOp::Select | ScalarOp::Min | ScalarOp::Max, _)) && view.place(*id).is_some()
    };
    ids.filter(|id| id.0 > result.0)
        .filter(chooses)
        .any(|id| view.below(&[id], |_, kind| kind.operands()).contains(&result))
}
