//! What a draw depends on, and on what it does not: trainings whose figures are draws.

use crate::binary::train;
use crate::trial;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("draws::threads_and_parts_of_a_batch_change_none", threads_and_parts),
        trial("draws::those_of_an_evaluation_depend_on_split_and_row", evaluations),
        trial("draws::a_layer_that_is_added_changes_none_of_a_named_one", added),
        trial("draws::each_loss_and_each_repetition_has_its_own", counted),
    ]
}

/// The events of a block over 40 rows for training, 10 for validation.
fn events(block: &str, more: &[&str]) -> Vec<Value> {
    let text = format!(
        "data d = rows(50, seed = 3) {{
    x: [2] ~ normal(0, 1)
    split = holdout(train = 80%, valid = 20%, seed = 1)
}}
layer noisy(x: [n, d]) -> [n, d] {{
    let z: [n, d] ~ normal(0, 1)
    out z
}}
model Net(x: [n, d]) -> [n] {{
    out x |> dense(1) |> squeeze
}}
train {{
    data = d
    model = Net
{block}
}}
"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("net.mlx");
    fs::write(&file, text).expect("written");
    train(folder.path(), &file, more)
}

/// A figure of the evaluations of a split.
fn figures(events: &[Value], split: &str, name: &str) -> Vec<f64> {
    let own = events.iter().filter(|event| event["event"] == "eval" && event["split"] == split);
    own.filter_map(|event| event[name].as_f64()).collect()
}

fn threads_and_parts() {
    // The greatest of all draws of a batch: no sum whose order may change.
    let block = |parts: u64| {
        format!(
            "    param c: [] = 0
    let z: [n] ~ normal(0, 1)
    minimize (c - max(z))^2 + 0 * mean(model(x)) using sgd(lr = 0.5) over c
    report c = c
    batch = 16
    accumulate = {parts}
    epochs = 3"
        )
    };
    let whole = events(&block(1), &[]);
    let found = figures(&whole, "valid", "c");
    assert!(found.len() > 1 && found[0] != found[1], "each step draws anew: {found:?}");
    for (parts, threads) in [(1, "3"), (4, "1"), (3, "2")] {
        assert_eq!(figures(&events(&block(parts), &["--threads", threads]), "valid", "c"), found);
    }
}

fn evaluations() {
    let block = |batch: u64| {
        format!(
            "    let z: [n] ~ normal(0, 1)
    let u: [n] ~ normal(0, 1)
    minimize mean((model(x) - z)^2) using sgd(lr = 0.1)
    report most = max(z)
    report other = max(u)
    batch = {batch}
    epochs = 2"
        )
    };
    let found = events(&block(8), &[]);
    let (train, valid) = (figures(&found, "train", "most"), figures(&found, "valid", "most"));
    assert!(train.len() > 1 && train.iter().all(|value| *value == train[0]), "not on the step: {train:?}");
    assert!(valid.iter().all(|value| *value == valid[0]), "not on the step: {valid:?}");
    assert_ne!(train[0], valid[0]);
    assert_ne!(train[0], figures(&found, "train", "other")[0]);
    assert_eq!(figures(&events(&block(40), &[]), "train", "most")[0], train[0]);
    assert_ne!(figures(&events(&block(8), &["--seed", "5"]), "train", "most")[0], train[0]);
}

fn added() {
    let block = |more: &str| {
        format!(
            "    let f = noisy
{more}    minimize mean(model(x)^2) using sgd(lr = 0.1)
    report most = max(f(x))
    steps = 1"
        )
    };
    let alone = figures(&events(&block(""), &[]), "valid", "most");
    let more = "    let g = noisy\n    report another = max(g(x))\n";
    assert_eq!(figures(&events(&block(more), &[]), "valid", "most"), alone);
}

fn counted() {
    let block = "    param c: [] = 0
    param e: [] = 0
    param f: [] = 0
    let z: [n] ~ normal(0, 1)
    minimize first = -c * max(z) + 0 * mean(model(x)) using sgd(lr = 1) over c
    minimize second = -e * max(z) using sgd(lr = 1) over e
    minimize third = -f * max(z) using sgd(lr = 1) over f times 2
    report c = c
    report e = e
    report f = f
    steps = 1";
    let found = events(block, &[]);
    let last = |name: &str| figures(&found, "train", name).last().copied().expect("a figure");
    let (c, e, f) = (last("c"), last("e"), last("f"));
    assert!(c > 0.0 && e > 0.0 && f > 0.0);
    assert_ne!(c, e, "two losses have draws of their own");
    assert!(f != 2.0 * c && f != 2.0 * e && f != c + e, "repetitions have draws of their own");
}
