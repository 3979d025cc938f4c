//! Models as points in the space of their parameters: a structure, and for each path a tensor.

use super::call::Arg;
use super::draw::Drawn;
use super::{Elaborator, Out, Reported};
use crate::check::program::TypedProgram;
use crate::check::terms::{Kind, Leaf, ParamId, Start, TermId};
use crate::check::types::{Elem, Type};
use crate::check::value::{Law, Recipe, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Reduce, ScalarOp, philox};
use crate::source::Span;
use crate::syntax::tree::{Binary, Expr, ItemKind, Name};
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
    /// One that has a number of its own: each of its tensors is one term, so that something can be differentiated by it.
    Known(usize),
    /// Element by element.
    Made(ScalarOp, Vec<Point>),
    /// The derivative of a number by a point.
    Slope(TermId, Box<Point>),
    /// The same numbers, through which no gradient flows.
    Still(Box<Point>),
    /// Draws for each tensor of a model, counted by the place that draws and the tensor's path.
    Drawn(Box<Point>, Rc<Law>, String),
    /// What a function gives for each tensor; the draws in it are of this place.
    Each(Value, Vec<Point>, String, Span),
}

/// What begins the path of a point that is made of others.
const MADE: char = '\u{1}';

/// Finds or declares the parameter of a whole path.
type OfPath<'p> = &'p mut dyn FnMut(&mut Elaborator, String) -> Out<ParamId>;

