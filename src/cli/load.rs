//! What every command on a file begins with: read it, check it, say what is wrong.

use super::{FAILED, MISUSED, WRONG, colour};
use crate::check::program::{Sweep, TypedProgram};
use crate::check::settings;
use crate::compile::{self, Checked};
use crate::diagnostic::{Diagnostic, Severity, draw, harmless, plain};
use crate::io;
use crate::lower::program::Program as Lowered;
use crate::run::dataset::Files;
use crate::run::known::Remembered;
use crate::run::memory;
use crate::source::{SourceId, Sources};
use crate::train::identity::Identity;
use crate::train::record::checksum;
use crate::train::weights::{self, Weights};
use std::collections::BTreeMap;
use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
use std::io::Write;
use std::path::Path;

/// A file, checked, with the data that it names.
pub struct Loaded {
    pub sources: Sources,
    /// The file itself among them.
    pub source: SourceId,
    pub files: Files,
    pub checked: Checked,
    /// The file as the command line names it.
    pub name: String,
    /// SHA-256 of its text, and of those of the files that it uses.
    pub hash: String,
}

/// Reads and checks a file. The error is the exit status: diagnostics are printed already.
pub fn load(path: &Path, sets: &[String]) -> Result<Loaded, u8> {
    read(path, Files::beside(path), |sources, source, files| compile::check(sources, source, files, sets))
}

/// Reads a file and has it checked in some way, given its data.
fn read(
    path: &Path,
    mut files: Files,
    check: impl FnOnce(&mut Sources, SourceId, &mut Files) -> Result<Checked, String>,
) -> Result<Loaded, u8> {
    let mut sources = Sources::default();
    let name = path.display().to_string();
    let (checked, hash, source) = match io::read_text(&mut sources, path) {
        Err(wrong) => {
            let source = sources.add(name.clone(), String::new());
            (Checked::unread(wrong), String::new(), source)
        }
        Ok(source) => {
            let checked = check(&mut sources, source, &mut files).map_err(|message| {
                complain(&message);
                MISUSED
            })?;
            let own = std::iter::once(source);
            // What the program is, all its files say.
            let texts: Vec<&[u8]> = own
                .chain(checked.used.iter().map(|used| used.source))
                .map(|source| sources.get(source).text.as_bytes())
                .collect();
            let hash = checksum(&texts.concat());
            (checked, hash, source)
        }
    };
    Ok(Loaded { sources, source, files, checked, name, hash })
}

/// The program that a command is about: the named one, or the only one. What is wrong is drawn on standard error; the
/// error is the exit status.
pub fn program(loaded: &mut Loaded, name: Option<&str>) -> Result<TypedProgram, u8> {
    show_all(&loaded.checked.found, &loaded.sources);
    if loaded.checked.found.iter().any(|found| found.severity == Severity::Error) {
        return Err(WRONG);
    }
    let Checked { programs, trains, .. } = &loaded.checked;
    let at = match (name, programs.len()) {
        (Some(name), _) => programs.iter().position(|program| program.name == name).ok_or_else(|| {
            complain(&format!("cannot find `train` block `{name}`; there are: {}", trains.join(", ")));
            MISUSED
        })?,
        (None, 1) => 0,
        (None, 0) => {
            complain(&format!("`{}` has no `train` block; `mlx new NAME` writes a file with one", loaded.name));
            return Err(WRONG);
        }
        (None, _) => {
            complain(&format!("which `train` block? name one of: {}", trains.join(", ")));
            return Err(MISUSED);
        }
    };
    Ok(loaded.checked.programs.swap_remove(at))
}

