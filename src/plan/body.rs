//! Calls and loops: a kernel that runs a plan of its own, of the body, once or step after step. What lies outside of the body
//! (operands, carries, results) is resident to that plan, and bound to buffers of the plan around it; its scratch is one
//! buffer there. So nothing but slices moves from step to step, and nothing is allocated.

use super::kernel::{BufferId, Operand, Output, Plan, Region, Storage};
use super::request::{Precision, Request, Residents, number, settled};
use super::select::{Location, Selection};
use super::view::View;
use crate::ir::{Body, NodeId, Op, Part};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A call or a loop: the planned body, how often it runs, and what its operands are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    pub body: Planned,
    pub times: Times,
    /// The role of each operand. The last one is the scratch of the body.
    pub roles: Vec<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Times {
    /// A call.
    Once,
    /// A loop, from the last index to the first if `reverse`.
    Steps { count: usize, reverse: bool },
}

/// The role of an operand; inputs and results of the body are given by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The value of an input, the same in every step.
    Whole {
        input: u32,
    },
    /// At the index of the step, the value of an input.
    Slice {
        input: u32,
    },
    /// The value of an input; after each step, that of a result.
    Carry {
        input: u32,
        result: usize,
    },
    /// At the index of the step, the value before it of the carry in another operand.
    Before {
        carry: Operand,
    },
    /// At the index of the step, a result. Of a call, the result.
    Each {
        result: usize,
    },
    Scratch,
}

/// The plan of some results of a body; results are given by their number among these. Two are equal if their bodies and results are:
/// plans are not compared.
#[derive(Clone, Debug)]
pub struct Planned {
    body: Arc<Body>,
    results: Vec<usize>,
    pub plan: Arc<Plan>,
    /// Where the plan reads the index of the step.
    pub place: Option<BufferId>,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Planned) -> bool {
        (&self.body, &self.results, self.place) == (&other.body, &other.results, other.place)
    }
}

impl Eq for Planned {}

impl Hash for Planned {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.body, &self.results, self.place).hash(state);
    }
}

/// Plans of bodies that were made already: by body, results, and how many carries it has in a loop.
pub(super) type Bodies = HashMap<(Arc<Body>, Vec<usize>, Option<usize>), Planned>;

impl Planned {
    /// The buffer of an input; `None` where nothing reads it.
    pub fn input(&self, number: u32) -> Option<BufferId> {
        self.plan.inputs.iter().find(|(known, _)| *known == number).map(|(_, buffer)| *buffer)
    }

    /// The buffer of a result, if that can lie where the result is wanted.
    pub fn own(&self, result: usize) -> Option<BufferId> {
        own(&self.plan, result)
    }
}

/// The buffer of a root that is no input, and no scalar of the host.
fn own(plan: &Plan, root: usize) -> Option<BufferId> {
    let Output::Buffer(own) = plan.outputs[root] else { return None };
    let is_input = plan.inputs.iter().any(|(_, input)| *input == own);
    (!is_input).then_some(own)
}

impl Run {
    pub fn count(&self) -> usize {
        match self.times {
            Times::Once => 1,
            Times::Steps { count, .. } => count,
        }
    }

    /// The operands that it reads; carries are read and written.
    pub fn reads(&self) -> impl Iterator<Item = Operand> {
        self.operands(|role| matches!(role, Role::Whole { .. } | Role::Slice { .. } | Role::Carry { .. }))
    }

    pub fn writes(&self) -> impl Iterator<Item = Operand> {
        self.operands(|role| !matches!(role, Role::Whole { .. } | Role::Slice { .. }))
    }

    fn operands(&self, which: impl Fn(&Role) -> bool) -> impl Iterator<Item = Operand> {
        self.roles.iter().enumerate().filter(move |(_, role)| which(role)).map(|(operand, _)| operand)
    }
}

