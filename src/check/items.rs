//! Which items a file has.

use super::elaborate::{fitted_as, setting};
use crate::syntax::tree::{Block, Data, ExprKind, File, Item, ItemKind};

/// The names of all `train` blocks.
pub fn trains(file: &File) -> Vec<String> {
    let named = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Train(block) => Some(name_of(block).to_string()),
        _ => None,
    });
    named.collect()
}

pub fn name_of(block: &Block) -> &str {
    block.name.as_ref().map_or("train", |name| &name.text)
}

/// The names of all `let` items.
pub fn lets(items: &[Item]) -> Vec<String> {
    let named = items.iter().filter_map(|item| match &item.kind {
        ItemKind::Let(declared) => Some(declared.name.text.clone()),
        _ => None,
    });
    named.collect()
}

/// The `data` items that no `train` block names.
pub fn unused_data(file: &File) -> Vec<&Data> {
    let mut used: Vec<&str> = Vec::new();
    for item in &file.items {
        if let ItemKind::Train(block) = &item.kind {
            let named = block.body.iter().filter_map(|statement| setting(statement, "data"));
            let parts = named.flat_map(|expr| match &expr.kind {
                ExprKind::List(parts) => parts.iter().collect(),
                _ => vec![expr],
            });
            used.extend(parts.filter_map(|expr| match &expr.kind {
                ExprKind::Name(name) => Some(name.text.as_str()),
                _ => None,
            }));
        }
    }
    let all = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Data(data) => Some(data),
        _ => None,
    });
    let data: Vec<&Data> = all.collect();
    // What others are fitted as is used where they are.
    let mut known = 0;
    while known < used.len() {
        let own = data.iter().filter(|data| data.name.text == used[known]);
        let lend = own.flat_map(|data| fitted_as(data));
        let lend = lend.filter_map(|name| Some(data.iter().find(|data| data.name.text == name)?.name.text.as_str()));
        let lend: Vec<&str> = lend.collect();
        lend.into_iter().for_each(|name| {
            if !used.contains(&name) {
                used.push(name)
            }
        });
        known += 1;
    }
    data.into_iter().filter(|data| !used.contains(&data.name.text.as_str())).collect()
}
