//! A `sweep` block: which `let` items take which values, for which seeds, and what tells the best of them.

use super::sets::Figures;
use super::watched::{Figure, Rows};
use super::{Elaborator, Out, Reported};
use crate::check::items::{lets, name_of};
use crate::check::program::{Setting, Sweep, TypedProgram, Watched};
use crate::check::settings::constant;
use crate::check::value::{Scope, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, ExprKind, File, Init, Item, ItemKind, Name, Statement, StatementKind, Target};

/// The most trainings of one sweep.
const MOST: usize = 10_000;

/// Settings of a sweep that are no `let` of the file.
const SETTINGS: [&str; 3] = ["train", "seed", "keep"];

impl Elaborator<'_> {
    /// What a `sweep` block says; the programs are those of the file's `train` blocks in which nothing is wrong.
    pub fn sweep(&mut self, block: &Block, file: &File, programs: &[TypedProgram]) -> Option<Sweep> {
        let before = self.found.len();
        let train = self.swept_train(block, file);
        let mut sweep = Sweep {
            name: block.name.as_ref().map_or("sweep", |name| &name.text).to_string(),
            train: train.as_ref().ok()?.clone(),
            axes: Vec::new(),
            seeds: Vec::new(),
            keep: None,
        };
        let program = programs.iter().find(|program| program.name == sweep.train);
        for statement in &block.body {
            let _ = self.swept(statement, file, program, &mut sweep);
        }
        let points = sweep.axes.iter().map(|(_, values)| values.len()).chain([sweep.seeds.len().max(1)]);
        if points.fold(1, usize::saturating_mul) > MOST {
            let message = format!("a sweep has at most {MOST} trainings");
            self.error("E0281", message, block.word, "this one has more");
        }
        (self.found.len() == before).then_some(sweep)
    }

    /// The block that is trained: the named one, or the only one.
    fn swept_train(&mut self, block: &Block, file: &File) -> Out<String> {
        let trains: Vec<&Block> = file.items.iter().filter_map(|item| train_of(item)).collect();
        let names: Vec<&str> = trains.iter().map(|train| name_of(train)).collect();
        let named = block.body.iter().find_map(|statement| super::setting(statement, "train"));
        match (named, &names[..]) {
            (None, [only]) => Ok(only.to_string()),
            (None, []) => Err(self.error("E0281", "there is nothing to sweep", block.word, "the file has no `train`")),
            (None, _) => {
                let error = Diagnostic::error("E0281", "which `train` block?", block.word, "this sweep names none");
                Err(self.report(error.help(format!("add `train = {}`", names[0]))))
            }
            (Some(Expr { kind: ExprKind::Name(name), .. }), _) => match names.iter().find(|known| **known == name.text)
            {
                Some(known) => Ok(known.to_string()),
                None => {
                    let message = format!("cannot find `train` block `{}`", name.text);
                    let error = Diagnostic::error("E0201", message, name.span, "not found");
                    Err(self.report(error.help(format!("there are: {}", names.join(", ")))))
                }
            },
            (Some(other), _) => {
                Err(self.error("E0281", "expected the name of a `train` block", other.span, "this is none"))
            }
        }
    }

    fn swept(
        &mut self,
        statement: &Statement,
        file: &File,
        program: Option<&TypedProgram>,
        sweep: &mut Sweep,
    ) -> Out<()> {
        let StatementKind::Assign(Target::One(name), None, Init::Value(value)) = &statement.kind else {
            let error = Diagnostic::error("E0216", "this does not belong in a sweep", statement.span, "here");
            return Err(self.report(error.help("write `name = [values]` for a `let` of the file, or `seed = 0..5`")));
        };
        match name.text.as_str() {
            "train" => {}
            "seed" => {
                for (seed, at) in self.listed(value)? {
                    let Setting::Number(number) = &seed else { return Err(self.no_seed(at)) };
                    let whole = number.to_whole().and_then(|whole| u64::try_from(whole).ok());
                    sweep.seeds.push(whole.ok_or_else(|| self.no_seed(at))?);
                }
            }
            "keep" => sweep.keep = Some(self.told_best(value, program)?),
            _ => {
                let values = self.values_of(name, value, file)?;
                sweep.axes.push((name.text.clone(), values));
            }
        }
        Ok(())
    }

    fn no_seed(&mut self, at: Span) -> Reported {
        self.error("E0281", "a seed is a whole number of at least 0", at, "this is none")
    }

    /// The values of a `let` of the file, all of the kind that it has there, each once.
    fn values_of(&mut self, name: &Name, value: &Expr, file: &File) -> Out<Vec<Setting>> {
        let declared = file.items.iter().find_map(|item| match &item.kind {
            ItemKind::Let(declared) if declared.name.text == name.text => Some(declared),
            _ => None,
        });
        let Some(declared) = declared else {
            let names = lets(&file.items);
            let known = names.iter().map(String::as_str).chain(SETTINGS);
            let help = match nearest(&name.text, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare it among the items: `let {} = …`", name.text),
            };
            let message = format!("cannot find `let {}` in the file", name.text);
            return Err(self.report(Diagnostic::error("E0201", message, name.span, "not found").help(help)));
        };
        let listed = self.listed(value)?;
        let wanted = constant(&declared.value);
        let mut values: Vec<(Setting, Span)> = Vec::new();
        for (value, at) in listed {
            let noun = match &value {
                Setting::Number(_) => "a number",
                Setting::Truth(_) => "a truth value",
                Setting::Text(_) => "a text",
            };
            if let Some(wanted) = wanted.filter(|wanted| *wanted != noun) {
                let message = format!("expected {wanted} for `{}`, found {noun}", name.text);
                let error = Diagnostic::error("E0211", message, at, noun);
                return Err(self.report(error.label(declared.name.span, "it is declared here")));
            }
            if let Some((_, first)) = values.iter().find(|(known, _)| *known == value) {
                let error = Diagnostic::error("E0281", "a value is swept twice", at, "the second time");
                return Err(self.report(error.label(*first, "the first time")));
            }
            values.push((value, at));
        }
        Ok(values.into_iter().map(|(value, _)| value).collect())
    }

    /// The constants of a list or a range, with their places; one constant alone is a list of one.
    fn listed(&mut self, expr: &Expr) -> Out<Vec<(Setting, Span)>> {
        let parts = match self.value(expr, &mut Scope::default())? {
            Value::List(parts) => parts,
            one => vec![(one, expr.span)],
        };
        if parts.is_empty() {
            let error = Diagnostic::error("E0281", "there are no values", expr.span, "nothing is in it");
            return Err(self.report(error.help("write a list, `[32, 64]`, or a range, `0..5`")));
        }
        let mut constants = Vec::new();
        for (part, at) in parts {
            constants.push(match part {
                Value::Number(number) => (Setting::Number(number), at),
                Value::Truth(truth) => (Setting::Truth(truth), at),
                Value::Text(text) => (Setting::Text(text), at),
                Value::Wrong => return Err(Reported),
                other => {
                    let message = format!("expected a constant, found {}", other.noun());
                    return Err(self.error("E0211", message, at, other.noun()));
                }
            });
        }
        Ok(constants)
    }

    /// `keep = min(valid.loss)`: a figure of the block.
    fn told_best(&mut self, expr: &Expr, program: Option<&TypedProgram>) -> Out<Watched> {
        let Some(program) = program else { return Err(Reported) };
        let rows = Rows { of: program.data.rows(), without_data: program.data.is_missing() };
        let watched = self.watched(expr, "keep", rows)?;
        let minimized = program.minimized.iter().filter_map(|minimized| minimized.name.as_deref());
        let mut known: Vec<Figure> = minimized.map(Figure::number).collect();
        // When trainings are compared they are over.
        known.extend(program.reports.iter().map(|report| {
            let ty = program.terms.get(report.value).ty.clone();
            Figure { name: &report.name, ty: Some(ty), late: false }
        }));
        self.is_figure(expr, "keep", &known, true)?;
        let minimized = program.minimized.iter().map(|minimized| (minimized.name.as_deref(), minimized.loss)).collect();
        let (data, terms) = (&program.data, &program.terms);
        let figures = Figures { data, terms, minimized, reports: &program.reports };
        if let Some((error, set)) = figures.unknown(expr, "keep") {
            let own = data.sets.iter().find(|own| own.name == set).map(|own| own.source.span);
            let error = own.into_iter().fold(error, |error, own| error.label(own, "the rows of this set"));
            return Err(self.report(error));
        }
        Ok(watched)
    }
}

fn train_of(item: &Item) -> Option<&Block> {
    match &item.kind {
        ItemKind::Train(block) => Some(block),
        _ => None,
    }
}
