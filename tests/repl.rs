//! The session: text in, text out. `docs/repl.md` is the long example, and is tested here.

use crate::binary::repository;
use crate::trial;
use libtest_mimic::Trial;
use mlx::repl::complete::{Completion, Known, complete};
use mlx::repl::session::Session;
use mlx::repl::{Console, Outcome, is_open};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("repl::the_documented_session_is_real", the_documented_session_is_real),
        trial("repl::values_are_readable", values_are_readable),
        trial("repl::a_let_is_an_item_where_it_can_be", a_let_is_an_item_where_it_can_be),
        trial("repl::layers_of_entries_are_their_own", layers_of_entries_are_their_own),
        trial("repl::what_is_wrong_is_not_kept", what_is_wrong_is_not_kept),
        trial("repl::a_whole_file_can_be_pasted", a_whole_file_can_be_pasted),
        trial("repl::a_training_ends_when_it_shall", a_training_ends_when_it_shall),
        trial("repl::an_interrupted_entry_changes_nothing", an_interrupted_entry_changes_nothing),
        trial("repl::of_several_blocks_the_last_trained_counts", of_several_blocks_the_last_trained_counts),
        trial("repl::other_parameters_start_anew", other_parameters_start_anew),
        trial("repl::classes_are_shown_by_their_names", classes_are_shown_by_their_names),
        trial("repl::entries_go_on_while_something_is_open", entries_go_on_while_something_is_open),
        trial("repl::words_are_completed", words_are_completed),
        trial("repl::no_entry_is_too_much", no_entry_is_too_much),
        trial("repl::a_pipe_is_read_entry_by_entry", a_pipe_is_read_entry_by_entry),
        trial("repl::what_cannot_be_computed_is_refused", what_cannot_be_computed_is_refused),
    ]
}

/// Everything that a session says, results and the rest, in its order.
#[derive(Clone, Default)]
struct Heard(Rc<RefCell<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn enter_while(session: &mut Session, entry: &str, stop: fn() -> bool) -> (Outcome, String) {
    let heard = Heard::default();
    let (mut out, mut err) = (heard.clone(), heard.clone());
    let outcome = session.enter(entry, &mut Console { out: &mut out, err: &mut err, colour: false, live: false, stop });
    let text = String::from_utf8(heard.0.borrow().clone()).expect("text");
    // Drawings end lines with spaces.
    (outcome, text.lines().map(|line| format!("{}\n", line.trim_end())).collect())
}

fn enter(session: &mut Session, entry: &str) -> String {
    enter_while(session, entry, || false).1
}

/// Holds what a session says to each entry.
fn says(session: &mut Session, entries: &[(&str, &str)]) {
    for (entry, expected) in entries {
        assert_eq!(enter(session, entry).trim_end(), *expected, "to `{entry}`");
    }
}

/// The sessions of `docs/repl.md` are one: what stands behind `mlx> `, with further lines while the entry is open, gives
/// what stands below it. `MLX_BLESS=1` writes what it gives now.
fn the_documented_session_is_real() {
    let path = repository("docs/repl.md");
    let page = fs::read_to_string(&path).expect("the page");
    let mut session = Session::default();
    let mut written = String::new();
    let mut lines = page.lines().peekable();
    let mut inside = false;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            inside = line == "```text";
        }
        let Some(mut entry) = line.strip_prefix("mlx> ").filter(|_| inside).map(str::to_string) else {
            if !inside || line.starts_with("```") {
                let _ = writeln!(written, "{line}");
            }
            continue;
        };
        while is_open(&entry) {
            entry = format!("{entry}\n{}", lines.next().expect("the entry goes on"));
        }
        let _ = write!(written, "mlx> {entry}\n{}", enter(&mut session, &entry));
    }
    if std::env::var_os("MLX_BLESS").is_some() {
        fs::write(&path, &written).expect("written");
    }
    assert!(page == written, "docs/repl.md shows another session than\n{written}");
}

