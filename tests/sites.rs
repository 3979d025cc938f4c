//! The places that a new operation touches: the lists in `docs/architecture.md` are those of the source, and short; and no
//! match has an arm that a new operation would silently take.

use crate::trial;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("sites::a_scalar_operation_has_few", || hold("A new scalar operation:", "Erf", 5)),
        trial("sites::a_structural_operation_has_few", || hold("A new structural operation", "ScatterAdd", 10)),
        trial("sites::no_operation_falls_through", no_operation_falls_through),
        trial("sites::an_arm_for_the_rest_is_found", an_arm_for_the_rest_is_found),
    ]
}

/// The files that a list of the document names, each `- \`file\`: what`, below a line that starts with `title`.
fn listed(title: &str) -> BTreeSet<String> {
    let text = fs::read_to_string("docs/architecture.md").expect("the document");
    let file = |line: &str| line.strip_prefix("- `")?.split_once("`:").map(|(file, _)| file.to_string());
    let lines = text.lines().skip_while(|line| !line.starts_with(title)).skip(2);
    lines.map_while(file).collect()
}

/// The list is the files whose code has the variant, beside those that have no Rust or are tests; and it is short.
fn hold(title: &str, variant: &str, most: usize) {
    let listed = listed(title);
    assert!(!listed.is_empty(), "docs/architecture.md has no list below `{title}`");
    assert!(listed.len() <= most, "{title} touches {} files, and {most} are to do: {listed:?}", listed.len());
    for file in &listed {
        assert!(Path::new(file).exists(), "docs/architecture.md names {file}, which is not there");
    }
    let has = |text: &str| words(text).any(|word| word == variant);
    // Lowering and the names of dumps know some operations, and need not know a new one.
    let knows = |path: &str| path.starts_with("src/lower/") || path == "src/passes/named.rs";
    let found: BTreeSet<String> =
        sources().into_iter().filter(|(path, text)| !knows(path) && has(&code(text))).map(|(path, _)| path).collect();
    let named: BTreeSet<String> = listed.into_iter().filter(|file| file.starts_with("src/")).collect();
    assert_eq!(
        named, found,
        "docs/architecture.md names the first of these below `{title}`; `{variant}` stands in the second"
    );
}

/// Matches outside of the rooms of the graph that single out some operations, the rest of which mean the same there: what has
/// a word of its own, what is fed.
const SINGLED_OUT: &[&str] = &[
    // What is not faster is what the definition says.
    "src/backend/cpu/number.rs",
    // Most operations do not join rows.
    "src/autodiff/blocks.rs",
    "src/check/elaborate/operators.rs",
    // Of most operations nothing is known.
    "src/check/lints/facts.rs",
    "src/lower/term.rs",
    // What is not known to keep axes apart may join them. Of most operations nothing is known by indices; most have no sizes.
    "src/passes/blocks/local.rs",
    "src/passes/blocks/mask.rs",
    "src/passes/blocks/segment.rs",
    // What no rule knows stays as it is.
    "src/passes/windows/mod.rs",
    "src/passes/windows/pick.rs",
    "src/passes/windows/region.rs",
    "src/passes/windows/slice.rs",
    "src/train/driver.rs",
    "src/run/value.rs",
];

fn no_operation_falls_through() {
    let mut wrong = Vec::new();
    let mut known: BTreeSet<&str> = SINGLED_OUT.iter().copied().collect();
    for (path, text) in sources() {
        let arms = arms_for_the_rest(&code(&text));
        if !SINGLED_OUT.contains(&path.as_str()) {
            wrong.extend(arms.into_iter().map(|line| format!("{path}:{line}")));
        } else if !arms.is_empty() {
            known.remove(path.as_str());
        }
    }
    assert!(wrong.is_empty(), "a new operation would silently take the arm at {wrong:?}");
    assert!(known.is_empty(), "{known:?} have no such arm any more: strike them from the list");
}

/// Lines of arms that take whatever is left, in matches that have arms of operations; rustfmt has laid the text out.
fn arms_for_the_rest(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let takes_all = |line: &str| {
        let Some((pattern, _)) = line.trim().split_once(" =>") else { return false };
        let name = |part: &str| part.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_') && !part.is_empty();
        pattern.trim_matches(['(', ')']).split(", ").all(name)
    };
    let is_operation = |line: &str| {
        ["Op::", "ScalarOp::"].iter().any(|op| line.trim_start_matches([' ', '|', '(', '&']).starts_with(op))
    };
    let in_match = |at: usize| {
        let own = depth(lines[at]);
        let before = lines[..at].iter().rev().take_while(|line| line.trim().is_empty() || depth(line) >= own);
        before.filter(|line| depth(line) == own).any(|line| is_operation(line))
    };
    (0..lines.len()).filter(|at| takes_all(lines[*at]) && in_match(*at)).map(|at| at + 1).collect()
}

fn an_arm_for_the_rest_is_found() {
    let of = |arms: &str| arms_for_the_rest(&format!("match op {{\n{arms}}}\n"));
    assert_eq!(of("    Op::Dot { .. } => 1,\n    _ => 0,\n"), [3]);
    assert_eq!(of("    Op::A\n    | Op::B => {\n        1\n    }\n    op => 0,\n"), [6]);
    assert_eq!(of("    (ScalarOp::Neg, None) => 1,\n    (op, _) => 0,\n"), [3]);
    assert_eq!(of("    Op::A => match x {\n        _ => 1,\n    },\n    Op::B => 0,\n"), [0; 0]);
    assert_eq!(of("    Some(x) => 1,\n    _ => 0,\n"), [0; 0]);
}

/// Every file under src/ with its text.
fn sources() -> Vec<(String, String)> {
    let mut open = vec![Path::new("src").to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("a text");
                files.push((path.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    files
}

/// The text without the comments that fill a line.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| if line.trim_start().starts_with("//") { "\n".into() } else { format!("{line}\n") })
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_alphanumeric() && sign != '_')
}
