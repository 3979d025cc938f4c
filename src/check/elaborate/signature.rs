//! Written types against the values that they are given. Names of axes are bound at their first use.

use super::joins::has_rows;
use super::{Elaborator, Out, Reported};
use crate::check::shapes::with_origin;
use crate::check::terms::{Kind, TermId};
use crate::check::types::{self, Origin};
use crate::check::value::{Bound, Part, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::tree::{Axis, Elem, Expr, ExprKind, ItemKind, Param, Type, TypeKind, Word};

/// A tensor that meets a written type, and how messages speak of it.
#[derive(Clone, Copy)]
struct Expectation<'a> {
    term: TermId,
    /// Where the tensor is written.
    at: Span,
    written: &'a Type,
    code: &'static str,
    /// `` `x` of `dense` ``
    what: &'a str,
}

/// What messages call what a body gives.
pub(super) const RESULT: &str = "the result";

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
                TypeKind::Word(_) | TypeKind::Either(_) | TypeKind::List(_) | TypeKind::Tuple(_) => {
                    self.hyper(param, given, at)?
                }
            },
        };
        scope.insert(&param.name.text, bound);
        Ok(())
    }

    /// A hyperparameter: of the kind that its type says, or its default.
    pub(super) fn hyper(&mut self, param: &Param, given: Bound, at: Span) -> Out<Bound> {
        let word = |word| Type { span: param.name.span, kind: TypeKind::Word(word) };
        let wanted = match (&param.ty, &param.default) {
            (Some(ty), _) => Some(ty.clone()),
            (None, Some(default)) => match default.kind {
                ExprKind::Number { .. } => Some(word(Word::Float)),
                ExprKind::Truth(_) => Some(word(Word::Bool)),
                ExprKind::Text(_) => Some(word(Word::String)),
                _ => None,
            },
            (None, None) => None,
        };
        let Some(wanted) = wanted else { return Ok(given) };
        if matches!(given.value, Value::Wrong) {
            return if self.alone.is_none() { Err(Reported) } else { Ok(given) };
        }
        if self.fits(&wanted, &given.value) {
            return Ok(given);
        }
        let noun = noun(&wanted);
        let shown = match &given.value {
            Value::Number(number) => number.to_string(),
            other => self.noun(other).to_string(),
        };
        let message = format!("expected {noun} for `{}`, found {shown}", param.name.text);
        let error = Diagnostic::error("E0211", message, at, format!("this is {shown}"));
        let error = error.label(param.name.span, "it is declared here");
        let setting = matches!(wanted.kind, TypeKind::Word(Word::Bool | Word::Int | Word::Float));
        let function = setting && matches!(&given.value, Value::Item(item) if matches!(item.kind, ItemKind::Fn(_)));
        let name = self.sources.text(at).to_string();
        self.report(match function {
            true => error.help(format!("a function stands behind: `x |> … |> {name}`")),
            false => error,
        });
        Err(Reported)
    }

    /// Whether a value is one that a type without shapes describes, or a use may make it so.
    fn fits(&self, ty: &Type, value: &Value) -> bool {
        match &ty.kind {
            TypeKind::Word(word) => self.fits_word(*word, value),
            TypeKind::Either(kinds) => kinds.iter().any(|kind| self.fits(kind, value)),
            TypeKind::List(kind) => {
                matches!(value, Value::List(parts) if parts.iter().all(|(part, _)| self.fits(kind, part)))
            }
            TypeKind::Tuple(kinds) => match value {
                Value::Tuple(parts) if parts.len() == kinds.len() => {
                    kinds.iter().zip(parts).all(|(kind, part)| self.fits(kind, &part.value))
                }
                _ => false,
            },
            TypeKind::Tensor(..) => matches!(
                value,
                Value::Tensor(_) | Value::Number(_) | Value::RawColumn(_) | Value::Table(_) | Value::OfTable(..)
            ),
        }
    }

    fn fits_word(&self, word: Word, value: &Value) -> bool {
        if self.may_be_constant(value) {
            return self.may_be(value, word);
        }
        match (word, value) {
            (Word::Int, Value::Number(number)) => number.to_whole().is_some(),
            (Word::Float, Value::Tensor(term)) => self.ty(*term).axes.is_empty(),
            (Word::Layer, Value::List(parts)) => self.is_of_layers(parts),
            (Word::Float, Value::Number(_))
            | (Word::Bool, Value::Truth(_))
            | (Word::String, Value::Text(_))
            | (Word::Fn | Word::Layer, Value::Item(_) | Value::Recipe(_) | Value::Instance(..))
            | (Word::Model, Value::Instance(..))
            | (Word::Distribution, Value::Distribution(_)) => true,
            (
                Word::Int
                | Word::Float
                | Word::Bool
                | Word::String
                | Word::Fn
                | Word::Layer
                | Word::Model
                | Word::Distribution,
                _,
            ) => false,
        }
    }

    /// A result, or what has a name and a type, against the written type; messages call it `what`.
    pub(super) fn check_result(
        &mut self,
        value: Value,
        (at, what): (Span, &str),
        ty: &Type,
        scope: &mut Scope,
    ) -> Out<Value> {
        match &ty.kind {
            TypeKind::Tensor(..) => {
                let term = self.tensor(value, at)?;
                self.meet_at(term, at, ty, scope, "E0210", what).map(Value::Tensor)
            }
            TypeKind::Word(Word::Layer | Word::Fn) => Ok(value),
            TypeKind::Tuple(kinds) if matches!(&value, Value::Tuple(parts) if parts.len() == kinds.len()) => {
                let Value::Tuple(parts) = value else { return Err(Reported) };
                let checked: Vec<Out<Part>> = parts
                    .into_iter()
                    .zip(kinds)
                    .map(|(part, kind)| {
                        Ok(Part { value: self.check_result(part.value, (part.span, what), kind, scope)?, ..part })
                    })
                    .collect();
                Ok(Value::Tuple(checked.into_iter().collect::<Out<_>>()?))
            }
            TypeKind::Word(_) | TypeKind::Either(_) | TypeKind::List(_) if self.fits(ty, &value) => Ok(value),
            TypeKind::Word(_) | TypeKind::Either(_) | TypeKind::List(_) | TypeKind::Tuple(_) => {
                let message = format!("expected {} for {what}, found {}", noun(ty), value.noun());
                let error = Diagnostic::error("E0210", message, at, value.noun()).label(ty.span, "declared here");
                Err(self.report(match value {
                    Value::Tensor(_) => {
                        error.help("the type of a tensor is its shape: `[]` of one number, `[n]`, `[n, d]`")
                    }
                    _ => error,
                }))
            }
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
            return Err(self.error("E0211", "expected a shape, such as `[n, d]`", written.span, "this is none"));
        };
        let expected = Expectation { term, at, written, code, what };
        self.meet_axes(&expected, axes, scope)?;
        self.meet_elem(&expected, elem, scope)
    }

    fn meet_axes(&mut self, expected: &Expectation, axes: &[Axis], scope: &mut Scope) -> Out<()> {
        let actual = self.ty(expected.term).axes.clone();
        let rest = axes.iter().position(|axis| matches!(axis, Axis::Rest(..)));
        let fixed = axes.len() - usize::from(rest.is_some());
        if actual.len() < fixed || (rest.is_none() && actual.len() > fixed) {
            return Err(self.wrong_rank(expected, None));
        }
        let (before, after) = match rest {
            Some(at) => (at, fixed - at),
            None => (fixed, 0),
        };
        let (head, tail) = (&axes[..before], &axes[axes.len() - after..]);
        for (written, axis) in head.iter().zip(&actual) {
            self.meet_axis(expected, written, axis, scope)?;
        }
        let middle = &actual[before..actual.len() - after];
        if let Some(Axis::Rest(Some(name), _)) = rest.map(|at| &axes[at]) {
            match scope.rest(&name.text).map(<[_]>::to_vec) {
                None => scope.bind_rest(&name.text, middle.to_vec()),
                Some(known) if known.len() != middle.len() => {
                    return Err(self.wrong_rank(expected, Some((&name.text, known))));
                }
                Some(known) => {
                    for (one, two) in known.iter().zip(middle) {
                        if !one.size.agrees(&two.size) {
                            return Err(self.sizes_differ(expected, one, two));
                        }
                    }
                }
            }
        }
        for (written, axis) in tail.iter().zip(&actual[actual.len() - after..]) {
            self.meet_axis(expected, written, axis, scope)?;
        }
        Ok(())
    }

    fn meet_axis(
        &mut self,
        expected: &Expectation,
        written: &Axis,
        actual: &types::Axis,
        scope: &mut Scope,
    ) -> Out<()> {
        match written {
            Axis::Rest(..) => Ok(()),
            Axis::Size(size) => self.meet_size(expected, size, actual, scope),
        }
    }

    fn meet_size(&mut self, expected: &Expectation, size: &Expr, actual: &types::Axis, scope: &mut Scope) -> Out<()> {
        if let ExprKind::Name(name) = &size.kind
            && scope.get(&name.text).is_none()
        {
            let value = match actual.size.settled() {
                Some(number) => Value::Number(crate::check::number::Number::whole(number)),
                None => Value::Size(actual.clone()),
            };
            let here = Origin { span: expected.at, text: "comes from here".into() };
            scope.insert(&name.text, Bound { value, origin: actual.origin.clone().unwrap_or(here) });
            if self.ty(expected.term).mask.is_some() {
                scope.masked.insert(name.text.clone());
            }
            return Ok(());
        }
        let wanted = self.size(size, scope)?;
        if wanted.size.agrees(&actual.size) {
            return Ok(());
        }
        Err(self.sizes_differ(expected, &wanted, actual))
    }

    fn sizes_differ(&mut self, expected: &Expectation, wanted: &types::Axis, actual: &types::Axis) -> Reported {
        let ty = self.ty(expected.term);
        let shown = self.sources.text(expected.written.span).to_string();
        let message = format!(
            "expected {shown} for {}, found {ty}: {} and {} do not agree",
            expected.what, wanted.size, actual.size
        );
        let error = Diagnostic::error(expected.code, message, expected.at, format!("this is {ty}"))
            .label(expected.written.span, "expected by this type");
        let error = with_origin(with_origin(error, wanted), actual);
        let is_list = matches!(self.terms.get(expected.term).kind, Kind::Stack(_, 0));
        self.report(if is_list && has_rows(&wanted.size) {
            error.help("a list stands along a new first axis; `stack(a, b)` puts columns along the last one")
        } else {
            error
        })
    }

    /// `rest` is what a rest of the type stands for already.
    fn wrong_rank(&mut self, expected: &Expectation, rest: Option<(&str, Vec<types::Axis>)>) -> Reported {
        let ty = self.ty(expected.term);
        let shown = self.sources.text(expected.written.span).to_string();
        let scores = rest.as_ref().and_then(|(_, axes)| scores_of(expected, ty, axes.len()));
        let other_is_lone = rest.as_ref().is_some_and(|(_, axes)| {
            let ends = axes.last().is_some_and(|axis| axis.size == Size::from(1));
            ends && axes.len() == ty.axes.len() + 1
        });
        let known = match rest {
            Some((name, axes)) => format!(", where ..{name} is {},", types::Type::float(axes)),
            None => ",".to_string(),
        };
        let message = format!("expected {shown} for {}{known} found {ty}", expected.what);
        let code = if expected.code == "E0203" { "E0205" } else { expected.code };
        let classes = matches!(ty.elem, types::Elem::Class(_));
        let floats = matches!(&expected.written.kind, TypeKind::Tensor(Elem::Float, _));
        let wants_classes = matches!(&expected.written.kind, TypeKind::Tensor(Elem::Class(_), _));
        let error = Diagnostic::error(code, message, expected.at, format!("this is {ty}"))
            .label(expected.written.span, "expected by this type");
        let lone = ty.axes.last().is_some_and(|axis| axis.size == Size::from(1));
        let number = matches!(self.terms.get(expected.term).kind, Kind::Number(_)) && expected.code == "E0210";
        let reduced = matches!(self.terms.get(expected.term).kind, Kind::Fold(..)) && ty.axes.is_empty();
        self.report(if classes && floats {
            error.help("these are classes: `cross_entropy` takes them, and `one_hot` makes numbers of them")
        } else if let Some(help) = scores {
            error.help(help)
        } else if wants_classes && matches!(ty.elem, types::Elem::Float) {
            error.help("these are numbers, which `mse` takes; classes come from `category(column)` in a `data` block")
        } else if number && expected.what != RESULT {
            error.help("a number for each element is `let x[i: 3] = 0`; what is trained is a `param`")
        } else if reduced {
            error.help("it is of all elements together; along an axis goes an index: `let y[i] = sum(j: x[i, j])`")
        } else if other_is_lone {
            error.help("the one before has a last axis of one element: `squeeze(…)` leaves it out")
        } else if lone {
            error.help("`squeeze(…)` leaves a last axis of one element out")
        } else {
            error
        })
    }

    fn meet_elem(&mut self, expected: &Expectation, elem: &Elem, scope: &mut Scope) -> Out<TermId> {
        let ty = self.ty(expected.term).clone();
        let cast = |this: &mut Self, elem| {
            this.term(Kind::Cast(expected.term), types::Type { elem, ..ty.clone() }, expected.at)
        };
        match (elem, &ty.elem) {
            (Elem::Float, types::Elem::Float) | (Elem::Int, types::Elem::Int) | (Elem::Bool, types::Elem::Bool) => {
                Ok(expected.term)
            }
            (Elem::Float, types::Elem::Int) => Ok(cast(self, types::Elem::Float)),
            (Elem::Int, types::Elem::Class(_)) => Ok(cast(self, types::Elem::Int)),
            (Elem::Class(size), types::Elem::Class(count)) => {
                self.meet_size(expected, size, count, scope)?;
                Ok(expected.term)
            }
            (Elem::Float | Elem::Int | Elem::Bool | Elem::Class(_), _) => {
                let shown = self.sources.text(expected.written.span).to_string();
                let message = format!("expected {shown} for {}, found {ty}", expected.what);
                let error = Diagnostic::error("E0211", message, expected.at, format!("this is {ty}"))
                    .label(expected.written.span, "expected by this type");
                let help = match (elem, &ty.elem) {
                    (Elem::Class(_), types::Elem::Int) => {
                        Some("`as_class(y, 2)` makes classes of whole numbers below 2; `category(column)` of a column")
                    }
                    (Elem::Class(_), _) => Some("classes come from `category(column)` in a `data` block"),
                    (Elem::Float | Elem::Int, types::Elem::Bool) => {
                        Some("`if e then 1 else 0` makes numbers of what is true or false")
                    }
                    (Elem::Float, types::Elem::Class(_)) => Some(crate::check::NO_MEASUREMENT),
                    _ => None,
                };
                Err(self.report(Diagnostic { help: help.map(str::to_string), ..error }))
            }
        }
    }
}

