//! What a `where` keeps. A term that stands for some of its elements carries which ones: they go with it through whatever
//! is done element by element, and what joins elements leaves the others out.

use super::Elaborator;
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::ir::ScalarOp;
use crate::source::Span;
use std::collections::BTreeSet;

impl Elaborator<'_> {
    /// Adds a term. What its operands keep, it keeps.
    pub(super) fn term(&mut self, kind: Kind, ty: Type, span: Span) -> TermId {
        let kept = self.kept(&kind, &ty, span);
        let kind = self.of_the_kept(kind, span);
        self.terms.add(kind, Type { kept, ..ty }, span)
    }

    /// The same term, of which only the elements remain for which a condition holds.
    pub(super) fn keep(&mut self, term: TermId, condition: TermId, span: Span) -> TermId {
        let known = self.terms.get(term).clone();
        // What the condition reads may itself be some of the elements.
        let own = self.ty(condition).kept;
        let all: Vec<TermId> = known.ty.kept.into_iter().chain(own).chain([condition]).collect();
        let kept = self.every(&all, &known.ty, span);
        // The condition may run along indices that the term does not: `sum(j where j <= i: x[j])`.
        let along = kept.map_or(known.ty.along.clone(), |kept| self.along(term, kept));
        let kind = if along == known.ty.along { known.kind } else { Kind::Cast(term) };
        self.terms.add(kind, Type { kept, along, ..known.ty }, known.span)
    }

    /// A term with a number in place of what is left out; truth values are false there.
    pub(super) fn filled(&mut self, term: TermId, number: f64, span: Span) -> TermId {
        let ty = self.ty(term).clone();
        let Some(condition) = ty.kept else { return term };
        let filler = match ty.elem {
            Elem::Bool => Kind::Truth(false),
            Elem::Float | Elem::Int | Elem::Class(_) => Kind::Number(number),
        };
        let no = self.terms.add(filler, Type::scalar(ty.elem.clone()), span);
        self.terms.add(Kind::Scalar(ScalarOp::Select, vec![condition, term, no]), Type { kept: None, ..ty }, span)
    }

    /// What joins elements sees, where one is left out, a number that changes nothing.
    fn of_the_kept(&mut self, kind: Kind, span: Span) -> Kind {
        match kind {
            Kind::Fold(reduce, a) => Kind::Fold(reduce, self.filled(a, reduce.start(), span)),
            Kind::ArgMax(a) => Kind::ArgMax(self.filled(a, f64::NEG_INFINITY, span)),
            Kind::Product(a, b) => Kind::Product(self.filled(a, 0.0, span), self.filled(b, 0.0, span)),
            Kind::Pick(from, at) => Kind::Pick(self.filled(from, 0.0, span), at),
            Kind::Number(_)
            | Kind::Truth(_)
            | Kind::Size(_)
            | Kind::Index(_)
            | Kind::Leaf(_)
            | Kind::Cast(_)
            | Kind::Scalar(..)
            | Kind::Constant(_)
            | Kind::Read(..)
            | Kind::Spread(..)
            | Kind::Stack(_) => kind,
        }
    }

    /// Which elements of a term there are, if its operands do not have all of theirs.
    fn kept(&mut self, kind: &Kind, ty: &Type, span: Span) -> Option<TermId> {
        match kind {
            Kind::Number(_) | Kind::Truth(_) | Kind::Size(_) | Kind::Index(_) | Kind::Leaf(_) => None,
            Kind::Fold(..) | Kind::ArgMax(_) | Kind::Product(..) => None,
            Kind::Cast(a) | Kind::Constant(a) | Kind::Pick(_, a) => self.ty(*a).kept,
            Kind::Scalar(_, operands) => {
                let all: Vec<TermId> = operands.iter().filter_map(|part| self.ty(*part).kept).collect();
                self.every(&all, ty, span)
            }
            Kind::Stack(parts) => {
                let kept: Vec<Option<TermId>> = parts.iter().map(|part| self.ty(*part).kept).collect();
                let some: Vec<TermId> = kept.iter().flatten().copied().collect();
                let (first, rest) = some.split_first()?;
                let along = rest.iter().fold(self.ty(*first).along.clone(), |along, other| {
                    let all: BTreeSet<_> = along.into_iter().chain(self.ty(*other).along.iter().copied()).collect();
                    all.into_iter().collect()
                });
                let part = truths(along.clone(), ty.axes[..ty.axes.len() - 1].to_vec());
                let mut all = Vec::new();
                for (own, id) in kept.into_iter().zip(parts) {
                    // A number stands where the others are kept.
                    let number = self.ty(*id).axes.is_empty();
                    let common = if number { self.every(&some, &part, span) } else { None };
                    let whole = || self.terms.add(Kind::Truth(true), Type::scalar(Elem::Bool), span);
                    all.push(own.or(common).unwrap_or_else(whole));
                }
                Some(self.terms.add(Kind::Stack(all), truths(along, ty.axes.clone()), span))
            }
            Kind::Read(a, ids) => {
                let kept = self.ty(*a).kept?;
                let mut along = [&self.ty(kept).along[..], ids].concat();
                along.sort_unstable();
                Some(self.terms.add(Kind::Read(kept, ids.clone()), truths(along, Vec::new()), span))
            }
            Kind::Spread(a, ids) => {
                let kept = self.ty(*a).kept?;
                let along = self.ty(kept).along.iter().copied().filter(|id| !ids.contains(id)).collect();
                Some(self.terms.add(Kind::Spread(kept, ids.clone()), truths(along, ty.axes.clone()), span))
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
            let along = self.along(all, *condition);
            self.terms.add(Kind::Scalar(ScalarOp::And, vec![all, *condition]), truths(along, ty.axes.clone()), span)
        }))
    }
}

fn truths(along: Vec<IndexId>, axes: Vec<Axis>) -> Type {
    Type { elem: Elem::Bool, along, axes, kept: None }
}
