//! Where the rows of a `data` block come from.

use super::{Elaborator, Out, Reported};
use crate::check::schema::{From, Source};
use crate::check::unsupported::{SOURCES, Unsupported};
use crate::check::value::{Scope, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::tree::{Argument, Expr, ExprKind};

impl Elaborator<'_> {
    pub(super) fn source(&mut self, from: &Expr) -> Out<Source> {
        let (name, arguments) = match &from.kind {
            ExprKind::Call(callee, arguments) => match &callee.kind {
                ExprKind::Name(name) => (name, arguments),
                _ => return Err(self.no_source(from.span)),
            },
            _ => return Err(self.no_source(from.span)),
        };
        if name.text == "rows" {
            return self.drawn_rows(arguments, from.span);
        }
        if let "idx" | "text" | "jsonl" = name.text.as_str() {
            return self.files(&name.text, arguments, from.span);
        }
        if name.text != "csv" {
            if SOURCES.contains(&name.text.as_str()) {
                return Err(self.report(Unsupported::Source.named(&name.text, name.span)));
            }
            return Err(self.no_source(name.span));
        }
        let mut source = None;
        let mut separator = b',';
        for argument in arguments {
            if let (None, ExprKind::Field(..)) = (&argument.name, &argument.value.kind) {
                let path = self.sources.text(argument.value.span).to_string();
                let error = Diagnostic::error("E0211", "expected a path in double quotes", argument.value.span, "here");
                return Err(self.report(error.help(format!("write `csv(\"{path}\")`"))));
            }
            let value = self.value(&argument.value, &mut Scope::default())?;
            match (argument.name.as_ref().map(|name| name.text.as_str()), value) {
                (None, Value::Text(path)) if source.is_none() => source = Some((path, argument.value.span)),
                (Some("separator"), Value::Text(text)) if text.len() == 1 && text.is_ascii() => {
                    separator = text.as_bytes()[0];
                }
                _ => {
                    let message = "`csv` takes a path and, if it is not a comma, a `separator`";
                    return Err(self.error("E0212", message, argument.value.span, "not this"));
                }
            }
        }
        match source {
            Some((path, span)) => Ok(Source::new(From::Csv { path, separator }, span)),
            None => Err(self.error("E0212", "`csv` is not given its path", from.span, "which file?")),
        }
    }

    /// `rows(2_000, seed = 3)`.
    fn drawn_rows(&mut self, arguments: &[Argument], span: Span) -> Out<Source> {
        let (mut count, mut seed) = (None, 0);
        for argument in arguments {
            let value = self.value(&argument.value, &mut Scope::default())?;
            let at = argument.value.span;
            match argument.name.as_ref().map(|name| name.text.as_str()) {
                None if count.is_none() => count = Some((self.whole(&value, "a count of rows", at)?, at)),
                Some("seed") => seed = self.seed(&value, at)?,
                _ => {
                    let message = "`rows` takes how many there are, and a `seed`";
                    let error = Diagnostic::error("E0212", message, at, "not this");
                    return Err(self.report(error.help("write `rows(100, seed = 1)`")));
                }
            }
        }
        match count {
            Some((count, _)) if (1..=100_000_000).contains(&count) => {
                Ok(Source::new(From::Rows { count: count as usize, seed }, span))
            }
            Some((_, at)) => Err(self.error("E0213", "rows are between 1 and 100 million", at, "here")),
            None => Err(self.error("E0212", "`rows` needs the number of rows", span, "here")),
        }
    }

    /// `text("file.txt")`, `jsonl("file.jsonl")`, `idx(train = "images", train_labels = "labels", …)`.
    fn files(&mut self, kind: &str, arguments: &[Argument], span: Span) -> Out<Source> {
        let names: &[&str] = if kind == "idx" { &["train", "train_labels", "test", "test_labels"] } else { &[""] };
        let mut paths: Vec<Option<String>> = vec![None; names.len()];
        for Argument { name, value } in arguments {
            let text = name.as_ref().map_or("", |name| name.text.as_str());
            let Some(at) = names.iter().position(|known| *known == text) else {
                let message = match name {
                    None => format!("the files of `{kind}` have names"),
                    Some(name) => format!("`{kind}` has no setting `{}`", name.text),
                };
                let at = name.as_ref().map_or(value.span, |name| name.span);
                let error = Diagnostic::error("E0212", message, at, "not this");
                let known =
                    if kind == "idx" { format!("it has {}", names.join(", ")) } else { "it takes a path".to_string() };
                return Err(self.report(error.help(match nearest(text, names.iter().copied()) {
                    Some(near) if !near.is_empty() => format!("did you mean `{near}`?"),
                    _ => known,
                })));
            };
            match self.value(value, &mut Scope::default())? {
                Value::Text(path) if paths[at].is_none() => paths[at] = Some(path),
                Value::Text(_) => {
                    return Err(self.error("E0212", "this path is given twice", value.span, "the second time"));
                }
                other => {
                    let message = "expected a path in double quotes";
                    return Err(self.error("E0211", message, value.span, other.noun()));
                }
            }
        }
        let from = match &mut paths[..] {
            [Some(path)] if kind == "jsonl" => From::Jsonl { path: path.clone() },
            [Some(path)] => From::Text { path: path.clone() },
            [Some(train), train_labels, test, test_labels] => {
                if test.is_none() && test_labels.is_some()
                    || test.is_some() && train_labels.is_some() != test_labels.is_some()
                {
                    let error = Diagnostic::error(
                        "E0212",
                        "images for training and for the test have labels, or neither have",
                        span,
                        "here",
                    );
                    return Err(self.report(error.help("give `train_labels`, `test` and `test_labels`")));
                }
                From::Idx {
                    train: train.clone(),
                    train_labels: train_labels.take(),
                    test: test.take(),
                    test_labels: test_labels.take(),
                }
            }
            _ => {
                let message = format!("`{kind}` is not given its path");
                let error = Diagnostic::error("E0212", message, span, "which file?");
                return Err(self.report(error.help(match kind {
                    "text" => "write `text(\"file.txt\")`",
                    "jsonl" => "write `jsonl(\"file.jsonl\")`",
                    _ => {
                        "write `idx(train = \"images\", train_labels = \"labels\", test = \"…\", test_labels = \"…\")`"
                    }
                })));
            }
        };
        Ok(Source::new(from, span))
    }

    fn no_source(&mut self, span: Span) -> Reported {
        let error = Diagnostic::error("E0201", "cannot find this source of data", span, "not found");
        self.report(error.help("write `csv(\"file.csv\")`"))
    }

    pub(super) fn seed(&mut self, value: &Value, span: Span) -> Out<u64> {
        let whole = self.whole(value, "a seed", span)?;
        u64::try_from(whole).map_err(|_| self.error("E0213", "a seed is not below 0", span, "here"))
    }
}
