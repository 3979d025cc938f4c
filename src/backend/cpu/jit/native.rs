//! A compiled loop: the function in executable memory, and a call of it for a share of the rows.

use super::super::code::Prepared;
use super::super::fold::collect;
use super::super::tile::{Inputs, Share};
use super::Engine;
use super::emit::{Emitted, emit};
use super::frame::{Frame, VECTOR};
use super::lower::lower;
use super::space::{Access, Columns, Element, Memory, Space};
use super::steps::Kind;
use crate::ir::Reduce;
use crate::plan::{Instruction, Loop, Storage, Target};
use memmap2::{Mmap, MmapMut};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A function of a frame, a number of rows, the end of the columns and the first of them.
#[cfg(target_arch = "x86_64")]
type Function = unsafe extern "sysv64" fn(*mut u64, usize, usize, usize);
/// Nothing is compiled for other processors.
#[cfg(not(target_arch = "x86_64"))]
type Function = unsafe extern "C" fn(*mut u64, usize, usize, usize);

pub struct Native {
    /// Written once, then executable and no longer writable.
    code: Mmap,
    accesses: Vec<Access>,
    space: Space,
    /// Whether runs are held against the interpreter, and how many there were.
    is_checked: bool,
    runs: AtomicUsize,
    frame: Frame,
    frame_bytes: usize,
    scalars: Vec<(usize, Kind)>,
    /// The reductions of everything: the access to the tile, the number of the partial, and what is joined.
    tiles: Vec<(usize, usize, Reduce, Storage)>,
}

impl Native {
    /// `None` if the processor or the system does not have it, or the loop has what machine code does not do.
    pub fn compile(body: &Loop, code: &Prepared, engine: Engine) -> Option<Native> {
        let is_checked = engine == Engine::Checked;
        let wide = match if is_checked { Engine::best() } else { engine } {
            Engine::Interpreter | Engine::Checked => return None,
            Engine::Avx2 => false,
            Engine::Avx512 => true,
        };
        let (program, space) = lower(body, code, wide)?;
        if program.accesses.len() > MOST || !program.accesses.iter().all(|access| is_done(access, &space, wide)) {
            return None;
        }
        let Emitted { bytes, frame, frame_bytes } = emit(&program, &space, code.tile(), wide)?;
        let mut memory = MmapMut::map_anon(bytes.len()).ok()?;
        memory.copy_from_slice(&bytes);
        let executable = memory.make_exec().ok()?;
        let mut tiles = Vec::new();
        let mut number = 0;
        for instruction in &code.instructions {
            let Instruction::ReduceRows(reduce, from, target, _) = instruction else { continue };
            let access = program.accesses.iter().position(|access| access.memory == Memory::Tile(number));
            if let (Target::All, Some(access)) = (target, access) {
                tiles.push((access, number, *reduce, code.storage[*from]));
            }
            number += 1;
        }
        let (accesses, scalars) = (program.accesses, program.scalars);
        Some(Native {
            code: executable,
            accesses,
            space,
            is_checked,
            runs: AtomicUsize::new(0),
            frame,
            frame_bytes,
            scalars,
            tiles,
        })
    }

    /// Whether the next run is to be held against the interpreter: the first ones, then some.
    pub fn is_to_check(&self) -> bool {
        const FIRST: usize = 64;
        const EVERY: usize = 61;
        let run = || self.runs.fetch_add(1, Ordering::Relaxed);
        self.is_checked && matches!(run(), run if run < FIRST || run % EVERY == 0)
    }

    /// Words of 8 bytes that a call works in; what it starts with may lie anywhere.
    pub fn words(&self) -> usize {
        (self.frame_bytes + VECTOR) / 8
    }

    /// Runs a share of the rows.
    pub fn run(&self, code: &Prepared, share: &mut Share, inputs: &Inputs, frame: &mut [u64]) {
        let skipped = frame.as_ptr().align_offset(VECTOR).min(VECTOR / 8);
        let frame = &mut frame[skipped..][..self.frame_bytes / 8];
        self.set_scalars(inputs, frame);
        let mut offsets = [0isize; MOST];
        let offsets = &mut offsets[..self.accesses.len()];
        let (first, rows) = (share.first, share.rows);
        self.space.runs(&self.accesses, first, rows, offsets, |call| {
            let tile = call.row - call.row % code.tile_rows;
            let call_of = Of { rows: call.rows, columns: call.columns.clone(), tile: first + tile };
            for (at, (access, offset)) in self.accesses.iter().zip(call.offsets).enumerate() {
                let tile_start = frame.as_mut_ptr().wrapping_byte_add(self.frame.tiles[at]);
                frame[at] = address(code, access, *offset, &call_of, tile_start, share, inputs);
            }
            // SAFETY: the code was made for what the processor has; `address` has checked that every access of so many rows and
            // columns lies within its slice; slices that are written are borrowed mutably by the share.
            unsafe {
                let function = std::mem::transmute::<*const u8, Function>(self.code.as_ptr());
                function(frame.as_mut_ptr(), call.rows, call.columns.end, call.columns.start);
            }
            if let Some(done) = call.done
                && (done == rows || done % code.tile_rows == 0)
            {
                self.join_tiles(code, share, frame, done - tile);
            }
        });
    }

