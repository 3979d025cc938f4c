//! E0199: the parts of the language that parse and that this compiler does not support yet.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{
    Expr, ExprKind, File, FnBody, Function, Init, ItemKind, Layer, Optimizer, Param, Statement, StatementKind,
    Subscript, Target,
};
use crate::syntax::walk;

/// A construct without a meaning so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    Scan,
    Emit,
    Calibrate,
    Slice,
    StateInLayer,
    DrawnLet,
    ColumnsApart,
    LetInData,
    OpenDistribution,
    OpenCheck,
    Source,
    Split,
    Function,
}

/// Every row, with how a message names it.
pub const TABLE: &[(Unsupported, &str)] = &[
    (Unsupported::Scan, "`scan`"),
    (Unsupported::Emit, "`emit`"),
    (Unsupported::Calibrate, "`calibrate`"),
    (Unsupported::Slice, "a slice beside an index"),
    (Unsupported::StateInLayer, "`state` in a layer"),
    (Unsupported::DrawnLet, "a draw inside the graph"),
    (Unsupported::ColumnsApart, "several columns at once"),
    (Unsupported::LetInData, "`let` in a `data` block"),
    (Unsupported::OpenDistribution, "a distribution whose parameters are not constant"),
    (Unsupported::OpenCheck, "a check of a value that is not constant"),
    (Unsupported::Source, "the source"),
    (Unsupported::Split, "the split"),
    (Unsupported::Function, "the function"),
];

/// Sources of a `data` block.
pub const SOURCES: &[&str] =
    &["parquet", "jsonl", "npy", "npz", "safetensors", "idx", "cifar10", "cifar100", "images", "text"];

/// Splits of a `data` block.
pub const SPLITS: &[&str] = &["given", "kfold"];

/// Functions and layers that the language names and the standard library does not have yet.
pub const FUNCTIONS: &[&str] = &[
    "grad",
    "emitted",
    "logp",
    "conv",
    "batch_norm",
    "layer_norm",
    "global_average_pool",
    "embedding",
    "attention",
    "pad",
    "bernoulli",
    "classes",
    "characters",
    "next_token",
    "random_crop",
    "pad_same",
    "dropout",
];

impl Unsupported {
    pub fn what(self) -> &'static str {
        TABLE.iter().find(|(row, _)| *row == self).map_or("this", |(_, what)| what)
    }

    pub fn diagnostic(self, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} is not supported yet", self.what()), span, "this")
    }

    /// Of a source, split or function, by its name.
    pub fn named(self, name: &str, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} `{name}` is not supported yet", self.what()), span, "this")
    }
}

/// Everything unsupported in a file that can be seen without types.
pub fn find(file: &File) -> Vec<Diagnostic> {
    let mut search = Search { found: Vec::new() };
    for item in &file.items {
        search.item(&item.kind);
    }
    search.found
}

/// The item whose body a statement stands in.
#[derive(Clone, Copy, PartialEq)]
enum Owner {
    Layer,
    Optimizer,
    Data,
    Train,
}

struct Search {
    found: Vec<Diagnostic>,
}

impl Search {
    fn say(&mut self, what: Unsupported, span: Span) {
        self.found.push(what.diagnostic(span));
    }

    fn item(&mut self, kind: &ItemKind) {
        match kind {
            ItemKind::Use(_) | ItemKind::Sweep(_) => {}
            ItemKind::Let(item) => self.expression(&item.value),
            ItemKind::Fn(Function { params, body, .. }) => {
                params.iter().for_each(|param| self.param(param));
                match body {
                    FnBody::Primitive => {}
                    FnBody::Expr(expr) => self.expression(expr),
                    FnBody::Block(body) => self.body(body, Owner::Layer),
                }
            }
            ItemKind::Layer(Layer { hyper, inputs, body, .. }) => {
                hyper.iter().chain(inputs).for_each(|param| self.param(param));
                self.body(body, Owner::Layer);
            }
            ItemKind::Optimizer(Optimizer { hyper, body, .. }) => {
                hyper.iter().for_each(|param| self.param(param));
                self.body(body, Owner::Optimizer);
            }
            ItemKind::Data(data) => {
                self.expression(&data.from);
                self.body(&data.body, Owner::Data);
            }
            ItemKind::Train(block) => self.body(&block.body, Owner::Train),
        }
    }

    fn param(&mut self, param: &Param) {
        param.default.iter().for_each(|default| self.expression(default));
    }

    fn body(&mut self, body: &[Statement], owner: Owner) {
        body.iter().for_each(|statement| self.statement(statement, owner));
    }

    fn statement(&mut self, statement: &Statement, owner: Owner) {
        let span = statement.span;
        match &statement.kind {
            StatementKind::Let(..) if owner == Owner::Data => self.say(Unsupported::LetInData, span),
            StatementKind::Let(_, _, Init::Draw(_)) => self.say(Unsupported::DrawnLet, span),
            StatementKind::State(..) if owner == Owner::Layer => self.say(Unsupported::StateInLayer, span),
            StatementKind::Assign(Target::Several(_), ..) if owner == Owner::Data => {
                self.say(Unsupported::ColumnsApart, span)
            }
            StatementKind::Emit(..) => self.say(Unsupported::Emit, span),
            StatementKind::Calibrate(..) => self.say(Unsupported::Calibrate, span),
            StatementKind::Minimize(_)
            | StatementKind::Let(..)
            | StatementKind::State(..)
            | StatementKind::Param(..)
            | StatementKind::Assign(..)
            | StatementKind::Out(_)
            | StatementKind::Report(..)
            | StatementKind::Predict(..)
            | StatementKind::Check(..) => {}
        }
        walk::expressions(statement, &mut |expr| self.one(expr));
    }

    fn expression(&mut self, expr: &Expr) {
        walk::expression(expr, &mut |expr| self.one(expr));
    }

    /// One expression, without its parts.
    fn one(&mut self, expr: &Expr) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Scan(_) => self.say(Unsupported::Scan, span),
            ExprKind::Index(_, subscripts) => self.read(subscripts),
            ExprKind::Number { .. }
            | ExprKind::Text(_)
            | ExprKind::Truth(_)
            | ExprKind::Name(_)
            | ExprKind::Call(..)
            | ExprKind::Reduce(_)
            | ExprKind::Field(..)
            | ExprKind::As(..)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::If(..)
            | ExprKind::Pipe(..)
            | ExprKind::Tuple(_)
            | ExprKind::Record(_)
            | ExprKind::Range(..)
            | ExprKind::Comprehension(..)
            | ExprKind::From(..)
            | ExprKind::List(_) => {}
        }
    }

    fn read(&mut self, subscripts: &[Subscript]) {
        for subscript in subscripts {
            match subscript {
                Subscript::At(..) | Subscript::Rest(..) | Subscript::Slice(..) | Subscript::Group(..) => {}
            }
        }
    }
}
