//! The graph: nodes in an order in which each stands after its operands. Equal nodes are one.
//!
//! Building never fails. Whether every node keeps the rule of its operation is what [`Graph::verify`] says, which runs
//! after everything that builds or changes a graph.

use super::body::Body;
use super::hash::{QuickMap, quick};
use super::op::{DType, Draw, Number, Op, Reduce};
use super::scalar::ScalarOp;
use super::shape::{Shaped, rule};
use super::size::{Size, Symbol};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// Names one node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

#[derive(Clone, Debug)]
pub struct Node {
    pub op: Op,
    pub inputs: Vec<NodeId>,
    pub shaped: Shaped,
}

#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    /// Nodes by the hash of their operation and operands; one whose hash another node has is found under the next free one.
    known: QuickMap<u64, NodeId>,
    /// So many nodes are known. A graph that was made of another is rarely added to, and knows none until then.
    indexed: usize,
}

impl Graph {
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub fn shape(&self, id: NodeId) -> &[Size] {
        &self.node(id).shaped.shape
    }

    pub fn dtype(&self, id: NodeId) -> DType {
        self.node(id).shaped.dtype
    }

    /// All nodes, operands before what reads them.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(at, node)| (NodeId(at as u32), node))
    }

    /// The node of an operation; the one that is there already, if there is one.
    pub fn add(&mut self, op: Op, inputs: Vec<NodeId>) -> NodeId {
        while self.indexed < self.nodes.len() {
            let Node { op, inputs, .. } = &self.nodes[self.indexed];
            if let Err(free) = self.find(op, inputs) {
                self.known.insert(free, NodeId(self.indexed as u32));
            }
            self.indexed += 1;
        }
        let free = match self.find(&op, &inputs) {
            Ok(known) => return known,
            Err(free) => free,
        };
        let shaped = self.result(&op, &inputs).unwrap_or(Shaped { dtype: DType::Float, shape: Vec::new() });
        let id = NodeId(self.nodes.len() as u32);
        self.known.insert(free, id);
        self.nodes.push(Node { op, inputs, shaped });
        self.indexed += 1;
        id
    }

    /// The node of an operation, or where one would be known.
    fn find(&self, op: &Op, inputs: &[NodeId]) -> Result<NodeId, u64> {
        let mut hash = quick(&(op, inputs));
        while let Some(id) = self.known.get(&hash) {
            let node = self.node(*id);
            if node.op == *op && node.inputs == inputs {
                return Ok(*id);
            }
            hash = hash.wrapping_add(1);
        }
        Err(hash)
    }

    /// Holds every node against the rule of its operation, those of bodies too; the first that breaks it, in words.
    pub fn verify(&self) -> Result<(), String> {
        let mut sound: HashSet<&Body> = HashSet::new();
        for (id, node) in self.nodes() {
            if let Some(body) = node.op.body().filter(|body| sound.insert(body)) {
                body.verify().map_err(|broken| format!("{id} = {}: {broken}", node.op))?;
            }
            if let Some(late) = node.inputs.iter().find(|input| **input >= id) {
                return Err(format!("{} reads {}, which stands after it", id, late));
            }
            match self.result(&node.op, &node.inputs) {
                Ok(shaped) if shaped == node.shaped => {}
                Ok(shaped) => return Err(format!("{id} = {} gives {}, not {}", node.op, shaped, node.shaped)),
                Err(broken) => {
                    let operands: Vec<String> =
                        node.inputs.iter().map(|input| self.node(*input).shaped.to_string()).collect();
                    return Err(format!("{id} = {} of {}: {broken}", node.op, operands.join(", ")));
                }
            }
        }
        Ok(())
    }

    fn result(&self, op: &Op, inputs: &[NodeId]) -> Result<Shaped, String> {
        rule(op, &inputs.iter().map(|input| &self.node(*input).shaped).collect::<Vec<_>>())
    }

    /// The graph with numbers for symbols. Nodes keep their names.
    pub fn settle(&self, numbers: &[(Symbol, i64)]) -> Graph {
        self.map_sizes(&|size: &Size| size.settle(numbers))
    }

    /// The graph with every size replaced, those of bodies too. Nodes keep their names.
    pub fn map_sizes(&self, f: &impl Fn(&Size) -> Size) -> Graph {
        let mut graph = Graph { nodes: Vec::with_capacity(self.nodes.len()), ..Graph::default() };
        for node in &self.nodes {
            let op = node.op.map_sizes(f);
            let shape = node.shaped.shape.iter().map(f).collect();
            let shaped = Shaped { dtype: node.shaped.dtype, shape };
            graph.nodes.push(Node { op, inputs: node.inputs.clone(), shaped });
        }
        graph
    }

    /// What the roots need, operands first, and siblings (results of one run of a body) next to each other.
    pub fn needed(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let plain = self.needed_behind(&[], roots);
        let mut families: HashMap<(Op, &[NodeId]), Vec<NodeId>> = HashMap::new();
        for id in &plain {
            let node = self.node(*id);
            if let Some(whole) = node.op.whole() {
                families.entry((whole, &node.inputs)).or_default().push(*id);
            }
        }
        if families.is_empty() {
            return plain;
        }
        // At the place of the first: all that reads one of them stands after it, all that they read before.
        let mut order = Vec::with_capacity(plain.len());
        for id in plain {
            let node = self.node(id);
            match node.op.whole() {
                None => order.push(id),
                Some(whole) => order.extend(families.remove(&(whole, &node.inputs[..])).unwrap_or_default()),
            }
        }
        order
    }

    /// What the roots need besides some nodes that are given, and what only those need; in the order of the graph.
    pub fn needed_behind(&self, given: &[NodeId], roots: &[NodeId]) -> Vec<NodeId> {
        let mut wanted = vec![false; self.nodes.len()];
        for root in roots {
            if let Some(wanted) = wanted.get_mut(root.0 as usize) {
                *wanted = true;
            }
        }
        let mut is_given = vec![false; self.nodes.len()];
        given.iter().for_each(|id| is_given[id.0 as usize] = true);
        for at in (0..self.nodes.len()).rev() {
            if wanted[at] && !is_given[at] {
                self.nodes[at].inputs.iter().for_each(|input| wanted[input.0 as usize] = true);
            }
        }
        (0..self.nodes.len()).filter(|at| wanted[*at] && !is_given[*at]).map(|at| NodeId(at as u32)).collect()
    }

    /// Those of some given nodes that the roots are, or are made of, where nothing behind them is looked at.
    pub fn read_behind(&self, given: &[NodeId], roots: &[NodeId]) -> HashSet<NodeId> {
        let needed = self.needed_behind(given, roots);
        let operands = needed.iter().flat_map(|id| &self.node(*id).inputs);
        let read: HashSet<NodeId> = operands.chain(roots).copied().collect();
        given.iter().copied().filter(|id| read.contains(id)).collect()
    }

    /// Nodes that [`Graph::needed`] gives, those that one run of a body computes together.
    pub fn families<'n>(&self, needed: &'n [NodeId]) -> impl DoubleEndedIterator<Item = &'n [NodeId]> {
        needed.chunk_by(|a, b| {
            let (a, b) = (self.node(*a), self.node(*b));
            a.inputs == b.inputs && a.op.whole().is_some_and(|whole| Some(whole) == b.op.whole())
        })
    }
}

