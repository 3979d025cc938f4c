//! What a run looks at in its first step, and what it computes when it is over.

use crate::binary::{mlx, repository, train};
use crate::trial;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("runs::a_calibrated_band_covers_what_it_says", covers),
        trial("runs::what_is_calibrated_comes_with_the_weights", comes_with_the_weights),
        trial("runs::the_kept_weights_are_calibrated_too", kept),
        trial("runs::rows_of_a_split_are_kept", rows_are_kept),
        trial("runs::a_check_that_does_not_hold_is_shown", does_not_hold),
        trial("runs::a_check_in_a_scan_and_under_an_if", in_a_scan),
        trial("runs::a_check_of_an_evaluation", of_an_evaluation),
    ]
}

const DATA: &str = "data d = rows(100, seed = 1) {
    x: [2] ~ normal(0, 1)
    y      = x[.., 0] - 2 * x[.., 1]
    split  = holdout(train = 50, valid = 20, test = 30, seed = 1)
}
model Net(x: [n, d]) -> [n] {
    out x |> dense(4) |> tanh |> dense(1) |> squeeze
}
";

/// A program with this text behind data and a net.
fn program(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("net.mlx");
    fs::write(&file, format!("{DATA}{text}")).expect("written");
    file
}

/// The last evaluation of a split.
fn last<'e>(events: &'e [Value], split: &str) -> &'e Value {
    let own = |event: &&Value| event["event"] == "eval" && event["split"] == split;
    events.iter().rfind(own).expect("an evaluation of the split")
}

fn number(event: &Value, name: &str) -> f64 {
    event[name].as_f64().expect("a number")
}

/// What a run that must fail says.
fn complaint(folder: &Path, text: &str) -> String {
    program(folder, text);
    let output = mlx(folder, &["train", "net.mlx", "--quiet", "--out", "run", "--overwrite"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    said
}

fn covers() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = train(folder.path(), &repository("tests/papers/conformal.mlx"), &[]);
    // Of the rows that it was calibrated by as many as was said, and about so many of others.
    let (valid, test) = (number(last(&events, "valid"), "coverage"), number(last(&events, "test"), "coverage"));
    assert!((0.9..0.92).contains(&valid), "{valid} of the rows that it was calibrated by");
    assert!((0.86..0.94).contains(&test), "{test} of new rows");
    assert!(number(last(&events, "train"), "uncalibrated") != number(last(&events, "train"), "coverage"));
    // During training nothing is calibrated.
    assert!(events.iter().any(|event| event["event"] == "eval" && event.get("coverage").is_none()));
}

fn comes_with_the_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    minimize mse(model(x), y) using adam
    calibrate shift = mean(y - model(x)) on valid
    calibrate spread = mean((y - model(x) - shift)^2) on valid
    report left = mean(y - model(x)) - shift
    report spread = spread
    predict z = model(x) + shift
    steps = 3
}";
    let file = program(folder.path(), text);
    let events = train(folder.path(), &file, &[]);
    assert!(number(last(&events, "valid"), "left").abs() < 1e-6, "the mean of what is left is taken away");
    let eval =
        mlx(folder.path(), &["eval", "net.mlx", "--weights", "run/last.safetensors", "--split", "test", "--json"]);
    let eval: Value = serde_json::from_slice(&eval.stdout).expect("an event");
    for name in ["left", "spread"] {
        assert_eq!(eval[name], last(&events, "test")[name], "`{name}` of the weights");
    }
    let predicted = mlx(folder.path(), &["predict", "net.mlx", "--weights", "run/last.safetensors", "--rows", "2"]);
    assert!(predicted.status.success(), "{}", String::from_utf8_lossy(&predicted.stderr));
    let shifted = String::from_utf8_lossy(&predicted.stdout).into_owned();
    // Without the shift it predicts something else.
    let plain = text.replace("predict z = model(x) + shift", "predict z = model(x)");
    program(folder.path(), &plain);
    let predicted = mlx(folder.path(), &["predict", "net.mlx", "--weights", "run/last.safetensors", "--rows", "2"]);
    assert_ne!(shifted, String::from_utf8_lossy(&predicted.stdout));
    // A run goes on from such weights.
    let file = program(folder.path(), text);
    fs::rename(folder.path().join("run/last.safetensors"), folder.path().join("w.safetensors")).expect("moved");
    train(folder.path(), &file, &["--init", "w.safetensors"]);
}

