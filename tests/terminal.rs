//! Training on a terminal, through a pipe, and with nobody there any more; and the signals that end a run.

use crate::binary::{events, mlx};
use crate::trial;
use libtest_mimic::Trial;
use mlx::train::weights;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    if cfg!(unix) {
        trials.extend([
            trial("terminal::the_bar_shows_how_far_it_is", the_bar_shows_how_far_it_is),
            trial("terminal::the_bar_fits_a_terminal_that_gets_narrow", the_bar_fits),
            trial("terminal::a_dumb_terminal_gets_lines", a_dumb_terminal_gets_lines),
            trial("terminal::a_pipe_gets_lines", a_pipe_gets_lines),
            trial("terminal::colours_are_asked_for", colours_are_asked_for),
            trial("terminal::a_terminal_that_is_gone_ends_the_run", a_terminal_that_is_gone_ends_the_run),
            trial("terminal::nohup_outlives_its_terminal", nohup_outlives_its_terminal),
            trial("terminal::nobody_reads", nobody_reads),
            trial("terminal::a_session_is_typed", a_session_is_typed),
            trial("terminal::one_long_operation_is_interrupted", one_long_operation_is_interrupted),
            trial("terminal::results_that_are_lost_are_a_failure", results_that_are_lost_are_a_failure),
            trial("terminal::a_second_interrupt_ends_at_once", a_second_interrupt_ends_at_once),
        ]);
        for signal in ["INT", "TERM", "HUP"] {
            for batch in ["", "batch = 8"] {
                let name = format!("terminal::what_is_reported_after::{signal}::{batch}");
                trials.push(Trial::test(name.trim_end_matches("::").to_string(), move || {
                    an_interrupted_run_is_what_it_reports(signal, batch);
                    Ok(())
                }));
            }
        }
    }
    trials
}

/// 37 rows, and a program that would train for hours.
fn folder(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = (0..37).map(|row| format!("{},{},{}\n", row % 5, (row * 7) % 11, row % 3));
    fs::write(folder.path().join("d.csv"), "a,b,c\n".to_string() + &rows.collect::<String>()).expect("written");
    let program = format!(
        "data d = csv(\"d.csv\") {{\n    x = [a, b] |> standardize\n    y = c\n    split = holdout(train = 60%, valid = 20%, test = 20%, seed = 1)\n}}\n\
         model Linear(x: [n, d]) -> [n] {{\n    param w: [d] = 0\n    param b: [] = 0\n    out x @ w + b\n}}\n\
         train {{\n    data = d\n    model = Linear\n    minimize mse(model(x), y) using sgd(lr = 1e-4)\n    \
         report 決定係数 = r2(model(x), y)\n    report 平均二乗誤差 = mse(model(x), y)\n    {settings}\n}}\n"
    );
    fs::write(folder.path().join("net.mlx"), program).expect("written");
    folder
}

const LONG: &str = "steps = 1_000_000_000";

/// Runs words through `sh` in a folder, with the binary as `$0`.
fn sh(folder: &Path, script: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_mlx")]).current_dir(folder);
    command.output().expect("a shell")
}

/// Trains on a terminal; what it shows, and the status.
fn on_terminal(folder: &Path, how: &str, columns: u32, term: &str, program: &[&str]) -> (String, i32) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/terminal.py");
    let mut command = Command::new("python3");
    command.args([script, how, &columns.to_string()]).args(program).env("TERM", term).env_remove("NO_COLOR");
    let output = command.current_dir(folder).output().expect("python3");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let (shown, status) = shown.rsplit_once("\nstatus ").unwrap_or_else(|| panic!("{output:?}"));
    assert!(!shown.contains("panicked"), "{shown}");
    (shown.to_string(), status.trim().parse().expect("a status"))
}

const TRAIN: [&str; 6] = [env!("CARGO_BIN_EXE_mlx"), "train", "net.mlx", "--out", "run", "--overwrite"];

