//! `mlx repl [FILE]`

use super::load::{complain, print};
use super::{FAILED, MISUSED, WRONG, colour};
use crate::interrupt;
use crate::repl::complete::Known;
use crate::repl::editor::{Editor, Line};
use crate::repl::session::Session;
use crate::repl::{Console, Outcome, is_open};
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Repl {
    /// A file to begin with
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Give a `let` of the file another value
    #[arg(long, value_name = "NAME=VALUE", requires = "file")]
    set: Vec<String>,
}

/// Standard output, and whether results were lost on it.
#[derive(Default)]
struct Results {
    lost: bool,
}

impl Write for Results {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.lost |= print(&String::from_utf8_lossy(bytes)).is_err();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn run(arguments: &Repl) -> ExitCode {
    interrupt::watch();
    let (mut out, mut err) = (Results::default(), std::io::stderr());
    let mut console =
        Console { out: &mut out, err: &mut err, colour: colour::wanted(), live: true, stop: interrupt::asked };
    let status = session(arguments, &mut console);
    ExitCode::from(if out.lost { FAILED } else { status })
}

fn session(arguments: &Repl, console: &mut Console) -> u8 {
    let mut session = Session::default();
    let mut loaded = arguments.file.as_deref().map_or(Outcome::Fine, |file| session.load(file, console));
    for set in &arguments.set {
        match session.set(set, console) {
            Ok(Outcome::Wrong) => loaded = Outcome::Wrong,
            Ok(Outcome::Fine | Outcome::Quit) => {}
            Err(message) => {
                complain(&message);
                return MISUSED;
            }
        }
    }
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return interactive(&mut session, console);
    }
    // Whoever reads a script's results wants them all right or a status that says otherwise.
    if loaded == Outcome::Wrong {
        return WRONG;
    }
    lines(&mut session, console)
}

fn interactive(session: &mut Session, console: &mut Console) -> u8 {
    let mut editor = match Editor::new() {
        Ok(editor) => editor,
        Err(message) => {
            complain(&message);
            return FAILED;
        }
    };
    console.tell(&format!("mlx {}; `:help` says what may be entered", env!("CARGO_PKG_VERSION")));
    loop {
        interrupt::waits(true);
        let line = editor.read(Known { names: session.names(), trains: session.trains() });
        interrupt::waits(false);
        match line {
            Line::Entry(entry) => {
                interrupt::watch();
                if session.enter(&entry, console) == Outcome::Quit {
                    return 0;
                }
            }
            Line::Cleared => {}
            Line::End => return 0,
        }
    }
}

/// Entries from a pipe or a file.
fn lines(session: &mut Session, console: &mut Console) -> u8 {
    let mut wrong = false;
    let mut entry = String::new();
    let mut all = std::io::stdin().lock().lines();
    loop {
        let line = match all.next() {
            Some(Ok(line)) => Some(line),
            Some(Err(_)) => {
                complain("standard input is not UTF-8 text");
                return WRONG;
            }
            None => None,
        };
        let ended = line.is_none();
        if let Some(line) = line {
            entry.push_str(&line);
            if is_open(&entry) {
                entry.push('\n');
                continue;
            }
        }
        match session.enter(&std::mem::take(&mut entry), console) {
            Outcome::Fine => {}
            Outcome::Wrong => wrong = true,
            Outcome::Quit => break,
        }
        if ended || interrupt::asked() {
            break;
        }
    }
    if interrupt::asked() {
        return interrupt::STATUS;
    }
    if wrong { WRONG } else { 0 }
}
