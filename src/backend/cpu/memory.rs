//! The memory of a device: the resident region of parameters and states, shared by all plans, and scratch, which each plan uses
//! while it runs. Kernels get disjoint slices of both.

use super::pages::Pages;
use crate::plan::{Buffer, BufferId, Region};
use bytemuck::cast_slice_mut;
use std::ops::Range;

#[derive(Default)]
pub struct Memory {
    resident: Pages,
    scratch: Pages,
}

impl Memory {
    /// Grows both regions to the bytes that a plan needs. What is resident stays; what lies in scratch need not.
    pub fn reserve(&mut self, resident: usize, scratch: usize) {
        let held = self.resident.bytes().len();
        if held < resident {
            let mut larger = Pages::new(resident);
            larger.bytes_mut()[..held].copy_from_slice(self.resident.bytes());
            self.resident = larger;
        }
        if self.scratch.bytes().len() < scratch {
            // What there was goes first: both need not have room at once.
            self.scratch = Pages::default();
            self.scratch = Pages::new(scratch);
        }
    }

    pub fn get(&self, buffer: &Buffer) -> &[u8] {
        let region = match buffer.region {
            Region::Resident => &self.resident,
            Region::Scratch => &self.scratch,
        };
        &region.bytes()[range(buffer)]
    }

    pub fn get_mut(&mut self, buffer: &Buffer) -> &mut [u8] {
        let region = match buffer.region {
            Region::Resident => &mut self.resident,
            Region::Scratch => &mut self.scratch,
        };
        &mut region.bytes_mut()[range(buffer)]
    }

    /// Copies a buffer to another of the same length.
    pub fn copy(&mut self, from: &Buffer, to: &Buffer) {
        let (from_range, to_range) = (range(from), range(to));
        match (from.region, to.region) {
            _ if from_range.len() != to_range.len() => {}
            (Region::Resident, Region::Resident) => {
                self.resident.bytes_mut().copy_within(from_range, to_range.start);
            }
            (Region::Scratch, Region::Scratch) => {
                self.scratch.bytes_mut().copy_within(from_range, to_range.start);
            }
            (Region::Resident, Region::Scratch) => {
                let from = &self.resident.bytes()[from_range];
                self.scratch.bytes_mut()[to_range].copy_from_slice(from);
            }
            (Region::Scratch, Region::Resident) => {
                let from = &self.scratch.bytes()[from_range];
                self.resident.bytes_mut()[to_range].copy_from_slice(from);
            }
        }
    }
}

fn range(buffer: &Buffer) -> Range<usize> {
    buffer.offset..buffer.offset + buffer.bytes()
}

/// The slices that a kernel reads and writes.
pub struct Slices<'m> {
    read: Vec<(BufferId, &'m [u8])>,
    written: Vec<(BufferId, &'m mut [u8])>,
}

impl<'m> Slices<'m> {
    /// Ranges of memory: those that are written are apart from all others, those that are read need not be. What is both is
    /// written.
    pub fn borrow(
        memory: &'m mut Memory,
        buffers: &[Buffer],
        reads: impl Iterator<Item = BufferId>,
        writes: impl Iterator<Item = BufferId>,
    ) -> Slices<'m> {
        let place = |id: &BufferId| {
            let buffer = &buffers[id.0 as usize];
            (buffer.region == Region::Scratch, buffer.offset, *id)
        };
        let mut wanted: Vec<BufferId> = writes.filter(|id| buffers[id.0 as usize].len > 0).collect();
        wanted.sort_unstable_by_key(place);
        wanted.dedup();
        let mut written = Vec::with_capacity(wanted.len());
        // What lies between what is written: the region, where it starts in that, the bytes.
        let mut between: Vec<(Region, usize, &'m [u8])> = Vec::with_capacity(wanted.len() + 2);
        let mut resident: (&mut [u8], usize) = (memory.resident.bytes_mut(), 0);
        let mut scratch: (&mut [u8], usize) = (memory.scratch.bytes_mut(), 0);
        for id in wanted {
            let buffer = &buffers[id.0 as usize];
            let (rest, start) = match buffer.region {
                Region::Resident => &mut resident,
                Region::Scratch => &mut scratch,
            };
            let (before, tail) = std::mem::take(rest).split_at_mut(buffer.offset - *start);
            let (own, tail) = tail.split_at_mut(buffer.bytes());
            between.push((buffer.region, *start, before));
            (*rest, *start) = (tail, buffer.offset + buffer.bytes());
            written.push((id, own));
        }
        between.push((Region::Resident, resident.1, resident.0));
        between.push((Region::Scratch, scratch.1, scratch.0));
        let range = |id: BufferId| {
            let buffer = &buffers[id.0 as usize];
            between.iter().find_map(|(region, start, bytes)| {
                let first = buffer.offset.checked_sub(*start).filter(|_| *region == buffer.region)?;
                Some((id, bytes.get(first..first + buffer.bytes())?))
            })
        };
        let read = reads.filter(|id| buffers[id.0 as usize].len > 0).filter_map(range).collect();
        Slices { read, written }
    }

    /// A range to write; empty, and aligned all the same, where it was taken before.
    pub fn take(&mut self, id: BufferId) -> &'m mut [u8] {
        let found = self.written.iter().position(|(known, _)| *known == id);
        found.map_or(cast_slice_mut::<u64, u8>(&mut []), |at| self.written.swap_remove(at).1)
    }

    /// A range that is read.
    pub fn get(&self, id: BufferId) -> &'m [u8] {
        self.read
            .iter()
            .find(|(known, _)| *known == id)
            .map_or(bytemuck::cast_slice::<u64, u8>(&[]), |(_, slice)| slice)
    }
}
