//! Reductions: of a row of a tile, and of rows into accumulators. Their order does not depend on the processor.

use super::number::Number;
use crate::ir::Reduce;
use crate::plan::Target;

/// The number of independent accumulators: a vector register of the widest processors.
const LANES: usize = 16;

/// One number of a row, by lanes and then across them: the second half of the lanes is joined to the first, until one is left.
#[inline(always)]
pub fn fold<T: Number + std::ops::Add<Output = T>>(reduce: Reduce, values: &[T]) -> T {
    match reduce {
        Reduce::Sum => by_lanes(values, T::of(0.0), |a, b| a + b),
        // NaN propagates.
        Reduce::Max => by_lanes(values, T::of(f64::NEG_INFINITY), |a, b| if b > a || is_nan(b) { b } else { a }),
        Reduce::Min => by_lanes(values, T::of(f64::INFINITY), |a, b| if b < a || is_nan(b) { b } else { a }),
    }
}

#[inline(always)]
fn is_nan<T: PartialOrd + Copy>(x: T) -> bool {
    x.partial_cmp(&x).is_none()
}

#[inline(always)]
fn by_lanes<T: Copy>(values: &[T], start: T, join: impl Fn(T, T) -> T) -> T {
    let mut lanes = [start; LANES];
    let mut groups = values.chunks_exact(LANES);
    for group in groups.by_ref() {
        lanes.iter_mut().zip(group).for_each(|(lane, x)| *lane = join(*lane, *x));
    }
    lanes.iter_mut().zip(groups.remainder()).for_each(|(lane, x)| *lane = join(*lane, *x));
    let mut half = LANES / 2;
    while half > 0 {
        let (first, second) = lanes.split_at_mut(half);
        first.iter_mut().zip(second).for_each(|(lane, x)| *lane = join(*lane, *x));
        half /= 2;
    }
    lanes[0]
}

/// The same for ints: sums accumulate in 64 bits; `None` if the result overflows 32.
pub fn fold_ints(reduce: Reduce, values: &[i32]) -> Option<i32> {
    match reduce {
        Reduce::Sum => i32::try_from(values.iter().map(|x| i64::from(*x)).sum::<i64>()).ok(),
        Reduce::Max => Some(values.iter().copied().max().unwrap_or(i32::MIN)),
        Reduce::Min => Some(values.iter().copied().min().unwrap_or(i32::MAX)),
    }
}

/// Adds a tile to an accumulator.
#[inline(always)]
pub fn collect<T: Number>(reduce: Reduce, values: &[T], target: Target, columns: usize, partial: &mut [f64]) {
    match target {
        Target::Columns => {
            for row in values.chunks_exact(columns.max(1)) {
                let cells = partial.iter_mut().zip(row);
                match reduce {
                    Reduce::Sum => cells.for_each(|(sum, x)| *sum += x.to_f64()),
                    Reduce::Max | Reduce::Min => cells.for_each(|(m, x)| *m = reduce.join(*m, x.to_f64())),
                }
            }
        }
        Target::All => {
            let mut lanes = [reduce.start(); LANES];
            let mut groups = values.chunks_exact(LANES);
            for group in groups.by_ref() {
                match reduce {
                    Reduce::Sum => lanes.iter_mut().zip(group).for_each(|(sum, x)| *sum += x.to_f64()),
                    Reduce::Max | Reduce::Min => {
                        lanes.iter_mut().zip(group).for_each(|(m, x)| *m = reduce.join(*m, x.to_f64()));
                    }
                }
            }
            let rest = groups.remainder().iter().map(|x| x.to_f64());
            let joined = lanes.into_iter().chain(rest).fold(reduce.start(), |a, b| reduce.join(a, b));
            partial[0] = reduce.join(partial[0], joined);
        }
    }
}
