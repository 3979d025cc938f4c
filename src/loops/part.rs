//! A product of a concatenation along the axis that is summed over is a sum of products of its parts. Where some parts come from the
//! step before and others do not, the products of those others can leave the loop.

use super::inside::{Inside, Kind};
use crate::ir::{Graph, NodeId, Op, ScalarOp, ScanBuilder, Size};
use std::collections::HashMap;
use std::ops::Range;

pub fn split(built: &mut ScanBuilder) {
    let results = built.results();
    let inside = Inside::of(built, &results);
    let mut now: HashMap<NodeId, NodeId> = HashMap::new();
    for id in &inside.needed {
        let node = built.body.node(*id).clone();
        let inputs: Vec<NodeId> = node.inputs.iter().map(|input| *now.get(input).unwrap_or(input)).collect();
        let made = match parts(&built.body, &inside, *id) {
            Some(parts) => sum_of_parts(&mut built.body, &node.op, &inputs, &parts),
            None if inputs != node.inputs => built.body.add(node.op, inputs),
            None => continue,
        };
        now.insert(*id, made);
    }
    built.replace(&now);
}

/// Parts of an operand along one of its axes, which are multiplied separately: ranges of the operands of a concatenation.
struct Parts {
    operand: usize,
    axis: usize,
    other_axis: usize,
    runs: Vec<Range<usize>>,
}

/// The parts of a product that are worth it: runs of such as come from the step before, and of such as do not.
fn parts(body: &Graph, inside: &Inside, id: NodeId) -> Option<Parts> {
    let node = body.node(id);
    let Op::Dot { contracted, .. } = &node.op else { return None };
    let swapped: Vec<(usize, usize)> = contracted.iter().map(|(i, j)| (*j, *i)).collect();
    for (operand, pairs) in [contracted, &swapped].into_iter().enumerate() {
        let concat = body.node(node.inputs[operand]);
        let Op::Concat(axis) = &concat.op else { continue };
        let Some((_, other_axis)) = pairs.iter().find(|(own, _)| own == axis) else { continue };
        let carried: Vec<bool> = concat.inputs.iter().map(|part| inside.kind(*part) == Kind::Carried).collect();
        let mut runs: Vec<Range<usize>> = Vec::new();
        for run in carried.chunk_by(|a, b| a == b) {
            let start = runs.last().map_or(0, |last| last.end);
            runs.push(start..start + run.len());
        }
        if runs.len() > 1 {
            return Some(Parts { operand, axis: *axis, other_axis: *other_axis, runs });
        }
    }
    None
}

fn sum_of_parts(body: &mut Graph, op: &Op, inputs: &[NodeId], parts: &Parts) -> NodeId {
    let all = body.node(inputs[parts.operand]).inputs.clone();
    let mut start = Size::from(0);
    let mut sum: Option<NodeId> = None;
    for run in &parts.runs {
        let own = all[run.clone()].to_vec();
        let count = own.iter().fold(Size::from(0), |sum, part| sum.plus(&body.shape(*part)[parts.axis]));
        let own = if let [one] = own[..] { one } else { body.add(Op::Concat(parts.axis), own) };
        let slice = Op::Slice { axis: parts.other_axis, start: start.clone(), count: count.clone(), step: 1 };
        let other = body.add(slice, vec![inputs[1 - parts.operand]]);
        let operands = if parts.operand == 0 { vec![own, other] } else { vec![other, own] };
        let product = body.add(op.clone(), operands);
        sum = Some(sum.map_or(product, |sum| body.binary(ScalarOp::Add, sum, product)));
        start = start.plus(&count);
    }
    sum.unwrap_or(inputs[parts.operand])
}
