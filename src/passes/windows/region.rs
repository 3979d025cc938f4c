//! Masks that are true in a box of indices, as guards of reads are, and the box in which something is not zero.

use super::Rewriter;
use crate::ir::{NodeId, Op, ScalarOp};

/// For each axis the indices from one on, up to another.
type Region = Vec<(i64, i64)>;

impl Rewriter {
    /// A choice that is known: by a mask that is true everywhere, or between what is zero outside of the mask and zero.
    pub(super) fn chosen(&self, mask: NodeId, yes: NodeId, no: NodeId) -> Option<NodeId> {
        let within = self.region(mask)?;
        let lies_in =
            |inner: &Region| inner.iter().zip(&within).all(|(inner, own)| own.0 <= inner.0 && own.1 >= inner.1);
        let all: Region = self.sizes(yes).into_iter().map(|size| (0, size)).collect();
        (lies_in(&all) || (self.number(no) == Some(0.0) && lies_in(&self.filled(yes)))).then_some(yes)
    }

    /// Where a mask is true, if that is a box.
    pub(super) fn region(&self, mask: NodeId) -> Option<Region> {
        let node = self.graph.node(mask);
        let sizes = self.sizes(mask);
        let all = || sizes.iter().map(|size| (0, *size)).collect::<Region>();
        match (&node.op, &node.inputs[..]) {
            (Op::Scalar(ScalarOp::And), [a, b]) => {
                let (a, b) = (self.region(*a)?, self.region(*b)?);
                Some(a.iter().zip(&b).map(|(a, b)| (a.0.max(b.0), a.1.min(b.1))).collect())
            }
            (Op::Scalar(op @ (ScalarOp::Less | ScalarOp::LessEqual)), [a, b]) => {
                let reach = i64::from(*op == ScalarOp::LessEqual);
                let mut region = all();
                // i < number, or number < i.
                let bound = match (self.counted(*a), self.number(*b)) {
                    (Some(axis), Some(number)) => (axis, (0, number as i64 + reach)),
                    _ => (self.counted(*b)?, (self.number(*a)? as i64 + 1 - reach, i64::MAX)),
                };
                let (axis, (from, to)) = bound;
                region[axis] = (region[axis].0.max(from), region[axis].1.min(to));
                Some(region)
            }
            (Op::Broadcast { kept, .. }, [a]) => {
                let (own, inner) = (self.sizes(*a), self.region(*a)?);
                let mut region = all();
                for (axis, place) in kept.iter().enumerate() {
                    let stretched = own[axis] != sizes[*place];
                    match (stretched, inner[axis]) {
                        (false, inner) => region[*place] = inner,
                        (true, (0, 1)) => {}
                        (true, _) => return None,
                    }
                }
                Some(region)
            }
            (Op::Slice { axis, start, step: 1, .. }, [a]) => {
                let (mut region, start) = (self.region(*a)?, start.settled()?);
                let (from, to) = region[*axis];
                region[*axis] = (from - start, to.saturating_sub(start));
                Some(region)
            }
            (Op::Permute(order), [a]) => {
                let inner = self.region(*a)?;
                Some(order.iter().map(|axis| inner[*axis]).collect())
            }
            _ => None,
        }
    }

    /// The box outside of which a node is known to be zero.
    fn filled(&self, id: NodeId) -> Region {
        let all = || self.sizes(id).into_iter().map(|size| (0, size)).collect::<Region>();
        let Op::Pad { axis, low, high, .. } = self.op(id) else { return all() };
        let (Some(low), Some(high)) = (low.settled(), high.settled()) else { return all() };
        let mut region = self.filled(self.input(id));
        let size = self.sizes(id)[*axis];
        let own = region[*axis];
        // What is zero within an axis that is spread is not looked at.
        region[*axis] = if own == (0, self.sizes(self.input(id))[*axis]) { (low, size - high) } else { (0, size) };
        region
    }

    /// The axis along which a node counts 0, 1, 2, …
    fn counted(&self, id: NodeId) -> Option<usize> {
        let node = self.graph.node(id);
        match (&node.op, &node.inputs[..]) {
            (Op::Iota { axis, .. }, _) => Some(*axis),
            (Op::Broadcast { kept, .. }, [a]) => {
                let axis = self.counted(*a)?;
                (self.sizes(*a)[axis] == self.sizes(id)[kept[axis]]).then_some(kept[axis])
            }
            _ => None,
        }
    }

    /// The number that a node is everywhere.
    fn number(&self, id: NodeId) -> Option<f64> {
        let node = self.graph.node(id);
        match (&node.op, &node.inputs[..]) {
            (Op::Constant(number), _) => Some(number.get()),
            (Op::SizeOf(size), _) => size.settled().map(|size| size as f64),
            (Op::Broadcast { .. } | Op::Scalar(ScalarOp::Cast(_)), [a]) => self.number(*a),
            _ => None,
        }
    }
}
