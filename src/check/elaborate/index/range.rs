//! Axes that a read leaves whole, or takes some places of: slices beside indices, and rests that are no index.

use super::super::slice::{Taken, lies};
use super::super::{Elaborator, Out, Reported};
use super::declare::NAMELESS;
use super::read::Spot;
use crate::check::affine::Affine;
use crate::check::terms::{Cut, Kind, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::check::value::Scope;
use crate::diagnostic::Diagnostic;
use crate::ir::ScalarOp;
use crate::source::Span;
use crate::syntax::tree::{Expr, Subscript};

/// The two ends of a slice: each made of indices, with its term if it has one.
type End = (Affine, Option<TermId>);

impl Elaborator<'_> {
    /// An index of its own for an axis that stays one.
    pub(super) fn whole_axis(&mut self, axis: Axis, span: Span) -> IndexId {
        let id = self.open_index(NAMELESS, span);
        self.terms.indices[id.0 as usize].axis = Some(axis);
        id
    }

    /// How many axes a rest stands for that no index has: those that the other places leave, or those of the signature.
    pub(super) fn rest_beside(
        &self,
        name: &str,
        axes: usize,
        subscripts: &[Subscript],
        scope: &Scope,
    ) -> Option<usize> {
        if let Some(known) = scope.rest(name) {
            return Some(known.len());
        }
        let others = subscripts.iter().map(|subscript| match subscript {
            Subscript::Rest(own, _) => {
                let own = own.as_ref().map_or(NAMELESS, |own| &own.text);
                if own == name { 0 } else { scope.index(own).map_or(0, <[IndexId]>::len) }
            }
            Subscript::At(..) | Subscript::Group(..) | Subscript::Slice(..) => 1,
        });
        (name == NAMELESS).then(|| axes.saturating_sub(others.sum()))
    }

    /// `from..to` of an axis, beside places that are indices: the places, and the index that goes through them.
    pub(super) fn slice_beside(
        &mut self,
        (from, to): (&Expr, Option<&Expr>),
        axis: &Axis,
        (span, base): (Span, Span),
        scope: &mut Scope,
    ) -> Out<(Spot, IndexId)> {
        let start = self.end_of_slice(from, scope)?;
        let end = match to {
            Some(to) => self.end_of_slice(to, scope)?.0,
            None => Affine::constant(axis.size.clone()),
        };
        let length = end.minus(&start.0);
        if let Some((id, _)) = length.factors.first() {
            return Err(self.varying(*id, span));
        }
        let count = length.constant;
        if start.0.factors.is_empty() {
            let end = to.is_some().then_some(end.constant);
            let taken = Taken::From(start.0.constant.clone(), end);
            let Cut::Range(..) = self.cut(&taken, axis, span, base)? else { return Err(Reported) };
        } else if lies(&count) == Some(false) {
            let message = format!("this slice takes {count} places: it ends before its start");
            let error = Diagnostic::error("E0262", message, span, "reversed");
            return Err(self.report(error.help("write the lower place first")));
        }
        let id = self.whole_axis(Axis::new(count, span, "are taken by this slice"), span);
        self.terms.indices[id.0 as usize].written = true;
        let (affine, term) = start;
        let term = self.place_behind(affine.clone(), term, id, span);
        Ok((Spot::Affine(affine.plus(&Affine::index(id)), Some(term), span), id))
    }

    /// A place so far behind the start of a slice as an index says.
    fn place_behind(&mut self, start: Affine, term: Option<TermId>, id: IndexId, span: Span) -> TermId {
        let ty = |free: Vec<IndexId>| Type { free, ..Type::scalar(Elem::Int) };
        let index = self.terms.add(Kind::Index(id), ty(vec![id]), span);
        let start = term.unwrap_or_else(|| self.terms.add(Kind::Size(start.constant), ty(Vec::new()), span));
        let free = self.free_indices(start, index);
        self.terms.add(Kind::Scalar(ScalarOp::Add, vec![start, index]), ty(free), span)
    }

    fn end_of_slice(&mut self, end: &Expr, scope: &mut Scope) -> Out<End> {
        match self.spot(end, scope)? {
            Spot::Affine(affine, term, _) => Ok((affine, term)),
            Spot::At(term, span) => {
                let message =
                    format!("a slice begins and ends at what is known before the run, and this is {}", self.ty(term));
                let error = Diagnostic::error("E0258", message, span, "known only in a run");
                let help = "say how many places are read, and read each at its index: `let y[j: 3] = x[start + j]`";
                Err(self.report(error.help(help)))
            }
            Spot::Group(_, _) => Err(Reported),
        }
    }

    fn varying(&mut self, id: IndexId, span: Span) -> Reported {
        let index = self.terms.index_of(id);
        let (name, own) = (index.name.clone(), index.span);
        let message = format!("how many places this slice takes depends on `{name}`");
        let error = Diagnostic::error("E0256", message, span, "as many at every index are an axis")
            .label(own, "this index")
            .help("say by a condition which elements count: `sum(j where j <= i: x[j])`");
        self.report(error)
    }

    /// The axes behind the last place, where nothing is an index, are whole as those of a slice are.
    pub(super) fn rest_behind(&mut self, term: TermId, spots: &mut Vec<Spot>, whole: &mut Vec<IndexId>, span: Span) {
        let axes: Vec<Axis> = self.ty(term).axes.iter().skip(spots.len()).cloned().collect();
        for axis in axes {
            let id = self.whole_axis(axis, span);
            whole.push(id);
            spots.push(Spot::index(id, span));
        }
    }
}
