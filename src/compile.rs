//! The driver: every stage of a compilation in order. It reads no file; what it must know of data it asks of
//! [`Schemas`].

use crate::check::elaborate::Elaborator;
use crate::check::library::{Library, stdlib_names};
use crate::check::number::Number;
use crate::check::program::{Explored, TypedProgram};
use crate::check::terms::TermId;
use crate::check::value::Value;
use crate::check::{chains, comments, names, unsupported};
use crate::diagnostic::nearest;
use crate::diagnostic::{Diagnostic, Severity};
use crate::lower::{self, program::Program as Lowered, program::Value as LoweredValue};
use crate::source::{SourceId, Sources, Span};
use crate::syntax;
use crate::syntax::tree::{Block, Data, Expr, ExprKind, File, Item, ItemKind, Statement};
use std::collections::HashSet;

pub use crate::check::elaborate::Context;
pub use crate::check::schema::Schemas;

/// A checked file: a program for each `train` block in which nothing is wrong, and all that is wrong.
pub struct Checked {
    pub programs: Vec<TypedProgram>,
    /// The names of all `train` blocks.
    pub trains: Vec<String>,
    pub found: Vec<Diagnostic>,
}

/// Text → syntax tree → programs. `sets` are `name=value` of the command line; what is wrong with them is an error in
/// words, for they are not part of the text.
pub fn check(
    sources: &mut Sources,
    source: SourceId,
    schemas: &mut dyn Schemas,
    sets: &[String],
) -> Result<Checked, String> {
    let (file, found) = syntax::parse(sources, source);
    let overrides = sets.iter().map(|set| setting(&file.items, set)).collect::<Result<Vec<_>, _>>()?;
    let mut checked = check_file(sources, &file, found, schemas, &mut Library::new(&file), &overrides);
    checked.found.extend(comments::find(sources, &file));
    checked.found.sort_by_key(place);
    Ok(checked)
}

/// The same of one `train` block, the named one or the only one, with the data that it names: what stands beside it in the
/// file may be wrong, or its data gone. Where no block is meant the whole file is checked.
pub fn check_block(
    sources: &mut Sources,
    source: SourceId,
    schemas: &mut dyn Schemas,
    sets: &[String],
    name: Option<&str>,
) -> Result<Checked, String> {
    let (mut file, found) = syntax::parse(sources, source);
    let overrides = sets.iter().map(|set| setting(&file.items, set)).collect::<Result<Vec<_>, _>>()?;
    let trains = trains(&file);
    if name.map_or(trains.len() == 1, |name| trains.iter().any(|train| train == name)) {
        file.items.retain(|item| match &item.kind {
            ItemKind::Train(block) => name.is_none_or(|name| name_of(block) == name),
            _ => true,
        });
        let unused: Vec<Span> = unused_data(&file).into_iter().map(|data| data.name.span).collect();
        file.items.retain(|item| !matches!(&item.kind, ItemKind::Data(data) if unused.contains(&data.name.span)));
    }
    let checked = check_file(sources, &file, found, schemas, &mut Library::new(&file), &overrides);
    Ok(Checked { trains, ..checked })
}

/// The names of all `train` blocks.
fn trains(file: &File) -> Vec<String> {
    let named = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Train(block) => Some(name_of(block).to_string()),
        _ => None,
    });
    named.collect()
}

fn name_of(block: &Block) -> &str {
    block.name.as_ref().map_or("train", |name| &name.text)
}

/// A syntax tree, with what could not be read of it → programs. The library has the file's items open.
pub fn check_file(
    sources: &mut Sources,
    file: &File,
    mut found: Vec<Diagnostic>,
    schemas: &mut dyn Schemas,
    library: &mut Library,
    overrides: &[(String, Value)],
) -> Checked {
    let unread = found.len();
    let stdlib: Vec<&str> = stdlib_names().into_iter().map(|(name, _)| name).collect();
    found.extend(names::check(file, &stdlib));
    found.extend(chains::find(sources, file));
    found.extend(unsupported::find(file));
    let textual = found.len();
    let mut programs = Vec::new();
    let mut reached = HashSet::new();
    for item in &file.items {
        if let ItemKind::Train(block) = &item.kind {
            let mut elaborator = Elaborator::new(sources, schemas, library, overrides);
            programs.extend(elaborator.train(block));
            found.extend(elaborator.found);
            reached.extend(elaborator.reached);
        }
    }
    let mut elaborator = Elaborator::new(sources, schemas, library, overrides);
    elaborator.lets_alone(&lets(&file.items));
    unused_data(file).into_iter().for_each(|data| elaborator.data_alone(data));
    found.extend(elaborator.found);
    reached.extend(elaborator.reached);
    let unread: Vec<Span> = found[..unread].iter().filter_map(|found| Some(found.labels.first()?.span)).collect();
    let mut elaborator = Elaborator::new(sources, schemas, library, overrides);
    elaborator.definitions_alone(&file.items, &reached, &unread, &found);
    found.extend(elaborator.found);
    let mut found = in_order(found, textual);
    if !unread.is_empty() {
        let text = sources.get(file.source).text.clone();
        let declared = text.lines().filter_map(declares).collect();
        found.retain(|found| !lost(found, &unread, &declared, file, sources));
    }
    Checked { programs, trains: trains(file), found }
}

