//! The functions whose rule is here. Their signatures are in `stdlib/core.mlx`, without a body.

use super::call::Arg;
use super::joined::Joined;
use super::{Elaborator, Out, Reported};
use crate::check::number::Number;
use crate::check::terms::{Kind, Running, TermId};
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
    /// Of two things, elementwise.
    OfPairs(ScalarOp),
    /// Over all elements; of two things, elementwise.
    Fold(Reduce, Option<ScalarOp>),
    ArgMax,
    Order,
    Sort,
    Top,
    Running(Running),
    Cholesky,
    TriangularSolve,
    Pick,
    Count,
    Constant,
    Once,
    Total,
    Each,
    Fitted,
    Category,
    Characters,
    NextToken,
    Pad,
    AsClass,
    Classes,
    Missing,
    Fill,
    Distribution(Family),
    Logp,
    Grad,
    Repeat,
    Emitted,
    IsList,
    Joined(Joined),
}

/// Every primitive by its name in the standard library, but for scalar operations, which name themselves.
const RULES: &[(&str, Rule)] = &[
    ("sum", Rule::Fold(Reduce::Sum, None)),
    ("max", Rule::Fold(Reduce::Max, Some(ScalarOp::Max))),
    ("min", Rule::Fold(Reduce::Min, Some(ScalarOp::Min))),
    ("argmax", Rule::ArgMax),
    ("order", Rule::Order),
    ("sort", Rule::Sort),
    ("top_k", Rule::Top),
    ("cumsum", Rule::Running(Running::Sum)),
    ("cumprod", Rule::Running(Running::Product)),
    ("cummax", Rule::Running(Running::Max)),
    ("cummin", Rule::Running(Running::Min)),
    ("cholesky", Rule::Cholesky),
    ("triangular_solve", Rule::TriangularSolve),
    ("pick", Rule::Pick),
    ("count", Rule::Count),
    ("constant", Rule::Constant),
    ("once", Rule::Once),
    ("total", Rule::Total),
    ("each", Rule::Each),
    ("fitted", Rule::Fitted),
    ("category", Rule::Category),
    ("characters", Rule::Characters),
    ("next_token", Rule::NextToken),
    ("pad", Rule::Pad),
    ("as_class", Rule::AsClass),
    ("classes", Rule::Classes),
    ("missing", Rule::Missing),
    ("fill", Rule::Fill),
    ("uniform", Rule::Distribution(Family::Uniform)),
    ("normal", Rule::Distribution(Family::Normal)),
    ("bernoulli", Rule::Distribution(Family::Bernoulli)),
    ("categorical", Rule::Distribution(Family::Categorical)),
    ("integers", Rule::Distribution(Family::Integers)),
    ("logp", Rule::Logp),
    ("grad", Rule::Grad),
    ("repeat", Rule::Repeat),
    ("emitted", Rule::Emitted),
    ("stack", Rule::Joined(Joined::Stack)),
    ("concat", Rule::Joined(Joined::Concat)),
    ("split", Rule::Joined(Joined::Split)),
    ("first", Rule::Joined(Joined::First)),
    ("last", Rule::Joined(Joined::Last)),
    ("is_list", Rule::IsList),
    ("flatten", Rule::Joined(Joined::Flatten)),
];

/// The names of all primitives.
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name).chain(ScalarOp::ALL.into_iter().filter_map(ScalarOp::function))
}

fn rule(name: &str) -> Option<Rule> {
    let scalar = || {
        let op = ScalarOp::ALL.into_iter().find(|op| op.function() == Some(name))?;
        Some(if op.arity() == 1 { Rule::Elementwise(op) } else { Rule::OfPairs(op) })
    };
    RULES.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule).or_else(scalar)
}

