//! The folder of a run, and the events of a run.

use std::path::Path;

use libtest_mimic::Trial;
use mlx::run::events::{Event, Figure, Reason, Reported, kept};
use mlx::train::folder::take;
use mlx::train::record::{DataFile, Metrics, Record, checksum, new_folder, read, write};
use serde_json::json;

use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("record::folders_are_numbered", folders_are_numbered),
        trial("record::run_yaml_is_read_again", run_yaml_is_read_again),
        trial("record::run_yaml_reads_alike_elsewhere", run_yaml_reads_alike_elsewhere),
        trial("record::event_lines", event_lines),
        trial("record::metrics_grow_by_lines", metrics_grow_by_lines),
        trial("record::metrics_of_a_long_run_are_bounded", metrics_are_bounded),
        trial("record::a_folder_is_one_runs", a_folder_is_one_runs),
        trial("record::a_continued_run_keeps_what_counts", a_continued_run_keeps_what_counts),
    ]
}

fn folders_are_numbered() {
    let runs = tempfile::tempdir().expect("a folder");
    let runs = runs.path().join("runs");
    let next = |train: &str| {
        let folder = new_folder(&runs, Path::new("models/iris.mlx"), train).expect("a folder");
        folder.strip_prefix(&runs).expect("under runs").display().to_string()
    };
    assert_eq!(
        (next("fit"), next("fit"), next("train")),
        ("iris-fit-1".into(), "iris-fit-2".into(), "iris-train-1".into())
    );
    assert_eq!(next("a/b ..\\é"), "iris-a_b_.._é-1");
    std::fs::write(runs.join("file"), "").expect("written");
    assert!(new_folder(&runs.join("file"), Path::new("a.mlx"), "train").is_err());
}

fn run() -> Record {
    let hyperparameters = [("width", json!(64)), ("η", json!(0.1)), ("name", json!("on")), ("sizes", json!([1, 2]))];
    Record {
        file: "models/iris.mlx".into(),
        train: "train".into(),
        source: checksum(b"text"),
        hyperparameters: hyperparameters.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
        seed: 7,
        device: "cpu".into(),
        versions: [("mlx".to_string(), "0.1.0".to_string())].into(),
        data: vec![DataFile { path: "data/iris.csv".into(), sha256: checksum(b"") }],
        parameters: 83,
        peak_memory: 4096,
        wall_seconds: 1.5,
        steps: 200,
        metrics: [("test".to_string(), [("loss".to_string(), Figure::One(0.1 + 0.2))].into())].into(),
        per_batch: vec![],
        reason: "done".into(),
    }
}

fn run_yaml_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &run()).expect("written");
    assert_eq!(read(folder.path()).expect("read"), run());
    let text = std::fs::read_to_string(folder.path().join("run.yaml")).expect("a text");
    assert!(text.contains("seed: 7\n") && text.contains("  η: 0.1\n") && text.contains("  name: 'on'\n"), "{text}");
    assert_eq!(checksum(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    std::fs::write(folder.path().join("run.yaml"), "seed: [").expect("written");
    assert!(read(folder.path()).expect_err("a failure").message.starts_with("cannot read `"));
}

fn run_yaml_reads_alike_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = |run: &Record| {
        write(folder.path(), run).expect("written");
        std::fs::read_to_string(folder.path().join("run.yaml")).expect("a text")
    };
    let mut run = run();
    let values =
        [("a", json!(1e-5)), ("b", json!(1e20)), ("c", json!(2.5e-7)), ("d", json!("1e5")), ("e", json!([1e-9]))];
    run.hyperparameters = values.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    let expected = "hyperparameters:\n  a: 0.00001\n  b: 1.0e+20\n  c: 2.5e-7\n  d: '1e5'\n  e:\n  - 1.0e-9\n";
    assert!(text(&run).contains(expected), "{}", text(&run));
    assert_eq!(read(folder.path()).expect("read"), run);
    run.hyperparameters.insert("d".to_string(), json!("lines\na: on\nb: 1e5\n"));
    text(&run);
    assert_eq!(read(folder.path()).expect("read"), run);
}

fn event_lines() {
    let start =
        Event::Start { parameters: 83, arena_bytes: 4096, memory: "4.0 KiB".into(), steps: 200, device: "cpu".into() };
    assert_eq!(start.line(), r#"{"event":"start","parameters":83,"arena_bytes":4096,"steps":200,"device":"cpu"}"#);
    let terms = vec![("critic".to_string(), 0.5), ("loss".to_string(), 9.0)];
    let step = Event::Step { step: 1, epoch: 0, loss: 0.1 + 0.2, lr: 0.1, terms };
    let expected = r#"{"event":"step","step":1,"epoch":0,"loss":0.30000000000000004,"lr":0.1,"critic":0.5}"#;
    assert_eq!(step.line(), expected);
    let report = |name: &str, figure: Figure, classes: &[&str]| Reported {
        name: name.to_string(),
        figure,
        classes: classes.iter().map(ToString::to_string).collect(),
    };
    let reports = vec![
        report("accuracy", Figure::One(1.0), &[]),
        report("r2", Figure::One(f64::NAN), &[]),
        report("confusion", Figure::of(&[2, 2], &[3.0, 0.0, 1.0, f64::NAN]), &["no", "yes"]),
        report("class_f1", Figure::of(&[2], &[0.5, 1.0]), &["no", "yes"]),
        report("of_kinds", Figure::of(&[1], &[0.5]), &["a"]),
    ];
    let eval = Event::Eval { step: 1, split: "valid".into(), loss: Some(0.25), reports, per_batch: vec![] };
    let expected = r#"{"event":"eval","step":1,"split":"valid","loss":0.25,"accuracy":1.0,"r2":null,"#.to_string()
        + r#""confusion":[[3.0,0.0],[1.0,null]],"class_f1":[0.5,1.0],"of_kinds":[0.5],"classes":["no","yes"],"#
        + r#""of_kinds.classes":["a"]}"#;
    assert_eq!(eval.line(), expected);
    let end = Event::End { step: 200, reason: Reason::Interrupted, seconds: 1.5, peak_rss_bytes: 10 };
    let expected = r#"{"event":"end","step":200,"reason":"interrupted","seconds":1.5,"peak_rss_bytes":10}"#;
    assert_eq!(end.line(), expected);
}

fn metrics_grow_by_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let event = Event::End { step: 2, reason: Reason::Done, seconds: 0.5, peak_rss_bytes: 1 };
    // A run in the folder of another starts its own.
    for _ in 0..2 {
        let mut metrics = Metrics::open(folder.path()).expect("a file");
        (0..2).for_each(|_| metrics.add(&event).expect("written"));
    }
    let text = std::fs::read_to_string(folder.path().join("metrics.jsonl")).expect("a text");
    assert_eq!(text, format!("{0}\n{0}\n", event.line()));
}

