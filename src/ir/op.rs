//! The primitive operations. Everything that the language has is made of these.

use super::body::{Body, Part, Scan};
use super::scalar::ScalarOp;
use super::size::Size;
use std::fmt;
use std::sync::Arc;

/// What the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    Float,
    /// 32 bits.
    Int,
    Bool,
}

/// A float that can be a key: two are equal when their bits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(u64);

impl Number {
    pub fn new(value: f64) -> Number {
        Number(value.to_bits())
    }

    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduce {
    Sum,
    Max,
    Min,
}

impl Reduce {
    /// Of no elements.
    pub fn start(self) -> f64 {
        match self {
            Reduce::Sum => 0.0,
            Reduce::Max => f64::NEG_INFINITY,
            Reduce::Min => f64::INFINITY,
        }
    }

    /// Of two parts; what is no number stays none.
    pub fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Reduce::Sum => a + b,
            Reduce::Max if b > a || b.is_nan() => b,
            Reduce::Min if b < a || b.is_nan() => b,
            Reduce::Max | Reduce::Min => a,
        }
    }
}

/// The two distributions that all others are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Draw {
    /// On `[0, 1)`.
    Uniform,
    /// Mean 0, standard deviation 1.
    Normal,
}

/// One operation; its operands are named in the order of the node's inputs. Axes count from 0. Shapes that
/// no operand gives are part of the operation. Nothing broadcasts by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    // Leaves.
    /// What the run is fed, by number.
    Input {
        number: u32,
        dtype: DType,
        shape: Vec<Size>,
    },
    /// A number of shape `[]`.
    Constant(Number),
    /// The value of a size, an int of shape `[]`.
    SizeOf(Size),
    /// Along one axis 0, 1, 2, …; an int.
    Iota {
        shape: Vec<Size>,
        axis: usize,
    },
    /// Draws of the place `path`; its operand is an `int[5]`: seed (low, high), step, repetition, first row.
    Random {
        draw: Draw,
        path: u64,
        shape: Vec<Size>,
        rows: Option<usize>,
    },

    // Element by element, of equal shapes.
    Scalar(ScalarOp),

    // Along axes.
    /// Over ascending axes, which vanish.
    Reduce(Reduce, Vec<usize>),
    /// The place of the first greatest element; the axis vanishes.
    ArgMax(usize),
    /// Running sums, from the end if `reverse`.
    CumSum {
        axis: usize,
        reverse: bool,
    },
    /// The places of the elements in ascending order, equal ones in their own order.
    ArgSort(usize),
    /// Products summed over the contracted pairs of axes: `[batch.., rest of a.., rest of b..]`.
    Dot {
        batch: Vec<(usize, usize)>,
        contracted: Vec<(usize, usize)>,
    },

    // Of matrices: the last two axes.
    /// The lower triangle whose product with its transpose is the operand, which is symmetric and positive definite. The
    /// upper triangle counts as much as the lower one.
    Cholesky,
    /// (l, b) to the x with `l x = b`, or `lᵀ x = b`; of the matrix l its lower triangle is read.
    TriangularSolve {
        transposed: bool,
    },

    // Views and their adjoints.
    Reshape(Vec<Size>),
    /// Axis `i` of the result is axis `order[i]` of the operand.
    Permute(Vec<usize>),
    /// Axis `i` of the operand becomes axis `kept[i]` of the shape; a size of 1 stretches.
    Broadcast {
        shape: Vec<Size>,
        kept: Vec<usize>,
    },
    /// `count` elements of one axis: `start`, `start + step`, …; `step` may be negative.
    Slice {
        axis: usize,
        start: Size,
        count: Size,
        step: i64,
    },
    /// Zeros around and between the elements of one axis: the adjoint of a slice with a positive step.
    Pad {
        axis: usize,
        low: Size,
        high: Size,
        between: i64,
    },
    /// One axis as windows: `[.., count, size, ..]`, at `stride` apart, their elements `dilation` apart.
    Window {
        axis: usize,
        size: Size,
        stride: i64,
        dilation: i64,
    },
    /// The adjoint of `Window`: overlapping windows added into an axis of `length`.
    Fold {
        axis: usize,
        length: Size,
        stride: i64,
        dilation: i64,
    },
    Concat(usize),
    /// (operand `[b.., v, t..]`, int `[b.., i..]`) to `[b.., i.., t..]`, with `batch` axes b.
    Gather {
        batch: usize,
    },
    /// Its adjoint: (int `[b.., i..]`, updates `[b.., i.., t..]`) to `[b.., size, t..]`.
    ScatterAdd {
        batch: usize,
        size: Size,
    },

    /// The same numbers, through which no gradient flows.
    StopGradient,

    // Of bodies: a node is one of the results.
    /// A result of a body of the operands.
    Call(Arc<Body>, usize),
    /// A result of a body that runs step after step.
    Scan(Arc<Scan>, Part),
}

