//! What stands between the brackets of an indexed `let`, and how many axes a rest stands for.

use super::super::{Elaborator, Out};
use crate::check::types::{Axis, IndexId};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Name, ReduceIndex, Subscript};
use crate::syntax::walk;
use std::collections::HashSet;

/// What a rest without a name is called among the indices.
pub(in super::super) const NAMELESS: &str = "..";

impl Elaborator<'_> {
    /// Opens the indices of an indexed `let`: those of each axis of the result.
    pub(super) fn declare(
        &mut self,
        subscripts: &[Subscript],
        body: &Expr,
        scope: &mut Scope,
    ) -> Out<Vec<Vec<IndexId>>> {
        self.no_index_is_a_size(subscripts)?;
        let mut groups = Vec::new();
        let mut opened: Vec<(String, Vec<IndexId>)> = Vec::new();
        for subscript in subscripts {
            match subscript {
                Subscript::At(Expr { kind: ExprKind::Name(name), .. }, size) => {
                    let id = self.declared_index(name, size.as_ref(), &opened, scope)?;
                    opened.push((name.text.clone(), vec![id]));
                    groups.push(vec![id]);
                }
                Subscript::Group(names, _) => {
                    let mut group = Vec::new();
                    for (name, size) in names {
                        let id = self.declared_index(name, size.as_ref(), &opened, scope)?;
                        opened.push((name.text.clone(), vec![id]));
                        group.push(id);
                    }
                    groups.push(group);
                }
                Subscript::Rest(name, span) => {
                    let name = name.as_ref().map_or(NAMELESS, |name| &name.text);
                    self.not_twice(name, *span, &opened)?;
                    let rest = self.open_rest(name, *span, &[body], scope)?;
                    groups.extend(rest.iter().map(|id| vec![*id]));
                    opened.push((name.to_string(), rest));
                }
                Subscript::At(Expr { span, .. }, _) => {
                    let message = "expected the name of an index, found an expression";
                    let error = Diagnostic::error("E0254", message, *span, "here");
                    let help =
                        "left of `=` indices are named, `y[i, j]`; which elements are meant says an `if` on the right";
                    return Err(self.report(error.help(help)));
                }
                Subscript::Slice(_, _, span) => {
                    let message = "expected the name of an index, found a slice";
                    let error = Diagnostic::error("E0254", message, *span, "here");
                    let help = "left of `=` indices are named, `y[i, j: 3]`, each with its size if need be";
                    return Err(self.report(error.help(help)));
                }
            }
        }
        scope.indices.extend(opened);
        self.bare_reads(&groups.concat(), &[body], scope);
        Ok(groups)
    }

    fn declared_index(
        &mut self,
        name: &Name,
        size: Option<&Expr>,
        opened: &[(String, Vec<IndexId>)],
        scope: &mut Scope,
    ) -> Out<IndexId> {
        self.not_twice(&name.text, name.span, opened)?;
        let axis = size.map(|size| self.size(size, scope)).transpose()?;
        let id = self.open_index(&name.text, name.span);
        let index = &mut self.terms.indices[id.0 as usize];
        (index.written, index.axis) = (axis.is_some(), axis);
        Ok(id)
    }

    pub(super) fn not_twice(&mut self, name: &str, span: Span, opened: &[(String, Vec<IndexId>)]) -> Out<()> {
        let Some((_, first)) = opened.iter().find(|(known, _)| known == name) else { return Ok(()) };
        let error = Diagnostic::error("E0257", format!("the index `{name}` is named twice"), span, "the second time");
        let first = first.first().map(|id| self.terms.index_of(*id).span);
        let error = first.into_iter().fold(error, |error, first| error.label(first, "the first time"));
        let help = "each axis has an index of its own; a diagonal is written `if i == j then … else 0`";
        Err(self.report(error.help(help)))
    }

    /// `let y[d, i: d] = …`: a name that is an index is no size in the same brackets.
    fn no_index_is_a_size(&mut self, subscripts: &[Subscript]) -> Out<()> {
        let mut names: Vec<&Name> = Vec::new();
        let mut sizes: Vec<&Expr> = Vec::new();
        for subscript in subscripts {
            match subscript {
                Subscript::At(Expr { kind: ExprKind::Name(name), .. }, size) => {
                    names.push(name);
                    sizes.extend(size);
                }
                Subscript::Group(parts, _) => {
                    names.extend(parts.iter().map(|(name, _)| name));
                    sizes.extend(parts.iter().filter_map(|(_, size)| size.as_ref()));
                }
                Subscript::At(..) | Subscript::Rest(..) | Subscript::Slice(..) => {}
            }
        }
        let mut both = None;
        for size in sizes {
            walk::expression(size, &mut |part| {
                if let ExprKind::Name(read) = &part.kind
                    && let Some(index) = names.iter().find(|name| name.text == read.text)
                {
                    both.get_or_insert((read.span, index.span, read.text.clone()));
                }
            });
        }
        let Some((size, index, name)) = both else { return Ok(()) };
        let message = format!("`{name}` is both an index and a size here");
        let error = Diagnostic::error("E0255", message, size, "read as a size").label(index, "named as an index");
        Err(self.report(error.help("give the index another name")))
    }

    /// Opens the indices of a rest, one for each of its axes: as many as the signature says or as a read leaves for it.
    pub(super) fn open_rest(
        &mut self,
        name: &str,
        span: Span,
        bodies: &[&Expr],
        scope: &mut Scope,
    ) -> Out<Vec<IndexId>> {
        let known = scope.rest(name).map(<[Axis]>::len);
        let of_reads =
            |this: &Self, scope: &Scope| bodies.iter().find_map(|body| this.rest_of_reads(name, body, scope));
        let mut count = known.or_else(|| of_reads(self, scope));
        if count.is_none() {
            self.evaluate_bases(name, bodies, scope)?;
            count = of_reads(self, scope);
        }
        let Some(count) = count else {
            if bodies.iter().any(|body| self.reads_unknown(body, scope)) {
                return Err(super::super::Reported);
            }
            let shown = if name == NAMELESS { NAMELESS.to_string() } else { format!("..{name}") };
            let message = format!("nothing says how many axes `{shown}` stands for");
            let error = Diagnostic::error("E0253", message, span, "this rest");
            let help = format!("read a tensor at it, `x[{shown}, e]`, or name it in the signature");
            return Err(self.report(error.help(help)));
        };
        let shown = if name == NAMELESS { NAMELESS } else { name };
        Ok((0..count).map(|_| self.open_index(shown, span)).collect())
    }

    /// How many axes a read of a named tensor leaves for a rest.
    fn rest_of_reads(&self, name: &str, body: &Expr, scope: &Scope) -> Option<usize> {
        let mut found = None;
        walk::expression(body, &mut |part| {
            if let ExprKind::Index(base, subscripts) = &part.kind
                && subscripts.iter().any(|one| is_rest_of(one, name))
                && let Some(axes) = self.axes_of(base, scope)
            {
                found = found.or(axes.len().checked_sub(subscripts.len() - 1));
            }
        });
        found
    }

    /// The values of what is read at a rest and has no name, if it can be known without the indices.
    fn evaluate_bases(&mut self, name: &str, bodies: &[&Expr], scope: &mut Scope) -> Out<()> {
        let mut bases: Vec<Expr> = Vec::new();
        for body in bodies {
            walk::expression(body, &mut |part| {
                if let ExprKind::Index(base, subscripts) = &part.kind
                    && subscripts.iter().any(|one| is_rest_of(one, name))
                    && !matches!(base.kind, ExprKind::Name(_))
                {
                    bases.push((**base).clone());
                }
            });
        }
        for base in bases {
            let mut names: Vec<Name> = Vec::new();
            walk::expression(&base, &mut |part| {
                if let ExprKind::Name(name) = &part.kind {
                    names.push(name.clone());
                }
            });
            let free = names.iter().all(|name| scope.index(&name.text).is_none() && self.is_known(name, scope));
            if free {
                let value = self.value(&base, scope)?;
                self.bases.push((base.span, value));
            }
        }
        Ok(())
    }

    /// What stands before brackets, if it was needed before.
    pub(super) fn base_by_now(&self, base: &Expr) -> Option<Value> {
        self.bases.iter().rev().find(|(span, _)| *span == base.span).map(|(_, value)| value.clone())
    }

    /// Whether something is read of which nothing is known, for it was reported or a use decides it.
    fn reads_unknown(&self, body: &Expr, scope: &Scope) -> bool {
        let mut found = false;
        walk::expression(body, &mut |part| {
            if let ExprKind::Index(base, _) = &part.kind
                && let ExprKind::Name(name) = &base.kind
            {
                found |= scope.get(&name.text).is_none_or(|bound| matches!(bound.value, Value::Wrong));
            }
        });
        found
    }

    /// The axes of a tensor that has a name, or was needed before.
    fn axes_of(&self, base: &Expr, scope: &Scope) -> Option<Vec<Axis>> {
        let value = match &base.kind {
            ExprKind::Name(name) => scope.get(&name.text)?.value.clone(),
            _ => self.base_by_now(base)?,
        };
        match value {
            Value::Tensor(term) => Some(self.ty(term).axes.clone()),
            _ => None,
        }
    }

    /// Sizes of indices from the axes that they read bare, wherever in the text those reads stand.
    pub(super) fn bare_reads(&mut self, ids: &[IndexId], bodies: &[&Expr], scope: &Scope) {
        for body in bodies {
            self.bare_reads_of(ids, body, &mut HashSet::new(), scope);
        }
    }

    fn bare_reads_of(&mut self, ids: &[IndexId], expr: &Expr, shadowed: &mut HashSet<String>, scope: &Scope) {
        if let ExprKind::Reduce(reduce) = &expr.kind {
            let inner = reduce.indices.iter().map(|index| match index {
                ReduceIndex::One(name) => name.text.clone(),
                ReduceIndex::Rest(name, _) => name.as_ref().map_or(NAMELESS.to_string(), |name| name.text.clone()),
            });
            let mut inner: HashSet<String> = inner.chain(shadowed.iter().cloned()).collect();
            for part in reduce.filter.iter().chain([&reduce.body]) {
                self.bare_reads_of(ids, part, &mut inner, scope);
            }
            return;
        }
        if let ExprKind::Index(base, subscripts) = &expr.kind
            && let Some(axes) = self.axes_of(base, scope)
        {
            self.bare_subscripts(ids, &axes, subscripts, shadowed, scope);
        }
        for part in walk::parts(expr) {
            self.bare_reads_of(ids, part, shadowed, scope);
        }
    }

    fn bare_subscripts(
        &mut self,
        ids: &[IndexId],
        axes: &[Axis],
        subscripts: &[Subscript],
        shadowed: &HashSet<String>,
        scope: &Scope,
    ) {
        let rest = axes.len().checked_sub(subscripts.len() - subscripts.iter().filter(|s| is_rest(s)).count());
        let mut axis = 0;
        for subscript in subscripts {
            let (name, width) = match subscript {
                Subscript::At(Expr { kind: ExprKind::Name(name), .. }, None) => (Some(name.text.as_str()), 1),
                Subscript::Rest(name, _) => {
                    (Some(name.as_ref().map_or(NAMELESS, |name| name.text.as_str())), rest.unwrap_or(0))
                }
                Subscript::At(..) | Subscript::Group(..) | Subscript::Slice(..) => (None, 1),
            };
            if let Some(name) = name.filter(|name| !shadowed.contains(*name))
                && let Some(own) = scope.index(name).filter(|own| own.len() == width)
            {
                for (id, axis) in own.iter().zip(axes.iter().skip(axis)) {
                    let index = &mut self.terms.indices[id.0 as usize];
                    if ids.contains(id) && index.axis.is_none() {
                        index.axis = Some(axis.clone());
                    }
                }
            }
            axis += width;
        }
    }
}

fn is_rest_of(subscript: &Subscript, name: &str) -> bool {
    match subscript {
        Subscript::Rest(own, _) => own.as_ref().map_or(NAMELESS, |own| &own.text) == name,
        Subscript::At(..) | Subscript::Group(..) | Subscript::Slice(..) => false,
    }
}

fn is_rest(subscript: &Subscript) -> bool {
    matches!(subscript, Subscript::Rest(..))
}
