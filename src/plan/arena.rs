//! Offsets of buffers in scratch. Buffers whose lifetimes do not overlap share memory.

use super::kernel::{BufferId, Plan, Region};

/// Alignment of offsets in bytes: a cache line.
pub(super) const ALIGN: usize = 64;

/// A buffer with its offset: its bytes of scratch, and the first and last kernel of its lifetime.
struct Placed {
    start: usize,
    end: usize,
    first: usize,
    last: usize,
}

/// The first and the last kernel that use each buffer; `None` for a buffer that nothing uses.
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

/// Assigns the offset of every buffer and the size of scratch: first fit, largest first.
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
    // The largest first: small ones fill the gaps.
    order.sort_by_key(|at| std::cmp::Reverse(plan.buffers[*at].bytes()));
    // Sorted by start.
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
