//! `grad(e, x)`: the derivative of a scalar by an earlier tensor.

use super::{Elaborator, Out, Reported};
use crate::check::steps;
use crate::check::terms::{Kind, Leaf, TermId};
use crate::check::types::{Elem, Type};
use crate::check::value::{Recipe, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::collections::HashSet;
use std::rc::Rc;

impl Elaborator<'_> {
    pub(super) fn grad(&mut self, of: (Value, Span), by: (Value, Span), span: Span) -> Out<Value> {
        let of_at = of.1;
        let by = match by {
            (Value::Instance(recipe, path), at) => return self.grad_by_model(of, (recipe, path), at),
            (value, at) => (self.differentiated_by(value, at)?, at),
        };
        let of_term = self.differentiated(of)?;
        self.is_within_its_step(of_term, Some(by.0), by.1)?;
        let found = self.ty(by.0).clone();
        if !self.reads(of_term, by.0) {
            self.is_independent(of_term, of_at, by.0, by.1)?;
        }
        let ty = Type { mask: None, ..found };
        Ok(Value::Tensor(self.term(Kind::Grad { of: of_term, by: by.0 }, ty, span)))
    }

    /// `grad(loss, model)` is a model of the same structure.
    fn grad_by_model(&mut self, of: (Value, Span), (recipe, path): (Rc<Recipe>, String), at: Span) -> Out<Value> {
        let of_at = of.1;
        let of_term = self.differentiated(of)?;
        self.is_within_its_step(of_term, None, at)?;
        Ok(self.slope((of_term, of_at), recipe, &path, at))
    }

    /// The one number that is differentiated.
    fn differentiated(&mut self, of: (Value, Span)) -> Out<TermId> {
        let of_term = self.numbers(of.0, of.1)?;
        let ty = self.ty(of_term).clone();
        if !ty.axes.is_empty() || !ty.free.is_empty() {
            let message = "the derivative is that of one number";
            let shown =
                if ty.axes.is_empty() { "this is one for each index".to_string() } else { format!("this is {ty}") };
            let error = Diagnostic::error("E0271", message, of.1, shown);
            let text = self.sources.text(of.1).to_string();
            return Err(self.report(error.help(format!(
                "where each row depends on its own alone, the derivative of the sum has one for each row: `grad(sum({text}), …)`"
            ))));
        }
        Ok(of_term)
    }

    /// A tensor of floats that has a name.
    fn differentiated_by(&mut self, by: Value, at: Span) -> Out<TermId> {
        let noun = match by {
            Value::Tensor(term) => {
                let ty = self.ty(term);
                match (&ty.elem, &ty.free[..]) {
                    (Elem::Float, []) => return Ok(term),
                    (Elem::Float, _) => "a read at an index".to_string(),
                    _ => ty.to_string(),
                }
            }
            Value::Wrong => return Err(Reported),
            other => other.noun().to_string(),
        };
        let message = format!("expected a tensor of floats to differentiate by, found {noun}");
        let error = Diagnostic::error("E0271", message, at, "by this");
        Err(self.report(
            error.help("differentiate by a model, a column, a parameter, or a `let` that `grad` stands behind"),
        ))
    }

    /// Whether a term is made of one of others.
    pub(super) fn reads_one_of(&self, of: TermId, others: &[TermId]) -> bool {
        let (mut seen, mut open) = (HashSet::new(), vec![of]);
        while let Some(term) = open.pop() {
            if others.contains(&term) {
                return true;
            }
            if seen.insert(term) {
                open.extend(self.terms.get(term).kind.operands());
            }
        }
        false
    }

    /// Whether a term is made of another one.
    fn reads(&self, of: TermId, by: TermId) -> bool {
        let leaf = |term: TermId| match &self.terms.get(term).kind {
            Kind::Leaf(leaf) => Some(leaf),
            _ => None,
        };
        let (mut seen, mut open) = (HashSet::new(), vec![of]);
        while let Some(term) = open.pop() {
            if term == by || (leaf(term).is_some() && leaf(term) == leaf(by)) {
                return true;
            }
            if seen.insert(term) {
                open.extend(self.terms.get(term).kind.operands());
            }
        }
        false
    }

    /// A derivative that is 0 everywhere is nearly always a slip; one by what comes later has no meaning.
    fn is_independent(&mut self, of: TermId, of_at: Span, by: TermId, by_at: Span) -> Out<()> {
        let (e, x) = (self.sources.text(of_at).to_string(), self.sources.text(by_at).to_string());
        if self.reads(by, of) && !matches!(self.terms.get(of).kind, Kind::Number(_)) {
            let message = format!("`{x}` is made of `{e}`, and a derivative is by something earlier");
            let error = Diagnostic::error("E0273", message, by_at, "this comes later").label(of_at, "than this");
            return Err(self.report(error.help(format!("the other way round it is `grad({x}, {e})`"))));
        }
        let made_here = !matches!(self.terms.get(by).kind, Kind::Leaf(_)) && self.terms.get(by).span == by_at;
        let message = "this derivative is 0 everywhere";
        let warning = Diagnostic::error("W0271", message, by_at, "nothing that is differentiated reads this")
            .label(of_at, "this is differentiated");
        let help = match made_here {
            true => format!("`{x}` makes a new tensor: name it by a `let`, and compute `{e}` from that name"),
            false => format!("compute `{e}` from `{x}` itself, the tensor that the derivative is by"),
        };
        self.report(warning.help(help).warning());
        Ok(())
    }

    /// In a step of a loop, what is outside of it also comes in by the carries: only all steps together have a derivative.
    fn is_within_its_step(&mut self, of: TermId, by: Option<TermId>, at: Span) -> Out<()> {
        let Some(around) = self.loops.last() else { return Ok(()) };
        let inside = steps::inside(&self.terms, around.id, around.first, &[&[of], by.as_slice()].concat());
        if !inside.has(of) || by.is_some_and(|by| inside.has(by)) {
            return Ok(());
        }
        let message = "a step of a scan has no derivative by what is made outside of it";
        let error = Diagnostic::error("E0275", message, at, "this is made outside").label(around.span, "of this scan");
        let text = self.sources.text(at).to_string();
        let help = format!(
            "differentiate by a state or by what the step makes, or take `grad(…, {text})` of the result of the scan"
        );
        Err(self.report(error.help(help)))
    }

    /// Whether a term reads what the steps of a loop make.
    pub(super) fn reads_leaf_of(&self, term: TermId, id: steps::ScanId) -> bool {
        let (mut seen, mut open) = (HashSet::new(), vec![term]);
        while let Some(term) = open.pop() {
            if let Kind::Leaf(Leaf::Step(scan) | Leaf::Slice(scan, _) | Leaf::Carry(scan, _)) =
                &self.terms.get(term).kind
                && *scan == id
            {
                return true;
            }
            if seen.insert(term) {
                open.extend(self.terms.get(term).kind.operands());
            }
        }
        false
    }
}
