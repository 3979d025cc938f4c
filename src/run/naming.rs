//! Which column's classes a prediction is one of, so that it is written by their names.
//!
//! `argmax(model(x))` is a place among scores. What the places mean is said where the program holds scores against a column:
//! the loss picks the score of a class (`cross_entropy(model(x), y)`), or a report compares the chosen one with it.

use crate::check::program::{Raw, TypedProgram};
use crate::check::terms::{Kind, Leaf, Place, TermId, Terms};
use crate::check::types::Elem;
use crate::ir::{ScalarOp, Size};
use std::collections::BTreeSet;

/// What is known of a prediction's classes.
#[derive(Debug, PartialEq)]
pub enum Classes<'c> {
    Of(&'c str),
    /// They may be those of any of these columns.
    Unclear(Vec<&'c str>),
    /// They are no column's, or the prediction is no class.
    None,
}

pub fn classes(checked: &TypedProgram, value: TermId) -> Classes<'_> {
    if let Some((_, column)) = checked.named.iter().find(|(term, _)| *term == value) {
        return Classes::Of(column);
    }
    let Elem::Class(count) = &checked.terms.get(value).ty.elem else { return Classes::None };
    let named = Naming { checked, count: &count.size };
    let origins = named.origins(value);
    match (&origins.columns.iter().collect::<Vec<_>>()[..], &origins.scores[..]) {
        ([column], []) => Classes::Of(column),
        ([], [scores]) => named.of_scores(*scores),
        _ => named.of_anything(&[]),
    }
}

/// Where the values of a term come from, unchanged.
#[derive(Default)]
struct Origins<'c> {
    /// The columns whose classes they are.
    columns: BTreeSet<&'c str>,
    /// The scores whose greatest they are the places of.
    scores: Vec<TermId>,
}

struct Naming<'c> {
    checked: &'c TypedProgram,
    /// How many classes there are.
    count: &'c Size,
}

