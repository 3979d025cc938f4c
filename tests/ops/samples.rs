//! Samples of every operation. An operation without an arm here does not compile.

use super::check::{Sample, numbers, sizes};
use super::{loops, matrices};
use mlx::backend::Tensor;
use mlx::ir::{DType, Draw, Graph, NodeId, Number, Op, Reduce, ScalarOp, ScanBuilder, Scanned, Size};

/// One of each kind of operation; a rule that differs by variant stands once for each.
pub fn representatives() -> Vec<Op> {
    let size = || Size::from(1);
    let mut all: Vec<Op> = ScalarOp::ALL.map(Op::Scalar).to_vec();
    all.extend([Reduce::Sum, Reduce::Max, Reduce::Min].map(|reduce| Op::Reduce(reduce, Vec::new())));
    all.extend([Draw::Uniform, Draw::Normal].map(|draw| Op::Random { draw, path: 0, shape: Vec::new(), rows: None }));
    all.extend([
        Op::Input { number: 0, dtype: DType::Float, shape: Vec::new() },
        Op::Constant(Number::new(0.0)),
        Op::SizeOf(size()),
        Op::Iota { shape: Vec::new(), axis: 0 },
        Op::ArgMax(0),
        Op::CumSum { axis: 0, reverse: false },
        Op::ArgSort(0),
        Op::Dot { batch: Vec::new(), contracted: Vec::new() },
        Op::Cholesky,
        Op::TriangularSolve { transposed: false },
        Op::TriangularSolve { transposed: true },
        Op::Reshape(Vec::new()),
        Op::Permute(Vec::new()),
        Op::Broadcast { shape: Vec::new(), kept: Vec::new() },
        Op::Slice { axis: 0, start: size(), count: size(), step: 1 },
        Op::Pad { axis: 0, low: size(), high: size(), between: 0 },
        Op::Window { axis: 0, size: size(), stride: 1, dilation: 1 },
        Op::Fold { axis: 0, length: size(), stride: 1, dilation: 1 },
        Op::Concat(0),
        Op::Gather { batch: 0 },
        Op::ScatterAdd { batch: 0, size: size() },
        Op::StopGradient,
        loops::call(),
        loops::scan(),
    ]);
    all
}

/// The kind of an operation.
pub fn name(op: &Op) -> String {
    match op {
        Op::Scalar(scalar) => format!("Scalar({scalar:?})"),
        Op::Reduce(reduce, _) => format!("Reduce({reduce:?})"),
        Op::Random { draw, .. } => format!("Random({draw:?})"),
        Op::Input { .. } => "Input".into(),
        Op::Constant(_) => "Constant".into(),
        Op::SizeOf(_) => "SizeOf".into(),
        Op::Iota { .. } => "Iota".into(),
        Op::ArgMax(_) => "ArgMax".into(),
        Op::CumSum { .. } => "CumSum".into(),
        Op::ArgSort(_) => "ArgSort".into(),
        Op::Dot { .. } => "Dot".into(),
        Op::Cholesky => "Cholesky".into(),
        Op::TriangularSolve { transposed } => {
            format!("TriangularSolve({})", if *transposed { "Transposed" } else { "Plain" })
        }
        Op::Reshape(_) => "Reshape".into(),
        Op::Permute(_) => "Permute".into(),
        Op::Broadcast { .. } => "Broadcast".into(),
        Op::Slice { .. } => "Slice".into(),
        Op::Pad { .. } => "Pad".into(),
        Op::Window { .. } => "Window".into(),
        Op::Fold { .. } => "Fold".into(),
        Op::Concat(_) => "Concat".into(),
        Op::Gather { .. } => "Gather".into(),
        Op::ScatterAdd { .. } => "ScatterAdd".into(),
        Op::StopGradient => "StopGradient".into(),
        Op::Call(..) => "Call".into(),
        Op::Scan(..) => "Scan".into(),
    }
}

