//! A product whose only reader adds to it becomes one instruction with it, of one rounding: fewer instructions, and fewer errors.

use super::kernel::{Fused, Instruction, Loop, Register, Storage};
use crate::ir::ScalarOp;

/// Contracts the products and sums of a loop. Those of 64 bits stay as they are: evaluation follows the definition.
pub(super) fn contract(body: Loop) -> Loop {
    let count = body.instructions.len();
    let mut readers = vec![0u32; count];
    for instruction in &body.instructions {
        instruction.registers().iter().for_each(|register| readers[*register] += 1);
    }
    let mut gone = vec![false; count];
    let mut contracted: Vec<Option<Instruction>> = Vec::with_capacity(count);
    for (at, instruction) in body.instructions.iter().enumerate() {
        let product = |register: Register| factors(&body, register).filter(|_| readers[register] == 1);
        let found = match instruction {
            Instruction::Apply(ScalarOp::Add, parts) if body.storage[at] == Storage::F32 => {
                let (x, y) = (parts[0], parts[1]);
                let first = product(x).map(|[a, b]| (x, Fused::Sum, [a, b, y]));
                first.or_else(|| product(y).map(|[a, b]| (y, Fused::Sum, [a, b, x])))
            }
            Instruction::Apply(ScalarOp::Sub, parts) if body.storage[at] == Storage::F32 => {
                let (x, y) = (parts[0], parts[1]);
                let first = product(x).map(|[a, b]| (x, Fused::Less, [a, b, y]));
                first.or_else(|| product(y).map(|[a, b]| (y, Fused::From, [a, b, x])))
            }
            _ => None,
        };
        contracted.push(found.map(|(product, how, registers)| {
            gone[product] = true;
            Instruction::MultiplyAdd(how, registers)
        }));
    }
    without(body, &gone, contracted)
}

/// The factors of a product, one of which is no scalar of the host: the host multiplies its own.
fn factors(body: &Loop, register: Register) -> Option<[Register; 2]> {
    let Instruction::Apply(ScalarOp::Mul, parts) = &body.instructions[register] else { return None };
    let is_scalar = |register: &Register| matches!(body.instructions[*register], Instruction::Scalar(_));
    (!parts.iter().all(is_scalar)).then_some([parts[0], parts[1]])
}

/// A loop without some of its instructions, and with others in place of some.
fn without(body: Loop, gone: &[bool], mut others: Vec<Option<Instruction>>) -> Loop {
    let mut places = Vec::with_capacity(gone.len());
    let (mut instructions, mut storage) = (Vec::new(), Vec::new());
    for (at, instruction) in body.instructions.into_iter().enumerate() {
        places.push(instructions.len());
        if !gone[at] {
            let mut instruction = others[at].take().unwrap_or(instruction);
            instruction.registers_mut().iter_mut().for_each(|register| *register = places[*register]);
            instructions.push(instruction);
            storage.push(body.storage[at]);
        }
    }
    Loop { instructions, storage, ..body }
}
