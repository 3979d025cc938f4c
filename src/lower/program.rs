//! What a run executes: one graph whose rows are symbolic, and the nodes of it that each stage of a run feeds and asks
//! for. A step is a pure function of what is fed.

use super::decisions::Decision;
use crate::check::terms::Host;
use crate::ir::{Graph, NodeId, Op, Size, Symbol};
use crate::source::Span;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a run feeds through an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Five ints: seed (low, high), step, repetition, first row of the batch.
    Draws,
    /// A scalar of the host.
    Host(Host),
    /// By their places in the lists of the program.
    Raw(usize),
    Fit(usize),
    Column(usize),
    Param(usize),
    State(usize),
    /// A parameter after the last update of a step, by its place among the parameters.
    Next(usize),
    /// By its place in [`Program::once`].
    Once(usize),
}

pub struct Program {
    pub graph: Graph,
    /// The rows of a batch, of each data set: the symbols of the graph.
    pub rows: Vec<Symbol>,
    /// By number.
    pub inputs: Vec<Input>,
    pub draws: usize,
    /// Scalars of the host that something reads.
    pub hosts: Vec<(Host, usize)>,
    /// Columns of the source, in the order of [`crate::check::program::Data::raw`].
    pub raw: Vec<usize>,
    /// The data set that each is of.
    pub raw_sets: Vec<usize>,
    /// Over source columns of the training rows and earlier fits, in the order in which they must be computed.
    pub fits: Vec<Slot>,
    /// Fits that more than columns read, by their places: they lie beside the parameters.
    pub lying: Vec<usize>,
    /// Over source columns and fits.
    pub columns: Vec<Slot>,
    pub params: Vec<Param>,
    /// Optimizer states, each of its parameter's shape or of its own.
    pub states: Vec<State>,
    /// Values that are computed once a step, before the phases.
    pub once: Vec<Slot>,
    /// The columns that those values read: they keep the rows that a step begins with.
    pub held: Vec<usize>,
    /// What a step does, one after the other.
    pub phases: Vec<Phase>,
    /// In how many parts the rows of a step are computed.
    pub accumulate: u64,
    /// What states become after the phases: next values, and the inputs that they become.
    pub advance: Vec<(NodeId, usize)>,
    /// Inputs that are fed parameters as they are after the phases, and those parameters.
    pub nexts: Vec<(usize, usize)>,
    /// The sum of what the phases minimize, as it is evaluated.
    pub loss: NodeId,
    pub reports: Vec<(String, NodeId)>,
    /// By report, the column of the source whose classes its axes are.
    pub classes: BTreeMap<String, String>,
    pub predictions: Vec<(String, NodeId)>,
    /// What is computed when training is over, in order, and the reports that read it.
    pub calibrated: Vec<Calibration>,
    pub late: Vec<(String, NodeId)>,
    /// What is looked at in the first step, and in evaluations: those that are known only when training is over at the end.
    pub demands: [Vec<Demand>; 2],
    /// The predictions that decide between two classes by one score.
    pub decisions: BTreeMap<String, Decision>,
    /// The text that asked for a node; what gradients and updates add has none.
    pub places: HashMap<NodeId, Span>,
}

/// A value of the rows of a split that becomes a parameter, by its place, when training is over.
pub struct Calibration {
    pub param: usize,
    pub value: NodeId,
    pub split: String,
}

/// A condition that a run looks at.
pub struct Demand {
    /// Its place in [`crate::check::program::TypedProgram::demands`].
    pub of: usize,
    /// 1 if it holds for all elements, else 0.
    pub holds: NodeId,
    /// Each element, and what is compared there.
    pub elements: NodeId,
    pub sides: Vec<NodeId>,
    pub late: bool,
}

/// One `minimize`: a loss, its gradients, and what moves after it.
pub struct Phase {
    /// Its name in events, if it has one.
    pub name: Option<String>,
    /// How often in a step, each time on other rows.
    pub times: u64,
    pub loss: NodeId,
    /// Of the loss, by parameters, which are named by their places in [`Program::params`].
    pub gradients: Vec<(usize, NodeId)>,
    /// Next values of parameters and states, and the inputs that they become.
    pub updates: Vec<(NodeId, usize)>,
    pub lr: Option<NodeId>,
}

/// A value that is computed before training, and the input where the rest of the graph reads it.
pub struct Slot {
    pub name: String,
    pub value: NodeId,
    pub input: usize,
    /// The data set whose rows it is computed of.
    pub set: usize,
}

pub struct Param {
    /// `dense_1.w`
    pub path: String,
    pub shape: Vec<usize>,
    pub input: usize,
    /// The value before the first step.
    pub initial: NodeId,
    pub trainable: bool,
    /// Whether it is a state of the block, whose start is computed when the others have theirs.
    pub state: bool,
}

/// One value of a session: what it reads is fed as to a run.
pub struct Value {
    pub graph: Graph,
    pub rows: Vec<Symbol>,
    pub inputs: usize,
    pub draws: usize,
    pub hosts: Vec<(Host, usize)>,
    pub raw: Vec<usize>,
    pub raw_sets: Vec<usize>,
    pub fits: Vec<Slot>,
    pub columns: Vec<Slot>,
    pub params: Vec<ParamInput>,
    pub root: NodeId,
}

