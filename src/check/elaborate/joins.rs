//! What joins rows: a reduction over them, and their number. A value that reads one depends on which rows stand beside its
//! own: in a column that is a leak, in a model a surprise.

use super::{Elaborator, Out, Reported};
use crate::check::terms::{Cut, Kind, TermId};
use crate::check::types::{Axis, Type};
use crate::check::value::Value;
use crate::diagnostic::Diagnostic;
use crate::ir::{Reduce, Size};
use crate::source::Span;

/// A term that joins rows.
pub(super) struct Join {
    term: TermId,
    /// The innermost text of the user that asked for it.
    place: Span,
    /// The calls around the place, outermost first.
    calls: Vec<(Span, String)>,
    remedy: Remedy,
}

/// How the value of the text at a place is made a value of the training rows.
#[derive(Clone, Copy, PartialEq)]
enum Remedy {
    /// It has no axis of rows.
    Fit,
    /// It has free indices: there is one such value for each of theirs.
    NameFirst,
    /// It has a value for each row again.
    WithinRows,
}

impl Elaborator<'_> {
    /// Notes a term, if it joins rows.
    pub(super) fn note_join(&mut self, term: TermId) {
        if !self.joins_rows(term) {
            return;
        }
        let own = |span: &Span| !self.library.is_stdlib(span.source);
        let at = self.terms.get(term).span;
        let (place, around) = match self.calls.iter().rposition(|(span, _)| own(span)) {
            _ if own(&at) => (at, self.calls.len()),
            Some(call) => (self.calls[call].0, call),
            None => (at, 0),
        };
        let calls = self.calls[..around].iter().filter(|(span, _)| *span != place).cloned().collect();
        let remedy = self.remedy(term);
        self.joins.push(Join { term, place, calls, remedy });
    }

    fn joins_rows(&self, term: TermId) -> bool {
        let last = |id: &TermId| self.ty(*id).axes.last().is_some_and(|axis| has_rows(&axis.size));
        match &self.terms.get(term).kind {
            Kind::Fold(_, a) => any_rows(self.ty(*a)),
            Kind::ArgMax(a) | Kind::Order(a) | Kind::Running(_, a) | Kind::Product(a, _) | Kind::Pick(a, _) => last(a),
            Kind::Cholesky(a) | Kind::TriangularSolve { l: a, .. } => last(a),
            Kind::Size(size) => has_rows(size),
            // What is one behind another, or left out, along the rows.
            Kind::Concat(parts, at) => {
                parts.iter().any(|part| self.ty(*part).axes.get(*at).is_some_and(|axis| has_rows(&axis.size)))
            }
            Kind::Slice(a, cuts) => {
                let axes = self.ty(*a).axes.iter().zip(cuts);
                axes.into_iter().any(|(axis, cut)| *cut != Cut::All && has_rows(&axis.size))
            }
            // A row that is read by its place stands beside others.
            Kind::Read(a, places) => {
                let mut axes = self.ty(*a).axes.iter().zip(places);
                axes.any(|(axis, place)| has_rows(&axis.size) && !Elaborator::is_plain(place))
            }
            // Over rows without carries a loop is a map.
            Kind::Scan(scan, _) => has_rows(&scan.steps) && (scan.lasts > 0 || !scan.carries.is_empty()),
            Kind::Number(_)
            | Kind::Truth(_)
            | Kind::Index(_)
            | Kind::Leaf(_)
            | Kind::Cast(_)
            | Kind::Scalar(..)
            | Kind::Constant(_)
            | Kind::Spread(..)
            | Kind::Reshape(_)
            | Kind::Grad { .. }
            | Kind::Draw(..)
            | Kind::Stack(..) => false,
        }
    }

    fn remedy(&self, term: TermId) -> Remedy {
        let ty = self.ty(term);
        let of_rows = |axis: &Axis| has_rows(&axis.size);
        let each_row = ty.free.iter().any(|id| self.terms.index_of(*id).axis.as_ref().is_some_and(of_rows));
        if each_row || any_rows(ty) {
            Remedy::WithinRows
        } else if ty.free.is_empty() {
            Remedy::Fit
        } else {
            Remedy::NameFirst
        }
    }

    /// What a call at a place gives, where joins since the first were made.
    pub(super) fn note_result(&mut self, first: usize, place: Span, value: &Out<Value>) {
        if let Ok(Value::Tensor(term)) = value
            && first < self.joins.len()
        {
            let remedy = self.remedy(*term);
            self.joins[first..].iter_mut().filter(|join| join.place == place).for_each(|join| join.remedy = remedy);
        }
    }

    /// The outermost joins that a term reads among the terms from `first` on. A fitted value is a leaf, so that what it was
    /// computed by is not read.
    fn joins_of(&self, root: TermId, first: usize) -> Vec<&Join> {
        let mut seen = vec![false; self.terms.count() - first];
        let (mut open, mut found) = (vec![root], Vec::<&Join>::new());
        while let Some(id) = open.pop() {
            let Some(at) = (id.0 as usize).checked_sub(first) else { continue };
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            match self.joins.binary_search_by_key(&id, |join| join.term) {
                Ok(join) => {
                    let join = &self.joins[join];
                    if !found.iter().any(|known| known.place == join.place) {
                        found.push(join);
                    }
                }
                Err(_) => match &self.terms.get(id).kind {
                    // The derivative of a sum over rows is in each row that of its own part.
                    Kind::Grad { of, by } => match self.terms.get(*of).kind {
                        Kind::Fold(Reduce::Sum, parts) => open.extend([parts, *by]),
                        _ => open.extend([*of, *by]),
                    },
                    kind => open.extend(kind.reads()),
                },
            }
        }
        found
    }

    /// A column's value in a row is the same whichever rows stand beside it. The terms before `first` are those of other columns.
    pub(super) fn no_leak(&mut self, value: TermId, first: usize) -> Out<()> {
        let mut wrong = Vec::new();
        for join in self.joins_of(value, first) {
            let text = self.sources.text(join.place);
            let shown = if text.len() <= 60 && !text.contains('\n') { text } else { "…" };
            let message = "a row's value would depend on the rows beside it";
            let mut error = Diagnostic::error("E0224", message, join.place, "this joins the rows");
            for (span, name) in join.calls.iter().rev() {
                error = error.label(*span, format!("in this use of `{name}`"));
            }
            wrong.push(error.help(match join.remedy {
                Remedy::Fit => format!("take its value on the training rows: `fitted({shown})`"),
                Remedy::NameFirst => {
                    "name it, `let m[j] = …`, and take its value on the training rows: `fitted(m)`".to_string()
                }
                Remedy::WithinRows => {
                    "reduce over a row's own values, the last axis of `[n, k]`, or take what joins rows by `fitted(…)`"
                        .to_string()
                }
            }));
        }
        let leaks: Vec<Reported> = wrong.into_iter().map(|error| self.report(error)).collect();
        leaks.last().map_or(Ok(()), |reported| Err(*reported))
    }

    /// A prediction of a model is that of its row alone. The terms of the model are those from `first` on; the call of the
    /// model is the last of so many `calls`.
    ///
    /// A layer with batch statistics joins rows because it is meant to, and only where `training` is true: what is looked at
    /// here must then be the model as it predicts, with `training` false, and such a layer needs no exception.
    pub(super) fn warn_of_joins(&mut self, value: &Out<(Value, Span)>, first: usize, calls: usize) {
        let Ok((Value::Tensor(term), _)) = value else { return };
        // What a layer does while it is trained it may mean to do: the model is looked at as it predicts.
        if self.training && self.reads_training {
            return;
        }
        if self.ty(*term).axes.first().is_none_or(|axis| !has_rows(&axis.size)) {
            return;
        }
        let mut found = Vec::new();
        for join in self.joins_of(*term, first) {
            let message = "a row's prediction depends on the rows beside it";
            let mut warning = Diagnostic::error("W0201", message, join.place, "this joins the rows of a batch");
            for (span, name) in join.calls.iter().skip(calls).rev() {
                warning = warning.label(*span, format!("in this use of `{name}`"));
            }
            let help =
                "reduce over the axes of a row, `mean(j: x[i, j])`; what is meant to join rows belongs in the loss";
            found.push(warning.help(help).warning());
        }
        for warning in found {
            self.report(warning);
        }
    }
}

/// Whether a size is that of the rows, or counts with them.
pub(super) fn has_rows(size: &Size) -> bool {
    size.has_rows()
}

fn any_rows(ty: &Type) -> bool {
    ty.axes.iter().any(|axis| has_rows(&axis.size))
}
