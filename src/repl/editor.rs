//! Lines of a terminal, by rustyline, which nothing else here uses: history, completion, entries over several lines.

use super::complete::{Completion, Known, complete};
use super::is_open;
use crate::io;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor as Rustyline, Helper};
use std::path::PathBuf;

const PROMPT: &str = "mlx> ";

/// What a terminal gives.
pub enum Line {
    Entry(String),
    /// Ctrl-C: what was written is cleared.
    Cleared,
    /// Ctrl-D, or a terminal that is gone.
    End,
}

pub struct Editor {
    rustyline: Rustyline<Words, FileHistory>,
    /// Where the history is kept; `None` where it cannot be.
    history: Option<PathBuf>,
}

impl Editor {
    pub fn new() -> Result<Editor, String> {
        let config = Config::builder().completion_type(CompletionType::List).history_ignore_space(true);
        let config = config.history_ignore_dups(true).map_err(|error| error.to_string())?.build();
        let mut rustyline = Rustyline::with_config(config).map_err(|error| error.to_string())?;
        rustyline.set_helper(Some(Words { known: Known::default(), files: FilenameCompleter::new() }));
        let history = io::state_folder().map(|folder| folder.join("history"));
        if let Some(path) = &history {
            // There is none before the first session.
            let _ = rustyline.load_history(path);
        }
        Ok(Editor { rustyline, history })
    }

    /// The next entry, which may hold several lines.
    pub fn read(&mut self, known: Known) -> Line {
        if let Some(words) = self.rustyline.helper_mut() {
            words.known = known;
        }
        match self.rustyline.readline(PROMPT) {
            Ok(entry) => {
                self.remember(&entry);
                Line::Entry(entry)
            }
            Err(ReadlineError::Interrupted) => Line::Cleared,
            Err(_) => Line::End,
        }
    }

    /// A history that cannot be written is no reason to disturb a session.
    fn remember(&mut self, entry: &str) {
        let _ = self.rustyline.add_history_entry(entry.trim_end());
        if let Some(path) = &self.history {
            let _ = self.rustyline.append_history(path);
        }
    }
}

struct Words {
    known: Known,
    files: FilenameCompleter,
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, context: &Context) -> rustyline::Result<(usize, Vec<Pair>)> {
        match complete(&line[..at], &self.known) {
            Completion::Words(start, words) => {
                let pair = |word: String| Pair { display: word.clone(), replacement: word };
                Ok((start, words.into_iter().map(pair).collect()))
            }
            Completion::Path(_) => self.files.complete(line, at, context),
        }
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let open = is_open(context.input());
        Ok(if open { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Helper for Words {}
