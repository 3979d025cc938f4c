//! Holds who may use whom under `src/`: the rooms, what each may use, and where an outside crate is at home.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::trial;

/// A room: its name (a file `src/<name>.rs` or a folder `src/<name>/`) and the rooms that it may use.
struct Room {
    name: &'static str,
    uses: &'static [&'static str],
}

const fn room(name: &'static str, uses: &'static [&'static str]) -> Room {
    Room { name, uses }
}

const ROOMS: &[Room] = &[
    room("lib", &["*"]),
    room("main", &["*"]),
    room("cli", &["*"]),
    room("io", &["source", "diagnostic"]),
    room("interrupt", &["io"]),
    room("progress", &["run"]),
    room("source", &[]),
    room("diagnostic", &["source"]),
    room("syntax", &["source", "diagnostic"]),
    room("format", &["source", "diagnostic", "syntax"]),
    room("doc", &["source", "syntax", "check"]),
    room("ir", &[]),
    room("check", &["source", "diagnostic", "syntax", "ir"]),
    room("loops", &["ir"]),
    room("autodiff", &["ir", "loops"]),
    room("lower", &["source", "diagnostic", "syntax", "check", "ir", "autodiff", "loops"]),
    room("passes", &["ir"]),
    room("plan", &["ir", "passes"]),
    room("compile", &["source", "diagnostic", "syntax", "ir", "check", "autodiff", "lower", "passes", "plan"]),
    room("backend", &["ir", "plan"]),
    room("data", &["source", "diagnostic", "ir"]),
    room("run", &["io", "source", "diagnostic", "ir", "check", "lower", "passes", "plan", "backend", "data"]),
    room("train", &["io", "source", "diagnostic", "ir", "check", "lower", "plan", "backend", "run"]),
    room("report", &["io", "source", "diagnostic", "train"]),
    room("ide", &["source", "diagnostic", "syntax", "check"]),
    room("lsp", &["io", "source", "diagnostic", "syntax", "check", "ide"]),
    room(
        "repl",
        &[
            "io",
            "source",
            "diagnostic",
            "syntax",
            "ir",
            "check",
            "compile",
            "lower",
            "backend",
            "run",
            "train",
            "progress",
        ],
    ),
];

/// An outside crate and the only places that may name it (each a start of a path under `src/`).
const HOMES: &[(&str, &[&str])] = &[
    ("pest", &["syntax/parse"]),
    ("pest_derive", &["syntax/parse"]),
    ("ariadne", &["diagnostic"]),
    ("serde_yaml", &["train"]),
    ("safetensors", &["train", "data"]),
    ("csv", &["data"]),
    ("clap", &["cli", "main.rs"]),
    ("clap_complete", &["cli"]),
    ("ndarray", &["backend/cpu"]),
    ("memmap2", &["backend/cpu"]),
    ("vulkano", &["backend/vulkan"]),
    ("naga", &["backend/vulkan"]),
    ("rustyline", &["repl"]),
    ("indicatif", &["progress.rs"]),
    ("signal_hook", &["interrupt.rs"]),
];

/// The only places that may name `std::fs`.
const DOORS: &[&str] = &["io.rs", "main.rs", "cli"];

pub fn trials() -> Vec<Trial> {
    vec![
        trial("rooms::every_file_has_a_room", every_file_has_a_room),
        trial("rooms::imports_keep_to_the_table", || report(broken_rules(&files()))),
        trial("rooms::the_table_is_about_rooms", the_table_is_closed),
        trial("rooms::a_wrong_import_is_found", a_wrong_import_is_found),
        trial("rooms::files_stay_small", files_stay_small),
    ]
}

/// A file under `src/`: its path from there with `/`, and its text.
pub type File = (String, String);

pub fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("found under src").to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&path).expect("a readable source file");
            (name, text)
        })
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The first part of a path, without the ending.
fn room_of(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn find(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

fn every_file_has_a_room() {
    report(
        files()
            .iter()
            .filter(|(path, _)| find(room_of(path)).is_none())
            .map(|(path, _)| format!("src/{path}:1: `{}` is no room of the table", room_of(path)))
            .collect(),
    );
}

fn the_table_is_closed() {
    for room in ROOMS {
        for used in room.uses.iter().filter(|used| **used != "*") {
            assert!(find(used).is_some(), "`{}` may use `{used}`, which is no room", room.name);
        }
    }
}

/// Every broken rule, as `src/file:line: rule`.
fn broken_rules(files: &[File]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in files {
        let own = room_of(path);
        let uses = find(own).map_or(&[] as &[&str], |room| room.uses);
        for (line, code) in blank_comments(text).lines().enumerate() {
            let at = format!("src/{path}:{}", line + 1);
            // The names of one `use crate::{…}` over several lines are read where the braces open.
            for used in crate_rooms(&blank_comments(text), line) {
                if used != own && !uses.contains(&"*") && !uses.contains(&used.as_str()) {
                    wrong.push(format!("{at}: `{own}` may use {uses:?}, not `{used}`"));
                }
            }
            for (name, homes) in HOMES {
                if names_crate(code, name) && !homes.iter().any(|home| path.starts_with(home)) {
                    wrong.push(format!("{at}: the crate `{name}` is at home in {homes:?} alone"));
                }
            }
            if names_crate(code, "std::fs") && !DOORS.iter().any(|door| path.starts_with(door)) {
                wrong.push(format!("{at}: files are read and written in {DOORS:?} alone"));
            }
        }
    }
    wrong
}

/// The text with its line comments emptied: enough for source that rustfmt has laid out.
fn blank_comments(text: &str) -> String {
    let code = |line: &str| match line.find("//") {
        Some(at) if line[..at].matches('"').count().is_multiple_of(2) => line[..at].to_string(),
        _ => line.to_string(),
    };
    text.lines().map(|line| code(line) + "\n").collect()
}

/// The rooms that a line reaches through `crate::`, those inside braces that open on it included.
fn crate_rooms(text: &str, line: usize) -> Vec<String> {
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let end = start + text[start..].find('\n').unwrap_or(text.len() - start);
    let mut rooms = Vec::new();
    for (at, found) in text[start..end].match_indices("crate::") {
        let before = text[..start + at].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || before == '_' || before == ':' {
            continue;
        }
        let rest = &text[start + at + found.len()..];
        match rest.strip_prefix('{') {
            None => rooms.extend(identifier(rest)),
            Some(list) => rooms.extend(top_level_names(list)),
        }
    }
    rooms
}

/// The first name of each member of `a::{b, c}, d}…`, up to the brace that closes the list.
fn top_level_names(list: &str) -> Vec<String> {
    let mut depth = 1;
    let mut names = Vec::new();
    let mut fresh = true;
    for (at, sign) in list.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            _ if fresh && !sign.is_whitespace() => {
                names.extend(identifier(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// The module that a path starts with; macros and items of the crate's root are no rooms and start otherwise.
fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect();
    (name.chars().next().is_some_and(char::is_lowercase) && name != "self").then_some(name)
}

/// Whether code names a crate (or module path): `name::…`, `use name;` or `use name as`.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        let after = &code[at + name.len()..];
        let used = code[..at].trim_end().ends_with("use") && (after.starts_with(';') || after.starts_with(" as "));
        !(before.is_alphanumeric() || before == '_' || before == ':') && (after.starts_with("::") || used)
    })
}

fn a_wrong_import_is_found() {
    let file = |path: &str, text: &str| (path.to_string(), text.to_string());
    let wrong = broken_rules(&[
        file("ir/graph.rs", "//! crate::syntax in a comment.\nuse crate::{\n    ir::size,\n    syntax::tree,\n};\n"),
        file("plan/cost.rs", "fn f() {\n    crate::data::csv::read()\n}\n"),
        file("check/names.rs", "use pest::Parser;\nuse crate::ir::size::Size;\n"),
        file("report/page.rs", "let text = std::fs::read_to_string(path);\n"),
        file("syntax/parse/items.rs", "use pest::Parser;\n"),
    ]);
    let places: Vec<&str> = wrong.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["src/ir/graph.rs:2", "src/plan/cost.rs:2", "src/check/names.rs:1", "src/report/page.rs:1"]);
}

fn files_stay_small() {
    let mut lengths: Vec<usize> = files().iter().map(|(_, text)| text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median < 250, "the median file under src/ has {median} lines; split the long ones");
}

fn report(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
