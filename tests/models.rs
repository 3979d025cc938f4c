//! What the shipped models must show: the same bits for any number of threads, and how well they do on rows that they have
//! not seen.

use crate::binary::{events, mlx, repository};
use crate::trial;
use libtest_mimic::Trial;
use std::fs;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("models::logistic_regression_is_right_in_95_of_100", || accuracy("logistic_regression", 0.95)),
        trial("models::softmax_regression_is_right_in_95_of_100", || accuracy("softmax_regression", 0.95)),
        trial("models::the_perceptron_is_right_in_965_of_1000", || accuracy("mlp", 0.965)),
    ];
    for model in models() {
        let name = model.file_stem().expect("a name").to_string_lossy().into_owned();
        trials.push(Trial::test(format!("models::same_bits_for_any_number_of_threads::{name}"), move || {
            same_bits(&model);
            Ok(())
        }));
    }
    trials
}

fn models() -> Vec<PathBuf> {
    let files = fs::read_dir(repository("models")).expect("models").map(|entry| entry.expect("readable").path());
    files.filter(|path| path.extension().is_some_and(|end| end == "mlx")).collect()
}

/// As many as no number of threads divides.
const ROWS: usize = 37;

/// Copies the shipped tables, each cut to rows from all over it so that every class is there.
fn cut_tables(folder: &Path) {
    fs::create_dir(folder.join("data")).expect("a folder");
    for table in fs::read_dir(repository("models/data")).expect("data").map(|entry| entry.expect("readable").path()) {
        let Some(text) = fs::read_to_string(&table).ok().filter(|_| table.extension().is_some_and(|end| end == "csv"))
        else {
            continue;
        };
        let (header, rows) = text.split_once('\n').expect("a header");
        let rows: Vec<&str> = rows.lines().collect();
        let cut = (0..ROWS).map(|at| rows[at * rows.len() / ROWS].to_string() + "\n");
        let name = table.file_name().expect("a name");
        fs::write(folder.join("data").join(name), format!("{header}\n{}", cut.collect::<String>())).expect("written");
    }
}

/// Trains a model on 37 rows, twice with each of 1, 2 and 3 threads.
fn same_bits(model: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    cut_tables(folder.path());
    let text = fs::read_to_string(model).expect("a model");
    let text = text.replace("rows(200,", "rows(37,").replace("batch  = 64", "batch  = 8");
    fs::write(folder.path().join("model.mlx"), text).expect("written");
    let weights = |threads: &str| {
        let arguments =
            ["train", "model.mlx", "--epochs", "7", "--quiet", "--threads", threads, "--out", "run", "--overwrite"];
        let output = mlx(folder.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(folder.path().join("run/last.safetensors")).expect("weights")
    };
    let first = weights("1");
    for threads in ["1", "2", "2", "3", "3"] {
        assert!(weights(threads) == first, "{threads} threads end elsewhere than 1");
    }
}

/// The accuracy on test rows, as a mean over five splits that are stratified.
fn accuracy(model: &str, least: f64) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    for table in ["breast_cancer.csv", "iris.csv", "digits.csv"] {
        let to = folder.path().join("data").join(table);
        fs::copy(repository("models/data").join(table), to).expect("a copy");
    }
    let text = fs::read_to_string(repository("models").join(model).with_extension("mlx")).expect("a model");
    assert!(text.contains("seed = 1, stratify = "), "the split of {model} is stratified");
    let of = |seed: u32| {
        fs::write(folder.path().join("model.mlx"), text.replace("seed = 1", &format!("seed = {seed}")))
            .expect("written");
        let output = mlx(folder.path(), &["train", "model.mlx", "--json", "--out", "run", "--overwrite"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let events = events(&output);
        let test = events.iter().find(|event| event["split"] == "test").expect("an evaluation");
        test["accuracy"].as_f64().expect("a number")
    };
    let found: Vec<f64> = (1..=5).map(of).collect();
    let mean = found.iter().sum::<f64>() / 5.0;
    println!("{model}: {mean:.4} of {found:.4?}");
    assert!(mean >= least, "{mean} is the mean of {found:?}");
}
