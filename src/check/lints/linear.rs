//! W0404: two linear maps with nothing between them but a bias are one linear map, of no more than the smaller rank. A first one
//! that is narrower than its input and its output is meant so: fewer weights, less rank.

use super::view::View;
use crate::check::terms::TermId;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for at in 0..view.program.terms.count() {
        let second = TermId(at as u32);
        let Some((input, w)) = view.linear(second) else { continue };
        let Some((first, outer)) = through(view, input) else { continue };
        let Some((_, before)) = view.linear(first) else { continue };
        let narrows = {
            let width = |param: crate::check::terms::ParamId, axis: usize| {
                let ty = &view.program.params[param.0 as usize].ty;
                ty.axes.get(axis).and_then(|axis| axis.size.settled())
            };
            let (a, b, c) = (width(before, 0), width(before, 1), width(w, 1));
            // A vector of weights gives one number.
            matches!((a, b, c.or(Some(1))), (Some(a), Some(b), Some(c)) if b < a && b < c)
        };
        let (Some(place), Some(earlier)) = (placed(view, second), view.place(outer).or(placed(view, first))) else {
            continue;
        };
        // A map that a layer of the library ends with is not one to leave out.
        let is_own = view.gave(outer).is_none_or(|one| one.name == "dense");
        // What one net gives another is what it is trained for, a generator's picture: no place for an activation.
        let nets = [before, w].map(|param| view.program.root(&view.program.params[param.0 as usize].path));
        if narrows || !is_own || before == w || place == earlier || nets[0] != nets[1] {
            continue;
        }
        let message = "two linear maps with no nonlinearity between them are one";
        let warning = Diagnostic::error("W0404", message, place, "this maps what is linear already")
            .label(earlier, "the first linear map");
        found.push(warning.help("put an activation between them, `|> relu`, or leave one of them out"));
    }
    found
}

/// The product that an input is, with maybe a bias, as nothing else reads it; and the outermost term of that.
fn through(view: &View, input: TermId) -> Option<(TermId, TermId)> {
    let mut id = input;
    let mut outer = input;
    loop {
        if !view.is_read_once(id) {
            return None;
        }
        if view.linear(id).is_some() {
            return Some((id, outer));
        }
        match (view.without_bias(id), view.shown(id)) {
            (Some((of, _)), _) => {
                outer = id;
                id = of;
            }
            (None, Some(of)) => {
                id = of;
                outer = of;
            }
            (None, None) => return None,
        }
    }
}

/// Where a product was asked for: the library adds a bias to it.
fn placed(view: &View, id: TermId) -> Option<crate::source::Span> {
    view.place(id).or_else(|| {
        let dense = view.program.applied.iter().filter(|applied| applied.name == "dense");
        let own = |result: TermId| view.without_bias(result).map_or(result, |(of, _)| of) == id;
        dense.into_iter().find(|applied| own(applied.result)).map(|applied| applied.place)
    })
}
