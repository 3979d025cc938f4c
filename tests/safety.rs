//! Nothing that somebody made is destroyed or mistaken for something else: runs, tables, weights and what they mean.

use crate::binary::{events, mlx, numbers};
use crate::trial;
use libtest_mimic::Trial;
use mlx::train::record;
use mlx::train::weights::{from_bytes, to_bytes};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("safety::predictions_are_written_over_nothing_that_is_read", predictions_over_what_is_read),
        trial("safety::predictions_are_written_over_nothing_else", predictions_over_something_else),
        trial("safety::a_run_is_written_over_when_asked", a_run_is_written_over_when_asked),
        trial("safety::a_folder_beside_other_files_is_fine", a_folder_beside_other_files),
        trial("safety::data_of_other_classes_is_refused", data_of_other_classes),
        trial("safety::changed_data_is_told", changed_data_is_told),
        trial("safety::predicting_needs_no_training_data", predicting_needs_no_training_data),
        trial("safety::only_what_is_meant_is_checked", only_what_is_meant_is_checked),
        trial("safety::the_same_run_has_the_same_bytes", the_same_run_has_the_same_bytes),
        trial("safety::weights_that_are_not_finite_are_told", weights_that_are_not_finite),
        trial("safety::weights_of_another_program", weights_of_another_program),
        trial("safety::damaged_weights_are_refused", damaged_weights),
    ];
    for case in cases() {
        trials.push(Trial::test(format!("safety::classes::{}", case.name), move || {
            written_by_the_names_of(&case);
            Ok(())
        }));
    }
    if cfg!(unix) {
        trials.push(trial("safety::a_folder_has_one_run_at_a_time", a_folder_has_one_run_at_a_time));
        trials.push(trial("safety::a_folder_that_is_gone_costs_no_weights", a_folder_that_is_gone));
    }
    trials
}

const PROGRAM: &str = "data d = csv(\"d.csv\") {
    x = [impute(a), b] |> standardize
    k = category(group)
    y = category(kind)
    split = holdout(train = 100%)
}
model Net(x: [n, d]) -> [n, 3] {
    out x |> dense(8) |> tanh |> dense(3)
}
train {
    data = d
    model = Net
    minimize cross_entropy(model(x), y) using adam(lr = 0.1)
    report accuracy(model(x), y)
    predict chosen = argmax(model(x))
    predict group = k
    predict score = model(x)
    steps = 60
}
";

const TABLE: &str = "a,b,kind,group\n1,5,rose,1\n2,,lily,2\n3,1,tulip,10\n1,5,rose,10\n2,4,lily,1\n3,1,tulip,2\n";

/// A program with its table, new rows and a run.
fn folder() -> tempfile::TempDir {
    let folder = untrained(PROGRAM);
    let output = mlx(folder.path(), &["train", "net.mlx", "--out", "run"]);
    assert!(output.status.success(), "{}", told(&output));
    folder
}

fn untrained(program: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "net.mlx", program);
    write(folder.path(), "d.csv", &TABLE.replace("2,,", "2,4,"));
    write(folder.path(), "new.csv", "a,b,group\n3,1,10\n,4,2\n1,5,1\n");
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("written");
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const WEIGHTS: &str = "run/last.safetensors";

fn predict(folder: &Path, more: &[&str]) -> Output {
    mlx(folder, &[&["predict", "net.mlx", "--weights", WEIGHTS, "--input", "new.csv"], more].concat())
}

fn eval(folder: &Path) -> Output {
    mlx(folder, &["eval", "net.mlx", "--weights", WEIGHTS, "--json"])
}

/// The status, the code and a part of what is told; and nothing on standard output.
fn refused(output: &Output, status: i32, code: &str, part: &str) {
    let told = told(output);
    assert_eq!(output.status.code(), Some(status), "{told}");
    assert!(told.contains(&format!("[{code}]")) && told.contains(part), "{part:?} is not in\n{told}");
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
}