/// What an operation is like, where no more than that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Of no operands.
    Leaf,
    Draw,
    Elementwise,
    /// The elements of the operand, at other places of a shape.
    View,
    /// Elements of the operands, and zeros between them.
    Copy,
    /// Sums and extremes of many elements.
    Reduction,
    /// Places of elements.
    Order,
    Product,
    Body,
}

impl Op {
    /// Running sums, from the end if `reverse`.
    pub fn running_sum(axis: usize, reverse: bool) -> Op {
        Op::CumSum { axis, reverse }
    }

    pub fn is_running_sum(&self) -> bool {
        matches!(self, Op::CumSum { .. })
    }

    /// What has no result for some numbers, as it is said of its place; `None` if there is always one.
    pub fn fault(&self, dtype: DType) -> Option<&'static str> {
        match self {
            Op::Gather { .. } | Op::ScatterAdd { .. } => Some("what is read here is outside of its axis"),
            Op::Cholesky => Some("of this matrix"),
            Op::ArgMax(_) => Some("of this there is no element"),
            Op::Reduce(Reduce::Sum, _) | Op::CumSum { .. } | Op::Dot { .. } => {
                (dtype == DType::Int).then_some("this sum")
            }
            Op::Scan(..) => Some("in this scan"),
            Op::Call(..) => Some("in this"),
            Op::Input { .. }
            | Op::Constant(_)
            | Op::SizeOf(_)
            | Op::Iota { .. }
            | Op::Random { .. }
            | Op::Scalar(_)
            | Op::Reduce(Reduce::Max | Reduce::Min, _)
            | Op::ArgSort(_)
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Broadcast { .. }
            | Op::Slice { .. }
            | Op::Window { .. }
            | Op::Fold { .. }
            | Op::Pad { .. }
            | Op::Concat(_)
            | Op::TriangularSolve { .. }
            | Op::StopGradient => None,
        }
    }

    pub fn class(&self) -> Class {
        match self {
            Op::Input { .. } | Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. } => Class::Leaf,
            Op::Random { .. } => Class::Draw,
            Op::Scalar(_) => Class::Elementwise,
            Op::Reshape(_) | Op::Permute(_) | Op::Broadcast { .. } | Op::Slice { .. } | Op::Window { .. } => {
                Class::View
            }
            Op::StopGradient => Class::View,
            Op::Pad { .. } | Op::Concat(_) | Op::Gather { .. } => Class::Copy,
            Op::Reduce(..) | Op::CumSum { .. } | Op::Fold { .. } | Op::ScatterAdd { .. } => Class::Reduction,
            Op::ArgMax(_) | Op::ArgSort(_) => Class::Order,
            Op::Dot { .. } | Op::Cholesky | Op::TriangularSolve { .. } => Class::Product,
            Op::Call(..) | Op::Scan(..) => Class::Body,
        }
    }

    /// Of an operation with several results, each a node: one that is the same for all of them.
    pub fn whole(&self) -> Option<Op> {
        if let Op::Call(body, _) = self {
            return Some(Op::Call(Arc::clone(body), 0));
        }
        if let Op::Scan(scan, _) = self {
            return Some(Op::Scan(Arc::clone(scan), Part::Last(0)));
        }
        None
    }

    /// The body that it runs.
    pub fn body(&self) -> Option<&Arc<Body>> {
        if let Op::Scan(scan, _) = self {
            return Some(&scan.body);
        }
        if let Op::Call(body, _) = self { Some(body) } else { None }
    }

    /// The same operation with every size replaced.
    pub fn map_sizes(&self, f: &impl Fn(&Size) -> Size) -> Op {
        let all = |shape: &[Size]| shape.iter().map(f).collect();
        match self {
            Op::Input { number, dtype, shape } => Op::Input { number: *number, dtype: *dtype, shape: all(shape) },
            Op::SizeOf(size) => Op::SizeOf(f(size)),
            Op::Iota { shape, axis } => Op::Iota { shape: all(shape), axis: *axis },
            Op::Random { draw, path, shape, rows } => {
                Op::Random { draw: *draw, path: *path, shape: all(shape), rows: *rows }
            }
            Op::Reshape(shape) => Op::Reshape(all(shape)),
            Op::Broadcast { shape, kept } => Op::Broadcast { shape: all(shape), kept: kept.clone() },
            Op::Slice { axis, start, count, step } => {
                Op::Slice { axis: *axis, start: f(start), count: f(count), step: *step }
            }
            Op::Pad { axis, low, high, between } => {
                Op::Pad { axis: *axis, low: f(low), high: f(high), between: *between }
            }
            Op::Window { axis, size, stride, dilation } => {
                Op::Window { axis: *axis, size: f(size), stride: *stride, dilation: *dilation }
            }
            Op::Fold { axis, length, stride, dilation } => {
                Op::Fold { axis: *axis, length: f(length), stride: *stride, dilation: *dilation }
            }
            Op::ScatterAdd { batch, size } => Op::ScatterAdd { batch: *batch, size: f(size) },
            Op::Call(body, result) => Op::Call(Body::mapped(body, f), *result),
            Op::Scan(scan, part) => {
                let body = Body::mapped(&scan.body, f);
                Op::Scan(Arc::new(Scan { steps: f(&scan.steps), body, ..Scan::clone(scan) }), *part)
            }
            Op::Constant(_)
            | Op::Scalar(_)
            | Op::Reduce(..)
            | Op::ArgMax(_)
            | Op::CumSum { .. }
            | Op::ArgSort(_)
            | Op::Dot { .. }
            | Op::Cholesky
            | Op::TriangularSolve { .. }
            | Op::Permute(_)
            | Op::Concat(_)
            | Op::Gather { .. }
            | Op::StopGradient => self.clone(),
        }
    }
}

