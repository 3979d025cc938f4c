//! Training: a whole run, from its first step to its folder, and what it leaves behind.
//!
//! | file | what |
//! |---|---|
//! | `driver` | a whole training, from the first step to the folder |
//! | `fault` | what cannot be computed, shown where it is written |
//! | `choice` | when steps end, and which weights are kept |
//! | `begin` | weights that a model begins from |
//! | `renaming` | the names that tensors have in the files of other programs |
//! | `saving` | where the weights of a run are written |
//! | `folder` | who may write to the folder of a run |
//! | `weights` | weight files: named tensors and one key of metadata |
//! | `identity` | what stands beside the weights |
//! | `record` | `run.yaml` and `metrics.jsonl` |
//! | `yaml` | YAML that every reader takes alike |

pub mod begin;
pub mod choice;
pub mod driver;
mod fault;
pub mod folder;
pub mod identity;
pub mod record;
pub mod renaming;
pub mod saving;
pub mod weights;
mod yaml;
