//! Where in the arena each buffer lies. Buffers that are never alive at once share room.

use super::kernel::{BufferId, Plan};

/// Offsets are multiples of this many elements: a line of the cache.
const ALIGN: usize = 16;

/// A buffer that has its place: elements of the arena, and the kernels between which it is alive.
struct Placed {
    start: usize,
    end: usize,
    first: usize,
    last: usize,
}

/// Gives every buffer its offset and the arena its length.
pub fn place(plan: &mut Plan) {
    // First writer and last reader. What is kept is alive from step to step.
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; plan.buffers.len()];
    for (at, kernel) in plan.kernels.iter().enumerate() {
        for BufferId(id) in kernel.reads().into_iter().chain(kernel.writes()) {
            let life = lives[id as usize].get_or_insert((at, at));
            life.1 = life.1.max(at);
        }
    }
    for buffer in plan.buffers.iter_mut().filter(|buffer| buffer.kept) {
        buffer.offset = plan.arena;
        plan.arena += buffer.len.next_multiple_of(ALIGN);
    }
    let kept = plan.arena;
    let mut order: Vec<usize> =
        (0..plan.buffers.len()).filter(|at| lives[*at].is_some() && !plan.buffers[*at].kept).collect();
    // The largest first: small ones fill what is left between.
    order.sort_by_key(|at| std::cmp::Reverse(plan.buffers[*at].len));
    // In the order of their starts.
    let mut placed: Vec<Placed> = Vec::new();
    for at in order {
        let Some((first, last)) = lives[at] else { continue };
        let len = plan.buffers[at].len.next_multiple_of(ALIGN);
        let mut start = kept;
        for other in placed.iter().filter(|other| other.first <= last && first <= other.last) {
            if start + len <= other.start {
                break;
            }
            start = start.max(other.end);
        }
        plan.buffers[at].offset = start;
        plan.arena = plan.arena.max(start + len);
        let place = placed.partition_point(|other| other.start < start);
        placed.insert(place, Placed { start, end: start + len, first, last });
    }
}
