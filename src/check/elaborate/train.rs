//! A `train` block: the model, what is minimized and reported.

use super::data::setting;
use super::minimize::Term;
use super::optimizer::hosts;
use super::run_settings::is_misspelled;
use super::sets::Role;
use super::{Elaborator, Out, ROWS, Reported};
use crate::check::program::{Calibrated, Data, Demand, RawKind, Report, Set, TypedProgram};
use crate::check::schema::{From, Source};
use crate::check::terms::{Leaf, ParamId, Start, TermId};
use crate::check::types::{Elem, Type};
use crate::check::value::{Namespace, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::Symbol;
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, ExprKind, Name, StatementKind, Target};
use std::collections::{HashMap, HashSet};

/// What the statements of a block say.
#[derive(Clone)]
pub(super) struct Statements {
    pub minimized: Vec<Term>,
    pub reports: Vec<Report>,
    pub predictions: Vec<Report>,
    pub once: Vec<TermId>,
    pub nexts: Vec<(ParamId, TermId)>,
    pub calibrated: Vec<Calibrated>,
    pub demands: Vec<Demand>,
    /// The names of the block behind its last statement.
    pub scope: Scope,
}

impl Elaborator<'_> {
    /// Checks a `data` block that no training has checked.
    pub fn data_alone(&mut self, item: &crate::syntax::tree::Data) {
        (self.tables, self.wholes) = (Vec::new(), Vec::new());
        self.data = None;
        self.named_sets.clear();
        let _ = self.data_set(item, Role::Only);
        self.data = None;
    }

    /// The program of a `train` block. `None` where something is wrong.
    pub fn train(&mut self, block: &Block) -> Option<TypedProgram> {
        let before = self.found.len();
        self.check_settings(block);
        let mut scope = self.train_scope(block);
        self.freezes_whole(block);
        let run = self.run_settings(block);
        let clip = self.clip(block, &mut scope);
        (self.training, self.reads_training) = (true, false);
        self.forget_passes();
        let mut trained = self.statements(block, scope.clone());
        if std::mem::take(&mut self.totalled) {
            // What asks for all tensors of a model may stand before what applies it.
            (self.made, self.entered) = (Default::default(), 0);
            trained = self.statements(block, scope.clone());
        }
        self.training = false;
        // What a layer is while it is trained it need not be when it is evaluated: the same text once more, over the same
        // parameters.
        let again = self.reads_training.then(|| {
            (self.made, self.entered) = (Default::default(), 0);
            self.forget_passes();
            self.statements(block, scope)
        });
        let shown = again.as_ref().unwrap_or(&trained);
        // States may move on and reports be computed without anything that is minimized.
        let does = |kind: &StatementKind| match kind {
            StatementKind::Minimize(_) | StatementKind::Report(..) | StatementKind::Predict(..) => true,
            StatementKind::Assign(target, ..) => primed(target).is_some(),
            StatementKind::Let(..)
            | StatementKind::Param(..)
            | StatementKind::State(..)
            | StatementKind::Out(_)
            | StatementKind::Emit(..)
            | StatementKind::Check(..)
            | StatementKind::Calibrate(..) => false,
        };
        if !block.body.iter().any(|statement| does(&statement.kind)) {
            let error = Diagnostic::error("E0216", "nothing is minimized", block.word, "in this `train` block");
            self.report(error.help("add `minimize mse(model(x), y) using sgd(lr = 0.1)`"));
        }
        let evaluated: Vec<TermId> = shown.minimized.iter().map(|term| term.loss).collect();
        self.clip_is_positive(block, clip);
        let minimized = self.minimized(block, &trained, &evaluated, clip);
        // Those of an optimizer are there once for each parameter.
        let mut of_optimizers = std::mem::take(&mut self.demands);
        of_optimizers.dedup_by_key(|demand| demand.span);
        let figures = self.figures(block, shown);
        let predicted = self.predicts_one_set(&shown.predictions);
        let (minimized, run, (), ()) = (minimized.ok()?, run.ok()?, figures.ok()?, predicted.ok()?);
        let blocks = self.blocks(&run).ok()?;
        if self.found[before..].iter().any(|found| found.severity == crate::diagnostic::Severity::Error) {
            return None;
        }
        let shown = again.unwrap_or_else(|| Statements { once: Vec::new(), ..trained.clone() });
        let Statements { once, nexts, mut demands, .. } = trained;
        demands.extend(of_optimizers);
        let Statements { reports, predictions, calibrated, demands: evaluated_demands, .. } = shown;
        let told = reports.iter().chain(&predictions).map(|report| report.value);
        let told = told.chain(calibrated.iter().map(|own| own.value));
        let told = told.chain(demands.iter().chain(&evaluated_demands).flat_map(Demand::terms));
        let losses = minimized.iter().flat_map(|minimized| [minimized.loss, minimized.evaluated]);
        let roots: Vec<TermId> = losses.chain(told).chain(once.iter().copied()).collect();
        let states = minimized.iter().flat_map(|minimized| &minimized.kept);
        let moving: Vec<(ParamId, TermId)> = nexts.iter().chain(states).copied().collect();
        Some(TypedProgram {
            name: block.name.as_ref().map_or("train", |name| &name.text).to_string(),
            used: self.all_used(roots, &moving, &calibrated),
            terms: std::mem::take(&mut self.terms),
            data: self.data.take()?,
            params: std::mem::take(&mut self.params),
            minimized,
            blocks,
            roots: std::mem::take(&mut self.roots),
            begun: std::mem::take(&mut self.begun),
            once,
            nexts,
            reports,
            predictions,
            calibrated,
            demands: [demands, evaluated_demands],
            run,
            settings: std::mem::take(&mut self.settings),
            named: std::mem::take(&mut self.named_classes),
            applied: std::mem::take(&mut self.applied),
        })
    }

    /// The parameters that exist: what is computed reads them, or what a state starts from or becomes.
    fn all_used(&self, mut roots: Vec<TermId>, nexts: &[(ParamId, TermId)], late: &[Calibrated]) -> Vec<ParamId> {
        roots.extend(nexts.iter().map(|(_, next)| *next));
        let mut used = TypedProgram::used(&self.terms, &roots);
        used.extend(nexts.iter().map(|(state, _)| *state));
        used.extend(late.iter().map(|own| own.param));
        loop {
            let start = |id: &ParamId| match self.params[id.0 as usize].start {
                Start::Value(term) => Some(term),
                Start::Drawn(..) => None,
            };
            let starts: Vec<TermId> = used.iter().filter_map(start).collect();
            let more: HashSet<_> = TypedProgram::used(&self.terms, &starts).into_iter().chain(used.clone()).collect();
            if more.len() == used.len() {
                break;
            }
            used = more.into_iter().collect();
        }
        used.sort();
        used.dedup();
        used
    }

    /// What the statements of a block say, with `training` as it is now.
    fn statements(&mut self, block: &Block, mut scope: Scope) -> Statements {
        let mut minimized: Vec<Term> = Vec::new();
        let (mut reports, mut predictions, mut pending) = (Vec::new(), Vec::new(), Vec::new());
        let mut calibrated = Vec::new();
        let mut named: HashMap<String, Span> = HashMap::new();
        (self.once, self.demands) = (Vec::new(), Vec::new());
        for statement in &block.body {
            match &statement.kind {
                StatementKind::Let(target, ty, init) => {
                    self.local(target, ty.as_ref(), init, statement.span, &mut scope);
                }
                StatementKind::Minimize(minimize) => {
                    if let Some(name) = &minimize.name {
                        self.named_once(&name.text, name.span, "what is minimized", &mut named);
                    }
                    if let Ok(term) = self.minimize(minimize, &mut scope)
                        && self.is_known_while_training(term.loss, minimize.loss.span, "this loss").is_ok()
                    {
                        minimized.push(term);
                    }
                }
                StatementKind::Report(name, expr) => {
                    // What is shown moves no state.
                    let kept_now = self.kept_now.clone();
                    let report = self.reported(name.as_ref(), expr, &mut scope);
                    self.kept_now = kept_now;
                    if let Ok(report) = report {
                        self.named_once(&report.name, expr.span, "this report", &mut named);
                        reports.push(report);
                    }
                }
                StatementKind::Assign(target, _, init) => {
                    if let Some(name) = primed(target)
                        && self.next_of_block(name, target, init, &mut scope, &mut pending).is_err()
                    {
                        scope.bind(name, Value::Wrong);
                    }
                }
                StatementKind::Param(target, ty, init) => {
                    self.param(target, ty.as_ref(), init, statement.span, &mut scope);
                }
                StatementKind::State(target, ty, init) => {
                    self.block_state(target, ty.as_ref(), init, statement.span, &mut scope);
                }
                StatementKind::Predict(name, expr) => {
                    if let Ok(value) = self.predicted(name, expr, &mut scope) {
                        predictions.push(Report { name: name.text.clone(), value, classes: None, late: false });
                    }
                }
                StatementKind::Check(name, condition) => drop(self.holds(name, condition, &mut scope)),
                StatementKind::Calibrate(name, expr, split) => {
                    calibrated.extend(self.calibrate(name, expr, split, &mut scope));
                }
                StatementKind::Out(_) | StatementKind::Emit(..) => {
                    let message = "this does not belong in a `train` block";
                    self.error("E0216", message, statement.span, "here");
                }
            }
        }
        let mut nexts = self.nexts(pending).unwrap_or_default();
        nexts.retain(|(_, next)| {
            let at = self.terms.get(*next).span;
            self.is_known_while_training(*next, at, "this next value").is_ok()
        });
        let (once, demands) = (std::mem::take(&mut self.once), std::mem::take(&mut self.demands));
        for term in &once {
            let _ = self.is_known_while_training(*term, self.terms.get(*term).span, "`once`");
        }
        Statements { minimized, reports, predictions, once, nexts, calibrated, demands, scope }
    }

    /// The names of the block: columns, the model, the numbers of the host.
    pub(super) fn train_scope(&mut self, block: &Block) -> Scope {
        let mut scope = Scope::default();
        scope.namespace = Namespace::Train;
        self.name_uses(block.word, &[], &block.body);
        (self.data, self.blind) = (None, false);
        (self.tables, self.wholes) = (Vec::new(), Vec::new());
        let find = |name: &str| block.body.iter().find_map(|statement| setting(statement, name));
        match find("data") {
            Some(expr) => match self.named_data(expr) {
                Ok(()) => self.bind_sets(block.word, &mut scope),
                Err(Reported) => (self.data, self.blind) = (None, true),
            },
            None if is_misspelled(block, "data") => (self.data, self.blind) = (None, true),
            None => self.without_data(block),
        }
        for (name, host) in hosts(None) {
            let leaf = self.leaf(Leaf::Host(host), Type::scalar(Elem::Int), block.word);
            let bound = self.bound(Value::Tensor(leaf), block.word);
            scope.insert(name, bound);
        }
        // Without a model there is nothing of that name.
        if let Some(expr) = find("model") {
            let model = self.model(expr, &mut scope).unwrap_or(Value::Wrong);
            let bound = self.bound(model, expr.span);
            scope.insert("model", bound);
        } else if is_misspelled(block, "model") {
            scope.insert("model", self.bound(Value::Wrong, block.word));
        }
        scope
    }

    /// What a block without data sees: one row in which nothing stands.
    fn without_data(&mut self, block: &Block) {
        let source = Source::new(From::Rows { count: 1, seed: 0 }, block.word);
        match self.schemas.rows(self.sources, &source, None) {
            Ok(rows) => {
                let (name, split, window, unknown) = (String::new(), None, None, Vec::new());
                let symbol = Symbol::new(ROWS);
                let set = Set { name, source, split, rows, window, unknown, symbol, lends: false };
                self.data = Some(Data { sets: vec![set], ..Data::default() });
            }
            Err(wrong) => drop(self.report(wrong)),
        }
    }

    /// The instance without a prefix that `model` names.
    fn model(&mut self, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        let (expr, begins) = self.begins(expr)?;
        self.begun.extend(begins.map(|from| (String::new(), from)));
        let value = self.value(expr, scope)?;
        match self.unapplied(value, expr.span)? {
            Value::Recipe(recipe) => Ok(Value::Instance(recipe, String::new())),
            Value::List(parts) if self.is_of_layers(&parts) => self.bound_at(parts, "layers", expr.span),
            _ => {
                let error = Diagnostic::error("E0211", "`model` names a model", expr.span, "this is none");
                Err(self.report(match &expr.kind {
                    ExprKind::Call(..) => {
                        error.help("it is named without its inputs, which it is given where it is used: `model(x)`")
                    }
                    _ => error,
                }))
            }
        }
    }

    fn reported(&mut self, name: Option<&Name>, expr: &Expr, scope: &mut Scope) -> Out<Report> {
        let value = self.figure(expr, scope)?;
        let name = match (name, called(expr)) {
            (Some(name), _) => name.text.clone(),
            (None, Some(name)) => name.to_string(),
            (None, None) => {
                let error =
                    Diagnostic::error("E0216", "this report has no name", expr.span, "expected a name for this");
                return Err(self.report(error.help("write `report name = …`")));
            }
        };
        let late = self.reads_calibrated(value).is_some();
        Ok(Report { name, value, classes: self.classes_of_axes(value), late })
    }

    /// A number, or numbers along axes that have nothing to do with rows: of each class, of each output.
    fn figure(&mut self, expr: &Expr, scope: &mut Scope) -> Out<TermId> {
        let value = self.value(expr, scope)?;
        let term = self.numbers(value, expr.span)?;
        let ty = self.ty(term).clone();
        let Some(axis) = ty.axes.iter().find(|axis| axis.size.settled().is_none()) else { return Ok(term) };
        let message = format!("a report is one number, or some for the whole split, and this is {ty}");
        let error =
            Diagnostic::error("E0210", message, expr.span, format!("{} differs from split to split", axis.size));
        Err(self.report(error.help("reduce it with `mean(…)` or `sum(…)`; `predict` writes a value for each row")))
    }

    /// The column of classes that a report reads, if there is one with as many as each axis has elements.
    fn classes_of_axes(&self, report: TermId) -> Option<String> {
        let data = self.data.as_ref()?;
        let size = &self.ty(report).axes.first()?.size;
        if self.ty(report).axes.iter().any(|axis| axis.size != *size) {
            return None;
        }
        let as_many = |ty: &Type| matches!(&ty.elem, Elem::Class(own) if own.size == *size);
        let columns = self.terms.leaves(&[report]).into_iter().filter_map(|leaf| match leaf {
            Leaf::Column(at) => Some(data.columns[at].value).filter(|value| as_many(self.ty(*value))),
            _ => None,
        });
        let raws = self.terms.leaves(&columns.collect::<Vec<_>>()).into_iter().filter_map(|leaf| match leaf {
            Leaf::Raw(at) => Some(&data.raw[at]).filter(|raw| raw.kind == RawKind::Classes && as_many(&raw.ty)),
            _ => None,
        });
        let names: HashSet<&str> = raws.map(|raw| raw.key.as_str()).collect();
        if let [name] = &names.into_iter().collect::<Vec<_>>()[..] { Some((*name).to_string()) } else { None }
    }

    /// Figures are found by their names, in events and records; `loss` is there already.
    fn named_once(&mut self, name: &str, at: Span, what: &str, named: &mut HashMap<String, Span>) {
        let first = named.insert(name.to_string(), at);
        if first.is_none() && name != "loss" {
            return;
        }
        let message = match (name, what) {
            ("loss", "this report") => "`loss` is the name of what is minimized".to_string(),
            ("loss", _) => "`loss` is the sum of what is minimized".to_string(),
            (name, "this report") => format!("two reports are called `{name}`"),
            (name, _) => format!("two figures are called `{name}`"),
        };
        let error = Diagnostic::error("E0202", message, at, what.to_string());
        let error = match first {
            Some(first) => error.label(first, "and this one"),
            None => error,
        };
        let word = if what == "this report" { "report" } else { "minimize" };
        self.report(error.help(format!("give it another name: `{word} name = …`")));
    }

    /// A value for each row: `[n]`, or `[n, k]`, which becomes several columns.
    fn predicted(&mut self, name: &Name, expr: &Expr, scope: &mut Scope) -> Out<TermId> {
        let value = self.value(expr, scope)?;
        let term = self.tensor(value, expr.span)?;
        let ty = self.ty(term).clone();
        let rows = ty.axes.first().is_some_and(|axis| axis.size.is_rows());
        let settled = ty.axes.iter().skip(1).all(|axis| axis.size.settled().is_some());
        if rows && settled && ty.free.is_empty() {
            return Ok(term);
        }
        let message = format!("`predict` writes a value for each row, [n, …], and `{}` is {ty}", name.text);
        Err(self.error("E0219", message, expr.span, "this value"))
    }

    pub(super) fn scalar(&mut self, expr: &Expr, what: &str, scope: &mut Scope) -> Out<TermId> {
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

/// The name of `name' = …`.
fn primed(target: &Target) -> Option<&Name> {
    match target {
        Target::One(name) | Target::Indexed(name, _) => name.text.ends_with('\'').then_some(name),
        Target::Several(_) => None,
    }
}
