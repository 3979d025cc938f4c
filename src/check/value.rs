//! What an expression stands for while a program is checked: most of it is gone before the first step.

use super::number::Number;
use super::program::Items;
use super::terms::{ParamId, TermId};
use super::types::{Axis, IndexId, Origin, Type};
use crate::ir::{Draw, QuickMap};
use crate::source::Span;
use crate::syntax::tree::{Item, ItemKind, Name};
use std::collections::HashSet;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub enum Value {
    /// A constant.
    Number(Number),
    Truth(bool),
    Text(String),
    /// The size of an axis that is no constant: the rows.
    Size(Axis),
    Tensor(TermId),
    /// A column of the source, before it is known whether its numbers or its classes are wanted.
    RawColumn(usize),
    /// A column of the source whose rows are of unequal length: `pad` reads it.
    Unequal(usize, Items),
    /// One of several data sets of a training, by its number.
    Set(usize),
    /// A table that is read whole, and a column of one.
    Table(usize),
    OfTable(usize, usize),
    /// A `fn`, `layer`, `model` or `optimizer` by its name.
    Item(Rc<Item>),
    /// An unapplied call of a layer: hyperparameters, but no parameters yet.
    Recipe(Rc<Recipe>),
    /// A layer with parameters at a path.
    Instance(Rc<Recipe>, String),
    Distribution(Rc<Law>),
    /// With the text of each part.
    List(Vec<(Value, Span)>),
    /// What the applications of layers have emitted, with the place of each `emit`: a list whose reductions are elementwise.
    Emitted(Vec<(TermId, Span)>),
    /// Several results: `(mean, logvar)`, or with names, `{ price = …, kind = … }`.
    Tuple(Vec<Part>),
    /// Nothing is known of it, and nothing is said of what reads it: what was wrong and is reported already, or what a use
    /// of a definition decides that is checked alone.
    Wrong,
}

/// One of several results.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: Option<String>,
    pub value: Value,
    pub span: Span,
}

/// What numbers are drawn from. Its parameters are numbers and tensors.
#[derive(Clone, Debug)]
pub struct Law {
    pub family: Family,
    /// With the text of each.
    pub parameters: Vec<(Value, Span)>,
    /// The call that made it.
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// From a lower bound to an upper one.
    Uniform,
    /// Mean and standard deviation.
    Normal,
    /// The probability of being true.
    Bernoulli,
    /// The logits of the classes, along the last axis.
    Categorical,
    /// From a whole number to below another.
    Integers,
}

impl Family {
    /// Its name in the language.
    pub fn name(self) -> &'static str {
        match self {
            Family::Uniform => "uniform",
            Family::Normal => "normal",
            Family::Bernoulli => "bernoulli",
            Family::Categorical => "categorical",
            Family::Integers => "integers",
        }
    }
}

impl Law {
    /// The same as numbers that are known before the run, where it is a shifted and scaled draw by such.
    pub fn settled(&self) -> Option<Distribution> {
        let [(Value::Number(first), _), (Value::Number(second), _)] = &self.parameters[..] else { return None };
        let draw = match self.family {
            Family::Uniform => Draw::Uniform,
            Family::Normal => Draw::Normal,
            Family::Bernoulli | Family::Categorical | Family::Integers => return None,
        };
        Some(Distribution { draw, first: first.to_f64(), second: second.to_f64() })
    }
}

/// Numbers that are drawn: `low..high` for a uniform draw, mean and standard deviation for a normal one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    pub draw: Draw,
    pub first: f64,
    pub second: f64,
}

/// A layer that can be applied.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub layers: Layers,
    /// The name that it gets where it is applied in place: `dense_1`.
    pub segment: String,
}

#[derive(Clone, Debug)]
pub enum Layers {
    /// With its hyperparameters.
    One { item: Rc<Item>, hyper: Vec<(String, Bound)> },
    /// So many in a row: of a recipe fresh ones, of an instance the same. `None` where a use decides how many.
    Repeat { times: Option<usize>, of: Value },
}

/// A value, and where it was decided.
#[derive(Clone, Debug)]
pub struct Bound {
    pub value: Value,
    pub origin: Origin,
}

/// The names of one body. A later one stands for an earlier one that is called the same.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    names: QuickMap<String, Bound>,
    /// In the order in which they were bound.
    order: Vec<String>,
    /// The columns of a source, behind all other names. A table may have very many.
    columns: QuickMap<String, Bound>,
    /// Names of rests of a signature, `..s`, with the axes that they stand for.
    rests: Vec<(String, Vec<Axis>)>,
    /// Indices that are open here, by name; a rest has one for each of its axes.
    pub indices: Vec<(String, Vec<IndexId>)>,
    pub namespace: Namespace,
    /// The states that the body has declared, with their types, and their next values so far.
    pub states: Vec<State>,
    /// Whether it is the body of a loop, whose states are its carries.
    pub steps: bool,
    /// Names of what a loop gives, which has its steps along an axis.
    scans: HashSet<String>,
}

/// A `state` of a body.
#[derive(Clone, Debug)]
pub struct State {
    pub name: Name,
    pub ty: Type,
    pub kept: Kept,
    pub next: Option<TermId>,
}

