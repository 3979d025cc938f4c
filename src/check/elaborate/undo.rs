//! `y.inverse(e)`: values like those of a column, back in the units of the source. What made the column is undone, from the last
//! operation to the first: no transform has to say its inverse.

use super::{Elaborator, Out, Reported};
use crate::check::program::RawKind;
use crate::check::terms::{Cut, Kind, Leaf, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Inverse, ScalarOp, Size};
use crate::source::Span;
use crate::syntax::tree::{Argument, Expr, Name};

/// A column that is undone: its name, and where that is asked for.
struct Undone<'c> {
    name: &'c str,
    span: Span,
    /// The text that made the column.
    made: Span,
}

impl Elaborator<'_> {
    /// `y.inverse(e)`.
    pub(super) fn inverse_call(
        &mut self,
        base: &Expr,
        part: &Name,
        arguments: &[Argument],
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        let column = match self.value(base, scope)? {
            Value::Tensor(term) => match self.terms.get(term).kind {
                Kind::Leaf(Leaf::Column(at)) => Some(at),
                _ => None,
            },
            Value::Wrong => return Err(Reported),
            _ => None,
        };
        let Some(column) = column else {
            let error =
                Diagnostic::error("E0358", "only a column of the data has an inverse", base.span, "this is none");
            return Err(self.report(error.label(part.span, "its inverse is asked for").help(
                "in a `train` block, `predict price = y.inverse(model(x))` undoes what the `data` block made `y` by",
            )));
        };
        let [Argument { name: None, value: argument }] = arguments else {
            let message = format!("`inverse` takes 1 argument, and here are {}", arguments.len());
            let error = Diagnostic::error("E0212", message, span, "in this call");
            return Err(self.report(error.help("write `y.inverse(model(x))`")));
        };
        let given = self.value(argument, scope)?;
        let given = self.tensor(given, argument.span)?;
        let Some(own) = self.data.as_ref().map(|data| (data.columns[column].name.clone(), data.columns[column].value))
        else {
            return Err(Reported);
        };
        let (name, value) = own;
        let undone = Undone { name: &name, span, made: self.terms.get(value).span };
        if let Some(class) = self.class_column(value) {
            return self.named_class(given, class, &undone, argument.span).map(Value::Tensor);
        }
        let (wanted, found) = (self.ty(value).clone(), self.ty(given).clone());
        if !found.agrees(&wanted) {
            let message = format!("`{name}` is {wanted}, and what its inverse is given is {found}");
            let error = Diagnostic::error("E0205", message, argument.span, format!("this is {found}"));
            let help = "`squeeze` takes an axis of 1 away: `y.inverse(squeeze(model(x)))`";
            let is_one = found.axes.last().is_some_and(|axis| axis.size == Size::from(1));
            return Err(self.report(if is_one { error.help(help) } else { error }));
        }
        let given = self.numbers(Value::Tensor(given), argument.span)?;
        self.undone(value, given, &undone).map(Value::Tensor)
    }

    /// The source column whose classes a column has.
    fn class_column(&self, value: TermId) -> Option<(String, Axis)> {
        let data = self.data.as_ref()?;
        let Kind::Leaf(Leaf::Raw(at)) = self.terms.get(value).kind else { return None };
        let raw = &data.raw[at];
        match &raw.ty.elem {
            Elem::Class(count) if raw.kind.is_class() => Some((raw.key.clone(), count.clone())),
            _ => None,
        }
    }

    /// Classes of a column: what is predicted so is written by their names. Of two classes 1 and true are the second.
    fn named_class(
        &mut self,
        given: TermId,
        (column, count): (String, Axis),
        undone: &Undone,
        at: Span,
    ) -> Out<TermId> {
        let ty = self.ty(given).clone();
        let of_two = count.size.settled() == Some(2);
        let fits = match &ty.elem {
            Elem::Class(own) => own.size.agrees(&count.size),
            Elem::Bool => of_two,
            Elem::Int | Elem::Float => false,
        };
        if !fits {
            let message =
                format!("`{}` has {} classes, and what its inverse is given is {ty}", undone.name, count.size);
            let error = Diagnostic::error("E0358", message, at, format!("this is {ty}"));
            return Err(self.report(error.help(match of_two {
                true => "give it a class or a truth value: `argmax(scores)`, `sigmoid(score) > 0.5`",
                false => "give it a class: `argmax(model(x))`",
            })));
        }
        let named = self.term(Kind::Cast(given), Type { elem: Elem::Class(count), ..ty }, undone.span);
        self.named_classes.push((named, column));
        Ok(named)
    }

    /// What a term was before it became what is given: the inverse of the operations from the source on.
    fn undone(&mut self, value: TermId, given: TermId, of: &Undone) -> Out<TermId> {
        self.deeper(of.span, |this| this.undone_here(value, given, of))
    }

    fn undone_here(&mut self, value: TermId, given: TermId, of: &Undone) -> Out<TermId> {
        let kind = self.terms.get(value).kind.clone();
        match &kind {
            Kind::Leaf(Leaf::Raw(at)) => {
                let raw = self.data.as_ref().map(|data| data.raw[*at].kind.clone());
                match raw {
                    Some(RawKind::Numbers | RawKind::Gappy | RawKind::Drawn(_) | RawKind::Whole(_)) => Ok(given),
                    _ => Err(self.not_undone(value, of)),
                }
            }
            Kind::Cast(a) | Kind::Constant(a) => self.undone(*a, given, of),
            Kind::Scalar(ScalarOp::Select, operands) => self.undone_choice(value, operands, given, of),
            Kind::Scalar(op, operands) => self.undone_scalar(value, *op, operands, given, of),
            Kind::Stack(parts, at) => {
                let mut all = Vec::new();
                for (place, part) in parts.iter().enumerate() {
                    let mut cuts = vec![Cut::All; self.ty(given).axes.len()];
                    cuts[*at] = Cut::One(Size::from(place as i64));
                    let own = self.cut_out(given, cuts, of.span);
                    let own = if self.reads_source(*part) { self.undone(*part, own, of)? } else { own };
                    all.push((own, of.span));
                }
                self.stack(all, *at, of.span)
            }
            Kind::Concat(parts, at) => {
                let (mut all, mut first) = (Vec::new(), Size::from(0));
                for part in parts {
                    let width = self.ty(*part).axes[*at].size.clone();
                    let mut cuts = vec![Cut::All; self.ty(given).axes.len()];
                    cuts[*at] = Cut::Range(first.clone(), width.clone());
                    first = first.plus(&width);
                    let own = self.cut_out(given, cuts, of.span);
                    let own = if self.reads_source(*part) { self.undone(*part, own, of)? } else { own };
                    all.push((own, of.span));
                }
                self.one_behind_another(all, *at, of.span)
            }
            Kind::Number(_)
            | Kind::Truth(_)
            | Kind::Size(_)
            | Kind::Index(_)
            | Kind::Leaf(_)
            | Kind::Product(..)
            | Kind::Fold(..)
            | Kind::ArgMax(_)
            | Kind::Order(_)
            | Kind::Running(..)
            | Kind::Pick(..)
            | Kind::Cholesky(_)
            | Kind::TriangularSolve { .. }
            | Kind::Read(..)
            | Kind::Spread(..)
            | Kind::Reshape(_)
            | Kind::Slice(..)
            | Kind::Grad { .. }
            | Kind::Draw(..)
            | Kind::Scan(..) => Err(self.not_undone(value, of)),
        }
    }

    /// A choice that no row makes is undone where the source is read; one between two such by undoing both.
    fn undone_choice(&mut self, value: TermId, operands: &[TermId], given: TermId, of: &Undone) -> Out<TermId> {
        let [condition, yes, no] = operands else { return Err(Reported) };
        let is_gap =
            matches!(&self.terms.get(*condition).kind, Kind::Scalar(ScalarOp::NotEqual, pair) if pair[0] == pair[1]);
        match (self.reads_source(*condition), self.reads_source(*yes), self.reads_source(*no)) {
            // A number in place of one that is missing.
            (true, false, true) if is_gap => self.undone(*no, given, of),
            (false, true, false) => self.undone(*yes, given, of),
            (false, false, true) => self.undone(*no, given, of),
            (false, true, true) => {
                let (one, two) = (self.undone(*yes, given, of)?, self.undone(*no, given, of)?);
                let ty = self.ty(one).clone();
                Ok(self.term(Kind::Scalar(ScalarOp::Select, vec![*condition, one, two]), ty, of.span))
            }
            _ => Err(self.not_undone(value, of)),
        }
    }

    fn undone_scalar(
        &mut self,
        value: TermId,
        op: ScalarOp,
        operands: &[TermId],
        given: TermId,
        of: &Undone,
    ) -> Out<TermId> {
        let own: Vec<TermId> = operands.iter().copied().filter(|operand| self.reads_source(*operand)).collect();
        let [own] = own[..] else { return Err(self.not_undone(value, of)) };
        let first = operands[0] == own;
        let other = operands.iter().copied().find(|operand| *operand != own);
        let pair = |this: &mut Self, op, a: TermId, b: TermId| {
            this.arithmetic(op, (Value::Tensor(a), of.span), (Value::Tensor(b), of.span), of.span, of.span)
        };
        let before = match (op.inverse(first), other) {
            (Some(Inverse::Of(op)), _) => {
                let ty = self.ty(given).clone();
                self.term(Kind::Scalar(op, vec![given]), ty, of.span)
            }
            (Some(Inverse::Square), _) => pair(self, ScalarOp::Mul, given, given)?,
            (Some(Inverse::With(op)), Some(other)) => pair(self, op, given, other)?,
            (Some(Inverse::Against(op)), Some(other)) => pair(self, op, other, given)?,
            (Some(Inverse::With(_) | Inverse::Against(_)) | None, _) => return Err(self.not_undone(value, of)),
        };
        self.undone(own, before, of)
    }

    /// Whether a term differs with the rows of the source.
    fn reads_source(&self, term: TermId) -> bool {
        self.terms.leaves(&[term]).iter().any(|leaf| matches!(leaf, Leaf::Raw(_)))
    }

    fn not_undone(&mut self, value: TermId, of: &Undone) -> Reported {
        let at = self.terms.get(value).span;
        let place = if self.library.is_stdlib(at.source) { of.made } else { at };
        let message = format!("what makes column `{}` cannot be undone", of.name);
        let error = Diagnostic::error("E0358", message, of.span, "its inverse is asked for here");
        let error = error.label(place, "this has no inverse");
        self.report(error.help(
            "what is undone is made of one column each by `+`, `-`, `*`, `/`, `exp`, `log`, `sqrt`, `standardize`, `minmax` and lists",
        ))
    }
}
