//! Calls and pipes: what is called, and which argument is which parameter.

use super::optimizer::TOTAL;
use super::taken::AS;
use super::{Elaborator, Out, Reported};
use crate::check::library::declares_function;
use crate::check::names::settings;
use crate::check::types::Origin;
use crate::check::value::{Bound, Layers, Recipe, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::source::Span;
use crate::syntax::tree::{Argument, Expr, ExprKind, FnBody, Item, ItemKind, Layer, Name, Param, Type, TypeKind, Word};
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

/// Where something is applied, and the name that the application gets: `… as head`.
#[derive(Clone, Copy)]
pub(super) struct Site<'e> {
    pub at: Span,
    pub name: Option<&'e Name>,
}

impl Arg {
    pub(super) fn plain(value: Value, span: Span) -> Arg {
        Arg { name: None, value, span, origin: Origin { span, text: "is given here".into() } }
    }
}

impl Elaborator<'_> {
    pub(super) fn arguments(&mut self, arguments: &[Argument], scope: &mut Scope) -> Out<Vec<Arg>> {
        let mut given = Vec::new();
        let (mut wrong, mut taken) = (None, None);
        for argument in arguments {
            let span = argument.value.span;
            if self.in_data_block() && argument.name.as_ref().is_some_and(|name| name.text == AS) {
                match self.taken_from(argument) {
                    Ok(column) => taken = Some(column),
                    Err(reported) => wrong = Some(reported),
                }
                continue;
            }
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
                // What nothing is known of is an argument still, with a name and a place.
                Err(Reported) if self.alone.is_some() => {
                    given.push(Arg { name: argument.name.clone(), ..Arg::plain(Value::Wrong, span) });
                }
                Err(reported) => wrong = Some(reported),
            }
        }
        self.taken = taken;
        wrong.map_or(Ok(given), Err)
    }

    /// Whether an expression stands in the text of a `data` block itself.
    fn in_data_block(&self) -> bool {
        self.open.is_some() && self.calls.is_empty()
    }

    /// `callee(arguments)`, `callee(arguments) as name`.
    pub(super) fn applied(
        &mut self,
        callee: &Expr,
        arguments: &[Argument],
        name: Option<&Name>,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        if let ExprKind::Name(called) = &callee.kind
            && called.text == "columns"
            && let Some(table) = self.columns(arguments, span)
        {
            return table;
        }
        if let (true, [argument]) = (self.takes_total(callee, scope), arguments) {
            return self.total(&argument.value, span);
        }
        if let [Argument { name: None, value }] = arguments
            && let Some(last) = self.last_of_scan(callee, value, span, scope)?
        {
            return Ok(last);
        }
        if let ExprKind::Field(base, part) = &callee.kind
            && part.text == "inverse"
        {
            return self.inverse_call(base, part, arguments, span, scope);
        }
        let given = self.arguments(arguments, scope)?;
        let head = self.callee(callee, scope)?;
        self.call(head, Site { at: callee.span, name }, given, span, scope)
    }

    /// Whether a callee is the sum over all parameters that an optimizer moves.
    fn takes_total(&self, callee: &Expr, scope: &Scope) -> bool {
        let named = matches!(&callee.kind, ExprKind::Name(name) if name.text == TOTAL);
        self.totals.is_some() && named && scope.get(TOTAL).is_none()
    }

    pub(super) fn call(
        &mut self,
        head: Value,
        site: Site,
        given: Vec<Arg>,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        match self.taken.take() {
            Some(taken) => self.taking(taken, |this| this.called(head, site, given, span, scope)),
            None => self.called(head, site, given, span, scope),
        }
    }

    fn called(&mut self, head: Value, site: Site, given: Vec<Arg>, span: Span, scope: &mut Scope) -> Out<Value> {
        match head {
            Value::Recipe(recipe) => self.apply_recipe(&recipe, given, site, span, scope),
            Value::Item(item) => match &item.kind {
                ItemKind::Layer(layer) => self.call_layer(&item, layer, site, given, span, scope),
                ItemKind::Fn(function) => {
                    self.unnamed(site, "a function")?;
                    let primitive = matches!(function.body, FnBody::Primitive);
                    let given = if primitive { given } else { self.handed_in(given, scope)? };
                    self.apply_function(&item, given, span)
                }
                ItemKind::Optimizer(_) => {
                    let message = "an optimizer is named behind `using` in a `train` block";
                    Err(self.error("E0211", message, span, "this is an optimizer"))
                }
                _ => Err(self.not_callable("this item", site.at)),
            },
            Value::Instance(recipe, path) => {
                self.unnamed(site, "one that has its name")?;
                let given = self.handed_in(given, scope)?;
                self.apply_instance(&recipe, &path, given, span)
            }
            Value::List(parts) => self.composition(parts, given, site, span, scope),
            Value::Wrong => Err(Reported),
            other => {
                Err(self.hides_a_function(&other, site.at).unwrap_or_else(|| self.not_callable(other.noun(), site.at)))
            }
        }
    }

    /// A name that is called as the library's function of that name, which it hides here; told once.
    fn hides_a_function(&mut self, value: &Value, span: Span) -> Option<Reported> {
        let name = self.sources.text(span);
        if !declares_function(name) {
            return None;
        }
        let noun = value.noun();
        let message = format!("`{name}` is {noun} here, which hides the library's function of that name");
        if self.found.iter().any(|found| found.message == message) {
            return Some(Reported);
        }
        let error = Diagnostic::error("E0211", message, span, "this is called");
        Some(self.report(error.help("give what is yours another name")))
    }

    fn not_callable(&mut self, noun: &str, span: Span) -> Reported {
        let error = Diagnostic::error("E0211", format!("{noun} cannot be called"), span, "this is called");
        self.report(match noun {
            "a tensor" => error.help("a layer that is to be applied is named without its input: `let f = dense(8)`"),
            _ => error,
        })
    }

    /// Only a layer that is made where it is applied can get a name there.
    pub(super) fn unnamed(&mut self, site: Site, noun: &str) -> Out<()> {
        let Some(name) = site.name else { return Ok(()) };
        let message = format!("expected a layer that is made and applied here before `as`, found {noun}");
        Err(self.report(Diagnostic::error("E0211", message, name.span, "here").label(site.at, "this")))
    }

    /// `from |> stage`: the value stands before the other inputs.
    pub(super) fn pipe(&mut self, from: &Expr, stage: &Expr, span: Span, scope: &mut Scope) -> Out<Value> {
        if self.takes_total(stage, scope) {
            return self.total(from, span);
        }
        if let ExprKind::Field(base, part) = &stage.kind
            && part.text == "inverse"
        {
            return self.inverse_call(base, part, &[Argument { name: None, value: from.clone() }], span, scope);
        }
        if let Some(last) = self.last_of_scan(stage, from, span, scope)? {
            return Ok(last);
        }
        let input = self.value(from, scope);
        if let Ok(first) = &input
            && let Some(chain) = self.layers_of_pipe(first, from.span, stage, scope)?
        {
            return Ok(chain);
        }
        let (stage, name) = match &stage.kind {
            ExprKind::As(stage, name) => (&**stage, Some(name)),
            _ => (stage, None),
        };
        let (callee, rest) = match &stage.kind {
            ExprKind::Call(callee, arguments) => (&**callee, Some(self.arguments(arguments, scope))),
            _ => (stage, None),
        };
        let head = self.callee(callee, scope)?;
        let site = Site { at: callee.span, name };
        let input = if self.alone.is_some() { input.unwrap_or(Value::Wrong) } else { input? };
        let (input, rest) = (Arg::plain(input, from.span), rest.transpose()?);
        match (&head, rest) {
            // What is piped to a layer is its input, be it a tensor or a list.
            (Value::Item(item), hyper)
                if takes_hyper(item) && (hyper.is_some() || matches!(item.kind, ItemKind::Layer(_))) =>
            {
                let hyper = hyper.unwrap_or_default();
                let layer = match &item.kind {
                    ItemKind::Layer(layer) => Value::Recipe(self.recipe(item, layer, site.at, hyper, stage.span)?),
                    _ => self.apply_function(item, hyper, stage.span)?,
                };
                self.call(layer, site, vec![input], span, scope)
            }
            (_, rest) => {
                let given = std::iter::once(input).chain(rest.unwrap_or_default()).collect();
                self.call(head, site, given, span, scope)
            }
        }
    }

    /// A pipe that begins with a layer that has no input yet is the composition of its stages, as a list of them is.
    fn layers_of_pipe(&mut self, first: &Value, at: Span, stage: &Expr, scope: &mut Scope) -> Out<Option<Value>> {
        let mut parts = match first {
            Value::Recipe(_) | Value::Instance(..) => vec![(first.clone(), at)],
            Value::List(parts) if !parts.is_empty() && self.is_of_layers(parts) => parts.clone(),
            _ => return Ok(None),
        };
        let callee = if let ExprKind::Call(callee, _) = &stage.kind { callee } else { stage };
        if matches!(stage.kind, ExprKind::As(..)) || takes_a_layer(&self.callee(callee, scope)?) {
            return Ok(None);
        }
        match self.value(stage, scope)? {
            Value::List(more) if self.is_of_layers(&more) => parts.extend(more),
            next @ (Value::Recipe(_) | Value::Instance(..) | Value::Item(_)) => parts.push((next, stage.span)),
            _ => return Ok(None),
        }
        Ok(Some(Value::List(parts)))
    }

    /// A layer by its name: with a tensor it is applied, with hyperparameters it is a recipe.
    fn call_layer(
        &mut self,
        item: &Rc<Item>,
        layer: &Layer,
        site: Site,
        given: Vec<Arg>,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        let unnamed = |arg: &&Arg| arg.name.is_none();
        let tensor = |arg: &Arg| {
            arg.name.is_none()
                && matches!(arg.value, Value::Tensor(_) | Value::RawColumn(_) | Value::Table(_) | Value::OfTable(..))
                && !self.may_be_constant(&arg.value)
        };
        // Either its input or a hyperparameter.
        if given.iter().filter(unnamed).any(|arg| matches!(arg.value, Value::Wrong)) {
            return Err(Reported);
        }
        if !given.iter().any(tensor) {
            self.unnamed(site, "a layer without input")?;
            return Ok(Value::Recipe(self.recipe(item, layer, site.at, given, span)?));
        }
        let recipe = self.recipe(item, layer, site.at, Vec::new(), span)?;
        self.apply_recipe(&recipe, given, site, span, scope)
    }

    /// A layer with its hyperparameters, given or by default.
    pub(super) fn recipe(
        &mut self,
        item: &Rc<Item>,
        layer: &Layer,
        at: Span,
        given: Vec<Arg>,
        span: Span,
    ) -> Out<Rc<Recipe>> {
        let hyper = self.settings(&layer.name, &layer.hyper, given, span)?;
        let segment = self.segments.get(&at).cloned().unwrap_or_else(|| layer.name.text.clone());
        Ok(Rc::new(Recipe { layers: Layers::One { item: Rc::clone(item), hyper }, segment }))
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
                let error = Diagnostic::error("E0212", message, arg.span, "one too many")
                    .label(owner.span, format!("`{}` is declared here", owner.text));
                let meant_as_axis = matches!(arg.value, Value::Number(_)) && count == 2 && self.goes_along(owner);
                return Err(self.report(match meant_as_axis {
                    true => error.help(along_an_index(&owner.text)),
                    false => error,
                }));
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

    /// Whether a function reads elements of one axis together, so that it may be meant to go along one.
    fn goes_along(&mut self, owner: &Name) -> bool {
        let item = self.library.find(&owner.text, self.sources, &mut self.found);
        let Some(ItemKind::Fn(function)) = item.as_deref().map(|item| &item.kind) else { return false };
        let axes = |ty: Option<&Type>| match ty.map(|ty| &ty.kind) {
            Some(TypeKind::Tensor(_, axes)) => Some(axes.len()),
            _ => None,
        };
        let takes = axes(function.params.first().and_then(|param| param.ty.as_ref()));
        // `[..s]` to `[..s]` is element by element.
        takes.is_some() && (takes, axes(function.result.as_ref())) != (Some(1), Some(1))
    }

    fn unknown_setting(&mut self, owner: &Name, params: &[Param], name: &Name) -> Reported {
        let known: Vec<&str> = params.iter().map(|param| param.name.text.as_str()).collect();
        let near = nearest(&name.text, known.iter().copied());
        let help = match near {
            _ if AXIS.contains(&name.text.as_str()) && self.goes_along(owner) => along_an_index(&owner.text),
            _ if let Some(advice) = settings::advice(&name.text, &known) => advice,
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("`{}` has no settings", owner.text),
            None => format!("it has {}", known.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
        };
        let message = format!("`{}` has no setting `{}`", owner.text, name.text);
        let error = Diagnostic::error("E0212", message, name.span, "not found").help(help);
        self.report(error.label(owner.span, format!("`{}` is declared here", owner.text)))
    }
}

/// Whether what stands in the parentheses of a stage are hyperparameters: of a layer, and of what makes layers of layers.
fn takes_hyper(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Layer(_) => true,
        ItemKind::Fn(function) => {
            let gives = function.result.as_ref().map(|ty| &ty.kind);
            matches!((gives, &function.body), (Some(TypeKind::Word(Word::Layer)), FnBody::Primitive))
        }
        _ => false,
    }
}

