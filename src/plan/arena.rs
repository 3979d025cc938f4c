//! Where in scratch each buffer lies. Buffers that are never alive at once share room.

use super::kernel::{BufferId, Plan, Region};

/// Offsets are multiples of this many bytes: a line of the cache.
pub(super) const ALIGN: usize = 64;

/// A buffer that has its place: bytes of scratch, and the kernels between which it is alive.
struct Placed {
    start: usize,
    end: usize,
    first: usize,
    last: usize,
}

/// The first kernel that uses each buffer and the last; `None` of a buffer that nothing uses.
pub(super) fn lifetimes(plan: &Plan) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; plan.buffers.len()];
    for (at, kernel) in plan.kernels.iter().enumerate() {
        for BufferId(id) in kernel.reads().chain(kernel.writes()) {
            let life = lives[id as usize].get_or_insert((at, at));
            life.1 = life.1.max(at);
        }
    }
    lives
}

/// Gives every buffer its offset and scratch its length.
pub(super) fn place(plan: &mut Plan) {
    let lives = lifetimes(plan);
    for buffer in plan.buffers.iter_mut().filter(|buffer| buffer.kept && buffer.region == Region::Scratch) {
        buffer.offset = plan.scratch;
        plan.scratch += buffer.bytes().next_multiple_of(ALIGN);
    }
    let kept = plan.scratch;
    let free =
        |at: &usize| lives[*at].is_some() && !plan.buffers[*at].kept && plan.buffers[*at].region == Region::Scratch;
    let mut order: Vec<usize> = (0..plan.buffers.len()).filter(free).collect();
    // The largest first: small ones fill what is left between.
    order.sort_by_key(|at| std::cmp::Reverse(plan.buffers[*at].bytes()));
    // In the order of their starts.
    let mut placed: Vec<Placed> = Vec::new();
    for at in order {
        let Some((first, last)) = lives[at] else { continue };
        let len = plan.buffers[at].bytes().next_multiple_of(ALIGN);
        let mut start = kept;
        for other in placed.iter().filter(|other| other.first <= last && first <= other.last) {
            if start + len <= other.start {
                break;
            }
            start = start.max(other.end);
        }
        plan.buffers[at].offset = start;
        plan.scratch = plan.scratch.max(start + len);
        let place = placed.partition_point(|other| other.start < start);
        placed.insert(place, Placed { start, end: start + len, first, last });
    }
}
