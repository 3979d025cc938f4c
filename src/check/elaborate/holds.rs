//! `check name = condition`: constant conditions are evaluated before the run.

use super::{Elaborator, Out};
use crate::check::types::Elem;
use crate::check::unsupported::Unsupported;
use crate::check::value::{Bound, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Name};
use crate::syntax::walk;

impl Elaborator<'_> {
    pub(super) fn holds(&mut self, name: &Name, condition: &Expr, scope: &mut Scope) -> Out<()> {
        // In a definition checked alone a use decides what is open.
        let value = match self.value(condition, scope) {
            Err(_) if self.alone.is_some() => return Ok(()),
            value => value?,
        };
        match value {
            Value::Truth(true) => Ok(()),
            open if self.may_be_constant(&open) => Ok(()),
            Value::Truth(false) if is_advice(name) => {
                let warning = self.does_not_hold(name, condition, scope, "W0211", "usually has");
                self.report(warning.warning());
                Ok(())
            }
            Value::Truth(false) => {
                let error = self.does_not_hold(name, condition, scope, "E0225", "needs");
                Err(self.report(error))
            }
            Value::Tensor(term) if matches!(self.ty(term).elem, Elem::Bool) => {
                // A schedule is known in a run alone: the library demands only what it can see.
                let library = self.library.is_stdlib(condition.span.source);
                if library { Ok(()) } else { Err(self.unsupported(Unsupported::OpenCheck, condition.span)) }
            }
            other => {
                let error = Diagnostic::error("E0211", "a check is true or false", condition.span, other.noun());
                Err(self.report(error.help(format!("write a comparison: `check {} = a > 0`", name.text))))
            }
        }
    }

    fn does_not_hold(
        &self,
        name: &Name,
        condition: &Expr,
        scope: &Scope,
        code: &'static str,
        verb: &str,
    ) -> Diagnostic {
        let mut read: Vec<(String, Bound)> = Vec::new();
        walk::expression(condition, &mut |part| {
            if let ExprKind::Name(name) = &part.kind
                && let Some(bound) = scope.get(&name.text)
                && !read.iter().any(|(known, _)| *known == name.text)
            {
                read.push((name.text.clone(), bound.clone()));
            }
        });
        let is = |(name, bound): &(String, Bound)| match &bound.value {
            Value::Number(number) => Some((format!("`{name}` is {number}"), bound.origin.span)),
            Value::Truth(truth) => Some((format!("`{name}` is {truth}"), bound.origin.span)),
            Value::Text(text) => Some((format!("`{name}` is \"{text}\""), bound.origin.span)),
            Value::Size(axis) => axis.size.settled().map(|size| (format!("`{name}` is {size}"), bound.origin.span)),
            _ => None,
        };
        let mut values: Vec<_> = read.iter().filter_map(is).collect();
        let shown = self.sources.text(condition.span).split_whitespace().collect::<Vec<_>>().join(" ");
        let demand = match self.calls.last() {
            Some((_, owner)) => format!("`{owner}` {verb} `{shown}`"),
            None => format!("`{shown}` does not hold"),
        };
        let shown_values: Vec<String> = values.iter().map(|(text, _)| text.clone()).collect();
        let message =
            if shown_values.is_empty() { demand } else { format!("{demand}, and {}", shown_values.join(" and ")) };
        // What the call itself says comes first: that is where it is mended.
        let call = self.calls.last().map(|(call, _)| *call);
        let within = |at: Span| {
            call.is_some_and(|call| call.source == at.source && call.start <= at.start && at.end <= call.end)
        };
        values.sort_by_key(|(_, at)| !within(*at));
        let wants = if code.starts_with('W') { "recommended" } else { "demanded" };
        let demanded = format!("`{}` is {wants} here", name.text);
        match values.split_first() {
            None => Diagnostic::error(code, message, condition.span, demanded),
            Some(((text, span), more)) => {
                let error = Diagnostic::error(code, message, *span, text);
                let more = more.iter().filter(|(_, other)| other != span);
                more.fold(error, |error, (text, span)| error.label(*span, text)).label(condition.span, demanded)
            }
        }
    }
}

/// A check whose name begins with `usual` tells what is usual: a value outside of it is possible, and rarely meant.
pub(super) fn is_advice(name: &Name) -> bool {
    name.text == "usual" || name.text.starts_with("usual_")
}
