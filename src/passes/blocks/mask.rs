//! What is known of values by their indices alone: of some rows and columns which are zero for certain.

use super::places::{Place, Places};
use crate::ir::{Graph, NodeId, Op, QuickMap, Reduce, ScalarOp};
use std::ops::Range;

const ALL: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

pub(super) struct Known<'k> {
    body: &'k Graph,
    places: &'k Places,
    /// The rows and the columns that are looked at.
    ranges: [Range<usize>; 2],
    found: QuickMap<(NodeId, Place), (f64, f64)>,
}

impl<'k> Known<'k> {
    pub fn new(body: &'k Graph, places: &'k Places) -> Known<'k> {
        Known { body, places, ranges: [0..0, 0..0], found: QuickMap::default() }
    }

    pub fn look(&mut self, rows: Range<usize>, columns: Range<usize>) {
        self.ranges = [rows, columns];
        self.found.clear();
    }

    pub fn is_large(&self, id: NodeId) -> bool {
        self.places.of_made(id).is_some_and(|place| place.iter().all(Option::is_some))
    }

    /// The least and the greatest value of what a product has made, in these rows and columns; `None` if something mixes them.
    pub fn of_made(&mut self, id: NodeId) -> Option<(f64, f64)> {
        self.range(id, self.places.of_made(id)?)
    }

    /// It recurses as deep as a body is, which has few nodes.
    fn range(&mut self, id: NodeId, place: Place) -> Option<(f64, f64)> {
        if let Some(known) = self.found.get(&(id, place)) {
            return Some(*known);
        }
        let node = self.body.node(id);
        let places = self.places.operands(self.body, id, place)?;
        let operands = node.inputs.iter().zip(places).map(|(input, place)| self.range(*input, place));
        let operands: Vec<(f64, f64)> = operands.collect::<Option<_>>()?;
        let found = self.made(id, place, &operands);
        self.found.insert((id, place), found);
        Some(found)
    }

    fn made(&self, id: NodeId, place: Place, operands: &[(f64, f64)]) -> (f64, f64) {
        let zero = (0.0, 0.0);
        match &self.body.node(id).op {
            Op::Constant(number) => (number.get(), number.get()),
            Op::SizeOf(size) => size.settled().map_or(ALL, |size| (size as f64, size as f64)),
            Op::Iota { axis, shape } => {
                let which = place.iter().position(|own| *own == Some(*axis));
                let all = 0..shape[*axis].settled().unwrap_or(0) as usize;
                let range = which.map_or(all, |which| self.ranges[which].clone());
                (range.start as f64, range.end.max(1) as f64 - 1.0)
            }
            // What was not chosen contributes nothing, whatever it is multiplied by.
            Op::Scalar(ScalarOp::Mul | ScalarOp::And) if operands.contains(&zero) => zero,
            Op::Scalar(ScalarOp::Div) if operands[0] == zero => zero,
            Op::Scalar(op) => op.range(operands),
            Op::Broadcast { .. } | Op::Permute(_) | Op::Reshape(_) | Op::StopGradient => operands[0],
            Op::Reduce(Reduce::Max | Reduce::Min, _) => operands[0],
            Op::Reduce(Reduce::Sum, _) if operands[0] == zero => zero,
            Op::Dot { .. } if operands.contains(&zero) => zero,
            _ => ALL,
        }
    }
}
