//! Working memory of products, made when a plan is loaded.

use std::sync::Mutex;

/// A line of the cache: vectors that start with one do not straddle two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; Line::LEN]);

impl Line {
    const LEN: usize = 16;
}

#[derive(Default)]
pub struct Room {
    lines: Vec<Line>,
}

impl Room {
    pub fn reserve(&mut self, floats: usize) {
        self.lines.resize(self.lines.len().max(floats.div_ceil(Line::LEN)), Line([0.0; Line::LEN]));
    }

    /// How many floats there are.
    pub fn floats(&self) -> usize {
        self.lines.len() * Line::LEN
    }

    pub fn start(&self) -> *const f32 {
        self.lines.as_ptr().cast()
    }

    pub fn start_mut(&mut self) -> *mut f32 {
        self.lines.as_mut_ptr().cast()
    }
}

pub struct Rooms {
    /// What all threads read.
    pub shared: Room,
    /// Of each thread.
    pub own: Vec<Mutex<Room>>,
}

impl Rooms {
    pub fn new(threads: usize) -> Rooms {
        Rooms { shared: Room::default(), own: (0..threads).map(|_| Mutex::default()).collect() }
    }
}
