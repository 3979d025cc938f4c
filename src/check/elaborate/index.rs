//! Index notation: `let y[i, j] = …`, `x[i, j]`, `f(j: …)`. Inside it a term has free indices.

use super::call::{Arg, Site};
use super::{Elaborator, Out};
use crate::check::shapes::with_origin;
use crate::check::terms::{Index, Kind, TermId};
use crate::check::types::{Axis, IndexId, Type};
use crate::check::unsupported::Unsupported;
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Name, Reduce, ReduceIndex, Subscript};

impl Elaborator<'_> {
    fn open_index(&mut self, name: &Name) -> IndexId {
        self.terms.indices.push(Index { name: name.text.clone(), span: name.span, axis: None });
        IndexId(self.terms.indices.len() as u32 - 1)
    }

    /// `let name[subscripts] = body`: the indices become the axes of the result.
    pub(super) fn spread(
        &mut self,
        name: &Name,
        subscripts: &[Subscript],
        body: &Expr,
        scope: &mut Scope,
    ) -> Out<TermId> {
        let mut ids = Vec::new();
        let outer = scope.indices.len();
        let declared = self.declare(subscripts, &mut ids, scope);
        let term = declared.and_then(|()| {
            let value = self.value(body, scope)?;
            self.tensor(value, body.span)
        });
        scope.indices.truncate(outer);
        let term = term?;
        let ty = self.ty(term).clone();
        if !ty.axes.is_empty() {
            let message = format!("expected a scalar for each index of `{}`, found {ty}", name.text);
            let error = Diagnostic::error("E0208", message, body.span, "an axis is left over");
            return Err(
                self.report(error.help("read every axis at an index, `x[i, j]`, or reduce over it, `sum(j: …)`"))
            );
        }
        self.close(term, ty, &ids, name.span)
    }

    fn declare(&mut self, subscripts: &[Subscript], ids: &mut Vec<IndexId>, scope: &mut Scope) -> Out<()> {
        for subscript in subscripts {
            match subscript {
                Subscript::At(Expr { kind: ExprKind::Name(name), .. }, None) => {
                    let id = self.open_index(name);
                    scope.indices.push((name.text.clone(), vec![id]));
                    ids.push(id);
                }
                Subscript::Rest(Some(name), span) => {
                    let Some(axes) = scope.rest(&name.text).map(<[Axis]>::to_vec) else {
                        let message = format!("cannot find `..{}` in this scope", name.text);
                        let error = Diagnostic::error("E0201", message, *span, "not found");
                        return Err(self.report(error.help("a rest is named in the signature: `x: [..s, d]`")));
                    };
                    let rest: Vec<IndexId> = axes.iter().map(|_| self.open_index(name)).collect();
                    scope.indices.push((name.text.clone(), rest.clone()));
                    ids.extend(rest);
                }
                Subscript::At(Expr { kind: ExprKind::Name(name), .. }, Some(size)) => {
                    let axis = self.size(size, scope)?;
                    let id = self.open_index(name);
                    self.terms.indices[id.0 as usize].axis = Some(axis);
                    scope.indices.push((name.text.clone(), vec![id]));
                    ids.push(id);
                }
                Subscript::At(at, _) => return Err(self.unsupported(Unsupported::SubscriptExpression, at.span)),
                Subscript::Rest(None, span) => return Err(self.unsupported(Unsupported::NamelessRest, *span)),
                Subscript::Slice(at, ..) => return Err(self.unsupported(Unsupported::Slice, at.span)),
                Subscript::Group(_, span) => return Err(self.unsupported(Unsupported::Group, *span)),
            }
        }
        Ok(())
    }

    /// Indices become the last axes of a term.
    fn close(&mut self, term: TermId, ty: Type, ids: &[IndexId], span: Span) -> Out<TermId> {
        let mut axes = ty.axes.clone();
        for id in ids {
            let index = self.terms.index_of(*id).clone();
            let Some(axis) = index.axis else {
                let message = format!("nothing says how far the index `{}` goes", index.name);
                let help = format!(
                    "read an axis at it, as in `x[{0}]`, or give its size, as in `let y[{0}: 10] = …`",
                    index.name
                );
                let error = Diagnostic::error("E0214", message, index.span, "no axis is read at it").help(help);
                return Err(self.report(error));
            };
            axes.push(axis);
        }
        let free = ty.free.iter().copied().filter(|id| !ids.contains(id)).collect();
        Ok(self.term(Kind::Spread(term, ids.to_vec()), Type { free, axes, ..ty }, span))
    }

    /// `base[subscripts]`: every axis is read at an index.
    pub(super) fn read(&mut self, base: &Expr, subscripts: &[Subscript], span: Span, scope: &mut Scope) -> Out<Value> {
        let value = self.value(base, scope)?;
        let term = self.tensor(value, base.span)?;
        let mut ids = Vec::new();
        for subscript in subscripts {
            match subscript {
                Subscript::At(Expr { kind: ExprKind::Name(name), .. }, None) => match scope.index(&name.text) {
                    Some([id]) => ids.push(*id),
                    Some(_) => return Err(self.error("E0208", "a rest is read as `..s`", name.span, "here")),
                    None if scope.get(&name.text).is_some() => {
                        return Err(self.unsupported(Unsupported::SubscriptExpression, name.span));
                    }
                    None => {
                        let message = format!("cannot find index `{}` in this scope", name.text);
                        let error = Diagnostic::error("E0201", message, name.span, "not found");
                        let help = "indices are opened by `let y[i] = …` or `sum(i: …)`";
                        return Err(self.report(error.help(help)));
                    }
                },
                Subscript::Rest(Some(name), at) => match scope.index(&name.text) {
                    Some(rest) => ids.extend_from_slice(rest),
                    None => return Err(self.unsupported(Unsupported::NamelessRest, *at)),
                },
                Subscript::At(at, _) => return Err(self.unsupported(Unsupported::SubscriptExpression, at.span)),
                Subscript::Rest(None, at) => return Err(self.unsupported(Unsupported::NamelessRest, *at)),
                Subscript::Slice(at, ..) => return Err(self.unsupported(Unsupported::Slice, at.span)),
                Subscript::Group(_, at) => return Err(self.unsupported(Unsupported::Group, *at)),
            }
        }
        self.read_at(term, &ids, base.span, span).map(Value::Tensor)
    }

    fn read_at(&mut self, term: TermId, ids: &[IndexId], base: Span, span: Span) -> Out<TermId> {
        let ty = self.ty(term).clone();
        if ty.axes.len() != ids.len() {
            let message = format!("{ty} has {} axes, and {} are read", ty.axes.len(), ids.len());
            let error = Diagnostic::error("E0205", message, span, "this read");
            return Err(self.report(error.label(base, format!("this is {ty}"))));
        }
        if ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id) || ty.free.contains(id)) {
            return Err(self.unsupported(Unsupported::OneIndexTwice, span));
        }
        for (id, axis) in ids.iter().zip(&ty.axes) {
            let index = self.terms.index_of(*id).clone();
            match &index.axis {
                None => self.terms.indices[id.0 as usize].axis = Some(axis.clone()),
                Some(known) if known.size == axis.size => {}
                // The size of an open symbol is known once a use decides it.
                Some(known) if known.size.is_open() => {
                    self.terms.indices[id.0 as usize].axis = Some(axis.clone());
                }
                Some(_) if axis.size.is_open() => {}
                Some(known) => {
                    let message = format!("index `{}` runs over {} and over {}", index.name, known.size, axis.size);
                    let error = Diagnostic::error("E0203", message, span, format!("this reads {ty}"));
                    return Err(self.report(with_origin(with_origin(error, known), axis)));
                }
            }
        }
        let mut free = [&ty.free[..], ids].concat();
        free.sort_unstable();
        let read = Type { free, axes: Vec::new(), ..ty };
        Ok(self.term(Kind::Read(term, ids.to_vec()), read, span))
    }

    /// `f(i, j: body)`: `f` of the vector that `body` is over the indices.
    pub(super) fn reduce(&mut self, reduce: &Reduce, span: Span, scope: &mut Scope) -> Out<Value> {
        let outer = scope.indices.len();
        let (mut names, mut ids) = (Vec::new(), Vec::new());
        for index in &reduce.indices {
            let count = match index {
                ReduceIndex::One(_) => 1,
                ReduceIndex::Rest(Some(name), _) if scope.rest(&name.text).is_some() => {
                    scope.rest(&name.text).map_or(0, <[Axis]>::len)
                }
                ReduceIndex::Rest(_, span) => return Err(self.unsupported(Unsupported::NamelessRest, *span)),
            };
            let Some(name) = index.name() else { continue };
            let own: Vec<IndexId> = (0..count).map(|_| self.open_index(name)).collect();
            names.push(name);
            ids.extend(&own);
            scope.indices.push((name.text.clone(), own));
        }
        let body = self.value(&reduce.body, scope).and_then(|value| self.tensor(value, reduce.body.span));
        let filter = reduce.filter.as_ref().map(|filter| self.condition(filter, scope));
        scope.indices.truncate(outer);
        let (mut term, filter) = (body?, filter.transpose()?);
        if let (Some(condition), Some(filter)) = (filter, &reduce.filter) {
            term = self.masked(term, condition, filter.span);
        }
        let ty = self.ty(term).clone();
        let family = self.close(term, ty, &ids, reduce.body.span)?;
        let mut given = vec![Arg::plain(Value::Tensor(family), reduce.body.span)];
        given.extend(self.arguments(&reduce.further, scope)?);
        let head = self.callee(&reduce.function, scope)?;
        let result = self.call(head, Site { at: reduce.function.span, name: None }, given, span, scope)?;
        self.read_result(result, &names, span, scope)
    }

    /// What stands behind `where`: true or false for each index.
    fn condition(&mut self, filter: &Expr, scope: &mut Scope) -> Out<TermId> {
        let value = self.value(filter, scope)?;
        let term = self.truths(value, filter.span)?;
        let ty = self.ty(term);
        if ty.axes.is_empty() {
            return Ok(term);
        }
        let message = format!("expected a truth value for each index after `where`, found {ty}");
        let error = Diagnostic::error("E0208", message, filter.span, "an axis is left over");
        Err(self.report(error.help("read every axis at an index: `x[i, j] > 0`")))
    }

    /// A function that gives a vector over its indices, as `softmax` does, is read at the same indices outside. What a
    /// `where` has left out is 0 there.
    fn read_result(&mut self, result: Value, names: &[&Name], span: Span, scope: &Scope) -> Out<Value> {
        let Value::Tensor(term) = result else { return Ok(result) };
        let outside = |name: &&Name| match scope.index(&name.text) {
            Some([id]) => Some(*id),
            _ => None,
        };
        let ids: Option<Vec<IndexId>> = names.iter().map(outside).collect();
        match ids {
            Some(ids) if !ids.is_empty() && self.ty(term).axes.len() == ids.len() => {
                let read = self.read_at(term, &ids, span, span)?;
                Ok(Value::Tensor(self.filled(read, 0.0, span)))
            }
            _ => Ok(Value::Tensor(self.filled(term, 0.0, span))),
        }
    }
}
