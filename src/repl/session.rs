//! What was entered, and what an entry does. Text in, text out: no terminal is needed.

use super::{Console, Outcome, commands};
use crate::check::elaborate::one_let;
use crate::check::library::{Library, stdlib_names};
use crate::check::program::{Explored, TypedProgram};
use crate::check::schema::Schemas;
use crate::check::settings;
use crate::check::terms::ParamId;
use crate::check::uses::{self, Gathered};
use crate::check::value::Value;
use crate::compile::{self, Context};
use crate::diagnostic::{Diagnostic, Severity};
use crate::io;
use crate::ir::Size;
use crate::run::dataset::Files;
use crate::run::schedule::Schedule;
use crate::source::{SourceId, Sources};
use crate::syntax::tree::{Block, File, Item, ItemKind, Let, Statement, StatementKind, Target};
use crate::syntax::{self, Part};
use crate::train::weights::Tensor;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub struct Session {
    pub sources: Sources,
    pub(super) files: Files,
    pub(super) library: Library,
    /// The file that was loaded.
    pub(super) path: Option<PathBuf>,
    /// Those of the file and those that were entered.
    pub(super) items: Vec<Item>,
    /// Statements that were entered, later ones before earlier ones of the same name.
    pub(super) statements: Vec<Statement>,
    /// Of each `train` block.
    pub(super) programs: Vec<TypedProgram>,
    /// What was trained, by the name of its block.
    pub(super) trained: BTreeMap<String, Trained>,
    /// The block that was trained last.
    pub(super) chosen: Option<String>,
    /// Warnings that were reported already.
    told: Vec<Diagnostic>,
    /// The names of the body that expressions stand in.
    names: Vec<String>,
    entries: usize,
}

/// The state of a training.
pub(super) struct Trained {
    pub weights: BTreeMap<String, Tensor>,
    pub schedule: Schedule,
    /// Finished steps and epochs.
    pub step: u64,
    pub epoch: u64,
}

impl Default for Session {
    fn default() -> Session {
        Session::of(Path::new(""))
    }
}

impl Session {
    /// An empty session, whose data is beside a file.
    fn of(path: &Path) -> Session {
        let sources = Sources::default();
        let library = Library::new(&File { source: SourceId(0), items: Vec::new() });
        Session {
            sources,
            files: Files::beside(path),
            library,
            path: None,
            items: Vec::new(),
            statements: Vec::new(),
            programs: Vec::new(),
            trained: BTreeMap::new(),
            chosen: None,
            told: Vec::new(),
            names: Vec::new(),
            entries: 0,
        }
    }

    /// One entry: a command, or text of the language.
    pub fn enter(&mut self, text: &str, console: &mut Console) -> Outcome {
        self.files.stop = console.stop;
        match text.trim_start().strip_prefix(':') {
            Some(command) => commands::run(self, command, console),
            None if text.trim().is_empty() => Outcome::Fine,
            None => self.read(text, console),
        }
    }

    /// Begins anew with a file. One in which something is wrong changes nothing.
    pub fn load(&mut self, path: &Path, console: &mut Console) -> Outcome {
        let mut fresh = Session::of(path);
        fresh.files.stop = console.stop;
        let source = match io::read_text(&mut fresh.sources, path) {
            Ok(source) => source,
            Err(wrong) => return console.draw(&[wrong], &fresh.sources),
        };
        let Gathered { file, found: unread, .. } = compile::gathered(&mut fresh.sources, source, &mut fresh.files);
        fresh.path = Some(path.to_path_buf());
        let outcome = fresh.take(file, unread, console);
        if outcome == Outcome::Fine {
            fresh.entries = self.entries;
            *self = fresh;
        }
        outcome
    }

