//! The node cases of the ONNX standard, recorded by `tests/reference/onnx_cases.py`: each whose operator the language can say is
//! written as a program and computed. `docs/onnx.md` is what comes of it; `MLX_BLESS=1 cargo test` writes it.
//!
//! | file | what |
//! |---|---|
//! | `case` | a recorded case, and pieces of text that read its inputs |
//! | `elementwise`, `reduce`, `shapes`, `nets` | the programs, by operator |

mod case;
mod elementwise;
mod nets;
mod reduce;
mod shapes;

use crate::binary::repository;
use crate::spec;
use crate::trial;
use case::{Case, Kind, Made, Program, Tensor};
use libtest_mimic::Trial;
use mlx::compile;
use mlx::run::events::Event;
use mlx::run::params;
use mlx::run::schedule::{KEPT, Schedule};
use mlx::run::steps::Run;
use mlx::source::Sources;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How far apart two numbers may be: relative, with a floor for what is near 0.
const TOLERANCE: f64 = 2e-5;
const FLOOR: f64 = 1e-5;

/// Of these the standard itself writes four digits.
const ROUNDED: &[&str] = &["averagepool_2d_ceil_last_window_starts_on_pad"];

/// So many cases pass at least.
const LEAST: usize = 300;

/// Whole numbers that an int holds.
const INTS: std::ops::RangeInclusive<f64> = -2_147_483_648.0..=2_147_483_647.0;

/// Operators that are not written here, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("Bernoulli", "draws are those of another generator"),
    ("BitCast", "there are no bits of a number"),
    ("BitShift", "there are no bits of a number"),
    ("BitwiseAnd", "there are no bits of a number"),
    ("BitwiseNot", "there are no bits of a number"),
    ("BitwiseOr", "there are no bits of a number"),
    ("BitwiseXor", "there are no bits of a number"),
    ("Compress", "the shape of the result depends on values"),
    ("ConvInteger", "there are no bytes"),
    ("DequantizeLinear", "there are no bytes"),
    ("DynamicQuantizeLinear", "there are no bytes"),
    ("Det", "there is no decomposition of matrices that are not positive definite"),
    ("If", "what is chosen by a value has one shape"),
    ("Loop", "the number of steps is known before the run"),
    ("MatMulInteger", "there are no bytes"),
    ("NonMaxSuppression", "the shape of the result depends on values"),
    ("NonZero", "the shape of the result depends on values"),
    ("OptionalGetElement", "every value is there"),
    ("OptionalHasElement", "every value is there"),
    ("QLinearConv", "there are no bytes"),
    ("QLinearMatMul", "there are no bytes"),
    ("QuantizeLinear", "there are no bytes"),
    ("Shape", "a size is known before the run"),
    ("Size", "a size is known before the run"),
    ("TfIdfVectorizer", "the shape of the result depends on values"),
    ("TreeEnsemble", "a tree is no operator here"),
    ("Unique", "the shape of the result depends on values"),
];

pub fn trials() -> Vec<Trial> {
    vec![trial("onnx::node_cases_are_as_the_page_says", as_the_page_says)]
}

/// What came of the cases of an operator.
#[derive(Default)]
struct Tally {
    cases: usize,
    passed: usize,
    /// Names of cases that are not right.
    wrong: Vec<String>,
    /// Why so many are not written.
    without: BTreeMap<String, usize>,
}

fn as_the_page_says() {
    let recorded = fs::read_to_string(repository("tests/reference/onnx.jsonl")).expect("the recording");
    let mut lines = recorded.lines();
    let head: Value = serde_json::from_str(lines.next().expect("a first line")).expect("JSON");
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut faults = String::new();
    let only = std::env::var("MLX_ONNX").unwrap_or_default();
    for case in lines.map(Case::read).filter(|case| case.name.contains(&only)) {
        let tally = tallies.entry(case.op.clone()).or_default();
        tally.cases += 1;
        match program(&case).and_then(|program| Ok((text(&case, &program)?, program))) {
            Err(why) => *tally.without.entry(why.to_string()).or_default() += 1,
            Ok((text, program)) => match catch_unwind(AssertUnwindSafe(|| holds(&case, &program, &text))) {
                Ok(Ok(())) => tally.passed += 1,
                Ok(Err(wrong)) => {
                    tally.wrong.push(case.name.clone());
                    writeln!(faults, "--- {}: {wrong}\n{text}", case.name).expect("a string takes text");
                }
                Err(_) => panic!("{}:\n{text}", case.name),
            },
        }
    }
    if std::env::var_os("MLX_ONNX").is_some() {
        panic!("{faults}");
    }
    let passed: usize = tallies.values().map(|tally| tally.passed).sum();
    let made = page(&head, &tallies, passed);
    let path = repository("docs/onnx.md");
    if std::env::var_os("MLX_BLESS").is_some() {
        fs::write(&path, &made).expect("written");
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/onnx.md is not what the tests show: write it again by `MLX_BLESS=1 cargo test`\n{faults}"
    );
    assert!(passed >= LEAST, "only {passed} cases pass");
}

fn program(case: &Case) -> Made {
    if let Some((_, why)) = WITHOUT.iter().find(|(op, _)| *op == case.op) {
        return Err(why);
    }
    let tensors = || case.inputs.iter().chain(&case.outputs).flatten();
    if tensors().any(|tensor| tensor.values.is_empty()) {
        return Err("a tensor without elements");
    }
    let far = |tensor: &Tensor| tensor.kind == Kind::Int && tensor.values.iter().any(|value| !INTS.contains(value));
    if tensors().any(far) {
        return Err("ints have 32 bits");
    }
    let written = elementwise::program(case)
        .or_else(|| reduce::program(case))
        .or_else(|| shapes::program(case))
        .or_else(|| nets::program(case));
    written.unwrap_or(Err("not written yet"))
}

