//! The parser: items and statements one after another, each read by pest, so that one run finds every mistake.

mod build;
mod hints;
mod statement;

use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Sources, Span};
use crate::syntax::{limits, tree::*};
use build::{Builder, MAX_CHAIN, take, take_if};
use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::Pair;

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/mlx.pest"]
struct Grammar;

/// Reads one text: what could be read of it, and everything that could not.
pub fn parse(sources: &Sources, source: SourceId) -> (File, Vec<Diagnostic>) {
    let text = sources.get(source).text.clone();
    if let Some(exceeded) = limits::exceeded(source, &text) {
        return (File { source, items: Vec::new() }, vec![exceeded]);
    }
    let builder = Builder { source, base: 0, too_long: None };
    let mut parser = Driver { text: &text, at: 0, builder, found: Vec::new() };
    let items = parser.items();
    if let Some(at) = parser.builder.too_long {
        let message = format!("a chain of more than {MAX_CHAIN} links");
        parser
            .found
            .push(Diagnostic::error("E0105", message, at, "it goes on here").help("name a part of it with `let`"));
    }
    (File { source, items }, parser.found)
}

struct Driver<'t> {
    text: &'t str,
    at: usize,
    builder: Builder,
    found: Vec<Diagnostic>,
}

/// The words that start an item.
const ITEMS: [&str; 9] = ["use", "let", "fn", "layer", "model", "optimizer", "data", "train", "sweep"];

/// The words that start a statement and nothing else.
const STATEMENTS: [&str; 8] = ["param", "state", "out", "emit", "minimize", "report", "predict", "calibrate"];

impl<'t> Driver<'t> {
    fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            let doc = self.skip_space();
            let start = self.at;
            if self.rest().is_empty() {
                return items;
            }
            match self.item() {
                Some(kind) => {
                    let end = start + self.text[start..self.at].trim_end().len();
                    items.push(Item { doc, span: Span::new(self.builder.source, start, end), kind });
                }
                None => self.skip_to(|word, column| column == 0 && ITEMS.contains(&word), start),
            }
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn word(&self) -> &'t str {
        word_at(self.rest())
    }

    /// Moves past space and comments; the text of the `///` lines that end there.
    fn skip_space(&mut self) -> Option<String> {
        let mut doc: Vec<&str> = Vec::new();
        loop {
            let rest = self.rest().trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
            self.at = self.text.len() - rest.len();
            if !rest.starts_with("//") {
                return (!doc.is_empty()).then(|| doc.join("\n"));
            }
            let line = rest.lines().next().unwrap_or_default();
            match line.strip_prefix("///") {
                Some(words) => doc.push(words.strip_prefix(' ').unwrap_or(words)),
                None => doc.clear(),
            }
            self.at += line.len();
        }
    }

    /// Reads one rule here and moves past it, or says what was expected.
    fn read(&mut self, rule: Rule) -> Option<Pair<'t, Rule>> {
        self.builder.base = self.at;
        match Grammar::parse(rule, self.rest()) {
            Ok(mut pairs) => {
                let whole = take(&mut pairs);
                self.at += whole.as_span().end();
                Some(whole)
            }
            Err(error) => {
                let place = match error.location {
                    InputLocation::Pos(place) | InputLocation::Span((place, _)) => self.at + place,
                };
                let expected = match &error.variant {
                    ErrorVariant::ParsingError { positives, .. } => words_of(positives),
                    ErrorVariant::CustomError { message } => message.clone(),
                };
                self.unexpected(place, &expected);
                None
            }
        }
    }

    /// Reports that what stands at a place is not what was expected there.
    fn unexpected(&mut self, place: usize, expected: &str) {
        let rest = &self.text[place..];
        let length = match word_at(rest) {
            "" => rest.chars().next().map_or(0, char::len_utf8),
            word => word.len(),
        };
        let found = match &rest[..length] {
            "" => "the end of the text".to_string(),
            "\n" => "the end of the line".to_string(),
            token => format!("`{token}`"),
        };
        let span = Span::new(self.builder.source, place, place + length);
        let mut error = Diagnostic::error("E0101", format!("expected {expected}, found {found}"), span, "here");
        error.help = hints::hint(rest, expected);
        if let Some(open) = self.text.get(self.at..place).and_then(hints::still_open) {
            let bracket = Span::new(self.builder.source, self.at + open, self.at + open + 1);
            error = error.label(bracket, "this is still open");
        }
        self.found.push(error);
    }

    /// Moves to the next line whose first word and its column satisfy a test, past `from` at least.
    fn skip_to(&mut self, test: impl Fn(&str, usize) -> bool, from: usize) {
        let mut at = self.at.max(from);
        loop {
            let Some(line) = self.text[at..].find('\n') else {
                self.at = self.text.len();
                return;
            };
            at += line + 1;
            let rest = &self.text[at..];
            let indent = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            let first = &rest[indent..];
            if test(if first.starts_with('}') { "}" } else { word_at(first) }, indent) {
                self.at = at + indent;
                return;
            }
        }
    }

    fn item(&mut self) -> Option<ItemKind> {
        Some(match self.word() {
            "use" => {
                let mut parts = self.read(Rule::use_item)?.into_inner();
                take(&mut parts);
                ItemKind::Use(self.builder.text(take(&mut parts)))
            }
            "let" => {
                let mut parts = self.read(Rule::let_item)?.into_inner();
                take(&mut parts);
                let name = self.builder.name(take(&mut parts));
                let ty = take_if(&mut parts, Rule::type_).map(|ty| self.builder.ty(ty));
                take(&mut parts);
                ItemKind::Let(Let { name, ty, value: self.builder.expr(take(&mut parts)) })
            }
            "fn" => self.function()?,
            "layer" | "model" => {
                let is_model = self.word() == "model";
                let mut parts = self.read(Rule::layer_head)?.into_inner();
                take(&mut parts);
                let name = self.builder.name(take(&mut parts));
                let first = self.builder.params(take(&mut parts));
                let second = take_if(&mut parts, Rule::params).map(|inputs| self.builder.params(inputs));
                let (hyper, inputs) = match second {
                    Some(inputs) => (first, inputs),
                    None => (Vec::new(), first),
                };
                let result = take_if(&mut parts, Rule::type_).map(|ty| self.builder.ty(ty));
                ItemKind::Layer(Layer { is_model, name, hyper, inputs, result, body: self.body() })
            }
            "optimizer" => {
                let mut parts = self.read(Rule::optimizer_head)?.into_inner();
                take(&mut parts);
                let name = self.builder.name(take(&mut parts));
                let hyper = self.builder.params(take(&mut parts));
                let input =
                    take_if(&mut parts, Rule::params).and_then(|inputs| self.builder.params(inputs).into_iter().next());
                ItemKind::Optimizer(Optimizer { name, hyper, input, body: self.body() })
            }
            "data" => {
                let mut parts = self.read(Rule::data_head)?.into_inner();
                take(&mut parts);
                let name = self.builder.name(take(&mut parts));
                take(&mut parts);
                let from = self.builder.expr(take(&mut parts));
                ItemKind::Data(Data { name, from, body: self.body() })
            }
            word @ ("train" | "sweep") => {
                let mut parts = self.read(Rule::block_head)?.into_inner();
                let word_span = self.builder.span(&take(&mut parts));
                let name = take_if(&mut parts, Rule::name).map(|name| self.builder.name(name));
                let block = Block { name, word: word_span, body: self.body() };
                if word == "train" { ItemKind::Train(block) } else { ItemKind::Sweep(block) }
            }
            _ => {
                self.unexpected(
                    self.at,
                    "an item (`use`, `let`, `fn`, `layer`, `model`, `optimizer`, `data`, `train` or `sweep`)",
                );
                return None;
            }
        })
    }

    fn function(&mut self) -> Option<ItemKind> {
        let mut parts = self.read(Rule::fn_head)?.into_inner();
        take(&mut parts);
        let name = self.builder.name(take(&mut parts));
        let params = self.builder.params(take(&mut parts));
        let result = take_if(&mut parts, Rule::type_).map(|ty| self.builder.ty(ty));
        let before = self.at;
        self.skip_space();
        let body = if self.rest().starts_with('=') {
            let mut parts = self.read(Rule::fn_value)?.into_inner();
            take(&mut parts);
            FnBody::Expr(self.builder.expr(take(&mut parts)))
        } else if self.rest().starts_with('{') {
            self.at += 1;
            FnBody::Block(self.body())
        } else {
            self.at = before;
            FnBody::Primitive
        };
        Some(ItemKind::Fn(Function { name, params, result, body }))
    }

    /// Statements up to the `}` of a body, whose `{` has been read.
    fn body(&mut self) -> Vec<Statement> {
        let mut statements = Vec::new();
        let open = self.at;
        loop {
            self.skip_space();
            if self.rest().is_empty() {
                let here = Span::new(self.builder.source, self.at, self.at);
                let brace = Span::new(self.builder.source, open - 1, open);
                let missing = Diagnostic::error("E0102", "a `}` is missing", here, "the text ends here");
                self.found.push(missing.label(brace, "this body is still open"));
                return statements;
            }
            if self.rest().starts_with('}') {
                self.at += 1;
                return statements;
            }
            let start = self.at;
            match self.read(Rule::statement) {
                Some(pair) => statements.push(self.builder.statement(pair)),
                None => {
                    let starts = |word: &str, column: usize| {
                        word == "}" || word == "let" || STATEMENTS.contains(&word) || (column > 0 && !word.is_empty())
                    };
                    self.skip_to(starts, start);
                }
            }
        }
    }
}

