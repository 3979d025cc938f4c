//! `mlx eval FILE [NAME] --weights W`

use super::load::{Rows, Trained, changed, complain, print, show, trained};
use super::{MISUSED, WRONG};
use crate::progress::table;
use crate::run::error::RunError;
use crate::run::schedule::Schedule;
use crate::run::steps::{Run, SPLITS};
use crate::train::driver;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Eval {
    /// The `.mlx` file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The `train` block, where the file has several
    name: Option<String>,
    /// The weights of a run; the data must have the classes that they were trained with
    #[arg(long, value_name = "W.safetensors")]
    weights: PathBuf,
    /// Only this split
    #[arg(long)]
    split: Option<String>,
    /// Give a `let` of the file another value than the weights were trained with
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Print each split's numbers as a JSON object on standard output
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Eval) -> ExitCode {
    match eval(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn eval(arguments: &Eval) -> Result<(), u8> {
    if let Some(split) = arguments.split.as_deref().filter(|split| !SPLITS.contains(split)) {
        complain(&format!("there is no split `{split}`; there are {}", SPLITS.join(", ")));
        return Err(MISUSED);
    }
    let Trained { loaded, program, lowered, weights, identity } =
        trained(&arguments.file, arguments.name.as_deref(), &arguments.weights, &arguments.set, Rows::Own)?;
    let Some(data) = loaded.files.open(&program.data) else {
        complain("the data could not be read");
        return Err(WRONG);
    };
    let trained_on = identity.data.as_ref().and_then(|data| data.sha256.as_ref());
    if let (Some(file), Some(trained_on)) = (data.files.first(), trained_on)
        && data.sha256().as_ref() != Some(trained_on)
    {
        let weights = arguments.weights.display().to_string();
        show(&changed(&file.path, &weights, "rows of any split may be among those trained on"), &loaded.sources);
    }
    let failed = |error: RunError| super::train::failed(&driver::told(error, &program, &lowered), &loaded.sources);
    let mut run =
        Run::with_fits(&lowered, Schedule::of(&program, program.run.length), &data, &identity.fits).map_err(failed)?;
    run.write_weights(&weights.tensors);
    run.is_calibrated();
    run.step = identity.steps;
    let mut events = Vec::new();
    for split in SPLITS.iter().filter(|split| arguments.split.as_deref().is_none_or(|wanted| wanted == **split)) {
        events.extend(run.evaluate(split).map_err(failed)?);
    }
    if events.is_empty() {
        complain("the split has no rows");
        return Err(WRONG);
    }
    if arguments.json {
        print(&events.iter().map(|event| event.line() + "\n").collect::<String>())
    } else {
        print(&table(&events))
    }
}
