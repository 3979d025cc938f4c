//! Operators: constants are folded, tensors become terms.

use super::expr::same_elem;
use super::{Elaborator, Out, Reported};
use crate::check::number::Number;
use crate::check::shapes::{self, Operand};
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{ScalarOp, Size};
use crate::source::Span;
use crate::syntax::tree::{Binary, Expr, Unary};

/// A value and the text that wrote it.
pub(super) type Written = (Value, Span);

impl Elaborator<'_> {
    pub(super) fn unary(&mut self, op: Unary, value: Value, at: Span, span: Span) -> Out<Value> {
        match (op, value) {
            (Unary::Negate, Value::Number(number)) => Ok(Value::Number(number.negate())),
            (Unary::Negate, Value::Size(axis)) => {
                Ok(Value::Size(Axis { size: axis.size.times(&Size::from(-1)), ..axis }))
            }
            (Unary::Not, Value::Truth(truth)) => Ok(Value::Truth(!truth)),
            (Unary::Negate, value @ Value::Instance(..)) => {
                self.elementwise_points(ScalarOp::Neg, &[(value, at)], span).unwrap_or(Err(Reported))
            }
            (Unary::Negate, value) => {
                let a = self.numbers(value, at)?;
                let ty = self.ty(a).clone();
                Ok(Value::Tensor(self.term(Kind::Scalar(ScalarOp::Neg, vec![a]), ty, span)))
            }
            (Unary::Not, value) => {
                let a = self.truths(value, at)?;
                let ty = self.ty(a).clone();
                Ok(Value::Tensor(self.term(Kind::Scalar(ScalarOp::Not, vec![a]), ty, span)))
            }
        }
    }

    pub(super) fn binary(&mut self, op: Binary, operator: Span, a: Written, b: Written, span: Span) -> Out<Value> {
        if let Some(open) = self.open_truth(op, &a.0, &b.0, span) {
            return Ok(open);
        }
        if let Some(folded) = constant_fold(op, &a.0, &b.0) {
            let zero = |value: &Value| matches!(value, Value::Number(number) if *number == Number::whole(0));
            if op == Binary::Divide && zero(&b.0) {
                return Err(self.error("E0218", "a constant is divided by 0", span, "this has no value"));
            }
            if matches!(&folded, Value::Number(number) if !number.to_f64().is_finite()) {
                return Err(self.error("E0218", "a constant is too large or not a number", span, "this"));
            }
            return Ok(folded);
        }
        if let Some(point) = self.of_points(op, &a, &b, span) {
            return point;
        }
        for (value, at) in [&a, &b] {
            if let (Value::Text(text), false) = (value, matches!(op, Binary::Or | Binary::And)) {
                return Err(self.error(
                    "E0211",
                    format!("expected a number, found the text \"{text}\""),
                    *at,
                    "this is a text",
                ));
            }
        }
        let term = match op {
            Binary::Or | Binary::And => {
                let (a, b) = ((self.truths(a.0, a.1)?, a.1), (self.truths(b.0, b.1)?, b.1));
                let op = if op == Binary::And { ScalarOp::And } else { ScalarOp::Or };
                let kind = Kind::Scalar(op, vec![a.0, b.0]);
                self.elementwise(kind, Elem::Bool, a, b, operator, span)?
            }
            Binary::Less => self.compare(ScalarOp::Less, a, b, operator, span)?,
            Binary::LessEqual => self.compare(ScalarOp::LessEqual, a, b, operator, span)?,
            Binary::Greater => self.compare(ScalarOp::Less, b, a, operator, span)?,
            Binary::GreaterEqual => self.compare(ScalarOp::LessEqual, b, a, operator, span)?,
            Binary::Equal => self.compare(ScalarOp::Equal, a, b, operator, span)?,
            Binary::NotEqual => self.compare(ScalarOp::NotEqual, a, b, operator, span)?,
            Binary::Add => self.arithmetic(ScalarOp::Add, a, b, operator, span)?,
            Binary::Subtract => self.arithmetic(ScalarOp::Sub, a, b, operator, span)?,
            Binary::Multiply => self.arithmetic(ScalarOp::Mul, a, b, operator, span)?,
            Binary::Divide => self.arithmetic(ScalarOp::Div, a, b, operator, span)?,
            Binary::Power => self.arithmetic(ScalarOp::Pow, a, b, operator, span)?,
            Binary::Product => self.product(a, b, operator, span)?,
        };
        Ok(Value::Tensor(term))
    }

    pub(super) fn arithmetic(
        &mut self,
        op: ScalarOp,
        a: Written,
        b: Written,
        operator: Span,
        span: Span,
    ) -> Out<TermId> {
        let (a, b) = ((self.numbers(a.0, a.1), a.1), (self.numbers(b.0, b.1), b.1));
        let (a, b) = ((a.0?, a.1), (b.0?, b.1));
        let whole = matches!(self.ty(a.0).elem, Elem::Int) && matches!(self.ty(b.0).elem, Elem::Int);
        let elem = match op {
            ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul | ScalarOp::Min | ScalarOp::Max | ScalarOp::Mod if whole => {
                Elem::Int
            }
            _ => Elem::Float,
        };
        self.elementwise(Kind::Scalar(op, vec![a.0, b.0]), elem, a, b, operator, span)
    }

    pub(super) fn compare(&mut self, op: ScalarOp, a: Written, b: Written, operator: Span, span: Span) -> Out<TermId> {
        let (one, two) = (self.tensor(a.0, a.1)?, self.tensor(b.0, b.1)?);
        let truths = [one, two].map(|term| matches!(self.ty(term).elem, Elem::Bool)) == [true; 2];
        // Truth values have no order, but are equal or not: as 0 and 1.
        let (a, b) = if truths && matches!(op, ScalarOp::Equal | ScalarOp::NotEqual) {
            ((self.as_int(one, a.1), a.1), (self.as_int(two, b.1), b.1))
        } else {
            ((self.numbers(Value::Tensor(one), a.1)?, a.1), (self.numbers(Value::Tensor(two), b.1)?, b.1))
        };
        self.elementwise(Kind::Scalar(op, vec![a.0, b.0]), Elem::Bool, a, b, operator, span)
    }

    fn product(&mut self, a: Written, b: Written, operator: Span, span: Span) -> Out<TermId> {
        let (a, b) = ((self.numbers(a.0, a.1)?, a.1), (self.numbers(b.0, b.1)?, b.1));
        let axes = shapes::product(self.operand(a), self.operand(b), operator).map_err(|wrong| self.report(wrong))?;
        let free = self.free_indices(a.0, b.0);
        Ok(self.term(Kind::Product(a.0, b.0), Type { free, ..Type::float(axes) }, span))
    }

    /// A term whose operands broadcast to one shape.
    fn elementwise(
        &mut self,
        kind: Kind,
        elem: Elem,
        a: (TermId, Span),
        b: (TermId, Span),
        operator: Span,
        span: Span,
    ) -> Out<TermId> {
        let axes = self.broadcast(a, b, operator)?;
        let free = self.free_indices(a.0, b.0);
        Ok(self.term(kind, Type { free, axes, ..Type::scalar(elem) }, span))
    }

    fn broadcast(&mut self, a: (TermId, Span), b: (TermId, Span), operator: Span) -> Out<Vec<Axis>> {
        shapes::broadcast(self.operand(a), self.operand(b), operator).map_err(|wrong| self.report(wrong))
    }

    fn operand(&self, (term, span): (TermId, Span)) -> Operand<'_> {
        Operand { ty: self.ty(term), span }
    }

    /// The free indices of two terms together.
    pub(super) fn free_indices(&self, a: TermId, b: TermId) -> Vec<IndexId> {
        let mut free = [&self.ty(a).free[..], &self.ty(b).free[..]].concat();
        free.sort_unstable();
        free.dedup();
        free
    }

    /// `if`: a constant condition chooses a branch, any other is a select.
    pub(super) fn choose(
        &mut self,
        condition: &Expr,
        yes: &Expr,
        no: &Expr,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        let chosen = self.value(condition, scope);
        if self.alone.is_some() && chosen.as_ref().map_or(true, |chosen| self.may_be_constant(chosen)) {
            return self.either(yes, no, span, scope);
        }
        let chosen = chosen?;
        if let Value::Truth(truth) = chosen {
            return self.value(if truth { yes } else { no }, scope);
        }
        let condition_at = condition.span;
        let condition = self.truths(chosen, condition_at)?;
        let a = self.under(condition, true, |this| this.value(yes, scope));
        let b = self.under(condition, false, |this| this.value(no, scope));
        let (a, b) = (self.tensor(a?, yes.span)?, self.tensor(b?, no.span)?);
        let (a, b) = (self.as_class_beside(a, b), self.as_class_beside(b, a));
        let elem = self.one_elem(a, b, yes.span, no.span, span)?;
        let axes = self.broadcast((a, yes.span), (b, no.span), span)?;
        let branches = Type { free: self.free_indices(a, b), axes, ..Type::scalar(elem.clone()) };
        let operand = Operand { ty: self.ty(condition), span: condition_at };
        let either = Operand { ty: &branches, span: yes.span };
        let axes = shapes::broadcast(operand, either, span).map_err(|wrong| self.report(wrong))?;
        let mut free = [&branches.free[..], &self.ty(condition).free[..]].concat();
        free.sort_unstable();
        free.dedup();
        let kind = Kind::Scalar(ScalarOp::Select, vec![condition, a, b]);
        Ok(Value::Tensor(self.term(kind, Type { free, axes, ..Type::scalar(elem) }, span)))
    }

    /// A whole number of the text beside classes is one of them, if it is below their number.
    fn as_class_beside(&mut self, literal: TermId, other: TermId) -> TermId {
        let (own, elem) = (self.terms.get(literal).clone(), self.ty(other).elem.clone());
        match (&own.kind, &elem) {
            (Kind::Number(value), Elem::Class(classes))
                if value.fract() == 0.0
                    && *value >= 0.0
                    && classes.size.settled().is_none_or(|count| *value < count as f64) =>
            {
                self.term(own.kind, Type { elem, ..own.ty }, own.span)
            }
            _ => literal,
        }
    }

    fn one_elem(&mut self, a: TermId, b: TermId, at_a: Span, at_b: Span, span: Span) -> Out<Elem> {
        let (one, two) = (self.ty(a).elem.clone(), self.ty(b).elem.clone());
        match (&one, &two) {
            _ if same_elem(&one, &two) => Ok(one),
            (Elem::Float, Elem::Int) | (Elem::Int, Elem::Float) => Ok(Elem::Float),
            // A whole number beside a class is one, if it is below the number of classes.
            (Elem::Class(count), Elem::Int) if self.is_class(b, count) => Ok(one),
            (Elem::Int, Elem::Class(count)) if self.is_class(a, count) => Ok(two),
            (Elem::Int, Elem::Class(_)) | (Elem::Class(_), Elem::Int) => Ok(Elem::Int),
            _ => {
                let error =
                    Diagnostic::error("E0211", "the branches of an `if` have different types", span, "this `if`")
                        .label(at_a, format!("this is {}", self.ty(a)))
                        .label(at_b, format!("this is {}", self.ty(b)));
                Err(self.report(error))
            }
        }
    }

    /// Whether a term is a constant that can be a class of so many.
    fn is_class(&self, term: TermId, count: &Axis) -> bool {
        match (&self.terms.get(term).kind, count.size.settled()) {
            (Kind::Number(number), Some(count)) => *number >= 0.0 && *number < count as f64,
            (Kind::Number(number), None) => *number >= 0.0 && count.size.is_open(),
            _ => false,
        }
    }

    /// A tensor of numbers; the number of a class is a plain int.
    pub(super) fn numbers(&mut self, value: Value, span: Span) -> Out<TermId> {
        let term = self.tensor(value, span)?;
        let ty = self.ty(term).clone();
        match ty.elem {
            Elem::Float | Elem::Int => Ok(term),
            Elem::Class(_) => Ok(self.as_int(term, span)),
            Elem::Bool => {
                let (text, message) = (self.sources.text(span), format!("expected numbers, found {ty}"));
                let shown = if text.len() <= 60 && !text.contains('\n') { text } else { "…" };
                let number = format!("if {shown} then 1 else 0");
                let help = match ty.axes.len() + ty.free.len() {
                    0 => format!("write `{number}`"),
                    _ => format!("how often it is true is `mean({number})`"),
                };
                Err(self.report(Diagnostic::error("E0211", message, span, format!("this is {ty}")).help(help)))
            }
        }
    }

    fn as_int(&mut self, term: TermId, span: Span) -> TermId {
        let ty = Type { elem: Elem::Int, ..self.ty(term).clone() };
        self.term(Kind::Cast(term), ty, span)
    }

    pub(super) fn truths(&mut self, value: Value, span: Span) -> Out<TermId> {
        let term = self.tensor(value, span)?;
        let ty = self.ty(term).clone();
        match ty.elem {
            Elem::Bool => Ok(term),
            Elem::Float | Elem::Int | Elem::Class(_) => Err(self.wrong_elem("truth values", &ty, span)),
        }
    }

    fn wrong_elem(&mut self, wanted: &str, ty: &Type, span: Span) -> Reported {
        self.error("E0211", format!("expected {wanted}, found {ty}"), span, &format!("this is {ty}"))
    }
}

