//! The standard library against PyTorch and scikit-learn, whose numbers `tests/reference/library.py` recorded: losses of 20
//! steps, gradients, predictions after training, reports.

use crate::binary::{mlx, numbers, repository, train};
use libtest_mimic::Trial;
use mlx::run::params::Tensor;
use mlx::train::weights::{self, Weights};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// How far apart two numbers may be: relative, with a floor for what is near 0.
const TOLERANCE: f64 = 1e-4;
const FLOOR: f64 = 2e-6;

/// Of the descent in all of them.
const RATE: f64 = 0.1;

pub fn trials() -> Vec<Trial> {
    let mut programs: Vec<_> = fs::read_dir(repository("tests/reference/library"))
        .expect("the cases")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|end| end == "mlx"))
        .collect();
    programs.sort();
    let trial = |program: std::path::PathBuf| {
        let name = program.file_stem().expect("a name").to_string_lossy().into_owned();
        Trial::test(format!("library::{name}"), move || {
            holds(&program);
            Ok(())
        })
    };
    programs.into_iter().map(trial).collect()
}

fn holds(program: &Path) {
    let recorded = fs::read_to_string(program.with_extension("json")).expect("the recording");
    let recorded: Value = serde_json::from_str(&recorded).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("net.mlx");
    fs::copy(program, &file).expect("a copy");
    fs::copy(repository("tests/reference/library/data.csv"), folder.path().join("data.csv")).expect("a copy");
    if let Some(reports) = recorded["reports"].as_object() {
        let events = train(folder.path(), &file, &[]);
        for (name, wanted) in reports {
            let mut evals = events.iter().filter(|event| event["event"] == "eval");
            let found = evals.next_back().map_or(&Value::Null, |event| &event[name]);
            alike(found, wanted, &format!("report {name}"));
        }
        return;
    }
    let init = folder.path().join("start.safetensors");
    fs::write(&init, weights::to_bytes(&start(&recorded["parameters"])).expect("bytes")).expect("written");

    // An optimizer's case has none.
    let gradients = recorded["gradients"].as_object();
    if gradients.is_some() {
        train(folder.path(), &file, &["--init", "start.safetensors", "--steps", "1"]);
    }
    let after = gradients.map(|_| read(&folder.path().join("run/last.safetensors"))).unwrap_or_default();
    for (path, gradient) in gradients.into_iter().flatten() {
        let before = &recorded["parameters"][path]["values"];
        let after = &after.tensors.get(path).unwrap_or_else(|| panic!("there is no parameter `{path}`")).values;
        for (at, wanted) in gradient.as_array().expect("numbers").iter().enumerate() {
            let before = before[at].as_f64().expect("a number");
            let found = (before - f64::from(after[at])) / RATE;
            close(found, wanted, &format!("gradient of {path}, element {at}"));
        }
    }

    let events = train(folder.path(), &file, &["--init", "start.safetensors"]);
    let losses = numbers(&events, "step", "loss");
    let wanted = recorded["losses"].as_array().expect("losses");
    assert_eq!(losses.len(), wanted.len());
    for (step, (found, wanted)) in losses.iter().zip(wanted).enumerate() {
        close(*found, wanted, &format!("loss before update {}", step + 1));
    }

    let arguments = ["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", "data.csv"];
    let output = mlx(folder.path(), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for (row, wanted) in text.lines().skip(1).zip(recorded["outputs"].as_array().expect("rows")) {
        let found: Vec<f64> = row.split(',').map(|cell| cell.parse().expect("a number")).collect();
        let wanted = wanted.as_array().expect("a row");
        assert_eq!(found.len(), wanted.len(), "numbers of a row");
        found.iter().zip(wanted).for_each(|(found, wanted)| close(*found, wanted, "a prediction"));
    }
}

/// Numbers, along axes if there are any.
fn alike(found: &Value, wanted: &Value, what: &str) {
    match wanted.as_array() {
        None => close(found.as_f64().unwrap_or(f64::NAN), wanted, what),
        Some(wanted) => {
            let found = found.as_array().map_or(&[][..], |found| found);
            assert_eq!(found.len(), wanted.len(), "elements of {what}");
            found.iter().zip(wanted).for_each(|(found, wanted)| alike(found, wanted, what));
        }
    }
}

fn close(found: f64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().expect("a number");
    let distance = (found - wanted).abs();
    assert!(distance <= TOLERANCE * wanted.abs() + FLOOR, "{what}: {found}, and {wanted} is recorded");
}

fn read(path: &Path) -> Weights {
    weights::from_bytes("weights", &fs::read(path).expect("weights"), None).expect("weights")
}

/// The recorded parameters as a weight file.
fn start(parameters: &Value) -> Weights {
    let mut start = Weights::default();
    for (path, recorded) in parameters.as_object().expect("parameters") {
        let shape = recorded["shape"].as_array().expect("a shape").iter();
        let shape = shape.map(|size| size.as_u64().expect("a size") as usize).collect();
        let values = recorded["values"].as_array().expect("values").iter();
        let values = values.map(|value| value.as_f64().expect("a number") as f32).collect();
        start.tensors.insert(path.clone(), Tensor { shape, values });
    }
    start
}
