//! Optimizers: the recurrence of a parameter, for all that one moves statement by statement, so that `total` may sum over them.

use super::call::Arg;
use super::holds::is_advice;
use super::{Elaborator, Out, Reported};
use crate::check::again::Pattern;
use crate::check::program::{self, Pull, Update};
use crate::check::terms::{Host, Kind, Leaf, ParamId, TermId, Terms};
use crate::check::types::{Elem, Type};
use crate::check::value::{Bound, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Reduce, ScalarOp};
use crate::source::Span;
use crate::syntax::tree::{
    self, Expr, ExprKind, Init, Item, ItemKind, Name, Optimizer, Statement, StatementKind, Target, TypeKind,
};
use crate::syntax::walk;
use std::collections::HashMap;
use std::rc::Rc;

/// An optimizer with its settings.
#[derive(Clone)]
pub(super) struct Rule {
    item: Rc<Item>,
    settings: Vec<(String, Bound)>,
    /// Those that are written, and not by default.
    written: Vec<String>,
    pub span: Span,
}

/// The recurrence of one parameter, as far as it has come.
struct Course {
    param: ParamId,
    ty: Type,
    scope: Scope,
    states: Vec<program::State>,
    next: Option<TermId>,
}

impl Course {
    /// The same recurrence for another parameter.
    fn again(&self, pattern: &Pattern, terms: &mut Terms, param: ParamId, ty: Type) -> Course {
        let leaf = |leaf: &Leaf| of_param(leaf, self.param, param).unwrap_or_else(|| leaf.clone());
        let place = pattern.copy(terms, leaf);
        let state = |state: &program::State| program::State {
            start: place(state.start),
            next: place(state.next),
            ..state.clone()
        };
        let states = self.states.iter().map(state).collect();
        Course { param, ty, scope: Scope::default(), states, next: self.next.map(place) }
    }
}

/// What an optimizer reads of one parameter, for another one.
fn of_param(leaf: &Leaf, one: ParamId, other: ParamId) -> Option<Leaf> {
    match leaf {
        Leaf::Param(param) if *param == one => Some(Leaf::Param(other)),
        Leaf::Gradient(param) if *param == one => Some(Leaf::Gradient(other)),
        Leaf::State(param, number) if *param == one => Some(Leaf::State(other, *number)),
        _ => None,
    }
}

/// The scopes of all parameters that an optimizer moves, before the statement that is being read; and the totals that were taken.
#[derive(Default)]
pub(super) struct Totals {
    scopes: Vec<Scope>,
    taken: HashMap<Span, TermId>,
}

