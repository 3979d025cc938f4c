//! The same numbers for less: no bit changes.

use super::Rewriter;
use crate::ir::{DType, NodeId, Number, Op, ScalarOp};

/// With this price an operation is worth a small value of its own: a quotient takes as long as ten sums.
const DEAR: usize = 3;

impl Rewriter {
    /// A quotient by a power of two is a product, which is as exact.
    pub(super) fn product_of(&mut self, a: NodeId, b: NodeId) -> Option<NodeId> {
        if self.graph.dtype(a) != DType::Float {
            return None;
        }
        let Op::Broadcast { kept, .. } = self.op(b) else { return None };
        let Op::Constant(number) = self.op(self.input(b)) else { return None };
        let number = number.get();
        // Neither it nor its inverse is near the ends of 32 bits.
        let is_power = number.abs().log2().fract() == 0.0 && number.abs().log2().abs() < 64.0;
        if !is_power || !kept.is_empty() {
            return None;
        }
        let inverse = self.add(Op::Constant(Number::new(1.0 / number)), Vec::new());
        let shape = self.graph.shape(b).to_vec();
        let inverse = self.add(Op::Broadcast { shape, kept: Vec::new() }, vec![inverse]);
        Some(self.add(Op::Scalar(ScalarOp::Mul), vec![a, inverse]))
    }

    /// A function of what is repeated along some axes is repeated itself: computed once for all.
    pub(super) fn before_repeated(&mut self, op: ScalarOp, inputs: &[NodeId]) -> Option<NodeId> {
        if op.price() < DEAR {
            return None;
        }
        let mut common: Option<Vec<usize>> = None;
        for input in inputs {
            let Op::Broadcast { kept, shape } = self.op(*input) else { return None };
            let own = self.graph.shape(self.input(*input));
            // Axes of one element that are stretched stay as they are.
            if kept.iter().zip(own).any(|(axis, size)| shape[*axis] != *size) {
                return None;
            }
            if !kept.is_empty() && *common.get_or_insert_with(|| kept.clone()) != *kept {
                return None;
            }
        }
        let kept = common?;
        let all = self.graph.shape(inputs[0]).to_vec();
        if kept.len() == all.len() {
            return None;
        }
        let few: Vec<_> = kept.iter().map(|axis| all[*axis].clone()).collect();
        let mut operands = Vec::with_capacity(inputs.len());
        for input in inputs {
            let of = self.input(*input);
            let is_number = self.graph.shape(of).is_empty();
            operands.push(match is_number {
                true => self.add(Op::Broadcast { shape: few.clone(), kept: Vec::new() }, vec![of]),
                false => of,
            });
        }
        let once = self.add(Op::Scalar(op), operands);
        Some(self.add(Op::Broadcast { shape: all, kept }, vec![once]))
    }
}
