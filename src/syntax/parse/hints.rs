//! What to do about mistakes that people make often, most of them at home in another language.

use super::words::{token_at, word_at};
use super::{ITEMS, STATEMENTS};
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::{SourceId, Span};

/// What stands where something else was expected, and what to do.
const SIGNS: [(&str, &str); 20] = [
    ("**", "a power is written `^`"),
    (";", "a statement ends where the next one starts: leave the `;` out"),
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("!", "write `not`"),
    ("?", "a choice is written `if a then b else c`"),
    ("#", "a comment starts with `//`"),
    ("\"\"\"", "a comment starts with `//`; `///` documents the item behind it"),
    ("|>", "a value stands before `|>`"),
    ("|", "a value goes into a layer by `|>`; of two conditions one holds by `or`"),
    ("&", "write `and`"),
    ("++", "nothing is changed in place: give the result a name, `let z = x + 1`"),
    ("=>", "a function is written `fn f(x) = …`; the type of its result stands behind `->`"),
    ("'", "a string is written in double quotes"),
    ("%", "a remainder is `a - b * floor(a / b)`; a percent sign belongs to its number, `80%`"),
    ("==", "to give a value, write `=`"),
    ("+=", "nothing is changed in place: give the result a name, `let z = x + y`"),
    ("-=", "nothing is changed in place: give the result a name, `let z = x - y`"),
    ("*=", "nothing is changed in place: give the result a name, `let z = x * y`"),
    ("/=", "nothing is changed in place: give the result a name, `let z = x / y`"),
];

/// The first word of what could not be read, and what to do.
const WORDS: [(&str, &str); 1] = [("return", "a result is given by `out`")];

/// What stands where something else was expected behind a sign, and what to do.
const SPLIT: [(&str, &str, &str); 8] = [
    ("=", ">", "a value stands behind `=`, the type of a result behind `->`"),
    ("<", ">", "write `!=`"),
    (">", ">", "a value goes into a layer by `|>`"),
    ("-", ">", "write `->` without a space"),
    ("<", "-", "write `=`"),
    ("=", "=", "write one `=`"),
    ("!", "=", "write `!=` without a space"),
    ("|", "|", "write `or`"),
];

