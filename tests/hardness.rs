//! Whatever is broken is told in one clear diagnostic, with the right status, soon and in little memory; and a disk may be
//! full after any byte.

use crate::binary::{events, mlx};
use crate::trial;
use libtest_mimic::Trial;
use mlx::compile;
use mlx::io;
use mlx::run::dataset::Files;
use mlx::run::events::Event;
use mlx::run::schedule::Schedule;
use mlx::source::Sources;
use mlx::train::begin::Begin;
use mlx::train::driver::{Failure, Outcome, SAVE_EVERY, Training, train};
use mlx::train::record;
use mlx::train::saving::Saved;
use mlx::train::weights::{Tensor, Weights, from_bytes, to_bytes};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("hardness::what_is_not_broken_trains", what_is_not_broken_trains),
        trial("hardness::a_disk_that_is_full_after_any_byte", a_disk_that_is_full_after_any_byte),
        trial("hardness::an_old_run_stays_whole", an_old_run_stays_whole),
        trial("hardness::weights_are_left_in_time", weights_are_left_in_time),
        trial("hardness::a_folder_that_is_deleted_costs_no_weights", a_folder_that_is_deleted),
        trial("hardness::what_a_terminal_obeys_is_not_drawn", what_a_terminal_obeys_is_not_drawn),
    ];
    if cfg!(target_os = "linux") {
        trials.push(trial("hardness::metrics_on_a_full_disk_cost_no_weights", metrics_on_a_full_disk));
    }
    for broken in broken() {
        trials.push(Trial::test(format!("hardness::broken::{}", broken.name), move || {
            one_clear_diagnostic(&broken);
            Ok(())
        }));
    }
    trials
}

const PROGRAM: &str = "let η = 0.1
let deep = true
data d = csv(\"d.csv\") {
    x = [a, b]
    y = c
    k = category(kind)
    split = holdout(train = 50%, test = 50%, seed = 1)
}
model Net(x: [n, d]) -> [n] {
    param w: [d] = 0
    out x @ w
}
train {
    data = d
    model = Net
    minimize mse(model(x), y) using sgd(lr = η)
    steps = 4
}
";

const TABLE: &str = "a,b,c,kind\n1,0,1,red\n0,1,2,blue\n1,1,3,red\n0,0,0,blue\n";

/// Something broken: what a program, its table and the command line are instead, and what must be told.
#[derive(Clone, Default)]
struct Broken {
    name: &'static str,
    /// Parts of the program, and what stands there.
    instead: Vec<(&'static str, &'static str)>,
    table: Option<Vec<u8>>,
    /// The bytes of the whole program.
    program: Option<Vec<u8>>,
    /// `w.safetensors`
    weights: Option<Vec<u8>>,
    arguments: &'static str,
    status: i32,
    /// A code, or `error:` where there is no text to point at; then what else must be there.
    told: Vec<&'static str>,
}

/// A program with another part.
fn program(name: &'static str, from: &'static str, to: &'static str, told: &[&'static str]) -> Broken {
    Broken { instead: vec![(from, to)], ..file(name, told) }
}

/// A file that `mlx train` finds wrong.
fn file(name: &'static str, told: &[&'static str]) -> Broken {
    Broken { name, arguments: "train net.mlx", status: 1, told: told.to_vec(), ..Broken::default() }
}

fn table(name: &'static str, bytes: &[u8], told: &[&'static str]) -> Broken {
    Broken { table: Some(bytes.to_vec()), ..file(name, told) }
}

fn command(name: &'static str, arguments: &'static str, status: i32, told: &[&'static str]) -> Broken {
    Broken { arguments, status, ..file(name, told) }
}

/// A run that fails by itself.
fn run(name: &'static str, from: &'static str, to: &'static str, told: &[&'static str]) -> Broken {
    Broken { status: 3, ..program(name, from, to, told) }
}

fn weights(name: &'static str, bytes: &[u8], told: &[&'static str]) -> Broken {
    let arguments = "train net.mlx --init w.safetensors";
    Broken { weights: Some(bytes.to_vec()), arguments, ..file(name, told) }
}