/// The sweep that a command is about: the named one, or the only one. What is wrong is drawn on standard error; the error is
/// the exit status.
pub fn swept(loaded: &mut Loaded, name: Option<&str>) -> Result<Sweep, u8> {
    show_all(&loaded.checked.found, &loaded.sources);
    if loaded.checked.found.iter().any(|found| found.severity == Severity::Error) {
        return Err(WRONG);
    }
    let sweeps = &mut loaded.checked.sweeps;
    let names: Vec<&str> = sweeps.iter().map(|sweep| sweep.name.as_str()).collect();
    let at = match (name, &names[..]) {
        (None, [_]) => 0,
        (_, []) => {
            complain(&format!("`{}` has no `sweep` block", loaded.name));
            return Err(WRONG);
        }
        (Some(name), _) => match names.iter().position(|known| *known == name) {
            Some(at) => at,
            None => {
                complain(&format!("cannot find `sweep` block `{name}`; there are: {}", names.join(", ")));
                return Err(MISUSED);
            }
        },
        (None, _) => {
            complain(&format!("which `sweep` block? name one of: {}", names.join(", ")));
            return Err(MISUSED);
        }
    };
    Ok(sweeps.swap_remove(at))
}

/// The graph of a checked program, which fits into the machine.
pub fn lowered(program: &TypedProgram) -> Result<Lowered, u8> {
    lowered_for(program, &program.data.sets.iter().map(|set| set.rows).collect::<Vec<_>>())
}

/// The same for so many rows.
fn lowered_for(program: &TypedProgram, rows: &[[usize; 3]]) -> Result<Lowered, u8> {
    let lowered = compile::lower(program).map_err(|broken| {
        complain(&format!("this is a mistake of mlx itself, please report it: {broken}"));
        FAILED
    })?;
    memory::refuse(program, &lowered, rows).map_err(|message| {
        complain(&message);
        WRONG
    })?;
    Ok(lowered)
}

/// A file with the weights of one of its runs.
pub struct Trained {
    pub loaded: Loaded,
    pub program: TypedProgram,
    pub lowered: Lowered,
    pub weights: Weights,
    pub identity: Identity,
}

/// The rows that a command applies weights to.
#[derive(Clone, Copy, PartialEq)]
pub enum Rows {
    /// Those of the file's data.
    Own,
    /// New ones, for which the data need not be there: the weights know what they must of it.
    New,
}

/// Loads the block of a file that a command is about, with weights. Hyperparameters are those of the weights, and the
/// command line's over them.
pub fn trained(file: &Path, name: Option<&str>, weights: &Path, sets: &[String], rows: Rows) -> Result<Trained, u8> {
    let path = weights.display().to_string();
    let weights = weights_of(weights)?;
    let identity = Identity::from_json(&weights.meta);
    of_another_program(file, &path, &identity)?;
    let sets = [identity.sets(), sets.to_vec()].concat();
    let own = || {
        let files = Files::of_weights(file, &identity.classes);
        read(file, files, |sources, source, files| compile::check_block(sources, source, files, &sets, name))
    };
    let mut loaded = match (rows, &identity.data) {
        (Rows::New, Some(data)) => {
            let folder = file.parent().unwrap_or(Path::new(""));
            let mut remembered = Remembered { data, classes: &identity.classes, folder };
            let loaded = read(file, Files::beside(file), |sources, source, _| {
                compile::check_block(sources, source, &mut remembered, &sets, name)
            })?;
            // What the weights do not know, of a file that has changed, its data may.
            let wrong = loaded.checked.found.iter().any(|found| found.severity == Severity::Error);
            if wrong && loaded.hash != identity.source { own()? } else { loaded }
        }
        (Rows::New, None) | (Rows::Own, _) => own()?,
    };
    let program = program(&mut loaded, name)?;
    let lowered = match rows {
        Rows::Own => lowered(&program)?,
        Rows::New => lowered_for(&program, &vec![[0; 3]; program.data.sets.len()])?,
    };
    if !identity.source.is_empty() && identity.source != loaded.hash {
        show(&changed(&loaded.name, &path, "what they are applied to may mean something else"), &loaded.sources);
    }
    weights::fits(&path, &weights, &wanted(&lowered, &weights), None).map_err(|wrong| {
        show(&wrong, &loaded.sources);
        WRONG
    })?;
    let late = lowered.calibrated.iter().map(|own| &lowered.params[own.param].path);
    let lacking: Vec<String> =
        late.filter(|path| !weights.tensors.contains_key(*path)).map(|path| format!("`{path}`")).collect();
    if !lacking.is_empty() {
        let message = format!(
            "the weights in `{path}` are of a run that was not over, and lack what is calibrated: {}",
            lacking.join(", ")
        );
        let help = Some("train to the end, or take the weights of a run that ended".to_string());
        show(
            &Diagnostic { code: "E0375", severity: Severity::Error, message, labels: Vec::new(), help },
            &loaded.sources,
        );
        return Err(WRONG);
    }
    Ok(Trained { loaded, program, lowered, weights, identity })
}

