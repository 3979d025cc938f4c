//! Triangles of matrices, and systems of equations with them.

use super::{Elaborator, Out};
use crate::check::shapes::with_origin;
use crate::check::terms::{Kind, TermId};
use crate::check::types::Type;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

impl Elaborator<'_> {
    /// l is `[..s, d, d]`; b is `[..s, d, m]`, or `[..s, d]`: a vector for each matrix.
    pub(super) fn triangular_solve(&mut self, l: TermId, b: TermId, transposed: bool, span: Span) -> Out<TermId> {
        let (matrix, right) = (self.ty(l).clone(), self.ty(b).clone());
        let (rank, own) = (matrix.axes.len(), right.axes.len());
        if own != rank && own + 1 != rank {
            let message =
                format!("expected a matrix or a vector for each {matrix} of `triangular_solve`, found {right}");
            let error = Diagnostic::error("E0205", message, self.terms.get(b).span, format!("this is {right}"));
            let help = format!("as many axes as `l` has, {rank}, or one less");
            return Err(self.report(error.label(self.terms.get(l).span, format!("this is {matrix}")).help(help)));
        }
        for (one, two) in matrix.axes[..rank - 1].iter().zip(&right.axes) {
            if !one.size.agrees(&two.size) {
                let message =
                    format!("{matrix} and {right} have different numbers of rows: {} and {}", one.size, two.size);
                let error = Diagnostic::error("E0203", message, self.terms.get(b).span, format!("this is {right}"))
                    .label(self.terms.get(l).span, format!("this is {matrix}"));
                return Err(self.report(with_origin(with_origin(error, one), two)));
            }
        }
        let free = self.free_indices(l, b);
        Ok(self.term(Kind::TriangularSolve { l, b, transposed }, Type { free, ..Type::float(right.axes) }, span))
    }
}
