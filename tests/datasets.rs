//! What a `data` block brings along: whole tables, rows of unequal length, columns that change in training, inverses.

use crate::binary::{mlx, numbers, train};
use crate::trial;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::process::Output;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("datasets::whole_tables_come_with_the_weights", whole_tables),
        trial("datasets::rows_of_unequal_length_are_predicted", rows_of_unequal_length),
        trial("datasets::decisions_are_written_by_name", decisions),
        trial("datasets::inverses_have_the_units_of_the_source", inverses),
        trial("datasets::columns_change_in_training_alone", columns_in_training),
    ]
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn predicted(folder: &Path, input: &str) -> String {
    let output = mlx(folder, &["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", input]);
    assert!(output.status.success(), "{}", told(&output));
    String::from_utf8(output.stdout).expect("text")
}

fn whole_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", "node,y\n0,1\n1,2\n2,3\n");
    write("edges.csv", "source,target,weight\n0,1,0.5\n1,2,2\n2,0,4\n");
    let program = "data d = csv(\"d.csv\") {\n    let edges = csv(\"edges.csv\")\n    let to = as_class(edges.target, 3)\n    \
         node = as_class(node, 3)\n    y = y\n    split = holdout(train = 100%)\n}\n\
         /// The weights of the edges that end at a node.\n\
         model Net(node: class(v)[n], target: class(v)[m], weight: [m]) -> [n] {\n    param a: [] = 1\n    \
         let sums[i: v] = sum(e where target[e] == i: weight[e])\n    let y[i] = a * sums[node[i]]\n    out y\n}\n\
         train {\n    data = d\n    model = Net\n    let z = model(node, to, edges.weight)\n    \
         minimize mse(z, y) using sgd(lr = 0)\n    predict z = z\n    steps = 1\n}\n";
    write("net.mlx", program);
    let events = train(folder.path(), "net.mlx".as_ref(), &[]);
    let expected = (9.0 + 2.25 + 1.0) / 3.0;
    assert!((numbers(&events, "eval", "loss")[0] - expected).abs() < 1e-6, "{events:?}");
    let eval = || mlx(folder.path(), &["eval", "net.mlx", "--weights", "run/last.safetensors"]);
    assert!(!told(&eval()).contains("has changed"), "{}", told(&eval()));
    // Another table is other data.
    write("edges.csv", "source,target,weight\n0,1,0.5\n1,2,2\n2,0,5\n1,0,1\n");
    assert!(told(&eval()).contains("has changed"), "{}", told(&eval()));
    write("new.csv", "node\n2\n0\n");
    for file in ["d.csv", "edges.csv"] {
        fs::remove_file(folder.path().join(file)).expect("removed");
    }
    assert_eq!(predicted(folder.path(), "new.csv"), "z\n2\n4\n");
    write("wrong.csv", "node\n2\n3\n");
    let output =
        mlx(folder.path(), &["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", "wrong.csv"]);
    assert!(
        output.status.code() == Some(1) && told(&output).contains("3 in row 2 of column `node`"),
        "{}",
        told(&output)
    );
}

fn rows_of_unequal_length() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("d.jsonl", "{\"t\": [\"a\", \"b\"], \"v\": [1, 2]}\n{\"t\": [\"c\"], \"v\": []}\n");
    write(
        "net.mlx",
        "data d = jsonl(\"d.jsonl\") {\n    x, length = pad(category(t, unknown = \"?\"), 3)\n    v, size = pad(v, 2)\n    \
         split = holdout(train = 100%)\n}\n\
         train {\n    data = d\n    param a: [] = 1\n    minimize mean(a * v) using sgd(lr = 0)\n    predict x = x\n    \
         predict l = length\n    predict v = v\n    steps = 1\n}\n",
    );
    train(folder.path(), "net.mlx".as_ref(), &[]);
    write("new.jsonl", "{\"t\": [\"b\", \"new\", \"c\", \"a\"], \"v\": [7]}\n{\"t\": [], \"v\": [4, 5, 6]}\n");
    assert_eq!(predicted(folder.path(), "new.jsonl"), "x.0,x.1,x.2,l,v.0,v.1\nb,?,c,3,7,0\na,a,a,0,4,5\n");
    write("wrong.jsonl", "{\"t\": \"b\", \"v\": [7]}\n");
    let output =
        mlx(folder.path(), &["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", "wrong.jsonl"]);
    assert!(output.status.success() || told(&output).contains("`t`"), "{}", told(&output));
}

