//! What lies in the memory of a plan when most does.

use super::arena::lifetimes;
use super::kernel::{BufferId, Plan, Region};

/// A buffer in scratch, and the kernel that makes it; inputs are made by none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub buffer: BufferId,
    pub made: Option<usize>,
}

impl Plan {
    /// The buffers in scratch while the kernel runs with which they are largest together.
    pub fn held_most(&self) -> Vec<Held> {
        let lives = lifetimes(self);
        let whole = (0, self.kernels.len().saturating_sub(1));
        let life = |at: usize| if self.buffers[at].kept { Some(whole) } else { lives[at] };
        let scratch = || (0..self.buffers.len()).filter(|at| self.buffers[*at].region == Region::Scratch);
        // How much more or less there is from each kernel on.
        let mut change = vec![0i64; self.kernels.len() + 2];
        for (at, (first, last)) in scratch().filter_map(|at| Some((at, life(at)?))) {
            change[first] += self.buffers[at].bytes() as i64;
            change[last + 1] -= self.buffers[at].bytes() as i64;
        }
        let (mut now, mut most, mut fullest) = (0, -1, 0);
        for (kernel, change) in change.iter().enumerate() {
            now += change;
            if now > most {
                (most, fullest) = (now, kernel);
            }
        }
        let mut made = vec![None; self.buffers.len()];
        for (at, kernel) in self.kernels.iter().enumerate() {
            for buffer in kernel.writes() {
                made[buffer.0 as usize].get_or_insert(at);
            }
        }
        let lives_then = |at: &usize| life(*at).is_some_and(|(first, last)| first <= fullest && fullest <= last);
        scratch().filter(lives_then).map(|at| Held { buffer: BufferId(at as u32), made: made[at] }).collect()
    }
}
