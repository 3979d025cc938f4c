//! Names that mean nothing, and arguments that nobody takes.

use super::Elsewhere::{Never, Run};
use super::{Operator, operator};
use crate::mutations::rewrite::{Good, Mutant, named, positional, put};
use mlx::syntax::tree::{Expr, ExprKind, Init, ItemKind, StatementKind, Target};

pub const ALL: &[Operator] = &[
    operator("a column that the data do not have", Run, columns, ""),
    operator("a name is misspelled", Run, misspelled, ""),
    operator("an argument is misspelled", Run, arguments, ""),
    operator("a setting of the training is misspelled", Never, settings, ""),
    operator("a setting that the optimizer does not have", Run, foreign, ""),
    operator("an argument is left out", Run, fewer, "the argument has a default"),
    operator("an argument too many", Run, more, ""),
    operator("a path that no parameter has", Never, paths, ""),
    operator("the figures of a split that is not there", Run, splits, ""),
];

fn slip(name: &str) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    let last = letters.len() - 1;
    if letters[last] == letters[last - 1] {
        letters.pop();
    } else {
        letters.swap(last, last - 1);
    }
    letters.into_iter().collect()
}

/// Where no other thing of that name is.
fn slipped(good: &Good, expr: &Expr) -> Option<Mutant> {
    let name = named(expr).filter(|name| name.chars().count() >= 3 && good.of(expr.span) == *name)?;
    let new = slip(name);
    (!good.text.contains(&new)).then(|| vec![put(expr.span, new)])
}

fn columns(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for data in good.datas().filter(|data| good.of(data.from.span).starts_with("csv")) {
        for statement in &data.body {
            let StatementKind::Assign(Target::One(name), _, Init::Value(value)) = &statement.kind else { continue };
            if name.text != "split" {
                let mut list = None;
                mlx::syntax::walk::expression(value, &mut |expr: &Expr| {
                    if let ExprKind::List(parts) = &expr.kind {
                        list =
                            list.take().or(parts.iter().rev().find(|part| named(part).is_some()).map(|part| part.span));
                    }
                });
                let span = list.or(named(value).map(|_| value.span));
                mutants.extend(span.map(|span| vec![put(span, format!("{}_", good.of(span)))]));
            }
        }
    }
    mutants
}

fn misspelled(good: &Good) -> Vec<Mutant> {
    let is_of = |item: &ItemKind| matches!(item, ItemKind::Layer(_) | ItemKind::Train(_) | ItemKind::Fn(_));
    good.within(is_of).filter_map(|expr| slipped(good, expr)).collect()
}

fn arguments(good: &Good) -> Vec<Mutant> {
    let all = good.calls().flat_map(|(_, _, arguments)| arguments).filter_map(|argument| argument.name.as_ref());
    let long = all.filter(|name| name.text.chars().count() >= 2);
    long.map(|name| vec![put(name.span, slip(&name.text))]).collect()
}

fn settings(good: &Good) -> Vec<Mutant> {
    let statements = good.trains().flat_map(|block| &block.body);
    let names = statements.filter_map(|statement| match &statement.kind {
        StatementKind::Assign(Target::One(name), ..) => Some(name),
        _ => None,
    });
    let plain = names.filter(|name| !name.text.contains('\'') && name.text.chars().count() >= 3);
    plain.map(|name| vec![put(name.span, slip(&name.text))]).collect()
}

fn foreign(good: &Good) -> Vec<Mutant> {
    let all = good.minimizes().into_iter();
    all.filter_map(|one| match &one.using.kind {
        ExprKind::Call(_, arguments) => {
            let last = arguments.last()?.value.span;
            Some(vec![put(last, format!("{}, momentums = 0.9", good.of(last)))])
        }
        ExprKind::Name(_) => Some(vec![put(one.using.span, format!("{}(momentums = 0.9)", good.of(one.using.span)))]),
        _ => None,
    })
    .collect()
}

/// The last of several without names.
fn fewer(good: &Good) -> Vec<Mutant> {
    good.calls()
        .filter_map(|(name, _, arguments)| {
            let own = positional(arguments);
            if own.len() < 2
                || matches!(name, "stack" | "concat" | "max" | "min" | "split")
                || own.len() != arguments.len()
            {
                return None;
            }
            let (before, last) = (own[own.len() - 2].span, own[own.len() - 1].span);
            Some(vec![put(before.to(last), good.of(before))])
        })
        .collect()
}

fn more(good: &Good) -> Vec<Mutant> {
    let losses = good
        .calls()
        .filter(|(name, ..)| matches!(*name, "mse" | "cross_entropy" | "accuracy" | "r2" | "model" | "relu"));
    losses
        .filter_map(|(_, _, arguments)| {
            let last = arguments.last()?.value.span;
            Some(vec![put(last, format!("{}, \"mean\", true, true", good.of(last)))])
        })
        .collect()
}

fn paths(good: &Good) -> Vec<Mutant> {
    let all = good.minimizes().into_iter().flat_map(|one| &one.except).flat_map(|(_, paths)| paths);
    all.map(|path| vec![put(path.span, "\"**.beta\"")]).collect()
}

fn splits(good: &Good) -> Vec<Mutant> {
    good.exprs()
        .filter_map(|expr| match &expr.kind {
            ExprKind::Field(base, _) if named(base) == Some("valid") => Some(vec![put(base.span, "validation")]),
            _ => None,
        })
        .collect()
}
