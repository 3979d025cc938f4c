//! Names of a whole file, without types: what nothing declares, what is declared twice, what needs itself. Columns are
//! known only from data, so that in `data` and `train` only what is called is looked up here.

use super::elaborate::nearest;
use super::later::{FUNCTIONS, Later, SOURCES, SPLITS};
use crate::diagnostic::Diagnostic;
use crate::syntax::tree::{
    Axis, Block, Elem, Expr, ExprKind, File, FnBody, IndexPlace, Init, Item, ItemKind, Name, Param, Statement,
    StatementKind, Target, Type, TypeKind,
};
use crate::syntax::walk;
use std::collections::{HashMap, HashSet};

/// What is wrong with the names of a file; `stdlib` are the names that every file has.
pub fn check(file: &File, stdlib: &[&str]) -> Vec<Diagnostic> {
    let own = file.items.iter().filter_map(|item| item.kind.name());
    let global = own.map(|name| name.text.clone()).chain(stdlib.iter().map(|name| name.to_string())).collect();
    let mut names = Names { global, found: Vec::new() };
    let declared: Vec<&Name> = file.items.iter().filter_map(|item| item.kind.name()).collect();
    names.doubled(&declared);
    file.items.iter().for_each(|item| names.item(item));
    names.found.extend(cycles(file));
    names.found
}

struct Names {
    /// The items of the file and of the standard library.
    global: HashSet<String>,
    found: Vec<Diagnostic>,
}

/// The names of a body, and which of its names are looked up.
#[derive(Clone, Default)]
struct Scope {
    known: Vec<String>,
    only_called: bool,
}

impl Scope {
    fn of(words: &[&str]) -> Scope {
        Scope { known: words.iter().map(|word| word.to_string()).collect(), only_called: false }
    }

    fn add(&mut self, name: &Name) {
        self.known.push(name.text.clone());
    }
}

const HOST: [&str; 4] = ["step", "steps", "epoch", "epochs"];

