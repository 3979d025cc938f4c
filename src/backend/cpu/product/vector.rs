//! Vectors of 32-bit floats, as wide as the processor has them. All compute the same bits: products are added with one rounding.

/// A vector. All functions need what the processor must have for it.
pub trait Vector: Copy {
    const LANES: usize;
    /// The first lanes of a vector.
    type Mask: Copy;

    /// The first lanes, so many of them; all if there are fewer.
    unsafe fn first(count: usize) -> Self::Mask;
    /// Asks for the line of an address, which need not be there.
    fn prefetch(at: *const f32);
    unsafe fn zero() -> Self;
    /// One float in all lanes.
    unsafe fn spread(from: *const f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// The first half of the lanes from one place, the second from another.
    unsafe fn load_halves(low: *const f32, high: *const f32) -> Self;
    /// Reads the lanes of the mask; the others are 0.
    unsafe fn load_some(from: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn store_some(self, to: *mut f32, mask: Self::Mask);
    unsafe fn add(self, other: Self) -> Self;
    /// `self + a b`
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
}

/// What every processor can do.
pub type Plain = [f32; 8];

impl Vector for Plain {
    const LANES: usize = 8;
    type Mask = usize;

    #[inline(always)]
    unsafe fn first(count: usize) -> usize {
        count.min(8)
    }

    #[inline(always)]
    fn prefetch(_: *const f32) {}

    #[inline(always)]
    unsafe fn zero() -> Plain {
        [0.0; 8]
    }

    #[inline(always)]
    unsafe fn spread(from: *const f32) -> Plain {
        // SAFETY: as the caller says.
        [unsafe { *from }; 8]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Plain {
        // SAFETY: as the caller says.
        unsafe { from.cast::<Plain>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_halves(low: *const f32, high: *const f32) -> Plain {
        // SAFETY: as the caller says.
        std::array::from_fn(|lane| unsafe { if lane < 4 { *low.add(lane) } else { *high.add(lane - 4) } })
    }

    #[inline(always)]
    unsafe fn load_some(from: *const f32, count: usize) -> Plain {
        // SAFETY: only the lanes of the mask are read.
        std::array::from_fn(|lane| if lane < count { unsafe { *from.add(lane) } } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as the caller says.
        unsafe { to.cast::<Plain>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, count: usize) {
        for (lane, value) in self.into_iter().enumerate().take(count) {
            // SAFETY: only the lanes of the mask are written.
            unsafe { *to.add(lane) = value }
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Plain) -> Plain {
        std::array::from_fn(|lane| self[lane] + other[lane])
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Plain, b: Plain) -> Plain {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], self[lane]))
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Wide, Widest};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    /// AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub struct Wide(__m256);

    /// AVX-512.
    #[derive(Clone, Copy)]
    pub struct Widest(__m512);

    // SAFETY of both: the callers have seen that the processor has the instructions, and that the addresses are theirs.

    impl Vector for Wide {
        const LANES: usize = 8;
        type Mask = __m256i;

        #[inline(always)]
        unsafe fn first(count: usize) -> __m256i {
            unsafe {
                let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                _mm256_cmpgt_epi32(_mm256_set1_epi32(count.min(8) as i32), lanes)
            }
        }

        #[inline(always)]
        fn prefetch(at: *const f32) {
            // SAFETY: it reads nothing, and every processor of this kind has it.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
        }

        #[inline(always)]
        unsafe fn zero() -> Wide {
            unsafe { Wide(_mm256_setzero_ps()) }
        }

        #[inline(always)]
        unsafe fn spread(from: *const f32) -> Wide {
            unsafe { Wide(_mm256_set1_ps(*from)) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Wide {
            unsafe { Wide(_mm256_loadu_ps(from)) }
        }

        #[inline(always)]
        unsafe fn load_halves(low: *const f32, high: *const f32) -> Wide {
            unsafe { Wide(_mm256_loadu2_m128(high, low)) }
        }

        #[inline(always)]
        unsafe fn load_some(from: *const f32, mask: __m256i) -> Wide {
            unsafe { Wide(_mm256_maskload_ps(from, mask)) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        unsafe fn store_some(self, to: *mut f32, mask: __m256i) {
            unsafe { _mm256_maskstore_ps(to, mask, self.0) }
        }

        #[inline(always)]
        unsafe fn add(self, other: Wide) -> Wide {
            unsafe { Wide(_mm256_add_ps(self.0, other.0)) }
        }

        #[inline(always)]
        unsafe fn add_product(self, a: Wide, b: Wide) -> Wide {
            unsafe { Wide(_mm256_fmadd_ps(a.0, b.0, self.0)) }
        }
    }

    impl Vector for Widest {
        const LANES: usize = 16;
        type Mask = __mmask16;

        #[inline(always)]
        unsafe fn first(count: usize) -> __mmask16 {
            if count >= 16 { !0 } else { (1 << count) - 1 }
        }

        #[inline(always)]
        fn prefetch(at: *const f32) {
            // SAFETY: it reads nothing, and every processor of this kind has it.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
        }

        #[inline(always)]
        unsafe fn zero() -> Widest {
            unsafe { Widest(_mm512_setzero_ps()) }
        }

        #[inline(always)]
        unsafe fn spread(from: *const f32) -> Widest {
            unsafe { Widest(_mm512_set1_ps(*from)) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Widest {
            unsafe { Widest(_mm512_loadu_ps(from)) }
        }

        #[inline(always)]
        unsafe fn load_halves(low: *const f32, high: *const f32) -> Widest {
            // The second half by a masked load: it takes no turn of the port that half of the products need.
            unsafe {
                let low = _mm512_castps256_ps512(_mm256_loadu_ps(low));
                Widest(_mm512_mask_loadu_ps(low, 0xff00, high.wrapping_sub(8)))
            }
        }

        #[inline(always)]
        unsafe fn load_some(from: *const f32, mask: __mmask16) -> Widest {
            unsafe { Widest(_mm512_maskz_loadu_ps(mask, from)) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        unsafe fn store_some(self, to: *mut f32, mask: __mmask16) {
            unsafe { _mm512_mask_storeu_ps(to, mask, self.0) }
        }

        #[inline(always)]
        unsafe fn add(self, other: Widest) -> Widest {
            unsafe { Widest(_mm512_add_ps(self.0, other.0)) }
        }

        #[inline(always)]
        unsafe fn add_product(self, a: Widest, b: Widest) -> Widest {
            unsafe { Widest(_mm512_fmadd_ps(a.0, b.0, self.0)) }
        }
    }
}
