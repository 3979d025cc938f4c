//! A statement of a session: it stands in a `train` block, if there is one, behind the statements before it.

use super::Elaborator;
use crate::check::program::Explored;
use crate::check::value::{Namespace, Scope, Value};
use crate::source::{SourceId, Span};
use crate::syntax::tree::{Block, Expr, ExprKind, Init, Name, Statement, StatementKind, Target};
use crate::syntax::walk;

/// What a statement of a session stands behind.
#[derive(Clone, Copy)]
pub struct Context<'t> {
    pub block: Option<&'t Block>,
    /// The statements of the session before it.
    pub before: &'t [Statement],
}

impl Elaborator<'_> {
    /// What a statement says. `None` where something is wrong.
    pub fn explore(&mut self, context: Context, asked: &Statement) -> Option<Explored> {
        let mut scope = self.around(context, Some(asked));
        let params = self.params.len();
        let alone = one_let(asked).is_some_and(|(name, value)| {
            let known = |name: &str| scope.get(name).is_some();
            !known(&name.text) && !reads(value, &known)
        });
        let value = self.session_statement(context, Some(asked), asked, &mut scope)?;
        let term = if is_tensor(&value) { Some(self.tensor(value.clone(), asked.span).ok()?) } else { None };
        let layer = matches!(value, Value::Recipe(_) | Value::Instance(..));
        Some(Explored {
            among_items: alone && !layer && self.params.len() == params,
            terms: std::mem::take(&mut self.terms),
            data: self.data.take(),
            calibrated: self.calibrated.keys().copied().collect(),
            params: std::mem::take(&mut self.params),
            value,
            term,
        })
    }

    /// The names that a statement may read besides those of items.
    pub fn names_around(&mut self, context: Context) -> Vec<String> {
        self.around(context, None).known().map(str::to_string).collect()
    }

    fn around(&mut self, context: Context, asked: Option<&Statement>) -> Scope {
        let mut scope = context.block.map_or_else(Scope::default, |block| self.train_scope(block));
        for statement in context.block.iter().flat_map(|block| &block.body) {
            match &statement.kind {
                StatementKind::Let(target, ty, init) => {
                    self.local(target, ty.as_ref(), init, statement.span, &mut scope);
                }
                // The parameters of the model are known after it was applied.
                StatementKind::Minimize(minimize) => drop(self.value(&minimize.loss, &mut scope)),
                // What is wrong in it was said when its block was checked.
                StatementKind::Calibrate(name, expr, split) => {
                    let found = self.found.len();
                    let _ = self.calibrate(name, expr, split, &mut scope);
                    self.found.truncate(found);
                }
                StatementKind::Param(..)
                | StatementKind::State(..)
                | StatementKind::Out(_)
                | StatementKind::Emit(..)
                | StatementKind::Assign(..)
                | StatementKind::Report(..)
                | StatementKind::Predict(..)
                | StatementKind::Check(..) => {}
            }
        }
        for statement in context.before {
            self.session_statement(context, asked, statement, &mut scope);
        }
        scope
    }

    fn session_statement(
        &mut self,
        context: Context,
        asked: Option<&Statement>,
        statement: &Statement,
        scope: &mut Scope,
    ) -> Option<Value> {
        // Its layers have paths of their own: the entry, then as in any body.
        let source = statement.span.source;
        let entry = context.before.iter().chain(asked).filter(|other| of_source(other, source));
        self.name_uses(Span::new(source, 0, 0), &[], entry);
        scope.namespace = Namespace::Layer(self.sources.get(source).name.clone());
        match &statement.kind {
            StatementKind::Let(target, ty, init) => {
                self.local(target, ty.as_ref(), init, statement.span, scope);
                let (Target::One(name) | Target::Indexed(name, _)) = target else { return None };
                let value = scope.get(&name.text)?.value.clone();
                (!matches!(value, Value::Wrong)).then_some(value)
            }
            StatementKind::Out(value) => self.value(value, scope).ok(),
            StatementKind::Param(..)
            | StatementKind::State(..)
            | StatementKind::Emit(..)
            | StatementKind::Assign(..)
            | StatementKind::Minimize(_)
            | StatementKind::Report(..)
            | StatementKind::Predict(..)
            | StatementKind::Check(..)
            | StatementKind::Calibrate(..) => {
                let message = "this belongs in the body of a layer or of a `train` block";
                self.error("E0216", message, statement.span, "here it is in neither");
                None
            }
        }
    }
}

fn of_source(statement: &Statement, source: SourceId) -> bool {
    statement.span.source == source
}

/// The name and value of `let name = value`.
pub fn one_let(statement: &Statement) -> Option<(&Name, &Expr)> {
    match &statement.kind {
        StatementKind::Let(Target::One(name), _, Init::Value(value)) => Some((name, value)),
        _ => None,
    }
}

fn reads(value: &Expr, known: &impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    walk::expression(value, &mut |part| {
        if let ExprKind::Name(name) = &part.kind {
            found |= known(&name.text);
        }
    });
    found
}

/// Whether a value is computed as a tensor: a list is one where all its parts are.
fn is_tensor(value: &Value) -> bool {
    match value {
        Value::Tensor(_) | Value::Size(_) => true,
        Value::Emitted(_) => true,
        Value::List(parts) => !parts.is_empty() && parts.iter().all(|(part, _)| is_number(part) || is_tensor(part)),
        Value::Number(_)
        | Value::Truth(_)
        | Value::Text(_)
        | Value::RawColumn(_)
        | Value::Unequal(..)
        | Value::Set(_)
        | Value::Table(_)
        | Value::OfTable(..)
        | Value::Item(_)
        | Value::Recipe(_)
        | Value::Instance(..)
        | Value::Distribution(_)
        | Value::Tuple(_)
        | Value::Wrong => false,
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Number(_) | Value::Truth(_))
}
