//! E0199: the parts of the language that parse and that this compiler does not support yet.

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// A construct without a meaning so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    Source,
}

/// Every row, with how a message names it.
pub const TABLE: &[(Unsupported, &str)] = &[(Unsupported::Source, "the source")];

/// Sources of a `data` block.
pub const SOURCES: &[&str] = &["parquet", "npy", "npz", "safetensors", "cifar10", "cifar100", "images"];

impl Unsupported {
    pub fn what(self) -> &'static str {
        TABLE.iter().find(|(row, _)| *row == self).map_or("this", |(_, what)| what)
    }

    /// Of a source, split or function, by its name.
    pub fn named(self, name: &str, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} `{name}` is not supported yet", self.what()), span, "this")
    }
}
