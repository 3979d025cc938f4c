//! A plan in words: a line for each kernel and each of its instructions.

use super::kernel::{Body, BufferId, Instruction, Kernel, Plan};
use super::view::View;
use std::fmt;

impl fmt::Display for BufferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.buffer {
            Some(buffer) if self.is_whole() => write!(f, "{buffer}"),
            Some(buffer) => write!(f, "{buffer}+{} by {:?}", self.start, self.strides),
            None => write!(f, "places+{} by {:?}", self.start, self.strides),
        }
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instruction::Load(view, level) => write!(f, "load {view} ({level:?})"),
            Instruction::Scalar(scalar) => write!(f, "scalar s{scalar}"),
            Instruction::Store(register, buffer) => write!(f, "store r{register} in {buffer}"),
            Instruction::Collect(reduce, register, target, buffer) => {
                write!(f, "{reduce:?} of r{register} over rows, {target:?}, in {buffer}")
            }
            Instruction::Fold(reduce, register) => write!(f, "{reduce:?} of r{register} over columns"),
            Instruction::Expand(register) => write!(f, "r{register} at every column"),
            Instruction::Apply(op, operands) => {
                write!(f, "{op:?}")?;
                operands.iter().try_for_each(|operand| write!(f, " r{operand}"))
            }
        }
    }
}

impl Kernel {
    /// What it does, in a few words.
    pub fn name(&self) -> String {
        match &self.body {
            Body::Loop(body) => {
                let (rows, columns) = body.space();
                format!("loop {rows} x {columns}, {} instructions", body.instructions.len())
            }
            Body::Product(m, body) => {
                let more = body.instructions.len() - 1;
                format!("product {} x [{}, {}] [{}, {}], then {more}", m.batch, m.rows, m.depth, m.depth, m.columns)
            }
            Body::Special(special) => format!("{} {:?}", special.op, special.shape),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} kernels, arena of {} bytes", self.kernels.len(), self.arena * 4)?;
        for (number, buffer) in &self.inputs {
            writeln!(f, "input {number} in {buffer}")?;
        }
        for (at, scalar) in self.scalars.iter().enumerate() {
            writeln!(f, "s{at} = {scalar:?}")?;
        }
        for (at, kernel) in self.kernels.iter().enumerate() {
            writeln!(f, "k{at}: {}", kernel.name())?;
            for (register, instruction) in kernel.looped().iter().flat_map(|body| body.instructions.iter().enumerate())
            {
                writeln!(f, "    r{register} = {instruction}")?;
            }
        }
        for (from, to) in &self.copies {
            writeln!(f, "copy {from} to {to}")?;
        }
        Ok(())
    }
}