impl Names {
    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Use(_) => {}
            ItemKind::Sweep(block) => self.settings(block),
            ItemKind::Let(item) => self.expr(&item.value, &mut Scope::default()),
            ItemKind::Fn(function) => {
                let mut scope = Scope::default();
                self.params(&[&function.params], &mut scope);
                match &function.body {
                    FnBody::Primitive => {}
                    FnBody::Expr(body) => self.expr(body, &mut scope),
                    FnBody::Block(body) => self.body(body, &mut scope),
                }
            }
            ItemKind::Layer(layer) => {
                let mut scope = Scope::of(&["training"]);
                self.params(&[&layer.hyper, &layer.inputs], &mut scope);
                self.body(&layer.body, &mut scope);
            }
            ItemKind::Optimizer(optimizer) => {
                let mut scope = Scope::of(&["p", "g", "t"]);
                scope.known.extend(HOST.map(String::from));
                self.params(&[&optimizer.hyper], &mut scope);
                optimizer.input.iter().filter_map(|input| input.ty.as_ref()).for_each(|ty| bind_axes(ty, &mut scope));
                self.body(&optimizer.body, &mut scope);
            }
            ItemKind::Data(data) => {
                let mut scope = Scope { only_called: true, ..Scope::of(SOURCES) };
                scope.known.extend(SPLITS.iter().chain(&["csv", "rows", "holdout"]).map(|word| word.to_string()));
                self.expr(&data.from, &mut scope);
                self.body(&data.body, &mut scope);
                self.settings(&Block { name: None, word: data.name.span, body: data.body.clone() });
            }
            ItemKind::Train(block) => {
                let mut scope = Scope { only_called: true, ..Scope::of(&["model"]) };
                self.body(&block.body, &mut scope);
                self.settings(block);
            }
        }
    }

    /// Parameters, and the axes that the types of inputs name.
    fn params(&mut self, lists: &[&Vec<Param>], scope: &mut Scope) {
        let all: Vec<&Param> = lists.iter().flat_map(|list| list.iter()).collect();
        self.doubled(&all.iter().map(|param| &param.name).collect::<Vec<_>>());
        for param in all {
            scope.add(&param.name);
            param.ty.iter().for_each(|ty| bind_axes(ty, scope));
        }
    }

    fn body(&mut self, body: &[Statement], scope: &mut Scope) {
        let mut lets: Vec<&Name> = Vec::new();
        for statement in body {
            self.statement(statement, scope);
            if let StatementKind::Let(to, ..) | StatementKind::Param(to, ..) | StatementKind::State(to, ..) =
                &statement.kind
            {
                lets.extend(targets(to));
            }
        }
        self.doubled(&lets);
    }

    fn statement(&mut self, statement: &Statement, scope: &mut Scope) {
        match &statement.kind {
            StatementKind::Let(to, ty, init)
            | StatementKind::Param(to, ty, init)
            | StatementKind::State(to, ty, init)
            | StatementKind::Assign(to, ty, init) => {
                let outer = scope.known.len();
                if let Target::Indexed(_, places) = to {
                    bind_places(places, scope);
                }
                if let Some(ty) = ty {
                    walk::type_(ty, &mut |expr| self.one(expr, scope));
                }
                match init {
                    Init::Value(value) | Init::Draw(value) => self.expr(value, scope),
                }
                scope.known.truncate(outer);
                for name in targets(to) {
                    scope.add(name);
                    if let StatementKind::State(..) = statement.kind {
                        scope.known.push(format!("{}'", name.text));
                    }
                }
            }
            StatementKind::Out(value)
            | StatementKind::Emit(_, value)
            | StatementKind::Report(_, value)
            | StatementKind::Predict(_, value)
            | StatementKind::Calibrate(_, value, _) => self.expr(value, scope),
            StatementKind::Minimize(minimize) => {
                self.expr(&minimize.loss, scope);
                self.expr(&minimize.using, scope);
                minimize.except.iter().for_each(|(other, _)| self.expr(other, scope));
            }
        }
    }

    /// An expression and its parts; what opens names opens them for its parts alone.
    fn expr(&mut self, expr: &Expr, scope: &mut Scope) {
        let outer = scope.known.len();
        walk::expression(expr, &mut |part| match &part.kind {
            ExprKind::Reduce(reduce) => reduce.indices.iter().for_each(|name| scope.add(name)),
            ExprKind::Comprehension(_, name, _) => scope.add(name),
            ExprKind::Scan(scan) => {
                scan.names.iter().chain([&scan.axis]).for_each(|name| scope.add(name));
                for statement in &scan.body {
                    if let StatementKind::Let(to, ..) | StatementKind::State(to, ..) = &statement.kind {
                        for name in targets(to) {
                            scope.add(name);
                            scope.known.push(format!("{}'", name.text));
                        }
                    }
                }
            }
            ExprKind::As(_, name) => scope.add(name),
            _ => {}
        });
        let mut called: Vec<&Name> = Vec::new();
        collect_called(expr, &mut called);
        if scope.only_called {
            called.into_iter().for_each(|name| self.look_up(name, scope));
        } else {
            walk::expression(expr, &mut |part| self.one(part, scope));
        }
        scope.known.truncate(outer);
    }

    fn one(&mut self, expr: &Expr, scope: &Scope) {
        if let ExprKind::Name(name) = &expr.kind {
            self.look_up(name, scope);
        }
    }

    fn look_up(&mut self, name: &Name, scope: &Scope) {
        if self.global.contains(&name.text) || scope.known.contains(&name.text) {
            return;
        }
        if FUNCTIONS.contains(&name.text.as_str()) {
            self.found.push(Later::Function.named(&name.text, name.span));
            return;
        }
        let known = scope.known.iter().chain(&self.global).map(String::as_str);
        let help = nearest(&name.text, known).map(|near| format!("did you mean `{near}`?"));
        let error = Diagnostic::error("E0201", format!("nothing is called `{}`", name.text), name.span, "unknown");
        self.found.push(Diagnostic { help, ..error });
    }

    /// A setting or column that is given twice in one block.
    fn settings(&mut self, block: &Block) {
        let names = block.body.iter().filter_map(|statement| match &statement.kind {
            StatementKind::Assign(Target::One(name), ..) => Some(name),
            _ => None,
        });
        self.doubled(&names.collect::<Vec<_>>());
    }

    fn doubled(&mut self, names: &[&Name]) {
        let mut first: HashMap<&str, &Name> = HashMap::new();
        for name in names {
            if let Some(first) = first.get(name.text.as_str()) {
                let message = format!("`{}` is declared twice", name.text);
                let error = Diagnostic::error("E0202", message, name.span, "the second time");
                self.found.push(error.label(first.span, "the first time"));
            } else {
                first.insert(&name.text, name);
            }
        }
    }
}

