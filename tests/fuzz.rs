//! No text panics: models with pieces cut out, doubled, moved and replaced are checked, and lowered where nothing is wrong.

use crate::binary::repository;
use libtest_mimic::Trial;
use mlx::compile;
use mlx::diagnostic::{Severity, draw, json};
use mlx::run::dataset::Files;
use mlx::source::Sources;
use std::fs;

const CASES: usize = 3_000;

pub fn trials() -> Vec<Trial> {
    let seed = seed();
    vec![Trial::test(format!("fuzz::mangled_models_of_seed_{seed}"), move || {
        let texts = texts();
        let mut below = below(seed);
        for case in 0..cases() {
            let mut text = texts[below(texts.len())].clone();
            for _ in 0..=below(3) {
                text = mangled(&text, &texts[below(texts.len())], &mut below);
            }
            let checked = std::panic::catch_unwind(|| check(&text));
            if checked.is_err() {
                return Err(format!("MLX_SEED={seed}, case {case} panics:\n{text}").into());
            }
        }
        Ok(())
    })]
}

/// The seed of this run, which `MLX_SEED` gives.
pub fn seed() -> u64 {
    let given = std::env::var("MLX_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    given.unwrap_or(now)
}

/// How many texts are tried: `MLX_CASES` of them, in a long run.
fn cases() -> usize {
    std::env::var("MLX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

/// Numbers below a bound, one after another.
pub fn below(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % bound.max(1) as u64) as usize
    }
}

/// Small texts first: most of the language in few lines.
pub fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    for folder in ["models", "tests/spec/syntax", "tests/spec/check", "stdlib"] {
        for entry in fs::read_dir(repository(folder)).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|end| end == "mlx") {
                texts.push(fs::read_to_string(path).expect("a text"));
            }
        }
    }
    texts.sort();
    texts.iter().flat_map(|text| text.split("// --- ")).map(str::to_string).collect()
}

/// One change: a piece is cut, doubled, or replaced by a piece of another text.
pub fn mangled(text: &str, other: &str, below: &mut impl FnMut(usize) -> usize) -> String {
    let pieces = |text: &str| -> Vec<String> {
        let mut pieces = vec![String::new()];
        for sign in text.chars() {
            let word = |sign: char| sign.is_alphanumeric() || sign == '_';
            let last = pieces.last_mut().expect("never empty");
            match last.chars().next_back() {
                Some(before) if word(before) && word(sign) => last.push(sign),
                _ => pieces.push(sign.to_string()),
            }
        }
        pieces
    };
    let (mut own, others) = (pieces(text), pieces(other));
    let (at, to) = (below(own.len()), below(own.len()));
    match below(5) {
        0 => drop(own.remove(at)),
        1 => own.insert(to, own[at].clone()),
        2 => own.swap(at, to),
        3 => own[at] = others[below(others.len())].clone(),
        _ => drop(own.drain(at.min(to)..at.max(to).min(at.min(to) + 20))),
    }
    own.concat()
}

fn check(text: &str) {
    let mut sources = Sources::default();
    let source = sources.add("mangled.mlx", text);
    let mut files = Files::beside(&repository("models/mangled.mlx"));
    let checked = compile::check(&mut sources, source, &mut files, &[]).expect("no --set is wrong");
    for found in &checked.found {
        draw(found, &sources, true);
        json(found, &sources);
    }
    let sound = checked.found.iter().all(|found| found.severity != Severity::Error);
    for program in checked.programs.iter().filter(|_| sound) {
        compile::lower(program).expect("what is checked becomes a sound graph");
    }
}
