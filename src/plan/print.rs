//! A plan as text: a line for each kernel and each of its instructions.

use super::body::Times;
use super::cost::Cost;
use super::kernel::{BufferId, Code, Fused, Instruction, Kernel, Plan};
use super::view::Layout;
use std::fmt;

impl fmt::Display for BufferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_dense() { Ok(()) } else { write!(f, " by {:?}", self.strides) }
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instruction::Load(operand, layout, level) => write!(f, "load o{operand}{layout} ({level:?})"),
            Instruction::Iota(start, layout, level) => write!(f, "iota {start}{layout} ({level:?})"),
            Instruction::Scalar(scalar) => write!(f, "scalar {scalar}"),
            Instruction::Convert(register) => write!(f, "convert r{register}"),
            Instruction::Store(register, operand, 0, layout) => write!(f, "store r{register} in o{operand}{layout}"),
            Instruction::Store(register, operand, start, layout) => {
                write!(f, "store r{register} in o{operand}+{start}{layout}")
            }
            Instruction::ReduceRows(reduce, register, target, operand) => {
                write!(f, "{reduce:?} of r{register} over rows, {target:?}, in o{operand}")
            }
            Instruction::ReduceColumns(reduce, register) => write!(f, "{reduce:?} of r{register} over columns"),
            Instruction::Expand(register) => write!(f, "broadcast r{register} to columns"),
            Instruction::MultiplyAdd(Fused::Sum, [a, b, c]) => write!(f, "r{a} * r{b} + r{c}"),
            Instruction::MultiplyAdd(Fused::Less, [a, b, c]) => write!(f, "r{a} * r{b} - r{c}"),
            Instruction::MultiplyAdd(Fused::From, [a, b, c]) => write!(f, "r{c} - r{a} * r{b}"),
            Instruction::Apply(op, operands) => {
                write!(f, "{op:?}")?;
                operands.iter().try_for_each(|operand| write!(f, " r{operand}"))
            }
        }
    }
}

impl Kernel {
    /// A short description, for dumps and messages.
    pub fn name(&self) -> String {
        match &*self.code {
            Code::Loop(body) => {
                let (rows, columns) = body.space();
                format!("loop {rows} x {columns}, {} instructions", body.instructions.len())
            }
            Code::Product(m, body) => {
                let more = body.instructions.len() - 1;
                let [batch, rows, depth, columns] = m.counts();
                format!("product {batch} x [{rows}, {depth}] [{depth}, {columns}], then {more}")
            }
            Code::Special(special) => {
                format!("{} {:?}", special.op, special.shapes.last().into_iter().flatten().collect::<Vec<_>>())
            }
            Code::Run(run) => {
                let kernels = run.body.plan.kernels.len();
                match run.times {
                    Times::Once => format!("call, {kernels} kernels"),
                    Times::Steps { count, reverse } => {
                        let back = if reverse { " back" } else { "" };
                        format!("scan, {count} steps{back}, {kernels} kernels")
                    }
                }
            }
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scratch = self.scratch;
        writeln!(f, "{} kernels, {scratch} bytes of scratch, {} resident", self.kernels.len(), self.resident)?;
        for (number, buffer) in &self.inputs {
            writeln!(f, "input {number} in {buffer}")?;
        }
        for (at, scalar) in self.scalars.iter().enumerate() {
            writeln!(f, "s{at} = {scalar:?}")?;
        }
        for (at, kernel) in self.kernels.iter().enumerate() {
            let operands: Vec<String> = kernel
                .bindings
                .iter()
                .map(|binding| match binding.start {
                    0 => binding.buffer.to_string(),
                    start => format!("{}+{start}", binding.buffer),
                })
                .collect();
            let scalars: Vec<String> = kernel.scalars.iter().map(|scalar| format!("s{scalar}")).collect();
            let Cost { flops, bytes } = self.cost(kernel);
            let operands = [operands, scalars].concat().join(", ");
            writeln!(f, "k{at}: {} ({operands}), {flops} flops, {bytes} bytes", kernel.name())?;
            if let Code::Run(run) = &*kernel.code {
                for (operand, role) in run.roles.iter().enumerate() {
                    writeln!(f, "    o{operand}: {role:?}")?;
                }
                run.body.plan.to_string().lines().try_for_each(|line| writeln!(f, "    {line}"))?;
            }
            if let Some(body) = kernel.code.looped() {
                for (register, (instruction, storage)) in body.instructions.iter().zip(&body.storage).enumerate() {
                    writeln!(f, "    r{register}: {storage:?} = {instruction}")?;
                }
            }
        }
        for (from, to) in &self.copies {
            writeln!(f, "copy {from} to {to}")?;
        }
        Ok(())
    }
}
