//! What does not fit into the machine is refused before anything is computed.

use crate::io;
use crate::ir::{Graph, NodeId, Op, held, largest};
use crate::lower::program::Program;

/// Where the system does not say how much there is.
const UNKNOWN: u64 = 1 << 42;

/// How many of the largest tensors a refusal names.
const NAMED: usize = 3;

/// Refuses a program one of whose tensors alone is larger than the memory of the machine, on so many rows. Views take none.
pub fn refuse(program: &Program, rows: usize) -> Result<(), String> {
    let graph = program.graph.settle(&[(program.rows.clone(), rows as i64)]);
    let starts = program.params.iter().flat_map(|param| [param.initial, param.next]);
    let columns = program.columns.iter().map(|column| column.value);
    let roots: Vec<NodeId> = std::iter::once(program.loss).chain(starts).chain(columns).collect();
    let memory = io::memory().unwrap_or(UNKNOWN);
    let bytes = |count: u64| count.saturating_mul(4);
    let made: Vec<(NodeId, u64)> =
        largest(&graph, &roots).into_iter().filter(|(id, _)| takes_room(&graph, *id)).collect();
    let over: Vec<String> = made
        .iter()
        .take_while(|(_, count)| bytes(*count) > memory)
        .take(NAMED)
        .map(|(id, count)| {
            format!("{} is {}, {} bytes", name(program, &graph, *id), graph.node(*id).shaped, bytes(*count))
        })
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    Err(format!("this does not fit into the {memory} bytes of this machine: {}", over.join("; ")))
}

/// Refuses values that the reference executor could not hold, all in 64 bits.
pub fn refuse_value(graph: &Graph, roots: &[NodeId]) -> Result<(), String> {
    let memory = io::memory().unwrap_or(UNKNOWN);
    let bytes = held(graph, roots).saturating_mul(8);
    if bytes <= memory {
        return Ok(());
    }
    let (id, _) = largest(graph, roots).first().copied().unwrap_or((NodeId(0), 0));
    let shaped = &graph.node(id).shaped;
    Err(format!(
        "this does not fit into the {memory} bytes of this machine: {bytes} bytes, the largest part is {shaped}"
    ))
}

fn takes_room(graph: &Graph, id: NodeId) -> bool {
    !matches!(
        graph.node(id).op,
        Op::Broadcast { .. } | Op::Permute(_) | Op::Reshape(_) | Op::Slice { .. } | Op::Iota { .. }
    )
}

/// A parameter by its path; anything else by its operation.
fn name(program: &Program, graph: &Graph, id: NodeId) -> String {
    let node = graph.node(id);
    match &node.op {
        Op::Input { number, .. } => match program.params.iter().find(|param| param.input == *number as usize) {
            Some(param) => format!("`{}`", param.path),
            None => "an input".to_string(),
        },
        op => format!("a result of {op}"),
    }
}
