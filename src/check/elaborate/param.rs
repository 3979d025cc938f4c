//! Parameters: their paths, shapes and where they start.

use super::call::Arg;
use super::draw::Drawn;
use super::{Elaborator, Out, Reported};
use crate::check::program;
use crate::check::shapes::with_origin;
use crate::check::terms::{Leaf, ParamId, Start};
use crate::check::types::{Axis, Type};
use crate::check::value::{Distribution, Law, Namespace, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Draw, philox};
use crate::source::Span;
use crate::syntax::tree::{self, Expr, ExprKind, Function, Init, ItemKind, Name, Target, TypeKind};
use std::rc::Rc;

/// The most elements of one parameter: 256 GiB of them.
const MAX_ELEMENTS: i64 = 1 << 36;

impl Elaborator<'_> {
    /// `param w: [d, units] ~ glorot_uniform`, `param b: [units] = 0`.
    pub(super) fn param(
        &mut self,
        target: &Target,
        ty: Option<&tree::Type>,
        init: &Init,
        span: Span,
        scope: &mut Scope,
    ) {
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
        let in_block = matches!(scope.namespace, Namespace::Train);
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
                    None => return Err(self.error("E0201", "cannot find this name in this scope", *at, "not found")),
                },
                tree::Axis::Rest(None, at) => return Err(self.error("E0216", "a `param` says its shape", *at, "here")),
            }
        }
        if let Some(open) = sizes.iter().find(|axis| axis.size.settled().is_none() && !axis.size.is_open()) {
            let message = format!("a parameter has a constant shape, and `{}` is known only in a run", open.size);
            let error = Diagnostic::error("E0218", message, name.span, "this parameter");
            return Err(self.report(with_origin(error, open)));
        }
        if in_block {
            self.claim(&path, name.span)?;
            self.is_root_of_block(&path);
        }
        let ty = Type::float(sizes);
        self.is_of_some_size(&ty, name)?;
        if let Some((point, rest)) = self.within_point(&path) {
            let tensor = self.tensor_of_point(&point, &rest, &ty, name.span, &mut |this, path| {
                this.declared(path, ty.clone(), init, name, scope)
            })?;
            let whole = self.ty(tensor).agrees(&ty);
            let tensor = if whole { tensor } else { return Err(self.no_model(name)) };
            return Ok(Value::Tensor(tensor));
        }
        let id = self.declared(path, ty.clone(), init, name, scope)?;
        Ok(Value::Tensor(self.leaf(Leaf::Param(id), ty, name.span)))
    }

    fn no_model(&mut self, name: &Name) -> Reported {
        self.error("E0247", "a number is no model", name.span, "this parameter has no tensor")
    }

    /// The parameter of a path, which is there already or begins as it says here. A copy begins as what it is a copy of.
    fn declared(&mut self, path: String, ty: Type, init: &Init, name: &Name, scope: &mut Scope) -> Out<ParamId> {
        if let Some(known) = self.param_of.get(&path) {
            return self.same_param(*known, ty, name.span);
        }
        let (root, rest) = path.split_once('.').unwrap_or((&path, ""));
        if let Some(of) = self.copies.get(root).cloned() {
            let whole = if of.is_empty() { rest.to_string() } else { format!("{of}.{rest}") };
            let start = match self.within_point(&whole) {
                Some((point, rest)) => self.tensor_of_point(&point, &rest, &ty, name.span, &mut |this, path| {
                    this.declared(path, ty.clone(), init, name, scope)
                })?,
                None => {
                    let id = self.declared(whole, ty.clone(), init, name, scope)?;
                    self.leaf(Leaf::Param(id), ty.clone(), name.span)
                }
            };
            return Ok(self.new_param(path, ty, Start::Value(start), name.span, true));
        }
        let start = match self.start(&path, &ty, init, scope) {
            Ok(start) => start,
            // Its shape is known, wherever a use has it start.
            Err(Reported) if self.alone.is_some() => Start::Drawn(Draw::Uniform, 0.0, 1.0),
            Err(Reported) => return Err(Reported),
        };
        Ok(self.new_param(path, ty, start, name.span, false))
    }

    pub(super) fn new_param(&mut self, path: String, ty: Type, start: Start, span: Span, state: bool) -> ParamId {
        let id = ParamId(self.params.len() as u32);
        if !self.undecided() {
            self.param_of.insert(path.clone(), id);
        }
        self.params.push(program::Param { path, ty, start, span, state });
        id
    }

    /// A parameter has elements, and no more than any memory holds.
    fn is_of_some_size(&mut self, ty: &Type, name: &Name) -> Out<()> {
        // A use decides.
        if ty.axes.iter().any(|axis| axis.size.is_open()) {
            return Ok(());
        }
        let whole = |axis: &Axis| axis.size.settled().unwrap_or(0);
        let count = ty.axes.iter().fold(1, |count: i64, axis| count.saturating_mul(whole(axis)));
        let (axis, message) = match count {
            0 => (ty.axes.iter().find(|axis| whole(axis) == 0), "a parameter has no elements"),
            1..=MAX_ELEMENTS => return Ok(()),
            _ => (ty.axes.iter().max_by_key(|axis| whole(axis)), "a parameter does not fit into any memory"),
        };
        let shown = format!("`{}` is {ty}", name.text);
        Err(self.report(match axis.and_then(|axis| Some((axis, axis.origin.as_ref()?))) {
            Some((axis, origin)) => {
                let text = format!("{} {}", axis.size, origin.text);
                Diagnostic::error("E0226", message, origin.span, text).label(name.span, shown)
            }
            None => Diagnostic::error("E0226", message, name.span, shown),
        }))
    }

    /// The parameter that is there already: an instance that is used again must ask for the same shape.
    pub(super) fn same_param(&mut self, id: ParamId, ty: Type, span: Span) -> Out<ParamId> {
        let known = &self.params[id.0 as usize];
        if known.ty.agrees(&ty) {
            return Ok(id);
        }
        let message = format!("`{}` is {} in one use and {ty} in another", known.path, known.ty);
        let mut error = Diagnostic::error("E0203", message, span, "one parameter has one shape");
        for axis in
            known.ty.axes.iter().zip(&ty.axes).filter(|(a, b)| !a.size.agrees(&b.size)).flat_map(|(a, b)| [a, b])
        {
            error = with_origin(error, axis);
        }
        Err(self.report(error))
    }

    fn start(&mut self, path: &str, ty: &Type, init: &Init, scope: &mut Scope) -> Out<Start> {
        match init {
            Init::Value(expr) => {
                let value = self.value(expr, scope)?;
                let term = self.numbers(value, expr.span)?;
                let found = self.ty(term);
                if found.axes.is_empty() || found.agrees(ty) {
                    return Ok(Start::Value(term));
                }
                let message = format!("a parameter {ty} does not start from {found}");
                Err(self.error("E0210", message, expr.span, "write a number, or a value of its shape"))
            }
            Init::Draw(expr) => {
                if let Some(drawn) = self.drawn_by_function(ty, expr, path, scope)? {
                    return Ok(Start::Value(drawn));
                }
                let law = self.distribution(ty, expr, scope)?;
                if let Some(Distribution { draw, first, second }) = law.settled() {
                    return Ok(Start::Drawn(draw, first, second));
                }
                Ok(Start::Value(self.sample(&law, ty, Drawn::At(philox::path(path)), expr.span)?))
            }
        }
    }

    /// `glorot_uniform`, `he_normal(fan_in = …)`: a `[in, out]` matrix says its fans itself.
    pub(super) fn distribution(&mut self, ty: &Type, expr: &Expr, scope: &mut Scope) -> Out<Rc<Law>> {
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
            Value::Distribution(law) => Ok(law),
            Value::Wrong => Err(Reported),
            other => {
                let message = format!("expected a distribution after `~`, found {}", self.noun(&other));
                Err(self.error("E0211", message, expr.span, "here"))
            }
        }
    }

    pub(super) fn with_fans(&mut self, function: &Function, mut given: Vec<Arg>, ty: &Type, span: Span) -> Vec<Arg> {
        let [fan_in, fan_out] = &ty.axes[..] else { return given };
        for (word, axis) in [("fan_in", fan_in), ("fan_out", fan_out)] {
            let wanted = function.params.iter().any(|param| param.name.text == word);
            let named = given.iter().any(|arg| arg.name.as_ref().is_some_and(|name| name.text == word));
            let size = match axis.size.settled() {
                Some(size) => Some(Value::Number(crate::check::number::Number::whole(size))),
                None => axis.size.is_open().then(|| Value::Size(axis.clone())),
            };
            if let (true, false, Some(value)) = (wanted, named, size) {
                let name = Name { text: word.into(), span };
                given.push(Arg { name: Some(name), ..Arg::plain(value, span) });
            }
        }
        given
    }
}
