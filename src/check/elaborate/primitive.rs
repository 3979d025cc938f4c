//! The functions whose rule is here. Their signatures are in `stdlib/core.mlx`, without a body.

use super::call::Arg;
use super::{Elaborator, Out, Reported};
use crate::check::number::Number;
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Family, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Reduce, ScalarOp, Size};
use crate::source::Span;
use crate::syntax::tree::Param;

/// What a function without a body does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Elementwise(ScalarOp),
    /// Over all elements; of two things, elementwise.
    Fold(Reduce, Option<ScalarOp>),
    ArgMax,
    Pick,
    Count,
    Constant,
    Fitted,
    Category,
    Missing,
    Fill,
    Distribution(Family),
    Logp,
    Grad,
    Last,
    Repeat,
}

/// Every primitive by its name in the standard library, but for scalar operations, which name themselves.
const RULES: &[(&str, Rule)] = &[
    ("sum", Rule::Fold(Reduce::Sum, None)),
    ("max", Rule::Fold(Reduce::Max, Some(ScalarOp::Max))),
    ("min", Rule::Fold(Reduce::Min, Some(ScalarOp::Min))),
    ("argmax", Rule::ArgMax),
    ("pick", Rule::Pick),
    ("count", Rule::Count),
    ("constant", Rule::Constant),
    ("fitted", Rule::Fitted),
    ("category", Rule::Category),
    ("missing", Rule::Missing),
    ("fill", Rule::Fill),
    ("uniform", Rule::Distribution(Family::Uniform)),
    ("normal", Rule::Distribution(Family::Normal)),
    ("bernoulli", Rule::Distribution(Family::Bernoulli)),
    ("categorical", Rule::Distribution(Family::Categorical)),
    ("integers", Rule::Distribution(Family::Integers)),
    ("logp", Rule::Logp),
    ("grad", Rule::Grad),
    ("last", Rule::Last),
    ("repeat", Rule::Repeat),
];

/// The names of all primitives.
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name).chain(ScalarOp::ALL.into_iter().filter_map(ScalarOp::function))
}

fn rule(name: &str) -> Option<Rule> {
    let scalar = || ScalarOp::ALL.into_iter().find(|op| op.function() == Some(name)).map(Rule::Elementwise);
    RULES.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule).or_else(scalar)
}

