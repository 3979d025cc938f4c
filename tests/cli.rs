//! The command line: exit statuses, what a run leaves, and what it says when something is wrong.

use crate::binary::{events, mlx, numbers, repository, train};
use crate::trial;
use libtest_mimic::Trial;
use mlx::backend::cpu::peaks::{Bound, Limit, Peaks};
use mlx::plan::Cost;
use mlx::train::{record, weights};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("cli::a_run_leaves_its_folder", a_run_leaves_its_folder),
        trial("cli::runs_are_numbered", runs_are_numbered),
        trial("cli::several_trainings_are_listed", several_trainings_are_listed),
        trial("cli::what_is_wrong_with_the_command_line", what_is_wrong_with_the_command_line),
        trial("cli::weights_that_do_not_fit_are_all_listed", weights_that_do_not_fit_are_all_listed),
        trial(
            "cli::a_loss_that_is_not_finite_keeps_the_last_weights",
            a_loss_that_is_not_finite_keeps_the_last_weights,
        ),
        trial("cli::a_folder_that_cannot_be_written", a_folder_that_cannot_be_written),
        trial("cli::a_reader_that_goes_away_is_no_failure", a_reader_that_goes_away_is_no_failure),
        trial("cli::eval_gives_what_training_reported", eval_gives_what_training_reported),
        trial("cli::rows_read_by_their_place_are_those_of_batches", rows_read_by_their_place),
        trial("cli::predict_brings_its_transforms_along", predict_brings_its_transforms_along),
        trial("cli::classes_are_predicted_by_their_names", classes_are_predicted_by_their_names),
        trial("cli::a_sweep_goes_on_where_it_ended", a_sweep_goes_on),
        trial("cli::rows_are_drawn_to_predict_for", rows_are_drawn_to_predict_for),
        trial("cli::a_new_file_trains", a_new_file_trains),
        trial("cli::bench_lists_kernels_where_it_is_asked", bench_lists_kernels),
        trial("cli::bench_measures_the_machine", bench_measures_the_machine),
        trial("cli::what_memory_holds_is_told", what_memory_holds),
        trial("cli::the_limit_of_a_kernel_is_the_slower_of_two", the_limit_of_a_kernel),
        trial("cli::what_does_not_fit_is_refused", what_does_not_fit_is_refused),
        trial("cli::explain_shows_a_page", explain_shows_a_page),
        trial("cli::fmt_lays_files_out", fmt_lays_files_out),
        trial("cli::doc_tells_of_names", doc_tells_of_names),
        trial("cli::the_readme_shows_what_is", the_readme_shows_what_is),
        trial("cli::no_op_is_named_like_a_layer", no_op_is_named_like_a_layer),
    ]
}

const LINEAR: &str = "let η = 0.1\ndata d = csv(\"d.csv\") {\n    x = [a, b]\n    y = c\n    split = holdout(train = 50%, test = 50%, seed = 1)\n}\n\
model Linear(x: [n, d]) -> [n] {\n    param w: [d] = 0\n    out x @ w\n}\n\
train {\n    data = d\n    model = Linear\n    minimize mse(model(x), y) using sgd(lr = η)\n    report r2(model(x), y)\n    steps = 4\n}\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("linear.mlx"), LINEAR).expect("written");
    fs::write(folder.path().join("d.csv"), "a,b,c\n1,0,1\n0,1,2\n1,1,3\n0,0,0\n").expect("written");
    folder
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn a_run_leaves_its_folder() {
    let folder = folder();
    let events = train(folder.path(), Path::new("linear.mlx"), &["--set", "η=0.2", "--seed", "7"]);
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(kinds[0], "start");
    assert_eq!(kinds.last(), Some(&"end"));
    assert_eq!(events[0]["parameters"], 2);
    assert_eq!(numbers(&events, "step", "lr"), [0.2; 4]);
    assert_eq!(numbers(&events, "step", "step"), [1.0, 2.0, 3.0, 4.0]);
    // The loss of a step is the one before its update: on `train` the evaluation after step k, which has 64 bits, is the loss
    // of step k + 1.
    let losses = numbers(&events, "step", "loss");
    let evaluated: Vec<f64> = events
        .iter()
        .filter(|e| e["event"] == "eval" && e["split"] == "train")
        .map(|e| e["loss"].as_f64().expect("a loss"))
        .collect();
    assert_eq!(evaluated.len(), 4);
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * b.abs();
    assert!(losses[1..].iter().zip(&evaluated[..3]).all(near), "{losses:?} {evaluated:?}");
    let run = folder.path().join("run");
    let lines = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    assert_eq!(lines.lines().count(), events.len());
    let record = record::read(&run).expect("a record");
    assert_eq!((record.train.as_str(), record.seed, record.steps, record.reason.as_str()), ("train", 7, 4, "done"));
    assert_eq!(record.hyperparameters, BTreeMap::from([("η".to_string(), serde_json::json!(0.2))]));
    assert_eq!(record.metrics["train"]["loss"].number(), Some(evaluated[3]));
    assert!(record.metrics["test"].contains_key("r2"));
    assert_eq!(record.data[0].path, "d.csv");
    let bytes = fs::read(run.join("last.safetensors")).expect("weights");
    let weights = weights::from_bytes("last", &bytes, None).expect("weights");
    assert_eq!(weights.tensors["w"].shape, [2]);
    assert_eq!(fs::read(run.join("best.safetensors")).expect("weights"), bytes);
}

