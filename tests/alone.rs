//! What is right in use is right alone: no definition of a program in which nothing is wrong is found wrong without its
//! `train` blocks.

use crate::binary::repository;
use crate::fuzz::{mangled, texts};
use crate::trial;
use libtest_mimic::Trial;
use mlx::check::library::Library;
use mlx::compile;
use mlx::diagnostic::{Diagnostic, Severity};
use mlx::run::dataset::Files;
use mlx::source::Sources;
use mlx::syntax;
use mlx::syntax::tree::{File, ItemKind};
use std::fs;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("alone::what_is_right_in_use_is_right_alone", what_is_right_in_use_is_right_alone),
        trial("alone::mangled_programs_that_are_right_in_use_are_right_alone", mangled_programs),
        trial("alone::many_unused_definitions_are_checked_at_once", many_unused_definitions),
    ]
}

/// The errors of a program, with its `train` blocks and without them.
fn errors(text: &str) -> [String; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    for line in text.lines() {
        if let Some((name, rows)) = line.strip_prefix("// file ").and_then(|rest| rest.split_once(": ")) {
            // What was mangled need not be a name.
            let _ = fs::write(folder.path().join(name), rows.replace(" | ", "\n") + "\n");
        }
    }
    let mut sources = Sources::default();
    let source = sources.add("program.mlx", text);
    let (file, unread) = syntax::parse(&sources, source);
    let items = file.items.iter().filter(|item| !matches!(item.kind, ItemKind::Train(_))).cloned().collect();
    let without = File { source, items };
    [&file, &without].map(|file| {
        let mut files = Files::beside(&folder.path().join("program.mlx"));
        let mut library = Library::new(file);
        let checked = compile::check_file(&mut sources, file, unread.clone(), &mut files, &mut library, &[]);
        let errors = checked.found.iter().filter(|found| found.severity == Severity::Error);
        let told = |error: &Diagnostic| {
            let line = error.labels.first().map_or(0, |label| sources.start(label.span).line);
            format!("{line}: {} {}\n", error.code, error.message)
        };
        errors.map(told).collect()
    })
}

fn what_is_right_in_use_is_right_alone() {
    let mut programs = texts();
    let reference = fs::read_to_string(repository("docs/language.md")).expect("the reference");
    let examples = reference.split("```mlx\n").skip(1).filter_map(|rest| rest.split("```").next());
    programs.extend(examples.map(str::to_string));
    for program in programs {
        let [used, alone] = errors(&program);
        assert!(!used.is_empty() || alone.is_empty(), "{program}\n{alone}");
    }
}

fn mangled_programs() {
    let texts = texts();
    let mut state = 8u64;
    let mut below = move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % bound.max(1) as u64) as usize
    };
    let cases = std::env::var("MLX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000);
    for _ in 0..cases {
        let (text, other) = (&texts[below(texts.len())], &texts[below(texts.len())]);
        let program = mangled(text, other, &mut below);
        let [used, alone] = errors(&program);
        assert!(!used.is_empty() || alone.is_empty(), "{program}\n{alone}");
    }
}

/// A chain and a tree of calls that no `train` reaches: work does not multiply, and nothing overflows.
fn many_unused_definitions() {
    let began = std::time::Instant::now();
    let chain = (0..1_000).map(|k| format!("fn f{k}(x: [n, d]) -> [n, d] = f{}(x) + 1\n", k + 1));
    let tree = (0..60).map(|k| format!("fn g{k}(x: [n, d]) -> [n, d] = g{0}(x) + g{0}(2 * x)\n", k + 1));
    let ends = "fn f1000(x: [n, d]) -> [n, d] = x\nfn g60(x: [n, d]) -> [n, d] = x\n".to_string();
    let [_, alone] = errors(&chain.chain(tree).chain([ends]).collect::<String>());
    // What no use could enter is told; nothing else is.
    assert!(alone.lines().all(|line| line.contains("E0215")), "{alone}");
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
