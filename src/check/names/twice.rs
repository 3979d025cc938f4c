//! E0202: a name declared twice in one scope, a setting given twice.

use super::scope::{item_name, names_of};
use crate::check::walk;
use crate::diagnostic::Diagnostic;
use crate::syntax::tree::{Argument, ExprKind, File, ItemKind, Name, Param, Statement, StatementKind};
use std::collections::HashMap;

pub fn check(file: &File) -> Vec<Diagnostic> {
    let mut found = pairs(file.items.iter().filter_map(item_name), DECLARED);
    for item in &file.items {
        match &item.kind {
            ItemKind::Use(_) | ItemKind::Let(_) => {}
            ItemKind::Fn(function) => found.extend(params(&function.params)),
            ItemKind::Layer(layer) => found.extend(params(layer.hyper.iter().chain(&layer.inputs))),
            ItemKind::Optimizer(optimizer) => found.extend(params(optimizer.hyper.iter().chain(&optimizer.input))),
            ItemKind::Data(_) | ItemKind::Train(_) | ItemKind::Sweep(_) => {}
        }
    }
    for body in walk::bodies(file) {
        found.extend(pairs(body.iter().flat_map(declared), DECLARED));
        found.extend(pairs(body.iter().flat_map(assigned), GIVEN));
    }
    walk::expressions(file, &mut |expr| {
        if let ExprKind::Call(_, arguments) = &expr.kind {
            found.extend(settings(arguments));
        }
    });
    found
}

const DECLARED: &str = "declared";
const GIVEN: &str = "given";

fn params<'a>(params: impl IntoIterator<Item = &'a Param>) -> Vec<Diagnostic> {
    pairs(params.into_iter().map(|param| &param.name), DECLARED)
}

fn settings(arguments: &[Argument]) -> Vec<Diagnostic> {
    pairs(arguments.iter().filter_map(|argument| argument.name.as_ref()), GIVEN)
}

fn declared(statement: &Statement) -> &[Name] {
    match &statement.kind {
        StatementKind::Let(target, ..) | StatementKind::Param(target, ..) | StatementKind::State(target, ..) => {
            names_of(target)
        }
        StatementKind::Assign(..)
        | StatementKind::Out(_)
        | StatementKind::Emit(..)
        | StatementKind::Minimize(_)
        | StatementKind::Report(..)
        | StatementKind::Predict(..)
        | StatementKind::Calibrate(..) => &[],
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
        | StatementKind::Calibrate(..) => &[],
    }
}

/// Every name that came before, with the place where it did. `_` is a name for what nobody reads.
fn pairs<'a>(names: impl Iterator<Item = &'a Name>, how: &str) -> Vec<Diagnostic> {
    let mut first: HashMap<&str, &Name> = HashMap::new();
    let mut found = Vec::new();
    for name in names.filter(|name| name.text != "_") {
        match first.get(name.text.as_str()) {
            None => {
                first.insert(&name.text, name);
            }
            Some(before) => found.push(
                Diagnostic::error(
                    "E0202",
                    format!("`{}` is {how} twice", name.text),
                    name.span,
                    format!("{how} again"),
                )
                .label(before.span, format!("first {how} here"))
                .help(if how == GIVEN { "keep one of them" } else { "rename one of them" }),
            ),
        }
    }
    found
}
