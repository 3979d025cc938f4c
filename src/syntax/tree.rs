//! The syntax tree of the whole language: what a person wrote, with the place of everything.

use crate::source::{SourceId, Span};
use std::fmt;

/// One `.mlx` text.
#[derive(Clone, Debug)]
pub struct File {
    pub source: SourceId,
    pub items: Vec<Item>,
}

/// A name, NFC-normalized, without backquotes and with its primes (`m'`).
#[derive(Clone)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// On one line, for names are most of a tree.
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {:?}", self.text, self.span)
    }
}

/// As `--dump tree` prints it.
impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|item| writeln!(f, "{item:#?}"))
    }
}

#[derive(Clone, Debug)]
pub struct Item {
    /// The text of the `///` lines before it.
    pub doc: Option<String>,
    pub span: Span,
    pub kind: ItemKind,
}

#[derive(Clone, Debug)]
pub enum ItemKind {
    Use(Text),
    Let(Let),
    Fn(Function),
    /// `layer` and `model`.
    Layer(Layer),
    Optimizer(Optimizer),
    Data(Data),
    Train(Block),
    Sweep(Block),
}

/// A string as written between quotes, its escapes resolved.
#[derive(Clone, Debug)]
pub struct Text {
    pub value: String,
    pub span: Span,
}

/// `let width: int = 265` among the items.
#[derive(Clone, Debug)]
pub struct Let {
    pub name: Name,
    pub ty: Option<Type>,
    pub value: Expr,
}

/// A parameter of a `fn`, or a hyperparameter or an input of a layer.
#[derive(Clone, Debug)]
pub struct Param {
    pub name: Name,
    pub ty: Option<Type>,
    pub default: Option<Expr>,
}

#[derive(Clone, Debug)]
pub struct Function {
    pub name: Name,
    pub params: Vec<Param>,
    pub result: Option<Type>,
    pub body: FnBody,
}

#[derive(Clone, Debug)]
pub enum FnBody {
    /// Its rule is in the compiler; only the standard library has such.
    Primitive,
    Expr(Expr),
    Block(Vec<Statement>),
}

