//! What is executed: a program's inputs are fed, its plans run, and what they give is joined over all rows.
//!
//! | file | what |
//! |---|---|
//! | `dataset` | the files behind a program's data |
//! | `opened` | the data of one program |
//! | `order` | the rows of each data set that a step sees |
//! | `tables` | the data sets of a run |
//! | `raw` | the columns of a source where they lie |
//! | `batch` | columns that are computed of the rows of each batch |
//! | `column` | the columns of a split in memory |
//! | `stream` | values over all rows of a table, a batch at a time: the one executor |
//! | `prepare` | fitted values and columns |
//! | `error` | how a run fails |
//! | `steps` | the steps of a training |
//! | `evaluate` | loss and reports on a whole split |
//! | `predict` | the model on new rows |
//! | `naming` | whose classes a prediction is one of |
//! | `value` | one value of a session |
//! | `plans` | the plans of a run: how parameters start, what a step does |
//! | `accumulate` | a step whose rows are computed in parts |
//! | `params` | the values of parameters |
//! | `contents` | what the memory of a step holds |
//! | `memory` | what does not fit into the machine |
//! | `splits` | the rows of each split |
//! | `schedule` | how many steps, on how many rows |
//! | `known` | what a weight file knows of its data, for the checker |
//! | `events` | what happens in a run, one line of JSON each |

pub mod accumulate;
pub mod batch;
pub mod column;
pub mod contents;
pub mod dataset;
pub mod demands;
pub mod error;
pub mod evaluate;
pub mod events;
mod kin;
pub mod known;
pub mod memory;
mod naming;
pub mod opened;
mod order;
pub mod params;
pub mod plans;
pub mod predict;
mod prepare;
mod raw;
pub mod schedule;
mod splits;
pub mod steps;
pub mod stream;
mod tables;
pub mod value;