/// Shapes that elementwise operations are tried on: empty, of one element, with axes of size 1.
const SHAPES: [&[usize]; 5] = [&[], &[3], &[0, 2], &[1, 3], &[2, 1, 2]];

pub fn samples(op: &Op) -> Vec<Sample> {
    match op {
        Op::Scalar(scalar) => scalars(op, *scalar),
        Op::Reduce(reduce, _) => {
            let cases: [(&[usize], &[usize]); 6] = [
                (&[3], &[0]),
                (&[2, 3], &[0]),
                (&[2, 3], &[1]),
                (&[2, 3, 2], &[0, 2]),
                (&[0, 2], &[0]),
                (&[1, 2], &[0]),
            ];
            // The greatest of nothing is infinite, which has no differences.
            let finite = |shape: &[usize]| *reduce == Reduce::Sum || !shape.contains(&0);
            strided(
                cases
                    .iter()
                    .filter(|(shape, _)| finite(shape))
                    .map(|(shape, axes)| (*shape, Op::Reduce(*reduce, axes.to_vec()))),
            )
        }
        Op::ArgMax(_) => {
            strided([(&[3][..], Op::ArgMax(0)), (&[2, 3], Op::ArgMax(1)), (&[2, 0], Op::ArgMax(0))].into_iter())
        }
        Op::ArgSort(_) => {
            strided([(&[4][..], Op::ArgSort(0)), (&[3, 2], Op::ArgSort(0)), (&[0, 2], Op::ArgSort(1))].into_iter())
        }
        Op::CumSum { .. } => strided(
            [(&[4][..], 0, false), (&[2, 3], 0, true), (&[2, 3], 1, false), (&[0, 2], 0, true), (&[1], 0, true)]
                .into_iter()
                .map(|(shape, axis, reverse)| (shape, Op::CumSum { axis, reverse })),
        ),
        Op::Dot { .. } => dots(op),
        Op::Cholesky => matrices::choleskys(op),
        Op::TriangularSolve { .. } => matrices::solves(op),
        Op::Reshape(_) => strided(
            [(&[2, 3][..], &[6][..]), (&[2, 3], &[3, 2]), (&[4], &[2, 1, 2]), (&[0, 2], &[2, 0]), (&[1], &[])]
                .into_iter()
                .map(|(from, to)| (from, Op::Reshape(sizes(to)))),
        ),
        Op::Permute(_) => strided(
            [
                (&[2, 3][..], vec![1, 0]),
                (&[2, 3, 2], vec![2, 0, 1]),
                (&[0, 2], vec![1, 0]),
                (&[1, 3, 1], vec![2, 1, 0]),
            ]
            .into_iter()
            .map(|(shape, order)| (shape, Op::Permute(order))),
        ),
        Op::Broadcast { .. } => strided(
            [
                (&[][..], &[2, 3][..], vec![]),
                (&[3], &[2, 3], vec![1]),
                (&[2], &[2, 3], vec![0]),
                (&[1, 3], &[2, 3], vec![0, 1]),
                (&[2, 1], &[2, 4, 3], vec![0, 2]),
                (&[3], &[0, 3], vec![1]),
            ]
            .into_iter()
            .map(|(from, to, kept)| (from, Op::Broadcast { shape: sizes(to), kept })),
        ),
        Op::Slice { .. } => strided(
            [
                (&[5][..], 0, 1, 3, 1),
                (&[5], 0, 0, 3, 2),
                (&[5], 0, 4, 3, -2),
                (&[2, 4], 1, 3, 4, -1),
                (&[3, 2], 0, 1, 0, 1),
                (&[1], 0, 0, 1, 1),
            ]
            .into_iter()
            .map(|(shape, axis, start, count, step)| {
                (shape, Op::Slice { axis, start: Size::from(start), count: Size::from(count), step })
            }),
        ),
        Op::Pad { .. } => strided(
            [
                (&[3][..], 0, 1, 2, 0),
                (&[3], 0, 0, 1, 2),
                (&[2, 2], 1, 1, 0, 1),
                (&[0, 2], 0, 1, 1, 0),
                (&[1], 0, 2, 0, 3),
            ]
            .into_iter()
            .map(|(shape, axis, low, high, between)| {
                (shape, Op::Pad { axis, low: Size::from(low), high: Size::from(high), between })
            }),
        ),
        Op::Window { .. } => strided(
            [
                (&[5][..], 0, 3, 1, 1),
                (&[6], 0, 2, 2, 1),
                (&[7], 0, 3, 1, 2),
                (&[2, 5], 1, 2, 3, 1),
                (&[0, 4], 1, 4, 1, 1),
            ]
            .into_iter()
            .map(|(shape, axis, size, stride, dilation)| {
                (shape, Op::Window { axis, size: Size::from(size), stride, dilation })
            }),
        ),
        Op::Fold { .. } => strided(
            [
                (&[3, 3][..], 0, 5, 1, 1),
                (&[3, 2], 0, 6, 2, 1),
                (&[3, 3], 0, 7, 1, 2),
                (&[2, 2, 2], 1, 6, 3, 1),
                (&[0, 1, 4], 1, 4, 1, 1),
            ]
            .into_iter()
            .map(|(shape, axis, length, stride, dilation)| {
                (shape, Op::Fold { axis, length: Size::from(length), stride, dilation })
            }),
        ),
        Op::Concat(_) => {
            let cases: [(&[&[usize]], usize); 4] =
                [(&[&[2], &[3]], 0), (&[&[2, 1], &[2, 2], &[2, 3]], 1), (&[&[0, 2], &[1, 2]], 0), (&[&[2]], 0)];
            let sample = |(shapes, axis): &(&[&[usize]], usize)| {
                let mut make = Make::new(op, shapes);
                let parts = shapes.iter().map(|shape| make.floats(shape, (-1.0, 1.0))).collect();
                make.done(Op::Concat(*axis), parts)
            };
            cases.iter().map(sample).collect()
        }
        Op::Gather { .. } => places(op, |make, from, at, batch| make.done(Op::Gather { batch }, vec![from, at])),
        Op::ScatterAdd { .. } => places(op, |mut make, from, at, batch| {
            let updates = make.graph.add(Op::Gather { batch }, vec![from, at]);
            let size = make.graph.shape(from)[batch].clone();
            make.done(Op::ScatterAdd { batch, size }, vec![at, updates])
        }),
        Op::Random { draw, .. } => {
            let cases: [(&[usize], Option<usize>); 4] =
                [(&[], None), (&[5], Some(0)), (&[2, 3, 2], Some(1)), (&[0, 2], Some(0))];
            let sample = |(shape, rows): &(&[usize], Option<usize>)| {
                let mut make = Make::new(op, shape);
                let counters = make.ints(&[5], &[1.0, 2.0, 3.0, 0.0, 4.0]);
                make.done(Op::Random { draw: *draw, path: 7, shape: sizes(shape), rows: *rows }, vec![counters])
            };
            cases.iter().map(sample).collect()
        }
        Op::Input { .. } => SHAPES
            .iter()
            .map(|shape| {
                let mut make = Make::new(op, shape);
                let root = make.floats(shape, (-1.0, 1.0));
                make.at(root)
            })
            .collect(),
        Op::Constant(_) => vec![Make::new(op, "").done(Op::Constant(Number::new(1.5)), Vec::new())],
        Op::SizeOf(_) => vec![Make::new(op, "").done(Op::SizeOf(Size::from(4)), Vec::new())],
        Op::Iota { .. } => [(&[3][..], 0), (&[2, 3], 1), (&[2, 3], 0), (&[0, 2], 1)]
            .into_iter()
            .map(|(shape, axis)| Make::new(op, shape).done(Op::Iota { shape: sizes(shape), axis }, Vec::new()))
            .collect(),
        // Its gradient is not its derivative, by intention: `values` holds it.
        Op::StopGradient => {
            let mut make = Make::new(op, "");
            let iota = make.graph.add(Op::Iota { shape: sizes(&[3]), axis: 0 }, Vec::new());
            let iota = make.graph.cast(DType::Float, iota);
            vec![make.done(Op::StopGradient, vec![iota])]
        }
        Op::Call(..) => loops::calls(op),
        Op::Scan(..) => loops::scans(op),
    }
}

