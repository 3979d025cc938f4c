//! Windows that are added up.
//!
//! The gradient of a convolution by its image is `X[h] = Σ_{i, u: i + d u = h} Σ_o y[i, o] k[u, o]`. As it is written, every window is
//! stored before all are added. With zeros around y it is a convolution again, by the kernel backwards:
//! `X[h] = Σ_{u, o} y₀[h + d u, o] k[size - 1 - u, o]`, with d (size - 1) zeros before y.

use super::Rewriter;
use crate::ir::{NodeId, Op, Size};

/// The operation, its sizes settled.
#[derive(Clone, Copy)]
pub(super) struct Fold {
    pub axis: usize,
    pub length: i64,
    pub stride: i64,
    pub dilation: i64,
}

impl Rewriter {
    pub(super) fn folded(&mut self, fold: Fold, x: NodeId) -> Option<NodeId> {
        let size = self.sizes(x)[fold.axis + 1];
        if fold.stride > (size - 1) * fold.dilation {
            return self.side_by_side(fold, x);
        }
        if fold.stride != 1 {
            return None;
        }
        self.product_of_windows(fold, x)
    }

    /// Windows that do not overlap: one behind the other, with zeros between them.
    fn side_by_side(&mut self, fold: Fold, x: NodeId) -> Option<NodeId> {
        let Fold { axis, length, stride, dilation } = fold;
        let mut x = self.stacked(axis + 1, x).unwrap_or(x);
        let (count, size) = (self.sizes(x)[axis], self.sizes(x)[axis + 1]);
        let width = (size - 1) * dilation + 1;
        if (width, dilation) != (stride, 1) {
            let high = Size::from(stride - width);
            x = self.add(Op::Pad { axis: axis + 1, low: Size::from(0), high, between: dilation - 1 }, vec![x]);
        }
        let mut shape = self.graph.shape(x).to_vec();
        shape[axis] = Size::from(count * stride);
        shape.remove(axis + 1);
        let all = self.add(Op::Reshape(shape), vec![x]);
        Some(match length - count * stride {
            0 => all,
            more if more > 0 => {
                self.add(Op::Pad { axis, low: Size::from(0), high: Size::from(more), between: 0 }, vec![all])
            }
            _ => self.slice(super::slice::Cut { axis, start: 0, count: length }, all),
        })
    }

    /// Windows of a product whose places are an axis of one operand, and whose elements are an axis of the other.
    fn product_of_windows(&mut self, fold: Fold, x: NodeId) -> Option<NodeId> {
        let Fold { axis, length, dilation, .. } = fold;
        let size = self.sizes(x)[axis + 1];
        // The axes of the product that the axes of x are.
        let mut order: Vec<usize> = (0..self.graph.shape(x).len()).collect();
        let mut product = x;
        while let Op::Permute(inner) = self.op(product) {
            if !self.is_read_once(product) {
                return None;
            }
            order.iter_mut().for_each(|axis| *axis = inner[*axis]);
            product = self.input(product);
        }
        let node = self.graph.node(product).clone();
        let (Op::Dot { batch, contracted }, [a, b]) = (&node.op, &node.inputs[..]) else { return None };
        if !self.is_read_once(product) {
            return None;
        }
        let operands = [*a, *b];
        // Which operand has each axis of the product, and where.
        let free = |at: usize| {
            let paired = |axis: &usize| batch.iter().chain(contracted).any(|(i, j)| [*i, *j][at] == *axis);
            let rank = self.graph.shape(operands[at]).len();
            (0..rank).filter(move |axis| !paired(axis)).collect::<Vec<_>>()
        };
        let all: Vec<(usize, usize)> =
            free(0).into_iter().map(|axis| (0, axis)).chain(free(1).into_iter().map(|axis| (1, axis))).collect();
        let own = |place: usize| all.get(order[place].checked_sub(batch.len())?).copied();
        let ((of_places, place), (of_elements, element)) = (own(axis)?, own(axis + 1)?);
        if of_places == of_elements {
            return None;
        }
        let count = self.sizes(x)[axis];
        let low = dilation * (size - 1);
        let padded = self.padded(place, (low, length - count), operands[of_places]);
        let windows = Op::Window { axis: place, size: size.into(), stride: 1, dilation };
        let windows = self.add(windows, vec![padded]);
        let backwards = Op::Slice { axis: element, start: (size - 1).into(), count: size.into(), step: -1 };
        let backwards = self.add(backwards, vec![operands[of_elements]]);
        // The windows have one more axis, behind their place.
        let moved = |at: usize, axis: usize| axis + usize::from(at == of_places && axis > place);
        let pairs =
            |pairs: &[(usize, usize)]| pairs.iter().map(|(i, j)| (moved(0, *i), moved(1, *j))).collect::<Vec<_>>();
        let (batch, mut contracted) = (pairs(batch), pairs(contracted));
        contracted.push(if of_places == 0 { (place + 1, element) } else { (element, place + 1) });
        let inputs = if of_places == 0 { vec![windows, backwards] } else { vec![backwards, windows] };
        let made = self.add(Op::Dot { batch, contracted }, inputs);
        // The axis of elements is gone from the product.
        let gone = order[axis + 1];
        order.remove(axis + 1);
        order.iter_mut().for_each(|axis| *axis -= usize::from(*axis > gone));
        Some(self.add(Op::Permute(order), vec![made]))
    }

    /// With zeros along an axis: around an image rather than around its windows, and in the order in which it lies, so that its rows
    /// stay rows.
    fn padded(&mut self, axis: usize, (low, high): (i64, i64), x: NodeId) -> NodeId {
        if let Op::Permute(order) = self.op(x).clone() {
            let image = self.input(x);
            let padded = self.padded(order[axis], (low, high), image);
            return self.add(Op::Permute(order), vec![padded]);
        }
        if let Op::Window { axis: place, .. } = *self.op(x)
            && axis != place
            && axis != place + 1
        {
            let (window, image) = (self.op(x).clone(), self.input(x));
            let padded = self.padded(axis - usize::from(axis > place), (low, high), image);
            return self.add(window, vec![padded]);
        }
        self.add(Op::Pad { axis, low: low.into(), high: high.into(), between: 0 }, vec![x])
    }
}