/// Adds what to do, and where an open bracket was opened. The statement or head starts at `start`; at `place`
/// stands what was not `expected`.
pub fn add(diagnostic: Diagnostic, text: &str, start: usize, place: usize, expected: &str) -> Diagnostic {
    let token = token_at(&text[place..]);
    if let Some(word) = meant_as_name(text, start, place, token, expected) {
        return diagnostic.help(format!("`{word}` is a word of the language; a name like it is written in backquotes"));
    }
    let span = diagnostic.labels.first().map(|label| label.span);
    if let (Some(open), Some(span)) = (innermost(&text[start..place]), span) {
        let bracket = &text[start + open..=start + open];
        let marked = |diagnostic: Diagnostic| {
            let open = Span::new(span.source, start + open, start + open + 1);
            diagnostic.label(open, format!("this `{bracket}` is still open"))
        };
        if let Some(at) = hidden_in_a_comment(&text[start + open..place], closing(bracket)) {
            let comment = Span::new(span.source, start + open + at, start + open + at + 2);
            return marked(diagnostic)
                .label(comment, format!("`//` begins a comment, which hides the `{}`", closing(bracket)))
                .help("a whole quotient is `floor(a / b)`");
        }
        if cannot_be_inside(bracket, token) {
            return marked(diagnostic).help(format!("close it with `{}`", closing(bracket)));
        }
        let of_elements = match token {
            "for" => Some("an index stands first: `sum(j: x[j])`; a list is `[e for i in 0..3]`"),
            "in" if text[start..place].contains("scan") => Some(
                "names stand before one `in`, what they step through behind it: `scan a, i in x[n, t], 0..t over t`",
            ),
            "if" => Some("elements are kept by `where`: `sum(j where x[j] > 0: x[j])`"),
            _ => None,
        };
        if let Some(help) = of_elements.filter(|_| expected.contains("an operator")) {
            return diagnostic.help(help);
        }
        if expected.contains("an operator") && starts_a_part(token) {
            let after = text[place + token.len()..].trim_start();
            let next_line = text[start..place].rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
            return match (after.starts_with('='), next_line) {
                (true, true) => marked(diagnostic)
                    .help(format!("close it with `{}`, or put a comma before `{token}`", closing(bracket))),
                _ => {
                    let comma = format!("a comma separates two parts: `, {token}`");
                    match column(text, start, start + open, place) {
                        Some(name) => diagnostic.help(format!(
                            "a column whose name has spaces is written in backquotes: `` `{name}` ``; {comma}"
                        )),
                        None => diagnostic.help(comma),
                    }
                }
            };
        }
    }
    // Behind a whole item, its line says what goes on.
    let line = text[..place].rfind('\n').map_or(0, |at| at + 1);
    let from = if expected.starts_with("an item") && !text[line..place].trim().is_empty() { line } else { start };
    match help(&text[from..], &text[place..], &text[from..place], token, expected) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The word of the language that somebody took for a name of theirs.
fn meant_as_name<'t>(text: &'t str, start: usize, place: usize, token: &'t str, expected: &str) -> Option<&'t str> {
    let before = text[start..place].trim_end();
    // `state = …`, `state: [4] ~ …`: the word was read as the start of a statement.
    if STATEMENTS.contains(&before) && (token == "=" || token == ":") {
        return Some(before);
    }
    if !is_reserved(token) {
        return None;
    }
    let after = text[place + token.len()..].trim_start_matches(' ');
    let given = after.starts_with([':', '=', '~']) && !after.starts_with("==");
    let ends =
        after.is_empty() || after.starts_with([',', ')', ']', '.', '[', '*', '/', '+', '|', '^', '@', '\n', '\r']);
    // Where a line begins with such a word, it is more likely the next statement, and what is before it lacks its end.
    let begins_line = text[..place].rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
    let listed = after.starts_with([',', ')', ']']);
    let named = match expected {
        "a name" => true,
        _ if STATEMENTS.contains(&token) => ends && (listed || !begins_line),
        _ => given && expected.contains("a statement"),
    };
    named.then_some(token)
}

/// `over` of a `minimize` with no name behind it on its line: the next line was taken for the name, or `over` for a statement. `None` if
/// that is not what is wrong at `place`.
pub fn over_nothing(source: SourceId, text: &str, start: usize, place: usize) -> Option<Diagnostic> {
    const OVER: &str = "over";
    let statement = &text[start..place];
    let at = match word_at(statement) {
        OVER => start,
        "minimize" => start + statement.rfind(OVER)?,
        _ => return None,
    };
    let behind = &text[at + OVER.len()..place];
    let line_ends = behind.trim_start_matches(' ').starts_with(['\n', '\r']);
    let takes_next_line = line_ends && text[place..].starts_with('=') && behind.split_whitespace().count() == 1;
    // Before a list the `minimize` has ended; inside of it a name like `crossover(…)` is none.
    let is_list = at == start && behind.trim_start().starts_with(['[', '(']);
    if !takes_next_line && !is_list {
        return None;
    }
    let message =
        format!("expected a name behind `{OVER}`, found {}", if is_list { "a list" } else { "the end of the line" });
    let wrong = Diagnostic::error("E0101", message, Span::new(source, at, at + OVER.len()), "this names what moves");
    Some(wrong.help(match is_list {
        true => "names stand behind it without brackets: `over encoder, decoder`",
        false => "name models or a `param` of the block: `over model`; without it all that the loss reads moves",
    }))
}

fn help(statement: &str, rest: &str, before: &str, token: &str, expected: &str) -> Option<String> {
    if before.ends_with(':') && token == "=" {
        return Some("write `=` alone".to_string());
    }
    if expected == "a type" && !word_at(token).is_empty() {
        return Some("a shape is written in brackets, with a name or a number for each axis: `[n, 3]`".to_string());
    }
    let typo = match expected {
        _ if expected.starts_with("an item") => nearest(token, ITEMS.into_iter()),
        _ if expected.contains("`=`") && !before.contains('=') => {
            nearest(word_at(statement), STATEMENTS.into_iter().chain(["let"]))
        }
        _ => None,
    };
    if let Some(word) = typo {
        return Some(format!("did you mean `{word}`?"));
    }
    if expected.starts_with("an item") && rest[token.len()..].trim_start().starts_with('=') {
        return Some(format!("to declare it, write `let {token} = …`"));
    }
    if token == "=" && expected.contains("an operator") {
        return Some("to compare, write `==`".to_string());
    }
    if rest.starts_with('"') && rest.lines().next().is_some_and(|line| line.matches('"').count() == 1) {
        return Some("a string ends on the line where it starts, with `\"`".to_string());
    }
    if token == "?" && before.trim_end().ends_with(['[', ',']) {
        return Some("a size that is not known has a name: `[n, 3]`".to_string());
    }
    if token == "(" && word_at(statement) == "let" && !before.contains('=') {
        return Some("a function is written `fn f(x) = …`".to_string());
    }
    if [")", "]"].contains(&token) && innermost(before).is_some() {
        return (expected == "an expression").then(|| format!("a value is missing before `{token}`"));
    }
    if [")", "]"].contains(&token) {
        return Some(format!("nothing before it opens what `{token}` closes"));
    }
    if token == "(" && before.trim_end() == word_at(statement) {
        return Some("a value alone does nothing: name it with `let`, or give it with `out`".to_string());
    }
    if expected.starts_with("an item") && token == "@" {
        return Some("leave it out: there are no decorators".to_string());
    }
    if let Some(help) = in_place(statement, before, token, expected) {
        return Some(help);
    }
    let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign) && !(*sign == "!" && rest.starts_with("!=")));
    let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
    let word = || WORDS.iter().find(|(word, _)| *word == word_at(statement) || *word == word_at(line));
    sign.or_else(word).map(|(_, help)| help.to_string())
}

