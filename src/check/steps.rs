//! Loops among terms. What a step computes are terms like any other, which read leaves of the loop; what of them is the same in
//! every step is computed outside.

use super::terms::{Kind, Leaf, TermId, Terms};
use super::types::Type;
use crate::ir::Size;
use std::collections::HashSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScanId(pub u32);

#[derive(Clone, Debug)]
pub struct Scan {
    pub id: ScanId,
    pub steps: Size,
    /// What is stepped through, each along one of its axes.
    pub sources: Vec<(TermId, usize)>,
    pub carries: Vec<Carry>,
    /// What each step gives.
    pub given: Vec<TermId>,
    /// Of so many of these, from the first on, only what the last step gives is kept.
    pub lasts: usize,
    /// The terms of a step are among those from this one on.
    pub first: TermId,
}

/// A value that goes from step to step.
#[derive(Clone, Debug)]
pub struct Carry {
    pub ty: Type,
    pub first: TermId,
    pub next: TermId,
}

/// A result of a loop.
#[derive(Clone, Copy, Debug)]
pub enum ScanPart {
    /// What the steps give, side by side along an axis of that place; or what the last one gives.
    Given { at: usize, axis: usize },
    /// A carry after all steps.
    Last(usize),
}

/// Which terms of a loop are computed anew in each step.
pub struct Inside {
    terms: HashSet<TermId>,
    /// What the steps read of what is outside, ascending.
    pub captures: Vec<TermId>,
    /// Whether the steps draw.
    pub draws: bool,
}

impl Scan {
    /// Everything that it reads, and what its steps compute.
    pub fn all(&self) -> Vec<TermId> {
        self.outside().into_iter().chain(self.results()).collect()
    }

    /// What is there before the first step.
    pub fn outside(&self) -> Vec<TermId> {
        self.sources.iter().map(|(source, _)| *source).chain(self.carries.iter().map(|carry| carry.first)).collect()
    }

    /// What a step computes at last.
    pub fn results(&self) -> Vec<TermId> {
        self.carries.iter().map(|carry| carry.next).chain(self.given.iter().copied()).collect()
    }

    /// What one of its results reads: of what the steps give, only that one.
    pub fn read_by(&self, part: ScanPart) -> Vec<TermId> {
        let given = match part {
            ScanPart::Given { at, .. } => self.given.get(at).copied(),
            ScanPart::Last(_) => None,
        };
        self.outside().into_iter().chain(self.carries.iter().map(|carry| carry.next)).chain(given).collect()
    }

    /// What its steps compute anew, and what they read of what is outside.
    pub fn inside(&self, terms: &Terms) -> Inside {
        inside(terms, self.id, self.first, &self.results())
    }
}

impl Inside {
    pub fn has(&self, term: TermId) -> bool {
        self.terms.contains(&term)
    }
}

/// What the steps of a loop compute anew, for some results: what reads a leaf of the loop, and draws.
pub fn inside(terms: &Terms, id: ScanId, first: TermId, results: &[TermId]) -> Inside {
    let (mut seen, mut open) = (HashSet::new(), results.to_vec());
    while let Some(term) = open.pop() {
        if term >= first && seen.insert(term) {
            open.extend(read_here(terms, term).0);
        }
    }
    let mut order: Vec<TermId> = seen.into_iter().collect();
    order.sort_unstable();
    let mut found = Inside { terms: HashSet::new(), captures: Vec::new(), draws: false };
    for term in &order {
        let own = match &terms.get(*term).kind {
            Kind::Leaf(Leaf::Step(scan) | Leaf::Slice(scan, _) | Leaf::Carry(scan, _)) => *scan == id,
            Kind::Draw(..) => true,
            _ => false,
        };
        let (reads, draws) = read_here(terms, *term);
        found.draws |= draws;
        if own || draws || reads.iter().any(|read| found.terms.contains(read)) {
            found.terms.insert(*term);
        }
    }
    // Constants are as well made inside.
    let constant = |term: &TermId| {
        matches!(terms.get(*term).kind, Kind::Number(_) | Kind::Truth(_) | Kind::Size(_) | Kind::Index(_))
    };
    let read = found.terms.iter().flat_map(|term| read_here(terms, *term).0).chain(results.iter().copied());
    found.captures = read.filter(|term| !found.terms.contains(term) && !constant(term)).collect();
    found.captures.sort_unstable();
    found.captures.dedup();
    found
}

/// What a term reads of the terms beside it, and whether it draws: of a loop that stands in a step, what that loop reads.
pub fn read_here(terms: &Terms, term: TermId) -> (Vec<TermId>, bool) {
    match &terms.get(term).kind {
        Kind::Scan(scan, _) => {
            let inside = scan.inside(terms);
            (scan.outside().into_iter().chain(inside.captures).collect(), inside.draws)
        }
        Kind::Draw(..) => (Vec::new(), true),
        kind => (kind.operands(), false),
    }
}
