//! What a plan is made of: kernels, which are code and bindings, and buffers.

use super::body::Run;
use super::host::Scalar;
use super::view::Layout;
use crate::ir::{DType, NodeId, Op, Reduce, ScalarOp};
use std::sync::Arc;

/// The storage type of the elements of a buffer or of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    F32,
    /// Where evaluation needs more digits than a step: reductions over rows, and what is added up by them.
    F64,
    I32,
    /// A byte, 0 or 1.
    Bool,
}

impl Storage {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Storage::F32 | Storage::I32 => 4,
            Storage::F64 => 8,
            Storage::Bool => 1,
        }
    }

    /// Of the elements of a step.
    pub fn of(dtype: DType) -> Storage {
        match dtype {
            DType::Float => Storage::F32,
            DType::Int => Storage::I32,
            DType::Bool => Storage::Bool,
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Storage::F32 | Storage::F64)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub u32);

/// The memory region of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// The region of parameters and states, shared by all plans of a program.
    Resident,
    /// Working memory of a plan while it runs; other plans use it at other times.
    Scratch,
}

#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// Elements.
    pub len: usize,
    pub storage: Storage,
    pub region: Region,
    /// Bytes from the start of the region.
    pub offset: usize,
    /// Alive from the start of the plan to its end: inputs and outputs.
    pub kept: bool,
}

impl Buffer {
    pub fn bytes(&self) -> usize {
        self.len * self.storage.size()
    }
}

#[derive(Debug)]
pub struct Plan {
    /// In the order in which they run. The first `stages[0]` make the first stage, and so on.
    pub kernels: Vec<Kernel>,
    pub stages: Vec<usize>,
    pub buffers: Vec<Buffer>,
    /// Bytes of scratch.
    pub scratch: usize,
    /// Bytes of the resident region, as the request laid it out.
    pub resident: usize,
    pub scalars: Vec<Scalar>,
    /// Numbers of inputs that lie in buffers.
    pub inputs: Vec<(u32, BufferId)>,
    /// Where each root is.
    pub outputs: Vec<Output>,
    /// Buffers that become the inputs of the next step by copying: (from, to). Most are written in place.
    pub copies: Vec<(BufferId, BufferId)>,
}

impl Plan {
    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0 as usize]
    }

    /// Bytes of all that it reads and writes.
    pub fn arena(&self) -> usize {
        self.scratch + self.resident
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Buffer(BufferId),
    /// A scalar of the host, the same for the whole shape.
    Scalar(usize),
}

/// Code with its bindings. Equal code is shared by all kernels that run it.
#[derive(Debug)]
pub struct Kernel {
    /// Nodes that it computes, for diagnostics.
    pub nodes: Vec<NodeId>,
    pub code: Arc<Code>,
    /// What the code's operands are.
    pub bindings: Vec<Binding>,
    /// What the code's scalars are, by number among the plan's.
    pub scalars: Vec<usize>,
}

/// A buffer from some element on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    pub buffer: BufferId,
    pub start: isize,
}

/// The code of a kernel. It is independent of buffers: operands and scalars are indices that a kernel binds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// One pass over a space of rows and columns.
    Loop(Loop),
    /// Products of matrices, and a pass over the result while it is in the cache.
    Product(Box<Matrices>, Loop),
    /// An operation that is not fused.
    Special(Special),
    /// A call, or a loop.
    Run(Run),
}

/// A pass over the elements of a shape; its first `split` axes are the rows, the others the columns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Loop {
    pub shape: Vec<usize>,
    pub split: usize,
    pub instructions: Vec<Instruction>,
    /// The storage type of each register.
    pub storage: Vec<Storage>,
}

/// A virtual register: the value of an instruction, by the instruction's index.
pub type Register = usize;

/// A buffer of a kernel, by its number among the bindings.
pub type Operand = usize;

