//! `mlx check FILE…`

use super::WRONG;
use super::load::{load, print, show};
use crate::diagnostic::{Severity, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Check {
    /// The `.mlx` files
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
    for path in &arguments.files {
        let loaded = match load(path, &arguments.set) {
            Ok(loaded) => loaded,
            Err(status) => return ExitCode::from(status),
        };
        for diagnostic in &loaded.checked.found {
            wrong |= diagnostic.severity == Severity::Error;
            if arguments.json {
                if let Err(status) = print(&format!("{}\n", json(diagnostic, &loaded.sources))) {
                    return ExitCode::from(status);
                }
            } else {
                show(diagnostic, &loaded.sources);
            }
        }
    }
    if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS }
}
