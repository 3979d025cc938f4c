//! `mlx doc [NAME]…`

use super::load::{complain, print, show, show_all};
use super::{FAILED, MISUSED, WRONG};
use crate::check::names::foreign;
use crate::diagnostic::codes::explain;
use crate::diagnostic::{Severity, nearest};
use crate::doc::{self, Entry, Kind};
use crate::io;
use crate::source::Sources;
use crate::syntax;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Doc {
    /// What to explain: names of the standard library, or of `.mlx` files given besides
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Write everything as pages into a folder
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
}

pub fn run(arguments: &Doc) -> ExitCode {
    match documented(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn documented(arguments: &Doc) -> Result<(), u8> {
    let (files, names): (Vec<&String>, Vec<&String>) =
        arguments.names.iter().partition(|name| Path::new(name).extension().is_some_and(|end| end == "mlx"));
    let mut own = Vec::new();
    for file in &files {
        own.extend(of_file(Path::new(file))?);
    }
    if let Some(folder) = &arguments.html {
        if !names.is_empty() {
            complain("`--html` writes all pages; leave the names out");
            return Err(MISUSED);
        }
        own.extend(doc::library());
        return write(folder, &own);
    }
    if names.is_empty() {
        let listed = if files.is_empty() { doc::library() } else { own };
        return print(&list(&listed));
    }
    own.extend(doc::library());
    for (at, name) in names.iter().enumerate() {
        let plain = name.trim_matches('`');
        let Some(entry) = own.iter().find(|entry| entry.name == plain) else {
            complain(&missing(plain, &own));
            return Err(MISUSED);
        };
        print(&format!("{}{}", if at > 0 { "\n" } else { "" }, shown(entry)))?;
    }
    Ok(())
}

fn of_file(path: &Path) -> Result<Vec<Entry>, u8> {
    let mut sources = Sources::default();
    let source = io::read_text(&mut sources, path).map_err(|wrong| {
        show(&wrong, &sources);
        WRONG
    })?;
    let (_, found) = syntax::parse(&sources, source);
    if found.iter().any(|found| found.severity == Severity::Error) {
        show_all(&found, &sources);
        return Err(WRONG);
    }
    Ok(doc::own(&sources, source))
}

/// Names by what they are, each with its first sentence.
fn list(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut kind: Option<Kind> = None;
    let wide = entries.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0);
    for entry in entries {
        if kind != Some(entry.kind) {
            let gap = if kind.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", entry.kind.title());
            kind = Some(entry.kind);
        }
        let line = format!("  {:wide$}  {}", entry.name, entry.summary());
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn shown(entry: &Entry) -> String {
    let mut text = format!("{}\n", entry.signature);
    if !entry.doc.is_empty() {
        let _ = write!(text, "\n{}\n", entry.doc);
    }
    if let Some(example) = &entry.example {
        let _ = write!(text, "\nUse:\n    {example}\n");
    }
    let _ = write!(text, "\nSource: {}\n", entry.file);
    // What a primitive does is in the compiler.
    if entry.kind != Kind::Primitive {
        for line in entry.text.lines() {
            let _ = writeln!(text, "{}", format!("    {line}").trim_end());
        }
    }
    text
}

fn missing(name: &str, entries: &[Entry]) -> String {
    let known = |name: &str| entries.iter().any(|entry| entry.name == name);
    let last = name.rsplit('.').next().unwrap_or(name);
    if explain(name).is_some() {
        return format!("`{name}` is a diagnostic: `mlx explain {name}`");
    }
    let advice = match (foreign::advice(last, known), nearest(last, entries.iter().map(|entry| entry.name.as_str()))) {
        (Some(advice), _) => advice.to_string(),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => "`mlx doc` lists what there is".to_string(),
    };
    format!("cannot find `{name}` in the standard library; {advice}")
}

fn write(folder: &Path, entries: &[Entry]) -> Result<(), u8> {
    let failed = |wrong| {
        show(&wrong, &Sources::default());
        FAILED
    };
    io::create_folder(folder).map_err(failed)?;
    for (file, text) in doc::pages("mlx: the standard library", entries) {
        io::write(&folder.join(file), text.as_bytes()).map_err(failed)?;
    }
    print(&format!("{}\n", folder.join("index.html").display()))
}
