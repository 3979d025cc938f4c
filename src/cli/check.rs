//! `mlx check FILE…`

use super::WRONG;
use super::load::{load, print, show_all};
use crate::diagnostic::{Severity, json};
use crate::io;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Check {
    /// The `.mlx` files; of a folder, all that are in it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print each diagnostic as a JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Give a `let` of the file another value
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

pub fn run(arguments: &Check) -> ExitCode {
    let mut wrong = false;
    for path in io::files_in(&arguments.files, "mlx") {
        let loaded = match load(&path, &arguments.set) {
            Ok(loaded) => loaded,
            Err(status) => return ExitCode::from(status),
        };
        let found = &loaded.checked.found;
        wrong |= found.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        if !arguments.json {
            show_all(found, &loaded.sources);
            continue;
        }
        for diagnostic in found {
            if let Err(status) = print(&format!("{}\n", json(diagnostic, &loaded.sources))) {
                return ExitCode::from(status);
            }
        }
    }
    if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS }
}
