//! The same terms over other leaves: what an optimizer does with one parameter it does with all others of that type.

use super::terms::{Kind, Leaf, Place, TermId, Terms};
use std::ops::Range;

/// Some terms that read certain leaves, to be copied for others.
pub struct Pattern {
    all: Range<u32>,
    /// Of each term of the range, whether it reads one of the leaves: others are shared by all copies.
    own: Vec<bool>,
}

impl Pattern {
    /// Of all terms from one on. `None` if what they draw or step through is counted by where it stands, so that a copy would
    /// mean another thing.
    pub fn new(terms: &Terms, first: usize, is_own: impl Fn(&Leaf) -> bool) -> Option<Pattern> {
        let all = first as u32..terms.count() as u32;
        let mut own: Vec<bool> = Vec::with_capacity(all.len());
        for at in all.clone() {
            let term = terms.get(TermId(at));
            let reads = |id: TermId| all.contains(&id.0) && own[(id.0 - all.start) as usize];
            own.push(match &term.kind {
                Kind::Draw(..) | Kind::Scan(..) => return None,
                Kind::Leaf(leaf) => is_own(leaf),
                kind => kind.operands().into_iter().chain(term.ty.mask).any(reads),
            });
        }
        Some(Pattern { all, own })
    }

    /// Copies them, over other leaves. What is given maps the terms of the range to those of the copy.
    pub fn copy<L: Fn(&Leaf) -> Leaf>(&self, terms: &mut Terms, leaf: L) -> impl Fn(TermId) -> TermId + use<L> {
        let start = self.all.start;
        let mut places: Vec<TermId> = self.all.clone().map(TermId).collect();
        for at in self.all.clone().filter(|at| self.own[(at - start) as usize]) {
            let place = |id: TermId| if id.0 < start { id } else { places[(id.0 - start) as usize] };
            let mut term = terms.get(TermId(at)).clone();
            term.ty.mask = term.ty.mask.map(place);
            term.kind = over(term.kind, &place, &leaf);
            places[(at - start) as usize] = terms.add(term.kind, term.ty, term.span);
        }
        move |id| if id.0 < start { id } else { places[(id.0 - start) as usize] }
    }
}

/// A term over other operands.
fn over(kind: Kind, place: &impl Fn(TermId) -> TermId, leaf: &impl Fn(&Leaf) -> Leaf) -> Kind {
    let each = |all: Vec<TermId>| all.into_iter().map(place).collect();
    match kind {
        Kind::Number(_) | Kind::Truth(_) | Kind::Size(_) | Kind::Index(_) | Kind::Draw(..) | Kind::Scan(..) => kind,
        Kind::Leaf(own) => Kind::Leaf(leaf(&own)),
        Kind::Cast(a) => Kind::Cast(place(a)),
        Kind::Scalar(op, all) => Kind::Scalar(op, each(all)),
        Kind::Product(a, b) => Kind::Product(place(a), place(b)),
        Kind::Fold(how, a) => Kind::Fold(how, place(a)),
        Kind::ArgMax(a) => Kind::ArgMax(place(a)),
        Kind::Order(a) => Kind::Order(place(a)),
        Kind::Running(how, a) => Kind::Running(how, place(a)),
        Kind::Pick(from, at) => Kind::Pick(place(from), place(at)),
        Kind::Cholesky(a) => Kind::Cholesky(place(a)),
        Kind::TriangularSolve { l, b, transposed } => Kind::TriangularSolve { l: place(l), b: place(b), transposed },
        Kind::Constant(a) => Kind::Constant(place(a)),
        Kind::Read(a, places) => {
            let at = |read: Place| match read {
                Place::Affine(affine) => Place::Affine(affine),
                Place::At(term) => Place::At(place(term)),
            };
            Kind::Read(place(a), places.into_iter().map(at).collect())
        }
        Kind::Spread(a, indices) => Kind::Spread(place(a), indices),
        Kind::Reshape(a) => Kind::Reshape(place(a)),
        Kind::Stack(all, axis) => Kind::Stack(each(all), axis),
        Kind::Concat(all, axis) => Kind::Concat(each(all), axis),
        Kind::Slice(a, cuts) => Kind::Slice(place(a), cuts),
        Kind::Grad { of, by } => Kind::Grad { of: place(of), by: place(by) },
    }
}
