//! What was fitted to a column of one data set, used by another: `standardize(x, as = train_data.x)`, `category(y, as = train_data.y)`.

use super::sets::Role;
use super::{Elaborator, Out, Reported};
use crate::check::program::Set;
use crate::check::terms::{Leaf, TermId};
use crate::check::types::Type;
use crate::check::value::Value;
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::tree::{self, Argument, Expr, ExprKind, Init, ItemKind, Name, StatementKind};
use crate::syntax::walk;

/// The setting of a call in a `data` block.
pub(super) const AS: &str = "as";

/// A column whose fitted values, or classes, a call takes over.
#[derive(Clone)]
pub(super) struct Taken {
    /// The number of the column, and how the program names it.
    column: usize,
    shown: String,
    at: Span,
    /// How many were taken.
    count: usize,
}

/// The data sets whose columns the calls of a `data` block name by `as =`.
pub fn named_by(item: &tree::Data) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for statement in &item.body {
        let value = match &statement.kind {
            StatementKind::Let(_, _, Init::Value(value)) | StatementKind::Assign(_, _, Init::Value(value)) => value,
            _ => continue,
        };
        walk::expression(value, &mut |part| {
            let ExprKind::Call(_, arguments) = &part.kind else { return };
            let own = arguments.iter().filter(|argument| argument.name.as_ref().is_some_and(|name| name.text == AS));
            names.extend(own.filter_map(|argument| Some(parts(&argument.value)?.0.text.clone())));
        });
    }
    names
}

/// `a.x`
fn parts(expr: &Expr) -> Option<(&Name, &Name)> {
    let ExprKind::Field(base, part) = &expr.kind else { return None };
    let ExprKind::Name(set) = &base.kind else { return None };
    Some((set, part))
}

