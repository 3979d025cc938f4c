//! Strided views of buffers. Most views of the graph only change strides, and are folded into whatever reads.

use super::kernel::BufferId;

/// A shape with a stride for each axis, in elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    pub shape: Vec<usize>,
    pub strides: Vec<isize>,
}

/// A strided view of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Without one the value of an element is its own offset: 0, 1, 2, …
    pub buffer: Option<BufferId>,
    pub start: isize,
    pub layout: Layout,
}

impl Layout {
    /// Row-major.
    pub fn dense(shape: Vec<usize>) -> Layout {
        Layout { strides: row_major(&shape), shape }
    }

    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it is contiguous and row-major.
    pub fn is_dense(&self) -> bool {
        let dense = row_major(&self.shape);
        let same = |((size, own), dense): ((&usize, &isize), &isize)| *size == 1 || own == dense;
        self.count() == 0 || self.shape.iter().zip(&self.strides).zip(&dense).all(same)
    }

    pub fn permute(&self, order: &[usize]) -> Layout {
        let shape = order.iter().map(|axis| self.shape[*axis]).collect();
        Layout { shape, strides: order.iter().map(|axis| self.strides[*axis]).collect() }
    }

    /// Another shape of the same elements, if strides can express it.
    pub fn reshape(&self, shape: &[usize]) -> Option<Layout> {
        if self.count() == 0 || self.is_dense() {
            return Some(Layout::dense(shape.to_vec()));
        }
        // Runs of axes that are contiguous within each other, merged; axes of size 1 do not matter.
        let mut runs: Vec<(usize, isize)> = Vec::new();
        for (size, stride) in self.shape.iter().zip(&self.strides).filter(|(size, _)| **size != 1) {
            match runs.last_mut() {
                Some((inner, last)) if *last == stride * *size as isize => (*inner, *last) = (*inner * size, *stride),
                _ => runs.push((*size, *stride)),
            }
        }
        let mut strides = vec![0; shape.len()];
        let mut axis = shape.len();
        for (size, stride) in runs.into_iter().rev() {
            let mut covered = 1;
            while covered < size {
                axis = axis.checked_sub(1)?;
                strides[axis] = stride * covered as isize;
                covered *= shape[axis];
            }
            if covered != size {
                return None;
            }
        }
        Some(Layout { shape: shape.to_vec(), strides })
    }

    /// One size and one stride for a run of axes, if they are contiguous within each other.
    pub fn merged(shape: &[usize], strides: &[isize]) -> Option<(usize, isize)> {
        let mut all = shape.iter().zip(strides).filter(|(size, _)| **size != 1).rev();
        let Some((first, stride)) = all.next() else { return Some((shape.iter().product(), 0)) };
        let mut size = *first;
        for (more, wide) in all {
            if *wide != stride * size as isize {
                return None;
            }
            size *= more;
        }
        Some((size, *stride))
    }
}

impl View {
    /// A whole buffer, row-major.
    pub fn whole(buffer: BufferId, shape: Vec<usize>) -> View {
        View { buffer: Some(buffer), start: 0, layout: Layout::dense(shape) }
    }

    /// Counting along one axis.
    pub fn iota(shape: Vec<usize>, axis: usize) -> View {
        let strides = (0..shape.len()).map(|other| isize::from(other == axis)).collect();
        View { buffer: None, start: 0, layout: Layout { shape, strides } }
    }

    /// Whether it is contiguous from the start of a buffer.
    pub fn is_whole(&self) -> bool {
        self.buffer.is_some() && self.start == 0 && self.layout.is_dense()
    }

    pub fn permute(&self, order: &[usize]) -> View {
        View { layout: self.layout.permute(order), ..*self }
    }

    /// Axis `i` becomes axis `kept[i]`; the others repeat.
    pub fn broadcast(&self, shape: Vec<usize>, kept: &[usize]) -> View {
        let mut strides = vec![0; shape.len()];
        for ((size, stride), place) in self.layout.shape.iter().zip(&self.layout.strides).zip(kept) {
            strides[*place] = if *size == 1 { 0 } else { *stride };
        }
        View { layout: Layout { shape, strides }, ..*self }
    }

    pub fn slice(&self, axis: usize, start: i64, count: usize, step: i64) -> View {
        let mut view = self.clone();
        if count > 0 {
            view.start += start as isize * view.layout.strides[axis];
        }
        view.layout.shape[axis] = count;
        view.layout.strides[axis] *= step as isize;
        view
    }

    /// One axis as windows, which overlap where they are wider than the stride.
    pub fn window(&self, axis: usize, count: usize, size: usize, stride: i64, dilation: i64) -> View {
        let mut view = self.clone();
        let own = view.layout.strides[axis];
        view.layout.shape[axis] = count;
        view.layout.shape.insert(axis + 1, size);
        view.layout.strides[axis] = own * stride as isize;
        view.layout.strides.insert(axis + 1, own * dilation as isize);
        view
    }

    pub fn reshape(&self, shape: &[usize]) -> Option<View> {
        Some(View { layout: self.layout.reshape(shape)?, ..*self })
    }
}

/// Whether the rows of a loop (its first `split` axes) ascend in a buffer without overlap, over all parts of it that the loop
/// stores to, each given by its first element and its layout. Rows can then be divided among threads by splitting the buffer.
pub fn rows_ascend(parts: &[(isize, &Layout)], split: usize) -> bool {
    let Some((_, any)) = parts.first() else { return true };
    if parts.iter().any(|(_, layout)| layout.count() == 0) {
        return parts.len() == 1;
    }
    let is_row = |axis: &usize| *axis < split && any.shape[*axis] != 1;
    let alike = |(_, layout): &(isize, &Layout)| {
        (0..any.shape.len()).filter(is_row).all(|axis| layout.strides[axis] == any.strides[axis])
            && layout.strides.iter().all(|stride| *stride >= 0)
    };
    if !parts.iter().all(alike) {
        return false;
    }
    let last = |(start, layout): &(isize, &Layout)| {
        let columns = layout.shape.iter().zip(&layout.strides).skip(split);
        start + columns.map(|(size, stride)| (*size as isize - 1) * stride).sum::<isize>()
    };
    let first = parts.iter().map(|(start, _)| *start).min().unwrap_or(0);
    let mut span = parts.iter().map(last).max().unwrap_or(0) + 1 - first;
    for axis in (0..any.shape.len().min(split)).rev().filter(is_row) {
        if any.strides[axis] < span {
            return false;
        }
        span += (any.shape[axis] as isize - 1) * any.strides[axis];
    }
    true
}

pub fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}
