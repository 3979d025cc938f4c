//! E0199: the parts of the language that parse and that this compiler does not support yet.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{
    Expr, ExprKind, File, FnBody, Function, ItemKind, Layer, Optimizer, Param, Statement, StatementKind, Subscript,
    Target,
};
use crate::syntax::walk;

/// A construct without a meaning so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    Use,
    Sweep,
    Emit,
    Calibrate,
    Apart,
    From,
    Except,
    Over,
    Times,
    SeveralMinimized,
    Comprehension,
    Part,
    Range,
    Slice,
    Group,
    SubscriptExpression,
    NamelessRest,
    OneIndexTwice,
    StateInTrain,
    ParamInTrain,
    ColumnsApart,
    LetInData,
    OneRank,
    ListOfLayers,
    OpenCheck,
    Setting,
    Source,
    Split,
    Function,
}

/// Every row, with how a message names it.
pub const TABLE: &[(Unsupported, &str)] = &[
    (Unsupported::Use, "`use`"),
    (Unsupported::Sweep, "`sweep`"),
    (Unsupported::Emit, "`emit`"),
    (Unsupported::Calibrate, "`calibrate`"),
    (Unsupported::Apart, "taking a result apart"),
    (Unsupported::From, "`from`"),
    (Unsupported::Except, "`except`"),
    (Unsupported::Over, "`over`"),
    (Unsupported::Times, "`times`"),
    (Unsupported::SeveralMinimized, "more than one `minimize`"),
    (Unsupported::Comprehension, "a list comprehension"),
    (Unsupported::Part, "reading a part by `.`"),
    (Unsupported::Range, "a range"),
    (Unsupported::Slice, "a slice"),
    (Unsupported::Group, "a group of axes"),
    (Unsupported::SubscriptExpression, "reading at an expression"),
    (Unsupported::NamelessRest, "`..` without an index of its name"),
    (Unsupported::OneIndexTwice, "one index for two axes"),
    (Unsupported::StateInTrain, "`state` in a `train` block"),
    (Unsupported::ParamInTrain, "`param` in a `train` block"),
    (Unsupported::ColumnsApart, "several columns at once"),
    (Unsupported::LetInData, "`let` in a `data` block"),
    (Unsupported::OneRank, "an optimizer for one rank"),
    (Unsupported::ListOfLayers, "a list of layers in a pipe"),
    (Unsupported::OpenCheck, "a check of a value that is not constant"),
    (Unsupported::Setting, "the setting"),
    (Unsupported::Source, "the source"),
    (Unsupported::Split, "the split"),
    (Unsupported::Function, "the function"),
];

/// Settings of a `train` block.
pub const SETTINGS: &[&str] = &["clip", "accumulate", "validate", "stop", "keep", "freeze"];

/// Sources of a `data` block.
pub const SOURCES: &[&str] =
    &["parquet", "jsonl", "npy", "npz", "safetensors", "idx", "cifar10", "cifar100", "images", "text"];

/// Splits of a `data` block.
pub const SPLITS: &[&str] = &["given", "kfold"];

/// Functions and layers that the language names and the standard library does not have yet.
pub const FUNCTIONS: &[&str] = &[
    "emitted",
    "concat",
    "split",
    "stack",
    "total",
    "conv",
    "layer_norm",
    "global_average_pool",
    "embedding",
    "attention",
    "pad",
    "classes",
    "sort",
    "cumsum",
    "once",
    "characters",
    "next_token",
    "random_crop",
    "ceil",
    "pad_same",
    "every",
    "patience",
    "quantile",
];

impl Unsupported {
    pub fn what(self) -> &'static str {
        TABLE.iter().find(|(row, _)| *row == self).map_or("this", |(_, what)| what)
    }

    pub fn diagnostic(self, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} is not supported yet", self.what()), span, "this")
    }

    /// Of a setting, source, split or function, by its name.
    pub fn named(self, name: &str, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} `{name}` is not supported yet", self.what()), span, "this")
    }
}

