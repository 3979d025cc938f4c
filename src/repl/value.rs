//! An expression's value or type.

use super::session::Session;
use super::{Console, Outcome, show};
use crate::backend::Tensor;
use crate::check::program::{Explored, TypedProgram};
use crate::check::terms::{Kind, Leaf, TermId};
use crate::compile;
use crate::run::opened::Opened;
use crate::run::schedule::Schedule;
use crate::run::value::{Present, value};
use crate::source::Span;
use crate::syntax::tree::{Statement, StatementKind};
use crate::syntax::{self, Part};
use std::collections::BTreeMap;

impl Session {
    /// Prints what an expression is.
    pub(super) fn show(&mut self, explored: &Explored, console: &mut Console) -> Outcome {
        let Some(term) = explored.term else {
            console.tell(&show::value(&explored.value, &self.sources));
            return Outcome::Fine;
        };
        let data = explored.data.as_ref().and_then(|data| self.files.open(data));
        match self.compute(explored, term, data.as_ref(), console.stop) {
            Ok(tensor) => {
                let classes = data.as_ref().and_then(|data| data.classes.get(raw_classes(explored, term)?));
                let elem = &explored.terms.get(term).ty.elem;
                console.tell(&show::tensor(elem, &tensor, classes.map_or(&[], Vec::as_slice)));
                Outcome::Fine
            }
            Err(message) => console.complain(&message),
        }
    }

    fn compute(
        &self,
        explored: &Explored,
        term: TermId,
        data: Option<&Opened>,
        stop: fn() -> bool,
    ) -> Result<Tensor, String> {
        let lowered = compile::lower_value(explored, term)
            .map_err(|broken| format!("this is a mistake of mlx itself, please report it: {broken}"))?;
        let program = self.program();
        let nothing = BTreeMap::new();
        let trained = program.and_then(|program| self.trained.get(&program.name));
        let known = |path: &str| trained.is_some_and(|trained| trained.weights.contains_key(path));
        let read = TypedProgram::used(&explored.terms, &[term]);
        let late = read.iter().filter(|id| explored.calibrated.contains(id));
        let mut late = late.map(|id| &explored.params[id.0 as usize].path).filter(|path| !known(path));
        if let Some(path) = late.next() {
            return Err(format!("`{path}` is calibrated when training is over; `:train` trains"));
        }
        let none = Schedule { steps: 0, epochs: 0, batch: 1, seed: 0, threads: 1, kept: 0 };
        let planned = program.map(|program| Schedule::of(program, program.run.length));
        let present = Present {
            data,
            weights: trained.map_or(&nothing, |trained| &trained.weights),
            schedule: trained.map(|trained| trained.schedule).or(planned).unwrap_or(none),
            step: trained.map_or(0, |trained| trained.step),
            epoch: trained.map_or(0, |trained| trained.epoch),
        };
        value(&lowered, &present, &|| !stop())
    }

    /// `:type EXPRESSION`, from a byte of the line on.
    pub(super) fn tell_type(&mut self, line: &str, from: usize, console: &mut Console) -> Outcome {
        let source = self.source(line);
        let (mut parts, wrong) = syntax::entry(&self.sources, source, from);
        if !wrong.is_empty() {
            return console.draw(&wrong, &self.sources);
        }
        let statement = match (parts.pop(), parts.is_empty()) {
            (Some(Part::Statement(statement @ Statement { kind: StatementKind::Out(_), .. }, _)), true) => statement,
            _ => return console.complain("`:type` is about one expression"),
        };
        match self.explore(&statement) {
            Ok(explored) => {
                console.tell(&self.type_of(&explored));
                Outcome::Fine
            }
            Err(wrong) => console.draw(&wrong, &self.sources),
        }
    }

    /// A name of the body, or an expression, by its type.
    pub(super) fn type_of(&self, explored: &Explored) -> String {
        match explored.term {
            Some(term) => explored.terms.get(term).ty.to_string(),
            None => show::kind(&explored.value, &self.sources),
        }
    }

    /// An expression that is one word, which no text has.
    pub(super) fn word(&mut self, word: &str) -> Option<Explored> {
        let source = self.sources.add("", word);
        let (parts, _) = syntax::entry(&self.sources, source, 0);
        let whole = Span::new(source, 0, word.len());
        let statement = parts.into_iter().find_map(|part| match part {
            Part::Statement(statement, _) if statement.span == whole => Some(statement),
            Part::Statement(..) | Part::Item(_) => None,
        })?;
        self.explore(&statement).ok()
    }
}

/// The column of the source whose classes a value has, if it is such a column.
fn raw_classes(explored: &Explored, term: TermId) -> Option<&String> {
    let data = explored.data.as_ref()?;
    let Kind::Leaf(Leaf::Column(column)) = explored.terms.get(term).kind else { return None };
    let Kind::Leaf(Leaf::Raw(raw)) = explored.terms.get(data.columns.get(column)?.value).kind else { return None };
    let raw = data.raw.get(raw)?;
    raw.kind.is_class().then_some(&raw.key)
}
