//! Training through the binary: against PyTorch, against least squares, and the same bits twice.

use crate::binary::{mlx, numbers, repository, train};
use crate::trial;
use libtest_mimic::Trial;
use mlx::data::split::{Holdout, Part, holdout};
use mlx::source::{SourceId, Span};
use mlx::train::weights;
use serde_json::Value;
use std::fs;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("learning::linear_regression_is_least_squares", linear_regression_is_least_squares),
        trial("learning::the_same_seed_gives_the_same_bits", the_same_seed_gives_the_same_bits),
        trial("learning::any_number_of_threads_gives_the_same_bits", any_number_of_threads),
        trial("learning::many_rows_are_prepared_and_evaluated_in_parts", many_rows),
        trial("learning::batches_see_every_row_once_an_epoch", batches_see_every_row),
        trial("learning::a_batch_of_all_rows_is_the_full_batch", a_batch_of_all_rows),
        trial("learning::training_is_true_in_steps_alone", training_in_steps),
        trial("learning::slopes_at_kinks_and_past_branches", slopes),
        trial("learning::an_instance_that_is_used_twice_has_one_set_of_parameters", tied_instances),
    ];
    let recorded = recorded();
    for (model, optimizers) in recorded["losses"]["f64"].as_object().expect("models") {
        for optimizer in optimizers.as_object().expect("optimizers").keys() {
            let (model, optimizer) = (model.clone(), optimizer.clone());
            trials.push(Trial::test(format!("learning::losses_of_pytorch::{model}::{optimizer}"), move || {
                losses_of_pytorch(&model, &optimizer);
                Ok(())
            }));
        }
    }
    for model in fs::read_dir(repository("models")).expect("models").map(|entry| entry.expect("readable").path()) {
        if model.extension().is_some_and(|end| end == "mlx") {
            let name = model.file_name().expect("a file").to_string_lossy().into_owned();
            trials.push(Trial::test(format!("learning::models::{name}"), move || {
                let folder = tempfile::tempdir().expect("a folder");
                let events = train(folder.path(), &model, &["--steps", "5"]);
                let losses = numbers(&events, "step", "loss");
                assert_eq!(losses.len(), 5);
                assert!(losses[4] < losses[0], "{losses:?}");
                Ok(())
            }));
        }
    }
    trials
}

fn recorded() -> Value {
    let recorded = fs::read_to_string(repository("tests/reference/three_layer.json")).expect("the recording");
    serde_json::from_str(&recorded).expect("JSON")
}

