//! The parser: items and statements one after another, each read by pest, so that one run finds every mistake.

mod build;
mod entry;
mod foreign;
mod hints;
mod statement;
mod words;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::order::primary;
use crate::source::{SourceId, Sources, Span};
use crate::syntax::{limits, tree::*};
use build::{Builder, MAX_CHAIN, take, take_if};
use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::Pair;
use words::{token_at, word_at, words_of};

pub use entry::{Open, Part, entry, open};

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/mlx.pest"]
struct Grammar;

/// Reads one text: what could be read of it, and everything that could not.
pub fn parse(sources: &Sources, source: SourceId) -> (File, Vec<Diagnostic>) {
    let (items, found) = drive(sources, source, 0, |parser| parser.items());
    (File { source, items }, found)
}

/// Reads a text from a byte on, unless it is more than can be read.
fn drive<T: Default>(
    sources: &Sources,
    source: SourceId,
    at: usize,
    read: impl FnOnce(&mut Driver) -> T,
) -> (T, Vec<Diagnostic>) {
    let text = sources.get(source).text.clone();
    if let Some(exceeded) = limits::exceeded(source, &text) {
        return (T::default(), vec![exceeded]);
    }
    let builder = Builder { source, base: 0, too_long: None, wrong: Vec::new() };
    let mut parser = Driver { text: &text, at, builder, found: Vec::new() };
    let whole = read(&mut parser);
    parser.found.append(&mut parser.builder.wrong);
    if let Some(at) = parser.builder.too_long {
        let message = format!("a chain of more than {MAX_CHAIN} links");
        parser
            .found
            .push(Diagnostic::error("E0105", message, at, "it goes on here").help("name a part of it with `let`"));
    }
    (whole, parser.found)
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
const STATEMENTS: [&str; 9] = ["param", "state", "out", "emit", "minimize", "report", "predict", "calibrate", "check"];

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
                Some(words) => doc.push(words.strip_prefix(' ').unwrap_or(words).trim_end()),
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
                self.unexpected(self.at, place, &expected);
                None
            }
        }
    }

    /// Reports that what stands at a place is not what was expected there, in what starts at `start`.
    fn unexpected(&mut self, start: usize, place: usize, expected: &str) {
        if self.text[place..].starts_with("/*") {
            self.block_comment(place);
            return;
        }
        let source = self.builder.source;
        let known = foreign::at(source, self.text, start, place)
            .or_else(|| hints::over_nothing(source, self.text, start, place));
        if let Some(known) = known {
            self.found.push(known);
            return;
        }
        let token = token_at(&self.text[place..]);
        let found = match token {
            "" => "the end of the text".to_string(),
            "\n" => "the end of the line".to_string(),
            token => format!("`{token}`"),
        };
        let span = Span::new(self.builder.source, place, place + token.len());
        let message = match expected {
            "" => format!("{found} cannot stand here"),
            expected => format!("expected {expected}, found {found}"),
        };
        let wrong = Diagnostic::error("E0101", message, span, "here");
        self.found.push(hints::add(wrong, self.text, start, place, expected));
    }

    /// `/* … */`, which ends nothing and begins nothing here.
    fn block_comment(&mut self, place: usize) {
        let rest = &self.text[place..];
        let end = rest.find("*/").map_or(2, |end| end + 2);
        let first = rest[..end].lines().next().unwrap_or_default();
        let span = Span::new(self.builder.source, place, place + first.len());
        let wrong = Diagnostic::error("E0133", "`/*` is not a sign of the language", span, "here");
        self.found.push(wrong.help("a comment starts with `//` and goes to the end of the line"));
        self.at = place + end;
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
                    take_if(&mut parts, Rule::input).and_then(|input| self.builder.params(input).into_iter().next());
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
            _ if self.swallowed_head() => return self.item(),
            _ if self.foreign_word() => return None,
            _ => {
                self.unexpected(
                    self.at,
                    self.at,
                    "an item (`use`, `let`, `fn`, `layer`, `model`, `optimizer`, `data`, `train` or `sweep`)",
                );
                return None;
            }
        })
    }

    /// Whether an item starts in the first column here.
    fn at_head(&self) -> bool {
        self.text[..self.at].ends_with('\n') && self.names_item()
    }

    /// Whether an item other than a `let` starts here, which no statement looks like: `model M(…` is none, `model = M` is
    /// one.
    fn names_item(&self) -> bool {
        let word = self.word();
        let next = self.rest()[word.len()..].trim_start_matches([' ', '\t']).chars().next();
        let named = next.is_some_and(|next| next.is_alphabetic() || matches!(next, '_' | '`' | '"' | '{'));
        word != "let" && ITEMS.contains(&word) && named
    }

    /// `let a = 2 *` before `model M…` reads the word as a name. Says so, and goes back to the word.
    fn swallowed_head(&mut self) -> bool {
        let before = self.text[..self.at].trim_end();
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let swallowed = line > 0 && ITEMS.contains(&&before[line..]);
        if swallowed {
            self.unexpected(line, line, "an expression");
            self.at = line;
        }
        swallowed
    }

    /// Whether a word of another language starts an item or a statement here. Says so, and what to write.
    fn foreign_word(&mut self) -> bool {
        // What is given a value, or read, is a name.
        let after = self.rest()[self.word().len()..].trim_start_matches([' ', '\t']);
        if after.starts_with(['=', '~', ',', '[']) && !after.starts_with("==") {
            return false;
        }
        let Some((word, help)) = foreign::word(self.rest()) else { return false };
        let span = Span::new(self.builder.source, self.at, self.at + word.len());
        let message = format!("nothing starts with `{word}`");
        self.found.push(Diagnostic::error("E0131", message, span, "here").help(help));
        true
    }

    /// Moves past a block of another language that starts here: in braces, or lines that are further in.
    fn skip_block(&mut self) {
        let line = self.text[..self.at].rfind('\n').map_or(0, |at| at + 1);
        let indent = self.at - line;
        let end = self.rest().find('\n').map_or(self.text.len(), |end| self.at + end);
        let head = self.text[self.at..end].split("//").next().unwrap_or_default().trim_end();
        if head.ends_with('{') {
            let mut depth = 0;
            for (at, sign) in self.rest().char_indices() {
                depth += i32::from(sign == '{') - i32::from(sign == '}');
                if sign == '}' && depth == 0 {
                    self.at += at + 1;
                    return;
                }
            }
        }
        self.at = end;
        while let Some(next) = self.rest().strip_prefix('\n') {
            let line = next.split('\n').next().unwrap_or_default();
            let inside = line.len() - line.trim_start().len() > indent || line.trim().is_empty();
            if !head.ends_with(':') || !inside {
                return;
            }
            self.at += 1 + line.len();
        }
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
            let ends = self.rest().is_empty();
            if ends || self.at_head() {
                let length = if ends { 0 } else { self.word().len() };
                let here = Span::new(self.builder.source, self.at, self.at + length);
                let brace = Span::new(self.builder.source, open - 1, open);
                let text = if ends { "the text ends here" } else { "the next item starts here" };
                let missing = Diagnostic::error("E0102", "a `}` is missing", here, text);
                self.found.push(missing.label(brace, "this body is still open"));
                return statements;
            }
            if self.rest().starts_with('}') {
                self.at += 1;
                return statements;
            }
            let start = self.at;
            if self.foreign_word() {
                self.skip_block();
                continue;
            }
            match self.read(Rule::statement) {
                Some(pair) => statements.push(self.builder.statement(pair)),
                None => {
                    let starts = |word: &str, column: usize| {
                        word == "}"
                            || STATEMENTS.contains(&word)
                            || ITEMS.contains(&word)
                            || (column > 0 && !word.is_empty())
                    };
                    self.skip_to(starts, self.end_of_loop(start).unwrap_or(start));
                }
            }
        }
    }

    /// Where the body of a loop ends that a statement opens which cannot be read: what stands in it is not the next statement.
    fn end_of_loop(&self, start: usize) -> Option<usize> {
        let place = (primary(self.found.last()?)?.start as usize).max(start);
        let line_end = self.text[place..].find('\n').map_or(self.text.len(), |end| place + end);
        let opened = &self.text[start..line_end];
        if !opened.contains("scan") || opened.matches('{').count() <= opened.matches('}').count() {
            return None;
        }
        let mut depth = 0;
        for (at, sign) in self.text[start..].char_indices() {
            depth += i32::from(sign == '{') - i32::from(sign == '}');
            if sign == '}' && depth == 0 {
                return Some(start + at + 1);
            }
        }
        None
    }
}