/// The result, where both are known before the run.
fn constant_fold(op: Binary, a: &Value, b: &Value) -> Option<Value> {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => Some(match op {
            Binary::Add => Value::Number(x.plus(*y)),
            Binary::Subtract => Value::Number(x.minus(*y)),
            Binary::Multiply => Value::Number(x.times(*y)),
            Binary::Divide => Value::Number(x.over(*y)),
            Binary::Power => Value::Number(x.power(*y)),
            Binary::Less => Value::Truth(x < y),
            Binary::LessEqual => Value::Truth(x <= y),
            Binary::Greater => Value::Truth(x > y),
            Binary::GreaterEqual => Value::Truth(x >= y),
            Binary::Equal => Value::Truth(x == y),
            Binary::NotEqual => Value::Truth(x != y),
            Binary::Or | Binary::And | Binary::Product => return None,
        }),
        (Value::Truth(x), Value::Truth(y)) => match op {
            Binary::Or => Some(Value::Truth(*x || *y)),
            Binary::And => Some(Value::Truth(*x && *y)),
            Binary::Equal => Some(Value::Truth(x == y)),
            Binary::NotEqual => Some(Value::Truth(x != y)),
            _ => None,
        },
        (Value::Text(x), Value::Text(y)) => match op {
            Binary::Equal => Some(Value::Truth(x == y)),
            Binary::NotEqual => Some(Value::Truth(x != y)),
            _ => None,
        },
        // A setting that may be a text or a number is asked which it is: `padding == "same"`.
        (Value::Text(_), Value::Number(_)) | (Value::Number(_), Value::Text(_)) => match op {
            Binary::Equal => Some(Value::Truth(false)),
            Binary::NotEqual => Some(Value::Truth(true)),
            _ => None,
        },
        _ => sizes(op, a, b),
    }
}

/// Sums and products of sizes stay sizes.
fn sizes(op: Binary, a: &Value, b: &Value) -> Option<Value> {
    let axis = match (a, b) {
        (Value::Size(axis), _) | (_, Value::Size(axis)) => axis.clone(),
        _ => return None,
    };
    let size = |value: &Value| match value {
        Value::Size(axis) => Some(axis.size.clone()),
        Value::Number(number) => number.to_whole().map(Size::from),
        _ => None,
    };
    let (x, y) = (size(a)?, size(b)?);
    // What no longer fits on a page is a number like any other.
    if x.is_long_with(&y) {
        return None;
    }
    let size = match op {
        Binary::Add => x.plus(&y),
        Binary::Subtract => x.minus(&y),
        Binary::Multiply => x.times(&y),
        _ => return None,
    };
    Some(Value::Size(Axis { size, ..axis }))
}
