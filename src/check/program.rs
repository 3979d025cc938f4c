//! What checking a `train` block gives: everything that a run computes, as terms.

pub use super::data::{Column, Data, Fit, Items, Raw, RawKind, Set, Whole};
use super::number::Number;
use super::terms::{Leaf, ParamId, Start, TermId, Terms};
use super::types::Type;
use super::value::Value;
use crate::source::Span;
use std::collections::BTreeMap;

pub struct TypedProgram {
    /// The name of the `train` block; `train` where it has none.
    pub name: String,
    pub terms: Terms,
    pub data: Data,
    /// Every parameter that was declared on the way. Those that nothing reads do not exist: `bias = false` has no `b`.
    pub params: Vec<Param>,
    pub used: Vec<ParamId>,
    /// One after the other in each step.
    pub minimized: Vec<Minimized>,
    /// What the blocks of a model give, the layers of a `repeat` or a list, if what is within them is not kept for gradients.
    pub blocks: Vec<TermId>,
    /// The names before the paths of what has parameters in the block, but for `model`, which has none.
    pub roots: Vec<String>,
    /// Models that begin from other weights, by the names before their paths; `model` has none.
    pub begun: BTreeMap<String, From>,
    /// Values that are computed once a step, before anything is minimized.
    pub once: Vec<TermId>,
    /// Next values of the states of the block, after the last update of a step.
    pub nexts: Vec<(ParamId, TermId)>,
    pub reports: Vec<Report>,
    /// What `mlx predict` writes: a value for each row.
    pub predictions: Vec<Report>,
    /// In order: a later one may read an earlier one.
    pub calibrated: Vec<Calibrated>,
    /// Conditions that a run looks at: in its first step, and in evaluations.
    pub demands: [Vec<Demand>; 2],
    pub run: RunSettings,
    /// The `let` items of the file that were read, with the values that they had.
    pub settings: BTreeMap<String, Setting>,
    /// Terms that are classes of a column of the source, because the program says so.
    pub named: Vec<(TermId, String)>,
    /// What of the standard library was applied, in the order of what it gave.
    pub applied: Vec<Applied>,
}

/// A function or layer of the standard library, what it was given, and what it gave.
pub struct Applied {
    pub name: String,
    /// The innermost text of the user that led to it.
    pub place: Span,
    pub inputs: Vec<(String, Given)>,
    pub result: TermId,
}

#[derive(Clone, Copy, Debug)]
pub enum Given {
    Term(TermId),
    Number(f64),
}

impl Applied {
    /// The tensor that an input was given.
    pub fn input(&self, name: &str) -> Option<TermId> {
        self.inputs.iter().find_map(|(own, given)| match given {
            Given::Term(term) if own == name => Some(*term),
            Given::Term(_) | Given::Number(_) => None,
        })
    }

    /// The constant that an input was given.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.inputs.iter().find_map(|(own, given)| match given {
            Given::Number(number) if own == name => Some(*number),
            Given::Term(_) | Given::Number(_) => None,
        })
    }
}

/// A family of trainings of one block: every combination of the values of the axes, with every seed.
pub struct Sweep {
    pub name: String,
    /// The `train` block.
    pub train: String,
    /// `let` items with their values, in the order of the text.
    pub axes: Vec<(String, Vec<Setting>)>,
    /// None: the block's own seed.
    pub seeds: Vec<u64>,
    /// What tells the best of them.
    pub keep: Option<Watched>,
}

/// What a session's statement says, where it stands.
pub struct Explored {
    pub terms: Terms,
    /// The data of the `train` block that it stands in, if it does.
    pub data: Option<Data>,
    pub params: Vec<Param>,
    /// Those that are known when training is over.
    pub calibrated: Vec<ParamId>,
    /// What it gives: a `let` to its name.
    pub value: Value,
    /// The value as a tensor, if it is one.
    pub term: Option<TermId>,
    /// Whether it is a `let` that may stand among the items: what it reads does.
    pub among_items: bool,
}

/// The value of a `let` item, which is a constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    Number(Number),
    Truth(bool),
    Text(String),
}

/// How long to train, on how many rows at once, from which seed.
#[derive(Clone, Debug)]
pub struct RunSettings {
    pub length: Length,
    pub seed: u64,
    /// Rows of a step; without it a step sees every training row.
    pub batch: Option<u64>,
    /// In how many parts the rows of a step are computed.
    pub accumulate: u64,
    /// Where it says that what is within a block is computed again for its gradient.
    pub checkpoint: Option<Span>,
    /// Steps between evaluations; without it they come after every epoch.
    pub validate: Option<u64>,
    pub stop: Option<Patience>,
    /// What the kept weights are the best by.
    pub keep: Option<Watched>,
}

/// A figure of a split, and which of its values are better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub split: String,
    /// `loss`, the name of what is minimized, or of a report.
    pub name: String,
    pub lowest: bool,
    /// Where the program asks for it.
    pub span: Span,
}

