//! What is watched: a figure of a split, the lowest or the highest. `keep` and `stop` of a training, `keep` of a sweep.

use super::{Elaborator, Out, Reported};
use crate::check::program::Watched;
use crate::check::types::Type;
use crate::diagnostic::{Diagnostic, nearest};
use crate::syntax::tree::{Expr, ExprKind, Name};

/// The splits by name.
pub(super) const SPLITS: [&str; 3] = ["train", "valid", "test"];

/// How many rows each split has, where that is known.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub of: [usize; 3],
    pub without_data: bool,
}

/// Something that evaluations give.
pub(super) struct Figure<'n> {
    pub name: &'n str,
    /// None of one number.
    pub ty: Option<Type>,
    /// Whether it is known only when training is over.
    pub late: bool,
}

impl Figure<'_> {
    /// One that is a number in every evaluation.
    pub fn number(name: &str) -> Figure<'_> {
        Figure { name, ty: None, late: false }
    }
}

impl Elaborator<'_> {
    /// Of the data of the block; where it is wrong, every split may have rows.
    pub(super) fn rows_of_splits(&self) -> Rows {
        match &self.data {
            Some(data) => Rows { of: data.rows(), without_data: data.is_missing() },
            None => Rows { of: [1; 3], without_data: false },
        }
    }

    /// `min(valid.loss)`, `max(valid.accuracy)`
    pub(super) fn watched(&mut self, expr: &Expr, name: &str, rows: Rows) -> Out<Watched> {
        let example = if name == "stop" { "patience(min(valid.loss), 5)" } else { "min(valid.loss)" };
        let (lowest, figure) = match called(expr, &["min", "max"]) {
            Some((best, [figure])) => (best == "min", figure),
            _ => return Err(self.shape_of(expr, name, example)),
        };
        let ExprKind::Field(split, figure) = &figure.kind else {
            return Err(self.shape_of(figure, name, example));
        };
        let ExprKind::Name(split) = &split.kind else { return Err(self.shape_of(split, name, example)) };
        let Some(at) = SPLITS.iter().position(|known| *known == split.text) else {
            let message = format!("there is no split `{}`", split.text);
            let help = nearest(&split.text, SPLITS.into_iter())
                .map_or("the splits are train, valid and test".to_string(), |near| format!("did you mean `{near}`?"));
            return Err(self.report(Diagnostic::error("E0245", message, split.span, "not found").help(help)));
        };
        if rows.of[at] == 0 {
            let message = format!("`{name}` watches the split `{}`, which has no rows", split.text);
            let error = Diagnostic::error("E0245", message, split.span, "no row is for this");
            let help = match rows.without_data {
                true => "a training without data has one split, `train`",
                false => "give it some: `split = holdout(train = 80%, valid = 20%, seed = 1)`",
            };
            return Err(self.report(error.help(help)));
        }
        if split.text == "test" {
            let message = format!("`{name}` chooses by rows that are for testing, whose figures then say too much");
            let warning = Diagnostic::error("W0241", message, split.span, "these rows").warning();
            self.report(warning.help("choose by `valid`, with rows of its own in the split"));
        }
        Ok(Watched { split: split.text.clone(), name: figure.text.clone(), lowest, span: expr.span })
    }

    pub(super) fn shape_of(&mut self, expr: &Expr, name: &str, example: &str) -> Reported {
        let message = format!("expected `{name} = {example}`, or the like");
        self.error("E0245", message, expr.span, "this is not")
    }

    /// What a setting watches is one of these, and one number; `loss` always is. Where they are not all, nothing is said of others.
    pub(super) fn is_figure(&mut self, expr: &Expr, name: &str, known: &[Figure], complete: bool) -> Out<()> {
        let mut watched: Vec<Name> = Vec::new();
        crate::syntax::walk::expression(expr, &mut |part| {
            if let ExprKind::Field(_, figure) = &part.kind {
                watched.push(figure.clone());
            }
        });
        let mut all = Ok(());
        for figure in watched {
            all = self.is_one_figure(&figure, name, known, complete).and(all);
        }
        all
    }

    fn is_one_figure(&mut self, figure: &Name, name: &str, known: &[Figure], complete: bool) -> Out<()> {
        let names = std::iter::once("loss").chain(known.iter().map(|figure| figure.name));
        if figure.text == "loss" {
            return Ok(());
        }
        let Some(own) = known.iter().find(|known| known.name == figure.text) else {
            if !complete {
                return Err(Reported);
            }
            let message = format!("no figure is called `{}`", figure.text);
            let help = match nearest(&figure.text, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "there is only `loss`: what is reported has a figure too".to_string(),
                None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
            };
            return Err(self.report(Diagnostic::error("E0245", message, figure.span, "not found").help(help)));
        };
        if let Some(ty) = own.ty.as_ref().filter(|ty| !ty.axes.is_empty()) {
            let message = format!("`{name}` watches one number, and the report `{}` is {ty}", figure.text);
            let error = Diagnostic::error("E0245", message, figure.span, "this has several");
            return Err(self.report(error.help("report its mean too, under a name of its own, and watch that")));
        }
        if own.late {
            let message = format!("`{name}` watches `{}`, which is known when training is over", figure.text);
            let error = Diagnostic::error("E0372", message, figure.span, "this reads what is calibrated");
            return Err(self.report(error.help("watch a figure that evaluations give, such as `valid.loss`")));
        }
        Ok(())
    }
}

/// A call by name: which of some names, and its arguments.
pub(super) fn called<'e, const N: usize>(expr: &'e Expr, names: &[&str]) -> Option<(&'e str, [&'e Expr; N])> {
    let ExprKind::Call(callee, arguments) = &expr.kind else { return None };
    let ExprKind::Name(name) = &callee.kind else { return None };
    let known = names.contains(&name.text.as_str());
    let plain = arguments.iter().all(|argument| argument.name.is_none());
    let arguments: Vec<&Expr> = arguments.iter().map(|argument| &argument.value).collect();
    let arguments = arguments.try_into().ok()?;
    (known && plain).then_some((&name.text, arguments))
}