/// Whether a register has an element for each element of the space, or one for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    Full,
    Row,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    Load(Operand, Layout, Level),
    /// The offsets that a layout addresses, as values: 0, 1, 2, …
    Iota(isize, Layout, Level),
    /// A scalar of the host, everywhere.
    Scalar(usize),
    Apply(ScalarOp, Vec<Register>),
    /// A product and a sum with one rounding, of 32-bit floats.
    MultiplyAdd(Fused, [Register; 3]),
    /// To another storage type.
    Convert(Register),
    /// Over the columns of each row: one value per row.
    ReduceColumns(Reduce, Register),
    /// Broadcasts one value per row to all columns.
    Expand(Register),
    /// To a part of a buffer, given by the offset of its first element and its layout.
    Store(Register, Operand, isize, Layout),
    /// Over rows, accumulated chunk by chunk.
    ReduceRows(Reduce, Register, Target, Operand),
}

/// What a product of the first two registers and the third make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fused {
    /// `a b + c`
    Sum,
    /// `a b - c`
    Less,
    /// `c - a b`
    From,
}

/// The shape of a reduction over rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// One element for each column.
    Columns,
    /// One element.
    All,
}

/// `out[b, m, n] = Σ_k a[b, m, k] b[b, k, n]`, all of one kind of floats; the operands 0, 1 and 2 are a, b and out, which is dense.
/// Each of b, m, k and n is one or several axes, outermost first, so that an element of an operand lies where the sum of its
/// offsets along them says: the windows of a convolution are a matrix that is never stored. None is an axis of one element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matrices {
    pub storage: Storage,
    pub batch: Vec<usize>,
    pub rows: Vec<usize>,
    pub depth: Vec<usize>,
    pub columns: Vec<usize>,
    /// The strides of a along batch, rows and depth; 0 where it is the same for all.
    pub a: [Vec<isize>; 3],
    /// The strides of b along batch, depth and columns.
    pub b: [Vec<isize>; 3],
}

impl Matrices {
    pub const A: Operand = 0;
    pub const B: Operand = 1;
    pub const OUT: Operand = 2;

    /// How many batches, rows, elements of the depth and columns there are.
    pub fn counts(&self) -> [usize; 4] {
        [&self.batch, &self.rows, &self.depth, &self.columns].map(|sizes| sizes.iter().product())
    }

    /// The elements of a and of b, as they lie.
    pub fn layouts(&self) -> [Layout; 2] {
        let layout = |sizes: [&Vec<usize>; 3], strides: &[Vec<isize>; 3]| Layout {
            shape: sizes.into_iter().flatten().copied().collect(),
            strides: strides.concat(),
        };
        [
            layout([&self.batch, &self.rows, &self.depth], &self.a),
            layout([&self.batch, &self.depth, &self.columns], &self.b),
        ]
    }
}

/// An operation that is not fused. Operands are whole buffers; the last one is the result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Special {
    pub op: Op,
    pub shapes: Vec<Vec<usize>>,
    /// The storage types of the operands.
    pub storage: Vec<Storage>,
}

impl Loop {
    /// Rows and columns.
    pub fn space(&self) -> (usize, usize) {
        (self.shape[..self.split].iter().product(), self.shape[self.split..].iter().product())
    }

    /// Whether it is purely elementwise over dense layouts, so that rows and columns do not matter.
    pub fn is_flat(&self) -> bool {
        self.instructions.iter().all(|instruction| match instruction {
            Instruction::Load(_, layout, level) => *level == Level::Full && layout.is_dense(),
            Instruction::Store(_, operand, _, layout) => layout.is_dense() && self.stores(*operand).count() == 1,
            Instruction::Iota(..) | Instruction::ReduceColumns(..) | Instruction::Expand(_) => false,
            Instruction::ReduceRows(_, _, Target::Columns, _) => false,
            Instruction::Scalar(_)
            | Instruction::Apply(..)
            | Instruction::MultiplyAdd(..)
            | Instruction::Convert(_)
            | Instruction::ReduceRows(_, _, Target::All, _) => true,
        })
    }

    /// The parts of an operand that it stores to: first element and layout.
    pub fn stores(&self, operand: Operand) -> impl Iterator<Item = (isize, &Layout)> {
        self.instructions.iter().filter_map(move |instruction| match instruction {
            Instruction::Store(_, own, start, layout) if *own == operand => Some((*start, layout)),
            _ => None,
        })
    }

