//! What people bring from other languages and from spreadsheets, where it needs words of its own: tables of what is written,
//! and what to write.

use super::words::{token_at, word_at};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};

/// Words of other languages that start what this one has in another form.
const WORDS: [(&str, &str); 24] = [
    ("import", "leave it out: the standard library is always there; `use \"file.mlx\"` brings in the items of a file"),
    ("from", "leave it out: the standard library is always there; `use \"file.mlx\"` brings in the items of a file"),
    ("include", "the standard library is always there; `use \"file.mlx\"` brings in the items of a file"),
    ("def", "a function is written `fn f(x) = …`, a layer with parameters `layer f(units)(x) { … out … }`"),
    ("function", "a function is written `fn f(x) = …`"),
    ("func", "a function is written `fn f(x) = …`"),
    (
        "class",
        "a model is written `model Net(x: [n, d]) -> [n, k] { … out … }`, a layer `layer f(units)(x) { … out … }`",
    ),
    ("struct", "a model is written `model Net(x: [n, d]) -> [n, k] { … out … }`"),
    (
        "for",
        "there are no loops: `let y[i] = …` says what one element is, `scan` goes from step to step, `repeat` puts layers in a row",
    ),
    (
        "while",
        "there are no loops: `let y[i] = …` says what one element is, `scan` goes from step to step, `epochs` says how long to train",
    ),
    ("if", "an `if` is a value with an `else`: `let y = if a then b else c`"),
    ("elif", "write `else if`"),
    ("else", "an `if` is a value: `let y = if a then b else c`"),
    ("with", "leave it out: gradients are taken where something is minimized, and `constant(e)` stops them"),
    ("assert", "a condition is demanded by `check name = …` in a body"),
    ("print", "`report name = …` in a `train` block shows a value"),
    ("try", "there are no exceptions: what can go wrong is found before the run"),
    ("raise", "a condition is demanded by `check name = …` in a body"),
    ("global", "a `let` of the file is read everywhere"),
    ("pass", "a body may be empty: `{}`"),
    (
        "self",
        "there is no `self`: a layer is bound by its name, `let fc = dense(8)`, and a parameter by `param w: [d] = 0`",
    ),
    ("var", "write `let`"),
    ("const", "write `let`"),
    ("async", "leave it out"),
];

/// Signs that look like one of the language, or mean what it writes otherwise.
const SIGNS: [(&str, &str); 41] = [
    ("×", "*"),
    ("·", "*"),
    ("⋅", "*"),
    ("∗", "*"),
    ("÷", "/"),
    ("∕", "/"),
    ("−", "-"),
    ("–", "-"),
    ("—", "-"),
    ("≤", "<="),
    ("≥", ">="),
    ("≠", "!="),
    ("→", "->"),
    ("←", "="),
    ("∼", "~"),
    ("∈", "in"),
    ("∧", "and"),
    ("∨", "or"),
    ("¬", "not"),
    ("√", "sqrt(…)"),
    ("∑", "sum(i: …)"),
    ("²", "^2"),
    ("³", "^3"),
    ("¹", "^1"),
    ("⁰", "^0"),
    ("⁻", "^-"),
    ("…", ".."),
    ("“", "\""),
    ("”", "\""),
    ("„", "\""),
    ("«", "\""),
    ("»", "\""),
    ("‘", "\""),
    ("’", "'"),
    ("、", ","),
    ("。", "."),
    ("「", "\""),
    ("」", "\""),
    ("\u{a0}", " "),
    ("\u{200b}", ""),
    ("\u{2009}", " "),
];

/// A word of another language that starts an item or a statement.
pub fn word(text: &str) -> Option<(&'static str, &'static str)> {
    WORDS.iter().find(|(word, _)| word_at(text) == *word).copied()
}

/// What stands at a place, if it needs words of its own. The statement or head starts at `start`.
pub fn at(source: SourceId, text: &str, start: usize, place: usize) -> Option<Diagnostic> {
    let found = sign(source, text, place).or_else(|| number(source, text, place));
    found
        .or_else(|| slice(source, text, start, place))
        .or_else(|| lambda(source, text, start))
        .or_else(|| lambda(source, text, place))
}

/// Signs that are none of the language: full-width ones, curly quotes, those of mathematics.
fn sign(source: SourceId, text: &str, place: usize) -> Option<Diagnostic> {
    let rest = &text[place..];
    let wide = rest.find(|c: char| half(c).is_none()).unwrap_or(rest.len());
    let (found, plain) = if wide > 0 {
        (&rest[..wide], rest[..wide].chars().filter_map(half).collect())
    } else {
        let (sign, plain) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        (&rest[..sign.len()], plain.to_string())
    };
    let span = Span::new(source, place, place + found.len());
    let message = match plain.as_str() {
        "" | " " => "a space that is not a plain one".to_string(),
        _ => format!("`{found}` is not a sign of the language"),
    };
    let help = match plain.as_str() {
        "" => "delete it: it cannot be seen".to_string(),
        " " => "write a plain space".to_string(),
        "\"" => "a string is written in plain double quotes: `\"…\"`".to_string(),
        plain => format!("write `{plain}`"),
    };
    Some(Diagnostic::error("E0133", message, span, "here").help(help))
}

