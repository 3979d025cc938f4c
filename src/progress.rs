//! What a person sees of a run: a live bar on a terminal, else lines; then a table.

use crate::run::events::{Event, Figure, Reported};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

/// Between two drawings: a step may take 20 µs, and nobody sees more than some 15 a second.
const APART: Duration = Duration::from_millis(66);

/// Columns of the bar.
const BAR: u64 = 12;

/// The progress of one run on standard error.
pub struct Progress {
    steps: u64,
    /// How many epochs there are, where a step is less than one.
    epochs: Option<u64>,
    /// Of the losses of an epoch so far.
    mean: Mean,
    /// None where a line cannot be drawn again: a pipe, a file, `TERM=dumb`.
    bar: Option<Bar>,
}

/// The mean of the losses of an epoch, each of its batch and before its step: what is shown while the epoch goes on.
#[derive(Default)]
struct Mean {
    epoch: u64,
    sum: f64,
    count: u32,
}

impl Mean {
    /// Takes the loss of a step; the mean of its epoch so far.
    fn with(&mut self, epoch: u64, loss: f64) -> f64 {
        if self.epoch != epoch {
            *self = Mean { epoch, ..Mean::default() };
        }
        self.sum += loss;
        self.count += 1;
        self.sum / f64::from(self.count)
    }
}

struct Bar {
    line: ProgressBar,
    began: Instant,
    drawn: Option<Instant>,
    /// The last evaluation of each split.
    evals: Vec<Event>,
}

impl Progress {
    pub fn new(steps: u64, epochs: Option<u64>) -> Progress {
        let target = ProgressDrawTarget::stderr();
        let bar = (!target.is_hidden()).then(|| Bar {
            // `wide_msg` is cut to the width that the terminal has at the time.
            line: ProgressBar::with_draw_target(None, target).with_style(
                ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
            ),
            began: Instant::now(),
            drawn: None,
            evals: Vec::new(),
        });
        Progress { steps, epochs, mean: Mean::default(), bar }
    }

    pub fn tell(&mut self, event: &Event) {
        let loss = self.of_step(event);
        match (event, &mut self.bar) {
            (Event::Start { .. }, Some(bar)) => bar.began = Instant::now(),
            (Event::Step { step, epoch, .. }, Some(bar)) => {
                if bar.drawn.is_none_or(|drawn| drawn.elapsed() >= APART) {
                    bar.drawn = Some(Instant::now());
                    let of_epochs = self.epochs.map(|epochs| format!("  epoch {epoch}/{epochs}"));
                    bar.line.set_message(bar.text(*step, self.steps, &of_epochs.unwrap_or_default(), &loss));
                }
            }
            (Event::Eval { .. }, Some(bar)) => bar.keep(event),
            (Event::End { .. }, Some(bar)) => bar.line.finish_and_clear(),
            (event, None) => line(event, self.steps, &loss).iter().for_each(|line| say(line)),
        }
    }

    /// The loss of a step as it is shown: where a step sees a part of the rows, the mean of those of the epoch so far.
    fn of_step(&mut self, event: &Event) -> String {
        match event {
            Event::Step { loss, .. } if self.epochs.is_none() => of_loss(*loss),
            Event::Step { loss, epoch, .. } => match of_loss(self.mean.with(*epoch, *loss)) {
                none if none.is_empty() => none,
                mean => mean + " (running mean)",
            },
            Event::Start { .. } | Event::Eval { .. } | Event::End { .. } => String::new(),
        }
    }
}

/// What is said of an event where there is no bar: ten lines, the first and the last step among them.
pub fn line(event: &Event, steps: u64, loss: &str) -> Option<String> {
    match event {
        Event::Step { step, .. } if *step == 1 || step % steps.div_ceil(10) == 0 || *step == steps => {
            Some(format!("step {step}/{steps}{loss}"))
        }
        Event::Start { .. } | Event::Step { .. } | Event::Eval { .. } | Event::End { .. } => None,
    }
}

/// A step has no loss where nothing is minimized; one that is no number would have failed.
pub fn of_loss(loss: f64) -> String {
    if loss.is_nan() { String::new() } else { format!("  loss {}", shown(loss)) }
}

impl Bar {
    fn keep(&mut self, event: &Event) {
        let split = |event: &Event| match event {
            Event::Eval { split, .. } => Some(split.clone()),
            Event::Start { .. } | Event::Step { .. } | Event::End { .. } => None,
        };
        match self.evals.iter_mut().find(|known| split(known) == split(event)) {
            Some(known) => known.clone_from(event),
            None => self.evals.push(event.clone()),
        }
    }

