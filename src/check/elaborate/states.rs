//! States of a `train` block, and models as points in the space of parameters: a structure, and for each path a tensor.

use super::{Elaborator, Out, Reported};
use crate::check::program::{From, TypedProgram};
use crate::check::terms::{Kind, Leaf, ParamId, TermId};
use crate::check::types::Type;
use crate::check::value::{Recipe, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Reduce, ScalarOp};
use crate::source::Span;
use crate::syntax::tree::{self, Binary, Expr, ExprKind, Init, Name, Target};
use std::rc::Rc;

/// A point in the space of the parameters of a model.
#[derive(Clone, Debug)]
pub(super) enum Point {
    /// The model at a path.
    Of(String),
    /// The same as it is after the last update of a step.
    Next(String),
    /// The same number for every element.
    Number(TermId),
    Made(ScalarOp, Box<Point>, Box<Point>),
    /// The derivative of a number by a point.
    Slope(TermId, Box<Point>),
}

/// What begins the path of a point that is made of others.
const MADE: char = '\u{1}';

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
        if let Some((_, _, first)) = nexts.iter().find(|(known, ..)| known == now) {
            let message = format!("`{}` has two next values", name.text);
            let error = Diagnostic::error("E0246", message, name.span, "the second").label(*first, "the first");
            return Err(self.report(error));
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
            Value::Instance(recipe, path) if !self.copies.contains_key(&path) && !path.starts_with(MADE) => {
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

    /// Sums and scalings of models are models; so is whatever is done tensor by tensor. `None` where neither is a model.
    pub(super) fn of_points(
        &mut self,
        op: Binary,
        a: &(Value, Span),
        b: &(Value, Span),
        span: Span,
    ) -> Option<Out<Value>> {
        let recipe = match (&a.0, &b.0) {
            (Value::Instance(recipe, _), _) | (_, Value::Instance(recipe, _)) => Rc::clone(recipe),
            _ => return None,
        };
        let op = match op {
            Binary::Add => ScalarOp::Add,
            Binary::Subtract => ScalarOp::Sub,
            Binary::Multiply => ScalarOp::Mul,
            Binary::Divide => ScalarOp::Div,
            Binary::Power => ScalarOp::Pow,
            _ => {
                let message = "models can be added, subtracted and scaled, and nothing else";
                return Some(Err(self.error("E0247", message, span, "here")));
            }
        };
        if let (Value::Instance(one, _), Value::Instance(two, _)) = (&a.0, &b.0)
            && let Err(reported) = self.one_structure(one, two, span)
        {
            return Some(Err(reported));
        }
        let mut points = Vec::new();
        for (value, at) in [a, b] {
            match self.as_point(value.clone(), *at) {
                Ok(point) => points.push(Box::new(point)),
                Err(reported) => return Some(Err(reported)),
            }
        }
        let two = points.pop()?;
        let one = points.pop()?;
        Some(Ok(self.made_point(recipe, Point::Made(op, one, two))))
    }

    fn as_point(&mut self, value: Value, at: Span) -> Out<Point> {
        match value {
            Value::Instance(_, path) => Ok(self.point(&path)),
            other => {
                let term = self.numbers(other, at)?;
                let ty = self.ty(term).clone();
                if ty.axes.is_empty() {
                    return Ok(Point::Number(term));
                }
                let message = format!("a model is scaled by one number, and this is {ty}");
                Err(self.error("E0247", message, at, "here"))
            }
        }
    }

    /// Points that meet are of one layer.
    fn one_structure(&mut self, one: &Recipe, two: &Recipe, at: Span) -> Out<()> {
        match (one.layer(), two.layer()) {
            (Some(one), Some(two)) if one.span != two.span => {
                let message = format!("models of two structures, `{}` and `{}`, do not meet", one.text, two.text);
                let error = Diagnostic::error("E0247", message, at, "here");
                Err(self.report(error.label(one.span, "one of them").label(two.span, "the other")))
            }
            _ => Ok(()),
        }
    }

    fn made_point(&mut self, recipe: Rc<Recipe>, point: Point) -> Value {
        self.points.push(point);
        Value::Instance(recipe, format!("{MADE}{}", self.points.len() - 1))
    }

    /// The point of an instance.
    fn point(&self, path: &str) -> Point {
        match path.strip_prefix(MADE).and_then(|number| self.points.get(number.parse::<usize>().ok()?)) {
            Some(made) => made.clone(),
            None => Point::Of(path.to_string()),
        }
    }

    pub(super) fn is_made_point(&self, path: &str) -> bool {
        path.starts_with(MADE)
    }

    /// Of the path of a parameter in a made point: the point, and the path within the model.
    pub(super) fn within_point(&self, path: &str) -> Option<(Point, String)> {
        let (root, rest) = path.split_once('.')?;
        root.starts_with(MADE).then(|| (self.point(root), rest.to_string()))
    }

    /// The tensor of a point at a path, whose model has been applied.
    fn known_tensor(&mut self, point: &Point, rest: &str, ty: &Type, span: Span) -> Out<TermId> {
        self.tensor_of_point(point, rest, ty, span, &mut |this, path| {
            this.param_of.get(&path).copied().ok_or_else(|| {
                let message = format!("the model has no parameter `{path}`");
                this.error("E0247", message, span, "it was never applied, or is of another shape")
            })
        })
    }

    /// The tensor of a point at a path within the model; `param` finds the parameter of a whole path.
    pub(super) fn tensor_of_point(
        &mut self,
        point: &Point,
        rest: &str,
        ty: &Type,
        span: Span,
        param: &mut dyn FnMut(&mut Self, String) -> Out<ParamId>,
    ) -> Out<TermId> {
        match point {
            Point::Of(path) | Point::Next(path) => {
                let whole = if path.is_empty() { rest.to_string() } else { format!("{path}.{rest}") };
                let id = param(self, whole)?;
                let leaf = if matches!(point, Point::Of(_)) { Leaf::Param(id) } else { Leaf::Next(id) };
                Ok(self.leaf(leaf, ty.clone(), span))
            }
            Point::Number(term) => Ok(*term),
            Point::Made(op, a, b) => {
                let a = self.tensor_of_point(a, rest, ty, span, param)?;
                let b = self.tensor_of_point(b, rest, ty, span, param)?;
                let whole = [a, b].iter().any(|term| !self.ty(*term).axes.is_empty());
                let ty = if whole { ty.clone() } else { Type { axes: Vec::new(), ..ty.clone() } };
                Ok(self.term(Kind::Scalar(*op, vec![a, b]), ty, span))
            }
            Point::Slope(of, by) => {
                let by = self.tensor_of_point(by, rest, ty, span, param)?;
                // Nothing moves by the slope of a layer's state.
                let base = base_of(point).unwrap_or_default().to_string();
                let ty = Type { mask: None, ..ty.clone() };
                let kind = match self.is_of_layer_state(&base, rest) {
                    true => return Ok(self.term(Kind::Number(0.0), Type { axes: Vec::new(), ..ty }, span)),
                    false => Kind::Grad { of: *of, by },
                };
                Ok(self.term(kind, ty, span))
            }
        }
    }

    /// Whether a tensor of a live model is a state of its layers; all of a copy are states of the block.
    fn is_of_layer_state(&self, base: &str, rest: &str) -> bool {
        let whole = if base.is_empty() { rest.to_string() } else { format!("{base}.{rest}") };
        let state = self.param_of.get(&whole).is_some_and(|id| self.params[id.0 as usize].state);
        state && !self.copies.contains_key(base)
    }

    /// `grad(loss, model)`: a point as well, of the derivatives by each tensor.
    pub(super) fn slope(&mut self, of: (TermId, Span), recipe: Rc<Recipe>, path: &str, at: Span) -> Value {
        let point = self.point(path);
        let base = base_of(&point).unwrap_or_default();
        let own: Vec<ParamId> = self.tensors_of(base).into_iter().map(|(_, id)| id).collect();
        if !TypedProgram::used(&self.terms, &[of.0]).iter().any(|id| own.contains(id)) {
            let text = self.sources.text(at).to_string();
            let warning =
                Diagnostic::error("W0271", "this derivative is 0 everywhere", at, "no tensor of this model is read")
                    .label(of.1, "this is differentiated");
            self.report(warning.help(format!("apply the model in what is differentiated: `{text}(x)`")).warning());
        }
        self.made_point(recipe, Point::Slope(of.0, Box::new(point)))
    }

    /// The parameters of a model of the block: their paths within it, in the order in which they were declared.
    fn tensors_of(&self, root: &str) -> Vec<(String, ParamId)> {
        let ids = (0..self.params.len() as u32).map(ParamId).filter(|id| self.owner(*id) == root);
        let rest = |id: ParamId| {
            let path = &self.params[id.0 as usize].path;
            let within = if root.is_empty() { path } else { path.get(root.len() + 1..)? };
            Some((within.to_string(), id))
        };
        ids.filter_map(rest).collect()
    }

    /// `total(model^2)`: the sum of all elements of all tensors of a point.
    pub(super) fn total_of(&mut self, path: &str, span: Span) -> Out<Value> {
        let point = self.point(path);
        let base = base_of(&point).unwrap_or_default().to_string();
        self.totalled = true;
        let mut sum: Option<TermId> = None;
        for (rest, id) in self.tensors_of(&base) {
            if self.is_of_layer_state(&base, &rest) {
                continue;
            }
            let ty = self.params[id.0 as usize].ty.clone();
            let term = self.known_tensor(&point, &rest, &ty, span)?;
            let scalar = Type { axes: Vec::new(), ..ty };
            let own = self.term(Kind::Fold(Reduce::Sum, term), scalar.clone(), span);
            sum = Some(match sum {
                Some(before) => self.term(Kind::Scalar(ScalarOp::Add, vec![before, own]), scalar, span),
                None => own,
            });
        }
        match sum {
            Some(sum) => Ok(Value::Tensor(sum)),
            // The model is applied behind this: the statements are read once more.
            None => {
                Ok(Value::Tensor(self.term(Kind::Number(0.0), Type::scalar(crate::check::types::Elem::Float), span)))
            }
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
            names: names.as_ref().map(|names| names.value.clone()),
            except: except.iter().map(|pattern| (pattern.value.clone(), pattern.span)).collect(),
            span: from.span,
        };
        Ok((model, Some(from)))
    }
}

/// The model whose structure a point has.
fn base_of(point: &Point) -> Option<&str> {
    match point {
        Point::Of(path) | Point::Next(path) => Some(path),
        Point::Number(_) => None,
        Point::Made(_, a, b) => base_of(a).or_else(|| base_of(b)),
        Point::Slope(_, by) => base_of(by),
    }
}
