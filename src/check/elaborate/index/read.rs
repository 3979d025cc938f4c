//! `base[subscripts]`: every axis is read at a place.

use super::super::{Elaborator, Out, Reported};
use super::declare::NAMELESS;
use super::inside::Pending;
use crate::check::affine::Affine;
use crate::check::number::Number;
use crate::check::shapes::with_origin;
use crate::check::terms::{Kind, Place, TermId};
use crate::check::types::{Axis, Elem, IndexId, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{ScalarOp, Size, Symbol};
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Name, Subscript};
use std::collections::BTreeSet;

/// What stands for one axis between the brackets of a read.
pub(super) enum Spot {
    /// With the term that it is the value of, where there is one.
    Affine(Affine, Option<TermId>, Span),
    /// An element of a tensor of ints or classes.
    At(TermId, Span),
    /// One axis laid out as several.
    Group(Vec<IndexId>, Span),
}

impl Spot {
    pub(super) fn index(id: IndexId, span: Span) -> Spot {
        Spot::Affine(Affine::index(id), None, span)
    }
}

impl Elaborator<'_> {
    pub(in super::super) fn read(
        &mut self,
        base: &Expr,
        subscripts: &[Subscript],
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        let value = match self.base_by_now(base) {
            Some(value) => value,
            None => self.value(base, scope)?,
        };
        let term = self.tensor(value, base.span)?;
        let alone = scope.indices.is_empty();
        let first = self.pending.len();
        let (mut spots, mut whole) = self.spots(term, subscripts, base.span, scope)?;
        if alone && spots.len() < self.ty(term).axes.len() {
            self.rest_behind(term, &mut spots, &mut whole, span);
        }
        let mut read = self.read_at(term, spots, base.span, span)?;
        if !whole.is_empty() {
            read = self.close(read, &whole, span);
        }
        if alone {
            let sound = self.verify(first);
            self.pending.truncate(first);
            sound?;
        }
        Ok(Value::Tensor(read))
    }

    /// A spot for each axis that is read, and the indices of those that stay axes.
    fn spots(
        &mut self,
        term: TermId,
        subscripts: &[Subscript],
        base: Span,
        scope: &mut Scope,
    ) -> Out<(Vec<Spot>, Vec<IndexId>)> {
        let axes = self.ty(term).axes.clone();
        let (mut spots, mut whole) = (Vec::new(), Vec::new());
        for subscript in subscripts {
            match subscript {
                Subscript::At(at, _) => spots.push(self.spot(at, scope)?),
                Subscript::Rest(name, at) => {
                    let text = name.as_ref().map_or(NAMELESS, |name| &name.text);
                    if let Some(rest) = scope.index(text) {
                        spots.extend(rest.iter().map(|id| Spot::index(*id, *at)));
                        continue;
                    }
                    let Some(count) = self.rest_beside(text, axes.len(), subscripts, scope) else {
                        return Err(self.no_rest(name.as_ref(), *at));
                    };
                    for axis in axes.iter().skip(spots.len()).take(count) {
                        let id = self.whole_axis(axis.clone(), *at);
                        spots.push(Spot::index(id, *at));
                        whole.push(id);
                    }
                }
                Subscript::Group(names, at) => spots.push(self.group(names, *at, scope)?),
                Subscript::Slice(from, to, at) => {
                    let Some(axis) = axes.get(spots.len()) else {
                        let message = format!("{} has {} axes, and more are read", self.ty(term), axes.len());
                        let error = Diagnostic::error("E0205", message, *at, "no axis is left for this");
                        return Err(self.report(error.label(base, format!("this is {}", self.ty(term)))));
                    };
                    let (spot, id) = self.slice_beside((from, to.as_ref()), axis, (*at, base), scope)?;
                    spots.push(spot);
                    whole.push(id);
                }
            }
        }
        Ok((spots, whole))
    }

    fn no_rest(&mut self, name: Option<&Name>, span: Span) -> Reported {
        let shown = name.map_or(NAMELESS.to_string(), |name| format!("..{}", name.text));
        let error = Diagnostic::error("E0201", format!("cannot find `{shown}` in this scope"), span, "not found");
        self.report(error.help(format!("a rest is opened by `let y[{shown}] = …` or `sum({shown}: …)`")))
    }

    /// Of a group the indices, which are open.
    fn group(&mut self, names: &[(Name, Option<Expr>)], span: Span, scope: &mut Scope) -> Out<Spot> {
        let mut ids = Vec::new();
        for (name, size) in names {
            let Some([id]) = scope.index(&name.text) else { return Err(self.no_index(name, scope)) };
            let id = *id;
            if let Some(size) = size {
                let axis = self.size(size, scope)?;
                let index = &mut self.terms.indices[id.0 as usize];
                if !index.written {
                    (index.axis, index.written) = (Some(axis), true);
                }
            }
            ids.push(id);
        }
        Ok(Spot::Group(ids, span))
    }

    fn no_index(&mut self, name: &Name, scope: &Scope) -> Reported {
        if scope.index(&name.text).is_some() {
            let message = format!("`{}` is a rest, which stands for several axes", name.text);
            let error = Diagnostic::error("E0208", message, name.span, "here");
            return self.report(error.help(format!("read it as `..{}`", name.text)));
        }
        let message = format!("cannot find index `{}` in this scope", name.text);
        let error = Diagnostic::error("E0201", message, name.span, "not found");
        self.report(error.help("indices are opened by `let y[i] = …` or `sum(i: …)`"))
    }

    pub(super) fn spot(&mut self, at: &Expr, scope: &mut Scope) -> Out<Spot> {
        if let ExprKind::Name(name) = &at.kind {
            match scope.index(&name.text) {
                Some([id]) => return Ok(Spot::index(*id, at.span)),
                Some(_) => return Err(self.no_index(name, scope)),
                None => {
                    let known = scope.get(&name.text).is_some() || self.library.own(&name.text).is_some();
                    if !known {
                        return Err(self.no_index(name, scope));
                    }
                }
            }
        }
        let within = std::mem::replace(&mut self.in_place, true);
        let value = self.value(at, scope);
        self.in_place = within;
        let value = value?;
        if let Value::Number(number) = value {
            return match number.to_whole() {
                Some(whole) => Ok(Spot::Affine(Affine::constant(Size::from(whole)), None, at.span)),
                None => Err(self.no_place(&number.to_string(), at.span)),
            };
        }
        if let Value::Size(axis) = value {
            return Ok(Spot::Affine(Affine::constant(axis.size), None, at.span));
        }
        if self.may_be_constant(&value) {
            return Err(Reported);
        }
        let term = self.tensor(value, at.span)?;
        if let Some(affine) = self.affine(term) {
            return Ok(Spot::Affine(affine, Some(term), at.span));
        }
        let ty = self.ty(term).clone();
        if !ty.axes.is_empty() {
            let message = format!("expected one place to read at, found {ty}");
            let error = Diagnostic::error("E0254", message, at.span, "an axis is left over");
            let text = self.sources.text(at.span).to_string();
            return Err(self.report(if matches!(ty.elem, Elem::Bool) {
                error.help("elements are kept by `where`: `sum(j where x[j] > 0: x[j])`")
            } else if text.chars().all(|sign| sign.is_alphanumeric() || sign == '_') {
                error.help(format!("read it at an index as well: `{text}[n]`"))
            } else {
                error.help("read all its axes at indices as well")
            }));
        }
        match ty.elem {
            Elem::Int | Elem::Class(_) => Ok(Spot::At(term, at.span)),
            Elem::Float | Elem::Bool => Err(self.no_place(&ty.to_string(), at.span)),
        }
    }

    fn no_place(&mut self, found: &str, span: Span) -> Reported {
        let message = format!("expected a whole number for a place, found {found}");
        let error = Diagnostic::error("E0254", message, span, "an axis is read at 0, 1, 2, …");
        let text = self.sources.text(span).to_string();
        self.report(error.help(format!("round it down: `floor({text})`")))
    }

    /// A constant place under a condition of the run.
    fn number_by_run(&mut self, affine: &Affine, span: Span) -> Option<TermId> {
        let kind = match affine.bare() {
            Some(id) => Kind::Index(id),
            None if affine.factors.is_empty() => Kind::Size(affine.constant.clone()),
            None => return None,
        };
        let free = affine.factors.iter().map(|(id, _)| *id).collect();
        let term = self.terms.add(kind, Type { free, ..Type::scalar(Elem::Int) }, span);
        self.guarded_by_run(term, span)
    }

    /// The whole number that a term is for each value of its indices, if it is made of these alone.
    pub(super) fn affine(&self, term: TermId) -> Option<Affine> {
        let own = |id: &TermId| self.affine(*id);
        let settled = |affine: &Affine| affine.constant.settled().filter(|_| affine.factors.is_empty());
        match &self.terms.get(term).kind {
            Kind::Number(value) => Number::Float(*value).to_whole().map(|whole| Affine::constant(Size::from(whole))),
            Kind::Size(size) => Some(Affine::constant(size.clone())),
            Kind::Index(id) => Some(Affine::index(*id)),
            Kind::Scalar(ScalarOp::Neg, operands) => Some(own(&operands[0])?.times(-1)),
            Kind::Scalar(ScalarOp::Add, operands) => Some(own(&operands[0])?.plus(&own(&operands[1])?)),
            Kind::Scalar(ScalarOp::Sub, operands) => Some(own(&operands[0])?.minus(&own(&operands[1])?)),
            Kind::Scalar(ScalarOp::Mul, operands) => {
                let (a, b) = (own(&operands[0])?, own(&operands[1])?);
                match (settled(&a), settled(&b)) {
                    (Some(by), _) => Some(b.times(by)),
                    (_, Some(by)) => Some(a.times(by)),
                    (None, None) => None,
                }
            }
            _ => None,
        }
    }

    pub(super) fn read_bare(&mut self, term: TermId, ids: &[IndexId], span: Span) -> Out<TermId> {
        let spots = ids.iter().map(|id| Spot::index(*id, span)).collect();
        self.read_at(term, spots, span, span)
    }

    fn read_at(&mut self, term: TermId, spots: Vec<Spot>, base: Span, span: Span) -> Out<TermId> {
        let ty = self.ty(term).clone();
        if ty.axes.len() != spots.len() {
            let message = format!("{ty} has {} axes, and here are places of {}", ty.axes.len(), spots.len());
            let error = Diagnostic::error("E0205", message, span, "this read");
            let error = error.label(base, format!("this is {ty}"));
            return Err(self.report(match ty.axes.len() > spots.len() {
                true => error.help("each axis is read at an index or a number; `..` reads those that are left over"),
                false => error,
            }));
        }
        let (term, spots) = self.ungrouped(term, spots, span)?;
        let ty = self.ty(term).clone();
        let mut places = Vec::new();
        let mut free: BTreeSet<IndexId> = ty.free.iter().copied().collect();
        let mut waiting = Vec::new();
        for (at, (spot, axis)) in spots.into_iter().zip(&ty.axes).enumerate() {
            match spot {
                Spot::Affine(affine, written, place) => {
                    free.extend(affine.factors.iter().map(|(id, _)| *id));
                    match affine.bare() {
                        Some(id) if !self.terms.index_of(id).written => self.same_size(id, axis, &ty, span)?,
                        _ => {
                            let guarded = match written {
                                Some(written) => self.guarded_by_run(written, place),
                                None => self.number_by_run(&affine, place),
                            };
                            free.extend(guarded.iter().flat_map(|guarded| self.ty(*guarded).free.clone()));
                            waiting.push((at, affine.clone(), guarded, place));
                        }
                    }
                    places.push(Place::Affine(affine));
                }
                Spot::At(element, place) => {
                    let element = self.element_place(element, axis, place)?;
                    free.extend(self.ty(element).free.iter().copied());
                    places.push(Place::At(element));
                }
                Spot::Group(..) => return Err(Reported),
            }
        }
        let axes: Vec<Axis> = ty.axes.clone();
        let shown = ty.to_string();
        let read = Type { free: free.into_iter().collect(), axes: Vec::new(), mask: None, ..ty };
        let read = self.term(Kind::Read(term, places), read, span);
        for (at, affine, otherwise, place) in waiting {
            let guards = self.guards.clone();
            let base = (base, shown.clone());
            self.pending.push(Pending { read, at, affine, axis: axes[at].clone(), otherwise, guards, place, base });
        }
        Ok(read)
    }

    /// An index that is read bare has the size of the axis.
    fn same_size(&mut self, id: IndexId, axis: &Axis, ty: &Type, span: Span) -> Out<()> {
        let index = self.terms.index_of(id).clone();
        match &index.axis {
            None => self.terms.indices[id.0 as usize].axis = Some(axis.clone()),
            Some(known) if known.size == axis.size => {}
            // The size of an open symbol is known once a use decides it.
            Some(known) if known.size.is_open() => self.terms.indices[id.0 as usize].axis = Some(axis.clone()),
            Some(_) if axis.size.is_open() => {}
            Some(known) => {
                let message = format!("index `{}` runs over {} and over {}", index.name, known.size, axis.size);
                let error = Diagnostic::error("E0203", message, span, format!("this reads {ty}"));
                let error = with_origin(with_origin(error, known), axis);
                return Err(self.report(error.help(format!("give it its size: `{}: …`", index.name))));
            }
        }
        Ok(())
    }

    /// A read at an element: a class is in range by its type, an int is looked at when it is read, where it is read.
    fn element_place(&mut self, element: TermId, axis: &Axis, span: Span) -> Out<TermId> {
        let ty = self.ty(element).clone();
        if let Elem::Class(count) = &ty.elem {
            let room = axis.size.minus(&count.size);
            if count.size.agrees(&axis.size) || room.is_never_negative() {
                return Ok(element);
            }
            let message =
                format!("a read can leave its axis: a class below {} in an axis of {}", count.size, axis.size);
            let error = Diagnostic::error("E0251", message, span, format!("this is {ty}"));
            return Err(self.report(with_origin(with_origin(error, count), axis)));
        }
        Ok(self.guarded(element, span))
    }

    /// One axis laid out as several, outermost first: the base with these axes.
    fn ungrouped(&mut self, term: TermId, spots: Vec<Spot>, span: Span) -> Out<(TermId, Vec<Spot>)> {
        if !spots.iter().any(|spot| matches!(spot, Spot::Group(..))) {
            return Ok((term, spots));
        }
        let (mut axes, mut all) = (Vec::new(), Vec::new());
        for (spot, axis) in spots.into_iter().zip(self.ty(term).axes.clone()) {
            match spot {
                Spot::Group(ids, at) => {
                    axes.extend(self.group_axes(&ids, &axis, at)?);
                    all.extend(ids.into_iter().map(|id| Spot::index(id, at)));
                }
                other => {
                    axes.push(axis);
                    all.push(other);
                }
            }
        }
        Ok((self.reshaped(term, axes, span), all))
    }

    /// The sizes of a group; the one that nothing says is the exact quotient.
    fn group_axes(&mut self, ids: &[IndexId], axis: &Axis, span: Span) -> Out<Vec<Axis>> {
        let own: Vec<Option<Axis>> = ids.iter().map(|id| self.terms.index_of(*id).axis.clone()).collect();
        let known = own.iter().flatten().fold(Size::from(1), |product, axis| product.times(&axis.size));
        let unknown: Vec<IndexId> = ids.iter().zip(&own).filter(|(_, own)| own.is_none()).map(|(id, _)| *id).collect();
        let name = |this: &Self, id: IndexId| this.terms.index_of(id).name.clone();
        if axis.size.is_open() || known.is_open() {
            let open = |id: &IndexId| Axis::new(Size::symbol(Symbol::open(&name(self, *id))), span, "a use decides");
            let axes: Vec<Axis> = ids.iter().zip(own).map(|(id, own)| own.unwrap_or_else(|| open(id))).collect();
            ids.iter().zip(&axes).for_each(|(id, axis)| self.terms.indices[id.0 as usize].axis = Some(axis.clone()));
            return Ok(axes);
        }
        if let [first, second, ..] = unknown[..] {
            let (a, b) = (name(self, first), name(self, second));
            let message = format!("this group has two sizes that nothing says: those of `{a}` and `{b}`");
            let error = Diagnostic::error("E0253", message, span, format!("together they make {}", axis.size));
            let error = with_origin(error, axis).label(self.terms.index_of(second).span, "this one, for example");
            return Err(self.report(error.help(format!("write one of them: `{b}: …`"))));
        }
        let quotient = match unknown[..] {
            [] => (known == axis.size).then_some(Size::from(1)),
            _ => over(&axis.size, &known),
        };
        let Some(quotient) = quotient else { return Err(self.inexact(ids, axis, &known, unknown.first(), span)) };
        let rest = Axis::new(quotient, span, "is what the group leaves");
        for id in &unknown {
            self.terms.indices[id.0 as usize].axis = Some(rest.clone());
        }
        Ok(own.into_iter().map(|own| own.unwrap_or_else(|| rest.clone())).collect())
    }

    fn inexact(
        &mut self,
        ids: &[IndexId],
        axis: &Axis,
        known: &Size,
        unknown: Option<&IndexId>,
        span: Span,
    ) -> Reported {
        let message = match unknown {
            Some(id) => {
                let name = &self.terms.index_of(*id).name;
                format!("{} elements do not make whole groups of {known}: `{name}` would be no whole number", axis.size)
            }
            None => format!("this group has {known} elements, and the axis {}", axis.size),
        };
        let mut error = Diagnostic::error("E0252", message, span, format!("one axis of {}", axis.size));
        for id in ids.iter().filter(|id| unknown != Some(*id)) {
            let index = self.terms.index_of(*id);
            let known = index.axis.as_ref();
            error = match known.and_then(|axis| axis.origin.as_ref()) {
                Some(origin) => {
                    let size = known.map_or(String::new(), |axis| axis.size.to_string());
                    error.label(origin.span, format!("`{}` is {size}", index.name))
                }
                None => error,
            };
        }
        self.report(with_origin(error, axis))
    }
}

/// An exact quotient, also by a product of symbols.
fn over(size: &Size, by: &Size) -> Option<Size> {
    if let Some(quotient) = size.over(by) {
        return Some(quotient);
    }
    let parts = by.parts();
    let [(symbols, factor)] = &parts[..] else { return None };
    size.parts().into_iter().try_fold(Size::from(0), |sum, (mut own, number)| {
        for symbol in symbols {
            own.remove(own.iter().position(|known| known == symbol)?);
        }
        let number = Size::from(number).over(&Size::from(*factor))?;
        Some(sum.plus(&own.into_iter().fold(number, |product, symbol| product.times(&Size::symbol(symbol)))))
    })
}