impl Selection<'_> {
    /// The results of one run of a body, and where they are. Carries are copied first, for they are written over.
    pub(super) fn run(&mut self, family: &[NodeId]) -> Result<Vec<Location>, String> {
        let graph = self.request.graph;
        let node = graph.node(family[0]);
        let Some(body) = node.op.body() else { return Err(format!("{} has no body", node.op)) };
        let mut parts = Vec::with_capacity(family.len());
        let mut results = Vec::new();
        let mut scan = None;
        for id in family {
            if let Op::Call(_, result) = &graph.node(*id).op {
                parts.push(Part::Each(*result));
                results.push(*result);
            }
            if let Op::Scan(own, part) = &graph.node(*id).op {
                parts.push(*part);
                scan = Some(own);
            }
        }
        let (times, carries, slices) = match scan {
            None => (Times::Once, 0, 0),
            Some(scan) => {
                results = scan.live(&parts);
                let count = number(&scan.steps)?.max(0) as usize;
                (Times::Steps { count, reverse: scan.reverse }, scan.carries, scan.slices)
            }
        };
        results.sort_unstable();
        let planned = self.planned(body, &results, scan.map(|scan| scan.carries))?;
        let of_result = |wanted: usize| results.binary_search(&wanted).unwrap_or_default();

        // The first input of the body of a loop is the place of the step.
        let first = body.inputs().len() - node.inputs.len();
        let mut operands: Vec<(BufferId, Role)> = Vec::new();
        for result in results.iter().copied().filter(|result| *result < carries) {
            let role = Role::Carry { input: (first + result) as u32, result: of_result(result) };
            operands.push((self.fresh(node.inputs[result]), role));
        }
        let own: Vec<BufferId> = operands.iter().map(|(buffer, _)| *buffer).collect();
        for (at, operand) in node.inputs.iter().enumerate().skip(carries) {
            let input = (first + at) as u32;
            if planned.input(input).is_some() {
                let view = self.view(*operand);
                let buffer = self.whole(*operand, &view, Storage::of(graph.dtype(*operand)));
                let role = if at < carries + slices { Role::Slice { input } } else { Role::Whole { input } };
                operands.push((buffer, role));
            }
        }
        let group = self.groups.len();
        let mut places = Vec::with_capacity(family.len());
        for (id, part) in family.iter().zip(&parts) {
            let shape = settled(graph.shape(*id))?;
            let role = match part {
                Part::Last(carry) => {
                    places.push(Location::Stored(View::whole(own[of_result(*carry)], shape)));
                    continue;
                }
                Part::Before(carry) => Role::Before { carry: of_result(*carry) },
                Part::Each(each) => Role::Each { result: of_result(carries + each) },
            };
            // A body computes in 32 bits; what reads its results widens them.
            let buffer = self.buffer(&shape, Storage::of(graph.dtype(*id)), group + 1);
            operands.push((buffer, role));
            places.push(Location::Stored(View::whole(buffer, shape)));
        }
        // Bytes.
        let scratch = self.buffer(&[planned.plan.scratch], Storage::Bool, group + 1);
        operands.push((scratch, Role::Scratch));
        let (operands, roles): (Vec<BufferId>, Vec<Role>) = operands.into_iter().unzip();
        self.body_group(family, Run { body: planned, times, roles }, operands, &own);
        Ok(places)
    }

    /// The plan of results of a body, made once.
    fn planned(&mut self, body: &Arc<Body>, results: &[usize], carries: Option<usize>) -> Result<Planned, String> {
        let key = (Arc::clone(body), results.to_vec(), carries);
        if let Some(known) = self.bodies.get(&key) {
            return Ok(known.clone());
        }
        let is_loop = carries.is_some();
        let mut outside = Vec::new();
        for (at, input) in body.inputs().enumerate().skip(usize::from(is_loop)) {
            outside.push((at as u32, settled(&input.shape)?.iter().product()));
        }
        let roots: Vec<NodeId> = results.iter().map(|result| body.results()[*result]).collect();
        let carried = results.iter().zip(&roots).filter(|(result, _)| Some(**result) < carries);
        let updates: Vec<(NodeId, u32)> = carried.map(|(result, root)| (*root, 1 + *result as u32)).collect();
        let mut plan = super::plan(&Request {
            graph: body.graph(),
            stages: &[roots],
            hosts: &[],
            updates: &updates,
            residents: &Residents::of(outside),
            precision: Precision::Step,
            limits: self.request.limits,
        })?;
        // What a step gives is written where it is wanted.
        for (at, result) in results.iter().enumerate() {
            if let Some(own) = own(&plan, at).filter(|_| Some(*result) >= carries) {
                plan.buffers[own.0 as usize].region = Region::Resident;
            }
        }
        plan.scratch = 0;
        super::arena::place(&mut plan);
        let place = plan.inputs.iter().find(|(input, _)| is_loop && *input == 0).map(|(_, buffer)| *buffer);
        let planned = Planned { body: Arc::clone(body), results: results.to_vec(), plan: Arc::new(plan), place };
        self.bodies.insert(key, planned.clone());
        Ok(planned)
    }

    /// A buffer with the value of a node that nothing else reads.
    fn fresh(&mut self, node: NodeId) -> BufferId {
        let storage = Storage::of(self.request.graph.dtype(node));
        let is_host = matches!(self.place(node), Location::Host(_));
        let view = self.view(node);
        // A scalar of the host is stored anew for whoever wants it.
        match view.buffer {
            Some(buffer) if is_host => buffer,
            _ => self.copied(node, &view, storage),
        }
    }
}
