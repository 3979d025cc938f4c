//! Expressions to values.

use super::call::Site;
use super::{Elaborator, Out, Reported};
use crate::check::names::foreign;
use crate::check::number::Number;
use crate::check::program;
use crate::check::terms::{Host, Kind, Leaf, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Bound, Namespace, Part, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::ir::{ScalarOp, Size, Symbol};
use crate::source::Span;
use crate::syntax::tree::{Binary, Expr, ExprKind, ItemKind, Name};
use crate::syntax::walk;
use std::collections::HashSet;
use std::rc::Rc;

/// So deep, what a `let` item reads is evaluated before it, one after another, and not inside of it.
const LONG_CHAIN: usize = 100;

/// How many mistakes of a program get a suggestion, for which every name is looked at.
const MOST_ADVISED: usize = 200;

impl Elaborator<'_> {
    pub(super) fn value(&mut self, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        self.deeper(expr.span, |this| this.value_here(expr, scope))
    }

    fn value_here(&mut self, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Number { digits, percent } => self.number(digits, *percent, span),
            ExprKind::Text(text) => Ok(Value::Text(text.clone())),
            ExprKind::Truth(truth) => Ok(Value::Truth(*truth)),
            ExprKind::Name(name) => {
                let bound = self.name(name, span, scope)?;
                Ok(self.at_its_place(bound.value, span))
            }
            ExprKind::Call(callee, arguments) => self.applied(callee, arguments, None, span, scope),
            ExprKind::As(inner, name) => match &inner.kind {
                ExprKind::Call(callee, arguments) => self.applied(callee, arguments, Some(name), span, scope),
                _ => self.unnamed(Site { at: inner.span, name: Some(name) }, "no call").and(Err(Reported)),
            },
            ExprKind::Pipe(from, _, stage) => self.pipe(from, stage, span, scope),
            ExprKind::Reduce(reduce) => self.reduce(reduce, span, scope),
            ExprKind::Index(base, subscripts) => self.subscripted(base, subscripts, span, scope),
            ExprKind::Unary(op, a) => {
                let value = self.value(a, scope)?;
                self.unary(*op, value, a.span, span)
            }
            ExprKind::Binary(op, operator, a, b) => {
                let one = self.value(a, scope);
                let two = self.behind(*op, &one, b, scope);
                if let (Ok(one), Ok(two)) = (&one, &two) {
                    self.counts_what_is_kept(*op, (one, a), (two, b), scope)?;
                }
                self.binary(*op, *operator, (one?, a.span), (two?, b.span), span)
            }
            ExprKind::If(condition, yes, no) => self.choose(condition, yes, no, span, scope),
            ExprKind::List(parts) => self.list(parts, span, scope),
            ExprKind::Field(base, part) => self.part(base, part, span, scope),
            ExprKind::Range(from, to) => self.range(from, to, span, scope),
            ExprKind::Comprehension(body, name, list) => self.comprehension(body, name, list, span, scope),
            ExprKind::Tuple(parts) => {
                let parts: Vec<Out<Part>> = parts.iter().map(|part| self.part_of(part, scope)).collect();
                Ok(Value::Tuple(parts.into_iter().collect::<Out<_>>()?))
            }
            ExprKind::Record(entries) => {
                let parts: Vec<Out<Part>> = entries
                    .iter()
                    .map(|(name, part)| Ok(Part { name: Some(name.text.clone()), ..self.part_of(part, scope)? }))
                    .collect();
                Ok(Value::Tuple(parts.into_iter().collect::<Out<_>>()?))
            }
            ExprKind::Scan(scan) => self.scan(scan, false, span, scope),
            ExprKind::From(..) => {
                let message = "`from` stands behind the model of `model = …` or of a `let` in a `train` block";
                Err(self.error("E0248", message, span, "here"))
            }
        }
    }

    /// The second operand, which matters of `a and b` where the first holds, and of `a or b` where it does not.
    fn behind(&mut self, op: Binary, first: &Out<Value>, second: &Expr, scope: &mut Scope) -> Out<Value> {
        match (op, first) {
            // What a constant has decided already is not asked again: `padding == "same" or padding >= 0`.
            (Binary::And, Ok(Value::Truth(false))) | (Binary::Or, Ok(Value::Truth(true))) => {
                Ok(Value::Truth(op == Binary::Or))
            }
            (Binary::And | Binary::Or, Ok(Value::Tensor(term))) if matches!(self.ty(*term).elem, Elem::Bool) => {
                self.under(*term, op == Binary::And, |this| this.value(second, scope))
            }
            _ => self.value(second, scope),
        }
    }

    fn part_of(&mut self, expr: &Expr, scope: &mut Scope) -> Out<Part> {
        Ok(Part { name: None, value: self.value(expr, scope)?, span: expr.span })
    }

    fn number(&mut self, digits: &str, percent: bool, span: Span) -> Out<Value> {
        let Some(number) = Number::parse(digits) else {
            return Err(self.error("E0218", "this number does not fit", span, "too large"));
        };
        Ok(Value::Number(if percent { number.over(Number::whole(100)) } else { number }))
    }

    /// What a name stands for: indices, names of the body, items of the file, the standard library.
    pub(super) fn name(&mut self, name: &Name, span: Span, scope: &Scope) -> Out<Bound> {
        if let Some([index]) = scope.index(&name.text) {
            if let Some(size) = scope.get(&name.text).filter(|size| is_size(&size.value))
                && !self.in_place
            {
                let message = format!("`{}` is both an index and a size here", name.text);
                let error = Diagnostic::error("E0255", message, span, "the number of the index, or the size?")
                    .label(self.terms.index_of(*index).span, "named as an index")
                    .label(size.origin.span, "a size by this");
                return Err(self.report(error.help("give the index another name")));
            }
            let ty = Type { free: vec![*index], ..Type::scalar(Elem::Int) };
            let term = self.term(Kind::Index(*index), ty, span);
            return Ok(self.bound(Value::Tensor(term), name.span));
        }
        if let Some(bound) = scope.get(&name.text) {
            return match bound.value {
                Value::Wrong => Err(Reported),
                _ => Ok(bound.clone()),
            };
        }
        if name.text == "training"
            && let Some(training) = self.training(span, scope)
        {
            return Ok(self.bound(training, span));
        }
        if let (Namespace::Train, Some(primed)) = (&scope.namespace, self.primed(&name.text, span, scope)) {
            return Ok(self.bound(primed, span));
        }
        match self.library.find_for(name, self.sources, &mut self.found) {
            Some(item) => match &item.kind {
                // A number of the library is no setting of the file.
                ItemKind::Let(own) if self.library.is_stdlib(own.name.span.source) => {
                    let value = self.value(&own.value, &mut Scope::default())?;
                    Ok(self.bound(value, span))
                }
                ItemKind::Let(_) => self.file_let(&name.text),
                _ => Ok(self.bound(Value::Item(Rc::clone(&item)), span)),
            },
            None => match self.unknown_column(name, span) {
                Some(column) => Ok(self.bound(column, span)),
                None => Err(self.unknown(name, scope)),
            },
        }
    }

    /// What `training` is, where it means something: of a column the run says it, of anything else the pass over the text.
    fn training(&mut self, span: Span, scope: &Scope) -> Option<Value> {
        if self.open.is_some() {
            let told = self.leaf(Leaf::Host(Host::Training), Type::scalar(Elem::Int), span);
            let one = self.term(Kind::Number(1.0), Type::scalar(Elem::Int), span);
            let is = self.term(Kind::Scalar(ScalarOp::Equal, vec![told, one]), Type::scalar(Elem::Bool), span);
            return Some(Value::Tensor(is));
        }
        let of_function =
            matches!(scope.namespace, Namespace::None) && (!self.calls.is_empty() || self.alone.is_some());
        if !of_function && !matches!(scope.namespace, Namespace::Layer(_)) {
            return None;
        }
        self.reads_training = true;
        Some(Value::Truth(self.training))
    }

    pub(super) fn bound(&self, value: Value, span: Span) -> Bound {
        Bound { value, origin: crate::check::types::Origin { span, text: "is decided here".into() } }
    }

    /// What a call calls. One that nothing declares is reported, and what it nearly is stands in for it, so that what
    /// follows is checked as well.
    pub(super) fn callee(&mut self, callee: &Expr, scope: &mut Scope) -> Out<Value> {
        let ExprKind::Name(name) = &callee.kind else { return self.value(callee, scope) };
        let known = scope.get(&name.text).is_some() || scope.index(&name.text).is_some();
        if known || self.library.find_for(name, self.sources, &mut self.found).is_some() {
            return self.value(callee, scope);
        }
        let reported = self.unknown(name, scope);
        if self.alone.is_some() {
            return Err(reported);
        }
        // What it means here is another thing than what is spelled alike: `std` is no `sgd`.
        if foreign::advice(&name.text, |_| true).is_some() {
            return Err(reported);
        }
        let near = nearest(&name.text, self.library.names()).map(str::to_string).ok_or(reported)?;
        let item = self.library.find(&near, self.sources, &mut self.found).ok_or(reported)?;
        Ok(Value::Item(item))
    }

    fn unknown(&mut self, name: &Name, scope: &Scope) -> Reported {
        if self.blind || self.library.lacks {
            return Reported;
        }
        if let (Namespace::Train, Some(reported)) = (&scope.namespace, self.part_without_set(name)) {
            return reported;
        }
        if matches!(scope.namespace, Namespace::Train)
            && let Some(help) = self.missing(name)
        {
            let message = format!("cannot find `{}` in this scope", name.text);
            return self.report(Diagnostic::error("E0201", message, name.span, "not found").help(help));
        }
        let known = scope.known().chain(self.library.names());
        let advised = self.found.len() < MOST_ADVISED;
        let near = advised.then(|| nearest(&name.text, known)).flatten().map(|near| format!("did you mean `{near}`?"));
        let error =
            Diagnostic::error("E0201", format!("cannot find `{}` in this scope", name.text), name.span, "not found");
        self.report(Diagnostic { help: near, ..error })
    }

    /// What a block lacks that would have a name: its model, or its data, of which one column says it for all.
    fn missing(&mut self, name: &Name) -> Option<&'static str> {
        if name.text == "model" {
            return Some("this `train` block names no model: add `model = Name`, of a `model Name(x: [n, d]) …` item");
        }
        let lacks = self.data.as_ref().is_some_and(program::Data::is_missing);
        self.blind |= lacks;
        lacks.then_some("this `train` block names no data, so it has no columns and no `n`: add `data = name`")
    }

    /// The value of a `let` among the items, which is evaluated once.
    pub(super) fn file_let(&mut self, name: &str) -> Out<Bound> {
        match self.lets.get(name) {
            // One that reads itself is reported where names are checked.
            Some(None) => return Err(Reported),
            Some(Some(Bound { value: Value::Wrong, .. })) => return Err(Reported),
            Some(Some(bound)) => return Ok(bound.clone()),
            None => {}
        }
        let Some(item) = self.library.own(name) else { return Err(Reported) };
        let ItemKind::Let(declared) = &item.kind else { return Err(Reported) };
        if self.depth > LONG_CHAIN {
            for before in self.lets_before(name) {
                let _ = self.file_let(&before);
            }
        }
        self.lets.insert(name.to_string(), None);
        let calls = std::mem::take(&mut self.calls);
        let given = self.overrides.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let value = match given {
            Some(value) => Ok(value),
            None => self.value(&declared.value, &mut Scope::default()),
        };
        self.calls = calls;
        let bound = self.bound(value.as_ref().map_or(Value::Wrong, Value::clone), declared.value.span);
        self.lets.insert(name.to_string(), Some(bound.clone()));
        let value = value?;
        self.keep_setting(name, &value);
        Ok(Bound { value, ..bound })
    }

    /// The `let` items that one reads and that have no value yet, what they read themselves before them.
    fn lets_before(&self, name: &str) -> Vec<String> {
        let mut order = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![(name.to_string(), false)];
        while let Some((name, read)) = open.pop() {
            if read {
                order.push(name);
                continue;
            }
            let Some(item) = self.library.own(&name).filter(|_| !self.lets.contains_key(&name)) else { continue };
            let ItemKind::Let(declared) = &item.kind else { continue };
            if seen.insert(name.clone()) {
                open.push((name, true));
                walk::expression(&declared.value, &mut |part| {
                    if let ExprKind::Name(name) = &part.kind {
                        open.push((name.text.clone(), false));
                    }
                });
            }
        }
        order.pop();
        order
    }

    fn keep_setting(&mut self, name: &str, value: &Value) {
        use crate::check::program::Setting;
        let setting = match value {
            Value::Number(number) => Setting::Number(*number),
            Value::Truth(truth) => Setting::Truth(*truth),
            Value::Text(text) => Setting::Text(text.clone()),
            _ => return,
        };
        self.settings.insert(name.to_string(), setting);
    }

    /// A value where a tensor is wanted.
    pub(super) fn tensor(&mut self, value: Value, span: Span) -> Out<TermId> {
        match value {
            Value::Tensor(term) => Ok(term),
            Value::Number(number) => {
                let elem = if number.to_whole().is_some() { Elem::Int } else { Elem::Float };
                Ok(self.term(Kind::Number(number.to_f64()), Type::scalar(elem), span))
            }
            Value::Truth(truth) => Ok(self.term(Kind::Truth(truth), Type::scalar(Elem::Bool), span)),
            Value::Size(axis) => Ok(self.term(Kind::Size(axis.size), Type::scalar(Elem::Int), span)),
            Value::RawColumn(at) => self.raw_numbers(at, span),
            Value::List(parts) => {
                let parts: Vec<Out<(TermId, Span)>> =
                    parts.into_iter().map(|(part, at)| Ok((self.tensor(part, at)?, at))).collect();
                self.stack(parts.into_iter().collect::<Out<_>>()?, 0, span)
            }
            Value::Wrong => Err(Reported),
            Value::Table(at) => self.whole_matrix(at, span),
            Value::OfTable(table, at) => self.whole_column(table, at, span),
            Value::Set(set) => {
                let set = self.data.as_ref().and_then(|data| data.sets.get(set)).map_or("", |set| &set.name);
                let message = format!("expected a tensor, found the data set `{set}`");
                let error = Diagnostic::error("E0211", message, span, "a data set");
                Err(self.report(error.help(format!("its columns are its parts: `{set}.x`"))))
            }
            Value::Unequal(..) => {
                let message = "expected a tensor, found rows of unequal length";
                let error = Diagnostic::error("E0352", message, span, "of these each row has as many as it has");
                Err(self.report(error.help("fill them up: `x, length = pad(tokens, 128)`")))
            }
            Value::Emitted(_) => {
                let message = "expected a tensor, found a list of what layers emit";
                let error = Diagnostic::error("E0211", message, span, "one for each application");
                Err(self.report(error.help("`sum(…)` of it is elementwise, and `stack(…, axis = 0)` makes a tensor")))
            }
            other => {
                let message = format!("expected a tensor, found {}", other.noun());
                let error = Diagnostic::error("E0211", message, span, other.noun());
                let name = self.sources.text(span);
                let in_data = self.open.is_some();
                Err(self.report(match other {
                    Value::Text(column) if in_data => {
                        let plain = column.chars().all(|sign| sign.is_alphanumeric() || sign == '_');
                        error.help(match plain {
                            true => format!("a column is named without quotes: `{column}`"),
                            false => format!("a column whose name is no plain word has backquotes: `` `{column}` ``"),
                        })
                    }
                    Value::Instance(..) => {
                        error.help(format!("apply it, `{name}(x)`; a sum over all its tensors is `total({name}^2)`"))
                    }
                    Value::Distribution(_) => error.help(format!("a draw stands behind `~`: `param w: [d] ~ {name}`")),
                    Value::Item(item) if matches!(item.kind, ItemKind::Fn(_)) => {
                        error.help(format!("a function is given something: `{name}(…)`"))
                    }
                    Value::Recipe(..) => error.help("a layer is applied to its input: `x |> …`"),
                    _ => error,
                }))
            }
        }
    }

    pub(super) fn leaf(&mut self, leaf: Leaf, ty: Type, span: Span) -> TermId {
        self.term(Kind::Leaf(leaf), ty, span)
    }

    /// A constant whole number, for a size, a count or an index; `what` says what it is for.
    pub(super) fn whole(&mut self, value: &Value, what: &str, span: Span) -> Out<i64> {
        let message = match value {
            Value::Wrong => return Err(Reported),
            // A use decides it.
            open if self.may_be_constant(open) => return Err(Reported),
            Value::Size(Axis { size, .. }) => {
                let message = format!("expected a number that is known before the run for {what}, found {size}");
                let at = format!("{size} is known only in a run, of each batch anew");
                return Err(self.error("E0213", message, span, &at));
            }
            Value::Number(number) => match number.to_whole() {
                Some(whole) => return Ok(whole),
                None => format!("expected a whole number for {what}, found {number}"),
            },
            other => format!("expected a whole number for {what}, found {}", other.noun()),
        };
        Err(self.error("E0213", message, span, "here"))
    }

    /// The size that an expression of a written type gives.
    pub(super) fn size(&mut self, expr: &Expr, scope: &mut Scope) -> Out<Axis> {
        let (value, origin) = match &expr.kind {
            ExprKind::Name(name) => {
                let bound = self.name(name, expr.span, scope)?;
                (bound.value, Some(bound.origin))
            }
            _ => (self.value(expr, scope)?, None),
        };
        if let Value::Size(axis) = value {
            return Ok(axis);
        }
        if self.may_be_constant(&value) {
            let symbol = Symbol::open(self.sources.text(expr.span));
            return Ok(Axis::new(Size::symbol(symbol), expr.span, "is written here"));
        }
        if let Value::Number(number) = &value
            && number.to_whole().is_none()
            && let ExprKind::Binary(_, _, a, b) = &expr.kind
        {
            let message = format!("expected a whole number for a size, found {number}");
            let mut error = Diagnostic::error("E0213", message, expr.span, format!("this is {number}"));
            for part in [a, b] {
                if let ExprKind::Name(name) = &part.kind
                    && let Some(Bound { value: Value::Number(number), origin }) = scope.get(&name.text)
                {
                    error = error.label(origin.span, format!("`{}` is {number}", name.text));
                }
            }
            return Err(self.report(error));
        }
        let whole = self.whole(&value, "a size", expr.span)?;
        if whole < 0 {
            let message = format!("expected a size of at least 0, found {whole}");
            return Err(self.error("E0213", message, expr.span, "here"));
        }
        let axis = Axis::new(Size::from(whole), expr.span, "is written here");
        Ok(Axis { origin: origin.or(axis.origin), ..axis })
    }
}

/// Whether a value may be that of a size.
fn is_size(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.to_whole().is_some(),
        Value::Size(_) => true,
        _ => false,
    }
}

/// Whether two kinds of element are one.
pub(super) fn same_elem(a: &Elem, b: &Elem) -> bool {
    match (a, b) {
        (Elem::Float, Elem::Float) | (Elem::Int, Elem::Int) | (Elem::Bool, Elem::Bool) => true,
        (Elem::Class(a), Elem::Class(b)) => a.size.agrees(&b.size),
        (Elem::Float | Elem::Int | Elem::Bool | Elem::Class(_), _) => false,
    }
}
