//! The command line: one file a command.

mod bench;
mod check;
mod colour;
mod diff;
mod doc;
mod eval;
mod explain;
mod fmt;
mod kernels;
mod load;
mod machine;
mod new;
mod predict;
mod repl;
mod summary;
mod sweep;
mod train;

use crate::diagnostic::nearest;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;

/// The program, its data or a file that it needs is wrong or missing.
const WRONG: u8 = 1;
/// The command line is wrong.
const MISUSED: u8 = 2;
/// The run failed.
const FAILED: u8 = 3;

#[derive(Parser)]
#[command(name = "mlx", version, about = "A declarative language for machine-learning models")]
struct Arguments {
    /// Colour what is drawn; `auto` does so on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        display_order = 100
    )]
    color: clap::ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train the model of a file
    Train(train::Train),
    /// Evaluate trained weights on the splits of the data
    Eval(eval::Eval),
    /// Apply trained weights to new rows
    Predict(predict::Predict),
    /// Find the mistakes of files without running them
    Check(check::Check),
    /// Show the parameters of a model, and what a step costs
    Summary(summary::Summary),
    /// Train every point of a `sweep`
    Sweep(sweep::Sweep),
    /// Measure a step, whole and by kernel
    Bench(bench::Bench),
    /// Try the language, a model or its data, an entry at a time
    Repl(repl::Repl),
    /// Lay files out in the one way
    Fmt(fmt::Fmt),
    /// Explain what the standard library has
    Doc(doc::Doc),
    /// Explain the code of a diagnostic
    Explain(explain::Explain),
    /// Write a file to begin with
    New(new::New),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Planned commands, not supported yet
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// Commands that are planned. Each answers so in one line.
const LATER: [&str; 7] = ["generate", "graph", "plot", "report", "export", "lsp", "devices"];

fn other(words: &[String]) -> ExitCode {
    let word = words.first().map_or("", String::as_str);
    if LATER.contains(&word) {
        load::complain(&format!("`mlx {word}` is not supported yet"));
    } else {
        let commands: Vec<String> = Arguments::command().get_subcommands().map(|one| one.get_name().into()).collect();
        let advice = match nearest(word, commands.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `mlx {near}`?"),
            None => "`mlx --help` lists them".to_string(),
        };
        load::complain(&format!("there is no command `{word}`; {advice}"));
    }
    ExitCode::from(MISUSED)
}

pub fn main() -> ExitCode {
    let started = std::time::Instant::now();
    let given = Arguments::command().color(colour::asked(std::env::args_os())).get_matches();
    let Arguments { color, command } = match Arguments::from_arg_matches(&given) {
        Ok(arguments) => arguments,
        Err(wrong) => wrong.exit(),
    };
    colour::choose(color);
    match command {
        Command::Train(arguments) => train::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Summary(arguments) => summary::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments, started),
        Command::Repl(arguments) => repl::run(&arguments),
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Doc(arguments) => doc::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "mlx", &mut text);
            load::print(&String::from_utf8_lossy(&text)).map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
        }
        Command::Other(words) => other(&words),
    }
}
