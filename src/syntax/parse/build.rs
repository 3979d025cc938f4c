//! From pest's pairs to the tree: expressions.

use super::{Rule, foreign};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};
use crate::syntax::tree::*;
use pest::iterators::{Pair, Pairs};
use unicode_normalization::UnicodeNormalization;

/// Builds the tree of one source; pest saw the text from `base` on.
pub struct Builder {
    pub source: SourceId,
    pub base: usize,
    /// A chain (`a + b + …`, `x |> f |> …`, `f(x)(y)…`) that goes on for too long: where it was cut.
    pub too_long: Option<Span>,
    /// What reads as something that nobody means.
    pub wrong: Vec<Diagnostic>,
}

/// How long a chain may get: what reads the tree recurses once for each link.
pub const MAX_CHAIN: usize = 100;

/// The next pair of a rule that always has one more.
pub fn take<'i>(pairs: &mut Pairs<'i, Rule>) -> Pair<'i, Rule> {
    pairs.next().unwrap_or_else(|| unreachable!("the grammar promises another part"))
}

/// The next pair, if it is of this rule.
pub fn take_if<'i>(pairs: &mut Pairs<'i, Rule>, rule: Rule) -> Option<Pair<'i, Rule>> {
    if pairs.peek()?.as_rule() == rule { pairs.next() } else { None }
}

impl Builder {
    pub fn span(&self, pair: &Pair<Rule>) -> Span {
        // A rule that ends in optional parts may have swallowed the space before them.
        let end = pair.as_span().start() + pair.as_str().trim_end().len();
        Span::new(self.source, self.base + pair.as_span().start(), self.base + end)
    }

    pub fn name(&self, pair: Pair<Rule>) -> Name {
        Name { text: pair.as_str().trim_matches('`').nfc().collect(), span: self.span(&pair) }
    }