/// Everything unsupported in a file that can be seen without types.
pub fn find(file: &File) -> Vec<Diagnostic> {
    let mut search = Search { found: Vec::new(), stepped: Vec::new() };
    for item in &file.items {
        search.item(&item.kind, item.span);
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
    /// What scans step through.
    stepped: Vec<Span>,
}

impl Search {
    fn say(&mut self, what: Unsupported, span: Span) {
        self.found.push(what.diagnostic(span));
    }

    fn item(&mut self, kind: &ItemKind, span: Span) {
        match kind {
            ItemKind::Use(_) => self.say(Unsupported::Use, span),
            ItemKind::Sweep(sweep) => self.say(Unsupported::Sweep, sweep.word),
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
            ItemKind::Optimizer(Optimizer { hyper, input, body, .. }) => {
                hyper.iter().for_each(|param| self.param(param));
                input.iter().for_each(|input| self.say(Unsupported::OneRank, input.name.span));
                self.body(body, Owner::Optimizer);
            }
            ItemKind::Data(data) => {
                self.expression(&data.from);
                self.body(&data.body, Owner::Data);
            }
            ItemKind::Train(block) => {
                self.body(&block.body, Owner::Train);
                let minimizes = block.body.iter().filter(|s| matches!(s.kind, StatementKind::Minimize(_)));
                minimizes.skip(1).for_each(|statement| self.say(Unsupported::SeveralMinimized, statement.span));
            }
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
            StatementKind::Let(Target::Indexed(_, subscripts), ..) => self.declared(subscripts),
            StatementKind::State(..) if owner == Owner::Train => self.say(Unsupported::StateInTrain, span),
            StatementKind::Param(..) if owner == Owner::Train => self.say(Unsupported::ParamInTrain, span),
            StatementKind::Assign(Target::Several(_), ..) if owner == Owner::Data => {
                self.say(Unsupported::ColumnsApart, span)
            }
            StatementKind::Assign(Target::One(name), ..) if owner == Owner::Train => {
                if SETTINGS.contains(&name.text.as_str()) {
                    self.found.push(Unsupported::Setting.named(&name.text, name.span));
                }
            }
            StatementKind::Emit(..) => self.say(Unsupported::Emit, span),
            StatementKind::Calibrate(..) => self.say(Unsupported::Calibrate, span),
            StatementKind::Minimize(minimize) => {
                minimize.except.first().iter().for_each(|(other, _)| self.say(Unsupported::Except, other.span));
                minimize.over.first().iter().for_each(|name| self.say(Unsupported::Over, name.span));
                minimize.times.iter().for_each(|times| self.say(Unsupported::Times, times.span));
            }
            StatementKind::Let(..)
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

    /// The subscripts of an indexed `let`.
    fn declared(&mut self, subscripts: &[Subscript]) {
        for subscript in subscripts {
            match subscript {
                Subscript::Group(_, span) => self.say(Unsupported::Group, *span),
                Subscript::At(..) | Subscript::Rest(..) | Subscript::Slice(..) => {}
            }
        }
    }

    fn expression(&mut self, expr: &Expr) {
        walk::expression(expr, &mut |expr| self.one(expr));
    }

    /// One expression, without its parts.
    fn one(&mut self, expr: &Expr) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Range(..) if self.stepped.contains(&span) => {}
            ExprKind::Range(..) => self.say(Unsupported::Range, span),
            ExprKind::Comprehension(..) => self.say(Unsupported::Comprehension, span),
            // A range is there to be stepped through.
            ExprKind::Scan(scan) => self.stepped.extend(scan.over.iter().map(|over| over.span)),
            ExprKind::From(from) => self.say(Unsupported::From, from.source.span),
            ExprKind::Pipe(_, _, stage) if matches!(stage.kind, ExprKind::List(_)) => {
                self.say(Unsupported::ListOfLayers, stage.span);
            }
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
            | ExprKind::List(_) => {}
        }
    }

    fn read(&mut self, subscripts: &[Subscript]) {
        for subscript in subscripts {
            match subscript {
                Subscript::At(Expr { kind: ExprKind::Name(_), .. }, None) | Subscript::Rest(Some(_), _) => {}
                Subscript::At(at, _) => self.say(Unsupported::SubscriptExpression, at.span),
                Subscript::Rest(None, span) => self.say(Unsupported::NamelessRest, *span),
                Subscript::Slice(_, _, span) => self.say(Unsupported::Slice, *span),
                Subscript::Group(_, span) => self.say(Unsupported::Group, *span),
            }
        }
    }
}
