//! The specification: `tests/spec/check/*.mlx` hold named sections, each a small program with what the checker says of it
//! written below it. `MLX_BLESS=1 cargo test` writes what it says now.
//!
//! A section starts with `// --- name ---`. A line `// file d.csv: a,b | 1,2` gives it a data file, `|` between the lines.
//! It ends with one line for each diagnostic, `// error 3:9 E0201 message`, or with `// ok`; then with the value of each
//! report on the training rows before the first step, `// r2 = 0.5`; and where the program has a line `// plan`, with the
//! number of kernels of a step's plan, `// kernels = 12`; where it has a line `// params`, with the parameters and their
//! shapes, `// param dense_1.w [2, 8]`. Where it has a line `// advice`, each diagnostic is followed by
//! its further places and what to do, `//   2:5 the first time`, `//   help: …`.

use crate::binary::repository;
use crate::trial;
use libtest_mimic::Trial;
use mlx::backend::cpu::Cpu;
use mlx::backend::{Device, Tensor, reference};
use mlx::check::terms::Host;
use mlx::check::{elaborate::primitive, library, unsupported};
use mlx::compile;
use mlx::diagnostic::{Severity, codes};
use mlx::ir::{DType, Graph, Node, NodeId, Op};
use mlx::lower::program::{Input, Program};
use mlx::plan::Storage;
use mlx::run::column::Column;
use mlx::run::dataset::Files;
use mlx::run::evaluate::{Evaluator, Present, evaluated};
use mlx::run::events::Event;
use mlx::run::schedule::{KEPT, Schedule};
use mlx::run::steps::{Run, counters_of_split, holder_of, residents, steps_of};
use mlx::run::stream::{Rows, Table};
use mlx::source::{SourceId, Sources, Span};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("spec::what_is_not_built_yet_is_shown_once", what_is_not_built_yet_is_shown_once),
        trial("spec::every_code_has_its_page", every_code_has_its_page),
        trial("spec::the_language_is_documented_as_it_is", the_language_is_documented),
        trial("spec::primitives_and_core_are_one_to_one", primitives_and_core_are_one_to_one),
    ];
    for (code, text) in codes::pages() {
        trials.push(Trial::test(format!("spec::explained::{code}"), move || {
            let blocks: Vec<&str> =
                text.split("```mlx\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
            // What no text of a program can show has no blocks.
            if let [failing, mended] = blocks[..] {
                let (wrong, right) = (said(failing), said(mended));
                assert!(wrong.contains(&format!(" {code} ")), "the failing program gives\n{wrong}");
                assert!(!right.contains("// error") && !right.contains(code), "the mended program gives\n{right}");
            } else {
                assert!(blocks.is_empty(), "a page has a failing and a mended program");
            }
            Ok(())
        }));
    }
    for path in files() {
        let text = fs::read_to_string(&path).expect("a spec");
        let file = path.file_stem().expect("a name").to_string_lossy().into_owned();
        for section in sections(&text) {
            trials.push(Trial::test(format!("spec::{file}::{}", section.name), move || {
                let said = said(&section.program);
                if said == section.expected {
                    return Ok(());
                }
                Err(format!("the checker says\n{said}and this was expected\n{}", section.expected).into())
            }));
        }
        if std::env::var_os("MLX_BLESS").is_some() {
            fs::write(&path, blessed(&text)).expect("written");
        }
    }
    trials
}

pub fn files() -> Vec<PathBuf> {
    let folder = fs::read_dir(repository("tests/spec/check")).expect("the specification");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

pub struct Section {
    pub name: String,
    pub program: String,
    pub expected: String,
}

fn is_expected(line: &str) -> bool {
    let value = line.strip_prefix("// ").and_then(|rest| rest.split_once(" = ")).map(|(_, value)| value);
    // Several numbers are those of a report with axes, and the names of classes may follow.
    let numbers = value.map(|value| value.split(" of ").next().unwrap_or_default());
    numbers.is_some_and(|numbers| numbers.split(' ').all(|number| number.parse::<f64>().is_ok()))
        || ["// error ", "// warning ", "// ok", "// param ", "//   "].iter().any(|start| line.starts_with(start))
}

pub fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("// --- ").and_then(|rest| rest.strip_suffix(" ---")) {
            sections.push(Section { name: name.to_string(), program: String::new(), expected: String::new() });
        } else if let Some(section) = sections.last_mut() {
            let part = if is_expected(line) { &mut section.expected } else { &mut section.program };
            writeln!(part, "{line}").expect("a string takes text");
        }
    }
    sections
}

