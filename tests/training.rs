//! Trainings through the binary: parts of a batch, several losses, what is kept, and what a model begins from.

use crate::binary::{mlx, numbers, train};
use crate::trial;
use libtest_mimic::Trial;
use mlx::train::weights;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("training::parts_of_a_batch_change_nothing", parts_of_a_batch),
        trial("training::parts_of_loops_draws_and_states_change_nothing", parts_of_loops),
        trial("training::blocks_computed_again_change_nothing", blocks_again),
        trial("training::blocks_computed_again_are_not_kept", blocks_are_not_kept),
        trial("training::several_losses_move_one_after_the_other", several_losses),
        trial("training::repetitions_see_other_rows", repetitions),
        trial("training::a_clipped_step_has_the_norm_that_it_may_have", clipped),
        trial("training::a_teacher_is_the_mean_of_its_pupils", teacher),
        trial("training::the_best_weights_are_kept", kept),
        trial("training::a_model_begins_from_an_earlier_run", begins),
    ]
}

/// Rows of a table: two numbers, a weight, and a target that follows from them.
fn table(folder: &Path, rows: usize) {
    let mut text = String::from("a,b,w,y,k\n");
    for row in 0..rows {
        let (a, b) = ((row as f64 * 0.7).sin(), (row as f64 * 1.3).cos());
        let y = 2.0 * a - b + 0.1 * (row as f64 * 3.1).sin();
        writeln!(text, "{a},{b},{},{y},{}", 1 + row % 3, ["u", "v", "w"][row % 3]).expect("text");
    }
    fs::write(folder.join("d.csv"), text).expect("written");
}

const DATA: &str = "data d = csv(\"d.csv\") {
    x     = [a, b]
    w     = w
    y     = y
    k     = category(k)
    split = holdout(train = 60%, valid = 20%, test = 20%, seed = 1)
}
model Net(x: [n, d]) -> [n] {
    out x |> dense(8) |> tanh |> dense(1) |> squeeze
}
";

/// A program with this text behind the data, in a folder of its own.
fn program(folder: &Path, text: &str) -> PathBuf {
    table(folder, 50);
    let file = folder.join("net.mlx");
    fs::write(&file, format!("{DATA}{text}")).expect("written");
    file
}

/// The weights of a run that `train` has left in a folder.
fn left(run: &Path, name: &str) -> weights::Weights {
    let bytes = fs::read(run.join(name)).expect("weights");
    weights::from_bytes(name, &bytes, None).expect("whole weights")
}

fn parts_of_a_batch() {
    let losses = [
        "mse(model(x), y)",
        "sum(w * (model(x) - y)^2) / sum(w)",
        "sum((model(x) - y)^2) + 0.01 * max(abs(model(x)))",
        "sqrt(mse(model(x), y)) + (mean(model(x)) - mean(y))^2",
        "variance(model(x) - y)",
    ];
    for loss in losses {
        let mut found: Vec<(Vec<f64>, weights::Weights)> = Vec::new();
        for accumulate in ["", "accumulate = 3", "accumulate = 8"] {
            let folder = tempfile::tempdir().expect("a folder");
            let text = format!(
                "train {{\n    data = d\n    model = Net\n    minimize {loss} using sgd(lr = 0.05)\n    batch = 8\n    steps = 9\n    \
                 {accumulate}\n}}\n"
            );
            let file = program(folder.path(), &text);
            let out = folder.path().join("run");
            let events = train(folder.path(), &file, &[]);
            found.push((numbers(&events, "step", "loss"), left(&out, "last.safetensors")));
        }
        for (losses, weights) in &found[1..] {
            for (one, two) in losses.iter().zip(&found[0].0) {
                assert!((one - two).abs() <= 2e-6 * two.abs().max(0.1), "{loss}: {one} and {two}");
            }
            for (path, tensor) in &weights.tensors {
                for (one, two) in tensor.values.iter().zip(&found[0].1.tensors[path].values) {
                    assert!((one - two).abs() <= 2e-6 * two.abs().max(1.0), "{loss}: {path} {one} and {two}");
                }
            }
        }
    }
}

