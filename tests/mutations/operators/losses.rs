//! Losses, metrics and optimizers.

use super::Elsewhere::{Never, Run};
use super::{Operator, operator};
use crate::mutations::rewrite::{Good, Mutant, argument, behind, given, named, positional, put, setting, whole};
use mlx::syntax::tree::{Expr, ExprKind, ItemKind, StatementKind};

pub const ALL: &[Operator] = &[
    operator("`mse` in place of `cross_entropy`", Never, |good| renamed(good, "cross_entropy", "mse"), ""),
    operator(
        "`mse` in place of `binary_cross_entropy`",
        Never,
        |good| renamed(good, "binary_cross_entropy", "mse"),
        "",
    ),
    operator(
        "`binary_cross_entropy` in place of `cross_entropy`",
        Run,
        |good| renamed(good, "cross_entropy", "binary_cross_entropy"),
        "",
    ),
    operator("`cross_entropy` in place of `mse`", Run, |good| renamed(good, "mse", "cross_entropy"), ""),
    operator(
        "`nll` in place of `cross_entropy`",
        Never,
        |good| renamed(good, "cross_entropy", "nll"),
        "what it is given may be logarithms",
    ),
    operator("a softmax before the loss", Never, |good| before_loss(good, OF_CLASSES, "softmax"), ""),
    operator("a sigmoid before the loss", Never, |good| before_loss(good, OF_TWO, "sigmoid"), ""),
    operator("a softmax at the end of the model", Never, |good| at_end(good, OF_CLASSES, "softmax"), ""),
    operator("a sigmoid at the end of the model", Never, |good| at_end(good, OF_TWO, "sigmoid"), ""),
    operator(
        "a relu at the end of a model of scores",
        Never,
        |good| at_end(good, OF_CLASSES, "relu"),
        "scores above 0 have a right softmax",
    ),
    operator("what is reported is minimized", Run, reported, ""),
    operator("a loss is made great", Never, negated, "the loss is of one's own, and may be a gain"),
    operator(
        "what is predicted and the target change places",
        Never,
        exchanged,
        "the function cannot know which is which",
    ),
    operator("the target in place of the prediction", Run, |good| doubled(good, true), ""),
    operator(
        "the prediction in place of the target",
        Never,
        |good| doubled(good, false),
        "two draws of a net with dropout may well be held against each other",
    ),
    operator("the prediction is held constant", Run, held, ""),
    operator("a metric of two classes for many", Run, |good| renamed(good, "accuracy", "binary_accuracy"), ""),
    operator("a metric of many classes for two", Run, |good| renamed(good, "binary_accuracy", "accuracy"), ""),
    operator(
        "a learning rate a thousand times too large",
        Never,
        |good| rate(good, |rate| rate * 1000.0),
        "rates of this size are in use",
    ),
    operator("a negative learning rate", Run, |good| rate(good, |rate| -rate), ""),
    operator(
        "the greatest loss is kept",
        Never,
        kept,
        "which values of a figure of one's own are better, nobody knows",
    ),
    operator("a schedule that ends after half of the run", Never, half, ""),
];

const OF_CLASSES: &[&str] = &["cross_entropy", "focal", "multi_hinge"];
const OF_TWO: &[&str] = &["binary_cross_entropy", "binary_focal", "hinge"];

fn in_train(item: &ItemKind) -> bool {
    matches!(item, ItemKind::Train(_))
}

/// Calls in a `train`.
fn calls(good: &Good) -> Vec<(&str, &Expr, &Expr, Vec<&Expr>)> {
    good.within(in_train)
        .filter_map(|expr| match &expr.kind {
            ExprKind::Call(callee, arguments) => Some((named(callee)?, &**callee, expr, positional(arguments))),
            _ => None,
        })
        .collect()
}

fn renamed(good: &Good, from: &str, to: &str) -> Vec<Mutant> {
    let own = calls(good).into_iter().filter(|(name, ..)| *name == from);
    own.map(|(_, callee, ..)| vec![put(callee.span, to)]).collect()
}

fn before_loss(good: &Good, losses: &[&str], by: &str) -> Vec<Mutant> {
    let own = calls(good).into_iter().filter(|(name, ..)| losses.contains(name));
    own.filter_map(|(.., arguments)| {
        let scores = arguments.first()?.span;
        Some(vec![put(scores, format!("{by}({})", good.of(scores)))])
    })
    .collect()
}

/// Behind all of what the model of such a loss gives.
fn at_end(good: &Good, losses: &[&str], by: &str) -> Vec<Mutant> {
    let of = |expr: &Expr| match &expr.kind {
        ExprKind::Call(callee, _) => named(callee) == Some("model"),
        _ => false,
    };
    let applies = calls(good)
        .iter()
        .any(|(name, .., arguments)| losses.contains(name) && arguments.first().is_some_and(|scores| of(scores)));
    let models: Vec<_> = good.models().collect();
    let [model] = models[..] else { return Vec::new() };
    let Some(out) = given(model).filter(|_| applies) else { return Vec::new() };
    vec![vec![put(out.span, format!("({}) |> {by}", good.of(out.span)))]]
}

/// Metrics, which are no losses.
const METRICS: &[&str] = &[
    "accuracy",
    "binary_accuracy",
    "top_accuracy",
    "balanced_accuracy",
    "macro_f1",
    "micro_f1",
    "precision",
    "recall",
    "f1",
    "auc",
    "average_precision",
    "r2",
    "explained_variance",
];