/// A program, checked in a folder with its data files.
pub fn checked(sources: &mut Sources, program: &str) -> (compile::Checked, tempfile::TempDir) {
    let (checked, _, folder) = opened(sources, program);
    (checked, folder)
}

pub fn opened(sources: &mut Sources, program: &str) -> (compile::Checked, Files, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    for line in program.lines() {
        if let Some((name, rows)) = line.strip_prefix("// file ").and_then(|rest| rest.split_once(": ")) {
            fs::write(folder.path().join(name), rows.replace(" | ", "\n") + "\n").expect("written");
        }
    }
    let source = sources.add("section.mlx", program);
    let mut files = Files::beside(&folder.path().join("section.mlx"));
    let checked = compile::check(sources, source, &mut files, &[]).expect("no --set is wrong");
    (checked, files, folder)
}

/// What the checker says of a program, a line a diagnostic.
fn said(program: &str) -> String {
    let mut sources = Sources::default();
    let (checked, files, folder) = opened(&mut sources, program);
    let mut lines = String::new();
    let shows_advice = program.lines().any(|line| line == "// advice");
    for found in &checked.found {
        let severity = if found.severity == Severity::Error { "error" } else { "warning" };
        let at = found.labels.first().map_or("-".to_string(), |label| place(&sources, label.span));
        let message = found.message.replace(&format!("{}/", folder.path().display()), "");
        writeln!(lines, "// {severity} {at} {} {message}", found.code).expect("a string takes text");
        for label in found.labels.iter().skip(1).filter(|_| shows_advice) {
            writeln!(lines, "//   {} {}", place(&sources, label.span), label.text).expect("a string takes text");
        }
        for help in found.help.iter().filter(|_| shows_advice) {
            writeln!(lines, "//   help: {help}").expect("a string takes text");
        }
    }
    if lines.is_empty() {
        lines.push_str("// ok\n");
    }
    let [shows_plan, shows_params] = ["// plan", "// params"].map(|wanted| program.lines().any(|line| line == wanted));
    for program in &checked.programs {
        let lowered = compile::lower(program).expect("what is checked becomes a graph");
        let data = files.open(&program.data).expect("the data was read");
        let batch = program.data.rows()[0];
        let schedule = Schedule { steps: 1, epochs: 1, batch, seed: program.run.seed, threads: 2, kept: KEPT };
        let mut run = Run::new(&lowered, schedule, &data).expect("a run");
        for param in lowered.params.iter().filter(|_| shows_params) {
            writeln!(lines, "// param {} {:?}", param.path, param.shape).expect("a string takes text");
        }
        if shows_plan {
            writeln!(lines, "// kernels = {}", run.plan().kernels.len()).expect("a string takes text");
        }
        if let Some(Event::Eval { reports, .. }) = run.evaluate("train").expect("numbers") {
            for report in reports {
                let numbers: Vec<String> = report.figure.numbers().iter().map(|value| format!("{value:.4}")).collect();
                let classes =
                    if report.classes.is_empty() { String::new() } else { format!(" of {:?}", report.classes) };
                writeln!(lines, "// {} = {}{classes}", report.name, numbers.join(" ")).expect("a string takes text");
            }
        }
        // Of several phases, only the last leaves what it computed.
        let one = matches!(&lowered.phases[..], [only] if only.times == 1 && lowered.advance.is_empty());
        // The reference is fed the columns of a step.
        let same = !lowered.columns.iter().any(|column| reads_training(&lowered, column.value));
        if one && same && lowered.accumulate == 1 {
            agrees_with_the_reference(&lowered, &mut run, schedule.seed);
        } else {
            run.take_step().expect("a step");
        }
    }
    lines
}

/// Whether a column is another in steps of training than in evaluations.
fn reads_training(program: &Program, column: NodeId) -> bool {
    program.graph.needed(&[column]).into_iter().any(|id| match program.graph.node(id).op {
        Op::Input { number, .. } => program.inputs[number as usize] == Input::Host(Host::Training),
        _ => false,
    })
}