/// A statement of a session, where it stands → what it says, or what is wrong with it. The library has the session's items
/// open.
pub fn explore(
    sources: &mut Sources,
    schemas: &mut dyn Schemas,
    library: &mut Library,
    context: Context,
    asked: &Statement,
) -> Result<Explored, Vec<Diagnostic>> {
    // The passes that see the text alone take it as the body of a block.
    let block = Block { name: None, word: asked.span, body: vec![asked.clone()] };
    let item = Item { doc: None, span: asked.span, kind: ItemKind::Train(block) };
    let file = File { source: asked.span.source, items: vec![item] };
    let mut found = chains::find(sources, &file);
    found.extend(unsupported::find(&file));
    let textual = found.len();
    let mut elaborator = Elaborator::new(sources, schemas, library, &[]);
    let explored = elaborator.explore(context, asked);
    found.extend(elaborator.found);
    let mut found = in_order(found, textual);
    found.retain(|found| found.severity == Severity::Error);
    match explored {
        Some(explored) if found.is_empty() => Ok(explored),
        _ => Err(found),
    }
}

/// A checked program → the graph of its run, with gradients and updates. What breaks a rule of the graph here is a
/// mistake of this compiler, told in words.
pub fn lower(program: &TypedProgram) -> Result<Lowered, String> {
    let lowered = lower::lower(program, Elaborator::rows());
    lowered.graph.verify()?;
    Ok(lowered)
}

/// The names that a statement of a session may read besides those of items.
pub fn names_around(
    sources: &mut Sources,
    schemas: &mut dyn Schemas,
    library: &mut Library,
    context: Context,
) -> Vec<String> {
    Elaborator::new(sources, schemas, library, &[]).names_around(context)
}

/// The graph of an explored value, which is `term`.
pub fn lower_value(explored: &Explored, term: TermId) -> Result<LoweredValue, String> {
    let lowered = lower::value(explored, term, Elaborator::rows());
    lowered.graph.verify()?;
    Ok(lowered)
}

fn lets(items: &[Item]) -> Vec<String> {
    let named = items.iter().filter_map(|item| match &item.kind {
        ItemKind::Let(declared) => Some(declared.name.text.clone()),
        _ => None,
    });
    named.collect()
}

/// The `data` items that no `train` block names.
fn unused_data(file: &File) -> Vec<&Data> {
    let mut used: Vec<&str> = Vec::new();
    for item in &file.items {
        if let ItemKind::Train(block) = &item.kind {
            let named = block.body.iter().filter_map(|statement| crate::check::elaborate::setting(statement, "data"));
            used.extend(named.filter_map(|expr| match &expr.kind {
                ExprKind::Name(name) => Some(name.text.as_str()),
                _ => None,
            }));
        }
    }
    let data = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Data(data) => Some(data),
        _ => None,
    });
    data.filter(|data| !used.contains(&data.name.text.as_str())).collect()
}

/// Whether something is missing only because the text that says it could not be read: the places of such text are
/// `unread`, and the lines of the file seem to declare some names.
fn lost(found: &Diagnostic, unread: &[Span], declared: &HashSet<&str>, file: &File, sources: &Sources) -> bool {
    let Some(place) = found.labels.first().map(|label| label.span).filter(|span| span.source == file.source) else {
        return false;
    };
    match found.code {
        // Something that a body lacks.
        "E0216" => file.items.iter().any(|item| {
            let inside = |span: Span| item.span.start <= span.start && span.end <= item.span.end;
            inside(place) && unread.iter().any(|unread| inside(*unread))
        }),
        // What is read as a name where none was meant.
        "E0201" if unread.contains(&place) => true,
        "E0201" | "E0220" => declared.contains(sources.text(place)),
        _ => false,
    }
}

/// The name that a line seems to declare.
fn declares(line: &str) -> Option<&str> {
    let words = ["let", "param", "state", "fn", "layer", "model", "optimizer", "data"];
    let line = line.trim_start();
    let rest = words.iter().find_map(|word| line.strip_prefix(word)?.strip_prefix(' ')).unwrap_or(line).trim_start();
    let quoted = rest.strip_prefix('`').and_then(|rest| rest.find('`')).map(|end| end + 2);
    let sign = |c: char| c.is_whitespace() || ['=', ':', '~', '(', '[', ','].contains(&c);
    let name = &rest[..quoted.or_else(|| rest.find(sign))?];
    rest[name.len()..].trim_start().starts_with(['=', ':', '~', '(', '[', ',']).then_some(name)
}

