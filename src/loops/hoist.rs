//! What leaves a loop to be computed before it: whatever is the same in each step, and products with a matrix that is, for all steps at
//! once, with what leads to them and what is made of them element by element. Anything else that does not depend on the step before
//! stays: computed at once it would take as many operations, and more memory.

use super::Given;
use super::inside::{Inside, Kind, is_within, moved, size};
use super::lift::{Lifted, Outside};
use crate::ir::{Class, Graph, NodeId, Op, ScanBuilder};

/// What is made on the way to a product may be so many times as large as what a step takes with what the product gives.
const ON_THE_WAY: i64 = 4;

pub fn hoist(graph: &mut Graph, built: &mut ScanBuilder, outside: &mut Outside, each: &mut [Given]) {
    let nexts: Vec<NodeId> = built.carries.iter().map(|carry| carry.next).collect();
    let given: Vec<NodeId> =
        each.iter().filter_map(|given| if let Given::Inside(node) = given { Some(*node) } else { None }).collect();
    outside.follow(built);
    let inside = Inside::of(built, &[&nexts[..], &given].concat());
    let mut leaves = vec![false; inside.kinds.len()];
    the_same(built, &inside, &mut leaves);
    products(built, &inside, &mut leaves);
    followers(built, &inside, &mut leaves);

    let is_same = |id: NodeId| inside.kind(id) == Kind::Same;
    let is_read = |leaves: &[bool], id: NodeId| {
        let stays = inside.readers[id.0 as usize].iter().any(|reader| !leaves[reader.0 as usize]);
        stays || nexts.contains(&id) || (is_same(id) && given.contains(&id))
    };
    // The loop reads views where they lie.
    for id in inside.needed.iter().rev() {
        let is_view = built.body.node(*id).op.class() == Class::View;
        if leaves[id.0 as usize] && is_view && is_read(&leaves, *id) {
            leaves[id.0 as usize] = false;
        }
    }
    let left: Vec<NodeId> = inside.needed.iter().copied().filter(|id| leaves[id.0 as usize]).collect();
    for given in each.iter_mut() {
        if let Given::Inside(node) = *given
            && leaves[node.0 as usize]
            && !is_same(node)
        {
            *given = Given::Outside(outside.each(graph, node));
        }
    }
    for id in left.into_iter().filter(|id| is_read(&leaves, *id)) {
        match outside.lift(graph, id) {
            Lifted::Same(outer) => built.captures.push((outer, id)),
            Lifted::Each(outer) => built.slices.push((outer, id)),
        }
    }
}

/// What is made of captures.
fn the_same(built: &ScanBuilder, inside: &Inside, leaves: &mut [bool]) {
    let mut reads = inside.is_input.clone();
    for id in &inside.needed {
        let node = built.body.node(*id);
        reads[id.0 as usize] = node.inputs.iter().any(|input| reads[input.0 as usize]);
        leaves[id.0 as usize] = inside.kind(*id) == Kind::Same && inside.can_lift(*id) && reads[id.0 as usize];
    }
}

/// Products with what is the same in each step, and what leads to them.
fn products(built: &ScanBuilder, inside: &Inside, leaves: &mut [bool]) {
    let (body, inputs, moved) = (&built.body, built.inputs(), moved(built));
    for id in &inside.needed {
        let node = body.node(*id);
        let Op::Dot { contracted, .. } = &node.op else { continue };
        let with_same = node.inputs.iter().any(|input| inside.kind(*input) == Kind::Same);
        if inside.kind(*id) != Kind::Each || !inside.can_lift(*id) || !with_same || contracted.is_empty() {
            continue;
        }
        let most = moved.plus(&size(body, *id));
        let way = body.needed_behind(&inputs, &[*id]);
        if way.iter().all(|made| is_within(&size(body, *made), ON_THE_WAY, &most) || inside.kind(*made) == Kind::Same) {
            way.into_iter().filter(|made| inside.kind(*made) == Kind::Each).for_each(|made| {
                leaves[made.0 as usize] = true;
            });
        }
    }
}

/// What is made element by element of what leaves the loop, and is no larger.
fn followers(built: &ScanBuilder, inside: &Inside, leaves: &mut [bool]) {
    for id in &inside.needed {
        let node = built.body.node(*id);
        let follows = match node.op.class() {
            Class::Elementwise | Class::View | Class::Reduction => true,
            Class::Leaf | Class::Draw | Class::Copy | Class::Order | Class::Product | Class::Body => false,
        };
        if leaves[id.0 as usize] || inside.kind(*id) != Kind::Each || !inside.can_lift(*id) || !follows {
            continue;
        }
        let is_out = |input: &NodeId| leaves[input.0 as usize] && inside.kind(*input) == Kind::Each;
        let known =
            |input: &NodeId| is_out(input) || inside.kind(*input) == Kind::Same || inside.is_input[input.0 as usize];
        let own = size(&built.body, *id);
        let is_no_larger =
            node.inputs.iter().any(|input| is_out(input) && is_within(&own, 1, &size(&built.body, *input)));
        leaves[id.0 as usize] = is_no_larger && node.inputs.iter().all(known);
    }
}
