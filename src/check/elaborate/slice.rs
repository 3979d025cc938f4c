//! Slices: `x[0]`, `x[.., 1..t]`. What is read at an open index is index notation, which is elsewhere.

use super::index::NAMELESS;
use super::{Elaborator, Out, Reported};
use crate::check::shapes::with_origin;
use crate::check::terms::{Cut, Kind, TermId};
use crate::check::types::{Axis, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Size, Symbol};
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Name, Subscript};
use crate::syntax::walk;

/// A subscript with its numbers.
pub(super) enum Taken {
    /// `..`: so many axes as others leave, or as many as a rest has.
    Whole(Option<usize>),
    At(Size),
    From(Size, Option<Size>),
}

impl Elaborator<'_> {
    /// `base[subscripts]`: a slice, or index notation if something reads an index.
    pub(super) fn subscripted(
        &mut self,
        base: &Expr,
        subscripts: &[Subscript],
        span: Span,
        scope: &mut Scope,
    ) -> Out<Value> {
        if self.reads_indices(subscripts, scope) {
            return self.read(base, subscripts, span, scope);
        }
        let mut taken = Vec::new();
        for subscript in subscripts {
            match self.taken(subscript, scope)? {
                Some(one) => taken.push((one, place_of(subscript))),
                None => return self.read(base, subscripts, span, scope),
            }
        }
        let value = self.value(base, scope)?;
        match value.listed() {
            Value::List(parts) => self.of_list(parts, taken, base.span, span),
            value => {
                let term = self.tensor(value, base.span)?;
                self.sliced(term, taken, base.span, span).map(Value::Tensor)
            }
        }
    }

    /// Whether subscripts read an open index, or a name that nothing but an index could be.
    fn reads_indices(&mut self, subscripts: &[Subscript], scope: &Scope) -> bool {
        subscripts.iter().any(|subscript| match subscript {
            Subscript::Rest(None, _) => scope.index(NAMELESS).is_some(),
            Subscript::Rest(Some(name), _) => scope.index(&name.text).is_some(),
            Subscript::Group(..) | Subscript::At(_, Some(_)) => true,
            Subscript::At(Expr { kind: ExprKind::Name(name), .. }, None) => {
                scope.index(&name.text).is_some() || !self.is_known(name, scope)
            }
            Subscript::At(at, None) => reads_index(at, scope),
            Subscript::Slice(from, to, _) => {
                reads_index(from, scope) || to.as_ref().is_some_and(|to| reads_index(to, scope))
            }
        })
    }

    pub(super) fn is_known(&mut self, name: &Name, scope: &Scope) -> bool {
        scope.get(&name.text).is_some() || self.library.find_for(name, self.sources, &mut self.found).is_some()
    }

    /// The numbers of a subscript; `None` where a tensor says what is read, which is no slice.
    fn taken(&mut self, subscript: &Subscript, scope: &mut Scope) -> Out<Option<Taken>> {
        Ok(match subscript {
            Subscript::Rest(None, _) => Some(Taken::Whole(None)),
            Subscript::Rest(Some(name), span) => match scope.rest(&name.text).map(<[Axis]>::len) {
                Some(count) => Some(Taken::Whole(Some(count))),
                None => return Err(self.open_start(name, *span)),
            },
            Subscript::At(at, _) => self.place_number(at, scope)?.map(Taken::At),
            Subscript::Slice(from, to, _) => {
                let from = self.place_number(from, scope)?;
                let to = to.as_ref().map(|to| self.place_number(to, scope)).transpose()?;
                match (from, to) {
                    (Some(from), None) => Some(Taken::From(from, None)),
                    (Some(from), Some(Some(to))) => Some(Taken::From(from, Some(to))),
                    (None, _) | (_, Some(None)) => None,
                }
            }
            Subscript::Group(..) => None,
        })
    }

    fn open_start(&mut self, name: &Name, span: Span) -> Reported {
        let error = Diagnostic::error("E0262", "a slice says where it starts", span, "no start here");
        self.report(error.help(format!("write `0..{}`", name.text)))
    }

    /// A number of elements of an axis; `None` of a tensor.
    fn place_number(&mut self, expr: &Expr, scope: &mut Scope) -> Out<Option<Size>> {
        let value = self.value(expr, scope)?;
        match value {
            Value::Size(axis) => Ok(Some(axis.size)),
            open if self.may_be_constant(&open) => Ok(Some(Size::symbol(Symbol::open(self.sources.text(expr.span))))),
            Value::Tensor(_) => Ok(None),
            Value::Text(text) => {
                let message = "expected a whole number for a place, found a text";
                let error = Diagnostic::error("E0213", message, expr.span, "here");
                Err(self.report(error.help(format!("a column is named without quotes: `{text}`"))))
            }
            value => Ok(Some(Size::from(self.whole(&value, "a place", expr.span)?))),
        }
    }

    /// An element or some elements of a list; further subscripts read the element.
    fn of_list(
        &mut self,
        parts: Vec<(Value, Span)>,
        mut taken: Vec<(Taken, Span)>,
        base: Span,
        span: Span,
    ) -> Out<Value> {
        let further = if taken.is_empty() { Vec::new() } else { taken.split_off(1) };
        let Some((first, at)) = taken.pop() else { return Ok(Value::List(parts)) };
        let axis = Axis::new(Size::from(parts.len() as i64), base, "is the length of this list");
        match self.cut(&first, &axis, at, base)? {
            Cut::All => Ok(Value::List(parts)),
            Cut::One(place) => {
                let Some((value, own)) = place.settled().and_then(|place| parts.into_iter().nth(place as usize)) else {
                    return Err(Reported);
                };
                match value {
                    value if further.is_empty() => Ok(value),
                    Value::List(parts) => self.of_list(parts, further, base, span),
                    value => {
                        let term = self.tensor(value, own)?;
                        self.sliced(term, further, base, span).map(Value::Tensor)
                    }
                }
            }
            Cut::Range(start, count) => {
                let (Some(start), Some(count)) = (start.settled(), count.settled()) else { return Err(Reported) };
                let kept: Vec<(Value, Span)> = parts.into_iter().skip(start as usize).take(count as usize).collect();
                if further.is_empty() {
                    return Ok(Value::List(kept));
                }
                let term = self.tensor(Value::List(kept), base)?;
                let whole = (Taken::Whole(Some(1)), base);
                self.sliced(term, std::iter::once(whole).chain(further).collect(), base, span).map(Value::Tensor)
            }
        }
    }

    /// Of each axis what the subscripts take; of those that none reads, all.
    fn sliced(&mut self, term: TermId, taken: Vec<(Taken, Span)>, base: Span, span: Span) -> Out<TermId> {
        let ty = self.ty(term).clone();
        let fixed: usize =
            taken.iter().map(|(one, _)| if let Taken::Whole(count) = one { count.unwrap_or(0) } else { 1 }).sum();
        let mut open = taken.iter().filter(|(one, _)| matches!(one, Taken::Whole(None))).map(|(_, at)| *at);
        if let (Some(first), Some(second)) = (open.next(), open.next()) {
            let error = Diagnostic::error("E0262", "`..` stands for the axes that are left over once", second, "again");
            return Err(self.report(error.label(first, "here already")));
        }
        if fixed > ty.axes.len() {
            let message = format!("{ty} has {} axes, and here are places of {fixed}", ty.axes.len());
            let error = Diagnostic::error("E0205", message, span, "this read");
            return Err(self.report(error.label(base, format!("this is {ty}"))));
        }
        let mut cuts = Vec::new();
        for (one, at) in &taken {
            match one {
                Taken::Whole(count) => {
                    let count = count.unwrap_or(ty.axes.len() - fixed);
                    cuts.extend(std::iter::repeat_n(Cut::All, count));
                }
                Taken::At(_) | Taken::From(..) => {
                    let axis = ty.axes[cuts.len()].clone();
                    cuts.push(self.cut(one, &axis, *at, base)?);
                }
            }
        }
        cuts.resize(ty.axes.len(), Cut::All);
        Ok(self.cut_out(term, cuts, span))
    }

    /// The term of a slice whose cuts are known to lie within.
    pub(super) fn cut_out(&mut self, term: TermId, cuts: Vec<Cut>, span: Span) -> TermId {
        let ty = self.ty(term).clone();
        // `0..` is the whole axis.
        let whole = |(axis, cut): (&Axis, Cut)| match cut {
            Cut::Range(from, count) if from == Size::from(0) && count == axis.size => Cut::All,
            cut => cut,
        };
        let cuts: Vec<Cut> = ty.axes.iter().zip(cuts).map(whole).collect();
        if cuts.iter().all(|cut| *cut == Cut::All) {
            return term;
        }
        let kept = |(axis, cut): (&Axis, &Cut)| match cut {
            Cut::All => Some(axis.clone()),
            Cut::One(_) => None,
            Cut::Range(_, count) => Some(Axis::new(count.clone(), span, "are taken by this slice")),
        };
        let axes = ty.axes.iter().zip(&cuts).filter_map(kept).collect();
        self.term(Kind::Slice(term, cuts), Type { axes, ..ty }, span)
    }

    /// What a subscript takes of an axis, which has it.
    pub(super) fn cut(&mut self, taken: &Taken, axis: &Axis, at: Span, base: Span) -> Out<Cut> {
        let one = Size::from(1);
        match taken {
            Taken::Whole(_) => Ok(Cut::All),
            Taken::At(place) => {
                self.not_negative(place, axis, at)?;
                if lies(&axis.size.minus(place).minus(&one)) == Some(true) {
                    return Ok(Cut::One(place.clone()));
                }
                let last = axis.size.minus(&one);
                let message = format!("place {place} is outside of an axis of {}", axis.size);
                let error = Diagnostic::error("E0261", message, at, "not in the axis");
                let help = match axis.size.settled() {
                    Some(0) => "the axis has no elements".to_string(),
                    Some(_) => format!("places count from 0, so that the last is {last}"),
                    None => format!("how many there are is known only in a run; the last is at {last}"),
                };
                let error = error.label(base, "of this").help(help);
                Err(self.report(with_origin(error, axis)))
            }
            Taken::From(from, to) => {
                self.not_negative(from, axis, at)?;
                let end = to.clone().unwrap_or_else(|| axis.size.clone());
                let count = end.minus(from);
                if to.is_some() && lies(&count) == Some(false) {
                    let message = format!("this slice ends at {end}, before its start {from}");
                    let error = Diagnostic::error("E0262", message, at, "reversed");
                    return Err(self.report(error.help("write the lower place first")));
                }
                if lies(&axis.size.minus(&end)) != Some(true) || lies(&count) != Some(true) {
                    let shown = if to.is_some() { format!("{from}..{end}") } else { format!("{from}..") };
                    let message = format!("places {shown} reach out of an axis of {}", axis.size);
                    let help = match axis.size.settled() {
                        Some(size) => format!("an end is not taken itself: all are `0..{size}`"),
                        None => "how many there are is known only in a run; all are `0..`".to_string(),
                    };
                    let error = Diagnostic::error("E0261", message, at, "not in the axis");
                    return Err(self.report(with_origin(error.label(base, "of this").help(help), axis)));
                }
                Ok(Cut::Range(from.clone(), count))
            }
        }
    }

    /// Places count from the start; where they count from the end elsewhere, a slip in arithmetic passes unseen.
    fn not_negative(&mut self, place: &Size, axis: &Axis, at: Span) -> Out<()> {
        if lies(place) != Some(false) {
            return Ok(());
        }
        let message = format!("places count from 0, and this is {place}");
        let error = Diagnostic::error("E0262", message, at, "below 0");
        let help = format!("counted from the end it is `{}`", axis.size.plus(place));
        Err(self.report(error.help(help)))
    }
}

/// Whether a size is at least 0 for any number of rows; `None` where that depends on them. What a use decides may be.
pub(super) fn lies(size: &Size) -> Option<bool> {
    if size.is_open() {
        return Some(true);
    }
    if size.is_never_negative() {
        return Some(true);
    }
    if size.has_quotients() {
        return Size::from(-1).minus(size).is_never_negative().then_some(false);
    }
    if size.symbols().len() > 1 {
        return None;
    }
    let at = |rows: i64| size.with_rows(rows).settled();
    let (one, two) = (at(1)?, at(2)?);
    match (one >= 0, two >= one) {
        (true, true) => Some(true),
        (false, _) if two <= one => Some(false),
        _ => None,
    }
}

fn reads_index(expr: &Expr, scope: &Scope) -> bool {
    let mut found = false;
    walk::expression(expr, &mut |part| {
        if let ExprKind::Name(name) = &part.kind {
            found |= scope.index(&name.text).is_some();
        }
    });
    found
}

fn place_of(subscript: &Subscript) -> Span {
    match subscript {
        Subscript::Rest(_, span) | Subscript::Slice(_, _, span) | Subscript::Group(_, span) => *span,
        Subscript::At(at, _) => at.span,
    }
}
