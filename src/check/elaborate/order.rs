//! What sorts: places in order, what is read at them. Under a mask the elements that are kept come first.

use super::{Elaborator, Out, Reported};
use crate::check::shapes::with_origin;
use crate::check::terms::{Index, Kind, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::check::value::{Part, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{ScalarOp, Size};
use crate::source::Span;

impl Elaborator<'_> {
    /// The places of the elements of the last axis, in ascending order. Of a masked tensor those of the kept ones come first,
    /// and the result is masked where those of the others follow.
    pub(super) fn order(&mut self, a: TermId, span: Span) -> Out<TermId> {
        let ty = self.ty(a).clone();
        let last = ty.axes.last().ok_or(Reported)?.clone();
        let places = Type { elem: Elem::Class(last), mask: None, ..ty.clone() };
        let plain = self.filled(a, 0.0, span);
        let by_value = self.term(Kind::Order(plain), places.clone(), span);
        let Some(mask) = ty.mask else { return Ok(by_value) };
        // Stably by whether they are left out, once they are in order: no number stands for what is left out.
        let flags = Type { elem: Elem::Bool, ..places.clone() };
        let left_out = self.term(Kind::Scalar(ScalarOp::Not, vec![mask]), flags.clone(), span);
        let left_out = self.term(Kind::Pick(left_out, by_value), flags.clone(), span);
        let kept_first = self.term(Kind::Order(left_out), places.clone(), span);
        let order = self.term(Kind::Pick(by_value, kept_first), places.clone(), span);
        let kept = self.term(Kind::Pick(mask, order), flags, span);
        Ok(self.terms.add(Kind::Cast(order), Type { mask: Some(kept), ..places }, span))
    }

    /// The elements of the last axis, ascending.
    pub(super) fn sorted(&mut self, a: TermId, span: Span) -> Out<TermId> {
        let order = self.order(a, span)?;
        let ty = Type { mask: None, ..self.ty(a).clone() };
        Ok(self.term(Kind::Pick(a, order), ty, span))
    }

    /// The greatest elements of the last axis, descending, and their places.
    pub(super) fn top(&mut self, a: TermId, count: Axis, span: Span) -> Out<Value> {
        let ty = self.ty(a).clone();
        let last = ty.axes.last().ok_or(Reported)?.clone();
        if let (Some(wanted), Some(there)) = (count.size.settled(), last.size.settled())
            && wanted > there
        {
            let message = format!("expected at most {there} for `k` of `top_k`, found {wanted}");
            let error = Diagnostic::error("E0231", message, span, format!("the last axis of this {ty} has {there}"));
            let error = with_origin(with_origin(error, &count), &last);
            return Err(self.report(error.help("`sort` gives all of them, in ascending order")));
        }
        let negated = self.term(Kind::Scalar(ScalarOp::Neg, vec![a]), ty.clone(), span);
        let order = self.order(negated, span)?;
        let first = self.counting(count.clone(), span);
        let axes = [&ty.axes[..ty.axes.len() - 1], &[count]].concat();
        let places = Type { elem: Elem::Class(last), axes, ..self.ty(order).clone() };
        let kept = places.mask.map(|mask| {
            let flags = Type { elem: Elem::Bool, mask: None, ..places.clone() };
            self.term(Kind::Pick(mask, first), flags, span)
        });
        let best = self.term(Kind::Pick(order, first), Type { mask: None, ..places.clone() }, span);
        let best = match kept {
            Some(_) => self.terms.add(Kind::Cast(best), Type { mask: kept, ..places.clone() }, span),
            None => best,
        };
        let values = self.term(Kind::Pick(a, best), Type { elem: ty.elem, mask: None, ..places }, span);
        let part = |term| Part { name: None, value: Value::Tensor(term), span };
        Ok(Value::Tuple(vec![part(values), part(best)]))
    }

    /// 0, 1, 2, … along one axis.
    pub(super) fn counting(&mut self, axis: Axis, span: Span) -> TermId {
        self.terms.indices.push(Index { name: "k".to_string(), span, axis: Some(axis.clone()), written: true });
        let id = IndexId(self.terms.indices.len() as u32 - 1);
        let own = Type { free: vec![id], ..Type::scalar(Elem::Int) };
        let index = self.terms.add(Kind::Index(id), own, span);
        let ty = Type { elem: Elem::Int, ..Type::float(vec![axis]) };
        self.terms.add(Kind::Spread(index, vec![id]), ty, span)
    }

    /// A size that is given as a hyperparameter.
    pub(super) fn count_given(&mut self, value: &Value, what: &str, span: Span) -> Out<Axis> {
        if let Value::Size(axis) = value {
            return Ok(axis.clone());
        }
        let count = self.whole(value, what, span)?;
        if count < 0 {
            return Err(self.error("E0213", format!("expected at least 0 for {what}, found {count}"), span, "here"));
        }
        Ok(Axis::new(Size::from(count), span, "is given here"))
    }
}
