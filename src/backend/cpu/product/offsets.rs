//! Where the elements of an operand lie: the sum of an offset for each of its axes.

use std::sync::Arc;

/// The offset of each index of an axis.
#[derive(Clone, Debug)]
pub enum Offsets {
    Stride(usize, isize),
    Table(Arc<[i32]>),
}

impl Offsets {
    /// Of an axis that several axes make, the last of them the fastest: sizes and strides. A table only where one stride does not
    /// say it.
    pub fn new(axes: &[(usize, isize)]) -> Offsets {
        let axes: Vec<(usize, isize)> = axes.iter().copied().filter(|(size, _)| *size != 1).collect();
        let len: usize = axes.iter().map(|(size, _)| size).product();
        let merges = |pair: &[(usize, isize)]| pair[0].1 == pair[1].0 as isize * pair[1].1;
        if len == 0 || axes.windows(2).all(merges) {
            return Offsets::Stride(len, axes.last().map_or(0, |(_, stride)| *stride));
        }
        let mut table: Vec<isize> = vec![0];
        for (size, stride) in axes {
            table = table.iter().flat_map(|start| (0..size as isize).map(move |at| start + at * stride)).collect();
        }
        Offsets::Table(table.into_iter().map(near).collect())
    }

    pub fn count(&self) -> usize {
        match self {
            Offsets::Stride(len, _) => *len,
            Offsets::Table(table) => table.len(),
        }
    }

    #[inline(always)]
    pub fn at(&self, index: usize) -> isize {
        match self {
            Offsets::Stride(_, stride) => index as isize * stride,
            Offsets::Table(table) => table[index] as isize,
        }
    }

    pub fn stride(&self) -> Option<isize> {
        match self {
            Offsets::Stride(_, stride) => Some(*stride),
            Offsets::Table(_) => None,
        }
    }

    /// The offset of each index.
    pub fn table(&self) -> Arc<[i32]> {
        match self {
            Offsets::Table(table) => table.clone(),
            Offsets::Stride(len, stride) => (0..*len as isize).map(|at| near(at * stride)).collect(),
        }
    }

    /// Whether the elements of each group of so many indices lie side by side, and all groups are whole.
    pub fn in_groups(&self, of: usize) -> bool {
        let follows = |at: &usize| at.is_multiple_of(of) || self.at(*at) == self.at(at - 1) + 1;
        self.count().is_multiple_of(of) && (0..self.count()).all(|at| follows(&at))
    }

    /// The least and the greatest.
    pub fn bounds(&self) -> (isize, isize) {
        match self {
            Offsets::Stride(len, stride) => {
                let last = (len.max(&1) - 1) as isize * stride;
                (last.min(0), last.max(0))
            }
            Offsets::Table(table) => {
                (table.iter().min().map_or(0, |o| *o as isize), table.iter().max().map_or(0, |o| *o as isize))
            }
        }
    }
}

/// What is too far for a table is far beyond every buffer, and found to be so.
fn near(offset: isize) -> i32 {
    i32::try_from(offset).unwrap_or(if offset < 0 { i32::MIN } else { i32::MAX })
}

/// An operand as matrices: rows of the left one or columns of the right one are its lanes.
#[derive(Clone, Debug)]
pub struct Side {
    pub batch: Offsets,
    pub lanes: Offsets,
    pub depth: Offsets,
}

impl Side {
    /// How many elements before its first one, and how many from there on, it needs.
    pub fn extent(&self) -> (usize, usize) {
        let bounds = [&self.batch, &self.lanes, &self.depth].map(Offsets::bounds);
        let least: isize = bounds.iter().map(|(least, _)| least).sum();
        let most: isize = bounds.iter().map(|(_, most)| most).sum();
        (least.unsigned_abs(), most as usize + 1)
    }
}
