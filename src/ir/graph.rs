//! The graph: nodes in an order in which each stands after its operands. Equal nodes are one.
//!
//! Building never fails. Whether every node keeps the rule of its operation is what [`Graph::verify`] says, which runs
//! after everything that builds or changes a graph.

use super::op::{DType, Draw, Number, Op, Reduce};
use super::scalar::ScalarOp;
use super::shape::{Shaped, rule};
use super::size::{Size, Symbol};
use std::collections::HashMap;
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
    known: HashMap<(Op, Vec<NodeId>), NodeId>,
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
        if let Some(known) = self.known.get(&(op.clone(), inputs.clone())) {
            return *known;
        }
        let shaped = self.result(&op, &inputs).unwrap_or(Shaped { dtype: DType::Float, shape: Vec::new() });
        let id = NodeId(self.nodes.len() as u32);
        self.known.insert((op.clone(), inputs.clone()), id);
        self.nodes.push(Node { op, inputs, shaped });
        id
    }

    /// Holds every node against the rule of its operation; the first that breaks it, in words.
    pub fn verify(&self) -> Result<(), String> {
        for (id, node) in self.nodes() {
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
        let settled = |size: &Size| size.settle(numbers);
        let mut graph = Graph::default();
        for node in &self.nodes {
            let op = node.op.map_sizes(&settled);
            let shape = node.shaped.shape.iter().map(settled).collect();
            let shaped = Shaped { dtype: node.shaped.dtype, shape };
            let id = NodeId(graph.nodes.len() as u32);
            graph.known.insert((op.clone(), node.inputs.clone()), id);
            graph.nodes.push(Node { op, inputs: node.inputs.clone(), shaped });
        }
        graph
    }

    /// What the roots need, operands first.
    pub fn needed(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let mut wanted = vec![false; self.nodes.len()];
        roots.iter().for_each(|root| wanted[root.0 as usize] = true);
        for at in (0..self.nodes.len()).rev() {
            if wanted[at] {
                self.nodes[at].inputs.iter().for_each(|input| wanted[input.0 as usize] = true);
            }
        }
        (0..self.nodes.len()).filter(|at| wanted[*at]).map(|at| NodeId(at as u32)).collect()
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

/// A node a line: `%4 = Add %2 %3 : float[n, 10]`.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes() {
            let inputs: String = node.inputs.iter().map(|input| format!(" {input}")).collect();
            writeln!(f, "{id} = {}{inputs} : {}", node.op, node.shaped)?;
        }
        Ok(())
    }
}
