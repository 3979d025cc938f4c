//! Passes: graphs to graphs.
//!
//! | file | what |
//! |---|---|
//! | `stream` | values over all rows, to be computed batch by batch |

mod stream;

pub use stream::{Streamed, streamed};