    fn set_scalars(&self, inputs: &Inputs, frame: &mut [u64]) {
        for (at, (scalar, kind)) in self.scalars.iter().enumerate() {
            let value = inputs.scalars[*scalar];
            let bits = match kind {
                Kind::Float => (value as f32).to_bits(),
                Kind::Int => value as i32 as u32,
                Kind::Truth if value != 0.0 => u32::MAX,
                Kind::Truth => 0,
            };
            let start = (self.frame.scalars + at * VECTOR) / 8;
            frame[start..start + VECTOR / 8].fill(u64::from(bits) << 32 | u64::from(bits));
        }
    }

    /// What a tile came to goes to its accumulator.
    fn join_tiles(&self, code: &Prepared, share: &mut Share, frame: &[u64], rows: usize) {
        for (access, number, reduce, storage) in &self.tiles {
            let width = width(&self.accesses[*access], code);
            let values = &frame[self.frame.tiles[*access] / 8..];
            let len = rows * width;
            let partial = &mut *share.partials[*number];
            match storage {
                Storage::F32 | Storage::F64 => {
                    let values: &[f32] = bytemuck::cast_slice(values);
                    collect::<f32>(*reduce, &values[..len], Target::All, code.columns, partial);
                }
                Storage::I32 | Storage::Bool => {
                    let values: &[i32] = bytemuck::cast_slice(values);
                    collect::<i32>(*reduce, &values[..len], Target::All, code.columns, partial);
                }
            }
        }
    }
}

/// What a call does.
struct Of {
    rows: usize,
    columns: Range<usize>,
    /// The first row of its tile.
    tile: usize,
}

/// Where an access starts in memory. Panics if it leaves its slice, as the interpreter would.
fn address(
    code: &Prepared,
    access: &Access,
    offset: isize,
    call: &Of,
    tile_start: *mut u64,
    share: &mut Share,
    inputs: &Inputs,
) -> u64 {
    let size = access.element.size();
    let (start, bytes, from): (*mut u8, usize, isize) = match access.memory {
        Memory::Offset => return offset as u64,
        Memory::Read(read) => {
            let read = &inputs.reads[read];
            (read.bytes.as_ptr().cast_mut(), read.bytes.len(), -read.start)
        }
        Memory::Out(out) => {
            let (bytes, start) = &mut share.outs[out];
            (bytes.as_mut_ptr(), bytes.len(), *start as isize)
        }
        Memory::Partial(number) => {
            let partial = &mut share.partials[number];
            (partial.as_mut_ptr().cast(), partial.len() * 8, 0)
        }
        Memory::Tile(_) => (tile_start.cast(), code.tile() * 4, (call.tile * width(access, code)) as isize),
    };
    let (low, high) = access.touched(offset - from, call.rows, &call.columns);
    let len = (bytes / size) as isize;
    assert!(low >= 0 && high < len, "a compiled loop leaves its operand: {low} to {high} of {len}");
    start.wrapping_offset((offset - from) * size as isize) as u64
}

/// Elements of a row of an access that is dense.
fn width(access: &Access, code: &Prepared) -> usize {
    if access.columns == Columns::None { 1 } else { code.columns }
}

/// Accesses of a loop, at most.
const MOST: usize = 64;

/// Whether there is machine code for an access.
fn is_done(access: &Access, space: &Space, wide: bool) -> bool {
    let scattered = matches!(access.columns, Columns::Stepped(_) | Columns::Listed(_));
    match (access.element, access.memory) {
        // Bytes are read one vector after the other.
        (Element::Truth, _) => !scattered && !matches!(access.columns, Columns::Grouped(_)),
        (Element::Wide, _) => access.columns == Columns::Adjacent,
        (Element::Word, Memory::Out(_) | Memory::Tile(_)) => {
            (wide || !scattered) && (access.columns != Columns::Same || space.width == 1)
        }
        (Element::Word, Memory::Read(_) | Memory::Offset | Memory::Partial(_)) => true,
    }
}
