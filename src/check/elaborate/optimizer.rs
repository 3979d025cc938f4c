//! Optimizers: the recurrence of one parameter, once for each that is trained.

use super::holds::is_advice;
use super::{Elaborator, Out, Reported};
use crate::check::program::{State, Update};
use crate::check::terms::{Host, Leaf, ParamId, TermId};
use crate::check::types::{Elem, Type};
use crate::check::unsupported::Unsupported;
use crate::check::value::{Bound, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Init, Item, ItemKind, Optimizer, StatementKind, Target};
use std::rc::Rc;

/// An optimizer with its settings.
pub(super) struct Rule {
    item: Rc<Item>,
    settings: Vec<(String, Bound)>,
    span: Span,
}

impl Elaborator<'_> {
    /// What stands behind `using`.
    pub(super) fn using(&mut self, expr: &Expr, scope: &mut Scope) -> Out<Rule> {
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
        let settings = self.settings(&optimizer.name, &optimizer.hyper, arguments, expr.span)?;
        self.inside(expr.span, &optimizer.name.text, |this| this.settings_hold(optimizer, &settings))?;
        Ok(Rule { item: Rc::clone(item), settings, span: expr.span })
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

    /// The rule for one parameter.
    pub(super) fn update(&mut self, rule: &Rule, param: ParamId) -> Out<Update> {
        let ItemKind::Optimizer(optimizer) = &rule.item.kind else { return Err(Reported) };
        self.inside(rule.span, &optimizer.name.text, |this| this.recurrence(optimizer, &rule.settings, param))
    }

    pub(super) fn recurrence(
        &mut self,
        optimizer: &Optimizer,
        settings: &[(String, Bound)],
        param: ParamId,
    ) -> Out<Update> {
        self.reached.insert(optimizer.name.span);
        if let Some(input) = &optimizer.input {
            return Err(self.unsupported(Unsupported::OneRank, input.name.span));
        }
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
        let mut lr = None;
        for (name, bound) in settings {
            if name == "lr" {
                let term = self.numbers(bound.value.clone(), bound.origin.span)?;
                lr = Some(term);
            }
            scope.insert(name, bound.clone());
        }
        let mut states: Vec<(String, TermId, Option<TermId>)> = Vec::new();
        let mut next = None;
        for statement in &optimizer.body {
            match &statement.kind {
                StatementKind::State(Target::One(name), None, Init::Value(start)) => {
                    let value = self.value(start, &mut scope)?;
                    let start = self.like(value, start.span, &ty)?;
                    let leaf = self.leaf(Leaf::State(param, states.len()), ty.clone(), name.span);
                    states.push((name.text.clone(), start, None));
                    scope.bind(name, Value::Tensor(leaf));
                }
                StatementKind::Let(target, written, init) => {
                    self.local(target, written.as_ref(), init, statement.span, &mut scope);
                }
                StatementKind::Assign(Target::One(name), None, Init::Value(expr)) => {
                    let value = self.value(expr, &mut scope)?;
                    let term = self.like(value, expr.span, &ty)?;
                    let now = name.text.strip_suffix('\'').unwrap_or_default();
                    match states.iter_mut().find(|(state, ..)| state == now) {
                        Some((_, _, next)) => *next = Some(term),
                        None if now == "p" => next = Some(term),
                        None => {
                            let message = format!("`{}` is the next value of nothing", name.text);
                            let error = Diagnostic::error("E0216", message, name.span, "here");
                            let help = "the next values are `p'` and, of each `state m`, `m'`";
                            return Err(self.report(error.help(help)));
                        }
                    }
                    scope.bind(name, Value::Tensor(term));
                }
                StatementKind::Check(name, condition) => self.holds(name, condition, &mut scope)?,
                _ => {
                    let message = "this does not belong in an optimizer";
                    return Err(self.error("E0216", message, statement.span, "here"));
                }
            }
        }
        let Some(next) = next else {
            let error = Diagnostic::error("E0216", "this optimizer has no result", at, "`p'` has no value");
            return Err(self.report(error.help("add `p' = …`")));
        };
        let states = states.into_iter().enumerate().map(|(k, (name, start, next))| {
            let next = next.unwrap_or_else(|| self.leaf(Leaf::State(param, k), ty.clone(), at));
            State { name, start, next }
        });
        Ok(Update { param, next, states: states.collect(), lr })
    }

    /// A value of the parameter's shape, or a scalar that fills it.
    fn like(&mut self, value: Value, span: Span, ty: &Type) -> Out<TermId> {
        let term = self.numbers(value, span)?;
        let found = self.ty(term);
        if found.axes.is_empty() || found.agrees(ty) {
            return Ok(term);
        }
        let message = format!("expected the shape of the parameter, {ty}, found {found}");
        Err(self.error("E0210", message, span, "here"))
    }
}

/// The numbers of the host by name; an optimizer also counts its updates.
pub(super) fn hosts(updates: Option<Host>) -> impl Iterator<Item = (&'static str, Host)> {
    let common = [("step", Host::Step), ("steps", Host::Steps), ("epoch", Host::Epoch), ("epochs", Host::Epochs)];
    common.into_iter().chain(updates.map(|host| ("t", host)))
}