/// The identifier that a text starts with.
fn word_at(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\'')).unwrap_or(text.len());
    &text[..end]
}

/// What was expected, in words that people use.
fn words_of(rules: &[Rule]) -> String {
    let mut words: Vec<&str> = rules.iter().filter_map(|rule| word_of(*rule)).collect();
    words.sort_unstable();
    words.dedup();
    match words.as_slice() {
        [] => "something else".to_string(),
        [one] => one.to_string(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// A rule's word; `None` for what would only lengthen the list.
fn word_of(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name => "a name",
        Rule::expr | Rule::stage | Rule::range | Rule::primary | Rule::number | Rule::unary | Rule::or_ => {
            "an expression"
        }
        Rule::and_ | Rule::not_ | Rule::comparison | Rule::sum | Rule::term | Rule::power | Rule::postfix => {
            "an expression"
        }
        Rule::minus | Rule::kw_not | Rule::kw_if | Rule::kw_scan | Rule::truth | Rule::list | Rule::paren => {
            "an expression"
        }
        Rule::type_ | Rule::tensor_type | Rule::word_type => "a type",
        Rule::string => "a string",
        Rule::equals => "`=`",
        Rule::tilde => "`~`",
        Rule::open => "`{`",
        Rule::params => "`(` and parameters",
        Rule::statement => "a statement",
        Rule::kw_then => "`then`",
        Rule::kw_else => "`else`",
        Rule::kw_using => "`using` and an optimizer",
        Rule::kw_in => "`in`",
        Rule::kw_over => "`over`",
        Rule::kw_on => "`on`",
        Rule::end => "the end of the statement",
        Rule::sum_op | Rule::term_op | Rule::compare_op | Rule::pipe_op => "an operator",
        _ => return None,
    })
}
