//! One term to nodes. Terms stand after their operands, so that no recursion is needed.

use super::{along, product, read, scan, sums};
use crate::autodiff::gradient;
use crate::check::steps::{ScanId, read_here};
use crate::check::terms::{Cut, Kind, Leaf, TermId, Terms};
use crate::check::types::{Elem, IndexId, Type};
use crate::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, Scanned, Size};
use crate::source::Span;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

pub(super) struct Lowering<'a> {
    pub terms: &'a Terms,
    pub graph: Graph,
    pub inputs: usize,
    pub leaves: HashMap<Leaf, NodeId>,
    /// What draws are counted by.
    pub counters: NodeId,
    /// The loops that are made.
    pub scans: HashMap<ScanId, Scanned>,
    /// Terms that something is differentiated by: whoever reads one reads its node, and nobody looks behind it.
    pub cuts: Rc<HashSet<TermId>>,
    /// The node of each term that has one, by its number.
    done: Vec<Option<NodeId>>,
    /// Of each term, whether its node was asked for.
    asked: Vec<bool>,
}

impl<'a> Lowering<'a> {
    pub fn new(terms: &'a Terms) -> Lowering<'a> {
        let (done, asked) = (vec![None; terms.count()], vec![false; terms.count()]);
        let cuts = terms.cuts().collect();
        Lowering {
            terms,
            graph: Graph::default(),
            inputs: 0,
            leaves: HashMap::new(),
            counters: NodeId(0),
            scans: HashMap::new(),
            cuts: Rc::new(cuts),
            done,
            asked,
        }
    }

    /// The node of a term, if it has one by now.
    pub fn known(&self, term: TermId) -> Option<NodeId> {
        self.done[term.0 as usize]
    }

    /// A term whose node is there already.
    pub fn know(&mut self, term: TermId, node: NodeId) {
        self.done[term.0 as usize] = Some(node);
        self.asked[term.0 as usize] = true;
    }

    /// No term has a node any more: leaves are about to stand for something else.
    pub fn forget(&mut self) {
        self.done.fill(None);
        self.asked.fill(false);
        self.scans.clear();
    }

    /// The text that first asked for each node.
    pub fn places(&self) -> HashMap<NodeId, Span> {
        let mut places = HashMap::new();
        for (term, node) in self.done.iter().enumerate() {
            if let Some(node) = node {
                places.entry(*node).or_insert(self.terms.get(TermId(term as u32)).span);
            }
        }
        places
    }

    pub fn new_input(&mut self, dtype: DType, shape: Vec<Size>) -> usize {
        self.graph.input(self.inputs as u32, dtype, shape);
        self.inputs += 1;
        self.inputs - 1
    }

    /// The input that a leaf is fed through.
    pub fn input(&mut self, leaf: Leaf, ty: &Type) -> usize {
        let number = self.new_input(dtype(&ty.elem), ty.sizes());
        let node = self.graph.input(number as u32, dtype(&ty.elem), ty.sizes());
        self.leaves.insert(leaf, node);
        number
    }

    /// A term as a float of its own shape.
    pub fn float(&mut self, id: TermId) -> NodeId {
        let ty = self.terms.get(id).ty.clone();
        self.operand(id, &ty, DType::Float)
    }

    /// A term as what it is, of its own shape.
    pub fn whole(&mut self, id: TermId) -> NodeId {
        let ty = self.terms.get(id).ty.clone();
        self.operand(id, &ty, dtype(&ty.elem))
    }

    /// A term as floats that fill a shape.
    pub fn fill(&mut self, id: TermId, ty: &Type) -> NodeId {
        self.node(id);
        self.operand(id, ty, DType::Float)
    }

    /// The node of a term, and of everything that it reads.
    pub fn node(&mut self, root: TermId) -> NodeId {
        if let Some(node) = self.done[root.0 as usize] {
            return node;
        }
        let mut needed = Vec::new();
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut self.asked[id.0 as usize], true) {
                needed.push(id);
                open.extend(read_here(self.terms, id).0);
            }
        }
        needed.sort_unstable();
        for id in needed {
            let node = self.one(id);
            // A node of its own, so that equal ones are not differentiated by as well.
            let apart = self.cuts.contains(&id) && !matches!(self.terms.get(id).kind, Kind::Leaf(_));
            let shape = self.graph.shape(node).to_vec();
            let node = if apart { self.graph.add(Op::Reshape(shape), vec![node]) } else { node };
            self.done[id.0 as usize] = Some(node);
        }
        self.node(root)
    }

    fn one(&mut self, id: TermId) -> NodeId {
        let terms = self.terms;
        let term = terms.get(id);
        let ty = &term.ty;
        let wanted = dtype(&ty.elem);
        match &term.kind {
            Kind::Number(value) => {
                let value = self.graph.constant(*value);
                self.graph.cast(wanted, value)
            }
            Kind::Truth(truth) => {
                let value = self.graph.constant(f64::from(u8::from(*truth)));
                self.graph.cast(DType::Bool, value)
            }
            Kind::Size(size) => self.graph.add(Op::SizeOf(size.clone()), Vec::new()),
            Kind::Index(index) => {
                let shape = vec![self.size_of(*index)];
                self.graph.add(Op::Iota { shape, axis: 0 }, Vec::new())
            }
            Kind::Leaf(leaf) => self.leaves[leaf],
            Kind::Cast(a) => self.operand(*a, ty, wanted),
            // Small powers are products; higher ones would lose digits that way.
            Kind::Scalar(ScalarOp::Pow, operands)
                if matches!(terms.get(operands[1]).kind, Kind::Number(2.0 | 3.0 | 4.0)) =>
            {
                let a = self.operand(operands[0], ty, wanted);
                let square = self.graph.binary(ScalarOp::Mul, a, a);
                match terms.get(operands[1]).kind {
                    Kind::Number(3.0) => self.graph.binary(ScalarOp::Mul, square, a),
                    Kind::Number(4.0) => self.graph.binary(ScalarOp::Mul, square, square),
                    _ => square,
                }
            }
            Kind::Scalar(op, operands) => {
                let kinds = self.kinds(*op, operands, wanted);
                let inputs = operands.iter().zip(kinds).map(|(id, kind)| self.operand(*id, ty, kind)).collect();
                self.graph.add(Op::Scalar(*op), inputs)
            }
            Kind::Product(a, b) => product::matrix(self, *a, *b, ty),
            Kind::Fold(reduce, a) => self.fold(*reduce, *a, ty),
            Kind::ArgMax(a) => {
                let node = self.node(*a);
                let axis = self.graph.shape(node).len() - 1;
                self.graph.add(Op::ArgMax(axis), vec![node])
            }
            Kind::Order(a) => {
                let node = self.node(*a);
                let axis = self.graph.shape(node).len() - 1;
                self.graph.add(Op::ArgSort(axis), vec![node])
            }
            Kind::Running(how, a) => along::running(self, *how, *a),
            Kind::Pick(from, at) => along::pick(self, *from, *at, ty),
            Kind::Cholesky(a) => {
                let a = self.operand(*a, ty, wanted);
                self.graph.add(Op::Cholesky, vec![a])
            }
            Kind::TriangularSolve { l, b, transposed } => along::triangular_solve(self, *l, *b, *transposed, ty),
            Kind::Grad { of, by } => {
                let (of, by) = (self.float(*of), self.node(*by));
                gradient(&mut self.graph, of, &[by])[0]
            }
            Kind::Draw(draw, path) => {
                let shape = self.shape(ty);
                let rows = shape.iter().position(Size::is_rows);
                self.graph.random(*draw, *path, shape, rows, self.counters)
            }
            Kind::Scan(scan, part) => scan::part(self, scan, *part),
            Kind::Constant(a) => {
                let a = self.node(*a);
                self.graph.add(Op::StopGradient, vec![a])
            }
            Kind::Read(a, places) => read::read(self, *a, places, ty),
            Kind::Reshape(a) => {
                let node = self.node(*a);
                let shape = self.shape(ty);
                self.graph.reshape(shape, node)
            }
            Kind::Spread(a, ids) => self.spread(*a, ids, ty),
            Kind::Stack(parts, at) => self.stack(parts, *at, ty),
            Kind::Concat(parts, at) => {
                let part = |id: &TermId| Type { free: ty.free.clone(), ..terms.get(*id).ty.clone() };
                let parts = parts.iter().map(|id| self.operand(*id, &part(id), wanted)).collect();
                self.graph.add(Op::Concat(ty.free.len() + at), parts)
            }
            Kind::Slice(a, cuts) => {
                let node = self.node(*a);
                self.slice(node, cuts, ty)
            }
        }
    }

    /// Over all axes, whichever they are.
    fn fold(&mut self, reduce: Reduce, mut a: TermId, ty: &Type) -> NodeId {
        let terms = self.terms;
        while let Kind::Reshape(inner) = terms.get(a).kind {
            a = inner;
        }
        let better = product::contraction(self, reduce, a);
        better.or_else(|| sums::sum(self, reduce, a, ty)).unwrap_or_else(|| {
            let from = &terms.get(a).ty;
            let axes = (from.free.len()..from.free.len() + from.axes.len()).collect();
            let node = self.node(a);
            self.graph.reduce(reduce, axes, node)
        })
    }

    /// Each part with a new axis of one element, and these one behind another.
    fn stack(&mut self, parts: &[TermId], at: usize, ty: &Type) -> NodeId {
        let mut axes = ty.axes.clone();
        axes.remove(at);
        let part = Type { axes, ..ty.clone() };
        let mut shape = self.shape(&part);
        shape.insert(ty.free.len() + at, Size::from(1));
        let mut all = Vec::new();
        for id in parts {
            let node = self.operand(*id, &part, dtype(&ty.elem));
            all.push(self.graph.reshape(shape.clone(), node));
        }
        self.graph.add(Op::Concat(ty.free.len() + at), all)
    }

    /// Axis by axis; those of which one element is kept vanish at the end.
    fn slice(&mut self, node: NodeId, cuts: &[Cut], ty: &Type) -> NodeId {
        let mut node = node;
        for (at, cut) in cuts.iter().enumerate() {
            let (start, count) = match cut {
                Cut::All => continue,
                Cut::One(place) => (place.clone(), Size::from(1)),
                Cut::Range(start, count) => (start.clone(), count.clone()),
            };
            let axis = ty.free.len() + at;
            if self.graph.shape(node)[axis] != count {
                node = self.graph.add(Op::Slice { axis, start, count, step: 1 }, vec![node]);
            }
        }
        let shape = self.shape(ty);
        self.graph.reshape(shape, node)
    }

    /// The kinds that operands are converted to, for a result of the kind `wanted`.
    fn kinds(&self, op: ScalarOp, operands: &[TermId], wanted: DType) -> Vec<DType> {
        let own = |id: &TermId| dtype(&self.terms.get(*id).ty.elem);
        match op {
            ScalarOp::Select => vec![DType::Bool, wanted, wanted],
            // Two ints are compared as ints, anything else as floats.
            ScalarOp::Less | ScalarOp::LessEqual | ScalarOp::Equal | ScalarOp::NotEqual => {
                let ints = operands.iter().all(|id| own(id) == DType::Int);
                vec![if ints { DType::Int } else { DType::Float }; 2]
            }
            _ => vec![wanted; operands.len()],
        }
    }

    /// Indices become the last axes; one that is not free in the term repeats it.
    fn spread(&mut self, a: TermId, ids: &[IndexId], ty: &Type) -> NodeId {
        let from = self.terms.get(a).ty.clone();
        let mut free = [&from.free[..], ids].concat();
        free.sort_unstable();
        free.dedup();
        let node = self.operand(a, &Type { free: free.clone(), ..from.clone() }, dtype(&from.elem));
        let place = |id: &IndexId| free.iter().position(|own| own == id);
        let own = free.len()..free.len() + from.axes.len();
        let order = ty.free.iter().filter_map(place).chain(own).chain(ids.iter().filter_map(place)).collect();
        self.graph.permute(order, node)
    }

    /// A term broadcast to a type, as elements of a kind.
    pub fn operand(&mut self, id: TermId, to: &Type, wanted: DType) -> NodeId {
        let term = self.terms.get(id);
        let node = match term.kind {
            // A number is a constant of any kind.
            Kind::Number(value) => self.graph.constant(value),
            _ => self.node(id),
        };
        let node = self.graph.cast(wanted, node);
        let indices = term.ty.free.iter().filter_map(|id| to.free.iter().position(|other| other == id));
        let first = to.free.len() + to.axes.len() - term.ty.axes.len();
        let kept = indices.chain(first..first + term.ty.axes.len()).collect();
        let shape = self.shape(to);
        self.graph.broadcast(shape, kept, node)
    }

    /// Indices, then axes.
    pub fn shape(&self, ty: &Type) -> Vec<Size> {
        ty.free.iter().map(|id| self.size_of(*id)).chain(ty.sizes()).collect()
    }

    /// Every index has a size once the program is checked.
    fn size_of(&self, id: IndexId) -> Size {
        self.terms.index_of(id).axis.as_ref().map_or(Size::from(0), |axis| axis.size.clone())
    }
}

/// How elements are held.
pub(super) fn dtype(elem: &Elem) -> DType {
    match elem {
        Elem::Float => DType::Float,
        Elem::Int | Elem::Class(_) => DType::Int,
        Elem::Bool => DType::Bool,
    }
}
