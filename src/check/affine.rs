//! Whole numbers made of indices, `2 * i + u - 1`, and whether conditions keep them inside of an axis.

use super::types::IndexId;
use crate::ir::{Size, Symbol};
use std::collections::{BTreeMap, BTreeSet};

/// A constant and some indices, each times a factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    pub constant: Size,
    /// Ascending by index; no factor is 0.
    pub factors: Vec<(IndexId, i64)>,
}

impl Affine {
    pub fn constant(constant: Size) -> Affine {
        Affine { constant, factors: Vec::new() }
    }

    pub fn index(id: IndexId) -> Affine {
        Affine { constant: Size::from(0), factors: vec![(id, 1)] }
    }

    /// The index, if it is one and nothing else.
    pub fn bare(&self) -> Option<IndexId> {
        match self.factors[..] {
            [(id, 1)] if self.constant == Size::from(0) => Some(id),
            _ => None,
        }
    }

    pub fn factor(&self, id: IndexId) -> i64 {
        self.factors.iter().find(|(own, _)| *own == id).map_or(0, |(_, factor)| *factor)
    }

    pub fn plus(&self, other: &Affine) -> Affine {
        let mut factors: BTreeMap<IndexId, i64> = self.factors.iter().copied().collect();
        for (id, factor) in &other.factors {
            let sum = factors.entry(*id).or_insert(0);
            *sum = sum.saturating_add(*factor);
        }
        let factors = factors.into_iter().filter(|(_, factor)| *factor != 0).collect();
        Affine { constant: self.constant.plus(&other.constant), factors }
    }

    pub fn minus(&self, other: &Affine) -> Affine {
        self.plus(&other.times(-1))
    }

    pub fn times(&self, by: i64) -> Affine {
        let factors = self.factors.iter().map(|(id, factor)| (*id, factor.saturating_mul(by)));
        let factors = factors.filter(|(_, factor)| *factor != 0).collect();
        Affine { constant: self.constant.times(&Size::from(by)), factors }
    }

    /// The least and the greatest value, where every index has a size.
    pub fn extremes(&self, size_of: impl Fn(IndexId) -> Option<Size>) -> Option<(Size, Size)> {
        let (mut low, mut high) = (self.constant.clone(), self.constant.clone());
        for (id, factor) in &self.factors {
            let far = size_of(*id)?.minus(&Size::from(1)).times(&Size::from(*factor));
            match *factor < 0 {
                true => low = low.plus(&far),
                false => high = high.plus(&far),
            }
        }
        Some((low, high))
    }
}

/// So many cases, and so many conditions in one, are looked at; what has more counts as not proven.
const MOST_CASES: usize = 64;
const MOST_CONDITIONS: usize = 600;

/// Conditions that hold together: each number is at least 0.
#[derive(Clone, Debug)]
pub struct Case {
    pub conditions: Vec<Affine>,
    /// Whether nothing else is demanded, such as a condition that only a run decides.
    pub exact: bool,
}

impl Case {
    /// Demands something of which nothing is known.
    pub fn unknown() -> Case {
        Case { conditions: Vec::new(), exact: false }
    }

    pub fn of(condition: Affine) -> Case {
        Case { conditions: vec![condition], exact: true }
    }

    fn and(&self, other: &Case) -> Case {
        let conditions = [&self.conditions[..], &other.conditions].concat();
        Case { conditions, exact: self.exact && other.exact }
    }
}

/// The cases in which one of each list holds.
pub fn all_of(lists: &[Vec<Case>]) -> Vec<Case> {
    let everything = vec![Case { conditions: Vec::new(), exact: true }];
    lists.iter().fold(everything, |cases, list| {
        if cases.len() * list.len() > MOST_CASES {
            // Fewer demands are safe: they exclude less.
            return cases.into_iter().map(|case| Case { exact: false, ..case }).collect();
        }
        cases.iter().flat_map(|case| list.iter().map(|other| case.and(other))).collect()
    })
}

/// What is unknown in a system of conditions: an index, or a product of symbolic sizes, which is at least 1, or 0 if a quotient is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unknown {
    Index(IndexId),
    Sizes(Vec<Symbol>),
}

/// A sum that is at least 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    factors: BTreeMap<Unknown, i128>,
    constant: i128,
}

impl Row {
    fn of(affine: &Affine) -> Row {
        let mut row = Row { factors: BTreeMap::new(), constant: 0 };
        for (symbols, factor) in affine.constant.parts() {
            match symbols.is_empty() {
                true => row.constant = factor.into(),
                false => {
                    row.factors.insert(Unknown::Sizes(symbols), factor.into());
                }
            }
        }
        row.factors.extend(affine.factors.iter().map(|(id, factor)| (Unknown::Index(*id), i128::from(*factor))));
        row
    }

    fn factor(&self, of: &Unknown) -> i128 {
        self.factors.get(of).copied().unwrap_or(0)
    }

    /// Divided by what divides every factor; all unknowns are whole numbers, so that the constant is rounded down.
    fn reduced(mut self) -> Row {
        self.factors.retain(|_, factor| *factor != 0);
        let divisor = self.factors.values().fold(0, |divisor, factor| gcd(divisor, factor.abs()));
        if divisor > 1 {
            self.factors.values_mut().for_each(|factor| *factor /= divisor);
            self.constant = self.constant.div_euclid(divisor);
        }
        self
    }

