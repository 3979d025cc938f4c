//! W0460: a name of a `train` block that is also a column's or an item's, or a column that is also an item. The nearer one is read:
//! the block's, then the column's, then the file's. Names of the library are one's own to take, for it grows.

use crate::check::elaborate::setting;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{Block, ExprKind, File, ItemKind, Name, Statement, StatementKind, Target};
use std::collections::HashMap;

/// What has a name, and where.
type Named<'f> = HashMap<&'f str, (&'static str, Span)>;

pub fn find(file: &File) -> Vec<Diagnostic> {
    let items: Named = file.items.iter().filter_map(|item| named(&item.kind)).collect();
    let mut found: Vec<Diagnostic> = Vec::new();
    for item in file.items.iter().filter(|item| item.span.source == file.source) {
        let ItemKind::Train(block) = &item.kind else { continue };
        let mut hidden = items.clone();
        let columns = columns(block, file);
        for name in &columns {
            found.extend(shadows("column", name, &hidden));
        }
        hidden.extend(columns.iter().map(|name| (name.text.as_str(), ("column", name.span))));
        for (what, name) in block.body.iter().flat_map(own) {
            found.extend(shadows(what, name, &hidden));
        }
    }
    // A column that several blocks read is told once.
    found.sort_by_key(|warning| warning.labels[0].span.start);
    found.dedup_by_key(|warning| warning.labels[0].span.start);
    found
}

fn named(item: &ItemKind) -> Option<(&str, (&'static str, Span))> {
    let (name, what) = match item {
        ItemKind::Let(item) => (&item.name, "`let`"),
        ItemKind::Fn(function) => (&function.name, "function"),
        ItemKind::Layer(layer) => (&layer.name, if layer.is_model { "model" } else { "layer" }),
        ItemKind::Optimizer(optimizer) => (&optimizer.name, "optimizer"),
        ItemKind::Data(data) => (&data.name, "data set"),
        ItemKind::Train(_) | ItemKind::Sweep(_) | ItemKind::Use(_) => return None,
    };
    Some((&name.text, (what, name.span)))
}

/// The columns of the data set that a block names.
fn columns<'f>(block: &Block, file: &'f File) -> Vec<&'f Name> {
    let data = block.body.iter().find_map(|statement| setting(statement, "data"));
    let Some(ExprKind::Name(wanted)) = data.map(|data| &data.kind) else { return Vec::new() };
    let data = file.items.iter().find_map(|item| match &item.kind {
        ItemKind::Data(data) if data.name.text == wanted.text => Some(data),
        _ => None,
    });
    let columns = data.into_iter().flat_map(|data| &data.body).filter(|line| setting(line, "split").is_none());
    columns
        .flat_map(|statement| match &statement.kind {
            StatementKind::Assign(target, ..) | StatementKind::Let(target, ..) => names(target),
            _ => Vec::new(),
        })
        .collect()
}

/// What a statement of a block gives a name to.
fn own(statement: &Statement) -> Vec<(&'static str, &Name)> {
    let (what, target) = match &statement.kind {
        StatementKind::Let(target, ..) => ("`let`", target),
        StatementKind::Param(target, ..) => ("`param`", target),
        StatementKind::State(target, ..) => ("`state`", target),
        _ => return Vec::new(),
    };
    names(target).into_iter().map(|name| (what, name)).collect()
}

fn names(target: &Target) -> Vec<&Name> {
    match target {
        Target::One(name) | Target::Indexed(name, _) => vec![name],
        Target::Several(names) => names.iter().collect(),
    }
}

fn shadows(what: &str, name: &Name, hidden: &Named) -> Option<Diagnostic> {
    let (other, place) = hidden.get(name.text.as_str()).filter(|(_, place)| *place != name.span)?;
    let message = format!("the {what} `{}` hides the {other} of that name", name.text);
    let warning = Diagnostic::error("W0460", message, name.span, "this one is read in the `train` block");
    let warning = warning.label(*place, format!("this {other} is not"));
    Some(warning.help("give one of them another name").warning())
}
