//! The settings of a `train` block: for how long, on how many rows, from which seed; when to look, to stop, and what to keep.

use super::data::setting;
use super::train::Statements;
use super::watched::{Figure, called};
use super::{Elaborator, Out};
use crate::check::program::{Demand, Length, Patience, RunSettings};
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Elem, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::ir::ScalarOp;
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, ExprKind, Init, StatementKind, Target};

/// The settings of a `train` block.
const SETTINGS: [&str; 13] = [
    "data",
    "model",
    "epochs",
    "steps",
    "batch",
    "seed",
    "clip",
    "accumulate",
    "checkpoint",
    "validate",
    "stop",
    "keep",
    "freeze",
];

/// Settings of other programs, and how the same is said here.
const ELSEWHERE: [(&str, &[&str]); 12] = [
    ("a loss is minimized: `minimize mse(model(x), y) using adam`", &["loss", "criterion", "objective"]),
    (
        "an optimizer stands behind its loss: `minimize mse(model(x), y) using adam(lr = 0.001)`",
        &["optimizer", "optim"],
    ),
    ("it is the optimizer's: `using adam(lr = 0.001)`", &["lr", "learning_rate", "rate"]),
    ("it is the optimizer's: `using adamw(decay = 0.01)`", &["decay", "weight_decay"]),
    ("it is the optimizer's: `using sgd(momentum = 0.9)`", &["momentum"]),
    ("a rate that changes is an expression: `using adam(lr = 0.001 * warmup(step, 100))`", &["scheduler", "schedule"]),
    ("write `batch`", &["batch_size"]),
    ("each figure is reported: `report r2(model(x), y)`", &["metrics", "metric", "report"]),
    ("a model begins from the weights of another: `model = Net from first`", &["from", "weights", "init"]),
    ("a split is the data's: `split = holdout(train = 80%, valid = 20%)`", &["split", "validation_split"]),
    ("the split says it: `holdout(train = 100%, shuffle = false)`", &["shuffle"]),
    ("it is said by `stop`: `stop = patience(min(valid.loss), 5)`", &["early_stopping", "patience"]),
];

/// Without `epochs` and `steps`.
const DEFAULT_EPOCHS: u64 = 100;

/// Whether a block has a setting that is reported, and was meant to be this one.
pub(super) fn is_misspelled(block: &Block, wanted: &str) -> bool {
    block.body.iter().any(|statement| match &statement.kind {
        StatementKind::Assign(Target::One(name), ..) => {
            !SETTINGS.contains(&name.text.as_str()) && nearest(&name.text, SETTINGS.into_iter()) == Some(wanted)
        }
        _ => false,
    })
}

/// How many figures a block reports.
fn reports_of(block: &Block) -> usize {
    block.body.iter().filter(|statement| matches!(statement.kind, StatementKind::Report(..))).count()
}

