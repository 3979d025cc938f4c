//! What a run writes beside its weights: `run.yaml` and `metrics.jsonl`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::io::{self, Log};
pub use crate::run::dataset::{DataFile, checksum};
use crate::run::events::{Event, Figure};
use crate::train::yaml;

pub const RECORD: &str = "run.yaml";
pub const METRICS: &str = "metrics.jsonl";

/// The most step lines in `metrics.jsonl`.
const STEPS: u64 = 10_000;

/// What was run, and what came of it: the text of `run.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The program's file as the command line named it, and the name of its `train` block.
    pub file: String,
    pub train: String,
    /// SHA-256 of the program's text.
    pub source: String,
    pub hyperparameters: BTreeMap<String, serde_json::Value>,
    pub seed: u64,
    pub device: String,
    /// Programs by name: `mlx` and whatever else decides the numbers.
    pub versions: BTreeMap<String, String>,
    pub data: Vec<DataFile>,
    pub parameters: u64,
    /// Bytes.
    pub peak_memory: u64,
    pub wall_seconds: f64,
    /// Steps that were finished.
    pub steps: u64,
    /// Numbers by name for each split; a number that is not finite is written as `.nan` or `.inf`.
    pub metrics: BTreeMap<String, BTreeMap<String, Figure>>,
    /// The figures that are means over batches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_batch: Vec<String>,
    /// `done`, `stopped`, `interrupted` or `failed`.
    pub reason: String,
}

/// Creates the next folder `<file>-<train>-<n>` under `runs`, n = 1, 2, …; runs that start at once get different ones.
pub fn new_folder(runs: &Path, file: &Path, train: &str) -> Result<PathBuf, Diagnostic> {
    io::create_folder(runs)?;
    let stem = file.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy());
    let mut number = 1u64;
    loop {
        let folder = runs.join(format!("{stem}-{}-{number}", plain(train)));
        if io::create_new_folder(&folder)? {
            return Ok(folder);
        }
        number += 1;
    }
}

/// A name without what a path gives a meaning to (a backquoted name may hold anything).
pub fn plain(name: &str) -> String {
    name.chars().map(|sign| if sign.is_alphanumeric() || "-_.'".contains(sign) { sign } else { '_' }).collect()
}

/// Writes `run.yaml`.
pub fn write(folder: &Path, record: &Record) -> Result<(), Diagnostic> {
    let path = folder.join(RECORD);
    match yaml::to_string(record) {
        Ok(text) => io::write(&path, text.as_bytes()),
        Err(error) => Err(io::failure(io::UNWRITABLE, "write", &path, &std::io::Error::other(error))),
    }
}

/// Reads `run.yaml`.
pub fn read(folder: &Path) -> Result<Record, Diagnostic> {
    let path = folder.join(RECORD);
    let bytes = io::read(&path)?;
    serde_yaml::from_slice(&bytes)
        .map_err(|error| io::failure(io::UNREADABLE, "read", &path, &std::io::Error::other(error)))
}

/// `metrics.jsonl`, as it grows. Of a run of more than 10,000 steps it has the first, every k-th and the last; all else that
/// happens is in it.
pub struct Metrics {
    log: Log,
    /// k.
    apart: u64,
    /// The last step, if it has no line.
    left_out: Option<Event>,
}

impl Metrics {
    pub fn open(folder: &Path) -> Result<Metrics, Diagnostic> {
        Ok(Metrics { log: Log::new(&folder.join(METRICS))?, apart: 1, left_out: None })
    }

    pub fn add(&mut self, event: &Event) -> Result<(), Diagnostic> {
        match event {
            Event::Start { steps, .. } => self.apart = steps.div_ceil(STEPS).max(1),
            Event::Step { step, .. } if *step == 1 || step.is_multiple_of(self.apart) => self.left_out = None,
            Event::Step { .. } => {
                self.left_out = Some(event.clone());
                return Ok(());
            }
            Event::Eval { .. } => {}
            Event::End { .. } => self.end_steps()?,
        }
        self.log.line(&event.line())
    }

    /// Says that the last step was taken.
    pub fn end_steps(&mut self) -> Result<(), Diagnostic> {
        self.left_out.take().map_or(Ok(()), |event| self.log.line(&event.line()))
    }
}
