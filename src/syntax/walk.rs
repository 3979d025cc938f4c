//! Visits every expression of a statement, each before its parts.

use super::tree::{Axis, Elem, Expr, ExprKind, IndexPlace, Init, Statement, StatementKind, Target, Type, TypeKind};

/// Every expression of a statement, those of its types included.
pub fn expressions(statement: &Statement, visit: &mut impl FnMut(&Expr)) {
    match &statement.kind {
        StatementKind::Let(to, ty, init)
        | StatementKind::Param(to, ty, init)
        | StatementKind::State(to, ty, init)
        | StatementKind::Assign(to, ty, init) => {
            target(to, visit);
            if let Some(ty) = ty {
                type_(ty, visit);
            }
            match init {
                Init::Value(value) | Init::Draw(value) => expression(value, visit),
            }
        }
        StatementKind::Out(value)
        | StatementKind::Emit(_, value)
        | StatementKind::Report(_, value)
        | StatementKind::Predict(_, value)
        | StatementKind::Calibrate(_, value, _) => expression(value, visit),
        StatementKind::Minimize(minimize) => {
            expression(&minimize.loss, visit);
            expression(&minimize.using, visit);
            minimize.except.iter().for_each(|(other, _)| expression(other, visit));
            minimize.times.iter().for_each(|times| expression(times, visit));
        }
    }
}

fn target(target: &Target, visit: &mut impl FnMut(&Expr)) {
    match target {
        Target::One(_) | Target::Several(_) => {}
        Target::Indexed(_, all) => places(all, visit),
    }
}

/// Every expression of a written type.
pub fn type_(ty: &Type, visit: &mut impl FnMut(&Expr)) {
    match &ty.kind {
        TypeKind::Word(_) => {}
        TypeKind::List(inner) => type_(inner, visit),
        TypeKind::Tuple(parts) => parts.iter().for_each(|part| type_(part, visit)),
        TypeKind::Tensor(elem, axes) => {
            if let Elem::Class(size) = elem {
                expression(size, visit);
            }
            for axis in axes {
                match axis {
                    Axis::Rest(..) => {}
                    Axis::Size(size) => expression(size, visit),
                }
            }
        }
    }
}

/// An expression and all its parts.
pub fn expression(expr: &Expr, visit: &mut impl FnMut(&Expr)) {
    visit(expr);
    match &expr.kind {
        ExprKind::Number { .. } | ExprKind::Text(_) | ExprKind::Truth(_) | ExprKind::Name(_) => {}
        ExprKind::Call(callee, arguments) => {
            expression(callee, visit);
            arguments.iter().for_each(|argument| expression(&argument.value, visit));
        }
        ExprKind::Reduce(reduce) => {
            expression(&reduce.function, visit);
            reduce.filter.iter().for_each(|filter| expression(filter, visit));
            expression(&reduce.body, visit);
        }
        ExprKind::Index(base, all) => {
            expression(base, visit);
            places(all, visit);
        }
        ExprKind::Field(base, _) => expression(base, visit),
        ExprKind::Unary(_, a) | ExprKind::As(a, _) => expression(a, visit),
        ExprKind::Binary(_, _, a, b) | ExprKind::Pipe(a, _, b) | ExprKind::Range(a, b) | ExprKind::From(a, b, _) => {
            expression(a, visit);
            expression(b, visit);
        }
        ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|part| expression(part, visit)),
        ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(|part| expression(part, visit)),
        ExprKind::Comprehension(body, _, list) => {
            expression(body, visit);
            expression(list, visit);
        }
        ExprKind::Record(entries) => entries.iter().for_each(|(_, value)| expression(value, visit)),
        ExprKind::Scan(scan) => {
            scan.over.iter().for_each(|over| expression(over, visit));
            scan.body.iter().for_each(|statement| expressions(statement, visit));
        }
    }
}

fn places(all: &[IndexPlace], visit: &mut impl FnMut(&Expr)) {
    for place in all {
        match place {
            IndexPlace::Rest(..) => {}
            IndexPlace::At(at, size) => {
                expression(at, visit);
                size.iter().for_each(|size| expression(size, visit));
            }
            IndexPlace::Slice(from, to, _) => {
                expression(from, visit);
                to.iter().for_each(|to| expression(to, visit));
            }
            IndexPlace::Group(names, _) => {
                names.iter().filter_map(|(_, size)| size.as_ref()).for_each(|size| expression(size, visit));
            }
        }
    }
}