fn tensors(all: &[(&str, &[usize])]) -> Vec<u8> {
    let tensor = |shape: &[usize]| Tensor { values: vec![0.0; shape.iter().product()], shape: shape.to_vec() };
    let tensors: BTreeMap<String, Tensor> = all.iter().map(|(path, shape)| (path.to_string(), tensor(shape))).collect();
    to_bytes(&Weights { tensors, meta: serde_json::Value::Null }).expect("bytes")
}

/// Bytes of no meaning, always the same.
fn garbage(count: u32) -> Vec<u8> {
    (0..count).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn broken() -> Vec<Broken> {
    let good = tensors(&[("w", &[2])]);
    let net = "param w: [d] = 0\n    out x @ w";
    let loss = "mse(model(x), y)";
    vec![
        // Files.
        command("no_such_file", "train no.mlx", 1, &["E0331", "cannot read `no.mlx`: it does not exist"]),
        command("a_folder", "train .", 1, &["E0331", "it is a folder"]),
        Broken { program: Some(vec![]), ..file("an_empty_file", &["error:", "`net.mlx` has no `train` block"]) },
        Broken { program: Some(garbage(3_000)), ..file("a_binary_file", &["E0106", "not UTF-8"]) },
        Broken { program: Some(b"let a = 1\0".to_vec()), ..file("a_nul_byte", &["E0104", "net.mlx:1:10"]) },
        // Names.
        program(
            "an_unknown_item",
            "data = d",
            "data = dd",
            &["E0201", "net.mlx:14:12", "cannot find `dd` in this scope"],
        ),
        program("an_unknown_setting", "steps = 4", "stepps = 4", &["E0212", "net.mlx:17:5", "did you mean `steps`"]),
        program("an_unknown_setting_of_an_optimizer", "lr = η", "rate = η", &["E0212", "net.mlx:16:41", "it has `lr`"]),
        program("an_unknown_column", "[a, b]", "[a, bb]", &["E0220", "net.mlx:4:13", "its columns are a, b, c, kind"]),
        command("an_unknown_set", "train net.mlx --set q=1", 2, &["error:", "cannot find `let q` in the file"]),
        command(
            "a_set_of_another_type",
            "train net.mlx --set η=fast",
            2,
            &["error:", "expected a number, as `η` is in the file"],
        ),
        command("a_set_that_is_no_truth", "train net.mlx --set deep=2", 2, &["error:", "`deep`"]),
        command("a_set_without_a_value", "train net.mlx --set η", 2, &["error:", "is not `name=value`"]),
        command("an_unknown_training", "train net.mlx fine", 2, &["error:", "there are: train"]),
        command("an_unknown_flag", "train net.mlx --sed 1", 2, &["error:", "--seed"]),
        command("a_colour_that_is_none", "check net.mlx --color red", 2, &["error:", "auto, always, never"]),
        // Shapes.
        program("an_inner_size", "w: [d]", "w: [3]", &["E0203", "net.mlx:11:11", "2 parts are", "3 is written here"]),
        program("a_rank", "x: [n, d]", "x: [n, d, e]", &["E0205", "expected by this type", "this is [n, 2]"]),
        program("an_outer_size", "out x @ w", "out x @ [[1, 2], [3, 4]] @ w + [1, 2, 3]", &["E0203", "3 parts", "[n]"]),
        program("a_declared_result", "-> [n]", "-> [n, 2]", &["E0210", "net.mlx:11:9", "expected by this type"]),
        Broken {
            instead: vec![("-> [n] {", "{"), (net, "out x |> dense(1)")],
            ..file("a_loss_against_the_output", &["E0205", "net.mlx:15:28", "..s is [n, 1], found [n]"])
        },
        Broken {
            instead: vec![("-> [n] {", "{"), (net, "out x |> dense(3)"), (loss, "cross_entropy(model(x), k)")],
            ..file("classes_against_the_head", &["E0203", "3 is given here", "2 classes are in the training rows"])
        },
        Broken {
            instead: vec![(net, "param w: [d, 1_000_000_000, 500_000_000] = 0\n    out mean(w) * (x @ [1, 1])")],
            ..file("a_parameter_of_10_to_the_18", &["E0226", "does not fit into", "`w` is [2, "])
        },
        // Tables.
        program("no_such_table", "d.csv", "no.csv", &["E0331", "net.mlx:3:14", "cannot read `no.csv`"]),
        program("a_table_that_is_a_folder", "d.csv", ".", &["E0331", "net.mlx:3:14", "it is a folder"]),
        table("a_ragged_row", b"a,b,c,kind\n1,0,1,red\n0,1,2\n", &["E0305", "d.csv:3:1", "3 cells here", "Help"]),
        table("a_long_row", b"a,b,c,kind\n1,0,1,red,1\n", &["E0305", "d.csv:2:1", "5 cells here", "in quotes"]),
        table(
            "a_word_among_numbers",
            b"a,b,c,kind\n1,0,1,red\n0,1,2,blue\nfour,1,3,red\n0,0,0,blue\n2,2,2,red\n",
            &["E0307", "d.csv:4:1", "not a number", "Help"],
        ),
        table("nothing", b"", &["E0302", "`d.csv` is empty"]),
        table("only_a_header", b"a,b,c,kind\n", &["E0303", "nothing follows this line"]),
        table("inf", b"a,b,c,kind\n1,1,1,red\n0,-inf,2,red\n", &["E0308", "d.csv:3:3", "Help"]),
        table("nan", b"a,b,c,kind\n1,nan,1,red\n0,1,2,red\n", &["E0306", "d.csv:2:3", "impute(b)"]),
        table("a_missing_cell", b"a,b,c,kind\n1,,1,red\n0,1,2,red\n", &["E0306", "d.csv:2:3", "Help"]),
        table("binary_garbage", &garbage(100_000), &["E0301", "is not a text file"]),
        table("a_line_without_end", &vec![b'x'; 1 << 20], &["E0303", "d.csv:1:1"]),
        table(
            "a_class_only_in_test_rows",
            b"a,b,c,kind\n1,0,1,red\n0,1,2,blue\n1,1,3,green\n0,0,0,white\n",
            &["E0311", "is in no training row", "stratify the split"],
        ),
        // Splits and batches.
        program("shares_that_make_90", "test = 50%", "test = 40%", &["E0312", "net.mlx:7:13", "make 90% instead of 1"]),
        program("a_share_above_1", "train = 50%", "train = 150%", &["E0312", "net.mlx:7:29", "between 0 and 1"]),
        program("an_empty_split", "test = 50%", "valid = 45%, test = 5%", &["E0313", "no row is left for it"]),
        program("a_batch_of_0", "steps", "batch = 0\n    steps", &["E0213", "net.mlx:17:13", "expected at least 1"]),
        program(
            "a_batch_above_the_data",
            "steps",
            "batch = 3\n    steps",
            &["E0213", "net.mlx:17:13", "2 are for training"],
        ),
        program("a_batch_of_a_half", "steps", "batch = 1.5\n    steps", &["E0213", "net.mlx:17:13", "a whole number"]),
        // Weights.
        command("no_such_weights", "train net.mlx --init no.safetensors", 1, &["E0331", "it does not exist"]),
        weights("junk_weights", &garbage(500), &["E0321", "not a whole weight file", "Help"]),
        weights("no_weights_at_all", b"", &["E0321", "it has 0 bytes"]),
        weights("weights_cut_in_their_data", &good[..good.len() - 3], &["E0321", "8 bytes and 5 are there"]),
        weights("weights_cut_in_their_header", &good[..20], &["E0321", "and 12 are there"]),
        weights("a_header_of_2_to_the_62", &[&(1u64 << 62).to_le_bytes()[..], b"{}"].concat(), &["E0321"]),
        weights(
            "weights_of_other_shapes",
            &tensors(&[("v", &[1]), ("u", &[2, 2])]),
            &["E0323", "missing: `w` [2]", "surplus: `u` [2, 2]", "surplus: `v` [1]", "Help"],
        ),
        weights("weights_of_another_shape", &tensors(&[("w", &[3])]), &["E0323", "`w` is [3] in the file, [2] in"]),
        Broken {
            weights: Some(garbage(500)),
            ..command("junk_weights_evaluated", "eval net.mlx --weights w.safetensors", 1, &["E0321"])
        },
        // Runs. That the weights are there is said on standard output, so these are looked at below as well.
        run(
            "a_loss_that_is_no_number",
            loss,
            "mean(sqrt(model(x) - 1))",
            &["E0401", "the loss of step 1 is NaN", "net.mlx:16:14", "`sqrt` gives a number that is not finite"],
        ),
        run("a_loss_that_grows", "lr = η", "lr = 1e30", &["E0401", "the loss of step 2 is inf", "this gives"]),
        run(
            "a_slope_that_is_not_finite",
            loss,
            "mean(sqrt(model(x)))",
            &["E0401", "the gradient of `w` in step 1", "the slope of this is not finite"],
        ),
        run(
            "a_place_outside_of_its_axis",
            loss,
            "mean(model(x)) + mean(r: x[r, floor(5 * y[r]) + 2])",
            &["E0276", "is outside of an axis of 2", "net.mlx:16:39", "what is read here"],
        ),
        run(
            "ints_that_overflow",
            loss,
            "mean(model(x)) + sum(floor(0 * y + 2e9))",
            &["E0276", "a sum of ints does not fit 32 bits", "net.mlx:16:31", "this sum", "sum floats"],
        ),
        run(
            "a_matrix_that_is_not_definite",
            loss,
            "mean(model(x)) + log_det([[1, 2], [2, 1]] + 0 * mean(y))",
            &["E0276", "positive definite", "net.mlx:16:14", "in this", "positive_definite.mlx", "of this matrix"],
        ),
        command("a_folder_that_is_a_file", "train net.mlx --out d.csv", 3, &["E0332", "is no folder"]),
        command("a_folder_below_a_file", "train net.mlx --out d.csv/run", 3, &["E0332", "is no folder"]),
        command("a_folder_of_the_system", "train net.mlx --out /proc/run", 3, &["E0332", "cannot create"]),
    ]
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("net.mlx"), PROGRAM).expect("written");
    fs::write(folder.path().join("d.csv"), TABLE).expect("written");
    folder
}

