//! What a run looks at in its first step, and what it computes when it is over.

use crate::binary::{events, mlx, repository, train};
use crate::trial;
use libtest_mimic::Trial;
use mlx::train::weights;
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
        trial("runs::a_bound_and_a_rate_that_only_the_run_knows", only_the_run_knows),
        trial("runs::weights_of_a_run_that_failed_lack_what_is_calibrated", lacks_what_is_calibrated),
        trial("runs::a_check_of_what_is_calibrated", late_check),
        trial("runs::what_makes_pairs_of_rows_is_a_mean_over_batches", per_batch),
        trial("runs::the_loss_of_an_epoch_so_far_is_a_running_mean", running_mean),
        trial("runs::tensors_of_another_program_by_a_table_of_names", renamed),
        trial("runs::what_was_fitted_to_other_rows_is_refused", overlap),
        trial("runs::images_that_a_report_reads_are_convolved", images_that_a_report_reads),
        trial("runs::seeds_of_a_sweep_share_what_was_checked", swept),
    ]
}

const DATA: &str = "data d = rows(100, seed = 1) {
    x: [2] ~ normal(0, 1)
    y      = x[.., 0] - 2 * x[.., 1]
    split  = holdout(train = 50%, valid = 20%, test = 30%, seed = 1)
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
    check positive = spread > 0
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

/// A contrastive loss: of batches of 10, and of all rows where a step sees all.
fn per_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    let z = stack(model(x), y)
    minimize info_nce(z, z + 0.1) using adam
    report r2(model(x), y)
    report pairs = mean(i, j: (z[i, 0] - z[j, 0])^2)
    batch = 10
    steps = 5
}";
    let events = train(folder.path(), &program(folder.path(), text), &[]);
    let eval = last(&events, "test");
    assert_eq!(eval["per_batch"], serde_json::json!(["loss", "pairs"]), "{eval}");
    let record = fs::read_to_string(folder.path().join("run/run.yaml")).expect("a record");
    assert!(record.contains("per_batch:\n- loss\n- pairs\n"), "{record}");
    let table = mlx(folder.path(), &["eval", "net.mlx", "--weights", "run/last.safetensors"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("loss (per batch)") && table.contains("\nr2  "), "{table}");
    // A loss of ten rows is at most about log 10, of all of them it would be more.
    assert!(number(last(&events, "train"), "loss") < 10f64.ln() + 0.3);
    let whole = text.replace("    batch = 10\n", "");
    let events = train(folder.path(), &program(folder.path(), &whole), &[]);
    assert!(last(&events, "test").get("per_batch").is_none());
}