/// The losses of `tests/reference/record.py`, which PyTorch computes from the same weights, in f64 and in f32.
fn losses_of_pytorch(model: &str, optimizer: &str) {
    let using = match optimizer {
        "sgd" => "sgd(lr = 0.1)",
        "sgd_momentum" => "sgd(lr = 0.1, momentum = 0.9)",
        "sgd_nesterov" => "sgd(lr = 0.1, momentum = 0.9, nesterov = true)",
        "adam" => "adam(lr = 0.01)",
        "adamw" => "adamw(lr = 0.01, decay = 0.05)",
        "adagrad" => "adagrad(lr = 0.05)",
        "rmsprop" => "rmsprop(lr = 0.01)",
        other => panic!("{other} is not recorded"),
    };
    let deep = |activation: &str| format!("x |> dense(8) |> {activation} |> dense(6) |> {activation} |> dense(3)");
    let (net, loss) = match model {
        "linear" => ("x |> dense(1)".to_string(), "mse(model(x), stack(y0))"),
        "logistic" => ("x |> dense(1)".to_string(), "binary_cross_entropy(first(model(x)), some)"),
        "softmax" => ("x |> dense(3)".to_string(), "cross_entropy(model(x), kind)"),
        "tanh_mse" => (deep("tanh"), "mse(model(x), stack(y0, y1, y2))"),
        activation => (deep(activation), "cross_entropy(model(x), kind)"),
    };
    let program = format!(
        "data rows = csv(\"three_layer_data.csv\") {{\n    x = [x0, x1, x2, x3, x4]\n    y0 = y0\n    y1 = y1\n    y2 = y2\n    \
         kind = category(kind)\n    some = category(some)\n}}\n\
         fn first(z: [n, k]) -> [n] {{\n    let y[i] = sum(j: z[i, j])\n    out y\n}}\n\
         model Net(x: [n, 5]) {{\n    out {net}\n}}\n\
         train {{\n    data = rows\n    model = Net\n    minimize {loss} using {using}\n    steps = 50\n}}\n"
    );
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(repository("tests/reference/three_layer_data.csv"), folder.path().join("three_layer_data.csv"))
        .expect("a copy");
    let given = fs::read(repository("tests/reference/three_layer_weights.safetensors")).expect("weights");
    let mut given = weights::from_bytes("given", &given, None).expect("weights");
    if let Some(width) = match model {
        "linear" | "logistic" => Some(1),
        "softmax" => Some(3),
        _ => None,
    } {
        // The first columns of the first layer.
        given.tensors.retain(|path, _| path.starts_with("dense_1"));
        for tensor in given.tensors.values_mut() {
            let own = *tensor.shape.last().expect("an axis");
            tensor.values = tensor.values.chunks(own).flat_map(|row| row[..width].to_vec()).collect();
            *tensor.shape.last_mut().expect("an axis") = width;
        }
    }
    fs::write(folder.path().join("start.safetensors"), weights::to_bytes(&given).expect("bytes")).expect("written");
    let file = folder.path().join("net.mlx");
    fs::write(&file, program).expect("written");
    let events = train(folder.path(), &file, &["--init", "start.safetensors"]);
    let ours = numbers(&events, "step", "loss");
    for kind in ["f64", "f32"] {
        let recorded = recorded();
        let theirs = recorded["losses"][kind][model][optimizer].as_array().expect("losses");
        assert_eq!((ours.len(), theirs.len()), (50, 50));
        for (step, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let theirs = theirs.as_f64().expect("a number");
            let near = (ours - theirs).abs() <= 2e-5 * theirs;
            assert!(near, "step {}: {ours}, and PyTorch has {theirs} in {kind}", step + 1);
        }
    }
}

/// The shipped file ends at the solution of (Xᵀ X) a = Xᵀ y on its training rows.
fn linear_regression_is_least_squares() {
    let folder = tempfile::tempdir().expect("a folder");
    train(folder.path(), &repository("models/linear_regression.mlx"), &[]);
    let bytes = fs::read(folder.path().join("run/last.safetensors")).expect("weights");
    let found = weights::from_bytes("last", &bytes, None).expect("weights").tensors;
    let table = fs::read_to_string(repository("models/data/diabetes.csv")).expect("the data");
    let rows: Vec<Vec<f64>> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().expect("a number")).collect())
        .collect();
    let span = Span::new(SourceId(0), 0, 0);
    let part = |share| Part { share, span };
    let wanted = Holdout { train: part((4, 5)), valid: None, test: Some(part((1, 5))), seed: 1, shuffle: true };
    let split = holdout(rows.len(), &wanted, None, span, || false).expect("a split");
    let rows: Vec<&Vec<f64>> = split.train.iter().map(|row| &rows[*row]).collect();
    let count = rows.len() as f64;
    // Standardized columns and a column of ones; then the normal equations.
    let mean = |column: usize| rows.iter().map(|row| row[column]).sum::<f64>() / count;
    let scale =
        |column: usize| (rows.iter().map(|row| (row[column] - mean(column)).powi(2)).sum::<f64>() / count).sqrt();
    let (means, scales): (Vec<f64>, Vec<f64>) = ((0..10).map(mean).collect(), (0..10).map(scale).collect());
    let design: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| (0..10).map(|column| (row[column] - means[column]) / scales[column]).chain([1.0]).collect())
        .collect();
    let solution = least_squares(&design, &rows.iter().map(|row| row[10]).collect::<Vec<_>>());
    let ours = found["a"].values.iter().chain(&found["b"].values);
    for (ours, exact) in ours.zip(solution) {
        assert!((f64::from(*ours) - exact).abs() <= 1e-3 * exact.abs(), "{ours} is not {exact}");
    }
}

