//! Passes: graphs to graphs.
//!
//! | file | what |
//! |---|---|
//! | `named` | operations by their names in the field |
//! | `stream` | values over all rows, to be computed batch by batch |

mod named;
mod stream;

pub use named::named;
pub use stream::{Streamed, streamed};