/// The narrow sign or digit of a full-width one.
fn half(wide: char) -> Option<char> {
    let half = char::from_u32(u32::from(wide).checked_sub(0xFEE0)?)?;
    ('!'..='~').contains(&half).then_some(half).filter(|half| !half.is_ascii_alphabetic())
}

/// `.01`, `1.`, `0,01`, `10k`.
fn number(source: SourceId, text: &str, place: usize) -> Option<Diagnostic> {
    let wrong = |message: &str, start: usize, end: usize, help: String| {
        Some(Diagnostic::error("E0132", message, Span::new(source, start, end), "here").help(help))
    };
    let (before, rest) = (&text[..place], &text[place..]);
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if let Some(fraction) = rest.strip_prefix('.')
        && digits(fraction) > 0
        && !before.ends_with('.')
    {
        let end = 1 + digits(fraction);
        return wrong("a number starts with a digit", place, place + end, format!("write `0{}`", &rest[..end]));
    }
    let ends_in_number = |before: &str| {
        let word =
            before.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + last_length(before, at));
        before[word..].starts_with(|c: char| c.is_ascii_digit()).then_some(word)
    };
    if let Some(whole) = before.trim_end().strip_suffix('.')
        && let Some(start) = ends_in_number(whole)
        && !whole[..start].ends_with('.')
    {
        let number = &whole[start..];
        let help = format!("write `{number}` or `{number}.0`");
        return wrong("a number ends with a digit", start, whole.len() + 1, help);
    }
    if let Some(fraction) = rest.strip_prefix(',')
        && digits(fraction) > 0
        && let Some(start) = ends_in_number(before)
    {
        let end = place + 1 + digits(fraction);
        let help = format!("write `{}.{}`", &before[start..], &fraction[..digits(fraction)]);
        return wrong("a decimal comma", start, end, help);
    }
    let token = token_at(rest);
    let whole = token.replace('_', "").parse::<f64>().is_ok() && !token.ends_with('_');
    if digits(token) > 0 && !whole {
        let message = format!("`{token}` is not a number");
        let help = "a number is written `50_000`, `0.5`, `1e-3` or `80%`; a name starts with a letter".to_string();
        return wrong(&message, place, place + token.len(), help);
    }
    None
}

/// `lambda x: …`, of which the first word was read as a name and the rest, perhaps, as the next statement.
fn lambda(source: SourceId, text: &str, place: usize) -> Option<Diagnostic> {
    let before = text[..place].trim_end().strip_suffix("lambda")?;
    let alone = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '\'');
    let span = Span::new(source, before.len(), before.len() + "lambda".len());
    let wrong = Diagnostic::error("E0131", "nothing starts with `lambda`", span, "here");
    alone.then(|| wrong.help("a function is an item with a name: `fn f(x) = …`"))
}

/// `lr = 0,01` among arguments, where a comma stands between two of them.
pub fn decimal_comma(span: Span, whole: &str, fraction: &str) -> Diagnostic {
    Diagnostic::error("E0132", "a decimal comma", span, "here").help(format!("write `{whole}.{fraction}`"))
}

/// `x[1:3]`.
pub fn colon_slice(span: Span) -> Diagnostic {
    let wrong = Diagnostic::error("E0134", "only a name is given a size", span, "here");
    wrong.help("a slice is written `x[1..3]`: from the first place on, up to the second, which is not in it")
}

/// How many bytes the sign has that starts at a place.
fn last_length(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

/// `x[:, 0]`, `x[..3]`.
fn slice(source: SourceId, text: &str, start: usize, place: usize) -> Option<Diagnostic> {
    let (before, rest) = (&text[start..place], &text[place..]);
    let open = before.rfind('[')?;
    let close = place + rest.find([']', '\n']).filter(|at| rest[*at..].starts_with(']'))?;
    let whole_axis = rest.starts_with(':') && before.trim_end().ends_with(['[', ',', ':']);
    let open_start = before.trim_end().ends_with("..") && rest.starts_with(|c: char| c.is_ascii_digit());
    let open_end = rest.starts_with(']') && before.trim_end().ends_with(':');
    if !(whole_axis || open_start || open_end) {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    for part in text[start + open + 1..close].split(',').map(str::trim) {
        let part = match part.split_once(':') {
            Some(("", "")) => "..".to_string(),
            Some((low, high)) => {
                let low = if low.trim().is_empty() { "0" } else { low.trim() };
                match high.trim().strip_prefix('-') {
                    Some(behind) => format!("{low}..k - {behind}"),
                    None => format!("{low}..{}", high.trim()),
                }
            }
            None if part.starts_with("..") && part.len() > 2 => format!("0{part}"),
            None => part.to_string(),
        };
        // One `..` is any number of axes.
        if part != ".." || parts.last().is_none_or(|last| last != "..") {
            parts.push(part);
        }
    }
    let name = before[..open].rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\''));
    let name = &before[name.map_or(0, |at| at + last_length(before, at))..open];
    let message = match (whole_axis, open_end) {
        (true, _) => "a whole axis is written `..`",
        (false, true) => "a slice is written with `..`",
        (false, false) => "a slice says where it starts",
    };
    let span = Span::new(source, start + open, close + 1);
    let sized =
        if parts.iter().any(|part| part.contains("..k - ")) { ", where `k` is the size of that axis" } else { "" };
    let help = format!("write `{name}[{}]`{sized}", parts.join(", "));
    Some(Diagnostic::error("E0134", message, span, "here").help(help))
}
