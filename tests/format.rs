//! `mlx fmt`: its layout stays as it is when it is laid out again, says the same with the same comments, and does not
//! depend on the space that was there. All files of the repository have it.

use crate::binary::repository;
use crate::fuzz::{mangled, texts};
use crate::trial;
use libtest_mimic::Trial;
use mlx::format::format;
use mlx::source::Sources;
use mlx::syntax::parse;
use std::fs;
use std::path::{Path, PathBuf};

const CASES: usize = 3_000;

pub fn trials() -> Vec<Trial> {
    let seed = crate::fuzz::seed();
    vec![
        trial("format::the_repository_is_laid_out", the_repository_is_laid_out),
        trial("format::every_text_keeps_its_meaning", every_text_keeps_its_meaning),
        trial("format::examples", examples),
        trial("format::a_text_with_mistakes_is_left_alone", a_text_with_mistakes_is_left_alone),
        Trial::test(format!("format::mangled_texts_of_seed_{seed}"), move || mangled_texts(seed)),
    ]
}

/// A text in its layout, if it can be read.
fn laid_out(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let source = sources.add("text.mlx", text);
    format(&sources, source).ok()
}

/// The tree of a text without its places.
fn tree(text: &str) -> String {
    let mut sources = Sources::default();
    let source = sources.add("text.mlx", text);
    let (file, found) = parse(&sources, source);
    assert!(found.is_empty(), "{found:?}\n{text}");
    without_places(&format!("{:?}", file.items))
}

/// A text as it is debugged, without places.
pub fn without_places(shown: &str) -> String {
    // A place is shown as `12..15`.
    let mut parts = shown.split("..");
    let first = parts.next().unwrap_or_default().trim_end_matches(|sign: char| sign.is_ascii_digit()).to_string();
    parts.fold(first, |whole, part| whole + ".." + part.trim_matches(|sign: char| sign.is_ascii_digit()))
}

/// The comments of a text, in their order.
fn comments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let mut escaped = false;
                let end = rest[1..].find(|sign| {
                    let ends = sign == '"' && !escaped;
                    escaped = sign == '\\' && !escaped;
                    ends
                });
                end.map_or(rest.len(), |end| end + 2)
            }
            '`' => rest[1..].find('`').map_or(1, |end| end + 2),
            '/' if rest.starts_with("//") => {
                let line = rest.find('\n').unwrap_or(rest.len());
                found.push(rest[..line].trim_end().to_string());
                line
            }
            other => other.len_utf8(),
        };
        rest = &rest[length..];
    }
    found
}

/// What must hold of the layout of a text that can be read.
fn holds(text: &str) -> Result<(), String> {
    let Some(once) = laid_out(text) else { return Ok(()) };
    let fail = |what: &str| Err(format!("{what}:\n--- text\n{text}\n--- laid out\n{once}"));
    if laid_out(&once).as_ref() != Some(&once) {
        return fail(&format!("laid out again it is\n{}", laid_out(&once).unwrap_or_default()));
    }
    if tree(text) != tree(&once) {
        return fail("the tree has changed");
    }
    if comments(text) != comments(&once) {
        return fail("a comment has changed");
    }
    let loose = once.lines().any(|line| line.ends_with(' ') || (line.contains('\t') && !line.contains("//")))
        && !text.contains('"');
    if loose || once.contains("\n\n\n") || once.starts_with('\n') || !(once.is_empty() || once.ends_with('\n')) {
        return fail("space is left over");
    }
    Ok(())
}

