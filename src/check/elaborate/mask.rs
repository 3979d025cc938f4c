//! The mask of a `where`: a term of truth values that says which elements take part. Elementwise operations hand it on; a
//! reduction reads its neutral element where the mask is false.

use super::{Elaborator, Out};
use crate::check::terms::{Kind, Place, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::ScalarOp;
use crate::source::Span;
use crate::syntax::tree::{Binary, Expr, ExprKind};
use crate::syntax::walk;
use std::collections::BTreeSet;

impl Elaborator<'_> {
    /// Adds a term, masked as its operands are.
    pub(super) fn term(&mut self, kind: Kind, ty: Type, span: Span) -> TermId {
        let mask = self.mask(&kind, &ty, span);
        let kind = self.with_mask_filled(kind, span);
        let term = self.terms.add(kind, Type { mask, ..ty }, span);
        self.note_join(term);
        term
    }

    /// The same term, masked by a condition too.
    pub(super) fn masked(&mut self, term: TermId, condition: TermId, span: Span) -> TermId {
        let known = self.terms.get(term).clone();
        // The condition may itself be masked.
        let own = self.ty(condition).mask;
        let all: Vec<TermId> = known.ty.mask.into_iter().chain(own).chain([condition]).collect();
        let mask = self.every(&all, &known.ty, span);
        // The condition may have free indices that the term has not: `sum(j where j <= i: x[j])`.
        let free = mask.map_or(known.ty.free.clone(), |mask| self.free_indices(term, mask));
        let kind = if free == known.ty.free { known.kind } else { Kind::Cast(term) };
        self.terms.add(kind, Type { mask, free, ..known.ty }, known.span)
    }

    /// Under a `where` the size of an axis is not how many of its elements are kept: a mean that divides by it is none. Of
    /// constants alone, as in a size, it is what it is.
    pub(super) fn counts_what_is_kept(
        &mut self,
        op: Binary,
        (a, first): (&Value, &Expr),
        (b, second): (&Value, &Expr),
        scope: &Scope,
    ) -> Out<()> {
        let counts = matches!(op, Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide);
        if scope.masked.is_empty() || !counts {
            return Ok(());
        }
        let measures =
            |value: &Value| matches!(value, Value::Tensor(term) if matches!(self.ty(*term).elem, Elem::Float));
        let constant = |value: &Value| matches!(value, Value::Number(_) | Value::Size(_));
        let size = match (measures(a), measures(b)) {
            (true, false) if constant(b) => second,
            (false, true) if constant(a) => first,
            _ => return Ok(()),
        };
        let mut open = vec![size];
        while let Some(expr) = open.pop() {
            if let ExprKind::Name(name) = &expr.kind
                && scope.masked.contains(&name.text)
            {
                let name = &name.text;
                let message =
                    format!("`{name}` is the size of the whole axis, and a `where` keeps some of its elements");
                let error = Diagnostic::error("E0392", message, expr.span, "read as a number");
                return Err(self.report(error.help("`count(…)` of the vector is how many are kept")));
            }
            open.extend(walk::parts(expr));
        }
        Ok(())
    }

    /// A term with a number where its mask is false; truth values are false there.
    pub(super) fn filled(&mut self, term: TermId, number: f64, span: Span) -> TermId {
        let ty = self.ty(term).clone();
        let Some(condition) = ty.mask else { return term };
        let filler = match ty.elem {
            Elem::Bool => Kind::Truth(false),
            Elem::Float | Elem::Int | Elem::Class(_) => Kind::Number(number),
        };
        let no = self.terms.add(filler, Type::scalar(ty.elem.clone()), span);
        self.terms.add(Kind::Scalar(ScalarOp::Select, vec![condition, term, no]), Type { mask: None, ..ty }, span)
    }

    /// Where the mask is false, a reduction or product reads a number that does not change its result.
    fn with_mask_filled(&mut self, kind: Kind, span: Span) -> Kind {
        match kind {
            Kind::Fold(reduce, a) => Kind::Fold(reduce, self.filled(a, reduce.start(), span)),
            Kind::ArgMax(a) => Kind::ArgMax(self.filled(a, f64::NEG_INFINITY, span)),
            Kind::Product(a, b) => Kind::Product(self.filled(a, 0.0, span), self.filled(b, 0.0, span)),
            Kind::Pick(from, at) => Kind::Pick(self.filled(from, 0.0, span), at),
            Kind::Running(how, a) => Kind::Running(how, self.filled(a, how.start(), span)),
            Kind::Cholesky(a) => Kind::Cholesky(self.filled(a, 0.0, span)),
            Kind::TriangularSolve { l, b, transposed } => {
                Kind::TriangularSolve { l: self.filled(l, 0.0, span), b: self.filled(b, 0.0, span), transposed }
            }
            Kind::Number(_)
            | Kind::Truth(_)
            | Kind::Size(_)
            | Kind::Index(_)
            | Kind::Leaf(_)
            | Kind::Cast(_)
            | Kind::Scalar(..)
            | Kind::Constant(_)
            // `order` knows of masks.
            | Kind::Order(_)
            | Kind::Read(..)
            | Kind::Spread(..)
            | Kind::Reshape(_)
            | Kind::Stack(..)
            | Kind::Concat(..)
            | Kind::Slice(..)
            | Kind::Grad { .. }
            | Kind::Draw(..)
            | Kind::Scan(..) => kind,
        }
    }

    /// The mask of a new term, from those of its operands.
    fn mask(&mut self, kind: &Kind, ty: &Type, span: Span) -> Option<TermId> {
        match kind {
            Kind::Number(_) | Kind::Truth(_) | Kind::Size(_) | Kind::Index(_) | Kind::Leaf(_) => None,
            Kind::Grad { .. } | Kind::Draw(..) | Kind::Scan(..) => None,
            Kind::Fold(..) | Kind::ArgMax(_) | Kind::Order(_) | Kind::Product(..) => None,
            Kind::Cholesky(_) | Kind::TriangularSolve { .. } => None,
            Kind::Cast(a) | Kind::Constant(a) | Kind::Running(_, a) | Kind::Pick(_, a) => self.ty(*a).mask,
            Kind::Scalar(_, operands) => {
                let all: Vec<TermId> = operands.iter().filter_map(|part| self.ty(*part).mask).collect();
                self.every(&all, ty, span)
            }
            Kind::Stack(parts, at) => {
                let masks: Vec<Option<TermId>> = parts.iter().map(|part| self.ty(*part).mask).collect();
                let some: Vec<TermId> = masks.iter().flatten().copied().collect();
                let (first, rest) = some.split_first()?;
                let free = rest.iter().fold(self.ty(*first).free.clone(), |free, other| {
                    let all: BTreeSet<_> = free.into_iter().chain(self.ty(*other).free.iter().copied()).collect();
                    all.into_iter().collect()
                });
                let mut axes = ty.axes.clone();
                axes.remove(*at);
                let part = truths(free.clone(), axes);
                let mut all = Vec::new();
                for (own, id) in masks.into_iter().zip(parts) {
                    // A number among tensors has their common mask.
                    let number = self.ty(*id).axes.is_empty();
                    let common = if number { self.every(&some, &part, span) } else { None };
                    let whole = || self.terms.add(Kind::Truth(true), Type::scalar(Elem::Bool), span);
                    all.push(own.or(common).unwrap_or_else(whole));
                }
                Some(self.terms.add(Kind::Stack(all, *at), truths(free, ty.axes.clone()), span))
            }
            Kind::Concat(parts, at) => {
                let some: Vec<TermId> = parts.iter().filter_map(|part| self.ty(*part).mask).collect();
                let (first, rest) = some.split_first()?;
                let free = rest.iter().fold(self.ty(*first).free.clone(), |free, other| {
                    let all: BTreeSet<_> = free.into_iter().chain(self.ty(*other).free.iter().copied()).collect();
                    all.into_iter().collect()
                });
                let mut all = Vec::new();
                for part in parts {
                    let (own, axes) = (self.ty(*part).mask, self.ty(*part).axes.clone());
                    let mask = own.unwrap_or_else(|| self.terms.add(Kind::Truth(true), Type::scalar(Elem::Bool), span));
                    all.push(self.terms.add(Kind::Cast(mask), truths(free.clone(), axes), span));
                }
                Some(self.terms.add(Kind::Concat(all, *at), truths(free, ty.axes.clone()), span))
            }
            Kind::Slice(a, cuts) => {
                let mask = self.ty(*a).mask?;
                // A mask may lack axes that its tensor has.
                let whole = truths(self.ty(mask).free.clone(), self.ty(*a).axes.clone());
                let free = whole.free.clone();
                let whole = self.terms.add(Kind::Cast(mask), whole, span);
                Some(self.terms.add(Kind::Slice(whole, cuts.clone()), truths(free, ty.axes.clone()), span))
            }
            Kind::Read(a, places) => {
                let own = self.ty(*a).mask.map(|mask| {
                    let free: BTreeSet<IndexId> = self.ty(mask).free.iter().chain(&ty.free).copied().collect();
                    let ty = truths(free.into_iter().collect(), Vec::new());
                    self.terms.add(Kind::Read(mask, places.clone()), ty, span)
                });
                let of_places = places.iter().filter_map(Place::term).filter_map(|at| self.ty(at).mask);
                let all: Vec<TermId> = own.into_iter().chain(of_places).collect();
                self.every(&all, ty, span)
            }
            Kind::Reshape(a) => {
                let mask = self.ty(*a).mask?;
                let free = self.ty(mask).free.clone();
                Some(self.terms.add(Kind::Reshape(mask), truths(free, ty.axes.clone()), span))
            }
            Kind::Spread(a, ids) => {
                let mask = self.ty(*a).mask?;
                let free = self.ty(mask).free.iter().copied().filter(|id| !ids.contains(id)).collect();
                Some(self.terms.add(Kind::Spread(mask, ids.clone()), truths(free, ty.axes.clone()), span))
            }
        }
    }

    /// Where all of some conditions hold, with the axes of a type; `None` for no conditions.
    fn every(&mut self, conditions: &[TermId], ty: &Type, span: Span) -> Option<TermId> {
        let (first, rest) = conditions.split_first()?;
        if rest.iter().all(|other| other == first) && self.ty(*first).sizes() == ty.sizes() {
            return Some(*first);
        }
        let rest = if rest.is_empty() { &conditions[..1] } else { rest };
        Some(rest.iter().fold(*first, |all, condition| {
            let free = self.free_indices(all, *condition);
            self.terms.add(Kind::Scalar(ScalarOp::And, vec![all, *condition]), truths(free, ty.axes.clone()), span)
        }))
    }
}

fn truths(free: Vec<IndexId>, axes: Vec<Axis>) -> Type {
    Type { elem: Elem::Bool, free, axes, mask: None }
}
