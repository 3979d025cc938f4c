//! The command line: one file a command.

mod check;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The program, its data or a file that it needs is wrong or missing.
const WRONG: u8 = 1;

#[derive(Parser)]
#[command(name = "mlx", version, about = "A declarative language for machine-learning models")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find the mistakes of files without running them (syntax and names, for now)
    Check(check::Check),
}

pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
    }
}