/// Solves the normal equations by elimination with pivots.
fn least_squares(x: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    let n = x[0].len();
    let mut a: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let products = (0..n).map(|j| x.iter().map(|row| row[i] * row[j]).sum());
            products.chain([x.iter().zip(y).map(|(row, y)| row[i] * y).sum()]).collect()
        })
        .collect();
    for k in 0..n {
        let pivot = (k..n).max_by(|i, j| a[*i][k].abs().total_cmp(&a[*j][k].abs())).expect("a row");
        a.swap(k, pivot);
        for i in (0..n).filter(|i| *i != k) {
            let factor = a[i][k] / a[k][k];
            let pivot = a[k].clone();
            a[i].iter_mut().zip(pivot).for_each(|(cell, pivot)| *cell -= factor * pivot);
        }
    }
    (0..n).map(|k| a[k][n] / a[k][k]).collect()
}

fn the_same_seed_gives_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = |out: &str, more: &[&str]| {
        let file = repository("models/softmax_regression.mlx").display().to_string();
        let output = mlx(folder.path(), &[&["train", &file, "--steps", "3", "--quiet", "--out", out], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(folder.path().join(out).join("last.safetensors")).expect("weights")
    };
    let first = weights("a", &[]);
    assert_eq!(first, weights("b", &[]));
    assert_ne!(first, weights("c", &["--seed", "1"]), "another seed starts elsewhere");
    assert_ne!(first, weights("d", &["--set", "η=0.25"]), "another learning rate ends elsewhere");
}

fn tied_instances() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tied.mlx");
    let program = "data d = csv(\"d.csv\") {\n    x = [a, b]\n    y = c\n}\n\
                   model Net(x: [n, 2]) -> [n] {\n    let f = dense(2)\n    param w: [2] = 1\n    out (x |> f |> tanh |> f) @ w\n}\n\
                   train {\n    data = d\n    model = Net\n    minimize mse(model(x), y) using sgd\n}\n";
    fs::write(&file, program).expect("written");
    fs::write(folder.path().join("d.csv"), "a,b,c\n1,2,3\n4,5,6\n").expect("written");
    for (stage, line) in [("tree", "Train("), ("terms", "t0: "), ("graph", "= "), ("plan", " kernels, ")] {
        let dump = mlx(folder.path(), &["summary", "tied.mlx", "--dump", stage]);
        let text = String::from_utf8_lossy(&dump.stdout);
        assert!(dump.status.success() && text.contains(line), "{stage}: {text}");
    }
    let output = mlx(folder.path(), &["summary", "tied.mlx", "--json"]);
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let paths: Vec<&str> =
        summary["tensors"].as_array().expect("a list").iter().filter_map(|t| t["path"].as_str()).collect();
    assert_eq!(paths, ["w", "f.w", "f.b"], "in the order of the text");
    assert_eq!(summary["parameters"], 8);
}

/// The loss of a step is the one with `training` true, that of an evaluation the one with `training` false.
fn training_in_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = "data d = csv(\"d.csv\") {\n    x = x\n    split = holdout(train = 100%)\n}\n\
                   model Net(x: [n]) -> [n] {\n    param w: [] = 1\n    out if training then 2 * w * x else w * x\n}\n\
                   train {\n    data = d\n    model = Net\n    minimize mean(model(x)) using sgd(lr = 0.5)\n    steps = 1\n}\n";
    fs::write(folder.path().join("net.mlx"), program).expect("written");
    fs::write(folder.path().join("d.csv"), "x\n1\n3\n").expect("written");
    let events = train(folder.path(), Path::new("net.mlx"), &[]);
    assert_eq!(numbers(&events, "step", "loss"), [4.0]);
    // w is 1 - 0.5 · 4 by then.
    assert_eq!(numbers(&events, "eval", "loss"), [-2.0]);
}

