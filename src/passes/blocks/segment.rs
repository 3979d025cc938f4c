//! The rows of one batch in segments: of what is large no more is there than a segment, and of what a mask makes zero no more than can be
//! helped is computed.
//!
//! A large value has rows and columns, queries and keys. A segment is some rows, and of the columns those that a choice by indices
//! leaves anything of: of a causal mask those up to the last row, of a window its band.

use super::mask::Known;
use super::places::{COLUMN, NOWHERE, Place, Places, ROW};
use crate::ir::{Body, Graph, NodeId, Op, QuickMap, Reduce, ScalarOp, Size};
use std::collections::HashMap;
use std::ops::Range;

/// The most segments.
const MOST: usize = 16;

/// The fewest rows of a segment.
const FEWEST: usize = 64;

/// The most blocks of columns that are looked at, and the fewest columns of one.
const BLOCKS: (usize, usize) = (64, 16);

/// Elements of a large value that need no segments.
const FEW: usize = 1 << 17;

/// The segments of bodies that were looked at; layers of a net have equal ones. Beside a body stand the nodes that its inputs and results
/// were, so that those of equal entries are the same nodes.
pub(super) type Looked = HashMap<(Body, Vec<NodeId>, Vec<NodeId>), Option<Segments>>;

/// The products `targets` of one batch, made of segments; `None` where that is no gain.
pub(super) fn segmented(
    body: &mut Graph,
    inputs: Vec<NodeId>,
    targets: &[NodeId],
    looked: &mut Looked,
) -> Option<Vec<NodeId>> {
    let key = (Body::new(body, &inputs, targets), inputs, targets.to_vec());
    let segments = looked.entry(key).or_insert_with(|| Segments::of(body, targets)).as_ref()?;
    let part = |ranges: &Ranges| segments.part(body, targets, ranges);
    let parts: Vec<Vec<NodeId>> = segments.ranges.iter().map(part).collect::<Option<_>>()?;
    let whole = |(at, target): (usize, &NodeId)| {
        let parts: Vec<NodeId> = parts.iter().map(|part| part[at]).collect();
        match segments.places.of_made(*target).unwrap_or(NOWHERE) {
            [Some(axis), _] => body.add(Op::Concat(axis), parts),
            [None, axis] => segments.summed(body, axis.unwrap_or(0), &parts),
        }
    };
    Some(targets.iter().enumerate().map(whole).collect())
}

/// Rows and columns.
type Ranges = [Range<usize>; 2];

pub(super) struct Segments {
    places: Places,
    ranges: Vec<Ranges>,
    columns: usize,
}

impl Segments {
    fn of(body: &Graph, targets: &[NodeId]) -> Option<Segments> {
        let needed = body.needed(targets);
        let places = Places::of(body, &needed, targets)?;
        let (rows, columns) = (places.sizes[ROW], places.sizes[COLUMN]);
        let length = rows.div_ceil((rows / FEWEST).clamp(1, MOST)).next_multiple_of(16);
        let mut known = Known::new(body, &places);
        let mut ranges: Vec<Ranges> = Vec::new();
        for first in (0..rows).step_by(length) {
            let own = first..(first + length).min(rows);
            let columns = columns_of(body, &mut known, &needed, targets, &own, columns)?;
            ranges.push([own, columns]);
        }
        let computed: usize = ranges.iter().map(|[rows, columns]| rows.len() * columns.len()).sum();
        let is_gain = rows * columns > FEW || computed * 10 < rows * columns * 9;
        (ranges.len() > 1 && is_gain).then_some(Segments { places, ranges, columns })
    }

    /// The products of one segment.
    fn part(&self, body: &mut Graph, targets: &[NodeId], ranges: &Ranges) -> Option<Vec<NodeId>> {
        let mut made = QuickMap::default();
        let make = |target: &NodeId| self.made(body, *target, self.places.of_made(*target)?, ranges, &mut made);
        targets.iter().map(make).collect()
    }

