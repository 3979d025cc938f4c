//! `emit name = …` hands a value out of a layer, and `emitted(v, "name")` lists those of all applications that `v` was
//! computed by.

use super::{Elaborator, Out, Reported};
use crate::check::terms::{Kind, TermId};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::ir::ScalarOp;
use crate::source::Span;
use crate::syntax::tree::{Expr, Name};
use std::collections::{BTreeSet, HashSet};

/// What one application of a layer or function has emitted.
pub(super) struct Emission {
    name: Name,
    pub term: TermId,
    /// What the application gave: what reads it was computed by the application.
    results: Vec<TermId>,
}

impl Elaborator<'_> {
    /// The value of an `emit`. What is wrong with it is not told again by whoever reads it.
    pub(super) fn emission(&mut self, name: &Name, expr: &Expr, scope: &mut Scope) -> Out<Emission> {
        let made = self.emission_made(name, expr, scope);
        if made.is_err() {
            self.lost_emissions.insert(name.text.clone());
        }
        made
    }

    fn emission_made(&mut self, name: &Name, expr: &Expr, scope: &mut Scope) -> Out<Emission> {
        let value = self.value(expr, scope)?;
        let term = self.tensor(value, expr.span)?;
        let term = self.filled(term, 0.0, expr.span);
        if !self.ty(term).free.is_empty() {
            let message = format!("`{}` would be emitted once for each index", name.text);
            let error = Diagnostic::error("E0287", message, expr.span, "this reads an index that is open in the use");
            let help = "name what the layer is given by an indexed `let` before, and apply the layer to all of it";
            return Err(self.report(error.help(help)));
        }
        Ok(Emission { name: name.clone(), term, results: Vec::new() })
    }

    /// Keeps what a body has emitted, now that it is known what the body gives. `first` is the first term that may be its own: a
    /// body that gives what it was given gives it anew, for whoever reads that otherwise did not apply it.
    pub(super) fn keep_emitted(&mut self, emitted: Vec<Emission>, value: Value, first: usize) -> Value {
        if emitted.is_empty() {
            return value;
        }
        let anew = |this: &mut Self, term: TermId| {
            if (term.0 as usize) >= first {
                return term;
            }
            let (ty, span) = (this.ty(term).clone(), this.terms.get(term).span);
            this.term(Kind::Reshape(term), ty, span)
        };
        let value = match value {
            Value::Tensor(term) => Value::Tensor(anew(self, term)),
            other => other,
        };
        let results = tensors_of(&value);
        self.emissions.extend(emitted.into_iter().map(|one| Emission { results: results.clone(), ..one }));
        value
    }

    /// `emitted(v, "name")`.
    pub(super) fn emitted(&mut self, of: (&Value, Span), name: (&str, Span)) -> Out<Value> {
        if matches!(of.0, Value::Wrong) {
            return Err(Reported);
        }
        let roots = tensors_of(of.0);
        if roots.is_empty() {
            let message = format!("expected what a layer gave for `emitted`, found {}", of.0.noun());
            let error = Diagnostic::error("E0211", message, of.1, of.0.noun());
            return Err(
                self.report(error.help("name what the layer gave, `let y = model(x)`, and read what `y` emitted"))
            );
        }
        let read = self.all_read(roots);
        let reached = |one: &&Emission| one.results.iter().any(|result| read.contains(result));
        let all: Vec<&Emission> = self.emissions.iter().filter(reached).collect();
        let own: Vec<(TermId, Span)> =
            all.iter().filter(|one| one.name.text == name.0).map(|one| (one.term, one.name.span)).collect();
        if !own.is_empty() {
            return Ok(Value::Emitted(own));
        }
        // A layer that is handed in emits what a use decides.
        if self.alone.is_some() || self.lost_emissions.contains(name.0) {
            return Err(Reported);
        }
        let known: BTreeSet<&str> = all.iter().map(|one| one.name.text.as_str()).collect();
        let shown = self.sources.text(of.1).to_string();
        let message = format!("nothing that `{shown}` was computed by emits `{}`", name.0);
        let help = match nearest(name.0, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("a layer hands a value out by `emit {} = …`", name.0),
            None => format!("emitted are {}", known.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
        };
        let error = Diagnostic::error("E0285", message, name.1, "not emitted")
            .label(of.1, "what this was computed by is looked through");
        Err(self.report(error.help(help)))
    }

    /// All terms that some read, and those themselves.
    fn all_read(&self, mut open: Vec<TermId>) -> HashSet<TermId> {
        let mut seen = HashSet::new();
        while let Some(term) = open.pop() {
            if seen.insert(term) {
                open.extend(self.terms.get(term).kind.reads());
            }
        }
        seen
    }

    /// A reduction of what was emitted, which is elementwise: `None` of other functions.
    pub(super) fn over_emitted(
        &mut self,
        name: &str,
        parts: &[(TermId, Span)],
        at: Span,
        span: Span,
    ) -> Option<Out<Value>> {
        let op = match name {
            "sum" | "mean" => ScalarOp::Add,
            "max" => ScalarOp::Max,
            "min" => ScalarOp::Min,
            _ => return None,
        };
        Some(self.elementwise_over(op, name == "mean", parts, at, span))
    }

    fn elementwise_over(
        &mut self,
        op: ScalarOp,
        is_mean: bool,
        parts: &[(TermId, Span)],
        at: Span,
        span: Span,
    ) -> Out<Value> {
        let Some(((first, first_at), more)) = parts.split_first() else { return Err(Reported) };
        let mut all = *first;
        for (term, own) in more {
            let (one, two) = (self.ty(*first).clone(), self.ty(*term).clone());
            if !one.agrees(&two) {
                let message = format!("what was emitted is of several shapes, {one} and {two}");
                let error = Diagnostic::error("E0286", message, at, "this is reduced element by element")
                    .label(*first_at, format!("this is {one}"))
                    .label(*own, format!("this is {two}"));
                return Err(self.report(error.help("reduce each of them: `sum([mean(b) for b in …])`")));
            }
            all = self.arithmetic(op, (Value::Tensor(all), at), (Value::Tensor(*term), at), span, span)?;
        }
        if is_mean {
            let count = Value::Number(crate::check::number::Number::whole(parts.len() as i64));
            all = self.arithmetic(ScalarOp::Div, (Value::Tensor(all), at), (count, at), span, span)?;
        }
        Ok(Value::Tensor(all))
    }
}

/// The tensors among several values.
fn tensors_of(value: &Value) -> Vec<TermId> {
    match value {
        Value::Tensor(term) => vec![*term],
        Value::Tuple(parts) => parts.iter().flat_map(|part| tensors_of(&part.value)).collect(),
        Value::List(parts) => parts.iter().flat_map(|(part, _)| tensors_of(part)).collect(),
        _ => Vec::new(),
    }
}
