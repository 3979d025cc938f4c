//! Programs that are right, and what changes their text by their trees.

use crate::binary::repository;
use mlx::source::{Sources, Span};
use mlx::syntax;
use mlx::syntax::tree::{
    Argument, Block, Data, Expr, ExprKind, File, FnBody, Item, ItemKind, Layer, Minimize, Name, Statement,
    StatementKind, Target,
};
use mlx::syntax::walk;
use std::fs;
use std::path::{Path, PathBuf};

/// A text that the checker says nothing of, and that trains something.
pub struct Good {
    pub name: String,
    pub text: String,
    pub file: File,
    /// Every expression, with the number of its item.
    pub all: Vec<(usize, Expr)>,
    /// Where it stands, beside its data.
    pub path: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

/// What is put in place of a part of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    pub start: usize,
    pub end: usize,
    pub new: String,
}

/// Edits that do not meet.
pub type Mutant = Vec<Edit>;

/// In place of a span.
pub fn put(span: Span, new: impl Into<String>) -> Edit {
    Edit { start: span.start as usize, end: span.end as usize, new: new.into() }
}

/// From the start of one span to the end of another.
pub fn cut(from: Span, to: Span) -> Edit {
    put(from.to(to), "")
}

/// Behind a span.
pub fn behind(span: Span, new: impl Into<String>) -> Edit {
    Edit { start: span.end as usize, end: span.end as usize, new: new.into() }
}

/// One mutant of one edit.
pub fn one(edit: Edit) -> Vec<Mutant> {
    vec![vec![edit]]
}

pub fn applied(text: &str, mutant: &Mutant) -> String {
    let mut edits = mutant.clone();
    edits.sort_by_key(|edit| edit.start);
    let mut new = text.to_string();
    for edit in edits.iter().rev() {
        new.replace_range(edit.start..edit.end, &edit.new);
    }
    new
}

/// The lines that differ, as `was → is`.
pub fn change(text: &str, mutant: &Mutant) -> String {
    let mutated = applied(text, mutant);
    let (old, new): (Vec<&str>, Vec<&str>) = (text.lines().collect(), mutated.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let of = |lines: &[&str]| lines.get(same).map_or(String::new(), |line| line.trim().to_string());
    format!("`{}` → `{}`", of(&old), of(&new))
}

impl Good {
    pub fn of(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.all.iter().map(|(_, expr)| expr)
    }

    /// The expressions of the items of a kind.
    pub fn within(&self, is_of: fn(&ItemKind) -> bool) -> impl Iterator<Item = &Expr> {
        self.all.iter().filter(move |(item, _)| is_of(&self.file.items[*item].kind)).map(|(_, expr)| expr)
    }

    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Layer(layer) => Some(layer),
            _ => None,
        })
    }

    pub fn models(&self) -> impl Iterator<Item = &Layer> {
        self.layers().filter(|layer| layer.is_model)
    }

    pub fn datas(&self) -> impl Iterator<Item = &Data> {
        self.file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Data(data) => Some(data),
            _ => None,
        })
    }

    pub fn trains(&self) -> impl Iterator<Item = &Block> {
        self.file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Train(block) => Some(block),
            _ => None,
        })
    }

    pub fn minimizes(&self) -> Vec<&Minimize> {
        let all = self.trains().flat_map(|block| &block.body);
        all.filter_map(|statement| match &statement.kind {
            StatementKind::Minimize(minimize) => Some(&**minimize),
            _ => None,
        })
        .collect()
    }

    /// Calls of a name, with it.
    pub fn calls(&self) -> impl Iterator<Item = (&str, &Expr, &[Argument])> {
        self.exprs().filter_map(|expr| match &expr.kind {
            ExprKind::Call(callee, arguments) => Some((named(callee)?, expr, &arguments[..])),
            _ => None,
        })
    }

    /// Whether some expression is this name.
    pub fn says(&self, name: &str) -> bool {
        self.exprs().any(|expr| named(expr) == Some(name))
    }
}

/// The name that an expression is.
pub fn named(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Name(name) => Some(&name.text),
        _ => None,
    }
}

/// The function or layer that a stage of a pipe is, or applies.
pub fn stage(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Name(name) => Some(&name.text),
        ExprKind::Call(callee, _) => stage(callee),
        ExprKind::As(inner, _) => stage(inner),
        _ => None,
    }
}