    /// `name=value` of the command line, as if it were entered; the error is a message without a span.
    pub fn set(&mut self, set: &str, console: &mut Console) -> Result<Outcome, String> {
        let (name, value) = settings::parse(&self.items, set)?;
        let value = match value {
            Value::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            Value::Number(_) => set.split_once('=').map_or(String::new(), |(_, text)| text.trim().to_string()),
            _ => set.ends_with("true").to_string(),
        };
        Ok(self.enter(&format!("let `{name}` = {value}"), console))
    }

    /// A source of an entry's text.
    pub(super) fn source(&mut self, text: &str) -> SourceId {
        self.entries += 1;
        self.sources.add(format!("<input {}>", self.entries), text)
    }

    fn read(&mut self, text: &str, console: &mut Console) -> Outcome {
        let source = self.source(text);
        let (parts, wrong) = syntax::entry(&self.sources, source, 0);
        if !wrong.is_empty() {
            return console.draw(&wrong, &self.sources);
        }
        // With other items a `let` is an item, as in a file.
        let like_a_file = parts.iter().any(|part| matches!(part, Part::Item(_)));
        let (mut items, mut statements) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::Item(item) => items.push(item),
                Part::Statement(statement, doc) => match let_item(&statement, &doc).filter(|_| like_a_file) {
                    Some(item) => items.push(item),
                    None => statements.push((statement, doc)),
                },
            }
        }
        if !items.is_empty() && self.join(source, items, console) == Outcome::Wrong {
            return Outcome::Wrong;
        }
        for (statement, doc) in statements {
            if self.statement(statement, doc, console) == Outcome::Wrong {
                return Outcome::Wrong;
            }
        }
        Outcome::Fine
    }

    fn statement(&mut self, statement: Statement, doc: Option<String>, console: &mut Console) -> Outcome {
        let explored = match self.explore(&statement) {
            Ok(explored) => explored,
            Err(wrong) => return console.draw(&wrong, &self.sources),
        };
        match (&statement.kind, let_item(&statement, &doc)) {
            (StatementKind::Let(..), Some(item)) if explored.among_items => {
                self.join(statement.span.source, vec![item], console)
            }
            (StatementKind::Let(target, ..), _) => {
                if let Target::One(name) | Target::Indexed(name, _) = target {
                    self.names.push(name.text.clone());
                }
                self.statements.push(statement);
                Outcome::Fine
            }
            _ => self.show(&explored, console),
        }
    }

    /// Items join those that are there, in place of those with the same names.
    fn join(&mut self, source: SourceId, new: Vec<Item>, console: &mut Console) -> Outcome {
        let file = File { source, items: new };
        let gathered = uses::gather(&mut self.sources, file, &mut |sources, path| self.files.other(sources, path));
        if !gathered.found.is_empty() {
            return console.draw(&gathered.found, &self.sources);
        }
        let new = gathered.file.items;
        let replaced = |old: &Item| new.iter().any(|new| same_name(&new.kind, &old.kind));
        let kept = self.items.iter().filter(|old| !replaced(old)).cloned();
        let items = kept.chain(new.iter().cloned()).collect();
        self.take(File { source, items }, Vec::new(), console)
    }

    /// Checks all items, and takes them if nothing is wrong.
    fn take(&mut self, file: File, unread: Vec<Diagnostic>, console: &mut Console) -> Outcome {
        self.library.open(&file);
        let checked = compile::check_file(&mut self.sources, &file, unread, &mut self.files, &mut self.library, &[]);
        let new: Vec<Diagnostic> = checked.found.into_iter().filter(|found| !self.told.contains(found)).collect();
        console.draw(&new, &self.sources);
        if new.iter().any(|found| found.severity == Severity::Error) {
            self.library.open(&File { source: file.source, items: self.items.clone() });
            return Outcome::Wrong;
        }
        self.told.extend(new);
        (self.items, self.programs) = (file.items, checked.programs);
        let programs = &self.programs;
        self.trained.retain(|name, trained| {
            let fits = programs.iter().any(|program| program.name == *name && has_shapes(program, &trained.weights));
            if !fits {
                console.note(&format!("the parameters of `{name}` are others now: they are at their start again"));
            }
            fits
        });
        self.settle(console, console.stop);
        Outcome::Fine
    }

    /// Statements that do not fit any longer are forgotten, and said to be. Where that is to stop, they are kept.
    pub(super) fn settle(&mut self, console: &mut Console, stop: fn() -> bool) {
        self.files.stop = stop;
        for statement in std::mem::take(&mut self.statements) {
            if self.explore(&statement).is_ok() || stop() {
                self.statements.push(statement);
                continue;
            }
            let text = self.sources.text(statement.span).trim_end();
            console.note(&format!("forgotten, for it does not fit any longer: {text}"));
        }
        let context = Context { block: block_of(&self.items, self.chosen.as_deref()), before: &self.statements };
        self.names = compile::names_around(&mut self.sources, &mut self.files, &mut self.library, context);
    }

    /// What a statement says behind those that were entered.
    pub(super) fn explore(&mut self, statement: &Statement) -> Result<Explored, Vec<Diagnostic>> {
        let block = block_of(&self.items, self.chosen.as_deref());
        let context = Context { block, before: &self.statements };
        compile::explore(&mut self.sources, &mut self.files, &mut self.library, context, statement)
    }

    /// The program of the block that expressions stand in.
    pub(super) fn program(&self) -> Option<&TypedProgram> {
        let name = block_of(&self.items, self.chosen.as_deref()).map(block_name)?;
        self.programs.iter().find(|program| program.name == name)
    }

    /// The names of the `train` blocks.
    pub fn trains(&self) -> Vec<String> {
        self.programs.iter().map(|program| program.name.clone()).collect()
    }

    /// The names of the body that expressions stand in, later ones last.
    pub(super) fn names_of_body(&self) -> &[String] {
        &self.names
    }

    /// Every name that an expression may read, for completion: sorted, each once.
    pub fn names(&self) -> Vec<String> {
        let items = self.items.iter().filter_map(|item| item.kind.name()).map(|name| name.text.clone());
        let stdlib = stdlib_names().into_iter().map(|(name, _)| name.to_string());
        let mut names: Vec<String> = self.names.iter().cloned().chain(items).chain(stdlib).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Whether weights are those of a program's parameters.
fn has_shapes(program: &TypedProgram, weights: &BTreeMap<String, Tensor>) -> bool {
    let size = |size: &Size| size.settled().and_then(|size| usize::try_from(size).ok());
    let fits = |id: &ParamId| {
        let param = &program.params[id.0 as usize];
        let shape: Option<Vec<usize>> = param.ty.sizes().iter().map(size).collect();
        weights.get(&param.path).is_some_and(|tensor| Some(&tensor.shape) == shape.as_ref())
    };
    program.used.len() == weights.len() && program.used.iter().all(fits)
}

/// `let name = value` as an item.
fn let_item(statement: &Statement, doc: &Option<String>) -> Option<Item> {
    let (name, value) = one_let(statement)?;
    let StatementKind::Let(_, ty, _) = &statement.kind else { return None };
    let kind = ItemKind::Let(Let { name: name.clone(), ty: ty.clone(), value: value.clone() });
    Some(Item { doc: doc.clone(), span: statement.span, kind })
}

/// Items share the names of a file; `train` blocks without a name are one.
fn same_name(a: &ItemKind, b: &ItemKind) -> bool {
    match (a.name(), b.name()) {
        (Some(a), Some(b)) => a.text == b.text,
        (None, None) => matches!((a, b), (ItemKind::Train(_), ItemKind::Train(_))),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The named `train` block; without a name, the first.
fn block_of<'i>(items: &'i [Item], name: Option<&str>) -> Option<&'i Block> {
    let mut blocks = items.iter().filter_map(|item| match &item.kind {
        ItemKind::Train(block) => Some(block),
        _ => None,
    });
    blocks.find(|block| name.is_none_or(|name| block_name(block) == name))
}

fn block_name(block: &Block) -> &str {
    block.name.as_ref().map_or("train", |name| &name.text)
}
