//! Functions along indices: `f(i, ..s where c: body, further)`.

use super::super::call::{Arg, Site};
use super::super::{Elaborator, Out};
use super::declare::NAMELESS;
use crate::check::terms::TermId;
use crate::check::types::IndexId;
use crate::check::value::{Layers, Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{Axis, Expr, ItemKind, Reduce, ReduceIndex, TypeKind};

/// The indices of a reduction by name; a rest has one for each of its axes.
type Opened = Vec<(String, Vec<IndexId>)>;

impl Elaborator<'_> {
    /// `f(i, j: body)`: `f` of the vector that `body` is over the indices.
    pub(in super::super) fn reduce(&mut self, reduce: &Reduce, span: Span, scope: &mut Scope) -> Out<Value> {
        let outer = scope.indices.len();
        let (pending, bases) = (self.pending.len(), self.bases.len());
        let opened = self.open_reduced(reduce, scope)?;
        scope.indices.extend(opened.iter().cloned());
        let family = self.family(reduce, &opened, scope);
        scope.indices.truncate(outer);
        self.bases.truncate(bases);
        if outer == 0 {
            let sound = self.verify(pending);
            self.pending.truncate(pending);
            sound?;
        }
        let family = family?;
        let ids: Vec<IndexId> = opened.iter().flat_map(|(_, ids)| ids.clone()).collect();
        let head = self.callee(&reduce.function, scope)?;
        // One vector of all of them, for a function of a vector.
        let vector = ids.len() != 1 && takes_a_vector(&head);
        let given = if vector {
            let axis = super::merge(self.ty(family).axes.iter(), reduce.body.span);
            self.reshaped(family, vec![axis], reduce.body.span)
        } else {
            family
        };
        let mut all = vec![Arg::plain(Value::Tensor(given), reduce.body.span)];
        all.extend(self.arguments(&reduce.further, scope)?);
        let result = self.call(head, Site { at: reduce.function.span, name: None }, all, span, scope)?;
        self.read_result(result, &opened, family, span, scope)
    }

    fn open_reduced(&mut self, reduce: &Reduce, scope: &mut Scope) -> Out<Opened> {
        let mut opened: Opened = Vec::new();
        let bodies: Vec<&Expr> = reduce.filter.iter().chain([&reduce.body]).collect();
        for index in &reduce.indices {
            match index {
                ReduceIndex::One(name) => {
                    self.not_twice(&name.text, name.span, &opened)?;
                    opened.push((name.text.clone(), vec![self.open_index(&name.text, name.span)]));
                }
                ReduceIndex::Rest(name, at) => {
                    let text = name.as_ref().map_or(NAMELESS, |name| &name.text);
                    self.not_twice(text, *at, &opened)?;
                    opened.push((text.to_string(), self.open_rest(text, *at, &bodies, scope)?));
                }
            }
        }
        Ok(opened)
    }

    /// The body with its indices as the last axes, masked by the condition.
    fn family(&mut self, reduce: &Reduce, opened: &Opened, scope: &mut Scope) -> Out<TermId> {
        let ids: Vec<IndexId> = opened.iter().flat_map(|(_, ids)| ids.clone()).collect();
        let bodies: Vec<&Expr> = reduce.filter.iter().chain([&reduce.body]).collect();
        self.bare_reads(&ids, &bodies, scope);
        let filter = reduce.filter.as_ref().map(|filter| self.condition(filter, scope));
        let body = match filter {
            Some(Ok(condition)) => self.under(condition, true, |this| this.value(&reduce.body, scope)),
            Some(Err(_)) | None => self.value(&reduce.body, scope),
        };
        let body = body.and_then(|value| self.tensor(value, reduce.body.span));
        let (filter, mut term) = (filter.transpose()?, body?);
        self.is_scalar(term, reduce.body.span, "for each index of this function")?;
        let cases =
            filter.zip(reduce.filter.as_ref()).map(|(condition, filter)| (self.cases(condition, true), filter.span));
        self.settle_sizes(&ids, cases)?;
        if let (Some(condition), Some(filter)) = (filter, &reduce.filter) {
            term = self.masked(term, condition, filter.span);
        }
        Ok(self.close(term, &ids, reduce.body.span))
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
    fn read_result(&mut self, result: Value, opened: &Opened, family: TermId, span: Span, scope: &Scope) -> Out<Value> {
        let Value::Tensor(term) = result else { return Ok(result) };
        let outside = |(name, own): &(String, Vec<IndexId>)| {
            scope.index(name).filter(|ids| ids.len() == own.len()).map(<[IndexId]>::to_vec)
        };
        let ids: Option<Vec<Vec<IndexId>>> = opened.iter().map(outside).collect();
        let Some(ids) = ids.map(|ids| ids.concat()).filter(|ids| !ids.is_empty()) else {
            return Ok(Value::Tensor(self.filled(term, 0.0, span)));
        };
        let (own, axes) = (self.ty(term).axes.clone(), self.ty(family).axes.clone());
        // One vector of several indices is laid out as it was.
        let term = match &own[..] {
            [one] if ids.len() > 1 && one.size.agrees(&super::merge(axes.iter(), span).size) => {
                self.reshaped(term, axes, span)
            }
            _ => term,
        };
        let read = match self.ty(term).axes.len() == ids.len() {
            true => self.read_bare(term, &ids, span)?,
            false => term,
        };
        Ok(Value::Tensor(self.filled(read, 0.0, span)))
    }
}

/// Whether the first thing that a function takes is a vector, and not a tensor of any rank.
fn takes_a_vector(head: &Value) -> bool {
    let item = match head {
        Value::Item(item) => item,
        Value::Recipe(recipe) | Value::Instance(recipe, _) => match &recipe.layers {
            Layers::One { item, .. } => item,
            Layers::Repeat { .. } => return true,
        },
        _ => return true,
    };
    let first = match &item.kind {
        ItemKind::Fn(function) => function.params.first(),
        ItemKind::Layer(layer) => layer.inputs.first(),
        _ => None,
    };
    let Some(TypeKind::Tensor(_, axes)) = first.and_then(|param| param.ty.as_ref()).map(|ty| &ty.kind) else {
        return false;
    };
    !matches!(axes[..], [Axis::Rest(..)])
}