fn decisions() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", "a,kind\n-2,benign\n-1,benign\n1,malignant\n3,malignant\n");
    write(
        "net.mlx",
        "data d = csv(\"d.csv\") {\n    x = a\n    kind = category(kind)\n    split = holdout(train = 100%)\n}\n\
         model Net(x: [n]) -> [n] {\n    param w: [] = 1\n    out w * x\n}\n\
         train {\n    data = d\n    model = Net\n    minimize binary_cross_entropy(model(x), kind) using sgd(lr = 0.1)\n    \
         predict by_chance = sigmoid(model(x)) > 0.5\n    predict by_score = model(x) >= 0\n    \
         predict other = 0 > model(x)\n    predict far = model(x)^2 > 1\n    predict said = kind.inverse(model(x) > 0)\n    \
         steps = 1\n}\n",
    );
    train(folder.path(), "net.mlx".as_ref(), &[]);
    write("new.csv", "a\n2\n-3\n");
    let expected = "by_chance,by_score,other,far,said\nmalignant,malignant,malignant,1,malignant\n\
                    benign,benign,benign,1,benign\n";
    assert_eq!(predicted(folder.path(), "new.csv"), expected);
}

fn inverses() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", "a,b,price\n1,5,100\n2,7,1000\n3,9,10000\n");
    write(
        "net.mlx",
        "data d = csv(\"d.csv\") {\n    x = a\n    y = log(price) |> standardize\n    both = [a, 2 * b + 1] |> minmax\n    \
         flat = standardize(0 * a + 4)\n    split = holdout(train = 100%)\n}\n\
         model Net(x: [n]) -> [n] {\n    param w: [] = 1\n    out w * (x - 2)\n}\n\
         train {\n    data = d\n    model = Net\n    minimize mse(model(x), y) using sgd(lr = 0)\n    \
         predict price = y.inverse(model(x) * 0)\n    predict both = both.inverse(stack(x * 0, x * 0 + 1))\n    steps = 1\n}\n",
    );
    train(folder.path(), "net.mlx".as_ref(), &[]);
    write("new.csv", "a\n1\n");
    let text = predicted(folder.path(), "new.csv");
    let row: Vec<f64> =
        text.lines().nth(1).expect("a row").split(',').map(|cell| cell.parse().expect("a number")).collect();
    assert!((row[0] - 1000.0).abs() < 0.01 && (row[1] - 1.0).abs() < 1e-5 && (row[2] - 9.0).abs() < 1e-5, "{text}");
}

/// Draws of columns are those of the step and the row, for any number of threads; an evaluation sees the rows as they are.
fn columns_in_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = |accumulate: usize| {
        format!(
            "fn noisy(x: [n, d]) -> [n, d] {{\n    let e: [n, d] ~ normal(0, 1)\n    out if training then x + e else x\n}}\n\
             data d = rows(40, seed = 1) {{\n    a: [4, 4] ~ normal(0, 1)\n    x = a |> random_crop(4, pad = 1) |> random_flip |> flatten |> noisy\n    \
             y ~ normal(0, 1)\n    split = holdout(train = 80%, valid = 20%, seed = 1)\n}}\n\
             model Net(x: [n, d]) -> [n] {{\n    out x |> dense(1) |> squeeze\n}}\n\
             train {{\n    data = d\n    model = Net\n    minimize mse(model(x), y) using sgd(lr = 0.01)\n    report seen = mean(x)\n    \
             report as_is = mean(x^2)\n    batch = 16\n    accumulate = {accumulate}\n    steps = 6\n}}\n"
        )
    };
    let run = |accumulate: usize, threads: &str| {
        fs::write(folder.path().join("net.mlx"), program(accumulate)).expect("written");
        let events = train(folder.path(), "net.mlx".as_ref(), &["--threads", threads]);
        (events, fs::read(folder.path().join("run/last.safetensors")).expect("weights"))
    };
    let (events, weights) = run(1, "1");
    let (others, same) = run(1, "3");
    assert_eq!(weights, same, "threads change nothing");
    assert_eq!(numbers(&events, "step", "loss"), numbers(&others, "step", "loss"));
    // The rows of an evaluation are the same after any step.
    let seen = numbers(&events, "eval", "seen");
    assert!(seen.len() >= 4 && seen[0] == seen[2] && seen[1] == seen[3], "{seen:?}");
    let (parts, _) = run(4, "2");
    let (whole, parts) = (numbers(&events, "step", "loss"), numbers(&parts, "step", "loss"));
    assert!(whole.iter().zip(&parts).all(|(a, b)| (a - b).abs() <= 1e-5 * a.abs()), "{whole:?} {parts:?}");
}
