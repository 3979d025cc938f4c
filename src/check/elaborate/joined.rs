//! Tensors side by side, one behind another, and apart: lists, `stack`, `concat`, `split`, `first`, `last`.

use super::call::Arg;
use super::expr::same_elem;
use super::{Elaborator, Out, Reported};
use crate::check::shapes::with_origin;
use crate::check::terms::{Cut, Kind, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::check::value::{Part, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::tree::Name;
use std::collections::BTreeSet;

/// The functions of this file, which take any number of arguments or any kind of element, so that no signature says
/// what they take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Joined {
    Stack,
    Concat,
    Split,
    First,
    Last,
    Flatten,
}

impl Elaborator<'_> {
    /// A call of such a function.
    pub(super) fn joined_call(&mut self, what: Joined, name: &str, given: &[Arg], span: Span) -> Out<Value> {
        if given.iter().any(|arg| matches!(arg.value, Value::Wrong)) {
            return Err(Reported);
        }
        let given: Vec<Arg> =
            given.iter().map(|arg| Arg { value: arg.value.clone().listed(), ..arg.clone() }).collect();
        let (axis, given): (Vec<&Arg>, Vec<&Arg>) = given.iter().partition(|arg| is_named(arg, "axis"));
        match what {
            Joined::Stack | Joined::Concat => {
                let parts = self.joined_tensors(name, &given, span)?;
                let axis = axis.first().copied();
                match what {
                    Joined::Stack => self.stacked(parts, axis, span).map(Value::Tensor),
                    _ => self.concatenated(parts, axis, span).map(Value::Tensor),
                }
            }
            Joined::Split => self.split_in_parts(&given, axis.first().copied(), span),
            Joined::First | Joined::Last | Joined::Flatten => {
                let [arg] = given[..] else {
                    let message = format!("`{name}` takes 1 argument, and here are {}", given.len());
                    return Err(self.error("E0212", message, span, "in this call"));
                };
                match what {
                    Joined::Flatten => self.flattened(arg, span),
                    _ => self.at_an_end(what == Joined::Last, arg, span),
                }
            }
        }
    }

    /// The tensors that a call is given: each alone, or a list of them.
    fn joined_tensors(&mut self, name: &str, given: &[&Arg], span: Span) -> Out<Vec<(TermId, Span)>> {
        if let Some(Arg { name: Some(setting), .. }) = given.iter().find(|arg| arg.name.is_some()) {
            let (message, at) = (format!("`{name}` has no setting `{}`", setting.text), setting.span);
            let error = Diagnostic::error("E0212", message, at, "not found");
            return Err(self.report(error.help(format!("it has `axis`: `{name}(a, b, axis = 0)`"))));
        }
        let parts: Vec<(Value, Span)> = match given {
            [Arg { value: Value::List(parts), .. }] => parts.clone(),
            [Arg { value: Value::Tuple(parts), .. }] => {
                parts.iter().map(|part| (part.value.clone(), part.span)).collect()
            }
            all => all.iter().map(|arg| (arg.value.clone(), arg.span)).collect(),
        };
        if parts.is_empty() {
            let error = Diagnostic::error("E0212", format!("`{name}` is given nothing to join"), span, "in this call");
            return Err(self.report(error.help(format!("write `{name}(a, b)`"))));
        }
        let parts: Vec<Out<(TermId, Span)>> =
            parts.into_iter().map(|(part, at)| Ok((self.tensor(part, at)?, at))).collect();
        parts.into_iter().collect()
    }

    /// The number of an axis among so many; without `axis` it is the last.
    fn axis_of(&mut self, axis: Option<&Arg>, count: usize, of: &str) -> Out<usize> {
        let Some(arg) = axis else { return Ok(count.saturating_sub(1)) };
        match &arg.value {
            Value::Item(item) if item.kind.name().is_some_and(|name| name.text == "last") => {
                return Ok(count.saturating_sub(1));
            }
            Value::Item(item) if item.kind.name().is_some_and(|name| name.text == "first") => return Ok(0),
            _ => {}
        }
        let axis = self.whole(&arg.value, "an axis", arg.span)?;
        if let Some(axis) = usize::try_from(axis).ok().filter(|axis| *axis < count) {
            return Ok(axis);
        }
        let message = format!("{of} has no axis {axis}");
        let error = Diagnostic::error("E0261", message, arg.span, "no such axis");
        Err(self.report(if axis < 0 {
            error.help("axes count from 0; without `axis` it is the last one")
        } else {
            error.help(format!("axes count from 0, so that the last is {}", count.saturating_sub(1)))
        }))
    }

    /// `stack(a, b, axis = last)`: equal shapes along a new axis.
    fn stacked(&mut self, parts: Vec<(TermId, Span)>, axis: Option<&Arg>, span: Span) -> Out<TermId> {
        let rank = parts.iter().map(|(part, _)| self.ty(*part).axes.len()).max().unwrap_or(0);
        let axis = self.axis_of(axis, rank + 1, "the result")?;
        self.stack(parts, axis, span)
    }

    /// Tensors of one shape side by side along a new axis; a number among them stands for as many.
    pub(super) fn stack(&mut self, parts: Vec<(TermId, Span)>, at: usize, span: Span) -> Out<TermId> {
        let rank = |part: &(TermId, Span)| self.ty(part.0).axes.len();
        let most = parts.iter().map(rank).max();
        let Some(first) = parts.iter().copied().find(|part| Some(rank(part)) == most) else {
            return Err(self.error("E0211", "expected a tensor, found an empty list", span, "nothing in it"));
        };
        let mut ty = self.ty(first.0).clone();
        for part in &parts {
            let other = self.ty(part.0).clone();
            match self.common(&ty.elem, &other.elem, (first, *part))? {
                elem if other.axes.is_empty() || other.agrees(&ty) => ty.elem = elem,
                _ => return Err(self.do_not_fit(first, *part)),
            }
        }
        let axis = Axis::new(Size::from(parts.len() as i64), span, "parts are listed here");
        let mut axes = ty.axes.clone();
        axes.insert(at, axis);
        let parts: Vec<TermId> = parts.into_iter().map(|(part, _)| part).collect();
        let free = self.free_of(&parts);
        Ok(self.term(Kind::Stack(parts, at), Type { axes, free, ..ty }, span))
    }

    /// `concat(a, b, axis = last)`: one behind another; the other axes agree.
    fn concatenated(&mut self, parts: Vec<(TermId, Span)>, axis: Option<&Arg>, span: Span) -> Out<TermId> {
        let Some((first, _)) = parts.first().copied() else { return Err(Reported) };
        let ty = self.ty(first).clone();
        if let Some((_, at)) = parts.iter().find(|(part, _)| self.ty(*part).axes.is_empty()) {
            let error = Diagnostic::error("E0205", "a scalar has no axis to join along", *at, "this is a scalar, []");
            return Err(self.report(error.help("`stack(a, b)` puts numbers along a new axis")));
        }
        let axis = self.axis_of(axis, ty.axes.len(), &ty.to_string())?;
        self.one_behind_another(parts, axis, span)
    }

    /// The same along an axis that is known.
    pub(super) fn one_behind_another(&mut self, parts: Vec<(TermId, Span)>, axis: usize, span: Span) -> Out<TermId> {
        let Some((first, others)) = parts.split_first() else { return Err(Reported) };
        let mut ty = self.ty(first.0).clone();
        let mut size = ty.axes[axis].size.clone();
        for part in others {
            let other = self.ty(part.0).clone();
            ty.elem = self.common(&ty.elem, &other.elem, (*first, *part))?;
            if other.axes.len() != ty.axes.len() {
                return Err(self.do_not_fit(*first, *part));
            }
            let pairs = ty.axes.iter().zip(&other.axes).enumerate();
            let differ = |(at, (one, two)): &(usize, (&Axis, &Axis))| *at != axis && !one.size.agrees(&two.size);
            if let Some((_, (one, two))) = pairs.into_iter().find(differ) {
                let message = format!("sizes {} and {} do not agree", one.size, two.size);
                let error = Diagnostic::error("E0203", message, span, "what is joined agrees in all other axes")
                    .label(first.1, format!("this is {}", self.ty(first.0)))
                    .label(part.1, format!("this is {other}"));
                return Err(self.report(with_origin(with_origin(error, one), two)));
            }
            size = size.plus(&other.axes[axis].size);
        }
        ty.axes[axis] = Axis::new(size, span, "are joined here");
        let parts: Vec<TermId> = parts.into_iter().map(|(part, _)| part).collect();
        let free = self.free_of(&parts);
        Ok(self.term(Kind::Concat(parts, axis), Type { free, ..ty }, span))
    }

    /// The kind of element that two parts have in common.
    fn common(&mut self, one: &Elem, two: &Elem, parts: ((TermId, Span), (TermId, Span))) -> Out<Elem> {
        match (one, two) {
            (Elem::Float, Elem::Int) | (Elem::Int, Elem::Float) => Ok(Elem::Float),
            _ if same_elem(one, two) => Ok(one.clone()),
            _ => Err(self.do_not_fit(parts.0, parts.1)),
        }
    }

    /// Told at the parts, for a list may be read elsewhere.
    fn do_not_fit(&mut self, first: (TermId, Span), second: (TermId, Span)) -> Reported {
        let (one, two) = (self.ty(first.0).clone(), self.ty(second.0).clone());
        let message = format!("what is put side by side is to be of one type, and these are {one} and {two}");
        let error = Diagnostic::error("E0205", message, second.1, format!("this is {two}"))
            .label(first.1, format!("this is {one}"));
        let classes = [&one.elem, &two.elem].iter().any(|elem| matches!(elem, Elem::Class(_)));
        let lone = match (one.axes.len(), two.axes.len()) {
            (1, 2) => Some(first.1),
            (2, 1) => Some(second.1),
            _ => None,
        };
        self.report(if classes {
            error.help("`one_hot(…)` makes numbers of classes")
        } else if let Some(lone) = lone {
            let (from, of) = (self.sources.text(lone), "`concat(…)` joins along it");
            let from = if from.chars().all(|sign| sign.is_alphanumeric() || sign == '_') { from } else { "a" };
            error.help(format!("`let column[i, j: 1] = {from}[i]` gives it a second axis, and {of}"))
        } else {
            error
        })
    }

    pub(super) fn free_of(&self, parts: &[TermId]) -> Vec<IndexId> {
        let free: BTreeSet<IndexId> = parts.iter().flat_map(|part| self.ty(*part).free.iter().copied()).collect();
        free.into_iter().collect()
    }

    /// `split(x, k, axis = last)`: `k` equal parts.
    fn split_in_parts(&mut self, given: &[&Arg], axis: Option<&Arg>, span: Span) -> Out<Value> {
        let [x, count] = given else {
            let message = "`split` takes a tensor and the number of its parts";
            let error = Diagnostic::error("E0212", message, span, "in this call");
            return Err(self.report(error.help("write `split(x, 2)` or `x |> split(2)`")));
        };
        let term = self.tensor(x.value.clone(), x.span)?;
        let ty = self.ty(term).clone();
        let axis = self.axis_of(axis, ty.axes.len(), &ty.to_string())?;
        let Some(whole) = ty.axes.get(axis) else {
            return Err(self.error("E0205", "a scalar has no axis to split", x.span, "this is a scalar, []"));
        };
        let parts = self.whole(&count.value, "a number of parts", count.span)?;
        if !(1..=10_000).contains(&parts) {
            let message = format!("expected between 1 and 10000 parts, found {parts}");
            return Err(self.error("E0213", message, count.span, "here"));
        }
        if whole.size.is_open() {
            return Err(Reported);
        }
        let Some(size) = whole.size.over(&Size::from(parts)) else {
            let message = format!("an axis of {} does not split into {parts} equal parts", whole.size);
            let error = Diagnostic::error("E0263", message, count.span, "so many parts");
            let error = error.label(x.span, format!("this is {ty}"));
            let error = match whole.size.settled() {
                Some(size) => error.help(format!("{size} / {parts} leaves a remainder of {}", size % parts)),
                None => error.help("how many rows there are is known only in a run"),
            };
            return Err(self.report(with_origin(error, whole)));
        };
        let part = |this: &mut Self, at: i64| {
            let mut cuts = vec![Cut::All; ty.axes.len()];
            cuts[axis] = Cut::Range(size.times(&Size::from(at)), size.clone());
            Part { name: None, value: Value::Tensor(this.cut_out(term, cuts, span)), span }
        };
        Ok(Value::Tuple((0..parts).map(|at| part(self, at)).collect()))
    }

    /// `flatten(x)`: all axes behind the first as one.
    fn flattened(&mut self, arg: &Arg, span: Span) -> Out<Value> {
        let term = self.tensor(arg.value.clone(), arg.span)?;
        let ty = self.ty(term).clone();
        let [first, rest @ ..] = &ty.axes[..] else {
            let error = Diagnostic::error("E0205", "a scalar has no axes to flatten", arg.span, "this is a scalar, []");
            return Err(self.report(error.help("`flatten` keeps the first axis, the rows, and joins the others")));
        };
        let size = rest.iter().fold(Size::from(1), |product, axis| product.times(&axis.size));
        let axes = match rest {
            [] | [_] => return Ok(Value::Tensor(term)),
            _ => vec![first.clone(), Axis::new(size, span, "is flattened here")],
        };
        Ok(Value::Tensor(self.term(Kind::Reshape(term), Type { axes, ..ty }, span)))
    }

    /// `first(x)`, `last(x)`: along the first axis, or of a list.
    fn at_an_end(&mut self, last: bool, arg: &Arg, span: Span) -> Out<Value> {
        if let Value::List(parts) = &arg.value {
            let part = if last { parts.last() } else { parts.first() };
            let Some((value, _)) = part else {
                return Err(self.error("E0261", "the list has no elements", arg.span, "this list"));
            };
            return Ok(value.clone());
        }
        let term = self.tensor(arg.value.clone(), arg.span)?;
        let ty = self.ty(term).clone();
        let Some(axis) = ty.axes.first() else {
            return Err(self.error("E0205", "a scalar has no first axis", arg.span, "this is a scalar, []"));
        };
        if axis.size == Size::from(0) {
            return Err(self.error("E0261", "the first axis has no elements", arg.span, &format!("this is {ty}")));
        }
        let place = if last { axis.size.minus(&Size::from(1)) } else { Size::from(0) };
        let mut cuts = vec![Cut::All; ty.axes.len()];
        cuts[0] = Cut::One(place);
        Ok(Value::Tensor(self.cut_out(term, cuts, span)))
    }

    /// The parts of a tensor along its first axis, as many as there are names for.
    pub(super) fn along_first(&mut self, term: TermId, names: &[Name], span: Span) -> Out<Vec<Value>> {
        let ty = self.ty(term).clone();
        let Some(axis) = ty.axes.first() else {
            let message = format!("expected {} values, found a number", names.len());
            return Err(self.error("E0227", message, span, "this is a scalar, []"));
        };
        let count = match axis.size.settled() {
            Some(count) => count as usize,
            None if axis.size.is_open() => names.len(),
            None => {
                let message = format!("{} names for {} values", names.len(), axis.size);
                let error = Diagnostic::error("E0227", message, span, format!("this is {ty}"));
                return Err(self.report(
                    error.help("a tensor is taken apart along its first axis: `split(x, 2)` gives parts of the last"),
                ));
            }
        };
        self.as_many(names, count, span)?;
        let part = |this: &mut Self, at: usize| {
            let mut cuts = vec![Cut::All; ty.axes.len()];
            cuts[0] = Cut::One(Size::from(at as i64));
            Value::Tensor(this.cut_out(term, cuts, span))
        };
        Ok((0..count).map(|at| part(self, at)).collect())
    }
}

pub(super) fn is_named(arg: &Arg, name: &str) -> bool {
    arg.name.as_ref().is_some_and(|own| own.text == name)
}
