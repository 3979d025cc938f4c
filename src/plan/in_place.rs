//! Next values that are written over the present ones.

use super::build::Builder;
use super::kernel::{Body, BufferId, Instruction, Level, Output};
use crate::ir::NodeId;

impl Builder<'_> {
    /// The next value of a parameter is written over the present one where nothing reads that any more; else copied.
    pub(super) fn write_in_place(&mut self) {
        let roots: Vec<NodeId> = self.request.stages.iter().flatten().copied().collect();
        for (root, number) in self.request.updates {
            let Some(at) = roots.iter().position(|other| other == root) else { continue };
            let found = self.plan.inputs.iter().find(|(known, _)| known == number);
            let Some((_, input)) = found.copied() else { continue };
            let Output::Buffer(made) = self.plan.outputs[at].clone() else {
                // A scalar fills it: through a buffer of its own.
                let view = self.view(*root);
                self.plan.copies.extend(view.buffer.map(|from| (from, input)));
                view.buffer.into_iter().for_each(|buffer| self.keep(buffer));
                let last = self.plan.kernels.len();
                self.plan.stages.iter_mut().rev().take(1).for_each(|end| *end = last);
                continue;
            };
            if made == input {
                continue;
            }
            if self.can_take(made, input) {
                self.rename(made, input);
            } else {
                self.plan.copies.push((made, input));
            }
        }
    }

    /// Whether a buffer may lie where an input lies.
    fn can_take(&self, made: BufferId, input: BufferId) -> bool {
        let fed = |buffer: BufferId| self.plan.inputs.iter().any(|(_, known)| *known == buffer);
        let writer = self.plan.kernels.iter().position(|kernel| kernel.writes().contains(&made));
        let (Some(writer), false) = (writer, fed(made)) else { return false };
        if self.plan.kernels[writer + 1..].iter().any(|kernel| kernel.reads().contains(&input)) {
            return false;
        }
        let Body::Loop(body) = &self.plan.kernels[writer].body else { return false };
        let stored = |instruction: &Instruction| match instruction {
            Instruction::Store(register, buffer) if *buffer == made => body.level(*register) == Level::Full,
            _ => false,
        };
        let in_step = |instruction: &Instruction| match instruction {
            Instruction::Load(view, level) if view.buffer == Some(input) => view.is_whole() && *level == Level::Full,
            _ => true,
        };
        let untaken = !self.plan.kernels.iter().any(|kernel| kernel.writes().contains(&input));
        untaken && body.instructions.iter().any(stored) && body.instructions.iter().all(in_step)
    }

    fn rename(&mut self, from: BufferId, to: BufferId) {
        let rename = |buffer: &mut BufferId| {
            if *buffer == from {
                *buffer = to;
            }
        };
        for kernel in &mut self.plan.kernels {
            match &mut kernel.body {
                Body::Special(special) => special.operands.iter_mut().for_each(|(buffer, _)| rename(buffer)),
                Body::Loop(_) => {}
                Body::Product(matrices, _) => [&mut matrices.a.0, &mut matrices.b.0].into_iter().for_each(rename),
            }
            for instruction in kernel.looped_mut().into_iter().flat_map(|body| &mut body.instructions) {
                match instruction {
                    Instruction::Load(view, _) => view.buffer.iter_mut().for_each(rename),
                    Instruction::Store(_, buffer) | Instruction::Collect(_, _, _, buffer) => rename(buffer),
                    _ => {}
                }
            }
        }
        for output in &mut self.plan.outputs {
            if let Output::Buffer(buffer) = output {
                rename(buffer);
            }
        }
        self.plan.buffers[from.0 as usize].kept = false;
    }
}
