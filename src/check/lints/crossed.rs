//! W0451: two inputs that are given what the names of each other say: `net(t, x)` of a layer with inputs `x, t`.

use crate::check::elaborate::setting;
use crate::diagnostic::Diagnostic;
use crate::syntax::tree::{Argument, Expr, ExprKind, File, Item, ItemKind, Name, Param, Statement};
use crate::syntax::walk;
use std::collections::HashSet;

pub fn find(file: &File) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for item in file.items.iter().filter(|item| item.span.source == file.source) {
        let model = model_of(item, file);
        walk::item(&item.kind, &mut |expr: &Expr| {
            if let ExprKind::Call(callee, arguments) = &expr.kind {
                let inputs = inputs(callee, file, model);
                found.extend(inputs.and_then(|inputs| crossed(inputs, arguments, expr)).map(Diagnostic::warning));
            }
        });
    }
    found
}

/// The inputs of the `model` of a `train`.
fn model_of<'f>(item: &Item, file: &'f File) -> Option<&'f [Param]> {
    let ItemKind::Train(block) = &item.kind else { return None };
    let named = |expr: &Expr| match &expr.kind {
        ExprKind::Name(name) => Some(name.text.clone()),
        ExprKind::Call(callee, _) => match &callee.kind {
            ExprKind::Name(name) => Some(name.text.clone()),
            _ => None,
        },
        _ => None,
    };
    let value = block.body.iter().find_map(|statement: &Statement| setting(statement, "model"))?;
    let name = named(value)?;
    layer(file, &name).map(|(_, inputs)| inputs)
}

/// Hyperparameters and inputs of a layer.
fn layer<'f>(file: &'f File, name: &str) -> Option<(&'f [Param], &'f [Param])> {
    file.items.iter().find_map(|item| match &item.kind {
        ItemKind::Layer(layer) if layer.name.text == name => Some((&layer.hyper[..], &layer.inputs[..])),
        _ => None,
    })
}

/// What a call gives values to, if it is of the file.
fn inputs<'f>(callee: &Expr, file: &'f File, model: Option<&'f [Param]>) -> Option<&'f [Param]> {
    match &callee.kind {
        ExprKind::Name(name) if name.text == "model" && model.is_some() => model,
        ExprKind::Name(name) => {
            let function = file.items.iter().find_map(|item| match &item.kind {
                ItemKind::Fn(function) if function.name.text == name.text => Some(&function.params[..]),
                _ => None,
            });
            function.or_else(|| layer(file, &name.text).filter(|(hyper, _)| hyper.is_empty()).map(|(_, inputs)| inputs))
        }
        ExprKind::Call(recipe, _) => match &recipe.kind {
            ExprKind::Name(name) => {
                layer(file, &name.text).filter(|(hyper, _)| !hyper.is_empty()).map(|(_, inputs)| inputs)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Two arguments without names, each of which reads the other's name and not its own.
fn crossed(inputs: &[Param], arguments: &[Argument], call: &Expr) -> Option<Diagnostic> {
    if arguments.len() != inputs.len() || arguments.iter().any(|argument| argument.name.is_some()) {
        return None;
    }
    let read: Vec<HashSet<&str>> = arguments.iter().map(|argument| names(&argument.value)).collect();
    for (first, one) in inputs.iter().enumerate() {
        for (second, other) in inputs.iter().enumerate().skip(first + 1) {
            let (a, b): (&Name, &Name) = (&one.name, &other.name);
            let only = |at: usize, wanted: &Name, not: &Name| {
                read[at].contains(wanted.text.as_str()) && !read[at].contains(not.text.as_str())
            };
            if only(first, b, a) && only(second, a, b) {
                let message = format!("`{}` and `{}` are given what is called by the other's name", a.text, b.text);
                let places = [(&arguments[first].value, a), (&arguments[second].value, b)];
                let warning = Diagnostic::error("W0451", message, call.span, "the order of its inputs is another");
                let warning = places.iter().fold(warning, |warning, (value, name)| {
                    warning.label(value.span, format!("this is given to `{}`", name.text))
                });
                return Some(warning.help("let them change places, or name them otherwise"));
            }
        }
    }
    None
}

/// The names that an expression reads, but for what it calls.
fn names(expr: &Expr) -> HashSet<&str> {
    let mut all = HashSet::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match &expr.kind {
            ExprKind::Name(name) => drop(all.insert(name.text.as_str())),
            ExprKind::Call(_, arguments) => open.extend(arguments.iter().map(|argument| &argument.value)),
            _ => open.extend(walk::parts(expr)),
        }
    }
    all
}
