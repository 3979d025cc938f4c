//! What happens in a run: one JSON object a line, in `metrics.jsonl` and on standard output under `--json`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Done,
    Stopped,
    Interrupted,
    Failed,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Reason::Done => "done",
            Reason::Stopped => "stopped",
            Reason::Interrupted => "interrupted",
            Reason::Failed => "failed",
        }
    }
}

/// Numbers by name, in the order of the program.
pub type Named = Vec<(String, f64)>;

/// What a report gives: a number, or numbers along axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    One(f64),
    Several(Vec<Figure>),
}

impl Figure {
    /// The elements of a tensor, the last axis lying closest.
    pub fn of(shape: &[usize], values: &[f64]) -> Figure {
        let Some((count, rest)) = shape.split_first() else {
            return Figure::One(values.first().copied().unwrap_or(f64::NAN));
        };
        let size = rest.iter().product::<usize>();
        let part = |at: usize| Figure::of(rest, values.get(at * size..(at + 1) * size).unwrap_or(&[]));
        Figure::Several((0..*count).map(part).collect())
    }

    /// The number that it is, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Figure::One(value) => Some(*value),
            Figure::Several(_) => None,
        }
    }

    /// Its elements in order.
    pub fn numbers(&self) -> Vec<f64> {
        match self {
            Figure::One(value) => vec![*value],
            Figure::Several(parts) => parts.iter().flat_map(Figure::numbers).collect(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Figure::One(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Figure::Several(parts) => Value::Array(parts.iter().map(Figure::json).collect()),
        }
    }
}

/// A report of a split. The classes are those that its axes stand for, if it has axes and they do.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    pub name: String,
    pub figure: Figure,
    pub classes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Start {
        parameters: u64,
        arena_bytes: u64,
        /// What the arena holds, in words. It is not in the line.
        memory: String,
        steps: u64,
        device: String,
    },
    /// `step` counts from 1; `loss` is the one before the step's update, on its batch.
    Step {
        step: u64,
        epoch: u64,
        loss: f64,
        lr: f64,
        terms: Named,
    },
    Eval {
        step: u64,
        split: String,
        /// None where nothing is minimized, or what is reads a data set without rows in this split.
        loss: Option<f64>,
        reports: Vec<Reported>,
        /// The figures that are means over batches, for rows meet in them.
        per_batch: Vec<String>,
    },
    End {
        step: u64,
        reason: Reason,
        seconds: f64,
        peak_rss_bytes: u64,
    },
}

impl Event {
    /// The line of an event, without its end. JSON has no word for a number that is not finite: it is `null`.
    pub fn line(&self) -> String {
        let mut fields = Fields::default();
        match self {
            Event::Start { parameters, arena_bytes, memory: _, steps, device } => {
                fields.text("event", "start");
                fields.count("parameters", *parameters);
                fields.count("arena_bytes", *arena_bytes);
                fields.count("steps", *steps);
                fields.text("device", device);
            }
            Event::Step { step, epoch, loss, lr, terms } => {
                fields.text("event", "step");
                fields.count("step", *step);
                fields.count("epoch", *epoch);
                fields.number("loss", *loss);
                fields.number("lr", *lr);
                fields.numbers(terms);
            }
            Event::Eval { step, split, loss, reports, per_batch } => {
                fields.text("event", "eval");
                fields.count("step", *step);
                fields.text("split", split);
                fields.number("loss", loss.unwrap_or(f64::NAN));
                fields.reports(reports);
                if !per_batch.is_empty() {
                    fields.put("per_batch", per_batch.iter().cloned().map(Value::String).collect());
                }
            }
            Event::End { step, reason, seconds, peak_rss_bytes } => {
                fields.text("event", "end");
                fields.count("step", *step);
                fields.text("reason", reason.name());
                fields.number("seconds", *seconds);
                fields.count("peak_rss_bytes", *peak_rss_bytes);
            }
        }
        Value::Object(fields.0).to_string()
    }
}

/// The fields of an object in their order. A name that is taken keeps its first value.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: Value) {
        self.0.entry(name).or_insert(value);
    }

    fn text(&mut self, name: &str, value: &str) {
        self.put(name, Value::String(value.to_string()));
    }

    fn count(&mut self, name: &str, value: u64) {
        self.put(name, Value::Number(value.into()));
    }

    fn number(&mut self, name: &str, value: f64) {
        self.put(name, Number::from_f64(value).map_or(Value::Null, Value::Number));
    }

    /// `classes` are those of the first report that has any; what has others says so under its own name.
    fn reports(&mut self, reports: &[Reported]) {
        reports.iter().for_each(|report| self.put(&report.name, report.figure.json()));
        let mut first: Option<&[String]> = None;
        for report in reports.iter().filter(|report| !report.classes.is_empty()) {
            let classes = Value::Array(report.classes.iter().cloned().map(Value::String).collect());
            match first {
                None => self.put("classes", classes),
                Some(known) if *known == report.classes => {}
                Some(_) => self.put(&format!("{}.classes", report.name), classes),
            }
            first.get_or_insert(&report.classes);
        }
    }

    fn numbers(&mut self, named: &Named) {
        named.iter().for_each(|(name, value)| self.number(name, *value));
    }
}

/// The lines of a `metrics.jsonl` that a run continued after step `step` keeps: what came later, the end of the
/// interrupted run and a line that was cut short are left out.
pub fn kept(text: &str, step: u64) -> String {
    let keeps = |line: &&str| match serde_json::from_str::<Value>(line) {
        Err(_) => false,
        Ok(event) => event["event"] != "end" && event["step"].as_u64().unwrap_or(0) <= step,
    };
    text.lines().filter(keeps).map(|line| format!("{line}\n")).collect()
}