fn kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    minimize mse(model(x), y) using sgd(lr = 0.9)
    calibrate shift = mean(y - model(x)) on valid
    report left = mean(y - model(x)) - shift
    validate = every(1)
    keep = min(valid.loss)
    steps = 6
}";
    let file = program(folder.path(), text);
    let events = train(folder.path(), &file, &[]);
    for weights in ["best", "last"] {
        let weights = format!("run/{weights}.safetensors");
        let eval = mlx(folder.path(), &["eval", "net.mlx", "--weights", &weights, "--split", "valid", "--json"]);
        let eval: Value = serde_json::from_slice(&eval.stdout).expect("an event");
        assert!(number(&eval, "left").abs() < 1e-5, "{weights}: {eval}");
    }
    let best =
        mlx(folder.path(), &["eval", "net.mlx", "--weights", "run/best.safetensors", "--split", "test", "--json"]);
    let best: Value = serde_json::from_slice(&best.stdout).expect("an event");
    assert_eq!(best["left"], last(&events, "test")["left"], "test figures are of the kept weights");
}

/// The nearest of the rows that a split has kept: of those rows themselves it is the row.
fn rows_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    let z = model(x)
    minimize mse(z, y) using adam
    calibrate known = z on valid
    report far = mean(i: min(k: abs(z[i] - known[k])))
    report count = count(known)
    steps = 3
}";
    let events = train(folder.path(), &program(folder.path(), text), &[]);
    assert_eq!(number(last(&events, "valid"), "count"), 20.0);
    assert_eq!(number(last(&events, "test"), "count"), 20.0);
    assert!(number(last(&events, "valid"), "far") < 1e-6 && number(last(&events, "test"), "far") > 1e-4);
}

fn does_not_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "fn root(a: [n], least: []) -> [n] {
    check large = a > least
    out sqrt(a)
}
train {
    data = d
    model = Net
    let first = x[.., 0]
    minimize mse(root(first, -0.5), y) + mse(model(x), y) using adam
    batch = 10
    steps = 3
}";
    let said = complaint(folder.path(), text);
    assert!(said.contains("E0374") && said.contains("the check `large` does not hold in step 1 at ["), "{said}");
    assert!(
        said.contains("a > least") && said.contains("this is -0.5") && said.contains("in this use of `root`"),
        "{said}"
    );
    // What holds in the first step costs nothing later: it is not looked at.
    let holds = text.replace("root(first, -0.5)", "root(first + 10 - 9 * step, -0.5)");
    program(folder.path(), &holds.replace("steps = 3", "steps = 2\n    validate = every(3)"));
    let output = mlx(folder.path(), &["train", "net.mlx", "--quiet", "--out", "run", "--overwrite"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("in step 2"), "{output:?}");
}

fn in_a_scan() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "fn summed(a: [n, t]) -> [n] {
    out last(scan v in a[n, t] over t {
        state s: [n] = 0
        s' = s + v
        check small = abs(s') < BOUND
        out s'
    })
}
fn root(a: []) -> [] {
    check positive = a > 0
    out sqrt(a)
}
train {
    data = d
    model = Net
    let parts[i] = if x[i, 0] > 0 then root(x[i, 0]) else 0
    minimize mse(model(x) + summed(x) + parts, y) using adam
    steps = 3
}";
    let said = complaint(folder.path(), &text.replace("BOUND", "1"));
    assert!(said.contains("the check `small` does not hold in step 1"), "{said}");
    program(folder.path(), &text.replace("BOUND", "100"));
    let output = mlx(folder.path(), &["train", "net.mlx", "--quiet", "--out", "run", "--overwrite"]);
    assert!(output.status.success(), "an `if` around a check leaves elements out: {output:?}");
}

fn of_an_evaluation() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    minimize mse(model(x), y) using adam
    check early = step < 2 or mean(y) == mean(y)
    check small = step * count(y) < 50
    validate = every(2)
    steps = 4
}";
    let said = complaint(folder.path(), text);
    assert!(said.contains("the check `small` does not hold on `train`"), "{said}");
    // The run ends with what it has: the last weights are there.
    assert!(folder.path().join("run/last.safetensors").exists());
}
