//! How a run fails.

use crate::ir::NodeId;

/// A failure of a run.
#[derive(Clone, Debug)]
pub enum RunError {
    /// A number of a phase is not finite, and the node that made the first such, if the reference finds one as well.
    NotFinite { message: String, origin: Option<NodeId>, phase: usize },
    /// What cannot be computed at all.
    Broken(String),
    /// It was to end before the first step.
    Interrupted,
}

impl RunError {
    pub fn message(&self) -> &str {
        match self {
            RunError::NotFinite { message, .. } | RunError::Broken(message) => message,
            RunError::Interrupted => "interrupted",
        }
    }
}

impl From<String> for RunError {
    fn from(message: String) -> RunError {
        RunError::Broken(message)
    }
}
