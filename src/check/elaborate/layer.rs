//! Bodies of functions and layers.

use super::call::Arg;
use super::lazy::names_of;
use super::signature::RESULT;
use super::{Elaborator, Out, Reported};
use crate::check::types::Type;
use crate::check::value::{Bound, Namespace, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{
    self, Expr, ExprKind, FnBody, Function, Init, Item, ItemKind, Name, Statement, StatementKind, Target,
};
use std::rc::Rc;

impl Elaborator<'_> {
    pub(super) fn apply_function(&mut self, item: &Rc<Item>, given: Vec<Arg>, span: Span) -> Out<Value> {
        self.apply_for(item, given, span, None)
    }

    /// The same for a result of a type that is asked for, which says the sizes that only the result names.
    pub(super) fn apply_for(
        &mut self,
        item: &Rc<Item>,
        given: Vec<Arg>,
        span: Span,
        wanted: Option<&Type>,
    ) -> Out<Value> {
        let ItemKind::Fn(function) = &item.kind else { return Err(Reported) };
        if matches!(function.body, FnBody::Primitive)
            && let Some(two) = self.shortcut(&function.name.text, &given, span)
        {
            return two;
        }
        if let [Arg { value: Value::Emitted(parts), span: at, .. }] = &given[..]
            && self.library.is_stdlib(function.name.span.source)
            && let Some(reduced) = self.over_emitted(&function.name.text, parts, *at, span)
        {
            return reduced;
        }
        let given = self.assign(&function.name, &function.params, given, span)?;
        self.left_alone(&function.name)?;
        let joins = self.joins.len();
        let noted = self.noted(&function.name, &function.params, &given);
        let value = self.inside(span, &function.name.text, |this| {
            this.at_place(&function.name.text, |this| this.function_body(function, given, span, wanted))
        });
        self.note_result(joins, span, &value);
        self.note_applied(&function.name, noted, span, &value);
        value
    }

    fn function_body(
        &mut self,
        function: &Function,
        given: Vec<Option<Arg>>,
        span: Span,
        wanted: Option<&Type>,
    ) -> Out<Value> {
        let mut scope = Scope::default();
        self.reached.insert(function.name.span);
        self.bind_inputs(&function.name, &function.params, given, &mut scope)?;
        self.sizes_of_result(function, wanted, &mut scope, span)?;
        self.function_result(function, scope, span)
    }

    /// What a function gives, where its parameters are bound.
    pub(super) fn function_result(&mut self, function: &Function, mut scope: Scope, span: Span) -> Out<Value> {
        let (value, at) = match &function.body {
            FnBody::Primitive => (self.primitive(&function.name.text, &function.params, &scope, span)?, span),
            FnBody::Expr(body) => (self.value(body, &mut scope)?, body.span),
            FnBody::Block(body) => self.body(body, &mut scope, function.name.span)?,
        };
        match (&function.result, &function.body) {
            (Some(ty), FnBody::Expr(_) | FnBody::Block(_)) => self.check_result(value, (at, RESULT), ty, &mut scope),
            (Some(_), FnBody::Primitive) | (None, _) => Ok(value),
        }
    }

    pub(super) fn bind_inputs(
        &mut self,
        owner: &Name,
        params: &[tree::Param],
        given: Vec<Option<Arg>>,
        scope: &mut Scope,
    ) -> Out<()> {
        for (param, given) in params.iter().zip(given) {
            let arg = match (given, &param.default) {
                (Some(arg), _) => arg,
                (None, Some(default)) => Arg::plain(self.value(default, scope)?, default.span),
                (None, None) => return Err(Reported),
            };
            let (value, origin) = (arg.value, arg.origin);
            self.enter(param, Bound { value, origin }, arg.span, &owner.text, scope)?;
        }
        Ok(())
    }

    /// Runs the statements of a body; its result, and where that is written.
    pub(super) fn body(&mut self, body: &[Statement], scope: &mut Scope, owner: Span) -> Out<(Value, Span)> {
        let (mut result, mut emitted) = (None, Vec::new());
        let first = self.terms.count();
        let lazy = self.candidates(body);
        for (at, statement) in body.iter().enumerate() {
            match &statement.kind {
                StatementKind::Let(target, ..)
                    if names_of(target).iter().any(|name| lazy.contains(&name.text))
                        && self.is_left_out(target, &body[at + 1..], scope) =>
                {
                    names_of(target).into_iter().for_each(|name| scope.bind(name, Value::Wrong));
                }
                StatementKind::Let(target, ty, init) => self.local(target, ty.as_ref(), init, statement.span, scope),
                StatementKind::Param(target, ty, init) => self.param(target, ty.as_ref(), init, statement.span, scope),
                StatementKind::Out(expr) => result = Some((self.value(expr, scope), expr.span)),
                StatementKind::State(target, ty, init) => self.state(target, ty.as_ref(), init, statement.span, scope),
                StatementKind::Assign(target, ty, init) => {
                    self.next_value(target, ty.as_ref(), init, statement.span, scope);
                }
                StatementKind::Emit(name, expr) => emitted.extend(self.emission(name, expr, scope)),
                StatementKind::Check(name, condition) => self.holds(name, condition, scope)?,
                StatementKind::Minimize(_)
                | StatementKind::Report(..)
                | StatementKind::Predict(..)
                | StatementKind::Calibrate(..) => {
                    let message = "this statement does not belong in a layer or function";
                    let error = Diagnostic::error("E0216", message, statement.span, "here");
                    self.report(error.help("name values with `let name = …`, and end with `out …`"));
                }
            }
        }
        self.states_move(scope);
        match result {
            Some((value, span)) => Ok((self.keep_emitted(emitted, value?, first), span)),
            None => {
                let error = Diagnostic::error("E0216", "this has no result", owner, "its body has no `out`");
                Err(self.report(error.help("add `out …`")))
            }
        }
    }

    /// `let name = …`; what is wrong leaves the name bound, so that it is not reported again.
    pub(super) fn local(
        &mut self,
        target: &Target,
        ty: Option<&tree::Type>,
        init: &Init,
        span: Span,
        scope: &mut Scope,
    ) {
        let (name, value) = match (target, init) {
            (Target::One(name), Init::Value(expr)) => (name, self.named_value(name, ty, expr, scope)),
            (Target::Indexed(name, places), Init::Value(expr)) => {
                (name, self.spread(name, places, expr, scope).map(Value::Tensor))
            }
            (Target::Several(names), Init::Value(expr)) => {
                let parts = self.value(expr, scope).and_then(|value| self.apart(value, names, expr.span));
                for (at, name) in names.iter().enumerate() {
                    let part = parts.as_ref().map_or(Value::Wrong, |parts| parts[at].clone());
                    scope.bind(name, part);
                    if matches!(expr.kind, ExprKind::Scan(_)) {
                        scope.is_of_scan(&name.text);
                    }
                }
                return;
            }
            (Target::Several(names), Init::Draw(_)) => {
                self.error("E0216", "a draw has one name", span, "this one has several");
                names.iter().for_each(|name| scope.bind(name, Value::Wrong));
                return;
            }
            (Target::One(name), Init::Draw(expr)) => (name, self.drawn(name, ty, expr, scope)),
            (Target::Indexed(name, _), Init::Draw(_)) => {
                let error = Diagnostic::error("E0216", "a draw has a type, not indices", span, "here");
                let help = format!("write `let {}: [n, 8] ~ …`", name.text);
                (name, Err(self.report(error.help(help))))
            }
        };
        scope.bind(name, value.unwrap_or(Value::Wrong));
        if let (Target::One(_), Init::Value(Expr { kind: ExprKind::Scan(_), .. })) = (target, init) {
            scope.is_of_scan(&name.text);
        }
    }

    /// The parts of several values, one for each name.
    pub(super) fn apart(&mut self, value: Value, names: &[Name], span: Span) -> Out<Vec<Value>> {
        let values: Vec<Value> = match value.listed() {
            Value::Tuple(parts) => parts.into_iter().map(|part| part.value).collect(),
            Value::List(parts) => parts.into_iter().map(|(part, _)| part).collect(),
            Value::Tensor(term) => return self.along_first(term, names, span),
            Value::Wrong => return Err(Reported),
            other => {
                let message = format!("expected {} values, found {}", names.len(), other.noun());
                return Err(self.error("E0227", message, span, other.noun()));
            }
        };
        self.as_many(names, values.len(), span)?;
        Ok(values)
    }

    pub(super) fn as_many(&mut self, names: &[Name], found: usize, span: Span) -> Out<()> {
        let (Some(first), Some(last)) = (names.first(), names.last()) else { return Err(Reported) };
        if names.len() == found {
            return Ok(());
        }
        let message = format!("{} names for {found} values", names.len());
        let error = Diagnostic::error("E0227", message, first.span.to(last.span), format!("{} names", names.len()));
        Err(self.report(error.label(span, format!("{found} values"))))
    }

    fn named_value(&mut self, name: &Name, ty: Option<&tree::Type>, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        let (expr, begins) =
            if matches!(scope.namespace, Namespace::Train) { self.begins(expr)? } else { (expr, None) };
        let value = self.value(expr, scope)?;
        let value = if matches!(scope.namespace, Namespace::None) { value } else { self.unapplied(value, expr.span)? };
        let value = match value {
            Value::Recipe(recipe) => match self.path_in(scope, &name.text) {
                Some(path) => {
                    self.claim(&path, name.span)?;
                    self.note_root(&path, scope);
                    self.begun.extend(begins.map(|from| (path.clone(), from)));
                    Value::Instance(recipe, path)
                }
                None => Value::Recipe(recipe),
            },
            Value::List(parts) if begins.is_none() && self.is_of_layers(&parts) => {
                match self.path_in(scope, &name.text) {
                    Some(path) => self.bound_at(parts, &path, name.span)?,
                    None => Value::List(parts),
                }
            }
            other if begins.is_some() => {
                let message = format!("a model begins from other weights, and this is {}", other.noun());
                return Err(self.error("E0248", message, expr.span, "here"));
            }
            other => other,
        };
        match ty {
            Some(ty) => self.check_result(value, (expr.span, &format!("`{}`", name.text)), ty, scope),
            None => Ok(value),
        }
    }
}
