//! Where the weights of a run are written: into its folder, or where there is room for them.

use crate::diagnostic::Diagnostic;
use crate::io;
use crate::train::folder::{BEST, LAST};
use crate::train::record;
use crate::train::weights::{self, Lying, Pieces};
use std::path::{Path, PathBuf};

/// Where the last weights are.
pub enum Saved {
    /// In the folder of the run.
    There(PathBuf),
    /// That could not be written: they are among the system's temporary files.
    Elsewhere(PathBuf),
    /// Those could not be written either.
    Nowhere(Diagnostic),
}

impl Saved {
    pub fn path(&self) -> Option<&Path> {
        match self {
            Saved::There(path) | Saved::Elsewhere(path) => Some(path),
            Saved::Nowhere(_) => None,
        }
    }
}

/// Leaves the last weights in the folder of a run, or where there is room for them. What goes wrong is told.
pub fn save(
    folder: &Path,
    train: &str,
    weights: &Lying,
    kept: Option<&Lying>,
    told: &mut dyn FnMut(Diagnostic),
) -> Saved {
    match write_last(folder, weights) {
        Ok(pieces) => {
            let best = match kept {
                Some(kept) => write_best(folder, kept),
                // Where no file says what to keep, the best weights are the last.
                None => io::write_pieces(&folder.join(BEST), &|put| pieces.each(put)),
            };
            let _ = best.map_err(told);
            Saved::There(folder.join(LAST))
        }
        Err(wrong) => {
            told(wrong);
            save_elsewhere(train, weights).map_or_else(Saved::Nowhere, Saved::Elsewhere)
        }
    }
}

/// Weights among the system's temporary files, in a folder of their own.
fn save_elsewhere(train: &str, weights: &Lying) -> Result<PathBuf, Diagnostic> {
    let folder = io::create_temporary_folder(&format!("mlx-{}-", record::plain(train)))?;
    match write_last(&folder, weights) {
        Ok(_) => Ok(folder.join(LAST)),
        Err(wrong) => {
            io::remove(&folder);
            Err(wrong)
        }
    }
}

/// Replaces the last weights of a folder; gives the pieces that were written.
pub fn write_last<'a>(folder: &Path, weights: &Lying<'a>) -> Result<Pieces<'a>, Diagnostic> {
    written(folder.join(LAST), weights)
}

/// Replaces the kept weights of a folder.
pub fn write_best(folder: &Path, weights: &Lying) -> Result<(), Diagnostic> {
    written(folder.join(BEST), weights).map(drop)
}

fn written<'a>(last: PathBuf, weights: &Lying<'a>) -> Result<Pieces<'a>, Diagnostic> {
    let pieces = weights::pieces(weights)
        .map_err(|error| io::failure(io::UNWRITABLE, "write", &last, &std::io::Error::other(error)))?;
    io::write_pieces(&last, &|put| pieces.each(put))?;
    Ok(pieces)
}
