//! The explanation of each code: a page of `docs/errors/`, with a program that fails and one that is mended.

/// File names (`E0201.md`) and texts.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/codes.rs"));

/// Every code with its page.
pub fn pages() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.iter().map(|(file, text)| (file.trim_end_matches(".md"), *text))
}

/// The page of a code, in any case of letters.
pub fn explain(code: &str) -> Option<&'static str> {
    pages().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, text)| text)
}
