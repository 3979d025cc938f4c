//! The executor that defines every operation: in f64, one operation at a time, as plainly as it can be said.

mod along;
mod body;
mod compute;
mod draw;
mod matrix;
mod views;
mod watch;

use super::Tensor;
use crate::ir::{Graph, NodeId, Op};
use std::collections::HashMap;
use std::rc::Rc;
use watch::Watch;

/// What is told of a computation that shall not go on.
const INTERRUPTED: &str = "interrupted";

/// Where a value that is not finite in 32 bits comes from: a node all of whose operands are finite, or infinite because the program says
/// so, as a mask does. `None` if there is no such value.
pub fn origin_of_non_finite(graph: &Graph, root: NodeId, inputs: &[Tensor]) -> Result<Option<NodeId>, String> {
    let needed = graph.needed(&[root]);
    // Of each node one flag; its value goes when all that reads it is computed.
    let mut is_bad = vec![false; graph.nodes().len()];
    let mut is_meant = vec![false; graph.nodes().len()];
    let mut look = |id: NodeId, value: &Tensor| {
        let any = |is: fn(f32) -> bool| value.values.iter().any(|value| is(*value as f32));
        let node = graph.node(id);
        let from_meant =
            matches!(node.op, Op::Constant(_)) || node.inputs.iter().any(|input| is_meant[input.0 as usize]);
        is_meant[id.0 as usize] = from_meant && any(f32::is_infinite) && !any(f32::is_nan);
        is_bad[id.0 as usize] = any(|value| !value.is_finite()) && !is_meant[id.0 as usize];
    };
    values(graph, &[root], &fed_by(inputs), &|| true, &mut look)?;
    let bad = |id: &NodeId| is_bad[id.0 as usize];
    // A sum may be too large for 32 bits where their mean is not.
    let start = if bad(&root) { Some(root) } else { needed.iter().copied().find(bad) };
    let Some(mut at) = start else { return Ok(None) };
    while let Some(before) = graph.node(at).inputs.iter().find(|input| bad(input)) {
        at = *before;
    }
    Ok(Some(at))
}

/// The values of the roots. Inputs are numbered as the graph's are; its sizes are settled. What cannot be computed (a
/// place outside of an axis, an input of another shape) is told in words.
pub fn run(graph: &Graph, roots: &[NodeId], inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    run_while(graph, roots, inputs, &|| true)
}

/// The same, as long as it shall go on; asked before each node, within those that take long, and in each step of a loop.
pub fn run_while(
    graph: &Graph,
    roots: &[NodeId],
    inputs: &[Tensor],
    goes_on: &dyn Fn() -> bool,
) -> Result<Vec<Tensor>, String> {
    let values = values(graph, roots, &fed_by(inputs), goes_on, &mut |_, _| ())?;
    Ok(values.into_iter().map(|value| Rc::try_unwrap(value).unwrap_or_else(|shared| (*shared).clone())).collect())
}

fn fed_by(inputs: &[Tensor]) -> impl Fn(u32) -> Option<Rc<Tensor>> {
    |number| inputs.get(number as usize).map(|tensor| Rc::new(tensor.clone()))
}

/// The values of the roots, of inputs by number. Each value on the way is looked at once, when it is computed.
fn values(
    graph: &Graph,
    roots: &[NodeId],
    fed: &dyn Fn(u32) -> Option<Rc<Tensor>>,
    goes_on: &dyn Fn() -> bool,
    look: &mut dyn FnMut(NodeId, &Tensor),
) -> Result<Vec<Rc<Tensor>>, String> {
    let watch = Watch::new(goes_on);
    let needed = graph.needed(roots);
    let mut readers: HashMap<NodeId, usize> = HashMap::new();
    for input in needed.iter().flat_map(|id| &graph.node(*id).inputs).chain(roots) {
        *readers.entry(*input).or_default() += 1;
    }
    let mut values: HashMap<NodeId, Rc<Tensor>> = HashMap::new();
    for family in graph.families(&needed) {
        if !goes_on() {
            return Err(INTERRUPTED.to_string());
        }
        let (node, shape) = (graph.node(family[0]), settled(graph, family[0])?);
        let operands: Vec<Rc<Tensor>> = node.inputs.iter().map(|input| Rc::clone(&values[input])).collect();
        let made = if let Op::Input { number, .. } = node.op {
            vec![input(fed(number), number, &shape)?]
        } else if node.op.body().is_some() {
            body::run(graph, family, &operands, goes_on)?
        } else {
            let operands: Vec<&Tensor> = operands.iter().map(|operand| &**operand).collect();
            let value = compute::compute(&node.op, &operands, node.shaped.dtype, shape, &watch);
            vec![Rc::new(value.map_err(|trouble| format!("{}: {trouble}", node.op))?)]
        };
        if !watch.went_on() {
            return Err(INTERRUPTED.to_string());
        }
        family.iter().zip(&made).for_each(|(id, value)| look(*id, value));
        values.extend(family.iter().copied().zip(made));
        for input in family.iter().flat_map(|id| &graph.node(*id).inputs) {
            if let Some(left) = readers.get_mut(input) {
                *left -= 1;
                if *left == 0 {
                    values.remove(input);
                }
            }
        }
    }
    Ok(roots.iter().map(|root| Rc::clone(&values[root])).collect())
}

fn settled(graph: &Graph, id: NodeId) -> Result<Vec<usize>, String> {
    let number = |size: &crate::ir::Size| {
        let count = size.settled().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| format!("the size {size} is not settled"))
    };
    graph.shape(id).iter().map(number).collect()
}

fn input(fed: Option<Rc<Tensor>>, number: u32, shape: &[usize]) -> Result<Rc<Tensor>, String> {
    match fed {
        Some(tensor) if tensor.shape == shape => Ok(tensor),
        Some(tensor) => Err(format!("input {number} is {:?}, and {shape:?} is wanted", tensor.shape)),
        None => Err(format!("there is no input {number}")),
    }
}
