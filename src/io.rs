//! The one door to files: everything that reads or writes one does it through these functions.

use std::cell::Cell;
use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{SourceId, Sources, Span};

/// The code of a file or folder that cannot be read: the program asks for what is wrong or missing.
pub const UNREADABLE: &str = "E0331";
/// The code of a file or folder that cannot be written: a full disk, a folder of somebody else's.
pub const UNWRITABLE: &str = "E0332";

/// What the system says about a path, as a diagnostic without a place. Who knows where a program names the file adds it.
pub fn failure(code: &'static str, attempt: &str, path: &Path, cause: &Error) -> Diagnostic {
    let cause = match cause.kind() {
        ErrorKind::NotFound if code == UNWRITABLE => "its folder does not exist".to_string(),
        ErrorKind::NotFound => "it does not exist".to_string(),
        ErrorKind::PermissionDenied => "permission denied".to_string(),
        ErrorKind::IsADirectory => "it is a folder".to_string(),
        ErrorKind::NotADirectory => "a part of its path is no folder".to_string(),
        ErrorKind::AlreadyExists => "it is there already, and is no folder".to_string(),
        ErrorKind::StorageFull => "the disk is full".to_string(),
        ErrorKind::OutOfMemory => "there is not enough memory for it".to_string(),
        ErrorKind::ReadOnlyFilesystem => "the disk is read-only".to_string(),
        _ => cause.to_string(),
    };
    in_words(code, attempt, path, &cause)
}

fn in_words(code: &'static str, attempt: &str, path: &Path, cause: &str) -> Diagnostic {
    let message = format!("cannot {attempt} `{}`: {cause}", path.display());
    Diagnostic { code, severity: Severity::Error, message, labels: Vec::new(), help: None }
}

/// The most bytes of a source text. Model files are a few kilobytes; what is larger than this is some other file.
pub const SOURCE: u64 = 16 << 20;

/// So much is read between two looks at whether reading shall go on.
const PIECE: u64 = 8 << 20;

/// The whole of a file, which may be as large as the machine can hold.
pub fn read(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    read_at_most(path, u64::MAX, &|| true)
}

/// The whole of a file of at most so many bytes, and of at most half of the machine's memory: what a file says is made
/// beside its bytes. Only files are opened: pipes, sockets and devices may wait for ever, or never end.
pub fn read_at_most(path: &Path, most: u64, goes_on: &dyn Fn() -> bool) -> Result<Vec<u8>, Diagnostic> {
    let failed = |cause: Error| failure(UNREADABLE, "read", path, &cause);
    let known = fs::metadata(path).map_err(failed)?;
    if let Some((what, help)) = no_file(known.file_type()) {
        let wrong = in_words(UNREADABLE, "read", path, what);
        return Err(help.map_or(wrong.clone(), |help| wrong.help(help)));
    }
    let half = memory().map_or(u64::MAX, |all| all / 2);
    let bound = most.min(half);
    let too_large = || {
        let whose = if most <= half { "the most that is read of such a file" } else { "half of this machine's memory" };
        let (count, unit) = if bound < 1 << 30 { (bound >> 20, "MiB") } else { (bound.div_ceil(1 << 30), "GiB") };
        in_words(UNREADABLE, "read", path, &format!("it is larger than {count} {unit}, {whose}"))
    };
    if known.len() > bound {
        return Err(too_large());
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(known.len() as usize).map_err(|_| failed(ErrorKind::OutOfMemory.into()))?;
    loop {
        if !goes_on() {
            return Err(in_words(UNREADABLE, "read", path, "interrupted"));
        }
        // It may be longer than it says: what the system makes up has no length.
        if (&mut file).take(PIECE).read_to_end(&mut bytes).map_err(failed)? == 0 {
            return Ok(bytes);
        }
        if bytes.len() as u64 > bound {
            return Err(too_large());
        }
    }
}

/// What is at a path that is no file, and what to do about it.
fn no_file(kind: FileType) -> Option<(&'static str, Option<&'static str>)> {
    if kind.is_dir() {
        return Some(("it is a folder", None));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some(("it is a named pipe", Some("write what it gives into a file, and name that")));
        }
        if kind.is_socket() {
            return Some(("it is a socket", Some("name a file")));
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some(("it is a device", Some("name a file")));
        }
    }
    None
}

/// A file as a source text. What is no text is drawn where it ends.
pub fn read_text(sources: &mut Sources, path: &Path) -> Result<SourceId, Diagnostic> {
    let bytes = read_at_most(path, SOURCE, &|| true)?;
    as_text(sources, path, bytes)
}