    /// The level of every register. Scalars adapt to either.
    pub fn levels(&self) -> Vec<Level> {
        let mut levels: Vec<Level> = Vec::with_capacity(self.instructions.len());
        for instruction in &self.instructions {
            let level = match instruction {
                Instruction::Load(_, _, level) | Instruction::Iota(_, _, level) => *level,
                Instruction::ReduceColumns(..) => Level::Row,
                Instruction::Scalar(_) | Instruction::Expand(_) => Level::Full,
                Instruction::Convert(a) | Instruction::Store(a, ..) | Instruction::ReduceRows(_, a, _, _) => levels[*a],
                Instruction::MultiplyAdd(..) | Instruction::Apply(..) => {
                    let operands = instruction.registers();
                    let scalar = |register: &&Register| matches!(self.instructions[**register], Instruction::Scalar(_));
                    operands.iter().find(|register| !scalar(register)).map_or(Level::Full, |register| levels[*register])
                }
            };
            levels.push(level);
        }
        levels
    }
}

impl Instruction {
    /// The registers that it reads.
    pub fn registers(&self) -> &[Register] {
        match self {
            Instruction::Load(..) | Instruction::Iota(..) | Instruction::Scalar(_) => &[],
            Instruction::ReduceColumns(_, a)
            | Instruction::Convert(a)
            | Instruction::Expand(a)
            | Instruction::Store(a, ..)
            | Instruction::ReduceRows(_, a, _, _) => std::slice::from_ref(a),
            Instruction::Apply(_, operands) => operands,
            Instruction::MultiplyAdd(_, operands) => operands,
        }
    }

    pub fn registers_mut(&mut self) -> &mut [Register] {
        match self {
            Instruction::Load(..) | Instruction::Iota(..) | Instruction::Scalar(_) => &mut [],
            Instruction::ReduceColumns(_, a)
            | Instruction::Convert(a)
            | Instruction::Expand(a)
            | Instruction::Store(a, ..)
            | Instruction::ReduceRows(_, a, _, _) => std::slice::from_mut(a),
            Instruction::Apply(_, operands) => operands,
            Instruction::MultiplyAdd(_, operands) => operands,
        }
    }
}

impl Code {
    pub fn looped(&self) -> Option<&Loop> {
        match self {
            Code::Loop(body) | Code::Product(_, body) => Some(body),
            Code::Special(_) | Code::Run(_) => None,
        }
    }

    /// The operands that it reads from memory.
    pub fn reads(&self) -> Vec<Operand> {
        let loads = self.looped().into_iter().flat_map(|body| &body.instructions);
        let mut reads: Vec<Operand> = loads
            .filter_map(|instruction| match instruction {
                Instruction::Load(operand, ..) => Some(*operand),
                _ => None,
            })
            .collect();
        match self {
            Code::Loop(_) => {}
            // The loop reads what the product has made.
            Code::Product(..) => {
                reads.retain(|operand| *operand != Matrices::OUT);
                reads.extend([Matrices::A, Matrices::B]);
            }
            Code::Special(special) => reads.extend(0..special.shapes.len() - 1),
            Code::Run(run) => reads.extend(run.reads()),
        }
        reads
    }

    /// The operands that it writes.
    pub fn writes(&self) -> Vec<Operand> {
        let stores = self.looped().into_iter().flat_map(|body| &body.instructions);
        let mut writes: Vec<Operand> = stores
            .filter_map(|instruction| match instruction {
                Instruction::Store(_, operand, ..) | Instruction::ReduceRows(_, _, _, operand) => Some(*operand),
                _ => None,
            })
            .collect();
        match self {
            Code::Loop(_) => {}
            Code::Product(..) => writes.push(Matrices::OUT),
            Code::Special(special) => writes.push(special.shapes.len() - 1),
            Code::Run(run) => writes.extend(run.writes()),
        }
        writes
    }
}

impl Kernel {
    /// The buffers that it reads.
    pub fn reads(&self) -> impl Iterator<Item = BufferId> {
        self.code.reads().into_iter().map(|operand| self.bindings[operand].buffer)
    }

    /// The buffers that it writes.
    pub fn writes(&self) -> impl Iterator<Item = BufferId> {
        self.code.writes().into_iter().map(|operand| self.bindings[operand].buffer)
    }
}
