//! `mlx check` through the binary: exit status, drawing, JSON.

use crate::binary::{events, mlx};
use crate::trial;
use libtest_mimic::Trial;
use std::process::{Command, Output};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("check::a_good_file_is_silent", a_good_file_is_silent),
        trial("check::mistakes_are_drawn_and_counted", mistakes_are_drawn_and_counted),
        trial("check::one_run_finds_mistakes_of_every_stage", one_run_finds_mistakes_of_every_stage),
        trial("check::places_count_in_signs", places_count_in_signs),
        trial("check::no_text_is_too_much", no_text_is_too_much),
        trial("check::files_that_are_no_text", files_that_are_no_text),
        trial("check::long_files", long_files),
        trial("check::many_mistakes", many_mistakes),
    ]
}

const TRAINING: &str = "data d = rows(10, seed = 1) {\n    x ~ uniform(-1, 1)\n    y = 2 * x\n    \
    split = holdout(train = 80%, test = 20%)\n}\nmodel M(x: [n]) -> [n] {\n    param a: [] = 0\n    out a * x\n}\n\
    train {\n    data = d\n    model = M\n    minimize mse(model(x), y) + w4999 using sgd(lr = 0.1)\n}\n";

/// Each `let` reads the one before it, and the training reads the last; many layers of a line each.
fn long_files() {
    let lets: String = (1..5000).map(|k| format!("let w{k} = w{} + 1\n", k - 1)).collect();
    let layers: String = (0..200).map(|k| format!("layer _l{k}(x: [n]) -> [n] {{ out x }}\n")).collect();
    let before = std::time::Instant::now();
    let output = check("a.mlx", format!("{layers}{TRAINING}let w0 = 1\n{lets}").as_bytes(), &[]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(before.elapsed().as_secs() < 20, "it took {:?}", before.elapsed());
}

/// Each is told, and none costs a look at all the others.
fn many_mistakes() {
    let lets: String = (0..20_000).map(|k| format!("    let v{k} = zz{k} + 1\n")).collect();
    let text = TRAINING.replace("    minimize", &format!("{lets}    minimize")).replace(" + w4999", "");
    let before = std::time::Instant::now();
    let output = check("a.mlx", text.as_bytes(), &[]);
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("E0201").count(), 20_000);
    assert!(before.elapsed().as_secs() < 40, "it took {:?}", before.elapsed());
}

fn check(name: &str, bytes: &[u8], flags: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    let mlx = Command::new(env!("CARGO_BIN_EXE_mlx")).arg("check").args(flags).arg(&path).output();
    mlx.expect("mlx runs")
}

fn a_good_file_is_silent() {
    let output = check("a.mlx", b"let a = 1\n", &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

fn mistakes_are_drawn_and_counted() {
    let text = "let 重み = ^2\nlet b = )\n".as_bytes();
    let drawn = check("a.mlx", text, &[]);
    assert_eq!(drawn.status.code(), Some(1));
    let drawing = String::from_utf8(drawn.stderr).expect("text");
    assert!(drawing.contains("let 重み = ^2") && drawing.contains("a.mlx:2:9"), "{drawing}");
    let json = check("a.mlx", text, &["--json"]);
    let lines = String::from_utf8(json.stdout).expect("text");
    let places: Vec<(u64, u64)> = lines
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).expect("an object");
            (object["line"].as_u64().expect("a line"), object["column"].as_u64().expect("a column"))
        })
        .collect();
    assert_eq!(places, [(1, 10), (2, 9)]);
}

/// In the file of the mistake, and in the other that contributes, whatever stands before.
fn places_count_in_signs() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("表.csv"), "年齢,体重\n二十,三十\n1,2\n1,2\n1,2\n1,2\n").expect("written");
    let program = "/// 学習に使う行。\n/// 年齢と体重。\ndata 人 = csv(\"表.csv\") {\n    x = [年齢, 体重]\n    split = holdout(train = 100%)\n}\n";
    std::fs::write(folder.path().join("人.mlx"), program).expect("written");
    let output = crate::binary::mlx(folder.path(), &["check", "人.mlx"]);
    let drawn = String::from_utf8_lossy(&output.stderr).into_owned();
    for place in ["表.csv:2:1 ]", "表.csv:2:4 ]", "人.mlx:3:14 ]"] {
        assert!(drawn.contains(place), "{place} is not in\n{drawn}");
    }
}