    /// The line, with what counts most first: a narrow terminal shows its beginning.
    fn text(&self, step: u64, steps: u64, of_epochs: &str, loss: &str) -> String {
        let full = (BAR * step / steps.max(1)).min(BAR) as usize;
        let bar = "━".repeat(full) + &"─".repeat(BAR as usize - full);
        let rate = step as f64 / self.began.elapsed().as_secs_f64().max(1e-9);
        let left = clock((steps.saturating_sub(step) as f64 / rate) as u64);
        let digits = if rate < 100.0 { 1 } else { 0 };
        let mut text = format!("{bar} {step}/{steps}{loss}{of_epochs}  {left} left  ");
        text += &format!("{rate:.digits$} steps/s");
        // The loss on the training rows stands there already.
        for event in self.evals.iter().rev() {
            let Event::Eval { split, loss, reports, .. } = event else { continue };
            let loss = loss.filter(|_| split != "train").map(|loss| ("loss", loss));
            // What has axes waits for the table.
            let reports = reports.iter().filter_map(|report| Some((report.name.as_str(), report.figure.number()?)));
            let numbers = loss.into_iter().chain(reports);
            let numbers: Vec<String> = numbers.map(|(name, value)| format!("{name} {}", shown(value))).collect();
            if !numbers.is_empty() {
                text += &format!("  {split} {}", numbers.join(" "));
            }
        }
        text
    }
}

/// Seconds as `0:07` or `2:03:00`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// One line on standard error. Nobody may be reading; that stops no run.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Loss and reports of each split, side by side, a vector with a row for each element; below them matrices, each by itself.
/// Nothing of a run that failed.
pub fn table(finals: &[Event]) -> String {
    if finals.is_empty() {
        return String::new();
    }
    let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
    let has_loss = finals.iter().any(|event| matches!(event, Event::Eval { loss: Some(_), .. }));
    let mut matrices = String::new();
    for event in finals {
        let Event::Eval { split, loss, reports, per_batch, .. } = event else { continue };
        rows[0].push(split.clone());
        let mut numbers = Vec::new();
        if has_loss || reports.is_empty() {
            numbers.push(("loss".to_string(), *loss));
        }
        for report in reports {
            match lines(report) {
                Some(lines) => numbers.extend(lines.into_iter().map(|(name, value)| (name, Some(value)))),
                None => matrices += &matrix(report, split),
            }
        }
        let labelled = |name: String| match per_batch.contains(&name) {
            true => format!("{name} (per batch)"),
            false => name,
        };
        // What reads a data set without rows in a split stands in the others alone.
        for (name, value) in numbers {
            let name = labelled(name);
            let at = rows.iter().position(|row| row[0] == name).filter(|at| *at > 0).unwrap_or(rows.len());
            if at == rows.len() {
                rows.push(vec![name]);
            }
            let splits = rows[0].len();
            rows[at].resize(splits - 1, String::new());
            rows[at].push(value.map_or(String::new(), shown));
        }
    }
    let splits = rows[0].len();
    rows.iter_mut().for_each(|row| row.resize(splits, String::new()));
    columns(&rows) + &matrices
}

/// The rows of a table that a number or a vector has, with their names. `None` of what has more axes.
fn lines(report: &Reported) -> Option<Vec<(String, f64)>> {
    let Figure::Several(parts) = &report.figure else {
        return Some(vec![(report.name.clone(), report.figure.number()?)]);
    };
    let line = |(at, part): (usize, &Figure)| Some((format!("{} {}", report.name, class(report, at)), part.number()?));
    parts.iter().enumerate().map(line).collect()
}

/// What an element of an axis stands for: a class, or else its place.
fn class(report: &Reported, at: usize) -> String {
    report.classes.get(at).cloned().unwrap_or_else(|| at.to_string())
}

/// A report of two axes, the first of them downwards; of more axes, the others side by side.
fn matrix(report: &Reported, split: &str) -> String {
    let Figure::Several(parts) = &report.figure else { return String::new() };
    let across = parts.first().map_or(0, |part| part.numbers().len());
    let mut rows = vec![vec![String::new()]];
    rows[0].extend((0..across).map(|at| class(report, at)));
    for (at, part) in parts.iter().enumerate() {
        let mut row = vec![class(report, at)];
        row.extend(part.numbers().into_iter().map(entry));
        rows.push(row);
    }
    format!("\n{} ({split})\n{}", report.name, columns(&rows))
}

/// A number of a matrix: counts as they are.
fn entry(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e6 { format!("{value:.0}") } else { shown(value) }
}

/// Rows of cells as aligned lines: the first column to the left, the rest to the right.
pub fn columns(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| -> String {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            let space = " ".repeat(width - cell.width());
            if at == 0 { format!("{cell}{space}") } else { format!("  {space}{cell}") }
        });
        cells.collect::<String>().trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A number as people read it: five digits that count.
pub fn shown(value: f64) -> String {
    match value.abs() {
        size if size != 0.0 && !(1e-4..1e6).contains(&size) => format!("{value:.4e}"),
        size => format!("{value:.*}", 4usize.saturating_sub(size.max(1.0).log10() as usize)),
    }
}
