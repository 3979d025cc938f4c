//! A training from its first step to its folder. It prints nothing: each event is handed on as it happens.

use crate::backend::Tensor;
use crate::check::program::TypedProgram;
use crate::diagnostic::Diagnostic;
use crate::io;
use crate::ir::{NodeId, Op, Reduce, ScalarOp};
use crate::lower::program::Program as Lowered;
use crate::run::dataset::Opened;
use crate::run::error::RunError;
use crate::run::events::{Event, Reason};
use crate::run::schedule::Schedule;
use crate::run::steps::Run;
use crate::source::Span;
use crate::train::folder::{self, Folder};
use crate::train::identity::{self, Identity};
use crate::train::record::{self, Metrics, Record};
use crate::train::saving::{self, Saved};
use crate::train::weights::{self, Lying, Weights};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a run goes on without leaving its weights: what a power failure costs.
pub const SAVE_EVERY: Duration = Duration::from_secs(60);

/// What is trained, and where it leaves what comes of it.
pub struct Training<'p> {
    pub program: &'p TypedProgram,
    pub lowered: &'p Lowered,
    pub data: &'p Opened<'p>,
    pub schedule: Schedule,
    /// Weights to start from, with the paths and shapes of the program.
    pub start: Option<&'p Weights>,
    /// The program's file as it was named, and the SHA-256 of its text.
    pub file: &'p Path,
    pub source: &'p str,
    /// The folder of the run; else the next one under `runs`.
    pub out: Option<&'p Path>,
    /// Whether `out` may hold a run that is lost.
    pub overwrite: bool,
    /// [`SAVE_EVERY`], but for tests.
    pub save_every: Duration,
}

/// How a run ended.
pub struct Outcome {
    pub weights: Saved,
    /// Those that are not finite.
    pub not_finite: Option<Diagnostic>,
    pub reason: Reason,
    /// Loss and reports of every split by the last weights; none of a run that failed.
    pub finals: Vec<Event>,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
}

/// Why a run could not begin or go on.
pub enum Failure {
    /// A number that is not finite, or a file that cannot be written.
    Diagnostic(Diagnostic),
    /// A folder that is not to be written to: it holds a run, or one is writing there.
    Refused(Diagnostic),
    /// What is no mistake of the program's or the system's.
    Message(String),
}

/// Trains until the schedule is done, `stop` says so, or something fails. Whatever ends it, the last weights, the record
/// and an `end` are tried after that. An error is a run that did not begin.
pub fn train(training: &Training, stop: impl Fn() -> bool, tell: &mut dyn FnMut(&Event)) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let Training { program, lowered, data, schedule, .. } = *training;
    // A folder that is refused is so before anything is computed; one that is new comes when nothing else is in the way.
    let taken = training.out.filter(|out| io::exists(out)).map(|out| take(out, training.overwrite)).transpose()?;
    let mut run = Run::new(lowered, schedule, data).map_err(|error| told(error, program, lowered))?;
    if let Some(weights) = training.start {
        run.start_from(&weights.tensors);
    }
    let folder = match (taken, training.out) {
        (Some(folder), _) => folder,
        (None, Some(out)) => take(out, training.overwrite)?,
        (None, None) => {
            let new =
                record::new_folder(Path::new("runs"), training.file, &program.name).map_err(Failure::Diagnostic)?;
            take(&new, false)?
        }
    };
    let metrics = Metrics::open(&folder.path).map_err(Failure::Diagnostic)?;
    let mut sink = EventSink { metrics: Some(metrics), tell, failure: None };

    let arena_bytes = run.plan().arena() as u64;
    let parameters = lowered.parameters();
    sink.emit(&Event::Start { parameters, arena_bytes, steps: schedule.steps, device: run.device().to_string() });
    let mut finals = Vec::new();
    let mut ended = Reason::Done;
    let mut saved = Instant::now();
    let mut save_in_time = |run: &Run| {
        if saved.elapsed() < training.save_every {
            return Ok(());
        }
        let done = saving::write_last(&folder.path, &weights_of(training, run)).map(drop);
        saved = Instant::now();
        done
    };
    let trained = steps(&mut run, schedule, stop, &mut sink, &mut save_in_time);
    sink.end_steps();
    let trained = trained.and_then(|reason| {
        ended = reason;
        if reason != Reason::Failed {
            finals = every_split(&mut run, &mut sink)?;
        }
        Ok(())
    });
    if let Err(error) = trained {
        sink.fail(told(error, program, lowered));
    }
    let weights = weights_of(training, &run);
    let saved = saving::save(&folder.path, &program.name, &weights, &mut |wrong| sink.fail(Failure::Diagnostic(wrong)));
    let seconds = started.elapsed().as_secs_f64();
    let reason = sink.reason(ended);
    sink.emit(&Event::End { step: run.step, reason, seconds, peak_rss_bytes: io::peak_memory() });
    let reason = sink.reason(ended);
    let record = Record {
        file: training.file.display().to_string(),
        train: program.name.clone(),
        source: training.source.to_string(),
        hyperparameters: identity::settings(program),
        seed: schedule.seed,
        device: run.device().to_string(),
        versions: BTreeMap::from([("mlx".to_string(), env!("CARGO_PKG_VERSION").to_string())]),
        data: data.file.into_iter().cloned().collect(),
        parameters,
        peak_memory: io::peak_memory(),
        wall_seconds: seconds,
        steps: run.step,
        metrics: finals.iter().filter_map(named).collect(),
        reason: reason.name().to_string(),
    };
    if let Err(wrong) = record::write(&folder.path, &record) {
        sink.fail(Failure::Diagnostic(wrong));
    }
    let place = saved.path().unwrap_or(&folder.path).display().to_string();
    let not_finite = weights::not_finite(&place, &weights);
    Ok(Outcome { weights: saved, not_finite, reason: sink.reason(ended), finals, failure: sink.failure })
}

