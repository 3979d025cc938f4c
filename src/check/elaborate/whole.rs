//! Whole values of a `data` block: `let edges = csv("edges.csv")`, a table, and whatever else a `let` names there. They have no
//! row of the batch, are computed once, stored with the weights, and reach the `train` block by their names.

use super::joins::has_rows;
use super::lazy::names_of;
use super::{Elaborator, Out, Reported};
use crate::check::program::{Fit, Whole};
use crate::check::schema::{Column, Holds, Source};
use crate::check::terms::{Leaf, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::tree::{self, Expr, ExprKind, Init, Name, Target};

/// A table that is read whole.
pub(super) struct Table {
    /// The name of its `let`.
    name: String,
    source: Source,
    columns: Vec<Column>,
    rows: usize,
}

/// The sources whose tables are read whole.
const TABLES: [&str; 2] = ["csv", "jsonl"];

impl Elaborator<'_> {
    /// `let k = 2`, `let edges = csv("edges.csv")` in a `data` block.
    pub(super) fn whole_let(
        &mut self,
        target: &Target,
        ty: Option<&tree::Type>,
        init: &Init,
        span: Span,
        scope: &mut Scope,
    ) {
        let names = names_of(target);
        if let (Some(open), Some(first)) = (&mut self.open, names.first()) {
            (open.name, open.fitted) = (first.text.clone(), 0);
        }
        match (target, init) {
            (Target::One(name), Init::Value(expr)) if is_table(expr) => {
                let table = self.whole_table(name, expr);
                scope.bind(name, table.unwrap_or(Value::Wrong));
            }
            (_, Init::Draw(_)) => {
                let error = Diagnostic::error("E0356", "a whole value of a `data` block is not drawn", span, "here");
                self.report(error.help("draw it in the model or the `train` block: `let z: [8] ~ normal(0, 1)`"));
                names.iter().for_each(|name| scope.bind(name, Value::Wrong));
            }
            (_, Init::Value(expr)) => {
                self.local(target, ty, init, span, scope);
                for name in &names {
                    let value = scope.get(&name.text).map_or(Value::Wrong, |bound| bound.value.clone());
                    let whole = self.as_whole(name, value, expr.span);
                    scope.bind(name, whole.unwrap_or(Value::Wrong));
                }
            }
        }
        for name in names {
            let bound = scope.get(&name.text).cloned();
            let set = self.number_of_set();
            self.wholes.extend(bound.map(|bound| (set, name.text.clone(), bound)));
        }
    }

    /// A value that is the same for all rows: computed once, on the training rows.
    fn as_whole(&mut self, name: &Name, value: Value, span: Span) -> Out<Value> {
        let of_rows = match &value {
            Value::RawColumn(_) | Value::Unequal(..) => true,
            Value::Tensor(term) => self.ty(*term).axes.iter().any(|axis| has_rows(&axis.size)),
            Value::Size(axis) => has_rows(&axis.size),
            _ => false,
        };
        if of_rows {
            let message =
                format!("a `let` in a `data` block is a whole value, and `{}` differs from row to row", name.text);
            let error = Diagnostic::error("E0356", message, span, value.noun());
            return Err(self.report(error.help(format!("a column has no `let`: `{} = …`", name.text))));
        }
        match value {
            Value::Tensor(term) => self.fitted(term, span),
            other => Ok(other),
        }
    }

    fn whole_table(&mut self, name: &Name, expr: &Expr) -> Out<Value> {
        let source = self.source(expr)?;
        let found = self.schemas.whole_table(self.sources, &source);
        let (columns, rows) = found.map_err(|wrong| {
            for wrong in wrong {
                self.report(wrong);
            }
            Reported
        })?;
        self.tables.push(Table { name: name.text.clone(), source, columns, rows });
        Ok(Value::Table(self.tables.len() - 1))
    }

    /// `edges.source`.
    pub(super) fn column_of_table(&mut self, table: usize, part: &Name, base: Span) -> Out<Value> {
        let columns = &self.tables.get(table).ok_or(Reported)?.columns;
        if let Some(at) = columns.iter().position(|column| column.name == part.text) {
            return Ok(Value::OfTable(table, at));
        }
        let names: Vec<String> = columns.iter().map(|column| format!("`{}`", column.name)).collect();
        let near = nearest(&part.text, columns.iter().map(|column| column.name.as_str()));
        let help =
            near.map_or(format!("its columns are {}", names.join(", ")), |near| format!("did you mean `{near}`?"));
        let message = format!("cannot find column `{}`", part.text);
        let error = Diagnostic::error("E0220", message, part.span, "not found").label(base, "in this table");
        Err(self.report(error.help(help)))
    }

    /// A column of a table as numbers: `[m]`.
    pub(super) fn whole_column(&mut self, table: usize, at: usize, span: Span) -> Out<TermId> {
        self.whole_numbers(table, at, span)?;
        let name = self.tables[table].columns[at].name.clone();
        Ok(self.whole_value(table, vec![name.clone()], &name, Elem::Float, span))
    }

    /// A table as a matrix of all its columns: `[m, k]`.
    pub(super) fn whole_matrix(&mut self, table: usize, span: Span) -> Out<TermId> {
        for at in 0..self.tables[table].columns.len() {
            self.whole_numbers(table, at, span)?;
        }
        let names: Vec<String> = self.tables[table].columns.iter().map(|column| column.name.clone()).collect();
        Ok(self.whole_value(table, names, "", Elem::Float, span))
    }

    /// `as_class(edges.source, v)`.
    pub(super) fn whole_classes(
        &mut self,
        (table, at): (usize, usize),
        classes: Axis,
        below: usize,
        span: Span,
    ) -> Out<TermId> {
        self.whole_numbers(table, at, span)?;
        let (source, name) = (self.tables[table].source.clone(), self.tables[table].columns[at].name.clone());
        let whole = self.schemas.whole(self.sources, &source, &name, below, span);
        whole.map_err(|wrong| self.report(wrong.help(format!("number them from 0 to {}", below - 1))))?;
        let shown = format!("{name}.class");
        Ok(self.whole_value(table, vec![name], &shown, Elem::Class(classes), span))
    }

    /// Whether a column of a table has a number in every row.
    fn whole_numbers(&mut self, table: usize, at: usize, span: Span) -> Out<()> {
        let column = self.tables[table].columns[at].clone();
        let wrong: Vec<Reported> = column.mistakes.iter().map(|wrong| self.report(wrong.clone())).collect();
        if let Some(reported) = wrong.last() {
            return Err(*reported);
        }
        if column.holds != Holds::Numbers || !column.shape.is_empty() {
            let message =
                format!("column `{}` of a whole table is read as numbers, and it holds something else", column.name);
            let error = Diagnostic::error("E0357", message, span, "read here");
            let place = column.word.unwrap_or(column.span);
            return Err(self.report(error.label(place, "this is no number").help("number what has a name in the file")));
        }
        match column.lacking.mistake(&column.name, span) {
            Some(wrong) => Err(self.report(wrong.help("fill the cells or leave the rows out"))),
            None => Ok(()),
        }
    }

    /// Columns of a table as a value that comes with the weights, once for all that read it.
    fn whole_value(&mut self, at: usize, columns: Vec<String>, part: &str, elem: Elem, span: Span) -> TermId {
        let table = &self.tables[at];
        let text = format!("is the rows of `{}`", table.name);
        let rows = Axis::new(Size::from(table.rows as i64), table.source.span, text);
        let text = format!("is the columns of `{}`", table.name);
        let width = part.is_empty().then(|| Axis::new(Size::from(columns.len() as i64), table.source.span, text));
        let ty = Type { axes: std::iter::once(rows).chain(width).collect(), ..Type::scalar(elem) };
        let (source, own) = (table.source.clone(), table.name.clone());
        let Some(data) = &mut self.data else { return self.leaf(Leaf::Fit(0), ty, span) };
        let matrix = part.is_empty();
        let dot = if part.is_empty() { "" } else { "." };
        let Some((set, of)) = data.sets.iter().enumerate().next_back() else {
            return self.leaf(Leaf::Fit(0), ty, span);
        };
        let name = format!("{}.{own}{dot}{part}", of.name);
        let known = data.fits.iter().position(|fit| fit.name == name);
        let place = known.unwrap_or(data.fits.len());
        let leaf = self.leaf(Leaf::Fit(place), ty, span);
        if let (None, Some(data)) = (known, &mut self.data) {
            data.fits.push(Fit { name, value: leaf, set, of: None, whole: Some(Whole { source, columns, matrix }) });
        }
        leaf
    }
}

/// Whether an expression is a table of a file.
fn is_table(expr: &Expr) -> bool {
    let ExprKind::Call(callee, _) = &expr.kind else { return false };
    matches!(&callee.kind, ExprKind::Name(name) if TABLES.contains(&name.text.as_str()))
}
