//! Definitions that nothing uses: each is checked alone, with symbols for what its signature leaves to a use and the defaults
//! of its hyperparameters. What depends on a use is left to it.

use super::{Elaborator, Out, Reported, open::Alone, primitive};
use crate::check::program;
use crate::check::terms::{Leaf, ParamId, Start};
use crate::check::types::{self, Origin, Type};
use crate::check::value::{Bound, Namespace, Scope, Value};
use crate::diagnostic::{Diagnostic, Severity};
use crate::ir::{Draw, Size, Symbol};
use crate::source::Span;
use crate::syntax::tree::{
    Axis, Elem, Expr, ExprKind, FnBody, Function, Item, ItemKind, Layer, Name, Optimizer, Param, TypeKind, Word,
};
use crate::syntax::walk;
use std::collections::{HashMap, HashSet};

/// How many axes a rest, `..s`, is tried with. The first is one, which reads like the rest itself.
const RANKS: [usize; 5] = [1, 0, 2, 3, 4];

/// The most rests that are tried independently of each other.
const MAX_RESTS: usize = 3;

/// A signature that is being entered without arguments.
struct Entry<'a> {
    scope: Scope,
    /// How many axes each rest has, in their order; those behind them have as many as the last.
    ranks: &'a [usize],
    rests: usize,
}

