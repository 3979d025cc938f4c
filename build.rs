//! Lists the standard library and the pages of error codes, so that adding one needs no Rust.

use std::{env, fs, path::Path};

fn main() {
    list("stdlib", ".mlx", "stdlib.rs");
    list("docs/errors", ".md", "codes.rs");
}

/// Writes `&[(name, text), …]` of the files of a folder with an ending, in the order of their names.
fn list(folder: &str, ending: &str, to: &str) {
    println!("cargo::rerun-if-changed={folder}");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let mut names: Vec<String> = fs::read_dir(Path::new(&root).join(folder))
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    let rows: String = names
        .iter()
        .map(|name| {
            format!("    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{folder}/{name}\"))),\n")
        })
        .collect();
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join(to);
    fs::write(out, format!("&[\n{rows}]\n")).expect("OUT_DIR is writable");
}