/// The whole file of a case.
fn text(case: &Case, program: &Program) -> Result<String, &'static str> {
    let mut text = format!("{}train {{\n    param unit: [] = 0\n", program.functions);
    for (at, input) in case.inputs.iter().enumerate() {
        let Some(input) = input else { continue };
        let shape = format!("{:?}", input.shape);
        let values: Vec<i64> = input.values.iter().map(|value| *value as i64).collect();
        let line = match input.kind {
            Kind::Float => format!("param x{at}: {shape} = 0"),
            Kind::Int => format!("let x{at} = {}", case::list(&input.shape, &values)),
            Kind::Bool => format!("param p{at}: {shape} = 0\n    let x{at} = p{at} > 0.5"),
        };
        writeln!(text, "    {line}").expect("a string takes text");
    }
    for line in &program.lets {
        writeln!(text, "    {line}").expect("a string takes text");
    }
    let mut reports = String::new();
    for (at, (output, element)) in case.outputs.iter().zip(&program.elements).enumerate() {
        let (Some(output), Some(element)) = (output, element) else { continue };
        let element = if output.kind == Kind::Bool { format!("if {element} then 1 else 0") } else { element.clone() };
        let sized: Vec<String> = output.shape.iter().enumerate().map(|(at, size)| format!("i{at}: {size}")).collect();
        let target = match sized.len() {
            0 => format!("y{at}"),
            1 => format!("y{at}[{}]", sized[0]),
            _ => format!("y{at}[({})]", sized.join(" ")),
        };
        writeln!(text, "    let {target} = {element}").expect("a string takes text");
        writeln!(reports, "    report y{at} = y{at}").expect("a string takes text");
    }
    Ok(format!("{text}    minimize unit using sgd(lr = 0)\n{reports}    steps = 1\n}}\n"))
}

/// Computes a case; what is wrong.
fn holds(case: &Case, program: &Program, text: &str) -> Result<(), String> {
    let mut sources = Sources::default();
    let (checked, files, _folder) = spec::opened(&mut sources, text);
    let errors = checked.found.iter().filter(|found| found.severity == mlx::diagnostic::Severity::Error);
    if let Some(error) = errors.into_iter().next() {
        return Err(format!("{} {}", error.code, error.message));
    }
    let typed = &checked.programs[0];
    let lowered = compile::lower(typed).map_err(|wrong| wrong.to_string())?;
    let data = files.open(&typed.data).expect("no data is open");
    let batch = typed.data.rows()[0];
    let schedule = Schedule { steps: 1, epochs: 1, batch, seed: 0, threads: 1, kept: KEPT };
    let mut run = Run::new(&lowered, schedule, &data).map_err(|wrong| wrong.message().to_string())?;
    let fed = case.inputs.iter().enumerate().filter_map(|(at, input)| {
        let input = input.as_ref()?;
        let name = if input.kind == Kind::Bool { format!("p{at}") } else { format!("x{at}") };
        let values = input.values.iter().map(|value| *value as f32).collect();
        Some((name, params::Tensor { shape: input.shape.clone(), values }))
    });
    run.write_weights(&fed.collect());
    let event = run.evaluate("train").map_err(|wrong| wrong.message().to_string())?;
    let Some(Event::Eval { reports, .. }) = event else { return Err("nothing is evaluated".to_string()) };
    for (at, (output, element)) in case.outputs.iter().zip(&program.elements).enumerate() {
        let (Some(output), Some(_)) = (output, element) else { continue };
        let name = format!("y{at}");
        let report = reports.iter().find(|report| report.name == name).ok_or("no report")?;
        let floor = if ROUNDED.contains(&case.name.as_str()) { 1e-4 } else { FLOOR };
        alike(&report.figure.numbers(), &output.values, floor)?;
    }
    Ok(())
}

fn alike(found: &[f64], wanted: &[f64], floor: f64) -> Result<(), String> {
    if found.len() != wanted.len() {
        return Err(format!("{} numbers, and {} are recorded", found.len(), wanted.len()));
    }
    for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let near = (found - wanted).abs() <= TOLERANCE * wanted.abs() + floor;
        if !near && found != wanted && !(found.is_nan() && wanted.is_nan()) {
            return Err(format!("element {at} is {found}, and {wanted} is recorded"));
        }
    }
    Ok(())
}

fn page(head: &Value, tallies: &BTreeMap<String, Tally>, passed: usize) -> String {
    let cases: usize = tallies.values().map(|tally| tally.cases).sum();
    let version = head["onnx"].as_str().unwrap_or_default();
    let mut text = format!(
        "# Operators of ONNX\n\nThe ONNX standard (version {version}) has cases for each of its operators: inputs, settings, and what comes of \
         them. Those of numbers that\nare small enough to be recorded, {cases} of {} operators, are held against programs in index notation and \
         the standard\nlibrary (`tests/onnx`). {passed} pass. The tests write this page.\n\n| operator | cases | passed | not written, and why |\n\
         |---|---|---|---|\n",
        tallies.len()
    );
    for (op, tally) in tallies {
        let mut why: Vec<String> = tally.without.iter().map(|(why, count)| format!("{count}: {why}")).collect();
        if !tally.wrong.is_empty() {
            why.push(format!("not right: {}", tally.wrong.join(", ")));
        }
        writeln!(text, "| {op} | {} | {} | {} |", tally.cases, tally.passed, why.join("; "))
            .expect("a string takes text");
    }
    text
}