/// Steps end after so many evaluations without a better figure.
#[derive(Clone, Debug)]
pub struct Patience {
    pub watched: Watched,
    pub evaluations: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Length {
    Epochs(u64),
    Steps(u64),
}

pub struct Param {
    /// `dense_1.w`
    pub path: String,
    pub ty: Type,
    pub start: Start,
    pub span: Span,
    /// Whether it is a state of the block: gradients do not move it.
    pub state: bool,
}

/// Where the weights of a model come from.
#[derive(Clone, Debug)]
pub struct From {
    /// A `train` block, whose last finished run it is.
    pub block: Option<String>,
    /// A weights file.
    pub file: Option<String>,
    /// The names that its tensors have there.
    pub names: Option<Names>,
    /// Patterns of what starts fresh, with their places.
    pub except: Vec<(String, Span)>,
    pub span: Span,
}

/// The names that tensors have in another file.
#[derive(Clone, Debug)]
pub enum Names {
    /// A file with a line for each, by its path.
    File(String, Span),
    Table(Vec<Renamed>),
}

/// What a tensor is called there and here, with the places of both; `*` is any one segment.
#[derive(Clone, Debug)]
pub struct Renamed {
    pub theirs: (String, Span),
    pub ours: (String, Span),
    /// Whether its rows and columns change places.
    pub transposed: bool,
}

/// An optimizer of the library with a decay of weights that is written, and what it moves.
pub struct Pull {
    pub optimizer: String,
    pub decay: f64,
    pub span: Span,
    pub params: Vec<ParamId>,
}

/// One `minimize`.
pub struct Minimized {
    /// Its name in events, if the file names it.
    pub name: Option<String>,
    /// As it is minimized, with `training` true.
    pub loss: TermId,
    /// The same as it is evaluated, with `training` false, as reports and predictions are.
    pub evaluated: TermId,
    pub span: Span,
    pub updates: Vec<Update>,
    pub pulls: Vec<Pull>,
    /// States of layers, and what the loss makes of them.
    pub kept: Vec<(ParamId, TermId)>,
    /// The learning rate, if the optimizer has a setting `lr`.
    pub lr: Option<TermId>,
    /// The greatest norm of all its gradients together.
    pub clip: Option<TermId>,
    /// How often in a step, each time on other rows.
    pub times: u64,
}

/// A value of the rows of a split that is computed when training is over, and kept with the weights.
#[derive(Clone)]
pub struct Calibrated {
    pub param: ParamId,
    pub value: TermId,
    pub split: String,
}

/// A `check` whose condition is known only in a run.
#[derive(Clone)]
pub struct Demand {
    pub name: String,
    pub condition: TermId,
    /// The text of the condition.
    pub span: Span,
    /// What it compares, with the text of each.
    pub sides: Vec<(TermId, Span)>,
    /// The calls that lead to it, outermost first.
    pub calls: Vec<(Span, String)>,
    /// Where its text is the standard library's, the call that stands in the program: there it is mended.
    pub own: Option<usize>,
    /// Whether it reads what is calibrated, and so is looked at when training is over.
    pub late: bool,
}

impl Demand {
    /// The condition, and what it compares.
    pub fn terms(&self) -> impl Iterator<Item = TermId> {
        std::iter::once(self.condition).chain(self.sides.iter().map(|(term, _)| *term))
    }

    /// One of these becomes another term.
    pub fn replace(&mut self, part: usize, by: TermId) {
        match part.checked_sub(1).and_then(|side| self.sides.get_mut(side)) {
            Some((term, _)) => *term = by,
            None => self.condition = by,
        }
    }
}

#[derive(Clone)]
pub struct Report {
    pub name: String,
    pub value: TermId,
    /// The column of the source whose classes the axes of a report stand for.
    pub classes: Option<String>,
    /// Whether it reads what is calibrated, and so is known when training is over.
    pub late: bool,
}

/// The rule of one parameter: its next value, and the states that the optimizer keeps for it.
pub struct Update {
    pub param: ParamId,
    pub next: TermId,
    pub states: Vec<State>,
}

#[derive(Clone)]
pub struct State {
    pub name: String,
    /// Its number among all states of the parameter: each `minimize` has its own.
    pub number: usize,
    /// The parameter's, where it says none.
    pub ty: Type,
    pub start: TermId,
    pub next: TermId,
}

impl TypedProgram {
    /// Whether a parameter is of the `model` of the block, whose paths have no name before them.
    pub fn is_of_model(&self, path: &str) -> bool {
        self.root(path).is_empty()
    }

    /// The name of the net or tensor of the block that a parameter is of; `model` has none.
    pub fn root<'p>(&self, path: &'p str) -> &'p str {
        let first = path.split('.').next().unwrap_or_default();
        if self.roots.iter().any(|root| root == first) { first } else { "" }
    }

    /// The data set for whose rows predictions are made.
    pub fn set_predicted(&self) -> usize {
        let first = self.predictions.first().and_then(|report| self.terms.get(report.value).ty.axes.first());
        let own = first.and_then(|axis| self.data.set_of(&axis.size));
        own.unwrap_or(0)
    }

    /// The parameters that terms read.
    pub fn used(terms: &Terms, roots: &[TermId]) -> Vec<ParamId> {
        let mut used: Vec<ParamId> = terms
            .leaves(roots)
            .into_iter()
            .filter_map(|leaf| match leaf {
                Leaf::Param(id) => Some(id),
                Leaf::Next(id) => Some(id),
                Leaf::Gradient(_)
                | Leaf::State(..)
                | Leaf::Once(_)
                | Leaf::Column(_)
                | Leaf::Raw(_)
                | Leaf::Fit(_)
                | Leaf::Host(_)
                | Leaf::Step(_)
                | Leaf::Slice(..)
                | Leaf::Carry(..) => None,
            })
            .collect();
        used.sort();
        used.dedup();
        used
    }

    /// The place of the first loss, or else of the block's first report.
    pub fn losses(&self) -> Vec<TermId> {
        self.minimized.iter().map(|minimized| minimized.loss).collect()
    }
}
