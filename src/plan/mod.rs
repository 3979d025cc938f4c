//! The plan of a run: which kernels compute a graph, in which order, and where in memory their values are.
//!
//! | file | what |
//! |---|---|
//! | `request` | the input of planning |
//! | `kernel` | the data structures of a plan |
//! | `view` | strided views, and which operations only change them |
//! | `host` | scalars that the host computes in f64 |
//! | `select` | which nodes become one kernel |
//! | `recompute` | which values their readers compute themselves |
//! | `join` | which group an elementwise node joins |
//! | `store` | which buffer has the value of a node |
//! | `container` | concatenation and padding: parts of a buffer, each written where it is computed |
//! | `product`, `reduce` | the same for contractions and reductions |
//! | `body` | the same for calls and loops, which run plans of their own |
//! | `emit` | the code of a kernel |
//! | `contract` | products and sums with one rounding |
//! | `in_place` | next values of parameters and states, written over the present ones |
//! | `arena` | lifetimes and offsets of buffers |
//! | `peak` | what lies in memory when most does |
//! | `verify` | the invariants of a plan |
//! | `cost` | what a kernel computes and moves |
//! | `print` | a plan as text |

mod arena;
mod body;
mod container;
mod contract;
mod cost;
mod emit;
mod host;
mod in_place;
mod join;
mod kernel;
mod peak;
mod print;
mod product;
mod recompute;
mod reduce;
mod request;
mod select;
mod store;
mod verify;
mod view;

use crate::ir::{NodeId, QuickMap};
use crate::passes::rewritten;
use std::sync::Arc;

pub use body::{Planned, Role, Run, Times};
pub use cost::Cost;
pub use host::{Scalar, values};
pub use kernel::{
    Binding, Buffer, BufferId, Code, Fused, Instruction, Kernel, Level, Loop, Matrices, Operand, Output, Plan, Region,
    Register, Special, Storage, Target,
};
pub use peak::Held;
pub use request::{Limits, Precision, Request, Residents};
pub use verify::verify;
pub use view::Layout;

/// The plan of a graph without overlapping windows in memory. An error is a message about what cannot be planned (a size that is
/// not settled).
pub fn plan(request: &Request) -> Result<Plan, String> {
    let roots: Vec<NodeId> = request.stages.iter().flatten().copied().collect();
    // A body computes in 32 bits.
    let large = if matches!(request.precision, Precision::Double) { usize::MAX } else { request.limits.large };
    let Some(better) = rewritten(request.graph, &roots, large) else { return plan_of(request) };
    let place = |root: &NodeId| better.place(*root);
    let stages: Vec<Vec<NodeId>> = request.stages.iter().map(|roots| roots.iter().map(place).collect()).collect();
    let updates: Vec<(NodeId, u32)> = request.updates.iter().map(|(root, input)| (place(root), *input)).collect();
    let mut plan = plan_of(&Request { graph: &better.graph, stages: &stages, updates: &updates, ..*request })?;
    // What a kernel is told to compute are nodes of the graph that was asked for.
    for kernel in &mut plan.kernels {
        kernel.nodes.iter_mut().for_each(|node| *node = better.origins[node.0 as usize]);
    }
    Ok(plan)
}

/// Select, emit, place, verify.
fn plan_of(request: &Request) -> Result<Plan, String> {
    let mut selection = select::select(request)?;
    let nexts = in_place::nexts(&mut selection);
    let mut emitted: Vec<emit::Emitted> = (0..selection.groups.len()).map(|at| emit::emit(&selection, at)).collect();
    let (mut buffers, mut outputs) = (selection.buffers, selection.outputs);
    let copies = in_place::write_in_place(&mut emitted, &mut buffers, &mut outputs, nexts);
    let mut plan = Plan {
        kernels: shared(emitted),
        stages: selection.stages,
        buffers,
        scratch: 0,
        resident: request.residents.bytes,
        scalars: selection.scalars.all,
        inputs: selection.inputs,
        outputs,
        copies,
    };
    arena::place(&mut plan);
    if cfg!(debug_assertions) {
        verify(&plan)?;
    }
    Ok(plan)
}

/// Kernels of equal code share it.
fn shared(emitted: Vec<emit::Emitted>) -> Vec<Kernel> {
    let mut known: QuickMap<Code, Arc<Code>> = QuickMap::default();
    let mut kernels = Vec::with_capacity(emitted.len());
    for emit::Emitted { nodes, code, bindings, scalars } in emitted {
        let code = match known.get(&code) {
            Some(shared) => Arc::clone(shared),
            None => {
                let shared = Arc::new(code.clone());
                known.insert(code, Arc::clone(&shared));
                shared
            }
        };
        kernels.push(Kernel { nodes, code, bindings, scalars });
    }
    kernels
}
