//! What the language has and this program does not build yet.

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// Where rows come from, besides `csv`.
pub const SOURCES: [&str; 11] =
    ["parquet", "jsonl", "npy", "npz", "safetensors", "idx", "cifar10", "cifar100", "images", "text", "rows"];

/// Functions, layers and optimizers that the standard library is to have.
pub const FUNCTIONS: [&str; 2] = ["grad", "softmax"];

pub fn function(name: &str, span: Span) -> Option<Diagnostic> {
    FUNCTIONS
        .contains(&name)
        .then(|| Diagnostic::error("E0199", format!("`{name}` is not built yet"), span, "used here"))
}

/// What can be said to come later.
pub fn messages() -> Vec<String> {
    FUNCTIONS.iter().map(|name| format!("`{name}` is not built yet")).collect()
}
