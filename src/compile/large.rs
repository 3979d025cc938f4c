//! A large intermediate that index notation asks for and nothing recognises is told with its size.

use crate::check::program::TypedProgram;
use crate::check::terms::{Kind, TermId, Terms};
use crate::check::types::Type;
use crate::diagnostic::Diagnostic;
use crate::ir::{Graph, NodeId, elements};
use crate::lower::program::{Phase, Program};
use crate::plan::{Limits, Precision, Region, Request, Residents, plan};
use std::collections::HashSet;

/// Bytes from which on an intermediate is worth a word.
const LARGE: usize = 64 << 20;
/// How many times as large it is as all that has a name.
const BEYOND: f64 = 4.0;

/// The largest thing of a step that is stored and that nothing in the text is as large as.
pub(super) fn find(program: &TypedProgram) -> Option<Diagnostic> {
    let rows = program.run.batch.map_or(program.data.rows()[0] as i64, |batch| batch as i64);
    let terms = &program.terms;
    let all = (0..terms.count()).map(|at| TermId(at as u32));
    let most = all.map(|id| held(terms, &terms.get(id).ty, rows)).fold(0.0, f64::max);
    if most * 4.0 < LARGE as f64 {
        return None;
    }
    let named = named(terms, rows);
    let lowered = super::lower(program).ok()?;
    let graph = lowered.graph.settle(&lowered.with_rows(rows as usize));
    let stored = |phase| stored(&lowered, &graph, phase);
    let (at, node, bytes) = (0..lowered.phases.len())
        .filter_map(|at| stored(&lowered.phases[at]).map(|(node, bytes)| (at, node, bytes)))
        .max_by_key(|(_, _, bytes)| *bytes)?;
    if ((bytes / 4) as f64) < BEYOND * named {
        return None;
    }
    let span = lowered.places.get(&node).copied().unwrap_or(program.minimized[at].span);
    let shape = lowered.graph.shape(node).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let size = match bytes >> 20 {
        mebibytes if mebibytes < 1024 => format!("{mebibytes} MiB"),
        mebibytes => format!("{:.1} GiB", mebibytes as f64 / 1024.0),
    };
    let message = format!("an intermediate of [{shape}] is stored, {size}: much more than all that has a name");
    let warning = Diagnostic::error("W0251", message, span, "this makes it");
    let help = "what is summed with two factors at a time, `sum(j: a[i, j] * b[j, k])`, is stored in no part; give parts that \
                need fewer indices a `let` of their own, or take fewer rows at a time by `batch`";
    Some(warning.help(help).warning())
}

/// The largest buffer of a step, and a node that has its size, best one that the text asks for.
fn stored(program: &Program, graph: &Graph, phase: &Phase) -> Option<(NodeId, usize)> {
    let roots: Vec<NodeId> =
        std::iter::once(phase.loss).chain(phase.gradients.iter().map(|(_, gradient)| *gradient)).collect();
    let count = |node: NodeId| elements(graph.shape(node)).settled().unwrap_or(0).max(0) as usize;
    let inputs = program.params.iter().map(|param| (param.input as u32, param.shape.iter().product()));
    let plan = plan(&Request {
        graph,
        stages: std::slice::from_ref(&roots),
        hosts: &program.host_inputs(),
        updates: &[],
        residents: &Residents::of(inputs),
        precision: Precision::Step,
        limits: Limits::default(),
    })
    .ok()?;
    let own = plan.buffers.iter().filter(|buffer| matches!(buffer.region, Region::Scratch) && !buffer.kept);
    let largest = own.filter(|buffer| buffer.bytes() >= LARGE).max_by_key(|buffer| buffer.len)?;
    let of_size: Vec<NodeId> = graph.needed(&roots).into_iter().filter(|node| count(*node) == largest.len).collect();
    let told = of_size.iter().find(|node| program.places.contains_key(node)).or(of_size.first())?;
    Some((*told, largest.bytes()))
}

/// How much the largest thing holds that has no open index, but for what only a sum reads.
fn named(terms: &Terms, rows: i64) -> f64 {
    let mut summed: HashSet<TermId> = HashSet::new();
    let mut open: Vec<TermId> = Vec::new();
    let ids = || (0..terms.count()).map(|at| TermId(at as u32));
    for id in ids() {
        if let Kind::Fold(_, of) = terms.get(id).kind {
            open.push(of);
        }
    }
    while let Some(id) = open.pop() {
        let parts = match &terms.get(id).kind {
            Kind::Spread(a, _) | Kind::Reshape(a) | Kind::Cast(a) => vec![*a],
            Kind::Scalar(_, parts) => parts.clone(),
            _ => continue,
        };
        if summed.insert(id) {
            open.extend(parts);
        }
    }
    let own = ids().filter(|id| terms.get(*id).ty.free.is_empty() && !summed.contains(id));
    own.map(|id| held(terms, &terms.get(id).ty, rows)).fold(0.0, f64::max)
}

fn held(terms: &Terms, ty: &Type, rows: i64) -> f64 {
    let number = |size: crate::ir::Size| size.with_rows(rows).settled().unwrap_or(1).max(1) as f64;
    let free = ty.free.iter().filter_map(|id| terms.size_of(*id)).map(number);
    free.chain(ty.sizes().into_iter().map(number)).product()
}
