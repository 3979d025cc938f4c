//! Walks over a whole file, for the checks that need no types.

use crate::syntax::tree::{Axis, Elem, Expr, File, FnBody, IndexPlace, ItemKind, Param, Statement, Type, TypeKind};
use crate::syntax::walk;

/// The parameters and inputs of every item.
pub fn params(file: &File) -> Vec<&Param> {
    let mut all: Vec<&Param> = Vec::new();
    for item in &file.items {
        match &item.kind {
            ItemKind::Fn(function) => all.extend(&function.params),
            ItemKind::Layer(layer) => all.extend(layer.hyper.iter().chain(&layer.inputs)),
            ItemKind::Optimizer(optimizer) => all.extend(optimizer.hyper.iter().chain(&optimizer.input)),
            ItemKind::Use(_) | ItemKind::Let(_) | ItemKind::Data(_) | ItemKind::Train(_) | ItemKind::Sweep(_) => {}
        }
    }
    all
}

/// The types of what items give.
pub fn results(file: &File) -> Vec<&Type> {
    file.items.iter().filter_map(|item| result(&item.kind)).collect()
}

fn result(kind: &ItemKind) -> Option<&Type> {
    match kind {
        ItemKind::Fn(function) => function.result.as_ref(),
        ItemKind::Layer(layer) => layer.result.as_ref(),
        ItemKind::Use(_)
        | ItemKind::Let(_)
        | ItemKind::Optimizer(_)
        | ItemKind::Data(_)
        | ItemKind::Train(_)
        | ItemKind::Sweep(_) => None,
    }
}

/// The statements of every item, and of every `scan` inside them.
pub fn bodies(file: &File) -> Vec<&[Statement]> {
    let mut all = Vec::new();
    for item in &file.items {
        match &item.kind {
            ItemKind::Use(_) | ItemKind::Let(_) => {}
            ItemKind::Fn(function) => match &function.body {
                FnBody::Block(body) => all.push(body.as_slice()),
                FnBody::Primitive | FnBody::Expr(_) => {}
            },
            ItemKind::Layer(layer) => all.push(&layer.body),
            ItemKind::Optimizer(optimizer) => all.push(&optimizer.body),
            ItemKind::Data(data) => all.push(&data.body),
            ItemKind::Train(block) | ItemKind::Sweep(block) => all.push(&block.body),
        }
    }
    all
}

/// Every expression of a file, each before its parts.
pub fn expressions(file: &File, visit: &mut impl FnMut(&Expr)) {
    for item in &file.items {
        match &item.kind {
            ItemKind::Let(item) => walk::expression(&item.value, visit),
            ItemKind::Fn(function) => match &function.body {
                FnBody::Expr(value) => walk::expression(value, visit),
                FnBody::Primitive | FnBody::Block(_) => {}
            },
            ItemKind::Data(data) => walk::expression(&data.from, visit),
            ItemKind::Use(_)
            | ItemKind::Layer(_)
            | ItemKind::Optimizer(_)
            | ItemKind::Train(_)
            | ItemKind::Sweep(_) => {}
        }
    }
    for param in params(file) {
        param.ty.iter().for_each(|ty| walk::type_(ty, visit));
        param.default.iter().for_each(|default| walk::expression(default, visit));
    }
    results(file).into_iter().for_each(|ty| walk::type_(ty, visit));
    bodies(file).into_iter().flatten().for_each(|statement| walk::expressions(statement, visit));
}

/// The sizes of a written type.
pub fn sizes(ty: &Type) -> Vec<&Expr> {
    match &ty.kind {
        TypeKind::Word(_) => Vec::new(),
        TypeKind::List(inner) => sizes(inner),
        TypeKind::Tuple(parts) => parts.iter().flat_map(sizes).collect(),
        TypeKind::Tensor(elem, axes) => {
            let class = match elem {
                Elem::Class(size) => Some(&**size),
                Elem::Float | Elem::Int | Elem::Bool => None,
            };
            class.into_iter().chain(axes.iter().filter_map(size)).collect()
        }
    }
}

fn size(axis: &Axis) -> Option<&Expr> {
    match axis {
        Axis::Rest(..) => None,
        Axis::Size(size) => Some(size),
    }
}

/// The sizes that places declare: `h: heads`.
pub fn written_sizes(places: &[IndexPlace]) -> Vec<&Expr> {
    let mut all: Vec<&Expr> = Vec::new();
    for place in places {
        match place {
            IndexPlace::Rest(..) | IndexPlace::Slice(..) => {}
            IndexPlace::At(_, size) => all.extend(size),
            IndexPlace::Group(axes, _) => all.extend(axes.iter().filter_map(|(_, size)| size.as_ref())),
        }
    }
    all
}

/// Every expression of the places of a read.
pub fn of_places(places: &[IndexPlace]) -> Vec<&Expr> {
    let mut all = written_sizes(places);
    for place in places {
        match place {
            IndexPlace::Rest(..) | IndexPlace::Group(..) => {}
            IndexPlace::At(at, _) => all.push(at),
            IndexPlace::Slice(low, high, _) => all.extend([low].into_iter().chain(high)),
        }
    }
    all
}
