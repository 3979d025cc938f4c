//! E0202: a name that one scope declares twice, a setting that one block gives twice.

use super::scope::names_of;
use crate::diagnostic::Diagnostic;
use crate::syntax::tree::{File, FnBody, ItemKind, Name, Param, Statement, StatementKind};
use std::collections::HashMap;

pub fn check(file: &File) -> Vec<Diagnostic> {
    let mut found = doubled(file.items.iter().filter_map(|item| item.kind.name()));
    for item in &file.items {
        match &item.kind {
            ItemKind::Use(_) | ItemKind::Let(_) => {}
            ItemKind::Fn(function) => {
                found.extend(params(&function.params));
                match &function.body {
                    FnBody::Primitive | FnBody::Expr(_) => {}
                    FnBody::Block(body) => found.extend(of_body(body)),
                }
            }
            ItemKind::Layer(layer) => {
                found.extend(params(layer.hyper.iter().chain(&layer.inputs)));
                found.extend(of_body(&layer.body));
            }
            ItemKind::Optimizer(optimizer) => {
                found.extend(params(optimizer.hyper.iter().chain(&optimizer.input)));
                found.extend(doubled(optimizer.body.iter().flat_map(declared)));
            }
            ItemKind::Data(data) => {
                let names =
                    data.body.iter().flat_map(|statement| declared(statement).iter().chain(assigned(statement)));
                found.extend(doubled(names));
            }
            ItemKind::Train(train) => found.extend(block(&train.body)),
            ItemKind::Sweep(sweep) => found.extend(block(&sweep.body)),
        }
    }
    found
}

fn params<'a>(params: impl IntoIterator<Item = &'a Param>) -> Vec<Diagnostic> {
    doubled(params.into_iter().map(|param| &param.name))
}

/// Of a function or layer: it has one result.
fn of_body(body: &[Statement]) -> Vec<Diagnostic> {
    let mut found = doubled(body.iter().flat_map(declared));
    let mut outs = body.iter().filter(|statement| matches!(statement.kind, StatementKind::Out(_)));
    if let Some(first) = outs.next() {
        let second = |second: &Statement| {
            Diagnostic::error("E0202", "a body has one `out`", second.span, "the second").label(first.span, "the first")
        };
        found.extend(outs.map(second));
    }
    found
}

fn block(body: &[Statement]) -> Vec<Diagnostic> {
    let predicted = body.iter().filter_map(|statement| match &statement.kind {
        StatementKind::Predict(name, _) => Some(name),
        _ => None,
    });
    [doubled(body.iter().flat_map(declared)), doubled(body.iter().flat_map(assigned)), doubled(predicted)].concat()
}

fn declared(statement: &Statement) -> &[Name] {
    match &statement.kind {
        StatementKind::Let(target, ..) | StatementKind::Param(target, ..) | StatementKind::State(target, ..) => {
            names_of(target)
        }
        StatementKind::Calibrate(name, ..) => std::slice::from_ref(name),
        StatementKind::Assign(..)
        | StatementKind::Out(_)
        | StatementKind::Emit(..)
        | StatementKind::Minimize(_)
        | StatementKind::Report(..)
        | StatementKind::Predict(..)
        | StatementKind::Check(..) => &[],
    }
}

fn assigned(statement: &Statement) -> &[Name] {
    match &statement.kind {
        StatementKind::Assign(target, ..) => names_of(target),
        StatementKind::Let(..)
        | StatementKind::Param(..)
        | StatementKind::State(..)
        | StatementKind::Out(_)
        | StatementKind::Emit(..)
        | StatementKind::Minimize(_)
        | StatementKind::Report(..)
        | StatementKind::Predict(..)
        | StatementKind::Check(..)
        | StatementKind::Calibrate(..) => &[],
    }
}

/// Every name that came before, with the place where it did.
fn doubled<'a>(names: impl Iterator<Item = &'a Name>) -> Vec<Diagnostic> {
    let mut first: HashMap<&str, &Name> = HashMap::new();
    let mut found = Vec::new();
    for name in names {
        match first.get(name.text.as_str()) {
            None => {
                first.insert(&name.text, name);
            }
            Some(before) => {
                let message = format!("`{}` is declared twice", name.text);
                let error = Diagnostic::error("E0202", message, name.span, "the second time");
                found.push(error.label(before.span, "the first time"));
            }
        }
    }
    found
}
