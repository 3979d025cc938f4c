//! Types: an element and named axes, each axis remembering where its size was decided.

use super::terms::TermId;
use crate::ir::Size;
use crate::source::Span;
use std::borrow::Cow;
use std::fmt;

/// Where a size was decided, and what is there: both ends of a conflict are drawn from these.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub span: Span,
    pub text: Cow<'static, str>,
}

/// One axis of a tensor. Tensors carry positions; names live only in signatures and indexed `let`s.
#[derive(Clone, Debug)]
pub struct Axis {
    pub size: Size,
    pub origin: Option<Origin>,
}

impl Axis {
    pub fn new(size: Size, span: Span, text: impl Into<Cow<'static, str>>) -> Axis {
        Axis { size, origin: Some(Origin { span, text: text.into() }) }
    }
}

/// What the elements are.
#[derive(Clone, Debug)]
pub enum Elem {
    Float,
    Int,
    Bool,
    /// A whole number below the size: labels and tokens.
    Class(Axis),
}

/// Names one index of an indexed `let` or of a reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexId(pub u32);

/// The type of a term. Inside index notation a term has free indices: it is a family of tensors, one for each of their
/// values. Outside of index notation `free` is empty.
#[derive(Clone, Debug)]
pub struct Type {
    pub elem: Elem,
    /// The free indices, ascending: the order in which lowering lays out the leading axes.
    pub free: Vec<IndexId>,
    pub axes: Vec<Axis>,
    /// The mask of a `where`: truth values of these axes, false for the elements that take no part.
    pub mask: Option<TermId>,
}

impl Type {
    pub fn float(axes: Vec<Axis>) -> Type {
        Type { elem: Elem::Float, free: Vec::new(), axes, mask: None }
    }

    pub fn scalar(elem: Elem) -> Type {
        Type { elem, free: Vec::new(), axes: Vec::new(), mask: None }
    }

    pub fn sizes(&self) -> Vec<Size> {
        self.axes.iter().map(|axis| axis.size.clone()).collect()
    }

    /// Whether it has the shape of another, or a use may make it so.
    pub fn agrees(&self, other: &Type) -> bool {
        let same = |(one, two): (&Axis, &Axis)| one.size.agrees(&two.size);
        self.axes.len() == other.axes.len() && self.axes.iter().zip(&other.axes).all(same)
    }
}

/// `[n, 10]`, `class(3)[n]`, `[]`: as a person would write it.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.elem {
            Elem::Float => {}
            Elem::Int => f.write_str("int")?,
            Elem::Bool => f.write_str("bool")?,
            Elem::Class(k) => write!(f, "class({})", k.size)?,
        }
        f.write_str("[")?;
        for (at, axis) in self.axes.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", axis.size)?;
        }
        f.write_str("]")
    }
}