    pub fn text(&self, pair: Pair<Rule>) -> Text {
        let written = pair.as_str();
        let mut value = String::new();
        let mut letters = written[1..written.len() - 1].chars();
        while let Some(letter) = letters.next() {
            value.push(match letter {
                '\\' => match letters.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(other) => other,
                    None => '\\',
                },
                letter => letter,
            });
        }
        Text { value, span: self.span(&pair) }
    }

    /// Whether a chain that has so many links ends here.
    fn ends_chain(&mut self, links: usize, at: Span) -> bool {
        let ends = links >= MAX_CHAIN;
        if ends {
            self.too_long.get_or_insert(at);
        }
        ends
    }

    /// `expr`: stages of a pipe, with a `from` behind them.
    pub fn expr(&mut self, pair: Pair<Rule>) -> Expr {
        let mut inner = pair.into_inner();
        let mut left = self.stage(take(&mut inner));
        let mut links = 0;
        while let Some(operator) = take_if(&mut inner, Rule::pipe_op) {
            let at = self.span(&operator);
            if self.ends_chain(links, at) {
                return left;
            }
            links += 1;
            let right = self.stage(take(&mut inner));
            left = made(left.span.to(right.span), ExprKind::Pipe(Box::new(left), at, Box::new(right)));
        }
        if let Some(from) = inner.next() {
            let span = left.span.to(self.span(&from));
            let mut parts = from.into_inner();
            take(&mut parts);
            let run = self.primary_of(take(&mut parts));
            let names = take_if(&mut parts, Rule::kw_names).map(|_| self.names(take(&mut parts)));
            let except = take_if(&mut parts, Rule::from_except).map_or(Vec::new(), |except| {
                let mut inner = except.into_inner();
                take(&mut inner);
                inner.map(|pattern| self.text(pattern)).collect()
            });
            left = made(span, ExprKind::From(Box::new(From { model: left, source: run, names, except })));
        }
        left
    }

    fn stage(&mut self, pair: Pair<Rule>) -> Expr {
        let mut inner = pair.into_inner();
        let value = self.range(take(&mut inner));
        if inner.next().is_none() {
            return value;
        }
        let name = self.name(take(&mut inner));
        made(value.span.to(name.span), ExprKind::As(Box::new(value), name))
    }

    fn range(&mut self, pair: Pair<Rule>) -> Expr {
        let mut inner = pair.into_inner();
        let low = self.chain(take(&mut inner));
        match inner.next() {
            None => low,
            Some(high) => {
                let high = self.chain(high);
                made(low.span.to(high.span), ExprKind::Range(Box::new(low), Box::new(high)))
            }
        }
    }

    /// The layers of binary operators, from `or` down to `term`: left-associative chains.
    pub fn chain(&mut self, pair: Pair<Rule>) -> Expr {
        match pair.as_rule() {
            Rule::not_ => return self.prefixed(pair, Rule::kw_not, Unary::Not),
            Rule::unary => return self.prefixed(pair, Rule::minus, Unary::Negate),
            Rule::power => return self.power(pair),
            _ => {}
        }
        let mut inner = pair.into_inner();
        let mut left = self.chain(take(&mut inner));
        let mut links = 0;
        while let Some(operator) = inner.next() {
            let at = self.span(&operator);
            if self.ends_chain(links, at) {
                return left;
            }
            links += 1;
            let which = match operator.as_str() {
                "or" => Binary::Or,
                "and" => Binary::And,
                "<" => Binary::Less,
                "<=" => Binary::LessEqual,
                ">" => Binary::Greater,
                ">=" => Binary::GreaterEqual,
                "==" => Binary::Equal,
                "!=" => Binary::NotEqual,
                "+" => Binary::Add,
                "-" => Binary::Subtract,
                "*" => Binary::Multiply,
                "/" => Binary::Divide,
                "@" => Binary::Product,
                other => unreachable!("the grammar has no operator `{other}`"),
            };
            let right = self.chain(take(&mut inner));
            let span = left.span.to(right.span);
            left = made(span, ExprKind::Binary(which, at, Box::new(left), Box::new(right)));
        }
        left
    }

    fn prefixed(&mut self, pair: Pair<Rule>, prefix: Rule, operator: Unary) -> Expr {
        let mut inner = pair.into_inner();
        let mut places = Vec::new();
        while let Some(one) = take_if(&mut inner, prefix) {
            places.push(self.span(&one));
        }
        let value = self.chain(take(&mut inner));
        places
            .into_iter()
            .rev()
            .fold(value, |value, at| made(at.to(value.span), ExprKind::Unary(operator, Box::new(value))))
    }

    fn power(&mut self, pair: Pair<Rule>) -> Expr {
        let mut inner = pair.into_inner();
        let base = self.postfix(take(&mut inner));
        let Some(exponent) = inner.next() else { return base };
        let exponent = self.chain(exponent);
        let at = Span { start: base.span.end, end: exponent.span.start, ..base.span };
        made(base.span.to(exponent.span), ExprKind::Binary(Binary::Power, at, Box::new(base), Box::new(exponent)))
    }

    fn postfix(&mut self, pair: Pair<Rule>) -> Expr {
        let mut inner = pair.into_inner();
        let mut value = self.primary(take(&mut inner));
        for (links, part) in inner.enumerate() {
            let at = self.span(&part);
            if self.ends_chain(links, at) {
                return value;
            }
            let span = value.span.to(at);
            let boxed = Box::new(value);
            let kind = match part.as_rule() {
                Rule::call => self.call(boxed, part),
                Rule::index => ExprKind::Index(boxed, self.subscripts(take(&mut part.into_inner()))),
                _ => ExprKind::Field(boxed, self.name(take(&mut part.into_inner()))),
            };
            value = made(span, kind);
        }
        value
    }

    fn call(&mut self, function: Box<Expr>, pair: Pair<Rule>) -> ExprKind {
        let mut inner = pair.into_inner();
        let Some(reduction) = take_if(&mut inner, Rule::reduction) else {
            let mut arguments: Vec<Argument> = Vec::new();
            for argument in inner {
                let argument = self.argument(argument);
                if !arguments.last_mut().is_some_and(|last| self.decimal_comma(last, &argument)) {
                    arguments.push(argument);
                }
            }
            return ExprKind::Call(function, arguments);
        };
        let mut parts = reduction.into_inner();
        let mut indices = Vec::new();
        while let Some(index) = take_if(&mut parts, Rule::name).or_else(|| take_if(&mut parts, Rule::rest)) {
            indices.push(match index.as_rule() {
                Rule::rest => {
                    let span = self.span(&index);
                    ReduceIndex::Rest(index.into_inner().next().map(|name| self.name(name)), span)
                }
                _ => ReduceIndex::One(self.name(index)),
            });
        }
        let filter = take_if(&mut parts, Rule::filter).map(|filter| {
            let mut inner = filter.into_inner();
            take(&mut inner);
            self.expr(take(&mut inner))
        });
        let body = self.expr(take(&mut parts));
        let further = parts.map(|argument| self.argument(argument)).collect();
        ExprKind::Reduce(Box::new(Reduce { function: *function, indices, filter, body, further }))
    }

    /// Whether two arguments are one number with a comma, `lr = 0,01`, which the first then is.
    fn decimal_comma(&mut self, first: &mut Argument, second: &Argument) -> bool {
        let span = first.value.span.to(second.value.span);
        let (ExprKind::Number { digits: whole, percent: false }, ExprKind::Number { digits: fraction, .. }, None, true) = (
            &mut first.value.kind,
            &second.value.kind,
            &second.name,
            first.value.span.end + 1 == second.value.span.start,
        ) else {
            return false;
        };
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let meant = first.name.is_some() || (fraction.len() > 1 && fraction.starts_with('0'));
        if !meant || !plain(whole) || !plain(fraction) {
            return false;
        }
        self.wrong.push(foreign::decimal_comma(span, whole, fraction));
        *whole = format!("{whole}.{fraction}");
        first.value.span = span;
        true
    }

    fn argument(&mut self, pair: Pair<Rule>) -> Argument {
        let mut inner = pair.into_inner();
        let name = take_if(&mut inner, Rule::name).map(|name| self.name(name));
        if name.is_some() {
            take(&mut inner);
        }
        Argument { name, value: self.expr(take(&mut inner)) }
    }

    pub fn subscripts(&mut self, pair: Pair<Rule>) -> Vec<Subscript> {
        pair.into_inner().map(|pair| self.subscript(pair)).collect()
    }

    fn subscript(&mut self, pair: Pair<Rule>) -> Subscript {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let first = take(&mut inner);
        match first.as_rule() {
            Rule::rest => Subscript::Rest(first.into_inner().next().map(|name| self.name(name)), span),
            Rule::group => {
                let axes = first.into_inner().map(|axis| {
                    let mut parts = axis.into_inner();
                    (self.name(take(&mut parts)), parts.next().map(|size| self.expr(size)))
                });
                Subscript::Group(axes.collect(), span)
            }
            _ => {
                let at = self.chain(first);
                match take_if(&mut inner, Rule::until) {
                    Some(until) => {
                        let high = until.into_inner().next().map(|high| self.chain(high));
                        Subscript::Slice(at, high, span)
                    }
                    None => {
                        let size = inner.next().map(|size| self.expr(size));
                        if size.is_some() && matches!(at.kind, ExprKind::Number { .. }) {
                            self.wrong.push(foreign::colon_slice(span));
                            return Subscript::Slice(at, size, span);
                        }
                        Subscript::At(at, size)
                    }
                }
            }
        }
    }

    fn primary(&mut self, pair: Pair<Rule>) -> Expr {
        self.primary_of(take(&mut pair.into_inner()))
    }

    fn primary_of(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::number => {
                let digits = pair.as_str().replace('_', "");
                let percent = digits.ends_with('%');
                ExprKind::Number { digits: digits.trim_end_matches('%').to_string(), percent }
            }
            Rule::string => ExprKind::Text(self.text(pair).value),
            Rule::truth => ExprKind::Truth(pair.as_str() == "true"),
            Rule::if_ => {
                let mut parts = pair.into_inner().filter(|part| part.as_rule() == Rule::expr);
                let mut next = || parts.next().unwrap_or_else(|| unreachable!("an `if` has three expressions"));
                let (condition, yes, no) = (next(), next(), next());
                let condition = Box::new(self.expr(condition));
                ExprKind::If(condition, Box::new(self.expr(yes)), Box::new(self.expr(no)))
            }
            Rule::scan => self.scan(pair),
            Rule::list => self.list(pair),
            Rule::paren => {
                let written = pair.as_str();
                let comma = written[..written.len() - 1].trim_end().ends_with(',');
                let mut values: Vec<Expr> = pair.into_inner().map(|value| self.expr(value)).collect();
                match values.pop() {
                    Some(value) if values.is_empty() && !comma => return Expr { span, ..value },
                    last => ExprKind::Tuple(values.into_iter().chain(last).collect()),
                }
            }
            _ => ExprKind::Name(self.name(pair)),
        };
        made(span, kind)
    }

    fn list(&mut self, pair: Pair<Rule>) -> ExprKind {
        let mut values = Vec::new();
        for part in pair.into_inner() {
            if part.as_rule() == Rule::expr {
                values.push(self.expr(part));
                continue;
            }
            let mut parts = part.into_inner();
            take(&mut parts);
            let name = self.name(take(&mut parts));
            take(&mut parts);
            let over = self.expr(take(&mut parts));
            if let Some(body) = values.pop() {
                return ExprKind::Comprehension(Box::new(body), name, Box::new(over));
            }
        }
        ExprKind::List(values)
    }

    fn scan(&mut self, pair: Pair<Rule>) -> ExprKind {
        let mut names: Vec<Name> = Vec::new();
        let (mut over, mut body, mut axis) = (Vec::new(), Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name if over.is_empty() => names.push(self.name(part)),
                Rule::name => axis = Some(self.name(part)),
                Rule::expr => over.push(self.expr(part)),
                Rule::statement => body.push(self.statement(part)),
                _ => {}
            }
        }
        ExprKind::Scan(Box::new(Scan { names, over, axis, body }))
    }

    pub fn record(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let entries = pair.into_inner().map(|entry| {
            let mut parts = entry.into_inner();
            let name = self.name(take(&mut parts));
            take(&mut parts);
            (name, self.expr(take(&mut parts)))
        });
        let kind = ExprKind::Record(entries.collect());
        made(span, kind)
    }
}

fn made(span: Span, kind: ExprKind) -> Expr {
    Expr { span, kind }
}
