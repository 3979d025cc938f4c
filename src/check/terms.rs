//! Terms: what a checked program computes. Every call is inlined, every hyperparameter is a constant, every type known; only
//! the rows of a batch stay symbolic. Terms have no cycles, and a `let` that is read twice is one term.

use super::affine::Affine;
use super::steps::{Scan, ScanId, ScanPart};
use super::types::{Axis, IndexId, Type};
use crate::ir::{Draw, Reduce, ScalarOp, Size};
use crate::source::Span;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TermId(pub u32);

impl fmt::Debug for TermId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(pub u32);

#[derive(Clone, Debug)]
pub struct Term {
    pub kind: Kind,
    pub ty: Type,
    /// The text that asked for it.
    pub span: Span,
}

/// Elementwise kinds broadcast their operands to the type of the term, and convert them to one kind of element.
#[derive(Clone, Debug)]
pub enum Kind {
    Number(f64),
    Truth(bool),
    /// The value of a size, which may hold the symbolic rows.
    Size(Size),
    /// The value of an index: 0, 1, 2, …
    Index(IndexId),
    Leaf(Leaf),
    /// The same elements as another kind.
    Cast(TermId),
    Scalar(ScalarOp, Vec<TermId>),
    /// `a @ b`: the last axis of `a` with the last but one (or the only one) of `b`.
    Product(TermId, TermId),
    /// Over all axes of the operand; its free indices stay.
    Fold(Reduce, TermId),
    /// The place of the greatest element of the last axis.
    ArgMax(TermId),
    /// The places of the elements of the last axis, in ascending order.
    Order(TermId),
    /// Of the elements of the last axis up to each, that one included.
    Running(Running, TermId),
    /// The elements of the last axis of the first that the second names: of each line one, or a line of them.
    Pick(TermId, TermId),
    /// The lower triangle of a symmetric matrix, the last two axes.
    Cholesky(TermId),
    /// (l, b): the x with `l x = b`, or if `transposed` `lᵀ x = b`; b is a matrix, or of one axis less a vector.
    TriangularSolve {
        l: TermId,
        b: TermId,
        transposed: bool,
    },
    /// The same numbers, through which no gradient flows.
    Constant(TermId),
    /// `x[i, 2 * j + 1]`: every axis is read at a place, whose indices are free in the term.
    Read(TermId, Vec<Place>),
    /// `let y[i, j] = …`: the reverse; the indices become the last axes, in this order.
    Spread(TermId, Vec<IndexId>),
    /// The same elements in the same order, with other axes.
    Reshape(TermId),
    /// Equal shapes, side by side along a new axis at this place among the axes.
    Stack(Vec<TermId>, usize),
    /// One behind another along an axis that they have.
    Concat(Vec<TermId>, usize),
    /// Of each axis what is kept of it.
    Slice(TermId, Vec<Cut>),
    /// The derivative of a scalar by an earlier term, of that term's type.
    Grad {
        of: TermId,
        by: TermId,
    },
    /// Standard draws, by the hash of the path of the place that draws.
    Draw(Draw, u64),
    /// A result of a loop.
    Scan(Arc<Scan>, ScanPart),
}

/// What a slice keeps of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Cut {
    All,
    /// One element; the axis vanishes.
    One(Size),
    /// From a first element so many.
    Range(Size, Size),
}

/// What is gathered along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    Sum,
    Product,
    Max,
    Min,
}

impl Running {
    /// Of no elements.
    pub fn start(self) -> f64 {
        match self {
            Running::Sum => Reduce::Sum.start(),
            Running::Product => 1.0,
            Running::Max => Reduce::Max.start(),
            Running::Min => Reduce::Min.start(),
        }
    }
}

/// Where an axis is read.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Affine(Affine),
    /// At the element of a term of ints or classes.
    At(TermId),
}

/// What a term reads from outside of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    Param(ParamId),
    /// In an optimizer: the gradient of a parameter, and its state of that number.
    Gradient(ParamId),
    State(ParamId, usize),
    /// A parameter as it is after the last update of a step.
    Next(ParamId),
    /// A value that is computed once a step, by its place in [`super::program::TypedProgram::once`].
    Once(usize),
    /// A column of the data set, by its place in [`super::program::Data::columns`].
    Column(usize),
    /// A column of the source: its numbers, or the places of its cells among its classes.
    Raw(usize),
    /// A value on the training rows, by its place in [`super::program::Data::fits`].
    Fit(usize),
    /// A number of the host that a step is given.
    Host(Host),
    /// In the body of a loop: the place of the step, what it reads of a source, and a carry as the step finds it.
    Step(ScanId),
    Slice(ScanId, usize),
    Carry(ScanId, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Finished steps, from 0.
    Step,
    /// Planned steps in all.
    Steps,
    /// Finished epochs, from 0.
    Epoch,
    Epochs,
    /// Updates of an optimizer, the present one included: 1, 2, 3, …
    Updates,
    /// In a column: 1 where its rows are those of a step of training, else 0.
    Training,
}

