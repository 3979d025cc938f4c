//! Matrix products: ndarray's, single-threaded, on shares of the batch, of the rows or of the columns. How a product is divided
//! changes no bit of it. An operand that is no matrix in memory, such as the windows of a convolution, is gathered block by block.

use super::pool::Pool;
use super::tile::Read;
use crate::plan::{Matrices, Storage};
use bytemuck::{Pod, cast_slice, cast_slice_mut};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ArrayViewMut3, Axis, LinalgScalar, ShapeBuilder, ShapeError};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// With fewer multiplications a product is not worth waking threads for.
const ALONE: usize = 64 * 1024;

/// About so many elements of an operand are gathered at once: they stay in the L2 cache.
const GATHERED: usize = 128 * 1024;

/// Element types of products.
pub trait Float: LinalgScalar + Pod + Send + Sync {}
impl Float for f32 {}
impl Float for f64 {}

/// Operands that do not fit their buffers are a fault of the plan, and an error.
pub fn run(matrices: &Matrices, a: Read, b: Read, out: &mut [u8], pool: &Pool) -> Result<(), String> {
    match matrices.storage {
        Storage::F64 => run_of::<f64>(matrices, a, b, cast_slice_mut(out), pool),
        Storage::F32 | Storage::I32 | Storage::Bool => run_of::<f32>(matrices, a, b, cast_slice_mut(out), pool),
    }
}

