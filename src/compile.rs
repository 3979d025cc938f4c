//! The driver: every stage of a compilation in order. It reads no file; what it must know of data it asks of
//! [`Schemas`].

mod large;

use crate::check::elaborate::Elaborator;
use crate::check::items::{lets, name_of, trains, unused_data};
use crate::check::library::{Library, stdlib_names};
use crate::check::lints::{self, View};
use crate::check::program::{Explored, Raw, Sweep, TypedProgram};
use crate::check::terms::TermId;
use crate::check::uses::{self, Gathered, Used};
use crate::check::value::Value;
use crate::check::{chains, comments, names, settings, unread};
use crate::diagnostic::order::{in_order, primary};
use crate::diagnostic::{Diagnostic, Severity, merged};
use crate::ir::{Graph, NodeId};
use crate::lower::{self, program as lowered, program::Program as Lowered, program::Value as LoweredValue};
use crate::passes::{named, streamed};
use crate::plan::Plan;
use crate::source::{SourceId, Sources, Span};
use crate::syntax;
use crate::syntax::tree::{Block, File, Item, ItemKind, Statement};
use std::collections::{HashMap, HashSet};

pub use crate::check::elaborate::Context;
pub use crate::check::schema::Schemas;

/// A stage whose result can be printed.
#[derive(Clone, Copy)]
pub enum Stage {
    Tree,
    Terms,
    Graph,
    Plan,
}

impl Stage {
    pub const ALL: &[Stage] = &[Stage::Tree, Stage::Terms, Stage::Graph, Stage::Plan];

    pub fn name(self) -> &'static str {
        match self {
            Stage::Tree => "tree",
            Stage::Terms => "terms",
            Stage::Graph => "graph",
            Stage::Plan => "plan",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Stage::Tree => "The syntax tree of the file",
            Stage::Terms => "The typed terms that the checker gives",
            Stage::Graph => "The graph, with gradients and updates",
            Stage::Plan => "The plan: kernels and buffers",
        }
    }

    /// What it makes of a program: the graph and the plan are those of a step.
    pub fn dump(self, tree: &File, program: &TypedProgram, graph: &Graph, plan: &Plan) -> String {
        match self {
            Stage::Tree => tree.to_string(),
            Stage::Terms => program.terms.to_string(),
            Stage::Graph => with_names(graph),
            Stage::Plan => plan.to_string(),
        }
    }
}

/// The graph, with what its operations are called behind them.
fn with_names(graph: &Graph) -> String {
    let names: HashMap<String, &str> = named(graph).into_iter().map(|(id, name)| (id.to_string(), name)).collect();
    let line = |line: &str| match line.split_once(' ').and_then(|(id, _)| names.get(id)) {
        Some(name) => format!("{line}  // {name}\n"),
        None => format!("{line}\n"),
    };
    graph.to_string().lines().map(line).collect()
}

/// A checked file: a program for each `train` block in which nothing is wrong, and all that is wrong.
pub struct Checked {
    pub programs: Vec<TypedProgram>,
    /// The names of all `train` blocks.
    pub trains: Vec<String>,
    pub sweeps: Vec<Sweep>,
    pub found: Vec<Diagnostic>,
    /// The other files whose items it has.
    pub used: Vec<Used>,
}

impl Checked {
    /// Of a file that could not be read.
    pub fn unread(wrong: Diagnostic) -> Checked {
        Checked { programs: Vec::new(), trains: Vec::new(), sweeps: Vec::new(), found: vec![wrong], used: Vec::new() }
    }
}

/// Text → syntax tree → programs. `sets` are `name=value` of the command line; what is wrong with them is an error in
/// words, for they are not part of the text.
pub fn check(
    sources: &mut Sources,
    source: SourceId,
    schemas: &mut dyn Schemas,
    sets: &[String],
) -> Result<Checked, String> {
    let Gathered { file, used, found } = gathered(sources, source, schemas);
    let overrides = sets.iter().map(|set| settings::parse(&file.items, set)).collect::<Result<Vec<_>, _>>()?;
    let mut checked = check_file(sources, &file, found, schemas, &mut Library::new(&file), &overrides);
    checked.found.extend(comments::find(sources, &file));
    if !checked.found.iter().any(|found| found.severity == Severity::Error) {
        let of_text = lints::of_text(&file, &checked.found);
        checked.found.extend(of_text);
    }
    lints::allow::silence(&mut checked.found, sources, &texts(&file, &used), true);
    uses::labelled(&mut checked.found, &used);
    checked.found.sort_by_key(primary);
    Ok(Checked { used, ..checked })
}

/// A file, and those that it uses.
fn texts(file: &File, used: &[Used]) -> Vec<SourceId> {
    std::iter::once(file.source).chain(used.iter().map(|used| used.source)).collect()
}

/// A file with the items of those that it uses, and what is wrong with their texts.
pub fn gathered(sources: &mut Sources, source: SourceId, schemas: &mut dyn Schemas) -> Gathered {
    let (file, mut found) = syntax::parse(sources, source);
    let gathered = uses::gather(sources, file, &mut |sources, path| schemas.other(sources, path));
    found.extend(gathered.found);
    Gathered { found, ..gathered }
}

