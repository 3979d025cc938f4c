//! `docs/errors.md`: diagnostics as a person sees them, drawn from the programs of `tests/spec/check`.
//! `MLX_BLESS=1 cargo test` writes it.

use crate::binary::repository;
use crate::spec::{self, Section};
use crate::trial;
use libtest_mimic::Trial;
use mlx::diagnostic::draw;
use mlx::source::Sources;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::fs;

/// So many different messages of one code are shown.
const OF_A_CODE: usize = 6;

/// What the catalogue must hold at least.
const LEAST: usize = 90;

pub fn trials() -> Vec<Trial> {
    vec![trial("catalogue::the_diagnostics_are_shown_as_they_are", shown_as_they_are)]
}

fn shown_as_they_are() {
    let path = repository("docs/errors.md");
    let made = catalogue();
    if std::env::var_os("MLX_BLESS").is_some() {
        fs::write(&path, &made).expect("written");
    }
    let kept = fs::read_to_string(path).expect("the catalogue");
    assert!(kept == made, "docs/errors.md is not what the tests show: write it again by `MLX_BLESS=1 cargo test`");
    let count = made.matches("\n```text\n").count();
    assert!(count >= LEAST, "only {count} diagnostics are shown");
}

fn catalogue() -> String {
    let mut by_code: BTreeMap<&'static str, Vec<(String, String)>> = BTreeMap::new();
    let mut seen: HashSet<(&'static str, String)> = HashSet::new();
    for path in spec::files() {
        let text = fs::read_to_string(&path).expect("a spec");
        for section in spec::sections(&text) {
            add(&section, &mut seen, &mut by_code);
        }
    }
    let mut text = String::from(
        "# Diagnostics\n\nWhat the checker says, as it is drawn in a terminal, each with the program that it is said of. `mlx explain CODE`\n\
         has a failing and a mended program of each code. The tests write this page.\n",
    );
    for (code, all) in by_code.into_iter().filter(|(_, all)| !all.is_empty()) {
        writeln!(text, "\n## {code}").expect("a string takes text");
        for (program, drawn) in all {
            write!(text, "\n```mlx\n{program}\n```\n\n```text\n{drawn}\n```\n").expect("a string takes text");
        }
    }
    text
}

fn add(
    section: &Section,
    seen: &mut HashSet<(&'static str, String)>,
    by_code: &mut BTreeMap<&'static str, Vec<(String, String)>>,
) {
    let mut sources = Sources::default();
    let directive = |line: &&str| !matches!(*line, "// advice" | "// plan" | "// params");
    let program = section.program.trim().lines().filter(directive).collect::<Vec<_>>().join("\n");
    let (checked, folder) = spec::checked(&mut sources, &program);
    for found in checked.found {
        let all = by_code.entry(found.code).or_default();
        if all.len() < OF_A_CODE && seen.insert((found.code, shape(&found.message))) {
            let drawn = draw(&found, &sources, false).replace(&format!("{}/", folder.path().display()), "");
            let lines: Vec<&str> = drawn.lines().map(str::trim_end).collect();
            all.push((program.clone(), lines.join("\n").trim_end().to_string()));
        }
    }
}

/// A message without what differs from program to program: names in backquotes and numbers.
fn shape(message: &str) -> String {
    let named: String = message.split('`').step_by(2).collect();
    named.chars().filter(|sign| sign.is_alphabetic() || *sign == ' ').collect()
}
