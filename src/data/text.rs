//! A text, a row for each of its characters.

use crate::data::kind::Tally;
use crate::data::table::{Column, Origin, Table, Values};
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use std::collections::HashMap;

/// What the only column is called.
pub const NAME: &str = "text";

/// The characters of the file `name`; `call` is where the program asks for it.
pub fn read(sources: &mut Sources, name: &str, bytes: Vec<u8>, call: Span) -> Result<Table, Diagnostic> {
    let text = String::from_utf8(bytes).map_err(|broken| {
        let at = broken.utf8_error().valid_up_to();
        let message = format!("`{name}` is not a text file in UTF-8: byte {} is none of a text", at + 1);
        Diagnostic::error("E0301", message, call, "read here").help("save it as UTF-8 first")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.is_empty() {
        let message = format!("`{name}` is empty");
        return Err(Diagnostic::error("E0302", message, call, "read here"));
    }
    let characters: Vec<char> = text.chars().collect();
    let rows = characters.len();
    let source = sources.add(name, text);
    let column = Column {
        name: NAME.to_string(),
        span: call,
        values: Values::Characters(characters),
        lacking: Tally::default(),
        empty: Tally::default(),
        word: None,
        mistakes: Vec::new(),
    };
    let by_name = HashMap::from([(NAME.to_string(), 0)]);
    Ok(Table {
        name: name.to_string(),
        columns: vec![column],
        by_name,
        rows,
        own_test: None,
        origin: Origin::Characters(source),
    })
}