fn run_of<T: Float>(matrices: &Matrices, a: Read, b: Read, out: &mut [T], pool: &Pool) -> Result<(), String> {
    let [batch, rows, depth, columns] = matrices.counts();
    if out.is_empty() || depth == 0 {
        out.fill(T::zero());
        return Ok(());
    }
    let product = Product { matrices, a: Operand::new(a), b: Operand::new(b) };
    let made = ArrayViewMut3::from_shape((batch, rows, columns), out).map_err(misfit)?;
    let whole = Part { first: [0; 3], made };
    if is_small(matrices) || pool.threads() == 1 {
        return product.multiply(whole);
    }
    let parts: Vec<Mutex<Option<Part<T>>>> =
        shared(whole, pool.threads()).into_iter().map(|part| Mutex::new(Some(part))).collect();
    let failed: Mutex<Option<String>> = Mutex::new(None);
    pool.run(&|thread| {
        let part = parts.get(thread).and_then(|part| part.lock().ok()?.take());
        if let Some(Err(wrong)) = part.map(|part| product.multiply(part)) {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn misfit(wrong: ShapeError) -> String {
    format!("a product does not fit its buffers: {wrong}")
}

/// A part of the result, and the batch, row and column that it starts from.
struct Part<'a, T> {
    first: [usize; 3],
    made: ArrayViewMut3<'a, T>,
}

/// Equal shares of the batch if each thread gets one, else of the longer of rows and columns.
fn shared<T: Float>(whole: Part<T>, threads: usize) -> Vec<Part<T>> {
    let (batch, rows, columns) = whole.made.dim();
    let axis = match (batch >= threads, by_rows(rows, columns)) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    };
    let mut parts = Vec::with_capacity(threads);
    let Part { mut first, made: mut rest } = whole;
    for left_over in (1..=threads).rev() {
        let share = rest.len_of(Axis(axis)).div_ceil(left_over);
        let (made, others) = rest.split_at(Axis(axis), share);
        parts.push(Part { first, made });
        first[axis] += share;
        rest = others;
    }
    parts
}

/// Whether a product is divided by its rows: the loop that follows it can then run on the same thread. With few rows, each thread
/// would pack all columns for little work.
pub fn by_rows(rows: usize, columns: usize) -> bool {
    rows >= columns / 4
}

pub fn is_small(matrices: &Matrices) -> bool {
    matrices.counts().iter().product::<usize>() < ALONE
}

/// Some rows of the products, one below the other, from the row `first` on, as many as `out` has room for.
pub fn rows(matrices: &Matrices, first: usize, a: Read, b: Read, out: &mut [u8]) -> Result<(), String> {
    match matrices.storage {
        Storage::F64 => rows_of::<f64>(matrices, first, a, b, cast_slice_mut(out)),
        Storage::F32 | Storage::I32 | Storage::Bool => rows_of::<f32>(matrices, first, a, b, cast_slice_mut(out)),
    }
}

fn rows_of<T: Float>(matrices: &Matrices, first: usize, a: Read, b: Read, out: &mut [T]) -> Result<(), String> {
    let [_, all, depth, columns] = matrices.counts();
    if out.is_empty() || depth == 0 {
        out.fill(T::zero());
        return Ok(());
    }
    let product = Product { matrices, a: Operand::new(a), b: Operand::new(b) };
    let (mut rest, mut row) = (out, first);
    while !rest.is_empty() {
        let (batch, own) = (row / all, row % all);
        let rows = (all - own).min(rest.len() / columns);
        let (part, others) = rest.split_at_mut(rows * columns);
        let made = ArrayViewMut3::from_shape((1, rows, columns), part).map_err(misfit)?;
        product.multiply(Part { first: [batch, own, 0], made })?;
        (rest, row) = (others, row + rows);
    }
    Ok(())
}

/// Elements of an operand, and where its first one lies among them.
struct Operand<'a, T> {
    all: &'a [T],
    start: isize,
}

impl<'a, T: Float> Operand<'a, T> {
    fn new(read: Read<'a>) -> Operand<'a, T> {
        Operand { all: cast_slice(read.bytes), start: read.start }
    }
}

/// Axes of one matrix: their sizes and strides.
type Axes<'m> = (&'m [usize], &'m [isize]);

/// The offset of the element `at` of axes.
fn offset((sizes, strides): Axes, at: usize) -> isize {
    let (mut rest, mut place) = (at, 0);
    for (size, stride) in sizes.iter().zip(strides).rev() {
        place += (rest % size) as isize * stride;
        rest /= size;
    }
    place
}

/// The one stride of axes that are a single one. Elements that lie backwards or on top of each other are gathered.
fn stride((sizes, strides): Axes) -> Option<usize> {
    match (sizes, strides) {
        ([], []) => Some(0),
        ([_], [stride]) => usize::try_from(*stride).ok().filter(|stride| *stride > 0),
        _ => None,
    }
}

struct Product<'p, T> {
    matrices: &'p Matrices,
    a: Operand<'p, T>,
    b: Operand<'p, T>,
}

impl<T: Float> Product<'_, T> {
    fn multiply(&self, part: Part<T>) -> Result<(), String> {
        let Matrices { batch, rows, depth, columns, a, b, .. } = self.matrices;
        let Part { first, mut made } = part;
        let mut scratch: [Vec<T>; 2] = Default::default();
        for (at, mut made) in made.outer_iter_mut().enumerate() {
            let start =
                |operand: &Operand<T>, strides: &[isize]| operand.start + offset((batch, strides), first[0] + at);
            let left = Side {
                all: self.a.all,
                start: start(&self.a, &a[0]),
                free: (rows, &a[1]),
                depth: (depth, &a[2]),
                taken: first[1]..first[1] + made.nrows(),
            };
            let right = Side {
                all: self.b.all,
                start: start(&self.b, &b[0]),
                free: (columns, &b[2]),
                depth: (depth, &b[1]),
                taken: first[2]..first[2] + made.ncols(),
            };
            multiply(&left, &right, &mut scratch, &mut made)?;
        }
        Ok(())
    }
}

/// An operand in one product: free axes, of which a range is taken, and the depth.
struct Side<'a, T> {
    all: &'a [T],
    start: isize,
    free: Axes<'a>,
    depth: Axes<'a>,
    taken: Range<usize>,
}

