//! Bodies: functions, layers and the parameters that layers have.

use super::call::Arg;
use super::{Elaborator, Out, Reported};
use crate::check::later::Later;
use crate::check::program;
use crate::check::shapes::with_origin;
use crate::check::terms::{Leaf, ParamId, Start};
use crate::check::types::Type;
use crate::check::value::{Bound, Distribution, Home, Recipe, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{self, Expr, ExprKind, FnBody, Function, Init, Item, ItemKind, Name, Statement};
use crate::syntax::tree::{StatementKind, Target, TypeKind};
use crate::syntax::walk;
use std::collections::HashMap;
use std::rc::Rc;

impl Elaborator<'_> {
    pub(super) fn apply_function(&mut self, item: &Rc<Item>, given: Vec<Arg>, span: Span) -> Out<Value> {
        let ItemKind::Fn(function) = &item.kind else { return Err(Reported) };
        if matches!(function.body, FnBody::Primitive)
            && let Some(two) = self.shortcut(&function.name.text, &given, span)
        {
            return two;
        }
        let given = self.assign(&function.name, &function.params, given, span)?;
        self.inside(span, &function.name.text, |this| this.function_body(function, given, span))
    }

    fn function_body(&mut self, function: &Function, given: Vec<Option<Arg>>, span: Span) -> Out<Value> {
        let mut scope = Scope::default();
        self.bind_inputs(&function.name, &function.params, given, &mut scope)?;
        let (value, at) = match &function.body {
            FnBody::Primitive => (self.primitive(&function.name.text, &function.params, &scope, span)?, span),
            FnBody::Expr(body) => (self.value(body, &mut scope)?, body.span),
            FnBody::Block(body) => self.body(body, &mut scope, function.name.span)?,
        };
        match (&function.result, &function.body) {
            (Some(ty), FnBody::Expr(_) | FnBody::Block(_)) => self.check_result(value, at, ty, &mut scope),
            (Some(_), FnBody::Primitive) | (None, _) => Ok(value),
        }
    }

    fn bind_inputs(
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

    /// Applies a recipe where it stands: an instance of its own.
    pub(super) fn apply_recipe(
        &mut self,
        recipe: &Rc<Recipe>,
        given: Vec<Arg>,
        span: Span,
        scope: &Scope,
    ) -> Out<Value> {
        let Some(path) = self.path_in(scope, &recipe.segment) else {
            let message = "a `fn` has no parameters, so it makes no layers of its own";
            let error = Diagnostic::error("E0217", message, span, "this layer would have parameters");
            return Err(self.report(error.help("make it a `layer`, or hand the layer in")));
        };
        self.apply_instance(recipe, &path, given, span)
    }

    /// The path of a part of a body; `None` where a body keeps no parameters.
    pub(super) fn path_in(&self, scope: &Scope, segment: &str) -> Option<String> {
        match &scope.home {
            Home::None => None,
            Home::Body { path, .. } if path.is_empty() => Some(segment.to_string()),
            Home::Body { path, .. } => Some(format!("{path}.{segment}")),
            Home::Train => Some(segment.to_string()),
        }
    }

    pub(super) fn apply_instance(
        &mut self,
        recipe: &Rc<Recipe>,
        path: &str,
        given: Vec<Arg>,
        span: Span,
    ) -> Out<Value> {
        let ItemKind::Layer(layer) = &recipe.item.kind else { return Err(Reported) };
        let given = self.assign(&layer.name, &layer.inputs, given, span)?;
        self.inside(span, &layer.name.text, |this| {
            let mut scope = Scope::default();
            for (name, bound) in &recipe.hyper {
                scope.insert(name, bound.clone());
            }
            let segments = Rc::new(this.segments(&layer.body));
            scope.home = Home::Body { path: path.to_string(), segments };
            this.bind_inputs(&layer.name, &layer.inputs, given, &mut scope)?;
            let (value, at) = this.body(&layer.body, &mut scope, layer.name.span)?;
            match &layer.result {
                Some(ty) => this.check_result(value, at, ty, &mut scope),
                None => Ok(value),
            }
        })
    }

    /// The names of the uses of layers in a body: `dense_1`, `dense_2`, in the order of the text, whether taken or not.
    pub(super) fn segments<'s>(&mut self, body: impl IntoIterator<Item = &'s Statement>) -> HashMap<Span, String> {
        let mut names: Vec<Name> = Vec::new();
        for statement in body {
            walk::expressions(statement, &mut |expr| {
                if let ExprKind::Name(name) = &expr.kind {
                    names.push(Name { text: name.text.clone(), span: expr.span });
                }
            });
        }
        names.sort_by_key(|name| name.span.start);
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut segments = HashMap::new();
        for name in names {
            let item = self.library.find(&name.text, self.sources, &mut self.found);
            if item.is_some_and(|item| matches!(item.kind, ItemKind::Layer(_))) {
                let count = counts.entry(name.text.clone()).or_default();
                *count += 1;
                segments.insert(name.span, format!("{}_{count}", name.text));
            }
        }
        segments
    }

    /// Runs the statements of a body; its result, and where that is written.
    fn body(&mut self, body: &[Statement], scope: &mut Scope, owner: Span) -> Out<(Value, Span)> {
        let mut result = None;
        for statement in body {
            match &statement.kind {
                StatementKind::Let(target, ty, init) => self.local(target, ty.as_ref(), init, statement.span, scope),
                StatementKind::Param(target, ty, init) => self.param(target, ty.as_ref(), init, statement.span, scope),
                StatementKind::Out(expr) => result = Some((self.value(expr, scope), expr.span)),
                StatementKind::State(..) => {
                    self.later(Later::StateInLayer, statement.span);
                }
                StatementKind::Emit(..) => {
                    self.later(Later::Emit, statement.span);
                }
                StatementKind::Assign(..)
                | StatementKind::Minimize(_)
                | StatementKind::Report(..)
                | StatementKind::Predict(..)
                | StatementKind::Calibrate(..) => {
                    let message = "this statement does not belong in a layer or function";
                    let error = Diagnostic::error("E0216", message, statement.span, "here");
                    self.report(error.help("name values with `let name = …`, and end with `out …`"));
                }
            }
        }
        match result {
            Some((value, span)) => Ok((value?, span)),
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
            (Target::Several(names), _) => {
                self.later(Later::Apart, span);
                names.iter().for_each(|name| scope.bind(name, Value::Wrong));
                return;
            }
            (Target::One(name) | Target::Indexed(name, _), Init::Draw(_)) => {
                (name, Err(self.later(Later::DrawnLet, span)))
            }
        };
        scope.bind(name, value.unwrap_or(Value::Wrong));
    }

    fn named_value(&mut self, name: &Name, ty: Option<&tree::Type>, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        let value = self.value(expr, scope)?;
        let value = match value {
            Value::Recipe(recipe) => match self.path_in(scope, &name.text) {
                Some(path) => Value::Instance(recipe, path),
                None => Value::Recipe(recipe),
            },
            other => other,
        };
        match ty {
            Some(ty) => self.check_result(value, expr.span, ty, scope),
            None => Ok(value),
        }
    }

    /// `param w: [d, units] ~ glorot_uniform`, `param b: [units] = 0`.
    fn param(&mut self, target: &Target, ty: Option<&tree::Type>, init: &Init, span: Span, scope: &mut Scope) {
        let name = match target {
            Target::One(name) => name,
            Target::Several(_) | Target::Indexed(..) => {
                self.error("E0216", "a `param` has one name and a type", span, "this one has not");
                return;
            }
        };
        let value = self.param_value(name, ty, init, span, scope);
        scope.bind(name, value.unwrap_or(Value::Wrong));
    }

    fn param_value(
        &mut self,
        name: &Name,
        ty: Option<&tree::Type>,
        init: &Init,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        let Some(path) = self.path_in(scope, &name.text) else {
            let error = Diagnostic::error("E0217", "a `fn` has no parameters", span, "this is one");
            return Err(self.report(error.help("make it a `layer`")));
        };
        let Some(tree::Type { kind: TypeKind::Tensor(tree::Elem::Float, axes), .. }) = ty else {
            let error =
                Diagnostic::error("E0216", "a `param` says its shape", name.span, "of this one nothing is known");
            return Err(self.report(error.help(format!("write `param {}: [rows, columns] = 0`", name.text))));
        };
        let mut sizes = Vec::new();
        for axis in axes {
            match axis {
                tree::Axis::Size(size) => sizes.push(self.size(size, scope)?),
                tree::Axis::Rest(Some(rest), at) => match scope.rest(&rest.text) {
                    Some(axes) => sizes.extend_from_slice(axes),
                    None => return Err(self.error("E0201", "nothing is called so", *at, "unknown")),
                },
                tree::Axis::Rest(None, at) => return Err(self.error("E0216", "a `param` says its shape", *at, "here")),
            }
        }
        if let Some(open) = sizes.iter().find(|axis| axis.size.settled().is_none()) {
            let message = format!("a parameter has a settled shape, and `{}` is known only in a run", open.size);
            let error = Diagnostic::error("E0218", message, name.span, "this parameter");
            return Err(self.report(with_origin(error, open)));
        }
        let ty = Type::float(sizes);
        if let Some(at) = self.params.iter().position(|param| param.path == path) {
            return self.same_param(at, ty, name.span);
        }
        let start = self.start(&ty, init, scope)?;
        self.params.push(program::Param { path, ty: ty.clone(), start, span: name.span });
        let leaf = Leaf::Param(ParamId(self.params.len() as u32 - 1));
        Ok(Value::Tensor(self.leaf(leaf, ty, name.span)))
    }

    /// The parameter that is there already: an instance that is used again must ask for the same shape.
    fn same_param(&mut self, at: usize, ty: Type, span: Span) -> Out<Value> {
        let known = &self.params[at];
        if known.ty.sizes() == ty.sizes() {
            return Ok(Value::Tensor(self.leaf(Leaf::Param(ParamId(at as u32)), ty, span)));
        }
        let message = format!("`{}` is {} in one use and {ty} in another", known.path, known.ty);
        let mut error = Diagnostic::error("E0203", message, span, "one parameter has one shape");
        for axis in known.ty.axes.iter().zip(&ty.axes).filter(|(a, b)| a.size != b.size).flat_map(|(a, b)| [a, b]) {
            error = with_origin(error, axis);
        }
        Err(self.report(error))
    }

    fn start(&mut self, ty: &Type, init: &Init, scope: &mut Scope) -> Out<Start> {
        match init {
            Init::Value(expr) => {
                let value = self.value(expr, scope)?;
                let term = self.numbers(value, expr.span)?;
                let found = self.ty(term);
                if found.axes.is_empty() || found.sizes() == ty.sizes() {
                    return Ok(Start::Value(term));
                }
                let message = format!("a parameter {ty} does not start from {found}");
                Err(self.error("E0210", message, expr.span, "write a number, or a value of its shape"))
            }
            Init::Draw(expr) => {
                let Distribution { draw, first, second } = self.distribution(ty, expr, scope)?;
                Ok(Start::Drawn(draw, first, second))
            }
        }
    }

    /// `glorot_uniform`, `he_normal(fan_in = …)`: a `[in, out]` matrix says its fans itself.
    pub(super) fn distribution(&mut self, ty: &Type, expr: &Expr, scope: &mut Scope) -> Out<Distribution> {
        let (callee, arguments) = match &expr.kind {
            ExprKind::Call(callee, arguments) => (&**callee, self.arguments(arguments, scope)?),
            _ => (expr, Vec::new()),
        };
        let value = match self.value(callee, scope)? {
            Value::Item(item) => {
                let given = match &item.kind {
                    ItemKind::Fn(function) => self.with_fans(function, arguments, ty, expr.span),
                    _ => arguments,
                };
                self.apply_function(&item, given, expr.span)?
            }
            other => other,
        };
        match value {
            Value::Distribution(distribution) => Ok(distribution),
            other => {
                let message = format!("behind `~` stands a distribution, and this is {}", other.noun());
                Err(self.error("E0211", message, expr.span, "here"))
            }
        }
    }

    fn with_fans(&mut self, function: &Function, mut given: Vec<Arg>, ty: &Type, span: Span) -> Vec<Arg> {
        let [fan_in, fan_out] = &ty.axes[..] else { return given };
        for (word, axis) in [("fan_in", fan_in), ("fan_out", fan_out)] {
            let wanted = function.params.iter().any(|param| param.name.text == word);
            let named = given.iter().any(|arg| arg.name.as_ref().is_some_and(|name| name.text == word));
            if let (true, false, Some(size)) = (wanted, named, axis.size.settled()) {
                let name = Name { text: word.into(), span };
                let value = Value::Number(crate::check::number::Number::whole(size));
                given.push(Arg { name: Some(name), ..Arg::plain(value, span) });
            }
        }
        given
    }
}
