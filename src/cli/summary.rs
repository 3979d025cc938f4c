//! `mlx summary FILE [NAME]`

use super::FAILED;
use super::load::{complain, load, lowered, print, program};
use crate::check::program::Set;
use crate::compile::Stage;
use crate::ir::flops;
use crate::run::plans::{holder_of, steps_of};
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
    let graph = lowered.graph.settle(&lowered.of_rows(&program.data.sets.iter().map(of).collect::<Vec<_>>()));
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
    let data = loaded.files.open(&program.data);
    for file in data.iter().flat_map(|data| &data.files) {
        let _ = writeln!(out, "data             {}", file.path);
    }
    for pair in data.iter().flat_map(|data| data.pairs()) {
        let _ = writeln!(out, "classes          {pair}");
    }
    print(out)
}
