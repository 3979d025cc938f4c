//! What tests of the binary share: running it, and the events that it prints.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the binary in a folder.
pub fn mlx(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mlx")).args(arguments).current_dir(folder).output().expect("the binary runs")
}

/// Runs `mlx train FILE --json` with more arguments, all of which must succeed; its events.
pub fn train(folder: &Path, file: &Path, more: &[&str]) -> Vec<Value> {
    let file = file.display().to_string();
    let output = mlx(folder, &[&["train", &file, "--json", "--out", "run", "--overwrite"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    events(&output)
}

/// The events on standard output.
pub fn events(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// A number of each event of a kind.
pub fn numbers(events: &[Value], kind: &str, name: &str) -> Vec<f64> {
    let of_kind = events.iter().filter(|event| event["event"] == kind);
    of_kind.map(|event| event[name].as_f64().unwrap_or(f64::NAN)).collect()
}

/// A path of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
