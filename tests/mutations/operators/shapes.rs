//! Sizes, axes and indices.

use super::Elsewhere::{Never, Run};
use super::{Operator, operator};
use crate::mutations::rewrite::{Good, Mutant, cut, given, named, one, positional, put, stage, whole};
use mlx::source::Span;
use mlx::syntax::tree::{Axis, Binary, Expr, ExprKind, ReduceIndex, StatementKind, Subscript, Target, Type, TypeKind};

pub const ALL: &[Operator] = &[
    operator("a size of a signature is one more", Run, sizes, "the size is used nowhere else"),
    operator("the axes of a parameter change places", Run, axes, "the parameter is square"),
    operator("the factors of a product of matrices change places", Run, factors, "both are square"),
    operator("a `transpose` is left out", Run, |good| without_call(good, "transpose"), "the matrix is square"),
    operator("a `squeeze` is left out", Never, |good| without(good, &["squeeze"]), ""),
    operator(
        "an axis of 1 is left in what a model gives",
        Never,
        left_in,
        "nothing but a mean reads it, which is the same",
    ),
    operator(
        "a layer that changes the shape is left out",
        Run,
        |good| without(good, SHAPING),
        "the shape fits all the same",
    ),
    operator("the last linear map is left out", Run, last_map, "it has as many units as its input"),
    operator("heads or groups that do not divide", Run, heads, ""),
    operator("`concat` or `stack` along another axis", Run, joined, "all axes have one size"),
    operator("`split` into one part more", Run, parts, ""),
    operator("one name too few for the parts of a tensor", Run, names_of_parts, ""),
    operator("an index too few", Never, index_too_few, ""),
    operator("two indices change places", Never, indices, "both axes have one size, and either order means something"),
    operator("an index is off by one", Run, off_by_one, "what is shorter by one fits all the same"),
    operator(
        "a reduction over another index",
        Never,
        other_index,
        "the index is the row's, whose mean is a loss as well",
    ),
    operator("one class too few", Run, |good| classes(good, false), ""),
    operator(
        "one class too many",
        Never,
        |good| classes(good, true),
        "the scores are sliced to the classes that there are",
    ),
    operator("a window larger than what it slides over", Run, windows, ""),
];

/// Written types of layers, models and parameters.
fn types(good: &Good) -> Vec<&Type> {
    let mut types = Vec::new();
    for layer in good.layers() {
        types.extend(layer.inputs.iter().filter_map(|input| input.ty.as_ref()));
        types.extend(&layer.result);
        types.extend(params(&layer.body));
    }
    types
}

fn params(body: &[mlx::syntax::tree::Statement]) -> impl Iterator<Item = &Type> {
    body.iter().filter_map(|statement| match &statement.kind {
        StatementKind::Param(_, ty, _) => ty.as_ref(),
        _ => None,
    })
}

fn written_axes(ty: &Type) -> Vec<&Expr> {
    let TypeKind::Tensor(_, axes) = &ty.kind else { return Vec::new() };
    let mut sizes = Vec::new();
    for axis in axes {
        match axis {
            Axis::Size(size) => sizes.push(size),
            Axis::Rest(..) => {}
        }
    }
    sizes
}

fn sizes(good: &Good) -> Vec<Mutant> {
    let written = types(good).into_iter().flat_map(written_axes);
    let numbers = written.filter_map(|size| Some((size, whole(size).filter(|size| *size > 1)?)));
    numbers.map(|(size, number)| vec![put(size.span, (number + 1).to_string())]).collect()
}

fn swapped(good: &Good, a: Span, b: Span) -> Option<Mutant> {
    (good.of(a) != good.of(b)).then(|| vec![put(a, good.of(b)), put(b, good.of(a))])
}

fn axes(good: &Good) -> Vec<Mutant> {
    let params = good.layers().flat_map(|layer| params(&layer.body));
    params
        .filter_map(|ty| match written_axes(ty)[..] {
            [a, b] => swapped(good, a.span, b.span),
            _ => None,
        })
        .collect()
}