impl Elaborator<'_> {
    /// A call that does not follow the written signature: of constants, and `max` or `min` of two things.
    pub(super) fn shortcut(&mut self, name: &str, given: &[Arg], span: Span) -> Option<Out<Value>> {
        match (rule(name)?, given) {
            (Rule::Elementwise(op), [Arg { value: Value::Number(number), .. }]) => {
                let value = op.value(&[number.to_f64()]);
                let whole = || format!("{value}").parse::<i64>().ok().map(Number::whole);
                let floor = if op == ScalarOp::Floor { whole() } else { None };
                Some(Ok(Value::Number(floor.unwrap_or(Number::Float(value)))))
            }
            (Rule::Fold(_, Some(binary)), [a, b]) => {
                if let (Value::Number(x), Value::Number(y)) = (&a.value, &b.value) {
                    let first = (x <= y) == (binary == ScalarOp::Min);
                    return Some(Ok(Value::Number(if first { *x } else { *y })));
                }
                let (a, b) = ((a.value.clone(), a.span), (b.value.clone(), b.span));
                Some(self.arithmetic(binary, a, b, span, span).map(Value::Tensor))
            }
            (Rule::Grad, [a, b]) if a.name.is_none() && b.name.is_none() => {
                Some(self.grad((a.value.clone(), a.span), (b.value.clone(), b.span), span))
            }
            _ => None,
        }
    }

    /// A call of a primitive whose arguments met its signature.
    pub(super) fn primitive(&mut self, name: &str, params: &[Param], scope: &Scope, span: Span) -> Out<Value> {
        let Some(rule) = rule(name) else {
            return Err(self.error("E0216", "only the standard library has functions without a body", span, "here"));
        };
        let value = |at: usize| params.get(at).and_then(|param| scope.get(&param.name.text)).map(|b| b.value.clone());
        if params.iter().enumerate().any(|(at, _)| matches!(value(at), Some(Value::Wrong))) {
            return Err(Reported);
        }
        let tensor = |at: usize| match value(at) {
            Some(Value::Tensor(term)) => Ok(term),
            _ => Err(Reported),
        };
        match rule {
            Rule::Elementwise(op) => {
                let a = tensor(0)?;
                let ty = self.ty(a).clone();
                let term = self.term(Kind::Scalar(op, vec![a]), ty.clone(), span);
                if op == ScalarOp::Floor {
                    return Ok(Value::Tensor(self.term(Kind::Cast(term), Type { elem: Elem::Int, ..ty }, span)));
                }
                Ok(Value::Tensor(term))
            }
            Rule::Fold(reduce, _) => {
                let a = tensor(0)?;
                let ty = Type { axes: Vec::new(), ..self.ty(a).clone() };
                Ok(Value::Tensor(self.term(Kind::Fold(reduce, a), ty, span)))
            }
            Rule::ArgMax => {
                let a = tensor(0)?;
                let mut ty = self.ty(a).clone();
                let Some(last) = ty.axes.pop() else { return Err(Reported) };
                Ok(Value::Tensor(self.term(Kind::ArgMax(a), Type { elem: Elem::Class(last), ..ty }, span)))
            }
            Rule::Pick => self.pick(tensor(0)?, tensor(1)?, span),
            Rule::Count => self.count_of(tensor(0)?, span),
            Rule::Constant => {
                let a = tensor(0)?;
                let ty = self.ty(a).clone();
                Ok(Value::Tensor(self.term(Kind::Constant(a), ty, span)))
            }
            Rule::Fitted => self.fitted(tensor(0)?, span),
            Rule::Category => match value(0) {
                Some(value) => self.category(value, span),
                None => Err(Reported),
            },
            Rule::Missing => match value(0) {
                Some(column) => Ok(Value::Tensor(self.gappy(column, span)?.1)),
                None => Err(Reported),
            },
            Rule::Fill => match value(0) {
                Some(column) => {
                    let (numbers, missing) = self.gappy(column, span)?;
                    let ty = self.ty(numbers).clone();
                    let kind = Kind::Scalar(ScalarOp::Select, vec![missing, tensor(1)?, numbers]);
                    Ok(Value::Tensor(self.term(kind, ty, span)))
                }
                None => Err(Reported),
            },
            Rule::Repeat => {
                let bound = |at: usize| params.get(at).and_then(|param| scope.get(&param.name.text)).cloned();
                match (bound(0), bound(1)) {
                    (Some(times), Some(of)) => self.repeat(&times, of.value, of.origin.span),
                    _ => Err(Reported),
                }
            }
            Rule::Distribution(family) => {
                let bound = |param: &Param| scope.get(&param.name.text).cloned().ok_or(Reported);
                self.law(family, params.iter().map(bound).collect::<Out<_>>()?, span)
            }
            Rule::Logp | Rule::Grad => {
                let bound =
                    |at: usize| params.get(at).and_then(|param| scope.get(&param.name.text)).cloned().ok_or(Reported);
                let (one, two) = (bound(0)?, bound(1)?);
                let two = (two.value, two.origin.span);
                if rule == Rule::Logp {
                    return self.logp(&one.value, two, span);
                }
                self.grad((one.value, one.origin.span), two, span)
            }
            Rule::Last => {
                let error =
                    Diagnostic::error("E0272", "`last` keeps the last step of a scan", span, "this is given no scan");
                Err(self.report(error.help("write `last(scan … { … })`")))
            }
        }
    }

    /// How many elements: a number, a size, or of a masked tensor a term.
    fn count_of(&mut self, a: TermId, span: Span) -> Out<Value> {
        if let Some(mask) = self.ty(a).mask {
            let ty = Type { elem: Elem::Int, ..self.ty(mask).clone() };
            let ones = self.term(Kind::Cast(mask), ty.clone(), span);
            let ty = Type { axes: Vec::new(), ..ty };
            return Ok(Value::Tensor(self.term(Kind::Fold(Reduce::Sum, ones), ty, span)));
        }
        let mut count = Size::from(1);
        for size in self.ty(a).sizes() {
            if size.is_open() && count.is_long_with(&size) {
                return Err(Reported);
            }
            count = count.times(&size);
        }
        Ok(match count.settled() {
            Some(count) => Value::Number(Number::whole(count)),
            None => Value::Size(Axis { size: count, origin: None }),
        })
    }

    fn pick(&mut self, from: TermId, at: TermId, span: Span) -> Out<Value> {
        let mut free = [&self.ty(from).free[..], &self.ty(at).free[..]].concat();
        free.sort_unstable();
        free.dedup();
        let axes = self.ty(at).axes.clone();
        let ty = Type { free, ..Type::float(axes) };
        Ok(Value::Tensor(self.term(Kind::Pick(from, at), ty, span)))
    }
}
