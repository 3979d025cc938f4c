//! A training from its first step to its folder. It prints nothing: each event is handed on as it happens.

use super::fault;
use crate::backend::Tensor;
use crate::check::program::TypedProgram;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::io;
use crate::ir::{NodeId, Op, Reduce, ScalarOp};
use crate::lower::program::Program as Lowered;
use crate::run::error::{NotHeld, RunError};
use crate::run::events::{Event, Figure, Reason};
use crate::run::opened::Opened;
use crate::run::schedule::Schedule;
use crate::run::steps::{Run, SPLITS};
use crate::source::Span;
use crate::train::begin::Begin;
use crate::train::choice::{Choice, Kept};
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
    /// What models begin from, as the program says.
    pub begin: &'p Begin,
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
    let fits = &training.begin.fits;
    let begun = Run::with_fits(lowered, schedule, data, fits).and_then(|mut run| {
        let mut start = training.begin.weights.clone();
        start.extend(training.start.iter().flat_map(|weights| weights.tensors.clone()));
        if !start.is_empty() {
            run.start_from(&start)?;
        }
        Ok(run)
    });
    let mut run = begun.map_err(|error| told(error, program, lowered))?;
    if let Some(wrong) = training.begin.overlap(&run.fits()) {
        return Err(Failure::Diagnostic(wrong));
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
    let (memory, device) = (run.contents().line(), run.device().to_string());
    sink.emit(&Event::Start { parameters, arena_bytes, memory, steps: schedule.steps, device });
    let mut finals = Vec::new();
    let mut ended = Reason::Done;
    let mut saved = Instant::now();
    let mut choice = Choice::of(&program.run);
    let mut save_in_time = |run: &Run, kept: Option<&Kept>| {
        if saved.elapsed() < training.save_every {
            return Ok(());
        }
        let mut done = saving::write_last(&folder.path, &weights_of(training, run)).map(drop);
        if let Some(kept) = kept {
            done = done.and(saving::write_best(&folder.path, &weights_kept(training, run, kept)));
        }
        saved = Instant::now();
        done
    };
    let trained = steps(&mut run, (schedule, program.run.validate), stop, &mut sink, &mut choice, &mut save_in_time);
    sink.end_steps();
    let trained = trained.and_then(|reason| {
        ended = reason;
        if reason != Reason::Failed {
            finals = every_split(&mut run, &mut sink, &mut choice)?;
        }
        Ok(())
    });
    if let Err(error) = trained {
        sink.fail(told(error, program, lowered));
    }
    let weights = weights_of(training, &run);
    let kept = choice.kept.as_ref().map(|kept| weights_kept(training, &run, kept));
    let mut wrong = |wrong| sink.fail(Failure::Diagnostic(wrong));
    let saved = saving::save(&folder.path, &program.name, &weights, kept.as_ref(), &mut wrong);
    let seconds = started.elapsed().as_secs_f64();
    let reason = sink.reason(ended);
    sink.emit(&Event::End { step: run.step, reason, seconds, peak_rss_bytes: io::peak_memory() });
    let reason = sink.reason(ended);
    let record = record_of(training, &run, &finals, (seconds, reason));
    if let Err(wrong) = record::write(&folder.path, &record) {
        sink.fail(Failure::Diagnostic(wrong));
    }
    let place = saved.path().unwrap_or(&folder.path).display().to_string();
    let not_finite = weights::not_finite(&place, &weights);
    Ok(Outcome { weights: saved, not_finite, reason: sink.reason(ended), finals, failure: sink.failure })
}

/// What was run, and what came of it.
fn record_of(training: &Training, run: &Run, finals: &[Event], (seconds, reason): (f64, Reason)) -> Record {
    Record {
        file: training.file.display().to_string(),
        train: training.program.name.clone(),
        source: training.source.to_string(),
        hyperparameters: identity::settings(training.program),
        seed: training.schedule.seed,
        device: run.device().to_string(),
        versions: BTreeMap::from([("mlx".to_string(), env!("CARGO_PKG_VERSION").to_string())]),
        data: training.data.files.to_vec(),
        parameters: training.lowered.parameters(),
        peak_memory: io::peak_memory(),
        wall_seconds: seconds,
        steps: run.step,
        metrics: finals.iter().filter_map(named).collect(),
        per_batch: per_batch(finals),
        reason: reason.name().to_string(),
    }
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
    Lying { tensors: run.weights_lying(), meta: identity_of(training, run, run.step).to_json() }
}

