//! Random graphs: whatever is built of sound operations is sound, and its gradient agrees with differences along a
//! random direction. The seed is new in every run, and is told when something fails; `MLX_SEED` gives one.

use super::check::{numbers, sizes};
use super::samples::{name, representatives};
use libtest_mimic::Trial;
use mlx::autodiff::gradient;
use mlx::backend::{Tensor, reference};
use mlx::ir::{Body, DType, Draw, Graph, NodeId, Op, Reduce, ScalarOp, ScanBuilder, Size};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const GRAPHS: u64 = 2_500;

pub fn trials() -> Vec<Trial> {
    let seed = seed();
    // The name of the trial shows the seed in every run.
    vec![Trial::test(format!("ops::random::graphs_of_seed_{seed}"), move || {
        let mut covered = BTreeSet::new();
        for number in 0..GRAPHS {
            let graph_seed = seed.wrapping_mul(GRAPHS).wrapping_add(number);
            check(graph_seed, &mut covered).map_err(|wrong| format!("MLX_SEED={seed}, graph {number}: {wrong}"))?;
        }
        let missing: Vec<String> = representatives().iter().map(name).filter(|kind| !covered.contains(kind)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("no graph has {missing:?}").into()) }
    })]
}

/// The seed of this run.
pub fn seed() -> u64 {
    let given = std::env::var("MLX_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    given.unwrap_or(now)
}

/// A random graph: its loss, input 0, and the shape of that.
pub fn graph(seed: u64) -> (Graph, NodeId, NodeId, Vec<usize>) {
    let mut graph = Graph::default();
    let counters = graph.input(1, DType::Int, sizes(&[5]));
    let mut builder = Builder { state: seed ^ 0x5DEE_CE66_D1CE_4E5B, graph, floats: Vec::new(), counters, depth: 0 };
    let shape = vec![builder.below(3) + 1, builder.below(3) + 1];
    let x = builder.graph.input(0, DType::Float, sizes(&shape));
    builder.floats.push(x);
    for _ in 0..builder.below(8) + 4 {
        builder.grow();
    }
    let mut graph = builder.graph;
    let mut loss = graph.constant(0.0);
    for part in builder.floats {
        // Bounded, so that differences keep their digits.
        let bounded = graph.unary(ScalarOp::Tanh, part);
        let sum = graph.reduce(Reduce::Sum, (0..graph.shape(part).len()).collect(), bounded);
        loss = graph.binary(ScalarOp::Add, loss, sum);
    }
    (graph, loss, x, shape)
}

fn check(seed: u64, covered: &mut BTreeSet<String>) -> Result<(), String> {
    let (mut graph, loss, x, shape) = graph(seed);
    covered.extend(graph.nodes().map(|(_, node)| name(&node.op)));
    let by = gradient(&mut graph, loss, &[x])[0];
    graph.verify()?;
    let point = numbers(&shape, (-1.5, 1.5), seed);
    let direction = numbers(&shape, (-1.0, 1.0), seed + 1);
    agrees(&graph, loss, by, &point, &direction)?;
    // What runs bodies backwards is differentiated in its turn.
    if graph.nodes().any(|(_, node)| node.op.body().is_some()) {
        let bounded = graph.unary(ScalarOp::Tanh, by);
        let slope = graph.reduce(Reduce::Sum, (0..shape.len()).collect(), bounded);
        let second = gradient(&mut graph, slope, &[x])[0];
        graph.verify()?;
        agrees(&graph, slope, second, &point, &direction).map_err(|wrong| format!("second gradient: {wrong}"))?;
    }
    Ok(())
}

/// Whether a scalar rises along a direction as its gradient says.
fn agrees(graph: &Graph, of: NodeId, by: NodeId, point: &Tensor, direction: &Tensor) -> Result<(), String> {
    let counters = Tensor { shape: vec![5], values: vec![1.0, 2.0, 3.0, 0.0, 0.0] };
    let run = |root: NodeId, x: &Tensor| reference::run(graph, &[root], &[x.clone(), counters.clone()]);
    let slope: f64 =
        run(by, point)?[0].values.iter().zip(&direction.values).map(|(gradient, step)| gradient * step).sum();
    // A kink may lie within one step, hardly within a hundredth of it.
    let mut last = f64::NAN;
    let mut rises = Vec::new();
    for h in [1e-4, 1e-5, 1e-6] {
        let moved = |h: f64| {
            let values = point.values.iter().zip(&direction.values).map(|(x, step)| x + h * step).collect();
            run(of, &Tensor { shape: point.shape.clone(), values }).map(|values| values[0].values[0])
        };
        rises.push((moved(h)? - moved(-h)?).abs());
        last = (moved(h)? - moved(-h)?) / (2.0 * h);
        if (last - slope).abs() <= 1e-4 * (1.0 + slope.abs()) {
            return Ok(());
        }
    }
    // At a jump (a tie in a sort, a number that is cut) the rise stays as the step shrinks; anywhere else it shrinks alike.
    if rises[2] > 0.5 * rises[0] && rises[2] > 1e-3 {
        return Ok(());
    }
    Err(format!("the slope is {slope}, and differences give {last}\n{graph}"))
}

/// A graph that grows at random. Input 0 is what it is differentiated by, input 1 the counters of draws.
struct Builder {
    state: u64,
    graph: Graph,
    /// Float nodes with at least one axis, none of which is empty.
    floats: Vec<NodeId>,
    counters: NodeId,
    /// How many bodies it is inside of.
    depth: usize,
}

impl Builder {
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) % bound as u64) as usize
    }

    fn pick(&mut self) -> NodeId {
        let at = self.below(self.floats.len());
        self.floats[at]
    }

    fn shape(&self, node: NodeId) -> Vec<i64> {
        self.graph.shape(node).iter().map(|size| size.settled().expect("settled")).collect()
    }

    /// An operation from so many floats to a float.
    fn scalar(&mut self, arity: usize) -> ScalarOp {
        let floats = |op: &ScalarOp| op.arity() == arity && op.dtype(&[DType::Float; 2]) == Ok(DType::Float);
        let all: Vec<ScalarOp> = ScalarOp::ALL.into_iter().filter(floats).collect();
        all[self.below(all.len())]
    }

    /// An operand that is safe for functions with poles: between 0.5 and 1.5.
    fn tame(&mut self, a: NodeId) -> NodeId {
        let a = self.graph.unary(ScalarOp::Sin, a);
        let (half, one) = (self.like(0.5, a), self.like(1.0, a));
        let a = self.graph.binary(ScalarOp::Mul, a, half);
        self.graph.binary(ScalarOp::Add, a, one)
    }

    fn like(&mut self, value: f64, of: NodeId) -> NodeId {
        let shape = self.graph.shape(of).to_vec();
        self.graph.fill(value, shape)
    }

    /// A node of the shape of another: itself, changed, or something that does not depend on the input.
    fn partner(&mut self, a: NodeId) -> NodeId {
        let shape = self.graph.shape(a).to_vec();
        match self.below(5) {
            0 => {
                let b = self.graph.unary(ScalarOp::Cos, a);
                self.tame(b)
            }
            1 => {
                let iota = self.graph.add(Op::Iota { shape, axis: 0 }, Vec::new());
                let iota = self.graph.cast(DType::Float, iota);
                self.graph.add(Op::StopGradient, vec![iota])
            }
            2 | 3 => {
                let counters = self.counters;
                let draw = if self.below(2) == 0 { Draw::Uniform } else { Draw::Normal };
                self.graph.random(draw, 5, shape, None, counters)
            }
            _ => {
                let size = self.graph.add(Op::SizeOf(shape[0].clone()), Vec::new());
                let size = self.graph.cast(DType::Float, size);
                self.graph.broadcast(shape, Vec::new(), size)
            }
        }
    }

    fn truth(&mut self, a: NodeId) -> NodeId {
        let b = self.partner(a);
        let compare = [ScalarOp::Less, ScalarOp::LessEqual, ScalarOp::Equal, ScalarOp::NotEqual][self.below(4)];
        self.graph.binary(compare, a, b)
    }

    /// Adds one operation, and what it needs.
    fn grow(&mut self) {
        let a = self.pick();
        let shape = self.shape(a);
        let axis = self.below(shape.len());
        let (size, one) = (shape[axis], Size::from(1));
        let made = match self.below(25) {
            0 | 1 => {
                let unary = self.scalar(1);
                let a = if matches!(
                    unary,
                    ScalarOp::Log | ScalarOp::Log1p | ScalarOp::Sqrt | ScalarOp::Exp | ScalarOp::Expm1
                ) {
                    self.tame(a)
                } else {
                    a
                };
                self.graph.unary(unary, a)
            }
            2 | 3 => {
                let binary = self.scalar(2);
                let mut b = self.partner(a);
                let a = match binary {
                    ScalarOp::Div | ScalarOp::Mod | ScalarOp::Quotient | ScalarOp::Atan2 => {
                        b = self.tame(b);
                        a
                    }
                    ScalarOp::Pow => {
                        b = self.tame(b);
                        self.tame(a)
                    }
                    _ => a,
                };
                self.graph.binary(binary, a, b)
            }
            4 => {
                let (p, q) = (self.truth(a), self.truth(a));
                let condition = match self.below(3) {
                    0 => self.graph.add(Op::Scalar(ScalarOp::And), vec![p, q]),
                    1 => self.graph.add(Op::Scalar(ScalarOp::Or), vec![p, q]),
                    _ => self.graph.unary(ScalarOp::Not, p),
                };
                let b = self.partner(a);
                self.graph.select(condition, a, b)
            }
            5 => {
                let whole = self.graph.cast(DType::Int, a);
                let truth = self.graph.cast(DType::Bool, whole);
                let number = self.graph.cast(DType::Float, truth);
                self.graph.binary(ScalarOp::Mul, a, number)
            }
            6 | 7 => {
                let reduce = [Reduce::Sum, Reduce::Max, Reduce::Min][self.below(3)];
                let sum = self.graph.reduce(reduce, vec![axis], a);
                let kept = (0..shape.len()).filter(|other| *other != axis).collect();
                let wide = self.graph.shape(a).to_vec();
                self.graph.broadcast(wide, kept, sum)
            }
            8 => {
                let reverse = self.below(2) == 0;
                self.graph.add(Op::CumSum { axis, reverse }, vec![a])
            }
            9 => {
                // The elements of one axis in the order of another node: moved to the front, read, and moved back.
                let order: Vec<usize> =
                    std::iter::once(axis).chain((0..shape.len()).filter(|other| *other != axis)).collect();
                let front = self.graph.permute(order, a);
                let first = self.graph.reduce(Reduce::Sum, (1..shape.len()).collect(), front);
                let places = self.graph.add(Op::ArgSort(0), vec![first]);
                self.graph.add(Op::Gather { batch: 0 }, vec![front, places])
            }
            10 => {
                let order: Vec<usize> =
                    std::iter::once(axis).chain((0..shape.len()).filter(|other| *other != axis)).collect();
                let front = self.graph.permute(order, a);
                let first = self.graph.reduce(Reduce::Sum, (1..shape.len()).collect(), front);
                let places = self.graph.add(Op::ArgSort(0), vec![first]);
                self.graph.add(Op::ScatterAdd { batch: 0, size: Size::from(size + 1) }, vec![places, front])
            }
            11 => {
                let b = self.partner(a);
                let place = self.graph.add(Op::ArgMax(axis), vec![b]);
                let place = self.graph.cast(DType::Float, place);
                let kept = (0..shape.len()).filter(|other| *other != axis).collect();
                let wide = self.graph.shape(a).to_vec();
                let place = self.graph.broadcast(wide, kept, place);
                self.graph.binary(ScalarOp::Mul, a, place)
            }
            12 | 13 => {
                let b = self.partner(a);
                let other = (axis + 1) % shape.len();
                let batch = if other != axis && self.below(2) == 0 { vec![(other, other)] } else { Vec::new() };
                self.graph.dot(batch, vec![(axis, axis)], a, b)
            }
            14 => {
                let mut order: Vec<usize> = (0..shape.len()).collect();
                order.rotate_left(axis);
                self.graph.permute(order, a)
            }
            15 => {
                let count = Size::from(shape.iter().product::<i64>());
                self.graph.reshape(vec![count], a)
            }
            16 => {
                let wide = [&[Size::from(2)], self.graph.shape(a)].concat();
                self.graph.broadcast(wide, (1..=shape.len()).collect(), a)
            }
            17 => {
                let backwards = self.below(2) == 0;
                let (start, step) = if backwards { (size - 1, -1) } else { (size / 2, 1) };
                let count = if backwards { size } else { size - size / 2 };
                self.graph.add(Op::Slice { axis, start: Size::from(start), count: Size::from(count), step }, vec![a])
            }
            18 => {
                let between = self.below(2) as i64;
                self.graph.add(Op::Pad { axis, low: one.clone(), high: one, between }, vec![a])
            }
            19 => {
                let width = 1 + self.below(size as usize) as i64;
                self.graph.add(Op::Window { axis, size: Size::from(width), stride: 1, dilation: 1 }, vec![a])
            }
            20 if shape.len() > 1 && axis + 1 < shape.len() => {
                let length = Size::from(size - 1 + shape[axis + 1]);
                self.graph.add(Op::Fold { axis, length, stride: 1, dilation: 1 }, vec![a])
            }
            21 if self.depth < 2 => return self.call(),
            22 if self.depth < 2 => return self.scan(axis),
            23 if shape.len() > 1 => self.triangles(a),
            _ => {
                let b = self.partner(a);
                self.graph.add(Op::Concat(axis), vec![a, b])
            }
        };
        self.keep(made);
    }

    /// The triangle of what rows have in common, and the rows solved by it.
    fn triangles(&mut self, a: NodeId) -> NodeId {
        let rank = self.graph.shape(a).len();
        let rows = self.graph.unary(ScalarOp::Sin, a);
        let batch = (0..rank - 2).map(|axis| (axis, axis)).collect();
        let common = self.graph.dot(batch, vec![(rank - 1, rank - 1)], rows, rows);
        let shape = self.graph.shape(common).to_vec();
        let [row, column] =
            [rank - 2, rank - 1].map(|axis| self.graph.add(Op::Iota { shape: shape.clone(), axis }, Vec::new()));
        let diagonal = self.graph.binary(ScalarOp::Equal, row, column);
        let unit = self.graph.cast(DType::Float, diagonal);
        let definite = self.graph.binary(ScalarOp::Add, common, unit);
        let triangle = self.graph.add(Op::Cholesky, vec![definite]);
        let transposed = self.below(2) == 0;
        self.graph.add(Op::TriangularSolve { transposed }, vec![triangle, a])
    }

    /// A body that grows by the same rules, called.
    fn call(&mut self) {
        let (a, b, counters) = (self.pick(), self.pick(), self.counters);
        let mut graph = Graph::default();
        let operands = [a, b, counters];
        let number =
            |(at, id): (usize, &NodeId)| graph.input(at as u32, self.graph.dtype(*id), self.graph.shape(*id).to_vec());
        let inputs: Vec<NodeId> = operands.iter().enumerate().map(number).collect();
        let inner = self.inner(graph, inputs[..2].to_vec(), inputs[2]);
        let body = Arc::new(Body::new(&inner.graph, &inputs, &inner.floats));
        for made in self.graph.call(&body, &operands) {
            self.keep(made);
        }
    }

    /// A loop along an axis, whose body grows by the same rules. Its carry is bounded.
    fn scan(&mut self, axis: usize) {
        let (a, first, capture) = (self.pick(), self.pick(), self.pick());
        let axis = axis.min(self.graph.shape(a).len() - 1);
        let order = std::iter::once(axis).chain((0..self.graph.shape(a).len()).filter(|other| *other != axis));
        let front = self.graph.permute(order.collect(), a);
        let mut scan = ScanBuilder::new(self.graph.shape(front)[0].clone(), self.below(2) == 0);
        let carry = scan.carry(&self.graph, first);
        let slice = scan.slice(&self.graph, front);
        let capture = scan.capture(&self.graph, capture);
        let counters = scan.capture(&self.graph, self.counters);
        // Each step draws anew.
        let index = scan.body.broadcast(sizes(&[5]), Vec::new(), scan.index);
        let counters = scan.body.binary(ScalarOp::Add, counters, index);
        let slice = match scan.body.shape(slice).is_empty() {
            true => scan.body.reshape(sizes(&[1]), slice),
            false => slice,
        };
        let inner = self.inner(std::mem::take(&mut scan.body), vec![carry, slice, capture], counters);
        scan.body = inner.graph;
        let alike: Vec<NodeId> =
            inner.floats.iter().copied().filter(|id| scan.body.shape(*id) == scan.body.shape(carry)).collect();
        let next = alike[alike.len() - 1];
        let next = scan.body.unary(ScalarOp::Tanh, next);
        scan.next(carry, next);
        scan.give(inner.floats[inner.floats.len() - 1]);
        // A carry that gathers a sum.
        if self.below(2) == 0 {
            let (sum, added) = (scan.carry(&self.graph, first), alike[self.below(alike.len())]);
            let gathered = scan.body.binary(ScalarOp::Add, sum, added);
            scan.next(sum, gathered);
        }
        let made = match self.below(3) {
            0 => self.graph.scan(scan),
            _ => mlx::loops::scan(&mut self.graph, scan),
        };
        made.last.into_iter().chain(made.each).for_each(|made| self.keep(made));
    }

    /// A builder inside of a body, after some steps.
    fn inner(&mut self, graph: Graph, floats: Vec<NodeId>, counters: NodeId) -> Builder {
        let mut inner = Builder { state: self.state, graph, floats, counters, depth: self.depth + 1 };
        for _ in 0..inner.below(3) + 1 {
            inner.grow();
        }
        self.state = inner.state;
        inner
    }

    fn keep(&mut self, made: NodeId) {
        let shape = self.shape(made);
        // What has no axis left, or has grown too large, is not built upon.
        if !shape.is_empty() && shape.iter().product::<i64>() <= 200 && shape.len() <= 4 {
            self.floats.push(made);
        }
    }
}
