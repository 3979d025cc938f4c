//! Names of a whole file, without types: what nothing declares, what is declared twice, what needs itself. It rather
//! misses a mistake than reports a false one: checking an instance finds the rest. Columns are known only from data,
//! so that in `data` and `train` only what is called is looked up here.

mod cycles;
mod expression;
pub mod foreign;
mod locals;
mod scope;
pub mod settings;
mod twice;
mod unknown;

use super::unsupported::SOURCES;
use crate::diagnostic::Diagnostic;
use crate::syntax::tree::{
    Data, File, FnBody, Function, Init, Item, ItemKind, Layer, Optimizer, Param, Statement, StatementKind, Target, Type,
};
use cycles::Edge;
use locals::Locals;
use scope::{bound, read_names, value_of, words};
use std::collections::HashMap;

/// What `data` may call besides functions.
const OF_DATA: [&str; 8] = ["csv", "idx", "text", "jsonl", "holdout", "kfold", "given", "columns"];

const OF_OPTIMIZERS: [&str; 8] = ["p", "p'", "g", "t", "step", "steps", "epoch", "epochs"];

const OF_TRAINING: [&str; 8] = ["model", "step", "steps", "epoch", "epochs", "n", "every", "patience"];

/// Everything about names that one file shows; `stdlib` holds the names that the standard library declares.
pub fn check(file: &File, stdlib: &[&str]) -> Vec<Diagnostic> {
    let mut items = HashMap::new();
    for (at, item) in file.items.iter().enumerate() {
        if let Some(name) = item.kind.name() {
            items.entry(name.text.as_str()).or_insert(at);
        }
    }
    let mut pass = Pass {
        file,
        items,
        // What a file that could not be read declares is not known.
        uses: file.items.iter().any(|item| matches!(item.kind, ItemKind::Use(_))),
        stdlib,
        locals: Locals::default(),
        body: &[],
        columns: false,
        item: 0,
        fields: Vec::new(),
        edges: Vec::new(),
        found: Vec::new(),
    };
    for (at, item) in file.items.iter().enumerate() {
        pass.item = at;
        pass.of_item(item);
    }
    let mut found = pass.found;
    found.extend(cycles::check(file, &pass.edges));
    found.extend(twice::check(file));
    found
}

struct Pass<'a> {
    file: &'a File,
    /// The items by name, the first of each.
    items: HashMap<&'a str, usize>,
    uses: bool,
    stdlib: &'a [&'a str],
    /// The names that stand before an expression, innermost last.
    locals: Locals,
    /// The statements around an expression, for what is declared too late.
    body: &'a [Statement],
    /// A bare name may be a column, which only the file of data knows.
    columns: bool,
    /// What is read of the name at hand: `Linear` of `nn.Linear`.
    fields: Vec<&'a str>,
    /// The number of the item at hand, and the items that others read.
    item: usize,
    edges: Vec<Edge>,
    found: Vec<Diagnostic>,
}

impl<'a> Pass<'a> {
    fn of_item(&mut self, item: &'a Item) {
        self.locals.clear();
        self.body = &[];
        self.columns = false;
        match &item.kind {
            // What a `sweep` sets is known only with its training.
            ItemKind::Use(_) | ItemKind::Sweep(_) => {}
            ItemKind::Let(item) => self.expr(&item.value),
            ItemKind::Fn(function) => self.function(function),
            ItemKind::Layer(layer) => self.layer(layer),
            ItemKind::Optimizer(optimizer) => self.optimizer(optimizer),
            ItemKind::Data(data) => self.data(data),
            ItemKind::Train(block) => {
                self.columns = true;
                self.locals.extend(words(&OF_TRAINING));
                self.locals.extend(block.body.iter().flat_map(|statement| scope::declared(statement, true)));
                self.statements(&block.body);
            }
        }
    }

