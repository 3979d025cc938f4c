//! Next values that are written over the present ones.

use super::build::Builder;
use super::kernel::{Body, BufferId, Instruction, Kernel, Level, Output};
use crate::ir::NodeId;
use std::collections::{HashMap, HashSet};

/// Where buffers are written first and read last, by number of the kernel.
#[derive(Default)]
struct Uses {
    writer: HashMap<BufferId, usize>,
    last_reader: HashMap<BufferId, usize>,
}

impl Uses {
    fn of(kernels: &[Kernel]) -> Uses {
        let mut uses = Uses::default();
        for (at, kernel) in kernels.iter().enumerate() {
            for buffer in kernel.writes() {
                uses.writer.entry(buffer).or_insert(at);
            }
            for buffer in kernel.reads() {
                uses.last_reader.insert(buffer, at);
            }
        }
        uses
    }
}

impl Builder<'_> {
    /// The next value of a parameter is written over the present one where nothing reads that any more; else copied.
    pub(super) fn write_in_place(&mut self) {
        let nexts = self.next_buffers();
        let mut uses = Uses::of(&self.plan.kernels);
        let mut renamed: HashMap<BufferId, BufferId> = HashMap::new();
        for (made, input) in nexts {
            match uses.writer.get(&made).copied() {
                Some(writer) if self.can_take(made, input, writer, &uses) => {
                    uses.writer.insert(input, writer);
                    renamed.insert(made, input);
                }
                _ => self.plan.copies.push((made, input)),
            }
        }
        self.rename(&renamed);
    }

    /// The buffer of each next value, its own, and the input that it becomes. A next value that is a present one, or that of
    /// another as well, is copied first, as a kernel that counts as a reader.
    fn next_buffers(&mut self) -> Vec<(BufferId, BufferId)> {
        let places: HashMap<NodeId, usize> =
            self.request.stages.iter().flatten().enumerate().map(|(at, root)| (*root, at)).collect();
        let fed: HashMap<u32, BufferId> = self.plan.inputs.iter().copied().collect();
        let mut taken: HashSet<BufferId> = fed.values().copied().collect();
        let mut nexts = Vec::new();
        for (root, number) in self.request.updates {
            let (Some(at), Some(input)) = (places.get(root), fed.get(number).copied()) else { continue };
            let made = match self.plan.outputs[*at] {
                Output::Buffer(made) if made == input => continue,
                Output::Buffer(made) if taken.insert(made) => made,
                // A scalar fills it: through a buffer of its own.
                Output::Buffer(_) | Output::Scalar(_) => {
                    let view = self.view(*root);
                    let copy = self.copied(*root, &view);
                    self.keep(copy);
                    copy
                }
            };
            nexts.push((made, input));
        }
        let last = self.plan.kernels.len();
        self.plan.stages.iter_mut().rev().take(1).for_each(|end| *end = last);
        nexts
    }

    /// Whether a buffer may lie where an input lies.
    fn can_take(&self, made: BufferId, input: BufferId, writer: usize, uses: &Uses) -> bool {
        if uses.last_reader.get(&input).is_some_and(|last| *last > writer) || uses.writer.contains_key(&input) {
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
        body.instructions.iter().any(stored) && body.instructions.iter().all(in_step)
    }

    fn rename(&mut self, renamed: &HashMap<BufferId, BufferId>) {
        let rename = |buffer: &mut BufferId| {
            if let Some(to) = renamed.get(buffer) {
                *buffer = *to;
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
        for from in renamed.keys() {
            self.plan.buffers[from.0 as usize].kept = false;
        }
    }
}
