//! `use "blocks.mlx"`: the items of other files join those of a file, as if they stood in it. Their paths are relative to the file
//! that says them. A `train` of another file stays there.

use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Sources, Span};
use crate::syntax;
use crate::syntax::tree::{Argument, Data, Expr, ExprKind, File, Init, Item, ItemKind, StatementKind, Text};
use std::collections::HashMap;

/// Reads another file, whose path is relative to the folder of the program.
pub type Read<'r> = dyn FnMut(&mut Sources, &str) -> Result<SourceId, Diagnostic> + 'r;

/// A file that others use.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub source: SourceId,
    /// The `use` that first asked for it.
    pub by: Span,
}

/// A file with the items of those that it uses.
pub struct Gathered {
    pub file: File,
    pub used: Vec<Used>,
    pub found: Vec<Diagnostic>,
}

/// Brings the items of used files among those of a file.
pub fn gather(sources: &mut Sources, file: File, read: &mut Read) -> Gathered {
    let name = sources.get(file.source).name.replace('\\', "/");
    let own = name.rsplit('/').next().unwrap_or_default().to_string();
    let mut gathering =
        Gathering { sources, read, items: Vec::new(), used: Vec::new(), known: HashMap::new(), found: Vec::new() };
    let mut around = vec![(own, None)];
    let source = file.source;
    gathering.file(file.items, true, &mut around);
    let Gathering { items, used, found, .. } = gathering;
    Gathered { file: File { source, items }, used, found }
}

/// What is wrong in a used file is labelled with each `use` on the way to it.
pub fn labelled(found: &mut [Diagnostic], used: &[Used]) {
    if used.is_empty() {
        return;
    }
    for diagnostic in found {
        let Some(mut source) = diagnostic.labels.first().map(|label| label.span.source) else { continue };
        // A file is asked for by one that was read before it.
        while let Some(Used { by, .. }) = used.iter().find(|one| one.source == source) {
            let told = diagnostic.labels.iter().any(|label| label.span == *by);
            if !told {
                let labelled = diagnostic.clone().label(*by, "of the file that is used here");
                *diagnostic = labelled;
            }
            source = by.source;
        }
    }
}

struct Gathering<'g, 'r> {
    sources: &'g mut Sources,
    read: &'g mut Read<'r>,
    items: Vec<Item>,
    used: Vec<Used>,
    /// The files so far by their paths, with those that could not be read.
    known: HashMap<String, Option<SourceId>>,
    found: Vec<Diagnostic>,
}

impl Gathering<'_, '_> {
    /// The items of a file, then those of the files that it uses. `around` are the files that lead here, with their `use`.
    fn file(&mut self, items: Vec<Item>, is_own: bool, around: &mut Vec<(String, Option<Span>)>) {
        let folder = around.last().map_or(String::new(), |(path, _)| folder_of(path).to_string());
        let mut uses = Vec::new();
        for mut item in items {
            match &mut item.kind {
                ItemKind::Use(text) => uses.push((text.clone(), item.span)),
                ItemKind::Train(_) | ItemKind::Sweep(_) if !is_own => {}
                ItemKind::Data(data) => {
                    if !folder.is_empty() {
                        moved(data, &folder);
                    }
                    self.items.push(item);
                }
                _ => self.items.push(item),
            }
        }
        for (text, span) in uses {
            self.one(&text, span, &folder, around);
        }
    }

    fn one(&mut self, text: &Text, span: Span, folder: &str, around: &mut Vec<(String, Option<Span>)>) {
        let path = joined(folder, &text.value);
        if let Some(at) = around.iter().position(|(known, _)| *known == path) {
            let message = format!("`{}` uses itself", text.value);
            let mut error = Diagnostic::error("E0265", message, span, "this leads back");
            for (path, by) in &around[at + 1..] {
                error = by.iter().fold(error, |error, by| error.label(*by, format!("from here to `{path}`")));
            }
            self.found.push(error.help("move what both need to a file of its own"));
            return;
        }
        if self.known.contains_key(&path) {
            return;
        }
        let source = match (self.read)(self.sources, &path) {
            Ok(source) => source,
            Err(wrong) => {
                self.known.insert(path, None);
                self.found.push(wrong.label(span, "used here"));
                // What it declares is not known.
                self.items.push(Item { doc: None, span, kind: ItemKind::Use(text.clone()) });
                return;
            }
        };
        self.known.insert(path.clone(), Some(source));
        self.used.push(Used { source, by: span });
        let (file, wrong) = syntax::parse(self.sources, source);
        if !wrong.is_empty() {
            // What of it cannot be read may declare anything.
            self.items.push(Item { doc: None, span, kind: ItemKind::Use(text.clone()) });
        }
        self.found.extend(wrong);
        around.push((path, Some(span)));
        self.file(file.items, false, around);
        around.pop();
    }
}

fn folder_of(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..at])
}

/// A path that is relative to a folder, in one spelling: without `.` and, where they lead out of a name, `..`.
fn joined(folder: &str, path: &str) -> String {
    let path = path.replace('\\', "/");
    let whole = if folder.is_empty() || path.starts_with('/') { path } else { format!("{folder}/{path}") };
    let mut names: Vec<&str> = Vec::new();
    for name in whole.split('/') {
        match (name, names.last()) {
            ("." | "", _) => {}
            ("..", Some(last)) if *last != ".." => {
                names.pop();
            }
            (name, _) => names.push(name),
        }
    }
    let root = if whole.starts_with('/') { "/" } else { "" };
    format!("{root}{}", names.join("/"))
}

/// The paths of a data set, which are relative to its own file.
fn moved(data: &mut Data, folder: &str) {
    of_source(&mut data.from, folder);
    for statement in &mut data.body {
        if let StatementKind::Let(_, _, Init::Value(value)) = &mut statement.kind {
            of_source(value, folder);
        }
    }
}

fn of_source(from: &mut Expr, folder: &str) {
    let ExprKind::Call(_, arguments) = &mut from.kind else { return };
    for Argument { value, .. } in arguments.iter_mut().filter(|argument| argument.name.is_none()) {
        if let ExprKind::Text(path) = &mut value.kind {
            *path = joined(folder, path);
        }
    }
}
