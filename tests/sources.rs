//! Data that is no table: arrays and texts, from file to prediction.

use crate::binary::{mlx, numbers, train};
use crate::trial;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("sources::arrays_from_file_to_prediction", arrays),
        trial("sources::arrays_that_are_wrong", wrong_arrays),
        trial("sources::a_text_from_file_to_prediction", text),
        trial("sources::folds_share_all_rows", folds),
        trial("sources::groups_stay_together", groups),
        trial("sources::the_second_class_is_1", pairs),
    ]
}

/// An array in the format of MNIST.
fn idx(folder: &Path, name: &str, shape: &[u32], bytes: &[u8]) {
    let mut all = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|size| all.extend(size.to_be_bytes()));
    all.extend(bytes);
    fs::write(folder.join(name), all).expect("written");
}

const DIGITS: &str =
    "data d = idx(train = \"images\", train_labels = \"labels\", test = \"test\", test_labels = \"test_labels\") {
    x     = image / 255
    y     = category(label)
    split = given(valid = 2, seed = 7)
}
model Net(x: [n, h, w]) -> [n, 2] {
    let flat[n, (i j)] = x[n, i, j]
    out flat |> dense(2)
}
train {
    data = d
    model = Net
    minimize cross_entropy(model(x), y) using sgd(lr = 1)
    report accuracy(model(x), y)
    predict label = argmax(model(x))
    steps = 200
}
";

/// Bright rows are a 7, dark ones a 3.
fn bright(folder: &Path) {
    let row = |at: usize| if at.is_multiple_of(2) { [200u8, 255, 220, 255] } else { [0, 10, 0, 3] };
    let images: Vec<u8> = (0..10).flat_map(row).collect();
    let labels: Vec<u8> = (0..10).map(|at| if at % 2 == 0 { 7 } else { 3 }).collect();
    idx(folder, "images", &[10, 2, 2], &images);
    idx(folder, "labels", &[10], &labels);
    idx(folder, "test", &[4, 2, 2], &images[..16]);
    idx(folder, "test_labels", &[4], &labels[..4]);
}

fn arrays() {
    let folder = tempfile::tempdir().expect("a folder");
    bright(folder.path());
    fs::write(folder.path().join("digits.mlx"), DIGITS).expect("written");
    let events = train(folder.path(), "digits.mlx".as_ref(), &[]);
    let test = numbers(&events, "eval", "accuracy");
    assert_eq!(test.last(), Some(&1.0), "{events:?}");
    let record = fs::read_to_string(folder.path().join("run/run.yaml")).expect("a record");
    for name in ["images", "labels", "test", "test_labels"] {
        assert!(record.contains(&format!("path: {name}\n")), "{record}");
    }
    idx(folder.path(), "new", &[2, 2, 2], &[0, 0, 0, 0, 255, 255, 255, 255]);
    let predict = |input: &str| {
        mlx(folder.path(), &["predict", "digits.mlx", "--weights", "run/last.safetensors", "--input", input])
    };
    let output = predict("new");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "label\n3\n7\n", "{told}");
    idx(folder.path(), "wide", &[1, 2, 3], &[0; 6]);
    let told = String::from_utf8_lossy(&predict("wide").stderr).into_owned();
    assert!(told.contains("E0345") && told.contains("[2, 3]"), "{told}");
    // Data that has changed is noticed.
    idx(folder.path(), "test_labels", &[4], &[3, 3, 7, 7]);
    let output = mlx(folder.path(), &["eval", "digits.mlx", "--weights", "run/last.safetensors"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("W0322"), "{output:?}");
}

fn wrong_arrays() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = |what: &str| {
        let output = mlx(folder.path(), &["check", "digits.mlx"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && told.contains(what) && !told.contains("panicked"), "{what}: {told}");
    };
    fs::write(folder.path().join("digits.mlx"), DIGITS).expect("written");
    told("images");
    bright(folder.path());
    idx(folder.path(), "labels", &[9], &[3; 9]);
    told("`labels` has 9 labels for the 10 rows of `images`");
    bright(folder.path());
    fs::write(folder.path().join("images"), [0, 0, 8, 3, 0, 0]).expect("written");
    told("ends too early");
    fs::write(folder.path().join("images"), [0x1f, 0x8b, 8, 3, 0, 0]).expect("written");
    told("gunzip");
    idx(folder.path(), "images", &[u32::MAX; 4], &[1]);
    told("ends too early");
    idx(folder.path(), "images", &[0, 2, 2], &[]);
    told("has no rows");
    idx(folder.path(), "images", &[10, 2, 2], &[1; 41]);
    told("1 bytes more");
    bright(folder.path());
    idx(folder.path(), "test", &[4, 4], &[1; 16]);
    told("a row of `images` is [2, 2], and one of `test` is [4]");
}

