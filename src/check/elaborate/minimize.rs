//! What a `train` block minimizes: each loss with its optimizers, over which parameters, how often in a step.

use super::optimizer::{Rule, listed};
use super::run_settings::setting_of;
use super::train::Statements;
use super::{Elaborator, Out};
use crate::check::paths::{matches, near};
use crate::check::program::{Minimized, TypedProgram};
use crate::check::terms::{Kind, Leaf, ParamId, TermId};
use crate::check::value::{Scope, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, ExprKind, Minimize, Name, Text};
use std::collections::{HashMap, HashSet};

/// How often a loss may be minimized in a step, and how many losses there may be: draws are counted by both.
pub const MOST_TIMES: i64 = 1 << 20;
const MOST_MINIMIZED: usize = 1 << 11;

/// One `minimize` as it is read.
#[derive(Clone)]
pub(super) struct Term {
    pub name: Option<String>,
    pub loss: TermId,
    span: Span,
    rule: Out<Rule>,
    /// Other optimizers, and the paths that they take.
    except: Vec<(Out<Rule>, Vec<Text>)>,
    over: Vec<Name>,
    times: Out<u64>,
    /// What its loss makes of the states of layers.
    kept: Vec<(ParamId, TermId)>,
}

impl Elaborator<'_> {
    pub(super) fn minimize(&mut self, minimize: &Minimize, scope: &mut Scope) -> Out<Term> {
        let rule = self.using(&minimize.using, None, scope);
        let mut except = Vec::new();
        for (other, paths) in &minimize.except {
            except.push((self.using(other, rule.as_ref().ok(), scope), paths.clone()));
        }
        let times = match &minimize.times {
            None => Ok(1),
            Some(times) => self.times(times, scope),
        };
        // States advance with each loss, from where the `let`s before it have brought them.
        let before = self.kept_now.clone();
        let loss = self.scalar(&minimize.loss, "a loss", scope);
        let kept = self.states_after();
        self.kept_now = before;
        let loss = loss?;
        let name = minimize.name.as_ref().map(|name| name.text.clone());
        Ok(Term { name, loss, span: minimize.loss.span, rule, except, over: minimize.over.clone(), times, kept })
    }

    fn times(&mut self, times: &Expr, scope: &mut Scope) -> Out<u64> {
        let value = self.value(times, scope)?;
        let whole = self.whole(&value, "`times`", times.span)?;
        if (1..MOST_TIMES).contains(&whole) {
            return Ok(whole.unsigned_abs());
        }
        let message = format!("expected between 1 and {} for `times`, found {whole}", MOST_TIMES - 1);
        Err(self.error("E0213", message, times.span, "here"))
    }

    /// Every `minimize` of a block, with what it moves and how.
    pub(super) fn minimized(
        &mut self,
        block: &Block,
        trained: &Statements,
        evaluated: &[TermId],
        clip: Out<Option<TermId>>,
    ) -> Out<Vec<Minimized>> {
        if let Some(one) = trained.minimized.get(MOST_MINIMIZED) {
            let message = format!("a step minimizes at most {MOST_MINIMIZED} losses");
            return Err(self.error("E0215", message, one.span, "one too many"));
        }
        let frozen = self.frozen(block, &mut trained.scope.clone())?;
        let (mut all, mut wrong) = (Vec::new(), clip.err());
        let mut states = HashMap::new();
        for (term, evaluated) in trained.minimized.iter().zip(evaluated) {
            match self.one_minimized(term, *evaluated, trained, &frozen, &mut states) {
                Ok(minimized) => all.push(Minimized { clip: clip.unwrap_or(None), ..minimized }),
                Err(reported) => wrong = Some(reported),
            }
        }
        wrong.map_or(Ok(all), Err)
    }

    fn one_minimized(
        &mut self,
        term: &Term,
        evaluated: TermId,
        trained: &Statements,
        frozen: &HashSet<ParamId>,
        states: &mut HashMap<ParamId, usize>,
    ) -> Out<Minimized> {
        let moved = self.moved(term, trained, frozen)?;
        let (rule, times) = (term.rule.clone()?, term.times?);
        self.rows_of_once(term, times, trained)?;
        let mut left = moved.clone();
        let (mut updates, mut pulls) = (Vec::new(), Vec::new());
        for (other, paths) in &term.except {
            let mut taken = Vec::new();
            for path in paths {
                let own = |id: &ParamId| matches(&path.value, &self.params[id.0 as usize].path);
                if !moved.iter().any(own) {
                    return Err(self.matches_nothing(path, &moved, "`except` takes no parameter"));
                }
                let (mine, others) = left.into_iter().partition::<Vec<_>, _>(own);
                taken.extend(mine);
                left = others;
            }
            taken.sort();
            if !taken.is_empty() {
                let other = other.clone()?;
                pulls.extend(self.pull(&other, &taken));
                updates.extend(self.updates(&other, &taken, states)?);
            }
        }
        if !left.is_empty() {
            pulls.extend(self.pull(&rule, &left));
            updates.extend(self.updates(&rule, &left, states)?);
        }
        updates.sort_by_key(|update| update.param);
        let lr = self.rate(&rule)?;
        let (name, loss, span, kept) = (term.name.clone(), term.loss, term.span, term.kept.clone());
        Ok(Minimized { name, loss, evaluated, span, updates, pulls, kept, lr, clip: None, times })
    }

    /// The parameters that a `minimize` moves.
    fn moved(&mut self, term: &Term, trained: &Statements, frozen: &HashSet<ParamId>) -> Out<Vec<ParamId>> {
        let read = TypedProgram::used(&self.terms, &[term.loss]);
        let mut over = Vec::new();
        for name in &term.over {
            over.push((self.over(name, trained)?, name));
        }
        for (root, name) in &over {
            if !read.iter().any(|id| self.owner(*id) == root) {
                let message = format!("this loss reads no parameter of `{}`", name.text);
                let error = Diagnostic::error("E0241", message, name.span, "so nothing of this would move");
                return Err(self.report(error.label(term.span, "the loss")));
            }
        }
        let wanted = |id: &&ParamId| match &over[..] {
            [] => self.owner(**id).is_empty() || !self.begun.contains_key(self.owner(**id)),
            some => some.iter().any(|(root, _)| root == self.owner(**id)),
        };
        let live = |id: &&ParamId| !self.params[id.0 as usize].state && !frozen.contains(id);
        let moved: Vec<ParamId> = read.iter().filter(wanted).filter(live).copied().collect();
        if !moved.is_empty() {
            return Ok(moved);
        }
        let told = match read.first() {
            None => "this loss reads no parameter",
            Some(_) if read.iter().all(|id| self.params[id.0 as usize].state) => "all that this loss reads is a state",
            Some(_) => "all that this loss could move is frozen, or begins from other weights",
        };
        let error = Diagnostic::error("E0222", "there is nothing to train", term.span, told);
        let help = if read.is_empty() { "does it use `model(x)`?" } else { "name what shall move: `over model`" };
        Err(self.report(error.help(help)))
    }

    /// The name before the paths of what `over` names: a model of the block or a `param`.
    fn over(&mut self, name: &Name, trained: &Statements) -> Out<String> {
        let told = match trained.scope.get(&name.text).map(|bound| &bound.value) {
            Some(Value::Wrong) => return Err(super::Reported),
            Some(Value::Instance(_, path)) if !self.copies.contains_key(path) && self.is_root(path) => {
                return Ok(path.clone());
            }
            Some(Value::Tensor(_)) if self.is_root(&name.text) && !self.is_state(&name.text) => {
                return Ok(name.text.clone());
            }
            Some(Value::Instance(..)) => "this is a state, or made of others",
            Some(other) => other.noun(),
            None => "not found",
        };
        let message = format!("`over` names a model or a `param` of this block, and `{}` is none", name.text);
        let error = Diagnostic::error("E0241", message, name.span, told);
        let known = self.roots.iter().filter(|root| !self.copies.contains_key(*root) && !self.is_state(root));
        let known: Vec<&str> = known.map(String::as_str).chain(["model"]).collect();
        let help = match nearest(&name.text, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        Err(self.report(error.help(help)))
    }

    fn is_state(&self, path: &str) -> bool {
        self.param_of.get(path).is_some_and(|id| self.params[id.0 as usize].state)
    }

    fn is_root(&self, path: &str) -> bool {
        path.is_empty() || self.roots.iter().any(|root| root == path)
    }

    /// The model or `param` of the block that a parameter is of: its name, which `model` has not.
    pub(super) fn owner(&self, id: ParamId) -> &str {
        let first = self.params[id.0 as usize].path.split('.').next().unwrap_or_default();
        if self.is_root(first) { first } else { "" }
    }

    /// A value that is computed once a step has the rows of its beginning; so have the columns that it reads.
    fn rows_of_once(&mut self, term: &Term, times: u64, trained: &Statements) -> Out<()> {
        let leaves = self.terms.leaves(&[term.loss]);
        let rows = |id: &TermId| self.ty(*id).axes.iter().any(|axis| axis.size.settled().is_none());
        let reads = leaves.iter().any(|leaf| matches!(leaf, Leaf::Once(at) if rows(&trained.once[*at])));
        if times == 1 || !reads {
            return Ok(());
        }
        let held = self.terms.leaves(&trained.once);
        let fresh = leaves.iter().find(|leaf| matches!(leaf, Leaf::Column(_)) && !held.contains(leaf));
        let Some(Leaf::Column(at)) = fresh else { return Ok(()) };
        let name = self.data.as_ref().map_or(String::new(), |data| data.columns[*at].name.clone());
        let message = format!("`once` keeps the rows of a step's beginning, and `{name}` has other rows each time");
        let error = Diagnostic::error("E0244", message, term.span, "this loss reads both");
        Err(self.report(error.help(format!("compute with `{name}` in a `once` as well: `let kept = once({name})`"))))
    }

    /// `once(e)`: computed before anything is minimized in a step.
    pub(super) fn once(&mut self, value: Value, span: Span) -> Out<Value> {
        let term = self.tensor(value, span)?;
        let ty = self.ty(term).clone();
        if !ty.free.is_empty() {
            return Err(self.error("E0211", "`once` computes a whole value, outside of indices", span, "here"));
        }
        self.reads_training = true;
        if !self.training {
            return Ok(Value::Tensor(self.term(Kind::Constant(term), ty, span)));
        }
        self.once.push(term);
        Ok(Value::Tensor(self.leaf(Leaf::Once(self.once.len() - 1), ty, span)))
    }

    /// The models that `freeze` names whole: they run as in evaluations.
    pub(super) fn freezes_whole(&mut self, block: &Block) {
        self.frozen_models.clear();
        let named = |expr: &Expr| match &expr.kind {
            ExprKind::Name(name) if name.text == "model" => Some(String::new()),
            ExprKind::Name(name) => Some(name.text.clone()),
            _ => None,
        };
        for expr in setting_of(block, "freeze").iter().flat_map(|list| parts(list)) {
            self.frozen_models.extend(named(expr));
        }
    }

    /// The parameters that `freeze` names: of a model, of a part of one, or by a pattern of paths.
    fn frozen(&mut self, block: &Block, scope: &mut Scope) -> Out<HashSet<ParamId>> {
        let mut all = HashSet::new();
        let Some(list) = setting_of(block, "freeze") else { return Ok(all) };
        let ids: Vec<ParamId> = (0..self.params.len() as u32).map(ParamId).collect();
        for expr in parts(list) {
            let found: Vec<ParamId> = match &expr.kind {
                ExprKind::Text(pattern) => {
                    let text = Text { value: pattern.clone(), span: expr.span };
                    let own = |id: &&ParamId| matches(pattern, &self.params[id.0 as usize].path);
                    let found: Vec<ParamId> = ids.iter().filter(own).copied().collect();
                    if found.is_empty() {
                        return Err(self.matches_nothing(&text, &ids, "`freeze` keeps no parameter"));
                    }
                    found
                }
                _ => self.frozen_part(expr, &ids, scope)?,
            };
            all.extend(found);
        }
        Ok(all)
    }

    fn frozen_part(&mut self, expr: &Expr, ids: &[ParamId], scope: &mut Scope) -> Out<Vec<ParamId>> {
        let (mut base, mut segments) = (expr, Vec::new());
        while let ExprKind::Field(inner, name) = &base.kind {
            segments.insert(0, name.text.clone());
            base = inner;
        }
        let root = match self.value(base, scope)? {
            Value::Instance(_, path) if self.is_root(&path) => path,
            Value::Tensor(_) if matches!(&base.kind, ExprKind::Name(name) if self.is_root(&name.text)) => {
                self.sources.text(base.span).to_string()
            }
            other => {
                let message = format!("`freeze` names models or parts of them, and this is {}", other.noun());
                let error = Diagnostic::error("E0242", message, base.span, "here");
                return Err(
                    self.report(error.help("write `freeze = [model.tokens]`, or a pattern: `freeze = [\"**.b\"]`"))
                );
            }
        };
        let part = segments.join(".");
        let within = |id: &ParamId| {
            let path = &self.params[id.0 as usize].path;
            let own = match root.as_str() {
                "" => path.as_str(),
                root => path.strip_prefix(root).map_or("", |rest| rest.trim_start_matches('.')),
            };
            self.owner(*id) == root && (part.is_empty() || own == part || own.starts_with(&format!("{part}.")))
        };
        let found: Vec<ParamId> = ids.iter().filter(|id| within(id)).copied().collect();
        if found.is_empty() {
            let whole = if root.is_empty() { part } else { format!("{root}.{part}") };
            let text = Text { value: whole, span: expr.span };
            return Err(self.matches_nothing(&text, ids, "`freeze` keeps no parameter"));
        }
        Ok(found)
    }

    /// A path or a pattern that no parameter has.
    pub(super) fn matches_nothing(&mut self, pattern: &Text, among: &[ParamId], so: &str) -> super::Reported {
        let paths: Vec<String> = among.iter().map(|id| self.params[id.0 as usize].path.clone()).collect();
        let near: Vec<String> = near(&pattern.value, &paths).into_iter().map(|path| format!("`{path}`")).collect();
        let message = format!("no parameter has a path like `{}`", pattern.value);
        let error = Diagnostic::error("E0242", message, pattern.span, so);
        self.report(match &near[..] {
            [] => error.help("a loss that reads the parameters makes them known"),
            near => error.help(format!("the nearest: {}", listed(near))),
        })
    }
}

/// The parts of a list, or what is none.
fn parts(list: &Expr) -> Vec<&Expr> {
    match &list.kind {
        ExprKind::List(all) => all.iter().collect(),
        _ => vec![list],
    }
}