/// Loss and reports on the same rows, two at a time.
fn in_batches_of_two(program: &Program, graph: &Graph, feed: &[Tensor]) -> Vec<Vec<f64>> {
    let column = |input: usize| {
        let storage = if graph.dtype(graph_input(graph, input)) == DType::Float { Storage::F64 } else { Storage::I32 };
        let mut column = Column::empty(storage);
        column.extend(feed[input].values.iter().copied());
        column
    };
    let columns: Vec<Column> = program.columns.iter().map(|own| column(own.input)).collect();
    let mut device = Cpu::new(2);
    let step = device.load(steps_of(program, &program.phases[0], graph).expect("a plan"));
    for param in &program.params {
        device.write_numbers(step, param.input as u32, &feed[param.input].values);
    }
    let holder = device.load(holder_of(program, graph).expect("a plan"));
    for fit in program.lying.iter().map(|at| &program.fits[*at]) {
        device.write_numbers(holder, fit.input as u32, &feed[fit.input].values);
    }
    let table = |set: usize| {
        let own = || program.columns.iter().zip(&columns).filter(|(own, _)| own.set == set);
        let rows = own().map(|(column, _)| feed[column.input].shape[0]).max().unwrap_or(0);
        let fed = own().map(|(own, values)| -> (u32, Rows) {
            (own.input as u32, Box::new(move |some, to| values.feed(rows, some, to)))
        });
        // Without columns there is one row, in which nothing stands.
        Table { rows: if program.columns.is_empty() { 1 } else { rows }, columns: fed.collect() }
    };
    let sets: Vec<usize> = (0..program.rows.len()).collect();
    let present = Present {
        tables: sets.iter().map(|set| table(*set)).collect(),
        hosts: program.hosts.iter().map(|(_, input)| (*input as u32, feed[*input].values[0])).collect(),
        counters: [0, 1, 2, 3, 4].map(|at| feed[program.draws].values[at]),
    };
    let (roots, residents) = (evaluated(program, false), residents(program));
    let mut evaluator = Evaluator::new(program, roots, residents, (2, &sets), (2, false), 0).expect("an evaluator");
    evaluator.evaluate(&mut device, present).expect("numbers")
}

fn graph_input(graph: &Graph, input: usize) -> NodeId {
    let is_it = |node: &Node| matches!(node.op, Op::Input { number, .. } if number as usize == input);
    graph.nodes().find(|(_, node)| is_it(node)).map(|(id, _)| id).expect("an input of the graph")
}

/// Line and column; of another text than the program's its name before, and of the standard library no line.
fn place(sources: &Sources, span: Span) -> String {
    let (name, start) = (&sources.get(span.source).name, sources.start(span));
    match span.source {
        SourceId(0) => format!("{}:{}", start.line, start.column),
        _ if name.starts_with("<stdlib>") => name.clone(),
        _ => format!("{}:{}:{}", name.rsplit('/').next().unwrap_or(name), start.line, start.column),
    }
}

/// Loss, gradients, reports and next values of a step, on the CPU and by definition. An evaluation has draws of its own.
pub fn agrees_with_the_reference(program: &Program, run: &mut Run, seed: u64) {
    let counters = counters_of_split(seed, "train").expect("counters");
    let (graph, feed) = run.for_reference().expect("a feed");
    let reported: Vec<NodeId> = program.reports.iter().map(|(_, node)| *node).collect();
    let phase = &program.phases[0];
    let gradients = phase.gradients.iter().map(|(_, gradient)| *gradient);
    let stepped: Vec<NodeId> = std::iter::once(phase.loss).chain(gradients).collect();
    let Some(Event::Eval { reports, .. }) = run.evaluate("train").expect("numbers") else { return };
    let mut of_split = feed.clone();
    of_split[program.draws].values = counters.to_vec();
    let mut by_batches = in_batches_of_two(program, &graph, &of_split);
    // Behind them stands whether checks hold.
    by_batches.truncate(1 + reported.len());
    run.take_step().expect("a step");
    let mut found: Vec<Vec<f64>> = Vec::new();
    for root in 0..stepped.len() {
        found.push(run.output(root).to_f64(1));
    }
    found.extend(reports.iter().map(|report| report.figure.numbers()).chain(by_batches));
    // A state that nothing reads has no place.
    let nexts: Vec<(NodeId, usize)> =
        phase.updates.iter().copied().filter(|(_, input)| run.fed(*input).is_some()).collect();
    found.extend(nexts.iter().filter_map(|(_, input)| Some(run.fed(*input)?.to_f64(1))));
    let next: Vec<NodeId> = nexts.iter().map(|(next, _)| *next).collect();
    let mut defined = reference::run(&graph, &stepped, &feed).expect("numbers");
    let evaluated = [reported.clone(), vec![program.loss], reported].concat();
    defined.extend(reference::run(&graph, &evaluated, &of_split).expect("numbers"));
    defined.extend(reference::run(&graph, &next, &feed).expect("numbers"));
    assert_eq!(found.len(), defined.len());
    for (at, (found, defined)) in found.iter().zip(&defined).enumerate() {
        let scale = defined.values.iter().filter(|x| x.is_finite()).fold(1e-2, |most: f64, x| most.max(x.abs()));
        assert!(found.len() == defined.values.len() || found.len() == 1, "root {at}");
        for (found, defined) in found.iter().zip(&defined.values) {
            let near = (found - defined).abs() <= 1e-4 * scale || found == defined;
            assert!(near || (found.is_nan() && defined.is_nan()), "root {at}: {found} is not {defined}");
        }
    }
}

