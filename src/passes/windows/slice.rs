//! Slices of a product: of its operands instead, so that what is cut off is never computed. The gradient of a padded image needs none of its border.

use super::super::behind_reshape;
use super::Rewriter;
use crate::ir::{NodeId, Op, ScalarOp, Size};

/// Elements of one axis that are kept.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub axis: usize,
    pub start: i64,
    pub count: i64,
}

impl Rewriter {
    /// A slice of what is computed by a product, through views and choices that it makes certain. `None` if no product is found.
    pub(super) fn sliced_before(&mut self, cut: Cut, x: NodeId) -> Option<NodeId> {
        if !self.is_read_once(x) {
            return None;
        }
        let node = self.graph.node(x).clone();
        match (&node.op, &node.inputs[..]) {
            (Op::Reshape(shape), [a]) => {
                let axis = behind_reshape(&self.sizes(*a), &self.sizes(x), cut.axis)?;
                let inner = self.sliced_before(Cut { axis, ..cut }, *a)?;
                let mut shape = shape.clone();
                shape[cut.axis] = Size::from(cut.count);
                Some(self.add(Op::Reshape(shape), vec![inner]))
            }
            (Op::Permute(order), [a]) => {
                let inner = self.sliced_before(Cut { axis: order[cut.axis], ..cut }, *a)?;
                Some(self.add(Op::Permute(order.clone()), vec![inner]))
            }
            (Op::Slice { axis, start, count, step }, [a]) if *axis != cut.axis => {
                let inner = self.sliced_before(cut, *a)?;
                let again = Op::Slice { axis: *axis, start: start.clone(), count: count.clone(), step: *step };
                Some(self.add(again, vec![inner]))
            }
            (Op::Scalar(ScalarOp::Select), [mask, yes, no]) => {
                let inner = self.sliced_before(cut, *yes)?;
                let (mask, no) = (self.slice(cut, *mask), self.slice(cut, *no));
                let sure = self.chosen(mask, inner, no);
                Some(sure.unwrap_or_else(|| self.add(Op::Scalar(ScalarOp::Select), vec![mask, inner, no])))
            }
            (Op::Dot { batch, contracted }, [a, b]) => {
                let paired = |at: usize, axis: usize| batch.iter().chain(contracted).any(|(i, j)| [*i, *j][at] == axis);
                let free = |at: usize, of: NodeId| {
                    (0..self.graph.shape(of).len()).filter(|axis| !paired(at, *axis)).collect::<Vec<_>>()
                };
                let (free_a, free_b) = (free(0, *a), free(1, *b));
                let place = cut.axis.checked_sub(batch.len())?;
                let inputs = match place.checked_sub(free_a.len()) {
                    None => vec![self.cut_view(Cut { axis: free_a[place], ..cut }, *a), *b],
                    Some(place) => vec![*a, self.cut_view(Cut { axis: free_b[place], ..cut }, *b)],
                };
                Some(self.add(node.op.clone(), inputs))
            }
            _ => None,
        }
    }

    /// A slice of an operand, before windows and zeros around it: it stays a view of what is stored.
    fn cut_view(&mut self, cut: Cut, x: NodeId) -> NodeId {
        let node = self.graph.node(x).clone();
        match (&node.op, &node.inputs[..]) {
            (Op::Permute(order), [a]) => {
                let inner = self.cut_view(Cut { axis: order[cut.axis], ..cut }, *a);
                self.add(Op::Permute(order.clone()), vec![inner])
            }
            (Op::Window { axis, size, stride, dilation }, [a]) if cut.axis != axis + 1 => {
                let length = match size.settled() {
                    Some(size) => (cut.count - 1) * stride + (size - 1) * dilation + 1,
                    None => return self.slice(cut, x),
                };
                let inner = if cut.axis == *axis {
                    Cut { axis: *axis, start: cut.start * stride, count: length }
                } else {
                    Cut { axis: cut.axis - usize::from(cut.axis > *axis), ..cut }
                };
                let inner = self.cut_view(inner, *a);
                let op = Op::Window { axis: *axis, size: size.clone(), stride: *stride, dilation: *dilation };
                self.add(op, vec![inner])
            }
            (Op::Pad { axis, low, high, between: 0 }, [a]) => {
                let (Some(low), Some(high)) = (low.settled(), high.settled()) else { return self.slice(cut, x) };
                if *axis != cut.axis {
                    let inner = self.cut_view(cut, *a);
                    return self.add(node.op.clone(), vec![inner]);
                }
                let own = self.sizes(*a)[*axis];
                let from = (cut.start - low).clamp(0, own);
                let to = (cut.start + cut.count - low).clamp(from, own);
                if from == to {
                    return self.slice(cut, x);
                }
                let inner = self.cut_view(Cut { axis: *axis, start: from, count: to - from }, *a);
                let (before, behind) = ((low - cut.start).max(0), (cut.start + cut.count - low - own).max(0));
                debug_assert!(behind <= high, "a slice lies within");
                if before == 0 && behind == 0 {
                    return inner;
                }
                let op = Op::Pad { axis: *axis, low: before.into(), high: behind.into(), between: 0 };
                self.add(op, vec![inner])
            }
            _ => self.slice(cut, x),
        }
    }
}
