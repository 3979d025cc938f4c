//! What lints look at, and the questions that several of them have.

use super::facts::{self, Found};
use crate::check::program::{Applied, RawKind, TypedProgram};
use crate::check::schema::{Kin, Look};
use crate::check::terms::{Kind, Leaf, ParamId, Start, Term, TermId};
use crate::ir::{QuickMap, ScalarOp};
use crate::source::{Sources, Span};

pub struct View<'p> {
    pub program: &'p TypedProgram,
    sources: &'p Sources,
    /// What stands in each of the source's columns that are read.
    pub looks: &'p [Option<Look>],
    /// By what rows of the source of each data set belong together.
    pub kin: &'p [Vec<Kin>],
    /// What of the library gave a term; of several the outermost.
    gave: QuickMap<TermId, &'p Applied>,
    facts: Vec<Option<Found>>,
    /// How many terms read a term, of those that are computed.
    readers: Vec<u32>,
}

impl<'p> View<'p> {
    pub fn new(
        program: &'p TypedProgram,
        sources: &'p Sources,
        looks: &'p [Option<Look>],
        kin: &'p [Vec<Kin>],
    ) -> View<'p> {
        let gave = program.applied.iter().map(|applied| (applied.result, applied)).collect();
        let mut view = View { program, sources, looks, kin, gave, facts: Vec::new(), readers: Vec::new() };
        view.readers = view.counted();
        view.facts = facts::of(&view);
        view
    }

    pub fn term(&self, id: TermId) -> &'p Term {
        self.program.terms.get(id)
    }

    pub fn fact(&self, id: TermId) -> Option<Found> {
        self.facts.get(id.0 as usize).copied().flatten()
    }

    pub fn gave(&self, id: TermId) -> Option<&'p Applied> {
        self.gave.get(&id).copied()
    }

    /// Where the user asked for a term: its own text, or the call of the library that gave it.
    pub fn place(&self, id: TermId) -> Option<Span> {
        let span = self.term(id).span;
        if !self.sources.get(span.source).name.starts_with("<stdlib>/") {
            return Some(span);
        }
        self.gave(id).map(|applied| applied.place)
    }

    /// What a run computes at last: losses, reports, predictions.
    pub fn roots(&self) -> Vec<TermId> {
        let program = self.program;
        let told = program.reports.iter().chain(&program.predictions).map(|report| report.value);
        let kept = program.minimized.iter().flat_map(|one| one.kept.iter().map(|(_, next)| *next));
        let nexts = program.nexts.iter().map(|(_, next)| *next);
        let losses = program.minimized.iter().flat_map(|one| [one.loss, one.evaluated]);
        losses.chain(told).chain(kept).chain(nexts).chain(program.once.iter().copied()).collect()
    }

    fn counted(&self) -> Vec<u32> {
        let mut readers = vec![0; self.program.terms.count()];
        let mut seen = vec![false; readers.len()];
        let mut open = self.roots();
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut seen[id.0 as usize], true) {
                let mut operands = self.term(id).kind.operands();
                operands.sort_unstable();
                operands.dedup();
                operands.iter().for_each(|operand| readers[operand.0 as usize] += 1);
                open.extend(operands);
            }
        }
        readers
    }

    pub fn is_read_once(&self, id: TermId) -> bool {
        self.readers.get(id.0 as usize) == Some(&1)
    }

    /// All terms that a term is computed of, itself included, through what `goes_on` lets.
    pub fn below(&self, roots: &[TermId], goes_on: impl Fn(TermId, &Kind) -> Vec<TermId>) -> Vec<TermId> {
        let mut seen = vec![false; self.program.terms.count()];
        let (mut open, mut all) = (roots.to_vec(), Vec::new());
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut seen[id.0 as usize], true) {
                all.push(id);
                open.extend(goes_on(id, &self.term(id).kind));
            }
        }
        all
    }

    /// The one operand of which a term only shows the elements in another way; a sum over one element is one.
    pub fn shown(&self, id: TermId) -> Option<TermId> {
        match &self.term(id).kind {
            Kind::Cast(a) | Kind::Reshape(a) | Kind::Spread(a, _) | Kind::Slice(a, _) | Kind::Constant(a) => Some(*a),
            Kind::Read(a, _) => Some(*a),
            Kind::Fold(_, a) => {
                let one = self.term(*a).ty.axes.iter().all(|axis| axis.size.settled() == Some(1));
                one.then_some(*a)
            }
            _ => None,
        }
    }

    /// What a term shows the elements of.
    pub fn bare(&self, mut id: TermId) -> TermId {
        while let Some(of) = self.shown(id) {
            id = of;
        }
        id
    }

    /// The first of what a term shows the elements of, itself included, that is as wanted.
    pub fn shows(&self, mut id: TermId, wanted: impl Fn(TermId) -> bool) -> Option<TermId> {
        while !wanted(id) {
            id = self.shown(id)?;
        }
        Some(id)
    }

    /// What a function of the library holds against a target: its first input.
    pub fn prediction(&self, applied: &Applied) -> Option<TermId> {
        let (name, _) = applied.inputs.first()?;
        applied.input(name)
    }

    /// The parameter whose elements a term shows.
    pub fn param(&self, id: TermId) -> Option<ParamId> {
        match self.term(self.bare(id)).kind {
            Kind::Leaf(Leaf::Param(param)) => Some(param),
            _ => None,
        }
    }

    pub fn number(&self, id: TermId) -> Option<f64> {
        match self.term(self.bare(id)).kind {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The number that all elements of a parameter start from.
    pub fn start(&self, param: ParamId) -> Option<f64> {
        match self.program.params[param.0 as usize].start {
            Start::Value(term) => self.number(term),
            Start::Drawn(..) => None,
        }
    }

    /// (what is mapped, the weights) of a product with a parameter.
    pub fn linear(&self, id: TermId) -> Option<(TermId, ParamId)> {
        match self.term(id).kind {
            Kind::Product(a, w) => Some((a, self.param(w)?)),
            _ => None,
        }
    }

    /// What a bias is added to, and the bias.
    pub fn without_bias(&self, id: TermId) -> Option<(TermId, ParamId)> {
        match &self.term(id).kind {
            Kind::Scalar(ScalarOp::Add, parts) => match (self.param(parts[0]), self.param(parts[1])) {
                (None, Some(bias)) => Some((parts[0], bias)),
                (Some(bias), None) => Some((parts[1], bias)),
                (Some(_), Some(_)) | (None, None) => None,
            },
            _ => None,
        }
    }

    /// The column of the data whose elements a term shows.
    pub fn column(&self, id: TermId) -> Option<usize> {
        match self.term(self.bare(id)).kind {
            Kind::Leaf(Leaf::Column(at)) => Some(at),
            _ => None,
        }
    }

    /// The columns of the data that a term is computed of.
    pub fn columns(&self, id: TermId) -> Vec<usize> {
        let all = self.below(&[id], |_, kind| kind.operands());
        let column = |id: &TermId| match self.term(*id).kind {
            Kind::Leaf(Leaf::Column(at)) => Some(at),
            _ => None,
        };
        let mut columns: Vec<usize> = all.iter().filter_map(column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The columns of the source that a term of the data block is computed of; what is fitted is no row's own, and a window
    /// begins at a place of its own.
    pub fn raws(&self, id: TermId) -> Vec<usize> {
        let all = self.below(&[id], |_, kind| kind.operands());
        let raw = |id: &TermId| match self.term(*id).kind {
            Kind::Leaf(Leaf::Raw(at)) if !self.is_window(at) => Some(at),
            _ => None,
        };
        let mut raws: Vec<usize> = all.iter().filter_map(raw).collect();
        raws.sort_unstable();
        raws.dedup();
        raws
    }

    /// The source columns that stand side by side in a column, as they are.
    pub fn beside(&self, value: TermId) -> Vec<usize> {
        let lists = |id: TermId, kind: &Kind| match kind {
            Kind::Stack(parts, _) | Kind::Concat(parts, _) => parts.clone(),
            _ => self.shown(id).into_iter().collect(),
        };
        let all = self.below(&[value], lists);
        let raw = |id: &TermId| match self.term(*id).kind {
            Kind::Leaf(Leaf::Raw(at)) => Some(at),
            _ => None,
        };
        all.iter().filter_map(raw).collect()
    }

    fn is_window(&self, raw: usize) -> bool {
        matches!(self.program.data.raw[raw].kind, RawKind::Window { .. })
    }

    /// Whether something of the library stands anywhere in what is computed.
    pub fn applies(&self, name: &str) -> Option<&'p Applied> {
        self.program.applied.iter().find(|applied| applied.name == name)
    }

    /// The functions of the library, with a target, that what is minimized is computed of.
    pub fn losses(&self) -> Vec<&'p Applied> {
        let roots: Vec<TermId> = self.program.minimized.iter().flat_map(|one| [one.loss, one.evaluated]).collect();
        let below = self.below(&roots, |_, kind| kind.operands());
        let mut is_below = vec![false; self.program.terms.count()];
        below.iter().for_each(|id| is_below[id.0 as usize] = true);
        self.program
            .applied
            .iter()
            .filter(|applied| is_below[applied.result.0 as usize] && applied.input("target").is_some())
            .collect()
    }
}