impl<'c> Naming<'c> {
    fn of_scores(&self, scores: TermId) -> Classes<'c> {
        let reports: Vec<TermId> = self.checked.reports.iter().map(|report| report.value).collect();
        let mut unclear = Vec::new();
        for roots in [&self.checked.losses()[..], &reports] {
            match &self.targets(scores, roots)[..] {
                [] => {}
                [one] => return Classes::Of(one),
                several => drop(unclear.is_empty().then(|| unclear = several.to_vec())),
            }
        }
        if unclear.is_empty() { self.of_anything(&[scores]) } else { Classes::Unclear(unclear) }
    }

    /// The columns that scores are held against: these scores, or else any that the same parameters make.
    fn targets(&self, scores: TermId, roots: &[TermId]) -> Vec<&'c str> {
        let held = self.held(roots);
        let reads = |term: TermId, counts: fn(&Leaf) -> bool| -> BTreeSet<String> {
            let leaves = self.checked.terms.leaves(&[term]).into_iter().filter(counts);
            leaves.map(|leaf| format!("{leaf:?}")).collect()
        };
        let ways: [fn(&Leaf) -> bool; 3] =
            [|leaf| matches!(leaf, Leaf::Param(_) | Leaf::Column(_)), |leaf| matches!(leaf, Leaf::Param(_)), |_| false];
        let found = ways.into_iter().map(|way| {
            let own = reads(scores, way);
            let alike = held.iter().filter(|(other, _)| reads(*other, way) == own);
            alike.map(|(_, column)| *column).collect::<BTreeSet<_>>()
        });
        let mut found = found.filter(|columns| !columns.is_empty());
        found.next().unwrap_or_default().into_iter().collect()
    }

    /// Scores, and the columns that terms hold them against.
    fn held(&self, roots: &[TermId]) -> Vec<(TermId, &'c str)> {
        let mut held = Vec::new();
        for term in below(&self.checked.terms, roots) {
            match &self.checked.terms.get(term).kind {
                Kind::Pick(scores, class) => {
                    held.extend(self.origins(*class).columns.into_iter().map(|column| (*scores, column)));
                }
                // `scores[n, y[n]]`
                Kind::Read(scores, places) => {
                    let classes = places.last().and_then(Place::term);
                    let columns = classes.map_or(Vec::new(), |class| self.origins(class).columns.into_iter().collect());
                    held.extend(columns.into_iter().map(|column| (*scores, column)));
                }
                Kind::Scalar(op, operands) if op.compares() => {
                    let (a, b) = (operands[0], operands[1]);
                    for (chosen, class) in [(a, b), (b, a)] {
                        let (chosen, class) = (self.origins(chosen), self.origins(class));
                        let pairs = chosen.scores.iter().flat_map(|scores| class.columns.iter().map(|c| (*scores, *c)));
                        held.extend(pairs);
                    }
                }
                _ => {}
            }
        }
        held
    }

    fn origins(&self, value: TermId) -> Origins<'c> {
        let TypedProgram { terms, data, .. } = self.checked;
        let (mut origins, mut open) = (Origins::default(), vec![value]);
        let mut seen = BTreeSet::new();
        while let Some(term) = open.pop() {
            if !seen.insert(term) {
                continue;
            }
            match &terms.get(term).kind {
                Kind::Leaf(Leaf::Column(at)) => open.push(data.columns[*at].value),
                Kind::Leaf(Leaf::Raw(at)) => origins.columns.extend(self.class_column(&data.raw[*at])),
                Kind::ArgMax(scores) => origins.scores.push(*scores),
                Kind::Cast(a) | Kind::Constant(a) | Kind::Read(a, _) | Kind::Spread(a, _) | Kind::Reshape(a) => {
                    open.push(*a);
                }
                Kind::Scalar(ScalarOp::Select, operands) => open.extend(&operands[1..]),
                _ => {}
            }
        }
        origins
    }

    /// Where nothing is held against scores: a column with as many classes that the loss reads, one that the scores do
    /// not read before one that they do, and one that is read as classes before one that other columns are made of.
    fn of_anything(&self, scores: &[TermId]) -> Classes<'c> {
        let loss = self.checked.losses();
        let (whole, made) = (self.read(&loss), self.made_of(&loss));
        let found = [&whole - &self.read(scores), whole, &made - &self.made_of(scores), made];
        let found = found.into_iter().find(|columns| !columns.is_empty()).unwrap_or_default();
        match &found.into_iter().collect::<Vec<_>>()[..] {
            [] => Classes::None,
            [one] => Classes::Of(one),
            several => Classes::Unclear(several.to_vec()),
        }
    }

    /// The columns whose classes terms read as such.
    fn read(&self, roots: &[TermId]) -> BTreeSet<&'c str> {
        let columns = self.columns(roots).into_iter();
        let classes = columns.filter(|column| matches!(self.checked.terms.get(*column).ty.elem, Elem::Class(_)));
        classes.flat_map(|column| self.origins(column).columns).collect()
    }

    /// The columns whose classes something is made of that terms read.
    fn made_of(&self, roots: &[TermId]) -> BTreeSet<&'c str> {
        let leaves = self.checked.terms.leaves(&self.columns(roots)).into_iter();
        let raws = leaves.filter_map(|leaf| if let Leaf::Raw(at) = leaf { Some(at) } else { None });
        raws.filter_map(|at| self.class_column(&self.checked.data.raw[at])).collect()
    }

    fn columns(&self, roots: &[TermId]) -> Vec<TermId> {
        let TypedProgram { terms, data, .. } = self.checked;
        let leaves = terms.leaves(roots).into_iter();
        leaves
            .filter_map(|leaf| if let Leaf::Column(at) = leaf { Some(data.columns[at].value) } else { None })
            .collect()
    }

    /// The name of a source column, if it is one of so many classes.
    fn class_column(&self, raw: &'c Raw) -> Option<&'c str> {
        let as_many = matches!(&raw.ty.elem, Elem::Class(own) if own.size == *self.count);
        (raw.kind.is_class() && as_many).then_some(&*raw.key)
    }
}

/// Every term that others are made of, each once.
fn below(terms: &Terms, roots: &[TermId]) -> Vec<TermId> {
    let (mut seen, mut open, mut found) = (BTreeSet::new(), roots.to_vec(), Vec::new());
    while let Some(term) = open.pop() {
        if seen.insert(term) {
            found.push(term);
            open.extend(terms.get(term).kind.operands());
        }
    }
    found
}