fn running_mean() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    minimize mse(model(x), y) using sgd(lr = 0.1)
    batch = 10
    epochs = 2
}";
    program(folder.path(), text);
    let output = mlx(folder.path(), &["train", "net.mlx", "--out", "run"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown: Vec<f64> = said
        .lines()
        .filter_map(|line| line.split_once("  loss ")?.1.strip_suffix(" (running mean)")?.parse().ok())
        .collect();
    let metrics = fs::read_to_string(folder.path().join("run/metrics.jsonl")).expect("metrics");
    let steps = metrics.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let losses: Vec<f64> = steps.filter(|event| event["event"] == "step").map(|step| number(&step, "loss")).collect();
    assert_eq!((shown.len(), losses.len()), (10, 10), "{said}");
    for (at, shown) in shown.iter().enumerate() {
        let own = &losses[at / 5 * 5..=at];
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        assert!((shown - mean).abs() < 1e-3 * mean.abs().max(1.0), "{shown} and {mean}");
    }
    // Where a step sees all rows it is the loss.
    program(folder.path(), &text.replace("    batch = 10\n", ""));
    let output = mlx(folder.path(), &["train", "net.mlx", "--out", "run", "--overwrite"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("running mean"));
}

fn renamed() {
    let folder = tempfile::tempdir().expect("a folder");
    let matrix = |rows: usize, columns: usize, first: f32| weights::Tensor {
        shape: vec![rows, columns],
        values: (0..rows * columns).map(|at| first + at as f32).collect(),
    };
    let vector = |count: usize| weights::Tensor { shape: vec![count], values: vec![0.5; count] };
    let tensors = [
        ("net.0.weight", matrix(4, 2, 1.0)),
        ("net.0.bias", vector(4)),
        ("net.2.weight", matrix(1, 4, 3.0)),
        ("net.2.bias", vector(1)),
        ("unused", vector(3)),
    ];
    let tensors = tensors.map(|(name, tensor)| (name.to_string(), tensor)).into();
    let bytes = weights::to_bytes(&weights::Weights { tensors, meta: Value::Null }).expect("bytes");
    fs::write(folder.path().join("theirs.safetensors"), bytes).expect("written");
    let text = |table: &str| {
        format!(
            "train {{\n    data = d\n    model = Net from \"theirs.safetensors\" names {table}\n    minimize mse(model(x), y) using \
             sgd(lr = 1e-9)\n    steps = 1\n}}\n"
        )
    };
    let right = "{
        \"net.0.weight\" = \"dense_1.w\" transposed,
        \"net.0.bias\" = \"dense_1.b\",
        \"net.2.weight\" = \"dense_2.w\" transposed,
        \"net.2.bias\" = \"dense_2.b\",
    }";
    train(folder.path(), &program(folder.path(), &text(right)), &[]);
    let bytes = fs::read(folder.path().join("run/last.safetensors")).expect("weights");
    let ours = weights::from_bytes("ours", &bytes, None).expect("whole").tensors;
    // [out, in] became [in, out].
    assert!((ours["dense_1.w"].values[1] - 3.0).abs() < 1e-3, "{:?}", ours["dense_1.w"]);
    let lines = "# theirs = ours\nnet.0.weight = dense_1.w transposed\nnet.0.bias = dense_1.b\n\
                 net.2.weight = dense_2.w transposed\nnet.2.bias = dense_2.b\n";
    fs::write(folder.path().join("table"), lines).expect("written");
    train(folder.path(), &program(folder.path(), &text("\"table\"")), &[]);
    let wrongs = [
        (right.replace("net.0.bias", "net.0.bais"), "has no tensor `net.0.bais`"),
        (right.replace("dense_2.b", "dense_3.b"), "the model has no parameter `dense_3.b`"),
        (right.replace("\"dense_2.b\"", "\"dense_1.b\""), "`dense_1.b` has two names"),
        (right.replace("net.0.bias", "net.*.bias"), "has two names"),
        (right.replace("dense_1.b", "*.b"), "has more `*` than"),
        (right.replace("\"dense_1.b\"", "\"dense_1.b\" transposed"), "only a matrix is transposed"),
        (right.replace("\"dense_1.w\" transposed", "\"dense_1.w\""), "another shape"),
    ];
    for (table, told) in wrongs {
        program(folder.path(), &text(&table));
        let output = mlx(folder.path(), &["train", "net.mlx", "--quiet", "--out", "run", "--overwrite"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(told), "{told} is not in\n{said}");
    }
    fs::write(folder.path().join("table"), lines.replace("dense_2.b", "dense_9.b")).expect("written");
    program(folder.path(), &text("\"table\""));
    let output = mlx(folder.path(), &["train", "net.mlx", "--quiet", "--out", "run", "--overwrite"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("line 5 of `table`: the model has no parameter `dense_9.b`"), "{said}");
}

fn overlap() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "data e = rows(80, seed = 2) {
    x: [2] ~ normal(5, 3)
    z     = x |> standardize
    y     = x[.., 0]
    split = holdout(train = 100%)
}
data f = rows(80, seed = 3) {
    x: [2] ~ normal(1, 1)
    z     = x |> standardize
    y     = x[.., 0]
    split = holdout(train = 100%)
}
train first {
    data = e
    model = Net
    minimize mse(model(z), y) using sgd
    steps = 1
}
train second {
    data = f
    model = Net from first
    minimize mse(model(z), y) using sgd
    steps = 1
}
";
    program(folder.path(), text);
    let output = mlx(folder.path(), &["train", "net.mlx", "--all", "--quiet"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("E0377") && said.contains("`f.z` is fitted to other rows than `e.z`"), "{said}");
    // What is fitted to the same rows is the same.
    program(folder.path(), &text.replace("seed = 3", "seed = 2").replace("normal(1, 1)", "normal(5, 3)"));
    let output = mlx(folder.path(), &["train", "net.mlx", "--all", "--quiet"]);
    assert!(output.status.success(), "the same fit is none to speak of: {output:?}");
}

fn swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "let rate = 0.1
train {
    data = d
    model = Net
    minimize mse(model(x), y) using sgd(lr = rate)
    report off = mean(y - model(x))
    steps = 2
}
sweep rates {
    rate = [0.1, 0.01]
    seed = 0..2
    keep = min(valid.off)
}
";
    program(folder.path(), text);
    let output = mlx(folder.path(), &["sweep", "net.mlx", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let points = events(&output);
    let of = |event: &Value| {
        (event["point"]["rate"].clone(), event["seed"].clone(), event["metrics"]["valid"]["loss"].clone())
    };
    assert_eq!(points.len(), 4);
    for (at, point) in points.iter().enumerate() {
        for other in &points[..at] {
            assert_ne!(of(point).2, of(other).2, "each point is a training of its own");
        }
    }
    program(folder.path(), &text.replace("valid.off", "valid.of"));
    let output = mlx(folder.path(), &["sweep", "net.mlx"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no figure is called `of`"));
}

fn only_the_run_knows() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    minimize mse(model(x), y) using sgd(lr = RATE)
    clip = BOUND
    steps = 3
}";
    let said = complaint(folder.path(), &text.replace("RATE", "0.1").replace("BOUND", "step - 10"));
    assert!(said.contains("the check `clip > 0` does not hold in step 1") && said.contains("this is -10"), "{said}");
    // A check of the library is shown where the program calls it.
    let said = complaint(folder.path(), &text.replace("RATE", "0.1 * (step - 1)").replace("BOUND", "1"));
    let place = said.lines().find(|line| line.contains("╭─[")).unwrap_or_default();
    assert!(place.contains("net.mlx:12:") && said.contains("this is -0.1"), "{said}");
    assert!(said.contains("lr >= 0"), "{said}");
}

fn lacks_what_is_calibrated() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    minimize mse(model(x), y) + mean(log(1.5 - step)) using sgd
    calibrate shift = mean(y - model(x)) on valid
    predict z = model(x) + shift
    steps = 9
}";
    let said = complaint(folder.path(), text);
    assert!(said.contains("E0401"), "{said}");
    for command in [&["eval"][..], &["predict", "--rows", "2"]] {
        let weights = ["net.mlx", "--weights", "run/last.safetensors"];
        let output = mlx(folder.path(), &[&command[..1], &weights, &command[1..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("E0375") && said.contains("`shift`"), "{said}");
    }
    // A run may begin from them.
    fs::copy(folder.path().join("run/last.safetensors"), folder.path().join("w.safetensors")).expect("copied");
    let file = program(folder.path(), &text.replace(" + mean(log(1.5 - step))", ""));
    train(folder.path(), &file, &["--init", "w.safetensors"]);
}

/// A check of what is calibrated is looked at when training is over.
fn late_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    minimize mse(model(x), y) using adam
    calibrate shift = mean(y - model(x)) on valid
    check small = abs(shift) < BOUND
    steps = 3
}";
    let said = complaint(folder.path(), &text.replace("BOUND", "0.0001"));
    assert!(said.contains("the check `small` does not hold on `train`"), "{said}");
    train(folder.path(), &program(folder.path(), &text.replace("BOUND", "1e6")), &[]);
}

/// What a report reads has 64 bits in an evaluation, and a convolution of it is made of a copy.
fn images_that_a_report_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "data d = rows(8, seed = 1) {
    image: [3, 8, 8] ~ normal(0, 1)
    split = holdout(train = 100%)
}

model Net(image: [n, 3, 8, 8]) -> [n, 16, 8, 8] {
    out image |> conv(16, 3)
}

train {
    data = d
    model = Net
    minimize mean(model(image)^2) using sgd(lr = 0)
    report power = mean(image^2)
    steps = 1
}";
    let file = folder.path().join("net.mlx");
    fs::write(&file, text).expect("written");
    let events = train(folder.path(), &file, &[]);
    let step = events.iter().find(|event| event["event"] == "step").expect("a step");
    let (before, after) = (number(step, "loss"), number(last(&events, "train"), "loss"));
    assert!((before / after - 1.0).abs() < 1e-6, "{before} in the step, {after} in the evaluation");
}
