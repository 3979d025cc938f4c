//! What stands where in a layer or a training.

use super::Elsewhere::{Never, Run};
use super::{Operator, operator};
use crate::mutations::rewrite::{
    Good, Mutant, argument, body, cut, given, named, one, positional, put, setting, stage,
};
use mlx::source::Span;
use mlx::syntax::tree::{Binary, Expr, ExprKind, Init, ItemKind, Layer, StatementKind, Subscript, Target};

pub const ALL: &[Operator] = &[
    operator(
        "no nonlinearity between two linear maps",
        Never,
        linear,
        "the first is narrower than its input and its output: a map of lower rank may be meant",
    ),
    operator(
        "dropout behind the last layer",
        Never,
        |good| behind_all(good, "dropout(0.5)"),
        "what the model gives is not held against a target as it is",
    ),
    operator("all weights that are drawn start at 0", Never, zeros, "they do not stand behind each other"),
    operator("a state has no next value", Never, states, ""),
    operator("a stale variable is read", Never, stale, ""),
    operator("a bias is not added", Never, unbiased, ""),
    operator(
        "positions see what comes behind them",
        Never,
        causal,
        "the sequence is no text whose next token is wanted",
    ),
    operator("the input token is the label", Never, unshifted, "what the model reads is drawn"),
    operator("a second net in place of the model", Never, second_net, ""),
    operator(
        "the model is given the target",
        Never,
        of_target,
        "what comes out has the shape of what goes in, as an autoencoder's",
    ),
    operator(
        "the inputs of the model change places",
        Never,
        inputs,
        "both have one type, and no name says which is which",
    ),
    operator("a `let` is left out", Run, |good| left_out(good, |kind| matches!(kind, StatementKind::Let(..))), ""),
    operator("a `param` is left out", Run, |good| left_out(good, |kind| matches!(kind, StatementKind::Param(..))), ""),
    operator("an `out` is left out", Run, |good| left_out(good, |kind| matches!(kind, StatementKind::Out(..))), ""),
    operator(
        "nothing is minimized",
        Never,
        |good| left_out(good, |kind| matches!(kind, StatementKind::Minimize(..))),
        "no model has a part in what is left",
    ),
    operator("the data are not named", Run, |good| unset(good, "data"), ""),
    operator("the model is not named", Run, |good| unset(good, "model"), ""),
];

const ACTIVATIONS: &[&str] = &["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus"];

fn linear(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for expr in good.exprs() {
        let ExprKind::Pipe(before, _, after) = &expr.kind else { continue };
        let ExprKind::Pipe(first, operator, between) = &before.kind else { continue };
        let ExprKind::Pipe(_, _, first) = &first.kind else { continue };
        let acts = stage(between).is_some_and(|name| ACTIVATIONS.contains(&name));
        if stage(after) == Some("dense") && acts && stage(first) == Some("dense") {
            mutants.push(vec![cut(*operator, between.span)]);
        }
    }
    mutants
}

/// Behind all that a model gives. One whose loss reads no other layer than it is told so.
fn behind_all(good: &Good, stage: &str) -> Vec<Mutant> {
    let outs =
        good.models().filter_map(given).filter(|out| !matches!(out.kind, ExprKind::Tuple(_) | ExprKind::Record(_)));
    outs.map(|out| vec![put(out.span, format!("({}) |> {stage}", good.of(out.span)))]).collect()
}

fn zeros(good: &Good) -> Vec<Mutant> {
    let statements = good.layers().flat_map(|layer| &layer.body);
    let edits: Mutant = statements
        .filter_map(|statement| match &statement.kind {
            StatementKind::Param(_, Some(ty), Init::Draw(draw)) => {
                Some(put(Span { start: ty.span.end, end: draw.span.end, ..ty.span }, " = 0"))
            }
            _ => None,
        })
        .collect();
    if edits.len() > 1 { vec![edits] } else { Vec::new() }
}

fn states(good: &Good) -> Vec<Mutant> {
    let layers = good.layers().flat_map(|layer| &layer.body);
    let nexts = layers.filter(|statement| match &statement.kind {
        StatementKind::Assign(Target::One(name) | Target::Indexed(name, _), ..) => name.text.ends_with('\''),
        _ => false,
    });
    nexts.map(|statement| vec![cut(statement.span, statement.span)]).collect()
}

/// The name that is read once, of a `let` before, becomes that of the input.
fn stale(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for layer in good.layers() {
        let Some(input) = layer.inputs.first() else { continue };
        for name in lets(layer) {
            let mut reads: Vec<Span> = Vec::new();
            for statement in &layer.body {
                mlx::syntax::walk::expressions(statement, &mut |expr: &Expr| {
                    if named(expr) == Some(name) {
                        reads.push(expr.span);
                    }
                });
            }
            if let [read] = reads[..] {
                mutants.push(vec![put(read, input.name.text.clone())]);
            }
        }
    }
    mutants
}

