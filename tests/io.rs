//! The door to files.

use libtest_mimic::Trial;
use mlx::io;

use crate::binary::mlx;
use crate::trial;
use std::process::Command;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("io::files_are_replaced_whole", files_are_replaced_whole),
        trial("io::a_file_has_many_names", a_file_has_many_names),
        trial("io::failures_say_what", failures_say_what),
        trial("io::what_is_no_file_is_not_opened", what_is_no_file_is_not_opened),
        trial("io::reading_is_bounded", reading_is_bounded),
    ]
}

fn files_are_replaced_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("a/b");
    io::create_folder(&inner).expect("a folder");
    assert!(!io::create_new_folder(&inner).expect("an answer"));
    let file = inner.join("f");
    io::write(&file, b"one").expect("written");
    io::write(&file, b"two").expect("written");
    assert_eq!(io::read(&file).expect("read"), b"two");
    assert_eq!(std::fs::read_dir(&inner).expect("a folder").count(), 1, "nothing is left beside it");
    let mut log = io::Log::new(&inner.join("log")).expect("a log");
    log.line("a").expect("written");
    log.line("b").expect("written");
    assert_eq!(io::read(&inner.join("log")).expect("read"), b"a\nb\n");
}

#[cfg(unix)]
fn a_file_has_many_names() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    io::write(&at("a"), b"one").expect("written");
    std::fs::create_dir(at("b")).expect("a folder");
    symlink("../a", at("b/link")).expect("a link");
    std::fs::hard_link(at("a"), at("hard")).expect("a link");
    io::write(&at("other"), b"one").expect("written");
    for name in ["a", "./a", "b/../a", "b/link", "hard"] {
        assert!(io::same_file(&at("a"), &at(name)), "{name}");
    }
    for name in ["other", "b", "absent"] {
        assert!(!io::same_file(&at("a"), &at(name)), "{name}");
    }
    assert!(!io::same_file(&at("absent"), &at("absent")));
    // A link stays one; what it leads to is written.
    io::write(&at("b/link"), b"two").expect("written");
    assert!(at("b/link").is_symlink() && io::read(&at("a")).expect("read") == b"two");
    // A device stays one.
    symlink("/dev/null", at("null")).expect("a link");
    io::write(&at("null"), b"three").expect("written");
    assert!(std::fs::metadata(at("null")).expect("a device").file_type().is_char_device());
}

#[cfg(not(unix))]
fn a_file_has_many_names() {}

fn failures_say_what() {
    let folder = tempfile::tempdir().expect("a folder");
    let absent = folder.path().join("absent");
    let wrong = io::read(&absent).expect_err("a failure");
    let text = wrong.message;
    assert_eq!(wrong.code, io::UNREADABLE);
    assert!(text.starts_with("cannot read `") && text.ends_with("absent`: it does not exist"), "{text}");
    let wrong = io::write(&absent.join("f"), b"").expect_err("a failure");
    assert!(wrong.code == io::UNWRITABLE && wrong.message.starts_with("cannot write `"), "{wrong:?}");
    let wrong = io::read(folder.path()).expect_err("a failure");
    assert!(wrong.message.ends_with("it is a folder"), "{wrong:?}");
    assert!(io::write(folder.path(), b"").is_err());
}

/// A pipe without a writer, a socket and a device would be waited for, or never end.
fn what_is_no_file_is_not_opened() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo").success());
    #[cfg(unix)]
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket");
    std::fs::create_dir(path("folder")).expect("a folder");
    let program = |source: &str| {
        format!(
            "data d = csv(\"{source}\") {{\n    x = [a]\n    y = b\n    split = holdout(train = 100%)\n}}\n\
             train {{\n    data = d\n    model = dense(1)\n    minimize mse(model(x) |> squeeze, y) using sgd\n    epochs = 1\n}}\n"
        )
    };
    std::fs::write(path("d.csv"), "a,b\n1,2\n").expect("written");
    std::fs::write(path("good.mlx"), program("d.csv")).expect("written");
    for (name, what) in
        [("pipe", "a named pipe"), ("socket", "a socket"), ("folder", "a folder"), ("/dev/zero", "a device")]
    {
        std::fs::write(path("net.mlx"), program(name)).expect("written");
        let attempts: [&[&str]; 6] = [
            &["check", name],
            &["train", name],
            &["check", "net.mlx"],
            &["train", "net.mlx"],
            &["eval", "good.mlx", "--weights", name],
            &["train", "good.mlx", "--init", name],
        ];
        for arguments in attempts {
            let output = mlx(folder.path(), arguments);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let wanted = format!("cannot read `{name}`: it is {what}");
            assert!(output.status.code() == Some(1) && told.contains(&wanted), "{arguments:?}: {told}");
        }
    }
}

/// Files of a size that none has are refused before they are read; what says nothing of its size, while it is.
fn reading_is_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large");
    let file = std::fs::File::create(&path).expect("a file");
    let said = |bytes: u64, most: u64| {
        file.set_len(bytes).expect("a length");
        io::read_at_most(&path, most, &|| true).map(|bytes| bytes.len()).map_err(|wrong| wrong.message)
    };
    assert_eq!(said(2 << 20, 2 << 20), Ok(2 << 20));
    let told = said((2 << 20) + 1, 2 << 20).expect_err("too large");
    assert!(told.ends_with("large`: it is larger than 2 MiB, the most that is read of such a file"), "{told}");
    if io::memory().is_some() {
        let told = said(1 << 43, u64::MAX).expect_err("too large");
        assert!(told.ends_with("half of this machine's memory"), "{told}");
    }
    let stopped = io::read_at_most(&path, u64::MAX, &|| false);
    assert!(stopped.is_err());
    let endless = std::path::Path::new("/proc/self/mem");
    if endless.exists() {
        assert!(io::read_at_most(endless, 1 << 20, &|| true).is_err());
    }
}
