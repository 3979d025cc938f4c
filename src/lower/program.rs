//! What a run executes: one graph whose rows are symbolic, and the nodes of it that each stage of a run feeds and asks
//! for. A step is a pure function of what is fed.

use crate::check::terms::Host;
use crate::ir::{Graph, NodeId, Symbol};
use crate::source::Span;
use std::collections::HashMap;

/// Inputs are numbered: what a run feeds is one tensor for each number.
pub struct Program {
    pub graph: Graph,
    /// The rows of a batch: the one symbol of the graph.
    pub rows: Symbol,
    /// How many inputs there are.
    pub inputs: usize,
    /// Five ints: seed (low, high), step, repetition, first row of the batch.
    pub draws: usize,
    /// Scalars of the host that something reads.
    pub hosts: Vec<(Host, usize)>,
    /// Columns of the source, in the order of [`crate::check::program::Data::raw`].
    pub raw: Vec<usize>,
    /// Over source columns of the training rows and earlier fits, in the order in which they must be computed.
    pub fits: Vec<Slot>,
    /// Over source columns and fits.
    pub columns: Vec<Slot>,
    pub params: Vec<Param>,
    /// Optimizer states, each of its parameter's shape.
    pub states: Vec<State>,
    pub loss: NodeId,
    /// Of the loss, by the parameters that are trained.
    pub gradients: Vec<NodeId>,
    pub lr: Option<NodeId>,
    pub reports: Vec<(String, NodeId)>,
    pub predictions: Vec<(String, NodeId)>,
    /// The text that asked for a node; what gradients and updates add has none.
    pub places: HashMap<NodeId, Span>,
}

/// A value that is computed before training, and the input where the rest of the graph reads it.
pub struct Slot {
    pub name: String,
    pub value: NodeId,
    pub input: usize,
}

pub struct Param {
    /// `dense_1.w`
    pub path: String,
    pub shape: Vec<usize>,
    pub input: usize,
    /// The value before the first step.
    pub initial: NodeId,
    /// The value after a step; itself for a parameter that the loss does not read.
    pub next: NodeId,
    pub trainable: bool,
}

/// One value of a session: what it reads is fed as to a run.
pub struct Value {
    pub graph: Graph,
    pub rows: Symbol,
    pub inputs: usize,
    pub draws: usize,
    pub hosts: Vec<(Host, usize)>,
    pub raw: Vec<usize>,
    pub fits: Vec<Slot>,
    pub columns: Vec<Slot>,
    pub params: Vec<Given>,
    pub root: NodeId,
}

/// A parameter that a value reads.
pub struct Given {
    pub path: String,
    pub shape: Vec<usize>,
    pub input: usize,
    /// The value before the first step.
    pub initial: NodeId,
}

pub struct State {
    pub input: usize,
    pub initial: NodeId,
    pub next: NodeId,
}

impl Program {
    /// How many numbers are trained or given.
    pub fn parameters(&self) -> u64 {
        self.params.iter().map(|param| param.shape.iter().product::<usize>() as u64).sum()
    }
}
