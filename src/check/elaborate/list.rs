//! Lists: ranges, comprehensions, tables of columns, and lists of layers.

use super::call::{Arg, Site};
use super::joins::has_rows;
use super::{Elaborator, MAX_CALLS, Out, Reported};
use crate::check::number::Number;
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Type};
use crate::check::value::{Recipe, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::tree::{Argument, Expr, ExprKind, ItemKind, Name};
use std::rc::Rc;

impl Elaborator<'_> {
    /// `[a, b]`: in a `data` block a table of columns side by side.
    pub(super) fn list(&mut self, parts: &[Expr], span: Span, scope: &mut Scope) -> Out<Value> {
        let parts: Vec<Out<(Value, Span)>> =
            parts.iter().map(|part| Ok((self.value(part, scope)?, part.span))).collect();
        let parts = parts.into_iter().collect::<Out<Vec<_>>>()?;
        if self.in_data() && parts.iter().any(|(part, _)| self.is_column(part)) {
            return self.table(parts, span).map(Value::Tensor);
        }
        Ok(Value::List(parts))
    }

    /// Whether what is evaluated stands in a `data` block itself, not in a function that it calls.
    fn in_data(&self) -> bool {
        self.open.is_some() && self.calls.is_empty()
    }

    fn is_column(&self, value: &Value) -> bool {
        match value {
            Value::RawColumn(_) => true,
            Value::Tensor(term) => self.ty(*term).axes.first().is_some_and(|axis| has_rows(&axis.size)),
            _ => false,
        }
    }

    /// Columns and matrices side by side: `[n, k]`. A number stands for a column of it.
    fn table(&mut self, parts: Vec<(Value, Span)>, span: Span) -> Out<TermId> {
        let terms: Vec<Out<(TermId, Span)>> =
            parts.into_iter().map(|(part, at)| Ok((self.tensor(part, at)?, at))).collect();
        let terms = terms.into_iter().collect::<Out<Vec<_>>>()?;
        if terms.iter().all(|(term, _)| self.ty(*term).axes.len() <= 1) {
            return self.stack(terms, 1, span);
        }
        let rows = Axis { size: Size::symbol(self.rows()), origin: None };
        let mut matrices = Vec::new();
        for (term, at) in terms {
            let ty = self.ty(term).clone();
            let one = Axis::new(Size::from(1), at, "is this column");
            let matrix = match ty.axes.len() {
                0 | 1 => {
                    let kind = Kind::Stack(vec![term], 1);
                    self.term(kind, Type { axes: vec![rows.clone(), one], ..ty }, at)
                }
                2 => term,
                _ => {
                    let message = format!("a table has columns and matrices side by side, and this is {ty}");
                    return Err(self.error("E0205", message, at, "this part"));
                }
            };
            matrices.push((matrix, at));
        }
        self.one_behind_another(matrices, 1, span)
    }

    /// `a..b`: whole numbers, without `b`. Of two columns in a `data` block: those from one to the other.
    pub(super) fn range(&mut self, from: &Expr, to: &Expr, span: Span, scope: &mut Scope) -> Out<Value> {
        let (first, last) = (self.value(from, scope)?, self.value(to, scope)?);
        if let (Value::RawColumn(first), Value::RawColumn(last)) = (&first, &last) {
            return self.columns_between(*first, *last, span);
        }
        let (start, end) = (self.whole(&first, "a range", from.span)?, self.whole(&last, "a range", to.span)?);
        if start > end {
            let message = format!("this range ends at {end}, before its start {start}");
            let error = Diagnostic::error("E0262", message, span, "reversed");
            return Err(self.report(error.help("write the lower number first")));
        }
        if end.saturating_sub(start) > MAX_CALLS as i64 {
            let message = format!("a range has at most {MAX_CALLS} numbers");
            return Err(self.error("E0213", message, span, "too many"));
        }
        Ok(Value::List((start..end).map(|number| (Value::Number(Number::whole(number)), span)).collect()))
    }

    fn columns_between(&mut self, first: usize, last: usize, span: Span) -> Out<Value> {
        // A column that is not there is reported already.
        if self.open.as_ref().is_some_and(|open| first.max(last) >= open.known) {
            return Err(Reported);
        }
        if first > last {
            let message = "these columns stand in the other order in the file";
            let error = Diagnostic::error("E0262", message, span, "reversed");
            return Err(self.report(error.help("write first the column that stands first")));
        }
        let columns = (first..=last).map(|at| (Value::RawColumn(at), span)).collect();
        self.table(columns, span).map(Value::Tensor)
    }

    /// `columns(except = [digit])` in a `data` block: every column of the source but some.
    pub(super) fn columns(&mut self, arguments: &[Argument], span: Span) -> Option<Out<Value>> {
        let known = self.open.as_ref().filter(|_| self.calls.is_empty())?.known;
        let mut left_out = Vec::new();
        for argument in arguments {
            let names: Option<Vec<&Name>> = match (&argument.name, &argument.value.kind) {
                (Some(setting), ExprKind::List(parts)) if setting.text == "except" => parts.iter().map(named).collect(),
                (Some(setting), _) if setting.text == "except" => named(&argument.value).map(|name| vec![name]),
                _ => None,
            };
            let Some(names) = names else {
                let message = "`columns` takes the columns that it leaves out";
                let error = Diagnostic::error("E0212", message, argument.value.span, "not this");
                return Some(Err(self.report(error.help("write `columns(except = [a, b])`"))));
            };
            left_out.extend(names.into_iter().cloned());
        }
        let open = self.open.as_ref()?;
        let columns: Vec<String> = open.columns[..known].iter().map(|column| column.name.clone()).collect();
        for name in &left_out {
            if !columns.contains(&name.text) {
                self.unknown_column(name, name.span);
                return Some(Err(Reported));
            }
        }
        let kept = |name: &String| !left_out.iter().any(|out| out.text == *name);
        let parts: Vec<(Value, Span)> =
            (0..known).filter(|at| kept(&columns[*at])).map(|at| (Value::RawColumn(at), span)).collect();
        if parts.is_empty() {
            return Some(Err(self.error("E0212", "no column is left", span, "all are left out")));
        }
        Some(self.table(parts, span).map(Value::Tensor))
    }

    /// `[body for name in list]`.
    pub(super) fn comprehension(
        &mut self,
        body: &Expr,
        name: &Name,
        list: &Expr,
        span: Span,
        scope: &Scope,
    ) -> Out<Value> {
        let mut inner = scope.clone();
        let parts = match self.value(list, &mut inner)?.listed() {
            Value::List(parts) => parts,
            Value::Tuple(parts) => parts.into_iter().map(|part| (part.value, part.span)).collect(),
            Value::Wrong => return Err(Reported),
            // How many a use gives it decides.
            open if self.may_be_constant(&open) => return Err(Reported),
            other => {
                let message = format!("expected a list behind `in`, found {}", other.noun());
                let error = Diagnostic::error("E0211", message, list.span, other.noun());
                let whole = matches!(other, Value::Number(_) | Value::Size(_));
                let text = self.sources.text(list.span);
                let help = format!("write `0..{text}`");
                return Err(self.report(if whole { error.help(help) } else { error }));
            }
        };
        let mut made = Vec::new();
        for (value, _) in parts {
            inner.bind(name, value);
            made.push((self.value(body, &mut inner)?, body.span));
        }
        let parts = made;
        if self.in_data() && parts.iter().any(|(part, _)| self.is_column(part)) {
            return self.table(parts, span).map(Value::Tensor);
        }
        Ok(Value::List(parts))
    }

    /// Whether a list is one of layers and functions, which can be applied.
    pub(super) fn is_of_layers(&self, parts: &[(Value, Span)]) -> bool {
        let applies = |value: &Value| match value {
            Value::Recipe(_) | Value::Instance(..) => true,
            Value::Item(item) => matches!(item.kind, ItemKind::Layer(_) | ItemKind::Fn(_)),
            Value::List(parts) => self.is_of_layers(parts),
            _ => false,
        };
        !parts.is_empty() && parts.iter().all(|(part, _)| applies(part))
    }

    /// The layers of a list that is bound at a path, each with its number: `layers.0`.
    pub(super) fn bound_at(&mut self, parts: Vec<(Value, Span)>, path: &str, at: Span) -> Out<Value> {
        let mut all = Vec::new();
        for (number, (value, span)) in parts.into_iter().enumerate() {
            let own = format!("{path}.{number}");
            let value = match self.unapplied(value, span)? {
                Value::Recipe(recipe) => {
                    self.claim(&own, at)?;
                    Value::Instance(recipe, own)
                }
                Value::List(parts) => self.bound_at(parts, &own, at)?,
                other => other,
            };
            all.push((value, span));
        }
        Ok(Value::List(all))
    }

    /// `x |> [a, b]`: the layers one after another. Those without a name get their own segment and their number.
    pub(super) fn composition(
        &mut self,
        parts: Vec<(Value, Span)>,
        given: Vec<Arg>,
        site: Site,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        if !self.is_of_layers(&parts) {
            let other = parts.iter().find(|(part, _)| !self.is_of_layers(&[(part.clone(), span)]));
            let (noun, at) = other.map_or(("an empty list", site.at), |(part, at)| (part.noun(), *at));
            let message = format!("expected layers and functions in a list that is applied, found {noun}");
            return Err(self.error("E0211", message, at, noun));
        }
        if let Some(name) = site.name {
            let Some(path) = self.path_in(scope, &name.text) else { return Err(self.no_layers(span)) };
            let layers = self.bound_at(parts, &path, name.span)?;
            scope.bind(name, layers.clone());
            let Value::List(parts) = layers else { return Err(Reported) };
            return self.chain(&parts, None, given, span);
        }
        let mut made = Vec::new();
        for (number, (value, at)) in parts.into_iter().enumerate() {
            let value = self.unapplied(value, at)?;
            made.push((self.made_in_place(value, number, at, scope)?, at));
        }
        self.chain(&made, None, given, span)
    }

    /// A part of a list that is applied where it stands.
    pub(super) fn made_in_place(&mut self, value: Value, number: usize, at: Span, scope: &Scope) -> Out<Value> {
        match value {
            Value::Recipe(recipe) => {
                let Some(path) = self.path_in(scope, &format!("{}.{number}", recipe.segment)) else {
                    return Err(self.no_layers(at));
                };
                if recipe.has_parameters() {
                    self.claim(&path, at)?;
                }
                Ok(Value::Instance(recipe, path))
            }
            Value::List(parts) => {
                let mut made = Vec::new();
                for (inner, (value, at)) in parts.into_iter().enumerate() {
                    let value = match self.unapplied(value, at)? {
                        Value::Recipe(recipe) => {
                            let segment = format!("{}.{number}", recipe.segment);
                            Value::Recipe(Rc::new(Recipe { layers: recipe.layers.clone(), segment }))
                        }
                        other => other,
                    };
                    made.push((self.made_in_place(value, inner, at, scope)?, at));
                }
                Ok(Value::List(made))
            }
            other => Ok(other),
        }
    }

    /// Each on what the one before it gives; further inputs are the same for all. A recipe is made below a path.
    pub(super) fn chain(
        &mut self,
        parts: &[(Value, Span)],
        path: Option<&str>,
        given: Vec<Arg>,
        span: Span,
    ) -> Out<Value> {
        let Some((first, further)) = given.split_first() else {
            return Err(self.error("E0212", "a list of layers is not given its input", span, "in this call"));
        };
        let mut value = first.value.clone();
        for (number, (part, at)) in parts.iter().enumerate() {
            let input = Arg { value, ..first.clone() };
            let given = match part {
                // A function takes what is piped to it alone.
                Value::Item(_) => vec![input],
                _ => std::iter::once(input).chain(further.iter().cloned()).collect(),
            };
            let below = path.map(|path| format!("{path}.{number}"));
            value = match (self.unapplied(part.clone(), *at)?, below) {
                (Value::Recipe(recipe), Some(path)) => {
                    self.block(|this| this.apply_instance(&recipe, &path, given, span))?
                }
                (Value::Instance(recipe, own), _) => {
                    self.block(|this| this.apply_instance(&recipe, &own, given, span))?
                }
                (Value::Item(item), _) => self.apply_function(&item, given, span)?,
                (Value::List(parts), below) => self.chain(&parts, below.as_deref(), given, span)?,
                _ => return Err(Reported),
            };
        }
        Ok(value)
    }

    fn no_layers(&mut self, span: Span) -> Reported {
        let message = "a `fn` has no parameters, so it makes no layers of its own";
        let error = Diagnostic::error("E0217", message, span, "this layer would have parameters");
        self.report(error.help("make it a `layer`, or hand the layer in"))
    }

    /// A part of several values by its name.
    pub(super) fn named_part(&mut self, parts: Vec<crate::check::value::Part>, base: Span, name: &Name) -> Out<Value> {
        let known: Vec<String> = parts.iter().filter_map(|part| part.name.clone()).collect();
        if let Some(part) = parts.into_iter().find(|part| part.name.as_deref() == Some(&name.text)) {
            return match part.value {
                Value::Wrong => Err(Reported),
                value => Ok(value),
            };
        }
        let message = format!("there is no part `{}`", name.text);
        let error = Diagnostic::error("E0264", message, name.span, "not found").label(base, "of these values");
        let help = match nearest(&name.text, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "they have no names: `let a, b = …` takes them apart".to_string(),
            None => {
                format!("there are {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
            }
        };
        Err(self.report(error.help(help)))
    }
}

fn named(expr: &Expr) -> Option<&Name> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name),
        _ => None,
    }
}
