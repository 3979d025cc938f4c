//! What each node of a body depends on, and what needs it.

use super::lift::can_lift;
use crate::ir::{Graph, NodeId, Op, ScanBuilder, Size, elements};

/// What a node depends on, the first that fits from below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Numbers and captures: the same in each step.
    Same,
    /// What the step reads of all that is there before the loop.
    Each,
    /// The steps before.
    Carried,
}

/// A body, analyzed.
pub struct Inside {
    /// By number of the node; of what is not needed, nothing.
    pub kinds: Vec<Kind>,
    /// The same operations can be done for all steps at once, outside.
    pub liftable: Vec<bool>,
    /// What comes in from outside.
    pub is_input: Vec<bool>,
    /// What the results need, operands first; inputs are not among them.
    pub needed: Vec<NodeId>,
    pub readers: Vec<Vec<NodeId>>,
}

impl Inside {
    pub fn of(built: &ScanBuilder, results: &[NodeId]) -> Inside {
        let (body, inputs) = (&built.body, built.inputs());
        let count = body.nodes().len();
        let mut this = Inside {
            kinds: vec![Kind::Carried; count],
            liftable: vec![false; count],
            is_input: vec![false; count],
            needed: body.needed_behind(&inputs, results),
            readers: vec![Vec::new(); count],
        };
        let captures = built.captures.iter().map(|(_, node)| (*node, Kind::Same));
        let each = built.slices.iter().map(|(_, node)| *node).chain([built.index]).map(|node| (node, Kind::Each));
        let carried = built.carries.iter().map(|carry| (carry.now, Kind::Carried));
        for (node, kind) in captures.chain(each).chain(carried) {
            let at = node.0 as usize;
            this.kinds[at] = kind;
            this.is_input[at] = true;
            this.liftable[at] = kind != Kind::Carried;
        }
        for id in &this.needed {
            let node = body.node(*id);
            // What the body may not read, it depends on in a way of its own.
            let start = if let Op::Input { .. } = node.op { Kind::Carried } else { Kind::Same };
            let kind = node.inputs.iter().map(|input| this.kinds[input.0 as usize]).fold(start, Kind::max);
            let all = node.inputs.iter().all(|input| this.liftable[input.0 as usize]);
            this.kinds[id.0 as usize] = kind;
            this.liftable[id.0 as usize] = kind != Kind::Carried && all && can_lift(body, *id, kind == Kind::Each);
            node.inputs.iter().for_each(|input| this.readers[input.0 as usize].push(*id));
        }
        this
    }

    pub fn kind(&self, node: NodeId) -> Kind {
        self.kinds[node.0 as usize]
    }

    pub fn can_lift(&self, node: NodeId) -> bool {
        self.liftable[node.0 as usize]
    }
}

/// The elements of a node.
pub fn size(graph: &Graph, node: NodeId) -> Size {
    elements(graph.shape(node))
}

/// The elements that a step takes and gives, without what is the same in each of them.
pub fn moved(built: &ScanBuilder) -> Size {
    let carries = built.carries.iter().map(|carry| carry.now);
    let slices = built.slices.iter().map(|(_, node)| *node);
    carries.chain(slices).fold(Size::from(0), |sum, node| sum.plus(&size(&built.body, node)))
}

/// Whether a size is at most so many times another, whatever the rows are.
pub fn is_within(size: &Size, times: i64, other: &Size) -> bool {
    other.times(&Size::from(times)).minus(size).is_never_negative()
}
