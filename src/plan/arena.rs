//! Where in the arena each buffer lies. Buffers that are never alive at once share room.

use super::kernel::{BufferId, Plan};

/// Offsets are multiples of this many elements: a line of the cache.
const ALIGN: usize = 16;

/// Gives every buffer its offset and the arena its length.
pub fn place(plan: &mut Plan) {
    let end = plan.kernels.len();
    // First writer and last reader; what is kept lives from before the first kernel to after the last.
    let mut lives: Vec<Option<(usize, usize)>> = plan.buffers.iter().map(|b| b.kept.then_some((0, end))).collect();
    for (at, kernel) in plan.kernels.iter().enumerate() {
        for BufferId(id) in kernel.reads().into_iter().chain(kernel.writes()) {
            let life = lives[id as usize].get_or_insert((at, at));
            life.1 = life.1.max(at);
        }
    }
    let mut order: Vec<usize> = (0..plan.buffers.len()).filter(|at| lives[*at].is_some()).collect();
    // The largest first: small ones fill what is left between.
    order.sort_by_key(|at| std::cmp::Reverse(plan.buffers[*at].len));
    let mut placed: Vec<usize> = Vec::new();
    for at in order {
        let Some((from, to)) = lives[at] else { continue };
        let len = plan.buffers[at].len.next_multiple_of(ALIGN);
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|other| lives[**other].is_some_and(|(first, last)| first <= to && from <= last))
            .map(|other| (plan.buffers[*other].offset, plan.buffers[*other].len.next_multiple_of(ALIGN)))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, length) in taken {
            if offset + len <= start {
                break;
            }
            offset = offset.max(start + length);
        }
        plan.buffers[at].offset = offset;
        plan.arena = plan.arena.max(offset + len);
        placed.push(at);
    }
}
