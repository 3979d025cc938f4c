//! `mlx fmt FILE…`

use super::load::{complain, print, show, show_all};
use super::{WRONG, diff};
use crate::diagnostic::Diagnostic;
use crate::format::format;
use crate::io;
use crate::source::{SourceId, Sources};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Fmt {
    /// The `.mlx` files, folders of them, or `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing: show what would change, with status 1 if anything would
    #[arg(long)]
    check: bool,
}

pub fn run(arguments: &Fmt) -> ExitCode {
    let mut wrong = false;
    for path in &arguments.files {
        let done = if path == Path::new("-") {
            from_input(arguments.check)
        } else {
            files_of(path).and_then(|files| {
                let mut same = true;
                for file in files {
                    // What is wrong with one file leaves the others to do.
                    same &= on_disk(&file, arguments.check).or_else(unless_lost)?;
                }
                Ok(same)
            })
        };
        match done.or_else(unless_lost) {
            Ok(fine) => wrong |= !fine,
            Err(status) => return ExitCode::from(status),
        }
    }
    if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS }
}

/// A file that is wrong is told of already; what cannot be written at all ends the command.
fn unless_lost(status: u8) -> Result<bool, u8> {
    if status == WRONG { Ok(false) } else { Err(status) }
}

/// The file at a path; of a folder all `.mlx` files in it and in its folders, without hidden ones.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, u8> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let entries = entries.map_err(|cause| {
            show(&io::failure(io::UNREADABLE, "read", &folder, &cause), &Sources::default());
            WRONG
        })?;
        for entry in entries {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            // A link to a folder may lead back to where it is.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !hidden {
                folders.push(path);
            } else if path.extension() == Some(OsStr::new("mlx")) && !hidden && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    if found.is_empty() {
        complain(&format!("there is no `.mlx` file in `{}`", path.display()));
        return Err(WRONG);
    }
    Ok(found)
}

/// Lays a file out. Whether nothing is wrong with it: when it is only checked, whether it is laid out.
fn on_disk(path: &Path, check: bool) -> Result<bool, u8> {
    let mut sources = Sources::default();
    let told = |wrong: Diagnostic, sources: &Sources, status: u8| {
        show(&wrong, sources);
        Err(status)
    };
    let source = match io::read_text(&mut sources, path) {
        Ok(source) => source,
        Err(wrong) => return told(wrong, &sources, WRONG),
    };
    let Some(after) = laid_out(&sources, source) else { return Ok(false) };
    let before = &sources.get(source).text;
    if **before == *after {
        return Ok(true);
    }
    if check {
        print(&diff::unified(&path.display().to_string(), before, &after))?;
        return Ok(false);
    }
    match io::write(path, after.as_bytes()) {
        Ok(()) => Ok(true),
        Err(wrong) => told(wrong, &sources, super::FAILED),
    }
}

/// Lays out what comes on standard input, to standard output.
fn from_input(check: bool) -> Result<bool, u8> {
    let mut bytes = Vec::new();
    let read = stdin().take(io::SOURCE + 1).read_to_end(&mut bytes);
    let mut sources = Sources::default();
    let name = Path::new("<stdin>");
    let source = match read {
        Err(cause) => Err(io::failure(io::UNREADABLE, "read", Path::new("standard input"), &cause)),
        Ok(_) => io::as_text(&mut sources, name, bytes),
    };
    let source = source.map_err(|wrong| {
        show(&wrong, &sources);
        WRONG
    })?;
    let Some(after) = laid_out(&sources, source) else { return Ok(false) };
    let before = &sources.get(source).text;
    if !check {
        return print(&after).map(|()| true);
    }
    if **before != *after {
        print(&diff::unified("<stdin>", before, &after))?;
    }
    Ok(**before == *after)
}

/// A text in its layout; `None` if it has mistakes, which are shown.
fn laid_out(sources: &Sources, source: SourceId) -> Option<String> {
    format(sources, source).map_err(|found| show_all(&found, sources)).ok()
}
