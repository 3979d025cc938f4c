//! Passes: graphs to graphs.
//!
//! | file | what |
//! |---|---|
//! | `named` | operations by their names in the field |
//! | `stream` | values over all rows, to be computed batch by batch |
//! | `windows` | gradients of convolutions and poolings as products and views |

mod named;
mod stream;
mod windows;

pub use named::named;
pub use stream::{Streamed, streamed};
pub use windows::{Rewritten, rewritten};