/// The values that a parameter starts from.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    Value(TermId),
    /// `low + (high - low) u`, or `mean + deviation z`: a draw shifted by the first and scaled by the second number.
    Drawn(Draw, f64, f64),
}

/// An index of an indexed `let` or of a reduction. Its size is written or comes from what it reads.
#[derive(Clone, Debug)]
pub struct Index {
    pub name: String,
    pub span: Span,
    pub axis: Option<Axis>,
    /// Whether the size is written, which wins over those of the axes.
    pub written: bool,
}

/// All terms of a program and their indices.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    all: Vec<Term>,
    pub indices: Vec<Index>,
    /// How many loops there are.
    pub scans: u32,
}

impl Terms {
    pub fn get(&self, id: TermId) -> &Term {
        &self.all[id.0 as usize]
    }

    pub fn add(&mut self, kind: Kind, ty: Type, span: Span) -> TermId {
        self.all.push(Term { kind, ty, span });
        TermId(self.all.len() as u32 - 1)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    pub fn index_of(&self, id: IndexId) -> &Index {
        &self.indices[id.0 as usize]
    }

    /// Reads an axis at the element of a term instead, which stands before the read.
    pub fn read_at(&mut self, read: TermId, axis: usize, at: TermId) {
        if let Kind::Read(_, places) = &mut self.all[read.0 as usize].kind {
            places[axis] = Place::At(at);
        }
    }

    /// The size of an index, where it is known.
    pub fn size_of(&self, id: IndexId) -> Option<Size> {
        self.index_of(id).axis.as_ref().map(|axis| axis.size.clone())
    }

    /// The terms that something is differentiated by.
    pub fn cuts(&self) -> impl Iterator<Item = TermId> {
        self.all.iter().filter_map(|term| match term.kind {
            Kind::Grad { by, .. } => Some(by),
            _ => None,
        })
    }

    /// Whether a term, or one that it is computed of, is as wanted.
    pub fn reaches(&self, root: TermId, wanted: impl Fn(&Kind) -> bool) -> bool {
        let mut seen = vec![false; self.all.len()];
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id.0 as usize], true) {
                continue;
            }
            let kind = &self.get(id).kind;
            if wanted(kind) {
                return true;
            }
            open.extend(kind.operands());
        }
        false
    }

    /// The leaves that a term reads, each once.
    pub fn leaves(&self, roots: &[TermId]) -> Vec<Leaf> {
        let mut seen = vec![false; self.all.len()];
        let mut open = roots.to_vec();
        let (mut leaves, mut known) = (Vec::new(), HashSet::new());
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id.0 as usize], true) {
                continue;
            }
            match &self.get(id).kind {
                Kind::Leaf(leaf) => {
                    if known.insert(leaf) {
                        leaves.push(leaf.clone());
                    }
                }
                kind => open.extend(kind.operands()),
            }
        }
        leaves
    }
}

/// A line a term: `t3 {i, j}: [n, 1] = …`, with its free indices.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.all.iter().enumerate() {
            let free: Vec<&str> = term.ty.free.iter().map(|id| self.index_of(*id).name.as_str()).collect();
            let free = if free.is_empty() { String::new() } else { format!(" {{{}}}", free.join(", ")) };
            writeln!(f, "t{at}{free}: {} = {:?}", term.ty, term.kind)?;
        }
        Ok(())
    }
}

impl Place {
    pub fn term(&self) -> Option<TermId> {
        match self {
            Place::Affine(_) => None,
            Place::At(term) => Some(*term),
        }
    }
}

impl Kind {
    /// What decides the value of a term: its operands, but of a loop with several results what the one that it is reads.
    pub fn reads(&self) -> Vec<TermId> {
        match self {
            Kind::Scan(scan, part) => scan.read_by(*part),
            other => other.operands(),
        }
    }

    pub fn operands(&self) -> Vec<TermId> {
        match self {
            Kind::Number(_) | Kind::Truth(_) | Kind::Size(_) | Kind::Index(_) | Kind::Leaf(_) | Kind::Draw(..) => {
                Vec::new()
            }
            Kind::Cast(a)
            | Kind::Fold(_, a)
            | Kind::ArgMax(a)
            | Kind::Order(a)
            | Kind::Running(_, a)
            | Kind::Cholesky(a)
            | Kind::Constant(a)
            | Kind::Slice(a, _)
            | Kind::Reshape(a)
            | Kind::Spread(a, _) => vec![*a],
            Kind::Read(a, places) => std::iter::once(*a).chain(places.iter().filter_map(Place::term)).collect(),
            Kind::Product(a, b) | Kind::Pick(a, b) | Kind::TriangularSolve { l: a, b, .. } => vec![*a, *b],
            Kind::Grad { of, by } => vec![*of, *by],
            Kind::Scan(scan, _) => scan.all(),
            Kind::Scalar(_, all) | Kind::Stack(all, _) | Kind::Concat(all, _) => all.clone(),
        }
    }
}