fn values_are_readable() {
    let session = &mut Session::default();
    says(
        session,
        &[
            ("1 + 2", "3"),
            // Settled numbers are exact.
            ("1/3 - 1/3 + 10^30", "1000000000000000000000000000000"),
            ("80% / 4", "0.2"),
            ("-1/8", "-0.125"),
            ("2/3", "2/3 ≈ 0.666667"),
            ("2 < 3 and not (1 == 2)", "true"),
            ("\"日本\"", "\"日本\""),
            ("mean([1, 2, 4.5])", "2.5"),
            ("[1, -20, 300]", "int[3]\n    1  -20  300"),
            ("[0.5, 1, 100]", "[3]\n    0.5    1.0  100.0"),
            ("[true, false]", "bool[2]\n   true  false"),
            ("exp([-1000, 1, 1000])", "[3]\n  0.0000  2.7183     inf"),
            ("1e-9 * [1, 2]", "[2]\n  1.0000e-9  2.0000e-9"),
            // Long axes are shown by their ends, and blocks of matrices by their places.
            ("let t[i: 2, j: 40, k: 3] = 100 * i + j - k / 2", ""),
            (
                "t",
                "[2, 40, 3]\n0:\n    0.0   -0.5   -1.0\n    1.0    0.5    0.0\n    2.0    1.5    1.0\n  …\n   37.0   36.5   36.0\n   38.0   37.5   37.0\n   39.0   38.5   38.0\n1:\n  100.0   99.5   99.0\n  101.0  100.5  100.0\n  102.0  101.5  101.0\n  …\n  137.0  136.5  136.0\n  138.0  137.5  137.0\n  139.0  138.5  138.0",
            ),
            (":type t", "[2, 40, 3]"),
            (":type 3", "int"),
            (":type 1/2", "float"),
            ("relu", "fn relu(x: [..s]) -> [..s]"),
            ("exp", "fn exp(x: [..s]) -> [..s]"),
            ("dense(3)", "layer dense(units: int, bias = true)(x: [..s, d]) -> [..s, units]"),
            ("normal(0, 1)", "normal(mean = 0, deviation = 1)"),
            (
                "[relu, dense]",
                "[fn relu(x: [..s]) -> [..s], layer dense(units: int, bias = true)(x: [..s, d]) -> [..s, units]]",
            ),
        ],
    );
}

/// A function can read what is an item; what reads a statement, or makes a layer, is a statement.
fn a_let_is_an_item_where_it_can_be() {
    let session = &mut Session::default();
    says(
        session,
        &[
            ("let a = 2", ""),
            ("fn twice(x) = a * x", ""),
            ("twice(5)", "10"),
            // In place of the first one.
            ("let a = 3", ""),
            ("twice(5)", "15"),
            ("let s[i: 3] = i", ""),
            ("let r = sum(i: s[i])", ""),
            ("r", "3"),
            ("let s = [10, 20]", ""),
            ("r", "3"),
            ("let r = sum(i: s[i])", ""),
            ("r", "30"),
            ("/// Thrice.\nfn twice(x) = 3 * x", ""),
            (":doc twice", "fn twice(x)\nThrice.\nfrom <input 13>, line 2"),
            (":doc s", "s: int[2]"),
        ],
    );
}

/// A layer that has a name has one set of parameters; one that is applied in place has its own, in every entry.
fn layers_of_entries_are_their_own() {
    let session = &mut Session::default();
    says(session, &[("let f = dense(2)", ""), ("let v = [1, 2.5]", "")]);
    let once = enter(session, "v |> f");
    assert_eq!(once, enter(session, "v |> f"));
    let there = enter(session, "v |> dense(2)");
    assert!(once != there && there != enter(session, "v |> dense(2)"));
    assert_eq!(enter(session, ":type v |> dense(3) |> relu |> dense(4)"), "[4]\n");
}

