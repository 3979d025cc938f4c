//! A `data` block: the source, the split, and the columns made from the source's.

use super::draw::Drawn;
use super::joins::has_rows;
use super::sets::Role;
use super::{Elaborator, Out, ROWS, Reported};
use crate::check::program::{self, Raw, RawKind};
use crate::check::schema::{Asked, Column, From, Holds, Lacking};
use crate::check::terms::{Kind, Leaf, TermId};
use crate::check::types::{Axis, Elem, Origin, Type};
use crate::check::value::{Bound, Distribution, Family, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::ir::{Draw, ScalarOp, Size, Symbol};
use crate::source::Span;
use crate::syntax::tree::{self, Expr, Init, Name, Statement, StatementKind, Target};
use std::collections::HashMap;

/// What is known of the source while its block is checked.
pub(super) struct Open {
    pub columns: Vec<Column>,
    /// How many of them the source has; the others were asked for in vain.
    pub known: usize,
    /// The column whose value is being met, and how many values were fitted for it.
    pub name: String,
    pub fitted: usize,
    /// The text that names the source.
    pub source: Span,
    /// What was asked of the classes of a column, and where.
    pub classes: HashMap<String, (Asked, Span)>,
}

impl Elaborator<'_> {
    /// The data set whose block is checked, the last one of the block else.
    pub(super) fn set(&self) -> Option<&program::Set> {
        self.data.as_ref()?.sets.last()
    }

    /// The rows of a batch of that set.
    pub(super) fn rows(&self) -> Symbol {
        self.set().map_or_else(|| Symbol::new(ROWS), |set| set.symbol.clone())
    }

    /// Checks the block and adds it to `self.data`, behind those whose fitted values it takes over.
    pub(super) fn data_set(&mut self, item: &tree::Data, role: Role) -> Out<()> {
        self.lenders(item)?;
        let name = item.name.text.clone();
        let role = if self.named_sets.contains_key(&name) && role == Role::Lends { Role::Listed } else { role };
        let mut source = self.source(&item.from)?;
        match role {
            Role::Only => {}
            Role::Listed | Role::Lends => source.set.clone_from(&name),
        }
        let split = item.body.iter().find_map(|statement| setting(statement, "split"));
        let split = split.map(|value| self.split(value)).transpose()?;
        let columns = match self.schemas.columns(self.sources, &source) {
            Ok(columns) => columns,
            Err(wrong) => {
                for wrong in wrong {
                    self.report(wrong);
                }
                return Err(Reported);
            }
        };
        let rows = self.schemas.rows(self.sources, &source, split.as_ref()).map_err(|wrong| self.report(wrong))?;
        if split.is_none() && role != Role::Lends {
            let warning =
                Diagnostic::error("W0301", "without a split every row is for training", item.name.span, "this data")
                    .help("add `split = holdout(train = 80%, test = 20%, seed = 1)`");
            self.report(warning.warning());
        }
        let symbol = Symbol::new(&source.key(ROWS));
        let data = self.data.get_or_insert_default();
        data.listed |= role == Role::Listed;
        data.sets.push(program::Set {
            name,
            source: source.clone(),
            split,
            rows,
            window: None,
            unknown: Vec::new(),
            symbol,
            lends: role == Role::Lends,
        });
        let bound = |(at, column): (usize, &Column)| {
            let origin = Origin { span: column.span, text: "is named here".into() };
            (column.name.clone(), Bound { value: Value::RawColumn(at), origin })
        };
        let mut scope = Scope::of_columns(columns.iter().enumerate().map(bound).collect());
        self.open = Some(Open {
            known: columns.len(),
            columns,
            name: String::new(),
            fitted: 0,
            source: source.span,
            classes: HashMap::new(),
        });
        for statement in &item.body {
            self.data_statement(statement, &mut scope);
        }
        self.open = None;
        Ok(())
    }

    fn data_statement(&mut self, statement: &Statement, scope: &mut Scope) {
        match &statement.kind {
            StatementKind::Assign(Target::One(name), None, Init::Value(expr)) => {
                if name.text == "split" {
                    return;
                }
                if let Some(open) = &mut self.open {
                    (open.name, open.fitted) = (name.text.clone(), 0);
                }
                match self.column_value(name, expr, scope) {
                    Ok(column) => scope.bind(name, column),
                    Err(Reported) => self.wrong_column(name, scope),
                }
            }
            StatementKind::Assign(Target::One(name), ty, Init::Draw(expr)) => {
                match self.drawn_column(name, ty.as_ref(), expr, scope) {
                    Ok(column) => scope.bind(name, Value::Tensor(column)),
                    Err(Reported) => self.wrong_column(name, scope),
                }
            }
            StatementKind::Assign(Target::One(name), Some(ty), Init::Value(_)) => {
                let message = "a column that is computed has the type of its value";
                self.report(Diagnostic::error("E0216", message, ty.span, "leave this out"));
                self.wrong_column(name, scope);
            }
            StatementKind::Assign(Target::Several(names), None, Init::Value(expr)) => {
                self.columns_apart(names, expr, scope);
            }
            StatementKind::Assign(Target::Several(names), ..) => {
                let error =
                    Diagnostic::error("E0216", "a drawn column has one name", statement.span, "these are several");
                self.report(error.help("draw each in a statement of its own"));
                names.iter().for_each(|name| self.wrong_column(name, scope));
            }
            StatementKind::Assign(Target::Indexed(name, places), None, Init::Value(expr)) => {
                if let Some(open) = &mut self.open {
                    (open.name, open.fitted) = (name.text.clone(), 0);
                }
                let before = self.terms.count();
                let spread = self.spread(name, places, expr, scope);
                let column = spread.and_then(|term| self.column(name, Value::Tensor(term), expr.span, before));
                match column {
                    Ok(column) => scope.bind(name, Value::Tensor(column)),
                    Err(Reported) => self.wrong_column(name, scope),
                }
            }
            StatementKind::Assign(Target::Indexed(name, _), ..) => {
                let message = "a column that is drawn has its shape behind its name";
                let error = Diagnostic::error("E0216", message, statement.span, "here");
                self.report(error.help(format!("write `{}: [4] ~ …` without the axis of rows", name.text)));
                self.wrong_column(name, scope);
            }
            StatementKind::Let(target, ty, init) => {
                self.whole_let(target, ty.as_ref(), init, statement.span, scope);
            }
            StatementKind::Param(..)
            | StatementKind::State(..)
            | StatementKind::Out(_)
            | StatementKind::Emit(..)
            | StatementKind::Minimize(_)
            | StatementKind::Report(..)
            | StatementKind::Predict(..)
            | StatementKind::Check(..)
            | StatementKind::Calibrate(..) => {
                let error =
                    Diagnostic::error("E0216", "this does not belong in a `data` block", statement.span, "here");
                self.report(error.help("columns are made with `name = value`"));
            }
        }
    }

    /// `x: [1] ~ uniform(-1, 1)`: a draw for each element of each row.
    fn drawn_column(&mut self, name: &Name, ty: Option<&tree::Type>, expr: &Expr, scope: &mut Scope) -> Out<TermId> {
        let drawn = self.set().is_some_and(|set| matches!(set.source.from, From::Rows { .. }));
        if !drawn {
            let error =
                Diagnostic::error("E0216", "only rows that are drawn have drawn columns", name.span, "this column");
            return Err(self.report(error.help("the source of such data is `rows(count, seed = 1)`")));
        }
        let mut axes = vec![Axis { size: Size::symbol(self.rows()), origin: None }];
        let mut elem = None;
        match ty.map(|ty| &ty.kind) {
            None => {}
            Some(_) => {
                if let Some(written) = ty {
                    let ty = self.written_type(written, "a column", scope)?;
                    axes.extend(ty.axes);
                    elem = Some(ty.elem);
                }
            }
        }
        let ty = Type::float(axes);
        let law = self.distribution(&Type::float(ty.axes[1..].to_vec()), expr, scope)?;
        let term = match (law.settled(), &elem) {
            (Some(distribution), None | Some(Elem::Float)) => {
                self.raw_of(name.text.clone(), RawKind::Drawn(distribution), ty, name.span)
            }
            _ => {
                let own = match (law.family, law.parameters.first()) {
                    (Family::Categorical, Some((Value::Tensor(logits), _))) => {
                        self.ty(*logits).axes.last().map_or(Elem::Float, |last| Elem::Class(last.clone()))
                    }
                    (Family::Categorical, Some((Value::List(logits), at))) => {
                        Elem::Class(Axis::new(Size::from(logits.len() as i64), *at, "logits are listed here"))
                    }
                    (Family::Integers, _) => Elem::Int,
                    _ => Elem::Float,
                };
                let ty = Type { elem: elem.unwrap_or(own), ..ty };
                self.sample(&law, &ty, Drawn::Column(name), expr.span)?
            }
        };
        self.made_column(name, term);
        Ok(term)
    }

    fn made_column(&mut self, name: &Name, value: TermId) {
        if let Some(data) = &mut self.data
            && let Some((at, set)) = data.sets.iter().enumerate().next_back()
        {
            let name = set.source.key(&name.text);
            data.columns.push(program::Column { name, value, set: at });
        }
    }

    /// The number of the set whose block is checked.
    pub(super) fn number_of_set(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.sets.len().saturating_sub(1))
    }

    /// What reads the column is not reported again.
    fn wrong_column(&mut self, name: &Name, scope: &mut Scope) {
        self.wrong_columns.push((self.number_of_set(), name.clone()));
        scope.bind(name, Value::Wrong);
    }

    /// `x, y = e`: a column for each part of a value.
    fn columns_apart(&mut self, names: &[Name], expr: &Expr, scope: &mut Scope) {
        if let Some(split) = names.iter().find(|name| name.text == "split") {
            self.error("E0216", "`split` is no column", split.span, "it stands in a statement of its own");
        }
        if let (Some(open), Some(first)) = (&mut self.open, names.first()) {
            (open.name, open.fitted) = (first.text.clone(), 0);
        }
        let before = self.terms.count();
        let parts = self.value(expr, scope).and_then(|value| self.column_parts(value, names, expr.span));
        for (at, name) in names.iter().enumerate() {
            let part = parts
                .as_ref()
                .map_err(|wrong| *wrong)
                .and_then(|parts| self.column(name, parts[at].clone(), expr.span, before));
            match part {
                Ok(column) => scope.bind(name, Value::Tensor(column)),
                Err(Reported) => self.wrong_column(name, scope),
            }
        }
    }

    /// The parts of a value that is no single column.
    fn column_parts(&mut self, value: Value, names: &[Name], span: Span) -> Out<Vec<Value>> {
        let is_column = match &value {
            Value::RawColumn(_) => true,
            Value::Tensor(term) => self.ty(*term).axes.first().is_some_and(|axis| has_rows(&axis.size)),
            _ => false,
        };
        if is_column {
            let message = format!("expected {} columns, found one value", names.len());
            let error = Diagnostic::error("E0227", message, span, "this is one column");
            return Err(self.report(error.help(format!("write a statement for each: `{} = …`", names[0].text))));
        }
        self.apart(value, names, span)
    }

    /// A column has a value for each row.
    fn column_value(&mut self, name: &Name, expr: &Expr, scope: &mut Scope) -> Out<Value> {
        let before = self.terms.count();
        match self.value(expr, scope)? {
            // It has a name here, for `pad`, and is no column yet.
            value @ Value::Unequal(..) => Ok(value),
            value => self.column(name, value, expr.span, before).map(Value::Tensor),
        }
    }

    /// A value as a column; `before` is how many terms there were before it.
    fn column(&mut self, name: &Name, value: Value, span: Span, before: usize) -> Out<TermId> {
        let term = self.tensor(value, span)?;
        let ty = self.ty(term).clone();
        let rows = Size::symbol(self.rows());
        let of_rows = |axis: &Axis| axis.size == rows;
        if !ty.axes.first().is_some_and(of_rows) || ty.axes.iter().skip(1).any(|axis| has_rows(&axis.size)) {
            let message = format!("a column has a value for each row, [n, …], and `{}` is {ty}", name.text);
            return Err(self.error("E0219", message, span, "this value"));
        }
        self.no_leak(term, before)?;
        self.made_column(name, term);
        Ok(term)
    }

    /// A name in a `data` block that is no column. What follows is checked as if it were one.
    pub(super) fn unknown_column(&mut self, name: &Name, span: Span) -> Option<Value> {
        let open = self.open.as_ref()?;
        let near = nearest(&name.text, open.columns[..open.known].iter().map(|column| column.name.as_str()));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if open.known == 0 => "draw it: `x ~ normal(0, 1)`".to_string(),
            None => {
                let names: Vec<&str> =
                    open.columns[..open.known].iter().take(12).map(|column| column.name.as_str()).collect();
                let more = if open.known > names.len() { ", …" } else { "" };
                format!("its columns are {}{more}", names.join(", "))
            }
        };
        let column = Column {
            name: name.text.clone(),
            holds: Holds::Numbers,
            shape: Vec::new(),
            span,
            lacking: Lacking::default(),
            word: None,
            mistakes: Vec::new(),
        };
        let error = Diagnostic::error("E0220", format!("cannot find column `{}`", name.text), span, "not found")
            .label(open.source, "the columns are those of this source")
            .help(help);
        self.report(error);
        let open = self.open.as_mut()?;
        open.columns.push(column);
        Some(Value::RawColumn(open.columns.len() - 1))
    }

    /// The numbers of a source column, which has one in every row.
    pub(super) fn raw_numbers(&mut self, at: usize, span: Span) -> Out<TermId> {
        let column = self.numeric(at, span)?;
        if let Some(wrong) = column.lacking.mistake(&column.name, span) {
            let name = &column.name;
            let help = match column.lacking.all {
                true => format!("leave the column out, or write `fill({name}, 0)`"),
                false => format!("fill the cells, leave the rows out, or write `impute({name})`"),
            };
            return Err(self.report(wrong.help(help)));
        }
        Ok(self.raw(&column, RawKind::Numbers, Elem::Float, span))
    }

    /// The numbers of a source column that may lack some, and whether each row lacks one.
    pub(super) fn gappy(&mut self, value: Value, span: Span) -> Out<(TermId, TermId)> {
        let Value::RawColumn(at) = value else {
            let message = "this takes a column of the source by its name";
            return Err(self.error("E0211", message, span, value.noun()));
        };
        let column = self.numeric(at, span)?;
        // The library fills with what is fitted, and cannot where there is nothing to fit; a number of one's own it can.
        let source = self.set().map(|set| set.source.clone());
        let fits = self.library.is_stdlib(span.source);
        if fits && source.is_some_and(|source| !self.schemas.is_known(&source, &column.name)) {
            return Err(self.nothing_to_fit(&column, span));
        }
        let numbers = self.raw(&column, RawKind::Gappy, Elem::Float, span);
        let ty = Type { elem: Elem::Bool, ..self.ty(numbers).clone() };
        // NaN alone is not itself.
        let missing = self.term(Kind::Scalar(ScalarOp::NotEqual, vec![numbers, numbers]), ty, span);
        Ok((numbers, missing))
    }

    /// A column whose mean is wanted has no value in any training row. What is inside of the library is not shown.
    fn nothing_to_fit(&mut self, column: &Column, span: Span) -> Reported {
        let own = self.calls.iter().rposition(|(call, _)| !self.library.is_stdlib(call.source));
        let inside = self.calls.split_off(own.map_or(0, |at| at + 1));
        let call = self.calls.last().map_or(span, |(call, _)| *call);
        let name = &column.name;
        let rows = if column.lacking.all { "row" } else { "training row" };
        let message = format!("column `{name}` has no value in any {rows}");
        let error = Diagnostic::error("E0306", message, column.span, "the column is named here");
        let error = error.label(call, "so that there is no mean of it");
        let reported = self.report(error.help(format!("leave the column out, or write `fill({name}, 0)`")));
        self.calls.extend(inside);
        reported
    }

    pub(super) fn numeric(&mut self, at: usize, span: Span) -> Out<Column> {
        let column = self.raw_column(at)?;
        let wrong: Vec<Reported> = column.mistakes.iter().map(|wrong| self.report(wrong.clone())).collect();
        if let Some(reported) = wrong.last() {
            return Err(*reported);
        }
        if column.holds == Holds::Characters {
            let message = format!("column `{}` holds characters", column.name);
            let error = Diagnostic::error("E0211", message, span, "expected numbers");
            return Err(self.report(error.help(format!("`characters({})` makes classes of them", column.name))));
        }
        if let Holds::Lists | Holds::Texts = column.holds {
            let name = &column.name;
            let message = format!("the rows of column `{name}` are of unequal length");
            let error = Diagnostic::error("E0352", message, span, "expected as many numbers in each row");
            let shown = if column.holds == Holds::Texts { format!("category({name})") } else { name.clone() };
            return Err(self.report(error.help(format!("fill them up: `x, length = pad({shown}, 128)`"))));
        }
        if column.holds == Holds::Text {
            let comma = |word: &str| word.replacen(',', ".", 1).parse::<f64>().is_ok();
            let decimal = column.word.is_some_and(|word| comma(self.sources.text(word).trim_matches('"')));
            let mut error =
                Diagnostic::error("E0211", format!("column `{}` holds text", column.name), span, "expected numbers");
            error = match column.word {
                Some(word) => error.label(word, "this is no number"),
                None => error.label(column.span, "the column is named here"),
            };
            error = error.help(if decimal {
                "write decimals with a point: `1.5`".to_string()
            } else {
                format!("`category({})` makes classes of it", column.name)
            });
            return Err(self.report(error));
        }
        Ok(column)
    }

    pub(super) fn raw_column(&self, at: usize) -> Out<Column> {
        self.open.as_ref().and_then(|open| open.columns.get(at)).cloned().ok_or(Reported)
    }

    pub(super) fn raw(&mut self, column: &Column, kind: RawKind, elem: Elem, span: Span) -> TermId {
        let rows = Axis { size: Size::symbol(self.rows()), origin: None };
        let inner = column.shape.iter().map(|size| {
            let text = format!("is an axis of column `{}`", column.name);
            Axis::new(Size::from(*size as i64), column.span, text)
        });
        let axes = std::iter::once(rows).chain(inner).collect();
        self.raw_of(column.name.clone(), kind, Type { axes, ..Type::scalar(elem) }, span)
    }

    /// A column of standard draws.
    pub(super) fn raw_draws(&mut self, name: &Name, draw: Draw, ty: Type) -> TermId {
        let standard = Distribution { draw, first: 0.0, second: 1.0 };
        self.raw_of(name.text.clone(), RawKind::Drawn(standard), ty, name.span)
    }

    pub(super) fn raw_of(&mut self, name: String, kind: RawKind, ty: Type, span: Span) -> TermId {
        let set = self.number_of_set();
        let raw = self.data.as_mut().map_or(0, |data| {
            let known = data.raw.iter().position(|raw| raw.set == set && raw.name == name && raw.kind == kind);
            known.unwrap_or_else(|| {
                let key = data.sets.get(set).map_or_else(|| name.clone(), |set| set.source.key(&name));
                data.raw.push(Raw { name, set, key, kind, ty: ty.clone(), span });
                data.raw.len() - 1
            })
        });
        self.leaf(Leaf::Raw(raw), ty, span)
    }

    /// `fitted(e)`: the value of `e` on the training rows.
    pub(super) fn fitted(&mut self, term: TermId, span: Span) -> Out<Value> {
        let ty = self.ty(term).clone();
        if self.alone.is_some() {
            return Ok(Value::Tensor(term));
        }
        if self.open.is_some()
            && let Some(taken) = self.taken_fit(&ty, span)
        {
            return taken.map(Value::Tensor);
        }
        let of = self.calls.first().cloned();
        let (Some(data), Some(open)) = (&mut self.data, &mut self.open) else {
            let error = Diagnostic::error("E0221", "only columns are fitted", span, "this is no column");
            return Err(self.report(error.help("use it in a `data` block")));
        };
        if ty.axes.iter().any(|axis| axis.size.settled().is_none()) || !ty.free.is_empty() {
            let error = Diagnostic::error("E0221", "a fitted value has no axis of rows", span, format!("this is {ty}"));
            return Err(self.report(error.help("reduce over the rows first: `mean(i: x[i])`")));
        }
        let Some((set, own)) = data.sets.iter().enumerate().next_back() else { return Err(Reported) };
        let name = format!("{}.{}.{}", own.name, open.name, open.fitted);
        open.fitted += 1;
        data.fits.push(program::Fit { name, value: term, set, of, whole: None });
        let leaf = Leaf::Fit(data.fits.len() - 1);
        Ok(Value::Tensor(self.leaf(leaf, ty, span)))
    }
}

/// The value of `name = value`, if the statement is that.
pub fn setting<'t>(statement: &'t Statement, name: &str) -> Option<&'t Expr> {
    match &statement.kind {
        StatementKind::Assign(Target::One(target), None, Init::Value(expr)) if target.text == name => Some(expr),
        _ => None,
    }
}