/// A sample in the making.
pub struct Make {
    what: String,
    pub graph: Graph,
    inputs: Vec<Tensor>,
    /// Loops have as little in them as can be.
    pub lean: bool,
}

impl Make {
    pub fn new(op: &Op, case: impl std::fmt::Debug) -> Make {
        Make { what: format!("{} of {case:?}", name(op)), graph: Graph::default(), inputs: Vec::new(), lean: false }
    }

    pub fn scan(&mut self, built: ScanBuilder) -> Scanned {
        if self.lean { mlx::loops::scan(&mut self.graph, built) } else { self.graph.scan(built) }
    }

    pub fn floats(&mut self, shape: &[usize], domain: (f64, f64)) -> NodeId {
        let number = self.inputs.len();
        self.inputs.push(numbers(shape, domain, number as u64 + 1));
        self.graph.input(number as u32, DType::Float, sizes(shape))
    }

    pub fn ints(&mut self, shape: &[usize], values: &[f64]) -> NodeId {
        let number = self.inputs.len();
        self.inputs.push(Tensor { shape: shape.to_vec(), values: values.to_vec() });
        self.graph.input(number as u32, DType::Int, sizes(shape))
    }

    pub fn done(mut self, op: Op, inputs: Vec<NodeId>) -> Sample {
        let root = self.graph.add(op, inputs);
        self.at(root)
    }