/// A folder for a run.
fn take(path: &Path, overwrite: bool) -> Result<Folder, Failure> {
    folder::take(path, overwrite).map_err(|wrong| match wrong.code {
        io::UNWRITABLE => Failure::Diagnostic(wrong),
        _ => Failure::Refused(wrong),
    })
}

/// The present weights with what they mean.
fn weights_of<'r>(training: &Training, run: &'r Run) -> Lying<'r> {
    let Training { program, data, schedule, .. } = *training;
    let identity = Identity {
        train: program.name.clone(),
        source: training.source.to_string(),
        settings: identity::settings(program),
        seed: schedule.seed,
        steps: run.step,
        fits: run.fits().into_iter().map(|(name, tensor)| (name, Tensor::clone(tensor))).collect(),
        classes: data.classes.clone(),
        data: Some(data.known()),
    };
    Lying { tensors: run.weights_lying(), meta: identity.to_json() }
}

/// Trains and leaves nothing behind: the run after its last step, loss and reports of every split, and why it ended.
pub fn in_memory<'p>(
    program: &TypedProgram,
    lowered: &'p Lowered,
    data: &'p Opened<'p>,
    schedule: Schedule,
    stop: impl Fn() -> bool,
    tell: &mut dyn FnMut(&Event),
) -> Result<(Run<'p>, Vec<Event>, Reason), Failure> {
    let told = |error| told(error, program, lowered);
    let mut run = Run::new(lowered, schedule, data).map_err(told)?;
    let mut sink = EventSink { metrics: None, tell, failure: None };
    let reason = steps(&mut run, schedule, stop, &mut sink, &mut |_| Ok(())).map_err(told)?;
    let finals = every_split(&mut run, &mut sink).map_err(told)?;
    Ok((run, finals, reason))
}

/// Takes the steps, with something to be done after each; why they ended.
fn steps(
    run: &mut Run,
    schedule: Schedule,
    stop: impl Fn() -> bool,
    sink: &mut EventSink,
    after: &mut dyn FnMut(&Run) -> Result<(), Diagnostic>,
) -> Result<Reason, RunError> {
    while run.step < schedule.steps {
        if stop() {
            return Ok(Reason::Interrupted);
        }
        sink.emit(&run.take_step()?);
        // After the last step all splits are evaluated.
        let due = if run.ends_epoch() && run.step < schedule.steps { &["train", "valid"][..] } else { &[] };
        for split in due {
            run.evaluate(split)?.iter().for_each(|event| sink.emit(event));
        }
        if let Err(wrong) = after(run) {
            sink.fail(Failure::Diagnostic(wrong));
        }
        if sink.failure.is_some() {
            return Ok(Reason::Failed);
        }
    }
    Ok(Reason::Done)
}

