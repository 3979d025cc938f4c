//! `mlx new NAME`

use super::load::{complain, show};
use super::{MISUSED, WRONG};
use crate::io;
use crate::source::Sources;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct New {
    /// What the file is called: NAME.mlx
    name: String,
}

/// A file that trains as it stands.
const TEMPLATE: &str = include_str!("new.mlx");

pub fn run(arguments: &New) -> ExitCode {
    let name = arguments.name.trim_end_matches(".mlx");
    if name.is_empty() || name.contains(['/', '\\']) {
        complain("a new file has a name without a folder: `mlx new digits`");
        return ExitCode::from(MISUSED);
    }
    let file = format!("{name}.mlx");
    if io::exists(Path::new(&file)) {
        complain(&format!("`{file}` is there already"));
        return ExitCode::from(WRONG);
    }
    match io::write(Path::new(&file), TEMPLATE.as_bytes()) {
        Ok(()) => {
            let _ = writeln!(std::io::stdout(), "{file}: train it with `mlx train {file}`");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            show(&wrong, &Sources::default());
            ExitCode::from(super::FAILED)
        }
    }
}
