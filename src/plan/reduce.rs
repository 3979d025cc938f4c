//! Reductions join the pass that makes what they reduce.

use super::build::{Builder, Place, settled};
use super::host::Scalar;
use super::kernel::{Instruction, Level, Register, Target};
use super::view::View;
use crate::ir::{NodeId, Reduce, ScalarOp};

impl Builder<'_> {
    pub(super) fn reduce(&mut self, id: NodeId, reduce: Reduce, axes: &[usize], from: NodeId) -> Result<Place, String> {
        let shape = settled(self.graph.shape(from))?;
        if let Place::Scalar(scalar) = self.places[&from] {
            return Ok(self.of_scalar(reduce, scalar, axes.iter().map(|axis| shape[*axis]).product()));
        }
        let rank = shape.len();
        if axes.len() == rank {
            let (kernel, register) = self.register_of(from, &shape, None);
            return Ok(self.collected(id, kernel, reduce, register, Target::All));
        }
        let count = axes.len();
        if axes.iter().copied().eq(0..count) {
            let (kernel, register) = self.register_of(from, &shape, Some(count));
            return Ok(self.collected(id, kernel, reduce, register, Target::Columns));
        }
        if axes.iter().copied().eq(rank - count..rank) {
            let (kernel, register) = self.register_of(from, &shape, Some(rank - count));
            return Ok(self.folded(id, kernel, reduce, register));
        }
        let kept = (0..rank).filter(|axis| !axes.contains(axis));
        let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
        let view = self.view(from).permute(&order);
        let kernel = self.open(view.shape.clone(), Some(rank - count));
        let register = self.push(kernel, Instruction::Load(view, Level::Full));
        Ok(self.folded(id, kernel, reduce, register))
    }

    /// Equal numbers: their sum is a product, the greatest is any of them.
    fn of_scalar(&mut self, reduce: Reduce, scalar: usize, count: usize) -> Place {
        let scalars = &mut self.plan.scalars;
        let mut add = |scalar: Scalar| {
            scalars.push(scalar);
            scalars.len() - 1
        };
        Place::Scalar(match reduce {
            Reduce::Sum => {
                let count = add(Scalar::Constant(count as f64));
                add(Scalar::Apply(ScalarOp::Mul, vec![scalar, count]))
            }
            Reduce::Max | Reduce::Min if count == 0 => add(Scalar::Constant(reduce.start())),
            Reduce::Max | Reduce::Min => scalar,
        })
    }

    /// What is reduced, in the kernel that holds it, if that is split into the same rows; else in a new one.
    fn register_of(&mut self, from: NodeId, shape: &[usize], split: Option<usize>) -> (usize, Register) {
        if let Some((kernel, level)) = self.joinable(shape, &[from])
            && let Some(body) = self.plan.kernels[kernel].looped_mut()
            && (level == Level::Full || split.is_none())
            && (split.is_none() || body.split.is_none() || body.split == split)
        {
            body.split = body.split.or(split);
            return (kernel, self.register(kernel, from, level));
        }
        if let Place::Held(..) = self.places[&from] {
            self.view(from);
        }
        let kernel = self.open(shape.to_vec(), split);
        (kernel, self.register(kernel, from, Level::Full))
    }

    fn folded(&mut self, id: NodeId, kernel: usize, reduce: Reduce, register: Register) -> Place {
        self.plan.kernels[kernel].nodes.push(id);
        Place::Held(kernel, self.push(kernel, Instruction::Fold(reduce, register)), None)
    }

    fn collected(&mut self, id: NodeId, kernel: usize, reduce: Reduce, register: Register, target: Target) -> Place {
        self.plan.kernels[kernel].nodes.push(id);
        let shape = settled(self.graph.shape(id)).unwrap_or_default();
        let buffer = self.buffer(&shape, kernel + 1);
        self.push(kernel, Instruction::Collect(reduce, register, target, buffer));
        Place::View(View::whole(buffer, shape))
    }
}
