//! Index notation: `let y[i, j] = …`, `x[2 * i + u, id[n]]`, `f(j: …)`. Inside it a term has free indices.
//!
//! | file | what |
//! |---|---|
//! | `declare` | what stands between the brackets of an indexed `let`; which axes rests stand for |
//! | `read` | reads at indices, numbers, expressions and elements |
//! | `range` | axes that a read leaves whole, or takes some places of |
//! | `reduce` | functions along indices |
//! | `sizes` | how far indices go |
//! | `inside` | reads stay inside of their axes, by their sizes or by what guards them |

mod declare;
mod inside;
mod range;
mod read;
mod reduce;
mod sizes;

pub(super) use declare::NAMELESS;
pub(super) use inside::{Guard, Pending};

use super::{Elaborator, Out};
use crate::check::terms::{Index, Kind, TermId};
use crate::check::types::{Axis, IndexId, Type};
use crate::check::value::Scope;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{Expr, Name, Subscript};

impl Elaborator<'_> {
    fn open_index(&mut self, name: &str, span: Span) -> IndexId {
        self.terms.indices.push(Index { name: name.to_string(), span, axis: None, written: false });
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
        let outer = scope.indices.len();
        let (pending, bases) = (self.pending.len(), self.bases.len());
        let made = self.spread_here(name, subscripts, body, scope);
        scope.indices.truncate(outer);
        self.bases.truncate(bases);
        let sound = self.verify(pending);
        self.pending.truncate(pending);
        sound.and(made)
    }

    fn spread_here(&mut self, name: &Name, subscripts: &[Subscript], body: &Expr, scope: &mut Scope) -> Out<TermId> {
        let groups = self.declare(subscripts, body, scope)?;
        let ids = groups.concat();
        let value = self.value(body, scope)?;
        let term = self.tensor(value, body.span)?;
        self.is_scalar(term, body.span, &format!("for each index of `{}`", name.text))?;
        self.settle_sizes(&ids, None)?;
        let spread = self.close(term, &ids, name.span);
        if groups.iter().all(|group| group.len() == 1) {
            return Ok(spread);
        }
        let mut own = self.ty(spread).axes.iter();
        let merged = groups.iter().map(|group| merge(own.by_ref().take(group.len()), name.span)).collect();
        Ok(self.reshaped(spread, merged, name.span))
    }

    fn is_scalar(&mut self, term: TermId, span: Span, what: &str) -> Out<()> {
        let ty = self.ty(term);
        if ty.axes.is_empty() {
            return Ok(());
        }
        let message = format!("expected a scalar {what}, found {ty}");
        let error = Diagnostic::error("E0208", message, span, "an axis is left over");
        Err(self.report(error.help("read every axis at an index, `x[i, j]`, or reduce over it, `sum(j: …)`")))
    }

    /// Indices become the last axes of a term. Their sizes are known.
    fn close(&mut self, term: TermId, ids: &[IndexId], span: Span) -> TermId {
        let ty = self.ty(term).clone();
        let axes = ids.iter().filter_map(|id| self.terms.index_of(*id).axis.clone());
        let axes = ty.axes.iter().cloned().chain(axes).collect();
        let free = ty.free.iter().copied().filter(|id| !ids.contains(id)).collect();
        self.term(Kind::Spread(term, ids.to_vec()), Type { free, axes, ..ty }, span)
    }

    fn reshaped(&mut self, term: TermId, axes: Vec<Axis>, span: Span) -> TermId {
        let ty = self.ty(term).clone();
        self.term(Kind::Reshape(term), Type { axes, ..ty }, span)
    }
}

/// Several axes as one.
fn merge<'a>(axes: impl Iterator<Item = &'a Axis>, span: Span) -> Axis {
    let all: Vec<&Axis> = axes.collect();
    match all[..] {
        [one] => one.clone(),
        _ => {
            let size = all.iter().fold(1.into(), |product: crate::ir::Size, axis| product.times(&axis.size));
            Axis::new(size, span, "is made of a group here")
        }
    }
}
