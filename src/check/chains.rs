//! `a < b < c`, which reads as mathematics and would compare a truth value.

use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use crate::syntax::tree::{Binary, ExprKind, File};
use crate::syntax::walk;

/// Every chain of comparisons in a file.
pub fn find(sources: &Sources, file: &File) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    walk::file(file, &mut |expr| {
        if let ExprKind::Binary(op, operator, left, right) = &expr.kind
            && compares(*op)
            && let ExprKind::Binary(first, _, a, b) = &left.kind
            && compares(*first)
            // In parentheses it starts before its first operand.
            && left.span.start == a.span.start
            // Of a longer chain only the first two comparisons are reported.
            && !matches!(&a.kind, ExprKind::Binary(op, ..) if compares(*op))
        {
            let text = |span: Span| sources.text(span);
            let help =
                format!("write `{} and {} {} {}`", text(left.span), text(b.span), text(*operator), text(right.span));
            let error = Diagnostic::error("E0207", "comparisons do not chain", *operator, "a second comparison");
            found.push(error.label(a.span.to(b.span), "this is true or false").help(help));
        }
    });
    found
}

fn compares(op: Binary) -> bool {
    match op {
        Binary::Less
        | Binary::LessEqual
        | Binary::Greater
        | Binary::GreaterEqual
        | Binary::Equal
        | Binary::NotEqual => true,
        Binary::Or
        | Binary::And
        | Binary::Add
        | Binary::Subtract
        | Binary::Multiply
        | Binary::Divide
        | Binary::Product
        | Binary::Power => false,
    }
}
