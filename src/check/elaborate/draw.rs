//! Draws: what is drawn from, and `let z: [n, 8] ~ normal(mu, s)`.
//!
//! A distribution is made of standard draws by arithmetic, so that a draw has gradients by its parameters where there are such.
//! Standard draws are counted by the path of the place that draws: the calls that lead to it, each with its number among
//! those of its name, and the name of what is drawn.

use super::{Elaborator, Out, Reported};
use crate::check::shapes::with_origin;
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Bound, Family, Law, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Draw, ScalarOp};
use crate::source::Span;
use crate::syntax::tree::{self, Expr, Name, TypeKind};
use std::rc::Rc;

/// Where the standard draws of a distribution come from.
#[derive(Clone, Copy)]
pub(super) enum Drawn<'d> {
    /// A place of the program.
    At(u64),
    /// A column of rows that are drawn.
    Column(&'d Name),
}

impl Elaborator<'_> {
    /// What is elaborated from here on is another pass over the text: the same places again, states as they are before the step.
    pub(super) fn forget_passes(&mut self) {
        self.places.clear();
        self.place.clear();
        self.loops.clear();
        self.kept_now = vec![Default::default()];
    }

    /// Enters a place of a call, for the draws in it: the path of the calls, and the number among the calls of that name there.
    pub(super) fn at_place<T>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let place = self.place(name);
        let around = std::mem::replace(&mut self.place, place);
        let result = f(self);
        self.place = around;
        result
    }

    pub(super) fn place(&mut self, name: &str) -> String {
        let place = format!("{}/{name}", self.place);
        let count = self.places.entry(place.clone()).or_default();
        *count += 1;
        if *count == 1 { place } else { format!("{place}#{count}") }
    }

    /// `let z: [n, 8] ~ normal(mu, s)`.
    pub(super) fn drawn(&mut self, name: &Name, ty: Option<&tree::Type>, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        let Some(written) = ty else {
            let message = "a draw says its shape";
            let error = Diagnostic::error("E0216", message, name.span, "of this one nothing is known");
            return Err(self.report(
                error.help(format!("write `let {}: [rows, columns] ~ …`, or `[]` for one number", name.text)),
            ));
        };
        if let TypeKind::Word(tree::Word::Model) = written.kind {
            return self.drawn_point(name, written.span, expr, scope);
        }
        let ty = self.written_type(written, "a draw", scope)?;
        let place = self.place(&name.text);
        self.drawn_as(&ty, expr, &place, scope).map(Value::Tensor)
    }

    /// A written type whose sizes are all known.
    pub(super) fn written_type(&mut self, written: &tree::Type, what: &str, scope: &mut Scope) -> Out<Type> {
        let TypeKind::Tensor(elem, axes) = &written.kind else {
            let message = format!("{what} is a tensor");
            let error = Diagnostic::error("E0216", message, written.span, "expected a shape, such as `[n, 8]`");
            let scalar = match &written.kind {
                TypeKind::Word(tree::Word::Int) => Some("int[]"),
                TypeKind::Word(tree::Word::Float) => Some("[]"),
                TypeKind::Word(tree::Word::Bool) => Some("bool[]"),
                _ => None,
            };
            let help = |scalar| format!("one number is `{scalar}`; of a column each row has one");
            return Err(self.report(match scalar {
                Some(scalar) => error.help(help(scalar)),
                None => error,
            }));
        };
        let mut sizes = Vec::new();
        for axis in axes {
            match axis {
                tree::Axis::Size(size) => sizes.push(self.size(size, scope)?),
                tree::Axis::Rest(Some(rest), at) => match scope.rest(&rest.text) {
                    Some(axes) => sizes.extend_from_slice(axes),
                    None => {
                        let message = format!("cannot find `..{}` in this scope", rest.text);
                        return Err(self.error("E0201", message, *at, "not found"));
                    }
                },
                tree::Axis::Rest(None, at) => {
                    return Err(self.error("E0216", format!("{what} says its shape"), *at, "here"));
                }
            }
        }
        let elem = match elem {
            tree::Elem::Float => Elem::Float,
            tree::Elem::Int => Elem::Int,
            tree::Elem::Bool => Elem::Bool,
            tree::Elem::Class(size) => Elem::Class(self.size(size, scope)?),
        };
        Ok(Type { axes: sizes, ..Type::scalar(elem) })
    }

    /// A distribution by its parameters, those that are known before the run held against what it allows.
    pub(super) fn law(&mut self, family: Family, parameters: Vec<Bound>, span: Span) -> Out<Value> {
        let mut known = Vec::new();
        for bound in &parameters {
            let at = bound.origin.span;
            known.push(match &bound.value {
                Value::Number(number) => Some(number.to_f64()),
                Value::Wrong => return Err(Reported),
                Value::Tensor(_)
                | Value::Size(_)
                | Value::RawColumn(_)
                | Value::Set(_)
                | Value::Table(_)
                | Value::OfTable(..)
                | Value::List(_) => None,
                other => {
                    let message =
                        format!("expected a number or a tensor for `{}`, found {}", family.name(), other.noun());
                    return Err(self.error("E0211", message, at, other.noun()));
                }
            });
        }
        match (family, &known[..]) {
            (Family::Uniform, [Some(low), Some(high)]) if low > high => {
                let message = format!("the bounds of `uniform` are reversed: {low} is above {high}");
                let error = Diagnostic::error("E0225", message, span, "these bounds");
                return Err(self.report(error.help(format!("write the lower bound first: `uniform({high}, {low})`"))));
            }
            (Family::Normal, [_, Some(deviation)]) if *deviation < 0.0 => {
                let message = format!("expected a standard deviation of at least 0, found {deviation}");
                let error = Diagnostic::error("E0225", message, span, "the second number of `normal`");
                return Err(self.report(error.help("`normal` takes a mean and a standard deviation: `normal(0, 1)`")));
            }
            (Family::Bernoulli, [Some(p)]) if !(0.0..=1.0).contains(p) => {
                let message = format!("expected a probability from 0 to 1, found {p}");
                return Err(self.report(Diagnostic::error("E0225", message, span, "the probability of `bernoulli`")));
            }
            (Family::Integers, [Some(low), Some(high)]) if low >= high => {
                let message = format!("there is no whole number from {low} to below {high}");
                let error = Diagnostic::error("E0225", message, span, "these bounds");
                return Err(self.report(error.help("`integers(a, b)` draws from a, a + 1, … to b - 1")));
            }
            _ => {}
        }
        let parameters = parameters.into_iter().map(|bound| (bound.value, bound.origin.span)).collect();
        Ok(Value::Distribution(Rc::new(Law { family, parameters, span })))
    }

    /// Draws of a type.
    pub(super) fn sample(&mut self, law: &Law, ty: &Type, from: Drawn, span: Span) -> Out<TermId> {
        self.draws_such(law, ty, span)?;
        let parameter = |at: usize| law.parameters.get(at).cloned().unwrap_or((Value::Wrong, span));
        let made = match law.family {
            Family::Uniform => {
                let unit = self.standard(Draw::Uniform, ty.axes.clone(), from, span);
                let width = self.arithmetic(ScalarOp::Sub, parameter(1), parameter(0), span, span)?;
                let scaled = self.arithmetic(ScalarOp::Mul, as_value(width, span), as_value(unit, span), span, span)?;
                self.arithmetic(ScalarOp::Add, as_value(scaled, span), parameter(0), span, span)?
            }
            Family::Normal => {
                let unit = self.standard(Draw::Normal, ty.axes.clone(), from, span);
                let scaled = self.arithmetic(ScalarOp::Mul, parameter(1), as_value(unit, span), span, span)?;
                self.arithmetic(ScalarOp::Add, as_value(scaled, span), parameter(0), span, span)?
            }
            Family::Bernoulli => {
                let unit = self.standard(Draw::Uniform, ty.axes.clone(), from, span);
                self.compare(ScalarOp::Less, as_value(unit, span), parameter(0), span, span)?
            }
            Family::Integers => self.integers(ty, parameter(0), parameter(1), from, span)?,
            Family::Categorical => self.categorical(ty, parameter(0), from, span)?,
        };
        let found = self.ty(made).clone();
        if !found.agrees(ty) {
            let message = format!("a draw of {ty} from parameters that make it {found}");
            let error = Diagnostic::error("E0274", message, span, format!("this draws {found}"));
            let error = found.axes.iter().fold(error, with_origin);
            return Err(self.report(error));
        }
        let same = matches!(
            (&found.elem, &ty.elem),
            (Elem::Float, Elem::Float)
                | (Elem::Int, Elem::Int)
                | (Elem::Bool, Elem::Bool)
                | (Elem::Class(_), Elem::Class(_))
        );
        let ty = Type { free: found.free, mask: None, ..ty.clone() };
        Ok(if same { made } else { self.term(Kind::Cast(made), ty, span) })
    }

    /// Whether a distribution draws what a type has.
    fn draws_such(&mut self, law: &Law, ty: &Type, span: Span) -> Out<()> {
        let number = |at: usize| match law.parameters.get(at) {
            Some((Value::Number(number), _)) => number.to_whole(),
            Some((Value::Size(axis), _)) => axis.size.settled(),
            _ => None,
        };
        let (draws, help) = match (law.family, &ty.elem) {
            (Family::Uniform | Family::Normal, Elem::Float)
            | (Family::Bernoulli, Elem::Float | Elem::Int | Elem::Bool) => {
                return Ok(());
            }
            (Family::Integers, Elem::Int | Elem::Float) | (Family::Categorical, Elem::Class(_) | Elem::Int) => {
                return Ok(());
            }
            (Family::Integers, Elem::Class(count)) => {
                let bounds = (number(0), number(1), count.size.settled());
                if count.size.is_open()
                    || matches!(bounds, (Some(low), Some(high), Some(count)) if low >= 0 && high <= count)
                {
                    return Ok(());
                }
                ("whole numbers that may be no class", format!("write `integers(0, {})`", count.size))
            }
            (Family::Uniform | Family::Normal, _) => {
                ("floats", "leave the kind of the elements out: `[n, 8]`".to_string())
            }
            (Family::Bernoulli, Elem::Class(_)) => {
                ("0 and 1", "declare it as `int[n]`, `bool[n]` or `[n]`".to_string())
            }
            (Family::Integers, Elem::Bool) => ("whole numbers", "declare it as `int[n]`".to_string()),
            (Family::Categorical, Elem::Float | Elem::Bool) => ("classes", "declare it as `class(k)[n]`".to_string()),
        };
        let message = format!("`{}` draws {draws}, and {ty} is asked for", law.family.name());
        let error = Diagnostic::error("E0274", message, span, format!("this draws {draws}"));
        Err(self.report(error.help(help)))
    }

    /// `floor` of a uniform draw; the greatest is kept below the bound where rounding would reach it.
    fn integers(&mut self, ty: &Type, low: (Value, Span), high: (Value, Span), from: Drawn, span: Span) -> Out<TermId> {
        let unit = self.standard(Draw::Uniform, ty.axes.clone(), from, span);
        let width = self.arithmetic(ScalarOp::Sub, high, low.clone(), span, span)?;
        let scaled = self.arithmetic(ScalarOp::Mul, as_value(width, span), as_value(unit, span), span, span)?;
        let floats = self.ty(scaled).clone();
        let floor = self.term(Kind::Scalar(ScalarOp::Floor, vec![scaled]), floats.clone(), span);
        let whole = self.term(Kind::Cast(floor), Type { elem: Elem::Int, ..floats }, span);
        let one = self.term(Kind::Number(1.0), Type::scalar(Elem::Int), span);
        let most = self.arithmetic(ScalarOp::Sub, as_value(width, span), as_value(one, span), span, span)?;
        let kept = self.arithmetic(ScalarOp::Min, as_value(whole, span), as_value(most, span), span, span)?;
        let made = self.arithmetic(ScalarOp::Add, as_value(kept, span), low, span, span)?;
        let found = self.ty(made).clone();
        if matches!(found.elem, Elem::Int) {
            return Ok(made);
        }
        let message = "expected whole numbers as the bounds of `integers`";
        Err(self.error("E0274", message, span, "these are floats"))
    }

    /// The greatest of logits to which noise of Gumbel's distribution is added is a draw of their softmax.
    fn categorical(&mut self, ty: &Type, logits: (Value, Span), from: Drawn, span: Span) -> Out<TermId> {
        let at = logits.1;
        let logits = self.numbers(logits.0, at)?;
        let Some(last) = self.ty(logits).axes.last().cloned() else {
            let message = "expected the logits of the classes, along the last axis, found one number";
            let error = Diagnostic::error("E0274", message, at, "this is one number");
            return Err(self.report(error.help("one probability draws by `bernoulli(p)`")));
        };
        if let Elem::Class(count) = &ty.elem
            && !count.size.agrees(&last.size)
        {
            let message = format!("a draw of {} classes from {} logits", count.size, last.size);
            let error = Diagnostic::error("E0274", message, at, format!("this is {}", self.ty(logits)));
            return Err(self.report(with_origin(with_origin(error, count), &last)));
        }
        let axes = [&ty.axes[..], std::slice::from_ref(&last)].concat();
        let unit = self.standard(Draw::Uniform, axes.clone(), from, span);
        let mut noise = unit;
        for op in [ScalarOp::Log, ScalarOp::Neg, ScalarOp::Log, ScalarOp::Neg] {
            noise = self.term(Kind::Scalar(op, vec![noise]), Type::float(axes.clone()), span);
        }
        let noisy = self.arithmetic(ScalarOp::Add, as_value(noise, span), (Value::Tensor(logits), at), span, span)?;
        let mut ty = Type { elem: Elem::Class(last), ..self.ty(noisy).clone() };
        ty.axes.pop();
        Ok(self.term(Kind::ArgMax(noisy), Type { mask: None, ..ty }, span))
    }

    fn standard(&mut self, draw: Draw, axes: Vec<Axis>, from: Drawn, span: Span) -> TermId {
        match from {
            Drawn::At(path) => self.term(Kind::Draw(draw, path), Type::float(axes), span),
            Drawn::Column(name) => self.raw_draws(name, draw, Type::float(axes)),
        }
    }

    /// `logp(normal(mu, s), z)`: the formula is a function of the library.
    pub(super) fn logp(&mut self, law: &Value, at: (Value, Span), span: Span) -> Out<Value> {
        let law = match law {
            Value::Distribution(law) => Rc::clone(law),
            Value::Wrong => return Err(Reported),
            other => {
                let message = format!("expected a distribution, found {}", other.noun());
                let error = Diagnostic::error("E0211", message, span, other.noun());
                return Err(self.report(error.help("write `logp(normal(0, 1), z)`")));
            }
        };
        let name = format!("log_{}", law.family.name());
        let Some(item) = self.library.find(&name, self.sources, &mut self.found) else { return Err(Reported) };
        let at = match at.0 {
            Value::Tensor(term) if matches!(self.ty(term).elem, Elem::Bool) => {
                let ty = Type { elem: Elem::Int, ..self.ty(term).clone() };
                (Value::Tensor(self.term(Kind::Cast(term), ty, at.1)), at.1)
            }
            value => (value, at.1),
        };
        let all = std::iter::once(at).chain(law.parameters.iter().cloned());
        let given = all.map(|(value, span)| super::call::Arg::plain(value, span)).collect();
        self.apply_function(&item, given, span)
    }
}

fn as_value(term: TermId, span: Span) -> (Value, Span) {
    (Value::Tensor(term), span)
}
