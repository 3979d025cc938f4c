//! What is documented: the items of the standard library and of files, with their signatures and `///` texts.

mod html;

use crate::check::library::STDLIB;
use crate::source::{SourceId, Sources};
use crate::syntax::parse;
use crate::syntax::tree::{FnBody, Item, ItemKind, Param, TypeKind, Word};

pub use html::pages;

/// What an item is, in the order of a listing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Model,
    Layer,
    Function,
    Primitive,
    Optimizer,
    Distribution,
    Data,
    Training,
    Setting,
}

impl Kind {
    pub fn title(self) -> &'static str {
        match self {
            Kind::Model => "Models",
            Kind::Layer => "Layers",
            Kind::Function => "Functions",
            Kind::Primitive => "Primitives",
            Kind::Optimizer => "Optimizers",
            Kind::Distribution => "Distributions",
            Kind::Data => "Data",
            Kind::Training => "Trainings",
            Kind::Setting => "Settings",
        }
    }
}

/// A documented item.
pub struct Entry {
    pub kind: Kind,
    pub name: String,
    /// Its text up to its body.
    pub signature: String,
    /// The text of its `///` lines.
    pub doc: String,
    /// How it is used, in short.
    pub example: Option<String>,
    /// The file that declares it.
    pub file: String,
    /// Its whole text.
    pub text: String,
    /// Whether the standard library has it.
    pub is_stdlib: bool,
}

impl Entry {
    /// The first sentence of its text.
    pub fn summary(&self) -> &str {
        let end = self.doc.match_indices(['.', ':']).map(|(at, _)| at).find(|at| {
            let rest = &self.doc[at + 1..];
            rest.is_empty() || rest.starts_with(['\n', ' '])
        });
        let first = end.map_or(self.doc.as_str(), |end| &self.doc[..end]);
        first.lines().next().unwrap_or_default()
    }
}

/// Every item of the standard library.
pub fn library() -> Vec<Entry> {
    let mut sources = Sources::default();
    let mut all = Vec::new();
    for (file, text) in STDLIB {
        let source = sources.add(format!("stdlib/{file}"), *text);
        all.extend(entries(&sources, source, true));
    }
    sorted(all)
}

/// Every item with a name that a text declares.
pub fn own(sources: &Sources, source: SourceId) -> Vec<Entry> {
    sorted(entries(sources, source, false))
}

fn sorted(mut all: Vec<Entry>) -> Vec<Entry> {
    all.sort_by_key(|one| (one.kind, one.name.to_lowercase()));
    all
}

fn entries(sources: &Sources, source: SourceId, is_stdlib: bool) -> Vec<Entry> {
    let (file, _) = parse(sources, source);
    let mut all = Vec::new();
    for item in &file.items {
        let (Some(name), Some(kind)) = (item.kind.name(), kind_of(item)) else { continue };
        let text = sources.text(item.span).to_string();
        all.push(Entry {
            kind,
            name: name.text.clone(),
            signature: signature(&text, kind).to_string(),
            doc: item.doc.clone().unwrap_or_default(),
            example: example(item, kind),
            file: sources.get(source).name.clone(),
            text,
            is_stdlib,
        });
    }
    all
}

fn kind_of(item: &Item) -> Option<Kind> {
    Some(match &item.kind {
        ItemKind::Use(_) => return None,
        ItemKind::Let(_) => Kind::Setting,
        ItemKind::Fn(function) => match &function.result {
            Some(result) if matches!(result.kind, TypeKind::Word(Word::Distribution)) => Kind::Distribution,
            _ if matches!(function.body, FnBody::Primitive) => Kind::Primitive,
            _ => Kind::Function,
        },
        ItemKind::Layer(layer) => {
            if layer.is_model {
                Kind::Model
            } else {
                Kind::Layer
            }
        }
        ItemKind::Optimizer(_) => Kind::Optimizer,
        ItemKind::Data(_) => Kind::Data,
        ItemKind::Train(_) | ItemKind::Sweep(_) => Kind::Training,
    })
}

/// The text of an item up to its body or value; of a setting or of data it is the first line.
fn signature(text: &str, kind: Kind) -> &str {
    if matches!(kind, Kind::Setting | Kind::Data) {
        return text.lines().next().unwrap_or_default().trim_end_matches('{').trim_end();
    }
    let mut depth = 0;
    for (at, sign) in text.char_indices() {
        match sign {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' | '=' if depth == 0 => return text[..at].trim_end(),
            _ => {}
        }
    }
    text
}

fn example(item: &Item, kind: Kind) -> Option<String> {
    let needed = |params: &[Param]| {
        let names = params.iter().filter(|param| param.default.is_none()).map(|param| param.name.text.clone());
        names.collect::<Vec<String>>()
    };
    match &item.kind {
        ItemKind::Fn(function) => {
            let call = format!("{}({})", function.name.text, needed(&function.params).join(", "));
            Some(if kind == Kind::Distribution { format!("param w: [d, units] ~ {call}") } else { call })
        }
        ItemKind::Layer(layer) => {
            let settings = needed(&layer.hyper);
            let inputs = needed(&layer.inputs);
            let more = inputs.get(1..).unwrap_or_default();
            let settings = if settings.is_empty() { String::new() } else { format!("({})", settings.join(", ")) };
            let behind = if more.is_empty() { String::new() } else { format!("({})", more.join(", ")) };
            let first = inputs.first()?;
            Some(if layer.is_model {
                format!("model = {}{settings}", layer.name.text)
            } else {
                format!("{first} |> {}{settings}{behind}", layer.name.text)
            })
        }
        ItemKind::Optimizer(optimizer) => {
            let rate = optimizer.hyper.iter().any(|param| param.name.text == "lr");
            let rate = if rate { "lr = 0.01" } else { "" };
            Some(format!("minimize mse(model(x), y) using {}({rate})", optimizer.name.text))
        }
        ItemKind::Use(_) | ItemKind::Let(_) | ItemKind::Data(_) | ItemKind::Train(_) | ItemKind::Sweep(_) => None,
    }
}
