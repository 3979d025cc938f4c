//! The input of planning.

use super::kernel::Storage;
use crate::ir::{Class, DType, Graph, NodeId, Op, ScalarOp, Size};
use std::collections::BTreeMap;

pub struct Request<'a> {
    /// With concrete sizes.
    pub graph: &'a Graph,
    /// The roots of each stage; a stage begins when the one before it has ended.
    pub stages: &'a [Vec<NodeId>],
    /// Numbers of the scalar inputs that the host feeds.
    pub hosts: &'a [u32],
    /// Roots that become inputs of the next step: parameters and states.
    pub updates: &'a [(NodeId, u32)],
    pub residents: &'a Residents,
    pub precision: Precision<'a>,
    pub limits: Limits,
}

/// The inputs that lie in the resident region, the same for all plans that share it.
#[derive(Clone, Debug, Default)]
pub struct Residents {
    /// Bytes from its start.
    pub offsets: BTreeMap<u32, usize>,
    pub bytes: usize,
}

impl Residents {
    /// One after the other: inputs and how many 32-bit elements they have.
    pub fn of(inputs: impl IntoIterator<Item = (u32, usize)>) -> Residents {
        let mut this = Residents::default();
        for (input, elements) in inputs {
            this.offsets.insert(input, this.bytes);
            this.bytes += (elements * 4).next_multiple_of(super::arena::ALIGN);
        }
        this
    }
}

/// The precision of floats.
#[derive(Clone, Copy, Debug)]
pub enum Precision<'a> {
    /// 32 bits throughout.
    Step,
    /// 64 bits throughout.
    Double,
    /// 64 bits in what is reduced over the first axis, the rows, in given inputs, and in whatever reads those, up to a product
    /// of matrices, a call or a loop: losses and reports are then sums of exact differences.
    Evaluation { wide: &'a [u32] },
}

/// Limits of a device.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most operations that one kernel may fuse: the cost of compiling one grows with them.
    pub fused: usize,
    /// Values of so many bytes and more, which a product makes and another makes small again, are made batch by batch.
    pub large: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { fused: 256, large: 1 << 20 }
    }
}

impl Precision<'_> {
    /// The storage type of a node, given those of its operands.
    pub(super) fn storage(self, graph: &Graph, id: NodeId, operands: impl Iterator<Item = Storage>) -> Storage {
        let node = graph.node(id);
        let plain = Storage::of(node.shaped.dtype);
        let wide = match self {
            Precision::Step => return plain,
            Precision::Double if plain == Storage::F32 => return Storage::F64,
            Precision::Evaluation { wide } if plain == Storage::F32 => wide,
            Precision::Double | Precision::Evaluation { .. } => return plain,
        };
        // An int may have more digits than a 32-bit float.
        let of_ints = || graph.dtype(node.inputs[0]) == DType::Int;
        let widens = match node.op.class() {
            Class::Leaf => matches!(&node.op, Op::Input { number, .. } if wide.contains(number)),
            Class::Draw | Class::Product | Class::Body => false,
            Class::Elementwise if matches!(node.op, Op::Scalar(ScalarOp::Cast(_))) && of_ints() => true,
            Class::Reduction if matches!(&node.op, Op::Reduce(_, axes) if axes.first() == Some(&0)) => true,
            Class::Elementwise | Class::View | Class::Copy | Class::Reduction | Class::Order => {
                operands.into_iter().any(|storage| storage == Storage::F64)
            }
        };
        if widens { Storage::F64 } else { plain }
    }
}

/// The sizes of a settled shape.
pub(super) fn settled(shape: &[Size]) -> Result<Vec<usize>, String> {
    shape.iter().map(|size| number(size).map(|size| size.max(0) as usize)).collect()
}

pub(super) fn number(size: &Size) -> Result<i64, String> {
    size.settled().ok_or_else(|| format!("the size {size} is not settled"))
}
