//! How the rows of a `data` block are split: `holdout`, `kfold`, `given`.

use super::{Elaborator, Out, Reported};
use crate::check::number::Number;
use crate::check::schema::{Spanned, Split, Way};
use crate::check::value::{Scope, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::tree::{Argument, Expr, ExprKind};

/// The splits, each with its settings.
const KNOWN: [(&str, &[&str]); 3] = [
    ("holdout", &["train", "valid", "test", "seed", "shuffle", "stratify", "group"]),
    ("kfold", &["fold", "seed", "shuffle", "stratify", "group"]),
    ("given", &["by", "valid", "seed", "shuffle", "stratify", "group"]),
];

/// What the settings of a split say.
struct Said {
    parts: [Option<Spanned>; 3],
    folds: Option<(i64, Span)>,
    fold: Option<(i64, Span)>,
    by: Option<(String, Span)>,
    /// With the place where it is said.
    seed: Option<(u64, Span)>,
    shuffle: Option<(bool, Span)>,
    stratify: Option<(String, Span)>,
    group: Option<(String, Span)>,
}

impl Elaborator<'_> {
    /// `holdout(train = 80%, test = 20%, seed = 1)`.
    pub(super) fn split(&mut self, expr: &Expr) -> Out<Split> {
        let ExprKind::Call(callee, arguments) = &expr.kind else { return Err(self.no_split(expr.span, None)) };
        let ExprKind::Name(name) = &callee.kind else { return Err(self.no_split(expr.span, None)) };
        let Some((kind, known)) = KNOWN.into_iter().find(|(known, _)| *known == name.text) else {
            return Err(self.no_split(name.span, Some(&name.text)));
        };
        let said = self.settings_of_split(kind, known, arguments)?;
        if let (Some((_, one)), Some((_, other))) = (&said.stratify, &said.group) {
            let error =
                Diagnostic::error("E0341", "a split is stratified or grouped, not both", *other, "grouped here")
                    .label(*one, "stratified here");
            return Err(self.report(error.help("leave one of them out")));
        }
        let way = match kind {
            "kfold" => self.held_fold(&said, expr.span)?,
            "given" => self.given_split(&said)?,
            _ => {
                let [train, valid, test] = said.parts;
                let parts = [valid, test].into_iter().flatten();
                let rest = || Spanned {
                    number: parts.fold(Number::whole(1), |rest, part| rest.minus(part.number)),
                    span: expr.span,
                };
                Way::Shares { train: train.unwrap_or_else(rest), valid, test }
            }
        };
        Ok(Split {
            way,
            seed: said.seed.map_or(0, |(seed, _)| seed),
            shuffle: said.shuffle.is_none_or(|(shuffle, _)| shuffle),
            stratify: said.stratify,
            group: said.group,
            span: expr.span,
        })
    }

    fn settings_of_split(&mut self, kind: &str, known: &[&str], arguments: &[Argument]) -> Out<Said> {
        let mut said = Said {
            parts: [None; 3],
            folds: None,
            fold: None,
            by: None,
            seed: None,
            shuffle: None,
            stratify: None,
            group: None,
        };
        for Argument { name, value } in arguments {
            let span = value.span;
            let Some(name) = name else {
                if kind == "kfold" && said.folds.is_none() {
                    let count = self.value(value, &mut Scope::default())?;
                    said.folds = Some((self.whole(&count, "a number of folds", span)?, span));
                    continue;
                }
                let message = "the settings of a split have names";
                let error = Diagnostic::error("E0212", message, span, "which one is this?");
                return Err(self.report(error.help("write `holdout(train = 80%, test = 20%)`")));
            };
            if !known.contains(&name.text.as_str()) {
                let near = nearest(&name.text, known.iter().copied());
                let help =
                    near.map_or(format!("it has {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
                let message = format!("`{kind}` has no setting `{}`", name.text);
                return Err(self.report(Diagnostic::error("E0212", message, name.span, "not found").help(help)));
            }
            if let "stratify" | "group" | "by" = name.text.as_str() {
                let ExprKind::Name(column) = &value.kind else {
                    let message = format!("`{}` names a column", name.text);
                    return Err(self.error("E0212", &message, span, "this is none"));
                };
                let column = Some((column.text.clone(), column.span));
                match name.text.as_str() {
                    "stratify" => said.stratify = column,
                    "group" => said.group = column,
                    _ => said.by = column,
                }
                continue;
            }
            let given = self.value(value, &mut Scope::default())?;
            match (name.text.as_str(), given) {
                ("train", Value::Number(number)) => said.parts[0] = Some(Spanned { number, span }),
                ("valid", Value::Number(number)) => said.parts[1] = Some(Spanned { number, span }),
                ("test", Value::Number(number)) => said.parts[2] = Some(Spanned { number, span }),
                ("shuffle", Value::Truth(truth)) => said.shuffle = Some((truth, span)),
                ("seed", value) => said.seed = Some((self.seed(&value, span)?, span)),
                ("fold", value) => said.fold = Some((self.whole(&value, "the number of a fold", span)?, span)),
                (_, other) => {
                    let message = format!("`{}` of a split is no such value", name.text);
                    return Err(self.error("E0211", message, span, other.noun()));
                }
            }
        }
        Ok(said)
    }

    /// `kfold(5, fold = k)`; folds count from 0.
    fn held_fold(&mut self, said: &Said, span: Span) -> Out<Way> {
        let Some((count, at)) = said.folds else {
            let error = Diagnostic::error("E0212", "`kfold` is not given how many folds there are", span, "here");
            return Err(self.report(error.help("write `kfold(5, fold = 0)`")));
        };
        if !(2..=1_000_000).contains(&count) {
            let message = format!("rows are dealt to 2 folds or more, and {count} is not that many");
            return Err(self.error("E0342", message, at, "the number of folds"));
        }
        let Some((held, held_at)) = said.fold else {
            let error = Diagnostic::error("E0212", "`kfold` is not told which fold is for validation", span, "here");
            return Err(
                self.report(error.help(format!("write `kfold({count}, fold = 0)`; a sweep takes each in turn")))
            );
        };
        if !(0..count).contains(&held) {
            let message = format!("fold {held} is not among the {count} folds, which count from 0");
            let error = Diagnostic::error("E0342", message, held_at, "this fold").label(at, "so many folds");
            return Err(self.report(error.help(format!("the last one is `fold = {}`", count - 1))));
        }
        Ok(Way::Fold { count: count as usize, held: held as usize })
    }

    /// `given(by = column)`, `given(valid = 10_000, seed = 7)`.
    fn given_split(&mut self, said: &Said) -> Out<Way> {
        let Some((column, at)) = &said.by else { return Ok(Way::Given { valid: said.parts[1] }) };
        let other = [
            ("valid", said.parts[1].map(|part| part.span)),
            ("seed", said.seed.map(|(_, span)| span)),
            ("shuffle", said.shuffle.map(|(_, span)| span)),
            ("stratify", said.stratify.as_ref().map(|(_, span)| *span)),
            ("group", said.group.as_ref().map(|(_, span)| *span)),
        ];
        if let Some((name, other)) = other.into_iter().find_map(|(name, span)| Some((name, span?))) {
            let message = format!("`{column}` says the split of each row, and `{name}` would change nothing");
            let error = Diagnostic::error("E0341", message, other, "this setting").label(*at, "said by this column");
            return Err(self.report(error.help(format!("write `given(by = {column})`"))));
        }
        Ok(Way::Column(column.clone(), *at))
    }

    fn no_split(&mut self, span: Span, name: Option<&str>) -> Reported {
        let error = Diagnostic::error("E0201", "cannot find this split", span, "not found");
        let near = name.and_then(|name| nearest(name, KNOWN.into_iter().map(|(known, _)| known)));
        self.report(error.help(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "write `split = holdout(train = 80%, test = 20%, seed = 1)`; others are `kfold` and `given`".to_string()
            }
        }))
    }
}