/// What other libraries call the axis that a function goes along.
const AXIS: [&str; 6] = ["axis", "axes", "dim", "dims", "keepdim", "keepdims"];

/// What to do where an axis is given by its number.
fn along_an_index(name: &str) -> String {
    format!("axes have no numbers here, an index goes along one: `{name}(j: x[i, j])` for each `i` of `let y[i] = …`")
}

fn arguments(count: usize) -> String {
    match count {
        0 => "no argument".into(),
        1 => "1 argument".into(),
        _ => format!("{count} arguments"),
    }
}

/// Whether the first thing that a function or layer takes is a layer.
fn takes_a_layer(head: &Value) -> bool {
    let first = match head {
        Value::Item(item) => match &item.kind {
            ItemKind::Fn(function) => function.params.first(),
            ItemKind::Layer(layer) => layer.inputs.first(),
            _ => None,
        },
        Value::Recipe(recipe) | Value::Instance(recipe, _) => match &recipe.layers {
            Layers::One { item, .. } => match &item.kind {
                ItemKind::Layer(layer) => layer.inputs.first(),
                _ => None,
            },
            Layers::Repeat { .. } => None,
        },
        _ => None,
    };
    let word = first.and_then(|param| param.ty.as_ref()).map(|ty| &ty.kind);
    matches!(word, Some(TypeKind::Word(Word::Layer | Word::Fn)))
}
