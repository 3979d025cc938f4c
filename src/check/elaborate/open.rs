//! What a use decides, in a definition that is checked without one. Numbers are open symbols; of all else nothing is known
//! ([`Value::Wrong`]), and nothing is said of what reads it.

use super::call::Arg;
use super::{Elaborator, MAX_CALLS, Out, Reported};
use crate::check::terms::{Kind, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Scope, Value};
use crate::ir::{ScalarOp, Size, Symbol};
use crate::source::Span;
use crate::syntax::tree::{Binary, Expr, Name, Word};
use std::collections::{BTreeSet, HashSet};

/// The state of checking a definition alone.
#[derive(Default)]
pub(super) struct Alone {
    /// The name of the definition.
    pub name: String,
    /// How many branches are being checked of which a use may take none.
    pub undecided: usize,
    /// Definitions with a mistake in them, which is reported there: by the spans of their names.
    pub wrong: HashSet<Span>,
}

impl Elaborator<'_> {
    /// A scalar that a use decides.
    pub(super) fn open(&mut self, elem: Elem, name: &str, span: Span) -> TermId {
        self.term(Kind::Size(Size::symbol(Symbol::open(name))), Type::scalar(elem), span)
    }

    /// Whether a value may be a constant in a use: it is made of open symbols and of nothing else.
    pub(super) fn may_be_constant(&self, value: &Value) -> bool {
        match value {
            Value::Size(axis) => axis.size.is_open(),
            Value::Tensor(term) => {
                let ty = self.ty(*term);
                self.alone.is_some() && ty.axes.is_empty() && ty.free.is_empty() && self.reads_open_alone(*term)
            }
            Value::Number(_)
            | Value::Truth(_)
            | Value::Text(_)
            | Value::RawColumn(_)
            | Value::Unequal(..)
            | Value::Set(_)
            | Value::Table(_)
            | Value::OfTable(..)
            | Value::Item(_)
            | Value::Recipe(_)
            | Value::Instance(..)
            | Value::Distribution(_)
            | Value::List(_)
            | Value::Emitted(_)
            | Value::Tuple(_)
            | Value::Wrong => false,
        }
    }

    fn reads_open_alone(&self, term: TermId) -> bool {
        let mut seen = HashSet::new();
        let mut unread = vec![term];
        let mut open = false;
        while let Some(id) = unread.pop() {
            let kind = &self.terms.get(id).kind;
            match kind {
                Kind::Size(size) => open |= size.is_open(),
                Kind::Number(_) | Kind::Truth(_) | Kind::Cast(_) | Kind::Scalar(..) => {}
                Kind::Index(_)
                | Kind::Leaf(_)
                | Kind::Product(..)
                | Kind::Fold(..)
                | Kind::ArgMax(_)
                | Kind::Order(_)
                | Kind::Running(..)
                | Kind::Cholesky(_)
                | Kind::TriangularSolve { .. }
                | Kind::Pick(..)
                | Kind::Constant(_)
                | Kind::Read(..)
                | Kind::Spread(..)
                | Kind::Reshape(_)
                | Kind::Stack(..)
                | Kind::Concat(..)
                | Kind::Slice(..)
                | Kind::Grad { .. }
                | Kind::Draw(..)
                | Kind::Scan(..) => return false,
            }
            unread.extend(kind.operands().into_iter().filter(|operand| seen.insert(*operand)));
        }
        open
    }

    /// Whether a value that may settle may be of a kind: a number or a truth value.
    pub(super) fn may_be(&self, value: &Value, word: Word) -> bool {
        let truth = matches!(value, Value::Tensor(term) if matches!(self.ty(*term).elem, Elem::Bool));
        match word {
            Word::Int | Word::Float => !truth,
            Word::Bool => truth,
            Word::String | Word::Fn | Word::Layer | Word::Model | Word::Distribution => false,
        }
    }

    /// What a value is, for messages.
    pub(super) fn noun(&self, value: &Value) -> &'static str {
        match value {
            open if self.may_be_constant(open) && self.may_be(open, Word::Bool) => "a truth value",
            open if self.may_be_constant(open) => "a number",
            other => other.noun(),
        }
    }

    /// Settled truth values may be compared, so those that a use decides may be as well.
    pub(super) fn open_truth(&mut self, op: Binary, a: &Value, b: &Value, span: Span) -> Option<Value> {
        self.alone.as_ref()?;
        let open = |value: &Value| self.may_be_constant(value) && self.may_be(value, Word::Bool);
        let truth = |value: &Value| matches!(value, Value::Truth(_)) || open(value);
        let compared = matches!(op, Binary::Equal | Binary::NotEqual);
        if !compared || !truth(a) || !truth(b) || !(open(a) || open(b)) {
            return None;
        }
        let text = self.sources.text(span).to_string();
        Some(Value::Tensor(self.open(Elem::Bool, &text, span)))
    }

    /// Whether a branch is being checked that a use may not take.
    pub(super) fn undecided(&self) -> bool {
        self.alone.as_ref().is_some_and(|alone| alone.undecided > 0)
    }

    /// Does something that a use may leave out.
    fn maybe<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let step = |this: &mut Self, by: fn(usize) -> usize| {
            if let Some(alone) = &mut this.alone {
                alone.undecided = by(alone.undecided);
            }
        };
        step(self, |count| count + 1);
        let result = f(self);
        step(self, |count| count - 1);
        result
    }

    /// Stops before a call that is not to be entered: what has a mistake tells it itself, what calls itself may be ended by
    /// an `if` that a use decides, and after too many calls nothing more is looked for.
    pub(super) fn left_alone(&self, callee: &Name) -> Out<()> {
        let Some(alone) = &self.alone else { return Ok(()) };
        let again = || alone.name == callee.text || self.calls.iter().any(|(_, name)| *name == callee.text);
        let left = self.entered >= MAX_CALLS || alone.wrong.contains(&callee.span) || (alone.undecided > 0 && again());
        if left { Err(Reported) } else { Ok(()) }
    }

    /// An `if` whose condition a use decides: either branch may be taken.
    pub(super) fn either(&mut self, yes: &Expr, no: &Expr, span: Span, scope: &mut Scope) -> Out<Value> {
        let before = scope.count();
        let (a, b) = self.maybe(|this| (this.value(yes, scope), this.value(no, scope)));
        scope.doubt(before);
        self.joined((a?, yes.span), (b?, no.span), span)
    }

    /// A repetition of which a use decides how often: once, or not at all.
    pub(super) fn apply_some(&mut self, of: &Value, path: &str, given: Vec<Arg>, span: Span) -> Out<Value> {
        let without = given.first().map(|arg| arg.value.clone());
        let with = self.maybe(|this| this.apply_repeated(1, of, path, given, span))?;
        self.joined((with, span), (without.unwrap_or(Value::Wrong), span), span)
    }

    /// What is common to two values of which a use takes one; nothing is known of others.
    fn joined(&mut self, a: (Value, Span), b: (Value, Span), span: Span) -> Out<Value> {
        let numeric =
            |value: &Value| matches!(value, Value::Number(_) | Value::Truth(_) | Value::Size(_) | Value::Tensor(_));
        if !numeric(&a.0) || !numeric(&b.0) {
            return Err(Reported);
        }
        let (yes, no) = (self.tensor(a.0, a.1)?, self.tensor(b.0, b.1)?);
        let (one, two) = (self.ty(yes).clone(), self.ty(no).clone());
        let elem = match (&one.elem, &two.elem) {
            (Elem::Float, Elem::Float) => Elem::Float,
            (Elem::Bool, Elem::Bool) => Elem::Bool,
            // An int may stand wherever a float may.
            (Elem::Int | Elem::Float, Elem::Int | Elem::Float) => Elem::Int,
            (Elem::Class(a), Elem::Class(b)) => Elem::Class(self.either_axis(a, b, span)),
            (Elem::Float | Elem::Int | Elem::Bool | Elem::Class(_), _) => return Err(Reported),
        };
        if one.axes.len() != two.axes.len() {
            return Err(Reported);
        }
        let axes = one.axes.iter().zip(&two.axes).map(|(one, two)| self.either_axis(one, two, span)).collect();
        let free: BTreeSet<_> = one.free.iter().chain(&two.free).copied().collect();
        let text = self.sources.text(span).to_string();
        let condition = self.open(Elem::Bool, &text, span);
        let ty = Type { free: free.into_iter().collect(), axes, ..Type::scalar(elem) };
        Ok(Value::Tensor(self.term(Kind::Scalar(ScalarOp::Select, vec![condition, yes, no]), ty, span)))
    }

    fn either_axis(&self, one: &Axis, two: &Axis, span: Span) -> Axis {
        if one.size == two.size {
            return one.clone();
        }
        Axis::new(Size::symbol(Symbol::open(self.sources.text(span))), span, "is decided by a use")
    }
}
