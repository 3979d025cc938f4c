//! What the language has for training, used together as papers use it: two nets with a penalty of slopes, draws in a model, a
//! copy that follows, states of layers under several losses. Each trains, and in parts of a batch as well as in one.

use crate::binary::{numbers, repository, train};
use crate::trial;
use libtest_mimic::Trial;
use mlx::train::weights;
use serde_json::Value;
use std::fs;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("together::an_adversary_with_a_penalty_of_slopes", adversary),
        trial("together::an_autoencoder_that_draws", autoencoder),
        trial("together::a_mean_teacher_of_a_normalized_net", mean_teacher),
        trial("together::two_normalized_nets_with_dropout", two_nets),
        trial("together::a_state_advances_once_for_each_loss", states),
        trial("together::without_data_model_or_loss", without),
    ]
}

/// The events of a program of `tests/together`, in one part or several, and the weights that it left.
fn trained(name: &str, parts: u64) -> (Vec<Value>, weights::Weights) {
    let text = fs::read_to_string(repository("tests/together").join(name)).expect("a program");
    run(&text.replace("accumulate = 1", &format!("accumulate = {parts}")))
}

fn run(text: &str) -> (Vec<Value>, weights::Weights) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("net.mlx");
    fs::write(&file, text).expect("written");
    let events = train(folder.path(), &file, &[]);
    let bytes = fs::read(folder.path().join("run/last.safetensors")).expect("weights");
    (events, weights::from_bytes("last.safetensors", &bytes, None).expect("whole weights"))
}

/// Parts of a batch have its draws and its statistics: the first losses are those of one part.
fn same_in_parts(name: &str, events: &[Value]) {
    let (whole, parts) = (numbers(events, "step", "loss"), numbers(&trained(name, 4).0, "step", "loss"));
    // Rounding grows: a bias before a norm has no gradient but what rounding leaves, and Adam moves by its sign.
    for (step, (one, two)) in whole.iter().zip(&parts).take(5).enumerate() {
        let near = if step == 0 { 1e-6 } else { 5e-4 };
        assert!((one - two).abs() <= near * one.abs().max(0.1), "step {step} of {name}: {one} and {two}");
    }
}

/// A figure of the training rows, at the first evaluation and at the last.
fn figure(events: &[Value], name: &str) -> (f64, f64) {
    let own = events.iter().filter(|event| event["event"] == "eval" && event["split"] == "train");
    let all: Vec<f64> = own.filter_map(|event| event[name].as_f64()).collect();
    (all[0], all[all.len() - 1])
}

fn adversary() {
    let (events, _) = trained("wgan.mlx", 1);
    let critic = numbers(&events, "step", "critic");
    // The slopes come near 1, and the critic tells what is drawn from what is there.
    assert!(critic[0] > 2.0 && critic[critic.len() - 1] < -0.2, "{critic:?}");
    same_in_parts("wgan.mlx", &events);
}

fn autoencoder() {
    let (events, _) = trained("vae.mlx", 1);
    let (first, last) = figure(&events, "elbo");
    assert!(last < 0.75 * first, "{first} and {last}");
    same_in_parts("vae.mlx", &events);
}

fn mean_teacher() {
    let (events, weights) = trained("teacher.mlx", 1);
    assert!(figure(&events, "pupil").1 < 0.1 && figure(&events, "taught").1 < 0.1);
    // A copy has the states of the layers as well.
    assert!(weights.tensors.contains_key("teacher.batch_norm_1.average"));
    same_in_parts("teacher.mlx", &events);
}

fn two_nets() {
    let (events, _) = trained("two.mlx", 1);
    assert!(figure(&events, "a").1 < 0.1 && figure(&events, "c").1 < 0.25);
    same_in_parts("two.mlx", &events);
}

fn states() {
    let (_, weights) = trained("states.mlx", 1);
    // Five steps of three repetitions of one loss and one of another; nothing that is shown counts.
    assert_eq!(weights.tensors["counted_1.seen"].values, [20.0]);
    // As many times the mean of the rows has been followed: most of the way from 0 to 3.
    let average = &weights.tensors["batch_norm_1.average"].values;
    assert!(average.iter().all(|mean| (2.0..4.0).contains(mean)), "{average:?}");
}

fn without() {
    let (events, weights) = run("train {
    param a: [] = -1
    param b: [] = 1
    minimize (1 - a)^2 + 10 * (b - a^2)^2 using adam(lr = 0.05)
    report a = a
    steps = 600
}
");
    assert!((weights.tensors["a"].values[0] - 1.0).abs() < 0.05, "{:?}", weights.tensors["a"].values);
    let splits: Vec<&Value> = events.iter().filter(|event| event["event"] == "eval").map(|e| &e["split"]).collect();
    assert!(splits.iter().all(|split| **split == "train"), "one split: {splits:?}");
    let (events, _) = run("train {
    state a: [] = 0
    state b: [] = 1
    a'    = b
    b'    = a + b
    report a = a
    steps = 10
}
");
    assert_eq!(figure(&events, "a").1, 55.0);
    assert!(numbers(&events, "step", "loss").iter().all(|loss| loss.is_nan()), "nothing is minimized");
}
