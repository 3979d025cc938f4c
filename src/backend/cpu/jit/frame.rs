//! The working memory of a compiled loop: everything that its instructions reach by a fixed distance from one register.

use super::space::{Memory, Space};
use super::steps::Program;

/// Bytes of a vector of the widest kind. Everything in a frame lies on multiples of it.
pub const VECTOR: usize = 64;

/// Offsets in bytes.
#[derive(Debug, Default)]
pub struct Frame {
    /// For the lanes of the last vector of a row; a vector for odd bytes.
    pub mask: usize,
    pub spare: usize,
    pub scalars: usize,
    pub row_values: usize,
    pub totals: usize,
    /// Of each row that is kept for later sections.
    pub kept: usize,
    pub kept_bytes: usize,
    /// Of the tile of each access that has one.
    pub tiles: Vec<usize>,
    /// Values that leave their registers; nothing comes after these.
    pub slots: usize,
}

impl Frame {
    pub fn new(program: &Program, space: &Space, tile: usize) -> Frame {
        let mut end = 0;
        let mut take = |bytes: usize| {
            let start = end;
            end += bytes.next_multiple_of(VECTOR);
            start
        };
        // An address for each access, from the start.
        take(program.accesses.len() * 8);
        let (mask, spare) = (take(VECTOR), take(VECTOR));
        let scalars = take(program.scalars.len() * VECTOR);
        let row_values = take(program.row_values * VECTOR);
        let totals = program.sections.iter().map(|section| section.accumulators.len()).max();
        let totals = take(totals.unwrap_or(0) * VECTOR);
        let kept_bytes = (space.width * 4).next_multiple_of(VECTOR);
        let kept = take(program.kept * kept_bytes);
        let is_tile = |memory: Memory| matches!(memory, Memory::Tile(_));
        let tiles = program.accesses.iter().map(|access| if is_tile(access.memory) { take(tile * 4) } else { 0 });
        let tiles = tiles.collect();
        Frame { mask, spare, scalars, row_values, totals, kept, kept_bytes, tiles, slots: take(0) }
    }
}
