//! W0445: attention that sees what comes behind, in a model that tells the next token: it can be read off.

use super::next_token::{self, Told};
use super::view::View;
use crate::check::program::Applied;
use crate::check::terms::{Kind, TermId};
use crate::diagnostic::Diagnostic;
use crate::ir::ScalarOp;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for told in next_token::all(view).into_iter().filter(|told| told.behind > 0) {
        let below = view.below(&[told.prediction], |_, kind| kind.operands());
        let Some(looks) =
            view.program.applied.iter().find(|one| below.contains(&one.result) && sees_all(view, &told, one))
        else {
            continue;
        };
        if found.iter().any(|found| found.labels[0].span == looks.place) {
            continue;
        }
        let message = "the model sees the token that it is to tell: each place looks at those behind it";
        let warning = Diagnostic::error("W0445", message, looks.place, "this looks at all places")
            .label(told.loss.place, "the target is the next token");
        found.push(
            warning.help("mask what comes behind: `attention(…, causal = true)`, or `softmax(j where j <= i: …)`"),
        );
    }
    found
}

/// Whether something of the library mixes all places of a row.
fn sees_all(view: &View, told: &Told, applied: &Applied) -> bool {
    match applied.name.as_str() {
        "bidirectional" => true,
        "softmax" => applied.input("x").is_some_and(|x| {
            let ty = &view.term(x).ty;
            let places = |size: &crate::ir::Size| size.settled() == Some(told.places);
            let free = ty.free.iter().filter_map(|index| view.program.terms.size_of(*index));
            let rows = free.chain(ty.axes.iter().rev().skip(1).map(|axis| axis.size.clone())).any(|size| places(&size));
            let columns = ty.axes.last().is_some_and(|axis| places(&axis.size));
            rows && columns && !ty.mask.is_some_and(|mask| compares_places(view, mask))
        }),
        _ => false,
    }
}

/// Whether a mask tells what comes before from what comes behind.
fn compares_places(view: &View, mask: TermId) -> bool {
    let below = view.below(&[mask], |_, kind| kind.operands());
    below.iter().any(|id| match &view.term(*id).kind {
        Kind::Scalar(ScalarOp::Less | ScalarOp::LessEqual, parts) => parts.iter().all(|part| {
            let read = view.below(&[*part], |_, kind| kind.operands());
            read.iter().any(|id| matches!(view.term(*id).kind, Kind::Index(_)))
        }),
        _ => false,
    })
}