/// Bytes as a source text of a name.
pub fn as_text(sources: &mut Sources, name: &Path, bytes: Vec<u8>) -> Result<SourceId, Diagnostic> {
    let name = name.display().to_string();
    String::from_utf8(bytes).map(|text| sources.add(name.clone(), text)).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let span = Span::new(sources.add(name, text), valid, valid);
        let wrong = Diagnostic::error("E0106", "the file is not UTF-8 text", span, "what follows is no character");
        wrong.help("save it as UTF-8")
    })
}

/// Files as they are named, and of a folder those in it that end so, those of folders in it too, in the order of their names. A
/// folder without any is named itself, so that whoever reads it says so.
pub fn files_in(paths: &[PathBuf], ending: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        let before = all.len();
        let mut open = if path.is_dir() { vec![path.clone()] } else { Vec::new() };
        while let Some(folder) = open.pop() {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            for entry in entries {
                let hidden = entry.file_name().to_string_lossy().starts_with('.');
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && !hidden => open.push(entry.path()),
                    Ok(kind) if kind.is_file() && entry.path().extension().is_some_and(|own| own == ending) => {
                        all.push(entry.path());
                    }
                    Ok(_) | Err(_) => {}
                }
            }
        }
        if all.len() == before {
            all.push(path.clone());
        }
        all[before..].sort();
    }
    all
}

/// Whether there is something at a path.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Whether a file that is there has something in it; a folder has.
pub fn holds_something(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_dir() || found.len() > 0)
}

/// Whether two paths lead to one file, by whatever names, links or ways.
pub fn same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(one), Ok(other)) => identity(a, &one) == identity(b, &other),
        _ => false,
    }
}

/// What no other file has: its number on its disk.
#[cfg(unix)]
fn identity(_: &Path, found: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn identity(path: &Path, _: &fs::Metadata) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// The folders in a folder, in the order of their names; none where there is no such folder.
pub fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

/// When a file was written last; what the system does not know was long ago.
pub fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|known| known.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Creates a folder with the folders above it; that it is there already is no failure.
pub fn create_folder(path: &Path) -> Result<(), Diagnostic> {
    fs::create_dir_all(path).map_err(|cause| failure(UNWRITABLE, "create", path, &cause))
}

/// Creates a folder that must be new; `false` if something is there already.
pub fn create_new_folder(path: &Path) -> Result<bool, Diagnostic> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(cause) => Err(failure(UNWRITABLE, "create", path, &cause)),
    }
}

/// Creates a folder of a new name among the system's temporary files.
pub fn create_temporary_folder(prefix: &str) -> Result<PathBuf, Diagnostic> {
    let above = std::env::temp_dir();
    let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(&above);
    folder.map(tempfile::TempDir::keep).map_err(|cause| failure(UNWRITABLE, "create a folder in", &above, &cause))
}

/// Removes a file or an empty folder, if it is there.
pub fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
}

/// Whether there is a file at a path that begins with other bytes than these. An empty one begins with nothing else, and
/// neither does a pipe or a device.
pub fn begins_otherwise(path: &Path, bytes: &[u8]) -> bool {
    let Ok(found) = fs::metadata(path) else { return false };
    if !found.is_file() || found.len() == 0 {
        return false;
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes.len() as u64).read_to_end(&mut start));
    read.is_err() || start != bytes
}

/// What files are called while they are written.
const SIDE: &str = ".writing-";

/// Removes the files of a folder whose writing was cut short, when nobody else writes there.
pub fn remove_unfinished(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(SIDE) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A folder that this process alone writes to. The system lets go of it when the process ends, however it ends.
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes a folder; `None` if another process has it, or this one.
    pub fn take(folder: &Path) -> Result<Option<Lock>, Diagnostic> {
        let path = folder.join(".lock");
        let unwritable = |cause: &Error| failure(UNWRITABLE, "write", &path, cause);
        loop {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(|cause| unwritable(&cause))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                // A disk without locks, as some of a network are.
                Err(TryLockError::Error(cause)) if cause.kind() == ErrorKind::Unsupported => {}
                Err(TryLockError::Error(cause)) => return Err(unwritable(&cause)),
            }
            let lock = Lock { path: path.clone(), file };
            // Who had it before may have removed the file in between.
            if lock.is_there() {
                return Ok(Some(lock));
            }
        }
    }

    /// Whether the file under the name is still the one that is locked.
    fn is_there(&self) -> bool {
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(own), Ok(there)) => identity(&self.path, &own) == identity(&self.path, &there),
            _ => false,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

