//! Machine code held against the interpreter, share by share.

use super::super::code::Prepared;
use super::super::tile::{Inputs, Share};
use crate::plan::Storage;
use bytemuck::cast_slice;

/// Runs a share both ways. What the interpreter writes stays. Panics if the two differ in a bit.
pub fn run_checked(
    code: &Prepared,
    share: &mut Share,
    inputs: &Inputs,
    mut compiled: impl FnMut(&mut Share),
    mut interpreted: impl FnMut(&mut Share),
) {
    let before = written(share);
    compiled(share);
    let found = written(share);
    share.outs.iter_mut().zip(&before.0).for_each(|((out, _), before)| out.copy_from_slice(before));
    share.partials.iter_mut().zip(&before.1).for_each(|(partial, before)| partial.copy_from_slice(before));
    interpreted(share);
    let expected = written(share);
    let outs = code.outs.iter().zip(found.0.iter().zip(&expected.0));
    let alike = outs.clone().all(|(out, (found, expected))| same(out.storage, found, expected))
        && found.1.iter().zip(&expected.1).all(|(a, b)| same(Storage::F64, cast_slice(a), cast_slice(b)));
    let scalars = inputs.scalars;
    assert!(alike, "machine code and the interpreter differ: {:?}, scalars {scalars:?}", code.instructions);
}

/// What a share has written, and what it has gathered.
fn written(share: &Share) -> (Vec<Vec<u8>>, Vec<Vec<f64>>) {
    let outs = share.outs.iter().map(|(out, _)| out.to_vec()).collect();
    (outs, share.partials.iter().map(|partial| partial.to_vec()).collect())
}

/// Whether all bits are the same; of what is no number they mean nothing.
fn same(storage: Storage, a: &[u8], b: &[u8]) -> bool {
    match storage {
        Storage::F32 => {
            let float = |bytes: &[u8]| bytes.try_into().map_or(0.0, f32::from_le_bytes);
            let pairs = a.chunks_exact(4).zip(b.chunks_exact(4));
            pairs
                .map(|(a, b)| (float(a), float(b)))
                .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
        }
        Storage::F64 => {
            let float = |bytes: &[u8]| bytes.try_into().map_or(0.0, f64::from_le_bytes);
            let pairs = a.chunks_exact(8).zip(b.chunks_exact(8));
            pairs
                .map(|(a, b)| (float(a), float(b)))
                .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
        }
        Storage::I32 | Storage::Bool => a == b,
    }
}