fn what_is_wrong_is_not_kept() {
    let session = &mut Session::default();
    says(session, &[("let a = 2", ""), ("fn f(x) = x + a", "")]);
    for (entry, words) in [
        ("let a = b", "cannot find `b`"),
        ("fn f(x) = y", "cannot find `y`"),
        ("let c[i] = a", "nothing says how far the index `i` goes"),
        ("f(1", "found the end of the text"),
        ("a = 3", "to declare it, write `let a = …`"),
        ("mean f", "expected an operator or the end of the line, found `f`"),
        ("1 < 2 < 3", "comparisons do not chain"),
        ("param w: [2] = 0", "this belongs in the body"),
        ("report x", "this belongs in the body"),
        ("train {\n}", "nothing is minimized"),
        (":tpye a", "there is no command `:tpye`; did you mean `:type`?"),
        (":doc softmac", "cannot find `softmac`; did you mean `softmax`?"),
        (":load no.mlx", "cannot read `no.mlx`: it does not exist"),
        (":train", "there is no `train` block"),
        (":params", "there is no `train` block"),
    ] {
        let (outcome, said) = enter_while(session, entry, || false);
        assert!(outcome == Outcome::Wrong && said.contains(words), "`{entry}`: {said}");
    }
    // One mistake is told once, and where it was entered.
    let said = enter(session, "relu(undefined) + 1");
    assert!(said.matches("Error").count() == 1 && said.contains("<input 13>:1:6"), "{said}");
    says(session, &[("f(1)", "3")]);
    assert!(enter(session, "c").contains("cannot find `c`"));
}

fn a_whole_file_can_be_pasted() {
    let text = fs::read_to_string(repository("models/polynomial_regression.mlx")).expect("the model");
    let session = &mut Session::default();
    let text = text.replace("csv(\"data/", "csv(\"models/data/");
    assert_eq!(enter(session, &text), "");
    assert!(enter(session, ":train steps=3").contains("loss"));
    assert_eq!(enter(session, ":type model(power)"), "[n]\n");
}

const LINE: &str = "let k = 1
data line = rows(10, seed = 1) {
    x: [2] ~ uniform(-1, 1)
    split = holdout(train = 100%)
}
model Line(x: [n, d]) -> [n, k] {
    param a: [d, k] = 0.5
    out x @ a
}
train {
    data  = line
    model = Line
    minimize mean(model(x)^2) using sgd(lr = 0.1)
    steps = 100
}";

fn a_training_ends_when_it_shall() {
    let session = &mut Session::default();
    says(session, &[(LINE, ""), ("sum(x |> Line) - sum(model(x))", "0.0"), ("step + steps", "100")]);
    let before = enter(session, "mean(model(x)^2)");
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    // It is asked before each step, and before the first one some times more.
    let (outcome, said) = enter_while(session, ":train", || ASKED.fetch_add(1, Relaxed) >= 50);
    assert_eq!(outcome, Outcome::Fine);
    let step =
        said.split_once("interrupted after step ").and_then(|(_, rest)| rest.split_once("; the weights are kept"));
    let (step, _) = step.unwrap_or_else(|| panic!("{said}"));
    says(session, &[("step", step)]);
    let after = enter(session, "mean(model(x)^2)");
    assert!(after.trim().parse::<f64>().expect("a number") < before.trim().parse().expect("a number"), "{after}");
    // Again from the start, whatever was trained.
    assert!(enter(session, ":train epochs=2").starts_with("step 1/2"));
    assert!(enter(session, ":params").contains("a     [2, 1]      2"), "{}", enter(session, ":params"));
}

/// Reading, checking and computing end when they shall, and leave the session as it was.
fn an_interrupted_entry_changes_nothing() {
    let session = &mut Session::default();
    says(session, &[(LINE, ""), ("let k = 3", ""), ("let m = mean(model(x))", "")]);
    enter(session, ":train steps=7");
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", &("a,b\n".to_string() + &"1,2\n".repeat(100_000)));
    write("net.mlx", "data d = csv(\"d.csv\") {\n    x = [a]\n    y = b\n    split = holdout(train = 100%)\n}\n");
    let load = format!(":load {}", folder.path().join("net.mlx").display());
    for entry in [
        &load,
        "let p = mean(model(x))",
        "m + k",
        "sum(x @ transpose(x))",
        "model(x)",
        ":train",
        "layer dense2(x: [n]) -> [n] = relu(x)",
    ] {
        let (outcome, said) = enter_while(session, entry, || true);
        assert_eq!((outcome, said.as_str()), (Outcome::Wrong, "error: interrupted\n"), "{entry}");
    }
    says(session, &[("step + k", "10"), ("sum(m - mean(model(x)))", "0.0")]);
    assert_eq!(enter(session, &load), "");
    says(session, &[("mean([1, 2])", "1.5")]);
}

