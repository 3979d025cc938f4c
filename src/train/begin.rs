//! Weights that models begin from: those of an earlier run of another `train` block, or of a file.

use crate::backend::Tensor;
use crate::check::paths::{matches, near};
use crate::check::program::{From, TypedProgram};
use crate::diagnostic::Diagnostic;
use crate::io;
use crate::lower::program::Program;
use crate::run::params::Params;
use crate::source::Span;
use crate::train::folder::BEST;
use crate::train::identity::Identity;
use crate::train::record::{self, checksum};
use crate::train::weights::{self, Weights};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the models of a program begin from.
#[derive(Debug, Default)]
pub struct Begin {
    /// By the paths of the program.
    pub weights: Params,
    /// Fitted values that come along, by name.
    pub fits: BTreeMap<String, Tensor>,
    /// The SHA-256 of each file, by the name before the paths of the model.
    pub hashes: BTreeMap<String, String>,
}

/// Reads what the models of a program begin from. `folders` are the runs that the command line names for blocks.
pub fn begin(
    program: &TypedProgram,
    lowered: &Program,
    file: &Path,
    runs: &Path,
    folders: &BTreeMap<String, PathBuf>,
) -> Result<Begin, Diagnostic> {
    let mut all = Begin::default();
    for (root, from) in &program.begun {
        let path = match (&from.block, &from.file) {
            (Some(block), _) => match folders.get(block) {
                Some(folder) => folder.join(BEST),
                None => newest(runs, file, block, from.span)?.join(BEST),
            },
            (None, named) => file.parent().unwrap_or(Path::new("")).join(named.as_deref().unwrap_or_default()),
        };
        let bytes = io::read(&path).map_err(|wrong| wrong.label(from.span, "asked for here"))?;
        all.hashes.insert(root.clone(), checksum(&bytes));
        let shown = path.display().to_string();
        let weights = weights::from_bytes(&shown, &bytes, Some(from.span))?;
        let renamed = match &from.names {
            Some(names) => renamed(&weights, &file.parent().unwrap_or(Path::new("")).join(names), from.span)?,
            None => weights.tensors.clone(),
        };
        taken(root, from, &shown, &renamed, program, lowered, &mut all.weights)?;
        let fitted = Identity::from_json(&weights.meta).fits;
        let own =
            |(name, _): &(String, Tensor)| program.data.fits.iter().any(|fit| fit.whole.is_none() && fit.name == *name);
        all.fits.extend(fitted.into_iter().filter(own));
    }
    Ok(all)
}

/// The tensors of one model, each of which must be there with its shape, but for those that start fresh.
fn taken(
    root: &str,
    from: &From,
    shown: &str,
    given: &Params,
    program: &TypedProgram,
    lowered: &Program,
    into: &mut Params,
) -> Result<(), Diagnostic> {
    let within = |path: &str| match root {
        "" => program.is_of_model(path).then(|| path.to_string()),
        root => path.strip_prefix(root).and_then(|rest| rest.strip_prefix('.')).map(str::to_string),
    };
    let own: Vec<(String, &crate::lower::program::Param)> =
        lowered.params.iter().filter_map(|param| Some((within(&param.path)?, param))).collect();
    let paths: Vec<String> = own.iter().map(|(path, _)| path.clone()).collect();
    for (pattern, span) in &from.except {
        if !paths.iter().any(|path| matches(pattern, path)) {
            let nearest: Vec<String> = near(pattern, &paths).into_iter().map(|path| format!("`{path}`")).collect();
            let message = format!("no parameter has a path like `{pattern}`");
            let error = Diagnostic::error("E0242", message, *span, "`except` takes no parameter");
            return Err(error.help(format!("the nearest: {}", nearest.join(", "))));
        }
    }
    let mut wrong = Vec::new();
    for (path, param) in own {
        if from.except.iter().any(|(pattern, _)| matches(pattern, &path)) {
            continue;
        }
        let named = if root.is_empty() { path.clone() } else { format!("{root}.{path}") };
        match given.get(&path).or_else(|| given.get(&named)) {
            None => wrong.push(format!("missing: `{path}` {:?}", param.shape)),
            Some(tensor) if tensor.shape != param.shape => {
                let there = &tensor.shape;
                wrong.push(format!("another shape: `{path}` is {there:?} in the file, {:?} in the model", param.shape));
            }
            Some(tensor) => drop(into.insert(param.path.clone(), tensor.clone())),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("the weights in `{shown}` do not fit the model\n  {}", wrong.join("\n  "));
    let error = Diagnostic::error("E0323", message, from.span, "asked for here");
    Err(error.help("what shall start fresh is named by its paths: `from … except \"head.**\"`"))
}

/// Tensors under the names that a table gives them: a line for each, `theirs = ours`.
fn renamed(weights: &Weights, table: &Path, call: Span) -> Result<Params, Diagnostic> {
    let bytes = io::read(table).map_err(|wrong| wrong.label(call, "asked for here"))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut all = Params::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |what: String| {
            let message = format!("line {} of `{}`: {what}", number + 1, table.display());
            Diagnostic::error("E0249", message, call, "asked for here")
                .help("a table of names has lines `their.name = our.path`, and `#` before remarks")
        };
        let Some((theirs, ours)) = line.split_once('=') else {
            return Err(wrong(format!("expected `their.name = our.path`, found `{line}`")));
        };
        let (theirs, ours) = (theirs.trim(), ours.trim());
        let Some(tensor) = weights.tensors.get(theirs) else {
            return Err(wrong(format!("the file has no tensor `{theirs}`")));
        };
        if all.insert(ours.to_string(), tensor.clone()).is_some() {
            return Err(wrong(format!("`{ours}` has two names")));
        }
    }
    Ok(all)
}

/// The newest finished run of a block of a file under a folder.
fn newest(runs: &Path, file: &Path, block: &str, call: Span) -> Result<PathBuf, Diagnostic> {
    let own = |folder: &PathBuf| {
        let record = record::read(folder).ok()?;
        let ended = matches!(record.reason.as_str(), "done" | "stopped");
        let same = Path::new(&record.file).file_name() == file.file_name();
        (ended && same && record.train == block).then(|| io::modified(&folder.join(record::RECORD)))
    };
    let found = io::folders(runs).into_iter().filter_map(|folder| Some((own(&folder)?, folder))).max();
    found.map(|(_, folder)| folder).ok_or_else(|| {
        let message = format!("`{block}` has no finished run under `{}`", runs.display());
        let help = format!("run `mlx train {} {block}` first, or name a run: `--from {block}=DIR`", file.display());
        Diagnostic::error("E0248", message, call, "its weights are wanted here").help(help)
    })
}
