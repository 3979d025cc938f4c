//! E0206: `let`s and `fn`s that need themselves. A layer may call itself, where a settled `if` ends it.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{File, Item, ItemKind};

/// An item reads another.
#[derive(Clone, Copy)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub at: Span,
}

/// One diagnostic a cycle, at its first item.
pub fn check(file: &File, edges: &[Edge]) -> Vec<Diagnostic> {
    let counts = |at: usize| file.items.get(at).is_some_and(may_not_repeat);
    let edges: Vec<Edge> = edges.iter().copied().filter(|edge| counts(edge.from) && counts(edge.to)).collect();
    let mut told = vec![false; file.items.len()];
    let mut found = Vec::new();
    for start in 0..file.items.len() {
        if told[start] {
            continue;
        }
        let cycle = cycle_from(start, &edges, file.items.len());
        cycle.iter().for_each(|edge| told[edge.from] = true);
        found.extend(diagnostic(file, &cycle));
    }
    found
}

fn may_not_repeat(item: &Item) -> bool {
    match item.kind {
        ItemKind::Let(_) | ItemKind::Fn(_) => true,
        ItemKind::Use(_)
        | ItemKind::Layer(_)
        | ItemKind::Optimizer(_)
        | ItemKind::Data(_)
        | ItemKind::Train(_)
        | ItemKind::Sweep(_) => false,
    }
}

/// The fewest reads that lead from an item back to itself; none where nothing does.
fn cycle_from(start: usize, edges: &[Edge], items: usize) -> Vec<Edge> {
    let mut reached_by: Vec<Option<Edge>> = vec![None; items];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for edge in edges.iter().filter(|edge| edge.from == at) {
            if reached_by[edge.to].is_none() {
                reached_by[edge.to] = Some(*edge);
                queue.push_back(edge.to);
            }
        }
    }
    let mut back = Vec::new();
    let mut at = start;
    while let Some(edge) = reached_by[at] {
        back.push(edge);
        at = edge.from;
        if at == start {
            back.reverse();
            return back;
        }
    }
    Vec::new()
}

fn diagnostic(file: &File, cycle: &[Edge]) -> Option<Diagnostic> {
    let name = |at: usize| file.items[at].kind.name();
    let start = name(cycle.first()?.from)?;
    let error = Diagnostic::error("E0206", format!("`{}` needs itself", start.text), start.span, "to know this …");
    let needed = |edge: &Edge| format!("… `{}` is needed", name(edge.to).map_or("", |name| &name.text));
    Some(cycle.iter().fold(error, |error, edge| error.label(edge.at, needed(edge))))
}
