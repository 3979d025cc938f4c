//! Layers with parameters: an unapplied call is a recipe; a name, or a place in a body, makes an instance of it.

use super::call::{Arg, Site};
use super::signature::RESULT;
use super::{Elaborator, MAX_CALLS, Out, Reported};
use crate::check::names::foreign;
use crate::check::terms::{Leaf, TermId};
use crate::check::value::{Bound, Layers, Namespace, Recipe, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Item, ItemKind, Layer, Name, Param, Statement, Type, TypeKind, Word};
use crate::syntax::walk;
use std::collections::HashMap;
use std::rc::Rc;

impl Elaborator<'_> {
    /// Applies a recipe where it stands: an instance of its own, which `as` makes known by a name.
    pub(super) fn apply_recipe(
        &mut self,
        recipe: &Rc<Recipe>,
        given: Vec<Arg>,
        site: Site,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        self.is_not_the_model(recipe, span, scope)?;
        let given = self.handed_in(given, scope)?;
        let segment = site.name.map_or(&recipe.segment, |name| &name.text);
        let Some(path) = self.path_in(scope, segment) else {
            let message = "a `fn` has no parameters, so it makes no layers of its own";
            let error = Diagnostic::error("E0217", message, span, "this layer would have parameters");
            return Err(self.report(error.help("make it a `layer`, or hand the layer in")));
        };
        if recipe.has_parameters() {
            self.claim(&path, site.name.map_or(site.at, |name| name.span))?;
            self.note_root(&path, scope);
        }
        let value = self.apply_instance(recipe, &path, given, span);
        if let Some(name) = site.name {
            scope.bind(name, Value::Instance(Rc::clone(recipe), path));
        }
        value
    }

    /// The path of a part of a body; `None` where a body keeps no parameters.
    pub(super) fn path_in(&self, scope: &Scope, segment: &str) -> Option<String> {
        match &scope.namespace {
            Namespace::None => None,
            Namespace::Layer(path) => Some(joined(path, segment)),
            Namespace::Train => Some(segment.to_string()),
        }
    }

    /// What a `train` block makes has its name before its paths.
    pub(super) fn note_root(&mut self, path: &str, scope: &Scope) {
        if matches!(scope.namespace, Namespace::Train) {
            self.is_root_of_block(path);
        }
    }

    /// A layer by its name alone is a recipe with every hyperparameter by default.
    pub(super) fn unapplied(&mut self, value: Value, at: Span) -> Out<Value> {
        match &value {
            Value::Item(item) => match &item.kind {
                ItemKind::Layer(layer) => Ok(Value::Recipe(self.recipe(item, layer, at, Vec::new(), at)?)),
                _ => Ok(value),
            },
            _ => Ok(value),
        }
    }

    /// Layers among inputs: a recipe becomes an instance where it is handed in, so that what gets it may apply it.
    pub(super) fn handed_in(&mut self, given: Vec<Arg>, scope: &Scope) -> Out<Vec<Arg>> {
        let mut all = Vec::new();
        for arg in given {
            let value = if matches!(scope.namespace, Namespace::None) {
                arg.value
            } else {
                self.unapplied(arg.value, arg.span)?
            };
            let value = match value {
                Value::List(parts) if self.is_of_layers(&parts) => self.handed_in_list(parts, scope)?,
                Value::Recipe(recipe) => match self.path_in(scope, &recipe.segment) {
                    Some(path) => {
                        self.is_not_the_model(&recipe, arg.span, scope)?;
                        self.claim(&path, arg.span)?;
                        self.note_root(&path, scope);
                        Value::Instance(recipe, path)
                    }
                    None => Value::Recipe(recipe),
                },
                other => other,
            };
            all.push(Arg { value, ..arg });
        }
        Ok(all)
    }

    /// A list of layers among inputs: each is made where it is handed in.
    fn handed_in_list(&mut self, parts: Vec<(Value, Span)>, scope: &Scope) -> Out<Value> {
        let mut made = Vec::new();
        for (number, (value, at)) in parts.into_iter().enumerate() {
            let value = self.unapplied(value, at)?;
            made.push((self.made_in_place(value, number, at, scope)?, at));
        }
        Ok(Value::List(made))
    }

    /// In a `train` block the net of the model's name is `model`. Applied by that name it would be a second one, trained unseen.
    fn is_not_the_model(&mut self, recipe: &Recipe, span: Span, scope: &Scope) -> Out<()> {
        let Namespace::Train = scope.namespace else { return Ok(()) };
        let Some(Bound { value: Value::Instance(model, _), origin }) = scope.get("model") else { return Ok(()) };
        let (Some(model), Some(own)) = (model.layer(), recipe.layer()) else { return Ok(()) };
        if model.span != own.span {
            return Ok(());
        }
        let net = &own.text;
        let message = format!("`{net}` makes a second net here, whose parameters are not those of `model`");
        let error = Diagnostic::error("E0223", message, span, "this net is a new one")
            .label(origin.span, "this one is called `model`");
        let help = format!("write `model(x)`; a second net is made by `let other = {net}` and applied by `other(x)`");
        Err(self.report(error.help(help)))
    }

    /// Whether a `let` among the items is a layer, which has its name where a body applies it.
    fn is_let_of_layer(&mut self, name: &str) -> bool {
        let bound = self.file_let(name).ok();
        bound.is_some_and(|bound| match bound.value {
            Value::Recipe(_) => true,
            Value::List(parts) => self.is_of_layers(&parts),
            Value::Item(item) => matches!(item.kind, ItemKind::Layer(_)),
            _ => false,
        })
    }

    /// Notes where the layer of a path is made. Two of one path would share their parameters unseen.
    pub(super) fn claim(&mut self, path: &str, at: Span) -> Out<()> {
        if self.undecided() {
            return Ok(());
        }
        let first = *self.made.entry(path.to_string()).or_insert(at);
        if first == at {
            return Ok(());
        }
        let message = format!("two layers are called `{path}`");
        Err(self.report(Diagnostic::error("E0202", message, at, "the second").label(first, "the first")))
    }

    pub(super) fn apply_instance(&mut self, recipe: &Recipe, path: &str, given: Vec<Arg>, span: Span) -> Out<Value> {
        if self.undecided() {
            // Its parameters may be others in a use.
            self.broken.insert(path.to_string());
        }
        let around = self.training;
        self.training &= !self.is_still(path);
        let made = match &recipe.layers {
            Layers::One { item, hyper } => self.apply_layer(item, hyper, path, given, span),
            Layers::Repeat { times: Some(times), of } => self.apply_repeated(*times, of, path, given, span),
            Layers::Repeat { times: None, of } => self.apply_some(of, path, given, span),
        };
        self.training = around;
        if made.is_err() {
            self.broken.insert(path.to_string());
        }
        made
    }

    fn apply_layer(
        &mut self,
        item: &Item,
        hyper: &[(String, Bound)],
        path: &str,
        given: Vec<Arg>,
        span: Span,
    ) -> Out<Value> {
        let ItemKind::Layer(layer) = &item.kind else { return Err(Reported) };
        let given = self.assign(&layer.name, &layer.inputs, given, span)?;
        self.left_alone(&layer.name)?;
        let noted = self.noted(&layer.name, &layer.inputs, &given);
        let value = self.inside(span, &layer.name.text, |this| {
            let mut scope = Scope::default();
            for (name, bound) in hyper {
                scope.insert(name, bound.clone());
            }
            scope.namespace = Namespace::Layer(path.to_string());
            this.reached.insert(layer.name.span);
            this.bind_inputs(&layer.name, &layer.inputs, given, &mut scope)?;
            this.at_place(path, |this| this.layer_result(layer, scope))
        });
        self.note_applied(&layer.name, noted, span, &value);
        value
    }

    /// What a layer gives, where its hyperparameters and inputs are bound.
    pub(super) fn layer_result(&mut self, layer: &Layer, mut scope: Scope) -> Out<Value> {
        self.name_uses(layer.name.span, &layer.hyper, &layer.body);
        let (terms, calls) = (self.terms.count(), self.calls.len());
        let result = self.body(&layer.body, &mut scope, layer.name.span);
        let (value, at) = result?;
        let value = match &layer.result {
            Some(ty) => self.check_result(value, (at, RESULT), ty, &mut scope)?,
            None => value,
        };
        if layer.is_model {
            self.warn_of_joins(&value, terms, calls);
        }
        Ok(value)
    }

    /// Each on what the one before it gives; further inputs are the same for all.
    pub(super) fn apply_repeated(
        &mut self,
        times: usize,
        of: &Value,
        path: &str,
        given: Vec<Arg>,
        span: Span,
    ) -> Out<Value> {
        let Some((first, further)) = given.split_first() else {
            let message = "what is repeated is not given its input";
            return Err(self.error("E0212", message, span, "in this call"));
        };
        let mut value = first.value.clone();
        for number in 0..times {
            let input = Arg { value, ..first.clone() };
            let given = std::iter::once(input).chain(further.iter().cloned()).collect();
            value = self.block(|this| match of {
                Value::Recipe(recipe) => this.apply_instance(recipe, &joined(path, &number.to_string()), given, span),
                Value::Instance(recipe, own) => this.apply_instance(recipe, own, given, span),
                Value::Item(item) => this.apply_function(item, given, span),
                Value::List(parts) => this.chain(parts, Some(&joined(path, &number.to_string())), given, span),
                _ => Err(Reported),
            })?;
        }
        Ok(value)
    }

    /// Applies one of several layers in a row, and notes what it gives if it is within no other.
    pub(super) fn block(&mut self, apply: impl FnOnce(&mut Self) -> Out<Value>) -> Out<Value> {
        self.passing += 1;
        let value = apply(self);
        self.passing -= 1;
        if let (0, Ok(Value::Tensor(given))) = (self.passing, &value) {
            self.passed.push(*given);
        }
        value
    }

    /// `repeat(times, layer)`.
    pub(super) fn repeat(&mut self, times: &Bound, of: Value, span: Span) -> Out<Value> {
        let at = times.origin.span;
        let times = if self.may_be_constant(&times.value) { None } else { Some(self.count(&times.value, at)?) };
        let of = self.unapplied(of, span)?;
        let segment = match &of {
            Value::Recipe(recipe) => recipe.segment.clone(),
            Value::List(parts) => parts.iter().find_map(|(part, _)| segment_of(part)).unwrap_or("repeat").to_string(),
            _ => "repeat".to_string(),
        };
        Ok(Value::Recipe(Rc::new(Recipe { layers: Layers::Repeat { times, of }, segment })))
    }

    fn count(&mut self, times: &Value, at: Span) -> Out<usize> {
        let whole = self.whole(times, "a count", at)?;
        match usize::try_from(whole).ok().filter(|count| *count <= MAX_CALLS) {
            Some(count) => Ok(count),
            None => {
                let message = format!("expected between 0 and {MAX_CALLS} repetitions, found {whole}");
                Err(self.error("E0213", message, at, "here"))
            }
        }
    }

    /// The names of the uses of layers in a body: `dense_1`, `dense_2`, in the order of the text, whether taken or not.
    pub(super) fn name_uses<'s>(
        &mut self,
        owner: Span,
        hyper: &[Param],
        body: impl IntoIterator<Item = &'s Statement>,
    ) {
        if !self.named.insert(owner) {
            return;
        }
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
        for name in names {
            let handed_in = hyper.iter().find(|param| param.name.text == name.text);
            let is_layer = match handed_in {
                Some(param) => param.ty.as_ref().is_some_and(is_of_layers),
                None => match self.library.find_for(&name, self.sources, &mut self.found) {
                    Some(item) if matches!(item.kind, ItemKind::Let(_)) => self.is_let_of_layer(&name.text),
                    item => item.is_some_and(|item| matches!(item.kind, ItemKind::Layer(_))),
                },
            };
            if is_layer {
                let count = counts.entry(name.text.clone()).or_default();
                *count += 1;
                self.segments.insert(name.span, format!("{}_{count}", name.text));
            }
        }
    }

    /// A recipe that was handed in is another instance at each place that names it.
    pub(super) fn at_its_place(&self, value: Value, at: Span) -> Value {
        match (value, self.segments.get(&at)) {
            (Value::Recipe(recipe), Some(segment)) => {
                let (layers, segment) = (recipe.layers.clone(), segment.clone());
                Value::Recipe(Rc::new(Recipe { layers, segment }))
            }
            (Value::List(parts), Some(segment)) if self.is_of_layers(&parts) => {
                let own = |(value, span): (Value, Span)| match value {
                    Value::Recipe(recipe) => {
                        let (layers, segment) = (recipe.layers.clone(), segment.clone());
                        (Value::Recipe(Rc::new(Recipe { layers, segment })), span)
                    }
                    value => (value, span),
                };
                Value::List(parts.into_iter().map(own).collect())
            }
            (value, _) => value,
        }
    }

    /// `head.w`: a parameter of a layer that was applied before.
    pub(super) fn part(&mut self, base: &Expr, part: &Name, span: Span, scope: &mut Scope) -> Out<Value> {
        let (mut base, mut names) = (base, vec![part]);
        while let ExprKind::Field(inner, name) = &base.kind {
            (base, names) = (inner, std::iter::once(name).chain(names).collect());
        }
        let mut value = self.value(base, scope)?;
        let mut names = names.into_iter();
        while let Value::Tuple(_) | Value::Table(_) | Value::Set(_) = value {
            let Some(name) = names.next() else { return Ok(value) };
            value = match value {
                Value::Tuple(parts) => self.named_part(parts, base.span, name)?,
                Value::Table(table) => self.column_of_table(table, name, base.span)?,
                Value::Set(set) => self.part_of_set(set, name, base.span)?,
                other => other,
            };
        }
        let segments: Vec<&str> = names.map(|name| name.text.as_str()).collect();
        let segments = segments.join(".");
        let own = match value {
            value if segments.is_empty() => return Ok(value),
            Value::Instance(_, own) => own,
            Value::Tensor(term) => return Err(self.no_part(term, base, &segments, part)),
            Value::Wrong => return Err(Reported),
            Value::Item(item) if matches!(item.kind, ItemKind::Data(_)) => {
                return Err(self.part_of_other_set(&item, part, base.span).unwrap_or(Reported));
            }
            // How a list or a number is read is decided by a use.
            open if self.may_be_constant(&open) => return Err(Reported),
            other => {
                let message = format!("{} has no part `{}`", other.noun(), part.text);
                let error = Diagnostic::error("E0264", message, part.span, "not found").label(base.span, other.noun());
                let known = self.library.find(&part.text, self.sources, &mut self.found).is_some();
                let help = || format!("what is applied next stands behind `|>`: `x |> … |> {}`", part.text);
                let advice = foreign::advice(&part.text, |_| true).map(str::to_string);
                return Err(self.report(match advice.or_else(|| known.then(help)) {
                    Some(help) => error.help(help),
                    None => error,
                }));
            }
        };
        if let Some(id) = self.param_of.get(&joined(&own, &segments)) {
            let ty = self.params[id.0 as usize].ty.clone();
            return Ok(Value::Tensor(self.leaf(Leaf::Param(*id), ty, span)));
        }
        // What it lacks, it may lack because it could not be applied.
        if self.broken.contains(&own) {
            return Err(Reported);
        }
        let prefix = joined(&own, "");
        let known: Vec<String> =
            self.params.iter().filter_map(|param| param.path.strip_prefix(&prefix)).map(str::to_string).collect();
        // Nor could it be applied to data that are wrong.
        if known.is_empty() && self.blind {
            return Err(Reported);
        }
        let error = Diagnostic::error("E0201", format!("cannot find parameter `{segments}`"), part.span, "not found")
            .label(base.span, "of this layer");
        let help = match nearest(&segments, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "its parameters are known after it was applied".to_string(),
            None => format!("it has {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        };
        Err(self.report(error.help(help)))
    }
}

impl Elaborator<'_> {
    /// Tensors have no methods and no attributes.
    fn no_part(&mut self, term: TermId, base: &Expr, part: &str, at: &Name) -> Reported {
        let ty = self.ty(term).clone();
        let shown = self.sources.text(base.span).to_string();
        let known = self.library.find(part, self.sources, &mut self.found).is_some();
        let error = Diagnostic::error("E0211", format!("a tensor has no part `{part}`"), at.span, "not found")
            .label(base.span, format!("this is {ty}"));
        self.report(match part {
            "shape" | "size" | "len" => error.help("a signature names sizes: `x: [n, d]`"),
            "T" => error.help(format!("write `transpose({shown})`")),
            _ if known => {
                error.help(format!("what is applied stands before its input: `{part}({shown})` or `{shown} |> {part}`"))
            }
            _ => match foreign::advice(part, |_| true) {
                Some(advice) => error.help(advice),
                None => error,
            },
        })
    }
}

/// A part of what has a path; the model has none.
fn joined(path: &str, segment: &str) -> String {
    if path.is_empty() { segment.to_string() } else { format!("{path}.{segment}") }
}

/// Whether a written type is that of layers.
fn is_of_layers(ty: &Type) -> bool {
    match &ty.kind {
        TypeKind::Word(word) => *word == Word::Layer,
        TypeKind::List(inner) => is_of_layers(inner),
        TypeKind::Tensor(..) | TypeKind::Either(_) | TypeKind::Tuple(_) => false,
    }
}

/// The segment of a layer that has no name.
fn segment_of(value: &Value) -> Option<&str> {
    match value {
        Value::Recipe(recipe) => Some(&recipe.segment),
        _ => None,
    }
}
