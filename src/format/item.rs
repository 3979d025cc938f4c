//! Items and the lines between them.

use super::Printer;
use super::body::own_lines;
use super::doc::{Doc, concat, group, indent, take_end, text};
use crate::syntax::tree::{File, FnBody, Item, ItemKind, Param, Type};

impl Printer<'_> {
    pub fn file(&mut self, file: &File) -> Doc {
        let mut parts = Vec::new();
        let mut was_long = false;
        for (at, item) in file.items.iter().enumerate() {
            let (mut comments, mut apart) = self.comments(at == 0);
            let long = has_body(item);
            if at > 0 && (long || was_long || !comments.is_empty()) {
                // What belongs to an item stands right before it.
                match comments.first_mut() {
                    Some(first) => first.apart = true,
                    None => apart = true,
                }
            }
            apart &= comments.last().is_none_or(|last| !last.text.starts_with("///"));
            was_long = long;
            let mut doc = self.item(item);
            let after = take_end(&mut doc);
            parts.extend(lines(own_lines(&comments), apart, at == 0));
            parts.push(doc);
            parts.extend(after.map(|comment| Doc::Ends(comment, None)));
        }
        let (comments, _) = self.comments(file.items.is_empty());
        let mut rest = own_lines(&comments);
        if parts.is_empty() && !rest.is_empty() {
            rest.drain(..2);
        }
        parts.extend(rest);
        parts.push(if parts.is_empty() { Doc::Empty } else { Doc::Hard });
        Doc::Concat(parts)
    }

    fn item(&mut self, item: &Item) -> Doc {
        match &item.kind {
            ItemKind::Use(_) => concat([self.next(), text(" "), self.next()]),
            ItemKind::Let(item) => {
                let head = concat([self.next(), text(" "), self.next()]);
                concat([head, self.annotation(item.ty.as_ref()), text(" "), self.given(&item.value)])
            }
            ItemKind::Fn(function) => {
                let head = concat([self.next(), text(" "), self.next()]);
                let head = concat([head, self.params(&function.params), self.result(function.result.as_ref())]);
                match &function.body {
                    FnBody::Primitive => head,
                    FnBody::Expr(value) => {
                        let equals = concat([text(" "), self.next()]);
                        concat([head, equals, group(indent(concat([Doc::Line, self.expr(value)])))])
                    }
                    FnBody::Block(body) => concat([head, text(" "), self.body(body)]),
                }
            }
            ItemKind::Layer(layer) => {
                let head = concat([self.next(), text(" "), self.next()]);
                let first = if layer.hyper.is_empty() && !self.has_two_lists() { &layer.inputs } else { &layer.hyper };
                let mut parts = vec![head, self.params(first)];
                if self.next_is("(") {
                    parts.push(self.params(&layer.inputs));
                }
                parts.extend([self.result(layer.result.as_ref()), text(" "), self.body(&layer.body)]);
                Doc::Concat(parts)
            }
            ItemKind::Optimizer(optimizer) => {
                let head = concat([self.next(), text(" "), self.next()]);
                let mut parts = vec![head, self.params(&optimizer.hyper)];
                if self.next_is("(") {
                    parts.push(self.params(optimizer.input.as_slice()));
                }
                parts.extend([text(" "), self.body(&optimizer.body)]);
                Doc::Concat(parts)
            }
            ItemKind::Data(data) => {
                let head = concat([self.next(), text(" "), self.next(), text(" "), self.next(), text(" ")]);
                concat([head, self.expr(&data.from), text(" "), self.body(&data.body)])
            }
            ItemKind::Train(block) | ItemKind::Sweep(block) => {
                let mut parts = vec![self.next(), text(" ")];
                if block.name.is_some() {
                    parts.extend([self.next(), text(" ")]);
                }
                parts.push(self.body(&block.body));
                Doc::Concat(parts)
            }
        }
    }

    /// Whether inputs follow behind the parentheses that are next: `layer f()(x)`.
    fn has_two_lists(&self) -> bool {
        let closing = self.tokens[self.at].closed_by;
        closing.is_some_and(|closing| self.tokens.get(closing + 1).is_some_and(|next| next.text == "("))
    }

    fn params(&mut self, params: &[Param]) -> Doc {
        let open = self.next();
        if params.is_empty() {
            return concat([open, self.next()]);
        }
        let mut parts = Vec::new();
        for (at, param) in params.iter().enumerate() {
            let mut part = vec![self.next(), self.annotation(param.ty.as_ref())];
            if let Some(default) = &param.default {
                part.extend([text(" "), self.next(), text(" "), self.expr(default)]);
            }
            part.push(if at + 1 < params.len() { self.comma() } else { self.last_comma(true) });
            parts.push(Doc::Concat(part));
        }
        self.block(open, parts)
    }

    /// `-> type`, where it is written.
    fn result(&mut self, ty: Option<&Type>) -> Doc {
        match ty {
            Some(ty) => {
                let arrow = concat([self.next(), text(" ")]);
                group(indent(concat([Doc::Line, arrow, self.ty(ty)])))
            }
            None => Doc::Empty,
        }
    }
}

/// The lines up to an item: its comments, and the empty line before it. The first starts the text.
fn lines(mut comments: Vec<Doc>, apart: bool, first: bool) -> Vec<Doc> {
    if apart {
        comments.push(Doc::Hard);
    }
    comments.push(Doc::Hard);
    if first {
        comments.drain(..if comments.len() > 1 { 2 } else { 1 });
    }
    comments
}

fn has_body(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Layer(_) | ItemKind::Optimizer(_) | ItemKind::Data(_) | ItemKind::Train(_) | ItemKind::Sweep(_) => {
            true
        }
        ItemKind::Fn(function) => matches!(function.body, FnBody::Block(_)),
        ItemKind::Use(_) | ItemKind::Let(_) => false,
    }
}