fn runs_are_numbered() {
    let folder = folder();
    for number in 1..=2 {
        let output = mlx(folder.path(), &["train", "linear.mlx"]);
        assert!(output.status.success(), "{}", told(&output));
        let path = format!("runs/linear-train-{number}/last.safetensors");
        assert!(folder.path().join(&path).exists());
        let table = String::from_utf8(output.stdout).expect("text");
        assert!(table.contains("r2") && table.contains(&path), "{table}");
    }
}

fn several_trainings_are_listed() {
    let folder = folder();
    let two =
        format!("{LINEAR}{}", LINEAR[LINEAR.find("train {").expect("a block")..].replace("train {", "train fine {"));
    fs::write(folder.path().join("two.mlx"), two).expect("written");
    let output = mlx(folder.path(), &["train", "two.mlx"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("train, fine"), "{}", told(&output));
    assert!(mlx(folder.path(), &["train", "two.mlx", "fine"]).status.success());
    assert_eq!(mlx(folder.path(), &["train", "two.mlx", "coarse"]).status.code(), Some(2));
}

fn what_is_wrong_with_the_command_line() {
    let folder = folder();
    let wrong = |arguments: &[&str], status: i32, words: &str| {
        let output = mlx(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(words) && output.stdout.is_empty(), "{arguments:?}: {}", told(&output));
    };
    wrong(&["train", "no.mlx"], 1, "cannot read `no.mlx`: it does not exist");
    wrong(&["train", "."], 1, "it is a folder");
    wrong(&["check", "linear.mlx", "no.mlx"], 1, "no.mlx");
    wrong(&["train", "linear.mlx", "--set", "eta=1"], 2, "cannot find `let eta` in the file");
    wrong(&["train", "linear.mlx", "--set", "η=fast"], 2, "expected a number, as `η` is in the file, found a text");
    wrong(&["train", "linear.mlx", "--set", "η"], 2, "is not `name=value`");
    wrong(&["train", "linear.mlx", "--steps", "0"], 2, "0 is not in 1..");
    wrong(&["train", "linear.mlx", "--resume"], 2, "not supported yet");
    wrong(&["train", "linear.mlx", "--device", "vulkan"], 2, "not supported yet");
    wrong(&["train", "linear.mlx", "--init", "no.safetensors"], 1, "cannot read `no.safetensors`");
    wrong(&["train", "linear.mlx", "--init", "d.csv"], 1, "is not a whole weight file");
    let later = ["generate", "graph", "plot", "report", "export", "lsp", "devices"];
    for command in later {
        wrong(&[command, "linear.mlx", "--anything"], 2, &format!("`mlx {command}` is not supported yet"));
    }
    wrong(&["explain", "E9999"], 2, "there is no code `E9999`");
    wrong(&["explain", "E023"], 2, "  E0203: two sizes do not agree");
    wrong(&["explain"], 2, "<CODE>");
    wrong(&["check", "--jason", "linear.mlx"], 2, "'--json'");
    wrong(&["trian", "linear.mlx"], 2, "there is no command `trian`; did you mean `mlx train`?");
    wrong(&["frobnicate"], 2, "there is no command `frobnicate`; `mlx --help` lists them");
}

fn weights_that_do_not_fit_are_all_listed() {
    let folder = folder();
    let tensor = |shape: Vec<usize>| weights::Tensor { values: vec![0.0; shape.iter().product()], shape };
    let tensors = BTreeMap::from([("w".to_string(), tensor(vec![3])), ("v".to_string(), tensor(vec![1]))]);
    let bytes = weights::to_bytes(&weights::Weights { tensors, meta: serde_json::Value::Null }).expect("bytes");
    fs::write(folder.path().join("other.safetensors"), bytes).expect("written");
    let output = mlx(folder.path(), &["train", "linear.mlx", "--init", "other.safetensors"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("another shape: `w`") && told(&output).contains("surplus: `v`"),
        "{}",
        told(&output)
    );
}

fn a_loss_that_is_not_finite_keeps_the_last_weights() {
    let folder = folder();
    let arguments = ["train", "linear.mlx", "--set", "η=1e200", "--steps", "50", "--json", "--out", "run"];
    let output = mlx(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("E0401") && told(&output).contains("of step 2 is"), "{}", told(&output));
    // Drawn where it was made: the rate is infinite in 32 bits, and so is the parameter after one step.
    assert!(told(&output).contains("a number that is not finite"), "{}", told(&output));
    assert!(told(&output).contains("minimize mse(model(x), y)"), "{}", told(&output));
    let events = events(&output);
    assert_eq!(events.last().expect("an end")["reason"], "failed");
    let bytes = fs::read(folder.path().join("run/last.safetensors")).expect("weights");
    weights::from_bytes("last", &bytes, None).expect("readable weights");
    assert_eq!(record::read(&folder.path().join("run")).expect("a record").reason, "failed");
}

fn a_folder_that_cannot_be_written() {
    let folder = folder();
    for out in ["d.csv", "d.csv/run"] {
        let output = mlx(folder.path(), &["train", "linear.mlx", "--out", out]);
        assert_eq!(output.status.code(), Some(3), "{}", told(&output));
        assert!(told(&output).contains("E0332") && !told(&output).contains("panicked"), "{}", told(&output));
    }
}

fn a_reader_that_goes_away_is_no_failure() {
    use std::process::{Command, Stdio};
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlx"))
        .args(["train", "linear.mlx", "--json", "--out", "run"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    assert!(child.wait().expect("it ends").success());
    assert!(folder.path().join("run/last.safetensors").exists());
}

fn explain_shows_a_page() {
    let output = mlx(&repository(""), &["explain", "e0203"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("# E0203: two sizes do not agree"));
}

/// What the standard library has is not built in: no layer, loss, metric, optimizer or activation of it is an operation.
fn no_op_is_named_like_a_layer() {
    let built_in: Vec<String> = crate::ops::names().into_iter().map(|name| name.to_lowercase()).collect();
    let primitives: Vec<&str> = mlx::check::elaborate::primitive::names().collect();
    for (name, _) in mlx::check::library::stdlib_names() {
        if !primitives.contains(&name) {
            let plain = name.replace('_', "");
            assert!(!built_in.contains(&plain), "`{name}` of the standard library is an operation as well");
        }
    }
}

/// The file, its run and the drawn mistake of the README are the real ones.
fn the_readme_shows_what_is() {
    let readme = fs::read_to_string(repository("README.md")).expect("the README");
    let model = repository("models/linear_regression.mlx");
    assert!(readme.contains(fs::read_to_string(&model).expect("the model").trim()));
    let drawn = mlx(&repository(""), &["check", "tests/spec/readme.mlx"]);
    let drawn: Vec<String> = told(&drawn).lines().map(|line| line.trim_end().to_string()).collect();
    assert!(readme.contains(&drawn.join("\n")), "the README draws another mistake than\n{}", drawn.join("\n"));
    let folder = tempfile::tempdir().expect("a folder");
    let output = mlx(folder.path(), &["train", &model.display().to_string()]);
    let table = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(readme.contains(table.trim()), "the README shows another table than\n{table}");
    let said = told(&output);
    for line in said.lines().take(3).chain(said.lines().last()) {
        assert!(readme.contains(line), "the README lacks `{line}`");
    }
}

fn eval_gives_what_training_reported() {
    let folder = folder();
    let events = train(folder.path(), Path::new("linear.mlx"), &["--set", "η=0.2"]);
    let weights = "run/last.safetensors";
    let output = mlx(folder.path(), &["eval", "linear.mlx", "--weights", weights, "--json"]);
    assert!(output.status.success(), "{}", told(&output));
    let last: Vec<_> = events.iter().filter(|event| event["event"] == "eval" && event["step"] == 4).cloned().collect();
    assert_eq!(crate::binary::events(&output), last);
    let test = mlx(folder.path(), &["eval", "linear.mlx", "--weights", weights, "--split", "test"]);
    assert!(String::from_utf8_lossy(&test.stdout).lines().next().is_some_and(|head| head.trim() == "test"));
    let wrong = |arguments: &[&str], status: i32| {
        let output = mlx(folder.path(), &[&["eval", "linear.mlx"], arguments].concat());
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", told(&output));
    };
    wrong(&["--weights", "no.safetensors"], 1);
    wrong(&["--weights", "d.csv"], 1);
    wrong(&["--weights", weights, "--split", "tests"], 2);
    wrong(&["--weights", weights, "--split", "valid"], 1);
    wrong(&[], 2);
}

/// `x[0]` is the first row of a batch: over a split it is a mean over batches, not the first row of all.
fn rows_read_by_their_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", "x\n1\n2\n3\n6\n");
    write(
        "net.mlx",
        "data d = csv(\"d.csv\") {\n    x = x\n    split = holdout(train = 100%)\n}\n\
         train {\n    data = d\n    param w: [] = 0\n    minimize (x[0] - w)^2 using sgd(lr = 0)\n    \
         report first = x[0]\n    report all = mean(x)\n    batch = 1\n    steps = 2\n}\n",
    );
    let events = train(folder.path(), Path::new("net.mlx"), &[]);
    let last = events.iter().rfind(|event| event["event"] == "eval").expect("an evaluation");
    assert_eq!([&last["loss"], &last["first"], &last["all"]].map(Value::as_f64), [Some(12.5), Some(3.0), Some(3.0)]);
    assert_eq!(last["per_batch"], serde_json::json!(["loss", "first"]));
}

/// New rows are standardized by the training rows' mean and deviation, and classes keep their places.
fn predict_brings_its_transforms_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", "a,kind,y\n1,red,1\n2,blue,2\n3,red,3\n6,blue,4\n");
    write(
        "net.mlx",
        "data d = csv(\"d.csv\") {\n    x = [a] |> standardize\n    k = category(kind)\n    y = y\n    split = holdout(train = 100%)\n}\n\
         model Net(x: [n, d]) -> [n] {\n    param w: [d] = 1\n    out x @ w\n}\n\
         train {\n    data = d\n    model = Net\n    minimize mse(model(x), y) using sgd(lr = 0)\n    predict z = model(x)\n    predict kinds = one_hot(k)\n    steps = 1\n}\n",
    );
    train(folder.path(), Path::new("net.mlx"), &[]);
    // The training rows change; what was fitted does not.
    write("d.csv", "a,kind,y\n10,red,1\n20,blue,2\n30,red,3\n60,blue,4\n");
    write("new.csv", "kind,a\nblue,3\nred,6\n");
    let predict = |input: &str| {
        mlx(folder.path(), &["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", input])
    };
    let output = predict("new.csv");
    assert!(output.status.success(), "{}", told(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().expect("a number")).collect())
        .collect();
    assert_eq!(text.lines().next(), Some("z,kinds.0,kinds.1"));
    let deviation = 3.5f64.sqrt();
    assert!(rows[0][0].abs() < 1e-6 && (rows[1][0] - 3.0 / deviation).abs() < 1e-6, "{text}");
    assert_eq!((&rows[0][1..], &rows[1][1..]), (&[1.0, 0.0][..], &[0.0, 1.0][..]), "blue, then red");
    write("green.csv", "kind,a\ngreen,3\n");
    let output = predict("green.csv");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("the class `green`") && told(&output).contains("green.csv:2:1"),
        "{}",
        told(&output)
    );
    write("lacking.csv", "kind\nred\n");
    assert!(told(&predict("lacking.csv")).contains("has no column `a`"));
    assert_eq!(predict("absent.csv").status.code(), Some(1));
}

/// What `argmax` chooses among the scores of a loss are the classes of its target; and weights know their program.
fn classes_are_predicted_by_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", "a,k,b\n1,10,x\n2,2,\n3,1,y\n1,10,z\n2,2,x\n3,1,x\n");
    let program = "let width = 8\ndata d = csv(\"d.csv\") {\n    x = [fill(a, 0)] |> standardize\n    y = category(k)\n    split = holdout(train = 100%)\n}\n\
         model Net(x: [n, d]) -> [n, 3] {\n    out x |> dense(width) |> tanh |> dense(3)\n}\n\
         train {\n    data = d\n    model = Net\n    minimize cross_entropy(model(x), y) using adam(lr = 0.1)\n    predict chosen = argmax(model(x))\n    predict truth = y\n    predict score = model(x)\n    steps = 200\n}\n";
    write("net.mlx", program);
    train(folder.path(), Path::new("net.mlx"), &["--set", "width=9"]);
    write("new.csv", "a,k\n3,1\n1,10\n2,2\n");
    let predict = |file: &str, input: &str| {
        mlx(folder.path(), &["predict", file, "--weights", "run/last.safetensors", "--input", input])
    };
    let output = predict("net.mlx", "new.csv");
    assert!(output.stderr.is_empty(), "{}", told(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][..3], ["chosen", "truth", "score.0"]);
    let named: Vec<&[&str]> = rows[1..].iter().map(|row| &row[..2]).collect();
    assert_eq!(named, [["1", "1"], ["10", "10"], ["2", "2"]]);
    assert!(rows[1][2].len() <= 12, "as many digits as 32 bits have: {}", rows[1][2]);
    // One row that lacks what the program fills.
    write("one.csv", "a,k\n,1\n");
    assert!(predict("net.mlx", "one.csv").status.success());
    write("other.mlx", &program.replace("let width = 8", "let units = 9").replace("(width)", "(units)"));
    let output = predict("other.mlx", "new.csv");
    assert!(output.status.code() == Some(1) && told(&output).contains("of another program"), "{}", told(&output));
    write("changed.mlx", &program.replace("[fill(a, 0)] |> standardize", "[fill(a, 1)] |> standardize"));
    let output = predict("changed.mlx", "new.csv");
    assert!(output.status.success() && told(&output).contains("has changed since"), "{}", told(&output));
    write("unfitted.mlx", &program.replace("    y = category(k)", "    z = [a] |> minmax\n    y = category(k)"));
    let output = predict("unfitted.mlx", "new.csv");
    assert!(output.status.code() == Some(1) && told(&output).contains("no fitted value `d.z.0`"), "{}", told(&output));
}

/// Drawn data is predicted for new rows, drawn like its own or from a file.
fn rows_are_drawn_to_predict_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write(
        "net.mlx",
        "data d = rows(20, seed = 1) {\n    x: [2] ~ normal(0, 1)\n    y ~ uniform(5, 6)\n    split = holdout(train = 100%)\n}\n\
         model Net(x: [n, d]) -> [n] {\n    param w: [d] = 1\n    out x @ w\n}\n\
         train {\n    data = d\n    model = Net\n    minimize mse(model(x), y) using sgd(lr = 0)\n    predict z = model(x)\n    predict own = y\n    steps = 1\n}\n",
    );
    train(folder.path(), Path::new("net.mlx"), &[]);
    let predict = |more: &[&str]| {
        mlx(folder.path(), &[&["predict", "net.mlx", "--weights", "run/last.safetensors"], more].concat())
    };
    let lines = |output: Output| String::from_utf8(output.stdout).expect("text").lines().map(str::to_string).collect();
    let (five, three): (Vec<String>, Vec<String>) =
        (lines(predict(&["--rows", "5"])), lines(predict(&["--rows", "3"])));
    assert_eq!((five.len(), &five[..4]), (6, &three[..]), "a row depends on its place alone");
    let own: f64 = five[1].split(',').nth(1).and_then(|cell| cell.parse().ok()).expect("a number");
    assert!((5.0..6.0).contains(&own));
    write("new.csv", "x.0,x.1,y\n1,2,7\n3,4,8\n");
    assert_eq!(lines(predict(&["--input", "new.csv"])), ["z,own", "3,7", "7,8"]);
    write("narrow.csv", "x.0,y\n1,7\n");
    assert!(told(&predict(&["--input", "narrow.csv"])).contains("has no column `x.1`"));
    assert_eq!(predict(&[]).status.code(), Some(2));
    assert_eq!(predict(&["--rows", "5", "--input", "new.csv"]).status.code(), Some(2));
    let folder = self::folder();
    train(folder.path(), Path::new("linear.mlx"), &[]);
    let program = fs::read_to_string(folder.path().join("linear.mlx")).expect("the program");
    let program = program.replace("    steps = 4", "    predict z = model(x)\n    steps = 4");
    fs::write(folder.path().join("linear.mlx"), program).expect("written");
    let output = mlx(folder.path(), &["predict", "linear.mlx", "--weights", "run/last.safetensors", "--rows", "5"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
}

fn a_new_file_trains() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(mlx(folder.path(), &["new", "first"]).status.success());
    let events = train(folder.path(), Path::new("first.mlx"), &[]);
    let r2: Vec<f64> = events.iter().filter_map(|event| event["r2"].as_f64()).collect();
    assert!(r2.last().is_some_and(|r2| *r2 > 0.9), "{r2:?}");
    assert_eq!(mlx(folder.path(), &["new", "first"]).status.code(), Some(1));
    assert_eq!(mlx(folder.path(), &["new", "a/b"]).status.code(), Some(2));
    let completions = mlx(folder.path(), &["completions", "bash"]);
    assert!(String::from_utf8_lossy(&completions.stdout).contains("predict"));
    assert_eq!(mlx(folder.path(), &["completions", "basic"]).status.code(), Some(2));
}

/// As text only with `--kernels`, as JSON always: names, times, what is computed and moved.
fn bench_lists_kernels() {
    let folder = folder();
    let run = |more: &[&str]| {
        let output = mlx(folder.path(), &[&["bench", "linear.mlx", "--steps", "2"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(!run(&[]).contains("GFLOP/s"));
    let listed = run(&["--kernels"]);
    assert!(listed.contains("GFLOP/s") && listed.contains("of limit") && listed.contains("  product "), "{listed}");
    assert!(listed.contains("most time beyond the limits:\n") && listed.contains(" ms in 1 × product "), "{listed}");
    let bench = |more: &[&str]| -> serde_json::Value { serde_json::from_str(&run(more)).expect("JSON") };
    let product = |bench: &serde_json::Value| {
        let kernels = bench["kernels"].as_array().expect("kernels").clone();
        let is_product =
            |kernel: &serde_json::Value| kernel["kernel"].as_str().is_some_and(|name| name.starts_with("product"));
        kernels.into_iter().find(is_product).expect("a product")
    };
    let plain = product(&bench(&["--json"]));
    let of = |kernel: &serde_json::Value, name: &str| kernel[name].as_f64().unwrap_or(0.0);
    assert!(of(&plain, "ms") > 0.0 && of(&plain, "flops") > 0.0 && of(&plain, "bytes") > 0.0, "{plain}");
    assert!(plain.get("share").is_none(), "{plain}");
    let measured = bench(&["--json", "--kernels", "--threads", "2"]);
    let small = product(&measured);
    // Too small for a second thread.
    assert!(of(&small, "share") > 0.0 && small["threads"] == 1 && small["bound"].is_string(), "{small}");
    assert_eq!(measured["machine"]["threads"], 2);
}

fn bench_measures_the_machine() {
    let folder = folder();
    let run = |arguments: &[&str]| mlx(folder.path(), &[&["bench"], arguments].concat());
    let output = run(&["--machine", "--json", "--threads", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let machine: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |name: &str| machine[name].as_f64().expect("a number");
    assert!(of("gflops_one_thread") > 0.1 && of("gflops") > 0.5 * of("gflops_one_thread"), "{machine}");
    assert!(of("hand_over_ns") > 10.0 && of("threads") == 2.0, "{machine}");
    let copies = machine["copies"].as_array().expect("copies");
    assert!(copies.len() >= 2 && copies.iter().all(|copy| copy["gb_per_s"].as_f64() > Some(0.1)), "{machine}");
    assert!(machine["products"].as_array().is_some_and(|products| products.len() == 2), "{machine}");
    assert_eq!(run(&["linear.mlx", "--machine"]).status.code(), Some(2));
    assert_eq!(run(&[]).status.code(), Some(2));
}

/// In a line before the first step where it is much, and in full by `summary`.
fn what_memory_holds() {
    let folder = folder();
    let text = "data noise = rows(128, seed = 1) {
    x: [256] ~ normal(0, 1)
    y: [1] ~ normal(0, 1)
    split = holdout(train = 100%)
}

model Net(x: [n, 256]) -> [n, 1] {
    out x |> repeat(3, dense(256) |> tanh) |> dense(1)
}

train {
    data = noise
    model = Net
    minimize mse(model(x), y) using adam
    steps = 1
}";
    fs::write(folder.path().join("net.mlx"), text).expect("written");
    let trained = mlx(folder.path(), &["train", "net.mlx"]);
    let said = String::from_utf8_lossy(&trained.stderr).into_owned();
    let line = said.lines().find(|line| line.starts_with("memory of a step: ")).expect("a line of what memory holds");
    // 197,633 parameters, two states of Adam for each; what each layer gives, 128 by 256.
    assert!(line.contains("1.5 MiB states, ") && line.contains(" 772.0 KiB parameters"), "{line}");
    assert!(
        line.contains(" 128.5 KiB batch; most in dense_1") && line.contains(" 384.0 KiB values of the model"),
        "{line}"
    );
    let summary = mlx(folder.path(), &["summary", "net.mlx"]);
    let listed = String::from_utf8_lossy(&summary.stdout).into_owned();
    for wanted in [
        "      1.5 MiB  states",
        "    128.0 KiB  batch: x\n",
        "    384.0 KiB  3 × [128, 256] values of the model: dense_1.*.*, net.mlx:8",
        "    768.0 KiB  3 × [256, 256] gradients: dense_1.*.*.w",
    ] {
        assert!(listed.contains(wanted), "no `{wanted}` in\n{listed}");
    }
    // Of a small one nothing is said.
    let small = mlx(folder.path(), &["train", "linear.mlx"]);
    assert!(!String::from_utf8_lossy(&small.stderr).contains("memory of a step"), "{}", told(&small));
}

fn the_limit_of_a_kernel() {
    let (products, copies) = (Vec::new(), vec![(1 << 10, 100e9), (1 << 20, 10e9)]);
    let peaks = Peaks { threads: 1, instructions: "", one: 1e9, all: 1e9, products, copies, round: 0.0 };
    let of = |flops, bytes| peaks.limit(Cost { flops, bytes });
    assert_eq!(of(1000, 1000), Limit { seconds: 1e-6, of: Bound::Computing });
    assert_eq!(of(1, 1000), Limit { seconds: 1e-8, of: Bound::Moving(1 << 10) });
    assert_eq!(of(1, 1 << 20), Limit { seconds: 1.048576e-4, of: Bound::Moving(1 << 20) });
    // More than was measured lies where the most did.
    assert_eq!(of(1, 10 << 20), Limit { seconds: 1.048576e-3, of: Bound::Moving(1 << 20) });
}

/// A tensor of 10¹⁸ elements, in one size or by two.
fn what_does_not_fit_is_refused() {
    let folder = folder();
    for layers in ["dense(1_000_000_000) |> dense(1_000_000_000)", "dense(1_000_000_000_000_000_000)"] {
        let program = LINEAR
            .replace("-> [n] {", "{")
            .replace("    param w: [d] = 0\n    out x @ w\n", &format!("    out x |> {layers}\n"))
            .replace("mse(model(x), y)", "mean(model(x))")
            .replace("    report r2(model(x), y)\n", "");
        fs::write(folder.path().join("huge.mlx"), program).expect("written");
        for command in ["train", "summary", "bench"] {
            let output = mlx(folder.path(), &[command, "huge.mlx"]);
            assert_eq!(output.status.code(), Some(1), "{command}: {}", told(&output));
            assert!(told(&output).contains("does not fit into"), "{}", told(&output));
        }
    }
}

fn fmt_lays_files_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("inner/.hidden")).expect("a folder");
    fs::write(at("loose.mlx"), "let   a=1 // one\r\nlet b  =  (2+3)\n").expect("written");
    fs::write(at("inner/loose.mlx"), "fn f( x )=x").expect("written");
    fs::write(at("inner/.hidden/loose.mlx"), "fn f( x )=x").expect("written");
    fs::write(at("wrong.mlx"), "let a = (1\n").expect("written");
    fs::write(at("notes.txt"), "let a=1").expect("written");
    let read = |name: &str| fs::read_to_string(at(name)).expect("a file");
    let checked = mlx(folder.path(), &["fmt", "--check", "loose.mlx"]);
    assert_eq!(checked.status.code(), Some(1));
    let diff = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(diff.contains("-let   a=1 // one\n") && diff.contains("+let a = 1  // one\n"), "{diff}");
    assert!(read("loose.mlx").contains("a=1"), "--check writes nothing");
    // What is wrong is told of and left alone; the rest is laid out.
    let written = mlx(folder.path(), &["fmt", "."]);
    assert_eq!(written.status.code(), Some(1));
    assert!(told(&written).contains("E0101"), "{}", told(&written));
    assert_eq!(read("loose.mlx"), "let a = 1  // one\nlet b = (2 + 3)\n");
    assert_eq!(read("inner/loose.mlx"), "fn f(x) = x\n");
    assert_eq!(read("inner/.hidden/loose.mlx"), "fn f( x )=x");
    assert_eq!(read("wrong.mlx"), "let a = (1\n");
    assert_eq!(mlx(folder.path(), &["fmt", "--check", "loose.mlx", "inner"]).status.code(), Some(0));
    assert_eq!(mlx(folder.path(), &["fmt", "gone.mlx"]).status.code(), Some(1));
    assert_eq!(mlx(folder.path(), &["fmt"]).status.code(), Some(2));
}

fn doc_tells_of_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = |arguments: &[&str]| {
        let output = mlx(folder.path(), &[&["doc"], arguments].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), told(&output))
    };
    let (status, text, _) = shown(&["dense"]);
    assert_eq!(status, Some(0));
    for part in [
        "layer dense(units: int, bias = true)(x: [..s, d]) -> [..s, units]\n",
        "y = x w + b",
        "x |> dense(units)",
        "stdlib/dense.mlx",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (status, text, _) = shown(&[]);
    assert!(status == Some(0) && text.contains("Optimizers\n") && text.contains("  relu "), "{text}");
    let (status, _, wrong) = shown(&["denze"]);
    assert!(status == Some(2) && wrong.contains("did you mean `dense`?"), "{wrong}");
    assert!(shown(&["nn.Linear"]).2.contains("dense(units)"));
    fs::write(folder.path().join("own.mlx"), "/// Says a < b & \"c\".\nfn `a/b <c>`(x) = relu(x)\n").expect("written");
    let (status, text, _) = shown(&["own.mlx", "--html", "pages"]);
    assert!(status == Some(0) && text.trim().ends_with("index.html"), "{text}");
    let pages = folder.path().join("pages");
    let index = fs::read_to_string(pages.join("index.html")).expect("an index");
    assert!(index.contains("Says a &lt; b &amp; &quot;c&quot;"), "{index}");
    // Each link of each page leads to one of them, and nothing leads elsewhere.
    let mut count = 0;
    for entry in fs::read_dir(&pages).expect("pages") {
        let page = fs::read_to_string(entry.expect("readable").path()).expect("a page");
        for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(pages.join(link).is_file(), "{link}");
            count += 1;
        }
        assert!(!page.contains("http"), "a page needs nothing else");
    }
    assert!(count > 100);
}

/// Every point once, a folder each; what is done is not done again, and what the text changes is.
fn a_sweep_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = "let rate = 0.1\nlet kind = \"a\"\ndata d = rows(40, seed = 1) {\n    x: [2] ~ uniform(-1, 1)\n    \
        y = x @ [1, 2]\n    split = holdout(train = 50%, valid = 50%)\n}\nmodel Net(x: [n, d]) -> [n] {\n    out x |> dense(1) |> squeeze\n}\n\
        train {\n    data = d\n    model = Net\n    minimize mse(model(x), y) using sgd(lr = rate)\n    steps = 3\n}\n\
        sweep rates {\n    rate = [0.1, 0.2]\n    seed = 0..2\n    keep = min(valid.loss)\n}\n";
    std::fs::write(folder.path().join("net.mlx"), program).expect("written");
    let sweep = |arguments: &[&str]| mlx(folder.path(), &[&["sweep", "net.mlx"], arguments].concat());
    let output = sweep(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.starts_with("      rate       valid.loss"), "{table}");
    assert_eq!(
        (table.lines().count(), table.matches("best").count(), table.matches(" ± ").count()),
        (3, 1, 4),
        "{table}"
    );
    let weights = folder.path().join("runs/net-rates/rate-0.2_seed-1/last.safetensors");
    let written = std::fs::metadata(&weights).and_then(|file| file.modified()).expect("weights");
    std::fs::remove_dir_all(folder.path().join("runs/net-rates/rate-0.1_seed-0")).expect("removed");
    let output = sweep(&["--json"]);
    let points = events(&output);
    assert_eq!(points.len(), 4);
    assert_eq!((points[3]["point"]["rate"].as_f64(), points[3]["seed"].as_u64()), (Some(0.2), Some(1)));
    assert!(points[3]["metrics"]["valid"]["loss"].as_f64().is_some_and(|loss| loss > 0.0));
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("done before").count(), 3);
    assert_eq!(std::fs::metadata(&weights).and_then(|file| file.modified()).expect("weights"), written);
    std::fs::write(folder.path().join("net.mlx"), program.replace("steps = 3", "steps = 4")).expect("written");
    assert!(!String::from_utf8_lossy(&sweep(&[]).stderr).contains("done before"));
    // Every point is checked before the first runs.
    std::fs::write(folder.path().join("net.mlx"), program.replace("[0.1, 0.2]", "[0.1, -1]")).expect("written");
    let output = sweep(&[]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("with rate=-1 seed=0") && !told.contains("[1/4]"), "{told}");
    assert_eq!(sweep(&["--set", "rate=1"]).status.code(), Some(2));
    assert_eq!(sweep(&["other"]).status.code(), Some(2));
}