fn of_several_blocks_the_last_trained_counts() {
    let session = &mut Session::default();
    let block = &LINE[LINE.find("train {").expect("a block")..];
    enter(
        session,
        &format!("{LINE}\n{}", block.replace("train {", "train fine {").replace("steps = 100", "steps = 7")),
    );
    says(
        session,
        &[
            (":train", "error: which `train` block? name one of: train, fine"),
            (":train fin", "error: cannot find `train` block `fin`; did you mean `fine`?"),
            ("steps", "100"),
        ],
    );
    assert!(enter(session, ":train fine").contains("step 7/7"));
    says(session, &[("steps", "7"), ("step", "7"), ("epoch", "7")]);
}

/// What was trained belongs to parameters that are there no longer.
fn other_parameters_start_anew() {
    let session = &mut Session::default();
    enter(session, LINE);
    enter(session, ":train steps=2");
    assert_eq!(
        enter(session, "let k = 1 + 1"),
        "the parameters of `train` are others now: they are at their start again\n"
    );
    assert!(enter(session, ":params").contains("0.5000"));
    let said = enter(session, &format!("let z[i] = sum(j: x[i, j])\n{}", LINE.replace("[2] ~", "[3] ~")));
    assert_eq!(said, "", "a statement that fits is kept");
    assert_eq!(enter(session, ":type z"), "[n]\n");
    let scalars = LINE.replace("x: [2]", "x").replace("[n, d]) -> [n, k]", "[n]) -> [n]").replace("[d, k]", "[]");
    let said = enter(session, &scalars.replace("x @ a", "a * x"));
    assert_eq!(said, "forgotten, for it does not fit any longer: let z[i] = sum(j: x[i, j])\n");
    assert!(enter(session, "z").contains("cannot find `z`"));
}

fn classes_are_shown_by_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = "kind,v\n熊,1\nowl,2\n熊,3\nowl,4\n";
    fs::write(folder.path().join("d.csv"), rows).expect("written");
    let program = "data d = csv(\"d.csv\") {\n x = [v]\n y = category(kind)\n split = holdout(train = 100%, shuffle = false)\n}\nmodel M(x: [n, d]) -> [n, 2] {\n out x |> dense(2)\n}\ntrain {\n data = d\n model = M\n minimize cross_entropy(model(x), y) using sgd\n}\n";
    let path = folder.path().join("m.mlx");
    fs::write(&path, program).expect("written");
    let session = &mut Session::default();
    assert_eq!(enter(session, &format!(":load {}", path.display())), "");
    says(session, &[("y", "class(2)[4]\n   熊  owl   熊  owl"), (":type argmax(model(x))", "class(2)[n]")]);
    // A file that became wrong leaves the session as it was.
    fs::write(&path, program.replace("dense", "dens")).expect("written");
    assert!(enter(session, ":load").contains("cannot find `dens`"));
    says(session, &[(":type x", "[n, 1]")]);
}

fn entries_go_on_while_something_is_open() {
    for open in [
        "mean(",
        "[1,\n2",
        "let a =",
        "a |>",
        "1 +",
        "if a then b",
        "fn f(x) =",
        "layer f(x) {",
        "x + // why",
        "layer f(x) {\n",
        "train {\n  data = d",
    ] {
        assert!(is_open(open), "`{open}` goes on");
    }
    for whole in [
        "",
        "1",
        "mean(x)",
        ":load (",
        "1 + * 2",
        ")",
        "let a =\n",
        "mean(\n",
        "layer f(x) {\n\n",
        "\"abc",
        "fn f(x) = x // and",
    ] {
        assert!(!is_open(whole), "`{whole}` is an entry");
    }
}

