//! `mlx check` through the binary: exit status, drawing, JSON.

use crate::trial;
use libtest_mimic::Trial;
use std::process::{Command, Output};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("check::a_good_file_is_silent", a_good_file_is_silent),
        trial("check::mistakes_are_drawn_and_counted", mistakes_are_drawn_and_counted),
        trial("check::files_that_are_no_text", files_that_are_no_text),
    ]
}

fn check(name: &str, bytes: &[u8], flags: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    let mlx = Command::new(env!("CARGO_BIN_EXE_mlx")).arg("check").args(flags).arg(&path).output();
    mlx.expect("mlx runs")
}

fn a_good_file_is_silent() {
    let output = check("a.mlx", b"let a = 1\n", &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

fn mistakes_are_drawn_and_counted() {
    let text = "let 重み = ^2\nlet b = )\n".as_bytes();
    let drawn = check("a.mlx", text, &[]);
    assert_eq!(drawn.status.code(), Some(1));
    let drawing = String::from_utf8(drawn.stderr).expect("text");
    assert!(drawing.contains("let 重み = ^2") && drawing.contains("a.mlx:2:9"), "{drawing}");
    let json = check("a.mlx", text, &["--json"]);
    let lines = String::from_utf8(json.stdout).expect("text");
    let places: Vec<(u64, u64)> = lines
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).expect("an object");
            (object["line"].as_u64().expect("a line"), object["column"].as_u64().expect("a column"))
        })
        .collect();
    assert_eq!(places, [(1, 10), (2, 9)]);
}

fn files_that_are_no_text() {
    for (bytes, code) in [(&b"let a = 1\xff"[..], "E0106"), (b"\0", "E0104"), (&[b'x'; 2 << 20], "E0103")] {
        let output = check("a.mlx", bytes, &[]);
        assert_eq!(output.status.code(), Some(1));
        let drawing = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(drawing.contains(code) && !drawing.contains("panicked"), "{drawing}");
    }
}
