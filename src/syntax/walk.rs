//! Visits every expression of an item or a statement, each before its parts.

use super::tree::{
    Axis, Elem, Expr, ExprKind, File, FnBody, Init, ItemKind, Param, Statement, StatementKind, Subscript, Target, Type,
    TypeKind,
};

/// Every expression of a file.
pub fn file(file: &File, visit: &mut impl FnMut(&Expr)) {
    file.items.iter().for_each(|one| item(&one.kind, visit));
}

/// Every expression of an item, those of its types included.
pub fn item(item: &ItemKind, visit: &mut impl FnMut(&Expr)) {
    let mut body = |statements: &[Statement]| statements.iter().for_each(|statement| expressions(statement, visit));
    match item {
        ItemKind::Use(_) => {}
        ItemKind::Let(item) => expression(&item.value, visit),
        ItemKind::Fn(function) => {
            match &function.body {
                FnBody::Primitive => {}
                FnBody::Expr(value) => expression(value, visit),
                FnBody::Block(statements) => body(statements),
            }
            params(&function.params, visit);
            function.result.iter().for_each(|ty| type_(ty, visit));
        }
        ItemKind::Layer(layer) => {
            body(&layer.body);
            params(&layer.hyper, visit);
            params(&layer.inputs, visit);
            layer.result.iter().for_each(|ty| type_(ty, visit));
        }
        ItemKind::Optimizer(optimizer) => {
            body(&optimizer.body);
            params(&optimizer.hyper, visit);
        }
        ItemKind::Data(data) => {
            body(&data.body);
            expression(&data.from, visit);
        }
        ItemKind::Train(block) | ItemKind::Sweep(block) => body(&block.body),
    }
}

fn params(params: &[Param], visit: &mut impl FnMut(&Expr)) {
    for param in params {
        param.ty.iter().for_each(|ty| type_(ty, visit));
        param.default.iter().for_each(|default| expression(default, visit));
    }
}

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
        | StatementKind::Check(_, value)
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
        Target::Indexed(_, all) => of_subscripts(all).into_iter().for_each(|part| expression(part, visit)),
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
    parts(expr).into_iter().for_each(|part| expression(part, visit));
    if let ExprKind::Scan(scan) = &expr.kind {
        scan.body.iter().for_each(|statement| expressions(statement, visit));
    }
}

/// The expressions that an expression is made of, in the order of the text. The body of a `scan` is statements.
pub fn parts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Number { .. } | ExprKind::Text(_) | ExprKind::Truth(_) | ExprKind::Name(_) => Vec::new(),
        ExprKind::Call(callee, arguments) => {
            std::iter::once(&**callee).chain(arguments.iter().map(|argument| &argument.value)).collect()
        }
        ExprKind::Reduce(reduce) => {
            [&reduce.function].into_iter().chain(&reduce.filter).chain([&reduce.body]).collect()
        }
        ExprKind::Index(base, all) => std::iter::once(&**base).chain(of_subscripts(all)).collect(),
        ExprKind::Field(a, _) | ExprKind::Unary(_, a) | ExprKind::As(a, _) => vec![a],
        ExprKind::Binary(_, _, a, b)
        | ExprKind::Pipe(a, _, b)
        | ExprKind::Range(a, b)
        | ExprKind::From(a, b, ..)
        | ExprKind::Comprehension(a, _, b) => vec![a, b],
        ExprKind::If(a, b, c) => vec![a, b, c],
        ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().collect(),
        ExprKind::Record(entries) => entries.iter().map(|(_, value)| value).collect(),
        ExprKind::Scan(scan) => scan.over.iter().collect(),
    }
}

/// Every expression of the subscripts of a read.
pub fn of_subscripts(all: &[Subscript]) -> Vec<&Expr> {
    fn of(subscript: &Subscript) -> Vec<&Expr> {
        match subscript {
            Subscript::Rest(..) => Vec::new(),
            Subscript::At(at, size) => [at].into_iter().chain(size).collect(),
            Subscript::Slice(from, to, _) => [from].into_iter().chain(to).collect(),
            Subscript::Group(names, _) => names.iter().filter_map(|(_, size)| size.as_ref()).collect(),
        }
    }
    all.iter().flat_map(of).collect()
}
