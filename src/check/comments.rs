//! W0101: `width // 2`, which is a whole quotient in other languages and `width` with a comment here. A comment counts as
//! meant for a divisor only where it is one and nothing else: words behind a number are words.

use super::library;
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use crate::syntax::tree::{
    Binary, Expr, ExprKind, File, FnBody, ItemKind, Param, StatementKind, Type, TypeKind, Unary,
};
use crate::syntax::{self, Part, walk};
use std::collections::HashSet;

/// What stands before a comment.
enum Operand<'t> {
    Number(&'t str),
    Name(&'t str),
    /// In parentheses, a read or a call of a function.
    Bracket(&'t str),
}

/// Every comment of a text that looks like the rest of an expression.
pub fn find(sources: &Sources, file: &File) -> Vec<Diagnostic> {
    let text = &sources.get(file.source).text;
    let names = Names::of(file);
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some(at) = comment(line)
            && let (code, comment) = (line[..at].trim_end(), line[at + 2..].trim())
            && let Some(operand) = names.operand(code)
            && names.goes_on(&operand, comment)
        {
            let (Operand::Number(shown) | Operand::Name(shown) | Operand::Bracket(shown)) = operand;
            let end = at + line[at..].trim_end().len();
            let span = Span::new(file.source, start + at, start + end);
            let message = format!("`//` begins a comment, and `{comment}` is not read");
            let warning = Diagnostic::error("W0101", message, span, "this is a comment");
            let alone = !comment.contains(' ') || comment.starts_with('(') && opened(comment) == Some(0);
            let help = format!("a whole quotient is `floor({shown} / {})`", if alone { comment } else { "…" });
            found.push(warning.help(help).warning());
        }
        start += line.len();
    }
    found
}

/// Where the comment of a line starts. A doc comment belongs to an item.
pub(super) fn comment(line: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &line[at..];
        at += match rest.chars().next()? {
            '/' if rest.starts_with("//") => return (!rest.starts_with("///")).then_some(at),
            quote @ ('"' | '`') => rest[1..].find(quote).map_or(rest.len(), |end| end + 2),
            other => other.len_utf8(),
        };
    }
}

/// The names of a file that may stand for numbers, and those that stand for none.
struct Names<'t> {
    numbers: HashSet<&'t str>,
    others: HashSet<&'t str>,
    functions: HashSet<&'t str>,
}