/// One short word for each operation that builders use often.
impl Graph {
    pub fn input(&mut self, number: u32, dtype: DType, shape: Vec<Size>) -> NodeId {
        self.add(Op::Input { number, dtype, shape }, Vec::new())
    }

    pub fn constant(&mut self, value: f64) -> NodeId {
        self.add(Op::Constant(Number::new(value)), Vec::new())
    }

    pub fn random(&mut self, draw: Draw, path: u64, shape: Vec<Size>, rows: Option<usize>, counters: NodeId) -> NodeId {
        self.add(Op::Random { draw, path, shape, rows }, vec![counters])
    }

    pub fn unary(&mut self, op: ScalarOp, a: NodeId) -> NodeId {
        self.add(Op::Scalar(op), vec![a])
    }

    pub fn binary(&mut self, op: ScalarOp, a: NodeId, b: NodeId) -> NodeId {
        self.add(Op::Scalar(op), vec![a, b])
    }

    pub fn select(&mut self, condition: NodeId, yes: NodeId, no: NodeId) -> NodeId {
        self.add(Op::Scalar(ScalarOp::Select), vec![condition, yes, no])
    }

    /// The same elements as another kind; itself where it is of that kind.
    pub fn cast(&mut self, dtype: DType, a: NodeId) -> NodeId {
        if self.dtype(a) == dtype { a } else { self.unary(ScalarOp::Cast(dtype), a) }
    }

