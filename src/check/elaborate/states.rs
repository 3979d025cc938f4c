//! States of a `train` block, and what models begin from.

use super::points::Point;
use super::{Elaborator, Out, Reported};
use crate::check::program::{From, Names, Renamed};
use crate::check::terms::{Leaf, ParamId, TermId};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{self, Expr, ExprKind, Init, Name, Target};

impl Elaborator<'_> {
    /// `state s: [k] = 0`, `state teacher = model`.
    pub(super) fn block_state(
        &mut self,
        target: &Target,
        ty: Option<&tree::Type>,
        init: &Init,
        span: Span,
        scope: &mut Scope,
    ) {
        if let (Target::One(name), None, Init::Value(expr)) = (target, ty, init) {
            let value = self.value(expr, scope).and_then(|value| self.unapplied(value, expr.span));
            let copied = value.and_then(|value| self.copied(name, value, expr.span));
            scope.bind(name, copied.unwrap_or(Value::Wrong));
            return;
        }
        self.param(target, ty, init, span, scope);
        if let Target::One(name) = target
            && let Some(id) = self.param_of.get(&name.text)
        {
            self.params[id.0 as usize].state = true;
        }
    }

    fn copied(&mut self, name: &Name, value: Value, at: Span) -> Out<Value> {
        match value {
            Value::Instance(recipe, path) => {
                self.claim(&name.text, name.span)?;
                self.is_root_of_block(&name.text);
                self.copies.insert(name.text.clone(), path);
                Ok(Value::Instance(recipe, name.text.clone()))
            }
            Value::Wrong => Err(Reported),
            other => {
                let message = format!("a `state` says its shape, or is a copy of a model; this is {}", other.noun());
                let error = Diagnostic::error("E0246", message, at, "here");
                Err(self.report(error.help(format!("write `state {}: [] = …`, with its sizes", name.text))))
            }
        }
    }

    /// `s' = …`: what a state is after a step.
    pub(super) fn next_of_block(
        &mut self,
        name: &Name,
        target: &Target,
        init: &Init,
        scope: &mut Scope,
        nexts: &mut Vec<(String, Value, Span)>,
    ) -> Out<()> {
        let now = name.text.trim_end_matches('\'');
        let state = scope.get(now).map(|bound| bound.value.clone());
        let known = match &state {
            Some(Value::Wrong) => return Err(Reported),
            Some(Value::Instance(_, path)) => self.copies.contains_key(path),
            Some(Value::Tensor(_)) => self.param_of.get(now).is_some_and(|id| self.params[id.0 as usize].state),
            _ => false,
        };
        if !known {
            let message = format!("`{}` is the next value of nothing", name.text);
            let error = Diagnostic::error("E0246", message, name.span, "here");
            return Err(
                self.report(error.help(format!("declare `state {now}` before it; parameters move by `minimize`")))
            );
        }
        // That it has two is told by whoever sees the text alone.
        if nexts.iter().any(|(known, ..)| known == now) {
            return Err(Reported);
        }
        let value = match (target, init) {
            (Target::Indexed(_, places), Init::Value(expr)) => Value::Tensor(self.spread(name, places, expr, scope)?),
            (_, Init::Value(expr) | Init::Draw(expr)) => self.value(expr, scope)?,
        };
        let at = match init {
            Init::Value(expr) | Init::Draw(expr) => expr.span,
        };
        let value = match (&state, value) {
            (_, Value::Wrong) => return Err(Reported),
            (Some(Value::Instance(own, _)), Value::Instance(other, path)) => {
                self.one_structure(own, &other, at)?;
                Value::Instance(other, path)
            }
            (Some(Value::Instance(..)), other) => {
                let message = format!("expected a model as the next value of `{now}`, found {}", other.noun());
                return Err(self.error("E0246", message, at, "here"));
            }
            (_, value) => {
                let term = self.numbers(value, at)?;
                let wanted = self.param_of.get(now).map(|id| self.params[id.0 as usize].ty.clone()).ok_or(Reported)?;
                let found = self.ty(term).clone();
                if !found.axes.is_empty() && !found.agrees(&wanted) {
                    let message = format!("expected the shape of `{now}`, {wanted}, found {found}");
                    return Err(self.error("E0210", message, at, "here"));
                }
                Value::Tensor(term)
            }
        };
        scope.bind(name, value.clone());
        nexts.push((now.to_string(), value, name.span));
        Ok(())
    }

    /// Next values by parameter, once all parameters are known.
    pub(super) fn nexts(&mut self, pending: Vec<(String, Value, Span)>) -> Out<Vec<(ParamId, TermId)>> {
        let mut nexts = Vec::new();
        for (state, value, at) in pending {
            match value {
                Value::Tensor(term) => nexts.push((*self.param_of.get(&state).ok_or(Reported)?, term)),
                Value::Instance(_, path) => {
                    let point = self.point(&path);
                    self.declare_copy(&state, at)?;
                    for (rest, id) in self.tensors_of(&state) {
                        let ty = self.params[id.0 as usize].ty.clone();
                        nexts.push((id, self.known_tensor(&point, &rest, &ty, at)?));
                    }
                }
                _ => return Err(Reported),
            }
        }
        Ok(nexts)
    }

    /// `model'`, `c'`: as it is after the last update of a step.
    pub(super) fn primed(&mut self, name: &str, span: Span, scope: &Scope) -> Option<Value> {
        let now = name.strip_suffix('\'')?;
        match scope.get(now)?.value.clone() {
            Value::Instance(recipe, path) if !self.copies.contains_key(&path) && !self.is_made_point(&path) => {
                Some(self.made_point(recipe, Point::Next(path)))
            }
            Value::Tensor(_) if self.roots.iter().any(|root| root == now) => {
                let id = *self.param_of.get(now)?;
                let param = &self.params[id.0 as usize];
                let ty = param.ty.clone();
                (!param.state).then(|| Value::Tensor(self.leaf(Leaf::Next(id), ty, span)))
            }
            _ => None,
        }
    }

    /// Notes that something of the block has parameters under a name of its own.
    pub(super) fn is_root_of_block(&mut self, path: &str) {
        if !self.roots.iter().any(|root| root == path) {
            self.roots.push(path.to_string());
        }
    }

    /// Whether a model runs as in evaluations while others are trained: a copy, and what is frozen whole.
    pub(super) fn is_still(&self, path: &str) -> bool {
        self.copies.contains_key(path) || self.frozen_models.contains(path)
    }

    /// `model from pretrain`: the model, and where its weights come from.
    pub(super) fn begins<'e>(&mut self, expr: &'e Expr) -> Out<(&'e Expr, Option<From>)> {
        let ExprKind::From(written) = &expr.kind else { return Ok((expr, None)) };
        let tree::From { model, source: from, names, except } = &**written;
        let (block, file) = match &from.kind {
            ExprKind::Name(name) => {
                let blocks = self.library.trains.clone();
                if !blocks.contains(&name.text) {
                    let message = format!("cannot find a `train` block `{}`", name.text);
                    let error = Diagnostic::error("E0248", message, from.span, "not found");
                    let near = crate::diagnostic::nearest(&name.text, blocks.iter().map(String::as_str));
                    let help = match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None if blocks.is_empty() => "weights of a file are named by its path in quotes".to_string(),
                        None => format!("there are {}", blocks.join(", ")),
                    };
                    return Err(self.report(error.help(help)));
                }
                (Some(name.text.clone()), None)
            }
            ExprKind::Text(path) => (None, Some(path.clone())),
            _ => return Err(self.error("E0248", "expected a `train` block or a path after `from`", from.span, "here")),
        };
        let from = From {
            block,
            file,
            names: names.as_ref().map(names_of),
            except: except.iter().map(|pattern| (pattern.value.clone(), pattern.span)).collect(),
            span: from.span,
        };
        Ok((model, Some(from)))
    }
}

/// The names of a `from` as it is written.
fn names_of(names: &tree::Names) -> Names {
    let own = |text: &tree::Text| (text.value.clone(), text.span);
    let renamed =
        |one: &tree::Renamed| Renamed { theirs: own(&one.theirs), ours: own(&one.ours), transposed: one.transposed };
    match names {
        tree::Names::File(path) => Names::File(path.value.clone(), path.span),
        tree::Names::Table(table) => Names::Table(table.iter().map(renamed).collect()),
    }
}