impl<'t> Names<'t> {
    fn of(file: &'t File) -> Names<'t> {
        let mut names = Names { numbers: HashSet::new(), others: HashSet::new(), functions: HashSet::new() };
        for item in &file.items {
            match &item.kind {
                ItemKind::Let(item) => drop(names.numbers.insert(&item.name.text)),
                ItemKind::Fn(function) => {
                    names.params(&function.params);
                    names.functions.insert(&function.name.text);
                    if let FnBody::Block(body) = &function.body {
                        names.body(body);
                    }
                }
                ItemKind::Layer(layer) => {
                    names.params(&layer.hyper);
                    names.params(&layer.inputs);
                    names.body(&layer.body);
                }
                ItemKind::Optimizer(optimizer) => names.params(&optimizer.hyper),
                ItemKind::Use(_) | ItemKind::Data(_) | ItemKind::Train(_) | ItemKind::Sweep(_) => {}
            }
            if !matches!(item.kind, ItemKind::Let(_)) {
                names.others.extend(item.kind.name().map(|name| name.text.as_str()));
            }
        }
        names
    }

    /// Hyperparameters, and the sizes that types name.
    fn params(&mut self, params: &'t [Param]) {
        for param in params {
            match &param.ty {
                Some(Type { kind: TypeKind::Tensor(_, axes), .. }) => {
                    for axis in axes {
                        if let syntax::tree::Axis::Size(Expr { kind: ExprKind::Name(size), .. }) = axis {
                            self.numbers.insert(&size.text);
                        }
                    }
                }
                _ => drop(self.numbers.insert(&param.name.text)),
            }
        }
    }

    /// Layers of a body, which are divided by nothing.
    fn body(&mut self, body: &'t [syntax::tree::Statement]) {
        for statement in body {
            if let StatementKind::Let(syntax::tree::Target::One(name), None, syntax::tree::Init::Value(value)) =
                &statement.kind
                && matches!(value.kind, ExprKind::Pipe(..))
            {
                self.others.insert(&name.text);
            }
        }
    }

    /// What a line of code ends with, if it can be divided.
    fn operand<'c>(&self, code: &'c str) -> Option<Operand<'c>> {
        let part = innermost(code);
        if part.contains("|>") {
            return None;
        }
        match code.chars().next_back()? {
            ')' | ']' => {
                let open = opened(code)?;
                let callee = word(&code[..open]);
                let shown = &code[open - callee.len()..];
                let divides = match (&code[open..=open], callee) {
                    ("(", "") => true,
                    ("(", callee) => self.functions.contains(callee) || library::declares_function(callee),
                    (_, callee) => !callee.is_empty(),
                };
                divides.then_some(Operand::Bracket(shown))
            }
            _ => {
                let word = word(code);
                let number = word.starts_with(|c: char| c.is_ascii_digit());
                match word {
                    "" => None,
                    _ if number => Some(Operand::Number(word)),
                    _ if self.others.contains(word) || library::declares(word) || is_reserved(word) => None,
                    _ => Some(Operand::Name(word)),
                }
            }
        }
    }

    /// Whether a comment is a divisor and nothing else.
    fn goes_on(&self, operand: &Operand, comment: &str) -> bool {
        let Some(value) = value(comment) else { return false };
        match (&value.kind, operand) {
            // Behind a number stands another that it might have been, unless it goes into the first.
            (ExprKind::Number { .. }, Operand::Number(before)) => {
                let whole = |text: &str| text.replace('_', "").parse::<u64>().ok();
                is_whole(&value) && whole(before).zip(whole(comment)).is_some_and(|(a, b)| b < a)
            }
            (ExprKind::Number { .. }, _) => is_whole(&value),
            // Behind a number stands how it came about: `784 // 28 * 28`.
            (_, Operand::Number(_)) => false,
            // A word alone is a word, unless both are numbers that the file declares.
            (ExprKind::Name(name), Operand::Name(before)) if !comment.starts_with('(') => {
                [name.text.as_str(), before].iter().all(|name| self.numbers.contains(name))
            }
            _ => comment.starts_with(|c: char| c == '(' || c.is_ascii_digit()) && self.is_arithmetic(&value),
        }
    }

    /// Whole numbers and the numbers of the file, under the signs of arithmetic.
    fn is_arithmetic(&self, value: &Expr) -> bool {
        let mut all = true;
        walk::expression(value, &mut |part| {
            all &= match &part.kind {
                ExprKind::Number { .. } => is_whole(part),
                ExprKind::Name(name) => self.numbers.contains(name.text.as_str()),
                ExprKind::Unary(op, _) => *op == Unary::Negate,
                ExprKind::Binary(op, ..) => {
                    matches!(op, Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Power)
                }
                _ => false,
            }
        });
        all
    }
}

/// A text as one expression, if it is that.
fn value(text: &str) -> Option<Expr> {
    if !text.starts_with(|c: char| c == '(' || c == '_' || c.is_alphanumeric()) {
        return None;
    }
    let mut sources = Sources::default();
    let source = sources.add("", text);
    match syntax::entry(&sources, source, 0) {
        (mut parts, wrong) if wrong.is_empty() && parts.len() == 1 => match parts.pop() {
            Some(Part::Statement(statement, _)) => match statement.kind {
                StatementKind::Out(value) if statement.span.start == 0 || text.starts_with('(') => Some(value),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn is_whole(value: &Expr) -> bool {
    matches!(&value.kind, ExprKind::Number { digits, percent: false } if digits.chars().all(|c| c.is_ascii_digit()))
}

fn is_reserved(word: &str) -> bool {
    ["out", "then", "else", "and", "or", "not", "true", "false", "using", "in", "if"].contains(&word)
}

/// The name or number that a text ends with.
fn word(text: &str) -> &str {
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '\'' || c == '.';
    let start = text.char_indices().rev().take_while(|(_, c)| inside(*c)).last().map_or(text.len(), |(at, _)| at);
    &text[start..]
}

/// Where the bracket that a text ends with was opened.
fn opened(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, letter) in text.char_indices().rev() {
        match letter {
            ')' | ']' | '}' => depth += 1,
            '(' | '[' | '{' if depth == 1 => return Some(at),
            '(' | '[' | '{' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The end of a text from the innermost bracket on that is open there.
fn innermost(text: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in text.char_indices().rev() {
        match letter {
            ')' | ']' | '}' => depth += 1,
            '(' | '[' | '{' if depth == 0 => return &text[at..],
            '(' | '[' | '{' => depth -= 1,
            _ => {}
        }
    }
    text
}