/// Layers, what stands before the loss, the loss.
const IN_PARTS: [(&str, &str, &str); 8] = [
    // A state without rows beside one with them: its gradient is a sum over rows at each step.
    (
        "model Net(x: [n, t, d]) -> [n, 4] {
    param w: [d, d] = 0.1
    param u: [d] = 0.3
    let h = last(scan v in x[n, t, d] over t {
        state h: [n, d] = 0
        state p: [d] = u
        p' = tanh(w @ p + u)
        h' = tanh(h @ w + p * v)
        out h'
    })
    out h |> dense(4)
}
",
        "",
        "mse(model(x), y)",
    ),
    (
        "layer own(x: [n, t, d]) -> [n, t, 5] {
    let a = dense(5)
    let b = dense(5)
    out scan v in x[n, t, d] over t {
        state h: [n, 5] = 0
        let z: [n, 5] ~ normal(0, 0.3)
        h' = tanh(a(v) + b(h) + z)
        out h'
    }
}
model Net(x: [n, t, d]) -> [n, 4] {
    let h = own(x)
    out h[.., t - 1, 0..5] |> dense(4)
}
",
        "",
        "mse(model(x), y)",
    ),
    (
        "model Net(x: [n, t, d]) -> [n, 4] {
    let h = x |> bidirectional(lstm(3)) |> gru(4)
    out h[.., t - 1, 0..4] |> dense(4)
}
",
        "",
        "mse(model(x), y)",
    ),
    ("", "", "mse(model(dropped), y) + mean((model(x) + noise)^2)"),
    ("", "", "mse(b(model(x)), y) + mse(b(2 * model(x)), y)"),
    ("", "    let o = once(model(x) + noise)\n", "mse(model(x), y) + mse(model(x), o)"),
    (
        "",
        "    state s: [] = 0.1\n    s' = 0.5 * s + 0.5 * mean(model(x)^2)\n",
        "mse(model(x), y) + s * mean(model(x)^2) + mean(grad(sum(model(x)), x)^2)",
    ),
    ("", "    let step_on = model - 0.1 * grad(mse(model(x), y), model)\n", "mse(step_on(x), y)"),
];

fn parts_of_loops() {
    let data = "data d = rows(64, seed = 1) {
    x: [6, 3] ~ normal(0, 1)
    y: [4]    ~ normal(0, 1)
    split = holdout(train = 75%, valid = 25%, seed = 1)
}
";
    let plain = "model Net(x: [n, t, d]) -> [n, 4] {
    let m[n, e] = mean(t: x[n, t, e])
    out m |> dense(5) |> tanh |> dense(4)
}
";
    for (layers, before, loss) in IN_PARTS {
        let layers = if layers.is_empty() { plain } else { layers };
        let draws =
            "    let dropped = dropout(0.5)(x)\n    let noise: [n, 4] ~ normal(0, 0.5)\n    let b = batch_norm\n";
        let mut found: Vec<Vec<f64>> = Vec::new();
        for accumulate in [1, 4, 7] {
            let folder = tempfile::tempdir().expect("a folder");
            let text = format!(
                "{data}{layers}train {{\n    data = d\n    model = Net\n{draws}{before}    minimize {loss} using sgd(lr = 0.1)\n    \
                 batch = 24\n    steps = 6\n    accumulate = {accumulate}\n}}\n"
            );
            let file = folder.path().join("net.mlx");
            fs::write(&file, text).expect("written");
            let events = train(folder.path(), &file, &[]);
            found.push([numbers(&events, "step", "loss"), numbers(&events, "eval", "loss")].concat());
        }
        for losses in &found[1..] {
            for (one, two) in losses.iter().zip(&found[0]) {
                assert!((one - two).abs() <= 1e-6 * two.abs().max(0.1), "{loss}: {one} and {two}");
            }
        }
    }
}

/// Models of blocks: with draws, of one normalized over rows, of layers that all read one memory, of a list, of blocks in blocks.
const OF_BLOCKS: [&str; 5] = [
    "model Net(x: [n, t, d]) -> [n, 4] {
    let h = x |> dense(8) |> repeat(3, transformer_block(2, causal = true, drop = 0.2))
    let m[n, e] = mean(t: h[n, t, e])
    out m |> dense(4)
}
",
    "layer block(x: [n, t, d]) -> [n, t, d] {
    out x + (x |> batch_norm |> relu |> dense(d))
}
model Net(x: [n, t, d]) -> [n, 4] {
    let h = x |> repeat(3, block)
    out h |> flatten |> dense(4)
}
",
    "layer block(x: [n, t, d], memory: [n, t, d]) -> [n, t, d] {
    out x + (x |> attention(1)(memory))
}
model Net(x: [n, t, d]) -> [n, 4] {
    let memory = x |> dense(3) |> gelu
    let h = x |> repeat(3, block)(memory)
    out h |> flatten |> dense(4)
}
",
    "model Net(x: [n, t, d]) -> [n, 4] {
    let h = x |> [dense(2 + i) for i in 0..4]
    out h |> flatten |> dense(4)
}
",
    "layer two(x: [n, t, d]) -> [n, t, d] {
    out x |> repeat(2, dense(d)) |> tanh
}
model Net(x: [n, t, d]) -> [n, 4] {
    out x |> repeat(2, two) |> flatten |> dense(4)
}
",
];

