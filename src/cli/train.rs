//! `mlx train FILE [NAME]`

use super::load::{complain, load, lowered, print, program, show, wanted, weights_of};
use super::{FAILED, MISUSED, WRONG};
use crate::check::program::{Length, Set, TypedProgram};
use crate::interrupt;
use crate::lower::program::Program as Lowered;
use crate::progress::{Progress, say, table};
use crate::run::events::{Event, Reason};
use crate::run::schedule::Schedule;
use crate::run::steps::SPLITS;
use crate::source::Sources;
use crate::train::begin;
use crate::train::driver::{self, Failure, Outcome, Training};
use crate::train::saving::Saved;
use crate::train::weights::{self, Weights};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Train {
    /// The `.mlx` file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The `train` block, where the file has several
    name: Option<String>,
    /// Give a `let` of the file another value
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The folder of the run [default: runs/<file>-<train>-<n>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over the run that the folder of `--out` holds
    #[arg(long)]
    overwrite: bool,
    /// The run whose weights `from NAME` begins with [default: the newest finished one under runs]
    #[arg(long, value_name = "NAME=DIR")]
    from: Vec<String>,
    /// Train every `train` block, in the order of the file
    #[arg(long, conflicts_with_all = ["name", "out", "init"])]
    all: bool,
    /// Start from these weights
    #[arg(long, value_name = "W.safetensors")]
    init: Option<PathBuf>,
    /// The seed of the training; splits keep theirs
    #[arg(long)]
    seed: Option<u64>,
    /// How many steps to take
    #[arg(long, conflicts_with = "epochs", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// How many epochs to train
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// Where to train; there is only `cpu` yet
    #[arg(long, hide = true)]
    device: Option<String>,
    /// How many threads compute [default: as many as there are processors]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=256))]
    threads: Option<u64>,
    #[arg(long, hide = true)]
    resume: bool,
    /// Print each event as a JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Print no progress
    #[arg(long)]
    quiet: bool,
}

/// Bytes of a step's memory from which on it is told what lies there.
const WORTH_A_WORD: u64 = 1 << 20;

pub fn run(arguments: &Train) -> ExitCode {
    let done = if arguments.all { every_block(arguments) } else { train(arguments, arguments.name.as_deref()) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

/// All blocks, one after the other: a later one may begin from what an earlier one has left.
fn every_block(arguments: &Train) -> Result<(), u8> {
    let trains = load(&arguments.file, &arguments.set)?.checked.trains;
    if trains.is_empty() {
        return train(arguments, None);
    }
    trains.iter().try_for_each(|name| {
        if !arguments.quiet && !arguments.json {
            say(&format!("train {name}"));
        }
        train(arguments, Some(name))
    })
}

/// The folders of `--from`, by the names of their blocks.
fn folders(arguments: &Train, trains: &[String]) -> Result<BTreeMap<String, PathBuf>, u8> {
    let mut all = BTreeMap::new();
    for from in &arguments.from {
        let Some((name, folder)) = from.split_once('=') else {
            complain(&format!("expected `--from NAME=DIR`, found `--from {from}`"));
            return Err(MISUSED);
        };
        if !trains.iter().any(|train| train == name) {
            complain(&format!("cannot find `train` block `{name}`; there are: {}", trains.join(", ")));
            return Err(MISUSED);
        }
        all.insert(name.to_string(), PathBuf::from(folder));
    }
    Ok(all)
}

fn train(arguments: &Train, name: Option<&str>) -> Result<(), u8> {
    let planned = [
        (arguments.device.as_ref().is_some_and(|device| device != "cpu"), "another `--device` than `cpu`"),
        (arguments.resume, "`--resume`"),
    ];
    if let Some((_, what)) = planned.into_iter().find(|(asked, _)| *asked) {
        complain(&format!("{what} is not supported yet"));
        return Err(MISUSED);
    }
    let mut loaded = load(&arguments.file, &arguments.set)?;
    let folders = folders(arguments, &loaded.checked.trains)?;
    let program = program(&mut loaded, name)?;
    let lowered = lowered(&program)?;
    let start = arguments.init.as_deref().map(|path| initial(path, &lowered)).transpose()?;
    let Some(data) = loaded.files.open(&program.data) else {
        complain("the data could not be read");
        return Err(WRONG);
    };
    let begin = begin::begin(&program, &lowered, &arguments.file, Path::new("runs"), &folders).map_err(|wrong| {
        show(&wrong, &loaded.sources);
        WRONG
    })?;
    let training = Training {
        program: &program,
        lowered: &lowered,
        data: &data,
        schedule: schedule(arguments, &program),
        start: start.as_ref(),
        begin: &begin,
        file: &arguments.file,
        source: &loaded.hash,
        out: arguments.out.as_deref(),
        overwrite: arguments.overwrite,
        save_every: driver::SAVE_EVERY,
    };
    interrupt::watch();
    let mut progress = (!arguments.quiet && !arguments.json).then(|| progress(&training));
    let mut tell = |event: &Event| {
        if arguments.json {
            let _ = writeln!(std::io::stdout(), "{}", event.line());
        }
        if let (Event::Start { parameters, arena_bytes, memory, .. }, Some(_)) = (event, &progress) {
            let pairs: String = data.pairs().iter().map(|pair| format!("; {pair}")).collect();
            let seen = match program.data.is_missing() {
                true => program.name.clone(),
                false => program.data.sets.iter().filter(|set| !set.lends).map(rows).collect::<Vec<_>>().join("; "),
            };
            say(&format!("{seen}; {parameters} parameters{pairs}"));
            if *arena_bytes >= WORTH_A_WORD {
                say(&format!("memory of a step: {memory}"));
            }
        }
        progress.iter_mut().for_each(|progress| progress.tell(event));
    };
    let Ended { outcome, status } = to_its_end(&training, &loaded.sources, &mut tell)?;
    let printed = match outcome.weights.path().filter(|_| !arguments.json) {
        Some(weights) => print(&format!("{}weights: {}\n", table(&outcome.finals), weights.display())),
        None => Ok(()),
    };
    match (status, outcome.reason) {
        (Some(status), _) => Err(status),
        (None, Reason::Interrupted) => {
            if !arguments.quiet && !arguments.json {
                say("interrupted; the weights are those of the last finished step");
            }
            Err(interrupt::STATUS)
        }
        (None, Reason::Done | Reason::Stopped | Reason::Failed) => printed,
    }
}

/// How a run ended, and the exit status of what went wrong in it.
pub struct Ended {
    pub outcome: Outcome,
    pub status: Option<u8>,
}

/// Shows how a run failed; the status that says so.
pub fn failed(failure: &Failure, sources: &Sources) -> u8 {
    match failure {
        Failure::Diagnostic(wrong) => {
            show(wrong, sources);
            FAILED
        }
        Failure::Refused(wrong) => {
            show(wrong, sources);
            MISUSED
        }
        Failure::Message(message) => {
            complain(message);
            FAILED
        }
    }
}

/// Trains; what goes wrong is shown. The error is the status of a run that did not begin.
pub fn to_its_end(training: &Training, sources: &Sources, tell: &mut dyn FnMut(&Event)) -> Result<Ended, u8> {
    let failed = |failure: &Failure| failed(failure, sources);
    let outcome = driver::train(training, interrupt::asked, tell).map_err(|failure| failed(&failure))?;
    let status = outcome.failure.as_ref().map(failed);
    match &outcome.weights {
        Saved::There(_) => {}
        Saved::Elsewhere(path) => {
            say(&format!("the folder of the run could not be written: its last weights are in `{}`", path.display()));
        }
        Saved::Nowhere(wrong) => say(&format!("the last weights are lost: {}", wrong.message)),
    }
    outcome.not_finite.iter().for_each(|warning| show(warning, sources));
    Ok(Ended { outcome, status })
}

/// Weights to start from; every tensor that does not fit is listed.
fn initial(path: &Path, lowered: &Lowered) -> Result<Weights, u8> {
    let weights = weights_of(path)?;
    let wanted = wanted(lowered, &weights);
    weights::fits(&path.display().to_string(), &weights, &wanted, None).map_err(|wrong| {
        show(&wrong, &Sources::default());
        WRONG
    })?;
    Ok(weights)
}

/// What the file says, and the command line over it.
fn schedule(arguments: &Train, program: &TypedProgram) -> Schedule {
    let length = match (arguments.steps, arguments.epochs) {
        (Some(steps), _) => Length::Steps(steps),
        (None, Some(epochs)) => Length::Epochs(epochs),
        (None, None) => program.run.length,
    };
    let planned = Schedule::of(program, length);
    let threads = arguments.threads.map_or(planned.threads, |threads| threads as usize);
    Schedule { seed: arguments.seed.unwrap_or(planned.seed), threads, ..planned }
}

pub fn progress(training: &Training) -> Progress {
    let Schedule { steps, epochs, batch, .. } = training.schedule;
    Progress::new(steps, (batch < training.program.data.rows()[0]).then_some(epochs))
}

/// `diabetes: 354 train, 88 test rows`
fn rows(set: &Set) -> String {
    let splits = SPLITS.iter().zip(set.rows).filter(|(_, rows)| *rows > 0);
    let splits: Vec<String> = splits.map(|(split, rows)| format!("{rows} {split}")).collect();
    format!("{}: {} rows", set.name, splits.join(", "))
}