/// Every file below a folder with its bytes.
fn all(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for name in ["net.mlx", "d.csv", "new.csv", WEIGHTS, "run/best.safetensors", "run/run.yaml", "run/metrics.jsonl"] {
        found.push((name.to_string(), fs::read(folder.join(name)).expect("readable")));
    }
    found
}

fn predictions_over_what_is_read() {
    let folder = folder();
    let path = folder.path();
    let before = all(path);
    let mut names = vec!["new.csv", "./new.csv", "run/../new.csv", WEIGHTS, "net.mlx", "d.csv"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../new.csv", path.join("run/link")).expect("a link");
        fs::hard_link(path.join(WEIGHTS), path.join("hard")).expect("a link");
        names.extend(["run/link", "hard"]);
    }
    for name in names {
        refused(&predict(path, &["--output", name]), 2, "E0333", "would write over");
    }
    assert_eq!(all(path), before);
    let output = predict(path, &["--output", "out.csv"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", told(&output));
    let first = fs::read(path.join("out.csv")).expect("predictions");
    assert_eq!(predict(path, &[]).stdout, first);
    assert_eq!(predict(path, &["--output", "/dev/stdout"]).stdout, first);
    // Predictions of before are nothing that is read.
    assert!(predict(path, &["--output", "out.csv"]).status.success());
}

/// What was there stays, unless it is such predictions, or nothing.
fn predictions_over_something_else() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("notes.csv"), "chosen\nmine\n").expect("notes");
    refused(&predict(path, &["--output", "notes.csv"]), 2, "E0336", "`--overwrite`");
    assert_eq!(fs::read_to_string(path.join("notes.csv")).expect("notes"), "chosen\nmine\n");
    assert!(predict(path, &["--output", "notes.csv", "--overwrite"]).status.success());
    let written = fs::read_to_string(path.join("notes.csv")).expect("predictions");
    assert!(written.starts_with("chosen,group,score.0,score.1,score.2\n"), "{written}");
    fs::write(path.join("empty.csv"), "").expect("a file");
    for output in ["notes.csv", "empty.csv", "/dev/null"] {
        assert!(predict(path, &["--output", output]).status.success(), "{output}");
    }
}

fn a_run_is_written_over_when_asked() {
    let folder = folder();
    let path = folder.path();
    let before = all(path);
    let again = ["train", "net.mlx", "--out", "run", "--seed", "5"];
    refused(&mlx(path, &again), 2, "E0334", "`--overwrite`");
    refused(&mlx(path, &[&again[..], &["--json"]].concat()), 2, "E0334", "holds a run");
    refused(&mlx(path, &["train", "net.mlx", "--out", "./run/"]), 2, "E0334", "holds a run");
    assert_eq!(all(path), before);
    let output = mlx(path, &[&again[..], &["--overwrite"]].concat());
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(record::read(&path.join("run")).expect("a record").seed, 5);
    // What a killed run was writing, nobody will finish.
    write(path, "run/.writing-a1b2c3", "half");
    assert!(mlx(path, &[&again[..], &["--overwrite"]].concat()).status.success());
    assert!(!path.join("run/.writing-a1b2c3").exists());
    // A run that failed or was interrupted has weights as well.
    let failing = PROGRAM.replace("lr = 0.1", "lr = 1e39");
    write(path, "failing.mlx", &failing);
    assert_eq!(mlx(path, &["train", "failing.mlx", "--out", "failed"]).status.code(), Some(3));
    refused(&mlx(path, &["train", "net.mlx", "--out", "failed"]), 2, "E0334", "holds a run");
    // What is wrong with the program leaves a run as it was.
    write(path, "wrong.mlx", &PROGRAM.replace("Net(x", "Nett(x"));
    let before = all(path);
    assert_eq!(mlx(path, &["train", "wrong.mlx", "--out", "run", "--overwrite"]).status.code(), Some(1));
    assert_eq!(all(path), before);
}

