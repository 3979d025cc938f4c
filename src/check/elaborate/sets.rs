//! The data sets that a `train` block reads: `data = a`, or several, `data = [a, b]`, whose columns are parts of their sets, `a.x`.

use super::train::Statements;
use super::watched::SPLITS;
use super::{Elaborator, Out, ROWS, Reported};
use crate::check::data::Data;
use crate::check::program::Report;
use crate::check::terms::{Leaf, TermId, Terms};
use crate::check::types::Axis;
use crate::check::value::{Bound, Scope, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::tree::{self, Expr, ExprKind, ItemKind, Name};
use crate::syntax::walk;
use std::collections::HashMap;
use std::rc::Rc;

/// What a data set is for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Only,
    /// One of several.
    Listed,
    /// None of them: a column of one of them is fitted as one of its.
    Lends,
}

/// The names that one of several data sets has in a block.
pub(super) struct Parts {
    /// Where the block names the set.
    pub named: Span,
    names: Vec<(String, Bound)>,
}

impl Elaborator<'_> {
    /// Checks the data sets that `data = …` names.
    pub(super) fn named_data(&mut self, expr: &Expr) -> Out<()> {
        let ExprKind::List(all) = &expr.kind else {
            self.named_sets = HashMap::new();
            return self.named_set(expr, Role::Only);
        };
        if all.is_empty() {
            let error = Diagnostic::error("E0380", "`data` names no data set", expr.span, "an empty list");
            return Err(self.report(error.help("name some, `data = [a, b]`, or leave `data` out")));
        }
        let mut known: HashMap<&str, Span> = HashMap::new();
        let mut done = Ok(());
        let name =
            |set: &Expr| if let ExprKind::Name(name) = &set.kind { Some((name.text.clone(), set.span)) } else { None };
        self.named_sets = all.iter().rev().filter_map(name).collect();
        for set in all {
            if let ExprKind::Name(name) = &set.kind
                && let Some(first) = known.insert(&name.text, set.span)
            {
                let message = format!("the data set `{}` is named twice", name.text);
                let error = Diagnostic::error("E0380", message, set.span, "here again").label(first, "named here");
                let help =
                    "a set gives its rows once a step; two splits or transforms of one file are two `data` items";
                done = Err(self.report(error.help(help)));
                continue;
            }
            done = self.named_set(set, Role::Listed).and(done);
        }
        done
    }

    fn named_set(&mut self, expr: &Expr, role: Role) -> Out<()> {
        if let ExprKind::Name(name) = &expr.kind {
            let Some(item) = self.library.own(&name.text) else {
                return self.name(name, expr.span, &Scope::default()).map(|_| ()).and(Err(Reported));
            };
            if let ItemKind::Data(data) = &item.kind {
                let known = self.data.as_ref().is_some_and(|all| all.sets.iter().any(|set| set.name == name.text));
                // One that another is fitted as was checked before it.
                return if known { Ok(()) } else { self.data_set(data, role) };
            }
        }
        let error = Diagnostic::error("E0211", "`data` names a `data` item", expr.span, "this is none");
        Err(self.report(error))
    }

    /// What the data sets give the block: columns and whole values by their names, and `n`, the rows of a batch; where sets are
    /// listed, as parts of their sets.
    pub(super) fn bind_sets(&mut self, block: Span, scope: &mut Scope) {
        let Some(data) = &self.data else { return };
        let listed = data.listed;
        let names: Vec<(String, bool)> = data.sets.iter().map(|set| (set.name.clone(), set.lends)).collect();
        self.set_parts = Vec::new();
        for (at, (name, lends)) in names.into_iter().enumerate() {
            let named = self.named_sets.get(&name).copied().unwrap_or(block);
            if lends {
                self.set_parts.push(Parts { named, names: Vec::new() });
                continue;
            }
            let names = self.names_of_set(at, named);
            if listed {
                self.set_parts.push(Parts { named, names });
                scope.insert(&name, self.bound(Value::Set(at), named));
            } else {
                names.into_iter().for_each(|(name, bound)| scope.insert(&name, bound));
            }
        }
        self.wrong_columns.clear();
    }

    /// Whole values before columns, and `n` where nothing else is called so.
    fn names_of_set(&mut self, at: usize, place: Span) -> Vec<(String, Bound)> {
        let own = self.wholes.iter().filter(|(set, ..)| *set == at);
        let mut names: Vec<(String, Bound)> = own.map(|(_, name, bound)| (name.clone(), bound.clone())).collect();
        let wrong = self.wrong_columns.iter().filter(|(set, _)| *set == at);
        names.extend(wrong.map(|(_, name)| (name.text.clone(), self.bound(Value::Wrong, name.span))));
        let Some(data) = &self.data else { return names };
        let Some(set) = data.sets.get(at) else { return names };
        let (prefix, symbol) = (set.source.key(""), set.symbol.clone());
        let columns = data.columns.iter().enumerate().filter(|(_, column)| column.set == at);
        let part = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_string();
        let columns: Vec<_> = columns.map(|(place, column)| (place, part(&column.name), column.value)).collect();
        for (place, name, value) in columns {
            let (ty, span) = (self.ty(value).clone(), self.terms.get(value).span);
            let leaf = self.leaf(Leaf::Column(place), ty, span);
            names.push((name, self.bound(Value::Tensor(leaf), span)));
        }
        if !names.iter().any(|(name, _)| name == ROWS) {
            let rows = Axis::new(Size::symbol(symbol), place, "is the rows of a batch");
            names.push((ROWS.to_string(), self.bound(Value::Size(rows), place)));
        }
        names
    }

    /// `a.x`, of one of several data sets.
    pub(super) fn part_of_set(&mut self, set: usize, part: &Name, base: Span) -> Out<Value> {
        let parts = self.set_parts.get(set).ok_or(Reported)?;
        if let Some((_, bound)) = parts.names.iter().rev().find(|(name, _)| *name == part.text) {
            return match &bound.value {
                Value::Wrong => Err(Reported),
                value => Ok(self.at_its_place(value.clone(), part.span)),
            };
        }
        let near = nearest(&part.text, parts.names.iter().map(|(name, _)| name.as_str()));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let names: Vec<String> = parts.names.iter().map(|(name, _)| format!("`{name}`")).collect();
                format!("it has {}", names.join(", "))
            }
        };
        let set = self.data.as_ref().and_then(|data| data.sets.get(set)).map_or("", |set| &set.name);
        let message = format!("the data set `{set}` has no column `{}`", part.text);
        let error = Diagnostic::error("E0381", message, part.span, "not found").label(base, "of this data set");
        Err(self.report(error.help(help)))
    }

    /// A name that is a column of one of several data sets, read without its set.
    pub(super) fn part_without_set(&mut self, name: &Name) -> Option<Reported> {
        let data = self.data.as_ref().filter(|data| data.listed)?;
        let has = |parts: &&Parts| parts.names.iter().any(|(known, _)| *known == name.text);
        let own: Vec<(&str, Span)> = data
            .sets
            .iter()
            .zip(&self.set_parts)
            .filter(|(_, parts)| has(parts))
            .map(|(set, parts)| (set.name.as_str(), parts.named))
            .collect();
        let (message, help) = match &own[..] {
            [] => return None,
            [(set, _)] => {
                let message = format!("`{}` is a column of the data set `{set}`", name.text);
                (message, format!("where sets are listed a column is a part of its set: `{set}.{}`", name.text))
            }
            several => {
                let whose: Vec<String> = several.iter().map(|(set, _)| format!("`{set}.{}`", name.text)).collect();
                let message = format!("`{}` is a name in {} data sets", name.text, several.len());
                (message, format!("say which is meant: {}", whose.join(" or ")))
            }
        };
        let mut error = Diagnostic::error("E0381", message, name.span, "of which data set?");
        for (_, named) in &own {
            error = error.label(*named, "this has it");
        }
        Some(self.report(error.help(help)))
    }

    /// `c.x` of a data set that the block does not name, or in the block of another data set.
    pub(super) fn part_of_other_set(&mut self, item: &Rc<tree::Item>, part: &Name, base: Span) -> Option<Reported> {
        let ItemKind::Data(other) = &item.kind else { return None };
        if self.open.is_some() {
            let (name, part) = (&other.name.text, &part.text);
            let message = format!("the rows of `{name}` are not those of this data set");
            let error = Diagnostic::error("E0382", message, base, "another data set");
            let help = format!("what was fitted there is taken over by `as`: `standardize(x, as = {name}.{part})`");
            return Some(self.report(error.help(help)));
        }
        let data = self.data.as_ref()?;
        let own = data.sets.iter().filter(|set| !set.lends && !set.name.is_empty());
        let names: Vec<&str> = own.map(|set| set.name.as_str()).collect();
        let name = &other.name.text;
        let (message, help) = match &names[..] {
            [own] if own == name => (
                format!("the columns of `{name}` are read by their names"),
                format!("write `{}`; a column is a part of its set where `data` lists several, `[a, b]`", part.text),
            ),
            _ => (
                format!("the data set `{name}` is none of those of this training"),
                format!("name it: `data = [{}]`", [&names[..], &[name]].concat().join(", ")),
            ),
        };
        let mut error = Diagnostic::error("E0382", message, base, "its rows are not read here");
        let mut named: Vec<Span> = self.named_sets.values().copied().collect();
        named.sort_unstable_by_key(|place| place.start);
        for place in named {
            error = error.label(place, "these rows are");
        }
        Some(self.report(error.help(help)))
    }

    /// What a setting watches is known on its split: each data set that it reads has rows there.
    pub(super) fn is_known_on_its_split(&mut self, expr: &Expr, name: &str, shown: &Statements) -> Out<()> {
        let minimized = shown.minimized.iter().map(|term| (term.name.as_deref(), term.loss)).collect();
        let Some(data) = &self.data else { return Err(Reported) };
        let figures = Figures { data, terms: &self.terms, minimized, reports: &shown.reports };
        let Some((error, set)) = figures.unknown(expr, name) else { return Ok(()) };
        let error = match self.named_sets.get(&set) {
            Some(named) => error.label(*named, "without rows there"),
            None => error,
        };
        Err(self.report(error))
    }

    /// A prediction is made for each row of one data set, of that row alone; all of a block are of one set.
    pub(super) fn predicts_one_set(&mut self, predictions: &[Report]) -> Out<()> {
        let Some(data) = &self.data else { return Err(Reported) };
        let of = |report: &Report| data.set_of(&self.ty(report.value).axes.first()?.size);
        let Some((first, own)) = predictions.first().and_then(|first| Some((first, of(first)?))) else { return Ok(()) };
        for prediction in predictions {
            let read = data.sets_of(&self.terms, &[prediction.value]);
            let Some(other) = read.into_iter().chain(of(prediction)).find(|set| *set != own) else { continue };
            let (name, own, other) = (&prediction.name, &data.sets[own].name, &data.sets[other].name);
            let message = match prediction.name == first.name {
                true => format!("`predict {name}` is for new rows of `{own}`, and reads `{other}`"),
                false => {
                    format!("`predict {}` is for new rows of `{own}`, and `predict {name}` reads `{other}`", first.name)
                }
            };
            let (at, first) = (self.terms.get(prediction.value).span, self.terms.get(first.value).span);
            let mut error = Diagnostic::error("E0384", message, at, format!("this reads `{other}`"));
            if first != at {
                error = error.label(first, format!("a value for each row of `{own}`"));
            }
            let help = "`mlx predict` is given rows of one data set; keep a value of another by `calibrate`, or predict in a block of its own";
            return Err(self.report(error.help(help)));
        }
        Ok(())
    }
}