/// The kept weights with what they mean.
fn weights_kept<'r>(training: &Training, run: &Run, kept: &'r Kept) -> Lying<'r> {
    let mut tensors = BTreeMap::new();
    for (path, tensor) in &kept.weights {
        tensors.insert(path.as_str(), (&tensor.shape[..], &tensor.values[..]));
    }
    Lying { tensors, meta: identity_of(training, run, kept.step).to_json() }
}

fn identity_of(training: &Training, run: &Run, steps: u64) -> Identity {
    let Training { program, data, schedule, .. } = *training;
    Identity {
        train: program.name.clone(),
        source: training.source.to_string(),
        settings: identity::settings(program),
        seed: schedule.seed,
        steps,
        from: training.begin.hashes.clone(),
        fits: run.fits().into_iter().map(|(name, tensor)| (name, Tensor::clone(tensor))).collect(),
        classes: data.classes.clone(),
        data: Some(data.known()),
    }
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
    let mut choice = Choice::of(&program.run);
    let length = (schedule, program.run.validate);
    let reason = steps(&mut run, length, stop, &mut sink, &mut choice, &mut |_, _| Ok(())).map_err(told)?;
    let finals = every_split(&mut run, &mut sink, &mut choice).map_err(told)?;
    if let Some(kept) = &choice.kept {
        run.write_weights(&kept.weights);
    }
    Ok((run, finals, reason))
}

/// What is done after each step, given the weights that are kept so far.
type AfterStep<'a> = dyn FnMut(&Run, Option<&Kept>) -> Result<(), Diagnostic> + 'a;

/// Takes the steps, with something to be done after each; why they ended.
fn steps(
    run: &mut Run,
    (schedule, validate): (Schedule, Option<u64>),
    stop: impl Fn() -> bool,
    sink: &mut EventSink,
    choice: &mut Choice,
    after: &mut AfterStep,
) -> Result<Reason, RunError> {
    while run.step < schedule.steps {
        if stop() {
            return Ok(Reason::Interrupted);
        }
        sink.emit(&run.take_step()?);
        let due = validate.map_or_else(|| run.ends_epoch(), |steps| run.step.is_multiple_of(steps));
        // After the last step all splits are evaluated.
        let ends = due && run.step < schedule.steps && looked(run, sink, choice)?;
        if let Err(wrong) = after(run, choice.kept.as_ref()) {
            sink.fail(Failure::Diagnostic(wrong));
        }
        if sink.failure.is_some() {
            return Ok(Reason::Failed);
        }
        if ends {
            return Ok(Reason::Stopped);
        }
    }
    Ok(Reason::Done)
}

/// Loss and reports in the midst of the steps; whether these shall end.
fn looked(run: &mut Run, sink: &mut EventSink, choice: &mut Choice) -> Result<bool, RunError> {
    let mut events = Vec::new();
    for split in SPLITS.into_iter().filter(|split| *split != "test" || choice.needs(split)) {
        events.extend(run.evaluate(split)?);
    }
    events.iter().for_each(|event| sink.emit(event));
    Ok(choice.sees(run, &events))
}