/// The whole number that an expression is.
pub fn whole(expr: &Expr) -> Option<u64> {
    match &expr.kind {
        ExprKind::Number { digits, percent: false } => digits.parse().ok(),
        _ => None,
    }
}

/// Arguments without names.
pub fn positional(arguments: &[Argument]) -> Vec<&Expr> {
    arguments.iter().filter(|argument| argument.name.is_none()).map(|argument| &argument.value).collect()
}

pub fn argument<'e>(arguments: &'e [Argument], name: &str) -> Option<&'e Expr> {
    let own = |argument: &&Argument| argument.name.as_ref().is_some_and(|own| own.text == name);
    arguments.iter().find(own).map(|argument| &argument.value)
}

/// The statements of an item's own body.
pub fn body(item: &Item) -> &[Statement] {
    match &item.kind {
        ItemKind::Layer(layer) => &layer.body,
        ItemKind::Optimizer(optimizer) => &optimizer.body,
        ItemKind::Data(data) => &data.body,
        ItemKind::Train(block) | ItemKind::Sweep(block) => &block.body,
        ItemKind::Fn(function) => match &function.body {
            FnBody::Block(statements) => statements,
            FnBody::Primitive | FnBody::Expr(_) => &[],
        },
        ItemKind::Use(_) | ItemKind::Let(_) => &[],
    }
}

/// What a layer gives, if it is one expression.
pub fn given(layer: &Layer) -> Option<&Expr> {
    layer.body.iter().find_map(|statement| match &statement.kind {
        StatementKind::Out(value) => Some(value),
        _ => None,
    })
}

/// `name = value` of a block.
pub fn setting<'s>(statements: &'s [Statement], wanted: &str) -> Option<(&'s Name, &'s Expr, &'s Statement)> {
    statements.iter().find_map(|statement| match &statement.kind {
        StatementKind::Assign(Target::One(name), _, mlx::syntax::tree::Init::Value(value)) if name.text == wanted => {
            Some((name, value, statement))
        }
        _ => None,
    })
}

/// All that are shipped or shown: models, papers, what is used together, the cases of the library, the examples of the
/// reference, and the programs of the specification that are right.
pub fn corpus() -> Vec<Good> {
    let mut all = Vec::new();
    for folder in ["models", "tests/papers", "tests/together", "tests/reference/library"] {
        let entries = fs::read_dir(repository(folder)).expect("a folder").map(|entry| entry.expect("readable").path());
        let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "mlx")).collect();
        paths.sort();
        for path in paths {
            let text = fs::read_to_string(&path).expect("a text");
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            all.extend(good(format!("{folder}/{stem}"), text, &path));
        }
    }
    let reference = fs::read_to_string(repository("docs/language.md")).expect("the reference");
    let examples = reference.split("```mlx\n").skip(1).filter_map(|rest| rest.split("```").next());
    for (at, text) in examples.enumerate() {
        all.extend(good(format!("docs/language/{at}"), text.to_string(), Path::new("")));
    }
    for path in crate::spec::files() {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        for section in crate::spec::sections(&fs::read_to_string(&path).expect("a text")) {
            if section.expected.starts_with("// ok") {
                all.extend(good(format!("{stem}/{}", section.name), section.program, Path::new("")));
            }
        }
    }
    all
}

/// A program that trains; one that says its data files itself gets a folder.
fn good(name: String, text: String, path: &Path) -> Option<Good> {
    let mut sources = Sources::default();
    let source = sources.add("good.mlx", text.clone());
    let (file, found) = syntax::parse(&sources, source);
    let trains = file.items.iter().any(|item| matches!(item.kind, ItemKind::Train(_)));
    // What uses other files, or allows what it is warned of, has a story of its own.
    let alone = !file.items.iter().any(|item| matches!(item.kind, ItemKind::Use(_))) && !text.contains("allow:");
    if !trains || !found.is_empty() || !alone {
        return None;
    }
    let own: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("// file ")?.split_once(": ")).collect();
    let (folder, path) = if own.is_empty() && path.is_file() {
        (None, path.to_path_buf())
    } else {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, rows) in own {
            fs::write(folder.path().join(file), rows.replace(" | ", "\n") + "\n").expect("written");
        }
        let path = folder.path().join("good.mlx");
        (Some(folder), path)
    };
    let mut all = Vec::new();
    for (at, item) in file.items.iter().enumerate() {
        walk::item(&item.kind, &mut |expr: &Expr| all.push((at, expr.clone())));
    }
    Some(Good { name, text, file, all, path, _folder: folder })
}