impl Elaborator<'_> {
    /// Checks the functions, layers and optimizers among the items that are not `reached`, those that others call first.
    /// `found` is what is known to be wrong, and `unread` the places of text that could not be read.
    pub fn definitions_alone(
        &mut self,
        items: &[Item],
        reached: &HashSet<Span>,
        unread: &[Span],
        found: &[Diagnostic],
    ) {
        let errors = found.iter().filter(|found| found.severity == Severity::Error);
        let wrong = names_around(items, errors.filter_map(|found| Some(found.labels.first()?.span)));
        let unread = names_around(items, unread.iter().copied());
        let mut alone = Alone { wrong, ..Alone::default() };
        // Other files may declare any name.
        self.blind = items.iter().any(|item| matches!(item.kind, ItemKind::Use(_)));
        for item in in_order_of_calls(items) {
            let Some(name) = item.kind.name().filter(|name| !reached.contains(&name.span)) else { continue };
            // What a lost statement says may change all that follows.
            if unread.contains(&name.span) {
                alone.wrong.insert(name.span);
                continue;
            }
            alone.name.clone_from(&name.text);
            // A mistake in a definition that it calls by name is reported there.
            let before = self.found.len();
            alone = self.whatever_the_ranks(&item.kind, alone);
            if self.found.len() > before {
                alone.wrong.insert(name.span);
            }
        }
    }

    /// Keeps the mistakes that are there whatever number of axes the rests of a signature have.
    fn whatever_the_ranks(&mut self, kind: &ItemKind, alone: Alone) -> Alone {
        let before = self.found.len();
        self.alone = Some(alone);
        let rests = self.definition(kind, &RANKS[..1]);
        let mut common = self.found.split_off(before);
        common.retain(|found| found.severity == Severity::Error);
        for ranks in combinations(rests) {
            if common.is_empty() {
                break;
            }
            self.definition(kind, &ranks);
            let place = |found: &Diagnostic| (found.code, found.labels.first().map(|label| label.span));
            let now: HashSet<_> = self.found.drain(before..).map(|found| place(&found)).collect();
            common.retain(|found| now.contains(&place(found)));
        }
        self.found.extend(common);
        self.alone.take().unwrap_or_default()
    }

    /// Checks a definition with rests of so many axes; how many rests its signature has.
    fn definition(&mut self, kind: &ItemKind, ranks: &[usize]) -> usize {
        self.reported.clear();
        self.params.clear();
        self.param_of.clear();
        self.made.clear();
        self.forget_passes();
        self.broken.clear();
        (self.depth, self.too_deep) = (0, false);
        let mut entry = Entry { scope: Scope::default(), ranks, rests: 0 };
        match kind {
            ItemKind::Fn(function) => self.function_alone(function, &mut entry),
            ItemKind::Layer(layer) => self.layer_alone(layer, &mut entry),
            ItemKind::Optimizer(optimizer) => self.optimizer_alone(optimizer, &mut entry),
            ItemKind::Use(_) | ItemKind::Let(_) | ItemKind::Data(_) | ItemKind::Train(_) | ItemKind::Sweep(_) => {}
        }
        entry.rests
    }

    fn function_alone(&mut self, function: &Function, entry: &mut Entry) {
        function.params.iter().for_each(|param| self.stand_in(param, &function.name, false, entry));
        let at = function.name.span;
        match &function.body {
            FnBody::Primitive if primitive::names().any(|name| name == function.name.text) => {}
            FnBody::Primitive => {
                self.error("E0216", "only the standard library has functions without a body", at, "here");
            }
            FnBody::Expr(_) | FnBody::Block(_) => {
                self.open_sizes_of_result(function, &mut entry.scope);
                let _ = self.function_result(function, std::mem::take(&mut entry.scope), at);
            }
        }
    }

    fn layer_alone(&mut self, layer: &Layer, entry: &mut Entry) {
        layer.hyper.iter().for_each(|param| self.stand_in(param, &layer.name, true, entry));
        layer.inputs.iter().for_each(|param| self.stand_in(param, &layer.name, false, entry));
        entry.scope.namespace = Namespace::Layer(String::new());
        let _ = self.layer_result(layer, std::mem::take(&mut entry.scope));
    }

    /// For a parameter of any shape.
    fn optimizer_alone(&mut self, optimizer: &Optimizer, entry: &mut Entry) {
        optimizer.hyper.iter().for_each(|param| self.stand_in(param, &optimizer.name, true, entry));
        let at = optimizer.name.span;
        let ty = Type::float(self.rest("p", at, entry));
        let start = Start::Drawn(Draw::Uniform, 0.0, 1.0);
        self.params.push(program::Param { path: String::new(), ty, start, span: at, state: false });
        let settings: Vec<(String, Bound)> = optimizer
            .hyper
            .iter()
            .filter_map(|param| Some((param.name.text.clone(), entry.scope.get(&param.name.text)?.clone())))
            .collect();
        let _ = self.recurrence(optimizer, &settings, &[ParamId(0)], &mut HashMap::new());
    }

    /// Binds a parameter to its default, or to what its type says of all that a use may give.
    fn stand_in(&mut self, param: &Param, owner: &Name, hyper: bool, entry: &mut Entry) {
        let name = &param.name;
        let bound = match (&param.default, param.ty.as_ref().map(|ty| &ty.kind)) {
            (Some(default), _) => self.default_of(param, default, owner, hyper, &mut entry.scope),
            (None, Some(TypeKind::Tensor(elem, axes))) if !hyper => self.tensor_of(name, elem, axes, entry),
            (None, Some(TypeKind::Word(Word::Int))) => {
                let size = Size::symbol(Symbol::open(&name.text));
                Ok(self.bound(Value::Size(types::Axis::new(size, name.span, "is decided by a use")), name.span))
            }
            (None, Some(TypeKind::Word(word @ (Word::Float | Word::Bool)))) => {
                let elem = if *word == Word::Bool { types::Elem::Bool } else { types::Elem::Float };
                let term = self.open(elem, &name.text, name.span);
                Ok(self.bound(Value::Tensor(term), name.span))
            }
            (None, _) => Err(Reported),
        };
        match bound {
            Ok(bound) => entry.scope.insert(&name.text, bound),
            Err(Reported) => entry.scope.bind(name, Value::Wrong),
        }
    }

    fn default_of(
        &mut self,
        param: &Param,
        default: &Expr,
        owner: &Name,
        hyper: bool,
        scope: &mut Scope,
    ) -> Out<Bound> {
        let value = self.value(default, scope)?;
        let given = Bound { value, origin: Origin { span: default.span, text: "is the default".into() } };
        if hyper {
            return self.hyper(param, given, default.span);
        }
        self.enter(param, given, default.span, &owner.text, scope)?;
        scope.get(&param.name.text).cloned().ok_or(Reported)
    }

    /// A tensor of a written type.
    fn tensor_of(&mut self, name: &Name, elem: &Elem, written: &[Axis], entry: &mut Entry) -> Out<Bound> {
        let mut axes = Vec::new();
        for axis in written {
            match axis {
                Axis::Size(size) => axes.push(self.open_size(size, &mut entry.scope)?),
                Axis::Rest(None, at) => axes.extend(self.rest("", *at, entry)),
                Axis::Rest(Some(rest), at) => match entry.scope.rest(&rest.text) {
                    Some(known) => axes.extend_from_slice(known),
                    None => {
                        let fresh = self.rest(&rest.text, *at, entry);
                        entry.scope.bind_rest(&rest.text, fresh.clone());
                        axes.extend(fresh);
                    }
                },
            }
        }
        let elem = match elem {
            Elem::Float => types::Elem::Float,
            Elem::Int => types::Elem::Int,
            Elem::Bool => types::Elem::Bool,
            Elem::Class(size) => types::Elem::Class(self.open_size(size, &mut entry.scope)?),
        };
        let ty = Type { axes, ..Type::scalar(elem) };
        // Any leaf will do: what is checked alone is not computed.
        let term = self.leaf(Leaf::Column(0), ty, name.span);
        Ok(self.bound(Value::Tensor(term), name.span))
    }

    /// The axes of a rest.
    fn rest(&self, name: &str, at: Span, entry: &mut Entry) -> Vec<types::Axis> {
        let rank = entry.ranks.get(entry.rests).or(entry.ranks.last()).copied().unwrap_or(1);
        entry.rests += 1;
        let named = |number: usize| if rank == 1 { format!("..{name}") } else { format!("{name}.{number}") };
        let axis = |number| types::Axis::new(Size::symbol(Symbol::open(&named(number))), at, "is decided by a use");
        (0..rank).map(axis).collect()
    }

    /// A size of a written type. Names that nothing has bound are symbols from here on.
    fn open_size(&mut self, size: &Expr, scope: &mut Scope) -> Out<types::Axis> {
        let mut names: Vec<Name> = Vec::new();
        walk::expression(size, &mut |part| {
            if let ExprKind::Name(name) = &part.kind {
                names.push(name.clone());
            }
        });
        let alone = matches!(size.kind, ExprKind::Name(_));
        for name in names {
            let known = scope.get(&name.text).is_some()
                || (!alone && self.library.find_for(&name, self.sources, &mut self.found).is_some());
            if !known {
                let size = Size::symbol(Symbol::open(&name.text));
                scope.bind(&name, Value::Size(types::Axis::new(size, name.span, "is decided by a use")));
            }
        }
        self.size(size, scope)
    }
}

