//! E0199: constructs that parse and whose meaning is not built yet, found by one walk without types.

mod table;

pub use table::{SOURCES, function, messages};

use super::names::names_of;
use super::walk;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{
    Data, Expr, ExprKind, File, FnBody, IndexPlace, Init, Item, ItemKind, Minimize, Param, Statement, StatementKind,
    Target, Type, TypeKind, Word,
};
use table::{construct, setting, source};

/// Whose body a statement stands in.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Computation,
    Optimizer,
    Data,
    Train,
}

/// Everything of a file that is not built yet. Functions are found with the names, which know what hides them.
pub fn check(file: &File) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    file.items.iter().for_each(|item| of_item(item, &mut found));
    walk::params(file).into_iter().for_each(|param| of_param(param, &mut found));
    for ty in walk::results(file) {
        found.extend(matches!(ty.kind, TypeKind::Tuple(_)).then(|| construct("tuple", ty.span)));
    }
    walk::expressions(file, &mut |expr| of_expression(expr, &mut found));
    found
}

fn of_item(item: &Item, found: &mut Vec<Diagnostic>) {
    match &item.kind {
        ItemKind::Use(text) => found.push(construct("use", text.span)),
        ItemKind::Let(_) => {}
        ItemKind::Fn(function) => match &function.body {
            FnBody::Primitive | FnBody::Expr(_) => {}
            FnBody::Block(body) => of_body(Of::Computation, body, found),
        },
        ItemKind::Layer(layer) => of_body(Of::Computation, &layer.body, found),
        ItemKind::Optimizer(optimizer) => {
            found.extend(optimizer.input.iter().map(|input| construct("rank", input.name.span)));
            of_body(Of::Optimizer, &optimizer.body, found);
        }
        ItemKind::Data(data) => {
            found.extend(of_source(data));
            of_body(Of::Data, &data.body, found);
        }
        ItemKind::Train(block) => of_body(Of::Train, &block.body, found),
        ItemKind::Sweep(block) => found.push(construct("sweep", block.word)),
    }
}

fn of_source(data: &Data) -> Option<Diagnostic> {
    let ExprKind::Call(callee, _) = &data.from.kind else { return None };
    let ExprKind::Name(name) = &callee.kind else { return None };
    source(&name.text, name.span)
}

fn of_param(param: &Param, found: &mut Vec<Diagnostic>) {
    let Some(ty) = &param.ty else { return };
    let row = match &ty.kind {
        TypeKind::Tensor(..) | TypeKind::Tuple(_) => None,
        TypeKind::List(_) => Some("list"),
        TypeKind::Word(word) => match word {
            Word::Int | Word::Float | Word::Bool | Word::Fn => None,
            Word::String => Some("string"),
            Word::Layer => Some("layer"),
            Word::Distribution => Some("distribution"),
        },
    };
    found.extend(row.map(|row| construct(row, ty.span)));
}

fn of_body(of: Of, body: &[Statement], found: &mut Vec<Diagnostic>) {
    let mut minimizes = 0;
    for statement in body {
        match &statement.kind {
            StatementKind::Let(target, ty, init) => {
                of_target(target, "several", found);
                drawn(init, "draw", ty.as_ref(), target, found);
            }
            StatementKind::Param(target, ..) if of == Of::Train => found.push(construct("param", start(target))),
            StatementKind::State(target, ..) if of != Of::Optimizer => found.push(construct("state", start(target))),
            StatementKind::Param(..) | StatementKind::State(..) | StatementKind::Report(..) => {}
            StatementKind::Out(value) => match &value.kind {
                ExprKind::Record(_) => found.push(construct("record", value.span)),
                ExprKind::Tuple(_) => found.push(construct("tuple", value.span)),
                _ => {}
            },
            StatementKind::Emit(name, _) => found.push(construct("emit", name.span)),
            StatementKind::Assign(target, ty, init) => match of {
                Of::Train => found.extend(names_of(target).iter().filter_map(|name| setting(&name.text, name.span))),
                Of::Data => {
                    of_target(target, "columns", found);
                    drawn(init, "generated", ty.as_ref(), target, found);
                }
                Of::Computation | Of::Optimizer => {}
            },
            StatementKind::Minimize(minimize) => {
                minimizes += 1;
                if minimizes > 1 {
                    found.push(construct("minimizes", statement.span));
                }
                of_minimize(minimize, found);
            }
            StatementKind::Predict(name, _) => found.push(construct("predict", name.span)),
            StatementKind::Calibrate(name, ..) => found.push(construct("calibrate", name.span)),
        }
    }
}

