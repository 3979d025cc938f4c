//! Training: the data of a run, its loop, and what it leaves behind.
//!
//! | file | what |
//! |---|---|
//! | `dataset` | the files behind a program's data |
//! | `predict` | the model on new rows |
//! | `identity` | what stands beside the weights |
//! | `run` | the loop: fitted values, steps, evaluation |
//! | `weights` | weight files: named tensors and one key of metadata |
//! | `record` | the folder of a run and its `run.yaml` |
//! | `yaml` | YAML that every reader takes alike |
//! | `events` | what happens in a run, one line of JSON each |

pub mod dataset;
pub mod events;
pub mod identity;
pub mod predict;
pub mod record;
pub mod run;
pub mod weights;
mod yaml;
