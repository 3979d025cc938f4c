//! A `let` that only branches read which are not taken is not made, so that a recursion may stand before the `if` that ends it.

use super::Elaborator;
use crate::check::value::{Scope, Value};
use crate::syntax::tree::{Expr, ExprKind, Init, Name, Statement, StatementKind, Target};
use crate::syntax::walk;
use std::collections::HashSet;
use std::rc::Rc;

impl Elaborator<'_> {
    /// The names of `let`s of a body that may be left out, which is looked through once.
    pub(super) fn candidates(&mut self, body: &[Statement]) -> Rc<HashSet<String>> {
        let Some(first) = body.first() else { return Rc::default() };
        Rc::clone(self.candidates.entry(first.span).or_insert_with(|| Rc::new(candidates(body))))
    }

    /// Whether what stands behind a `let` reads it, but in no branch that is taken.
    pub(super) fn is_left_out(&mut self, target: &Target, behind: &[Statement], scope: &mut Scope) -> bool {
        let names = names_of(target);
        let reads = |read: &HashSet<String>| names.iter().any(|name| read.contains(&name.text));
        let mut all = HashSet::new();
        behind.iter().for_each(|statement| every_name(statement, &mut all));
        if !reads(&all) {
            return false;
        }
        // From the last statement: what is not read needs nothing itself.
        let mut live = HashSet::new();
        for statement in behind.iter().rev() {
            if let StatementKind::Let(target, ..) = &statement.kind {
                let own = names_of(target);
                let read = own.iter().any(|name| live.contains(&name.text));
                if !read && own.iter().any(|name| all.contains(&name.text)) {
                    continue;
                }
            }
            self.read_by(statement, scope, &mut live);
        }
        !reads(&live)
    }

    /// The names that a statement reads, in branches that may be taken.
    fn read_by(&mut self, statement: &Statement, scope: &mut Scope, live: &mut HashSet<String>) {
        match &statement.kind {
            StatementKind::Let(Target::One(_) | Target::Several(_), None, Init::Value(value) | Init::Draw(value))
            | StatementKind::Out(value)
            | StatementKind::Emit(_, value) => self.names_read(value, scope, live),
            _ => every_name(statement, live),
        }
    }

    fn names_read(&mut self, expr: &Expr, scope: &mut Scope, live: &mut HashSet<String>) {
        match &expr.kind {
            ExprKind::Name(name) => {
                live.insert(name.text.clone());
            }
            ExprKind::If(condition, yes, no) => match self.settled(condition, scope) {
                Some(truth) => self.names_read(if truth { yes } else { no }, scope, live),
                None => [condition, yes, no].into_iter().for_each(|part| self.names_read(part, scope, live)),
            },
            ExprKind::Scan(scan) => {
                scan.over.iter().for_each(|over| self.names_read(over, scope, live));
                scan.body.iter().for_each(|statement| every_name(statement, live));
            }
            _ => walk::parts(expr).into_iter().for_each(|part| self.names_read(part, scope, live)),
        }
    }

    /// A condition of numbers and truths that are known by now.
    fn settled(&mut self, condition: &Expr, scope: &mut Scope) -> Option<bool> {
        let mut known = true;
        walk::expression(condition, &mut |part| {
            known &= match &part.kind {
                ExprKind::Name(name) => {
                    let value = scope.get(&name.text).map(|bound| &bound.value);
                    matches!(value, Some(Value::Number(_) | Value::Truth(_) | Value::Text(_)))
                }
                ExprKind::Number { .. } | ExprKind::Truth(_) | ExprKind::Text(_) => true,
                ExprKind::Unary(..) | ExprKind::Binary(..) => true,
                _ => false,
            };
        });
        match known.then(|| self.value(condition, scope))? {
            Ok(Value::Truth(truth)) => Some(truth),
            _ => None,
        }
    }
}

/// The names of `let`s that may be left out: what is certainly read needs none of them.
fn candidates(body: &[Statement]) -> HashSet<String> {
    let (mut live, mut found) = (HashSet::new(), HashSet::new());
    for statement in body.iter().rev() {
        match &statement.kind {
            StatementKind::Let(target, ..) if !names_of(target).iter().any(|name| live.contains(&name.text)) => {
                found.extend(names_of(target).into_iter().map(|name| name.text.clone()));
            }
            StatementKind::Let(Target::One(_) | Target::Several(_), None, Init::Value(value) | Init::Draw(value))
            | StatementKind::Out(value)
            | StatementKind::Emit(_, value) => certain(value, &mut live),
            _ => every_name(statement, &mut live),
        }
    }
    found
}

/// The names that an expression reads whichever branches are taken.
fn certain(expr: &Expr, live: &mut HashSet<String>) {
    match &expr.kind {
        ExprKind::Name(name) => {
            live.insert(name.text.clone());
        }
        ExprKind::If(condition, ..) => certain(condition, live),
        ExprKind::Scan(scan) => {
            scan.over.iter().for_each(|over| certain(over, live));
            scan.body.iter().for_each(|statement| every_name(statement, live));
        }
        _ => walk::parts(expr).into_iter().for_each(|part| certain(part, live)),
    }
}

fn every_name(statement: &Statement, live: &mut HashSet<String>) {
    walk::expressions(statement, &mut |part| {
        if let ExprKind::Name(name) = &part.kind {
            live.insert(name.text.clone());
        }
    });
}

/// The names that a target binds.
pub(super) fn names_of(target: &Target) -> Vec<&Name> {
    match target {
        Target::One(name) | Target::Indexed(name, _) => vec![name],
        Target::Several(names) => names.iter().collect(),
    }
}