fn of_minimize(minimize: &Minimize, found: &mut Vec<Diagnostic>) {
    found.extend(minimize.except.iter().map(|(other, _)| construct("except", other.span)));
    found.extend(minimize.over.first().map(|name| construct("over", name.span)));
    found.extend(minimize.times.iter().map(|times| construct("times", times.span)));
}

fn of_target(target: &Target, several: &str, found: &mut Vec<Diagnostic>) {
    match target {
        Target::One(_) => {}
        Target::Several(_) => found.push(construct(several, start(target))),
        Target::Indexed(_, places) => {
            for place in places {
                match place {
                    IndexPlace::Rest(..) | IndexPlace::At(_, None) | IndexPlace::Slice(..) => {}
                    IndexPlace::At(_, Some(size)) => found.push(construct("size", size.span)),
                    IndexPlace::Group(_, span) => found.push(construct("group", *span)),
                }
            }
        }
    }
}

fn drawn(init: &Init, row: &str, ty: Option<&Type>, target: &Target, found: &mut Vec<Diagnostic>) {
    match init {
        Init::Value(_) => {}
        Init::Draw(_) => found.push(construct(row, ty.map_or(start(target), |ty| start(target).to(ty.span)))),
    }
}

/// Where the first name stands.
fn start(target: &Target) -> Span {
    match target {
        Target::One(name) | Target::Indexed(name, _) => name.span,
        Target::Several(names) => names[0].span,
    }
}

fn of_expression(expr: &Expr, found: &mut Vec<Diagnostic>) {
    match &expr.kind {
        ExprKind::Scan(_) => found.push(construct("scan", expr.span)),
        ExprKind::Comprehension(..) => found.push(construct("comprehension", expr.span)),
        ExprKind::As(_, name) => found.push(construct("as", name.span)),
        ExprKind::From(_, run, _) => found.push(construct("from", run.span)),
        ExprKind::Reduce(reduce) => found.extend(reduce.filter.iter().map(|filter| construct("where", filter.span))),
        ExprKind::Index(_, places) => found.extend(places.iter().filter_map(of_place)),
        ExprKind::Number { .. }
        | ExprKind::Text(_)
        | ExprKind::Truth(_)
        | ExprKind::Name(_)
        | ExprKind::Call(..)
        | ExprKind::Field(..)
        | ExprKind::Unary(..)
        | ExprKind::Binary(..)
        | ExprKind::If(..)
        | ExprKind::Pipe(..)
        | ExprKind::Range(..)
        | ExprKind::List(_)
        | ExprKind::Tuple(_)
        | ExprKind::Record(_) => {}
    }
}

/// A place of a read: built are bare names.
fn of_place(place: &IndexPlace) -> Option<Diagnostic> {
    match place {
        IndexPlace::Rest(..) => None,
        IndexPlace::Slice(_, _, span) => Some(construct("slice", *span)),
        IndexPlace::Group(_, span) => Some(construct("group", *span)),
        IndexPlace::At(at, _) => match &at.kind {
            ExprKind::Name(_) => None,
            ExprKind::Number { .. } => Some(construct("slice", at.span)),
            _ if reads(at) => Some(construct("gather", at.span)),
            _ => Some(construct("affine", at.span)),
        },
    }
}

fn reads(expr: &Expr) -> bool {
    let mut reads = false;
    crate::syntax::walk::expression(expr, &mut |part| reads |= matches!(part.kind, ExprKind::Index(..)));
    reads
}
