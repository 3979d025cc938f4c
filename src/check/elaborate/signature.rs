//! Written types against the values that they are given. Names of axes are bound at their first use.

use super::{Elaborator, Out, Reported};
use crate::check::shapes::with_origin;
use crate::check::terms::{Kind, TermId};
use crate::check::types::{self, Origin};
use crate::check::unsupported::Unsupported;
use crate::check::value::{Bound, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::tree::{Axis, Elem, Expr, ExprKind, Param, Type, TypeKind, Word};

/// A tensor that meets a written type, and how messages speak of it.
#[derive(Clone, Copy)]
struct Meeting<'a> {
    term: TermId,
    /// Where the tensor is written.
    at: Span,
    written: &'a Type,
    code: &'static str,
    /// `` `x` of `dense` ``
    what: &'a str,
}

impl Elaborator<'_> {
    /// Binds a parameter of a `fn` or an input of a layer to what it is given.
    pub(super) fn enter(&mut self, param: &Param, given: Bound, at: Span, owner: &str, scope: &mut Scope) -> Out<()> {
        let bound = match &param.ty {
            None => given,
            Some(ty) => match &ty.kind {
                TypeKind::Tensor(..) => {
                    let term = self.tensor(given.value, at)?;
                    let what = format!("`{}` of `{owner}`", param.name.text);
                    let term = self.meet_at(term, at, ty, scope, "E0203", &what)?;
                    Bound { value: Value::Tensor(term), origin: given.origin }
                }
                TypeKind::Word(_) => self.hyper(param, given, at)?,
                TypeKind::List(_) | TypeKind::Tuple(_) => {
                    return Err(self.unsupported(Unsupported::ListOrTuple, ty.span));
                }
            },
        };
        scope.insert(&param.name.text, bound);
        Ok(())
    }

    /// A hyperparameter: of the kind that its type says, or its default.
    pub(super) fn hyper(&mut self, param: &Param, given: Bound, at: Span) -> Out<Bound> {
        let wanted = match (&param.ty, &param.default) {
            (Some(Type { kind: TypeKind::Word(word), .. }), _) => Some(*word),
            (Some(ty), _) => return Err(self.unsupported(Unsupported::ListOrTuple, ty.span)),
            (None, Some(default)) => match default.kind {
                ExprKind::Number { .. } => Some(Word::Float),
                ExprKind::Truth(_) => Some(Word::Bool),
                ExprKind::Text(_) => Some(Word::String),
                _ => None,
            },
            (None, None) => None,
        };
        let scalar = |term: &TermId| self.ty(*term).axes.is_empty();
        let fits = match (wanted, &given.value) {
            (None, _) => true,
            (_, Value::Wrong) if self.alone.is_none() => return Err(Reported),
            (_, Value::Wrong) => true,
            (Some(word), open) if self.may_be_constant(open) => self.may_be(open, word),
            (Some(Word::Int), Value::Number(number)) => number.to_whole().is_some(),
            (Some(Word::Float), Value::Number(_)) => true,
            (Some(Word::Float), Value::Tensor(term)) => scalar(term),
            (Some(Word::Bool), Value::Truth(_)) => true,
            (Some(Word::String), Value::Text(_)) => true,
            (Some(Word::Fn | Word::Layer), Value::Item(_) | Value::Recipe(_) | Value::Instance(..)) => true,
            (Some(Word::Distribution), Value::Distribution(_)) => true,
            (Some(_), _) => false,
        };
        if fits {
            return Ok(given);
        }
        let noun = match wanted {
            Some(Word::Int) => "a whole number",
            Some(Word::Float) => "a number",
            Some(Word::Bool) => "true or false",
            Some(Word::String) => "a text",
            Some(Word::Fn) => "a function",
            Some(Word::Layer) => "a layer",
            Some(Word::Distribution) => "a distribution",
            None => "something else",
        };
        let shown = match &given.value {
            Value::Number(number) => number.to_string(),
            other => self.noun(other).to_string(),
        };
        let message = format!("expected {noun} for `{}`, found {shown}", param.name.text);
        let error = Diagnostic::error("E0211", message, at, format!("this is {shown}"));
        Err(self.report(error.label(param.name.span, "it is declared here")))
    }

    /// A result against its written type.
    pub(super) fn check_result(&mut self, value: Value, at: Span, ty: &Type, scope: &mut Scope) -> Out<Value> {
        match &ty.kind {
            TypeKind::Tensor(..) => {
                let term = self.tensor(value, at)?;
                self.meet_at(term, at, ty, scope, "E0210", "the result").map(Value::Tensor)
            }
            TypeKind::Word(Word::Distribution) if matches!(value, Value::Distribution(_)) => Ok(value),
            TypeKind::Word(Word::Int | Word::Float) if matches!(value, Value::Number(_)) => Ok(value),
            TypeKind::Word(Word::Bool) if matches!(value, Value::Truth(_)) => Ok(value),
            TypeKind::Word(word) if self.may_be_constant(&value) && self.may_be(&value, *word) => Ok(value),
            TypeKind::Word(_) => {
                let error = Diagnostic::error("E0210", "the result is not what is declared", at, value.noun());
                Err(self.report(error.label(ty.span, "declared here")))
            }
            TypeKind::List(_) | TypeKind::Tuple(_) => Err(self.unsupported(Unsupported::Tuple, ty.span)),
        }
    }

    /// Holds a tensor against a written type; what comes back has the elements that the type asks for.
    pub(super) fn meet_at(
        &mut self,
        term: TermId,
        at: Span,
        written: &Type,
        scope: &mut Scope,
        code: &'static str,
        what: &str,
    ) -> Out<TermId> {
        let TypeKind::Tensor(elem, axes) = &written.kind else {
            return Err(self.unsupported(Unsupported::ListOrTuple, written.span));
        };
        let meeting = Meeting { term, at, written, code, what };
        self.meet_axes(&meeting, axes, scope)?;
        self.meet_elem(&meeting, elem, scope)
    }

    fn meet_axes(&mut self, meeting: &Meeting, axes: &[Axis], scope: &mut Scope) -> Out<()> {
        let actual = self.ty(meeting.term).axes.clone();
        let rest = axes.iter().position(|axis| matches!(axis, Axis::Rest(..)));
        let fixed = axes.len() - usize::from(rest.is_some());
        if actual.len() < fixed || (rest.is_none() && actual.len() > fixed) {
            return Err(self.wrong_rank(meeting, None));
        }
        let (before, after) = match rest {
            Some(at) => (at, fixed - at),
            None => (fixed, 0),
        };
        let (head, tail) = (&axes[..before], &axes[axes.len() - after..]);
        for (written, axis) in head.iter().zip(&actual) {
            self.meet_axis(meeting, written, axis, scope)?;
        }
        let middle = &actual[before..actual.len() - after];
        if let Some(Axis::Rest(Some(name), _)) = rest.map(|at| &axes[at]) {
            match scope.rest(&name.text).map(<[_]>::to_vec) {
                None => scope.bind_rest(&name.text, middle.to_vec()),
                Some(known) if known.len() != middle.len() => {
                    return Err(self.wrong_rank(meeting, Some((&name.text, known))));
                }
                Some(known) => {
                    for (one, two) in known.iter().zip(middle) {
                        if !one.size.agrees(&two.size) {
                            return Err(self.sizes_differ(meeting, one, two));
                        }
                    }
                }
            }
        }
        for (written, axis) in tail.iter().zip(&actual[actual.len() - after..]) {
            self.meet_axis(meeting, written, axis, scope)?;
        }
        Ok(())
    }

    fn meet_axis(&mut self, meeting: &Meeting, written: &Axis, actual: &types::Axis, scope: &mut Scope) -> Out<()> {
        match written {
            Axis::Rest(..) => Ok(()),
            Axis::Size(size) => self.meet_size(meeting, size, actual, scope),
        }
    }

    fn meet_size(&mut self, meeting: &Meeting, size: &Expr, actual: &types::Axis, scope: &mut Scope) -> Out<()> {
        if let ExprKind::Name(name) = &size.kind
            && scope.get(&name.text).is_none()
        {
            let value = match actual.size.settled() {
                Some(number) => Value::Number(crate::check::number::Number::whole(number)),
                None => Value::Size(actual.clone()),
            };
            let here = Origin { span: meeting.at, text: "comes from here".into() };
            scope.insert(&name.text, Bound { value, origin: actual.origin.clone().unwrap_or(here) });
            return Ok(());
        }
        let wanted = self.size(size, scope)?;
        if wanted.size.agrees(&actual.size) {
            return Ok(());
        }
        Err(self.sizes_differ(meeting, &wanted, actual))
    }

    fn sizes_differ(&mut self, meeting: &Meeting, wanted: &types::Axis, actual: &types::Axis) -> Reported {
        let ty = self.ty(meeting.term);
        let shown = self.sources.text(meeting.written.span).to_string();
        let message = format!(
            "expected {shown} for {}, found {ty}: {} and {} do not agree",
            meeting.what, wanted.size, actual.size
        );
        let error = Diagnostic::error(meeting.code, message, meeting.at, format!("this is {ty}"))
            .label(meeting.written.span, "expected by this type");
        let error = with_origin(with_origin(error, wanted), actual);
        self.report(error)
    }

    /// `rest` is what a rest of the type stands for already.
    fn wrong_rank(&mut self, meeting: &Meeting, rest: Option<(&str, Vec<types::Axis>)>) -> Reported {
        let ty = self.ty(meeting.term);
        let shown = self.sources.text(meeting.written.span).to_string();
        let known = match rest {
            Some((name, axes)) => format!(", where ..{name} is {},", types::Type::float(axes)),
            None => ",".to_string(),
        };
        let message = format!("expected {shown} for {}{known} found {ty}", meeting.what);
        let code = if meeting.code == "E0203" { "E0205" } else { meeting.code };
        let classes = matches!(ty.elem, types::Elem::Class(_));
        let floats = matches!(&meeting.written.kind, TypeKind::Tensor(Elem::Float, _));
        let error = Diagnostic::error(code, message, meeting.at, format!("this is {ty}"))
            .label(meeting.written.span, "expected by this type");
        let lone = ty.axes.last().is_some_and(|axis| axis.size == Size::from(1));
        self.report(if classes && floats {
            error.help("these are classes: `cross_entropy` takes them, and `one_hot` makes numbers of them")
        } else if lone {
            error.help("`squeeze(…)` leaves a last axis of one element out")
        } else {
            error
        })
    }

    fn meet_elem(&mut self, meeting: &Meeting, elem: &Elem, scope: &mut Scope) -> Out<TermId> {
        let ty = self.ty(meeting.term).clone();
        let cast =
            |this: &mut Self, elem| this.term(Kind::Cast(meeting.term), types::Type { elem, ..ty.clone() }, meeting.at);
        match (elem, &ty.elem) {
            (Elem::Float, types::Elem::Float) | (Elem::Int, types::Elem::Int) | (Elem::Bool, types::Elem::Bool) => {
                Ok(meeting.term)
            }
            (Elem::Float, types::Elem::Int) => Ok(cast(self, types::Elem::Float)),
            (Elem::Int, types::Elem::Class(_)) => Ok(cast(self, types::Elem::Int)),
            (Elem::Class(size), types::Elem::Class(count)) => {
                self.meet_size(meeting, size, count, scope)?;
                Ok(meeting.term)
            }
            (Elem::Float | Elem::Int | Elem::Bool | Elem::Class(_), _) => {
                let shown = self.sources.text(meeting.written.span).to_string();
                let message = format!("expected {shown} for {}, found {ty}", meeting.what);
                let error = Diagnostic::error("E0211", message, meeting.at, format!("this is {ty}"))
                    .label(meeting.written.span, "expected by this type");
                let help = match (elem, &ty.elem) {
                    (Elem::Class(_), _) => Some("classes come from `category(column)` in a `data` block"),
                    (Elem::Float, types::Elem::Class(_)) => Some("the number of a class is no measurement"),
                    _ => None,
                };
                Err(self.report(Diagnostic { help: help.map(str::to_string), ..error }))
            }
        }
    }
}