    pub fn at(self, root: NodeId) -> Sample {
        Sample { what: self.what, graph: self.graph, inputs: self.inputs, root }
    }
}

/// Operands of the kind that the operation takes.
fn scalars(op: &Op, scalar: ScalarOp) -> Vec<Sample> {
    match scalar {
        ScalarOp::And | ScalarOp::Or => truths(op, 2),
        ScalarOp::Not => truths(op, 1),
        ScalarOp::Select => {
            let sample = |shape: &&[usize]| {
                let mut make = Make::new(op, shape);
                let (a, b) = (make.floats(shape, (-1.0, 1.0)), make.floats(shape, (-1.0, 1.0)));
                let condition = make.graph.binary(ScalarOp::Less, a, b);
                let square = make.graph.binary(ScalarOp::Mul, a, a);
                make.done(op.clone(), vec![condition, square, b])
            };
            SHAPES.iter().map(sample).collect()
        }
        ScalarOp::Cast(dtype) => {
            let sample = |shape: &&[usize]| {
                let mut make = Make::new(op, shape);
                let a = make.floats(shape, (0.1, 0.9));
                // From another kind where that is what the cast is for.
                let from = if dtype == DType::Float { make.graph.binary(ScalarOp::Less, a, a) } else { a };
                make.done(op.clone(), vec![from])
            };
            SHAPES.iter().map(sample).collect()
        }
        _ => elementwise(op, scalar.domain(), scalar.dtype(&[DType::Float; 2]) == Ok(DType::Float)),
    }
}

/// Operands of one shape; if it has a gradient, also both operands the same.
fn elementwise(op: &Op, domains: &[(f64, f64)], smooth: bool) -> Vec<Sample> {
    let mut all = Vec::new();
    for shape in SHAPES {
        let mut make = Make::new(op, shape);
        let operands = domains.iter().map(|domain| make.floats(shape, *domain)).collect();
        all.push(make.done(op.clone(), operands));
    }
    if smooth {
        let mut make = Make::new(op, "a permuted operand");
        let operands = domains
            .iter()
            .map(|domain| {
                let a = make.floats(&[2, 3], *domain);
                make.graph.permute(vec![1, 0], a)
            })
            .collect();
        all.push(make.done(op.clone(), operands));
    }
    all
}

