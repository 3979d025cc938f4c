//! W0332: a loss of tokens that counts what rows were filled up with.

use super::view::View;
use crate::check::program::RawKind;
use crate::check::terms::{Kind, Leaf, TermId};
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for applied in view.losses() {
        let Some(target) = applied.input("target") else { continue };
        let ty = &view.term(target).ty;
        let whole = ty.free.is_empty() && ty.mask.is_none();
        if !whole || applied.input("weight").is_some() || !is_filled(view, target) {
            continue;
        }
        let message = "this loss counts what `pad` filled rows up with as if it were there";
        let warning = Diagnostic::error("W0332", message, applied.place, "every place of every row counts");
        found.push(warning.help(
            "leave the places behind the end of each row out: `weight = if within(length, t) then 1 else 0`, or a `where t < length[i]`",
        ));
    }
    found
}

/// Whether a target is a column of rows that were filled up.
fn is_filled(view: &View, target: TermId) -> bool {
    let column = view.column(target).and_then(|at| view.program.data.columns.get(at));
    let raw = column.map(|column| &view.term(view.bare(column.value)).kind);
    match raw {
        Some(Kind::Leaf(Leaf::Raw(at))) => {
            matches!(view.program.data.raw[*at].kind, RawKind::Padded { filled: true, .. })
        }
        _ => false,
    }
}
