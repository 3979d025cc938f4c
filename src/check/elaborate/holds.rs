//! `check name = condition`: constant conditions are evaluated before the run; all others are demands that the run looks at.

use super::{Elaborator, Out};
use crate::check::program::Demand;
use crate::check::terms::{Kind, Leaf, TermId};
use crate::check::types::{Elem, Type};
use crate::check::value::{Bound, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::ScalarOp;
use crate::source::Span;
use crate::syntax::tree::{Binary, Expr, ExprKind, Name, Unary};
use crate::syntax::walk;

impl Elaborator<'_> {
    pub(super) fn holds(&mut self, name: &Name, condition: &Expr, scope: &mut Scope) -> Out<()> {
        // In a definition checked alone a use decides what is open.
        let value = match self.value(condition, scope) {
            Err(_) if self.alone.is_some() => return Ok(()),
            value => value?,
        };
        match value {
            Value::Truth(true) => Ok(()),
            open if self.may_be_constant(&open) => Ok(()),
            Value::Truth(false) if is_advice(name) => {
                let warning = self.does_not_hold(name, condition, scope, "W0211", "usually has");
                self.report(warning.warning());
                Ok(())
            }
            Value::Truth(false) => {
                let error = self.does_not_hold(name, condition, scope, "E0225", "needs");
                Err(self.report(error))
            }
            Value::Tensor(term) if matches!(self.ty(term).elem, Elem::Bool) => self.demanded(name, condition, term),
            other => {
                let error = Diagnostic::error("E0211", "a check is true or false", condition.span, other.noun());
                Err(self.report(error.help(format!("write a comparison: `check {} = a > 0`", name.text))))
            }
        }
    }

    /// A condition that is known only in a run. What is usual is told of what is known before.
    fn demanded(&mut self, name: &Name, expr: &Expr, condition: TermId) -> Out<()> {
        if self.alone.is_some() || is_advice(name) {
            return Ok(());
        }
        let of_optimizer = |leaf: &Leaf| matches!(leaf, Leaf::Gradient(_) | Leaf::State(..));
        let (place, help) = match () {
            () if self.open.is_some() => ("what makes columns", "check the column in the `train` block"),
            () if !self.loops.is_empty() && !self.ty(condition).free.is_empty() => {
                ("a step of a scan, beside an index,", "name the tensor by an indexed `let`, and check that")
            }
            () if self.terms.leaves(&[condition]).iter().any(of_optimizer) => {
                ("an optimizer", "check a setting, or a `let` of the `train` block")
            }
            () => {
                let late = self.reads_calibrated(condition).is_some();
                let mut sides = Vec::new();
                self.sides(expr, condition, &mut sides);
                let condition = self.where_it_counts(condition, expr.span);
                let (name, calls) = (name.text.clone(), self.calls.clone());
                let library = |at: Span| self.library.is_stdlib(at.source);
                let own = calls.iter().rposition(|(at, _)| !library(*at)).filter(|_| library(expr.span));
                self.demands.push(Demand { name, condition, span: expr.span, sides, calls, own, late });
                return Ok(());
            }
        };
        let message = format!("a check in {place} is of what is known before the run");
        let error = Diagnostic::error("E0373", message, expr.span, "this is known only in a run");
        Err(self.report(error.help(help)))
    }

    /// What the comparisons of a condition hold against each other, numbers of the text left out.
    fn sides(&self, expr: &Expr, condition: TermId, into: &mut Vec<(TermId, Span)>) {
        let Kind::Scalar(op, operands) = &self.terms.get(condition).kind else { return };
        match (&expr.kind, op, &operands[..]) {
            (ExprKind::Unary(Unary::Not, inner), ScalarOp::Not, [one]) => self.sides(inner, *one, into),
            (ExprKind::Binary(Binary::And, _, a, b), ScalarOp::And, [one, two])
            | (ExprKind::Binary(Binary::Or, _, a, b), ScalarOp::Or, [one, two]) => {
                self.sides(a, *one, into);
                self.sides(b, *two, into);
            }
            (
                ExprKind::Binary(written, _, a, b),
                ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual,
                [one, two],
            ) => {
                let turned = matches!(written, Binary::Greater | Binary::GreaterEqual);
                let (one, two) = if turned { (two, one) } else { (one, two) };
                for (term, at) in [(*one, a.span), (*two, b.span)] {
                    let known = into.iter().any(|(_, other)| self.sources.text(*other) == self.sources.text(at));
                    if !known && !matches!(self.terms.get(term).kind, Kind::Number(_)) {
                        into.push((term, at));
                    }
                }
            }
            _ => {}
        }
    }

    /// The condition, true where a `where` leaves elements out and where an `if` around does not choose what reads it.
    fn where_it_counts(&mut self, mut condition: TermId, at: Span) -> TermId {
        let mask = self.ty(condition).mask;
        let guards: Vec<(TermId, bool)> = self.guards.iter().map(|guard| (guard.condition, guard.holds)).collect();
        for (guard, holds) in mask.map(|mask| (mask, true)).into_iter().chain(guards) {
            let left_out = match holds {
                false => guard,
                true => {
                    let ty = self.ty(guard).clone();
                    self.term(Kind::Scalar(ScalarOp::Not, vec![guard]), ty, at)
                }
            };
            let free = self.free_indices(condition, guard);
            let ty = Type { free, mask: None, ..self.ty(condition).clone() };
            condition = self.term(Kind::Scalar(ScalarOp::Or, vec![condition, left_out]), ty, at);
        }
        condition
    }

    fn does_not_hold(
        &self,
        name: &Name,
        condition: &Expr,
        scope: &Scope,
        code: &'static str,
        verb: &str,
    ) -> Diagnostic {
        let mut read: Vec<(String, Bound)> = Vec::new();
        walk::expression(condition, &mut |part| {
            if let ExprKind::Name(name) = &part.kind
                && let Some(bound) = scope.get(&name.text)
                && !read.iter().any(|(known, _)| *known == name.text)
            {
                read.push((name.text.clone(), bound.clone()));
            }
        });
        let is = |(name, bound): &(String, Bound)| match &bound.value {
            Value::Number(number) => Some((format!("`{name}` is {number}"), bound.origin.span)),
            Value::Truth(truth) => Some((format!("`{name}` is {truth}"), bound.origin.span)),
            Value::Text(text) => Some((format!("`{name}` is \"{text}\""), bound.origin.span)),
            Value::Size(axis) => axis.size.settled().map(|size| (format!("`{name}` is {size}"), bound.origin.span)),
            _ => None,
        };
        let mut values: Vec<_> = read.iter().filter_map(is).collect();
        let shown = self.sources.text(condition.span).split_whitespace().collect::<Vec<_>>().join(" ");
        let demand = match self.calls.last() {
            Some((_, owner)) => format!("`{owner}` {verb} `{shown}`"),
            None => format!("`{shown}` does not hold"),
        };
        let shown_values: Vec<String> = values.iter().map(|(text, _)| text.clone()).collect();
        let message =
            if shown_values.is_empty() { demand } else { format!("{demand}, and {}", shown_values.join(" and ")) };
        // What the call itself says comes first: that is where it is mended.
        let call = self.calls.last().map(|(call, _)| *call);
        let within = |at: Span| {
            call.is_some_and(|call| call.source == at.source && call.start <= at.start && at.end <= call.end)
        };
        values.sort_by_key(|(_, at)| !within(*at));
        let wants = if code.starts_with('W') { "recommended" } else { "demanded" };
        let demanded = format!("`{}` is {wants} here", name.text);
        match values.split_first() {
            None => Diagnostic::error(code, message, condition.span, demanded),
            Some(((text, span), more)) => {
                let error = Diagnostic::error(code, message, *span, text);
                let more = more.iter().filter(|(_, other)| other != span);
                more.fold(error, |error, (text, span)| error.label(*span, text)).label(condition.span, demanded)
            }
        }
    }
}

/// A check whose name begins with `usual` tells what is usual: a value outside of it is possible, and rarely meant.
pub(super) fn is_advice(name: &Name) -> bool {
    name.text == "usual" || name.text.starts_with("usual_")
}
