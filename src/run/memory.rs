//! What does not fit into the machine is refused before anything is computed.

use crate::check::program::{Set, TypedProgram};
use crate::io;
use crate::ir::{self, Graph, Node, NodeId, Op, Shaped, Symbol, elements, held, largest};
use crate::lower::program::{Input, Program};
use crate::run::batch;
use crate::run::dataset::lies;
use crate::run::schedule::KEPT;

/// Where the system does not say how much there is.
const UNKNOWN: u64 = 1 << 42;

/// How many of the largest contributors a refusal names.
const NAMED: usize = 3;

/// Something that lies in memory for the whole of a run.
struct Part {
    name: String,
    bytes: u64,
}

/// Refuses a program that needs more than the memory of the machine, on so many rows of train, valid and test of each data set. Counted is
/// the least that it needs: its data, its parameters with their gradients and states, and its largest tensor.
pub fn refuse(checked: &TypedProgram, program: &Program, rows: &[[usize; 3]]) -> Result<(), String> {
    let mut parts = data(checked, program, rows);
    parts.extend(parameters(program));
    parts.extend(largest_tensor(
        program,
        &rows.iter().map(|rows| rows.iter().copied().max().unwrap_or(0)).collect::<Vec<_>>(),
    ));
    let memory = io::memory().unwrap_or(UNKNOWN);
    let needed = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.bytes));
    if needed <= memory {
        return Ok(());
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
    let counts = |part: &&Part| part.bytes >= needed / 100;
    let most: Vec<String> =
        parts.iter().filter(counts).take(NAMED).map(|part| format!("{} for {}", size(part.bytes), part.name)).collect();
    let (needed, memory) = (size(needed), size(memory));
    Err(format!("this does not fit into the {memory} of this machine; it needs at least {needed}: {}", most.join("; ")))
}

/// Refuses values that the reference executor could not hold, all in 64 bits.
pub fn refuse_value(graph: &Graph, roots: &[NodeId]) -> Result<(), String> {
    let memory = io::memory().unwrap_or(UNKNOWN);
    let bytes = held(graph, roots).saturating_mul(8);
    if bytes <= memory {
        return Ok(());
    }
    let most = largest(graph, roots).first().map(|(id, count)| (graph.node(*id), size(count.saturating_mul(8))));
    let most = most.map_or(String::new(), |(node, most)| format!(": {most} for {} {}", node.op, node.shaped));
    Err(format!("this does not fit into the {} of this machine; it needs {}{most}", size(memory), size(bytes)))
}

/// Refuses tables that could not be held, of 64 bits: what nodes give.
pub fn refuse_tables(graph: &Graph, nodes: &[NodeId]) -> Result<(), String> {
    let memory = io::memory().unwrap_or(UNKNOWN);
    let bytes = nodes.iter().fold(0u64, |sum, node| sum.saturating_add(ir::count(graph, *node).saturating_mul(8)));
    if bytes <= memory {
        return Ok(());
    }
    let most =
        nodes.iter().max_by_key(|node| ir::count(graph, **node)).map(|node| graph.node(*node).shaped.to_string());
    let most = most.map_or(String::new(), |shaped| format!(", the largest table {shaped}"));
    Err(format!("this does not fit into the {} of this machine; it needs {}{most}", size(memory), size(bytes)))
}

/// The columns of the source as they were read, in 64 bits; those made of them, for steps and for evaluation. Of a column that
/// is not kept there is a batch.
fn data(checked: &TypedProgram, program: &Program, rows: &[[usize; 3]]) -> Vec<Part> {
    let all: Vec<usize> = rows.iter().map(|rows| rows.iter().sum()).collect();
    let batch = |set: usize| checked.run.batch.map_or(rows[set][0], |batch| (batch as usize).min(rows[set][0]));
    let in_all = |(set, rows): (&Set, &usize)| set.window.is_none().then_some(*rows);
    let kept = batch::kept(program, &checked.data.sets.iter().zip(&all).map(in_all).collect::<Vec<_>>(), KEPT);
    let part = |(_, node): (NodeId, &Node)| {
        let Op::Input { number, .. } = node.op else { return None };
        let (name, rows) = match program.inputs.get(number as usize)? {
            Input::Column(at) => {
                let set = program.columns[*at].set;
                (format!("the column `{}`", program.columns[*at].name), if kept[*at] { all[set] } else { batch(set) })
            }
            Input::Raw(at) => {
                let raw = &checked.data.raw[*at];
                let lies = lies(raw, &checked.data.sets[raw.set].source.from);
                ("a column of the source".to_string(), if lies { all[raw.set] } else { batch(raw.set) })
            }
            Input::Once(at) => ("what is computed once a step".to_string(), batch(program.once[*at].set)),
            Input::Draws | Input::Host(_) | Input::Fit(_) | Input::Param(_) | Input::State(_) | Input::Next(_) => {
                return None;
            }
        };
        let shaped = settled(node, &program.with_rows(rows));
        Some(Part { name: format!("{name} {shaped}"), bytes: count(&shaped).saturating_mul(8) })
    };
    program.graph.nodes().filter_map(part).collect()
}

/// Each with its gradient, its next value's place and the states of its optimizer.
fn parameters(program: &Program) -> Vec<Part> {
    let mut kept = vec![0u64; program.params.len()];
    for state in &program.states {
        let count = elements(program.graph.shape(state.initial)).settled().unwrap_or(0).max(0) as u64;
        kept[state.param] = kept[state.param].saturating_add(count);
    }
    let part = |(at, param): (usize, &crate::lower::program::Param)| {
        let count = param.shape.iter().fold(1u64, |product, size| product.saturating_mul(*size as u64));
        let name = format!("the parameter `{}` {:?} and what its optimizer keeps", param.path, param.shape);
        let all = count.saturating_mul(2).saturating_add(kept[at]);
        Part { name, bytes: all.saturating_mul(4) }
    };
    program.params.iter().enumerate().map(part).collect()
}

/// The largest thing that a step or an evaluation makes. Views take no room.
fn largest_tensor(program: &Program, rows: &[usize]) -> Option<Part> {
    let rows = program.of_rows(rows);
    let takes_room = |node: &&Node| {
        !matches!(
            node.op,
            Op::Input { .. }
                | Op::Broadcast { .. }
                | Op::Permute(_)
                | Op::Reshape(_)
                | Op::Slice { .. }
                | Op::Iota { .. }
        )
    };
    let nodes = program.graph.needed(&[program.loss]).into_iter().map(|id| program.graph.node(id)).filter(takes_room);
    // The first of the largest.
    let (count, node) = nodes.map(|node| (count(&settled(node, &rows)), node)).rev().max_by_key(|(count, _)| *count)?;
    let shaped = settled(node, &rows);
    Some(Part { name: format!("a result of {} {shaped}", node.op), bytes: count.saturating_mul(4) })
}

/// What a node holds, on so many rows.
pub(super) fn settled(node: &Node, rows: &[(Symbol, i64)]) -> Shaped {
    let shape = node.shaped.shape.iter().map(|size| size.settle(rows)).collect();
    Shaped { dtype: node.shaped.dtype, shape }
}

fn count(shaped: &Shaped) -> u64 {
    elements(&shaped.shape).settled().unwrap_or(0).max(0) as u64
}

/// `1.5 GiB`
pub fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (bytes.max(1).ilog2() / 10) as usize;
    match unit {
        0 => format!("{bytes} bytes"),
        _ => format!("{:.1} {}", bytes as f64 / 1024f64.powi(unit as i32), units[unit]),
    }
}