/// Runs the binary in 8 GB of addresses and for a few seconds.
fn bounded(folder: &Path, arguments: &str) -> Output {
    let words: Vec<&str> = arguments.split(' ').collect();
    let began = Instant::now();
    let output = if cfg!(target_os = "linux") {
        let script = "ulimit -v 8000000; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_mlx")]).args(words).current_dir(folder);
        command.output().expect("a shell")
    } else {
        mlx(folder, &words)
    };
    assert!(began.elapsed() < Duration::from_secs(10), "{arguments}: {:?}", began.elapsed());
    output
}

fn what_is_not_broken_trains() {
    let output = bounded(folder().path(), "train net.mlx");
    assert!(output.status.success(), "{output:?}");
}

fn one_clear_diagnostic(broken: &Broken) {
    let folder = folder();
    let write = |name: &str, bytes: &Option<Vec<u8>>| {
        bytes.iter().for_each(|bytes| fs::write(folder.path().join(name), bytes).expect("written"));
    };
    let mut text = PROGRAM.to_string();
    for (from, to) in &broken.instead {
        assert!(text.contains(from), "{from} is not in the program");
        text = text.replacen(from, to, 1);
    }
    write("net.mlx", &broken.program.clone().or(Some(text.into_bytes())));
    write("d.csv", &broken.table);
    write("w.safetensors", &broken.weights);
    let output = bounded(folder.path(), broken.arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(broken.status), "{told}");
    let heads: Vec<&str> = told.lines().filter(|line| line.starts_with("[E") || line.starts_with("error:")).collect();
    assert_eq!(heads.len(), 1, "one diagnostic, and nothing else:\n{told}");
    assert!(heads[0].contains(broken.told[0]), "{} is not what is told:\n{told}", broken.told[0]);
    for part in &broken.told[1..] {
        assert!(told.contains(part), "{part:?} is not told:\n{told}");
    }
    assert!(!told.contains("panicked") && told.len() < 4_000, "{told}");
    if heads[0].contains("E0401") || heads[0].contains("E0276") {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with("weights: ") && said.lines().count() == 1, "{said}");
        let run = folder.path().join("runs/net-train-1");
        assert_eq!(record::read(&run).expect("a record").reason, "failed");
        from_bytes("last", &fs::read(run.join("last.safetensors")).expect("weights"), None).expect("whole weights");
    } else {
        assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
        assert!(!folder.path().join("runs").exists(), "a run that did not begin leaves no folder");
    }
}