/// One step of descent at rate 1 shows the slope of a loss by its one parameter `w`, with a column `x` beside it.
fn slope(loss: &str, w: f64, x: f64) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let program = format!(
        "data d = csv(\"d.csv\") {{\n    x = x\n    split = holdout(train = 100%)\n}}\n\
         train {{\n    data = d\n    model = Net\n    minimize mean(model(x)) using sgd(lr = 1)\n    steps = 1\n}}\n\
         model Net(x: [n]) -> [n] {{\n    param w: [] = {w}\n    out {loss}\n}}\n"
    );
    fs::write(folder.path().join("net.mlx"), program).expect("written");
    fs::write(folder.path().join("d.csv"), format!("x\n{x}\n")).expect("written");
    train(folder.path(), Path::new("net.mlx"), &[]);
    let bytes = fs::read(folder.path().join("run/last.safetensors")).expect("weights");
    let after = weights::from_bytes("last", &bytes, None).expect("weights").tensors["w"].values[0];
    w - f64::from(after)
}

/// Derivatives as PyTorch has them, in f64.
fn slopes() {
    let near = |loss: &str, w: f64, x: f64, expected: f64| {
        let found = slope(loss, w, x);
        assert!((found - expected).abs() <= 1e-6 * (1.0 + expected.abs()), "{loss}: {found}, not {expected}");
    };
    near("elu(w * x)", 0.0, 1.0, 1.0);
    near("elu(w * x, alpha = 2)", 0.0, 1.0, 2.0);
    near("elu(w * x)", 200.0, 1.0, 1.0);
    near("softplus(w * x)", 0.0, 1.0, 0.5);
    near("sigmoid(w * x)", 0.0, 1.0, 0.25);
    near("softplus(w * x)", 200.0, 1.0, 1.0);
    near("sigmoid(w * x)", -200.0, 1.0, 0.0);
    near("expm1(w * x)", 0.0, 1.0, 1.0);
    near("log1p(w * x)", 0.5, 1.0, 1.0 / 1.5);
    // What is not chosen has no say, whatever it is made with.
    for f in ["tanh", "sin", "cos", "erf", "sigmoid", "softplus", "elu", "gelu", "silu"] {
        near(&format!("if x > 0 then {f}(w * log(x)) else w * x"), 0.5, -2.0, -2.0);
        near(&format!("if x > 0 then {f}(sqrt(x) / w) else w * x"), 0.5, -2.0, -2.0);
    }
}

/// 37 rows, so that no share divides them; wide enough that threads share loops and products.
fn any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let columns: Vec<String> = (0..40).map(|column| format!("p{column}")).collect();
    let mut table = columns.join(",") + ",kind\n";
    for row in 0..37 {
        let cells = (0..40).map(|column| format!("{:.3},", ((row * 40 + column) as f64 * 0.7).sin()));
        table += &(cells.collect::<String>() + &format!("{}\n", row % 3));
    }
    fs::write(folder.path().join("d.csv"), table).expect("written");
    let program = format!(
        "data d = csv(\"d.csv\") {{\n    x = [{}]\n    y = category(kind)\n    split = holdout(train = 100%)\n}}\n\
         model Net(x: [n, d]) -> [n, 3] {{\n    out x |> dense(300) |> tanh |> dense(301) |> relu |> dense(3)\n}}\n\
         train {{\n    data = d\n    model = Net\n    minimize cross_entropy(model(x), y) using adam\n    steps = 12\n}}\n",
        columns.join(", ")
    );
    fs::write(folder.path().join("net.mlx"), program).expect("written");
    let weights = |threads: &str| {
        let output =
            mlx(folder.path(), &["train", "net.mlx", "--threads", threads, "--quiet", "--overwrite", "--out", threads]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(folder.path().join(threads).join("last.safetensors")).expect("weights")
    };
    let one = weights("1");
    assert_eq!(one, weights("2"));
    assert_eq!(one, weights("3"));
    assert_eq!(one, weights("1"), "and again");
}

