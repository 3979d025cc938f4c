//! `scan xt in x[n, t, d] over t { … }`: a loop of the graph. Its body is elaborated once.

use super::index::NAMELESS;
use super::{Elaborator, Out, Reported};
use crate::check::number::Number;
use crate::check::shapes::with_origin;
use crate::check::steps::{Carry, Scan, ScanId, ScanPart};
use crate::check::terms::{Cut, Kind, Leaf, ParamId, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::check::value::{Part, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{ScalarOp, Size};
use crate::source::Span;
use crate::syntax::tree::{self, Expr, ExprKind, FnBody, ItemKind, Name, Subscript};
use crate::syntax::walk;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A loop whose body is being elaborated.
pub(super) struct Loop {
    pub id: ScanId,
    pub span: Span,
    /// The first term that may be one of its steps'.
    pub first: TermId,
    /// Type, first value, next value.
    pub carries: Vec<(Type, TermId, Option<TermId>)>,
    /// States of layers that its steps move, and their carries.
    pub kept: Vec<(ParamId, usize)>,
    /// The indices that it stands inside of and may read: a carry is one for each of them.
    pub free: Vec<IndexId>,
}

/// One thing that is stepped through.
enum Source {
    /// A tensor along one of its axes, and the names of the others.
    Tensor { term: TermId, axis: usize, labels: Vec<(Name, Axis)> },
    /// The numbers from a first one on.
    Range { first: Value, at: Span },
}

/// The names and places of several results.
type PartNames = Vec<(Option<String>, Span)>;

impl Elaborator<'_> {
    pub(super) fn scan(&mut self, scan: &tree::Scan, last: bool, span: Span, scope: &mut Scope) -> Out<Value> {
        self.as_many_sources(scan, span)?;
        let mut sources = Vec::new();
        let mut steps: Option<Axis> = None;
        for over in &scan.over {
            let (source, axis) = self.stepped_through(over, scan.axis.as_ref(), scope)?;
            match &steps {
                Some(known) if !known.size.agrees(&axis.size) => {
                    let message = format!("a scan steps through {} and {} places at once", known.size, axis.size);
                    let error = Diagnostic::error("E0203", message, over.span, format!("this has {}", axis.size));
                    return Err(self.report(with_origin(with_origin(error, known), &axis)));
                }
                Some(_) => {}
                None => steps = Some(axis),
            }
            sources.push(source);
        }
        let Some(steps) = steps else { return Err(Reported) };
        let place = match sources.first() {
            Some(Source::Tensor { axis, .. }) => *axis,
            _ => 0,
        };
        let id = ScanId(self.terms.scans);
        self.terms.scans += 1;
        let first = TermId(self.terms.count() as u32);
        let mut inner = self.scope_of_steps(scan, id, &sources, scope)?;
        let free = self.open_in(scan, scope);
        self.loops.push(Loop { id, span, first, carries: Vec::new(), kept: Vec::new(), free });
        self.kept_now.push(HashMap::new());
        let (emitted, demanded) = (self.emissions.len(), self.demands.len());
        let body = self.at_place("scan", |this| this.body(&scan.body, &mut inner, span));
        let given = body.and_then(|(value, at)| self.given(value, at));
        let kept_now = self.kept_now.pop().unwrap_or_default();
        let Some(around) = self.loops.pop() else { return Err(Reported) };
        let (mut given, names) = given?;
        let lasts = if last { given.len() } else { 0 };
        let handed_out: Vec<usize> = (emitted..self.emissions.len()).collect();
        given.extend(handed_out.iter().map(|at| self.emissions[*at].term));
        // What the steps demand is looked at outside of them.
        let looked_at: Vec<(usize, usize)> = (demanded..self.demands.len())
            .flat_map(|at| (0..self.demands[at].terms().count()).map(move |k| (at, k)))
            .collect();
        given.extend((demanded..self.demands.len()).flat_map(|at| self.demands[at].terms()));
        let carries = around.carries.iter().enumerate().map(|(at, (ty, first, next))| {
            let kept = around.kept.iter().find(|(_, carry)| *carry == at).and_then(|(id, _)| kept_now.get(id).copied());
            let now = || self.terms.add(Kind::Leaf(Leaf::Carry(id, at)), ty.clone(), span);
            Carry { ty: ty.clone(), first: *first, next: kept.or(*next).unwrap_or_else(now) }
        });
        let carries = carries.collect();
        let sources = sources
            .iter()
            .filter_map(|source| match source {
                Source::Tensor { term, axis, .. } => Some((*term, *axis)),
                Source::Range { .. } => None,
            })
            .collect();
        let loop_ = Scan { id, steps: steps.size.clone(), sources, carries, given, lasts, first };
        let mut results = self.results(Arc::new(loop_), &around, steps, place, span);
        for ((at, part), term) in looked_at.iter().zip(results.split_off(results.len() - looked_at.len())) {
            self.demands[*at].replace(*part, term);
        }
        // What was emitted in a step is there once for each of them.
        for (at, term) in handed_out.iter().zip(results.split_off(results.len() - handed_out.len())) {
            self.emissions[*at].term = term;
        }
        Ok(named(results, names))
    }

    /// `last(scan …)`, and `last(y)` of what is called so: what the last step gives, wherever its steps stand. `None` of
    /// anything else.
    pub(super) fn last_of_scan(
        &mut self,
        callee: &Expr,
        argument: &Expr,
        span: Span,
        scope: &mut Scope,
    ) -> Out<Option<Value>> {
        let ExprKind::Name(word) = &callee.kind else { return Ok(None) };
        if word.text != "last" || scope.get("last").is_some() {
            return Ok(None);
        }
        let own = matches!(self.callee(callee, scope)?, Value::Item(item)
            if matches!(&item.kind, ItemKind::Fn(function) if matches!(function.body, FnBody::Primitive)));
        match &argument.kind {
            ExprKind::Scan(scan) if own => self.scan(scan, true, span, scope).map(Some),
            ExprKind::Name(name) if own && scope.names_scan(&name.text) => {
                let value = self.value(argument, scope)?;
                self.last_step(value, span).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn last_step(&mut self, value: Value, span: Span) -> Out<Value> {
        match value {
            Value::Tensor(term) => {
                let Kind::Scan(_, ScanPart::Given { axis, .. }) = self.terms.get(term).kind else {
                    return Err(Reported);
                };
                let axes = &self.ty(term).axes;
                let mut cuts = vec![Cut::All; axes.len()];
                cuts[axis] = Cut::One(axes[axis].size.minus(&Size::from(1)));
                Ok(Value::Tensor(self.cut_out(term, cuts, span)))
            }
            Value::Tuple(parts) => {
                let last = |part: Part| Ok(Part { value: self.last_step(part.value, span)?, ..part });
                Ok(Value::Tuple(parts.into_iter().map(last).collect::<Out<_>>()?))
            }
            _ => Err(Reported),
        }
    }

    fn as_many_sources(&mut self, scan: &tree::Scan, span: Span) -> Out<()> {
        if scan.names.len() == scan.over.len() {
            return Ok(());
        }
        let (names, over) = (scan.names.len(), scan.over.len());
        let message = format!("a scan has {names} names for {over} things that it steps through");
        Err(self.error("E0227", message, span, "this scan"))
    }

    /// What is written behind `in`.
    fn stepped_through(&mut self, over: &Expr, along: Option<&Name>, scope: &mut Scope) -> Out<(Source, Axis)> {
        match &over.kind {
            ExprKind::Range(from, to) => self.steps_of_range(from, to, over.span, scope),
            ExprKind::Index(base, labels) => {
                let (labels, term) = self.at_open_indices(base, labels, over.span, scope)?;
                let term = self.filled(term, 0.0, base.span);
                let labelled = self.labels(term, &labels, over.span, scope)?;
                let Some(along) = along else {
                    let error =
                        Diagnostic::error("E0272", "a scan says which axis it goes along", over.span, "of this tensor");
                    let names: Vec<&str> = labelled.iter().flatten().map(|name| name.text.as_str()).collect();
                    return Err(self.report(
                        error.help(format!("write `over {}`", names.get(1).or(names.first()).unwrap_or(&"t"))),
                    ));
                };
                let places: Vec<usize> = (0..labelled.len())
                    .filter(|at| labelled[*at].as_ref().is_some_and(|name| name.text == along.text))
                    .collect();
                let [axis] = places[..] else {
                    let message = format!("no axis of what is stepped through is called `{}`", along.text);
                    let message =
                        if places.is_empty() { message } else { format!("two axes are called `{}`", along.text) };
                    let error = Diagnostic::error("E0272", message, along.span, "over this one")
                        .label(over.span, "its axes are named here");
                    return Err(self.report(error));
                };
                let axes = self.ty(term).axes.clone();
                let size = axes[axis].clone();
                let named = labelled.into_iter().zip(axes).enumerate();
                let labels =
                    named.filter(|(at, _)| *at != axis).filter_map(|(_, (name, own))| Some((name?, own))).collect();
                Ok((Source::Tensor { term, axis, labels }, size))
            }
            _ => {
                let text = self.sources.text(over.span).to_string();
                let error = Diagnostic::error(
                    "E0272",
                    "what a scan steps through names its axes",
                    over.span,
                    "of this nothing is named",
                );
                Err(self.report(error.help(format!("write `{text}[n, t]`, or a range, `0..10`"))))
            }
        }
    }

    /// A tensor that is stepped through. Inside of index notation, an axis whose label is an open index is read there; the
    /// labels of the others are left.
    fn at_open_indices(
        &mut self,
        base: &Expr,
        labels: &[Subscript],
        span: Span,
        scope: &mut Scope,
    ) -> Out<(Vec<Subscript>, TermId)> {
        let is_open = |label: &Subscript| match label {
            Subscript::At(Expr { kind: ExprKind::Name(name), .. }, None) => scope.index(&name.text).is_some(),
            Subscript::Rest(..) | Subscript::At(..) | Subscript::Slice(..) | Subscript::Group(..) => false,
        };
        let (open, left): (Vec<&Subscript>, Vec<&Subscript>) = labels.iter().partition(|label| is_open(label));
        let value = if open.is_empty() {
            self.value(base, scope)?
        } else {
            let whole = |label: &Subscript| match label {
                Subscript::At(Expr { span, .. }, _) if !is_open(label) => {
                    let zero = ExprKind::Number { digits: "0".to_string(), percent: false };
                    Subscript::Slice(Expr { span: *span, kind: zero }, None, *span)
                }
                other => other.clone(),
            };
            let read: Vec<Subscript> = labels.iter().map(whole).collect();
            self.read(base, &read, span, scope)?
        };
        let term = self.tensor(value, base.span)?;
        Ok((left.into_iter().cloned().collect(), term))
    }

    /// The open indices that a loop may read: those whose names stand in it, and those of what it reads by name.
    fn open_in(&self, scan: &tree::Scan, scope: &Scope) -> Vec<IndexId> {
        let mut free = BTreeSet::new();
        let mut named = |name: &str| match (scope.index(name), scope.get(name).map(|bound| &bound.value)) {
            (Some(ids), _) => free.extend(ids.iter().copied()),
            (None, Some(Value::Tensor(term))) => free.extend(self.ty(*term).free.iter().copied()),
            (None, _) => {}
        };
        let mut visit = |expr: &Expr| match &expr.kind {
            ExprKind::Name(name) => named(&name.text),
            ExprKind::Index(_, places) => {
                for place in places {
                    if let Subscript::Rest(name, _) = place {
                        named(name.as_ref().map_or(NAMELESS, |name| &name.text));
                    }
                }
            }
            _ => {}
        };
        scan.over.iter().for_each(|over| walk::expression(over, &mut visit));
        scan.body.iter().for_each(|statement| walk::expressions(statement, &mut visit));
        free.into_iter().collect()
    }

    /// The name of each axis of a source, if it has one.
    fn labels(&mut self, term: TermId, written: &[Subscript], at: Span, scope: &Scope) -> Out<Vec<Option<Name>>> {
        let axes = self.ty(term).axes.clone();
        let rests = written.iter().filter(|label| matches!(label, Subscript::Rest(..))).count();
        if rests > 1 || (rests == 0 && written.len() != axes.len()) || written.len() - rests > axes.len() {
            let message = format!("{} has {} axes, and {} are named", self.ty(term), axes.len(), written.len());
            return Err(self.error("E0205", message, at, "here"));
        }
        let mut names: Vec<Option<Name>> = Vec::new();
        for label in written {
            match label {
                Subscript::Rest(..) => names.extend((0..axes.len() + 1 - written.len()).map(|_| None)),
                Subscript::At(Expr { kind: ExprKind::Name(name), .. }, None) => names.push(Some(name.clone())),
                Subscript::At(Expr { span, .. }, _)
                | Subscript::Slice(Expr { span, .. }, ..)
                | Subscript::Group(_, span) => {
                    let message = "behind `in` stand names of axes";
                    let error = Diagnostic::error("E0272", message, *span, "this is none");
                    return Err(self.report(error.help("name the part before by a `let`, and scan over that")));
                }
            }
        }
        // A name that is a size already says which axis is meant.
        for (name, axis) in names.iter().zip(&axes) {
            let Some(name) = name else { continue };
            let known = match scope.get(&name.text).map(|bound| &bound.value) {
                Some(Value::Number(number)) => number.to_whole().map(Size::from),
                Some(Value::Size(size)) => Some(size.size.clone()),
                _ => None,
            };
            if known.as_ref().is_some_and(|known| !known.agrees(&axis.size)) {
                let shown = known.map_or(String::new(), |known| known.to_string());
                let message = format!("`{}` is {shown}, and this axis has {}", name.text, axis.size);
                let error = Diagnostic::error("E0203", message, name.span, format!("this is {}", self.ty(term)));
                return Err(self.report(with_origin(error, axis)));
            }
        }
        Ok(names)
    }

    /// `0..t`.
    fn steps_of_range(&mut self, from: &Expr, to: &Expr, span: Span, scope: &mut Scope) -> Out<(Source, Axis)> {
        let (first, end) = (self.value(from, scope)?, self.value(to, scope)?);
        let size = |value: &Value| match value {
            Value::Number(number) => number.to_whole().map(Size::from),
            Value::Size(axis) => Some(axis.size.clone()),
            _ => None,
        };
        for (value, at) in [(&first, from.span), (&end, to.span)] {
            if size(value).is_none() {
                self.whole(value, "the bound of a range", at)?;
            }
        }
        let (Some(low), Some(high)) = (size(&first), size(&end)) else { return Err(Reported) };
        let count = high.minus(&low);
        if count.settled().is_some_and(|count| count < 1) {
            let message = format!("a scan has no steps: from {low} to below {high} there is nothing");
            let error = Diagnostic::error("E0272", message, span, "this range");
            return Err(self.report(error.help("`a..b` counts a, a + 1, … up to b - 1")));
        }
        Ok((Source::Range { first, at: from.span }, Axis::new(count, span, "is counted here")))
    }

    /// The names that the steps read.
    fn scope_of_steps(&mut self, scan: &tree::Scan, id: ScanId, sources: &[Source], scope: &Scope) -> Out<Scope> {
        let mut inner = scope.clone();
        inner.states.clear();
        inner.steps = true;
        if let Some(along) = &scan.axis {
            inner.forget(&along.text);
        }
        let mut slices = 0;
        for source in sources {
            let Source::Tensor { labels, .. } = source else { continue };
            for (name, axis) in labels {
                if inner.get(&name.text).is_none() {
                    let value = match axis.size.settled() {
                        Some(size) => Value::Number(Number::whole(size)),
                        None => Value::Size(axis.clone()),
                    };
                    inner.bind(name, value);
                }
            }
        }
        for (name, source) in scan.names.iter().zip(sources) {
            let value = match source {
                Source::Tensor { term, axis, .. } => {
                    let mut ty = self.ty(*term).clone();
                    ty.axes.remove(*axis);
                    slices += 1;
                    self.leaf(Leaf::Slice(id, slices - 1), ty, name.span)
                }
                Source::Range { first, at } => {
                    let place = self.leaf(Leaf::Step(id), Type::scalar(Elem::Int), name.span);
                    match first {
                        Value::Number(zero) if *zero == Number::whole(0) => place,
                        _ => self.arithmetic(
                            ScalarOp::Add,
                            (Value::Tensor(place), name.span),
                            (first.clone(), *at),
                            *at,
                            *at,
                        )?,
                    }
                }
            };
            inner.bind(name, Value::Tensor(value));
        }
        Ok(inner)
    }

    /// What a step gives: tensors, and the names of several.
    fn given(&mut self, value: Value, at: Span) -> Out<(Vec<TermId>, Option<PartNames>)> {
        let parts = match value {
            Value::Tuple(parts) => parts,
            one => {
                let term = self.given_one(one, at)?;
                return Ok((vec![term], None));
            }
        };
        let names = parts.iter().map(|part| (part.name.clone(), part.span)).collect();
        let terms: Vec<Out<TermId>> = parts.into_iter().map(|part| self.given_one(part.value, part.span)).collect();
        Ok((terms.into_iter().collect::<Out<_>>()?, Some(names)))
    }

    fn given_one(&mut self, value: Value, at: Span) -> Out<TermId> {
        let term = self.tensor(value, at)?;
        Ok(self.filled(term, 0.0, at))
    }

    /// What the loop gives; the states of layers that its steps moved are what the last step left.
    fn results(&mut self, scan: Arc<Scan>, around: &Loop, steps: Axis, place: usize, span: Span) -> Vec<TermId> {
        let mut results = Vec::new();
        for (at, given) in scan.given.iter().enumerate() {
            let mut ty = Type { mask: None, ..self.ty(*given).clone() };
            let axis = place.min(ty.axes.len());
            if at >= scan.lasts {
                ty.axes.insert(axis, steps.clone());
            }
            results.push(self.term(Kind::Scan(Arc::clone(&scan), ScanPart::Given { at, axis }), ty, span));
        }
        for (id, carry) in &around.kept {
            let ty = self.params[id.0 as usize].ty.clone();
            let term = self.term(Kind::Scan(Arc::clone(&scan), ScanPart::Last(*carry)), ty, span);
            let depth = self.loops.len();
            self.kept_now[depth].insert(*id, term);
        }
        results
    }
}

/// One result, or several with their names.
fn named(results: Vec<TermId>, names: Option<Vec<(Option<String>, Span)>>) -> Value {
    let part = |((name, span), term)| Part { name, value: Value::Tensor(term), span };
    match names {
        None => Value::Tensor(results[0]),
        Some(names) => Value::Tuple(names.into_iter().zip(results).map(part).collect()),
    }
}