/// Trains `net.mlx` of a folder in this process, on one thread.
fn trained(folder: &Path, out: &Path) -> Result<Outcome, Failure> {
    watched(folder, out, SAVE_EVERY, &mut |_| {})
}

/// The same with other times between its weights, and with what is done at each event.
fn watched(folder: &Path, out: &Path, save_every: Duration, tell: &mut dyn FnMut(&Event)) -> Result<Outcome, Failure> {
    let file = folder.join("net.mlx");
    let mut sources = Sources::default();
    let mut files = Files::beside(&file);
    let source = sources.add("net.mlx", fs::read_to_string(&file).expect("a program"));
    let checked = compile::check(&mut sources, source, &mut files, &[]).expect("no settings");
    let program = &checked.programs[0];
    let lowered = compile::lower(program).expect("a graph");
    let data = files.open(&program.data).expect("data");
    let schedule = Schedule { threads: 1, ..Schedule::of(program, program.run.length) };
    let (lowered, data, source) = (&lowered, &data, "");
    train(
        &Training {
            program,
            lowered,
            data,
            schedule,
            start: None,
            begin: &Begin::default(),
            file: &file,
            source,
            out: Some(out),
            overwrite: true,
            save_every,
        },
        || false,
        tell,
    )
}

/// What a run that ended with a full disk left: nothing half under its final name but the last line of the metrics.
fn assert_whole(out: &Path) {
    let entries = fs::read_dir(out).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    for name in entries.map(|name| name.to_string_lossy().into_owned()) {
        let bytes = fs::read(out.join(&name)).expect("readable");
        match name.as_str() {
            "last.safetensors" | "best.safetensors" => drop(from_bytes(&name, &bytes, None).expect("whole weights")),
            "run.yaml" => drop(record::read(out).expect("a whole record")),
            "metrics.jsonl" => {
                let text = String::from_utf8(bytes).expect("text");
                let whole = text.rfind('\n').map_or("", |end| &text[..end]);
                for line in whole.lines() {
                    serde_json::from_str::<serde_json::Value>(line).expect("a whole line");
                }
            }
            other => panic!("{other} is left over"),
        }
    }
}