/// Each mistake once, in the order of the text; the file's own text first, what it reads after. The first `textual` were
/// found in the text alone, where one inside of another is another.
fn in_order(found: Vec<Diagnostic>, textual: usize) -> Vec<Diagnostic> {
    let mut kept: Vec<Diagnostic> = Vec::new();
    let mut told = Told::default();
    for (at, diagnostic) in found.into_iter().enumerate() {
        let known = if at < textual { told.all.contains(&diagnostic) } else { told.says_as_much(&diagnostic) };
        if !known {
            told.add(&diagnostic);
            kept.push(diagnostic);
        }
    }
    kept.sort_by_key(place);
    kept
}

/// Where a mistake is.
fn place(found: &Diagnostic) -> Option<Span> {
    found.labels.first().map(|label| label.span)
}

/// What was told.
#[derive(Default)]
struct Told {
    all: HashSet<Diagnostic>,
    /// Code, message and place of each.
    heads: HashSet<(&'static str, String, Option<Span>)>,
    /// The places of what is not supported yet, which is seen by its text and by its meaning.
    later: Vec<Span>,
    /// The parts of chained comparisons, of which the first is no number.
    chained: HashSet<Span>,
}

impl Told {
    fn add(&mut self, diagnostic: &Diagnostic) {
        let at = place(diagnostic);
        match diagnostic.code {
            "E0199" => self.later.extend(at),
            "E0207" => self.chained.extend(diagnostic.labels.iter().map(|label| label.span)),
            _ => {}
        }
        self.heads.insert((diagnostic.code, diagnostic.message.clone(), at));
        self.all.insert(diagnostic.clone());
    }

    /// Whether another diagnostic tells nothing new.
    fn says_as_much(&self, other: &Diagnostic) -> bool {
        let at = place(other);
        let overlaps = |a: &Span, b: Span| a.source == b.source && a.start < b.end && b.start < a.end;
        at.is_some_and(|at| self.chained.contains(&at))
            || (other.code == "E0199" && at.is_some_and(|at| self.later.iter().any(|known| overlaps(known, at))))
            || self.heads.contains(&(other.code, other.message.clone(), at))
    }
}

/// `name=value`: a number, `true`, `false` or text, of the kind that the file's `let` has.
pub fn setting(items: &[Item], set: &str) -> Result<(String, Value), String> {
    let Some((name, text)) = set.split_once('=') else {
        return Err(format!("`--set {set}` is not `name=value`"));
    };
    let (name, text) = (name.trim(), text.trim());
    let declared = items.iter().find_map(|item| match &item.kind {
        ItemKind::Let(declared) if declared.name.text == name => Some(declared),
        _ => None,
    });
    let Some(declared) = declared else {
        let names = lets(items);
        let near = nearest(name, names.iter().map(String::as_str)).map(|near| format!("; did you mean `{near}`?"));
        return Err(format!("`--set {set}`: the file has no `let {name}`{}", near.unwrap_or_default()));
    };
    let wanted = wanted(&declared.value);
    let value = match text {
        _ if wanted == Some("a text") => Value::Text(text.to_string()),
        "true" => Value::Truth(true),
        "false" => Value::Truth(false),
        _ => number(text).map_or(Value::Text(text.to_string()), Value::Number),
    };
    match wanted {
        Some(noun) if noun != value.noun() => {
            Err(format!("`--set {set}`: `{name}` is {noun} in the file, and `{text}` is {}", value.noun()))
        }
        _ => Ok((name.to_string(), value)),
    }
}

fn number(text: &str) -> Option<Number> {
    let (digits, percent) = text.strip_suffix('%').map_or((text, false), |digits| (digits, true));
    let (digits, negative) = digits.strip_prefix('-').map_or((digits, false), |digits| (digits, true));
    let number =
        digits.starts_with(|c: char| c.is_ascii_digit()).then(|| Number::parse(&digits.replace('_', "")))??;
    let number = if negative { number.negate() } else { number };
    Some(if percent { number.over(Number::whole(100)) } else { number })
}

/// What a `let` holds, where its text says so.
fn wanted(value: &Expr) -> Option<&'static str> {
    match &value.kind {
        ExprKind::Number { .. } => Some("a number"),
        ExprKind::Unary(_, inner) => wanted(inner),
        ExprKind::Truth(_) => Some("a truth value"),
        ExprKind::Text(_) => Some("a text"),
        _ => None,
    }
}
