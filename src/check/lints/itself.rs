//! W0449: a loss that holds something against itself: it has its least value from the start.

use super::view::View;
use crate::check::terms::{Kind, Leaf, TermId};
use crate::diagnostic::Diagnostic;
use std::collections::{HashMap, HashSet};

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    // In evaluation two draws of a net with dropout are one.
    let trained = view.below(&view.program.losses(), |_, kind| kind.operands());
    for applied in view.losses().into_iter().rev().filter(|applied| trained.contains(&applied.result)) {
        let (Some(prediction), Some(target)) = (view.prediction(applied), applied.input("target")) else { continue };
        if !alike(view, prediction, target) || found.iter().any(|found| found.labels[0].span == applied.place) {
            continue;
        }
        let message = format!("`{}` holds the same against itself", applied.name);
        let warning = Diagnostic::error("W0449", message, applied.place, "what is predicted and the target are one");
        found.push(warning.help("give it the target of the data in second place"));
    }
    found
}

/// Whether two terms compute the same of some parameter, and draw nothing.
fn alike(view: &View, a: TermId, b: TermId) -> bool {
    let (mut open, mut reads_param) = (vec![(a, b)], false);
    let mut seen = HashSet::new();
    let mut indices: HashMap<usize, usize> = HashMap::new();
    while let Some((a, b)) = open.pop() {
        if !seen.insert((a, b)) {
            continue;
        }
        let (one, other) = (&view.term(a).kind, &view.term(b).kind);
        let (left, right) = (one.operands(), other.operands());
        reads_param |= matches!(one, Kind::Leaf(Leaf::Param(_)));
        // The steps of two loops have numbers of their own.
        let is_plain = !matches!(one, Kind::Draw(..) | Kind::Scan(..)) && left.len() == right.len();
        let ((one, of_one), (other, of_other)) = (said(one, &left), said(other, &right));
        let mut renamed = || {
            let mut pairs = of_one.iter().zip(&of_other);
            of_one.len() == of_other.len() && pairs.all(|(a, b)| indices.entry(*a).or_insert(*b) == b)
        };
        let same = a == b || (is_plain && one == other && renamed());
        if !same {
            return false;
        }
        open.extend(left.into_iter().zip(right));
    }
    reads_param
}

/// A kind without the numbers of what it reads and of its indices, and the latter.
fn said(kind: &Kind, operands: &[TermId]) -> (String, Vec<usize>) {
    let mut text = format!("{kind:?}");
    for operand in operands {
        text = text.replacen(&format!("{operand:?}"), "_", 1);
    }
    let mut parts = text.split("IndexId(");
    let mut bare = parts.next().unwrap_or_default().to_string();
    let mut indices = Vec::new();
    for part in parts {
        let (number, rest) = part.split_once(')').unwrap_or((part, ""));
        indices.extend(number.parse::<usize>());
        bare.push_str(rest);
    }
    (bare, indices)
}