fn lets(layer: &Layer) -> impl Iterator<Item = &str> {
    layer.body.iter().filter_map(|statement| match &statement.kind {
        StatementKind::Let(Target::One(name) | Target::Indexed(name, _), ..) => Some(name.text.as_str()),
        _ => None,
    })
}

/// `a + b` without `b`, where `b` is a parameter.
fn unbiased(good: &Good) -> Vec<Mutant> {
    let params: Vec<&str> = good
        .layers()
        .flat_map(|layer| &layer.body)
        .filter_map(|statement| match &statement.kind {
            StatementKind::Param(Target::One(name), ..) => Some(name.text.as_str()),
            _ => None,
        })
        .collect();
    let read = |name: &str| good.exprs().filter(|expr| named(expr) == Some(name)).count();
    good.exprs()
        .filter_map(|expr| match &expr.kind {
            ExprKind::Binary(Binary::Add, operator, _, b) => {
                let name = named(b).filter(|name| params.contains(name) && read(name) == 1)?;
                let _ = name;
                Some(vec![cut(*operator, b.span)])
            }
            _ => None,
        })
        .collect()
}

/// In a program whose target is the next token of its input.
fn causal(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    if !tells_next(good) {
        return mutants;
    }
    for expr in good.exprs() {
        match &expr.kind {
            ExprKind::Reduce(reduce) if named(&reduce.function) == Some("softmax") => {
                if let (Some(filter), Some(index)) =
                    (&reduce.filter, reduce.indices.last().and_then(|index| index.name()))
                {
                    let from = Span { start: index.span.end, ..index.span };
                    mutants.push(vec![cut(from, filter.span)]);
                }
            }
            ExprKind::Call(_, arguments) => {
                mutants.extend(argument(arguments, "causal").map(|own| vec![put(own.span, "false")]));
            }
            _ => {}
        }
    }
    mutants
}

/// Whether the target is the input, one place behind.
fn tells_next(good: &Good) -> bool {
    good.says("next_token") || good.text.contains("[.., 1..")
}

fn unshifted(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for one in good.minimizes() {
        let ExprKind::Call(_, arguments) = &one.loss.kind else { continue };
        let arguments = positional(arguments);
        let Some(target) = arguments.get(1) else { continue };
        if good.says("next_token") && named(target) == Some("y") {
            mutants.push(vec![put(target.span, "x")]);
        }
        if let ExprKind::Index(base, subscripts) = &target.kind
            && let Some(Subscript::Slice(from, Some(to), _)) = subscripts.last()
            && good.of(from.span) == "1"
            && let Ok(to) = good.of(to.span).parse::<u64>()
        {
            mutants.push(vec![put(target.span, format!("{}[.., 0..{}]", good.of(base.span), to - 1))]);
        }
    }
    mutants
}

fn in_train(item: &ItemKind) -> bool {
    matches!(item, ItemKind::Train(_))
}

/// `model(…)` in a `train`.
fn applications(good: &Good) -> Vec<(&Expr, Vec<&Expr>)> {
    good.within(in_train)
        .filter_map(|expr| match &expr.kind {
            ExprKind::Call(callee, arguments) if named(callee) == Some("model") => {
                Some((&**callee, positional(arguments)))
            }
            _ => None,
        })
        .collect()
}

fn second_net(good: &Good) -> Vec<Mutant> {
    let name = good.trains().find_map(|block| stage(setting(&block.body, "model")?.1));
    let plain = good.models().find(|model| Some(model.name.text.as_str()) == name && model.hyper.is_empty());
    let Some(model) = plain else { return Vec::new() };
    applications(good).into_iter().map(|(callee, _)| vec![put(callee.span, model.name.text.clone())]).collect()
}

fn of_target(good: &Good) -> Vec<Mutant> {
    if !good.datas().any(|data| setting(&data.body, "y").is_some()) {
        return Vec::new();
    }
    let firsts = applications(good).into_iter().filter_map(|(_, arguments)| arguments.first().copied());
    firsts.filter(|first| named(first) == Some("x")).map(|first| vec![put(first.span, "y")]).collect()
}

fn inputs(good: &Good) -> Vec<Mutant> {
    let all = applications(good).into_iter();
    all.filter_map(|(_, arguments)| match arguments[..] {
        [a, b, ..] if good.of(a.span) != good.of(b.span) => {
            Some(vec![put(a.span, good.of(b.span)), put(b.span, good.of(a.span))])
        }
        _ => None,
    })
    .collect()
}

fn left_out(good: &Good, wanted: fn(&StatementKind) -> bool) -> Vec<Mutant> {
    let bodies = good.file.items.iter().filter(|item| !matches!(item.kind, ItemKind::Fn(_))).flat_map(body);
    bodies.filter(|statement| wanted(&statement.kind)).flat_map(|statement| one(put(statement.span, ""))).collect()
}

fn unset(good: &Good, name: &str) -> Vec<Mutant> {
    let settings = good.trains().filter_map(|block| setting(&block.body, name));
    settings.map(|(.., statement)| vec![put(statement.span, "")]).collect()
}
