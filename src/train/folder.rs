//! The folder of a run: one run at a time writes to it, and what another has left there is not lost.

use crate::diagnostic::{Diagnostic, Severity};
use crate::io::{self, Lock};
use crate::train::record;
use std::path::{Path, PathBuf};

pub const LAST: &str = "last.safetensors";
pub const BEST: &str = "best.safetensors";

/// What a run leaves. A folder with one of these in it holds a run, however that ended; one with other files does not.
const LEFT: [&str; 5] = [record::RECORD, record::METRICS, LAST, BEST, "checkpoint"];

/// A folder that a run writes to, until this is dropped.
pub struct Folder {
    pub path: PathBuf,
    _lock: Lock,
}

/// Takes a folder for a run, and creates it if it is not there. One that holds a run is taken only to write over it.
pub fn take(path: &Path, overwrite: bool) -> Result<Folder, Diagnostic> {
    io::create_folder(path)?;
    let shown = path.display();
    let Some(lock) = Lock::take(path)? else {
        let message = format!("another run is writing to the folder `{shown}`");
        return Err(refusal("E0335", message, "wait for its end, or name another folder with `--out`"));
    };
    let held: Vec<String> =
        LEFT.iter().filter(|name| io::holds_something(&path.join(name))).map(|name| format!("`{name}`")).collect();
    if !held.is_empty() && !overwrite {
        let message = format!("the folder `{shown}` holds a run: {}", held.join(", "));
        let help = "name another folder with `--out`, or say `--overwrite` to lose what is there";
        return Err(refusal("E0334", message, help));
    }
    // Those of a run that was killed.
    io::remove_unfinished(path);
    // It would speak of a run that is no longer there. The weights stay until others replace them.
    io::remove(&path.join(record::RECORD));
    Ok(Folder { path: path.to_path_buf(), _lock: lock })
}

fn refusal(code: &'static str, message: String, help: &str) -> Diagnostic {
    Diagnostic { code, severity: Severity::Error, message, labels: Vec::new(), help: Some(help.to_string()) }
}