/// What was drawn one after the other, without the signs that move the cursor.
fn drawings(shown: &str) -> Vec<String> {
    shown.replace("\u{1b}[2K", "").split(['\r', '\n']).map(str::to_string).collect()
}

fn assert_weights(folder: &Path) {
    let bytes = fs::read(folder.join("run/last.safetensors")).expect("weights");
    weights::from_bytes("last", &bytes, None).expect("whole weights");
}

fn the_bar_shows_how_far_it_is() {
    let folder = folder("batch = 8\n    steps = 1_000_000_000");
    let (shown, status) = on_terminal(folder.path(), "stop", 150, "xterm", &TRAIN);
    assert_eq!(status, 130, "{shown}");
    let bars: Vec<String> = drawings(&shown).into_iter().filter(|line| line.starts_with(['━', '─'])).collect();
    let last = bars.last().expect("a bar");
    for part in ["/1000000000  loss ", "  epoch ", "/333333334  ", " left  ", " steps/s", "valid loss ", "決定係数 "]
    {
        assert!(last.contains(part), "{part:?} is not in {last:?}");
    }
    let step = last.split_once('/').and_then(|(before, _)| before.split(' ').next_back()?.parse::<usize>().ok());
    assert!(step.is_some_and(|step| bars.len() * 5 < step), "drawn {} times: {last}", bars.len());
    // What stays is the table.
    let (_, table) = shown.rsplit_once("\u{1b}[2K").expect("the bar is cleared");
    let heads: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(heads, ["train", "valid", "test"], "{table}");
}

