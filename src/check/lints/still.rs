//! W0446: a `state` of a layer without a next value: a number under another name.

use crate::diagnostic::Diagnostic;
use crate::syntax::tree::{File, Init, ItemKind, Name, Statement, StatementKind, Target};

pub fn find(file: &File) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for item in file.items.iter().filter(|item| item.span.source == file.source) {
        if let ItemKind::Layer(layer) = &item.kind {
            found.extend(
                states(&layer.body).filter(|name| !has_next(&layer.body, name)).map(|name| still(name).warning()),
            );
        }
    }
    found
}

/// States that start at a value; one that is drawn may be meant to stay.
fn states(body: &[Statement]) -> impl Iterator<Item = &Name> {
    body.iter().filter_map(|statement| match &statement.kind {
        StatementKind::State(Target::One(name), _, Init::Value(_)) => Some(name),
        _ => None,
    })
}

fn has_next(body: &[Statement], state: &Name) -> bool {
    let next = format!("{}'", state.text);
    body.iter().any(|statement| match &statement.kind {
        StatementKind::Assign(Target::One(name) | Target::Indexed(name, _), ..) => name.text == next,
        StatementKind::Assign(Target::Several(names), ..) => names.iter().any(|name| name.text == next),
        _ => false,
    })
}

fn still(name: &Name) -> Diagnostic {
    let text = &name.text;
    let message = format!("the state `{text}` has no next value, and stays as it starts");
    let help = format!("say what it is after a step, `{text}' = …`, or write a `let`");
    Diagnostic::error("W0446", message, name.span, "nothing moves it").help(help)
}