/// The same text with other space between its words: of lines without comments and texts, all words behind each other.
fn respaced(text: &str, below: &mut impl FnMut(usize) -> usize) -> Option<String> {
    if text.contains("//") || text.contains('"') || text.contains('`') {
        return None;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let spaces = [" ", "  ", "\n", "\n    ", "\t", "\r\n"];
    Some(words.iter().fold(String::new(), |whole, word| whole + word + spaces[below(spaces.len())]))
}

/// A text without comments and empty lines.
fn bare(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim_end());
    lines.filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

fn every_text_keeps_its_meaning() {
    let mut wrong = Vec::new();
    let mut whole: Vec<String> = mlx_files(&repository("")).iter().map(|path| read(path)).collect();
    whole.extend(texts());
    for page in ["docs/language.md", "README.md"] {
        let page = read(&repository(page));
        whole.extend(page.split("```mlx\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_string));
    }
    let mut below = crate::fuzz::below(1);
    for text in &whole {
        wrong.extend(holds(text).err());
        wrong.extend(holds(&text.replace('\n', "\r\n")).err());
        let bare = bare(text);
        if let (Some(other), Some(once)) = (respaced(&bare, &mut below), laid_out(&bare)) {
            let again = laid_out(&other);
            if again.as_ref() != Some(&once) {
                wrong.push(format!("other space gives another layout:\n{once}\n---\n{}", again.unwrap_or(other)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n=====\n"));
}

fn mangled_texts(seed: u64) -> Result<(), libtest_mimic::Failed> {
    let texts = texts();
    let mut below = crate::fuzz::below(seed);
    for case in 0..CASES {
        let mut text = texts[below(texts.len())].clone();
        for _ in 0..=below(3) {
            text = mangled(&text, &texts[below(texts.len())], &mut below);
        }
        // Comments and line breaks where nobody puts them.
        for _ in 0..below(4) {
            let places: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
            if let Some(at) = (!places.is_empty()).then(|| places[below(places.len())]) {
                text.insert_str(at, ["\n", " // why\n", "\n// own\n", "\n\n", "\t", "\n\n/// doc\n"][below(6)]);
            }
        }
        let held = std::panic::catch_unwind(|| holds(&text));
        let held = held.unwrap_or_else(|_| Err(format!("a panic:\n{text}")));
        held.map_err(|wrong| format!("MLX_SEED={seed}, case {case}: {wrong}"))?;
    }
    Ok(())
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a text")
}

/// Every `.mlx` file in a folder and in its folders.
fn mlx_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(mlx_files(&path));
        } else if name.ends_with(".mlx") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// But for the sections of the specification, whose mistakes and places are what they are about.
fn the_repository_is_laid_out() {
    let sections = repository("tests/spec/check");
    let files = mlx_files(&repository("")).into_iter().filter(|path| !path.starts_with(&sections));
    let loose: Vec<String> = files
        .filter(|path| laid_out(&read(path)).as_ref() != Some(&read(path)))
        .map(|path| path.display().to_string())
        .collect();
    assert!(loose.is_empty(), "`mlx fmt` changes\n{}", loose.join("\n"));
}

fn a_text_with_mistakes_is_left_alone() {
    assert_eq!(laid_out("let a = (1"), None);
    assert_eq!(laid_out(""), Some(String::new()));
    assert_eq!(laid_out("\n\n  \n"), Some(String::new()));
    assert_eq!(laid_out("\u{FEFF}// alone"), Some("// alone\n".to_string()));
}

/// Texts and their layouts, in `tests/layouts/*.txt`: what is written, a line `=>`, what comes out.
fn examples() {
    let mut wrong = Vec::new();
    for entry in fs::read_dir(repository("tests/layouts")).expect("a folder") {
        let path = entry.expect("readable").path();
        let text = read(&path);
        let Some((written, expected)) = text.split_once("\n=>\n") else { panic!("{} has no `=>`", path.display()) };
        let found = laid_out(written).unwrap_or_else(|| panic!("{} has mistakes", path.display()));
        if std::env::var_os("MLX_BLESS").is_some() {
            fs::write(&path, format!("{written}\n=>\n{found}")).expect("written");
        } else if found != expected {
            wrong.push(format!("{}:\n{found}", path.display()));
        }
        wrong.extend(holds(written).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