/// What a value of a type is, for messages: `a number`.
fn noun(ty: &Type) -> String {
    match &ty.kind {
        TypeKind::Word(word) => match word {
            Word::Int => "a whole number",
            Word::Float => "a number",
            Word::Bool => "true or false",
            Word::String => "a text",
            Word::Fn => "a function",
            Word::Layer => "a layer",
            Word::Model => "a model",
            Word::Distribution => "a distribution",
        }
        .to_string(),
        TypeKind::Tensor(..) => "a tensor".to_string(),
        TypeKind::List(kind) => match &kind.kind {
            TypeKind::Word(Word::Int) => "a list of whole numbers".to_string(),
            TypeKind::Word(Word::Float) => "a list of numbers".to_string(),
            TypeKind::Word(Word::Layer) => "a list of layers".to_string(),
            _ => "a list".to_string(),
        },
        TypeKind::Tuple(kinds) => format!("{} values", kinds.len()),
        TypeKind::Either(kinds) => kinds.iter().map(noun).collect::<Vec<_>>().join(" or "),
    }
}

/// What to do where classes meet scores of one axis less or more than theirs, with what a loss or metric of classes takes.
fn scores_of(expected: &Expectation, ty: &types::Type, axes: usize) -> Option<String> {
    let types::Elem::Class(count) = &ty.elem else { return None };
    let TypeKind::Tensor(Elem::Class(wanted), _) = &expected.written.kind else { return None };
    let own = ty.axes.len();
    let of_two = matches!(&wanted.kind, ExprKind::Number { .. });
    match count.size.settled() {
        Some(2) if !of_two && axes + 1 == own => Some(
            "of one score for each row there are `binary_cross_entropy` and `binary_accuracy`; of a score for each class the \
             model ends with `dense(2)`"
                .to_string(),
        ),
        Some(count) if !of_two && axes + 1 == own => {
            Some(format!("a score for each class stands along the last axis: end the model with `dense({count})`"))
        }
        Some(2) if of_two && axes == own + 1 => Some(
            "of a score for each class there are `cross_entropy` and `accuracy`; for one score the model ends with \
             `dense(1) |> squeeze`"
                .to_string(),
        ),
        _ => None,
    }
}
