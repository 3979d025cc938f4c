//! Products and sums in registers: the most that the processor can compute.

use super::product::vector::{Plain, Vector};
#[cfg(target_arch = "x86_64")]
use super::product::vector::{Wide, Widest};
use std::hint::black_box;

/// How many sums there are: none waits for the one before it, and all have a register.
const CHAINS: usize = 12;

/// What computes, and with which instructions.
pub struct Chains {
    pub instructions: &'static str,
    lanes: usize,
    run: unsafe fn(u32),
}

impl Chains {
    /// The widest that the processor has.
    pub fn best() -> Chains {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                return Chains { instructions: "AVX-512", lanes: Widest::LANES, run: widest };
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                return Chains { instructions: "AVX2", lanes: Wide::LANES, run: wide };
            }
        }
        Chains { instructions: "portable", lanes: Plain::LANES, run: plain }
    }

    /// Computes on one thread; how many products and sums that were.
    pub fn run(&self, times: u32) -> f64 {
        // SAFETY: `best` has seen that the processor has the instructions.
        unsafe { (self.run)(times) }
        2.0 * (CHAINS * self.lanes) as f64 * f64::from(times)
    }
}

#[inline(always)]
unsafe fn compute<V: Vector>(times: u32) {
    let (a, b) = black_box((0.5f32, 0.25f32));
    // SAFETY: the caller has seen that the processor has the vectors, and no vector is longer than the sums.
    unsafe {
        let (a, b) = (V::spread(&raw const a), V::spread(&raw const b));
        let mut sums = [V::zero(); CHAINS];
        for _ in 0..times {
            for sum in &mut sums {
                *sum = sum.add_product(a, b);
            }
        }
        let mut left = [0.0f32; 16];
        for sum in sums {
            sum.store(left.as_mut_ptr());
            black_box(&left);
        }
    }
}

unsafe fn plain(times: u32) {
    // SAFETY: every processor has it.
    unsafe { compute::<Plain>(times) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn wide(times: u32) {
    // SAFETY: as the caller says.
    unsafe { compute::<Wide>(times) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn widest(times: u32) {
    // SAFETY: as the caller says.
    unsafe { compute::<Widest>(times) }
}
