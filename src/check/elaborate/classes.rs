//! Columns that are classes: `category`, `characters`, and windows of them, `next_token`.

use super::call::Arg;
use super::joined::is_named;
use super::{Elaborator, Out, Reported};
use crate::check::program::{Items, Raw, RawKind};
use crate::check::schema::{Asked, Column, Holds, Way};
use crate::check::terms::{Kind, Leaf, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Part, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::Size;
use crate::source::Span;

/// The longest window.
const LONGEST: i64 = 1 << 20;

impl Elaborator<'_> {
    /// `category(column)`, `category(column, order = ["benign", "malignant"])`, `category(column, unknown = "?")`.
    pub(super) fn category(&mut self, given: &[Arg], span: Span) -> Out<Value> {
        let (of, [order, unknown]) = self.of_and_settings("category", ["order", "unknown"], given, span)?;
        if let (Some(order), Some(unknown)) = (order, unknown) {
            let message = "an order names all classes, so that none is unknown";
            let error = Diagnostic::error("E0347", message, unknown.span, "the class of all others");
            return Err(self.report(error.label(order.span, "all classes").help("leave one of them out")));
        }
        let order = order.map(|order| self.order_given(order)).transpose()?;
        let unknown = self.unknown_given(unknown)?;
        let Value::RawColumn(at) = of.value else {
            let message = "`category` takes a column of the source by its name";
            return Err(self.error("E0211", message, of.span, of.value.noun()));
        };
        let column = self.raw_column(at)?;
        if column.holds == Holds::Characters {
            let message = format!("column `{}` holds characters", column.name);
            let error = Diagnostic::error("E0211", message, of.span, "expected a column of a table");
            return Err(self.report(error.help(format!("write `characters({})`", column.name))));
        }
        let each = matches!(column.holds, Holds::Lists | Holds::Texts) || column.shape.len() == 1;
        self.classes(at, Asked { order, unknown, each, like: None }, span)
    }

    /// `characters(text)`, `characters(text, unknown = "?")`.
    pub(super) fn characters(&mut self, given: &[Arg], span: Span) -> Out<Value> {
        let (of, [unknown]) = self.of_and_settings("characters", ["unknown"], given, span)?;
        let unknown = self.unknown_given(unknown)?;
        let held = match of.value {
            Value::RawColumn(at) => Some((at, self.raw_column(at)?)),
            _ => None,
        };
        match held {
            Some((at, Column { holds: Holds::Characters, .. })) => {
                self.classes(at, Asked { unknown, ..Asked::default() }, span)
            }
            Some((at, Column { holds: Holds::Text, .. })) => {
                self.classes(at, Asked { unknown, each: true, ..Asked::default() }, span)
            }
            _ => {
                let message = "`characters` takes texts: those of a column, or of a source `text(\"file.txt\")`";
                let error = Diagnostic::error("E0211", message, of.span, of.value.noun());
                Err(self.report(error.help("a column of numbers is read as it is, or by `category`")))
            }
        }
    }

    /// The name of the class of whatever no training row has.
    fn unknown_given(&mut self, unknown: Option<&Arg>) -> Out<Option<String>> {
        match unknown {
            None => Ok(None),
            Some(Arg { value: Value::Text(text), .. }) => Ok(Some(text.clone())),
            Some(other) => {
                let message = "`unknown` is the name of a class, in double quotes";
                Err(self.error("E0211", message, other.span, other.value.noun()))
            }
        }
    }

    /// What a function of a column is given: the column, and its settings.
    fn of_and_settings<'g, const N: usize>(
        &mut self,
        name: &str,
        known: [&str; N],
        given: &'g [Arg],
        span: Span,
    ) -> Out<(&'g Arg, [Option<&'g Arg>; N])> {
        if given.iter().any(|arg| matches!(arg.value, Value::Wrong)) {
            return Err(Reported);
        }
        let (settings, of): (Vec<&Arg>, Vec<&Arg>) =
            given.iter().partition(|arg| known.iter().any(|setting| is_named(arg, setting)));
        let other = of.iter().find_map(|arg| arg.name.as_ref().filter(|name| name.text != "column"));
        if let Some(other) = other {
            let message = format!("`{name}` has no setting `{}`", other.text);
            let error = Diagnostic::error("E0212", message, other.span, "not found");
            let known: Vec<String> = known.iter().map(|setting| format!("`{setting}`")).collect();
            return Err(self.report(error.help(format!("it has {}", known.join(", ")))));
        }
        let all = known.map(|setting| settings.iter().copied().find(|arg| is_named(arg, setting)));
        match &of[..] {
            [of] if settings.len() == all.iter().flatten().count() => Ok((of, all)),
            _ => {
                let message = format!("`{name}` takes a column, and here are {} arguments", given.len());
                Err(self.error("E0212", &message, span, "in this call"))
            }
        }
    }

    /// Classes as a program lists them.
    fn order_given(&mut self, order: &Arg) -> Out<Vec<String>> {
        let wrong = "`order` lists the classes, `[\"benign\", \"malignant\"]`";
        let Value::List(parts) = &order.value else {
            return Err(self.error("E0211", wrong, order.span, order.value.noun()));
        };
        let mut classes: Vec<(String, Span)> = Vec::new();
        for (part, at) in parts {
            let class = match part {
                Value::Text(text) => text.clone(),
                Value::Number(number) => {
                    number.to_whole().map_or(number.to_f64().to_string(), |whole| whole.to_string())
                }
                other => return Err(self.error("E0211", wrong, *at, other.noun())),
            };
            if let Some((_, first)) = classes.iter().find(|(known, _)| *known == class) {
                let message = format!("the class `{class}` is in the order twice");
                let error = Diagnostic::error("E0347", message, *at, "the second time");
                return Err(self.report(error.label(*first, "the first time")));
            }
            classes.push((class, *at));
        }
        Ok(classes.into_iter().map(|(class, _)| class).collect())
    }

    /// The classes of a column of the source.
    fn classes(&mut self, at: usize, mut asked: Asked, span: Span) -> Out<Value> {
        let column = self.raw_column(at)?;
        if let Some(taken) = self.taken_classes() {
            let (names, has_unknown, shown) = taken?;
            if asked.order.is_some() || asked.unknown.is_some() {
                let message = format!("the classes are those of `{shown}`, in their order");
                let error = Diagnostic::error("E0386", message, span, "this says more of them");
                return Err(self.report(error.help("leave `order` and `unknown` out: they are said there")));
            }
            asked.unknown = names.last().cloned().filter(|_| has_unknown);
            asked.like = Some((names, shown));
        }
        if !column.shape.is_empty() && !asked.each {
            let message = format!("column `{}` has several numbers a row, and a class is one", column.name);
            return Err(self.error("E0211", message, span, "no class can be made of it"));
        }
        if let Some(wrong) = column.lacking.mistake(&column.name, span) {
            let help = if column.lacking.all { "leave the column out" } else { "fill the cells or leave the rows out" };
            return Err(self.report(wrong.help(help)));
        }
        let known = self
            .open
            .as_mut()
            .map(|open| open.classes.entry(column.name.clone()).or_insert_with(|| (asked.clone(), span)).clone());
        if let Some((_, first)) = known.filter(|(known, _)| *known != asked) {
            let message = format!("the classes of column `{}` are asked for in two ways", column.name);
            let error = Diagnostic::error("E0347", message, span, "this one").label(first, "and this one");
            return Err(self.report(error.help("name the classes once, and read them under that name")));
        }
        let set = self.data.as_mut().and_then(|data| data.sets.last_mut());
        if let (Some(set), Some(_)) = (set, &asked.unknown) {
            set.unknown.push(column.name.clone());
        }
        let Some(source) = self.set().map(|set| set.source.clone()) else { return Err(Reported) };
        let count = self.schemas.classes(self.sources, &source, &column.name, &asked, span);
        let count = count.map_err(|wrong| self.report(wrong))?;
        if asked.each {
            return Ok(Value::Unequal(at, Items::Classes));
        }
        let elem = class_of(&column, count);
        Ok(Value::Tensor(self.raw(&column, RawKind::Classes, elem, span)))
    }

    /// What the elements of a column of unequal length are, whose classes were asked for.
    pub(super) fn classes_in(&mut self, column: &Column, span: Span) -> Out<Elem> {
        let asked = self.open.as_ref().and_then(|open| open.classes.get(&column.name)).cloned();
        let source = self.set().map(|set| set.source.clone());
        let (Some((asked, _)), Some(source)) = (asked, source) else { return Err(Reported) };
        let count = self.schemas.classes(self.sources, &source, &column.name, &asked, span);
        Ok(class_of(column, count.map_err(|wrong| self.report(wrong))?))
    }

    /// `next_token(tokens, context = 64)`: windows of the tokens, and what stands one behind each of their places.
    pub(super) fn next_token(&mut self, given: &[Arg], span: Span) -> Out<Value> {
        let (of, [context]) = self.of_and_settings("next_token", ["context"], given, span)?;
        let Some(context) = context else {
            let error = Diagnostic::error("E0212", "`next_token` is not given its `context`", span, "how many tokens?");
            return Err(self.report(error.help("write `next_token(tokens, context = 64)`")));
        };
        let length = self.whole(&context.value, "a number of tokens", context.span)?;
        if !(1..=LONGEST).contains(&length) {
            let message = format!("a window has 1 to {LONGEST} tokens, and {length} is not that many");
            return Err(self.error("E0213", message, context.span, "here"));
        }
        let raw = match &of.value {
            Value::Tensor(term) => self.classes_of(*term),
            _ => None,
        };
        let Some((name, elem)) = raw else {
            let message = "`next_token` takes the classes of a source, in their order";
            let error = Diagnostic::error("E0211", message, of.span, of.value.noun());
            return Err(self.report(
                error.help("write `tokens = characters(text)`, then `x, y = next_token(tokens, context = 64)`"),
            ));
        };
        let length = length as usize;
        self.windowed(length, span)?;
        let rows = Axis { size: Size::symbol(self.rows()), origin: None };
        let context = Axis::new(Size::from(length as i64), context.span, "is the context");
        let ty = Type { axes: vec![rows, context], ..Type::scalar(elem) };
        let part = |this: &mut Self, offset: usize| {
            let term = this.raw_of(name.clone(), RawKind::Window { offset }, ty.clone(), span);
            Part { name: None, value: Value::Tensor(term), span }
        };
        Ok(Value::Tuple(vec![part(self, 0), part(self, 1)]))
    }

    /// The source column whose classes a term is, and their type.
    fn classes_of(&self, term: TermId) -> Option<(String, Elem)> {
        let Kind::Leaf(Leaf::Raw(at)) = self.terms.get(term).kind else { return None };
        let Raw { name, kind, ty, .. } = &self.data.as_ref()?.raw[at];
        (*kind == RawKind::Classes).then(|| (name.clone(), ty.elem.clone()))
    }

    /// From now on rows are windows.
    fn windowed(&mut self, length: usize, span: Span) -> Out<()> {
        let Some(set) = self.set() else { return Err(Reported) };
        if let Some(window) = set.window.filter(|window| *window != length) {
            let message = format!("rows are windows of {window} tokens, and here of {length}");
            let error = Diagnostic::error("E0348", message, span, "these windows");
            return Err(self.report(error.help("one `data` block has windows of one length")));
        }
        let shuffled = set.split.as_ref().filter(|split| split.shuffle && !matches!(split.way, Way::Column(..)));
        if let Some(split) = shuffled {
            let message = "windows are of neighbouring rows, and this split shuffles the rows";
            let error = Diagnostic::error("E0348", message, split.span, "neighbours are torn apart here");
            return Err(
                self.report(error.label(span, "windows are cut here").help("add `shuffle = false` to the split"))
            );
        }
        let source = set.source.clone();
        let rows = self.schemas.windows(&source, length, span).map_err(|wrong| self.report(wrong))?;
        if let Some(set) = self.data.as_mut().and_then(|data| data.sets.last_mut()) {
            (set.rows, set.window) = (rows, Some(length));
        }
        Ok(())
    }
}

/// A class of a column that has so many.
fn class_of(column: &Column, count: usize) -> Elem {
    let text = format!("classes are in the training rows of column `{}`", column.name);
    Elem::Class(Axis::new(Size::from(count as i64), column.span, text))
}