thread_local! {
    static ROOM: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Does something on a disk with room for so many bytes more, as far as this thread is concerned: how tests fill a disk.
pub fn with_room<T>(bytes: usize, what: impl FnOnce() -> T) -> T {
    let before = ROOM.replace(Some(bytes));
    let done = what();
    ROOM.set(before);
    done
}

/// All bytes that go to a file go through here.
fn put(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    let Some(room) = ROOM.get() else { return file.write_all(bytes) };
    let fitting = bytes.len().min(room);
    ROOM.set(Some(room - fitting));
    file.write_all(&bytes[..fitting])?;
    if fitting < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
}

/// Writes a whole file: to the side, synced, then renamed, so that readers see the old bytes or the new ones. Of a link,
/// what it leads to is written. A device, a pipe or a stream of this process takes the bytes as they come.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    write_pieces(path, &|put| put(bytes))
}

/// Takes the next bytes of a file.
pub type Put<'p> = &'p mut dyn FnMut(&[u8]) -> std::io::Result<()>;

/// The same for bytes that are not all in memory at once: each piece is handed on in its turn.
pub fn write_pieces(path: &Path, pieces: &dyn Fn(Put) -> std::io::Result<()>) -> Result<(), Diagnostic> {
    let written = match fs::metadata(path) {
        Ok(found) if is_stream(path, &found) => {
            let file = OpenOptions::new().append(true).open(path);
            file.and_then(|mut file| pieces(&mut |bytes| put(&mut file, bytes)))
        }
        Ok(_) => path.canonicalize().and_then(|path| replace(&path, pieces)),
        Err(_) => replace(path, pieces),
    };
    written.map_err(|cause| failure(UNWRITABLE, "write", path, &cause))
}

/// Whether what is written to a path goes on from there. `/dev/stdout` may lead to a file, and not be the file.
fn is_stream(path: &Path, found: &fs::Metadata) -> bool {
    (!found.is_file() && !found.is_dir()) || (path.starts_with("/dev") && path.is_symlink())
}

fn replace(path: &Path, pieces: &dyn Fn(Put) -> std::io::Result<()>) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut side = tempfile::Builder::new();
    side.prefix(SIDE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        side.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut side = side.tempfile_in(folder)?;
    pieces(&mut |bytes| put(side.as_file_mut(), bytes))?;
    side.as_file().sync_all()?;
    side.persist(path).map_err(|failed| failed.error)?;
    // The new name outlasts a power failure once its folder is on the disk as well, where the system allows that.
    #[cfg(unix)]
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A file that grows by whole lines, each handed to the system when [`Log::line`] returns.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Starts a file anew.
    pub fn new(path: &Path) -> Result<Log, Diagnostic> {
        File::create(path)
            .map(|file| Log { path: path.to_path_buf(), file })
            .map_err(|cause| failure(UNWRITABLE, "write", path, &cause))
    }

    /// Appends one line; the text has no line break of its own.
    pub fn line(&mut self, text: &str) -> Result<(), Diagnostic> {
        let line = format!("{text}\n");
        put(&mut self.file, line.as_bytes()).map_err(|cause| failure(UNWRITABLE, "write", &self.path, &cause))
    }
}

/// The folder for what this program keeps between its runs, created where it is not there. `None` where it cannot be.
pub fn state_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    let folder = state.join("mlx");
    create_folder(&folder).ok().map(|()| folder)
}

/// The most memory that this process has held, in bytes; 0 where the system does not say.
pub fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes * 1024)
}

/// The memory of the machine, in bytes; `None` where the system does not say.
pub fn memory() -> Option<u64> {
    let known = fs::read_to_string("/proc/meminfo").ok()?;
    let line = known.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The caches of data of a processor, the first one first: bytes, and how many processors share it. None where the system does not
/// say.
pub fn caches() -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    for at in 0.. {
        let read = |what: &str| {
            let text = fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{at}/{what}"));
            text.ok().map(|text| text.trim().to_string())
        };
        let Some(kind) = read("type") else { break };
        let bytes = read("size").and_then(|size| size.strip_suffix('K')?.parse::<u64>().ok());
        if let (true, Some(kilobytes)) = (kind != "Instruction", bytes) {
            // Bits of a mask, in groups that commas part.
            let shared = read("shared_cpu_map").unwrap_or_default();
            let bits = shared.chars().filter_map(|sign| sign.to_digit(16)).map(u32::count_ones).sum::<u32>();
            found.push((kilobytes << 10, u64::from(bits.max(1))));
        }
    }
    found
}

/// Whether whoever started this process had it ignore a signal; `false` where the system does not say.
pub fn ignores(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok()).unwrap_or(0);
    ignored >> (signal - 1) & 1 == 1
}
