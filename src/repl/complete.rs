//! How a word may go on: commands, what they take, names.

use super::commands::COMMANDS;

/// What a session has to offer.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What an expression may read.
    pub names: Vec<String>,
    pub trains: Vec<String>,
}

/// What may stand at the end of a line that is being written.
#[derive(Debug, PartialEq)]
pub enum Completion {
    /// Words for the text from a byte on.
    Words(usize, Vec<String>),
    /// A path, from a byte on.
    Path(usize),
}

/// `line` is what stands before the cursor.
pub fn complete(line: &str, known: &Known) -> Completion {
    let indent = line.len() - line.trim_start().len();
    let of = |start: usize, words: &[String]| {
        let begun = &line[start..];
        let fits = |word: &&String| !begun.is_empty() && word.starts_with(begun);
        Completion::Words(start, words.iter().filter(fits).cloned().collect())
    };
    let Some(command) = line[indent..].strip_prefix(':') else { return of(word_start(line), &known.names) };
    let Some(name) = command.split_whitespace().next().filter(|_| command.contains(char::is_whitespace)) else {
        let space = |takes: &str| if takes.is_empty() { "" } else { " " };
        let commands: Vec<String> =
            COMMANDS.iter().map(|(name, takes, _)| format!(":{name}{}", space(takes))).collect();
        return of(indent, &commands);
    };
    let after = line
        .rfind(char::is_whitespace)
        .map_or(line.len(), |at| at + line[at..].chars().next().map_or(0, char::len_utf8));
    match name {
        "load" => Completion::Path(after),
        "train" => of(after, &known.trains),
        _ => of(word_start(line), &known.names),
    }
}

/// Where the identifier at the end of a line starts.
fn word_start(line: &str) -> usize {
    let inside = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == '\'';
    line.char_indices().rev().take_while(|(_, sign)| inside(*sign)).last().map_or(line.len(), |(at, _)| at)
}
