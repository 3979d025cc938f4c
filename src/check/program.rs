//! What checking a `train` block gives: everything that a run computes, as terms.

use super::number::Number;
use super::schema::{Source, Split};
use super::terms::{Leaf, ParamId, Start, TermId, Terms};
use super::types::Type;
use super::value::{Distribution, Value};
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
    /// As it is minimized, with `training` true.
    pub loss: Loss,
    /// The same as it is evaluated, with `training` false, as reports and predictions are.
    pub evaluated: TermId,
    pub reports: Vec<Report>,
    /// What `mlx predict` writes: a value for each row.
    pub predictions: Vec<Report>,
    pub updates: Vec<Update>,
    /// States of layers, and what they are after a step.
    pub kept: Vec<(ParamId, TermId)>,
    pub run: RunSettings,
    /// The `let` items of the file that were read, with the values that they had.
    pub settings: BTreeMap<String, Setting>,
}

/// What a session's statement says, where it stands.
pub struct Explored {
    pub terms: Terms,
    /// The data of the `train` block that it stands in, if it does.
    pub data: Option<Data>,
    pub params: Vec<Param>,
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
#[derive(Clone, Copy, Debug)]
pub struct RunSettings {
    pub length: Length,
    pub seed: u64,
    /// Rows of a step; without it a step sees every training row.
    pub batch: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub enum Length {
    Epochs(u64),
    Steps(u64),
}

pub struct Data {
    pub name: String,
    pub source: Source,
    pub split: Option<Split>,
    /// Rows in train, valid, test.
    pub rows: [usize; 3],
    /// The columns of the source that are read.
    pub raw: Vec<Raw>,
    /// Values on the training rows; a later one may read an earlier one.
    pub fits: Vec<Fit>,
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RawKind {
    Numbers,
    /// Numbers, and NaN where a cell has no value.
    Gappy,
    /// The place of each cell among the classes of the training rows.
    Classes,
    /// A draw for each element.
    Drawn(Distribution),
}

pub struct Raw {
    pub name: String,
    pub kind: RawKind,
    pub ty: Type,
    /// Where the program asks for it.
    pub span: Span,
}

pub struct Fit {
    /// `diabetes.x.1`: the column that it was fitted for, and its number there.
    pub name: String,
    pub value: TermId,
}

pub struct Column {
    pub name: String,
    pub value: TermId,
}

pub struct Param {
    /// `dense_1.w`
    pub path: String,
    pub ty: Type,
    pub start: Start,
    pub span: Span,
    /// A `state` of a layer: it is kept as parameters are, and not trained.
    pub is_state: bool,
}

pub struct Loss {
    /// Its name in events, if the file names it.
    pub name: Option<String>,
    pub value: TermId,
    pub span: Span,
}

pub struct Report {
    pub name: String,
    pub value: TermId,
}

/// The rule of one parameter: its next value, and the states that the optimizer keeps for it.
pub struct Update {
    pub param: ParamId,
    pub next: TermId,
    pub states: Vec<State>,
    /// The learning rate, if the optimizer has a setting `lr`.
    pub lr: Option<TermId>,
}

pub struct State {
    pub name: String,
    pub start: TermId,
    pub next: TermId,
}

impl TypedProgram {
    /// The parameters that terms read.
    pub fn used(terms: &Terms, roots: &[TermId]) -> Vec<ParamId> {
        let mut used: Vec<ParamId> = terms
            .leaves(roots)
            .into_iter()
            .filter_map(|leaf| match leaf {
                Leaf::Param(id) => Some(id),
                Leaf::Gradient(_)
                | Leaf::State(..)
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
        used
    }
}
