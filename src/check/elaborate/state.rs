//! `state average: [c] = 0` and `average' = …`: of a layer, kept between the steps of a training; of a loop, between its own.
//!
//! A layer's state is a parameter that is not trained. Each application reads what the one before it left, in the order of the
//! text; what the last one leaves is the value after the step.

use super::{Elaborator, Out, Reported};
use crate::check::terms::{Kind, Leaf, ParamId, Start, TermId};
use crate::check::types::{Elem, Type};
use crate::check::value::{Kept, Scope, State, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::tree::{self, Init, Name, Target};

impl Elaborator<'_> {
    /// `state h: [n, units] = 0`.
    pub(super) fn state(
        &mut self,
        target: &Target,
        ty: Option<&tree::Type>,
        init: &Init,
        span: Span,
        scope: &mut Scope,
    ) {
        let Target::One(name) = target else {
            self.error("E0216", "a `state` has one name", span, "this one has not");
            return;
        };
        let made = if scope.steps { self.carried(name, ty, init, scope) } else { self.kept(name, ty, init, scope) };
        match made {
            Ok((term, kept)) => {
                scope.states.retain(|state| state.name.text != name.text);
                let ty = self.ty(term).clone();
                scope.states.push(State { name: name.clone(), ty, kept, next: None });
                scope.bind(name, Value::Tensor(term));
            }
            Err(Reported) => scope.bind(name, Value::Wrong),
        }
    }

    /// A state of a layer.
    fn kept(&mut self, name: &Name, ty: Option<&tree::Type>, init: &Init, scope: &mut Scope) -> Out<(TermId, Kept)> {
        let Some(path) = self.path_in(scope, &name.text) else {
            let error = Diagnostic::error("E0217", "a `fn` has no state", name.span, "this is one");
            return Err(self.report(error.help("make it a `layer`")));
        };
        let Some(written) = ty else {
            let error =
                Diagnostic::error("E0216", "a `state` says its shape", name.span, "of this one nothing is known");
            return Err(self.report(error.help(format!("write `state {}: [columns] = 0`", name.text))));
        };
        // What is kept while it is trained is left alone otherwise.
        self.reads_training = true;
        let ty = self.written_type(written, "a `state`", scope)?;
        if !matches!(ty.elem, Elem::Float) {
            let error =
                Diagnostic::error("E0216", "a `state` of a layer holds floats", written.span, format!("this is {ty}"));
            return Err(self.report(error.help("write the shape alone: `[columns]`")));
        }
        if let Some(open) = ty.axes.iter().find(|axis| axis.size.settled().is_none() && !axis.size.is_open()) {
            let message = format!("a state is kept from batch to batch, and `{}` is known only in a run", open.size);
            let error = Diagnostic::error("E0218", message, name.span, "this state");
            return Err(self.report(crate::check::shapes::with_origin(error, open)));
        }
        if let Some((point, rest)) = self.within_point(&path) {
            let tensor = self.tensor_of_point(&point, &rest, &ty, name.span, &mut |this, path| {
                this.kept_at(path, ty.clone(), init, name, scope)
            })?;
            let whole = self.ty(tensor).agrees(&ty);
            let tensor = if whole { tensor } else { self.everywhere(tensor, &ty, name.span) };
            return Ok((tensor, Kept::Point));
        }
        let id = self.kept_at(path, ty, init, name, scope)?;
        Ok((self.present(id, self.loops.len(), name.span), Kept::Layer(id)))
    }

    /// The state of a path, which is there already or begins as it says here. A copy begins as what it is a copy of.
    fn kept_at(&mut self, path: String, ty: Type, init: &Init, name: &Name, scope: &mut Scope) -> Out<ParamId> {
        if let Some(known) = self.param_of.get(&path) {
            return self.same_param(*known, ty, name.span);
        }
        let (root, rest) = path.split_once('.').unwrap_or((&path, ""));
        let first = match self.copies.get(root).cloned() {
            Some(of) => {
                let (point, rest) = (self.point(&of), rest.to_string());
                self.tensor_of_point(&point, &rest, &ty, name.span, &mut |this, path| {
                    this.kept_at(path, ty.clone(), init, name, scope)
                })?
            }
            None => self.first_value(init, &ty, &path, scope)?,
        };
        Ok(self.new_param(path, ty, Start::Value(first), name.span, true))
    }

    /// The value of a layer's state where the text has come to. In a loop it goes from step to step.
    fn present(&mut self, id: ParamId, depth: usize, span: Span) -> TermId {
        if let Some(term) = self.kept_now[depth].get(&id) {
            return *term;
        }
        let ty = self.params[id.0 as usize].ty.clone();
        if depth == 0 || !self.training {
            return self.leaf(Leaf::Param(id), ty, span);
        }
        let first = self.present(id, depth - 1, span);
        let at = self.loops[depth - 1].carries.len();
        let scan = self.loops[depth - 1].id;
        self.loops[depth - 1].carries.push((ty.clone(), first, None));
        self.loops[depth - 1].kept.push((id, at));
        let now = self.leaf(Leaf::Carry(scan, at), ty, span);
        self.kept_now[depth].insert(id, now);
        now
    }

    /// A state of a loop.
    fn carried(&mut self, name: &Name, ty: Option<&tree::Type>, init: &Init, scope: &mut Scope) -> Out<(TermId, Kept)> {
        let ty = match (ty, init) {
            (Some(written), _) => self.written_type(written, "a `state`", scope)?,
            (None, Init::Value(expr)) => {
                let value = self.value(expr, scope)?;
                let term = self.tensor(value, expr.span)?;
                Type { mask: None, ..self.ty(term).clone() }
            }
            (None, Init::Draw(_)) => {
                let error =
                    Diagnostic::error("E0216", "a draw says its shape", name.span, "of this one nothing is known");
                return Err(self.report(error.help(format!("write `state {}: [rows, columns] ~ …`", name.text))));
            }
        };
        let place = format!("{}/{}", self.place, name.text);
        let free = self.loops.last().map_or(Vec::new(), |around| around.free.clone());
        let ty = Type { free, ..ty };
        let first = self.first_value(init, &ty, &place, scope)?;
        let Some(around) = self.loops.last() else { return Err(Reported) };
        let (id, at, loop_at) = (around.id, around.carries.len(), around.span);
        if self.reads_leaf_of(first, id) {
            let message =
                format!("`{}` starts before the first step, and its first value reads what a step makes", name.text);
            let error = Diagnostic::error("E0272", message, name.span, "this state").label(loop_at, "of this scan");
            return Err(self.report(error.help("start from what is outside of the scan")));
        }
        if let Some(around) = self.loops.last_mut() {
            around.carries.push((ty.clone(), first, None));
        }
        Ok((self.leaf(Leaf::Carry(id, at), ty, name.span), Kept::Loop(at)))
    }

    fn first_value(&mut self, init: &Init, ty: &Type, place: &str, scope: &mut Scope) -> Out<TermId> {
        match init {
            Init::Value(expr) => {
                let value = self.value(expr, scope)?;
                self.of_state(value, expr.span, ty)
            }
            Init::Draw(expr) => self.drawn_as(ty, expr, place, scope),
        }
    }

    /// A value as one of a state: of its shape, or one number for all of it.
    pub(super) fn of_state(&mut self, value: Value, span: Span, ty: &Type) -> Out<TermId> {
        let literal = matches!(value, Value::Number(_));
        let term = self.tensor(value, span)?;
        let term = self.filled(term, 0.0, span);
        let found = self.ty(term).clone();
        let shape = found.agrees(ty) || (literal && found.axes.is_empty());
        if !shape || found.free.iter().any(|id| !ty.free.contains(id)) {
            let message = format!("expected {ty}, the type of the state, found {found}");
            return Err(self.error("E0210", message, span, &format!("this is {found}")));
        }
        match (&ty.elem, &found.elem) {
            (Elem::Float, Elem::Float) | (Elem::Int, Elem::Int) | (Elem::Bool, Elem::Bool) => Ok(term),
            (Elem::Class(one), Elem::Class(two)) if one.size.agrees(&two.size) => Ok(term),
            (Elem::Float, Elem::Int) | (Elem::Int, Elem::Class(_)) => Ok(self.cast_to(term, ty, span)),
            (Elem::Class(count), Elem::Int) if self.is_below(term, count.size.settled()) => {
                Ok(self.cast_to(term, ty, span))
            }
            _ => {
                let message = format!("expected {ty}, the type of the state, found {found}");
                Err(self.error("E0210", message, span, &format!("this is {found}")))
            }
        }
    }

    fn cast_to(&mut self, term: TermId, ty: &Type, span: Span) -> TermId {
        let found = self.ty(term).clone();
        self.term(Kind::Cast(term), Type { elem: ty.elem.clone(), mask: None, ..found }, span)
    }

    /// Whether a term is a whole number as written that names a class.
    pub(super) fn is_below(&self, term: TermId, classes: Option<i64>) -> bool {
        let Kind::Number(number) = self.terms.get(term).kind else { return false };
        number >= 0.0 && number.fract() == 0.0 && classes.is_none_or(|count| number < count as f64)
    }

    /// `h' = …`, `h'[n, e] = …`.
    pub(super) fn next_value(
        &mut self,
        target: &Target,
        ty: Option<&tree::Type>,
        init: &Init,
        span: Span,
        scope: &mut Scope,
    ) {
        let (Target::One(name) | Target::Indexed(name, _)) = target else {
            self.error("E0216", "a next value has one name", span, "here");
            return;
        };
        let now = name.text.strip_suffix('\'');
        let Some(at) = scope.states.iter().position(|state| Some(state.name.text.as_str()) == now) else {
            let wrong = now.and_then(|now| scope.get(now)).is_some_and(|bound| matches!(bound.value, Value::Wrong));
            if !wrong {
                self.no_state(name, span, scope);
            }
            scope.bind(name, Value::Wrong);
            return;
        };
        let state = scope.states[at].clone();
        let value = match (target, init) {
            (Target::Indexed(_, places), Init::Value(expr)) => {
                self.spread(name, places, expr, scope).map(|term| (Value::Tensor(term), expr.span))
            }
            (_, Init::Value(expr)) => self.value(expr, scope).map(|value| (value, expr.span)),
            (_, Init::Draw(expr)) => {
                let place = format!("{}/{}", self.place, name.text);
                let drawn = self.drawn_as(&state.ty, expr, &place, scope);
                drawn.map(|term| (Value::Tensor(term), expr.span))
            }
        };
        if let Some(ty) = ty {
            self.error("E0216", "a next value has the type of its state", ty.span, "leave this out");
        }
        match value.and_then(|(value, span)| self.of_state(value, span, &state.ty)) {
            Ok(term) => {
                // One number stands for the whole.
                let whole = self.ty(term).axes.len() == state.ty.axes.len();
                let term = if whole { term } else { self.everywhere(term, &state.ty, span) };
                scope.states[at].next = Some(term);
                scope.bind(name, Value::Tensor(term));
            }
            Err(Reported) => scope.bind(name, Value::Wrong),
        }
    }

    fn everywhere(&mut self, term: TermId, ty: &Type, span: Span) -> TermId {
        self.term(Kind::Cast(term), Type { mask: None, ..ty.clone() }, span)
    }

    fn no_state(&mut self, name: &Name, span: Span, scope: &mut Scope) {
        let known: Vec<&str> = scope.states.iter().map(|state| state.name.text.as_str()).collect();
        let Some(now) = name.text.strip_suffix('\'') else {
            let message = "this statement does not belong in a layer or function";
            let error = Diagnostic::error("E0216", message, span, "here");
            if known.contains(&name.text.as_str()) {
                self.report(error.help(format!("what a state is next has a prime: `{0}' = …`", name.text)));
                let next = Name { text: format!("{}'", name.text), span: name.span };
                scope.bind(&next, Value::Wrong);
            } else {
                self.report(error.help("name values with `let name = …`, and end with `out …`"));
            }
            return;
        };
        let message = format!("`{}` is the next value of nothing", name.text);
        let error = Diagnostic::error("E0216", message, name.span, format!("`{now}` is no state of this body"));
        let help = match nearest(now, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}'`?"),
            None => format!("declare it before: `state {now}: [columns] = 0`"),
        };
        self.report(error.help(help));
    }

    /// A body has come to its end: its states have their next values.
    pub(super) fn states_move(&mut self, scope: &Scope) {
        for state in &scope.states {
            let Some(next) = state.next else { continue };
            match state.kept {
                Kept::Layer(id) if self.training => {
                    let depth = self.loops.len();
                    self.kept_now[depth].insert(id, next);
                }
                Kept::Layer(_) | Kept::Point => {}
                Kept::Loop(at) => {
                    if let Some(around) = self.loops.last_mut() {
                        around.carries[at].2 = Some(next);
                    }
                }
            }
        }
    }

    /// The states of layers, and what they are after what was elaborated so far.
    pub(super) fn states_after(&self) -> Vec<(ParamId, TermId)> {
        let mut all: Vec<(ParamId, TermId)> = self.kept_now[0].iter().map(|(id, term)| (*id, *term)).collect();
        all.sort_unstable();
        all
    }
}