    /// Two conditions, the first with a factor above 0 of an unknown and the second with one below, without it.
    fn without(&self, other: &Row, unknown: &Unknown) -> Option<Row> {
        let (a, b) = (self.factor(unknown), -other.factor(unknown));
        let mut factors = BTreeMap::new();
        for (of, factor) in &self.factors {
            factors.insert(of.clone(), factor.checked_mul(b)?);
        }
        for (of, factor) in &other.factors {
            let sum = factors.entry(of.clone()).or_insert(0);
            *sum = sum.checked_add(factor.checked_mul(a)?)?;
        }
        let constant = self.constant.checked_mul(b)?.checked_add(other.constant.checked_mul(a)?)?;
        Some(Row { factors, constant }.reduced())
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Whether no values of the indices fulfil some conditions, by eliminating one unknown after another (Fourier and Motzkin).
/// `size_of` says how far an index goes; one without a size goes as far as it likes.
pub fn impossible(conditions: &[Affine], size_of: impl Fn(IndexId) -> Option<Size>) -> bool {
    let mut rows: Vec<Row> = conditions.iter().map(Row::of).collect();
    let indices: Vec<IndexId> = conditions.iter().flat_map(|row| row.factors.iter().map(|(id, _)| *id)).collect();
    for id in BTreeMap::from_iter(indices.into_iter().map(|id| (id, ()))).into_keys() {
        rows.push(Row::of(&Affine::index(id)));
        if let Some(size) = size_of(id) {
            rows.push(Row::of(&Affine::constant(size.minus(&Size::from(1))).minus(&Affine::index(id))));
        }
    }
    bound_sizes(&mut rows);
    rows = rows.into_iter().map(Row::reduced).collect();
    loop {
        if rows.iter().any(|row| row.factors.is_empty() && row.constant < 0) {
            return true;
        }
        rows.retain(|row| !row.factors.is_empty());
        rows.sort();
        rows.dedup();
        let cost = |unknown: &Unknown| {
            let above = rows.iter().filter(|row| row.factor(unknown) > 0).count();
            above * rows.iter().filter(|row| row.factor(unknown) < 0).count()
        };
        let Some(next) = rows.iter().flat_map(|row| row.factors.keys()).min_by_key(|unknown| cost(unknown)).cloned()
        else {
            return false;
        };
        let (with, mut rest): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.factor(&next) != 0);
        let (above, below): (Vec<Row>, Vec<Row>) = with.into_iter().partition(|row| row.factor(&next) > 0);
        rest.extend(above.iter().flat_map(|one| below.iter().filter_map(|two| one.without(two, &next))));
        if rest.len() > MOST_CONDITIONS {
            return false;
        }
        rows = rest;
    }
}

/// Adds what is known of the sizes in some conditions.
fn bound_sizes(rows: &mut Vec<Row>) {
    let (mut known, mut at) = (BTreeSet::new(), 0);
    while let Some(row) = rows.get(at) {
        at += 1;
        let sizes = row.factors.keys().filter_map(|unknown| match unknown {
            Unknown::Sizes(symbols) => Some(symbols.clone()),
            Unknown::Index(_) => None,
        });
        for symbols in sizes.collect::<Vec<_>>() {
            if !known.insert(symbols.clone()) {
                continue;
            }
            let least = i128::from(symbols.iter().all(|symbol| symbol.quotient().is_none()));
            rows.push(Row { factors: BTreeMap::from([(Unknown::Sizes(symbols.clone()), 1)]), constant: -least });
            if let [symbol] = &symbols[..]
                && let Some(quotient) = symbol.quotient()
            {
                // What is left of the division is at least 0 and less than the divisor.
                let times = Size::symbol(symbol.clone()).times(&Size::from(quotient.below));
                let rest = quotient.above.minus(&times);
                let most = Size::from(quotient.below - 1).minus(&rest);
                rows.extend([rest, most].map(|size| Row::of(&Affine::constant(size))));
            }
        }
    }
}

/// So many points are gone through to find one that fulfils all conditions.
const MOST_POINTS: i64 = 200_000;

/// Whether one point fulfils all conditions: `Some(Some(…))` with its indices, `Some(None)` if there is none, `None`
/// where sizes are not settled or the points are too many.
pub fn point(conditions: &[Affine], size_of: impl Fn(IndexId) -> Option<Size>) -> Option<Option<Vec<(IndexId, i64)>>> {
    let mut sizes: BTreeMap<IndexId, i64> = BTreeMap::new();
    for (id, _) in conditions.iter().flat_map(|condition| &condition.factors) {
        sizes.insert(*id, size_of(*id)?.settled()?);
    }
    let count = sizes.values().try_fold(1i64, |count, size| count.checked_mul(*size));
    if count? > MOST_POINTS || conditions.iter().any(|condition| condition.constant.settled().is_none()) {
        return None;
    }
    let holds = |point: &BTreeMap<IndexId, i64>| {
        conditions.iter().all(|condition| {
            let start = i128::from(condition.constant.settled().unwrap_or(0));
            let value = |(id, factor): &(IndexId, i64)| i128::from(*factor) * i128::from(point[id]);
            condition.factors.iter().map(value).fold(start, |sum, part| sum + part) >= 0
        })
    };
    let mut now: BTreeMap<IndexId, i64> = sizes.keys().map(|id| (*id, 0)).collect();
    for _ in 0..count? {
        if holds(&now) {
            return Some(Some(now.into_iter().collect()));
        }
        for (id, place) in now.iter_mut().rev() {
            *place += 1;
            if *place < sizes[id] {
                break;
            }
            *place = 0;
        }
    }
    Some(None)
}