/// Between the rooms that a disk is given: each run is synced several times. It is prime, so that no end is always missed.
const ROOMS_APART: usize = 7;

/// Trains with room for 0, 7, 14, … bytes until all fit; what each left is held against `check`.
fn fill(folder: &Path, out: impl Fn(usize) -> std::path::PathBuf, check: impl Fn(&Path, bool)) -> usize {
    for room in (0..).step_by(ROOMS_APART) {
        let out = out(room);
        let ended = io::with_room(room, || trained(folder, &out));
        let failure = ended.map_or_else(Some, |outcome| outcome.failure);
        match &failure {
            None => {}
            Some(Failure::Diagnostic(wrong)) => {
                assert!(wrong.code == "E0332" && wrong.message.contains("disk is full"), "{wrong:?}")
            }
            Some(Failure::Refused(wrong)) => panic!("{wrong:?}"),
            Some(Failure::Message(words)) => panic!("{words}"),
        }
        assert_whole(&out);
        check(&out, failure.is_none());
        if failure.is_none() {
            return room;
        }
    }
    0
}

fn a_disk_that_is_full_after_any_byte() {
    let folder = folder();
    let most = fill(
        folder.path(),
        |room| folder.path().join(format!("run-{room}")),
        |out, done| {
            if done {
                let files = fs::read_dir(out).expect("a folder").count();
                assert_eq!(files, 4, "weights twice, metrics and a record");
            }
        },
    );
    assert!(most > 1_000, "{most}");
}

/// In the folder of a run that is done: its weights stay until they are replaced whole.
fn an_old_run_stays_whole() {
    let folder = folder();
    let out = folder.path().join("run");
    trained(folder.path(), &out).ok().expect("a run");
    let old = fs::read(out.join("last.safetensors")).expect("weights");
    fs::write(folder.path().join("net.mlx"), PROGRAM.replace("η = 0.1", "η = 0.2").replace("steps = 4", "steps = 1"))
        .expect("written");
    trained(folder.path(), &folder.path().join("other")).ok().expect("a run");
    let new = fs::read(folder.path().join("other/last.safetensors")).expect("weights");
    assert_ne!(old, new);
    fill(
        folder.path(),
        |_| {
            fs::write(out.join("last.safetensors"), &old).expect("written");
            fs::write(out.join("metrics.jsonl"), "").expect("written");
            out.clone()
        },
        |out, done| {
            let last = fs::read(out.join("last.safetensors")).expect("weights");
            assert!(last == new || (last == old && !done));
        },
    );
}