fn reported(good: &Good) -> Vec<Mutant> {
    let statements = good.trains().flat_map(|block| &block.body);
    let reports = statements.filter_map(|statement| match &statement.kind {
        StatementKind::Report(_, value) => Some(value),
        _ => None,
    });
    let metric = |value: &&Expr| crate::mutations::rewrite::stage(value).is_some_and(|name| METRICS.contains(&name));
    let Some(metric) = reports.into_iter().find(metric) else { return Vec::new() };
    good.minimizes().into_iter().map(|one| vec![put(one.loss.span, good.of(metric.span))]).collect()
}

/// Of a block with one loss, which is no sum of several.
fn negated(good: &Good) -> Vec<Mutant> {
    let all = good.minimizes();
    let [one] = all[..] else { return Vec::new() };
    if !one.over.is_empty() || !matches!(one.loss.kind, ExprKind::Call(..)) {
        return Vec::new();
    }
    vec![vec![put(one.loss.span, format!("-{}", good.of(one.loss.span)))]]
}

/// Functions of the library with a prediction and a target, in this order.
const HOLD: &[&str] = &[
    "mse",
    "mae",
    "huber",
    "cross_entropy",
    "binary_cross_entropy",
    "focal",
    "binary_focal",
    "hinge",
    "multi_hinge",
    "r2",
    "rmse",
    "mape",
    "explained_variance",
    "accuracy",
    "binary_accuracy",
    "precision",
    "recall",
    "f1",
    "auc",
    "pinball",
    "poisson_nll",
    "dice",
    "nll",
    "kl",
    "perplexity",
    "top_accuracy",
    "confusion",
];

fn holding(good: &Good) -> Vec<(&Expr, &Expr)> {
    let own = calls(good).into_iter().filter(|(name, ..)| HOLD.contains(name));
    own.filter_map(|(.., arguments)| Some((*arguments.first()?, *arguments.get(1)?))).collect()
}

fn exchanged(good: &Good) -> Vec<Mutant> {
    let pairs = holding(good).into_iter();
    pairs.map(|(a, b)| vec![put(a.span, good.of(b.span)), put(b.span, good.of(a.span))]).collect()
}

/// What is minimized, as one call.
fn minimized(good: &Good) -> Vec<(&Expr, &Expr)> {
    let losses = good.minimizes().into_iter().filter_map(|one| match &one.loss.kind {
        ExprKind::Call(callee, arguments) => Some((named(callee)?, positional(arguments))),
        _ => None,
    });
    let own = losses.filter(|(name, _)| HOLD.contains(name));
    own.filter_map(|(_, arguments)| Some((*arguments.first()?, *arguments.get(1)?))).collect()
}

fn doubled(good: &Good, target: bool) -> Vec<Mutant> {
    let pairs = minimized(good).into_iter();
    pairs
        .map(|(a, b)| if target { vec![put(a.span, good.of(b.span))] } else { vec![put(b.span, good.of(a.span))] })
        .collect()
}

fn held(good: &Good) -> Vec<Mutant> {
    let pairs = minimized(good).into_iter();
    pairs.map(|(a, _)| vec![put(a.span, format!("constant({})", good.of(a.span)))]).collect()
}

fn rate(good: &Good, change: fn(f64) -> f64) -> Vec<Mutant> {
    good.minimizes()
        .into_iter()
        .filter_map(|one| match &one.using.kind {
            ExprKind::Call(_, arguments) => {
                let rate = argument(arguments, "lr")?;
                let ExprKind::Number { digits, percent: false } = &rate.kind else { return None };
                Some(vec![put(rate.span, change(digits.parse().ok()?).to_string())])
            }
            _ => None,
        })
        .collect()
}

fn kept(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for name in ["min", "max"] {
        let other = if name == "min" { "max" } else { "min" };
        for (_, callee, _, arguments) in calls(good).into_iter().filter(|(own, ..)| *own == name) {
            if let [ExprKind::Field(split, _)] = arguments.iter().map(|one| &one.kind).collect::<Vec<_>>()[..]
                && matches!(named(split), Some("valid" | "train"))
            {
                mutants.push(vec![put(callee.span, other)]);
            }
        }
    }
    mutants
}

fn half(good: &Good) -> Vec<Mutant> {
    let Some(steps) = good.trains().find_map(|block| whole(setting(&block.body, "steps")?.1)) else {
        return Vec::new();
    };
    let mut mutants: Vec<Mutant> = Vec::new();
    for (_, call, arguments) in good.calls().filter(|(name, ..)| *name == "cosine") {
        if let Some(end) = positional(arguments).get(1) {
            mutants.push(vec![put(end.span, (steps / 2).to_string())]);
        }
        let _ = call;
    }
    // A constant rate becomes a schedule.
    for one in good.minimizes() {
        if let ExprKind::Call(_, arguments) = &one.using.kind
            && let Some(rate) = argument(arguments, "lr").filter(|rate| matches!(rate.kind, ExprKind::Number { .. }))
            && steps > 3
        {
            mutants.push(vec![behind(rate.span, format!(" * cosine(step, {})", steps / 2))]);
        }
    }
    mutants
}
