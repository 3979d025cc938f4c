//! E0199: the parts of the language that parse and that this compiler does not support yet.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{File, FnBody, Function, ItemKind, Statement, StatementKind};

/// A construct without a meaning so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    Calibrate,
    OpenCheck,
    SeveralData,
    Source,
}

/// Every row, with how a message names it.
pub const TABLE: &[(Unsupported, &str)] = &[
    (Unsupported::Calibrate, "`calibrate`"),
    (Unsupported::OpenCheck, "a check of a value that is not constant"),
    (Unsupported::SeveralData, "a training on several data sets"),
    (Unsupported::Source, "the source"),
];

/// Sources of a `data` block.
pub const SOURCES: &[&str] = &["parquet", "npy", "npz", "safetensors", "cifar10", "cifar100", "images"];

impl Unsupported {
    pub fn what(self) -> &'static str {
        TABLE.iter().find(|(row, _)| *row == self).map_or("this", |(_, what)| what)
    }

    pub fn diagnostic(self, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} is not supported yet", self.what()), span, "this")
    }

    /// Of a source, split or function, by its name.
    pub fn named(self, name: &str, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} `{name}` is not supported yet", self.what()), span, "this")
    }
}

/// Everything unsupported in a file that can be seen without types.
pub fn find(file: &File) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for item in &file.items {
        match &item.kind {
            ItemKind::Fn(Function { body: FnBody::Block(body), .. }) => statements(body, &mut found),
            ItemKind::Layer(layer) => statements(&layer.body, &mut found),
            ItemKind::Optimizer(optimizer) => statements(&optimizer.body, &mut found),
            ItemKind::Data(data) => statements(&data.body, &mut found),
            ItemKind::Train(block) => statements(&block.body, &mut found),
            ItemKind::Use(_)
            | ItemKind::Sweep(_)
            | ItemKind::Let(_)
            | ItemKind::Fn(Function { body: FnBody::Primitive | FnBody::Expr(_), .. }) => {}
        }
    }
    found
}

/// Of a body.
fn statements(body: &[Statement], found: &mut Vec<Diagnostic>) {
    for statement in body {
        let what = match &statement.kind {
            StatementKind::Calibrate(..) => Unsupported::Calibrate,
            StatementKind::Minimize(_)
            | StatementKind::Let(..)
            | StatementKind::State(..)
            | StatementKind::Param(..)
            | StatementKind::Assign(..)
            | StatementKind::Out(_)
            | StatementKind::Emit(..)
            | StatementKind::Report(..)
            | StatementKind::Predict(..)
            | StatementKind::Check(..) => continue,
        };
        found.push(what.diagnostic(statement.span));
    }
}