fn truths(op: &Op, count: usize) -> Vec<Sample> {
    let sample = |shape: &&[usize]| {
        let mut make = Make::new(op, shape);
        let operands = (0..count)
            .map(|_| {
                let (a, b) = (make.floats(shape, (-1.0, 1.0)), make.floats(shape, (-1.0, 1.0)));
                make.graph.binary(ScalarOp::Less, a, b)
            })
            .collect();
        make.done(op.clone(), operands)
    };
    SHAPES.iter().map(sample).collect()
}

/// Operations of one operand, each on a plain one and on one that is read backwards along its last axis. The operand is
/// squared, so that second gradients are not all zero.
fn strided<'a>(cases: impl Iterator<Item = (&'a [usize], Op)>) -> Vec<Sample> {
    let mut all = Vec::new();
    for (shape, op) in cases {
        for backwards in [false, true] {
            let mut make = Make::new(&op, (shape, backwards));
            let a = make.floats(shape, (0.5, 2.0));
            let mut operand = make.graph.binary(ScalarOp::Mul, a, a);
            let last = shape.last().copied().unwrap_or(0);
            if backwards {
                if last == 0 {
                    continue;
                }
                let count = Size::from(last as i64);
                let slice = Op::Slice { axis: shape.len() - 1, start: count.minus(&Size::from(1)), count, step: -1 };
                operand = make.graph.add(slice, vec![operand]);
            }
            all.push(make.done(op.clone(), vec![operand]));
        }
    }
    all
}

/// Products: of matrices, with batches, of several contracted axes, of none, with axes out of order.
fn dots(op: &Op) -> Vec<Sample> {
    type Case<'a> = (&'a [usize], &'a [usize], &'a [(usize, usize)], &'a [(usize, usize)]);
    let cases: [Case; 9] = [
        (&[2, 3], &[3, 4], &[], &[(1, 0)]),
        (&[3], &[3], &[], &[(0, 0)]),
        (&[2, 3], &[4, 3], &[], &[(1, 1)]),
        (&[2, 2, 3], &[2, 3, 2], &[(0, 0)], &[(2, 1)]),
        (&[3, 2, 2], &[2, 3, 2], &[(2, 0)], &[(0, 1)]),
        (&[2, 3, 2], &[2, 3, 2], &[], &[(0, 2), (1, 1)]),
        (&[2], &[3], &[], &[]),
        (&[0, 3], &[3, 2], &[], &[(1, 0)]),
        (&[2, 0], &[0, 2], &[], &[(1, 0)]),
    ];
    let sample = |(a, b, batch, contracted): &Case| {
        let mut make = Make::new(op, (a, b, batch, contracted));
        let operands = vec![make.floats(a, (-1.0, 1.0)), make.floats(b, (-1.0, 1.0))];
        make.done(Op::Dot { batch: batch.to_vec(), contracted: contracted.to_vec() }, operands)
    };
    cases.iter().map(sample).collect()
}

/// Reads at places: scalars, rows, in batches, one place twice, none at all.
fn places(op: &Op, finish: impl Fn(Make, NodeId, NodeId, usize) -> Sample) -> Vec<Sample> {
    type Case<'a> = (&'a [usize], &'a [usize], &'a [f64], usize);
    let cases: [Case; 5] = [
        (&[4], &[3], &[3.0, 0.0, 3.0], 0),
        (&[3, 2], &[2, 2], &[0.0, 2.0, 2.0, 1.0], 0),
        (&[2, 3], &[2], &[2.0, 0.0], 1),
        (&[2, 3, 2], &[2, 2], &[1.0, 1.0, 0.0, 2.0], 1),
        (&[3, 2], &[0], &[], 0),
    ];
    let sample = |(from, shape, at, batch): &Case| {
        let mut make = Make::new(op, (from, shape, batch));
        let from = make.floats(from, (0.5, 2.0));
        let from = make.graph.binary(ScalarOp::Mul, from, from);
        let at = make.ints(shape, at);
        finish(make, from, at, *batch)
    };
    cases.iter().map(sample).collect()
}
