//! `mlx explain CODE`

use super::MISUSED;
use super::load::complain;
use crate::diagnostic::codes::{explain, pages};
use std::io::Write;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Explain {
    /// The code of a diagnostic, such as E0203
    code: String,
}

pub fn run(arguments: &Explain) -> ExitCode {
    match explain(&arguments.code) {
        Some(text) => {
            let _ = write!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        None => {
            let codes: Vec<&str> = pages().map(|(code, _)| code).collect();
            complain(&format!("there is no code `{}`; there are {}", arguments.code, codes.join(", ")));
            ExitCode::from(MISUSED)
        }
    }
}