    fn function(&mut self, function: &'a Function) {
        self.locals.push("training".to_string());
        self.params(&function.params);
        self.result(function.result.as_ref());
        match &function.body {
            FnBody::Primitive => {}
            FnBody::Expr(value) => self.expr(value),
            FnBody::Block(body) => self.statements(body),
        }
    }

    fn layer(&mut self, layer: &'a Layer) {
        self.locals.push("training".to_string());
        self.params(&layer.hyper);
        self.params(&layer.inputs);
        self.result(layer.result.as_ref());
        self.statements(&layer.body);
    }

    fn optimizer(&mut self, optimizer: &'a Optimizer) {
        self.locals.extend(words(&OF_OPTIMIZERS));
        self.params(&optimizer.hyper);
        self.params(optimizer.input.as_slice());
        self.statements(&optimizer.body);
    }

    fn data(&mut self, data: &'a Data) {
        self.columns = true;
        self.locals.push("training".to_string());
        self.locals.extend([&OF_DATA[..], SOURCES].into_iter().flat_map(words));
        self.except_callee(&data.from);
        self.locals.extend(data.body.iter().flat_map(|statement| scope::declared(statement, true)));
        self.statements(&data.body);
    }

    /// Parameters with the sizes that their types name; defaults may read all of them.
    fn params(&mut self, params: &'a [Param]) {
        for param in params {
            self.locals.push(param.name.text.clone());
            self.locals.extend(param.ty.iter().flat_map(|ty| bound(ty, true)));
        }
        params.iter().filter_map(|param| param.default.as_ref()).for_each(|default| self.expr(default));
    }

    fn result(&mut self, ty: Option<&'a Type>) {
        let Some(ty) = ty else { return };
        self.locals.extend(bound(ty, false));
        self.written(ty);
    }

    /// The sizes of a written type.
    fn written(&mut self, ty: &'a Type) {
        scope::sizes(ty).into_iter().for_each(|size| self.expr(size));
    }

    fn statements(&mut self, body: &'a [Statement]) {
        let around = std::mem::replace(&mut self.body, body);
        for statement in body {
            self.statement(statement);
            self.locals.extend(scope::declared(statement, false));
        }
        self.body = around;
    }

    fn statement(&mut self, statement: &'a Statement) {
        match &statement.kind {
            StatementKind::Let(target, ty, init) => {
                self.locals.extend(ty.iter().flat_map(|ty| bound(ty, false)));
                self.binding(target, ty.as_ref(), init);
            }
            StatementKind::Assign(Target::One(name), None, Init::Value(value)) if name.text == "split" => {
                self.except_callee(value);
            }
            StatementKind::Param(target, ty, init)
            | StatementKind::State(target, ty, init)
            | StatementKind::Assign(target, ty, init) => {
                self.binding(target, ty.as_ref(), init);
            }
            StatementKind::Out(value)
            | StatementKind::Emit(_, value)
            | StatementKind::Report(_, value)
            | StatementKind::Predict(_, value)
            | StatementKind::Check(_, value)
            | StatementKind::Calibrate(_, value, _) => self.expr(value),
            StatementKind::Minimize(minimize) => {
                self.expr(&minimize.loss);
                self.called(&minimize.using);
                minimize.except.iter().for_each(|(other, _)| self.called(other));
                minimize.times.iter().for_each(|times| self.expr(times));
            }
        }
    }

    fn binding(&mut self, target: &'a Target, ty: Option<&'a Type>, init: &'a Init) {
        if let Some(ty) = ty {
            self.written(ty);
        }
        let depth = self.locals.len();
        if let Target::Indexed(_, subscripts) = target {
            scope::written_sizes(subscripts).into_iter().for_each(|size| self.expr(size));
            self.locals.extend(scope::indices(subscripts));
            self.locals.extend(read_names(value_of(init)));
        }
        match init {
            Init::Value(value) => self.expr(value),
            Init::Draw(value) => self.called(value),
        }
        self.locals.truncate(depth);
    }
}
