//! A `train` block: the model, what is minimized and reported, and for how long.

use super::data::setting;
use super::optimizer::{Rule, hosts};
use super::{Elaborator, Out, Reported};
use crate::check::program::{Length, Loss, Report, RunSettings, TypedProgram};
use crate::check::terms::{Leaf, ParamId, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::unsupported::{SETTINGS as UNSUPPORTED_SETTINGS, Unsupported};
use crate::check::value::{Bound, Namespace, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, ExprKind, ItemKind, Minimize, Name, StatementKind, Target};
use std::collections::HashMap;

/// The settings of a `train` block that have a meaning now.
const SETTINGS: [&str; 6] = ["data", "model", "epochs", "steps", "batch", "seed"];

/// Without `epochs` and `steps`.
const DEFAULT_EPOCHS: u64 = 100;

/// What the statements of a block say.
struct Statements {
    minimized: Vec<(Loss, Out<Rule>)>,
    reports: Vec<Report>,
    predictions: Vec<Report>,
    /// The states of layers after what is minimized.
    kept: Vec<(ParamId, TermId)>,
}

/// What is evaluated, reported and predicted.
struct Shown {
    loss: Option<TermId>,
    reports: Vec<Report>,
    predictions: Vec<Report>,
}

impl Statements {
    /// What it shows, which is then no longer here.
    fn shown(&mut self) -> Shown {
        let loss = self.minimized.last().map(|(loss, _)| loss.value);
        let (reports, predictions) = (std::mem::take(&mut self.reports), std::mem::take(&mut self.predictions));
        Shown { loss, reports, predictions }
    }
}

impl Elaborator<'_> {
    /// Checks a `data` block that no training has checked.
    pub fn data_alone(&mut self, item: &crate::syntax::tree::Data) {
        let _ = self.data_set(item);
        self.data = None;
    }

    /// The program of a `train` block. `None` where something is wrong.
    pub fn train(&mut self, block: &Block) -> Option<TypedProgram> {
        let before = self.found.len();
        self.check_settings(block);
        let scope = self.train_scope(block);
        let run = self.run_settings(block);
        (self.training, self.reads_training) = (true, false);
        self.forget_passes();
        let mut trained = self.statements(block, scope.clone());
        self.training = false;
        // What a layer is while it is trained it need not be when it is evaluated: the same text once more, over the same
        // parameters.
        let shown = if self.reads_training {
            (self.made, self.entered) = (HashMap::new(), 0);
            self.forget_passes();
            self.statements(block, scope).shown()
        } else {
            trained.shown()
        };
        let minimizes = |kind: &StatementKind| matches!(kind, StatementKind::Minimize(_));
        if !block.body.iter().any(|statement| minimizes(&statement.kind)) {
            let error = Diagnostic::error("E0216", "nothing is minimized", block.word, "in this `train` block");
            self.report(error.help("add `minimize mse(model(x), y) using sgd(lr = 0.1)`"));
        }
        let (loss, rule) = trained.minimized.pop()?;
        if !trained.minimized.is_empty() {
            self.unsupported(Unsupported::SeveralMinimized, loss.span);
        }
        let evaluated = shown.loss?;
        let told = shown.reports.iter().chain(&shown.predictions).map(|report| report.value);
        let next = trained.kept.iter().map(|(_, next)| *next);
        let roots: Vec<TermId> = [loss.value, evaluated].into_iter().chain(told).chain(next).collect();
        let kept = std::mem::take(&mut trained.kept);
        let mut trained = TypedProgram::used(&self.terms, &[loss.value]);
        trained.retain(|param| !self.params[param.0 as usize].is_state);
        let mut used = TypedProgram::used(&self.terms, &roots);
        used.extend(kept.iter().map(|(id, _)| *id));
        used.sort_unstable();
        used.dedup();
        if trained.is_empty() {
            let error =
                Diagnostic::error("E0222", "there is nothing to train", loss.span, "this loss reads no parameter");
            self.report(error.help("does it use `model(x)`?"));
        }
        let updates =
            rule.and_then(|rule| trained.iter().map(|param| self.update(&rule, *param)).collect::<Out<Vec<_>>>());
        let (updates, run) = (updates.ok()?, run.ok()?);
        if self.found[before..].iter().any(|found| found.severity == crate::diagnostic::Severity::Error) {
            return None;
        }
        Some(TypedProgram {
            name: block.name.as_ref().map_or("train", |name| &name.text).to_string(),
            terms: std::mem::take(&mut self.terms),
            data: self.data.take()?,
            params: std::mem::take(&mut self.params),
            used,
            loss,
            evaluated,
            reports: shown.reports,
            predictions: shown.predictions,
            updates,
            kept,
            run,
            settings: std::mem::take(&mut self.settings),
        })
    }

    /// What the statements of a block say, with `training` as it is now.
    fn statements(&mut self, block: &Block, mut scope: Scope) -> Statements {
        let mut minimized: Vec<(Loss, Out<Rule>)> = Vec::new();
        let (mut reports, mut predictions, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        let mut reported: HashMap<String, Span> = HashMap::new();
        for statement in &block.body {
            match &statement.kind {
                StatementKind::Let(target, ty, init) => {
                    self.local(target, ty.as_ref(), init, statement.span, &mut scope);
                }
                StatementKind::Minimize(minimize) => {
                    let rule = self.using(&minimize.using, &mut scope);
                    if let Ok(loss) = self.loss(minimize, &mut scope) {
                        minimized.push((loss, rule));
                        kept = self.states_after();
                    }
                }
                StatementKind::Report(name, expr) => {
                    // What is shown moves no state.
                    let kept_now = self.kept_now.clone();
                    let report = self.reported(name.as_ref(), expr, &mut scope);
                    self.kept_now = kept_now;
                    if let Ok(report) = report {
                        self.reported_once(&report, expr, &mut reported);
                        reports.push(report);
                    }
                }
                StatementKind::Assign(..) => {}
                StatementKind::Param(..) => {
                    self.unsupported(Unsupported::ParamInTrain, statement.span);
                }
                StatementKind::State(..) => {
                    self.unsupported(Unsupported::StateInTrain, statement.span);
                }
                StatementKind::Predict(name, expr) => {
                    if let Ok(value) = self.predicted(name, expr, &mut scope) {
                        predictions.push(Report { name: name.text.clone(), value });
                    }
                }
                StatementKind::Check(name, condition) => drop(self.holds(name, condition, &mut scope)),
                StatementKind::Calibrate(..) => {
                    self.unsupported(Unsupported::Calibrate, statement.span);
                }
                StatementKind::Out(_) | StatementKind::Emit(..) => {
                    let message = "this does not belong in a `train` block";
                    self.error("E0216", message, statement.span, "here");
                }
            }
        }
        Statements { minimized, reports, predictions, kept }
    }

    fn check_settings(&mut self, block: &Block) {
        for statement in &block.body {
            let StatementKind::Assign(target, ..) = &statement.kind else { continue };
            let Target::One(name) = target else {
                self.error("E0216", "a setting has one name", statement.span, "here");
                continue;
            };
            let known = SETTINGS.iter().chain(UNSUPPORTED_SETTINGS).copied();
            if UNSUPPORTED_SETTINGS.contains(&name.text.as_str()) {
                self.report(Unsupported::Setting.named(&name.text, name.span));
            } else if !SETTINGS.contains(&name.text.as_str()) {
                let near = nearest(&name.text, known);
                let help =
                    near.map_or(format!("it has {}", SETTINGS.join(", ")), |near| format!("did you mean `{near}`?"));
                let message = format!("a `train` block has no setting `{}`", name.text);
                self.report(Diagnostic::error("E0212", message, name.span, "not found").help(help));
            }
        }
    }

    /// The names of the block: columns, the model, the numbers of the host.
    pub(super) fn train_scope(&mut self, block: &Block) -> Scope {
        let mut scope = Scope::default();
        scope.namespace = Namespace::Train;
        self.name_uses(block.word, &[], &block.body);
        (self.data, self.blind) = (None, false);
        let find = |name: &str| block.body.iter().find_map(|statement| setting(statement, name));
        match find("data") {
            Some(expr) => match self.named_data(expr) {
                Ok(()) => self.bind_columns(&mut scope),
                Err(Reported) => (self.data, self.blind) = (None, true),
            },
            None => {
                let error = Diagnostic::error("E0216", "no data is named", block.word, "in this `train` block");
                self.report(error.help("add `data = name`, of a `data name = …` item"));
            }
        }
        let rows = Axis::new(Size::symbol(Self::rows()), block.word, "is the rows of a batch");
        let bound = self.bound(Value::Size(rows), block.word);
        if scope.get(super::ROWS).is_none() {
            scope.insert(super::ROWS, bound);
        }
        for (name, host) in hosts(None) {
            let leaf = self.leaf(Leaf::Host(host), Type::scalar(Elem::Int), block.word);
            let bound = self.bound(Value::Tensor(leaf), block.word);
            scope.insert(name, bound);
        }
        let model = find("model");
        let at = model.map_or(block.word, |expr| expr.span);
        let model = match model {
            Some(expr) => self.model(expr, &mut scope).unwrap_or(Value::Wrong),
            None => {
                let error = Diagnostic::error("E0216", "no model is named", block.word, "in this `train` block");
                self.report(error.help("add `model = Name`, of a `model Name(x: [n, d]) …` item"));
                Value::Wrong
            }
        };
        let bound = self.bound(model, at);
        scope.insert("model", bound);
        scope
    }

    fn named_data(&mut self, expr: &Expr) -> Out<()> {
        if let ExprKind::Name(name) = &expr.kind {
            match self.library.own(&name.text) {
                Some(item) => {
                    if let ItemKind::Data(data) = &item.kind {
                        return self.data_set(data);
                    }
                }
                None => return self.name(name, expr.span, &Scope::default()).map(|_| ()).and(Err(Reported)),
            }
        }
        let error = Diagnostic::error("E0211", "`data` names a `data` item", expr.span, "this is none");
        Err(self.report(error))
    }

    fn bind_columns(&mut self, scope: &mut Scope) {
        for name in std::mem::take(&mut self.wrong_columns) {
            let bound = self.bound(Value::Wrong, name.span);
            scope.insert(&name.text, bound);
        }
        let columns = self
            .data
            .as_ref()
            .map_or(Vec::new(), |data| data.columns.iter().map(|column| (column.name.clone(), column.value)).collect());
        for (at, (name, value)) in columns.into_iter().enumerate() {
            let (ty, span) = (self.ty(value).clone(), self.terms.get(value).span);
            let leaf = self.leaf(Leaf::Column(at), ty, span);
            let bound: Bound = self.bound(Value::Tensor(leaf), span);
            scope.insert(&name, bound);
        }
    }

    /// The instance without a prefix that `model` names.
    fn model(&mut self, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        let value = self.value(expr, scope)?;
        match self.unapplied(value, expr.span)? {
            Value::Recipe(recipe) => Ok(Value::Instance(recipe, String::new())),
            _ => Err(self.error("E0211", "`model` names a model", expr.span, "this is none")),
        }
    }

    fn run_settings(&mut self, block: &Block) -> Out<RunSettings> {
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
        let batch = number("batch", 1);
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
        let rows = self.data.as_ref().map(|data| data.rows[0] as u64);
        let batch = match (batch?, rows) {
            (Some((batch, span)), Some(rows)) if batch > rows => {
                let message = format!("a batch of {batch} rows, and {rows} are for training");
                let error = Diagnostic::error("E0213", message, span, "too many");
                return Err(self.report(error.help("without `batch` a step sees every training row")));
            }
            (batch, _) => batch.map(|(batch, _)| batch),
        };
        Ok(RunSettings { length, seed: seed?.map_or(0, |(seed, _)| seed), batch })
    }

    fn loss(&mut self, minimize: &Minimize, scope: &mut Scope) -> Out<Loss> {
        let value = self.scalar(&minimize.loss, "a loss", scope)?;
        let name = minimize.name.as_ref().map(|name| name.text.clone());
        Ok(Loss { name, value, span: minimize.loss.span })
    }

    fn reported(&mut self, name: Option<&Name>, expr: &Expr, scope: &mut Scope) -> Out<Report> {
        let value = self.scalar(expr, "a report", scope)?;
        let name = match (name, called(expr)) {
            (Some(name), _) => name.text.clone(),
            (None, Some(name)) => name.to_string(),
            (None, None) => {
                let error =
                    Diagnostic::error("E0216", "this report has no name", expr.span, "expected a name for this");
                return Err(self.report(error.help("write `report name = …`")));
            }
        };
        Ok(Report { name, value })
    }

    /// Reports are found by their names, in events and records; `loss` is there already.
    fn reported_once(&mut self, report: &Report, expr: &Expr, reported: &mut HashMap<String, Span>) {
        let first = reported.insert(report.name.clone(), expr.span);
        if first.is_none() && report.name != "loss" {
            return;
        }
        let message = match report.name.as_str() {
            "loss" => "`loss` is the name of what is minimized".to_string(),
            name => format!("two reports are called `{name}`"),
        };
        let error = Diagnostic::error("E0202", message, expr.span, "this report");
        let error = match first {
            Some(first) => error.label(first, "and this one"),
            None => error,
        };
        self.report(error.help("give it a name: `report name = …`"));
    }

    /// A value for each row: `[n]`, or `[n, k]`, which becomes several columns.
    fn predicted(&mut self, name: &Name, expr: &Expr, scope: &mut Scope) -> Out<TermId> {
        let value = self.value(expr, scope)?;
        let term = self.tensor(value, expr.span)?;
        let ty = self.ty(term).clone();
        let rows = ty.axes.first().is_some_and(|axis| axis.size == Size::symbol(Self::rows()));
        let settled = ty.axes.iter().skip(1).all(|axis| axis.size.settled().is_some());
        if rows && settled && ty.free.is_empty() {
            return Ok(term);
        }
        let message = format!("`predict` writes a value for each row, [n, …], and `{}` is {ty}", name.text);
        Err(self.error("E0219", message, expr.span, "this value"))
    }

    fn scalar(&mut self, expr: &Expr, what: &str, scope: &mut Scope) -> Out<TermId> {
        let value = self.value(expr, scope)?;
        let term = self.numbers(value, expr.span)?;
        let ty = self.ty(term);
        if !ty.axes.is_empty() {
            let error = Diagnostic::error("E0210", format!("{what} is one number"), expr.span, format!("this is {ty}"));
            return Err(self.report(error.help("reduce it with `mean(…)` or `sum(…)`")));
        }
        Ok(term)
    }
}

/// The name of the function that an expression calls at last.
fn called(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Call(callee, _) | ExprKind::Pipe(_, _, callee) => called(callee),
        ExprKind::Name(name) => Some(&name.text),
        _ => None,
    }
}
