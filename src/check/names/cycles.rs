//! E0206: `let`s and `fn`s that depend on themselves. A layer may call itself, where an `if` of constants ends it.

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
    let edges = edges.iter().copied().filter(|edge| counts(edge.from) && counts(edge.to));
    let edges = of_cycles(edges.collect(), file.items.len());
    let mut from: Vec<Vec<Edge>> = vec![Vec::new(); file.items.len()];
    edges.iter().for_each(|edge| from[edge.from].push(*edge));
    let mut told = vec![false; file.items.len()];
    let mut found = Vec::new();
    for start in 0..file.items.len() {
        if told[start] || from[start].is_empty() {
            continue;
        }
        let cycle = cycle_from(start, &from);
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

/// Without the items that no cycle goes through because they need nothing that is left, one after another.
fn of_cycles(edges: Vec<Edge>, items: usize) -> Vec<Edge> {
    let mut needs = vec![0; items];
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); items];
    for edge in &edges {
        needs[edge.from] += 1;
        needed_by[edge.to].push(edge.from);
    }
    let mut open: Vec<usize> = (0..items).filter(|at| needs[*at] == 0).collect();
    while let Some(at) = open.pop() {
        for other in &needed_by[at] {
            needs[*other] -= 1;
            if needs[*other] == 0 {
                open.push(*other);
            }
        }
    }
    edges.into_iter().filter(|edge| needs[edge.from] > 0 && needs[edge.to] > 0).collect()
}

/// The fewest reads that lead from an item back to itself; none where nothing does. Of each item, its own reads.
fn cycle_from(start: usize, from: &[Vec<Edge>]) -> Vec<Edge> {
    let mut reached_by: Vec<Option<Edge>> = vec![None; from.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for edge in &from[at] {
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
    let error =
        Diagnostic::error("E0206", format!("`{}` depends on itself", start.text), start.span, "this depends on …");
    let needed = |edge: &Edge| format!("… `{}` is needed", name(edge.to).map_or("", |name| &name.text));
    Some(cycle.iter().fold(error, |error, edge| error.label(edge.at, needed(edge))))
}
