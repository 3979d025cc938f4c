//! The words that editors colour are those of the grammar and of the standard library.

use crate::binary::repository;
use crate::trial;
use libtest_mimic::Trial;
use mlx::check::library;
use std::collections::BTreeSet;
use std::fs;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("editors::they_know_every_word", they_know_every_word),
        trial("editors::words_of_the_language_are_those_of_the_grammar", words_are_those_of_the_grammar),
    ]
}

fn they_know_every_word() {
    let grammar = fs::read_to_string(repository("grammar/mlx.pest")).expect("the grammar");
    let mut words: BTreeSet<String> = BTreeSet::new();
    for line in grammar.lines().filter(|line| line.starts_with("kw_")) {
        words.extend(line.split('"').nth(1).map(str::to_string));
    }
    words.extend(library::stdlib_names().into_iter().map(|(name, _)| name.to_string()));
    assert!(words.contains("minimize") && words.contains("dense"));
    let vscode = fs::read_to_string(repository("editors/vscode/syntaxes/mlx.tmLanguage.json")).expect("a grammar");
    let grammar: serde_json::Value = serde_json::from_str(&vscode).expect("JSON");
    let matches: Vec<&str> = grammar["patterns"]
        .as_array()
        .expect("patterns")
        .iter()
        .filter_map(|pattern| pattern["match"].as_str())
        .collect();
    let split = |text: &str| -> BTreeSet<String> {
        text.split(|sign: char| !(sign.is_alphanumeric() || sign == '_')).map(str::to_string).collect()
    };
    let vim = fs::read_to_string(repository("editors/vim/syntax/mlx.vim")).expect("a syntax");
    let vim: String = vim.lines().filter(|line| line.starts_with("syn keyword")).collect::<Vec<_>>().join(" ");
    for (editor, known) in [("vscode", split(&matches.join(" "))), ("vim", split(&vim))] {
        let missing: Vec<&String> = words.difference(&known).collect();
        assert!(missing.is_empty(), "editors/{editor} lacks {missing:?}");
    }
    // A word that is gone from the library is gone from the editors.
    let functions = grammar["patterns"].as_array().expect("patterns");
    let library = functions.iter().find(|pattern| pattern["name"] == "support.function.mlx").expect("the library's");
    let listed = library["match"].as_str().expect("a pattern").split("(?:").nth(1).expect("words").split(')').next();
    let listed: BTreeSet<String> = listed.expect("words").split('|').map(str::to_string).collect();
    assert_eq!(listed, library::stdlib_names().into_iter().map(|(name, _)| name.to_string()).collect());
}

/// Every word that the grammar has, of types and places too, and no other.
fn words_are_those_of_the_grammar() {
    let grammar = fs::read_to_string(repository("grammar/mlx.pest")).expect("the grammar");
    let code = grammar.lines().filter(|line| !line.starts_with("//"));
    let is_word = |text: &str| text.len() > 1 && text.chars().all(char::is_alphabetic);
    let quoted = code.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|text| is_word(text));
    let words: BTreeSet<String> = quoted.map(str::to_string).collect();
    assert!(words.contains("distribution") && words.contains("true"));
    let vscode = fs::read_to_string(repository("editors/vscode/syntaxes/mlx.tmLanguage.json")).expect("a grammar");
    let vscode: serde_json::Value = serde_json::from_str(&vscode).expect("JSON");
    let mut coloured = BTreeSet::new();
    for pattern in vscode["patterns"].as_array().expect("patterns") {
        let name = pattern["name"].as_str().unwrap_or_default();
        let of_words = ["keyword.control", "keyword.declaration", "keyword.other", "storage.type", "constant.language"];
        if of_words.iter().any(|start| name.starts_with(start)) {
            let list = pattern["match"]
                .as_str()
                .and_then(|text| text.split("(?:").nth(1))
                .and_then(|text| text.split(')').next());
            coloured.extend(list.unwrap_or_default().split('|').map(str::to_string));
        }
    }
    assert_eq!(coloured, words, "editors/vscode");
    let vim = fs::read_to_string(repository("editors/vim/syntax/mlx.vim")).expect("a syntax");
    let groups = ["mlxStatement", "mlxItem", "mlxPlace", "mlxType", "mlxTruth"];
    let lines = vim.lines().filter_map(|line| line.strip_prefix("syn keyword "));
    let lines = lines.filter(|line| groups.iter().any(|group| line.starts_with(group)));
    let coloured: BTreeSet<String> = lines.flat_map(|line| line.split(' ').skip(1)).map(str::to_string).collect();
    assert_eq!(coloured, words, "editors/vim");
}
