//! W0409: a quantity as the target of a loss of classes. The reverse, classes as numbers, is an error of types.

use super::view::View;
use crate::check::terms::{Kind, Leaf, TermId};
use crate::check::types::Elem;
use crate::diagnostic::Diagnostic;

/// With so many classes a column of numbers looks like a quantity, if most values stand in few rows.
const MANY: i64 = 30;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for applied in view.losses() {
        let Some(target) = applied.input("target") else { continue };
        let name = &applied.name;
        if !matches!(name.as_str(), "cross_entropy" | "nll") {
            continue;
        }
        let (Some(classes), Some(raw)) = (classes(view, target), quantity(view, target)) else { continue };
        let rows = view.program.data.rows()[0];
        if classes < MANY || 2 * classes < rows as i64 {
            continue;
        }
        let message = format!("{classes} classes in {rows} training rows: `{raw}` looks like a quantity");
        let warning = Diagnostic::error("W0409", message, applied.place, "this is a loss of classes");
        found.push(warning.help(format!("read `{raw}` without `category`, and minimize `mse`")));
    }
    found
}

/// How many classes a target has.
fn classes(view: &View, target: TermId) -> Option<i64> {
    match &view.term(target).ty.elem {
        Elem::Class(count) => count.size.settled(),
        Elem::Float | Elem::Int | Elem::Bool => None,
    }
}

/// The name of the column of numbers that a target's classes were made of.
fn quantity<'p>(view: &View<'p>, target: TermId) -> Option<&'p str> {
    let value = view.program.data.columns.get(view.column(target)?)?.value;
    let Kind::Leaf(Leaf::Raw(raw)) = view.term(view.bare(value)).kind else { return None };
    let look = view.looks.get(raw)?.as_ref()?;
    look.of_numbers.then(|| view.program.data.raw[raw].name.as_str())
}
