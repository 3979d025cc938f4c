//! `mlx train FILE [NAME]`

use super::load::{Loaded, complain, load, program, show};
use super::{FAILED, INTERRUPTED, MISUSED, WRONG};
use crate::check::program::{Length, Program};
use crate::compile;
use crate::diagnostic::Diagnostic;
use crate::io;
use crate::lower::program::Program as Lowered;
use crate::source::Sources;
use crate::train::events::{Event, Reason};
use crate::train::identity::{self, Identity};
use crate::train::memory;
use crate::train::record::{self, Metrics, Record};
use crate::train::run::{Run, Schedule, Trouble};
use crate::train::schedule;
use crate::train::table::{shown, table};
use crate::train::weights::{self, Weights};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Train {
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

/// Set by Ctrl-C: the run ends after the step that it is in.
static INTERRUPT: AtomicBool = AtomicBool::new(false);

pub fn run(arguments: &Train) -> ExitCode {
    match train(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn train(arguments: &Train) -> Result<(), u8> {
    let started = Instant::now();
    let planned = [
        (arguments.device.as_ref().is_some_and(|device| device != "cpu"), "another `--device` than `cpu`"),
        (arguments.resume, "`--resume`"),
    ];
    if let Some((_, what)) = planned.into_iter().find(|(asked, _)| *asked) {
        complain(&format!("{what} is not built yet"));
        return Err(MISUSED);
    }
    let mut loaded = load(&arguments.file, &arguments.set)?;
    let program = program(&mut loaded, arguments.name.as_deref())?;
    let lowered = lowered(&program)?;
    let init = arguments.init.as_deref().map(|path| initial(path, &lowered)).transpose().map_err(|wrong| {
        show(&wrong, &loaded.sources);
        WRONG
    })?;
    let Some(data) = loaded.files.open(&program.data) else {
        complain("the data could not be read");
        return Err(WRONG);
    };
    let schedule = schedule_of(arguments, &program);
    let mut run = Run::new(&lowered, schedule, &data).map_err(failed)?;
    if let Some(weights) = &init {
        run.start_from(weights);
    }
    // Without a handler Ctrl-C ends the program at once, which loses the run but nothing else.
    let _ = ctrlc::set_handler(|| INTERRUPT.store(true, Ordering::Relaxed));
    let folder = folder(arguments, &program).map_err(|wrong| unwritable(&wrong, &loaded))?;
    let metrics = Metrics::open(&folder).map_err(|wrong| unwritable(&wrong, &loaded))?;
    let mut teller =
        Teller { metrics, json: arguments.json, quiet: arguments.quiet, steps: schedule.steps, failure: None };

    announce(&program, &lowered, &run, &mut teller);
    let (reason, trouble) = steps(&mut run, schedule, &mut teller);
    let finals = finals(&mut run, reason, &mut teller).map_err(failed)?;
    let identity = Identity {
        train: program.name.clone(),
        source: loaded.hash.clone(),
        settings: identity::settings(&program),
        seed: schedule.seed,
        steps: run.step,
        fits: run.fits().into_iter().map(|(name, tensor)| (name, tensor.clone())).collect(),
        classes: data.classes.clone(),
    };
    let weights = Weights { tensors: run.weights(), meta: identity.to_json() };
    save(&folder, &weights).map_err(|wrong| unwritable(&wrong, &loaded))?;
    let seconds = started.elapsed().as_secs_f64();
    teller.tell(&Event::End { step: run.step, reason, seconds, peak_rss_bytes: io::peak_memory() });
    let record = Record {
        file: arguments.file.display().to_string(),
        train: program.name.clone(),
        source: loaded.hash.clone(),
        hyperparameters: identity.settings,
        seed: schedule.seed,
        device: "cpu".into(),
        versions: BTreeMap::from([("mlx".to_string(), env!("CARGO_PKG_VERSION").to_string())]),
        data: data.file.into_iter().cloned().collect(),
        parameters: parameters(&lowered),
        peak_memory: io::peak_memory(),
        wall_seconds: seconds,
        steps: run.step,
        metrics: finals.iter().filter_map(named).collect(),
        reason: reason.name().to_string(),
    };
    record::write(&folder, &record).map_err(|wrong| unwritable(&wrong, &loaded))?;
    if let Some(wrong) = teller.failure {
        return Err(unwritable(&wrong, &loaded));
    }
    if !arguments.json {
        let _ = write!(std::io::stdout(), "{}", if finals.is_empty() { String::new() } else { table(&finals) });
        let _ = writeln!(std::io::stdout(), "weights: {}", folder.join("last.safetensors").display());
    }
    match (trouble, reason) {
        (Some(trouble), _) => Err(not_finite(trouble, &lowered, &program, &loaded.sources)),
        (None, Reason::Interrupted) => Err(INTERRUPTED),
        (None, Reason::Done | Reason::Stopped | Reason::Failed) => Ok(()),
    }
}

/// The graph of a checked program, which fits into the machine.
pub fn lowered(program: &Program) -> Result<Lowered, u8> {
    let lowered = compile::lower(program).map_err(|broken| {
        complain(&format!("this is a mistake of mlx itself, please report it: {broken}"));
        FAILED
    })?;
    let most = program.data.rows.iter().max().copied().unwrap_or(0);
    memory::refuse(&lowered, most).map_err(|message| {
        complain(&message);
        WRONG
    })?;
    Ok(lowered)
}

fn failed(trouble: Trouble) -> u8 {
    complain(&trouble.message);
    FAILED
}

/// A number that is not finite, drawn where it was made.
fn not_finite(trouble: Trouble, lowered: &Lowered, program: &Program, sources: &Sources) -> u8 {
    match trouble.drawn(lowered, program) {
        Some(wrong) => show(&wrong, sources),
        None => complain(&trouble.message),
    }
    FAILED
}

fn unwritable(wrong: &Diagnostic, loaded: &Loaded) -> u8 {
    show(wrong, &loaded.sources);
    FAILED
}

/// Weights to start from; every tensor that does not fit is listed.
fn initial(path: &Path, lowered: &Lowered) -> Result<Weights, Diagnostic> {
    let name = path.display().to_string();
    let weights = weights::from_bytes(&name, &io::read(path)?, None)?;
    let wanted = lowered.params.iter().map(|param| (param.path.clone(), param.shape.clone())).collect();
    weights::fits(&name, &weights, &wanted, None)?;
    Ok(weights)
}

/// What the file says, and the command line over it.
fn schedule_of(arguments: &Train, program: &Program) -> Schedule {
    let length = match (arguments.steps, arguments.epochs) {
        (Some(steps), _) => Length::Steps(steps),
        (None, Some(epochs)) => Length::Epochs(epochs),
        (None, None) => program.plan.length,
    };
    let planned = schedule::planned(program, length);
    let threads = arguments.threads.map_or(planned.threads, |threads| threads as usize);
    Schedule { seed: arguments.seed.unwrap_or(planned.seed), threads, ..planned }
}

fn folder(arguments: &Train, program: &Program) -> Result<PathBuf, Diagnostic> {
    match &arguments.out {
        Some(folder) => io::create_folder(folder).map(|()| folder.clone()),
        None => record::new_folder(Path::new("runs"), &arguments.file, &program.name),
    }
}

/// Takes the steps; why they ended, and what went wrong if something did.
fn steps(run: &mut Run, schedule: Schedule, teller: &mut Teller) -> (Reason, Option<Trouble>) {
    while run.step < schedule.steps {
        if INTERRUPT.load(Ordering::Relaxed) {
            return (Reason::Interrupted, None);
        }
        match run.take_step() {
            Ok(event) => teller.tell(&event),
            Err(trouble) => return (Reason::Failed, Some(trouble)),
        }
        // After the last step all splits are evaluated.
        let due = if run.ends_epoch() && run.step < schedule.steps { &["train", "valid"][..] } else { &[] };
        for split in due {
            match run.evaluate(split) {
                Ok(event) => event.iter().for_each(|event| teller.tell(event)),
                Err(trouble) => return (Reason::Failed, Some(trouble)),
            }
        }
        if teller.failure.is_some() {
            return (Reason::Failed, None);
        }
    }
    (Reason::Done, None)
}

/// Loss and reports of every split by the last weights.
fn finals(run: &mut Run, reason: Reason, teller: &mut Teller) -> Result<Vec<Event>, Trouble> {
    if reason == Reason::Failed {
        return Ok(Vec::new());
    }
    let mut events = Vec::new();
    for (split, _) in run.rows() {
        events.extend(run.evaluate(split)?);
    }
    events.iter().for_each(|event| teller.tell(event));
    Ok(events)
}

fn save(folder: &Path, weights: &Weights) -> Result<(), Diagnostic> {
    let bytes = weights::to_bytes(weights).map_err(|error| {
        io::failure(io::UNWRITABLE, "write", &folder.join("last.safetensors"), &std::io::Error::other(error))
    })?;
    io::write(&folder.join("last.safetensors"), &bytes)?;
    // Until a file says what to keep, the best weights are the last.
    io::write(&folder.join("best.safetensors"), &bytes)
}

pub fn parameters(lowered: &Lowered) -> u64 {
    lowered.params.iter().map(|param| param.shape.iter().product::<usize>() as u64).sum()
}

fn announce(program: &Program, lowered: &Lowered, run: &Run, teller: &mut Teller) {
    let arena_bytes = run.plan().arena as u64 * 4;
    let parameters = parameters(lowered);
    teller.tell(&Event::Start { parameters, arena_bytes, steps: teller.steps, device: "cpu".into() });
    let rows: Vec<String> = run.rows().iter().map(|(split, rows)| format!("{rows} {split}")).collect();
    teller.say(&format!("{}: {} rows; {parameters} parameters", program.data.name, rows.join(", ")));
}

/// Events to wherever they are wanted.
struct Teller {
    metrics: Metrics,
    json: bool,
    quiet: bool,
    steps: u64,
    /// Why `metrics.jsonl` could not be written.
    failure: Option<Diagnostic>,
}

impl Teller {
    fn tell(&mut self, event: &Event) {
        if let Err(wrong) = self.metrics.add(event) {
            self.failure.get_or_insert(wrong);
        }
        if self.json {
            let _ = writeln!(std::io::stdout(), "{}", event.line());
        }
        if let Event::Step { step, loss, .. } = event {
            // Ten lines, the first and the last step among them.
            if *step == 1 || step % self.steps.div_ceil(10) == 0 || *step == self.steps {
                self.say(&format!("step {step}/{}  loss {}", self.steps, shown(*loss)));
            }
        }
    }

    fn say(&self, line: &str) {
        if !self.quiet && !self.json {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// Numbers of an evaluation by name, for `run.yaml`.
fn named(event: &Event) -> Option<(String, BTreeMap<String, f64>)> {
    match event {
        Event::Eval { split, loss, reports, .. } => {
            let loss = std::iter::once(("loss".to_string(), *loss));
            Some((split.clone(), loss.chain(reports.iter().cloned()).collect()))
        }
        Event::Start { .. } | Event::Step { .. } | Event::End { .. } => None,
    }
}
