//! Whether what is drawn has colours: `--color`, then `NO_COLOR`, then what the terminal is.

use clap::{ColorChoice, ValueEnum};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::OnceLock;

static CHOICE: OnceLock<ColorChoice> = OnceLock::new();

/// What `--color` says, for everything that is drawn from now on.
pub fn choose(choice: ColorChoice) {
    CHOICE.get_or_init(|| choice);
}

/// What `--color` says among words that are not read yet: what is wrong with them is coloured as well.
pub fn asked(words: impl Iterator<Item = OsString>) -> ColorChoice {
    let words = words.map(|word| word.to_string_lossy().into_owned());
    let mut words = words.skip_while(|word| word != "--color" && !word.starts_with("--color="));
    let word = words.next().unwrap_or_default();
    let when = word.strip_prefix("--color=").map(str::to_string).or_else(|| words.next());
    when.and_then(|when| ColorChoice::from_str(&when, true).ok()).unwrap_or(ColorChoice::Auto)
}

/// Whether a diagnostic on standard error has colours.
pub fn wanted() -> bool {
    match CHOICE.get().copied().unwrap_or(ColorChoice::Auto) {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
            std::io::stderr().is_terminal()
                && set("NO_COLOR").is_none()
                && set("TERM").is_none_or(|term| term != "dumb")
        }
    }
}