impl Elaborator<'_> {
    /// Sums and scalings of models are models; so is whatever is done tensor by tensor. `None` where neither is a model.
    pub(super) fn of_points(
        &mut self,
        op: Binary,
        a: &(Value, Span),
        b: &(Value, Span),
        span: Span,
    ) -> Option<Out<Value>> {
        if !matches!((&a.0, &b.0), (Value::Instance(..), _) | (_, Value::Instance(..))) {
            return None;
        }
        let op = match op {
            Binary::Add => ScalarOp::Add,
            Binary::Subtract => ScalarOp::Sub,
            Binary::Multiply => ScalarOp::Mul,
            Binary::Divide => ScalarOp::Div,
            Binary::Power => ScalarOp::Pow,
            Binary::Or
            | Binary::And
            | Binary::Less
            | Binary::LessEqual
            | Binary::Greater
            | Binary::GreaterEqual
            | Binary::Equal
            | Binary::NotEqual
            | Binary::Product => {
                let error = Diagnostic::error("E0247", "models are no numbers to compare or multiply", span, "here");
                let help = "they are added, subtracted and scaled; anything else is done tensor by tensor: \
                            `each(f, model)`, with a function `f` of a tensor";
                return Some(Err(self.report(error.help(help))));
            }
        };
        self.elementwise_points(op, &[a.clone(), b.clone()], span)
    }

    /// An operation of each element of models, and of numbers beside them. `None` where there is no model.
    pub(super) fn elementwise_points(&mut self, op: ScalarOp, of: &[(Value, Span)], span: Span) -> Option<Out<Value>> {
        let is_model = |(value, _): &&(Value, Span)| matches!(value, Value::Instance(..));
        let Value::Instance(recipe, _) = &of.iter().find(is_model)?.0 else { return None };
        let recipe = Rc::clone(recipe);
        Some(self.points(of, span).map(|points| self.made_point(recipe, Point::Made(op, points))))
    }

    /// `constant(model)`
    pub(super) fn still(&mut self, recipe: &Rc<Recipe>, path: &str) -> Value {
        let point = self.point(path);
        self.made_point(Rc::clone(recipe), Point::Still(Box::new(point)))
    }

    /// Values as points of one structure.
    fn points(&mut self, of: &[(Value, Span)], span: Span) -> Out<Vec<Point>> {
        let models: Vec<&Recipe> = of
            .iter()
            .filter_map(|(value, _)| if let Value::Instance(recipe, _) = value { Some(&**recipe) } else { None })
            .collect();
        for pair in models.windows(2) {
            self.one_structure(pair[0], pair[1], span)?;
        }
        of.iter().map(|(value, at)| self.as_point(value.clone(), *at)).collect()
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
    pub(super) fn one_structure(&mut self, one: &Recipe, two: &Recipe, at: Span) -> Out<()> {
        match (one.layer(), two.layer()) {
            (Some(one), Some(two)) if one.span != two.span => {
                let message = format!("models of two structures, `{}` and `{}`, do not meet", one.text, two.text);
                let error = Diagnostic::error("E0247", message, at, "here");
                Err(self.report(error.label(one.span, "one of them").label(two.span, "the other")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn made_point(&mut self, recipe: Rc<Recipe>, point: Point) -> Value {
        self.points.push(point);
        Value::Instance(recipe, format!("{MADE}{}", self.points.len() - 1))
    }

    /// The point of an instance.
    pub(super) fn point(&self, path: &str) -> Point {
        match path.strip_prefix(MADE).and_then(|number| number.parse::<usize>().ok()) {
            Some(number) => Point::Known(number),
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

    /// `let u: model ~ normal(0, 1)`: a draw for each element of each tensor of the model.
    pub(super) fn drawn_point(&mut self, name: &Name, at: Span, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        let (recipe, path) = match scope.get("model").map(|bound| bound.value.clone()) {
            Some(Value::Instance(recipe, path)) => (recipe, path),
            Some(Value::Wrong) => return Err(Reported),
            Some(_) | None => {
                let message = "a point is drawn in the space of the `model` of a `train` block, and here is none";
                let error = Diagnostic::error("E0247", message, at, "of this model");
                let help = "add `model = Net`; in a function the shape of a tensor is named, `let z: [..s] ~ …`";
                return Err(self.report(error.help(help)));
            }
        };
        let law = self.distribution(&Type::scalar(Elem::Float), expr, scope)?;
        let (like, place) = (Box::new(self.point(&path)), self.place(&name.text));
        Ok(self.made_point(recipe, Point::Drawn(like, law, place)))
    }

    /// `each(f, u, model)`: a function of tensors for each tensor of models of one structure.
    pub(super) fn each_tensor(&mut self, given: &[Arg], span: Span) -> Out<Value> {
        let (function, of) = match given {
            [function, of @ ..] if given.iter().all(|arg| arg.name.is_none()) && !of.is_empty() => (function, of),
            _ => {
                let error = Diagnostic::error("E0212", "`each` is given a function and models", span, "in this call");
                return Err(self.report(error.help("write `each(f, model)`, or `each(f, u, model)` of two")));
            }
        };
        if self.alone.is_some() {
            return Err(Reported);
        }
        let is_function = matches!(&function.value, Value::Item(item) if matches!(item.kind, ItemKind::Fn(_)));
        if !is_function {
            let noun = function.value.noun();
            let message = format!("expected a function of a tensor for `each`, found {noun}");
            let error = Diagnostic::error("E0211", message, function.span, noun);
            return Err(self.report(error.help("declare `fn f(w: [..s]) -> [..s] = …`, and write `each(f, model)`")));
        }
        let of: Vec<(Value, Span)> = of.iter().map(|arg| (arg.value.clone(), arg.span)).collect();
        let recipe = of.iter().find_map(|(value, _)| match value {
            Value::Instance(recipe, _) => Some(Rc::clone(recipe)),
            _ => None,
        });
        let Some(recipe) = recipe else {
            let message = "`each` goes through the tensors of a model, and none is given";
            let error = Diagnostic::error("E0376", message, span, "in this call");
            return Err(self.report(error.help("a function of one tensor is called by itself: `f(x)`")));
        };
        let points = self.points(&of, span)?;
        let place = self.place("each");
        Ok(self.made_point(recipe, Point::Each(function.value.clone(), points, place, span)))
    }

    /// The tensor of a point at a path, whose model has been applied.
    pub(super) fn known_tensor(&mut self, point: &Point, rest: &str, ty: &Type, span: Span) -> Out<TermId> {
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
        param: OfPath,
    ) -> Out<TermId> {
        let ty = &Type { mask: None, ..ty.clone() };
        let zero = Type { axes: Vec::new(), ..ty.clone() };
        match point {
            Point::Of(path) | Point::Next(path) => {
                let whole = if path.is_empty() { rest.to_string() } else { format!("{path}.{rest}") };
                let id = param(self, whole)?;
                let leaf = if matches!(point, Point::Of(_)) { Leaf::Param(id) } else { Leaf::Next(id) };
                Ok(self.leaf(leaf, ty.clone(), span))
            }
            Point::Number(term) => Ok(*term),
            Point::Known(number) => {
                let key = (*number, rest.to_string());
                if let Some(known) = self.point_tensors.get(&key) {
                    return Ok(*known);
                }
                let point = self.points[*number].clone();
                let made = self.tensor_of_point(&point, rest, ty, span, param)?;
                self.point_tensors.insert(key, made);
                Ok(made)
            }
            Point::Made(op, of) => {
                let mut tensors = Vec::new();
                for point in of {
                    tensors.push(self.tensor_of_point(point, rest, ty, span, param)?);
                }
                let whole = tensors.iter().any(|term| !self.ty(*term).axes.is_empty());
                let ty = if whole { ty.clone() } else { zero };
                Ok(self.term(Kind::Scalar(*op, tensors), ty, span))
            }
            Point::Still(of) => {
                let of = self.tensor_of_point(of, rest, ty, span, param)?;
                let ty = self.ty(of).clone();
                Ok(self.term(Kind::Constant(of), ty, span))
            }
            Point::Slope(of, by) => {
                let base = self.base_of(by);
                let by = self.tensor_of_point(by, rest, ty, span, param)?;
                // Nothing moves by the slope of a layer's state.
                let kind = match self.is_of_layer_state(&base, rest) {
                    true => return Ok(self.term(Kind::Number(0.0), zero, span)),
                    false => Kind::Grad { of: *of, by },
                };
                Ok(self.term(kind, ty.clone(), span))
            }
            Point::Drawn(like, law, place) => {
                let base = self.base_of(like);
                self.tensor_of_point(like, rest, ty, span, param)?;
                // What moves along a draw keeps the states of its layers.
                if self.is_of_layer_state(&base, rest) {
                    return Ok(self.term(Kind::Number(0.0), zero, span));
                }
                self.sample(law, ty, Drawn::At(philox::path(&format!("{place}/{rest}"))), span)
            }
            Point::Each(function, of, place, at) => {
                let mut tensors = Vec::new();
                for point in of {
                    tensors.push(self.tensor_of_point(point, rest, ty, span, param)?);
                }
                if self.is_of_layer_state(&self.base_of(point), rest) {
                    return tensors.first().copied().ok_or(Reported);
                }
                let Value::Item(function) = function else { return Err(Reported) };
                let own = format!("{place}/{rest}");
                let given = tensors.into_iter().map(|term| Arg::plain(Value::Tensor(term), *at)).collect();
                let around = std::mem::replace(&mut self.place, own);
                let value = self.apply_function(function, given, *at);
                self.place = around;
                let made = self.numbers(value?, *at)?;
                let found = self.ty(made).clone();
                if found.agrees(ty) {
                    return Ok(made);
                }
                let message = format!("the tensor `{rest}` is {ty}, and the function makes {found} of it");
                let error = Diagnostic::error("E0376", message, *at, "each tensor keeps its shape");
                Err(self.report(error.help("a function for `each` is of any shape: `fn f(w: [..s]) -> [..s]`")))
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
        let base = self.base_of(&point);
        let own: Vec<ParamId> = self.tensors_of(&base).into_iter().map(|(_, id)| id).collect();
        let is_read = match &point {
            Point::Known(number) => {
                let made = self.point_tensors.iter().filter(|((point, _), _)| point == number).map(|(_, term)| *term);
                let made: Vec<TermId> = made.collect();
                self.reads_one_of(of.0, &made)
            }
            _ => TypedProgram::used(&self.terms, &[of.0]).iter().any(|id| own.contains(id)),
        };
        if !is_read {
            let text = self.sources.text(at).to_string();
            let warning =
                Diagnostic::error("W0271", "this derivative is 0 everywhere", at, "no tensor of this model is read")
                    .label(of.1, "this is differentiated");
            self.report(warning.help(format!("apply the model in what is differentiated: `{text}(x)`")).warning());
        }
        self.made_point(recipe, Point::Slope(of.0, Box::new(point)))
    }

    /// A copy has every tensor of what it is a copy of, whether it is applied or not.
    pub(super) fn declare_copy(&mut self, root: &str, span: Span) -> Out<()> {
        let Some(of) = self.copies.get(root).cloned() else { return Ok(()) };
        let point = self.point(&of);
        let base = self.base_of(&point);
        self.declare_copy(&base, span)?;
        for (rest, id) in self.tensors_of(&base) {
            let path = format!("{root}.{rest}");
            if !self.param_of.contains_key(&path) {
                let ty = self.params[id.0 as usize].ty.clone();
                let start = self.known_tensor(&point, &rest, &ty, span)?;
                self.new_param(path, ty, Start::Value(start), span, true);
            }
        }
        Ok(())
    }

    /// The parameters of a model of the block: their paths within it, in the order in which they were declared.
    pub(super) fn tensors_of(&self, root: &str) -> Vec<(String, ParamId)> {
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
        let base = self.base_of(&point);
        self.totalled = true;
        self.declare_copy(&base, span)?;
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
            None => Ok(Value::Tensor(self.term(Kind::Number(0.0), Type::scalar(Elem::Float), span))),
        }
    }

    /// The path of the model whose structure a point has.
    fn base_of(&self, point: &Point) -> String {
        self.base(point).unwrap_or_default()
    }

    fn base(&self, point: &Point) -> Option<String> {
        match point {
            Point::Of(path) | Point::Next(path) => Some(path.clone()),
            Point::Number(_) => None,
            Point::Known(number) => self.base(&self.points[*number]),
            Point::Made(_, of) | Point::Each(_, of, ..) => of.iter().find_map(|point| self.base(point)),
            Point::Slope(_, point) | Point::Still(point) => self.base(point),
            Point::Drawn(like, ..) => self.base(like),
        }
    }
}
