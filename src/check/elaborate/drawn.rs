//! Functions that draw: `param w: [8, 8] ~ orthogonal`. Behind `~` may stand a `fn` that gives a tensor, which takes the place of a
//! distribution; sizes that only its result names are those of what is drawn.

use super::call::Arg;
use super::draw::Drawn;
use super::{Elaborator, Out};
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::Diagnostic;
use crate::ir::{Size, Symbol, philox};
use crate::source::Span;
use crate::syntax::tree::{
    self, Expr, ExprKind, FnBody, Function, Init, Item, ItemKind, Name, StatementKind, TypeKind,
};
use crate::syntax::walk;
use std::rc::Rc;

impl Elaborator<'_> {
    /// What stands behind `~`, drawn at a place of the program.
    pub(super) fn drawn_as(&mut self, ty: &Type, expr: &Expr, place: &str, scope: &mut Scope) -> Out<TermId> {
        if let Some(drawn) = self.drawn_by_function(ty, expr, place, scope)? {
            return Ok(drawn);
        }
        let law = self.distribution(ty, expr, scope)?;
        self.sample(&law, ty, Drawn::At(philox::path(place)), expr.span)
    }

    /// What a function gives that stands behind `~`; `None` where a distribution does. Its draws are counted below the place.
    pub(super) fn drawn_by_function(
        &mut self,
        ty: &Type,
        expr: &Expr,
        place: &str,
        scope: &mut Scope,
    ) -> Out<Option<TermId>> {
        let (callee, arguments) = match &expr.kind {
            ExprKind::Call(callee, arguments) => (&**callee, &arguments[..]),
            _ => (expr, &[][..]),
        };
        if !matches!(&callee.kind, ExprKind::Name(_)) {
            return Ok(None);
        }
        let Value::Item(item) = self.value(callee, scope)? else { return Ok(None) };
        let ItemKind::Fn(function) = &item.kind else { return Ok(None) };
        if !gives_tensor(function) {
            return Ok(None);
        }
        let given = self.arguments(arguments, scope)?;
        let given = self.with_fans(function, given, ty, expr.span);
        let around = std::mem::replace(&mut self.place, place.to_string());
        let drawn = self.drawn_by(&item, given, expr.span, ty);
        self.place = around;
        drawn.map(Some)
    }

    fn drawn_by(&mut self, item: &Rc<Item>, given: Vec<Arg>, span: Span, ty: &Type) -> Out<TermId> {
        let value = self.apply_for(item, given, span, Some(ty))?;
        let term = self.tensor(value, span)?;
        let found = self.ty(term).clone();
        if found.agrees(ty) {
            let ty = Type { free: found.free, mask: None, ..ty.clone() };
            return Ok(self.term(Kind::Cast(term), ty, span));
        }
        let message = format!("a draw of {ty}, and what is drawn is {found}");
        Err(self.error("E0274", message, span, &format!("this draws {found}")))
    }

    /// Sizes that only the result of a function names: of what is asked for, where something is.
    pub(super) fn sizes_of_result(
        &mut self,
        function: &Function,
        wanted: Option<&Type>,
        scope: &mut Scope,
        span: Span,
    ) -> Out<()> {
        let Some(result) = function.result.as_ref().filter(|_| gives_tensor(function)) else { return Ok(()) };
        if let Some(ty) = wanted {
            let stands_for = self.terms.add(Kind::Number(0.0), ty.clone(), span);
            let what = format!("what `{}` draws", function.name.text);
            self.meet_at(stands_for, span, result, scope, "E0274", &what)?;
            return Ok(());
        }
        let Some(name) = unbound(function, scope).into_iter().next() else { return Ok(()) };
        let message = format!("nothing here says `{}`, a size of what `{}` draws", name.text, function.name.text);
        let error = Diagnostic::error("E0266", message, span, "in this call")
            .label(name.span, format!("`{}` is named by the result alone", name.text));
        let help = format!("draw by it: `let w: [4, 4] ~ {}`, `param w: [4, 4] ~ {0}`", function.name.text);
        Err(self.report(error.help(help)))
    }

    /// In a function that is checked alone such sizes are symbols.
    pub(super) fn open_sizes_of_result(&mut self, function: &Function, scope: &mut Scope) {
        for name in unbound(function, scope) {
            let axis = Axis::new(Size::symbol(Symbol::open(&name.text)), name.span, "is decided by a use");
            if is_rest(function, &name) {
                scope.bind_rest(&name.text, vec![axis]);
            } else {
                scope.bind(&name, Value::Size(axis));
            }
        }
    }
}

fn gives_tensor(function: &Function) -> bool {
    let tensor = matches!(&function.result, Some(tree::Type { kind: TypeKind::Tensor(..), .. }));
    tensor && !matches!(function.body, FnBody::Primitive)
}

fn axes(function: &Function) -> &[tree::Axis] {
    match function.result.as_ref().map(|ty| &ty.kind) {
        Some(TypeKind::Tensor(_, axes)) => axes,
        _ => &[],
    }
}

fn is_rest(function: &Function, name: &Name) -> bool {
    axes(function).iter().any(|axis| matches!(axis, tree::Axis::Rest(Some(rest), _) if rest.text == name.text))
}

/// The sizes and rests of a function's result that its body reads and nothing else binds.
fn unbound(function: &Function, scope: &Scope) -> Vec<Name> {
    let named = |axis: &tree::Axis| match axis {
        tree::Axis::Size(Expr { kind: ExprKind::Name(name), .. }) if scope.get(&name.text).is_none() => {
            Some(name.clone())
        }
        tree::Axis::Rest(Some(name), _) if scope.rest(&name.text).is_none() => Some(name.clone()),
        tree::Axis::Size(_) | tree::Axis::Rest(..) => None,
    };
    let FnBody::Block(body) = &function.body else { return Vec::new() };
    let mut read: Vec<String> = Vec::new();
    for statement in body {
        walk::expressions(statement, &mut |expr| {
            if let ExprKind::Name(name) = &expr.kind {
                read.push(name.text.clone());
            }
        });
        if let StatementKind::Let(_, Some(tree::Type { kind: TypeKind::Tensor(_, axes), .. }), Init::Draw(_)) =
            &statement.kind
        {
            read.extend(axes.iter().filter_map(|axis| match axis {
                tree::Axis::Rest(Some(name), _) => Some(name.text.clone()),
                tree::Axis::Rest(None, _) | tree::Axis::Size(_) => None,
            }));
        }
    }
    axes(function).iter().filter_map(named).filter(|name| read.contains(&name.text)).collect()
}
