//! What a text shows before anything of it is settled: syntax, names, what is not built yet.

use super::{chains, later, names};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Sources};
use crate::syntax;
use std::collections::HashSet;

/// The texts of the standard library, by file.
const STDLIB: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/stdlib.rs"));

/// Every mistake that one text shows by itself, in the order of the text.
pub fn surface(sources: &Sources, source: SourceId) -> Vec<Diagnostic> {
    let (file, mut found) = syntax::parse(sources, source);
    let broken = !found.is_empty();
    found.extend(chains::check(sources, &file));
    // What could not be read may have declared what seems unknown.
    let sure = |diagnostic: &Diagnostic| !broken || diagnostic.code != "E0201" && diagnostic.code != "E0199";
    found.extend(names::check(&file, &library()).into_iter().filter(sure));
    found.extend(later::check(&file));
    found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span.start));
    // What is not built is no mistake of the file's: once a construct is enough.
    let mut told = HashSet::new();
    found.retain(|diagnostic| diagnostic.code != "E0199" || told.insert(diagnostic.message.clone()));
    found
}

/// The names that the standard library declares.
fn library() -> Vec<String> {
    let mut sources = Sources::default();
    let mut names = Vec::new();
    for (name, text) in STDLIB {
        let id = sources.add(*name, *text);
        names.extend(names::declared(&syntax::parse(&sources, id).0));
    }
    names
}
