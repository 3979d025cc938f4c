//! Predictions that decide between two classes by one score: `sigmoid(score) > 0.5`, where a loss or a report holds that score
//! against a column of two classes.

use super::term::Lowering;
use crate::check::program::{RawKind, TypedProgram};
use crate::check::terms::{Kind, Leaf, TermId};
use crate::check::types::Elem;
use crate::ir::{NodeId, ScalarOp};
use std::collections::BTreeMap;

/// What is decided: the column, and whether what is true is its second class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub column: String,
    pub second: bool,
}

/// The predictions that are such decisions, by their names.
pub(super) fn decisions(lowering: &Lowering, program: &TypedProgram) -> BTreeMap<String, Decision> {
    let scores = scores(lowering, program);
    let decided = program.predictions.iter().filter_map(|prediction| {
        let (score, second) = compared(program, prediction.value)?;
        let squashed = program.applied.iter().filter(|applied| applied.name == "sigmoid" && applied.result == score);
        let nodes = squashed.filter_map(|applied| applied.input("x")).chain([score]);
        let nodes: Vec<NodeId> = nodes.filter_map(|term| lowering.known(term)).collect();
        let mut columns: Vec<&str> =
            scores.iter().filter(|(own, _)| nodes.contains(own)).map(|(_, column)| *column).collect();
        columns.sort_unstable();
        columns.dedup();
        let [column] = columns[..] else { return None };
        Some((prediction.name.clone(), Decision { column: column.to_string(), second }))
    });
    decided.collect()
}

/// What a truth value for each row holds against a number, and whether it is true where that is greater.
fn compared(program: &TypedProgram, value: TermId) -> Option<(TermId, bool)> {
    let term = program.terms.get(value);
    let Kind::Scalar(ScalarOp::Less | ScalarOp::LessEqual, operands) = &term.kind else { return None };
    let is_score =
        |id: TermId| matches!(program.terms.get(id).ty.elem, Elem::Float) && !program.terms.get(id).ty.axes.is_empty();
    match operands[..] {
        [low, high] if !is_score(low) && is_score(high) => Some((high, true)),
        [low, high] if is_score(low) && !is_score(high) => Some((low, false)),
        _ => None,
    }
}

/// The scores that losses and metrics of two classes are given, with the columns that they are held against.
fn scores<'p>(lowering: &Lowering, program: &'p TypedProgram) -> Vec<(NodeId, &'p str)> {
    let held = program.applied.iter().filter_map(|applied| {
        let (score, target) = (applied.input("logits")?, applied.input("target")?);
        let same = program.terms.get(score).ty.agrees(&program.terms.get(target).ty);
        Some((lowering.known(score)?, class_column(program, target).filter(|_| same)?))
    });
    held.collect()
}

/// The source column of two classes that a term is.
fn class_column(program: &TypedProgram, term: TermId) -> Option<&str> {
    match &program.terms.get(term).kind {
        Kind::Leaf(Leaf::Column(at)) => class_column(program, program.data.columns[*at].value),
        Kind::Leaf(Leaf::Raw(at)) => {
            let raw = &program.data.raw[*at];
            let two = matches!(&raw.ty.elem, Elem::Class(count) if count.size.settled() == Some(2));
            (two && raw.kind == RawKind::Classes).then_some(raw.key.as_str())
        }
        Kind::Cast(a) | Kind::Constant(a) => class_column(program, *a),
        _ => None,
    }
}
