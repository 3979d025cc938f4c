//! The shape rules of the language's operators.

use crate::trial;
use libtest_mimic::Trial;
use mlx::check::shapes::{Operand, broadcast, product};
use mlx::check::types::{Axis, Type};
use mlx::diagnostic::Diagnostic;
use mlx::ir::{Size, Symbol};
use mlx::source::{SourceId, Span};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("shapes::elementwise", elementwise),
        trial("shapes::no_operation_both_adds_and_stretches", no_operation_both_adds_and_stretches),
        trial("shapes::products", products),
        trial("shapes::a_conflict_shows_both_origins", a_conflict_shows_both_origins),
    ]
}

fn at(start: usize) -> Span {
    Span::new(SourceId(0), start, start + 1)
}

/// A float type from `n 3`: a word is a symbol, the number of its place its origin.
fn ty(axes: &str) -> Type {
    let axis = |(place, word): (usize, &str)| {
        let size = word.parse().map_or_else(|_| Size::symbol(Symbol::new(word)), |number: i64| Size::from(number));
        Axis::new(size, at(100 + place), "is written here")
    };
    Type::float(axes.split_whitespace().enumerate().map(axis).collect())
}

fn apply(
    rule: fn(Operand, Operand, Span) -> Result<Vec<Axis>, Diagnostic>,
    a: &str,
    b: &str,
) -> Result<String, Diagnostic> {
    let (a, b) = (ty(a), ty(b));
    let (a, b) = (Operand { ty: &a, span: at(1) }, Operand { ty: &b, span: at(3) });
    rule(a, b, at(2)).map(|axes| Type::float(axes).to_string())
}

fn elementwise() {
    assert_eq!(apply(broadcast, "n 3", "3").as_deref(), Ok("[n, 3]"));
    assert_eq!(apply(broadcast, "", "n 3").as_deref(), Ok("[n, 3]"));
    assert_eq!(apply(broadcast, "n 1", "n 3").as_deref(), Ok("[n, 3]"));
    assert_eq!(apply(broadcast, "1 3", "n 1").as_deref(), Ok("[n, 3]"));
    assert_eq!(apply(broadcast, "n 3", "n 4").map_err(|d| d.code), Err("E0203"));
    assert_eq!(apply(broadcast, "n 3", "n").map_err(|d| d.code), Err("E0203"));
}

fn no_operation_both_adds_and_stretches() {
    assert_eq!(apply(broadcast, "n 1", "n").map_err(|d| d.code), Err("E0204"));
    assert_eq!(apply(broadcast, "n", "n 1").map_err(|d| d.code), Err("E0204"));
    assert_eq!(apply(broadcast, "n 3", "1").as_deref(), Ok("[n, 3]"));
}

fn products() {
    assert_eq!(apply(product, "n 784", "784 10").as_deref(), Ok("[n, 10]"));
    assert_eq!(apply(product, "n t 8", "8 2").as_deref(), Ok("[n, t, 2]"));
    assert_eq!(apply(product, "n 10", "10").as_deref(), Ok("[n]"));
    assert_eq!(apply(product, "10", "10").as_deref(), Ok("[]"));
    assert_eq!(apply(product, "h n 4", "h 4 m").as_deref(), Ok("[h, n, m]"));
    assert_eq!(apply(product, "n 10", "").map_err(|d| d.code), Err("E0205"));
    assert_eq!(apply(product, "n 4", "h 4 m").map_err(|d| d.code), Err("E0205"));
    assert_eq!(apply(product, "g n 4", "h 4 m").map_err(|d| d.code), Err("E0203"));
}

fn a_conflict_shows_both_origins() {
    let Err(found) = apply(product, "n 784", "785 10") else { panic!("784 is not 785") };
    assert_eq!(found.message, "sizes 784 and 785 do not agree");
    let places: Vec<u32> = found.labels.iter().map(|label| label.span.start).collect();
    assert_eq!(places, [2, 1, 3, 101, 100], "the product, both operands, both origins");
}
