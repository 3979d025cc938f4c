//! How a run fails.

use crate::backend::Fault;
use crate::ir::NodeId;

/// A failure of a run.
#[derive(Clone, Debug)]
pub enum RunError {
    /// A number of a phase is not finite, and the node that made the first such, if the reference finds one as well.
    NotFinite { message: String, origin: Option<NodeId>, phase: usize },
    /// A `check` does not hold.
    NotHeld(Box<NotHeld>),
    /// What cannot be computed of these numbers: in words, and the nodes of the program's graph that were to be.
    Fault { message: String, nodes: Vec<NodeId> },
    /// What cannot be computed at all.
    Broken(String),
    /// It was to end before the first step.
    Interrupted,
}

/// Where a `check` does not hold.
#[derive(Clone, Debug)]
pub struct NotHeld {
    /// Which of [`crate::check::program::TypedProgram::demands`].
    pub list: usize,
    pub of: usize,
    /// `in step 1, at [2, 0]`
    pub place: String,
    /// What is compared there.
    pub sides: Vec<f64>,
}

impl RunError {
    pub fn message(&self) -> &str {
        match self {
            RunError::NotFinite { message, .. } | RunError::Fault { message, .. } | RunError::Broken(message) => {
                message
            }
            RunError::NotHeld(wrong) => &wrong.place,
            RunError::Interrupted => "interrupted",
        }
    }
}

impl From<Fault> for RunError {
    fn from(fault: Fault) -> RunError {
        RunError::Fault { message: fault.message, nodes: fault.nodes }
    }
}

impl From<String> for RunError {
    fn from(message: String) -> RunError {
        RunError::Broken(message)
    }
}