fn words_are_completed() {
    let known =
        Known { names: ["dense", "density", "x", "長さ"].map(str::to_string).to_vec(), trains: vec!["fine".into()] };
    let words =
        |start: usize, words: &[&str]| Completion::Words(start, words.iter().map(ToString::to_string).collect());
    assert_eq!(complete("relu(x) + den", &known), words(10, &["dense", "density"]));
    assert_eq!(complete("2 * 長", &known), words(4, &["長さ"]));
    assert_eq!(complete("2 * ", &known), words(4, &[]));
    assert_eq!(complete(":t", &known), words(0, &[":type ", ":train "]));
    assert_eq!(complete(":train f", &known), words(7, &["fine"]));
    assert_eq!(complete(":doc dens", &known), words(5, &["dense", "density"]));
    assert_eq!(complete(":load models/l", &known), Completion::Path(6));
}

/// Whatever is entered, whole or line by line, the session goes on.
fn no_entry_is_too_much() {
    let mut texts: Vec<String> = mlx::check::library::STDLIB.iter().map(|(_, text)| text.to_string()).collect();
    for file in fs::read_dir(repository("tests/spec/syntax")).expect("a folder") {
        texts.push(fs::read_to_string(file.expect("a file").path()).expect("text"));
    }
    let session = &mut Session::default();
    for text in &texts {
        enter(session, text);
        text.lines().for_each(|line| drop(enter(session, line)));
    }
    for entry in [
        ":",
        ": type",
        ":type",
        ":type let a = 1",
        ":doc",
        ":doc a b",
        ":train steps=x",
        ":train a b",
        ":load",
        "let",
        "`",
        "\0",
        "\u{feff}",
    ] {
        enter(session, entry);
    }
    assert_eq!(enter(session, "1 + 1"), "2\n");
}

fn piped(input: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlx"))
        .arg("repl")
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // Who ends early reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn a_pipe_is_read_entry_by_entry() {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let output = piped("mean([1,\n  2, 3])\n\nlet a = 2\n\n2 * a", &[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "2.0\n4\n".to_string()));
    assert!(output.stderr.is_empty());
    let output = piped("1 +\n\n2 * b\n3\n:quit\n4\n", &[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), "3\n".to_string()));
    assert!(text(&output.stderr).contains("<input 2>:1:5"), "{}", text(&output.stderr));
    // Results on standard output, progress on standard error.
    let output = piped(":train steps=5\n:type model(x)\n", &["models/linear_regression.mlx"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("r2") && text(&output.stdout).ends_with("[n]\n"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("step 5/5"));
    assert_eq!(piped("1\n", &["no.mlx"]).status.code(), Some(1));
    assert_eq!(piped("", &["a", "b"]).status.code(), Some(2));
}

/// None of these takes long, and none ends the session.
fn what_cannot_be_computed_is_refused() {
    let nested = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    for (entry, words) in [
        ("1/0", "E0218"),
        ("[[1.0, 2]] |> dense(10^9) |> dense(10^9)", "does not fit into"),
        ("sum([1.0] |> dense(10^18))", "does not fit into"),
        ("layer down(x: [..s]) -> [..s] {\n    out down(x)\n}", "nest too deep"),
        ("layer tree(x: [..s]) -> [..s] {\n    out tree(x) + tree(x)\n}", "nest too deep"),
        (
            "layer up(k: int)(x: [..s]) -> [..s] {\n    out if k > 10^6 then x else x |> up(k + 1)\n}\n[1.0] |> up(1)",
            "nest too deep",
        ),
        ("fn f(x: [n, 3]) = x @ transpose([[1, 2], [3, 4]])", "sizes 3 and 2 do not agree"),
        ("fn f(x) = f(x)", "E0206"),
        (nested.as_str(), "E010"),
    ] {
        let output = piped(&format!("{entry}\n\"still here\"\n"), &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && said.matches("rror:").count() == 1, "`{entry:.40}`: {said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "\"still here\"\n");
    }
}
