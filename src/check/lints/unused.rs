//! W0411: a name that nothing reads. What of a name is meant is not asked: any reading of that name, wherever it stands, counts. A
//! name that begins with `_` is meant to be so, and a file without a `train` is for others to use.

use crate::check::elaborate::setting;
use crate::diagnostic::Diagnostic;
use crate::syntax::tree::{Data, Expr, ExprKind, File, FnBody, ItemKind, Name, Statement, StatementKind, Target};
use crate::syntax::walk;
use std::collections::HashMap;

type Counts = HashMap<String, usize>;

pub fn find(file: &File) -> Vec<Diagnostic> {
    if !file.items.iter().any(|item| matches!(item.kind, ItemKind::Train(_))) {
        return Vec::new();
    }
    let mut all = Counts::new();
    let each: Vec<Counts> = file.items.iter().map(|item| reads(&item.kind)).collect();
    each.iter().flatten().for_each(|(name, count)| *all.entry(name.clone()).or_default() += count);
    let mut found: Vec<Diagnostic> = Vec::new();
    for (item, own) in file.items.iter().zip(&each).filter(|(item, _)| item.span.source == file.source) {
        let read = |name: &Name| all.get(&name.text).copied().unwrap_or(0);
        let elsewhere = |name: &Name| read(name) > own.get(&name.text).copied().unwrap_or(0);
        let mut unless = |is_read: bool, what: &str, name: &Name| {
            if !is_read {
                found.extend(unread(what, name));
            }
        };
        match &item.kind {
            ItemKind::Let(item) => unless(elsewhere(&item.name), "`let`", &item.name),
            ItemKind::Fn(function) => {
                unless(elsewhere(&function.name), "function", &function.name);
                if let FnBody::Block(statements) = &function.body {
                    body(statements, own, &mut found);
                }
            }
            ItemKind::Layer(layer) => {
                let what = if layer.is_model { "model" } else { "layer" };
                unless(elsewhere(&layer.name), what, &layer.name);
                body(&layer.body, own, &mut found);
            }
            ItemKind::Optimizer(optimizer) => {
                unless(elsewhere(&optimizer.name), "optimizer", &optimizer.name);
                body(&optimizer.body, own, &mut found);
            }
            ItemKind::Data(data) => {
                let is_used = elsewhere(&data.name);
                unless(is_used, "data set", &data.name);
                if is_used {
                    columns(data, file, &each, &mut found);
                }
            }
            ItemKind::Train(block) => body(&block.body, own, &mut found),
            ItemKind::Use(_) | ItemKind::Sweep(_) => {}
        }
    }
    found.into_iter().map(Diagnostic::warning).collect()
}

fn unread(what: &str, name: &Name) -> Option<Diagnostic> {
    let text = &name.text;
    if text.starts_with('_') {
        return None;
    }
    let warning = Diagnostic::error("W0411", format!("nothing reads the {what} `{text}`"), name.span, "not read");
    Some(warning.help(format!("leave it out; the name `_{text}` says that it is meant so")))
}

/// The names that an item reads, and how often.
fn reads(item: &ItemKind) -> Counts {
    let mut counts = Counts::new();
    walk::item(item, &mut |expr: &Expr| note(expr, &mut counts));
    let statements: &[Statement] = match item {
        ItemKind::Layer(layer) => &layer.body,
        ItemKind::Optimizer(optimizer) => &optimizer.body,
        ItemKind::Train(block) | ItemKind::Sweep(block) => &block.body,
        ItemKind::Data(_) | ItemKind::Let(_) | ItemKind::Fn(_) | ItemKind::Use(_) => &[],
    };
    for statement in statements {
        let mut add = |name: &Name| count(name, &mut counts);
        match &statement.kind {
            StatementKind::Minimize(minimize) => minimize.over.iter().for_each(add),
            StatementKind::Calibrate(_, _, by) => add(by),
            // A next value is one of the state; an axis of a sweep is one of the `let`.
            StatementKind::Assign(Target::One(name) | Target::Indexed(name, _), ..) => add(name),
            StatementKind::Assign(Target::Several(names), ..) => names.iter().for_each(add),
            _ => {}
        }
    }
    counts
}

/// A name with a prime may be one of its own, or the next value of a state, which is read with it.
fn count(name: &Name, counts: &mut Counts) {
    let of = name.text.trim_end_matches('\'');
    *counts.entry(of.to_string()).or_default() += 1;
    if of != name.text {
        *counts.entry(name.text.clone()).or_default() += 1;
    }
}

fn note(expr: &Expr, counts: &mut Counts) {
    let mut add = |name: &Name| count(name, counts);
    match &expr.kind {
        ExprKind::Name(name) | ExprKind::Field(_, name) => add(name),
        ExprKind::Index(_, subscripts) => {
            use crate::syntax::tree::Subscript;
            for subscript in subscripts {
                if let Subscript::Group(names, _) = subscript {
                    names.iter().for_each(|(name, _)| add(name));
                }
            }
        }
        _ => {}
    }
}

/// The `let` and `param` of a body.
fn body(statements: &[Statement], own: &Counts, found: &mut Vec<Diagnostic>) {
    let read = |name: &Name| own.contains_key(&name.text);
    for statement in statements {
        let (what, target) = match &statement.kind {
            StatementKind::Let(target, ..) => ("`let`", target),
            StatementKind::Param(target, ..) => ("`param`", target),
            _ => continue,
        };
        match target {
            Target::One(name) | Target::Indexed(name, _) if !read(name) => found.extend(unread(what, name)),
            // Of several results some may be wanted.
            Target::Several(names) if !names.iter().any(read) => {
                found.extend(names.first().and_then(|name| unread(what, name)));
            }
            Target::One(_) | Target::Indexed(..) | Target::Several(_) => {}
        }
    }
}

/// The columns and whole values of a data set that neither a training nor another column reads.
fn columns(data: &Data, file: &File, each: &[Counts], found: &mut Vec<Diagnostic>) {
    for (at, statement) in data.body.iter().enumerate() {
        let (what, name) = match &statement.kind {
            StatementKind::Assign(Target::One(name) | Target::Indexed(name, _), ..) => ("column", name),
            StatementKind::Let(Target::One(name) | Target::Indexed(name, _), ..) => ("`let`", name),
            _ => continue,
        };
        if setting(statement, "split").is_some() {
            continue;
        }
        let mut others = Counts::new();
        for (other, statement) in data.body.iter().enumerate() {
            if other != at {
                walk::expressions(statement, &mut |expr: &Expr| note(expr, &mut others));
            }
        }
        let trains = file.items.iter().zip(each).filter(|(item, _)| matches!(item.kind, ItemKind::Train(_)));
        let is_read =
            others.contains_key(&name.text) || trains.into_iter().any(|(_, counts)| counts.contains_key(&name.text));
        if !is_read {
            found.extend(unread(what, name));
        }
    }
}
