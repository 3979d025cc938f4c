//! Rows of unequal length, `pad`; whole numbers that are classes themselves, `as_class`; how many classes there are, `classes`.

use super::call::Arg;
use super::{Elaborator, Out, Reported};
use crate::check::number::Number;
use crate::check::program::{Items, RawKind};
use crate::check::schema::{Column, Holds, Lengths};
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Part, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::Size;
use crate::source::Span;

/// The longest row that others are filled up to, and the most classes.
const MOST: i64 = 1 << 20;

impl Elaborator<'_> {
    /// `pad(tokens, 128)`: the first so many elements of each row, and how many the row has.
    pub(super) fn pad(&mut self, given: &[Arg], span: Span) -> Out<Value> {
        let (of, length) = self.of_and_count("pad", "pad(tokens, 128)", given, span)?;
        let length = self.whole(&length.value, "the length of `pad`", length.span).and_then(|count| match count {
            1..=MOST => Ok((count as usize, length.span)),
            _ => {
                let message =
                    format!("rows are filled up to between 1 and {MOST} elements, and {count} is not that many");
                Err(self.error("E0213", message, length.span, "here"))
            }
        })?;
        let (at, items) = match &of.value {
            Value::Unequal(at, items) => (*at, *items),
            Value::RawColumn(at) => (*at, Items::Numbers),
            other => {
                let message = "`pad` takes a column of the source whose rows are of unequal length";
                let error = Diagnostic::error("E0211", message, of.span, other.noun());
                return Err(
                    self.report(error.help("`characters(text)` makes such rows of texts, and `jsonl` reads arrays"))
                );
            }
        };
        let column = self.raw_column(at)?;
        self.is_unequal(&column, items, of.span)?;
        let (length, at) = length;
        let filled = self.warn_of_cuts(&column, length, span);
        let elem = match items {
            Items::Numbers => Elem::Float,
            Items::Whole(below) => Elem::Class(Axis::new(Size::from(below as i64), span, "is given to `as_class`")),
            Items::Classes => self.classes_in(&column, span)?,
        };
        let rows = Axis { size: Size::symbol(self.rows()), origin: None };
        let width = Axis::new(Size::from(length as i64), at, "is the length of `pad`");
        let padded = Type { axes: vec![rows.clone(), width], ..Type::scalar(elem) };
        let padded = self.raw_of(column.name.clone(), RawKind::Padded { items, length, filled }, padded, span);
        let lengths = Type { axes: vec![rows], ..Type::scalar(Elem::Int) };
        let lengths = self.raw_of(column.name, RawKind::Length { most: length }, lengths, span);
        let part = |term| Part { name: None, value: Value::Tensor(term), span };
        Ok(Value::Tuple(vec![part(padded), part(lengths)]))
    }

    /// Whether a column has rows that `pad` reads.
    fn is_unequal(&mut self, column: &Column, items: Items, span: Span) -> Out<()> {
        if let Some(wrong) = column.lacking.mistake(&column.name, span) {
            return Err(self.report(wrong.help("write `[]` for a row without elements, or leave the rows out")));
        }
        let wrong: Vec<Reported> = column.mistakes.iter().map(|wrong| self.report(wrong.clone())).collect();
        if let (Some(reported), false) = (wrong.last(), column.holds == Holds::Text && items == Items::Classes) {
            return Err(*reported);
        }
        let name = &column.name;
        let (told, help) = match (column.holds, items) {
            (Holds::Lists, _) | (Holds::Texts, Items::Classes) => return Ok(()),
            (Holds::Text, Items::Classes) => return Ok(()),
            (Holds::Numbers, _) if column.shape.len() == 1 => return Ok(()),
            (Holds::Text, _) => ("texts", format!("write `pad(characters({name}), …)`")),
            (Holds::Texts, _) => ("arrays of texts", format!("write `pad(category({name}), …)`")),
            (Holds::Characters, _) => ("characters", "`next_token` makes windows of a text".to_string()),
            (Holds::Numbers, _) if column.shape.is_empty() => ("one number a row", format!("read `{name}` as it is")),
            (Holds::Numbers, _) => ("tensors of one shape", format!("read `{name}` as it is")),
        };
        let message = format!("`pad` makes rows of one length, and column `{name}` holds {told}");
        Err(self.report(Diagnostic::error("E0352", message, span, told).help(help)))
    }

    /// Warns of rows that are cut; whether others are filled up.
    fn warn_of_cuts(&mut self, column: &Column, length: usize, span: Span) -> bool {
        let source = self.set().map(|set| set.source.clone());
        let lengths = source.and_then(|source| self.schemas.lengths(&source, &column.name, length));
        let Some(Lengths { longer, shorter, all, longest }) = lengths else { return false };
        if longer == 0 {
            return shorter > 0;
        }
        let message = match longer {
            1 => format!("`pad` cuts 1 of {all} rows of `{}`, which has {longest} elements", column.name),
            _ => format!("`pad` cuts {longer} of {all} rows of `{}`; the longest has {longest} elements", column.name),
        };
        let warning = Diagnostic::error("W0331", message, span, format!("{length} elements of each row are kept"));
        self.report(warning.warning().help(format!("a length of {longest} keeps all")));
        shorter > 0
    }

    /// `as_class(e, v)`: whole numbers below v as classes.
    pub(super) fn as_class(&mut self, given: &[Arg], span: Span) -> Out<Value> {
        let (of, count) = self.of_and_count("as_class", "as_class(label, 10)", given, span)?;
        let classes = self.count_given(&count.value, "the number of classes", count.span)?;
        let elem = Elem::Class(classes.clone());
        if !matches!(of.value, Value::RawColumn(_) | Value::OfTable(..)) {
            return self.checked_classes(&of, classes, span).map(Value::Tensor);
        }
        let below = classes.size.settled().filter(|below| (1..=MOST).contains(below));
        let Some(below) = below.map(|below| below as usize) else {
            let message = format!("there are between 1 and {MOST} classes, and {} is not that many", classes.size);
            return Err(self.error("E0213", message, count.span, "here"));
        };
        let at = match of.value {
            Value::OfTable(table, at) => {
                return self.whole_classes((table, at), classes, below, span).map(Value::Tensor);
            }
            Value::RawColumn(at) => at,
            _ => return Err(Reported),
        };
        let column = self.raw_column(at)?;
        let unequal = matches!(column.holds, Holds::Lists);
        let checked = if unequal { column.clone() } else { self.numeric(at, of.span)? };
        if let Some(wrong) = checked.lacking.mistake(&checked.name, span) {
            return Err(self.report(wrong.help("fill the cells or leave the rows out")));
        }
        let Some(source) = self.set().map(|set| set.source.clone()) else { return Err(Reported) };
        let whole = self.schemas.whole(self.sources, &source, &column.name, below, span);
        whole.map_err(|wrong| self.report(wrong))?;
        if unequal {
            return Ok(Value::Unequal(at, Items::Whole(below)));
        }
        Ok(Value::Tensor(self.raw(&column, RawKind::Whole(below), elem, span)))
    }

    /// Ints as classes: each is looked at when it is read, as the place of an axis of so many elements.
    fn checked_classes(&mut self, of: &Arg, classes: Axis, span: Span) -> Out<TermId> {
        let term = self.tensor(of.value.clone(), of.span)?;
        let ty = self.ty(term).clone();
        if !matches!(ty.elem, Elem::Int | Elem::Class(_)) {
            let message = format!("`as_class` makes classes of whole numbers, and this is {ty}");
            let error = Diagnostic::error("E0211", message, of.span, format!("this is {ty}"));
            return Err(self.report(
                error.help(
                    "a column of the source is given by its name, a drawn one says its kind, `c: class(3) ~ integers(0, 3)`, and `floor(…)` makes ints",
                ),
            ));
        }
        let line = self.counting(classes.clone(), span);
        Ok(self.term(Kind::Pick(line, term), Type { elem: Elem::Class(classes), ..ty }, span))
    }

    /// `classes(x)`: the number of classes of a column.
    pub(super) fn class_count(&mut self, given: &[Arg], span: Span) -> Out<Value> {
        let [of] = given else {
            let message = format!("`classes` takes a column of classes, and here are {} arguments", given.len());
            return Err(self.error("E0212", message, span, "in this call"));
        };
        let ty = match &of.value {
            Value::Wrong => return Err(Reported),
            Value::Tensor(term) => Some(self.ty(*term).clone()),
            _ => None,
        };
        if let Some(Elem::Class(count)) = ty.as_ref().map(|ty| &ty.elem) {
            return Ok(match count.size.settled() {
                Some(whole) => Value::Number(Number::whole(whole)),
                None => Value::Size(count.clone()),
            });
        }
        let message = "`classes` is the number of classes of a column, and this has none";
        let told = ty.map_or(of.value.noun().to_string(), |ty| format!("this is {ty}"));
        let error = Diagnostic::error("E0211", message, of.span, told);
        Err(self.report(
            error.help("`category(kind)` makes classes of a column, and `as_class(label, 10)` of whole numbers"),
        ))
    }

    /// What a function is given that takes a thing and a whole number.
    fn of_and_count(&mut self, name: &str, example: &str, given: &[Arg], span: Span) -> Out<(Arg, Arg)> {
        if given.iter().any(|arg| matches!(arg.value, Value::Wrong)) {
            return Err(Reported);
        }
        match given {
            [of, count] if of.name.is_none() => Ok((of.clone(), count.clone())),
            _ => {
                let message = format!("`{name}` takes 2 arguments, and here are {}", given.len());
                let error = Diagnostic::error("E0212", message, span, "in this call");
                Err(self.report(error.help(format!("write `{example}`"))))
            }
        }
    }
}
