//! Calls and pipes: what is called, and which argument is which parameter.

use super::{Elaborator, Out, Reported, nearest};
use crate::check::later::Later;
use crate::check::types::Origin;
use crate::check::value::{Bound, Recipe, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{Argument, Expr, ExprKind, Item, ItemKind, Layer, Name, Param};
use std::rc::Rc;

/// An argument with its value.
#[derive(Clone)]
pub(super) struct Arg {
    pub name: Option<Name>,
    pub value: Value,
    pub span: Span,
    /// Where the value was decided: of a name, where the name got it.
    pub origin: Origin,
}

impl Arg {
    pub(super) fn plain(value: Value, span: Span) -> Arg {
        Arg { name: None, value, span, origin: Origin { span, text: "is given here".into() } }
    }
}

impl Elaborator<'_> {
    pub(super) fn arguments(&mut self, arguments: &[Argument], scope: &mut Scope) -> Out<Vec<Arg>> {
        let mut given = Vec::new();
        let mut wrong = None;
        for argument in arguments {
            let span = argument.value.span;
            match self.value(&argument.value, scope) {
                Ok(value) => {
                    let passed_on = match &argument.value.kind {
                        ExprKind::Name(name) => scope.get(&name.text).map(|bound| bound.origin.clone()),
                        _ => None,
                    };
                    let plain = Arg::plain(value, span);
                    let origin = passed_on.unwrap_or_else(|| plain.origin.clone());
                    given.push(Arg { name: argument.name.clone(), origin, ..plain });
                }
                Err(reported) => wrong = Some(reported),
            }
        }
        wrong.map_or(Ok(given), Err)
    }

    /// `callee(arguments)`.
    pub(super) fn call(&mut self, callee: &Expr, given: Vec<Arg>, span: Span, scope: &mut Scope) -> Out<Value> {
        match self.callee(callee, scope)? {
            Value::Item(item) => match &item.kind {
                ItemKind::Fn(_) => self.apply_function(&item, given, span),
                ItemKind::Layer(layer) => self.call_layer(&item, layer, callee, given, span, scope),
                ItemKind::Optimizer(_) => {
                    let message = "an optimizer is named behind `using` in a `train` block";
                    Err(self.error("E0211", message, span, "this is an optimizer"))
                }
                _ => Err(self.not_callable("this item", callee.span)),
            },
            Value::Recipe(recipe) => self.apply_recipe(&recipe, given, span, scope),
            Value::Instance(recipe, path) => self.apply_instance(&recipe, &path, given, span),
            Value::Wrong => Err(Reported),
            other => Err(self.not_callable(other.noun(), callee.span)),
        }
    }

    fn not_callable(&mut self, noun: &str, span: Span) -> Reported {
        self.error("E0211", format!("{noun} cannot be called"), span, "this is called")
    }

    /// `from |> stage`: the value stands before the other inputs.
    pub(super) fn pipe(&mut self, from: &Expr, stage: &Expr, span: Span, scope: &mut Scope) -> Out<Value> {
        let input = self.value(from, scope);
        let piped = |value| Arg::plain(value, from.span);
        if let ExprKind::Call(callee, arguments) = &stage.kind {
            let rest = self.arguments(arguments, scope);
            let head = self.callee(callee, scope)?;
            let (input, rest) = (piped(input?), rest?);
            if let Value::Item(item) = &head
                && let ItemKind::Layer(layer) = &item.kind
            {
                let recipe = self.recipe(item, layer, callee, rest, stage.span, scope)?;
                return self.apply_recipe(&recipe, vec![input], span, scope);
            }
            let given = std::iter::once(input).chain(rest).collect();
            return self.call(callee, given, span, scope);
        }
        let input = piped(input?);
        let head = self.callee(stage, scope)?;
        // What is piped is an input, be it a tensor or a list.
        if let Value::Item(item) = &head
            && let ItemKind::Layer(layer) = &item.kind
        {
            let recipe = self.recipe(item, layer, stage, Vec::new(), stage.span, scope)?;
            return self.apply_recipe(&recipe, vec![input], span, scope);
        }
        match head {
            Value::List(_) => Err(self.later(Later::ListOfLayers, stage.span)),
            _ => self.call(stage, vec![input], span, scope),
        }
    }

    /// A layer by its name: with a tensor it is applied, with hyperparameters it is a recipe.
    fn call_layer(
        &mut self,
        item: &Rc<Item>,
        layer: &Layer,
        callee: &Expr,
        given: Vec<Arg>,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        let tensor = |arg: &Arg| arg.name.is_none() && matches!(arg.value, Value::Tensor(_) | Value::RawColumn(_));
        if !given.iter().any(tensor) {
            return Ok(Value::Recipe(self.recipe(item, layer, callee, given, span, scope)?));
        }
        let recipe = self.recipe(item, layer, callee, Vec::new(), span, scope)?;
        self.apply_recipe(&recipe, given, span, scope)
    }

    /// A layer with its hyperparameters, given or by default.
    pub(super) fn recipe(
        &mut self,
        item: &Rc<Item>,
        layer: &Layer,
        callee: &Expr,
        given: Vec<Arg>,
        span: Span,
        scope: &Scope,
    ) -> Out<Rc<Recipe>> {
        let hyper = self.settings(&layer.name, &layer.hyper, given, span)?;
        let segment = match &scope.home {
            crate::check::value::Home::Body { segments, .. } => segments.get(&callee.span).cloned(),
            crate::check::value::Home::None | crate::check::value::Home::Train => None,
        };
        let segment = segment.unwrap_or_else(|| layer.name.text.clone());
        Ok(Rc::new(Recipe { item: Rc::clone(item), hyper, segment }))
    }

    /// Arguments to hyperparameters, defaults for those that are not given.
    pub(super) fn settings(
        &mut self,
        owner: &Name,
        params: &[Param],
        given: Vec<Arg>,
        call: Span,
    ) -> Out<Vec<(String, Bound)>> {
        let given = self.assign(owner, params, given, call)?;
        let mut scope = Scope::default();
        let mut all = Vec::new();
        for (param, given) in params.iter().zip(given) {
            let bound = match (given, &param.default) {
                (Some(arg), _) => self.hyper(param, Bound { value: arg.value, origin: arg.origin }, arg.span)?,
                (None, Some(default)) => {
                    let value = self.value(default, &mut scope)?;
                    let origin = Origin { span: default.span, text: "is the default".into() };
                    self.hyper(param, Bound { value, origin }, default.span)?
                }
                (None, None) => return Err(Reported),
            };
            scope.insert(&param.name.text, bound.clone());
            all.push((param.name.text.clone(), bound));
        }
        Ok(all)
    }

    /// Which argument each parameter gets: unnamed ones in order, named ones by name. `None` leaves it to a default.
    pub(super) fn assign(
        &mut self,
        owner: &Name,
        params: &[Param],
        given: Vec<Arg>,
        call: Span,
    ) -> Out<Vec<Option<Arg>>> {
        let mut all: Vec<Option<Arg>> = vec![None; params.len()];
        let mut next = 0;
        let count = given.len();
        for arg in given {
            let at = match &arg.name {
                None => {
                    next += 1;
                    next - 1
                }
                Some(name) => match params.iter().position(|param| param.name.text == name.text) {
                    Some(at) => at,
                    None => return Err(self.unknown_setting(owner, params, name)),
                },
            };
            if at >= params.len() {
                let message = format!("`{}` takes {}, and here are {count}", owner.text, arguments(params.len()));
                let error = Diagnostic::error("E0212", message, arg.span, "one too many");
                return Err(self.report(error.label(owner.span, format!("`{}` is declared here", owner.text))));
            }
            if let Some(first) = &all[at] {
                let message = format!("`{}` is given twice", params[at].name.text);
                let error = Diagnostic::error("E0212", message, arg.span, "the second time");
                return Err(self.report(error.label(first.span, "the first time")));
            }
            all[at] = Some(arg);
        }
        let missing = params.iter().zip(&all).find(|(param, given)| given.is_none() && param.default.is_none());
        if let Some((param, _)) = missing {
            let message = format!("`{}` is not given its `{}`", owner.text, param.name.text);
            let error = Diagnostic::error("E0212", message, call, "in this call");
            return Err(self.report(error.label(param.name.span, "it is declared here, without a default")));
        }
        Ok(all)
    }

    fn unknown_setting(&mut self, owner: &Name, params: &[Param], name: &Name) -> Reported {
        let known: Vec<&str> = params.iter().map(|param| param.name.text.as_str()).collect();
        let near = nearest(&name.text, known.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("`{}` has no settings", owner.text),
            None => format!("it has {}", known.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
        };
        let message = format!("`{}` has no setting `{}`", owner.text, name.text);
        let error = Diagnostic::error("E0212", message, name.span, "unknown").help(help);
        self.report(error.label(owner.span, format!("`{}` is declared here", owner.text)))
    }
}

fn arguments(count: usize) -> String {
    match count {
        0 => "no argument".into(),
        1 => "1 argument".into(),
        _ => format!("{count} arguments"),
    }
}
