//! The seeded order behind a split: a Fisher–Yates shuffle drawn from SplitMix64 (Steele, Lea, Flood 2014).
//!
//! It is part of what a file means (the same seed must give the same split for ever), so it does not change.

use crate::data::mistakes::goes_on;

/// A sequence of 64-bit numbers that a seed settles.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound` (which is not 0): the high half of a product, which is even to within 2⁻⁶⁴ × bound.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// The numbers `0..count` in the order of a seed.
pub fn order(count: usize, seed: u64) -> Vec<usize> {
    order_until(count, seed, || false)
}

/// The same, unless it is to stop: then the order is no use.
pub fn order_until(count: usize, seed: u64, stop: fn() -> bool) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..count).collect();
    let mut draws = SplitMix(seed);
    for last in (1..count).rev().take_while(|last| goes_on(*last, stop)) {
        rows.swap(last, draws.below(last + 1));
    }
    rows
}
