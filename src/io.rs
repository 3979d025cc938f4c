//! The one door to files: everything that reads or writes one does it through these functions.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that could not be read or written, and what the system says about it.
#[derive(Debug)]
pub struct Failure {
    pub path: PathBuf,
    /// What was tried: `read`, `write`, `create`.
    pub attempt: &'static str,
    pub cause: std::io::Error,
}

impl Failure {
    fn new(attempt: &'static str, path: &Path, cause: std::io::Error) -> Failure {
        Failure { path: path.to_path_buf(), attempt, cause }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let path = self.path.display();
        match self.cause.kind() {
            std::io::ErrorKind::NotFound => write!(out, "cannot {} `{path}`: it does not exist", self.attempt),
            std::io::ErrorKind::PermissionDenied => {
                write!(out, "cannot {} `{path}`: permission denied", self.attempt)
            }
            _ => write!(out, "cannot {} `{path}`: {}", self.attempt, self.cause),
        }
    }
}

impl std::error::Error for Failure {}

/// The whole of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|cause| Failure::new("read", path, cause))
}

/// Whether there is something at a path.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Creates a folder with the folders above it; that it is there already is no failure.
pub fn create_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|cause| Failure::new("create", path, cause))
}

/// Creates a folder that must be new; `false` if something is there already.
pub fn create_new_folder(path: &Path) -> Result<bool, Failure> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(cause) => Err(Failure::new("create", path, cause)),
    }
}

/// Writes a whole file: to the side, synced, then renamed, so that readers see the old bytes or the new ones.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = || -> std::io::Result<()> {
        let mut side = tempfile::Builder::new();
        side.prefix(".writing-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            side.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut side = side.tempfile_in(folder)?;
        side.write_all(bytes)?;
        side.as_file().sync_all()?;
        side.persist(path).map_err(|failed| failed.error)?;
        Ok(())
    };
    written().map_err(|cause| Failure::new("write", path, cause))
}

/// A file that grows by whole lines, each handed to the system when [`Log::line`] returns.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens a file to append to it, and creates it where there is none.
    pub fn open(path: &Path) -> Result<Log, Failure> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map(|file| Log { path: path.to_path_buf(), file }).map_err(|cause| Failure::new("write", path, cause))
    }

    /// Appends one line; the text has no line break of its own.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        let line = format!("{text}\n");
        self.file.write_all(line.as_bytes()).map_err(|cause| Failure::new("write", &self.path, cause))
    }
}
