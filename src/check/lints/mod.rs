//! What a good reviewer would say of a program that means something, but hardly what was meant. Each lint is a plain function, in a
//! file of its own, over the terms of a training, what of the library was applied, and what stands in the columns. It says only
//! what is certain: of a program that may be meant so, nothing.
//!
//! `allow` silences them in place; `unused`, `still`, `crossed` and `shadowed` look at the text alone.

pub mod allow;
mod balance;
mod bias;
mod bounded;
mod columns;
mod crossed;
mod dead;
mod decayed;
mod double;
mod dropped;
mod facts;
mod flat;
mod itself;
mod last_batch;
mod leak;
mod linear;
mod next_token;
mod noisy;
mod only_trained;
mod padding;
mod raw_scores;
mod scale;
mod schedule;
mod sense;
mod shadowed;
mod squashed;
mod still;
mod stuck;
mod swapped;
mod target;
mod torn;
mod unmasked;
mod unshifted;
mod untrained;
mod unused;
mod upward;
mod view;
mod watched;
mod worse;
mod zeros;

pub use view::View;

use crate::diagnostic::Diagnostic;
use crate::syntax::tree::File;

type Lint = fn(&View) -> Vec<Diagnostic>;

/// Every lint over a training, with its code.
const LINTS: &[(&str, Lint)] = &[
    ("W0332", padding::find),
    ("W0401", squashed::find),
    ("W0402", double::find),
    ("W0403", raw_scores::find),
    ("W0404", linear::find),
    ("W0405", flat::find),
    ("W0406", worse::find),
    ("W0407", zeros::find),
    ("W0408", bounded::find),
    ("W0409", target::find),
    ("W0410", leak::find),
    ("W0412", columns::constant),
    ("W0413", columns::twice),
    ("W0414", scale::find),
    ("W0415", balance::find),
    ("W0416", bias::find),
    ("W0417", dropped::find),
    ("W0418", last_batch::find),
    ("W0419", schedule::find),
    ("W0440", dead::find),
    ("W0441", upward::find),
    ("W0442", noisy::find),
    ("W0443", watched::find),
    ("W0444", unshifted::find),
    ("W0445", unmasked::find),
    ("W0447", untrained::find),
    ("W0448", swapped::find),
    ("W0449", itself::find),
    ("W0450", stuck::find),
    ("W0461", decayed::find),
    ("W0462", only_trained::find),
    ("W0463", torn::find),
];

/// What all lints say of a training.
pub fn find(view: &View) -> Vec<Diagnostic> {
    LINTS.iter().flat_map(|(_, lint)| lint(view)).map(Diagnostic::warning).collect()
}

/// What is said of a file by its text alone. Where nothing is minimized, or something is held against itself, what is not read is
/// what should have been.
pub fn of_text(file: &File, found: &[Diagnostic]) -> Vec<Diagnostic> {
    let lacks_target = found.iter().any(|found| matches!(found.code, "W0447" | "W0449"));
    let mut of_text = if lacks_target { Vec::new() } else { unused::find(file) };
    of_text.extend(still::find(file));
    of_text.extend(crossed::find(file));
    of_text.extend(shadowed::find(file));
    of_text
}
