//! Memory of the system, zeroed, which takes no room until it is touched. It begins where a line of the cache does, so that vectors of
//! a buffer straddle no two lines, and what is large has huge pages where the system gives them: a first touch then costs
//! one fault for two megabytes, not 512.

use memmap2::MmapMut;

pub enum Pages {
    Mapped(MmapMut),
    /// Where the system has no such pages; in words, so that elements of every kind are aligned.
    Owned(Vec<u64>),
}

impl Default for Pages {
    fn default() -> Pages {
        Pages::Owned(Vec::new())
    }
}

impl Pages {
    /// At least so many bytes.
    pub fn new(bytes: usize) -> Pages {
        if bytes == 0 {
            return Pages::default();
        }
        match MmapMut::map_anon(bytes.next_multiple_of(8)) {
            Ok(mapped) => {
                // A wish: where it is not granted, pages are small.
                #[cfg(target_os = "linux")]
                let _ = mapped.advise(memmap2::Advice::HugePage);
                Pages::Mapped(mapped)
            }
            Err(_) => Pages::Owned(vec![0; bytes.div_ceil(8)]),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Pages::Mapped(mapped) => mapped,
            Pages::Owned(words) => bytemuck::cast_slice(words),
        }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Pages::Mapped(mapped) => mapped,
            Pages::Owned(words) => bytemuck::cast_slice_mut(words),
        }
    }
}
