//! Data, splits and settings.

use super::Elsewhere::{Never, Run};
use super::{Operator, operator};
use crate::mutations::operators::shapes::without;
use crate::mutations::rewrite::{Good, Mutant, argument, named, positional, put, setting, whole};
use mlx::syntax::tree::{Data, Expr, ExprKind, Init, Statement, StatementKind, Target};

pub const ALL: &[Operator] = &[
    operator("the target among the inputs", Never, leak, "no loss of the library has it as its target"),
    operator("a mean of all rows is taken from a column", Never, unfitted, ""),
    operator("shares of more than all rows", Run, shares, ""),
    operator("a column of classes is read as numbers", Run, |good| without(good, &["category"]), "numbers are numbers"),
    operator("a quantity is read as classes", Never, categories, ""),
    operator("classes are not made one-hot", Never, |good| without(good, &["one_hot"]), ""),
    operator("text is split after it was shuffled", Never, shuffled, ""),
    operator("a batch of no rows", Run, |good| number(good, "batch", "0"), ""),
    operator("no steps", Never, |good| number(good, "steps", "0"), ""),
    operator("no epochs", Never, |good| number(good, "epochs", "0"), ""),
    operator("a share of more than all elements is dropped", Run, dropped, ""),
    operator("a number in quotes", Run, quoted, ""),
];

/// The columns that a data block makes.
fn columns(data: &Data) -> impl Iterator<Item = (&str, &Expr)> {
    data.body.iter().filter_map(|statement: &Statement| match &statement.kind {
        StatementKind::Assign(Target::One(name), _, Init::Value(value)) if name.text != "split" => {
            Some((name.text.as_str(), value))
        }
        _ => None,
    })
}

/// The list that a column begins with.
fn list(value: &Expr) -> Option<&[Expr]> {
    match &value.kind {
        ExprKind::List(parts) => Some(parts),
        ExprKind::Pipe(before, ..) => list(before),
        _ => None,
    }
}

fn from_csv(data: &Data) -> bool {
    matches!(&data.from.kind, ExprKind::Call(callee, _) if named(callee) == Some("csv"))
}

/// The source column that is the target, in the first list of columns; models and losses fit any number of them.
fn leak(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for data in good.datas().filter(|data| from_csv(data)) {
        let target =
            columns(data).filter(|(name, _)| matches!(*name, "y" | "label")).find_map(|(_, value)| match &value.kind {
                ExprKind::Name(name) => Some(name.text.clone()),
                ExprKind::Call(callee, arguments) if named(callee) == Some("category") => positional(arguments)
                    .first()
                    .and_then(|one| named(one))
                    .map(|name| format!("one_hot(category({name}))")),
                _ => None,
            });
        let inputs = columns(data).filter(|(name, _)| *name == "x").find_map(|(_, value)| list(value)?.first());
        // A size that is written would tell.
        let open = good.models().all(|model| {
            model
                .inputs
                .iter()
                .all(|input| input.ty.as_ref().is_none_or(|ty| !good.of(ty.span).chars().any(|c| c.is_ascii_digit())))
        });
        let is_there = |target: &str| {
            let lists = columns(data).filter(|(name, _)| *name == "x").filter_map(|(_, value)| list(value));
            lists.flatten().any(|part| named(part) == Some(target))
        };
        if let (Some(target), Some(first), true) = (target.filter(|target| !is_there(target)), inputs, open) {
            mutants.push(vec![put(first.span, format!("{target}, {}", good.of(first.span)))]);
        }
    }
    mutants
}

fn unfitted(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for data in good.datas() {
        for (_, value) in columns(data) {
            let first = list(value).and_then(|parts| parts.first()).filter(|part| named(part).is_some());
            mutants.extend(first.map(|part| {
                let name = good.of(part.span);
                vec![put(part.span, format!("{name} - mean({name})"))]
            }));
        }
    }
    mutants
}

fn shares(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (_, _, arguments) in good.calls().filter(|(name, ..)| *name == "holdout") {
        if let Some(train) = argument(arguments, "train") {
            mutants.push(vec![put(train.span, "120%")]);
            if argument(arguments, "valid").or(argument(arguments, "test")).is_some() {
                mutants.push(vec![put(train.span, "99%")]);
            }
        }
    }
    mutants
}

/// `y = price` is read by `category`.
fn categories(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for data in good.datas().filter(|data| from_csv(data)) {
        for (_, value) in columns(data).filter(|(name, value)| *name == "y" && named(value).is_some()) {
            mutants.push(vec![put(value.span, format!("category({})", good.of(value.span)))]);
        }
    }
    mutants
}

fn shuffled(good: &Good) -> Vec<Mutant> {
    let calls = good.calls().filter(|(name, ..)| *name == "holdout" && good.says("next_token"));
    calls.filter_map(|(_, _, arguments)| Some(vec![put(argument(arguments, "shuffle")?.span, "true")])).collect()
}

fn number(good: &Good, name: &str, new: &str) -> Vec<Mutant> {
    let settings = good.trains().filter_map(|block| setting(&block.body, name));
    settings.filter(|(_, value, _)| whole(value).is_some()).map(|(_, value, _)| vec![put(value.span, new)]).collect()
}

fn dropped(good: &Good) -> Vec<Mutant> {
    let calls = good.calls().filter(|(name, ..)| matches!(*name, "dropout" | "drop_path"));
    calls.filter_map(|(_, _, arguments)| Some(vec![put(positional(arguments).first()?.span, "20")])).collect()
}

/// A setting of an optimizer or of a layer that is a number.
fn quoted(good: &Good) -> Vec<Mutant> {
    let named = good.calls().flat_map(|(_, _, arguments)| arguments).filter(|argument| argument.name.is_some());
    let numbers = named.filter(|argument| matches!(argument.value.kind, ExprKind::Number { percent: false, .. }));
    numbers.map(|argument| vec![put(argument.value.span, format!("\"{}\"", good.of(argument.value.span)))]).collect()
}