/// While a run goes on its weights are those of a step before; a disk that is full then costs none of them.
fn weights_are_left_in_time() {
    let folder = folder();
    let out = folder.path().join("run");
    let steps_of = |out: &Path| {
        let bytes = fs::read(out.join("last.safetensors")).ok()?;
        from_bytes("last", &bytes, None).expect("whole weights").meta["steps"].as_u64()
    };
    let mut seen = Vec::new();
    let mut tell = |event: &Event| {
        if let Event::Step { step, .. } = event {
            seen.push((*step, steps_of(&out)));
        }
    };
    watched(folder.path(), &out, Duration::ZERO, &mut tell).ok().expect("a run");
    assert_eq!(seen, [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(3))]);
    let mut none = |event: &Event| {
        if let Event::Step { .. } = event {
            assert!(!folder.path().join("other/last.safetensors").exists());
        }
    };
    watched(folder.path(), &folder.path().join("other"), SAVE_EVERY, &mut none).ok().expect("a run");
    let mut fullest = 0;
    for room in (0..4_000).step_by(5 * ROOMS_APART) {
        let out = folder.path().join(format!("full-{room}"));
        let _ = io::with_room(room, || watched(folder.path(), &out, Duration::ZERO, &mut |_| {}));
        assert_whole(&out);
        fullest = fullest.max(steps_of(&out).unwrap_or(0));
    }
    assert!(fullest > 1, "{fullest}");
}

/// The weights of a run whose folder is gone are among the temporary files, and it says where.
fn a_folder_that_is_deleted() {
    let folder = folder();
    let out = folder.path().join("run");
    let mut tell = |event: &Event| {
        if let Event::Step { step: 2, .. } = event {
            fs::remove_dir_all(&out).expect("removed");
        }
    };
    let outcome = watched(folder.path(), &out, SAVE_EVERY, &mut tell).ok().expect("a run");
    let Saved::Elsewhere(path) = outcome.weights else { panic!("the weights are elsewhere") };
    assert!(path.starts_with(std::env::temp_dir()), "{path:?}");
    let weights = from_bytes("last", &fs::read(&path).expect("weights"), None).expect("whole weights");
    assert_eq!(weights.meta["steps"], 4);
    fs::remove_dir_all(path.parent().expect("a folder")).expect("removed");
    assert!(matches!(outcome.failure, Some(Failure::Diagnostic(wrong)) if wrong.code == "E0332"));
    assert!(!out.exists());
}

/// Where only the metrics cannot be written, the weights are.
fn metrics_on_a_full_disk() {
    let folder = folder();
    let run = folder.path().join("run");
    fs::create_dir(&run).expect("a folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink("/dev/full", run.join("metrics.jsonl")).expect("a link");
    let output = bounded(folder.path(), "train net.mlx --json --out run");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.matches("[E").count() == 1 && told.contains("E0332") && told.contains("the disk is full"), "{told}");
    assert_eq!(events(&output).last().expect("an end")["reason"], "failed");
    from_bytes("last", &fs::read(run.join("last.safetensors")).expect("weights"), None).expect("whole weights");
    assert_eq!(record::read(&run).expect("a record").reason, "failed");
}

/// A table may hold anything, and its text is shown: nothing in it moves the cursor or turns the text around.
fn what_a_terminal_obeys_is_not_drawn() {
    let folder = folder();
    let table = "a,b,c,kind\n1,\u{1b}[2J\u{7}\u{9b}1m\u{202e}nan,1,red\n1,2,3,\u{1b}]0;x\u{7}\n1,1,1,red\n1,1,1,blue\n1,1,1,x\n";
    fs::write(folder.path().join("d.csv"), table).expect("written");
    let output = mlx(folder.path(), &["check", "net.mlx"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("?[2J?¿1m\u{fffd}nan"), "{told}");
    assert!(!told.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{told:?}");
}
