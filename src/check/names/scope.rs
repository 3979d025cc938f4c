//! What declares names: items, statements, written types and reads.

use crate::syntax::tree::{
    Axis, Elem, Expr, ExprKind, Init, Name, Statement, StatementKind, Subscript, Target, Type, TypeKind,
};
use crate::syntax::walk as parts;

pub fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

pub fn value_of(init: &Init) -> &Expr {
    match init {
        Init::Value(value) | Init::Draw(value) => value,
    }
}

/// The names left of `=` or `~`.
pub fn names_of(target: &Target) -> &[Name] {
    match target {
        Target::One(name) | Target::Indexed(name, _) => std::slice::from_ref(name),
        Target::Several(names) => names,
    }
}

/// The names that the statements after this one may read. In `data` and `train`, `=` declares too.
pub fn declared(statement: &Statement, assigns: bool) -> Vec<String> {
    let mut names = Vec::new();
    match &statement.kind {
        StatementKind::Let(target, ..) | StatementKind::Param(target, ..) => {
            names.extend(names_of(target).iter().map(|name| name.text.clone()));
        }
        StatementKind::State(target, ..) => {
            names.extend(names_of(target).iter().flat_map(|name| [name.text.clone(), format!("{}'", name.text)]));
        }
        StatementKind::Calibrate(name, ..) => names.push(name.text.clone()),
        StatementKind::Assign(target, ..) if assigns => {
            names.extend(names_of(target).iter().map(|name| name.text.clone()));
        }
        StatementKind::Assign(..)
        | StatementKind::Out(_)
        | StatementKind::Emit(..)
        | StatementKind::Minimize(_)
        | StatementKind::Report(..)
        | StatementKind::Predict(..)
        | StatementKind::Check(..) => {}
    }
    parts::expressions(statement, &mut |expr| {
        if let ExprKind::As(_, name) = &expr.kind {
            names.push(name.text.clone());
        }
    });
    names
}

/// The sizes that a type names: those that stand alone; in the type of an input, wherever they stand.
pub fn bound(ty: &Type, anywhere: bool) -> Vec<String> {
    let mut names = Vec::new();
    let rests = match &ty.kind {
        TypeKind::Word(_) => return names,
        TypeKind::List(inner) => return bound(inner, anywhere),
        TypeKind::Tuple(parts) | TypeKind::Either(parts) => {
            return parts.iter().flat_map(|part| bound(part, anywhere)).collect();
        }
        TypeKind::Tensor(Elem::Float | Elem::Int | Elem::Bool | Elem::Class(_), axes) => axes,
    };
    for axis in rests {
        match axis {
            Axis::Rest(name, _) => names.extend(name.iter().map(|name| name.text.clone())),
            Axis::Size(_) => {}
        }
    }
    for size in sizes(ty) {
        match &size.kind {
            ExprKind::Name(name) => names.push(name.text.clone()),
            _ if anywhere => parts::expression(size, &mut |part| {
                if let ExprKind::Name(name) = &part.kind {
                    names.push(name.text.clone());
                }
            }),
            _ => {}
        }
    }
    names
}

/// The index names that subscripts introduce.
pub fn indices(subscripts: &[Subscript]) -> Vec<String> {
    let mut names = Vec::new();
    for subscript in subscripts {
        match subscript {
            Subscript::Rest(name, _) => names.extend(name.iter().map(|name| name.text.clone())),
            Subscript::At(at, _) => {
                if let ExprKind::Name(name) = &at.kind {
                    names.push(name.text.clone());
                }
            }
            Subscript::Slice(..) => {}
            Subscript::Group(axes, _) => names.extend(axes.iter().map(|(name, _)| name.text.clone())),
        }
    }
    names
}

/// The index names that the reads of an expression introduce.
pub fn read_names(expr: &Expr) -> Vec<String> {
    let mut names = Vec::new();
    parts::expression(expr, &mut |part| {
        if let ExprKind::Index(_, subscripts) = &part.kind {
            names.extend(indices(subscripts));
        }
    });
    names
}

/// What a stage of a pipe applies: itself, each of a list, either branch.
pub fn stages(stage: &Expr) -> Vec<&Expr> {
    match &stage.kind {
        ExprKind::As(inner, _) => stages(inner),
        ExprKind::List(all) => all.iter().flat_map(stages).collect(),
        _ => vec![stage],
    }
}

/// The sizes of a written type.
pub fn sizes(ty: &Type) -> Vec<&Expr> {
    match &ty.kind {
        TypeKind::Word(_) => Vec::new(),
        TypeKind::List(inner) => sizes(inner),
        TypeKind::Tuple(parts) | TypeKind::Either(parts) => parts.iter().flat_map(sizes).collect(),
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

/// The sizes that subscripts declare: `h: heads`.
pub fn written_sizes(subscripts: &[Subscript]) -> Vec<&Expr> {
    let of = |subscript| match subscript {
        &Subscript::Rest(..) | &Subscript::Slice(..) => Vec::new(),
        Subscript::At(_, size) => size.iter().collect(),
        Subscript::Group(axes, _) => axes.iter().filter_map(|(_, size)| size.as_ref()).collect::<Vec<&Expr>>(),
    };
    subscripts.iter().flat_map(of).collect()
}
