//! Tensors of another program under the names that they have here: `from "file" names { "theirs" = "ours" }`.

use crate::check::paths::near;
use crate::check::program::Names;
use crate::diagnostic::{Diagnostic, Label, Severity, nearest};
use crate::io;
use crate::run::params::{Params, Tensor};
use crate::source::Span;
use std::path::Path;

/// One line of a table, with its place: in the program, or in a file.
struct Line {
    theirs: String,
    ours: String,
    transposed: bool,
    at: Place,
}

enum Place {
    Text { theirs: Span, ours: Span },
    File { line: usize, path: String, call: Span },
}

/// What a table makes of the tensors of a file. Each line says something of one at least, and no two the same.
/// `paths` are those of the model that takes them.
pub fn renamed(
    given: &Params,
    names: &Names,
    (shown, paths): (&str, &[String]),
    (file, call): (&Path, Span),
) -> Result<Params, Diagnostic> {
    let lines = match names {
        Names::Table(table) => table
            .iter()
            .map(|one| Line {
                theirs: one.theirs.0.clone(),
                ours: one.ours.0.clone(),
                transposed: one.transposed,
                at: Place::Text { theirs: one.theirs.1, ours: one.ours.1 },
            })
            .collect(),
        Names::File(path, at) => lines(&file.parent().unwrap_or(Path::new("")).join(path), *at, call)?,
    };
    let mut all = Params::new();
    let mut taken: Vec<(String, usize)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let before = taken.len();
        if line.ours.split('.').filter(|part| *part == "*").count()
            > line.theirs.split('.').filter(|part| *part == "*").count()
        {
            let message =
                format!("`{}` has more `*` than `{}`, so there is nothing to fill them with", line.ours, line.theirs);
            return Err(wrong(&line.at, message, "more here", false));
        }
        let mut found = false;
        for (theirs, tensor) in given {
            let Some(ours) = called(line, theirs) else { continue };
            found = true;
            if let Some((_, first)) = taken.iter().find(|(known, _)| *known == ours) {
                let message = format!("`{ours}` has two names: `{}` and `{theirs}`", lines[*first].theirs);
                return Err(also(wrong(&line.at, message, "the second", false), &lines[*first].at));
            }
            let tensor = if line.transposed {
                transposed(tensor).ok_or_else(|| {
                    let message =
                        format!("`{theirs}` is {:?} in `{shown}`, and only a matrix is transposed", tensor.shape);
                    wrong(&line.at, message, "this is none", true)
                })?
            } else {
                tensor.clone()
            };
            taken.push((ours.clone(), at));
            all.insert(ours, tensor);
        }
        if !found {
            let message = format!("`{shown}` has no tensor `{}`", line.theirs);
            let near = nearest(&line.theirs, given.keys().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", some(given)),
            };
            return Err(wrong(&line.at, message, "matches nothing", true).help(help));
        }
        if !taken[before..].iter().any(|(ours, _)| paths.contains(ours)) {
            let message = format!("the model has no parameter `{}`", line.ours);
            let near: Vec<String> = near(&line.ours, paths).into_iter().map(|path| format!("`{path}`")).collect();
            let error = wrong(&line.at, message, "matches nothing", false);
            return Err(if near.is_empty() { error } else { error.help(format!("the nearest: {}", near.join(", "))) });
        }
    }
    Ok(all)
}

/// The first names of a file.
fn some(given: &Params) -> String {
    let named: Vec<String> = given.keys().take(5).map(|name| format!("`{name}`")).collect();
    let more = given.len().saturating_sub(named.len());
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}

/// What a tensor is called here by a line, if that speaks of it: each `*` of ours is what the `*` of theirs stands for.
fn called(line: &Line, theirs: &str) -> Option<String> {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (line.theirs.split('.').collect(), theirs.split('.').collect());
    let same = pattern.len() == path.len() && pattern.iter().zip(&path).all(|(one, two)| *one == "*" || one == two);
    let mut filled = pattern.iter().zip(&path).filter(|(part, _)| **part == "*").map(|(_, own)| *own);
    let ours: Vec<&str> =
        line.ours.split('.').map(|part| if part == "*" { filled.next().unwrap_or(part) } else { part }).collect();
    same.then(|| ours.join("."))
}

fn transposed(tensor: &Tensor) -> Option<Tensor> {
    let [rows, columns] = tensor.shape[..] else { return None };
    let values =
        (0..columns).flat_map(|column| (0..rows).map(move |row| tensor.values[row * columns + column])).collect();
    Some(Tensor { shape: vec![columns, rows], values })
}

/// The lines of a file.
fn lines(path: &Path, named: Span, call: Span) -> Result<Vec<Line>, Diagnostic> {
    let bytes = io::read(path).map_err(|wrong| wrong.label(named, "asked for here"))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let at = Place::File { line: number + 1, path: path.display().to_string(), call };
        let Some((theirs, ours)) = line.split_once('=') else {
            let message = format!("expected `their.name = our.path`, found `{line}`");
            return Err(wrong(&at, message, "", false)
                .help("a table of names has lines `their.name = our.path`, and `#` before remarks"));
        };
        let (theirs, ours) = (theirs.trim().to_string(), ours.trim());
        let (ours, transposed) = match ours.strip_suffix(" transposed") {
            Some(ours) => (ours.trim(), true),
            None => (ours, false),
        };
        all.push(Line { theirs, ours: ours.to_string(), transposed, at });
    }
    Ok(all)
}

fn wrong(at: &Place, message: String, label: &str, of_theirs: bool) -> Diagnostic {
    match at {
        Place::Text { theirs, ours } => {
            Diagnostic::error("E0249", message, if of_theirs { *theirs } else { *ours }, label)
        }
        Place::File { line, path, call } => {
            let labels = vec![Label { span: *call, text: "asked for here".to_string() }];
            let message = format!("line {line} of `{path}`: {message}");
            Diagnostic { code: "E0249", severity: Severity::Error, message, labels, help: None }
        }
    }
}

/// The same with another place in the program.
fn also(error: Diagnostic, first: &Place) -> Diagnostic {
    match first {
        Place::Text { ours, .. } => error.label(*ours, "the first"),
        Place::File { .. } => error,
    }
}