impl Elaborator<'_> {
    /// Checks the data sets whose columns a block takes fitted values from, before it.
    pub(super) fn lenders(&mut self, item: &tree::Data) -> Out<()> {
        let name = &item.name.text;
        self.lending.push(name.clone());
        let mut done = Ok(());
        for other in named_by(item) {
            let known = |set: &Set| set.name == other;
            if other == *name || self.data.as_ref().is_some_and(|data| data.sets.iter().any(known)) {
                continue;
            }
            let Some(found) = self.library.own(&other) else { continue };
            let ItemKind::Data(data) = &found.kind else { continue };
            if self.lending.contains(&other) {
                let message = format!("`{name}` and `{other}` are fitted as each other");
                let error = Diagnostic::error("E0385", message, item.name.span, format!("this is fitted as `{other}`"));
                let error = error.label(data.name.span, format!("and this in turn as `{name}`"));
                done = Err(self.report(error.help("one of the two is fitted to its own training rows")));
                continue;
            }
            done = self.data_set(data, Role::Lends).and(done);
        }
        self.lending.pop();
        done
    }

    /// The column that `as = a.x` names.
    pub(super) fn taken_from(&mut self, argument: &Argument) -> Out<Taken> {
        let (expr, at) = (&argument.value, argument.value.span);
        let own = self.set().map_or(String::new(), |set| set.name.clone());
        let Some((set, part)) = parts(expr) else {
            let message = "`as` names a column of a `data` item, as whose this one is fitted";
            let shown = self.sources.text(at);
            let help = match &expr.kind {
                ExprKind::Name(_) => format!("write `as = {own}.{shown}`, with the name of its data set"),
                _ => "write `as = other.x`".to_string(),
            };
            return Err(self.report(Diagnostic::error("E0385", message, at, "this names none").help(help)));
        };
        let Some(data) = &self.data else { return Err(Reported) };
        let Some(place) = data.sets.iter().position(|own| own.name == set.text) else {
            let items = self.library.data_sets();
            let near = nearest(&set.text, items.iter().map(String::as_str));
            let message = format!("cannot find a data set `{}`", set.text);
            let error = Diagnostic::error("E0385", message, set.span, "`as` names a column of one");
            return Err(self.report(match near {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help("it is a `data` item of this file, or of one that it uses"),
            }));
        };
        let key = data.sets[place].source.key(&part.text);
        let columns = || data.columns.iter().enumerate().filter(|(_, column)| column.set == place);
        let Some((column, _)) = columns().find(|(_, column)| column.name == key) else {
            if self.wrong_columns.iter().any(|(own, name)| *own == place && name.text == part.text) {
                return Err(Reported);
            }
            let names: Vec<String> = columns().map(|(_, column)| format!("`{}`", column.name)).collect();
            let message = format!("`{}` has no column `{}`", set.text, part.text);
            let error = Diagnostic::error("E0385", message, part.span, "not found");
            return Err(self.report(error.help(format!("it has {}", names.join(", ")))));
        };
        Ok(Taken { column, shown: format!("{}.{}", set.text, part.text), at, count: 0 })
    }

    /// A call whose fitted values are those of another column.
    pub(super) fn taking(&mut self, taken: Taken, call: impl FnOnce(&mut Self) -> Out<Value>) -> Out<Value> {
        let around = self.taking.replace(taken);
        let value = call(self);
        let taken = std::mem::replace(&mut self.taking, around);
        if let (Ok(_), Some(Taken { count: 0, at, shown, .. })) = (&value, taken) {
            let message = format!("this call fits nothing, so that it can take nothing over from `{shown}`");
            let error = Diagnostic::error("E0386", message, at, "asked for here");
            return Err(self.report(error.help("leave `as` out")));
        }
        value
    }

    /// The next fitted value that a call takes over: that which the same function was fitted to in the other column.
    pub(super) fn taken_fit(&mut self, ty: &Type, span: Span) -> Option<Out<TermId>> {
        let taken = self.taking.as_mut()?;
        taken.count += 1;
        let taken = taken.clone();
        let function = self.calls.first().map_or(String::new(), |(_, name)| name.clone());
        // What is wrong is wrong where `as` stands, whatever the function does inside.
        let calls = std::mem::take(&mut self.calls);
        let fit = self.taken_fit_of(&function, &taken, (ty, span));
        self.calls = calls;
        fit
    }

    fn taken_fit_of(&mut self, function: &str, taken: &Taken, (ty, span): (&Type, Span)) -> Option<Out<TermId>> {
        let Taken { column, shown, at, count } = taken;
        let (column, at, count) = (*column, *at, count - 1);
        let data = self.data.as_ref()?;
        let name = data.columns.get(column)?;
        let set = &data.sets[name.set];
        let prefix = format!("{}.{}.", set.name, name.name.strip_prefix(&set.source.key("")).unwrap_or(&name.name));
        let own = data.fits.iter().enumerate().filter_map(|(at, fit)| {
            let rest = fit.name.strip_prefix(&prefix)?;
            let (call, name) = fit.of.as_ref()?;
            let is_it = rest.bytes().all(|byte| byte.is_ascii_digit()) && fit.whole.is_none() && name == function;
            is_it.then_some((at, *call, fit.value))
        });
        let own: Vec<(usize, Span, TermId)> = own.collect();
        let Some((place, first, value)) = own.get(count).copied() else {
            let message = match own.is_empty() {
                true => format!("`{shown}` is made without `{function}`, so that nothing of it is fitted so"),
                false => format!("`{function}` fits more here than in `{shown}`"),
            };
            let error =
                Diagnostic::error("E0386", message, at, format!("`{function}` takes its fitted values from there"));
            let made = self.terms.get(self.data.as_ref()?.columns[column].value).span;
            let own = !self.library.is_stdlib(made.source);
            let error = if own { error.label(made, "made here") } else { error };
            let help = format!("make both by one function: its fitted values are those of `{shown}`");
            return Some(Err(self.report(error.help(help))));
        };
        if let Some((_, other, _)) = own.iter().find(|(_, call, _)| *call != first) {
            let message = format!("`{shown}` is made by `{function}` twice, and which is meant is not clear");
            let error = Diagnostic::error("E0386", message, at, "taken over from there");
            let error = error.label(first, "this one");
            let help = "give each a column of its own there, and name that";
            return Some(Err(self.report(error.label(*other, "and this one").help(help))));
        }
        let there = self.ty(value).clone();
        if !there.agrees(ty) {
            let message = format!("`{function}` fits {there} in `{shown}`, and {ty} here");
            let error = Diagnostic::error("E0386", message, at, "taken over from there");
            let help = "a column that is fitted as another has as many numbers a row";
            return Some(Err(self.report(error.help(help))));
        }
        Some(Ok(self.leaf(Leaf::Fit(place), there, span)))
    }

    /// The classes that a call takes over, and whether the last of them stands for all others.
    pub(super) fn taken_classes(&mut self) -> Option<Out<(Vec<String>, bool, String)>> {
        let taken = self.taking.as_mut()?;
        taken.count += 1;
        let (shown, at, column) = (taken.shown.clone(), taken.at, taken.column);
        let data = self.data.as_ref()?;
        let raws = self.terms.leaves(&[data.columns[column].value]).into_iter();
        let raw = raws.filter_map(|leaf| if let Leaf::Raw(at) = leaf { data.raw.get(at) } else { None });
        let Some(raw) = raw.into_iter().find(|raw| raw.kind.is_class()) else {
            let message = format!("`{shown}` is made without classes of a column");
            return Some(Err(self.error("E0386", message, at, "its classes are asked for")));
        };
        let set = &data.sets[raw.set];
        let (source, name, has_unknown) = (set.source.clone(), raw.name.clone(), set.unknown.contains(&raw.name));
        let names = self.schemas.class_names(&source, &name)?;
        Some(Ok((names, has_unknown, shown)))
    }
}
