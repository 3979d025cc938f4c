//! `mlx sweep FILE [NAME]`

use super::load::{Loaded, complain, load, lowered, print, program, show_all, swept};
use super::train::{Ended, progress, to_its_end};
use super::{FAILED, MISUSED, WRONG};
use crate::check::program::{Setting, Sweep as Swept, TypedProgram, Watched};
use crate::interrupt;
use crate::io;
use crate::lower::program::Program as Lowered;
use crate::progress::{columns, say, shown};
use crate::run::events::{Event, Figure, Reason};
use crate::run::schedule::Schedule;
use crate::train::begin;
use crate::train::driver::{self, Training};
use crate::train::identity;
use crate::train::record::{self, Record};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Sweep {
    /// The `.mlx` file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The `sweep` block, where the file has several
    name: Option<String>,
    /// Give a `let` of the file that is not swept another value
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// How many threads compute [default: as many as there are processors]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=256))]
    threads: Option<u64>,
    /// Print each training's figures as a JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// A combination that was checked: with its data, as a program, as a graph.
type Ready = (Loaded, TypedProgram, Lowered);

/// So many bytes may be taken by combinations that wait for their training; of those that do not fit, each is checked again.
const ROOM: usize = 1 << 28;

/// Of each combination besides its data, roughly.
const ROOM_OF_A_PROGRAM: usize = 1 << 20;

/// One training of a sweep.
struct Point {
    /// The values of the swept `let` items, as they are shown, by name.
    values: Vec<(String, String)>,
    seed: Option<u64>,
    folder: PathBuf,
}

/// A training that is done: its figures by split.
struct Done {
    point: Point,
    metrics: BTreeMap<String, BTreeMap<String, Figure>>,
}

pub fn run(arguments: &Sweep) -> ExitCode {
    match sweep(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn sweep(arguments: &Sweep) -> Result<(), u8> {
    let mut loaded = load(&arguments.file, &arguments.set)?;
    let swept = swept(&mut loaded, arguments.name.as_deref())?;
    if let Some((name, _)) = swept.axes.iter().find(|(name, _)| arguments.set.iter().any(|set| sets(set, name))) {
        complain(&format!("`--set {name}=…`: `{name}` is swept by `{}`", swept.name));
        return Err(MISUSED);
    }
    let points = points(&swept, &arguments.file);
    let mut ready = ready(arguments, &swept, &points)?;
    interrupt::watch();
    let count = points.len();
    let mut now: Option<(Vec<(String, String)>, Ready)> = None;
    let (mut done, mut failed) = (Vec::new(), None);
    for (at, point) in points.into_iter().enumerate() {
        let title = format!("[{}/{count}] {}", at + 1, point.title());
        let (loaded, program, lowered) = match &mut now {
            Some((values, known)) if *values == point.values => known,
            now => {
                let known = ready.pop_front().map_or_else(|| checked(arguments, &swept, &point), Ok)?;
                &mut now.insert((point.values.clone(), known)).1
            }
        };
        match trained(arguments, loaded, program, lowered, &point, &title)? {
            Ok(record) => {
                if arguments.json {
                    print(&format!("{}\n", point.json(&record)))?;
                }
                done.push(Done { point, metrics: record.metrics });
            }
            Err(status) => failed = Some(status),
        }
    }
    if !arguments.json {
        print(&table(&swept, &done))?;
    }
    failed.map_or(Ok(()), Err)
}

/// All combinations are checked before the first is trained; how it is seeded changes nothing of a program. The first ones stay
/// as they were checked, as many as take little room with their data.
fn ready(arguments: &Sweep, swept: &Swept, points: &[Point]) -> Result<VecDeque<Ready>, u8> {
    let (mut ready, mut room) = (VecDeque::new(), ROOM);
    for (at, point) in points.iter().enumerate() {
        if at > 0 && points[at - 1].values == point.values {
            continue;
        }
        let own = checked(arguments, swept, point)?;
        // Those that wait are the first ones, without a gap.
        room = room.saturating_sub(own.0.files.bytes() + ROOM_OF_A_PROGRAM);
        if room > 0 || ready.is_empty() {
            ready.push_back(own);
        }
    }
    Ok(ready)
}

fn sets(set: &str, name: &str) -> bool {
    set.split_once('=').is_some_and(|(known, _)| known.trim() == name)
}

/// Every combination, the last axis fastest, and the seeds within.
fn points(swept: &Swept, file: &Path) -> Vec<Point> {
    let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for (name, values) in &swept.axes {
        let with = |before: &Vec<(String, String)>| {
            let before = before.clone();
            values.iter().map(move |value| [&before[..], &[(name.clone(), text(value))]].concat())
        };
        combinations = combinations.iter().flat_map(with).collect();
    }
    let stem = file.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy());
    let root = Path::new("runs").join(format!("{stem}-{}", record::plain(&swept.name)));
    let seeds: Vec<Option<u64>> =
        if swept.seeds.is_empty() { vec![None] } else { swept.seeds.iter().copied().map(Some).collect() };
    let mut points: Vec<Point> = Vec::new();
    for values in combinations {
        for seed in &seeds {
            let mut point = Point { values: values.clone(), seed: *seed, folder: PathBuf::new() };
            let plain = record::plain(&point.title().replace('=', "-").replace(' ', "_"));
            // Two texts may differ in what a path cannot hold.
            let taken = |name: &str| points.iter().any(|other| other.folder.ends_with(name));
            let name = (1..).map(|k| if k == 1 { plain.clone() } else { format!("{plain}-{k}") }).find(|n| !taken(n));
            point.folder = root.join(name.unwrap_or(plain));
            points.push(point);
        }
    }
    points
}

/// A value as the command line reads it.
fn text(value: &Setting) -> String {
    match value {
        Setting::Number(number) => number.to_string(),
        Setting::Truth(truth) => truth.to_string(),
        Setting::Text(text) => text.clone(),
    }
}

impl Point {
    /// `width=64 seed=0`
    fn title(&self) -> String {
        let seed = self.seed.map(|seed| ("seed".to_string(), seed.to_string()));
        let all: Vec<String> = self.values.iter().chain(&seed).map(|(name, value)| format!("{name}={value}")).collect();
        if all.is_empty() { "one".to_string() } else { all.join(" ") }
    }

    fn json(&self, record: &Record) -> Value {
        let values: BTreeMap<&String, &Value> =
            record.hyperparameters.iter().filter(|(name, _)| self.values.iter().any(|(own, _)| own == *name)).collect();
        json!({
            "event": "point",
            "point": values,
            "seed": record.seed,
            "folder": self.folder.display().to_string(),
            "reason": record.reason,
            "metrics": record.metrics,
        })
    }
}

/// The program of a point; all that is wrong with it is shown.
fn checked(arguments: &Sweep, swept: &Swept, point: &Point) -> Result<Ready, u8> {
    let own = point.values.iter().map(|(name, value)| format!("{name}={value}"));
    let sets: Vec<String> = arguments.set.iter().cloned().chain(own).collect();
    let mut loaded = load(&arguments.file, &sets)?;
    // Warnings are those of the file, and were shown.
    loaded.checked.found.retain(|found| found.severity == crate::diagnostic::Severity::Error);
    if !loaded.checked.found.is_empty() {
        complain(&format!("with {} the file is wrong", point.title()));
        show_all(&loaded.checked.found, &loaded.sources);
        return Err(WRONG);
    }
    let program = program(&mut loaded, Some(&swept.train))?;
    let lowered = lowered(&program)?;
    Ok((loaded, program, lowered))
}

/// Trains a point, unless it is done already. The outer error ends the sweep, the inner one this training alone.
fn trained(
    arguments: &Sweep,
    loaded: &Loaded,
    program: &TypedProgram,
    lowered: &Lowered,
    point: &Point,
    title: &str,
) -> Result<Result<Record, u8>, u8> {
    let Some(data) = loaded.files.open(&program.data) else {
        complain("the data could not be read");
        return Err(WRONG);
    };
    let planned = Schedule::of(program, program.run.length);
    let seed = point.seed.unwrap_or(planned.seed);
    let threads = arguments.threads.map_or(planned.threads, |threads| threads as usize);
    let schedule = Schedule { seed, threads, ..planned };
    if let Some(record) = finished(&point.folder)
        && (&record.source, record.seed, record.steps) == (&loaded.hash, seed, schedule.steps)
        && record.hyperparameters == identity::settings(program)
        && record.data == data.files
    {
        say(&format!("{title}: done before"));
        return Ok(Ok(record));
    }
    say(title);
    if let Some(parent) = point.folder.parent() {
        io::create_folder(parent).map_err(|wrong| {
            show_all(&[wrong], &loaded.sources);
            FAILED
        })?;
    }
    let begin =
        begin::begin(program, lowered, &arguments.file, Path::new("runs"), &BTreeMap::new()).map_err(|wrong| {
            show_all(&[wrong], &loaded.sources);
            WRONG
        })?;
    let training = Training {
        program,
        lowered,
        data: &data,
        schedule,
        start: None,
        begin: &begin,
        file: &arguments.file,
        source: &loaded.hash,
        out: Some(&point.folder),
        overwrite: true,
        save_every: driver::SAVE_EVERY,
    };
    let watched = !arguments.json && std::io::stderr().is_terminal();
    let mut bar = watched.then(|| progress(&training));
    let mut tell = |event: &Event| bar.iter_mut().for_each(|bar| bar.tell(event));
    let Ended { outcome, status } = to_its_end(&training, &loaded.sources, &mut tell)?;
    match (status, outcome.reason) {
        (_, Reason::Interrupted) => Err(interrupt::STATUS),
        (Some(status), _) => Ok(Err(status)),
        (None, Reason::Done | Reason::Stopped | Reason::Failed) => match record::read(&point.folder) {
            Ok(record) => Ok(Ok(record)),
            Err(wrong) => {
                show_all(&[wrong], &loaded.sources);
                Ok(Err(FAILED))
            }
        },
    }
}

/// The record of a run that was not cut off.
fn finished(folder: &Path) -> Option<Record> {
    if !io::exists(&folder.join(record::RECORD)) {
        return None;
    }
    record::read(folder).ok().filter(|record| ["done", "stopped"].contains(&record.reason.as_str()))
}

/// A line for each combination: the mean of each figure over the seeds, with its spread; the best is marked.
fn table(swept: &Swept, done: &[Done]) -> String {
    // The seeds of one combination.
    let mut combinations: Vec<Vec<&Done>> = Vec::new();
    for one in done {
        match combinations.iter_mut().find(|all| all[0].point.values == one.point.values) {
            Some(all) => all.push(one),
            None => combinations.push(vec![one]),
        }
    }
    let figures = figures(swept, done);
    let best = swept.keep.as_ref().and_then(|keep| best(keep, &combinations));
    let names = swept.axes.iter().map(|(name, _)| name.clone());
    let mut rows: Vec<Vec<String>> = vec![
        std::iter::once(String::new())
            .chain(names)
            .chain(figures.iter().map(|(split, metric)| format!("{split}.{metric}")))
            .collect(),
    ];
    for (at, all) in combinations.iter().enumerate() {
        let mark = if best == Some(at) { "best" } else { "" };
        let mut row = vec![mark.to_string()];
        row.extend(all[0].point.values.iter().map(|(_, value)| value.clone()));
        row.extend(figures.iter().map(|figure| spread(&of(all, figure))));
        rows.push(row);
    }
    columns(&rows)
}

/// Split and name of what the table shows: loss and reports of `valid`, or of the splits that there are; the choice first.
fn figures(swept: &Swept, done: &[Done]) -> Vec<(String, String)> {
    let mut figures: Vec<(String, String)> =
        swept.keep.iter().map(|keep| (keep.split.clone(), keep.name.clone())).collect();
    for split in ["train", "valid", "test"] {
        // What has axes has no place in a cell.
        let metrics = done.iter().filter_map(|one| one.metrics.get(split)).flatten();
        for (metric, _) in metrics.filter(|(_, figure)| figure.number().is_some()) {
            let figure = (split.to_string(), metric.clone());
            if !figures.contains(&figure) {
                figures.push(figure);
            }
        }
    }
    figures
}

fn of(all: &[&Done], (split, metric): &(String, String)) -> Vec<f64> {
    all.iter().filter_map(|one| one.metrics.get(split)?.get(metric)?.number()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// `0.1234 ± 0.0012`: the mean and the standard deviation of the seeds (n - 1).
fn spread(values: &[f64]) -> String {
    let mean = mean(values);
    match values.len() {
        0 => String::new(),
        1 => shown(mean),
        count => {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            format!("{} ± {}", shown(mean), shown((squares / (count - 1) as f64).sqrt()))
        }
    }
}

/// The combination with the best mean over its seeds.
fn best(keep: &Watched, combinations: &[Vec<&Done>]) -> Option<usize> {
    let figure = (keep.split.clone(), keep.name.clone());
    let means = combinations.iter().map(|all| mean(&of(all, &figure))).enumerate();
    let sign = if keep.lowest { 1.0 } else { -1.0 };
    means.filter(|(_, mean)| mean.is_finite()).min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1))).map(|(at, _)| at)
}
