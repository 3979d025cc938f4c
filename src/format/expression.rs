//! Expressions and types.

use super::Printer;
use super::doc::{Doc, align, concat, group, indent, text};
use crate::syntax::tree::{
    Argument, Axis, Binary, Elem, Expr, ExprKind, From, Name, Names, Reduce, ReduceIndex, Scan, Subscript, Type,
    TypeKind, Unary,
};

/// More arguments than that, all of them plain, are laid out as the parts of a list are.
const MANY: usize = 8;

impl Printer<'_> {
    pub fn expr(&mut self, expr: &Expr) -> Doc {
        let layers = self.parentheses(expr);
        if layers == 0 {
            return self.bare(expr);
        }
        // Doubled ones say nothing.
        let mut parts = Vec::new();
        for layer in 0..layers {
            parts.push(if layer + 1 < layers { self.skip() } else { self.next() });
        }
        let inner = self.bare(expr);
        let mut closing = vec![self.next()];
        for _ in 1..layers {
            closing.push(self.skip());
        }
        let open = Doc::Concat(parts);
        group(concat([open, indent(concat([Doc::Soft, inner])), Doc::Soft, Doc::Concat(closing)]))
    }

    /// How many parentheses stand around an expression that is next. A tuple has its own besides.
    fn parentheses(&self, expr: &Expr) -> usize {
        let mut layers = 0;
        let mut end = expr.span.end as usize;
        while let Some(closing) = self.tokens[self.at + layers].closed_by
            && self.tokens[self.at + layers].text == "("
            && (layers > 0 || self.tokens[self.at].start == expr.span.start as usize)
            && self.tokens[closing].end() == end
        {
            layers += 1;
            end = self.tokens[closing - 1].end();
        }
        layers - usize::from(layers > 0 && matches!(expr.kind, ExprKind::Tuple(_)))
    }

    /// An expression without the parentheses around it.
    fn bare(&mut self, expr: &Expr) -> Doc {
        match &expr.kind {
            ExprKind::Number { .. } | ExprKind::Text(_) | ExprKind::Truth(_) | ExprKind::Name(_) => self.next(),
            ExprKind::Call(callee, arguments) => {
                let callee = self.expr(callee);
                concat([callee, self.arguments(arguments)])
            }
            ExprKind::Reduce(reduce) => self.reduce(reduce),
            ExprKind::Index(base, subscripts) => {
                let base = self.expr(base);
                concat([base, self.subscripts(subscripts)])
            }
            ExprKind::Field(a, _) => {
                let a = self.expr(a);
                concat([a, self.next(), self.next()])
            }
            ExprKind::Unary(Unary::Negate, a) => concat([self.next(), self.expr(a)]),
            ExprKind::Unary(Unary::Not, a) => concat([self.next(), text(" "), self.expr(a)]),
            ExprKind::Binary(Binary::Power, _, a, b) => concat([self.expr(a), self.next(), self.expr(b)]),
            ExprKind::Binary(..) => self.operators(expr),
            ExprKind::If(..) => self.choice(expr),
            ExprKind::Pipe(..) => self.pipe(expr),
            ExprKind::As(a, _) => concat([self.expr(a), text(" "), self.next(), text(" "), self.next()]),
            ExprKind::Range(a, b) => concat([self.expr(a), self.next(), self.expr(b)]),
            ExprKind::List(parts) => self.list(parts),
            ExprKind::Comprehension(body, _, list) => {
                let open = self.next();
                let body = self.expr(body);
                let words = concat([self.next(), text(" "), self.next(), text(" "), self.next(), text(" ")]);
                let rest = concat([words, self.expr(list)]);
                let inner = indent(concat([Doc::Soft, body, Doc::Line, rest]));
                group(concat([open, inner, Doc::Soft, self.next()]))
            }
            ExprKind::Tuple(parts) => {
                let open = self.next();
                // A tuple of one part is one by its comma.
                let single = parts.len() == 1;
                let mut inner = vec![Doc::Soft];
                for (at, part) in parts.iter().enumerate() {
                    inner.push(if at > 0 { Doc::Line } else { Doc::Empty });
                    inner.push(self.expr(part));
                    inner.push(if at + 1 < parts.len() || single { self.comma() } else { self.last_comma(true) });
                }
                group(concat([open, indent(Doc::Concat(inner)), Doc::Soft, self.next()]))
            }
            ExprKind::Record(entries) => self.record(entries),
            ExprKind::Scan(scan) => self.scan(scan),
            ExprKind::From(from) => self.from(from),
        }
    }

    fn arguments(&mut self, arguments: &[Argument]) -> Doc {
        let open = self.next();
        if arguments.is_empty() {
            return concat([open, self.next()]);
        }
        if let [only] = arguments
            && matches!(only.value.kind, ExprKind::Scan(_))
            && only.name.is_none()
        {
            return concat([open, self.expr(&only.value), self.last_comma(false), self.next()]);
        }
        let filled = arguments.len() > MANY && arguments.iter().all(|one| one.name.is_none() && is_plain(&one.value));
        let mut parts = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            let part = self.argument(argument);
            let comma = if at + 1 < arguments.len() { self.comma() } else { self.last_comma(!filled) };
            parts.push(concat([part, comma]));
        }
        if filled { self.filled(open, parts) } else { self.block(open, parts) }
    }

    fn argument(&mut self, argument: &Argument) -> Doc {
        let name = match argument.name {
            Some(_) => concat([self.next(), text(" "), self.next(), text(" ")]),
            None => Doc::Empty,
        };
        concat([name, self.expr(&argument.value)])
    }

    fn from(&mut self, from: &From) -> Doc {
        let mut parts = vec![self.expr(&from.model), text(" "), self.next(), text(" "), self.expr(&from.source)];
        match &from.names {
            None => {}
            Some(Names::File(_)) => parts.extend([text(" "), self.next(), text(" "), self.next()]),
            Some(Names::Table(table)) => {
                let open = concat([text(" "), self.next(), text(" "), self.next()]);
                let mut lines = Vec::new();
                for (at, renamed) in table.iter().enumerate() {
                    let mut line = vec![self.next(), text(" "), self.next(), text(" "), self.next()];
                    if renamed.transposed {
                        line.extend([text(" "), self.next()]);
                    }
                    line.push(if at + 1 < table.len() { self.comma() } else { self.last_comma(true) });
                    lines.push(Doc::Concat(line));
                }
                parts.push(self.block(open, lines));
            }
        }
        for at in 0..from.except.len() {
            let word = if at == 0 { concat([text(" "), self.next()]) } else { self.comma() };
            parts.extend([word, text(" "), self.next()]);
        }
        Doc::Concat(parts)
    }

    /// Parts in brackets, each on a line of its own where they do not fit on one.
    pub fn block(&mut self, open: Doc, parts: Vec<Doc>) -> Doc {
        let mut inner = Vec::new();
        for part in parts {
            inner.push(if inner.is_empty() { Doc::Soft } else { Doc::Line });
            inner.push(part);
        }
        group(concat([open, indent(Doc::Concat(inner)), Doc::Soft, self.next()]))
    }

    /// Parts in brackets, as many on each line as fit, below the first.
    fn filled(&mut self, open: Doc, parts: Vec<Doc>) -> Doc {
        group(concat([open, align(Doc::Fill(parts)), self.next()]))
    }

    fn list(&mut self, list: &[Expr]) -> Doc {
        let open = self.next();
        if list.is_empty() {
            return concat([open, self.next()]);
        }
        let filled = list.iter().all(is_plain);
        let mut parts = Vec::new();
        for (at, part) in list.iter().enumerate() {
            let part = self.expr(part);
            let comma = if at + 1 < list.len() { self.comma() } else { self.last_comma(!filled) };
            parts.push(concat([part, comma]));
        }
        if filled { self.filled(open, parts) } else { self.block(open, parts) }
    }

    fn record(&mut self, entries: &[(Name, Expr)]) -> Doc {
        let open = self.next();
        if entries.is_empty() {
            return concat([open, self.next()]);
        }
        let mut inner = Vec::new();
        for (at, (_, value)) in entries.iter().enumerate() {
            inner.extend([Doc::Line, self.next(), text(" "), self.next(), text(" "), self.expr(value)]);
            inner.push(if at + 1 < entries.len() { self.comma() } else { self.last_comma(true) });
        }
        group(concat([open, indent(Doc::Concat(inner)), Doc::Line, self.next()]))
    }

    fn reduce(&mut self, reduce: &Reduce) -> Doc {
        let function = self.expr(&reduce.function);
        let open = self.next();
        let mut head = Vec::new();
        for (at, index) in reduce.indices.iter().enumerate() {
            head.extend(if at > 0 { vec![self.comma(), text(" ")] } else { Vec::new() });
            head.push(match index {
                ReduceIndex::One(_) => self.next(),
                ReduceIndex::Rest(name, _) => self.rest(name.as_ref()),
            });
        }
        if let Some(filter) = &reduce.filter {
            head.extend([text(" "), self.next(), text(" "), self.expr(filter)]);
        }
        head.extend([self.next(), text(" "), self.expr(&reduce.body)]);
        let mut parts = Vec::new();
        let mut part = Doc::Concat(head);
        for argument in &reduce.further {
            parts.push(concat([part, self.comma()]));
            part = self.argument(argument);
        }
        parts.push(concat([part, self.last_comma(!reduce.further.is_empty())]));
        concat([function, self.block(open, parts)])
    }

    pub fn subscripts(&mut self, subscripts: &[Subscript]) -> Doc {
        let open = self.next();
        let mut parts = Vec::new();
        for (at, subscript) in subscripts.iter().enumerate() {
            let part = self.subscript(subscript);
            let comma = if at + 1 < subscripts.len() { self.comma() } else { self.last_comma(true) };
            parts.push(concat([part, comma]));
        }
        if parts.is_empty() { concat([open, self.next()]) } else { self.block(open, parts) }
    }

    fn subscript(&mut self, subscript: &Subscript) -> Doc {
        match subscript {
            Subscript::Rest(name, _) => self.rest(name.as_ref()),
            Subscript::At(at, size) => {
                let at = self.expr(at);
                concat([at, self.size(size.as_ref())])
            }
            Subscript::Slice(from, to, _) => {
                let from = concat([self.expr(from), self.next()]);
                concat([from, to.as_ref().map_or(Doc::Empty, |to| self.expr(to))])
            }
            Subscript::Group(axes, _) => {
                let mut parts = vec![self.next()];
                for (at, (_, size)) in axes.iter().enumerate() {
                    parts.push(text(if at > 0 { " " } else { "" }));
                    parts.extend([self.next(), self.size(size.as_ref())]);
                }
                parts.push(self.next());
                Doc::Concat(parts)
            }
        }
    }

    /// `: size`, where it is written.
    fn size(&mut self, size: Option<&Expr>) -> Doc {
        match size {
            Some(size) => concat([self.next(), text(" "), self.expr(size)]),
            None => Doc::Empty,
        }
    }

    fn rest(&mut self, name: Option<&Name>) -> Doc {
        let dots = self.next();
        concat([dots, name.map_or(Doc::Empty, |_| self.next())])
    }

    /// A chain of operators that bind alike: each on a line of its own where they do not fit on one.
    fn operators(&mut self, expr: &Expr) -> Doc {
        let mut rights = Vec::new();
        let mut left = expr;
        let level = binds(&expr.kind);
        while let ExprKind::Binary(_, _, a, b) = &left.kind
            && binds(&left.kind) == level
            && (std::ptr::eq(left, expr) || self.parentheses(left) == 0)
        {
            rights.push(&**b);
            left = a;
        }
        let first = self.expr(left);
        let mut rest = Vec::new();
        for right in rights.into_iter().rev() {
            rest.extend([Doc::Line, self.next(), text(" "), self.expr(right)]);
        }
        group(concat([first, indent(Doc::Concat(rest))]))
    }

    fn pipe(&mut self, expr: &Expr) -> Doc {
        let mut stages = Vec::new();
        let mut head = expr;
        while let ExprKind::Pipe(a, _, stage) = &head.kind
            && (std::ptr::eq(head, expr) || self.parentheses(head) == 0)
        {
            stages.push(&**stage);
            head = a;
        }
        // A list of columns ends the line on which its stages begin.
        let apart = matches!(head.kind, ExprKind::List(_)) && self.parentheses(head) == 0;
        let first = self.expr(head);
        let mut rest = Vec::new();
        for stage in stages.into_iter().rev() {
            rest.extend([Doc::Line, self.next(), text(" "), self.expr(stage)]);
        }
        let rest = indent(Doc::Concat(rest));
        if apart { concat([first, group(rest)]) } else { group(concat([first, rest])) }
    }

    /// `if … then … else …`, whose `else` stands below the `if` where both do not fit on a line.
    fn choice(&mut self, expr: &Expr) -> Doc {
        let mut parts = Vec::new();
        let mut last = expr;
        while let ExprKind::If(condition, yes, no) = &last.kind
            && (std::ptr::eq(last, expr) || self.parentheses(last) == 0)
        {
            parts.extend([self.next(), text(" "), self.expr(condition)]);
            let then = concat([Doc::Line, self.next(), text(" "), self.expr(yes)]);
            parts.extend([group(indent(then)), Doc::Line, self.next(), text(" ")]);
            last = no;
        }
        parts.push(self.expr(last));
        align(group(Doc::Concat(parts)))
    }

    fn scan(&mut self, scan: &Scan) -> Doc {
        let mut head = vec![self.next(), text(" "), self.names(&scan.names), text(" "), self.next(), text(" ")];
        for (at, over) in scan.over.iter().enumerate() {
            if at > 0 {
                head.extend([self.comma(), text(" ")]);
            }
            head.push(self.expr(over));
        }
        if scan.axis.is_some() {
            head.extend([text(" "), self.next(), text(" "), self.next()]);
        }
        head.push(text(" "));
        let body = self.body(&scan.body);
        concat([Doc::Concat(head), body])
    }

    pub fn ty(&mut self, ty: &Type) -> Doc {
        match &ty.kind {
            TypeKind::Word(_) => self.next(),
            TypeKind::Either(kinds) => {
                let mut parts = Vec::new();
                for (at, kind) in kinds.iter().enumerate() {
                    parts.extend(if at > 0 { vec![text(" "), self.next(), text(" ")] } else { Vec::new() });
                    parts.push(self.ty(kind));
                }
                Doc::Concat(parts)
            }
            TypeKind::List(inner) => {
                let head = concat([self.next(), self.next()]);
                concat([head, self.ty(inner), self.next()])
            }
            TypeKind::Tuple(parts) => {
                let open = self.next();
                let mut inner = Vec::new();
                for part in parts {
                    let part = self.ty(part);
                    inner.push(concat([part, self.comma()]));
                }
                self.block(open, inner)
            }
            TypeKind::Tensor(elem, axes) => {
                let elem = match elem {
                    Elem::Class(size) => {
                        let head = concat([self.next(), self.next()]);
                        concat([head, self.expr(size), self.next()])
                    }
                    Elem::Float | Elem::Int | Elem::Bool if self.next_is("[") => Doc::Empty,
                    Elem::Float | Elem::Int | Elem::Bool => self.next(),
                };
                // A class alone may go without brackets.
                if self.next_is("[") { concat([elem, self.axes(axes)]) } else { elem }
            }
        }
    }

    fn axes(&mut self, axes: &[Axis]) -> Doc {
        let open = self.next();
        let mut parts = Vec::new();
        for (at, axis) in axes.iter().enumerate() {
            let axis = match axis {
                Axis::Rest(name, _) => self.rest(name.as_ref()),
                Axis::Size(size) => self.expr(size),
            };
            let comma = if at + 1 < axes.len() { self.comma() } else { self.last_comma(true) };
            parts.push(concat([axis, comma]));
        }
        if parts.is_empty() { concat([open, self.next()]) } else { self.block(open, parts) }
    }
}

