//! Columns are kept or computed of the rows of each batch; nothing but memory and time tells which.

use crate::trial;
use libtest_mimic::Trial;
use mlx::check::program::RawKind;
use mlx::compile::{self, Checked};
use mlx::run::batch::kept;
use mlx::run::dataset::{Files, drawn};
use mlx::run::schedule::{KEPT, Schedule};
use mlx::run::steps::Run;
use mlx::source::Sources;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("columns::kept_or_computed_of_each_batch", kept_or_computed_of_each_batch),
        trial("columns::kept_up_to_a_bound", kept_up_to_a_bound),
        trial("columns::large_draws_are_made_when_asked_for", large_draws_are_made_when_asked_for),
    ]
}

fn checked(program: &str, files: &mut Files) -> Checked {
    let mut sources = Sources::default();
    let source = sources.add("net.mlx", program.to_string());
    let checked = compile::check(&mut sources, source, files, &[]).expect("no --set");
    assert!(checked.found.is_empty(), "{:?}", checked.found);
    checked
}

/// Values at a great offset, which 32 bits do not have: columns have 64, however they are computed. The last batch of an
/// epoch has fewer rows.
const OFFSET: &str = "data d = rows(101, seed = 1) {
    a: [3] ~ normal(10_000_000, 1)
    b      ~ uniform(-1, 1)
    x      = standardize(a)
    y      = b * b + 0.5 * b
    c      = argmax([b, 0])
    split  = holdout(train = 70%, valid = 20%, test = 10%, seed = 1)
}
model Net(x: [n, d]) -> [n, 2] {
    out x |> dense(4) |> relu |> dense(2)
}
fn first(x: [n, k]) -> [n] {
    let y[i] = sum(j where j == 0: x[i, j])
    out y
}
train {
    data  = d
    model = Net
    minimize mse(first(model(x)), y) + cross_entropy(model(x), c) using adam(lr = 0.01)
    report r2(first(model(x)), y)
    report accuracy(model(x), c)
    batch  = BATCH
    epochs = 3
}
";

fn kept_or_computed_of_each_batch() {
    for batch in ["16", "71"] {
        let mut files = Files::beside("net.mlx".as_ref());
        let checked = checked(&OFFSET.replace("BATCH", batch), &mut files);
        let program = &checked.programs[0];
        let lowered = compile::lower(program).expect("a graph");
        let data = files.open(&program.data).expect("data");
        let lines = |kept: u64| {
            let schedule = Schedule { kept, ..Schedule::of(program, program.run.length) };
            let mut run = Run::new(&lowered, schedule, &data).expect("a run");
            let mut lines = Vec::new();
            for _ in 0..schedule.steps.min(12) {
                lines.push(run.take_step().expect("a step").line());
                for split in ["train", "valid", "test"] {
                    lines.extend(run.evaluate(split).expect("numbers").map(|event| event.line()));
                }
            }
            let (graph, feed) = run.for_reference().expect("a feed");
            assert!(graph.verify().is_ok());
            (lines, feed, run.weights())
        };
        let all = lines(KEPT);
        // None of them, and some of them.
        for bytes in [0, 101 * 4 * 3] {
            assert!(all == lines(bytes), "a batch of {batch} and {bytes} bytes");
        }
    }
}

fn kept_up_to_a_bound() {
    let mut files = Files::beside("net.mlx".as_ref());
    let checked = checked(&OFFSET.replace("BATCH", "16"), &mut files);
    let lowered = compile::lower(&checked.programs[0]).expect("a graph");
    // The columns are `a`, `b`, `x`, `y` and `c`; only the last three are read.
    assert_eq!(kept(&lowered, &[Some(101)], KEPT), [false, false, true, true, true]);
    assert_eq!(kept(&lowered, &[Some(101)], 101 * 4 * 3), [false, false, true, false, false]);
    assert_eq!(kept(&lowered, &[Some(101)], 101 * 4 * 2), [false, false, false, true, true]);
    assert_eq!(kept(&lowered, &[Some(101)], 0), [false; 5]);
}

/// 1.6 GB of draws, of which a few rows are read.
fn large_draws_are_made_when_asked_for() {
    let program = "data d = rows(200_000, seed = 1) {
    x: [1000] ~ normal(0, 1)
    split = holdout(train = 100%)
}
model Net(x: [n, d]) -> [n, 1] {
    out x |> dense(1)
}
train {
    data  = d
    model = Net
    minimize mean(model(x)^2) using sgd(lr = 0.01)
    batch = 8
    steps = 2
}
";
    let mut files = Files::beside("net.mlx".as_ref());
    let checked = checked(program, &mut files);
    let program = &checked.programs[0];
    let lowered = compile::lower(program).expect("a graph");
    let data = files.open(&program.data).expect("data");
    let raw = &program.data.raw[0];
    let RawKind::Drawn(distribution) = raw.kind else { panic!("a drawn column") };
    let from = &program.data.sets[0].source.from;
    let own = |row: usize| drawn(from, &raw.name, distribution, 1000, 1, |_| row, || false);
    assert!(data.column(0, &[7, 199_999]).values == [own(7), own(199_999)].concat());
    let mut run =
        Run::new(&lowered, Schedule { kept: 0, ..Schedule::of(program, program.run.length) }, &data).expect("a run");
    run.take_step().expect("a step");
    run.take_step().expect("a step");
}
