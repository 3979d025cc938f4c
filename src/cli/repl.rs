//! `mlx repl [FILE]`

use super::load::complain;
use super::{FAILED, WRONG};
use crate::repl::complete::Known;
use crate::repl::editor::{Editor, Line};
use crate::repl::session::Session;
use crate::repl::{Console, Outcome, is_open};
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(clap::Args)]
pub struct Repl {
    /// A file to begin with
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Set by Ctrl-C outside of the prompt: what is computed or trained ends.
static INTERRUPT: AtomicBool = AtomicBool::new(false);

pub fn run(arguments: &Repl) -> ExitCode {
    // What cannot be ended yet is ended with the program, by a second Ctrl-C.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPT.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(super::INTERRUPTED));
        }
    });
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let colour = err.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let stop = || INTERRUPT.load(Ordering::Relaxed);
    let mut console = Console { out: &mut out, err: &mut err, colour, stop: &stop };
    let mut session = Session::default();
    let loaded = arguments.file.as_deref().map_or(Outcome::Fine, |file| session.load(file, &mut console));
    if terminal {
        return interactive(&mut session, &mut console);
    }
    // Whoever reads a script's results wants them all right or a status that says otherwise.
    if loaded == Outcome::Wrong {
        return ExitCode::from(WRONG);
    }
    lines(&mut session, &mut console)
}

fn interactive(session: &mut Session, console: &mut Console) -> ExitCode {
    let mut editor = match Editor::new() {
        Ok(editor) => editor,
        Err(message) => {
            complain(&message);
            return ExitCode::from(FAILED);
        }
    };
    console.tell(&format!("mlx {}; `:help` says what may be entered", env!("CARGO_PKG_VERSION")));
    loop {
        match editor.read(Known { names: session.names(), trains: session.trains() }) {
            Line::Entry(entry) => {
                INTERRUPT.store(false, Ordering::Relaxed);
                if session.enter(&entry, console) == Outcome::Quit {
                    return ExitCode::SUCCESS;
                }
            }
            Line::Cleared => {}
            Line::End => return ExitCode::SUCCESS,
        }
    }
}

/// Entries from a pipe or a file.
fn lines(session: &mut Session, console: &mut Console) -> ExitCode {
    let mut wrong = false;
    let mut entry = String::new();
    let mut all = std::io::stdin().lock().lines();
    loop {
        let line = match all.next() {
            Some(Ok(line)) => Some(line),
            Some(Err(_)) => {
                complain("standard input is not UTF-8 text");
                return ExitCode::from(WRONG);
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
        if ended || INTERRUPT.load(Ordering::Relaxed) {
            break;
        }
    }
    if INTERRUPT.load(Ordering::Relaxed) {
        return ExitCode::from(super::INTERRUPTED);
    }
    if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS }
}