/// The names that an expression calls: `f(x)`, `x |> f`, `f(i: x)`.
fn collect_called<'t>(expr: &'t Expr, called: &mut Vec<&'t Name>) {
    let mut add = |callee: &'t Expr| {
        if let ExprKind::Name(name) = &callee.kind {
            called.push(name);
        }
    };
    match &expr.kind {
        ExprKind::Call(callee, _) => add(callee),
        ExprKind::Pipe(_, _, stage) => add(stage),
        ExprKind::Reduce(reduce) => add(&reduce.function),
        _ => {}
    }
    walk::parts(expr).into_iter().for_each(|part| collect_called(part, called));
}

fn targets(target: &Target) -> Vec<&Name> {
    match target {
        Target::One(name) | Target::Indexed(name, _) => vec![name],
        Target::Several(names) => names.iter().collect(),
    }
}

fn bind_places(places: &[IndexPlace], scope: &mut Scope) {
    for place in places {
        match place {
            IndexPlace::At(Expr { kind: ExprKind::Name(name), .. }, _) | IndexPlace::Rest(Some(name), _) => {
                scope.add(name)
            }
            IndexPlace::Group(names, _) => names.iter().for_each(|(name, _)| scope.add(name)),
            IndexPlace::At(..) | IndexPlace::Rest(None, _) | IndexPlace::Slice(..) => {}
        }
    }
}

/// Names that stand in the type of an input are bound by it.
fn bind_axes(ty: &Type, scope: &mut Scope) {
    let TypeKind::Tensor(elem, axes) = &ty.kind else { return };
    let class = match elem {
        Elem::Class(size) => Some(&**size),
        Elem::Float | Elem::Int | Elem::Bool => None,
    };
    let sizes = axes.iter().filter_map(|axis| match axis {
        Axis::Size(size) => Some(size),
        Axis::Rest(..) => None,
    });
    for size in sizes.chain(class) {
        if let ExprKind::Name(name) = &size.kind {
            scope.add(name);
        }
    }
}

/// `let`s and functions that need themselves. Layers may, where an `if` ends it.
fn cycles(file: &File) -> Vec<Diagnostic> {
    let mut needs: Vec<(&Name, Vec<Name>)> = Vec::new();
    for item in &file.items {
        if let (ItemKind::Let(_) | ItemKind::Fn(_), Some(name)) = (&item.kind, item.kind.name()) {
            let mut read = Vec::new();
            walk::item(&item.kind, &mut |expr| {
                if let ExprKind::Name(name) = &expr.kind {
                    read.push(name.clone());
                }
            });
            if let ItemKind::Fn(function) = &item.kind {
                read.retain(|name| !function.params.iter().any(|param| param.name.text == name.text));
            }
            needs.push((name, read));
        }
    }
    let mut found = Vec::new();
    let mut reported: HashSet<&str> = HashSet::new();
    for (start, _) in &needs {
        if reported.contains(start.text.as_str()) {
            continue;
        }
        if let Some(path) = cycle(start, &needs) {
            let message = format!("`{}` needs itself", start.text);
            let mut error = Diagnostic::error("E0206", message, start.span, "to know this …");
            for read in &path {
                error = error.label(read.span, format!("… `{}` is needed", read.text));
            }
            found.push(error);
            let on_it = |name: &str| path.iter().any(|read| read.text == name);
            reported.extend(needs.iter().map(|(name, _)| name.text.as_str()).filter(|name| on_it(name)));
        }
    }
    found
}

/// The reads that lead from an item back to it, by the shortest way.
fn cycle(start: &Name, needs: &[(&Name, Vec<Name>)]) -> Option<Vec<Name>> {
    let mut ways: Vec<(&str, Vec<Name>)> = vec![(&start.text, Vec::new())];
    let mut seen: HashSet<&str> = HashSet::new();
    let mut at = 0;
    while at < ways.len() {
        let (name, way) = ways[at].clone();
        at += 1;
        let Some((_, read)) = needs.iter().find(|(item, _)| item.text == name) else { continue };
        for next in read {
            let way = [&way[..], std::slice::from_ref(next)].concat();
            if next.text == start.text {
                return Some(way);
            }
            if seen.insert(&next.text) {
                ways.push((&next.text, way));
            }
        }
    }
    None
}