fn blessed(text: &str) -> String {
    let head: String =
        text.lines().take_while(|line| !line.starts_with("// --- ")).map(|line| format!("{line}\n")).collect();
    let section = |section: Section| {
        let program = section.program.trim_end();
        format!("// --- {} ---\n{program}\n{}", section.name, said(&section.program))
    };
    head + &sections(text).into_iter().map(section).collect::<Vec<_>>().join("\n")
}

/// Each row of the table of what is not supported yet has a section, so that a row dies when its meaning arrives.
fn what_is_not_built_yet_is_shown_once() {
    let text = fs::read_to_string(repository("tests/spec/check/unsupported.mlx")).expect("a spec");
    let expected: Vec<String> = sections(&text).into_iter().map(|section| section.expected).collect();
    for (row, what) in unsupported::TABLE {
        let told = format!("E0199 {what} ");
        assert!(expected.iter().any(|lines| lines.contains(&told)), "no section shows {row:?}: {what}");
    }
    for word in unsupported::SOURCES {
        let told = format!("`{word}` is not supported yet");
        assert!(expected.iter().any(|lines| lines.contains(&told)), "no section shows `{word}`");
    }
    assert!(expected.iter().all(|lines| lines.contains("E0199")), "every section is about what is not supported yet");
}

/// Codes in the source and pages are the same, and only what no text of a program shows has no example.
fn every_code_has_its_page() {
    let mut used = std::collections::BTreeSet::new();
    for file in crate::rooms::files() {
        let starts = file.1.match_indices("\"E0").chain(file.1.match_indices("\"W0"));
        used.extend(starts.filter_map(|(at, _)| Some(file.1.get(at + 1..at + 6)?.to_string())));
    }
    let pages: Vec<String> = codes::pages().map(|(code, _)| code.to_string()).collect();
    assert_eq!(used.into_iter().collect::<Vec<_>>(), pages);
    let bare: Vec<&str> = codes::pages().filter(|(_, text)| !text.contains("```mlx")).map(|(code, _)| code).collect();
    assert_eq!(
        bare,
        [
            "E0103", "E0104", "E0106", "E0249", "E0276", "E0301", "E0302", "E0321", "E0322", "E0323", "E0324", "E0325",
            "E0331", "E0332", "E0333", "E0334", "E0335", "E0336", "E0374", "E0375", "E0377", "E0401", "W0251", "W0321",
            "W0322", "W0323",
        ],
        "of bytes, of weight files, of the system, of a run"
    );
}

/// The functions without a body, and those with a rule in the compiler.
fn primitives_and_core_are_one_to_one() {
    let (_, text) = library::STDLIB.iter().find(|(name, _)| *name == "core.mlx").expect("core.mlx");
    let mut written: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("fn ")?.split('(').next()).collect();
    let mut ruled: Vec<&str> = primitive::names().collect();
    written.sort_unstable();
    ruled.sort_unstable();
    assert_eq!(written, ruled);
}

/// Every example of the reference is right, and it names everything that the standard library has, and nothing else.
fn the_language_is_documented() {
    let text = fs::read_to_string(repository("docs/language.md")).expect("the reference");
    for example in text.split("```mlx\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let said = said(example);
        assert!(said.starts_with("// ok"), "{example}\n{said}");
    }
    let listed = text.split("## The standard library").nth(1).expect("the last chapter");
    let mut names: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
    names.sort_unstable();
    names.dedup();
    let mut declared: Vec<&str> = library::stdlib_names().into_iter().map(|(name, _)| name).collect();
    declared.sort_unstable();
    assert_eq!(names, declared);
}
