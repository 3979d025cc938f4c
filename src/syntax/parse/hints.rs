//! What to do about mistakes that many make who come from another language.

use super::word_at;

/// Signs of other languages and what stands for them here.
const SIGNS: [(&str, &str); 9] = [
    (";", "statements end with their line; `;` is not needed"),
    ("**", "a power is written `^`"),
    ("==", "a value is given with one `=`"),
    (":=", "a value is given with `=`"),
    ("=", "equality is written `==`"),
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("!", "write `not`"),
    ("%", "a percent sign belongs to a number: `80%`"),
];

/// Words that are no names unless they stand in backquotes.
const RESERVED: [&str; 19] = [
    "let",
    "param",
    "state",
    "out",
    "emit",
    "minimize",
    "report",
    "predict",
    "calibrate",
    "if",
    "then",
    "else",
    "and",
    "or",
    "not",
    "true",
    "false",
    "scan",
    "using",
];

/// Advice on what was found where something else was expected.
pub fn hint(found: &str, expected: &str) -> Option<String> {
    if let Some((_, advice)) = SIGNS.iter().find(|(sign, _)| found.starts_with(sign)) {
        return Some(advice.to_string());
    }
    let word = word_at(found);
    if expected == "a name" && RESERVED.contains(&word) {
        return Some(format!("`{word}` is a word of the language; as a name it stands in backquotes"));
    }
    if expected == "a type" && !word.is_empty() {
        return Some(format!("a shape stands in brackets: `[{word}]`"));
    }
    None
}

/// The bracket that is still open at the end of a text, by its byte.
pub fn still_open(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '(' | '[' => open.push(at),
            ')' | ']' => drop(open.pop()),
            '"' => drop(signs.find(|(_, sign)| matches!(sign, '"' | '\n'))),
            '/' if text[at..].starts_with("//") => drop(signs.find(|(_, sign)| *sign == '\n')),
            _ => {}
        }
    }
    open.pop()
}
