//! Names: what an expression reads and what it applies.

use super::scope::{read_names, stages};
use super::{Edge, Pass};
use crate::syntax::tree::{Expr, ExprKind, Name, Reduce, Scan};
use crate::syntax::walk;

impl<'a> Pass<'a> {
    pub fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Number { .. } | ExprKind::Text(_) | ExprKind::Truth(_) => {}
            ExprKind::Name(name) => self.read(name, !self.columns),
            ExprKind::Call(callee, arguments) => {
                self.called(callee);
                arguments.iter().for_each(|argument| self.expr(&argument.value));
            }
            ExprKind::Reduce(reduce) => self.reduce(reduce),
            ExprKind::Index(base, subscripts) => {
                self.expr(base);
                walk::of_subscripts(subscripts).into_iter().for_each(|part| self.expr(part));
            }
            ExprKind::Field(a, _) | ExprKind::Unary(_, a) | ExprKind::From(a, ..) => self.expr(a),
            ExprKind::As(a, name) => {
                self.expr(a);
                self.locals.push(name.text.clone());
            }
            ExprKind::Binary(_, _, a, b) | ExprKind::Range(a, b) => [a, b].into_iter().for_each(|part| self.expr(part)),
            ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|part| self.expr(part)),
            ExprKind::Pipe(value, _, stage) => {
                self.expr(value);
                stages(stage).into_iter().for_each(|stage| self.called(stage));
                if let ExprKind::As(_, name) = &stage.kind {
                    self.locals.push(name.text.clone());
                }
            }
            ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(|part| self.expr(part)),
            ExprKind::Comprehension(body, name, list) => {
                self.expr(list);
                self.locals.push(name.text.clone());
                self.expr(body);
                self.locals.pop();
            }
            ExprKind::Record(entries) => entries.iter().for_each(|(_, value)| self.expr(value)),
            ExprKind::Scan(scan) => self.scan(scan),
        }
    }

    fn reduce(&mut self, reduce: &'a Reduce) {
        self.called(&reduce.function);
        let depth = self.locals.len();
        self.locals.extend(reduce.indices.iter().map(|name| name.text.clone()));
        for part in reduce.filter.iter().chain([&reduce.body]) {
            self.locals.extend(read_names(part));
            self.expr(part);
        }
        self.locals.truncate(depth);
    }

    fn scan(&mut self, scan: &'a Scan) {
        let depth = self.locals.len();
        for over in &scan.over {
            self.locals.extend(read_names(over));
            self.expr(over);
        }
        self.locals.extend(scan.names.iter().map(|name| name.text.clone()));
        self.statements(&scan.body);
        self.locals.truncate(depth);
    }

    /// What is applied: a name there is never a column.
    pub fn called(&mut self, callee: &'a Expr) {
        match &callee.kind {
            ExprKind::Name(name) => self.read(name, true),
            _ => self.expr(callee),
        }
    }

    /// A source or a split: who reads it says what there is.
    pub fn except_callee(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Call(callee, arguments) if matches!(callee.kind, ExprKind::Name(_)) => {
                arguments.iter().for_each(|argument| self.expr(&argument.value));
            }
            _ => self.expr(expr),
        }
    }

    fn read(&mut self, name: &'a Name, must: bool) {
        if self.locals.contains(&name.text) {
            return;
        }
        match self.items.get(name.text.as_str()).copied() {
            Some(to) => self.edges.push(Edge { from: self.item, to, at: name.span }),
            None if must && !self.knows(&name.text) => self.found.push(self.unknown(name)),
            None => {}
        }
    }

    pub fn knows(&self, name: &str) -> bool {
        self.uses || self.stdlib.contains(&name) || self.locals.contains(name)
    }
}