/// Loss and reports of every split by the last weights.
fn every_split(run: &mut Run, sink: &mut EventSink) -> Result<Vec<Event>, RunError> {
    let mut events = Vec::new();
    for (split, _) in run.rows() {
        events.extend(run.evaluate(split)?);
    }
    events.iter().for_each(|event| sink.emit(event));
    Ok(events)
}

/// An error of the run as it is shown: a number that is not finite is shown where it was made.
fn told(error: RunError, program: &TypedProgram, lowered: &Lowered) -> Failure {
    let (message, origin) = match error {
        RunError::Broken(message) => return Failure::Message(message),
        RunError::Interrupted => return Failure::Message(error.message().to_string()),
        RunError::NotFinite { message, origin } => (message, origin),
    };
    // The user's own text first: the place may be in the standard library.
    let mut wrong = Diagnostic::error("E0401", message, program.loss.span, "this loss");
    if let Some((place, made)) = origin.and_then(|origin| made(lowered, origin)) {
        wrong = wrong.label(place, made);
    }
    Failure::Diagnostic(wrong.help("is the learning rate too large, or an argument out of the function's range?"))
}

/// Where a node comes from, and what it made. What the gradient adds has no place of its own: it is the slope of
/// something that it reads.
fn made(lowered: &Lowered, origin: NodeId) -> Option<(Span, String)> {
    if let Some(place) = lowered.places.get(&origin) {
        let made = match &lowered.graph.node(origin).op {
            Op::Input { .. } => "this holds a number that is not finite".to_string(),
            op => format!("{} gives a number that is not finite", word(op)),
        };
        return Some((*place, made));
    }
    let mut nodes = vec![origin];
    while !nodes.is_empty() {
        nodes = nodes.iter().flat_map(|node| &lowered.graph.node(*node).inputs).copied().collect();
        if let Some(place) = nodes.iter().find_map(|node| lowered.places.get(node)) {
            return Some((*place, "the slope of this is not finite".to_string()));
        }
    }
    None
}

/// An operation as the language writes it.
fn word(op: &Op) -> String {
    let word = match op {
        Op::Scalar(ScalarOp::Exp) => "`exp`",
        Op::Scalar(ScalarOp::Log) => "`log`",
        Op::Scalar(ScalarOp::Sqrt) => "`sqrt`",
        // What is shown says more: a square is a product.
        Op::Scalar(ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul) => "this",
        Op::Scalar(ScalarOp::Div) => "`/`",
        Op::Scalar(ScalarOp::Pow) => "`^`",
        Op::Reduce(Reduce::Sum, _) => "a sum",
        Op::Dot { .. } => "a sum of products",
        other => return other.to_string(),
    };
    word.to_string()
}

/// Events to `metrics.jsonl` and to whoever listens.
struct EventSink<'t> {
    /// None once it could not be written, so that a line cut short is its last.
    metrics: Option<Metrics>,
    tell: &'t mut dyn FnMut(&Event),
    /// The first thing that went wrong.
    failure: Option<Failure>,
}

impl EventSink<'_> {
    fn emit(&mut self, event: &Event) {
        self.write(|metrics| metrics.add(event));
        (self.tell)(event);
    }

    fn end_steps(&mut self) {
        self.write(Metrics::end_steps);
    }

    fn write(&mut self, what: impl FnOnce(&mut Metrics) -> Result<(), Diagnostic>) {
        if let Some(Err(wrong)) = self.metrics.as_mut().map(what) {
            self.metrics = None;
            self.fail(Failure::Diagnostic(wrong));
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    fn reason(&self, ended: Reason) -> Reason {
        if self.failure.is_some() { Reason::Failed } else { ended }
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
