//! E0201: a name that nothing declares, with the nearest that something does.

use super::scope::declared;
use super::{Pass, foreign};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::syntax::tree::Name;

/// How many mistakes of a file get a suggestion, for which every name is looked at.
const MOST_ADVISED: usize = 200;

impl Pass<'_> {
    pub fn unknown(&self, name: &Name) -> Diagnostic {
        let error =
            Diagnostic::error("E0201", format!("cannot find `{}` in this scope", name.text), name.span, "not found");
        if let Some(state) = name.text.strip_suffix('\'')
            && self.locals.contains(state)
        {
            return error.help(format!("`'` is the next value of a `state`, and `{state}` is none"));
        }
        // Of so many, no one reads all.
        if self.found.len() >= MOST_ADVISED {
            return error;
        }
        let below = self.body.iter().find(|statement| declared(statement, false).contains(&name.text));
        if let Some(below) = below.filter(|below| below.span.start > name.span.start) {
            return error.label(below.span, "declared here, too late").help("move the declaration up");
        }
        if let Some(help) = self.foreign(name) {
            return error.help(help);
        }
        let items = self.file.items.iter().filter_map(|item| item.kind.name()).map(|name| name.text.as_str());
        match nearest(&name.text, self.locals.iter().chain(items).chain(self.stdlib.iter().copied())) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        }
    }
    /// What to write for a name of another library: `nn.Linear`, `MSELoss`, `std`.
    fn foreign(&self, name: &Name) -> Option<String> {
        let known = |name: &str| self.stdlib.contains(&name);
        if self.fields.is_empty() {
            return foreign::advice(&name.text, known).map(str::to_string);
        }
        if name.text == "self" {
            return Some("there is no `self`: what a `let` or a `param` names is read by its name".to_string());
        }
        // The outermost field was met first.
        let last = *self.fields.first().filter(|_| foreign::is_module(&name.text))?;
        let advice = foreign::advice(last, known).map(str::to_string);
        let lower = last.to_lowercase();
        let near = || self.stdlib.iter().find(|known| known.replace('_', "") == lower.replace('_', ""));
        let by_name = || near().map(|near| format!("the standard library has no modules: write `{near}`"));
        let none = || format!("the standard library has no modules, and no `{last}`; `mlx doc` lists what it has");
        advice.or_else(by_name).or_else(|| Some(none()))
    }
}
