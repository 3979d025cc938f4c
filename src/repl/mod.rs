//! A session: items, statements and expressions on the same compiler, an entry at a time.
//!
//! | file | what |
//! |---|---|
//! | `session` | what was entered, and what an entry does |
//! | `value` | an expression's value or type |
//! | `show` | values as text |
//! | `commands` | what starts with `:` |
//! | `training` | `:train` and `:params` |
//! | `complete` | how a word may go on |
//! | `editor` | lines of a terminal: the only place that knows rustyline |

pub mod commands;
pub mod complete;
pub mod editor;
pub mod session;
pub mod show;
mod training;
mod value;

use crate::diagnostic::{Diagnostic, Severity, draw, harmless};
use crate::source::Sources;
use crate::syntax::{self, Open};
use std::io::Write;

/// Where a session speaks, and what may end what it does.
pub struct Console<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Everything else.
    pub err: &'a mut dyn Write,
    pub colour: bool,
    /// Whether progress is drawn on standard error, live where that is a terminal; else it is said like everything else.
    pub live: bool,
    /// Whether what is going on is to end: reading, a check, a computation, a training.
    pub stop: fn() -> bool,
}

/// Whether an entry goes on in the next line: something is open, and no empty line ends it. In a body empty lines are
/// usual, and two of them end it.
pub fn is_open(entry: &str) -> bool {
    if entry.trim_start().starts_with(':') {
        return false;
    }
    let empty = entry.split('\n').rev().take_while(|line| line.trim().is_empty()).count();
    match syntax::open(entry) {
        Some(Open::Body) => empty < 2,
        Some(Open::Rest) => empty < 1,
        None => false,
    }
}

/// What came of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Fine,
    Wrong,
    Quit,
}

/// Nobody may be listening; that is no mistake of an entry's.
impl Console<'_> {
    /// A result, with its line break if it has text.
    pub fn tell(&mut self, text: &str) {
        let _ = self.out.write_all(harmless(text).as_bytes());
        if !text.is_empty() && !text.ends_with('\n') {
            let _ = self.out.write_all(b"\n");
        }
        let _ = self.out.flush();
    }

    /// A line beside the results.
    pub fn note(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    pub fn complain(&mut self, message: &str) -> Outcome {
        self.note(&format!("error: {message}"));
        Outcome::Wrong
    }

    /// What is wrong; of an entry that was interrupted, that alone.
    pub fn draw(&mut self, found: &[Diagnostic], sources: &Sources) -> Outcome {
        if (self.stop)() && found.iter().any(|found| found.severity == Severity::Error) {
            return self.complain("interrupted");
        }
        for diagnostic in found {
            let _ = self.err.write_all(draw(diagnostic, sources, self.colour).as_bytes());
        }
        Outcome::Wrong
    }
}