impl Elaborator<'_> {
    /// What stands behind `using`, or behind `except`: that takes over the settings of `base` which it does not give.
    pub(super) fn using(&mut self, expr: &Expr, base: Option<&Rule>, scope: &mut Scope) -> Out<Rule> {
        let (callee, arguments) = match &expr.kind {
            ExprKind::Call(callee, arguments) => (&**callee, self.arguments(arguments, scope)?),
            _ => (expr, Vec::new()),
        };
        let value = self.value(callee, scope)?;
        let item = match &value {
            Value::Item(item) => item,
            other => return Err(self.no_optimizer(other.noun(), expr.span)),
        };
        let ItemKind::Optimizer(optimizer) = &item.kind else {
            return Err(self.no_optimizer(value.noun(), expr.span));
        };
        let unnamed = arguments.iter().filter(|arg| arg.name.is_none()).count();
        let by_place = optimizer.hyper.iter().take(unnamed).map(|param| param.name.text.clone());
        let by_name = arguments.iter().filter_map(|arg| arg.name.as_ref()).map(|name| name.text.clone());
        let mut written: Vec<String> = by_place.chain(by_name).collect();
        let mut arguments = arguments;
        for (name, bound) in base.iter().flat_map(|base| &base.settings) {
            let own = optimizer.hyper.iter().any(|param| param.name.text == *name);
            if own && !written.contains(name) && base.is_some_and(|base| base.written.contains(name)) {
                let (value, origin) = (bound.value.clone(), bound.origin.clone());
                let named = Some(Name { text: name.clone(), span: expr.span });
                arguments.push(Arg { name: named, value, span: expr.span, origin });
                written.push(name.clone());
            }
        }
        let settings = self.settings(&optimizer.name, &optimizer.hyper, arguments, expr.span)?;
        self.inside(expr.span, &optimizer.name.text, |this| this.settings_hold(optimizer, &settings))?;
        Ok(Rule { item: Rc::clone(item), settings, written, span: expr.span })
    }

    /// The checks at the head of the body speak of settings, which are known before there is a parameter.
    fn settings_hold(&mut self, optimizer: &Optimizer, settings: &[(String, Bound)]) -> Out<()> {
        let mut scope = Scope::default();
        settings.iter().for_each(|(name, bound)| scope.insert(name, bound.clone()));
        let mut all = Ok(());
        for statement in &optimizer.body {
            let StatementKind::Check(name, condition) = &statement.kind else { break };
            // What is impossible is not also called unusual.
            if all.is_ok() || !is_advice(name) {
                all = all.and(self.holds(name, condition, &mut scope));
            }
        }
        all
    }

    fn no_optimizer(&mut self, noun: &str, span: Span) -> Reported {
        let error =
            Diagnostic::error("E0211", format!("expected an optimizer after `using`, found {noun}"), span, "here");
        self.report(error.help("write `using sgd(lr = 0.1)` or `using adam`"))
    }

    /// The rule for some parameters, which have so many states of optimizers already.
    pub(super) fn updates(
        &mut self,
        rule: &Rule,
        params: &[ParamId],
        states: &mut HashMap<ParamId, usize>,
    ) -> Out<Vec<Update>> {
        let ItemKind::Optimizer(optimizer) = &rule.item.kind else { return Err(Reported) };
        self.ranks_fit(optimizer, params, rule.span)?;
        self.inside(rule.span, &optimizer.name.text, |this| this.recurrence(optimizer, &rule.settings, params, states))
    }

    /// The learning rate, if the optimizer has a setting `lr`.
    pub(super) fn rate(&mut self, rule: &Rule) -> Out<Option<TermId>> {
        let lr = rule.settings.iter().find(|(name, _)| name == "lr");
        lr.map(|(_, bound)| self.numbers(bound.value.clone(), bound.origin.span)).transpose()
    }

    /// The decay of weights that is written for an optimizer of the library. Elsewhere `decay` may be anything.
    pub(super) fn pull(&self, rule: &Rule, params: &[ParamId]) -> Option<Pull> {
        let ItemKind::Optimizer(optimizer) = &rule.item.kind else { return None };
        let optimizer = &optimizer.name;
        let of_weights = ["sgd", "adamw", "lamb", "lion"].contains(&optimizer.text.as_str());
        let is_written = rule.written.iter().any(|name| name == "decay");
        if !of_weights || !is_written || !self.library.is_stdlib(optimizer.span.source) {
            return None;
        }
        let (_, bound) = rule.settings.iter().find(|(name, _)| name == "decay")?;
        let Value::Number(decay) = &bound.value else { return None };
        Some(Pull {
            optimizer: optimizer.text.clone(),
            decay: decay.to_f64(),
            span: rule.span,
            params: params.to_vec(),
        })
    }

    /// A rule of one rank takes parameters of that rank.
    fn ranks_fit(&mut self, optimizer: &Optimizer, params: &[ParamId], span: Span) -> Out<()> {
        let Some(tree::Param { name, ty: Some(tree::Type { kind: TypeKind::Tensor(_, axes), .. }), .. }) =
            &optimizer.input
        else {
            return Ok(());
        };
        if axes.iter().any(|axis| matches!(axis, tree::Axis::Rest(..))) {
            return Ok(());
        }
        let others = params.iter().map(|id| &self.params[id.0 as usize]);
        let others: Vec<String> = others
            .filter(|param| param.ty.axes.len() != axes.len())
            .map(|param| format!("`{}` {}", param.path, param.ty))
            .collect();
        let Some(first) = others.first().cloned() else { return Ok(()) };
        let owner = &optimizer.name.text;
        let count = axes.len();
        let message = format!("`{owner}` moves parameters of {}, and {first} is none", ranked(count));
        let error = Diagnostic::error("E0243", message, span, format!("of others here are {}", listed(&others)))
            .label(name.span, "it takes this");
        let help = "give the others another optimizer: `except adamw(lr = 1e-3) for \"**.b\"`";
        Err(self.report(error.help(help)))
    }

    /// What an optimizer does with some parameters.
    pub(super) fn recurrence(
        &mut self,
        optimizer: &Optimizer,
        settings: &[(String, Bound)],
        params: &[ParamId],
        states: &mut HashMap<ParamId, usize>,
    ) -> Out<Vec<Update>> {
        self.reached.insert(optimizer.name.span);
        let courses = if optimizer.body.iter().any(reads_total) {
            self.side_by_side(optimizer, settings, params, states)?
        } else {
            self.one_by_one(optimizer, settings, params, states)?
        };
        let mut updates = Vec::new();
        for course in courses {
            *states.entry(course.param).or_default() += course.states.len();
            let Some(next) = course.next else {
                let at = optimizer.name.span;
                let error = Diagnostic::error("E0216", "this optimizer has no result", at, "`p'` has no value");
                return Err(self.report(error.help("add `p' = …`")));
            };
            updates.push(Update { param: course.param, next, states: course.states });
        }
        Ok(updates)
    }

    /// The recurrences of parameters, all of them statement by statement, for a total reads all of them.
    fn side_by_side(
        &mut self,
        optimizer: &Optimizer,
        settings: &[(String, Bound)],
        params: &[ParamId],
        before: &HashMap<ParamId, usize>,
    ) -> Out<Vec<Course>> {
        let mut courses = Vec::new();
        for param in params {
            courses.push(self.course(optimizer, settings, *param)?);
        }
        for statement in &optimizer.body {
            let totals = reads_total(statement).then(|| Totals {
                scopes: courses.iter().map(|course| course.scope.clone()).collect(),
                taken: HashMap::new(),
            });
            let around = std::mem::replace(&mut self.totals, totals);
            let done: Out<()> =
                courses.iter_mut().try_for_each(|course| self.advance(optimizer, statement, course, before));
            self.totals = around;
            done?;
        }
        Ok(courses)
    }

    /// The recurrences of parameters, each whole. The text is read once for all parameters of a type, for a net may have very many.
    fn one_by_one(
        &mut self,
        optimizer: &Optimizer,
        settings: &[(String, Bound)],
        params: &[ParamId],
        before: &HashMap<ParamId, usize>,
    ) -> Out<Vec<Course>> {
        let number = |param: ParamId| before.get(&param).copied().unwrap_or(0);
        let mut courses: Vec<Course> = Vec::new();
        let mut known: Vec<(usize, Pattern)> = Vec::new();
        for param in params.iter().copied() {
            let ty = &self.params[param.0 as usize].ty;
            let like = |of: &Course| number(of.param) == number(param) && of.ty.agrees(ty);
            if let Some((of, pattern)) = known.iter().find(|(at, _)| like(&courses[*at])) {
                courses.push(courses[*of].again(pattern, &mut self.terms, param, ty.clone()));
                continue;
            }
            let first = self.terms.count();
            let mut course = self.course(optimizer, settings, param)?;
            for statement in &optimizer.body {
                self.advance(optimizer, statement, &mut course, before)?;
            }
            let pattern = Pattern::new(&self.terms, first, |leaf| of_param(leaf, param, param).is_some());
            known.extend(pattern.map(|pattern| (courses.len(), pattern)));
            courses.push(course);
        }
        Ok(courses)
    }

    /// The names that an optimizer reads, for one parameter.
    fn course(&mut self, optimizer: &Optimizer, settings: &[(String, Bound)], param: ParamId) -> Out<Course> {
        let ty = self.params[param.0 as usize].ty.clone();
        let at = optimizer.name.span;
        let mut scope = Scope::default();
        let leaves = [("p", Leaf::Param(param), ty.clone()), ("g", Leaf::Gradient(param), ty.clone())];
        let hosts = hosts(Some(Host::Updates)).map(|(name, host)| (name, Leaf::Host(host), Type::scalar(Elem::Int)));
        for (name, leaf, ty) in leaves.into_iter().chain(hosts) {
            let term = self.leaf(leaf, ty, at);
            let bound = self.bound(Value::Tensor(term), at);
            scope.insert(name, bound);
        }
        for (name, bound) in settings {
            if name == "lr" {
                self.numbers(bound.value.clone(), bound.origin.span)?;
            }
            scope.insert(name, bound.clone());
        }
        if let Some(input) = &optimizer.input {
            let term = self.leaf(Leaf::Param(param), ty.clone(), at);
            let bound = self.bound(Value::Tensor(term), at);
            self.enter(input, bound, at, &optimizer.name.text, &mut scope)?;
        }
        Ok(Course { param, ty, scope, states: Vec::new(), next: None })
    }

    /// One statement for one parameter.
    fn advance(
        &mut self,
        optimizer: &Optimizer,
        statement: &Statement,
        course: &mut Course,
        before: &HashMap<ParamId, usize>,
    ) -> Out<()> {
        let Course { param, ty, scope, states, next } = course;
        match &statement.kind {
            StatementKind::State(Target::One(name), written, Init::Value(start)) => {
                let ty = match written {
                    Some(written) => self.written_type(written, "a state", scope)?,
                    None => ty.clone(),
                };
                if !matches!(ty.elem, Elem::Float) {
                    let message = format!("a state of an optimizer holds floats, and `{}` is {ty}", name.text);
                    return Err(self.error("E0216", message, name.span, "here"));
                }
                let value = self.value(start, scope)?;
                let start = self.like(value, start.span, &ty, &name.text)?;
                let number = before.get(param).copied().unwrap_or(0) + states.len();
                let leaf = self.leaf(Leaf::State(*param, number), ty.clone(), name.span);
                states.push(program::State { name: name.text.clone(), number, ty, start, next: leaf });
                scope.bind(name, Value::Tensor(leaf));
            }
            StatementKind::Let(target, written, init) => {
                self.local(target, written.as_ref(), init, statement.span, scope);
            }
            StatementKind::Assign(target @ (Target::One(name) | Target::Indexed(name, _)), None, Init::Value(expr)) => {
                let value = match target {
                    Target::Indexed(_, places) => Value::Tensor(self.spread(name, places, expr, scope)?),
                    _ => self.value(expr, scope)?,
                };
                let now = name.text.strip_suffix('\'').unwrap_or_default();
                let own = optimizer.input.as_ref().map_or("p", |input| &input.name.text);
                let state = states.iter().position(|state| state.name == now);
                let ty = state.map_or(&*ty, |at| &states[at].ty);
                let term = self.like(value, expr.span, ty, now)?;
                match state {
                    Some(at) => states[at].next = term,
                    None if now == own => *next = Some(term),
                    None => {
                        let message = format!("`{}` is the next value of nothing", name.text);
                        let error = Diagnostic::error("E0216", message, name.span, "here");
                        let help = "the next values are `p'` and, of each `state m`, `m'`";
                        return Err(self.report(error.help(help)));
                    }
                }
                scope.bind(name, Value::Tensor(term));
            }
            StatementKind::Check(name, condition) => self.holds(name, condition, scope)?,
            _ => {
                let message = "this does not belong in an optimizer";
                return Err(self.error("E0216", message, statement.span, "here"));
            }
        }
        Ok(())
    }

    /// `total(e)` in an optimizer: the sum of `e` over all elements of all parameters that it moves.
    pub(super) fn total(&mut self, expr: &Expr, span: Span) -> Out<Value> {
        let Some(totals) = &self.totals else { return Err(Reported) };
        if let Some(known) = totals.taken.get(&span) {
            return Ok(Value::Tensor(*known));
        }
        let scopes = totals.scopes.clone();
        let mut sum: Option<TermId> = None;
        for mut scope in scopes {
            let value = self.value(expr, &mut scope)?;
            let term = self.numbers(value, expr.span)?;
            let scalar = Type { axes: Vec::new(), ..self.ty(term).clone() };
            let own = self.term(Kind::Fold(Reduce::Sum, term), scalar.clone(), span);
            sum = Some(match sum {
                Some(before) => self.term(Kind::Scalar(ScalarOp::Add, vec![before, own]), scalar, span),
                None => own,
            });
        }
        let sum = sum.ok_or(Reported)?;
        if let Some(totals) = &mut self.totals {
            totals.taken.insert(span, sum);
        }
        Ok(Value::Tensor(sum))
    }

    /// A value of the shape of a parameter or a state, or a scalar that fills it.
    fn like(&mut self, value: Value, span: Span, ty: &Type, name: &str) -> Out<TermId> {
        let term = self.numbers(value, span)?;
        let found = self.ty(term);
        if found.axes.is_empty() || found.agrees(ty) {
            return Ok(term);
        }
        let message = format!("expected the shape of `{name}`, {ty}, found {found}");
        Err(self.error("E0210", message, span, "here"))
    }
}

/// Whether a statement takes a total.
fn reads_total(statement: &Statement) -> bool {
    let mut reads = false;
    walk::expressions(statement, &mut |expr| {
        reads |= matches!(&expr.kind, ExprKind::Name(name) if name.text == TOTAL);
    });
    reads
}

/// The function that sums over parameters.
pub(super) const TOTAL: &str = "total";

/// `2 axes`
fn ranked(axes: usize) -> String {
    if axes == 1 { "1 axis".to_string() } else { format!("{axes} axes") }
}

/// How many names a list has in a message.
const LISTED: usize = 4;

/// `a, b, c and 5 more`
pub(super) fn listed(all: &[String]) -> String {
    let more = all.len().saturating_sub(LISTED);
    let named = all[..all.len() - more].join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

/// The numbers of the host by name; an optimizer also counts its updates.
pub(super) fn hosts(updates: Option<Host>) -> impl Iterator<Item = (&'static str, Host)> {
    let common = [("step", Host::Step), ("steps", Host::Steps), ("epoch", Host::Epoch), ("epochs", Host::Epochs)];
    common.into_iter().chain(updates.map(|host| ("t", host)))
}
