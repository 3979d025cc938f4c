//! Training: the data of a run, its loop, and what it leaves behind.
//!
//! | file | what |
//! |---|---|
//! | `dataset` | the files behind a program's data |
//! | `memory` | what does not fit into the machine |
//! | `column` | the columns of a split in memory |
//! | `prepare` | fitted values and columns |
//! | `predict` | the model on new rows |
//! | `naming` | whose classes a prediction is one of |
//! | `identity` | what stands beside the weights |
//! | `schedule` | how many steps, on how many rows |
//! | `run` | fitted values, one step, evaluation |
//! | `driver` | a whole training, from the first step to the folder |
//! | `saving` | where the weights of a run are written |
//! | `evaluate` | loss and reports on a whole split, batch by batch |
//! | `weights` | weight files: named tensors and one key of metadata |
//! | `folder` | who may write to the folder of a run |
//! | `known` | what a weight file knows of its data, for the checker |
//! | `record` | `run.yaml` and `metrics.jsonl` |
//! | `yaml` | YAML that every reader takes alike |
//! | `value` | one value of a session |
//! | `events` | what happens in a run, one line of JSON each |

pub mod column;
pub mod dataset;
pub mod driver;
pub mod evaluate;
pub mod events;
pub mod folder;
pub mod identity;
pub mod known;
pub mod memory;
mod naming;
pub mod predict;
mod prepare;
pub mod record;
pub mod run;
pub mod saving;
pub mod schedule;
pub mod value;
pub mod weights;
mod yaml;
