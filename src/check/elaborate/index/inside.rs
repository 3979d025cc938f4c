//! Whether reads stay inside of their axes: by the sizes of their indices, or by the conditions around them (`if`, `where`,
//! `and`, `or`). What a condition of the run keeps inside is read where it holds, and looked at there.

use super::super::{Elaborator, Out};
use super::declare::NAMELESS;
use crate::check::affine::{Affine, Case, all_of, impossible, point};
use crate::check::shapes::with_origin;
use crate::check::terms::{Kind, Place, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::diagnostic::Diagnostic;
use crate::ir::{ScalarOp, Size};
use crate::source::Span;

/// A condition around an expression, and whether it holds there or not.
#[derive(Clone, Copy, PartialEq)]
pub struct Guard {
    pub condition: TermId,
    pub holds: bool,
}

/// A read that is looked at when the sizes of its indices are known.
pub struct Pending {
    pub read: TermId,
    /// The number of the axis, and where it is read.
    pub at: usize,
    pub affine: Affine,
    pub axis: Axis,
    /// Where conditions of the run decide: the place where they hold, and 0 elsewhere.
    pub otherwise: Option<TermId>,
    pub guards: Vec<Guard>,
    pub place: Span,
    /// What is read, and its type.
    pub base: (Span, String),
}

enum Verdict {
    Inside,
    /// Inside where a condition of the run holds, for all that is known.
    AtRun,
    /// Outside, for these values of the indices if some are known.
    Outside(Option<Vec<(IndexId, i64)>>),
}

impl Elaborator<'_> {
    /// Evaluates something where a condition holds, or where it does not.
    pub(in super::super) fn under<T>(&mut self, condition: TermId, holds: bool, f: impl FnOnce(&mut Self) -> T) -> T {
        // A condition for each element of a tensor says nothing of an index.
        let speaks = self.ty(condition).axes.is_empty();
        if speaks {
            self.guards.push(Guard { condition, holds });
        }
        let result = f(self);
        if speaks {
            self.guards.pop();
        }
        result
    }

    /// The cases in which a condition holds, or does not.
    pub(super) fn cases(&self, condition: TermId, holds: bool) -> Vec<Case> {
        let Kind::Scalar(op, operands) = &self.terms.get(condition).kind else {
            return match self.terms.get(condition).kind {
                Kind::Truth(truth) if truth == holds => all_of(&[]),
                Kind::Truth(_) => Vec::new(),
                _ => vec![Case::unknown()],
            };
        };
        let part = |at: usize, holds| self.cases(operands[at], holds);
        if *op == ScalarOp::Not {
            return part(0, !holds);
        }
        if matches!((op, holds), (ScalarOp::And, true) | (ScalarOp::Or, false)) {
            return all_of(&[part(0, holds), part(1, holds)]);
        }
        if matches!((op, holds), (ScalarOp::And, false) | (ScalarOp::Or, true)) {
            return [part(0, holds), part(1, holds)].concat();
        }
        let sides = || Some((self.affine(operands[0])?, self.affine(*operands.get(1)?)?));
        let Some((a, b)) = sides().filter(|_| op.compares()) else { return vec![Case::unknown()] };
        let one = Affine::constant(Size::from(1));
        let below = Case::of(b.minus(&a).minus(&one));
        let above = Case::of(a.minus(&b).minus(&one));
        let (at_least, at_most) = (Case::of(a.minus(&b)), Case::of(b.minus(&a)));
        if *op == ScalarOp::Less {
            return vec![if holds { below } else { at_least }];
        }
        if *op == ScalarOp::LessEqual {
            return vec![if holds { at_most } else { above }];
        }
        if (*op == ScalarOp::Equal) == holds { all_of(&[vec![at_least], vec![at_most]]) } else { vec![below, above] }
    }

    fn cases_of(&self, guards: &[Guard]) -> Vec<Case> {
        all_of(&guards.iter().map(|guard| self.cases(guard.condition, guard.holds)).collect::<Vec<_>>())
    }

    /// A place where all conditions hold that are in force, and 0 elsewhere.
    pub(super) fn guarded(&mut self, place: TermId, span: Span) -> TermId {
        let mut conditions = Vec::new();
        for Guard { condition, holds } in self.guards.clone() {
            if holds {
                conditions.extend(self.conjuncts(condition));
            } else {
                let ty = self.ty(condition).clone();
                conditions.push(self.terms.add(Kind::Scalar(ScalarOp::Not, vec![condition]), ty, span));
            }
        }
        let mut all = None;
        for at in 0..conditions.len() {
            let others: Vec<TermId> =
                conditions.iter().enumerate().filter(|(k, _)| *k != at).map(|(_, id)| *id).collect();
            let known = self.for_some(conditions[at], place, &others, span);
            let ty = self.ty(known).clone();
            all = Some(match all {
                None => known,
                Some(all) => {
                    let free = self.free_indices(all, known);
                    let ty = Type { free, mask: None, ..ty };
                    self.terms.add(Kind::Scalar(ScalarOp::And, vec![all, known]), ty, span)
                }
            });
        }
        let Some(all) = all else { return place };
        let zero = self.terms.add(Kind::Number(0.0), Type::scalar(Elem::Int), span);
        let ty = Type { free: self.free_indices(all, place), ..self.ty(place).clone() };
        self.terms.add(Kind::Scalar(ScalarOp::Select, vec![all, place, zero]), ty, span)
    }

    /// The conditions that are demanded together.
    fn conjuncts(&self, condition: TermId) -> Vec<TermId> {
        match &self.terms.get(condition).kind {
            Kind::Scalar(ScalarOp::And, sides) => sides.iter().flat_map(|side| self.conjuncts(*side)).collect(),
            _ => vec![condition],
        }
    }

    /// What a condition demands of a place that has not its index, whichever value that has: of `to[e] == i` that some `i` is
    /// there, of `e <= i` that the last one is. So what is read for each `e` is not read for each pair.
    fn for_some(&mut self, condition: TermId, place: TermId, others: &[TermId], span: Span) -> TermId {
        let Kind::Scalar(op, sides) = &self.terms.get(condition).kind else { return condition };
        let (op, sides) = (*op, sides.clone());
        let lone = |this: &Self, at: usize| match this.terms.get(sides[at]).kind {
            Kind::Index(id) => {
                let elsewhere =
                    others.iter().chain([&place, &sides[1 - at]]).any(|other| this.ty(*other).free.contains(&id));
                if elsewhere { None } else { this.terms.size_of(id) }
            }
            _ => None,
        };
        if !matches!(op, ScalarOp::Equal | ScalarOp::Less | ScalarOp::LessEqual) {
            return condition;
        }
        let Some((at, size)) = (0..2).find_map(|at| Some((at, lone(self, at)?))) else { return condition };
        let other = sides[1 - at];
        let int = Type::scalar(Elem::Int);
        let zero = self.terms.add(Kind::Number(0.0), int.clone(), span);
        let last = self.terms.add(Kind::Size(size.minus(&Size::from(1))), int, span);
        let truth = Type { free: self.ty(other).free.clone(), ..Type::scalar(Elem::Bool) };
        let mut compare = |op, a, b| self.terms.add(Kind::Scalar(op, vec![a, b]), truth.clone(), span);
        if op != ScalarOp::Equal {
            return if at == 0 { compare(op, zero, other) } else { compare(op, other, last) };
        }
        let low = compare(ScalarOp::LessEqual, zero, other);
        let high = compare(ScalarOp::LessEqual, other, last);
        compare(ScalarOp::And, low, high)
    }

    /// The same for a place made of indices, where a condition of the run is among them.
    pub(super) fn guarded_by_run(&mut self, place: TermId, span: Span) -> Option<TermId> {
        let exact = self.cases_of(&self.guards).iter().all(|case| case.exact);
        if exact { None } else { Some(self.guarded(place, span)) }
    }

    /// Looks at all reads from the first on. What is decided by a use is left to it.
    pub(super) fn verify(&mut self, first: usize) -> Out<()> {
        let mut sound = Ok(());
        for pending in self.pending.split_off(first) {
            match self.verdict(&pending) {
                Verdict::Inside => {}
                Verdict::AtRun => match pending.otherwise {
                    Some(otherwise) => self.terms.read_at(pending.read, pending.at, otherwise),
                    None => sound = sound.and(self.leaves(&pending, None)),
                },
                Verdict::Outside(point) => sound = sound.and(self.leaves(&pending, point)),
            }
        }
        sound
    }

    fn verdict(&self, pending: &Pending) -> Verdict {
        let size_of = |id: IndexId| self.terms.size_of(id);
        let Pending { affine, axis, .. } = pending;
        let Some((low, high)) = affine.extremes(size_of) else { return Verdict::Inside };
        let last = axis.size.minus(&Size::from(1));
        if low.is_open() || high.is_open() || last.is_open() {
            return Verdict::Inside;
        }
        if low.is_never_negative() && last.minus(&high).is_never_negative() {
            return Verdict::Inside;
        }
        // A condition that a use decides may keep it inside.
        let open = |case: &Case| case.conditions.iter().any(|condition| condition.constant.is_open());
        let cases = self.cases_of(&pending.guards);
        if self.alone.is_some() && cases.iter().any(|case| !case.exact || open(case)) {
            return Verdict::Inside;
        }
        let below = affine.times(-1).minus(&Affine::constant(Size::from(1)));
        let above = affine.minus(&Affine::constant(axis.size.clone()));
        let mut at_run = false;
        for case in &cases {
            for beyond in [&below, &above] {
                let all = [&case.conditions[..], std::slice::from_ref(beyond)].concat();
                if impossible(&all, size_of) {
                    continue;
                }
                match point(&all, size_of) {
                    Some(None) => {}
                    found if case.exact => return Verdict::Outside(found.flatten()),
                    _ => at_run = true,
                }
            }
        }
        if at_run { Verdict::AtRun } else { Verdict::Inside }
    }

    fn leaves(&mut self, pending: &Pending, point: Option<Vec<(IndexId, i64)>>) -> Out<()> {
        let Pending { affine, axis, place, base, .. } = pending;
        let shown = self.sources.text(*place).to_string();
        let constant = affine.factors.is_empty();
        let is_slice = affine.factors.iter().any(|(id, _)| self.terms.index_of(*id).name == NAMELESS);
        let (low, high) = affine.extremes(|id| self.terms.size_of(id)).unwrap_or((Size::from(0), Size::from(0)));
        let ends = match axis.size.settled() {
            Some(0) => "it has no elements".to_string(),
            Some(size) => format!("its elements are 0 to {}", size - 1),
            None => format!("its elements are 0 to {}", axis.size.minus(&Size::from(1))),
        };
        let message = match constant {
            true => format!("place {low} is outside of an axis of {}", axis.size),
            false => format!("this read can leave its axis of {}: `{shown}` goes from {low} to {high}", axis.size),
        };
        let text = match &point {
            Some(point) if !constant && !point.is_empty() && !is_slice => {
                let is = |(id, value): &(IndexId, i64)| format!("`{}` = {value}", self.terms.index_of(*id).name);
                let value = |(id, value): &(IndexId, i64)| affine.factor(*id) * value;
                let start = affine.constant.settled().unwrap_or(0);
                let place = point.iter().map(value).fold(start, |sum, part| sum + part);
                format!("{ends}; at {} it reads place {place}", point.iter().map(is).collect::<Vec<_>>().join(", "))
            }
            _ => ends,
        };
        let mut error = Diagnostic::error("E0251", message, *place, text).label(base.0, format!("this is {}", base.1));
        error = with_origin(error, axis);
        for (id, _) in &affine.factors {
            let index = self.terms.index_of(*id);
            if let Some(own) = &index.axis
                && let Some(origin) = &own.origin
                && !error.labels.iter().any(|label| label.span == origin.span)
            {
                error =
                    error.label(origin.span, format!("`{}` goes from 0 to {}", index.name, own.size.minus(&1.into())));
            }
        }
        let below = !low.is_never_negative();
        let size = &axis.size;
        let last = size.minus(&Size::from(1));
        let is_size = constant && axis.size.settled().is_none() && low == axis.size;
        let help = match (constant, below) {
            _ if is_size => format!(
                "`{shown}` is a size here, not an index: name the result's index on the left, `let y[{shown}] = …`, or read all by `..`"
            ),
            _ if is_slice => format!("an end is not taken itself; all places are `0..{size}`"),
            (true, true) if last.is_never_negative() => format!("places count from 0: the last one is {last}"),
            (true, _) => format!("places count from 0, so that the last of {size} is {last}"),
            (false, true) => format!("say where it may be read: `if {shown} >= 0 then … else 0`"),
            (false, false) => format!("say where it may be read: `if {shown} < {size} then … else 0`"),
        };
        Err(self.report(error.help(help)))
    }

    /// Whether a read has a place that is made of indices and more than one of them.
    pub(in super::super) fn is_plain(place: &Place) -> bool {
        matches!(place, Place::Affine(affine) if affine.bare().is_some())
    }
}