fn text() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("t.txt"), "abcd".repeat(50)).expect("written");
    let program = "data d = text(\"t.txt\") {
    tokens = characters(text)
    x, y   = next_token(tokens, context = 5)
    split  = holdout(train = 80%, valid = 20%, shuffle = false)
}
model Next(x: class(k)[n, t]) -> [n, t, k] {
    out one_hot(x) |> dense(k)
}
train {
    data = d
    model = Next
    minimize cross_entropy(model(x), y) using adam(lr = 0.1)
    report accuracy(model(x), y)
    predict next = argmax(model(x))
    batch = 16
    steps = 100
}
";
    fs::write(folder.path().join("t.mlx"), program).expect("written");
    let events = train(folder.path(), "t.mlx".as_ref(), &[]);
    // 160 characters are 155 windows, 40 are 7 that follow one another.
    let output = mlx(folder.path(), &["train", "t.mlx", "--out", "told"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.starts_with("d: 155 train, 7 valid rows"), "{told}");
    assert!(numbers(&events, "eval", "accuracy").iter().rev().take(2).all(|value| *value == 1.0), "{events:?}");
    fs::write(folder.path().join("new.txt"), "bcdabcdabc").expect("written");
    let output = mlx(folder.path(), &["predict", "t.mlx", "--weights", "run/last.safetensors", "--input", "new.txt"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(lines, "next.0,next.1,next.2,next.3,next.4\nc,d,a,b,c\nd,a,b,c,d\n", "{told}");
    fs::write(folder.path().join("short.txt"), "bcd").expect("written");
    let output = mlx(folder.path(), &["predict", "t.mlx", "--weights", "run/last.safetensors", "--input", "short.txt"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("E0348"), "{output:?}");
}

/// The rows of train and valid, a bit each, of 12 rows in 4 houses and 2 kinds.
fn rows_of(split: &str) -> [u64; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |at: usize| format!("{},{},{}\n", 1 << at, at % 4, ["u", "v"][at % 2]);
    fs::write(folder.path().join("d.csv"), format!("bit,house,kind\n{}", (0..12).map(row).collect::<String>()))
        .expect("written");
    let program = format!(
        "data d = csv(\"d.csv\") {{\n    x = [bit]\n    y = bit\n    split = {split}\n}}\n\
         train {{\n    data = d\n    model = dense(1)\n    minimize mse(model(x) |> squeeze, y) using sgd(lr = 0)\n    report bits = sum(y)\n    steps = 1\n}}\n"
    );
    fs::write(folder.path().join("d.mlx"), program).expect("written");
    let events = train(folder.path(), "d.mlx".as_ref(), &[]);
    ["train", "valid"].map(|split| {
        let own = events.iter().find(|event| event["event"] == "eval" && event["split"] == split);
        own.and_then(|event| event["bits"].as_f64()).expect("a report") as u64
    })
}

fn folds() {
    for settings in ["", ", stratify = kind", ", group = house", ", shuffle = false"] {
        let held: Vec<u64> = (0..4)
            .map(|fold| {
                let [train, valid] = rows_of(&format!("kfold(4, fold = {fold}, seed = 3{settings})"));
                assert_eq!((train | valid, train & valid), ((1 << 12) - 1, 0), "{settings}");
                valid
            })
            .collect();
        assert_eq!(held.iter().sum::<u64>(), (1 << 12) - 1, "{settings}: {held:?}");
        assert!(held.iter().all(|bits| bits.count_ones() == 3), "{settings}: {held:?}");
    }
}

fn groups() {
    let [train, bits] = rows_of("holdout(train = 50%, valid = 50%, group = house, seed = 5)");
    assert_eq!((train.count_ones(), bits.count_ones()), (6, 6));
    // The rows of a house are every fourth.
    for house in 0..4 {
        assert!([0, 3].contains(&(bits & (0b1_0001_0001 << house)).count_ones()), "{bits:b}");
    }
}

fn pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("d.csv"), "a,kind\n1,benign\n2,malignant\n3,benign\n").expect("written");
    let program = "data d = csv(\"d.csv\") {
    x = [a]
    y = category(kind, order = [\"malignant\", \"benign\"])
    split = holdout(train = 100%)
}
train {
    data = d
    model = dense(2)
    minimize cross_entropy(model(x), y) using sgd
    steps = 1
}
";
    fs::write(folder.path().join("d.mlx"), program).expect("written");
    let output = mlx(folder.path(), &["summary", "d.mlx"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("kind: 0 is malignant, 1 is benign") && told.contains("d.csv"), "{told}");
    let output = mlx(folder.path(), &["train", "d.mlx", "--out", "run"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = told.lines().next().unwrap_or_default();
    assert!(first.ends_with("kind: 0 is malignant, 1 is benign"), "{told}");
}
