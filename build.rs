//! Lists the standard library, so that adding a `stdlib/*.mlx` file needs no Rust.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=stdlib");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let mut names: Vec<String> = fs::read_dir(Path::new(&root).join("stdlib"))
        .expect("stdlib/ stands beside Cargo.toml")
        .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".mlx"))
        .collect();
    names.sort();
    let rows: String = names
        .iter()
        .map(|name| {
            format!("    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/stdlib/{name}\"))),\n")
        })
        .collect();
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("stdlib.rs");
    fs::write(out, format!("&[\n{rows}]\n")).expect("OUT_DIR is writable");
}