/// How closely an operator binds, of those between which a line may break.
fn binds(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::Binary(Binary::Or, ..) => 1,
        ExprKind::Binary(Binary::And, ..) => 2,
        ExprKind::Binary(Binary::Add | Binary::Subtract, ..) => 4,
        ExprKind::Binary(Binary::Multiply | Binary::Divide | Binary::Product, ..) => 5,
        ExprKind::Binary(Binary::Power, ..) => 6,
        ExprKind::Binary(..) => 3,
        _ => 0,
    }
}

/// Whether an expression is short and of one piece, so that several may share a line.
fn is_plain(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number { .. } | ExprKind::Text(_) | ExprKind::Truth(_) | ExprKind::Name(_) => true,
        ExprKind::Unary(_, a) | ExprKind::Field(a, _) => is_plain(a),
        ExprKind::Range(a, b) => is_plain(a) && is_plain(b),
        ExprKind::Call(callee, arguments) => {
            is_plain(callee) && arguments.len() < 2 && arguments.iter().all(|one| is_plain(&one.value))
        }
        ExprKind::Reduce(_)
        | ExprKind::Index(..)
        | ExprKind::Binary(..)
        | ExprKind::If(..)
        | ExprKind::Pipe(..)
        | ExprKind::As(..)
        | ExprKind::List(_)
        | ExprKind::Comprehension(..)
        | ExprKind::Tuple(_)
        | ExprKind::Record(_)
        | ExprKind::Scan(_)
        | ExprKind::From(_) => false,
    }
}
