//! E0201: a name that nothing declares, with the nearest that something does.

use super::Pass;
use super::scope::{declared, item_name};
use crate::check::later;
use crate::diagnostic::Diagnostic;
use crate::syntax::tree::{Data, Expr, ExprKind, Name};

/// The nearest of some names, if a person may have meant it: at most a third of the letters differ.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let most = name.chars().count() / 3;
    known
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, other)| *distance <= most && *other != name)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

fn unknown(name: &Name) -> Diagnostic {
    Diagnostic::error("E0201", format!("unknown name `{}`", name.text), name.span, "nothing declares this name")
}

fn meant(diagnostic: Diagnostic, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// `y = …` where only a state may get its next value.
pub fn target(name: &Name) -> Diagnostic {
    match name.text.strip_suffix('\'') {
        Some(state) => unknown(name).help(format!("declare it before: `state {state} = 0`")),
        None => unknown(name).help(format!("to declare it, write `let {} = …`", name.text)),
    }
}

impl<'a> Pass<'a> {
    pub fn unknown(&self, name: &Name) -> Diagnostic {
        if let Some(later) = later::function(&name.text, name.span) {
            return later;
        }
        if let Some(state) = name.text.strip_suffix('\'')
            && self.locals.iter().any(|known| known == state)
        {
            return unknown(name).help(format!("`'` is the next value of a `state`, and `{state}` is none"));
        }
        let below = self.body.iter().find(|statement| declared(statement, false).contains(&name.text));
        if let Some(below) = below.filter(|below| below.span.start > name.span.start) {
            let message = format!("`{}` is read before it is declared", name.text);
            return Diagnostic::error("E0201", message, name.span, "read here")
                .label(below.span, "declared here")
                .help("move the declaration up");
        }
        let items = self.file.items.iter().filter_map(item_name).map(|name| name.text.as_str());
        let locals = self.locals.iter().rev().map(String::as_str);
        let stdlib = self.stdlib.iter().map(String::as_str);
        meant(unknown(name), nearest(&name.text, locals.chain(items).chain(stdlib)))
    }

    /// Where the rows of a `data` come from: a call of a source, and expressions in its arguments.
    pub fn source(&mut self, data: &'a Data) {
        let ExprKind::Call(callee, arguments) = &data.from.kind else { return self.called(&data.from) };
        match &callee.kind {
            ExprKind::Name(name) if name.text == "csv" || later::SOURCES.contains(&name.text.as_str()) => {}
            ExprKind::Name(name) => {
                let near = nearest(&name.text, ["csv"].into_iter().chain(later::SOURCES));
                self.found.push(meant(unknown(name), near).label(data.name.span, "the rows of this data come from it"));
            }
            _ => self.called(callee),
        }
        arguments.iter().map(|argument| &argument.value).for_each(|value: &Expr| self.expr(value));
    }
}