/// Step lines are spread evenly over a run, the first and the last among them; evaluations are all there.
fn metrics_are_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    for (steps, taken) in [(9_999, 9_999), (10_000, 10_000), (10_001, 10_001), (1_234_567, 1_234_567), (80_000, 12_345)]
    {
        let mut metrics = Metrics::open(folder.path()).expect("a file");
        let mut add = |event: Event| metrics.add(&event).expect("written");
        add(Event::Start { parameters: 1, arena_bytes: 1, memory: String::new(), steps, device: "cpu".into() });
        let mut evals = 0;
        for step in 1..=taken {
            add(Event::Step { step, epoch: 1, loss: 1.0, lr: 0.1, terms: vec![] });
            if step % 1_001 == 0 {
                add(Event::Eval { step, split: "valid".into(), loss: Some(1.0), reports: vec![], per_batch: vec![] });
                evals += 1;
            }
        }
        metrics.end_steps().expect("written");
        let mut add = |event: Event| metrics.add(&event).expect("written");
        add(Event::Eval { step: taken, split: "test".into(), loss: Some(1.0), reports: vec![], per_batch: vec![] });
        add(Event::End { step: taken, reason: Reason::Done, seconds: 1.0, peak_rss_bytes: 1 });
        let text = std::fs::read_to_string(folder.path().join("metrics.jsonl")).expect("a text");
        let events: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let of = |kind: &str| -> Vec<u64> {
            events.iter().filter(|event| event["event"] == kind).filter_map(|event| event["step"].as_u64()).collect()
        };
        let kept = of("step");
        assert_eq!(of("eval").len(), evals + 1);
        assert!(kept.len() <= 10_002 && kept[0] == 1 && kept.last() == Some(&taken), "{}", kept.len());
        let apart = steps.div_ceil(10_000);
        assert!(kept.len() as u64 >= taken / apart, "{}", kept.len());
        assert!(kept.windows(2).all(|two| two[1] > two[0] && two[1] - two[0] <= apart), "evenly");
        let last = events.iter().rposition(|event| event["event"] == "step");
        assert_eq!(last, Some(events.len() - 3), "the last step stands before the last evaluation");
    }
}

fn a_folder_is_one_runs() {
    let above = tempfile::tempdir().expect("a folder");
    let path = above.path().join("a/run");
    let first = take(&path, false).expect("a folder");
    for overwrite in [false, true] {
        assert_eq!(take(&path, overwrite).err().expect("refused").code, "E0335");
    }
    drop(first);
    assert_eq!(std::fs::read_dir(&path).expect("a folder").count(), 0, "nothing is left");
    // Other files are no run, nor is what is empty.
    std::fs::write(path.join("notes.txt"), "x").expect("written");
    std::fs::write(path.join("metrics.jsonl"), "").expect("written");
    drop(take(&path, false).expect("a folder"));
    for held in ["run.yaml", "metrics.jsonl", "last.safetensors", "best.safetensors", "checkpoint/a"] {
        let file = path.join(held);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("created");
        std::fs::write(&file, "x").expect("written");
        let wrong = take(&path, false).err().expect("refused");
        let name = held.split('/').next().expect("a name");
        assert!(wrong.code == "E0334" && wrong.message.ends_with(&format!("holds a run: `{name}`")), "{wrong:?}");
        drop(take(&path, true).expect("a folder"));
        assert_eq!(file.exists(), held != "run.yaml", "what was run is no longer there; its weights are");
        let _ = std::fs::remove_file(file);
    }
    // A run that was killed has left its file, which nobody holds.
    std::fs::remove_dir(path.join("checkpoint")).expect("removed");
    std::fs::write(path.join(".lock"), "").expect("written");
    drop(take(&path, false).expect("a folder"));
}

fn a_continued_run_keeps_what_counts() {
    let step = |step| Event::Step { step, epoch: 1, loss: 1.0, lr: 0.1, terms: vec![] }.line() + "\n";
    let start = Event::Start { parameters: 1, arena_bytes: 1, memory: String::new(), steps: 9, device: "cpu".into() }
        .line()
        + "\n";
    let end = Event::End { step: 2, reason: Reason::Interrupted, seconds: 0.5, peak_rss_bytes: 1 }.line() + "\n";
    let text = [&start, &step(1), &step(2), &step(3), &*end, "{\"event\":\"st"].concat();
    assert_eq!(kept(&text, 2), [start, step(1), step(2)].concat());
}