fn blocks_again() {
    for model in OF_BLOCKS {
        let mut found: Vec<Vec<f64>> = Vec::new();
        for settings in ["", "checkpoint = blocks", "checkpoint = blocks\n    accumulate = 3"] {
            let folder = tempfile::tempdir().expect("a folder");
            let text = format!(
                "data d = rows(64, seed = 1) {{
    x: [6, 3] ~ normal(0, 1)
    y: [4]    ~ normal(0, 1)
    split = holdout(train = 75%, valid = 25%, seed = 1)
}}
{model}train {{
    data = d
    model = Net
    minimize mse(model(x), y) + 0.01 * mean(grad(sum(model(x)), x)^2) using sgd(lr = 0.02)
    batch = 24
    steps = 6
    {settings}
}}
"
            );
            let file = folder.path().join("net.mlx");
            fs::write(&file, text).expect("written");
            let events = train(folder.path(), &file, &[]);
            found.push([numbers(&events, "step", "loss"), numbers(&events, "eval", "loss")].concat());
        }
        assert!(found[0].len() > 6, "{:?}", found[0]);
        for losses in &found[1..] {
            for (one, two) in losses.iter().zip(&found[0]) {
                // Kernels end elsewhere, so that sums round otherwise; steps are equal for a while and then differ in the last digits.
                assert!((one - two).abs() <= 1e-5 * two.abs().max(0.1), "{model}: {losses:?} and {:?}", found[0]);
            }
        }
    }
}

/// Of twelve blocks one is in memory with all that is within it, not twelve.
fn blocks_are_not_kept() {
    let arena = |settings: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "data d = rows(512, seed = 1) {{
    x: [16] ~ normal(0, 1)
    y       ~ normal(0, 1)
    split = holdout(train = 100%)
}}
layer block(x: [n, d]) -> [n, d] {{
    out x + (x |> dense(4 * d) |> gelu |> dense(d))
}}
model Net(x: [n, d]) -> [n] {{
    out x |> repeat(12, block) |> dense(1) |> squeeze
}}
train {{
    data = d
    model = Net
    minimize mse(model(x), y) using sgd(lr = 0.01)
    steps = 1
    {settings}
}}
"
        );
        let file = folder.path().join("net.mlx");
        fs::write(&file, text).expect("written");
        numbers(&train(folder.path(), &file, &[]), "start", "arena_bytes")[0]
    };
    let (kept, again) = (arena(""), arena("checkpoint = blocks"));
    assert!(again < 0.6 * kept, "{again} bytes instead of {kept}");
}

fn several_losses() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    param c: [] = 1
    param e: [] = 3
    model = Net
    minimize first = (c - 2)^2 + 0 * mean(model(x)) using sgd(lr = 0.25) over c
    minimize second = (e - c)^2 using sgd(lr = 0.5) over e times 1
    report c = c
    steps = 3
}
";
    let file = program(folder.path(), text);
    let out = folder.path().join("run");
    let events = train(folder.path(), &file, &[]);
    // c: 1, 1.5, 1.75, 1.875; e becomes what c is at that moment.
    assert_eq!(numbers(&events, "step", "first"), [1.0, 0.25, 0.0625]);
    assert_eq!(numbers(&events, "step", "second"), [2.25, 0.0625, 0.015625]);
    assert_eq!(numbers(&events, "step", "loss"), [3.25, 0.3125, 0.078125]);
    assert_eq!(numbers(&events, "step", "lr.second"), [0.5, 0.5, 0.5]);
    let weights = left(&out, "last.safetensors");
    assert_eq!((&weights.tensors["c"].values[..], &weights.tensors["e"].values[..]), (&[1.875][..], &[1.875][..]));
    let last = events.iter().rfind(|event| event["event"] == "eval").expect("an evaluation");
    assert_eq!(last["loss"].as_f64(), last["first"].as_f64());
}

fn repetitions() {
    let folder = tempfile::tempdir().expect("a folder");
    // The mean of all rows that were seen, and how many batches: every row once an epoch.
    let text = "train {
    data = d
    model = Net
    param seen: [] = 0
    param count: [] = 0
    minimize once = -seen * mean(y) - count + 0 * mean(model(x)) using sgd(lr = 1) over seen, count times 3
    batch = 10
    epochs = 1
}
";
    let file = program(folder.path(), text);
    let out = folder.path().join("run");
    let events = train(folder.path(), &file, &[]);
    assert_eq!(numbers(&events, "step", "loss").len(), 1, "three batches of 10 are 30 rows");
    assert_eq!(left(&out, "last.safetensors").tensors["count"].values, [3.0]);
    let seen = || left(&out, "last.safetensors").tensors["seen"].values[0];
    let three = seen();
    fs::write(&file, format!("{DATA}{}", text.replace(" times 3", ""))).expect("written");
    train(folder.path(), &file, &[]);
    assert!((three - seen()).abs() < 1e-6, "the same rows, {three} and {}", seen());
}