fn factors(good: &Good) -> Vec<Mutant> {
    good.exprs()
        .filter_map(|expr| match &expr.kind {
            ExprKind::Binary(Binary::Product, _, a, b) => swapped(good, a.span, b.span),
            _ => None,
        })
        .collect()
}

fn without_call(good: &Good, name: &str) -> Vec<Mutant> {
    let calls = good.calls().filter(|(own, ..)| *own == name);
    calls
        .filter_map(|(_, call, arguments)| Some(vec![put(call.span, good.of(positional(arguments).first()?.span))]))
        .collect()
}

/// Pipes without one of these stages, and what they are called with.
pub fn without(good: &Good, names: &[&str]) -> Vec<Mutant> {
    let mut mutants: Vec<Mutant> = names.iter().flat_map(|name| without_call(good, name)).collect();
    for expr in good.exprs() {
        if let ExprKind::Pipe(_, operator, right) = &expr.kind
            && stage(right).is_some_and(|name| names.contains(&name))
        {
            mutants.push(vec![cut(*operator, right.span)]);
        }
    }
    mutants
}

/// Layers whose result has another shape than their input, whatever they are told.
const SHAPING: &[&str] = &[
    "flatten",
    "one_hot",
    "embedding",
    "max_pool",
    "average_pool",
    "adaptive_average_pool",
    "global_average_pool",
    "global_max_pool",
    "upsample",
    "sequence_last",
    "sequence_mean",
    "sequence_max",
    "argmax",
];

/// A `squeeze` is left out, and the model says so: what it gives meets a target without that axis.
fn left_in(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for model in good.models() {
        let (Some(result), Some(out)) = (&model.result, given(model)) else { continue };
        let ExprKind::Pipe(_, operator, last) = &out.kind else { continue };
        if stage(last) == Some("squeeze") && good.of(result.span) == "[n]" {
            mutants.push(vec![put(result.span, "[n, 1]"), cut(*operator, last.span)]);
        }
    }
    mutants
}