    /// Over the given axes, in any order; none of them is the operand itself.
    pub fn reduce(&mut self, reduce: Reduce, mut axes: Vec<usize>, a: NodeId) -> NodeId {
        axes.sort_unstable();
        if axes.is_empty() { a } else { self.add(Op::Reduce(reduce, axes), vec![a]) }
    }

    pub fn dot(&mut self, batch: Vec<(usize, usize)>, contracted: Vec<(usize, usize)>, a: NodeId, b: NodeId) -> NodeId {
        self.add(Op::Dot { batch, contracted }, vec![a, b])
    }

    pub fn reshape(&mut self, shape: Vec<Size>, a: NodeId) -> NodeId {
        if self.shape(a) == shape { a } else { self.add(Op::Reshape(shape), vec![a]) }
    }

    pub fn permute(&mut self, order: Vec<usize>, a: NodeId) -> NodeId {
        if order.is_sorted() { a } else { self.add(Op::Permute(order), vec![a]) }
    }

    /// Axis `i` of the operand becomes axis `kept[i]` of the shape.
    pub fn broadcast(&mut self, shape: Vec<Size>, kept: Vec<usize>, a: NodeId) -> NodeId {
        if self.shape(a) == shape { a } else { self.add(Op::Broadcast { shape, kept }, vec![a]) }
    }

    /// A number everywhere in a shape.
    pub fn fill(&mut self, value: f64, shape: Vec<Size>) -> NodeId {
        let value = self.constant(value);
        self.broadcast(shape, Vec::new(), value)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// `float[n, 784]`.
impl fmt::Display for Shaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dtype = match self.dtype {
            DType::Float => "float",
            DType::Int => "int",
            DType::Bool => "bool",
        };
        let sizes: Vec<String> = self.shape.iter().map(Size::to_string).collect();
        write!(f, "{dtype}[{}]", sizes.join(", "))
    }
}

/// A node a line: `%4 = Add %2 %3 : float[n, 10]`. A body stands below the first node that runs it.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

impl Graph {
    fn print(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let mut printed: HashMap<&Body, NodeId> = HashMap::new();
        for (id, node) in self.nodes() {
            let inputs = words(&node.inputs);
            writeln!(f, "{:indent$}{id} = {}{inputs} : {}", "", node.op, node.shaped)?;
            let Some(body) = node.op.body() else { continue };
            let inside = indent + 4;
            if let Some(first) = printed.get(&**body) {
                writeln!(f, "{:inside$}the body of {first}", "")?;
                continue;
            }
            printed.insert(body, id);
            body.graph().print(f, inside)?;
            writeln!(f, "{:inside$}gives{}", "", words(body.results()))?;
        }
        Ok(())
    }
}

fn words(ids: &[NodeId]) -> String {
    ids.iter().map(|id| format!(" {id}")).collect()
}
