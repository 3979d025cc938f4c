//! Of programs that tell the next token: which loss that is, and how many places there are.

use super::view::View;
use crate::check::program::{Applied, RawKind};
use crate::check::terms::{Cut, Kind, Leaf, TermId};
use crate::check::types::Elem;

/// A loss of classes, what is predicted, and its target.
pub struct Told<'p> {
    pub loss: &'p Applied,
    pub prediction: TermId,
    /// By how many places the target is behind what the model reads; 0 is the same token.
    pub behind: usize,
    /// Places of a row.
    pub places: i64,
}

/// Losses whose target is a column of tokens that the prediction reads as well.
pub fn all<'p>(view: &View<'p>) -> Vec<Told<'p>> {
    view.losses().into_iter().filter_map(|loss| told(view, loss)).collect()
}

fn told<'p>(view: &View<'p>, loss: &'p Applied) -> Option<Told<'p>> {
    let (prediction, target) = (view.prediction(loss)?, loss.input("target")?);
    let column = view.column(target)?;
    if !matches!(view.term(target).ty.elem, Elem::Class(_)) {
        return None;
    }
    let below = view.below(&[prediction], |_, kind| kind.operands());
    // Tokens that are hidden by a draw are another task.
    if below.iter().any(|id| matches!(view.term(*id).kind, Kind::Draw(..))) {
        return None;
    }
    let read = view.columns(prediction);
    let places = |column: usize| {
        let ty = &view.term(view.program.data.columns[column].value).ty;
        let [_, places] = &ty.axes[..] else { return None };
        places.size.settled()
    };
    let made = |behind: usize, column: usize| Some(Told { loss, prediction, behind, places: places(column)? });
    if let Some((tokens, at)) = window(view, column) {
        let read = read.iter().filter_map(|column| window(view, *column)).filter(|(own, _)| own == &tokens);
        let last = read.map(|(_, offset)| offset).max()?;
        return made(at.checked_sub(last)?, column);
    }
    // A slice of what the model reads whole, or of whose scores a slice is taken too.
    let from = begins(view, target, column)?;
    let scores = view.shows(prediction, |id| matches!(view.term(id).kind, Kind::Slice(..)));
    if !read.contains(&column) || (from == 0 && scores.is_none()) {
        return None;
    }
    made(from, column)
}

/// The source column of a window, and how far behind the row it begins.
fn window<'p>(view: &View<'p>, column: usize) -> Option<(&'p str, usize)> {
    let data = &view.program.data;
    let Kind::Leaf(Leaf::Raw(raw)) = view.term(view.bare(data.columns[column].value)).kind else { return None };
    match data.raw[raw].kind {
        RawKind::Window { offset } => Some((data.raw[raw].name.as_str(), offset)),
        RawKind::Numbers
        | RawKind::Gappy
        | RawKind::Classes
        | RawKind::Whole(_)
        | RawKind::Padded { .. }
        | RawKind::Length { .. }
        | RawKind::Drawn(_) => None,
    }
}

/// Where a slice of the places of a column begins, which leaves some out.
fn begins(view: &View, target: TermId, column: usize) -> Option<usize> {
    let slice = view.shows(target, |id| matches!(view.term(id).kind, Kind::Slice(..)))?;
    let Kind::Slice(of, cuts) = &view.term(slice).kind else { return None };
    let (Some(Cut::Range(from, _)), 2) = (cuts.last(), cuts.len()) else { return None };
    let whole = matches!(view.term(*of).kind, Kind::Leaf(Leaf::Column(at)) if at == column);
    usize::try_from(from.settled()?).ok().filter(|_| whole)
}