fn last_map(good: &Good) -> Vec<Mutant> {
    let outs = good.models().filter_map(given);
    outs.filter_map(|out| match &out.kind {
        ExprKind::Pipe(before, operator, last) => match stage(last) {
            Some("dense") => Some(vec![cut(*operator, last.span)]),
            Some("squeeze") => match &before.kind {
                ExprKind::Pipe(_, operator, map) if stage(map) == Some("dense") => Some(vec![cut(*operator, map.span)]),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
    .collect()
}

fn heads(good: &Good) -> Vec<Mutant> {
    let divide = ["attention", "transformer_block", "encoder_block", "decoder_block", "group_norm"];
    let calls = good.calls().filter(|(name, ..)| divide.contains(name));
    calls
        .filter_map(|(_, _, arguments)| {
            let first = *positional(arguments).first()?;
            Some(vec![put(first.span, (2 * whole(first)? + 1).to_string())])
        })
        .collect()
}

fn joined(good: &Good) -> Vec<Mutant> {
    let calls = good.calls().filter(|(name, ..)| matches!(*name, "concat" | "stack"));
    let bare = calls.filter(|(.., arguments)| arguments.iter().all(|argument| argument.name.is_none()));
    bare.filter_map(|(.., arguments)| {
        let last = arguments.last()?.value.span;
        Some(vec![put(last, format!("{}, axis = 0", good.of(last)))])
    })
    .collect()
}

fn parts(good: &Good) -> Vec<Mutant> {
    let calls = good.calls().filter(|(name, ..)| *name == "split");
    calls
        .filter_map(|(.., arguments)| {
            let count = *positional(arguments).last()?;
            Some(vec![put(count.span, (whole(count)? + 1).to_string())])
        })
        .collect()
}

fn names_of_parts(good: &Good) -> Vec<Mutant> {
    let statements = good.file.items.iter().flat_map(crate::mutations::rewrite::body);
    statements
        .filter_map(|statement| match &statement.kind {
            StatementKind::Let(Target::Several(names), ..) if names.len() > 2 => {
                let before = names[names.len() - 2].span;
                let last = names[names.len() - 1].span;
                Some(vec![cut(Span { start: before.end, end: before.end, ..before }, last)])
            }
            _ => None,
        })
        .collect()
}

/// Reads at places, with them.
fn reads(good: &Good) -> impl Iterator<Item = &[Subscript]> {
    good.exprs().filter_map(|expr| match &expr.kind {
        ExprKind::Index(_, subscripts) => Some(&subscripts[..]),
        _ => None,
    })
}

/// The place that is a bare name.
fn bare(subscript: &Subscript) -> Option<&Expr> {
    match subscript {
        Subscript::At(at, None) if named(at).is_some() => Some(at),
        Subscript::At(..) | Subscript::Rest(..) | Subscript::Slice(..) | Subscript::Group(..) => None,
    }
}

fn index_too_few(good: &Good) -> Vec<Mutant> {
    reads(good)
        .filter_map(|places| match places {
            [.., before, last] => {
                let (before, last) = (bare(before)?.span, bare(last)?.span);
                Some(vec![cut(Span { start: before.end, end: before.end, ..before }, last)])
            }
            _ => None,
        })
        .collect()
}

fn indices(good: &Good) -> Vec<Mutant> {
    reads(good)
        .filter_map(|places| match places {
            [.., before, last] => swapped(good, bare(before)?.span, bare(last)?.span),
            _ => None,
        })
        .collect()
}

fn off_by_one(good: &Good) -> Vec<Mutant> {
    let last = reads(good).filter_map(|places| bare(places.last()?));
    last.map(|place| vec![put(place.span, format!("{} + 1", good.of(place.span)))]).collect()
}

fn other_index(good: &Good) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for expr in good.exprs() {
        let ExprKind::Reduce(reduce) = &expr.kind else { continue };
        let [ReduceIndex::One(own)] = &reduce.indices[..] else { continue };
        let mut other = None;
        mlx::syntax::walk::expression(&reduce.body, &mut |part: &Expr| {
            if let ExprKind::Index(_, subscripts) = &part.kind {
                let names = subscripts.iter().filter_map(bare).filter_map(named);
                other = other.take().or(names.into_iter().find(|name| *name != own.text).map(str::to_string));
            }
        });
        mutants.extend(other.map(|other| vec![put(own.span, other)]));
    }
    mutants
}

/// The last map of a model and what it says that it gives have another number of classes than the target.
fn classes(good: &Good, more: bool) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    if !good.calls().any(|(name, ..)| matches!(name, "cross_entropy" | "nll" | "focal")) {
        return mutants;
    }
    for model in good.models() {
        let (Some(result), Some(out)) = (&model.result, given(model)) else { continue };
        let Some(written) = written_axes(result).pop() else { continue };
        let ExprKind::Pipe(_, _, last) = &out.kind else { continue };
        let ExprKind::Call(callee, arguments) = &last.kind else { continue };
        let Some(units) = positional(arguments).pop().filter(|_| named(callee) == Some("dense")) else { continue };
        if let (Some(a), Some(b)) = (whole(written), whole(units))
            && a == b
            && a > 1
        {
            let other = if more { a + 1 } else { a - 1 }.to_string();
            mutants.push(vec![put(written.span, other.clone()), put(units.span, other)]);
        }
    }
    mutants
}

fn windows(good: &Good) -> Vec<Mutant> {
    let pools = good.calls().filter(|(name, ..)| matches!(*name, "max_pool" | "average_pool"));
    pools
        .filter_map(|(.., arguments)| positional(arguments).pop().map(|size| one(put(size.span, "99"))))
        .flatten()
        .collect()
}
