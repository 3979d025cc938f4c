//! W0450: a parameter that never gets a gradient: all that it is multiplied by starts at 0, and so does what would move that.
//! Values of which it is known what they start at are followed through the terms, and slopes back through what is not 0; whatever
//! moves is unknown from then on.

use super::flat;
use super::view::View;
use super::zeros;
use crate::check::terms::{Kind, Leaf, ParamId, TermId};
use crate::check::types::Elem;
use crate::diagnostic::Diagnostic;
use crate::ir::{Reduce, ScalarOp};
use std::collections::HashSet;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let program = view.program;
    // Of units that are all the same, that is said.
    if !program.begun.is_empty() || !zeros::find(view).is_empty() {
        return Vec::new();
    }
    let losses = program.losses();
    let moved: HashSet<ParamId> =
        program.minimized.iter().flat_map(|one| one.updates.iter().map(|update| update.param)).collect();
    let smooth = params(view, &view.below(&losses, |id, kind| flat::slopes(view, id, kind)));
    let mut still: HashSet<ParamId> = moved.intersection(&smooth).copied().collect();
    loop {
        let values = values(view, &still);
        let reached = params(view, &view.below(&losses, |id, kind| sloping(view, &values, id, kind)));
        let before = still.len();
        still.retain(|id| !reached.contains(id));
        if still.len() == before {
            break;
        }
    }
    let mut all: Vec<ParamId> = still.into_iter().collect();
    all.sort();
    let Some(first) = all.first().map(|id| &program.params[id.0 as usize]) else { return Vec::new() };
    let others = match all.len() - 1 {
        0 => String::new(),
        1 => " and another parameter".to_string(),
        others => format!(" and {others} others"),
    };
    let message =
        format!("`{}`{others} never get a gradient: what they are multiplied by is 0, and stays 0", first.path);
    let message = if all.len() == 1 {
        format!("`{}` never gets a gradient: what it is multiplied by is 0, and stays 0", first.path)
    } else {
        message
    };
    let mut warning = Diagnostic::error("W0450", message, first.span, "this stays as it starts");
    let other = all.iter().skip(1).map(|id| program.params[id.0 as usize].span).find(|span| *span != first.span);
    if let Some(other) = other {
        warning = warning.label(other, "and so does this");
    }
    vec![warning.help("draw weights at the start: `param w: [d, units] ~ glorot_uniform`")]
}

fn params(view: &View, terms: &[TermId]) -> HashSet<ParamId> {
    let param = |id: &TermId| match view.term(*id).kind {
        Kind::Leaf(Leaf::Param(param)) => Some(param),
        _ => None,
    };
    terms.iter().filter_map(param).collect()
}

/// The number that all elements of each term are, where that is known while some parameters stay as they start.
fn values(view: &View, still: &HashSet<ParamId>) -> Vec<Option<f64>> {
    let mut values: Vec<Option<f64>> = Vec::with_capacity(view.program.terms.count());
    for at in 0..view.program.terms.count() {
        let id = TermId(at as u32);
        let value = |of: &TermId| values.get(of.0 as usize).copied().flatten();
        let known = match &view.term(id).kind {
            Kind::Number(number) => Some(*number),
            Kind::Truth(truth) => Some(f64::from(u8::from(*truth))),
            Kind::Leaf(Leaf::Param(param)) if still.contains(param) => view.start(*param),
            Kind::Scalar(op, parts) => of_scalar(*op, parts, value),
            Kind::Product(a, b) => (value(a) == Some(0.0) || value(b) == Some(0.0)).then_some(0.0),
            Kind::Fold(Reduce::Sum, a) | Kind::Running(_, a) => value(a).filter(|number| *number == 0.0),
            Kind::Fold(Reduce::Max | Reduce::Min, a) | Kind::Slice(a, _) | Kind::Reshape(a) | Kind::Spread(a, _) => {
                value(a)
            }
            Kind::Constant(a) | Kind::Read(a, _) | Kind::Pick(a, _) => value(a),
            Kind::Cast(a) => value(a).filter(|_| matches!(view.term(id).ty.elem, Elem::Float)),
            Kind::Stack(parts, _) | Kind::Concat(parts, _) => {
                let first = parts.first().and_then(value);
                first.filter(|first| parts.iter().all(|part| value(part) == Some(*first)))
            }
            Kind::Size(_)
            | Kind::Index(_)
            | Kind::Leaf(_)
            | Kind::ArgMax(_)
            | Kind::Order(_)
            | Kind::Cholesky(_)
            | Kind::TriangularSolve { .. }
            | Kind::Grad { .. }
            | Kind::Draw(..)
            | Kind::Scan(..) => None,
        };
        // What a mask leaves out is 0, whatever the others are.
        values.push(known.filter(|number| *number == 0.0 || view.term(id).ty.mask.is_none()));
    }
    values
}

fn of_scalar(op: ScalarOp, parts: &[TermId], value: impl Fn(&TermId) -> Option<f64>) -> Option<f64> {
    if op == ScalarOp::Mul && parts.iter().any(|part| value(part) == Some(0.0)) {
        return Some(0.0);
    }
    if let (ScalarOp::Select, [condition, a, b]) = (op, parts) {
        return match value(condition) {
            Some(truth) => value(if truth == 0.0 { b } else { a }),
            None => value(a).filter(|known| value(b) == Some(*known)),
        };
    }
    let numbers: Vec<f64> = parts.iter().map(value).collect::<Option<_>>()?;
    Some(op.value(&numbers)).filter(|known| known.is_finite())
}

/// The operands by which a term has a slope that is not known to be 0.
fn sloping(view: &View, values: &[Option<f64>], id: TermId, kind: &Kind) -> Vec<TermId> {
    let is_zero = |of: &TermId| values.get(of.0 as usize).copied().flatten() == Some(0.0);
    let product = |a: TermId, b: TermId| {
        let sides = [(a, b), (b, a)];
        sides.into_iter().filter(|(_, other)| !is_zero(other)).map(|(side, _)| side).collect()
    };
    let all = flat::slopes(view, id, kind);
    if all.is_empty() {
        return all;
    }
    if let Kind::Product(a, b) = kind {
        return product(*a, *b);
    }
    let Kind::Scalar(op, parts) = kind else { return all };
    let is_flat = |a: &TermId, exponent: &TermId| is_zero(a) && view.number(*exponent).is_some_and(|power| power > 1.0);
    match (op, &parts[..]) {
        (ScalarOp::Mul, [a, b]) => return product(*a, *b),
        (ScalarOp::Div, [a, _]) if is_zero(a) => return vec![*a],
        (ScalarOp::Abs, [a]) if is_zero(a) => return Vec::new(),
        (ScalarOp::Pow, [a, exponent]) if is_flat(a, exponent) => return Vec::new(),
        (ScalarOp::Select, [condition, a, b]) => {
            if let Some(truth) = values.get(condition.0 as usize).copied().flatten() {
                return vec![if truth == 0.0 { *b } else { *a }];
            }
        }
        _ => {}
    }
    all
}
