//! Whole numbers: the greatest one that is not above, quotients of ints, and what they leave.

use super::operators::Written;
use super::{Elaborator, Out};
use crate::check::number::Number;
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::Value;
use crate::ir::{ScalarOp, Size};
use crate::source::Span;

impl Elaborator<'_> {
    /// An int is its own floor, and that of a quotient of ints is exact.
    pub(super) fn floor(&mut self, a: TermId, span: Span) -> Value {
        let whole = self.as_written(a);
        if matches!(self.ty(whole).elem, Elem::Int) {
            return Value::Tensor(whole);
        }
        let ty = Type { elem: Elem::Int, ..self.ty(a).clone() };
        if let Some((above, below)) = self.quotient_of_ints(a, span) {
            if let (Some(size), Some(below)) = (self.size_of_rows(above), self.size_of(below))
                && let Some(below) = below.settled().filter(|below| *below > 0)
            {
                return Value::Size(Axis::new(size.floor_over(below), span, "is this whole quotient"));
            }
            return Value::Tensor(self.term(Kind::Scalar(ScalarOp::Quotient, vec![above, below]), ty, span));
        }
        let floor = self.term(Kind::Scalar(ScalarOp::Floor, vec![a]), self.ty(a).clone(), span);
        Value::Tensor(self.term(Kind::Cast(floor), ty, span))
    }

    /// The size that a term is, if the rows of a run decide it, and not a use.
    fn size_of_rows(&self, term: TermId) -> Option<Size> {
        self.size_of(term).filter(|size| size.has_rows() && !size.is_open())
    }

    /// The size that a term is, if it is one.
    fn size_of(&self, term: TermId) -> Option<Size> {
        match &self.terms.get(term).kind {
            Kind::Size(size) => Some(size.clone()),
            Kind::Number(number) => Number::Float(*number).to_whole().map(Size::from),
            Kind::Scalar(ScalarOp::Neg, operands) => Some(self.size_of(*operands.first()?)?.times(&Size::from(-1))),
            _ => None,
        }
    }

    /// The operands of a quotient of ints, or of its negative.
    fn quotient_of_ints(&mut self, a: TermId, span: Span) -> Option<(TermId, TermId)> {
        let is_int = |term: &TermId| matches!(self.ty(*term).elem, Elem::Int);
        let Kind::Scalar(op, operands) = self.terms.get(a).kind.clone() else { return None };
        if let (ScalarOp::Div, [above, below]) = (op, &operands[..])
            && is_int(above)
            && is_int(below)
        {
            return Some((*above, *below));
        }
        let (ScalarOp::Neg, [quotient]) = (op, &operands[..]) else { return None };
        let (above, below) = self.quotient_of_ints(*quotient, span)?;
        let ty = self.ty(above).clone();
        Some((self.term(Kind::Scalar(ScalarOp::Neg, vec![above]), ty, span), below))
    }

    /// What a signature has made floats of, if it was ints.
    pub(super) fn as_written(&self, term: TermId) -> TermId {
        let Kind::Cast(inner) = self.terms.get(term).kind else { return term };
        let (own, outer) = (self.ty(inner), self.ty(term));
        let same = own.mask == outer.mask && own.free == outer.free && own.axes.len() == outer.axes.len();
        if matches!(own.elem, Elem::Int) && same { inner } else { term }
    }

    /// A function of two things, elementwise; of constants a constant.
    pub(super) fn of_pairs(&mut self, op: ScalarOp, a: Written, b: Written, span: Span) -> Out<Value> {
        let zero = matches!(&b.0, Value::Number(number) if *number == Number::whole(0));
        if op == ScalarOp::Mod && zero {
            return Err(self.error("E0218", "expected a divisor other than 0 for `mod`, found 0", b.1, "this is 0"));
        }
        if let (Value::Number(x), Value::Number(y)) = (&a.0, &b.0) {
            let value = || Number::Float(op.value(&[x.to_f64(), y.to_f64()]));
            return Ok(Value::Number(if op == ScalarOp::Mod { x.modulo(*y) } else { value() }));
        }
        if let (ScalarOp::Mod, Value::Size(axis), Value::Number(by)) = (op, &a.0, &b.0)
            && let Some(by) = by.to_whole().filter(|by| *by > 0)
            && axis.size.has_rows()
            && !axis.size.is_open()
        {
            let whole = axis.size.floor_over(by).times(&Size::from(by));
            return Ok(Value::Size(Axis::new(axis.size.minus(&whole), span, "is what this division leaves")));
        }
        self.arithmetic(op, a, b, span, span).map(Value::Tensor)
    }
}