fn a_folder_beside_other_files() {
    let folder = untrained(PROGRAM);
    let output = mlx(folder.path(), &["train", "net.mlx", "--out", "."]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(folder.path().join("last.safetensors").exists() && folder.path().join("d.csv").exists());
    assert!(!folder.path().join(".lock").exists());
}

/// Starts a training that goes on for hours, in `run`, and waits for its first steps.
fn long(folder: &Path, more: &[&str]) -> std::process::Child {
    write(folder, "long.mlx", &PROGRAM.replace("steps = 60", "steps = 1_000_000_000"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlx"));
    let command = command.args(["train", "long.mlx", "--quiet", "--out", "run"]).args(more).current_dir(folder);
    let command = command.env("TMPDIR", folder.join("temporary"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let grown = || fs::metadata(folder.join("run/metrics.jsonl")).is_ok_and(|metrics| metrics.len() > 1_000);
    while !grown() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child
}

fn signal(child: &std::process::Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

fn a_folder_has_one_run_at_a_time() {
    let folder = untrained(PROGRAM);
    let path = folder.path();
    let child = long(path, &[]);
    for more in [&[][..], &["--overwrite"]] {
        let second = mlx(path, &[&["train", "net.mlx", "--out", "run"], more].concat());
        refused(&second, 2, "E0335", "another run is writing");
    }
    signal(&child, "-INT");
    assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(130));
    refused(&mlx(path, &["train", "net.mlx", "--out", "run"]), 2, "E0334", "holds a run");
    // One that is killed holds its folder no longer.
    let child = long(path, &["--overwrite"]);
    signal(&child, "-KILL");
    child.wait_with_output().expect("it ends");
    refused(&mlx(path, &["train", "net.mlx", "--out", "run"]), 2, "E0334", "`metrics.jsonl`");
    let output = mlx(path, &["train", "net.mlx", "--out", "run", "--overwrite"]);
    assert!(output.status.success(), "{}", told(&output));
    let mut left: Vec<String> = fs::read_dir(path.join("run"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["best.safetensors", "last.safetensors", "metrics.jsonl", "run.yaml"]);
}

fn a_folder_that_is_gone() {
    for more in [&[][..], &["--json"]] {
        let folder = untrained(PROGRAM);
        let path = folder.path();
        fs::create_dir(path.join("temporary")).expect("a folder");
        let child = long(path, more);
        fs::remove_dir_all(path.join("run")).expect("removed");
        signal(&child, "-INT");
        let output = child.wait_with_output().expect("it ends");
        let told = told(&output);
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(
            told.contains("[E0332]") && told.contains("run/last.safetensors`: its folder does not exist"),
            "{told}"
        );
        let (_, rest) = told.split_once("its last weights are in `").expect("where they are");
        let place = rest.split('`').next().expect("a path");
        assert!(place.starts_with(&*path.join("temporary").to_string_lossy()), "{place}");
        from_bytes("last", &fs::read(place).expect("weights"), None).expect("whole weights");
    }
}

fn data_of_other_classes() {
    let folder = folder();
    let path = folder.path();
    let data = fs::read_to_string(path.join("d.csv")).expect("a table");
    assert!(eval(path).stderr.is_empty());
    let cases = [
        (data.replace("rose", "dahlia"), "it has `dahlia` and lacks `rose`", "d.csv:2:"),
        (data.clone() + "1,2,aster,1\n", "it has `aster`", "d.csv:8:"),
        (data.replace("tulip", "lily"), "it lacks `tulip`", "d.csv:1:"),
        (data.replace(",10", ",3"), "it has `3` and lacks `10`", "d.csv:4:"),
    ];
    for (table, differs, place) in cases {
        write(path, "d.csv", &table);
        refused(&eval(path), 1, "E0325", differs);
        assert!(told(&eval(path)).contains(place), "{}", told(&eval(path)));
    }
    write(path, "d.csv", &data.replace(",kind,", ",sort,"));
    refused(&eval(path), 1, "E0220", "`kind`");
}

/// Other rows of the same classes are evaluated, in any order of theirs and with a warning.
fn changed_data_is_told() {
    let folder = folder();
    let path = folder.path();
    let before = events(&eval(path));
    let data = fs::read_to_string(path.join("d.csv")).expect("a table");
    write(path, "d.csv", &(data.clone() + data.split_once('\n').expect("a header").1));
    let output = eval(path);
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("[W0322]") && told(&output).contains("`d.csv` has changed since"));
    let [before, after] = [before, events(&output)].map(|events| numbers(&events, "eval", "loss")[0]);
    assert!((before - after).abs() < 1e-9 * before, "the same rows twice: {before} {after}");
}

fn predicting_needs_no_training_data() {
    let folder = folder();
    let path = folder.path();
    let with = predict(path, &[]);
    assert!(with.status.success() && with.stderr.is_empty(), "{}", told(&with));
    let rows = String::from_utf8(with.stdout.clone()).expect("text");
    let names: Vec<Vec<&str>> = rows.lines().map(|line| line.split(',').take(2).collect()).collect();
    assert_eq!(names[0], ["chosen", "group"]);
    assert_eq!(names[1..], [["tulip", "10"], ["lily", "2"], ["rose", "1"]]);
    let whole = fs::read_to_string(path.join("d.csv")).expect("a table");
    // Whatever has become of it.
    let others = [None, Some("".to_string()), Some(whole.replace("rose", "dahlia")), Some(whole.replace('a', "z"))];
    for other in others {
        fs::remove_file(path.join("d.csv")).expect("removed");
        if let Some(text) = &other {
            write(path, "d.csv", text);
        }
        let without = predict(path, &[]);
        assert!(without.status.success() && without.stderr.is_empty(), "{other:?}: {}", told(&without));
        assert_eq!(without.stdout, with.stdout, "{other:?}");
        write(path, "d.csv", &whole);
    }
    fs::remove_file(path.join("d.csv")).expect("removed");
    refused(&eval(path), 1, "E0331", "d.csv");
    // What weights do not know, a changed program asks of the data.
    write(
        path,
        "net.mlx",
        &PROGRAM.replace("predict group = k", "predict group = z").replace("    k =", "    z = c\n    k ="),
    );
    refused(&predict(path, &[]), 1, "E0331", "d.csv");
    write(
        path,
        "d.csv",
        &whole
            .lines()
            .enumerate()
            .map(|(at, line)| format!("{line},{}\n", if at == 0 { "c" } else { "7" }))
            .collect::<String>(),
    );
    write(path, "new.csv", "a,b,c\n3,1,0.5\n");
    let output = predict(path, &[]);
    assert!(output.status.success() && told(&output).contains("[W0322]"), "{}", told(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("tulip,0.5,"));
}

/// Mistakes in another block, and data of another block that is gone, are in nobody's way.
fn only_what_is_meant_is_checked() {
    let other = "data e = csv(\"e.csv\") {\n    x = [a] |> standardize\n    k = category(kind)\n    split = holdout(train = 100%)\n}\n\
                 train other {\n    data = e\n    model = Net\n    minimize cross_entropy(model(x), k) using sgd(lr = 0.1)\n    steps = 1\n}\n";
    let folder = untrained(&(PROGRAM.to_string() + other));
    let path = folder.path();
    write(path, "e.csv", "a,kind\n1,x\n2,y\n3,z\n");
    let output = mlx(path, &["train", "net.mlx", "train", "--out", "run"]);
    assert!(output.status.success(), "{}", told(&output));
    fs::remove_file(path.join("e.csv")).expect("removed");
    for command in [&["eval"][..], &["predict", "--input", "new.csv"]] {
        let words = [&command[..1], &["net.mlx", "train", "--weights", WEIGHTS], &command[1..]].concat();
        let output = mlx(path, &words);
        assert!(output.status.success() && output.stderr.is_empty(), "{command:?}: {}", told(&output));
        let unnamed = [&command[..1], &["net.mlx", "--weights", WEIGHTS], &command[1..]].concat();
        assert_ne!(mlx(path, &unnamed).status.code(), Some(0));
    }
}

/// Whatever it is called, wherever its data lies and on however many threads.
fn the_same_run_has_the_same_bytes() {
    let (one, other) = (untrained(PROGRAM), untrained(PROGRAM));
    let train = |folder: &Path, out: &str, threads: &str| {
        let output = mlx(folder, &["train", "net.mlx", "--out", out, "--threads", threads]);
        assert!(output.status.success(), "{}", told(&output));
        fs::read(folder.join(out).join("last.safetensors")).expect("weights")
    };
    let first = train(one.path(), "run", "1");
    assert_eq!(first, train(one.path(), "again", "2"));
    assert_eq!(first, train(other.path(), "there", "2"));
}

fn weights_that_are_not_finite() {
    let folder = folder();
    let path = folder.path();
    let mut weights = from_bytes("w", &fs::read(path.join(WEIGHTS)).expect("weights"), None).expect("weights");
    weights.tensors.get_mut("dense_2.b").expect("a tensor").values[1] = f32::NAN;
    fs::write(path.join(WEIGHTS), to_bytes(&weights).expect("bytes")).expect("written");
    let train = mlx(path, &["train", "net.mlx", "--init", WEIGHTS, "--out", "other"]);
    for output in [eval(path), predict(path, &[]), train] {
        let told = told(&output);
        assert!(told.contains("[W0321]") && told.contains("`dense_2.b` in 1 of 3 numbers"), "{told}");
    }
    // A step that makes them so is told last of all.
    write(path, "large.mlx", &PROGRAM.replace("adam(lr = 0.1)", "sgd(lr = 1e39)").replace("steps = 60", "steps = 1"));
    for more in [&[][..], &["--json"], &["--quiet"]] {
        let output = mlx(path, &[&["train", "large.mlx"], more].concat());
        let told = told(&output);
        let last = told.lines().rfind(|line| line.starts_with('[')).unwrap_or_default();
        assert!(last.starts_with("[W0321]") && last.contains("last.safetensors` are not finite: "), "{told}");
    }
}

fn damaged_weights() {
    let folder = folder();
    let path = folder.path();
    let mut bytes = fs::read(path.join(WEIGHTS)).expect("weights");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path.join(WEIGHTS), bytes).expect("written");
    let init = mlx(path, &["train", "net.mlx", "--init", WEIGHTS]);
    for output in [eval(path), predict(path, &[]), init] {
        refused(&output, 1, "E0324", "is damaged");
    }
}

/// Weights of another program have neither classes nor fitted values: a run may begin from them, and rows are not told apart.
fn weights_of_another_program() {
    let folder = untrained(&PROGRAM.replace(" |> standardize", "").replace("impute(a)", "a"));
    let path = folder.path();
    assert!(mlx(path, &["train", "net.mlx", "--out", "run"]).status.success());
    let mut weights = from_bytes("w", &fs::read(path.join(WEIGHTS)).expect("weights"), None).expect("weights");
    weights.meta = serde_json::Value::Null;
    fs::write(path.join(WEIGHTS), to_bytes(&weights).expect("bytes")).expect("written");
    assert!(eval(path).status.success());
    assert!(mlx(path, &["train", "net.mlx", "--init", WEIGHTS]).status.success());
    refused(&predict(path, &[]), 1, "E0325", "the weights know no classes of column `group`");
}

/// A program with two columns of three classes, and by whose names a prediction is written.
struct Case {
    name: &'static str,
    columns: &'static str,
    model: &'static str,
    train: &'static str,
    /// The prediction of the first row, a: red or an amount; the warning, if there is one.
    first: &'static str,
    unclear: bool,
}

fn cases() -> Vec<Case> {
    let (inputs, net) = ("x = one_hot(c)", "model Net(x: [n, d]) -> [n, 3] {\n    out x |> dense(3)\n}");
    let case = |name, columns, model, train, first| Case { name, columns, model, train, first, unclear: false };
    let heads = "model Net(x: [n, d]) -> [n, 3] {\n    out x |> dense(3)\n}\nmodel Other(x: [n, d]) -> [n, 3] {\n    out x |> dense(3) |> dense(3)\n}";
    vec![
        case(
            "of_the_target",
            inputs,
            net,
            "minimize cross_entropy(model(x), y) using adam(lr = 0.1)\n    predict kind = argmax(model(x))",
            "few",
        ),
        case(
            "of_the_target_through_softmax",
            inputs,
            net,
            "minimize nll(log_softmax(model(x)), y) using adam(lr = 0.1)\n    predict kind = argmax(softmax(model(x)))",
            "few",
        ),
        case(
            "of_classes_that_are_the_input",
            "z = c",
            "model Net(c: class(3)[n]) -> [n, 3] {\n    out one_hot(c) |> dense(3)\n}",
            "minimize cross_entropy(model(c), y) using adam(lr = 0.1)\n    predict kind = argmax(model(c))",
            "few",
        ),
        case(
            "of_a_target_that_is_one_hot",
            inputs,
            net,
            "minimize mse(softmax(model(x)), one_hot(y)) using adam(lr = 0.1)\n    predict kind = argmax(model(x))",
            "few",
        ),
        case(
            "of_what_goes_in_and_comes_out",
            inputs,
            net,
            "minimize cross_entropy(model(x), c) using adam(lr = 0.1)\n    predict kind = argmax(model(x))",
            "red",
        ),
        case(
            "of_a_column",
            inputs,
            net,
            "minimize cross_entropy(model(x), y) using adam(lr = 0.1)\n    predict kind = c",
            "red",
        ),
        case(
            "of_the_head_that_is_meant",
            inputs,
            heads,
            "let other = x |> Other\n    minimize cross_entropy(model(x), y) + cross_entropy(other, c) using adam(lr = 0.1)\n    predict kind = argmax(other)",
            "red",
        ),
        case(
            "of_the_other_head",
            inputs,
            heads,
            "let other = x |> Other\n    minimize cross_entropy(model(x), y) + cross_entropy(other, c) using adam(lr = 0.1)\n    predict kind = argmax(model(x))",
            "few",
        ),
        Case {
            unclear: true,
            ..case(
                "of_one_of_two",
                inputs,
                net,
                "minimize cross_entropy(model(x), y) + 0.001 * cross_entropy(model(x), c) using adam(lr = 0.1)\n    predict kind = argmax(model(x))",
                "0",
            )
        },
        case(
            "of_the_one_that_a_report_means",
            inputs,
            net,
            "minimize cross_entropy(model(x), y) + 0.001 * cross_entropy(model(x), c) using adam(lr = 0.1)\n    report accuracy(model(x), y)\n    predict kind = argmax(model(x))",
            "few",
        ),
    ]
}

fn written_by_the_names_of(case: &Case) {
    let Case { columns, model, train, .. } = case;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    write(path, "d.csv", "colour,amount\nred,few\ngreen,many\nblue,most\nred,few\ngreen,many\nblue,most\n");
    write(
        path,
        "net.mlx",
        &format!(
            "data d = csv(\"d.csv\") {{\n    c = category(colour)\n    {columns}\n    y = category(amount)\n    split = holdout(train = 100%)\n}}\n\
             {model}\ntrain {{\n    data = d\n    model = Net\n    {train}\n    steps = 200\n}}\n"
        ),
    );
    let output = mlx(path, &["train", "net.mlx", "--out", "run"]);
    assert!(output.status.success(), "{}", told(&output));
    write(path, "new.csv", "colour\nred\nblue\n");
    let output = predict(path, &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.lines().nth(1), Some(case.first), "{text}{}", told(&output));
    assert_eq!(told(&output).contains("[W0323]"), case.unclear, "{}", told(&output));
    if case.unclear {
        assert!(told(&output).contains("those of `amount` or `colour`"), "{}", told(&output));
    } else {
        // Of the predictions nothing is said; that the file could be better is.
        let told = told(&output);
        let mut first = told.lines().filter(|line| line.starts_with('['));
        assert!(first.all(|line| line.starts_with("[W0404]") || line.starts_with("[W0410]")), "{told}");
    }
}