impl Elaborator<'_> {
    pub(super) fn check_settings(&mut self, block: &Block) {
        for statement in &block.body {
            let StatementKind::Assign(target, ty, init) = &statement.kind else { continue };
            let Target::One(name) = target else {
                if !matches!(target, Target::Indexed(name, _) if name.text.ends_with('\'')) {
                    self.error("E0216", "a setting has one name", statement.span, "here");
                }
                continue;
            };
            if name.text.ends_with('\'') {
                continue;
            }
            if !SETTINGS.contains(&name.text.as_str()) {
                let elsewhere = ELSEWHERE.iter().find(|(_, words)| words.contains(&name.text.as_str()));
                let help = match nearest(&name.text, SETTINGS.into_iter()) {
                    _ if let Some((help, _)) = elsewhere => help.to_string(),
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}; a value is named by `let {} = …`", SETTINGS.join(", "), name.text),
                };
                let message = format!("a `train` block has no setting `{}`", name.text);
                self.report(Diagnostic::error("E0212", message, name.span, "not found").help(help));
            } else if ty.is_some() || matches!(init, Init::Draw(_)) {
                self.error("E0216", "a setting is `name = value`", statement.span, "this is none");
            }
        }
    }

    pub(super) fn run_settings(&mut self, block: &Block) -> Out<RunSettings> {
        let mut number = |name: &str, least: i64| -> Out<Option<(u64, Span)>> {
            let found = block.body.iter().find_map(|statement| setting(statement, name));
            let Some(expr) = found else { return Ok(None) };
            let value = self.value(expr, &mut Scope::default())?;
            let whole = self.whole(&value, &format!("`{name}`"), expr.span)?;
            if whole < least {
                let message = format!("expected at least {least} for `{name}`, found {whole}");
                return Err(self.error("E0213", message, expr.span, "here"));
            }
            Ok(Some((whole.unsigned_abs(), expr.span)))
        };
        let (epochs, steps, seed) = (number("epochs", 1), number("steps", 1), number("seed", 0));
        let (batch, accumulate) = (number("batch", 1), number("accumulate", 1));
        let length = match (epochs?, steps?) {
            (None, None) => Length::Epochs(DEFAULT_EPOCHS),
            (Some((epochs, _)), None) => Length::Epochs(epochs),
            (None, Some((steps, _))) => Length::Steps(steps),
            (Some((_, epochs)), Some((_, steps))) => {
                let error = Diagnostic::error("E0212", "a training has `epochs` or `steps`, not both", steps, "here")
                    .label(epochs, "and here");
                return Err(self.report(error));
            }
        };
        let rows = self.data.as_ref().map(|data| data.rows()[0] as u64);
        let has_data = self.data.as_ref().is_none_or(|data| !data.is_missing());
        let batch = match (batch?, rows) {
            (Some((_, span)), _) if !has_data => {
                let error =
                    Diagnostic::error("E0213", "a batch is of rows, and this training has no data", span, "here");
                return Err(self.report(error.help("leave `batch` out, or add `data = name`")));
            }
            (Some((batch, span)), Some(rows)) if batch > rows => {
                let message = format!("a batch of {batch} rows, and {rows} are for training");
                let error = Diagnostic::error("E0213", message, span, "too many");
                return Err(self.report(error.help("without `batch` a step sees every training row")));
            }
            (batch, _) => batch.map(|(batch, _)| batch),
        };
        let (seed, accumulate) = (seed?.map_or(0, |(seed, _)| seed), self.parts(accumulate?, batch.or(rows))?);
        let validate = setting_of(block, "validate").map(|expr| self.evaluations(expr)).transpose();
        let stop = setting_of(block, "stop").map(|expr| self.patience(expr)).transpose();
        let keep = setting_of(block, "keep").map(|expr| self.watched(expr, "keep", self.rows_of_splits())).transpose();
        let (validate, stop, keep) = (validate?, stop?, keep?);
        let checkpoint = setting_of(block, "checkpoint").map(|expr| self.checkpoint(expr)).transpose()?;
        Ok(RunSettings { length, seed, batch, accumulate, checkpoint, validate, stop, keep })
    }

    /// `blocks`, and where that stands.
    fn checkpoint(&mut self, expr: &Expr) -> Out<Span> {
        match &expr.kind {
            ExprKind::Name(name) if name.text == "blocks" => Ok(expr.span),
            ExprKind::Text(_) => {
                let message = "`checkpoint` says what is computed again, and is no file";
                let help = "a model begins from the weights of another: `model = Net from first`";
                Err(self.report(Diagnostic::error("E0245", message, expr.span, "expected `blocks`").help(help)))
            }
            _ => Err(self.shape_of(expr, "checkpoint", "blocks")),
        }
    }

    /// The blocks whose values are computed again for their gradients; none where the block does not ask for that.
    pub(super) fn blocks(&mut self, run: &RunSettings) -> Out<Vec<TermId>> {
        let blocks = std::mem::take(&mut self.passed);
        let Some(span) = run.checkpoint else { return Ok(Vec::new()) };
        if blocks.is_empty() {
            let message = "nothing is trained block by block here";
            let error = Diagnostic::error("E0245", message, span, "there are no blocks");
            let help = "`repeat(12, block)` and a list of layers make blocks: what is between two of them is kept, and what is within is computed again";
            return Err(self.report(error.help(help)));
        }
        Ok(blocks)
    }

    /// In how many parts a batch is computed: each has a row.
    fn parts(&mut self, parts: Option<(u64, Span)>, batch: Option<u64>) -> Out<u64> {
        let Some((parts, span)) = parts else { return Ok(1) };
        match batch {
            Some(batch) if parts > batch => {
                let message = format!("a batch of {batch} rows has no {parts} parts");
                Err(self.error("E0213", message, span, "too many"))
            }
            _ => Ok(parts),
        }
    }

    /// `every(250)`
    fn evaluations(&mut self, expr: &Expr) -> Out<u64> {
        let steps = match called(expr, &["every"]) {
            Some((_, [steps])) => steps,
            _ => return Err(self.shape_of(expr, "validate", "every(250)")),
        };
        let value = self.value(steps, &mut Scope::default())?;
        let steps_between = self.whole(&value, "`every`", steps.span)?;
        if steps_between < 1 {
            let message = format!("expected at least 1 step between evaluations, found {steps_between}");
            return Err(self.error("E0213", message, steps.span, "here"));
        }
        Ok(steps_between.unsigned_abs())
    }

    /// `patience(min(valid.loss), 5)`
    fn patience(&mut self, expr: &Expr) -> Out<Patience> {
        let (watched, count) = match called(expr, &["patience"]) {
            Some((_, [watched, count])) => (watched, count),
            _ => return Err(self.shape_of(expr, "stop", "patience(min(valid.loss), 5)")),
        };
        let watched = self.watched(watched, "stop", self.rows_of_splits())?;
        let value = self.value(count, &mut Scope::default())?;
        let evaluations = self.whole(&value, "`patience`", count.span)?;
        if evaluations < 1 {
            let message = format!("expected at least 1 evaluation to wait for, found {evaluations}");
            return Err(self.error("E0213", message, count.span, "here"));
        }
        Ok(Patience { watched, evaluations: evaluations.unsigned_abs() })
    }

    /// What is watched is something that evaluations give.
    pub(super) fn figures(&mut self, block: &Block, shown: &Statements) -> Out<()> {
        let minimized: Vec<String> = shown.minimized.iter().filter_map(|term| term.name.clone()).collect();
        let mut known: Vec<Figure> = minimized.iter().map(|name| Figure::number(name)).collect();
        known.extend(shown.reports.iter().map(|report| {
            let ty = self.ty(report.value).clone();
            Figure { name: &report.name, ty: Some(ty), late: report.late }
        }));
        let mut all = Ok(());
        for name in ["stop", "keep"] {
            if let Some(expr) = setting_of(block, name) {
                // A report that is wrong may have the name that is watched.
                let complete = shown.reports.len() == reports_of(block);
                all = self.is_figure(expr, name, &known, complete).and(all);
                all = self.is_known_on_its_split(expr, name, shown).and(all);
            }
        }
        all
    }

    /// `clip = 1.0`, which may be an expression of the step.
    pub(super) fn clip(&mut self, block: &Block, scope: &mut Scope) -> Out<Option<TermId>> {
        let Some(expr) = setting_of(block, "clip") else { return Ok(None) };
        let value = self.value(expr, scope)?;
        if let Value::Number(number) = &value
            && number.to_f64() <= 0.0
        {
            let message = format!("expected a norm above 0 for `clip`, found {number}");
            return Err(self.error("E0213", message, expr.span, "here"));
        }
        let term = self.numbers(value, expr.span)?;
        let ty = self.ty(term).clone();
        if !ty.axes.is_empty() {
            return Err(self.error("E0210", format!("`clip` is one number, and this is {ty}"), expr.span, "here"));
        }
        Ok(Some(term))
    }

    /// A bound that only the run knows is above 0 as well.
    pub(super) fn clip_is_positive(&mut self, block: &Block, clip: Out<Option<TermId>>) {
        let (Ok(Some(bound)), Some(expr)) = (clip, setting_of(block, "clip")) else { return };
        if matches!(self.terms.get(bound).kind, Kind::Number(_)) {
            return;
        }
        let (at, truth) = (expr.span, Type::scalar(Elem::Bool));
        let zero = self.term(Kind::Number(0.0), Type::scalar(Elem::Float), at);
        let condition = self.term(Kind::Scalar(ScalarOp::Less, vec![zero, bound]), truth, at);
        let name = "clip > 0".to_string();
        let demand =
            Demand { name, condition, span: at, sides: vec![(bound, at)], calls: Vec::new(), own: None, late: false };
        self.demands.push(demand);
    }
}

/// The value of a setting of a block.
pub(super) fn setting_of<'b>(block: &'b Block, name: &str) -> Option<&'b Expr> {
    block.body.iter().find_map(|statement| setting(statement, name))
}
