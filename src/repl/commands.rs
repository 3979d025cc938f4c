//! What starts with `:`.

use super::session::Session;
use super::{Console, Outcome, show};
use crate::diagnostic::nearest;
use crate::progress::columns;
use crate::syntax::tree::Item;
use std::path::PathBuf;
use std::rc::Rc;

/// Every command: its name, what it takes, what it does.
pub const COMMANDS: [(&str, &str, &str); 7] = [
    ("type", "EXPRESSION", "the type of an expression, without computing it"),
    ("doc", "NAME", "what is called so: signature, documentation, where it comes from"),
    ("load", "[FILE]", "begin anew with a file; without a name, with the same one"),
    ("train", "[NAME] [steps=N] [epochs=N]", "train a block from its start; Ctrl-C ends it and keeps the weights"),
    ("params", "", "the parameters: path, shape, count, mean and deviation"),
    ("help", "", "this"),
    ("quit", "", "end, as Ctrl-D does"),
];

/// A line without its `:`.
pub fn run(session: &mut Session, command: &str, console: &mut Console) -> Outcome {
    let word = command.split_whitespace().next().unwrap_or_default();
    let rest = command.trim_start().strip_prefix(word).unwrap_or_default().trim();
    match word {
        "type" => {
            let line = format!(":{}", command.trim_end());
            let from = line.find(word).unwrap_or(0) + word.len();
            session.tell_type(&line, from, console)
        }
        "doc" => session.doc(rest, console),
        "load" => match (rest, &session.path) {
            ("", None) => console.complain("which file? `:load FILE`"),
            ("", Some(path)) => session.load(&path.clone(), console),
            (path, _) => session.load(&PathBuf::from(path), console),
        },
        "train" => session.train(rest, console),
        "params" => session.params(console),
        "help" => {
            console.tell(&help());
            Outcome::Fine
        }
        "quit" => Outcome::Quit,
        _ => {
            let near = nearest(word, COMMANDS.iter().map(|(name, ..)| *name));
            let advice = near.map_or("`:help` lists them".to_string(), |near| format!("did you mean `:{near}`?"));
            console.complain(&format!("there is no command `:{word}`; {advice}"))
        }
    }
}

fn help() -> String {
    let row = |(name, takes, does): &(&str, &str, &str)| {
        vec![format!(":{name} {takes}").trim_end().to_string(), does.to_string()]
    };
    let entries = [
        ("1 + 2, mean(x)", "an expression: its value on the training rows, by the present parameters"),
        ("let y[i] = x[i]^2", "a statement: later entries may read it"),
        ("fn …, layer …, train …", "an item: it takes the place of the one with its name"),
    ];
    let entries = entries.map(|(entry, does)| vec![entry.to_string(), does.to_string()]);
    let rows: Vec<Vec<String>> = entries.into_iter().chain(COMMANDS.iter().map(row)).collect();
    let end = "An entry goes on over lines while something is open; an empty line ends it. Ctrl-C clears it.";
    format!("{}{end}\n", words(&rows))
}

/// Two columns of words.
fn words(rows: &[Vec<String>]) -> String {
    use unicode_width::UnicodeWidthStr;
    let width = rows.iter().filter_map(|row| row.first()).map(|cell| cell.width()).max().unwrap_or(0);
    let line = |row: &Vec<String>| match &row[..] {
        [first, second, ..] => format!("{first}{}  {second}\n", " ".repeat(width - first.width())),
        _ => String::new(),
    };
    rows.iter().map(line).collect()
}

impl Session {
    /// `:doc NAME`
    fn doc(&mut self, name: &str, console: &mut Console) -> Outcome {
        if name.is_empty() {
            return console.complain("whose documentation? `:doc NAME`");
        }
        let local = self.names_of_body().iter().any(|known| known == name);
        if local && let Some(explored) = self.word(name) {
            console.tell(&format!("{name}: {}", self.type_of(&explored)));
            return Outcome::Fine;
        }
        match self.library.find(name, &mut self.sources, &mut Vec::new()) {
            Some(item) => {
                console.tell(&self.page(&item));
                Outcome::Fine
            }
            None => {
                let names = self.names();
                let near = nearest(name, names.iter().map(String::as_str));
                let advice = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                console.complain(&format!("cannot find `{name}`{advice}"))
            }
        }
    }

    fn page(&self, item: &Rc<Item>) -> String {
        let doc = item.doc.as_ref().map_or(String::new(), |doc| format!("{doc}\n"));
        let from = &self.sources.get(item.span.source).name;
        let line = self.sources.start(item.span).line;
        format!("{}\n{doc}from {from}, line {line}\n", show::signature(item, &self.sources))
    }
}

/// A table under a head.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head = head.iter().map(ToString::to_string).collect();
    columns(&[vec![head], rows].concat())
}
