//! What cannot be computed, shown where it is written.

use super::driver::Failure;
use crate::diagnostic::Diagnostic;
use crate::ir::{DType, NodeId, Op, Reduce};
use crate::lower::program::Program;
use crate::source::{SourceId, Span};
use std::collections::{HashMap, HashSet};

/// A fault of a kernel with these nodes.
pub(super) fn told(message: String, nodes: &[NodeId], program: &Program) -> Failure {
    let readers = readers(program);
    let found = nodes.iter().find_map(|node| Some((*node, label(program, *node)?)));
    let places = |node: NodeId, wanted: &dyn Fn(&Span) -> bool| place(program, &readers, node, wanted);
    let Some((node, label, at)) = found.and_then(|(node, label)| Some((node, label, places(node, &|_| true)?))) else {
        return Failure::Message(message);
    };
    let sum = message.contains("a sum of ints");
    // The user's own text first: the place may be in the standard library.
    let own = places(node, &|span| span.source == SourceId(0)).filter(|_| at.source != SourceId(0));
    let error = match own {
        Some(own) => Diagnostic::error("E0276", message, own, "in this").label(at, label),
        None => Diagnostic::error("E0276", message, at, label),
    };
    Failure::Diagnostic(if sum {
        error.help("an int has 32 bits, up to 2147483647: sum floats, `sum(x / 1)`, where rounding does no harm")
    } else {
        error
    })
}

/// What is said of the place of a node, if it is one that some numbers have no result of.
fn label(program: &Program, node: NodeId) -> Option<&'static str> {
    let whole = program.graph.dtype(node) == DType::Int;
    match &program.graph.node(node).op {
        Op::Gather { .. } | Op::ScatterAdd { .. } => Some("what is read here is outside of its axis"),
        Op::Cholesky => Some("of this matrix"),
        Op::ArgMax(_) => Some("of this there is no element"),
        Op::Reduce(Reduce::Sum, _) | Op::CumSum { .. } | Op::Dot { .. } => whole.then_some("this sum"),
        Op::Scan(..) => Some("in this scan"),
        Op::Call(..) => Some("in this"),
        Op::Input { .. }
        | Op::Constant(_)
        | Op::SizeOf(_)
        | Op::Iota { .. }
        | Op::Random { .. }
        | Op::Scalar(_)
        | Op::Reduce(Reduce::Max | Reduce::Min, _)
        | Op::ArgSort(_)
        | Op::Reshape(_)
        | Op::Permute(_)
        | Op::Broadcast { .. }
        | Op::Slice { .. }
        | Op::Window { .. }
        | Op::Fold { .. }
        | Op::Pad { .. }
        | Op::Concat(_)
        | Op::TriangularSolve { .. }
        | Op::StopGradient => None,
    }
}

fn readers(program: &Program) -> HashMap<NodeId, Vec<NodeId>> {
    let mut readers: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    for (id, reader) in program.graph.nodes() {
        reader.inputs.iter().for_each(|input| readers.entry(*input).or_default().push(id));
    }
    readers
}

/// The text that asked for a node, or for what reads it first: a term is more than one node, and its last has its place.
fn place(
    program: &Program,
    readers: &HashMap<NodeId, Vec<NodeId>>,
    node: NodeId,
    wanted: &dyn Fn(&Span) -> bool,
) -> Option<Span> {
    let (mut nodes, mut seen) = (vec![node], HashSet::from([node]));
    while !nodes.is_empty() {
        let place = |node: &NodeId| program.places.get(node).copied().filter(|place| wanted(place));
        if let Some(place) = nodes.iter().find_map(place) {
            return Some(place);
        }
        let next = nodes.iter().filter_map(|node| readers.get(node)).flatten().copied();
        nodes = next.filter(|node| seen.insert(*node)).collect();
    }
    None
}
