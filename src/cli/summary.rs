//! `mlx summary FILE [NAME]`

use super::FAILED;
use super::load::{complain, load, lowered, print, program};
use crate::check::program::Set;
use crate::compile::Stage;
use crate::ir::flops;
use crate::run::contents::{Item, contents};
use crate::run::memory::size;
use crate::run::plans::{holder_of, steps_of};
use crate::source::Sources;
use crate::syntax;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use unicode_width::UnicodeWidthStr;

#[derive(clap::Args)]
pub struct Summary {
    /// The `.mlx` file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The `train` block, where the file has several
    name: Option<String>,
    /// Give a `let` of the file another value
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Print what a stage of the compiler makes of a step
    #[arg(long, value_enum, value_name = "STAGE")]
    dump: Option<Stage>,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

impl ValueEnum for Stage {
    fn value_variants<'a>() -> &'a [Stage] {
        Stage::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

/// How many of the largest buffers are listed.
const LISTED: usize = 12;

pub fn run(arguments: &Summary) -> ExitCode {
    match summarize(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn summarize(arguments: &Summary) -> Result<(), u8> {
    let mut loaded = load(&arguments.file, &arguments.set)?;
    let program = program(&mut loaded, arguments.name.as_deref())?;
    let lowered = lowered(&program)?;
    let rows = program.run.batch.map_or(program.data.rows()[0], |batch| batch as usize);
    let of = |set: &Set| set.rows[0].min(rows);
    let rows: Vec<usize> = program.data.sets.iter().map(of).collect();
    let graph = lowered.graph.settle(&lowered.of_rows(&rows));
    let plan = match lowered.phases.first() {
        Some(phase) => steps_of(&lowered, phase, &graph),
        None => holder_of(&lowered, &graph),
    };
    let plan = plan.map_err(|error| {
        complain(error.message());
        FAILED
    })?;
    if let Some(stage) = arguments.dump {
        let (tree, _) = syntax::parse(&loaded.sources, loaded.source);
        return print(&stage.dump(&tree, &program, &graph, &plan));
    }
    let nexts = lowered.phases.iter().flat_map(|phase| &phase.updates).map(|(next, _)| *next);
    let flops = flops(&graph, &std::iter::once(lowered.loss).chain(nexts).collect::<Vec<_>>());
    let arena = plan.arena();
    let parameters = lowered.parameters();
    if arguments.json {
        let tensors: Vec<_> = lowered
            .params
            .iter()
            .map(|param| json!({ "path": param.path, "shape": param.shape, "trainable": param.trainable }))
            .collect();
        let summary =
            json!({ "parameters": parameters, "tensors": tensors, "flops_per_step": flops, "arena_bytes": arena });
        return print(&format!("{summary}\n"));
    }
    let out = &mut String::new();
    let width = lowered.params.iter().map(|param| param.path.width()).max().unwrap_or(0);
    for param in &lowered.params {
        let count: usize = param.shape.iter().product();
        let space = " ".repeat(width - param.path.width());
        let _ = writeln!(out, "{}{space}  {:<16} {count:>10}", param.path, format!("{:?}", param.shape));
    }
    let _ = writeln!(out, "parameters       {parameters}");
    let _ = writeln!(out, "flops a step     {flops}");
    let _ = writeln!(out, "memory of a step {arena} bytes");
    let contents = contents(&lowered, lowered.phases.first(), &plan, &rows);
    for (kind, bytes) in &contents.kinds {
        let _ = writeln!(out, "{:>14}  {}", size(*bytes as u64), kind.name());
    }
    for item in contents.items.iter().take(LISTED) {
        let _ = writeln!(out, "{}", listed(item, &loaded.sources));
    }
    let data = loaded.files.open(&program.data);
    for file in data.iter().flat_map(|data| &data.files) {
        let _ = writeln!(out, "data             {}", file.path);
    }
    for pair in data.iter().flat_map(|data| data.pairs()) {
        let _ = writeln!(out, "classes          {pair}");
    }
    print(out)
}

/// `8.0 MiB  4 × [64, 32, 32, 32] values of the model: conv_2, stdlib/relu.mlx:2`
fn listed(item: &Item, sources: &Sources) -> String {
    let Item { kind, count, bytes, shape, layer, place } = item;
    let place = place.map(|place| format!("{}:{}", sources.get(place.source).name, sources.start(place).line));
    let whose = [layer.clone(), place].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let each = if *count > 1 { format!("{count} × ") } else { String::new() };
    let space = if shape.is_empty() { "" } else { " " };
    format!("{:>14}  {each}{shape}{space}{}: {whose}", size((count * bytes) as u64), kind.name())
}
