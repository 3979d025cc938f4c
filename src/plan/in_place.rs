//! Next values of parameters and states that are written over the present ones.

use super::emit::Emitted;
use super::kernel::{Buffer, BufferId, Code, Instruction, Level, Matrices, Output};
use super::select::Selection;
use crate::ir::NodeId;
use std::collections::{HashMap, HashSet};

/// The buffer of each next value, its own, and the input that it becomes. A next value that is a present one, or that of
/// another as well, is copied first, by a group that counts as a reader.
pub(super) fn nexts(selection: &mut Selection) -> Vec<(BufferId, BufferId)> {
    let request = selection.request;
    let places: HashMap<NodeId, usize> =
        request.stages.iter().flatten().enumerate().map(|(at, root)| (*root, at)).collect();
    let fed: HashMap<u32, BufferId> = selection.inputs.iter().copied().collect();
    let mut taken: HashSet<BufferId> = fed.values().copied().collect();
    let mut nexts = Vec::new();
    for (root, number) in request.updates {
        let (Some(at), Some(input)) = (places.get(root), fed.get(number).copied()) else { continue };
        let made = match selection.outputs[*at] {
            Output::Buffer(made) if made == input => continue,
            Output::Buffer(made) if taken.insert(made) => made,
            // A scalar fills it: through a buffer of its own.
            Output::Buffer(_) | Output::Scalar(_) => selection.own_copy(*root),
        };
        nexts.push((made, input));
    }
    let last = selection.groups.len();
    selection.stages.iter_mut().rev().take(1).for_each(|end| *end = last);
    nexts
}

/// The last writer and the last reader of each buffer, by index of the kernel.
#[derive(Default)]
struct Uses {
    writer: HashMap<BufferId, usize>,
    last_reader: HashMap<BufferId, usize>,
    /// Buffers that several kernels write: carries of loops, containers.
    rewritten: HashSet<BufferId>,
}

impl Uses {
    fn of(kernels: &[Emitted]) -> Uses {
        let mut uses = Uses::default();
        for (at, kernel) in kernels.iter().enumerate() {
            for operand in kernel.code.writes() {
                let buffer = kernel.bindings[operand].buffer;
                if uses.writer.insert(buffer, at).is_some_and(|before| before != at) {
                    uses.rewritten.insert(buffer);
                }
            }
            for operand in kernel.code.reads() {
                uses.last_reader.insert(kernel.bindings[operand].buffer, at);
            }
        }
        uses
    }
}

/// Each next value is written over the present one if nothing reads that afterwards; the others are returned, to be copied.
pub(super) fn write_in_place(
    kernels: &mut [Emitted],
    buffers: &mut [Buffer],
    outputs: &mut [Output],
    nexts: Vec<(BufferId, BufferId)>,
) -> Vec<(BufferId, BufferId)> {
    let mut uses = Uses::of(kernels);
    let mut renamed: HashMap<BufferId, BufferId> = HashMap::new();
    let mut copies = Vec::new();
    for (made, input) in nexts {
        match uses.writer.get(&made).copied() {
            Some(writer) if can_take(kernels, buffers, made, input, writer, &uses) => {
                uses.writer.insert(input, writer);
                renamed.insert(made, input);
            }
            _ => copies.push((made, input)),
        }
    }
    for kernel in kernels.iter_mut() {
        for binding in &mut kernel.bindings {
            binding.buffer = *renamed.get(&binding.buffer).unwrap_or(&binding.buffer);
        }
        unify(kernel);
    }
    for output in outputs {
        if let Output::Buffer(buffer) = output {
            *buffer = *renamed.get(buffer).unwrap_or(buffer);
        }
    }
    for from in renamed.keys() {
        buffers[from.0 as usize].kept = false;
    }
    copies
}

/// Whether a kernel can write a buffer over an input: in the same iteration in which it reads the element, and as the last reader.
fn can_take(
    kernels: &[Emitted],
    buffers: &[Buffer],
    made: BufferId,
    input: BufferId,
    writer: usize,
    uses: &Uses,
) -> bool {
    let alike = |made: &Buffer, input: &Buffer| made.len == input.len && made.storage == input.storage;
    if uses.last_reader.get(&input).is_some_and(|last| *last > writer)
        || uses.writer.contains_key(&input)
        || uses.rewritten.contains(&made)
        || !alike(&buffers[made.0 as usize], &buffers[input.0 as usize])
    {
        return false;
    }
    let kernel = &kernels[writer];
    let Code::Loop(body) = &kernel.code else { return false };
    let levels = body.levels();
    let buffer = |operand: &usize| kernel.bindings[*operand].buffer;
    let stored = |instruction: &Instruction| match instruction {
        Instruction::Store(register, operand, 0, layout) if buffer(operand) == made => {
            let whole = layout.is_dense() && layout.count() == buffers[made.0 as usize].len;
            levels[*register] == Level::Full && whole && body.stores(*operand).count() == 1
        }
        _ => false,
    };
    let in_step = |instruction: &Instruction| match instruction {
        Instruction::Load(operand, layout, level) if buffer(operand) == input => {
            kernel.bindings[*operand].start == 0 && layout.is_dense() && *level == Level::Full
        }
        _ => true,
    };
    body.instructions.iter().any(stored) && body.instructions.iter().all(in_step)
}

/// Merges operands with equal bindings, so that the code shows where it writes over what it reads.
fn unify(kernel: &mut Emitted) {
    let own = if matches!(kernel.code, Code::Product(..)) { Matrices::OUT + 1 } else { 0 };
    let (Code::Loop(body) | Code::Product(_, body)) = &mut kernel.code else { return };
    let mut bindings = kernel.bindings[..own].to_vec();
    let mut places: Vec<usize> = (0..own).collect();
    for binding in &kernel.bindings[own..] {
        let known = bindings.iter().skip(own.saturating_sub(1)).position(|known| known == binding);
        places.push(known.map_or(bindings.len(), |known| known + own.saturating_sub(1)));
        if known.is_none() {
            bindings.push(*binding);
        }
    }
    for instruction in &mut body.instructions {
        match instruction {
            Instruction::Load(operand, ..)
            | Instruction::Store(_, operand, ..)
            | Instruction::ReduceRows(_, _, _, operand) => {
                *operand = places[*operand];
            }
            Instruction::Iota(..)
            | Instruction::Scalar(_)
            | Instruction::Apply(..)
            | Instruction::MultiplyAdd(..)
            | Instruction::Convert(_)
            | Instruction::ReduceColumns(..)
            | Instruction::Expand(_) => {}
        }
    }
    kernel.bindings = bindings;
}
