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
use crate::train::{renaming, weights};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the models of a program begin from.
#[derive(Debug, Default)]
pub struct Begin {
    /// By the paths of the program.
    pub weights: Params,
    /// Fitted values that come along, by name.
    pub fits: BTreeMap<String, Tensor>,
    /// Fitted values of columns of other data that are called the same as one of this: the name here, and what is known there.
    pub others: BTreeMap<String, Other>,
    /// The SHA-256 of each file, by the name before the paths of the model.
    pub hashes: BTreeMap<String, String>,
}

/// A fitted value of another data set, and who asks for it.
#[derive(Debug)]
pub struct Other {
    pub name: String,
    pub value: Tensor,
    pub span: Span,
    /// The function that fits the column here.
    pub by: String,
}

impl Begin {
    /// A fitted value that the weights bring. One of the same data comes along.
    fn fitted(
        &mut self,
        program: &TypedProgram,
        from: &From,
        shown: &str,
        name: String,
        value: Tensor,
    ) -> Result<(), Diagnostic> {
        let own = |known: &str| program.data.fits.iter().any(|fit| fit.whole.is_none() && fit.name == known);
        if own(&name) {
            if self.fits.get(&name).is_some_and(|known| *known != value) {
                let message = format!("`{name}` is fitted in two ways by the weights that models begin from");
                let error = Diagnostic::error(
                    "E0377",
                    message,
                    from.span,
                    format!("`{shown}` says one, a `from` before it another"),
                );
                return Err(error.help("train both on the same data, with one split: then what is fitted is the same"));
            }
            self.fits.insert(name, value);
            return Ok(());
        }
        // `a.x.1` of other data, where there is `b.x.1`.
        let rest = name.split_once('.').map_or("", |(_, rest)| rest);
        let here = program.data.sets.iter().map(|set| format!("{}.{rest}", set.name)).filter(|here| own(here));
        for here in here {
            let fit = program.data.fits.iter().find(|fit| fit.name == here);
            let by = fit.and_then(|fit| fit.of.as_ref()).map_or("f", |(_, name)| name).to_string();
            self.others.insert(here, Other { name: name.clone(), value: value.clone(), span: from.span, by });
        }
        Ok(())
    }

    /// What is fitted here and was fitted otherwise where a model comes from: its numbers would mean something else.
    pub fn overlap(&self, fits: &BTreeMap<String, &Tensor>) -> Option<Diagnostic> {
        let differs = |(here, other): &(&String, &Other)| fits.get(*here).is_some_and(|own| **own != other.value);
        let (here, other) = self.others.iter().find(differs)?;
        let column = |name: &str| name.rsplit_once('.').map_or(name, |(column, _)| column).to_string();
        let (mine, theirs) = (column(here), column(&other.name));
        let message = format!("`{mine}` is fitted to other rows than `{theirs}`, which these weights were trained on");
        let error = Diagnostic::error("E0377", message, other.span, "the weights of this");
        let name = mine.rsplit('.').next().unwrap_or(&mine);
        let by = &other.by;
        Some(error.help(format!(
            "have it fitted as that is, `{name} = {by}(…, as = {theirs})`, with that `data` item in this file; a column that means \
             something else is called otherwise than `{name}`"
        )))
    }
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
            Some(names) => {
                let paths: Vec<String> = own(root, program, lowered).into_iter().map(|(path, _)| path).collect();
                renaming::renamed(&weights.tensors, names, (&shown, &paths), (file, from.span))?
            }
            None => weights.tensors.clone(),
        };
        taken(root, from, &shown, &renamed, program, lowered, &mut all.weights)?;
        for (name, value) in Identity::from_json(&weights.meta).fits {
            all.fitted(program, from, &shown, name, value)?;
        }
    }
    Ok(all)
}

/// The parameters of one model, with their paths within it.
fn own<'p>(
    root: &str,
    program: &TypedProgram,
    lowered: &'p Program,
) -> Vec<(String, &'p crate::lower::program::Param)> {
    let within = |path: &str| match root {
        "" => program.is_of_model(path).then(|| path.to_string()),
        root => path.strip_prefix(root).and_then(|rest| rest.strip_prefix('.')).map(str::to_string),
    };
    lowered.params.iter().filter_map(|param| Some((within(&param.path)?, param))).collect()
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
    let own = own(root, program, lowered);
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
