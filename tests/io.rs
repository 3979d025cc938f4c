//! The door to files.

use libtest_mimic::Trial;
use mlx::io;

use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("io::files_are_replaced_whole", files_are_replaced_whole),
        trial("io::a_file_has_many_names", a_file_has_many_names),
        trial("io::failures_say_what", failures_say_what),
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