    /// A node for some rows and columns. It recurses as deep as a body is, which has few nodes.
    fn made(
        &self,
        body: &mut Graph,
        id: NodeId,
        place: Place,
        ranges: &Ranges,
        made: &mut QuickMap<(NodeId, Place), NodeId>,
    ) -> Option<NodeId> {
        if let Some(known) = made.get(&(id, place)) {
            return Some(*known);
        }
        let node = body.node(id).clone();
        let operands = self.places.operands(body, id, place)?;
        let is_same = place == NOWHERE && operands.iter().all(|place| *place == NOWHERE);
        let own = if is_same {
            id
        } else if node.inputs.is_empty() {
            cut(body, id, place, ranges)
        } else {
            let mut inputs = Vec::with_capacity(operands.len());
            for (input, place) in node.inputs.iter().zip(operands) {
                inputs.push(self.made(body, *input, place, ranges, made)?);
            }
            let op = match node.op {
                Op::Broadcast { shape, kept } => Op::Broadcast { shape: restricted(shape, place, ranges), kept },
                Op::Reshape(shape) => Op::Reshape(restricted(shape, place, ranges)),
                other => other,
            };
            body.add(op, inputs)
        };
        made.insert((id, place), own);
        Some(own)
    }

    /// What the segments give for columns, added up: piece by piece, of those segments that have it.
    fn summed(&self, body: &mut Graph, axis: usize, parts: &[NodeId]) -> NodeId {
        let mut bounds: Vec<usize> = self.ranges.iter().flat_map(|[_, columns]| [columns.start, columns.end]).collect();
        bounds.extend([0, self.columns]);
        bounds.sort_unstable();
        bounds.dedup();
        let mut pieces = Vec::with_capacity(bounds.len());
        for bound in bounds.windows(2) {
            let count = Size::from((bound[1] - bound[0]) as i64);
            let mut sum = None;
            for (part, [_, columns]) in parts.iter().zip(&self.ranges) {
                if columns.start <= bound[0] && bound[1] <= columns.end {
                    let start = Size::from((bound[0] - columns.start) as i64);
                    let piece = Op::Slice { axis, start, count: count.clone(), step: 1 };
                    let piece = body.add(piece, vec![*part]);
                    sum = Some(sum.map_or(piece, |sum| body.binary(ScalarOp::Add, sum, piece)));
                }
            }
            pieces.push(sum.unwrap_or_else(|| {
                let mut shape = body.shape(parts[0]).to_vec();
                shape[axis] = count;
                body.fill(0.0, shape)
            }));
        }
        if pieces.len() == 1 { pieces[0] } else { body.add(Op::Concat(axis), pieces) }
    }
}

/// Rows and columns of a value that is there.
fn cut(body: &mut Graph, mut at: NodeId, place: Place, ranges: &Ranges) -> NodeId {
    for (axis, range) in place.into_iter().zip(ranges) {
        if let Some(axis) = axis {
            let (start, count) = (Size::from(range.start as i64), Size::from(range.len() as i64));
            at = body.add(Op::Slice { axis, start, count, step: 1 }, vec![at]);
        }
    }
    at
}

fn restricted(mut shape: Vec<Size>, place: Place, ranges: &Ranges) -> Vec<Size> {
    for (axis, range) in place.into_iter().zip(ranges) {
        axis.into_iter().for_each(|axis| shape[axis] = Size::from(range.len() as i64));
    }
    shape
}

/// The columns of which something is left in some rows.
fn columns_of(
    body: &Graph,
    known: &mut Known,
    needed: &[NodeId],
    targets: &[NodeId],
    rows: &Range<usize>,
    columns: usize,
) -> Option<Range<usize>> {
    let (mut first, mut end) = (None, 0);
    let block = columns.div_ceil(BLOCKS.0).max(BLOCKS.1);
    for start in (0..columns).step_by(block) {
        let own = start..(start + block).min(columns);
        known.look(rows.clone(), own.clone());
        let mut is_wanted = false;
        for id in needed {
            let node = body.node(*id);
            // What is left out must add nothing.
            let nothing = match &node.op {
                Op::Reduce(reduce, _) => reduce.start(),
                Op::Dot { .. } if targets.contains(id) => Reduce::Sum.start(),
                _ => continue,
            };
            for input in &node.inputs {
                is_wanted |= known.is_large(*input) && known.of_made(*input)? != (nothing, nothing);
            }
        }
        if is_wanted {
            first.get_or_insert(start);
            end = own.end;
        }
    }
    // Rows of which nothing is left have some columns all the same.
    Some(first.map_or(0..block.min(columns), |first| first..end))
}
