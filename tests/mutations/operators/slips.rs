//! Slips of the pen, which no parser takes. They are shown, and not counted.

use super::Elsewhere::Load;
use super::{Operator, operator};
use crate::mutations::rewrite::{Edit, Good, Mutant};

pub const ALL: &[Operator] = &[
    operator(
        "a sign is left out",
        Load,
        |good| signs(good, &["(", ")", "]", "[", ","], ""),
        "what is left means something",
    ),
    operator("a brace is left out", Load, |good| signs(good, &["}", "{"], ""), ""),
    operator("half of a pipe", Load, |good| signs(good, &["|>"], "|"), ""),
    operator("`==` in place of `=`", Load, |good| signs(good, &[" = "], " == "), ""),
    operator("a power as elsewhere, `**`", Load, |good| signs(good, &["^"], "**"), ""),
];

fn signs(good: &Good, signs: &[&str], new: &str) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let mut start = 0;
    for line in good.text.split_inclusive('\n') {
        let code = line.split("//").next().unwrap_or_default();
        for sign in signs.iter().filter(|_| !code.contains('"')) {
            mutants.extend(code.match_indices(sign).map(|(at, sign)| {
                vec![Edit { start: start + at, end: start + at + sign.len(), new: new.to_string() }]
            }));
        }
        start += line.len();
    }
    mutants
}