#[derive(Clone, Debug)]
pub struct Layer {
    pub is_model: bool,
    pub name: Name,
    pub hyper: Vec<Param>,
    pub inputs: Vec<Param>,
    pub result: Option<Type>,
    pub body: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub struct Optimizer {
    pub name: Name,
    pub hyper: Vec<Param>,
    /// `(p: [a, b])` of a rule for one rank.
    pub input: Option<Param>,
    pub body: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub struct Data {
    pub name: Name,
    pub from: Expr,
    pub body: Vec<Statement>,
}

/// A `train` or a `sweep`.
#[derive(Clone, Debug)]
pub struct Block {
    pub name: Option<Name>,
    /// The word `train` or `sweep`.
    pub word: Span,
    pub body: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub struct Type {
    pub span: Span,
    pub kind: TypeKind,
}

#[derive(Clone, Debug)]
pub enum TypeKind {
    /// `[..s, d]`, `int[n]`, `class(k)[n]`.
    Tensor(Elem, Vec<Axis>),
    /// `int`, `float`, `bool`, `string`, `fn`, `layer`, `model`, `distribution`.
    Word(Word),
    /// `string or int`.
    Either(Vec<Type>),
    List(Box<Type>),
    Tuple(Vec<Type>),
}

#[derive(Clone, Debug)]
pub enum Elem {
    Float,
    Int,
    Bool,
    Class(Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Int,
    Float,
    Bool,
    String,
    Fn,
    Layer,
    /// A point in the parameter space of the `model` of a `train`.
    Model,
    Distribution,
}

/// An axis of a written type.
#[derive(Clone, Debug)]
pub enum Axis {
    /// `..s`, or `..` without a name.
    Rest(Option<Name>, Span),
    Size(Expr),
}

#[derive(Clone, Debug)]
pub struct Statement {
    pub span: Span,
    pub kind: StatementKind,
}

#[derive(Clone, Debug)]
pub enum StatementKind {
    Let(Target, Option<Type>, Init),
    Param(Target, Option<Type>, Init),
    State(Target, Option<Type>, Init),
    Out(Expr),
    Emit(Name, Expr),
    /// `name = value`, `name' = value`, `h'[n, e] = value`, `x, y = value`, `x: [1] ~ normal(0, 1)`.
    Assign(Target, Option<Type>, Init),
    Minimize(Box<Minimize>),
    Report(Option<Name>, Expr),
    Predict(Name, Expr),
    Calibrate(Name, Expr, Name),
    /// `check name = condition`.
    Check(Name, Expr),
}

/// What stands left of `=` or `~`.
#[derive(Clone, Debug)]
pub enum Target {
    One(Name),
    Several(Vec<Name>),
    /// `y[i, j: 3, (h e)]`.
    Indexed(Name, Vec<Subscript>),
}

#[derive(Clone, Debug)]
pub enum Init {
    Value(Expr),
    Draw(Expr),
}

/// `minimize name = loss using optimizer except … over … times …`.
#[derive(Clone, Debug)]
pub struct Minimize {
    pub name: Option<Name>,
    pub loss: Expr,
    pub using: Expr,
    /// Another optimizer, and the paths that it takes.
    pub except: Vec<(Expr, Vec<Text>)>,
    pub over: Vec<Name>,
    pub times: Option<Expr>,
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub span: Span,
    pub kind: ExprKind,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Digits as written, without `_`; `percent` is `80%`.
    Number {
        digits: String,
        percent: bool,
    },
    Text(String),
    Truth(bool),
    Name(Name),
    Call(Box<Expr>, Vec<Argument>),
    /// `f(a, ..s where condition: body, further)`.
    Reduce(Box<Reduce>),
    Index(Box<Expr>, Vec<Subscript>),
    Field(Box<Expr>, Name),
    Unary(Unary, Box<Expr>),
    /// With the place of the operator.
    Binary(Binary, Span, Box<Expr>, Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The place of `|>`; the stage may be named by `as`.
    Pipe(Box<Expr>, Span, Box<Expr>),
    As(Box<Expr>, Name),
    Range(Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    /// `[body for name in list]`.
    Comprehension(Box<Expr>, Name, Box<Expr>),
    Tuple(Vec<Expr>),
    Record(Vec<(Name, Expr)>),
    Scan(Box<Scan>),
    From(Box<From>),
}

#[derive(Clone, Debug)]
pub struct Argument {
    pub name: Option<Name>,
    pub value: Expr,
}

#[derive(Clone, Debug)]
pub struct Reduce {
    pub function: Expr,
    pub indices: Vec<ReduceIndex>,
    pub filter: Option<Expr>,
    pub body: Expr,
    /// Further arguments of the function: `quantile(j: x[j], 0.9)`.
    pub further: Vec<Argument>,
}

/// What a reduction runs over.
#[derive(Clone, Debug)]
pub enum ReduceIndex {
    One(Name),
    /// `..s`, or `..` without a name.
    Rest(Option<Name>, Span),
}

/// `model from run`, `model from "file" names "scheme" except "head.**"`.
#[derive(Clone, Debug)]
pub struct From {
    pub model: Expr,
    /// A name or a text.
    pub source: Expr,
    pub names: Option<Names>,
    /// Paths of parameters that start fresh.
    pub except: Vec<Text>,
}

/// The names that tensors have in another file.
#[derive(Clone, Debug)]
pub enum Names {
    /// A file with a line for each.
    File(Text),
    Table(Vec<Renamed>),
}

/// `"theirs" = "ours"`, with `*` for any one segment in both.
#[derive(Clone, Debug)]
pub struct Renamed {
    pub theirs: Text,
    pub ours: Text,
    /// Whether rows and columns of the tensor change places.
    pub transposed: bool,
}

impl ReduceIndex {
    pub fn name(&self) -> Option<&Name> {
        match self {
            ReduceIndex::One(name) => Some(name),
            ReduceIndex::Rest(name, _) => name.as_ref(),
        }
    }
}

/// One subscript between the brackets of a read or of an indexed `let`.
#[derive(Clone, Debug)]
pub enum Subscript {
    /// `..s`, or `..` without a name.
    Rest(Option<Name>, Span),
    /// `i`, `2 * i + u`, `labels[n]`; declared: a name, maybe with its size, `h: heads`.
    At(Expr, Option<Expr>),
    /// `1..t`, `1..`.
    Slice(Expr, Option<Expr>, Span),
    /// `(s h e)`: one axis laid out as several.
    Group(Vec<(Name, Option<Expr>)>, Span),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Negate,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Or,
    And,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Product,
    Power,
}

/// `scan a, k in x[n, t, d], 0..t over t { … }`.
#[derive(Clone, Debug)]
pub struct Scan {
    pub names: Vec<Name>,
    pub over: Vec<Expr>,
    /// The axis that is stepped through; a range needs none.
    pub axis: Option<Name>,
    pub body: Vec<Statement>,
}
