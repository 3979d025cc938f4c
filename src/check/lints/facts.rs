//! What is known of the elements of a term: that they are scores of any size, probabilities or their logarithms. It flows with the
//! term through everything that only shows its elements in another way.

use super::view::View;
use crate::check::steps::ScanPart;
use crate::check::terms::{Kind, TermId};
use crate::check::types::Elem;
use crate::ir::{Reduce, ScalarOp};
use crate::source::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// What a linear map gives.
    Scores,
    /// What an activation gives.
    Activated,
    Probabilities,
    LogProbabilities,
}

/// A fact, the name of what made it one, and where that stands.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub fact: Fact,
    pub by: &'static str,
    pub place: Option<Span>,
}

/// Functions and layers of the library, and what they give.
const GIVES: &[(&str, Fact)] = &[
    ("dense", Fact::Scores),
    ("softmax", Fact::Probabilities),
    ("sigmoid", Fact::Probabilities),
    ("log_softmax", Fact::LogProbabilities),
    ("relu", Fact::Activated),
    ("leaky_relu", Fact::Activated),
    ("elu", Fact::Activated),
    ("gelu", Fact::Activated),
    ("silu", Fact::Activated),
    ("tanh", Fact::Activated),
    ("softplus", Fact::Activated),
];

/// What is added to a probability so that its logarithm is finite.
const SMALL: f64 = 1e-3;

/// The facts of all terms, in their order: a term reads earlier ones.
pub fn of(view: &View) -> Vec<Option<Found>> {
    let mut facts: Vec<Option<Found>> = Vec::with_capacity(view.program.terms.count());
    for at in 0..view.program.terms.count() {
        let id = TermId(at as u32);
        let given = view.gave(id).and_then(|applied| {
            let (by, fact) = GIVES.iter().find(|(name, _)| *name == applied.name)?;
            Some(Found { fact: *fact, by, place: Some(applied.place) })
        });
        let found = given.or_else(|| flows(view, &facts, id));
        facts.push(found);
    }
    facts
}

fn flows(view: &View, facts: &[Option<Found>], id: TermId) -> Option<Found> {
    let fact = |of: &TermId| facts.get(of.0 as usize).copied().flatten();
    let new = |fact: Fact, by: &'static str| Some(Found { fact, by, place: view.place(id) });
    if !matches!(view.term(id).ty.elem, Elem::Float) {
        return None;
    }
    if let Some(shown) = view.shown(id) {
        return fact(&shown);
    }
    match &view.term(id).kind {
        Kind::Product(a, w) if view.param(*a).is_some() || view.param(*w).is_some() => new(Fact::Scores, "@"),
        Kind::Fold(Reduce::Sum, a) => match &view.term(*a).kind {
            // A contraction with weights, in index notation.
            Kind::Scalar(ScalarOp::Mul, parts) if parts.iter().any(|part| view.param(*part).is_some()) => {
                new(Fact::Scores, "sum")
            }
            _ => None,
        },
        Kind::Stack(parts, _) | Kind::Concat(parts, _) => same(parts.iter().map(fact)),
        Kind::Scan(scan, part) => match part {
            ScanPart::Given { at, .. } => fact(scan.given.get(*at)?),
            ScanPart::Last(_) => None,
        },
        Kind::Scalar(op, parts) => of_scalar(view, facts, *op, parts).or_else(|| own(view, id, *op, parts)),
        _ => None,
    }
}

fn same(mut all: impl Iterator<Item = Option<Found>>) -> Option<Found> {
    let first = all.next()??;
    all.all(|other| other.is_some_and(|other| other.fact == first.fact)).then_some(first)
}

fn of_scalar(view: &View, facts: &[Option<Found>], op: ScalarOp, parts: &[TermId]) -> Option<Found> {
    let fact = |of: &TermId| facts.get(of.0 as usize).copied().flatten();
    match (op, parts) {
        (ScalarOp::Select, [_, a, b]) => same([fact(a), fact(b)].into_iter()),
        (ScalarOp::Min | ScalarOp::Max, [a, b]) => {
            let (of, _) = beside_number(view, a, b)?;
            fact(of).filter(|found| matches!(found.fact, Fact::Probabilities | Fact::LogProbabilities))
        }
        (ScalarOp::Add | ScalarOp::Mul | ScalarOp::Div, [a, b]) => match (beside_number(view, a, b), op) {
            (Some((of, number)), _) => fact(of).filter(|found| {
                let little = op == ScalarOp::Add && number.abs() <= SMALL;
                found.fact == Fact::Scores || (little && found.fact == Fact::Probabilities)
            }),
            (None, ScalarOp::Add) => {
                let scores = |id: &TermId| fact(id).filter(|found| found.fact == Fact::Scores);
                match (scores(a), scores(b)) {
                    (Some(found), Some(_)) => Some(found),
                    (Some(found), None) => view.param(*b).map(|_| found),
                    (None, Some(found)) => view.param(*a).map(|_| found),
                    (None, None) => None,
                }
            }
            (None, _) => None,
        },
        (ScalarOp::Log, [a]) => {
            let found = fact(a).filter(|found| found.fact == Fact::Probabilities)?;
            Some(Found { fact: Fact::LogProbabilities, by: "log", place: found.place })
        }
        (ScalarOp::Exp, [a]) => {
            let found = fact(a).filter(|found| found.fact == Fact::LogProbabilities)?;
            Some(Found { fact: Fact::Probabilities, by: "exp", place: found.place })
        }
        _ => None,
    }
}

/// Of two operands the one that stands beside a number, and that.
fn beside_number<'t>(view: &View, a: &'t TermId, b: &'t TermId) -> Option<(&'t TermId, f64)> {
    match (view.number(*a), view.number(*b)) {
        (None, Some(number)) => Some((a, number)),
        (Some(number), None) => Some((b, number)),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// A softmax or a sigmoid that is written out: `exp(x) / sum(exp(x))`, `1 / (1 + exp(-x))`.
fn own(view: &View, id: TermId, op: ScalarOp, parts: &[TermId]) -> Option<Found> {
    let (ScalarOp::Div, [above, below]) = (op, parts) else { return None };
    let bare = |id: TermId| &view.term(view.bare(id)).kind;
    let is_power = |id: TermId| matches!(bare(id), Kind::Scalar(ScalarOp::Exp, _));
    let new = |by| Some(Found { fact: Fact::Probabilities, by, place: view.place(id) });
    match bare(*below) {
        Kind::Fold(Reduce::Sum, a) if is_power(*above) && is_power(*a) => new("softmax"),
        Kind::Scalar(ScalarOp::Add, terms) if view.number(*above) == Some(1.0) => match terms[..] {
            [one, power] | [power, one] if view.number(one) == Some(1.0) && is_power(power) => new("sigmoid"),
            _ => None,
        },
        _ => None,
    }
}