/// What the figures of a training are computed of.
pub(super) struct Figures<'p> {
    pub data: &'p Data,
    pub terms: &'p Terms,
    /// Losses, with the names of those that have one.
    pub minimized: Vec<(Option<&'p str>, TermId)>,
    pub reports: &'p [Report],
}

impl Figures<'_> {
    /// What is wrong with a figure that is watched on a split in which a data set that it reads has no rows, and that set.
    pub fn unknown(&self, expr: &Expr, name: &str) -> Option<(Diagnostic, String)> {
        let mut watched: Vec<(Name, Name)> = Vec::new();
        walk::expression(expr, &mut |part| {
            if let ExprKind::Field(split, figure) = &part.kind
                && let ExprKind::Name(split) = &split.kind
            {
                watched.push((split.clone(), figure.clone()));
            }
        });
        for (split, figure) in watched {
            let Some(at) = SPLITS.iter().position(|known| *known == split.text) else { continue };
            let minimized = self.minimized.iter();
            let minimized = minimized.filter(|(name, _)| figure.text == "loss" || *name == Some(figure.text.as_str()));
            let reports = self.reports.iter().filter(|report| report.name == figure.text);
            let terms: Vec<TermId> =
                minimized.map(|(_, loss)| *loss).chain(reports.map(|report| report.value)).collect();
            // Where no set has any, that is said already.
            if self.data.rows()[at] == 0 {
                continue;
            }
            let read = self.data.sets_of(self.terms, &terms);
            let Some(empty) = read.into_iter().find(|set| self.data.sets[*set].rows[at] == 0) else { continue };
            let set = &self.data.sets[empty].name;
            let message = format!(
                "`{name}` watches `{}.{}`, which reads the data set `{set}`, and that has no rows in `{}`",
                split.text, figure.text, split.text
            );
            let help =
                format!("give `{set}` some, or watch a figure of the sets that have: a report, or a named `minimize`");
            let error = Diagnostic::error("E0383", message, figure.span, "not known on this split");
            return Some((error.help(help), set.clone()));
        }
        None
    }
}
