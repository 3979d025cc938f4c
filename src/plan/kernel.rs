//! What a plan is made of.

use super::host::Scalar;
use super::view::View;
use crate::ir::{NodeId, Op, Reduce, ScalarOp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub u32);

/// A range of the arena. Elements are 32-bit floats; ints are held as whole floats, exact to 2²⁴, truth values as 0 and 1.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub len: usize,
    pub offset: usize,
    /// Kept from step to step: what is fed, and what is asked for.
    pub kept: bool,
}

pub struct Plan {
    /// In the order in which they run. The first `stages[0]` make the first stage, and so on.
    pub kernels: Vec<Kernel>,
    pub stages: Vec<usize>,
    pub buffers: Vec<Buffer>,
    /// Elements of the arena.
    pub arena: usize,
    pub scalars: Vec<Scalar>,
    /// Numbers of inputs that lie in buffers.
    pub inputs: Vec<(u32, BufferId)>,
    /// Where each root is.
    pub outputs: Vec<Output>,
    /// Buffers that become the inputs of the next step by copying: (from, to). Most are written in place.
    pub copies: Vec<(BufferId, BufferId)>,
}

#[derive(Clone, Debug)]
pub enum Output {
    Buffer(BufferId),
    /// A scalar of the host, the same for the whole shape.
    Scalar(usize),
}

pub struct Kernel {
    /// Nodes that it computes, for names and messages.
    pub nodes: Vec<NodeId>,
    pub body: Body,
}

pub enum Body {
    /// One pass over a space of rows and columns.
    Loop(Loop),
    /// Products of matrices, and a pass over the result while it is in the cache.
    Product(Matrices, Loop),
    /// An operation on its own.
    Special(Special),
}

/// A pass over the elements of a shape; its first `split` axes are the rows, the others the columns.
pub struct Loop {
    pub shape: Vec<usize>,
    pub split: Option<usize>,
    pub instructions: Vec<Instruction>,
}

/// The value of an instruction, by the instruction's number.
pub type Register = usize;

/// Whether a register has an element for each element of the space, or one for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Full,
    Row,
}

#[derive(Clone, Debug)]
pub enum Instruction {
    Load(View, Level),
    /// A scalar of the host, everywhere.
    Scalar(usize),
    Apply(ScalarOp, Vec<Register>),
    /// Over the columns of each row.
    Fold(Reduce, Register),
    /// One element of each row, at all its columns.
    Expand(Register),
    Store(Register, BufferId),
    /// Over rows.
    Collect(Reduce, Register, Target, BufferId),
}

/// What is left when rows are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One element for each column.
    Columns,
    /// One element.
    All,
}

/// `out[b, m, n] = Σ_k a[b, m, k] b[b, k, n]`; each operand by its start and the strides of its three axes.
#[derive(Clone, Debug)]
pub struct Matrices {
    pub batch: usize,
    pub rows: usize,
    pub depth: usize,
    pub columns: usize,
    pub a: (BufferId, usize, [isize; 3]),
    pub b: (BufferId, usize, [isize; 3]),
    pub out: BufferId,
}

/// An operation that is not fused: operands whole buffers.
#[derive(Clone, Debug)]
pub struct Special {
    pub op: Op,
    pub operands: Vec<(BufferId, Vec<usize>)>,
    /// Of a draw: the number of the input that counts it.
    pub counters: Option<u32>,
    pub shape: Vec<usize>,
    pub out: BufferId,
}

impl Loop {
    pub fn new(shape: Vec<usize>, split: Option<usize>) -> Loop {
        Loop { shape, split, instructions: Vec::new() }
    }

    /// Rows and columns.
    pub fn space(&self) -> (usize, usize) {
        let split = self.split.unwrap_or(self.shape.len().saturating_sub(1));
        (self.shape[..split].iter().product(), self.shape[split..].iter().product())
    }

    /// Whether it is about single elements: rows and columns play no part, and all views lie densely.
    pub fn is_flat(&self) -> bool {
        self.instructions.iter().all(|instruction| match instruction {
            Instruction::Load(view, level) => *level == Level::Full && view.buffer.is_some() && view.is_dense(),
            Instruction::Fold(..) | Instruction::Expand(_) | Instruction::Collect(_, _, Target::Columns, _) => false,
            Instruction::Scalar(_)
            | Instruction::Apply(..)
            | Instruction::Store(..)
            | Instruction::Collect(_, _, Target::All, _) => true,
        })
    }

    pub fn level(&self, register: Register) -> Level {
        match &self.instructions[register] {
            Instruction::Load(_, level) => *level,
            Instruction::Fold(..) => Level::Row,
            Instruction::Scalar(_) | Instruction::Expand(_) => Level::Full,
            Instruction::Store(a, _) | Instruction::Collect(_, a, _, _) => self.level(*a),
            Instruction::Apply(_, operands) => self.lower(operands),
        }
    }

    /// Scalars fit any level; the rest are of one.
    fn lower(&self, registers: &[Register]) -> Level {
        let scalar = |register: &&Register| matches!(self.instructions[**register], Instruction::Scalar(_));
        registers.iter().find(|register| !scalar(register)).map_or(Level::Full, |register| self.level(*register))
    }
}

impl Instruction {
    pub fn operands(&self) -> Vec<Register> {
        match self {
            Instruction::Load(..) | Instruction::Scalar(_) => Vec::new(),
            Instruction::Fold(_, a)
            | Instruction::Expand(a)
            | Instruction::Store(a, _)
            | Instruction::Collect(_, a, _, _) => vec![*a],
            Instruction::Apply(_, operands) => operands.clone(),
        }
    }
}

impl Kernel {
    /// The buffers that it reads.
    pub fn reads(&self) -> Vec<BufferId> {
        let of_loop = |of: &Loop| -> Vec<BufferId> {
            let loads = of.instructions.iter().filter_map(|instruction| match instruction {
                Instruction::Load(view, _) => view.buffer,
                _ => None,
            });
            loads.collect()
        };
        match &self.body {
            Body::Loop(body) => of_loop(body),
            Body::Product(matrices, body) => {
                let mut reads = of_loop(body);
                reads.retain(|buffer| *buffer != matrices.out);
                reads.extend([matrices.a.0, matrices.b.0]);
                reads
            }
            Body::Special(special) => special.operands.iter().map(|(buffer, _)| *buffer).collect(),
        }
    }

    /// The buffers that it writes.
    pub fn writes(&self) -> Vec<BufferId> {
        let of_loop = |of: &Loop| -> Vec<BufferId> {
            let stores = of.instructions.iter().filter_map(|instruction| match instruction {
                Instruction::Store(_, buffer) | Instruction::Collect(_, _, _, buffer) => Some(*buffer),
                _ => None,
            });
            stores.collect()
        };
        match &self.body {
            Body::Loop(body) => of_loop(body),
            Body::Product(matrices, body) => [vec![matrices.out], of_loop(body)].concat(),
            Body::Special(special) => vec![special.out],
        }
    }

    pub fn looped(&self) -> Option<&Loop> {
        match &self.body {
            Body::Loop(body) | Body::Product(_, body) => Some(body),
            Body::Special(_) => None,
        }
    }

    pub fn looped_mut(&mut self) -> Option<&mut Loop> {
        match &mut self.body {
            Body::Loop(body) | Body::Product(_, body) => Some(body),
            Body::Special(_) => None,
        }
    }
}
