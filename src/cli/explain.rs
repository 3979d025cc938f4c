//! `mlx explain CODE`

use super::MISUSED;
use super::load::{complain, print};
use crate::diagnostic::codes::{explain, pages};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Explain {
    /// The code of a diagnostic, such as E0203
    code: String,
}

pub fn run(arguments: &Explain) -> ExitCode {
    match explain(&arguments.code) {
        Some(text) => print(text).map_or_else(ExitCode::from, |()| ExitCode::SUCCESS),
        None => {
            complain(&format!("there is no code `{}`; near it are\n{}", arguments.code, near(&arguments.code)));
            ExitCode::from(MISUSED)
        }
    }
}

/// The titles of the nearest codes.
fn near(code: &str) -> String {
    let code = code.to_uppercase();
    let mut titles: Vec<(usize, &str)> = pages()
        .map(|(known, page)| (strsim::damerau_levenshtein(&code, known), page.lines().next().unwrap_or(known)))
        .collect();
    titles.sort_unstable();
    let lines: Vec<String> = titles.iter().take(5).map(|(_, title)| title.replacen('#', " ", 1)).collect();
    lines.join("\n")
}
