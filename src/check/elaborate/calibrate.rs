//! `calibrate margin = e on valid`: computed of the rows of a split once training is over, and kept with the weights. What reads
//! it is known only then.

use super::watched::SPLITS;
use super::{Elaborator, Out, Reported};
use crate::check::program::{Calibrated, TypedProgram};
use crate::check::terms::{Kind, Leaf, Start, TermId};
use crate::check::types::{Axis, Elem, Type};
use crate::check::value::{Scope, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::tree::{Expr, Name};

impl Elaborator<'_> {
    pub(super) fn calibrate(&mut self, name: &Name, expr: &Expr, split: &Name, scope: &mut Scope) -> Out<Calibrated> {
        let made = self.calibrated(name, expr, split, scope);
        let value = made.as_ref().map_or(Value::Wrong, |made| {
            let ty = self.params[made.param.0 as usize].ty.clone();
            Value::Tensor(self.leaf(Leaf::Param(made.param), ty, name.span))
        });
        scope.bind(name, value);
        made
    }

    /// It has a place among the states of the block, which nothing moves while it is trained.
    fn calibrated(&mut self, name: &Name, expr: &Expr, split: &Name, scope: &mut Scope) -> Out<Calibrated> {
        let at = self.split_of(split)?;
        // States of layers stay as they are.
        let kept_now = self.kept_now.clone();
        let value = self.value(expr, scope);
        self.kept_now = kept_now;
        let value = self.numbers(value?, expr.span)?;
        let value = self.filled(value, 0.0, expr.span);
        let Some(data) = &self.data else { return Err(Reported) };
        let read = data.sets_of(&self.terms, &[value]);
        if let Some(empty) = read.iter().map(|set| &data.sets[*set]).find(|set| set.rows[at] == 0) {
            let message =
                format!("`calibrate` reads the rows of `{}`, and `{}` has none there", split.text, empty.name);
            let error = Diagnostic::error("E0371", message, split.span, "no row is for this");
            let help = "give it some: `split = holdout(train = 80%, valid = 20%, seed = 1)`";
            return Err(self.report(error.help(help)));
        }
        let all: Vec<_> = data.sets.iter().map(|set| (set.symbol.clone(), set.rows[at] as i64)).collect();
        let kept = |axis: &Axis| match axis.size.settled() {
            Some(_) => axis.clone(),
            None => {
                let size = axis.size.settle(&all);
                let text = format!("is for the {size} rows of `{}`", split.text);
                Axis::new(size, split.span, text)
            }
        };
        let ty = Type::float(self.ty(value).axes.iter().map(kept).collect());
        let param = match self.param_of.get(&name.text) {
            Some(known) => self.same_param(*known, ty, name.span)?,
            None => {
                self.claim(&name.text, name.span)?;
                self.is_root_of_block(&name.text);
                let start = self.term(Kind::Number(0.0), Type::scalar(Elem::Float), name.span);
                self.new_param(name.text.clone(), ty, Start::Value(start), name.span, true)
            }
        };
        self.calibrated.insert(param, name.span);
        Ok(Calibrated { param, value, split: split.text.clone() })
    }

    /// The number of a split, which has rows.
    fn split_of(&mut self, split: &Name) -> Out<usize> {
        let Some(at) = SPLITS.iter().position(|known| *known == split.text) else {
            let message = format!("there is no split `{}`", split.text);
            let help = nearest(&split.text, SPLITS.into_iter())
                .map_or("the splits are train, valid and test".to_string(), |near| format!("did you mean `{near}`?"));
            return Err(self.report(Diagnostic::error("E0371", message, split.span, "not found").help(help)));
        };
        let Some(data) = &self.data else { return Err(Reported) };
        let (rows, without) = (data.rows()[at], data.is_missing());
        if rows == 0 || without {
            let message = format!("`calibrate` reads the rows of `{}`, and there are none", split.text);
            let error = Diagnostic::error("E0371", message, split.span, "no row is for this");
            let help = match without {
                true => "a training without data has no rows: add `data = name`",
                false => "give it some: `split = holdout(train = 80%, valid = 20%, seed = 1)`",
            };
            return Err(self.report(error.help(help)));
        }
        if split.text == "test" {
            let message = "this is calibrated by rows that are for testing, whose figures then say too much";
            let warning = Diagnostic::error("W0341", message, split.span, "these rows").warning();
            self.report(warning.help("calibrate on `valid`, with rows of its own in the split"));
        }
        Ok(at)
    }

    /// What steps and choices compute reads nothing that is known only after them.
    pub(super) fn is_known_while_training(&mut self, term: TermId, at: Span, what: &str) -> Out<()> {
        let Some((name, made)) = self.reads_calibrated(term) else { return Ok(()) };
        let message = format!("{what} reads `{name}`, which is calibrated when training is over");
        let error = Diagnostic::error("E0372", message, at, "this is computed in the steps before");
        Err(self.report(error.label(made, "calibrated here").help("reports and predictions may read it")))
    }

    /// The name and place of something calibrated that a term reads.
    pub(super) fn reads_calibrated(&self, term: TermId) -> Option<(String, Span)> {
        let used = TypedProgram::used(&self.terms, &[term]);
        let own = |id| Some((self.params.get(id as usize)?.path.clone(), *self.calibrated.get(&super::ParamId(id))?));
        used.into_iter().find_map(|id| own(id.0))
    }
}