/// Types lines into a session; what it shows.
fn typed(folder: &Path, keys: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/terminal.py");
    let mut command = Command::new("python3");
    command.args([script, "type", "80", env!("CARGO_BIN_EXE_mlx"), "repl"]).current_dir(folder);
    command.env("TERM", "xterm").env("XDG_STATE_HOME", folder.join("state"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    child.stdin.take().expect("a pipe").write_all(keys.as_bytes()).expect("written");
    String::from_utf8_lossy(&child.wait_with_output().expect("it ends").stdout).into_owned()
}

/// Ctrl-C within a product that takes half a minute, and within a sum: what was entered and trained is kept.
fn one_long_operation_is_interrupted() {
    let folder = folder("steps = 3");
    let keys = r":load net.mlx\r
:train\r
let a[i: 4000, j: 4000] = i * j\r
sum(a @ a)\r
\x03
let long[i: 30_000, j: 30_000] = i + j\r
sum(long)\r
\x03
step + 100\r
count(a) + 206\r
\x04
";
    let start = Instant::now();
    let shown = typed(folder.path(), keys);
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let count = |line: &str| lines.iter().filter(|shown| shown.ends_with(line)).count();
    assert_eq!((count("error: interrupted"), count("103"), count("16000206")), (2, 1, 1), "{shown}");
    assert!(shown.ends_with("status 0\n"), "{shown}");
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
}

/// Completion, an entry over two lines, Ctrl-C at the prompt and in a training, history.
fn a_session_is_typed() {
    let folder = folder(LONG);
    let keys = r"sigm\t(0)\r
mean([1,\r2])\r
not an entry\x03
:lo\tnet\t\r
:train\r
\x03
step > 0\r
sigm\x12mean\r
\x04
";
    let shown = typed(folder.path(), keys);
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let count = |line: &str| lines.iter().filter(|shown| **shown == line).count();
    assert_eq!((count("0.5"), count("1.5"), count("true")), (1, 2, 1), "{shown}");
    assert!(shown.contains("the weights are kept") && shown.ends_with("status 0\n"), "{shown}");
    assert!(!shown.contains("rror"), "{shown}");
    let history = fs::read_to_string(folder.path().join("state/mlx/history")).expect("a history");
    assert!(history.contains("sigmoid(0)\n") && history.contains(":load net.mlx\n"), "{history}");
}

fn the_bar_fits() {
    let folder = folder(LONG);
    for columns in [100, 45] {
        let (shown, status) = on_terminal(folder.path(), "narrow", columns, "xterm", &TRAIN);
        assert_eq!(status, 130, "{shown}");
        let (_, narrow) = shown.split_once("===\n").expect("it got narrow");
        let (bars, _) = narrow.rsplit_once("\u{1b}[2K").expect("the bar is cleared");
        let bars: Vec<String> = drawings(bars).into_iter().filter(|line| !line.is_empty()).collect();
        assert!(bars.len() > 3, "{shown}");
        for bar in bars {
            assert!(bar.width() <= 40 && bar.contains("  loss ") && bar.contains("/1000000000"), "{bar:?}");
        }
    }
}

fn a_dumb_terminal_gets_lines() {
    let folder = folder("steps = 100");
    let (shown, status) = on_terminal(folder.path(), "whole", 80, "dumb", &TRAIN);
    assert_eq!(status, 0, "{shown}");
    assert!(!shown.contains('\u{1b}') && shown.contains("step 100/100  loss "), "{shown}");
}

fn a_pipe_gets_lines() {
    let folder = folder("steps = 100");
    let output = mlx(folder.path(), &["train", "net.mlx"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains(['\u{1b}', '\r']), "{said}");
    assert_eq!(said.lines().count(), 12, "the rows, the first step and ten more: {said}");
    let output = mlx(folder.path(), &["train", "net.mlx", "--quiet"]);
    assert!(output.stderr.is_empty() && !output.stdout.is_empty());
    let (shown, _) = on_terminal(folder.path(), "whole", 80, "xterm", &[&TRAIN[..], &["--json"]].concat());
    assert!(!shown.contains('\u{1b}') && shown.lines().all(|line| line.starts_with('{')), "{shown}");
}

fn colours_are_asked_for() {
    let folder = folder("stepps = 100");
    let coloured = |script: &str| {
        let output = sh(folder.path(), script);
        assert!(!output.status.success());
        output.stderr.contains(&0x1b)
    };
    assert!(!coloured("\"$0\" check net.mlx"));
    assert!(coloured("\"$0\" check net.mlx --color always"));
    assert!(coloured("NO_COLOR=1 \"$0\" --color=always check net.mlx"));
    assert!(coloured("\"$0\" --color always train"));
    assert!(!coloured("\"$0\" --color never train"));
    let check = |more: &[&str], term: &str| {
        let program = [&[env!("CARGO_BIN_EXE_mlx"), "check", "net.mlx"], more].concat();
        on_terminal(folder.path(), "whole", 80, term, &program).0.contains('\u{1b}')
    };
    assert!(check(&[], "xterm"));
    assert!(!check(&["--color", "never"], "xterm"));
    assert!(!check(&[], "dumb"));
}

fn a_terminal_that_is_gone_ends_the_run() {
    let folder = folder(LONG);
    let (_, status) = on_terminal(folder.path(), "close", 80, "xterm", &TRAIN);
    assert_eq!(status, 130);
    assert_weights(folder.path());
}

fn nohup_outlives_its_terminal() {
    let folder = folder("steps = 10_000");
    let program = [&["/bin/sh", "-c", "trap '' HUP; exec \"$0\" \"$@\""], &TRAIN[..]].concat();
    let (_, status) = on_terminal(folder.path(), "close", 80, "xterm", &program);
    assert_eq!(status, 0);
    assert_weights(folder.path());
    let metrics = fs::read_to_string(folder.path().join("run/metrics.jsonl")).expect("metrics");
    let last: Value = serde_json::from_str(metrics.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["step"], &last["reason"]), (&10_000.into(), &"done".into()));
}

fn nobody_reads() {
    let folder = folder("steps = 2_000");
    let train = "\"$0\" train net.mlx --out run";
    for rest in ["2>&-", ">&-", ">&- 2>&-", "2>&1 >/dev/null | head -1", "--json | head -1"] {
        let _ = fs::remove_dir_all(folder.path().join("run"));
        let output = sh(folder.path(), &format!("({train} {rest}; echo $? > status) 2> said"));
        let said = fs::read_to_string(folder.path().join("said")).expect("text");
        assert!(!said.contains("panicked"), "{rest}: {said}{output:?}");
        assert_eq!(fs::read_to_string(folder.path().join("status")).expect("a status").trim(), "0", "{rest}");
        let record = mlx::train::record::read(&folder.path().join("run")).expect("a record");
        assert_eq!((record.steps, record.reason.as_str()), (2_000, "done"), "{rest}");
        assert_weights(folder.path());
    }
}

/// `| head` is no failure; a full disk is.
fn results_that_are_lost_are_a_failure() {
    let folder = folder("steps = 3\n    predict z = model(x)");
    assert!(mlx(folder.path(), &TRAIN[1..]).status.success());
    let weights = "net.mlx --weights run/last.safetensors";
    let commands = [
        (format!("eval {weights}"), 0),
        (format!("predict {weights} --input d.csv"), 0),
        ("train net.mlx".to_string(), 0),
        ("summary net.mlx".to_string(), 0),
        ("bench net.mlx --steps 1 --json".to_string(), 0),
        ("check no.mlx --json".to_string(), 1),
        ("explain E0203".to_string(), 0),
        ("completions bash".to_string(), 0),
    ];
    for (command, status) in commands {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mlx"));
        let child = child.args(command.split(' ')).current_dir(folder.path());
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(status) && !told.contains("panicked"), "{command}: {told}");
        if cfg!(target_os = "linux") {
            let output = sh(folder.path(), &format!("\"$0\" {command} > /dev/full"));
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{command}: {told}");
            assert!(told.contains("[E0332] Error: cannot write `standard output`: the disk is full"), "{told}");
        }
    }
}

/// Starts a training, lets it take some steps and sends a signal; its events and its status.
fn interrupted(folder: &Path, signal: &str) -> Output {
    // Events go to a file, so that nothing waits for whoever reads them.
    let script = format!(
        "env --default-signal=HUP \"$0\" train net.mlx --json --out run > events & run=$!\n\
         until grep -q '\"step\":100,' events; do sleep 0.02; done\n\
         kill -{signal} $run; wait $run; status=$?; cat events; exit $status"
    );
    sh(folder, &script)
}

fn an_interrupted_run_is_what_it_reports(signal: &str, batch: &str) {
    let folder = folder(&format!("{LONG}\n    {batch}"));
    let output = interrupted(folder.path(), signal);
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let events = events(&output);
    let (end, before) = events.split_last().expect("an end");
    assert_eq!((&end["event"], &end["reason"]), (&"end".into(), &"interrupted".into()));
    let reported = &before[before.len() - 3..];
    assert!(reported.iter().all(|event| event["step"] == end["step"] && event["event"] == "eval"), "{reported:?}");
    let output = mlx(folder.path(), &["eval", "net.mlx", "--weights", "run/last.safetensors", "--json"]);
    assert_eq!(crate::binary::events(&output), reported);
    assert_eq!(mlx::train::record::read(&folder.path().join("run")).expect("a record").reason, "interrupted");
}

/// A run whose reader reads nothing is stuck in a step: the first interrupt waits for its end, the second does not.
fn a_second_interrupt_ends_at_once() {
    let folder = folder(LONG);
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlx"))
        .args(&TRAIN[1..])
        .arg("--json")
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let interrupt = |id: u32| assert!(sh(folder.path(), &format!("sleep 0.7; kill -INT {id}")).status.success());
    interrupt(child.id());
    interrupt(child.id());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(!folder.path().join("run/last.safetensors").exists());
}