impl<T: Float> Side<'_, T> {
    /// A matrix `[taken, depth]` of the memory itself.
    fn plain(&self) -> Option<Result<ArrayView2<'_, T>, String>> {
        let (free, depth) = (stride(self.free)?, stride(self.depth)?);
        let start = self.start + (self.taken.start * free) as isize;
        let shape = (self.taken.len(), self.depth.0.iter().product()).strides((free, depth));
        let all = usize::try_from(start).ok().and_then(|start| self.all.get(start..)).unwrap_or_default();
        Some(ArrayView2::from_shape(shape, all).map_err(misfit))
    }

    /// The matrix `[taken, part of the depth]`, gathered.
    fn gather<'s>(&self, part: &Range<usize>, scratch: &'s mut Vec<T>) -> Result<ArrayView2<'s, T>, String> {
        let table =
            |axes: Axes, range: &Range<usize>| -> Vec<isize> { range.clone().map(|at| offset(axes, at)).collect() };
        let (free, depth) = (table(self.free, &self.taken), table(self.depth, part));
        scratch.clear();
        scratch.reserve(free.len() * depth.len());
        // What lies side by side in memory stays so.
        let (free_runs, depth_runs) = (runs(&free), runs(&depth));
        let by_depth = depth_runs.len() * free.len() <= free_runs.len() * depth.len();
        let (outer, inner) = if by_depth { (&free, &depth_runs) } else { (&depth, &free_runs) };
        for outer in outer {
            for (start, len) in inner {
                let first = usize::try_from(self.start + outer + start).unwrap_or(usize::MAX);
                let run = first.checked_add(*len).and_then(|end| self.all.get(first..end));
                scratch.extend_from_slice(run.ok_or("a product does not fit its buffers")?);
            }
        }
        let shape = (free.len(), depth.len());
        let laid = if by_depth { shape.strides((shape.1, 1)) } else { shape.strides((1, shape.0)) };
        ArrayView2::from_shape(laid, scratch).map_err(misfit)
    }
}

/// Offsets that ascend by one, as their first and how many.
fn runs(offsets: &[isize]) -> Vec<(isize, usize)> {
    let mut runs: Vec<(isize, usize)> = Vec::new();
    for offset in offsets {
        match runs.last_mut() {
            Some((start, len)) if *start + *len as isize == *offset => *len += 1,
            _ => runs.push((*offset, 1)),
        }
    }
    runs
}

/// One product of matrices; what has to be gathered, block by block of the depth.
fn multiply<T: Float>(
    left: &Side<T>,
    right: &Side<T>,
    scratch: &mut [Vec<T>; 2],
    made: &mut ArrayViewMut2<T>,
) -> Result<(), String> {
    if made.is_empty() {
        return Ok(());
    }
    let (a, b) = (left.plain().transpose()?, right.plain().transpose()?);
    if let (Some(a), Some(b)) = (&a, &b) {
        general_mat_mul(T::one(), a, &b.t(), T::zero(), made);
        return Ok(());
    }
    let depth: usize = left.depth.0.iter().product();
    let most = left.free.0.iter().product::<usize>().max(right.free.0.iter().product());
    // Blocks depend on the whole matrices alone: bits are the same however these are divided.
    let block = (GATHERED / most.max(1)).clamp(64, depth.max(64));
    let mut before = T::zero();
    for first in (0..depth).step_by(block) {
        let part = first..(first + block).min(depth);
        let [for_a, for_b] = &mut *scratch;
        let cut = ndarray::s![.., part.clone()];
        let a = match &a {
            Some(a) => a.slice(cut),
            None => left.gather(&part, for_a)?,
        };
        let b = match &b {
            Some(b) => b.slice(cut),
            None => right.gather(&part, for_b)?,
        };
        general_mat_mul(T::one(), &a, &b.t(), before, made);
        before = T::one();
    }
    Ok(())
}
