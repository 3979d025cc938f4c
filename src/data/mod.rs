//! Data is columns: typed columns are read from files, rows are split, and whatever is fitted is fitted on
//! training rows alone.
//!
//! | file | what |
//! |---|---|
//! | `table` | columns of numbers, whole numbers or text, and where each cell stands |
//! | `csv` | tables from text with separators |
//! | `cell` | the place of one cell in such a text |
//! | `jsonl` | tables from lines of JSON |
//! | `lists` | rows of unequal length |
//! | `kind` | what a column holds, by a scan of its cells |
//! | `split` | which rows are for training, validation and test |
//! | `folds` | equal parts, groups that stay together, splits that the data says |
//! | `shuffle` | the seeded order behind a split |
//! | `idx` | arrays of bytes or numbers, as MNIST comes in |
//! | `text` | a text, a row for each character |
//! | `windows` | neighbouring rows of a split |
//! | `write` | tables as text |
//! | `fit` | the classes of a category column |

pub mod cell;
pub mod csv;
pub mod fit;
pub mod folds;
pub mod idx;
pub mod jsonl;
pub mod kind;
pub mod lists;
mod mistakes;
pub mod shuffle;
pub mod split;
pub mod table;
pub mod text;
pub mod windows;
pub mod write;
