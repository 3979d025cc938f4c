//! Packing: lanes of an operand side by side, one group for each step of the depth.

use super::offsets::Offsets;
use std::ops::Range;

/// Packs some lanes for some of the depth: the element of a lane at a step is `out[step * width + lane]`. Lanes that `width` has
/// beyond them become 0.
///
/// # Safety
/// All these elements are there, counted from `from`; `out` has room for them, and is nobody else's.
pub unsafe fn pack(
    from: *const f32,
    (lanes, own): (&Offsets, Range<usize>),
    (depth, steps): (&Offsets, Range<usize>),
    out: *mut f32,
    width: usize,
) {
    let count = own.len();
    // SAFETY: as the caller says.
    unsafe {
        if count < width {
            for step in 0..steps.len() {
                out.add(step * width + count).write_bytes(0, width - count);
            }
        }
        let lane_runs = runs(lanes, own.clone()).count();
        if lane_runs * SIDE > count && runs(depth, steps.clone()).count() * SIDE <= steps.len() {
            for run in runs(depth, steps.clone()) {
                let out = out.add((run.start - steps.start) * width);
                transpose(from.offset(depth.at(run.start)), (lanes, own.clone()), run.len(), out, width);
            }
        } else {
            for run in runs(lanes, own.clone()) {
                let (from, out) = (from.offset(lanes.at(run.start)), out.add(run.start - own.start));
                copy_runs(run.len(), steps.clone().map(|step| from.offset(depth.at(step))), out, width);
            }
        }
    }
}

/// The side of a square that is transposed at once.
const SIDE: usize = 8;

/// Indices whose elements lie side by side.
fn runs(offsets: &Offsets, own: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut start = own.start;
    std::iter::from_fn(move || {
        if start >= own.end {
            return None;
        }
        let end = match offsets.stride() {
            Some(1) => own.end,
            Some(_) => start + 1,
            None => (start + 1..own.end).find(|at| offsets.at(*at) != offsets.at(at - 1) + 1).unwrap_or(own.end),
        };
        Some(std::mem::replace(&mut start, end)..end)
    })
}

/// Copies so many floats from each place.
#[inline(always)]
unsafe fn copy_runs(count: usize, places: impl Iterator<Item = *const f32>, out: *mut f32, width: usize) {
    // SAFETY: as the caller says. What is copied twice is the same.
    unsafe {
        let mut to = out;
        macro_rules! each {
            ($copy:expr) => {
                for place in places {
                    $copy(place, to);
                    to = to.wrapping_add(width);
                }
            };
        }
        match count {
            32 => each!(|from, to| part::<32>(from, to, 0)),
            17.. => each!(|from, to| {
                part::<16>(from, to, 0);
                part::<16>(from, to, count - 16);
            }),
            16 => each!(|from, to| part::<16>(from, to, 0)),
            9.. => each!(|from, to| {
                part::<8>(from, to, 0);
                part::<8>(from, to, count - 8);
            }),
            8 => each!(|from, to| part::<8>(from, to, 0)),
            4.. => each!(|from, to| {
                part::<4>(from, to, 0);
                part::<4>(from, to, count - 4);
            }),
            _ => each!(|from, to| (0..count).for_each(|at| part::<1>(from, to, at))),
        }
    }
}

#[inline(always)]
unsafe fn part<const N: usize>(from: *const f32, to: *mut f32, at: usize) {
    // SAFETY: as the caller says.
    unsafe { to.add(at).cast::<[f32; N]>().write_unaligned(from.add(at).cast::<[f32; N]>().read_unaligned()) }
}

/// Lanes whose depth is contiguous.
unsafe fn transpose(
    from: *const f32,
    (offsets, own): (&Offsets, Range<usize>),
    depth: usize,
    out: *mut f32,
    width: usize,
) {
    let (lanes, whole_depth) = (own.len(), depth - depth % SIDE);
    let whole_lanes = lanes - lanes % SIDE;
    // SAFETY: as the caller says.
    unsafe {
        let place = |lane: usize| from.offset(offsets.at(own.start + lane));
        for lane in (0..whole_lanes).step_by(SIDE) {
            let rows: [*const f32; SIDE] = std::array::from_fn(|at| place(lane + at));
            for step in (0..whole_depth).step_by(SIDE) {
                square(rows.map(|row| row.add(step)), out.add(step * width + lane), width);
            }
        }
        for lane in 0..lanes {
            let rest = if lane < whole_lanes { whole_depth } else { 0 };
            for step in rest..depth {
                *out.add(step * width + lane) = *place(lane).add(step);
            }
        }
    }
}

/// Transposes 8 × 8 floats.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn square(rows: [*const f32; SIDE], out: *mut f32, width: usize) {
    use std::arch::x86_64::*;
    // SAFETY: as the caller says; every processor of this kind has SSE.
    unsafe {
        for half in [0, 4] {
            for quarter in [0, 4] {
                let row = |at: usize| _mm_loadu_ps(rows[half + at].add(quarter));
                let (mut a, mut b, mut c, mut d) = (row(0), row(1), row(2), row(3));
                _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
                for (at, row) in [a, b, c, d].into_iter().enumerate() {
                    _mm_storeu_ps(out.add((quarter + at) * width + half), row);
                }
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
unsafe fn square(rows: [*const f32; SIDE], out: *mut f32, width: usize) {
    for (lane, row) in rows.into_iter().enumerate() {
        for step in 0..SIDE {
            // SAFETY: as the caller says.
            unsafe { *out.add(step * width + lane) = *row.add(step) }
        }
    }
}
