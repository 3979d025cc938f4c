//! The language by example: `tests/spec/**/*.mlx` hold small programs with what the checker says beside each.
//!
//! A section starts at `// --- its name ---` and ends with what is expected, in comments: `// ok`, or for each
//! diagnostic `// error: line:column code message` (the line within the section), then its other places and its help.
//! `// data: name.csv` and the lines `// | a,b` after it are a file beside the program. `MLX_BLESS=1 cargo test`
//! writes what is said now; read the difference before you keep it.

use crate::trial;
use libtest_mimic::Trial;
use mlx::diagnostic::{Diagnostic, Severity};
use mlx::source::{SourceId, Sources};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the sections are given to.
fn diagnose(sources: &Sources, source: SourceId) -> Vec<Diagnostic> {
    mlx::check::surface(sources, source)
}

struct Section {
    name: String,
    program: String,
    expected: Vec<String>,
}

pub fn trials() -> Vec<Trial> {
    let bless = std::env::var_os("MLX_BLESS").is_some();
    let mut trials = vec![trial("spec::later_has_a_section_for_each_row", later_has_a_section_for_each_row)];
    for path in files(&root()) {
        if bless {
            rewrite(&path);
        }
        let file = path.strip_prefix(root()).expect("it is below").with_extension("").display().to_string();
        for section in sections(&read(&path)) {
            trials.push(Trial::test(format!("spec::{file}::{}", section.name), move || compare(&section)));
        }
    }
    trials
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec")
}

/// Every `.mlx` below a folder, but for `syntax/`, whose files are whole programs.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sections") {
        let path = entry.expect("readable").path();
        if path.is_dir() && path != root().join("syntax") {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "mlx") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file of sections")
}

fn header(line: &str) -> Option<&str> {
    line.strip_prefix("// --- ")?.strip_suffix(" ---")
}

fn is_expectation(line: &str) -> bool {
    ["// ok", "// error: ", "// warning: ", "//     "].iter().any(|start| line.starts_with(start))
}

fn sections(text: &str) -> Vec<Section> {
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|at| header(lines[*at]).is_some()).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    let section = |(start, end): (&usize, usize)| {
        let body = &lines[start + 1..end];
        let said = body.iter().rposition(|line| !line.is_empty() && !is_expectation(line)).map_or(0, |last| last + 1);
        let (program, expected) = body.split_at(said);
        Section {
            name: header(lines[*start]).expect("it starts a section").to_string(),
            program: program.iter().map(|line| format!("{line}\n")).collect(),
            expected: expected.iter().filter(|line| !line.is_empty()).map(ToString::to_string).collect(),
        }
    };
    starts.iter().zip(ends).map(section).collect()
}

/// The files that a program brings along: their names and texts.
fn data(program: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in program.lines() {
        if let Some(name) = line.strip_prefix("// data: ") {
            files.push((name.to_string(), String::new()));
        } else if let (Some(row), Some((_, text))) = (line.strip_prefix("// | "), files.last_mut()) {
            text.push_str(row);
            text.push('\n');
        }
    }
    files
}

/// What is said about a program, as comments.
fn said(program: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in data(program) {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let mut sources = Sources::default();
    let id = sources.add(folder.path().join("section.mlx").display().to_string(), program);
    let found = diagnose(&sources, id);
    if found.is_empty() {
        vec!["// ok".to_string()]
    } else {
        found.iter().flat_map(|one| lines(&sources, one)).collect()
    }
}

fn lines(sources: &Sources, diagnostic: &Diagnostic) -> Vec<String> {
    let place = |at: usize| {
        let start = sources.start(diagnostic.labels[at].span);
        format!("{}:{}", start.line, start.column)
    };
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut lines = vec![format!("// {severity}: {} {} {}", place(0), diagnostic.code, diagnostic.message)];
    let others = diagnostic.labels.iter().enumerate().skip(1);
    lines.extend(others.map(|(at, label)| format!("//     {} {}", place(at), label.text)));
    lines.extend(diagnostic.help.iter().map(|help| format!("//     help: {help}")));
    lines
}

fn compare(section: &Section) -> Result<(), libtest_mimic::Failed> {
    let found = said(&section.program);
    if found == section.expected {
        return Ok(());
    }
    let (expected, found) = (section.expected.join("\n"), found.join("\n"));
    Err(format!("{}\nexpected\n{expected}\nfound\n{found}\n", section.program).into())
}

/// Writes what is said now beside every section.
fn rewrite(path: &Path) {
    let text = read(path);
    let before = text.lines().take_while(|line| header(line).is_none());
    let mut written: String = before.map(|line| format!("{line}\n")).collect();
    let sections = sections(&text);
    for (at, section) in sections.iter().enumerate() {
        written += &format!("// --- {} ---\n{}", section.name, section.program);
        written.extend(said(&section.program).iter().map(|line| format!("{line}\n")));
        written += if at + 1 < sections.len() { "\n" } else { "" };
    }
    fs::write(path, written).expect("a writable file of sections");
}

/// Each row of the table of what is not built has a section that shows it, and nothing else is shown there: a row
/// whose meaning has arrived makes its section fail, and dies with it.
fn later_has_a_section_for_each_row() {
    let mut shown = BTreeSet::new();
    for section in sections(&read(&root().join("later.mlx"))) {
        let found = said(&section.program);
        let errors: Vec<&String> = found.iter().filter(|line| line.starts_with("// error: ")).collect();
        assert_eq!(errors.len(), 1, "`{}` shows {found:#?}", section.name);
        let message = errors[0].split_once(" E0199 ").expect("what is not built yet").1.to_string();
        assert!(shown.insert(message), "`{}` shows what another section shows", section.name);
    }
    let rows: BTreeSet<String> = mlx::check::later::messages().into_iter().collect();
    assert_eq!(rows, shown);
}