/// What to do where a sign of the language stands in the wrong place.
fn in_place(statement: &str, before: &str, token: &str, expected: &str) -> Option<String> {
    let begins_line = before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
    if expected.contains("`using`") && (begins_line || token == "}") {
        return Some("say what moves the parameters: `using adam(lr = 0.01)`".to_string());
    }
    let before = before.trim_end();
    let split = SPLIT.iter().find(|(first, second, _)| before.ends_with(first) && token.starts_with(second));
    let head = ["fn", "layer", "model"].contains(&word_at(statement)) && before.ends_with(')');
    let help = match token {
        "elif" => "write `else if`",
        "-" if head => "the type of a result stands behind `->`, without a space in it",
        _ if before.ends_with("let mut") => "nothing is changed in place: write `let`",
        _ if split.is_some() => split.map(|(.., help)| *help)?,
        ":" if head => "the type of a result stands behind `->`",
        ":" if expected.contains("`then`") => "write `then`",
        ":" if expected.contains("`else`") => "write `else`",
        "(" if before.ends_with("scan") => "a scan has no brackets: `scan i in 0..3 { … }`",
        "{" if expected.contains("`then`") => "a choice is written `if a then b else c`, without braces",
        "." if before.ends_with("..") => "all axes that are left over are `..`, two dots",
        "{" if before.ends_with('=') => {
            "a body stands without `=`, and gives its result by `out`: `fn f(x) { … out … }`"
        }
        "," if !before.is_empty() && expected.contains("the next statement") => "each value has a statement of its own",
        _ if expected.starts_with("`else`") => "an `if` is a value: it always has an `else`",
        _ => return None,
    };
    Some(help.to_string())
}

/// The words that can never be names.
fn is_reserved(word: &str) -> bool {
    const INSIDE: [&str; 12] =
        ["let", "if", "then", "else", "and", "or", "not", "true", "false", "scan", "using", "minimize"];
    STATEMENTS.contains(&word) || INSIDE.contains(&word)
}

/// Whether a token starts a value: a name, a number, a text, a bracket.
fn starts_a_part(token: &str) -> bool {
    let first = token.chars().next();
    !is_reserved(token) && first.is_some_and(|sign| sign.is_alphanumeric() || "_`\"([".contains(sign))
}

/// The innermost bracket that is open at the end of a text.
fn innermost(before: &str) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(letter) = before[at..].chars().next() {
        at += match letter {
            '/' if before[at..].starts_with("//") => before[at..].find('\n').unwrap_or(before.len() - at),
            '"' => before[at + 1..].find(['"', '\n']).map_or(before.len() - at, |end| end + 2),
            '(' | '[' => {
                open.push(at);
                1
            }
            ')' | ']' => {
                open.pop();
                1
            }
            other => other.len_utf8(),
        };
    }
    open.pop()
}

/// Whether a token cannot stand inside of a bracket, so that this was to be closed before.
fn cannot_be_inside(bracket: &str, token: &str) -> bool {
    match token {
        "" | "}" | "{" | "->" => true,
        ")" => bracket == "[",
        "]" => bracket == "(",
        // A size is no place for a value: `[d = 0`.
        "=" => bracket == "[",
        word => ITEMS.contains(&word) || STATEMENTS.contains(&word),
    }
}

/// Where a comment starts that closes a bracket which is open before it: `dense(width // 2)`.
fn hidden_in_a_comment(text: &str, closing: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some(at) = line.find("//")
            && !line[..at].contains('"')
        {
            let comment = &line[at..];
            let opens = comment.matches(if closing == ")" { '(' } else { '[' }).count();
            let behind = line[..at].trim_end().ends_with(|c: char| c.is_alphanumeric() || ")]_'".contains(c));
            if behind && comment.matches(closing).count() > opens {
                return Some(start + at);
            }
        }
        start += line.len();
    }
    None
}

/// The part of a list that a place is in, where the list is of columns: `sepal length (cm)`.
fn column(text: &str, start: usize, open: usize, place: usize) -> Option<&str> {
    let head = text[..start].lines().rev().find(|line| ITEMS.contains(&word_at(line)))?;
    if word_at(head) != "data" || !text[open..].starts_with('[') {
        return None;
    }
    let from = text[open..place].rfind(['[', ',']).map_or(open, |at| open + at) + 1;
    let end = text[place..].find([',', ']', '\n', '`', '"'])?;
    let name = text[from..place + end].trim();
    (!name.contains('\n') && !name.is_empty()).then_some(name)
}

fn closing(bracket: &str) -> &'static str {
    if bracket == "(" { ")" } else { "]" }
}