/// A parameter that a value reads.
pub struct ParamInput {
    pub path: String,
    pub shape: Vec<usize>,
    pub input: usize,
    /// The value before the first step.
    pub initial: NodeId,
}

pub struct State {
    /// Whose it is, by its place in [`Program::params`].
    pub param: usize,
    pub input: usize,
    pub initial: NodeId,
}

/// Numbers for the rows of each data set.
pub fn of_rows(symbols: &[Symbol], rows: &[usize]) -> Vec<(Symbol, i64)> {
    symbols.iter().cloned().zip(rows.iter().map(|rows| *rows as i64)).collect()
}

impl Program {
    /// Numbers for the rows of each data set.
    pub fn of_rows(&self, rows: &[usize]) -> Vec<(Symbol, i64)> {
        of_rows(&self.rows, rows)
    }

    /// So many rows of every data set.
    pub fn with_rows(&self, rows: usize) -> Vec<(Symbol, i64)> {
        self.rows.iter().map(|symbol| (symbol.clone(), rows as i64)).collect()
    }

    /// What reads each node.
    pub fn readers(&self) -> HashMap<NodeId, Vec<NodeId>> {
        let mut readers: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for (id, reader) in self.graph.nodes() {
            reader.inputs.iter().for_each(|input| readers.entry(*input).or_default().push(id));
        }
        readers
    }

    /// The text that asked for a node, or for what reads it first: a term is more than one node, and its last has its place.
    pub fn place(
        &self,
        readers: &HashMap<NodeId, Vec<NodeId>>,
        node: NodeId,
        wanted: &dyn Fn(&Span) -> bool,
    ) -> Option<Span> {
        let (mut nodes, mut seen) = (vec![node], HashSet::from([node]));
        while !nodes.is_empty() {
            let place = |node: &NodeId| self.places.get(node).copied().filter(|place| wanted(place));
            if let Some(place) = nodes.iter().find_map(place) {
                return Some(place);
            }
            let next = nodes.iter().filter_map(|node| readers.get(node)).flatten().copied();
            nodes = next.filter(|node| seen.insert(*node)).collect();
        }
        None
    }

    /// The data set whose rows a size is.
    pub fn set_of(&self, size: &Size) -> Option<usize> {
        self.rows.iter().position(|symbol| size.symbols().contains(symbol))
    }

    /// Whether a node has an axis of rows.
    pub fn has_rows(&self, node: NodeId) -> bool {
        self.graph.shape(node).iter().any(Size::has_rows)
    }

    /// The data sets whose rows, or their number, some nodes are computed of.
    pub fn sets_of(&self, roots: &[NodeId]) -> Vec<usize> {
        let needed = self.graph.needed(roots);
        let sizes = needed.iter().flat_map(|id| {
            let node = self.graph.node(*id);
            let number = if let Op::SizeOf(size) = &node.op { Some(size) } else { None };
            node.shaped.shape.iter().chain(number)
        });
        let mut sets: Vec<usize> = sizes.filter_map(|size| self.set_of(size)).collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }

    /// What each input is fed, by its number.
    pub fn table(&self) -> Vec<Input> {
        let mut table = vec![Input::Draws; self.inputs.len()];
        let mut set = |input: usize, is: Input| table[input] = is;
        self.raw.iter().enumerate().for_each(|(at, input)| set(*input, Input::Raw(at)));
        self.fits.iter().enumerate().for_each(|(at, fit)| set(fit.input, Input::Fit(at)));
        self.columns.iter().enumerate().for_each(|(at, column)| set(column.input, Input::Column(at)));
        self.hosts.iter().for_each(|(host, input)| set(*input, Input::Host(*host)));
        self.params.iter().enumerate().for_each(|(at, param)| set(param.input, Input::Param(at)));
        self.states.iter().enumerate().for_each(|(at, state)| set(state.input, Input::State(at)));
        self.nexts.iter().for_each(|(input, param)| set(*input, Input::Next(*param)));
        self.once.iter().enumerate().for_each(|(at, once)| set(once.input, Input::Once(at)));
        table
    }

    /// Whether an input lies on the device for all plans of a run.
    pub fn is_resident(&self, input: u32) -> bool {
        match self.inputs.get(input as usize) {
            Some(Input::Param(_) | Input::State(_)) => true,
            Some(Input::Fit(at)) => self.lying.contains(at),
            Some(
                Input::Draws | Input::Host(_) | Input::Raw(_) | Input::Column(_) | Input::Next(_) | Input::Once(_),
            )
            | None => false,
        }
    }

    /// Numbers of the inputs that the host feeds.
    pub fn host_inputs(&self) -> Vec<u32> {
        self.hosts.iter().map(|(_, input)| *input as u32).collect()
    }

    /// How many batches a step sees: each repetition of a phase sees another, unless all rows are one batch.
    pub fn batches_in_step(&self, whole: bool) -> u64 {
        let most = self.phases.iter().map(|phase| phase.times).max().unwrap_or(1);
        if whole { 1 } else { most.max(1) }
    }

    /// How many numbers are trained or given.
    pub fn parameters(&self) -> u64 {
        let own = self.params.iter().filter(|param| !param.state);
        own.map(|param| param.shape.iter().product::<usize>() as u64).sum()
    }
}