fn files_that_are_no_text() {
    for (bytes, code) in [(&b"let a = 1\xff"[..], "E0106"), (b"\0", "E0104"), (&[b'x'; 2 << 20], "E0103")] {
        let output = check("a.mlx", bytes, &[]);
        assert_eq!(output.status.code(), Some(1));
        let drawing = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(drawing.contains(code) && !drawing.contains("panicked"), "{drawing}");
    }
}

/// A syntax error, an unknown column, an unknown function and a conflict of sizes three layers deep, all in one file.
fn one_run_finds_mistakes_of_every_stage() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = "\
data patients = csv(\"patients.csv\") {
    x     = [age, bmj, bp] |> standardize
    y     = progression
    split = holdout(train = 50%, test = 50%, seed = 1)
}

layer core(units: int)(x: [..s, d]) -> [..s, units] {
    param w: [units, units] = 0
    out x @ w
}

layer block(units: int)(x: [..s, d]) -> [..s, units] {
    out x |> core(units) |> relu
}

layer tower(units: int)(x: [..s, d]) -> [..s, units] {
    out x |> block(units) |> tahn
}

model Net(x: [n, d]) -> [n, 1] {
    out x |> tower(8) |> dense(1)
}

fn broken(x) = x +

train {
    data  = patients
    model = Net
    minimize mse(model(x), y) using sgd
}
";
    std::fs::write(folder.path().join("net.mlx"), program).expect("written");
    std::fs::write(folder.path().join("patients.csv"), "age,bmi,bp,progression\n1,2,3,1\n4,5,6,2\n").expect("written");
    let output = mlx(folder.path(), &["check", "--json", "net.mlx"]);
    assert_eq!(output.status.code(), Some(1));
    let found = events(&output);
    let told: Vec<(&str, u64)> = found
        .iter()
        .map(|found| (found["code"].as_str().expect("a code"), found["line"].as_u64().expect("a line")))
        .collect();
    assert_eq!(told, [("E0220", 2), ("E0203", 9), ("E0201", 17), ("E0101", 26)]);
    assert!(found[0]["help"].as_str().is_some_and(|help| help.contains("`bmi`")));
    assert!(found[2]["help"].as_str().is_some_and(|help| help.contains("`tanh`")));
    let labels: Vec<(u64, &str)> = found[1]["labels"]
        .as_array()
        .expect("labels")
        .iter()
        .map(|label| (label["line"].as_u64().expect("a line"), label["message"].as_str().expect("a text")))
        .collect();
    // Both sizes where they were decided, in different items, and every call between.
    assert!(labels.contains(&(2, "3 parts are listed here")), "{labels:?}");
    assert!(labels.contains(&(21, "8 is given here")), "{labels:?}");
    for call in [(13, "in this use of `core`"), (17, "in this use of `block`"), (21, "in this use of `tower`")] {
        assert!(labels.contains(&call), "{labels:?}");
    }
}

/// Whatever nests or goes on for 20,000 times is told, and soon; nothing overflows a stack.
fn no_text_is_too_much() {
    let many = |before: &str, link: &str, after: &str| format!("let a = {before}{}{after}\n", link.repeat(20_000));
    let nested = format!("let a = {}1{}\n", "(".repeat(20_000), ")".repeat(20_000));
    let texts = [
        nested,
        many("1", " + 1", ""),
        many("1", " |> relu", ""),
        many("", "not ", "true"),
        many("", "if true then 1 else ", "1"),
        many("x", "[0]", ""),
        many("x", "(1)", ""),
        many("x", ".y", ""),
        many("2", "^2", ""),
        many("1", " < 2", ""),
        many("", "[", ""),
        many("", "{", ""),
    ];
    for text in texts {
        let started = std::time::Instant::now();
        let output = check("a.mlx", text.as_bytes(), &[]);
        let drawing = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{}: {drawing}", &text[..40]);
        // Far more than it takes, far less than a search that goes wrong.
        assert!(started.elapsed().as_secs() < 10, "{}", &text[..40]);
    }
}