/// The tensors that a weight file has for a program, with their shapes. What is calibrated is there once a run is over.
pub fn wanted(lowered: &Lowered, weights: &Weights) -> BTreeMap<String, Vec<usize>> {
    let late = |at: usize| lowered.calibrated.iter().any(|own| own.param == at);
    let params = lowered.params.iter().enumerate();
    let params = params.filter(|(at, param)| !late(*at) || weights.tensors.contains_key(&param.path));
    params.map(|(_, param)| (param.path.clone(), param.shape.clone())).collect()
}

/// The weights of a file. Those that are not finite are warned of.
pub fn weights_of(path: &Path) -> Result<Weights, u8> {
    let name = path.display().to_string();
    let nothing = Sources::default();
    let read = io::read(path).and_then(|bytes| weights::from_bytes(&name, &bytes, None));
    let weights = read.map_err(|wrong| {
        show(&wrong, &nothing);
        WRONG
    })?;
    weights::not_finite(&name, &weights.lying()).iter().for_each(|warning| show(warning, &nothing));
    Ok(weights)
}

/// The warning of a file that is not what it was when weights were trained.
pub fn changed(file: &str, weights: &str, so: &str) -> Diagnostic {
    let message = format!("`{file}` has changed since the weights in `{weights}` were trained: {so}");
    Diagnostic { code: "W0322", severity: Severity::Warning, message, labels: Vec::new(), help: None }
}

/// Weights whose settings the file does not have are those of another program.
fn of_another_program(file: &Path, weights: &str, identity: &Identity) -> Result<(), u8> {
    let mut sources = Sources::default();
    // Mistakes in the file are reported when it is loaded.
    let Ok(source) = io::read_text(&mut sources, file) else { return Ok(()) };
    let tree = compile::gathered(&mut sources, source, &mut Files::beside(file)).file;
    for set in identity.sets() {
        if settings::parse(&tree.items, &set).is_err() {
            let setting = set.split('=').next().unwrap_or_default();
            complain(&format!(
                "the weights in `{weights}` are of another program: they were trained with a `let {setting}` that `{}` lacks",
                file.display()
            ));
            return Err(WRONG);
        }
    }
    Ok(())
}

/// How many diagnostics of a file are drawn; a drawing reads the whole text. Of the others a line is shown for each place.
const MOST_DRAWN: usize = 100;

/// What was found in a file, on standard error.
pub fn show_all(found: &[Diagnostic], sources: &Sources) {
    let (drawn, listed) = found.split_at(found.len().min(MOST_DRAWN));
    drawn.iter().for_each(|diagnostic| show(diagnostic, sources));
    for diagnostic in listed {
        let _ = write!(std::io::stderr(), "{}", harmless(&plain(diagnostic, sources)));
    }
}

/// Draws a diagnostic on standard error.
pub fn show(diagnostic: &Diagnostic, sources: &Sources) {
    // Nobody may be reading; that is no mistake of the file's.
    let _ = write!(std::io::stderr(), "{}", draw(diagnostic, sources, colour::wanted()));
}

/// Results to standard output. That nobody reads them (`| head`, a terminal that is gone) is no failure; that they are
/// lost on a full disk is.
pub fn print(text: &str) -> Result<(), u8> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if matches!(cause.kind(), StorageFull | QuotaExceeded | FileTooLarge) => {
            show(&io::failure(io::UNWRITABLE, "write", Path::new("standard output"), &cause), &Sources::default());
            Err(FAILED)
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// One line on standard error.
pub fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "error: {message}");
}
