//! Diagnostics: what is wrong, where (every place that contributes), why, and what to do.
//!
//! A [`Diagnostic`] is plain data, built where the mistake is found.

pub mod codes;
mod draw;
mod json;
mod merged;
mod near;
pub mod order;

pub use draw::{draw, harmless, plain};
pub use json::json;
pub use merged::merged;
pub use near::nearest;

use crate::source::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    Error,
    Warning,
}

/// A place that contributes to a diagnostic, and what it contributes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One mistake. The first label is where it is; the others say what it conflicts with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// `E0203`; `mlx explain` knows each.
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    pub labels: Vec<Label>,
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`, where `text` says what is there.
    pub fn error(code: &'static str, message: impl Into<String>, span: Span, text: impl Into<String>) -> Diagnostic {
        let labels = vec![Label { span, text: text.into() }];
        Diagnostic { code, severity: Severity::Error, message: message.into(), labels, help: None }
    }

    /// The same as a warning.
    pub fn warning(self) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..self }
    }

    /// Adds another contributing place.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}