impl Elaborator<'_> {
    /// A call that does not follow the written signature: of constants, of any number of things, and `max` or `min` of two things.
    pub(super) fn shortcut(&mut self, name: &str, given: &[Arg], span: Span) -> Option<Out<Value>> {
        match (rule(name)?, given) {
            (Rule::Joined(what), given) => Some(self.joined_call(what, name, given, span)),
            (Rule::Category, given) => Some(self.category(given, span)),
            (Rule::Characters, given) => Some(self.characters(given, span)),
            (Rule::NextToken, given) => Some(self.next_token(given, span)),
            (Rule::Constant, [Arg { value: Value::Instance(recipe, path), .. }]) => Some(Ok(self.still(recipe, path))),
            (Rule::Each, given) => Some(self.each_tensor(given, span)),
            (Rule::Elementwise(op), [Arg { value: value @ Value::Instance(..), span: at, .. }])
                if op != ScalarOp::Floor =>
            {
                self.elementwise_points(op, &[(value.clone(), *at)], span)
            }
            (Rule::Pad, given) => Some(self.pad(given, span)),
            (Rule::AsClass, given) => Some(self.as_class(given, span)),
            (Rule::Classes, given) => Some(self.class_count(given, span)),
            (Rule::Elementwise(op), [Arg { value: Value::Number(number), .. }]) => {
                let exact = if op == ScalarOp::Floor {
                    Some(number.floor())
                } else if op == ScalarOp::Abs {
                    Some(if *number < Number::whole(0) { number.negate() } else { *number })
                } else {
                    None
                };
                Some(Ok(Value::Number(exact.unwrap_or_else(|| Number::Float(op.value(&[number.to_f64()]))))))
            }
            (Rule::Fold(_, Some(binary)), [a, b]) if a.name.is_none() && b.name.is_none() => {
                if let (Value::Number(x), Value::Number(y)) = (&a.value, &b.value) {
                    let first = (x <= y) == (binary == ScalarOp::Min);
                    return Some(Ok(Value::Number(if first { *x } else { *y })));
                }
                let (a, b) = ((a.value.clone(), a.span), (b.value.clone(), b.span));
                if let Some(point) = self.elementwise_points(binary, &[a.clone(), b.clone()], span) {
                    return Some(point);
                }
                Some(self.arithmetic(binary, a, b, span, span).map(Value::Tensor))
            }
            (Rule::Emitted, [of, Arg { value: Value::Text(name), span: at, name: None, .. }]) if of.name.is_none() => {
                Some(self.emitted((&of.value, of.span), (name, *at)))
            }
            (Rule::Once, [arg]) => Some(self.once(arg.value.clone(), span)),
            (Rule::Total, [Arg { value: Value::Instance(_, path), .. }]) => Some(self.total_of(path, span)),
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
        let bound = |at: usize| params.get(at).and_then(|param| scope.get(&param.name.text)).cloned();
        let value = |at: usize| bound(at).map(|bound| bound.value);
        if params.iter().enumerate().any(|(at, _)| matches!(value(at), Some(Value::Wrong))) {
            return Err(Reported);
        }
        let at = |at: usize| bound(at).map_or(span, |bound| bound.origin.span);
        let tensor = |at: usize| match value(at) {
            Some(Value::Tensor(term)) => Ok(term),
            _ => Err(Reported),
        };
        match rule {
            Rule::Elementwise(ScalarOp::Floor) => Ok(self.floor(tensor(0)?, span)),
            Rule::Elementwise(op) => {
                let a = tensor(0)?;
                let a = if op == ScalarOp::Abs { self.as_written(a) } else { a };
                let ty = self.ty(a).clone();
                Ok(Value::Tensor(self.term(Kind::Scalar(op, vec![a]), ty, span)))
            }
            Rule::OfPairs(op) => match (value(0), value(1)) {
                (Some(a), Some(b)) => self.of_pairs(op, (a, at(0)), (b, at(1)), span),
                _ => Err(Reported),
            },
            Rule::Fold(reduce, _) => {
                let a = self.as_written(tensor(0)?);
                let ty = Type { axes: Vec::new(), ..self.ty(a).clone() };
                Ok(Value::Tensor(self.term(Kind::Fold(reduce, a), ty, span)))
            }
            Rule::ArgMax => {
                let a = self.as_written(tensor(0)?);
                let mut ty = self.ty(a).clone();
                let Some(last) = ty.axes.pop() else { return Err(Reported) };
                Ok(Value::Tensor(self.term(Kind::ArgMax(a), Type { elem: Elem::Class(last), ..ty }, span)))
            }
            Rule::Order => self.order(self.as_written(tensor(0)?), span).map(Value::Tensor),
            Rule::Sort => self.sorted(self.as_written(tensor(0)?), span).map(Value::Tensor),
            Rule::Top => {
                let count = self.count_given(&value(1).ok_or(Reported)?, "`k` of `top_k`", at(1))?;
                self.top(self.as_written(tensor(0)?), count, span)
            }
            Rule::Running(how) => {
                let a = if how == Running::Product { tensor(0)? } else { self.as_written(tensor(0)?) };
                let ty = self.ty(a).clone();
                Ok(Value::Tensor(self.term(Kind::Running(how, a), ty, span)))
            }
            Rule::Cholesky => {
                let a = tensor(0)?;
                let ty = self.ty(a).clone();
                Ok(Value::Tensor(self.term(Kind::Cholesky(a), ty, span)))
            }
            Rule::TriangularSolve => self.solve_triangular([tensor(0)?, tensor(1)?], value(2), at(2), span),
            Rule::Pick => self.pick(tensor(0)?, tensor(1)?, span),
            Rule::Count => self.count_of(tensor(0)?, span),
            Rule::Total => Err(self.no_total(span)),
            Rule::Constant | Rule::Once => {
                let a = tensor(0)?;
                let ty = self.ty(a).clone();
                Ok(Value::Tensor(self.term(Kind::Constant(a), ty, span)))
            }
            Rule::Fitted => self.fitted(tensor(0)?, span),
            Rule::IsList => Ok(Value::Truth(matches!(value(0), Some(Value::List(_))))),
            Rule::Missing => Ok(Value::Tensor(self.gappy(value(0).ok_or(Reported)?, span)?.1)),
            Rule::Fill => self.fill_gaps(value(0).ok_or(Reported)?, tensor(1)?, span),
            Rule::Repeat => match (bound(0), bound(1)) {
                (Some(times), Some(of)) => self.repeat(&times, of.value, of.origin.span),
                _ => Err(Reported),
            },
            Rule::Emitted => {
                let (Some(of), Some(Value::Text(name))) = (value(0), value(1)) else { return Err(Reported) };
                self.emitted((&of, at(0)), (&name, at(1)))
            }
            // Shortcuts.
            Rule::Joined(_)
            | Rule::Each
            | Rule::Category
            | Rule::Characters
            | Rule::NextToken
            | Rule::Pad
            | Rule::AsClass
            | Rule::Classes => Err(Reported),
            Rule::Distribution(family) => {
                let all = (0..params.len()).map(|at| bound(at).ok_or(Reported));
                self.law(family, all.collect::<Out<_>>()?, span)
            }
            Rule::Logp | Rule::Grad => {
                let (one, two) = (bound(0).ok_or(Reported)?, bound(1).ok_or(Reported)?);
                let two = (two.value, two.origin.span);
                if rule == Rule::Logp {
                    return self.logp(&one.value, two, span);
                }
                self.grad((one.value, one.origin.span), two, span)
            }
        }
    }

    fn solve_triangular(&mut self, [l, b]: [TermId; 2], transposed: Option<Value>, at: Span, span: Span) -> Out<Value> {
        match transposed {
            Some(Value::Truth(transposed)) => self.triangular_solve(l, b, transposed, span).map(Value::Tensor),
            Some(open) if self.may_be_constant(&open) => Err(Reported),
            other => {
                let noun = other.map_or("nothing", |other| other.noun());
                let message = format!("expected true or false for `transposed`, found {noun}");
                Err(self.error("E0211", message, at, noun))
            }
        }
    }

    /// A column of the source with a number where it lacks one.
    fn fill_gaps(&mut self, column: Value, by: TermId, span: Span) -> Out<Value> {
        let (numbers, missing) = self.gappy(column, span)?;
        let ty = self.ty(numbers).clone();
        Ok(Value::Tensor(self.term(Kind::Scalar(ScalarOp::Select, vec![missing, by, numbers]), ty, span)))
    }

    fn no_total(&mut self, span: Span) -> Reported {
        let message = "`total` sums over the tensors of a model, or in an optimizer over all parameters";
        let error = Diagnostic::error("E0211", message, span, "this is one tensor");
        self.report(error.help("the sum of a tensor's elements is `sum(…)`"))
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
