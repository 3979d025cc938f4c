//! The items that names mean: those of the file, then those of the standard library, which is read as it is needed.

use crate::diagnostic::Diagnostic;
use crate::ir::QuickMap;
use crate::source::{SourceId, Sources};
use crate::syntax::parse;
use crate::syntax::tree::{File, Item, ItemKind, Name};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

/// The files of the standard library: name and text.
pub const STDLIB: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/stdlib.rs"));

/// The names that the standard library declares, and the number of the file that does.
pub fn stdlib_names() -> Vec<(&'static str, usize)> {
    let declared = |(at, (_, text)): (usize, &(&str, &'static str))| -> Vec<(&'static str, usize)> {
        text.lines().filter_map(declared_name).map(|name| (name, at)).collect()
    };
    STDLIB.iter().enumerate().flat_map(declared).collect()
}

/// The name that a line declares, if an item starts on it. Items of the library start in the first column.
fn declared_name(line: &str) -> Option<&str> {
    let rest = ["fn ", "layer ", "optimizer ", "let "].iter().find_map(|word| line.strip_prefix(word))?;
    rest.split(['(', ' ']).next()
}

/// Whether the standard library declares a name.
pub fn declares(name: &str) -> bool {
    STDLIB.iter().any(|(_, text)| text.lines().filter_map(declared_name).any(|declared| declared == name))
}

/// Whether the standard library has a function of a name.
pub fn declares_function(name: &str) -> bool {
    let is_head = |line: &str| line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) == Some(name);
    STDLIB.iter().any(|(_, text)| text.lines().any(is_head))
}

pub struct Library {
    /// The names of all `train` blocks of the file, those too that are not checked.
    pub trains: Vec<String>,
    own: QuickMap<String, Rc<Item>>,
    /// Whether a file that is used could not be read, so that any name may be one of its.
    pub lacks: bool,
    shelf: QuickMap<&'static str, usize>,
    read: QuickMap<String, Rc<Item>>,
    /// The sources of the library's files that were read, by number of the file.
    files: HashMap<usize, SourceId>,
}

impl Library {
    pub fn new(file: &File) -> Library {
        let mut library = Library {
            trains: Vec::new(),
            own: QuickMap::default(),
            lacks: false,
            shelf: stdlib_names().into_iter().collect(),
            read: QuickMap::default(),
            files: HashMap::new(),
        };
        library.open(file);
        library
    }

    /// Takes a file's items in place of the present ones; what was read of the standard library stays.
    pub fn open(&mut self, file: &File) {
        let named = |item: &Item| item.kind.name().map(|name| (name.text.clone(), Rc::new(item.clone())));
        self.lacks = file.items.iter().any(|item| matches!(item.kind, ItemKind::Use(_)));
        self.trains = crate::check::items::trains(file);
        self.own = file.items.iter().rev().filter_map(named).collect();
    }

    pub fn own(&self, name: &str) -> Option<Rc<Item>> {
        self.own.get(name).cloned()
    }

    /// The names of the file's own data sets.
    pub fn data_sets(&self) -> Vec<String> {
        let own = self.own.iter().filter(|(_, item)| matches!(item.kind, ItemKind::Data(_)));
        own.map(|(name, _)| name.clone()).collect()
    }

    /// The item of a name. What is wrong in the library itself goes to `found`.
    pub fn find(&mut self, name: &str, sources: &mut Sources, found: &mut Vec<Diagnostic>) -> Option<Rc<Item>> {
        match self.own.get(name) {
            Some(own) => Some(own.clone()),
            None => self.on_the_shelf(name, sources, found),
        }
    }

    /// The item of a name where it is written: the standard library means its own, whatever a file calls so.
    pub fn find_for(&mut self, name: &Name, sources: &mut Sources, found: &mut Vec<Diagnostic>) -> Option<Rc<Item>> {
        if self.is_stdlib(name.span.source) {
            return self.on_the_shelf(&name.text, sources, found);
        }
        self.find(&name.text, sources, found)
    }

    fn on_the_shelf(&mut self, name: &str, sources: &mut Sources, found: &mut Vec<Diagnostic>) -> Option<Rc<Item>> {
        let at = *self.shelf.get(name)?;
        if let Entry::Vacant(unread) = self.files.entry(at) {
            let (file, text) = STDLIB[at];
            let source = *unread.insert(sources.add(format!("<stdlib>/{file}"), text));
            let (file, wrong) = parse(sources, source);
            found.extend(wrong);
            let named = |item: Item| item.kind.name().map(|name| (name.text.clone(), Rc::new(item.clone())));
            self.read.extend(file.items.into_iter().filter_map(named));
        }
        self.read.get(name).cloned()
    }

    /// Whether a text is one of the library's.
    pub fn is_stdlib(&self, source: SourceId) -> bool {
        self.files.values().any(|known| *known == source)
    }

    /// Every name that it has, for suggestions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str).chain(self.shelf.keys().copied())
    }
}

impl ItemKind {
    /// The name that the item declares.
    pub fn name(&self) -> Option<&Name> {
        match self {
            ItemKind::Use(_) => None,
            ItemKind::Let(item) => Some(&item.name),
            ItemKind::Fn(item) => Some(&item.name),
            ItemKind::Layer(item) => Some(&item.name),
            ItemKind::Optimizer(item) => Some(&item.name),
            ItemKind::Data(item) => Some(&item.name),
            ItemKind::Train(item) | ItemKind::Sweep(item) => item.name.as_ref(),
        }
    }
}
