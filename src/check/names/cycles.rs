//! E0206: `let`s and `fn`s that need themselves. A layer may call itself, where a settled `if` ends it.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{File, Item, ItemKind};
use std::collections::{HashMap, VecDeque};

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
    let read = read_back(edges.collect(), file.items.len());
    let mut told = vec![false; file.items.len()];
    let mut found = Vec::new();
    for start in 0..file.items.len() {
        if told[start] || read[start].is_empty() {
            continue;
        }
        let cycle = cycle_from(start, &read);
        cycle.iter().for_each(|edge| told[edge.from] = true);
        found.extend(diagnostic(file, &cycle));
    }
    found
}

/// The reads of each item, without those of items that read nothing further: no cycle goes through these.
fn read_back(edges: Vec<Edge>, items: usize) -> Vec<Vec<Edge>> {
    let mut readers = vec![Vec::new(); items];
    let mut reads = vec![0; items];
    for edge in &edges {
        readers[edge.to].push(edge.from);
        reads[edge.from] += 1;
    }
    let mut ends: Vec<usize> = (0..items).filter(|at| reads[*at] == 0).collect();
    while let Some(end) = ends.pop() {
        for reader in &readers[end] {
            reads[*reader] -= 1;
            if reads[*reader] == 0 {
                ends.push(*reader);
            }
        }
    }
    let mut left = vec![Vec::new(); items];
    edges.into_iter().filter(|edge| reads[edge.to] > 0).for_each(|edge| left[edge.from].push(edge));
    left
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
fn cycle_from(start: usize, reads: &[Vec<Edge>]) -> Vec<Edge> {
    let mut reached_by: HashMap<usize, Edge> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front().filter(|_| !reached_by.contains_key(&start)) {
        for edge in &reads[at] {
            reached_by.entry(edge.to).or_insert_with(|| {
                queue.push_back(edge.to);
                *edge
            });
        }
    }
    let mut back = Vec::new();
    let mut at = start;
    while let Some(edge) = reached_by.get(&at) {
        back.push(*edge);
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