fn clipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    param c: [] = 0
    param e: [] = 0
    minimize 3 * c + 4 * e + 0 * mean(model(x)) using sgd(lr = 1) over c, e
    clip = 0.5
    steps = 1
}
";
    let file = program(folder.path(), text);
    let out = folder.path().join("run");
    train(folder.path(), &file, &[]);
    let weights = left(&out, "last.safetensors").tensors;
    for (path, expected) in [("c", -0.3), ("e", -0.4)] {
        assert!((weights[path].values[0] - expected).abs() < 1e-6, "{path} {:?}", weights[path]);
    }
}

fn teacher() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    param c: [] = 1
    state before: [] = 0
    state teacher = model
    state mean: [] = c
    teacher' = 0.5 * teacher + 0.5 * model'
    mean' = 0.5 * mean + 0.5 * c'
    before' = c
    minimize mse(model(x), y) + 0.1 * mse(teacher(x), y) - c using sgd(lr = 0.1)
    steps = 2
}
";
    let file = program(folder.path(), text);
    let out = folder.path().join("run");
    train(folder.path(), &file, &[]);
    let weights = left(&out, "last.safetensors").tensors;
    let value = |path: &str| weights[path].values[0];
    assert!((value("c") - 1.2).abs() < 1e-6);
    assert!((value("mean") - 1.125).abs() < 1e-6, "0.5 (0.5 1 + 0.5 1.1) + 0.5 1.2, and it is {}", value("mean"));
    assert!((value("before") - 1.1).abs() < 1e-6, "{}", value("before"));
    let (own, teacher) = (&weights["dense_1.w"].values, &weights["teacher.dense_1.w"].values);
    assert!(own != teacher && own.len() == teacher.len());
}

fn kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train {
    data = d
    model = Net
    param c: [] = 5
    // Best where c is 2, after three steps; then it gets worse.
    report far = abs(c - 2)
    minimize c + 0 * mean(model(x)) using sgd(lr = 1) over c
    validate = every(1)
    keep = min(valid.far)
    stop = patience(min(valid.far), 2)
    steps = 20
}
";
    let file = program(folder.path(), text);
    let out = folder.path().join("run");
    let events = train(folder.path(), &file, &[]);
    let end = events.last().expect("an end");
    assert_eq!((end["reason"].as_str(), end["step"].as_u64()), (Some("stopped"), Some(5)));
    assert_eq!(left(&out, "best.safetensors").tensors["c"].values, [2.0]);
    assert_eq!(left(&out, "last.safetensors").tensors["c"].values, [0.0]);
    let test: Vec<&Value> = events.iter().filter(|event| event["split"] == "test").collect();
    assert_eq!(test.len(), 1);
    assert_eq!((test[0]["far"].as_f64(), test[0]["step"].as_u64()), (Some(0.0), Some(3)));
    let record = fs::read_to_string(out.join("run.yaml")).expect("a record");
    assert!(record.contains("stopped"), "{record}");
}

fn begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "train first {
    data = d
    model = Net
    minimize mse(model(x), y) using sgd(lr = 0.1)
    steps = 5
}
train second {
    data = d
    model = Net from first except \"dense_2.**\"
    let fixed = Net from first
    freeze = [model.dense_1]
    minimize mse(model(x), y) + 0 * mean(fixed(x)) using sgd(lr = 0.1)
    steps = 3
}
";
    let file = program(folder.path(), text);
    let file = file.to_str().expect("a path");
    let early = mlx(folder.path(), &["train", file, "second", "--quiet"]);
    assert_eq!(early.status.code(), Some(1));
    let told = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(told.contains("E0248") && told.contains("train"), "{told}");
    let all = mlx(folder.path(), &["train", file, "--all", "--quiet"]);
    assert!(all.status.success(), "{}", String::from_utf8_lossy(&all.stderr));
    let runs = folder.path().join("runs");
    let (one, two) =
        (left(&runs.join("net-first-1"), "best.safetensors"), left(&runs.join("net-second-1"), "last.safetensors"));
    assert_eq!(one.tensors["dense_1.w"], two.tensors["dense_1.w"], "frozen");
    assert_eq!(one.tensors["dense_2.w"], two.tensors["fixed.dense_2.w"]);
    assert_ne!(one.tensors["dense_2.w"], two.tensors["dense_2.w"]);
    assert_eq!(two.meta["from"].as_object().map(|from| from.len()), Some(2));
    let named = mlx(folder.path(), &["train", file, "second", "--from", "first=runs/net-first-1", "--quiet"]);
    assert!(named.status.success(), "{}", String::from_utf8_lossy(&named.stderr));
    let wrong = mlx(folder.path(), &["train", file, "second", "--from", "frist=runs", "--quiet"]);
    assert_eq!(wrong.status.code(), Some(2));
}
