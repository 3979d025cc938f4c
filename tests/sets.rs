//! Trainings on several data sets, as the command line sees them.

use crate::binary::{events, mlx, train};
use crate::trial;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("sets::an_epoch_ends_with_the_longest_set", an_epoch_ends_with_the_longest_set),
        trial("sets::each_step_sees_a_batch_of_each", each_step_sees_a_batch_of_each),
        trial("sets::figures_are_of_the_sets_that_have_rows", figures_are_of_the_sets_that_have_rows),
        trial("sets::what_is_taken_over_comes_with_the_weights", what_is_taken_over_comes_with_the_weights),
    ]
}

/// A folder with a program.
fn with(program: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("net.mlx"), program).expect("written");
    folder
}

fn rows(name: &str, count: usize, split: &str) -> String {
    format!("data {name} = rows({count}, seed = 1) {{\n    x ~ normal(0, 1)\n    split = holdout({split})\n}}\n")
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn an_epoch_ends_with_the_longest_set() {
    let two = rows("a", 10, "train = 100%") + &rows("b", 4, "train = 100%");
    let folder = with(&format!(
        "{two}train {{\n    data = [a, b]\n    param w: [] = 0\n    \
         minimize mean((a.x - w)^2) + mean((b.x - w)^2) using sgd(lr = 0.1)\n    batch = 4\n    epochs = 2\n}}\n"
    ));
    let events = train(folder.path(), Path::new("net.mlx"), &[]);
    let epochs: Vec<u64> =
        events.iter().filter(|event| event["event"] == "step").filter_map(|event| event["epoch"].as_u64()).collect();
    assert_eq!(epochs, [1, 1, 1, 2, 2, 2], "10 rows by 4 are 3 steps");
}

/// The states count the rows that steps see: of the shorter set always whole batches, of the longer one what is left at last.
fn each_step_sees_a_batch_of_each() {
    let two = rows("a", 10, "train = 100%") + &rows("b", 7, "train = 100%") + &rows("c", 2, "train = 100%");
    let folder = with(&format!(
        "{two}train {{\n    data = [a, b, c]\n    state of_a: [] = 0\n    state of_b: [] = 0\n    state of_c: [] = 0\n    \
         of_a' = of_a + a.n\n    of_b' = of_b + b.n\n    of_c' = of_c + c.n\n    \
         report of_a = of_a\n    report of_b = of_b\n    report of_c = of_c\n    report sum = sum(a.x) + sum(b.x) + sum(c.x)\n    \
         batch = 3\n    steps = 4\n}}\n"
    ));
    let events = train(folder.path(), Path::new("net.mlx"), &[]);
    let last = events.iter().rfind(|event| event["event"] == "eval").expect("an evaluation");
    assert_eq!([&last["of_a"], &last["of_b"], &last["of_c"]].map(Value::as_f64), [Some(10.0), Some(12.0), Some(8.0)]);
}

fn figures_are_of_the_sets_that_have_rows() {
    let two = rows("a", 8, "train = 50%, valid = 50%") + &rows("b", 5, "train = 100%");
    let folder = with(&format!(
        "{two}train {{\n    data = [a, b]\n    param w: [] = 0\n    \
         minimize of_a = mean((a.x - w)^2) using sgd(lr = 0.1)\n    minimize of_b = mean((b.x - w)^2) using sgd(lr = 0.1)\n    \
         report w = w\n    keep = min(valid.of_a)\n    predict z = a.x - w\n    steps = 3\n}}\n"
    ));
    let trained = train(folder.path(), Path::new("net.mlx"), &[]);
    let valid = trained.iter().rfind(|event| event["split"] == "valid").expect("an evaluation");
    assert!(valid["loss"].is_null() && valid.get("of_b").is_none(), "{valid}");
    assert!(valid["of_a"].is_number() && valid["w"].is_number(), "{valid}");
    let weights = ["--weights", "run/last.safetensors"];
    let again = mlx(folder.path(), &[&["eval", "net.mlx", "--json"][..], &weights].concat());
    assert!(again.status.success(), "{}", said(&again));
    let of =
        |events: &[Value]| events.iter().rfind(|event| event["split"] == "valid").map(|event| event["of_a"].clone());
    assert_eq!(of(&events(&again)), of(&trained));
    let drawn = mlx(folder.path(), &[&["predict", "net.mlx", "--rows", "3"][..], &weights].concat());
    assert!(drawn.status.success(), "{}", said(&drawn));
    assert_eq!(String::from_utf8_lossy(&drawn.stdout).lines().count(), 4);
}

/// New rows of `b` are scaled as those of `a` were, and their classes are those of `a`; neither file need be there.
fn what_is_taken_over_comes_with_the_weights() {
    let folder = with(
        "data a = csv(\"a.csv\") {\n    x = standardize(x)\n    kind = category(kind)\n    split = holdout(train = 100%)\n}\n\
         data b = csv(\"b.csv\") {\n    x = standardize(x, as = a.x)\n    kind = category(kind, as = a.kind)\n    \
         split = holdout(train = 100%)\n}\n\
         train {\n    data = b\n    param w: [] = 1\n    minimize mean(w * x) using sgd(lr = 0)\n    \
         predict z = w * x\n    predict place = one_hot(kind)\n    steps = 1\n}\n",
    );
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("a.csv", "x,kind\n0,u\n2,v\n4,w\n");
    write("b.csv", "x,kind\n7,w\n9,v\n");
    train(folder.path(), Path::new("net.mlx"), &[]);
    fs::remove_file(folder.path().join("a.csv")).expect("removed");
    fs::remove_file(folder.path().join("b.csv")).expect("removed");
    write("new.csv", "x,kind\n2,w\n4,u\n");
    let output = mlx(folder.path(), &["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", "new.csv"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().expect("a number")).collect())
        .collect();
    let deviation = (8.0f64 / 3.0).sqrt();
    assert!(rows[0][0].abs() < 1e-6 && (rows[1][0] - 2.0 / deviation).abs() < 1e-6, "{text}");
    assert_eq!([&rows[0][1..], &rows[1][1..]], [&[0.0, 0.0, 1.0][..], &[1.0, 0.0, 0.0][..]], "w, then u");
}
