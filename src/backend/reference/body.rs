//! Calls of bodies, and loops: a step after the other, each by itself.

use super::{compute, settled, values};
use crate::backend::Tensor;
use crate::ir::{Graph, NodeId, Op, Part, Scan};
use std::rc::Rc;

/// The results that a family of nodes stands for.
pub(super) fn run(
    graph: &Graph,
    family: &[NodeId],
    operands: &[Rc<Tensor>],
    goes_on: &dyn Fn() -> bool,
) -> Result<Vec<Rc<Tensor>>, String> {
    let mut results = Vec::new();
    let mut parts = Vec::new();
    let mut scan = None;
    for id in family {
        let op = &graph.node(*id).op;
        if let (Op::Call(_, at), Some(body)) = (op, op.body()) {
            results.push(body.results()[*at]);
        }
        if let Op::Scan(own, part) = op {
            parts.push((*part, settled(graph, *id)?));
            scan = Some(own);
        }
    }
    match (scan, graph.node(family[0]).op.body()) {
        (Some(scan), _) => steps(scan, &parts, operands, goes_on),
        (None, Some(body)) => {
            values(body.graph(), &results, &|at| operands.get(at as usize).cloned(), goes_on, &mut |_, _| ())
        }
        (None, None) => Err("there is no body".to_string()),
    }
}

/// All steps of a loop: the parts that are wanted, of their shapes.
fn steps(
    scan: &Scan,
    parts: &[(Part, Vec<usize>)],
    operands: &[Rc<Tensor>],
    goes_on: &dyn Fn() -> bool,
) -> Result<Vec<Rc<Tensor>>, String> {
    let count = compute::number(&scan.steps)?.max(0) as usize;
    let live = scan.live(&parts.iter().map(|(part, _)| *part).collect::<Vec<_>>());
    let roots: Vec<NodeId> = live.iter().map(|at| scan.body.results()[*at]).collect();
    let mut carries = operands[..scan.carries].to_vec();
    let mut stacks: Vec<Tensor> = parts.iter().map(|(_, shape)| Tensor::filled(shape.clone(), 0.0)).collect();
    for step in 0..count {
        let place = if scan.reverse { count - 1 - step } else { step };
        let fed = |number: u32| {
            let Some(at) = (number as usize).checked_sub(1) else { return Some(Rc::new(Tensor::scalar(place as f64))) };
            match at {
                at if at < scan.carries => carries.get(at).cloned(),
                at if at < scan.carries + scan.slices => operands.get(at).map(|all| Rc::new(slice(all, place))),
                at => operands.get(at).cloned(),
            }
        };
        let made =
            values(scan.body.graph(), &roots, &fed, goes_on, &mut |_, _| ()).map_err(|wrong| match wrong.as_str() {
                "interrupted" => wrong,
                _ => format!("step {place} of a scan: {wrong}"),
            })?;
        for ((part, _), stack) in parts.iter().zip(&mut stacks) {
            match part {
                Part::Before(carry) => put(stack, place, &carries[*carry]),
                Part::Each(each) => {
                    let found = live.iter().zip(&made).find(|(at, _)| **at == scan.carries + each);
                    found.into_iter().for_each(|(_, value)| put(stack, place, value));
                }
                Part::Last(_) => {}
            }
        }
        for (at, value) in live.iter().zip(made).filter(|(at, _)| **at < scan.carries) {
            carries[*at] = value;
        }
    }
    let result = |((part, _), stack): (&(Part, Vec<usize>), Tensor)| match part {
        Part::Last(carry) => Rc::clone(&carries[*carry]),
        Part::Each(_) | Part::Before(_) => Rc::new(stack),
    };
    Ok(parts.iter().zip(stacks).map(result).collect())
}

/// What is at a place of the first axis.
fn slice(all: &Tensor, place: usize) -> Tensor {
    let shape = all.shape[1..].to_vec();
    let width: usize = shape.iter().product();
    Tensor { values: all.values[place * width..][..width].to_vec(), shape }
}

fn put(stack: &mut Tensor, place: usize, value: &Tensor) {
    let width = value.values.len();
    stack.values[place * width..][..width].copy_from_slice(&value.values);
}
