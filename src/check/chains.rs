//! E0207: `a < b < c`, which reads as mathematics and would compare a truth with `c`.

use super::walk;
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use crate::syntax::tree::{Binary, Expr, ExprKind, File};

pub fn check(sources: &Sources, file: &File) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    walk::expressions(file, &mut |expr| found.extend(chain(sources, expr)));
    found
}

fn chain(sources: &Sources, expr: &Expr) -> Option<Diagnostic> {
    let (left, second, c) = comparison(expr)?;
    let (a, first, b) = comparison(left)?;
    // In brackets it is meant so: an expression keeps the place of its brackets.
    if left.span != a.span.to(b.span) {
        return None;
    }
    let [a, first_sign, b, second_sign, c] = [a.span, first, b.span, second, c.span].map(|span| sources.text(span));
    Some(
        Diagnostic::error("E0207", "a comparison is no number to compare with", second, "this compares a truth value")
            .label(first, "which this comparison gives")
            .help(format!("write `{a} {first_sign} {b} and {b} {second_sign} {c}`")),
    )
}

fn comparison(expr: &Expr) -> Option<(&Expr, Span, &Expr)> {
    let ExprKind::Binary(operator, at, a, b) = &expr.kind else { return None };
    match operator {
        Binary::Less
        | Binary::LessEqual
        | Binary::Greater
        | Binary::GreaterEqual
        | Binary::Equal
        | Binary::NotEqual => Some((a, *at, b)),
        Binary::Or
        | Binary::And
        | Binary::Add
        | Binary::Subtract
        | Binary::Multiply
        | Binary::Divide
        | Binary::Product
        | Binary::Power => None,
    }
}
