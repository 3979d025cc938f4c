//! What the language has and this program does not yet. Each parses, and each is told plainly, wherever it stands.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{
    Expr, ExprKind, File, FnBody, Function, IndexPlace, Init, ItemKind, Layer, Optimizer, Param, Statement,
    StatementKind, Target, Type, TypeKind,
};
use crate::syntax::walk;

/// A construct whose meaning comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    Use,
    Sweep,
    Scan,
    Emit,
    Calibrate,
    Record,
    Tuple,
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
    PlaceByExpression,
    NamelessRest,
    OneIndexTwice,
    StateInLayer,
    StateInTrain,
    ParamInTrain,
    DrawnLet,
    ColumnsApart,
    LetInData,
    OneRank,
    ListOrTuple,
    ListOfLayers,
    OpenDistribution,
    OpenCheck,
    Setting,
    Source,
    Split,
    Function,
}

/// Every row, with how a message names it.
pub const TABLE: &[(Later, &str)] = &[
    (Later::Use, "`use`"),
    (Later::Sweep, "`sweep`"),
    (Later::Scan, "`scan`"),
    (Later::Emit, "`emit`"),
    (Later::Calibrate, "`calibrate`"),
    (Later::Record, "a result with named parts"),
    (Later::Tuple, "a result of several parts"),
    (Later::Apart, "taking a result apart"),
    (Later::From, "`from`"),
    (Later::Except, "`except`"),
    (Later::Over, "`over`"),
    (Later::Times, "`times`"),
    (Later::SeveralMinimized, "more than one `minimize`"),
    (Later::Comprehension, "a list comprehension"),
    (Later::Part, "reading a part by `.`"),
    (Later::Range, "a range"),
    (Later::Slice, "a slice"),
    (Later::Group, "a group of axes"),
    (Later::PlaceByExpression, "reading at an expression"),
    (Later::NamelessRest, "`..` without an index of its name"),
    (Later::OneIndexTwice, "one index for two axes"),
    (Later::StateInLayer, "`state` in a layer"),
    (Later::StateInTrain, "`state` in a `train` block"),
    (Later::ParamInTrain, "`param` in a `train` block"),
    (Later::DrawnLet, "a draw inside the graph"),
    (Later::ColumnsApart, "several columns at once"),
    (Later::LetInData, "`let` in a `data` block"),
    (Later::OneRank, "an optimizer for one rank"),
    (Later::ListOrTuple, "a parameter that is a list or a tuple"),
    (Later::ListOfLayers, "a list of layers in a pipe"),
    (Later::OpenDistribution, "a distribution whose numbers are not settled"),
    (Later::OpenCheck, "a check of what is not settled"),
    (Later::Setting, "the setting"),
    (Later::Source, "the source"),
    (Later::Split, "the split"),
    (Later::Function, "the function"),
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
    "grad",
    "emitted",
    "logp",
    "concat",
    "split",
    "stack",
    "total",
    "conv",
    "batch_norm",
    "layer_norm",
    "global_average_pool",
    "embedding",
    "attention",
    "pad",
    "bernoulli",
    "classes",
    "sort",
    "cumsum",
    "once",
    "characters",
    "next_token",
    "random_crop",
    "ceil",
    "pad_same",
    "dropout",
    "every",
    "patience",
    "quantile",
];

impl Later {
    pub fn what(self) -> &'static str {
        TABLE.iter().find(|(row, _)| *row == self).map_or("this", |(_, what)| what)
    }

    pub fn diagnostic(self, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} is not built yet", self.what()), span, "this")
    }

    /// Of a setting, source, split or function, by its name.
    pub fn named(self, name: &str, span: Span) -> Diagnostic {
        Diagnostic::error("E0199", format!("{} `{name}` is not built yet", self.what()), span, "this")
    }
}

/// Everything in a file that is not built yet and can be seen without knowing types.
pub fn find(file: &File) -> Vec<Diagnostic> {
    let mut search = Search { found: Vec::new() };
    for item in &file.items {
        search.item(&item.kind, item.span);
    }
    search.found
}

/// Where a statement stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Layer,
    Optimizer,
    Data,
    Train,
}

struct Search {
    found: Vec<Diagnostic>,
}

impl Search {
    fn say(&mut self, later: Later, span: Span) {
        self.found.push(later.diagnostic(span));
    }

