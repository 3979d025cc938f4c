//! Whether a computation shall go on, asked within long operations too.

use std::cell::Cell;

/// About so many elements are computed between two questions: a millisecond or less.
pub(super) const PIECE: usize = 1 << 16;

pub(super) struct Watch<'a> {
    asked: &'a dyn Fn() -> bool,
    /// Elements since the last question.
    done: Cell<usize>,
    ended: Cell<bool>,
}

impl Watch<'_> {
    pub(super) fn new(goes_on: &dyn Fn() -> bool) -> Watch<'_> {
        Watch { asked: goes_on, done: Cell::new(0), ended: Cell::new(false) }
    }

    /// Whether so many elements more shall be computed. Once they shall not, what an operation gives is of no use, and it
    /// ends as soon as it can.
    pub(super) fn goes_on(&self, elements: usize) -> bool {
        let done = self.done.get() + elements;
        if done < PIECE {
            self.done.set(done);
        } else {
            self.done.set(0);
            self.ended.set(self.ended.get() || !(self.asked)());
        }
        !self.ended.get()
    }

    /// Whether it still went on when it was asked last.
    pub(super) fn went_on(&self) -> bool {
        !self.ended.get()
    }
}
