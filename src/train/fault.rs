//! What cannot be computed, shown where it is written.

use super::driver::Failure;
use crate::diagnostic::Diagnostic;
use crate::ir::NodeId;
use crate::lower::program::Program;
use crate::source::{SourceId, Span};

/// A fault of a kernel with these nodes.
pub(super) fn told(message: String, nodes: &[NodeId], program: &Program) -> Failure {
    let readers = program.readers();
    let found = nodes.iter().find_map(|node| Some((*node, label(program, *node)?)));
    let places = |node: NodeId, wanted: &dyn Fn(&Span) -> bool| program.place(&readers, node, wanted);
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
    program.graph.node(node).op.fault(program.graph.dtype(node))
}
