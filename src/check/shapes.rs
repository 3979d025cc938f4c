//! The shape rules of the language's operators: broadcasting and the matrix product.

use super::types::{Axis, Type};
use crate::diagnostic::Diagnostic;
use crate::ir::Size;
use crate::source::Span;

/// An operand of an operator: its type and the text that wrote it.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    pub ty: &'a Type,
    pub span: Span,
}

/// The axes of an elementwise operation: shapes agree from the right, an axis of size 1 stretches. One
/// operation may not both add an axis to one operand and stretch an axis of the other. A size that a use decides may be
/// 1 or the other one.
pub fn broadcast(a: Operand, b: Operand, operator: Span) -> Result<Vec<Axis>, Diagnostic> {
    let (longer, shorter) = if a.ty.axes.len() >= b.ty.axes.len() { (a, b) } else { (b, a) };
    let added = longer.ty.axes.len() - shorter.ty.axes.len();
    let mut axes: Vec<Axis> = longer.ty.axes[..added].to_vec();
    for (one, two) in longer.ty.axes[added..].iter().zip(&shorter.ty.axes) {
        if one.size == two.size || two.size == Size::from(1) {
            axes.push(one.clone());
        } else if one.size == Size::from(1) {
            if added > 0 && !two.size.is_open() {
                return Err(stretched_and_added(a, b, operator));
            }
            axes.push(two.clone());
        } else if one.size.agrees(&two.size) {
            axes.push(if one.size.is_open() { two.clone() } else { one.clone() });
        } else {
            return Err(conflict(a, b, operator, one, two));
        }
    }
    Ok(axes)
}

/// The axes of `a @ b`: `[..s, k] @ [k, m]` is `[..s, m]`; a vector on either side loses its axis; further
/// leading axes of both must agree.
pub fn product(a: Operand, b: Operand, operator: Span) -> Result<Vec<Axis>, Diagnostic> {
    let (rank_a, rank_b) = (a.ty.axes.len(), b.ty.axes.len());
    if rank_a == 0 || rank_b == 0 {
        let (scalar, _) = if rank_a == 0 { (a, b) } else { (b, a) };
        return Err(Diagnostic::error("E0205", "a scalar has no axis to multiply along", operator, "this product")
            .label(scalar.span, "this is a scalar, []")
            .help("use `*` to scale"));
    }
    let inner = &b.ty.axes[rank_b.saturating_sub(2)];
    let last = &a.ty.axes[rank_a - 1];
    if !last.size.agrees(&inner.size) {
        return Err(conflict(a, b, operator, last, inner));
    }
    let batch_b = &b.ty.axes[..rank_b.saturating_sub(2)];
    let mut axes = a.ty.axes[..rank_a - 1].to_vec();
    if !batch_b.is_empty() {
        let batch_a = &a.ty.axes[..rank_a.saturating_sub(2)];
        if batch_a.len() != batch_b.len() {
            return Err(ranks(a, b, operator));
        }
        if let Some((one, two)) = batch_a.iter().zip(batch_b).find(|(one, two)| !one.size.agrees(&two.size)) {
            return Err(conflict(a, b, operator, one, two));
        }
    }
    if rank_b >= 2 {
        axes.push(b.ty.axes[rank_b - 1].clone());
    }
    Ok(axes)
}

/// Two sizes that should be one, with both operands and both origins.
fn conflict(a: Operand, b: Operand, operator: Span, one: &Axis, two: &Axis) -> Diagnostic {
    let message = format!("sizes {} and {} do not agree", one.size, two.size);
    let diagnostic = Diagnostic::error("E0203", message, operator, "here they meet")
        .label(a.span, format!("this is {}", a.ty))
        .label(b.span, format!("this is {}", b.ty));
    with_origin(with_origin(diagnostic, one), two)
}

/// Adds the place where a size was decided, if the axis knows it.
pub fn with_origin(diagnostic: Diagnostic, axis: &Axis) -> Diagnostic {
    match &axis.origin {
        Some(origin) => diagnostic.label(origin.span, format!("{} {}", axis.size, origin.text)),
        None => diagnostic,
    }
}

fn stretched_and_added(a: Operand, b: Operand, operator: Span) -> Diagnostic {
    let message = format!("{} and {} would stretch each other", a.ty, b.ty);
    Diagnostic::error("E0204", message, operator, "one operand would get a new axis, the other a stretched one")
        .label(a.span, format!("this is {}", a.ty))
        .label(b.span, format!("this is {}", b.ty))
        .help("give both the same axes, or write the result with an indexed `let`")
}

fn ranks(a: Operand, b: Operand, operator: Span) -> Diagnostic {
    Diagnostic::error("E0205", "the leading axes of a product must agree", operator, "in this product")
        .label(a.span, format!("this is {}", a.ty))
        .label(b.span, format!("this is {}", b.ty))
}