/// Other numbers of axes for so many rests than one each.
fn combinations(rests: usize) -> Vec<Vec<usize>> {
    if rests == 0 {
        return Vec::new();
    }
    // Too many go together.
    let free = if rests > MAX_RESTS { 1 } else { rests };
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..free {
        all = all.iter().flat_map(|some| RANKS.map(|rank| [&some[..], &[rank]].concat())).collect();
    }
    all.split_off(1)
}

/// The names of the items around some places.
fn names_around(items: &[Item], places: impl Iterator<Item = Span>) -> HashSet<Span> {
    let mut sorted: Vec<&Item> = items.iter().collect();
    sorted.sort_by_key(|item| item.span);
    let around = |place: Span| {
        let behind = sorted.partition_point(|item| (item.span.source, item.span.start) <= (place.source, place.start));
        let item = sorted[..behind].last()?;
        let inside = item.span.source == place.source && place.start <= item.span.end;
        item.kind.name().filter(|_| inside).map(|name| name.span)
    };
    places.filter_map(around).collect()
}

/// Items in an order in which each stands behind those that it names, unless they name it as well.
fn in_order_of_calls(items: &[Item]) -> Vec<&Item> {
    let at: HashMap<&str, usize> =
        items.iter().enumerate().rev().filter_map(|(at, item)| Some((item.kind.name()?.text.as_str(), at))).collect();
    let named = |item: &Item| {
        let mut named = Vec::new();
        walk::item(&item.kind, &mut |expr| {
            if let ExprKind::Name(name) = &expr.kind {
                named.extend(at.get(name.text.as_str()).copied());
            }
        });
        named
    };
    let mut ordered = Vec::new();
    let mut seen = vec![false; items.len()];
    for first in 0..items.len() {
        // Entered ones wait, with what they name, until all of that has come.
        let mut waiting = vec![(first, None::<Vec<usize>>)];
        while let Some((at, names)) = waiting.pop() {
            let mut names = match names {
                Some(names) => names,
                None if std::mem::replace(&mut seen[at], true) => continue,
                None => named(&items[at]),
            };
            match names.pop() {
                Some(next) => waiting.extend([(at, Some(names)), (next, None)]),
                None => ordered.push(&items[at]),
            }
        }
    }
    ordered
}