/// The operation with its settings; sizes as people write them.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Input { number, .. } => write!(f, "Input({number})"),
            Op::Constant(number) => write!(f, "Constant({})", number.get()),
            Op::SizeOf(size) => write!(f, "SizeOf({size})"),
            Op::Iota { axis, .. } => write!(f, "Iota(axis {axis})"),
            Op::Random { draw, path, .. } => write!(f, "Random({draw:?}, path {path:016x})"),
            Op::Reshape(_) => f.write_str("Reshape"),
            Op::Broadcast { kept, .. } => write!(f, "Broadcast(kept {kept:?})"),
            Op::Slice { axis, start, count, step } => write!(f, "Slice(axis {axis}: {start}, {count} by {step})"),
            Op::Pad { axis, low, high, between } => write!(f, "Pad(axis {axis}: {low}, {high}, between {between})"),
            Op::Window { axis, size, stride, dilation } => {
                write!(f, "Window(axis {axis}: {size} by {stride}, dilated {dilation})")
            }
            Op::Fold { axis, length, stride, dilation } => {
                write!(f, "Fold(axis {axis}: {length} by {stride}, dilated {dilation})")
            }
            Op::ScatterAdd { batch, size } => write!(f, "ScatterAdd(batch {batch}, size {size})"),
            Op::Scalar(scalar) => write!(f, "{scalar:?}"),
            Op::Call(_, result) => write!(f, "Call(result {result})"),
            Op::Scan(scan, part) => {
                let back = if scan.reverse { " back" } else { "" };
                let part = match part {
                    Part::Last(carry) => format!("last {carry}"),
                    Part::Each(each) => format!("each {each}"),
                    Part::Before(carry) => format!("before {carry}"),
                };
                write!(f, "Scan({} steps{back}, {} carries, {} slices: {part})", scan.steps, scan.carries, scan.slices)
            }
            Op::Reduce(..)
            | Op::ArgMax(_)
            | Op::CumSum { .. }
            | Op::ArgSort(_)
            | Op::Dot { .. }
            | Op::Cholesky
            | Op::TriangularSolve { .. }
            | Op::Permute(_)
            | Op::Concat(_)
            | Op::Gather { .. }
            | Op::StopGradient => write!(f, "{self:?}"),
        }
    }
}

/// Whether axes are the first or the last ones of so many: a reduction over such runs through its operand row by row.
pub fn are_outermost(axes: &[usize], rank: usize) -> bool {
    let all = || axes.iter().copied();
    all().eq(0..axes.len()) || all().eq(rank - axes.len()..rank)
}
