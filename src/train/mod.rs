//! Training: what a run leaves behind.
//!
//! | file | what |
//! |---|---|
//! | `weights` | weight files: named tensors and one key of metadata |
//! | `record` | the folder of a run and its `run.yaml` |
//! | `yaml` | YAML that every reader takes alike |
//! | `events` | what happens in a run, one line of JSON each |

pub mod events;
pub mod record;
pub mod weights;
mod yaml;