/// More rows than a chunk or a batch of the evaluation has: any number of threads gives the same, and fitted values are those
/// of all training rows.
fn many_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = "data d = rows(9_001, seed = 1) {\n    x: [9] ~ uniform(3, 5)\n    z = standardize(x)\n    y ~ normal(0, 1)\n    split = holdout(train = 90%, test = 10%)\n}\n\
         model Net(x: [n, d]) -> [n, 1] {\n    out x |> dense(5) |> tanh |> dense(1)\n}\n\
         train {\n    data = d\n    model = Net\n    minimize mse(model(z), stack(y)) using adam\n    report r2(model(z), stack(y))\n    report mean(z)\n    \
         report spread = variance(z)\n    batch = 100\n    steps = 3\n}\n";
    fs::write(folder.path().join("net.mlx"), program).expect("written");
    let run = |threads: &str| {
        let events = train(folder.path(), Path::new("net.mlx"), &["--threads", threads]);
        let evals: Vec<Value> = events.into_iter().filter(|event| event["event"] == "eval").collect();
        (evals, fs::read(folder.path().join("run/last.safetensors")).expect("weights"))
    };
    let one = run("1");
    assert_eq!(one, run("2"));
    assert_eq!(one, run("3"));
    let numbers = |name: &str| one.0.iter().map(|eval| eval[name].as_f64().expect("a number")).collect::<Vec<f64>>();
    assert!(numbers("mean")[0].abs() < 1e-6 && (numbers("spread")[0] - 1.0).abs() < 1e-6, "{:?}", one.0);
    assert!((numbers("spread")[1] - 1.0).abs() > 1e-6, "the test rows have their own");
}

/// A table of `rows` rows, y = 2 a, and a program that learns it in batches.
fn in_batches(folder: &std::path::Path, rows: usize, settings: &str) {
    let cells = (0..rows).map(|row| format!("{},{}\n", row as f64 / 8.0, row as f64 / 4.0));
    fs::write(folder.join("d.csv"), format!("a,y\n{}", cells.collect::<String>())).expect("written");
    let program = format!(
        "data d = csv(\"d.csv\") {{\n    x = [a]\n    y = [y]\n    split = holdout(train = 100%)\n}}\n\
         model Net(x: [n, 1]) -> [n, 1] {{\n    param w: [1, 1] = 0\n    out x @ w\n}}\n\
         train {{\n    data = d\n    model = Net\n    minimize mean(y) + 0 * mse(model(x), y) using sgd(lr = 0)\n    {settings}\n}}\n"
    );
    fs::write(folder.join("net.mlx"), program).expect("written");
}

/// The loss of a step is the mean of its targets, so that their sum over an epoch tells which rows were seen.
fn batches_see_every_row() {
    let folder = tempfile::tempdir().expect("a folder");
    in_batches(folder.path(), 37, "batch = 8\n    epochs = 3");
    let events = train(folder.path(), &folder.path().join("net.mlx"), &[]);
    let losses = numbers(&events, "step", "loss");
    assert_eq!(losses.len(), 15, "five batches an epoch, the last of five rows");
    assert_eq!(numbers(&events, "step", "epoch")[4..6], [1.0, 2.0]);
    let sizes = [8.0, 8.0, 8.0, 8.0, 5.0];
    let all: f64 = (0..37).map(|row| f64::from(row) / 4.0).sum();
    for epoch in losses.chunks(5) {
        let seen: f64 = epoch.iter().zip(sizes).map(|(mean, size)| mean * size).sum();
        assert!((seen - all).abs() < 1e-3, "{seen} is not {all}");
    }
    assert_ne!(losses[..5], losses[5..10], "rows are shuffled anew");
    // After every epoch but the last, and at the end.
    assert_eq!(numbers(&events, "eval", "loss").len(), 3);
}

fn a_batch_of_all_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    in_batches(folder.path(), 10, "batch = 10\n    epochs = 2");
    let whole = numbers(&train(folder.path(), &folder.path().join("net.mlx"), &[]), "step", "loss");
    in_batches(folder.path(), 10, "epochs = 2");
    let plain = numbers(&train(folder.path(), &folder.path().join("net.mlx"), &[]), "step", "loss");
    assert_eq!(whole, plain);
    in_batches(folder.path(), 10, "batch = 11");
    let output = mlx(folder.path(), &["check", "net.mlx"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("a batch of 11 rows, and 10 are for training"));
}
