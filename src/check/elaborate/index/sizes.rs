//! How far indices go that no axis is read at bare: as far as their condition says, or as far as all reads fit.

use super::super::{Elaborator, Out, Reported};
use crate::check::affine::{Affine, Case};
use crate::check::types::{Axis, IndexId};
use crate::diagnostic::Diagnostic;
use crate::ir::{Size, Symbol};
use crate::source::Span;

/// The greatest value of an index, as far as one condition or read says.
enum Bound {
    Most(Size),
    /// It depends on an index of which nothing is known yet, or says nothing of this one.
    Silent,
    /// It is no whole number that could be written.
    Unclear,
}

/// Which values of the other indices a bound is for: a read stays inside for every one, and what a condition allows for any is gone
/// through.
#[derive(Clone, Copy)]
enum Others {
    Every,
    Any,
}

impl Elaborator<'_> {
    /// Gives every index a size, or says that nothing does. `filter` is a condition that is demanded, with its text.
    pub(super) fn settle_sizes(&mut self, ids: &[IndexId], filter: Option<(Vec<Case>, Span)>) -> Out<()> {
        loop {
            let open: Vec<IndexId> = ids.iter().copied().filter(|id| self.terms.index_of(*id).axis.is_none()).collect();
            if open.is_empty() {
                return Ok(());
            }
            let mut moved = false;
            for id in open {
                let axis = match &filter {
                    Some((cases, span)) => self.by_condition(id, cases, *span),
                    None => None,
                };
                let axis = match axis {
                    Some(axis) => Some(axis),
                    None => self.by_reads(id)?,
                };
                if let Some(axis) = axis {
                    self.terms.indices[id.0 as usize].axis = Some(axis);
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        let missing = ids.iter().copied().find(|id| self.terms.index_of(*id).axis.is_none());
        let Some(id) = missing else { return Ok(()) };
        let index = self.terms.index_of(id).clone();
        if self.alone.is_some() && self.pending.iter().any(|read| read.affine.factor(id) != 0) {
            return Err(Reported);
        }
        let message = format!("nothing says how far the index `{}` goes", index.name);
        let text = match self.pending.iter().any(|read| read.affine.factor(id) != 0) {
            true => "it is read only together with an index of which nothing is known either",
            false => "no axis is read at it",
        };
        let help =
            format!("read an axis at it, as in `x[{0}]`, or give its size, as in `let y[{0}: 10] = …`", index.name);
        Err(self.report(Diagnostic::error("E0214", message, index.span, text).help(help)))
    }

    /// The greatest that any case of a condition allows.
    fn by_condition(&self, id: IndexId, cases: &[Case], span: Span) -> Option<Axis> {
        let mut most: Option<Size> = None;
        for case in cases {
            let bounds = case.conditions.iter().filter_map(|condition| match self.most(id, condition, Others::Any) {
                Bound::Most(size) => Some(size),
                Bound::Silent | Bound::Unclear => None,
            });
            let least = bounds.reduce(smaller)?;
            most = Some(match most {
                Some(known) if least.minus(&known).is_never_negative() => least,
                Some(known) => known,
                None => least,
            });
        }
        let size = most?.plus(&Size::from(1));
        let size = if size.settled().is_some_and(|size| size < 0) { Size::from(0) } else { size };
        Some(Axis::new(size, span, "comes from this condition"))
    }

    /// The largest size that all reads fit.
    fn by_reads(&mut self, id: IndexId) -> Out<Option<Axis>> {
        let mut least: Option<(Size, Axis)> = None;
        for read in &self.pending {
            let own = read.affine.factor(id);
            if own == 0 {
                continue;
            }
            // Upwards to the last element, downwards to the first.
            let last = Affine::constant(read.axis.size.minus(&Size::from(1)));
            let room = if own > 0 { last.minus(&read.affine) } else { read.affine.clone() };
            let origin = Axis::new(Size::from(0), read.place, "is the most that fits this read");
            if read.axis.size.is_open() || room.constant.is_open() {
                let size = Size::symbol(Symbol::open(&self.terms.index_of(id).name));
                return Ok(Some(Axis { size, ..origin }));
            }
            match self.most(id, &room, Others::Every) {
                Bound::Most(most) => {
                    let size = most.plus(&Size::from(1));
                    least = Some(match least {
                        Some((known, at)) if !known.minus(&size).is_never_negative() => (known, at),
                        _ => (size, origin),
                    });
                }
                Bound::Silent => {}
                Bound::Unclear => {
                    let index = self.terms.index_of(id);
                    let message =
                        format!("how far the index `{}` goes is no whole number that is known here", index.name);
                    let error = Diagnostic::error("E0214", message, index.span, "its size depends on the rows")
                        .label(read.place, "it is read here")
                        .help(format!("write its size: `{}: …`", index.name));
                    return Err(self.report(error));
                }
            }
        }
        let Some((size, axis)) = least else { return Ok(None) };
        if size.settled().is_some_and(|size| size < 0) {
            return Ok(Some(Axis { size: Size::from(0), ..axis }));
        }
        Ok(Some(Axis { size, ..axis }))
    }

    /// The greatest value of an index for which a number made of it is at least 0.
    fn most(&self, id: IndexId, condition: &Affine, others: Others) -> Bound {
        let own = condition.factor(id);
        if own >= 0 {
            return Bound::Silent;
        }
        let rest = Affine {
            factors: condition.factors.iter().copied().filter(|(of, _)| *of != id).collect(),
            ..condition.clone()
        };
        let Some((least, greatest)) = rest.extremes(|id| self.terms.size_of(id)) else { return Bound::Silent };
        let rest = match others {
            Others::Every => least,
            Others::Any => greatest,
        };
        match (own, rest.settled()) {
            (-1, _) => Bound::Most(rest),
            (_, Some(rest)) => Bound::Most(Size::from(rest.div_euclid(-own))),
            (_, None) => Bound::Unclear,
        }
    }
}

fn smaller(a: Size, b: Size) -> Size {
    if a.minus(&b).is_never_negative() { b } else { a }
}
