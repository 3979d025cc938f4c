//! What of the standard library was applied, on what, and what it gave: the lints read it (`check/lints`).

use super::call::Arg;
use super::{Elaborator, Out};
use crate::check::program::{Applied, Given};
use crate::check::value::Value;
use crate::source::Span;
use crate::syntax::tree::{Name, Param};

impl Elaborator<'_> {
    /// The inputs of a function or layer of the library by their names; of others nothing is noted.
    pub(super) fn noted(&self, owner: &Name, params: &[Param], given: &[Option<Arg>]) -> Option<Vec<(String, Given)>> {
        if self.alone.is_some() || !self.library.is_stdlib(owner.span.source) {
            return None;
        }
        let input = |(param, given): (&Param, &Option<Arg>)| {
            let given = match given.as_ref()?.value {
                Value::Tensor(term) => Given::Term(term),
                Value::Number(number) => Given::Number(number.to_f64()),
                _ => return None,
            };
            Some((param.name.text.clone(), given))
        };
        Some(params.iter().zip(given).filter_map(input).collect())
    }

    pub(super) fn note_applied(
        &mut self,
        owner: &Name,
        inputs: Option<Vec<(String, Given)>>,
        span: Span,
        value: &Out<Value>,
    ) {
        if let (Some(inputs), Ok(Value::Tensor(result))) = (inputs, value) {
            let own = |span: &Span| !self.library.is_stdlib(span.source);
            let around = self.calls.iter().rev().map(|(span, _)| *span).find(own);
            let place = if own(&span) { span } else { around.unwrap_or(span) };
            self.applied.push(Applied { name: owner.text.clone(), place, inputs, result: *result });
        }
    }
}