/// The same for one `train` block, the named one or the only one, with the data that it names. Other blocks of the file may be
/// wrong, or their data gone. Where neither is given the whole file is checked.
pub fn check_block(
    sources: &mut Sources,
    source: SourceId,
    schemas: &mut dyn Schemas,
    sets: &[String],
    name: Option<&str>,
) -> Result<Checked, String> {
    let Gathered { mut file, used, found } = gathered(sources, source, schemas);
    let overrides = sets.iter().map(|set| settings::parse(&file.items, set)).collect::<Result<Vec<_>, _>>()?;
    let trains = trains(&file);
    file.items.retain(|item| !matches!(item.kind, ItemKind::Sweep(_)));
    if name.map_or(trains.len() == 1, |name| trains.iter().any(|train| train == name)) {
        file.items.retain(|item| match &item.kind {
            ItemKind::Train(block) => name.is_none_or(|name| name_of(block) == name),
            _ => true,
        });
        let unused: Vec<Span> = unused_data(&file).into_iter().map(|data| data.name.span).collect();
        file.items.retain(|item| !matches!(&item.kind, ItemKind::Data(data) if unused.contains(&data.name.span)));
    }
    let mut library = Library::new(&file);
    library.trains.clone_from(&trains);
    let mut checked = check_file(sources, &file, found, schemas, &mut library, &overrides);
    lints::allow::silence(&mut checked.found, sources, &texts(&file, &used), false);
    uses::labelled(&mut checked.found, &used);
    Ok(Checked { trains, used, ..checked })
}

/// A syntax tree, with the diagnostics of its parser → programs. The library has the file's items open.
pub fn check_file(
    sources: &mut Sources,
    file: &File,
    mut found: Vec<Diagnostic>,
    schemas: &mut dyn Schemas,
    library: &mut Library,
    overrides: &[(String, Value)],
) -> Checked {
    let unparsed = found.len();
    let stdlib: Vec<&str> = stdlib_names().into_iter().map(|(name, _)| name).collect();
    found.extend(names::check(file, &stdlib));
    found.extend(chains::find(sources, file));
    let textual = found.len();
    let mut programs = Vec::new();
    let mut reached = HashSet::new();
    for item in &file.items {
        if let ItemKind::Train(block) = &item.kind {
            let mut elaborator = Elaborator::new(sources, schemas, library, overrides);
            let program = elaborator.train(block);
            found.extend(elaborator.found);
            reached.extend(elaborator.reached);
            found.extend(program.as_ref().and_then(rows_meet));
            found.extend(program.as_ref().and_then(large::find));
            if let Some(program) = &program
                && !found.iter().any(|found| found.severity == Severity::Error)
            {
                let data = &program.data;
                let look = |raw: &Raw| schemas.look(&data.sets.get(raw.set)?.source, &raw.name);
                let looks: Vec<_> = data.raw.iter().map(look).collect();
                found.extend(lints::find(&View::new(program, sources, &looks)));
            }
            programs.extend(program);
        }
    }
    let mut sweeps = Vec::new();
    for item in &file.items {
        if let ItemKind::Sweep(block) = &item.kind {
            let mut elaborator = Elaborator::new(sources, schemas, library, overrides);
            sweeps.extend(elaborator.sweep(block, file, &programs));
            found.extend(elaborator.found);
        }
    }
    let mut elaborator = Elaborator::new(sources, schemas, library, overrides);
    elaborator.lets_alone(&lets(&file.items));
    unused_data(file).into_iter().for_each(|data| elaborator.data_alone(data));
    found.extend(elaborator.found);
    reached.extend(elaborator.reached);
    let unread_spans: Vec<Span> = found[..unparsed].iter().filter_map(primary).collect();
    let mut elaborator = Elaborator::new(sources, schemas, library, overrides);
    elaborator.definitions_alone(&file.items, &reached, &unread_spans, &found);
    found.extend(elaborator.found);
    let mut found = in_order(found, textual);
    unread::remove(&mut found, &unread_spans, file, sources);
    let found = merged(found);
    Checked { programs, trains: trains(file), sweeps, found, used: Vec::new() }
}

/// What is wrong with `accumulate`: a loss in which rows meet otherwise than in sums and extremes has no parts.
fn rows_meet(program: &TypedProgram) -> Option<Diagnostic> {
    if program.run.accumulate == 1 {
        return None;
    }
    let lowered = lower(program).ok()?;
    let meets = |phase: &&lowered::Phase| {
        let gradients = phase.gradients.iter().map(|(_, gradient)| *gradient);
        let roots: Vec<NodeId> = std::iter::once(phase.loss).chain(gradients).collect();
        streamed(&lowered.graph, &lowered.rows, &roots, lowered.inputs.len()).is_none()
    };
    let at = lowered.phases.iter().position(|phase| meets(&phase))?;
    let message = "`accumulate` computes the rows of a batch in parts, and in this loss all rows meet each other";
    let error = Diagnostic::error("E0244", message, program.minimized[at].span, "rows meet here");
    Some(error.help("leave `accumulate` out; sums and means over rows can be computed in parts"))
}

/// A statement of a session, in its context → its value, or what is wrong with it. The library has the session's items
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
/// bug of this compiler, and the error is a message without a span.
pub fn lower(program: &TypedProgram) -> Result<Lowered, String> {
    let lowered = lower::lower(program);
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
    let lowered = lower::value(explored, term);
    lowered.graph.verify()?;
    Ok(lowered)
}
