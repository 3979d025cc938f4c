//! `mlx check FILE…`

use super::WRONG;
use crate::diagnostic::{Diagnostic, Severity, draw, json};
use crate::source::{Sources, Span};
use crate::{check, io};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Check {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print each diagnostic as a JSON object on standard output
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Check) -> ExitCode {
    let mut wrong = false;
    for path in &arguments.files {
        let mut sources = Sources::default();
        for diagnostic in diagnose(path, &mut sources) {
            wrong |= diagnostic.severity == Severity::Error;
            // A reader that has gone away (`| head`) is no mistake of the file's.
            let _ = if arguments.json {
                writeln!(std::io::stdout(), "{}", json(&diagnostic, &sources))
            } else {
                let mut out = std::io::stderr();
                let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
                write!(out, "{}", draw(&diagnostic, &sources, colour))
            };
        }
    }
    if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS }
}

fn diagnose(path: &std::path::Path, sources: &mut Sources) -> Vec<Diagnostic> {
    let name = path.display().to_string();
    let bytes = match io::read(path) {
        Ok(bytes) => bytes,
        Err(failure) => return vec![failure],
    };
    match String::from_utf8(bytes) {
        Ok(text) => {
            let id = sources.add(name, text);
            check::surface(sources, id)
        }
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            let span = Span::new(sources.add(name, text), valid, valid);
            let found = Diagnostic::error("E0106", "the file is not UTF-8 text", span, "what follows is no character");
            vec![found.help("save it as UTF-8")]
        }
    }
}
