//! W0409: the numbers of classes as targets of a loss of numbers, and numbers as targets of a loss of classes.

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
        match name.as_str() {
            "mse" | "mae" | "huber" => {
                let Some((at, classes)) = classes(view, target) else { continue };
                // Of two classes 0 and 1 it is the Brier score.
                if classes <= 2 {
                    continue;
                }
                let message = format!("`{name}` takes the numbers of {classes} classes for quantities");
                let warning = Diagnostic::error("W0409", message, applied.place, "class 2 is no twice class 1");
                let warning = view
                    .place(at)
                    .iter()
                    .fold(warning, |warning, place| warning.clone().label(*place, "these are classes"));
                let help = "give a score for each class and minimize `cross_entropy`; an order of classes is a number, \
                            read without `category`";
                found.push(warning.help(help));
            }
            "cross_entropy" | "nll" => {
                let Some((_, classes)) = classes(view, target) else { continue };
                let rows = view.program.data.rows[0];
                let Some(raw) = quantity(view, target) else { continue };
                if classes < MANY || 2 * classes < rows as i64 {
                    continue;
                }
                let message = format!("{classes} classes in {rows} training rows: `{raw}` looks like a quantity");
                let warning = Diagnostic::error("W0409", message, applied.place, "this is a loss of classes");
                found.push(warning.help(format!("read `{raw}` without `category`, and minimize `mse`")));
            }
            _ => {}
        }
    }
    found
}

/// The term of classes that a target is, and how many there are.
fn classes(view: &View, target: TermId) -> Option<(TermId, i64)> {
    let mut id = target;
    loop {
        if let Elem::Class(count) = &view.term(id).ty.elem {
            return Some((id, count.size.settled()?));
        }
        id = view.shown(id)?;
    }
}

/// The name of the column of numbers that a target's classes were made of.
fn quantity<'p>(view: &View<'p>, target: TermId) -> Option<&'p str> {
    let value = view.program.data.columns.get(view.column(target)?)?.value;
    let Kind::Leaf(Leaf::Raw(raw)) = view.term(view.bare(value)).kind else { return None };
    let look = view.looks.get(raw)?.as_ref()?;
    look.of_numbers.then(|| view.program.data.raw[raw].name.as_str())
}
