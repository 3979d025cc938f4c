//! Passes: graphs to graphs.
//!
//! | file | what |
//! |---|---|
//! | `blocks` | batches of products one after the other |
//! | `named` | operations by their names in the field |
//! | `stream` | values over all rows, to be computed batch by batch |
//! | `windows` | gradients of convolutions and poolings as products and views |

mod blocks;
mod named;
mod stream;
mod windows;

pub use named::named;
pub use stream::{Streamed, streamed};

use crate::ir::{Graph, NodeId};

/// A graph with the same roots, and what its nodes are.
pub struct Rewritten {
    pub graph: Graph,
    /// Of each node of the graph before, the one that has its value.
    places: Vec<Option<NodeId>>,
    /// Of each node, the one of the graph before that it was made for.
    pub origins: Vec<NodeId>,
}

impl Rewritten {
    /// The node that has the value of a root.
    pub fn place(&self, root: NodeId) -> NodeId {
        self.places.get(root.0 as usize).copied().flatten().unwrap_or(root)
    }

    /// What another made of this one's graph, from the graph before both.
    fn then(self, next: Rewritten) -> Rewritten {
        let places = self.places.iter().map(|place| place.and_then(|place| next.places[place.0 as usize])).collect();
        let origins = next.origins.iter().map(|origin| self.origins[origin.0 as usize]).collect();
        Rewritten { graph: next.graph, places, origins }
    }
}

/// The graph for some roots as it is planned; `None` if there is nothing in it to rewrite. Its sizes are numbers. Large values of at least
/// so many bytes are computed batch by batch where they can be.
pub fn rewritten(graph: &Graph, roots: &[NodeId], least: usize) -> Option<Rewritten> {
    let Some(blocked) = blocks::blocked(graph, roots, least) else { return windows::rewritten(graph, roots) };
    let places: Vec<NodeId> = roots.iter().map(|root| blocked.place(*root)).collect();
    match windows::rewritten(&blocked.graph, &places) {
        Some(next) => Some(blocked.then(next)),
        None => Some(blocked),
    }
}

/// The axis of the operand of a reshape that is an axis of its result.
fn behind_reshape(before: &[i64], after: &[i64], axis: usize) -> Option<usize> {
    let ahead: i64 = after[..axis].iter().product();
    (0..before.len()).find(|own| before[*own] == after[axis] && before[..*own].iter().product::<i64>() == ahead)
}