/// Loss and reports of every split by the last weights. Where others are kept, what is told of the test rows is of those, and
/// what comes back is of those altogether.
fn every_split(run: &mut Run, sink: &mut EventSink, choice: &mut Choice) -> Result<Vec<Event>, RunError> {
    let mut events = Vec::new();
    run.calibrate()?;
    for split in SPLITS.into_iter().filter(|split| *split != "test" || choice.needs(split)) {
        events.extend(run.evaluate(split)?);
    }
    events.iter().for_each(|event| sink.emit(event));
    choice.sees(run, &events);
    // Copied only where others take their place.
    let last = choice.kept.is_some().then(|| (run.weights(), run.step));
    if let Some(kept) = &mut choice.kept {
        run.write_weights(&kept.weights);
        run.step = kept.step;
        if run.calibrates() {
            run.calibrate()?;
            (kept.weights, kept.events) = (run.weights(), Vec::new());
            for split in SPLITS.into_iter().filter(|split| *split != "test") {
                kept.events.extend(run.evaluate(split)?);
            }
        }
        events.clone_from(&kept.events);
    }
    events.retain(|event| !matches!(event, Event::Eval { split, .. } if split == "test"));
    if let Some(test) = run.evaluate("test")? {
        sink.emit(&test);
        events.push(test);
    }
    if let Some((last, at)) = last {
        run.write_weights(&last);
        run.step = at;
    }
    Ok(events)
}

/// An error of the run as it is shown: a number that is not finite is shown where it was made, and what cannot be computed where
/// it is written.
pub fn told(error: RunError, program: &TypedProgram, lowered: &Lowered) -> Failure {
    let (message, origin, phase) = match error {
        RunError::Fault { message, nodes } => return fault::told(message, &nodes, lowered),
        RunError::Broken(message) => return Failure::Message(message),
        RunError::Interrupted => return Failure::Message(error.message().to_string()),
        RunError::NotHeld(wrong) => return Failure::Diagnostic(not_held(&wrong, program)),
        RunError::NotFinite { message, origin, phase } => (message, origin, phase),
    };
    let Some(minimized) = program.minimized.get(phase) else { return Failure::Message(message) };
    // The user's own text first: the place may be in the standard library.
    let mut wrong = Diagnostic::error("E0401", message, minimized.span, "this loss");
    if let Some((place, made)) = origin.and_then(|origin| made(lowered, origin)) {
        wrong = wrong.label(place, made);
    }
    Failure::Diagnostic(wrong.help("is the learning rate too large, or an argument out of the function's range?"))
}

/// A `check` that does not hold: its text, what is compared there, and the calls that lead to it.
fn not_held(wrong: &NotHeld, program: &TypedProgram) -> Diagnostic {
    let demand = &program.demands[wrong.list][wrong.of];
    let sides = demand.sides.iter().zip(&wrong.sides);
    let sides: Vec<(Span, f64)> = sides.map(|((_, span), value)| (*span, *value)).collect();
    let message = format!("the check `{}` does not hold {}", demand.name, wrong.place);
    let mut labels = vec![(demand.span, "this is false there".to_string())];
    labels.extend(sides.into_iter().map(|(at, value)| (at, format!("this is {value}"))));
    labels.extend(demand.calls.iter().rev().map(|(at, name)| (*at, format!("in this use of `{name}`"))));
    if let Some(own) = demand.own {
        let first = labels.remove(labels.len() - 1 - own);
        labels.insert(0, first);
    }
    let labels = labels.into_iter().map(|(span, text)| Label { span, text }).collect();
    let error = Diagnostic { code: "E0374", severity: Severity::Error, message, labels, help: None };
    error.help("a check holds for all elements in the first step and in evaluations; places and rows count from 0")
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

/// The figures that are means over batches.
fn per_batch(finals: &[Event]) -> Vec<String> {
    let all = finals.iter().flat_map(|event| match event {
        Event::Eval { per_batch, .. } => per_batch.clone(),
        Event::Start { .. } | Event::Step { .. } | Event::End { .. } => Vec::new(),
    });
    all.collect::<std::collections::BTreeSet<String>>().into_iter().collect()
}

/// Numbers of an evaluation by name, for `run.yaml`.
fn named(event: &Event) -> Option<(String, BTreeMap<String, Figure>)> {
    match event {
        Event::Eval { split, loss, reports, .. } => {
            let loss = std::iter::once(("loss".to_string(), Figure::One(loss.unwrap_or(f64::NAN))));
            let reports = reports.iter().map(|report| (report.name.clone(), report.figure.clone()));
            Some((split.clone(), loss.chain(reports).collect()))
        }
        Event::Start { .. } | Event::Step { .. } | Event::End { .. } => None,
    }
}
