//! Windows of few elements, one element after the other: the greatest of four pixels is three comparisons of pixels where they lie.

use super::super::behind_reshape;
use super::Rewriter;
use crate::ir::{NodeId, Op, Reduce, ScalarOp, Size};

/// Windows of more elements than this are reduced as they are.
const MOST: i64 = 9;

/// With fewer results than this there is nothing to gain.
const LEAST: i64 = 256;

/// Operations that lead from a reduction to windows.
const DEEP: usize = 12;

impl Rewriter {
    /// A reduction over windows, over all axes of their elements.
    pub(super) fn reduced(&mut self, reduce: Reduce, axes: &[usize], x: NodeId) -> Option<NodeId> {
        let sizes = self.sizes(x);
        let count: i64 = axes.iter().map(|axis| sizes[*axis]).product();
        let results: i64 = sizes.iter().product::<i64>() / count.max(1);
        if !(2..=MOST).contains(&count) || results < LEAST || !self.is_of_windows(x, axes, DEEP) {
            return None;
        }
        let mut picked = vec![x];
        for axis in axes.iter().rev() {
            let each = |this: &mut Rewriter, x: NodeId| {
                (0..sizes[*axis]).map(|at| this.pick(x, *axis, at)).collect::<Vec<_>>()
            };
            picked = picked.into_iter().flat_map(|x| each(self, x)).collect();
        }
        let join = match reduce {
            Reduce::Sum => ScalarOp::Add,
            Reduce::Max => ScalarOp::Max,
            Reduce::Min => ScalarOp::Min,
        };
        picked.into_iter().reduce(|all, next| self.add(Op::Scalar(join), vec![all, next]))
    }

    /// Values computed element by element, of each element along a short axis.
    pub(super) fn stacked(&mut self, axis: usize, x: NodeId) -> Option<NodeId> {
        let size = self.sizes(x)[axis];
        if !(2..=MOST).contains(&size) || !self.is_elementwise(x) {
            return None;
        }
        let parts = (0..size).map(|at| {
            let part = self.pick(x, axis, at);
            let mut shape = self.graph.shape(part).to_vec();
            shape.insert(axis, Size::from(1));
            self.add(Op::Reshape(shape), vec![part])
        });
        let parts = parts.collect();
        Some(self.add(Op::Concat(axis), parts))
    }

    fn is_elementwise(&self, x: NodeId) -> bool {
        match self.op(x) {
            Op::Scalar(_) => true,
            Op::Permute(_) | Op::Reshape(_) => self.is_elementwise(self.input(x)),
            Op::Concat(_) => self.graph.node(x).inputs.iter().all(|part| self.is_elementwise(*part)),
            _ => false,
        }
    }

    /// Whether a node is computed from windows, element by element, and the axes are those of the elements of windows.
    fn is_of_windows(&self, x: NodeId, axes: &[usize], left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else { return false };
        let node = self.graph.node(x);
        match &node.op {
            Op::Scalar(_) => node.inputs.iter().any(|input| self.is_of_windows(*input, axes, left)),
            Op::Permute(order) => {
                let inner: Vec<usize> = axes.iter().map(|axis| order[*axis]).collect();
                self.is_of_windows(node.inputs[0], &inner, left)
            }
            Op::Window { axis, .. } if axes.contains(&(axis + 1)) => {
                let others = axes.iter().filter(|own| **own != axis + 1);
                let inner: Vec<usize> = others.map(|own| own - usize::from(own > axis)).collect();
                inner.is_empty() || self.is_of_windows(node.inputs[0], &inner, left)
            }
            _ => false,
        }
    }

    /// The elements at one place of an axis, which vanishes.
    fn pick(&mut self, x: NodeId, axis: usize, at: i64) -> NodeId {
        let node = self.graph.node(x).clone();
        match (&node.op, &node.inputs[..]) {
            (Op::Scalar(op), operands) => {
                let operands = operands.iter().map(|operand| self.pick(*operand, axis, at)).collect();
                self.add(Op::Scalar(*op), operands)
            }
            (Op::Broadcast { shape, kept }, [a]) => {
                let mut shape = shape.clone();
                let stretched = shape.remove(axis);
                let less = |place: usize| place - usize::from(place > axis);
                let Some(own) = kept.iter().position(|place| *place == axis) else {
                    let kept = kept.iter().map(|place| less(*place)).collect();
                    return self.add(Op::Broadcast { shape, kept }, vec![*a]);
                };
                let at = if self.graph.shape(*a)[own] == stretched { at } else { 0 };
                let inner = self.pick(*a, own, at);
                let kept = kept.iter().filter(|place| **place != axis).map(|place| less(*place)).collect();
                self.add(Op::Broadcast { shape, kept }, vec![inner])
            }
            (Op::Permute(order), [a]) => {
                let inner = self.pick(*a, order[axis], at);
                let others = order.iter().enumerate().filter(|(own, _)| *own != axis);
                let order = others.map(|(_, own)| own - usize::from(*own > order[axis])).collect();
                self.add(Op::Permute(order), vec![inner])
            }
            (Op::Window { axis: own, stride, dilation, .. }, [a]) if axis == own + 1 => {
                let count = self.graph.shape(x)[*own].clone();
                let start = Size::from(at * dilation);
                self.add(Op::Slice { axis: *own, start, count, step: *stride }, vec![*a])
            }
            (Op::Window { axis: own, size, stride, dilation }, [a]) if axis != *own => {
                let inner = self.pick(*a, axis - usize::from(axis > *own), at);
                let own = own - usize::from(axis < *own);
                let op = Op::Window { axis: own, size: size.clone(), stride: *stride, dilation: *dilation };
                self.add(op, vec![inner])
            }
            (Op::Concat(own), parts) if axis != *own => {
                let parts = parts.iter().map(|part| self.pick(*part, axis, at)).collect();
                self.add(Op::Concat(own - usize::from(axis < *own)), parts)
            }
            (Op::Reshape(shape), [a]) if behind_reshape(&self.sizes(*a), &self.sizes(x), axis).is_some() => {
                let own = behind_reshape(&self.sizes(*a), &self.sizes(x), axis).unwrap_or(axis);
                let inner = self.pick(*a, own, at);
                let mut shape = shape.clone();
                shape.remove(axis);
                self.add(Op::Reshape(shape), vec![inner])
            }
            _ => {
                let one = self.add(Op::Slice { axis, start: at.into(), count: Size::from(1), step: 1 }, vec![x]);
                let mut shape = self.graph.shape(x).to_vec();
                shape.remove(axis);
                self.add(Op::Reshape(shape), vec![one])
            }
        }
    }
}