/// What keeps a state.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// The training, like a parameter.
    Layer(ParamId),
    /// The model whose parameters a point is made of: the point has its own, which nothing moves.
    Point,
    /// The loop, by the number of the carry.
    Loop(usize),
}

/// Where the parameters of the layers that a body makes get their paths from.
#[derive(Clone, Debug, Default)]
pub enum Namespace {
    /// A `fn` makes no instances.
    #[default]
    None,
    /// A layer at this path, which is empty for the model.
    Layer(String),
    /// A `train` block: its instances are models.
    Train,
}

impl Scope {
    pub fn bind(&mut self, name: &Name, value: Value) {
        let origin = Origin { span: name.span, text: "is decided here".into() };
        self.insert(&name.text, Bound { value, origin });
    }

    pub fn insert(&mut self, name: &str, bound: Bound) {
        self.scans.remove(name);
        self.names.insert(name.to_string(), bound);
        self.order.push(name.to_string());
    }

    /// What has this name is given by a loop.
    pub fn is_of_scan(&mut self, name: &str) {
        self.scans.insert(name.to_string());
    }

    /// Whether what has this name is given by a loop.
    pub fn names_scan(&self, name: &str) -> bool {
        self.scans.contains(name)
    }

    /// The names of a source's columns.
    pub fn of_columns(columns: QuickMap<String, Bound>) -> Scope {
        Scope { columns, ..Scope::default() }
    }

    pub fn get(&self, name: &str) -> Option<&Bound> {
        self.names.get(name).or_else(|| self.columns.get(name))
    }

    pub fn bind_rest(&mut self, name: &str, axes: Vec<Axis>) {
        self.rests.push((name.to_string(), axes));
    }

    pub fn rest(&self, name: &str) -> Option<&[Axis]> {
        self.rests.iter().rev().find(|(known, _)| known == name).map(|(_, axes)| axes.as_slice())
    }

    pub fn index(&self, name: &str) -> Option<&[IndexId]> {
        self.indices.iter().rev().find(|(known, _)| known == name).map(|(_, ids)| ids.as_slice())
    }

    /// How many names were bound.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// Nothing is known of what was bound after the first `count` names.
    pub fn doubt(&mut self, count: usize) {
        for name in &self.order[count..] {
            self.names.get_mut(name).into_iter().for_each(|bound| bound.value = Value::Wrong);
        }
    }

    /// No longer knows a name.
    pub fn forget(&mut self, name: &str) {
        self.names.remove(name);
        self.columns.remove(name);
        self.order.retain(|known| known != name);
    }

    /// All names, for suggestions.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.names.keys().chain(self.columns.keys()).map(String::as_str)
    }
}

impl Recipe {
    /// The name, where it is declared, of the layer that it is made of; functions have none.
    pub fn layer(&self) -> Option<&Name> {
        match &self.layers {
            Layers::One { item, .. } => item.kind.name(),
            Layers::Repeat { of: Value::Recipe(of), .. } => of.layer(),
            Layers::Repeat { .. } => None,
        }
    }

    /// Whether the layers are its own; those of an instance have theirs already, and functions have none.
    pub fn has_parameters(&self) -> bool {
        match &self.layers {
            Layers::One { .. } => true,
            Layers::Repeat { of, .. } => matches!(of, Value::Recipe(_) | Value::List(_)),
        }
    }
}

impl Distribution {
    /// A standard draw, shifted and scaled.
    pub fn of(&self, standard: f64) -> f64 {
        match self.draw {
            Draw::Uniform => self.first + (self.second - self.first) * standard,
            Draw::Normal => self.first + self.second * standard,
        }
    }
}

impl Value {
    /// The same, with what was emitted as a list like any other.
    pub fn listed(self) -> Value {
        match self {
            Value::Emitted(parts) => {
                Value::List(parts.into_iter().map(|(term, at)| (Value::Tensor(term), at)).collect())
            }
            other => other,
        }
    }

    /// What it is, for messages: `a number`.
    pub fn noun(&self) -> &'static str {
        match self {
            Value::Number(_) => "a number",
            Value::Truth(_) => "a truth value",
            Value::Text(_) => "a text",
            Value::Size(_) => "a size",
            Value::Tensor(_) => "a tensor",
            Value::RawColumn(_) => "a column",
            Value::Unequal(..) => "rows of unequal length",
            Value::Set(_) => "a data set",
            Value::Table(_) => "a table",
            Value::OfTable(..) => "a column of a table",
            Value::Item(item) => match &item.kind {
                ItemKind::Fn(_) => "a function",
                ItemKind::Layer(_) => "a layer",
                ItemKind::Optimizer(_) => "an optimizer",
                ItemKind::Data(_) => "a data set",
                ItemKind::Train(_) | ItemKind::Sweep(_) => "a training",
                ItemKind::Use(_) | ItemKind::Let(_) => "an item",
            },
            Value::Recipe(_) => "a layer without input",
            Value::Instance(..) => "a layer",
            Value::Distribution(_) => "a distribution",
            Value::List(_) => "a list",
            Value::Emitted(_) => "a list of what layers emit",
            Value::Tuple(_) => "several values",
            Value::Wrong => "wrong",
        }
    }
}