    fn item(&mut self, kind: &ItemKind, span: Span) {
        match kind {
            ItemKind::Use(_) => self.say(Later::Use, span),
            ItemKind::Sweep(sweep) => self.say(Later::Sweep, sweep.word),
            ItemKind::Let(item) => self.expression(&item.value),
            ItemKind::Fn(Function { params, result, body, .. }) => {
                params.iter().for_each(|param| self.param(param));
                result.iter().for_each(|ty| self.result(ty));
                match body {
                    FnBody::Primitive => {}
                    FnBody::Expr(expr) => self.expression(expr),
                    FnBody::Block(body) => self.body(body, Place::Layer),
                }
            }
            ItemKind::Layer(Layer { hyper, inputs, result, body, .. }) => {
                hyper.iter().chain(inputs).for_each(|param| self.param(param));
                result.iter().for_each(|ty| self.result(ty));
                self.body(body, Place::Layer);
            }
            ItemKind::Optimizer(Optimizer { hyper, input, body, .. }) => {
                hyper.iter().for_each(|param| self.param(param));
                input.iter().for_each(|input| self.say(Later::OneRank, input.name.span));
                self.body(body, Place::Optimizer);
            }
            ItemKind::Data(data) => {
                self.expression(&data.from);
                self.body(&data.body, Place::Data);
            }
            ItemKind::Train(block) => {
                self.body(&block.body, Place::Train);
                let minimizes = block.body.iter().filter(|s| matches!(s.kind, StatementKind::Minimize(_)));
                minimizes.skip(1).for_each(|statement| self.say(Later::SeveralMinimized, statement.span));
            }
        }
    }

    fn param(&mut self, param: &Param) {
        if let Some(Type { kind: TypeKind::List(_) | TypeKind::Tuple(_), span }) = &param.ty {
            self.say(Later::ListOrTuple, *span);
        }
        param.default.iter().for_each(|default| self.expression(default));
    }

    fn result(&mut self, ty: &Type) {
        if let TypeKind::List(_) | TypeKind::Tuple(_) = ty.kind {
            self.say(Later::Tuple, ty.span);
        }
    }

    fn body(&mut self, body: &[Statement], place: Place) {
        body.iter().for_each(|statement| self.statement(statement, place));
    }

    fn statement(&mut self, statement: &Statement, place: Place) {
        let span = statement.span;
        match &statement.kind {
            StatementKind::Let(..) if place == Place::Data => self.say(Later::LetInData, span),
            StatementKind::Let(Target::Several(_), ..) => self.say(Later::Apart, span),
            StatementKind::Let(_, _, Init::Draw(_)) => self.say(Later::DrawnLet, span),
            StatementKind::Let(Target::Indexed(_, places), ..) => self.declared(places),
            StatementKind::State(..) if place == Place::Layer => self.say(Later::StateInLayer, span),
            StatementKind::State(..) if place == Place::Train => self.say(Later::StateInTrain, span),
            StatementKind::Param(..) if place == Place::Train => self.say(Later::ParamInTrain, span),
            StatementKind::Assign(Target::Several(_), ..) if place == Place::Data => {
                self.say(Later::ColumnsApart, span)
            }
            StatementKind::Assign(Target::One(name), ..) if place == Place::Train => {
                if SETTINGS.contains(&name.text.as_str()) {
                    self.found.push(Later::Setting.named(&name.text, name.span));
                }
            }
            StatementKind::Emit(..) => self.say(Later::Emit, span),
            StatementKind::Calibrate(..) => self.say(Later::Calibrate, span),
            StatementKind::Minimize(minimize) => {
                minimize.except.first().iter().for_each(|(other, _)| self.say(Later::Except, other.span));
                minimize.over.first().iter().for_each(|name| self.say(Later::Over, name.span));
                minimize.times.iter().for_each(|times| self.say(Later::Times, times.span));
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

    /// The places of an indexed `let`.
    fn declared(&mut self, places: &[IndexPlace]) {
        for place in places {
            match place {
                IndexPlace::Group(_, span) => self.say(Later::Group, *span),
                IndexPlace::At(..) | IndexPlace::Rest(..) | IndexPlace::Slice(..) => {}
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
            ExprKind::Range(..) => self.say(Later::Range, span),
            ExprKind::Comprehension(..) => self.say(Later::Comprehension, span),
            ExprKind::Tuple(_) => self.say(Later::Tuple, span),
            ExprKind::Record(_) => self.say(Later::Record, span),
            ExprKind::Scan(_) => self.say(Later::Scan, span),
            ExprKind::From(_, from, _) => self.say(Later::From, from.span),
            ExprKind::Pipe(_, _, stage) if matches!(stage.kind, ExprKind::List(_)) => {
                self.say(Later::ListOfLayers, stage.span);
            }
            ExprKind::Index(_, places) => self.read(places),
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
            | ExprKind::List(_) => {}
        }
    }

    fn read(&mut self, places: &[IndexPlace]) {
        for place in places {
            match place {
                IndexPlace::At(Expr { kind: ExprKind::Name(_), .. }, None) | IndexPlace::Rest(Some(_), _) => {}
                IndexPlace::At(at, _) => self.say(Later::PlaceByExpression, at.span),
                IndexPlace::Rest(None, span) => self.say(Later::NamelessRest, *span),
                IndexPlace::Slice(_, _, span) => self.say(Later::Slice, *span),
                IndexPlace::Group(_, span) => self.say(Later::Group, *span),
            }
        }
    }
}
