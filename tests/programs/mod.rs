//! Random programs that are right by construction (`grow`): the checker says so, they become a sound graph, a step and an evaluation
//! are what the reference says, and their layout says the same.

mod grow;

use crate::format::without_places;
use crate::fuzz::{below, seed};
use crate::spec;
use libtest_mimic::Trial;
use mlx::compile;
use mlx::diagnostic::Severity;
use mlx::format::format;
use mlx::run::schedule::{KEPT, Schedule};
use mlx::run::steps::Run;
use mlx::source::Sources;
use std::panic::{AssertUnwindSafe, catch_unwind};

const CASES: usize = 150;

/// The programs of every run; `MLX_SEED` and `MLX_CASES` try others.
const SEED: u64 = 7;

pub fn trials() -> Vec<Trial> {
    let given = std::env::var_os("MLX_SEED").is_some();
    let first = if given { seed() } else { SEED };
    let cases = std::env::var("MLX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    // In parts, so that they run side by side.
    let part = move |part: usize| {
        Trial::test(format!("programs::of_seed_{first}_part_{part}"), move || {
            let mut faults = Vec::new();
            for case in (part..cases).step_by(PARTS) {
                let program = grow::program(&mut below(first.wrapping_mul(1_000_003).wrapping_add(case as u64)));
                if let Err(wrong) = holds(&program) {
                    faults.push(format!("case {case}: {wrong}\n{program}"));
                }
            }
            if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
        })
    };
    (0..PARTS).map(part).collect()
}

const PARTS: usize = 4;

/// What is wrong with a program, if anything is.
fn holds(text: &str) -> Result<(), String> {
    let tried = catch_unwind(AssertUnwindSafe(|| -> Result<(), String> {
        let terms = checked(text)?;
        let mut sources = Sources::default();
        let source = sources.add("grown.mlx", text);
        let laid_out = format(&sources, source).map_err(|found| format!("it is not laid out: {found:?}"))?;
        let source = sources.add("laid_out.mlx", laid_out.as_str());
        let again = format(&sources, source).map_err(|found| format!("its layout is not laid out: {found:?}"))?;
        if again != laid_out {
            return Err(format!("its layout changes when it is laid out again:\n{laid_out}\n{again}"));
        }
        if checked(&laid_out)? != terms {
            return Err(format!("its layout says something else:\n{laid_out}"));
        }
        runs(text)
    }));
    tried.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(words.or(panic.downcast_ref::<&str>().map(|words| words.to_string())).unwrap_or_default())
    })
}

/// The terms of a program in which nothing is wrong.
fn checked(text: &str) -> Result<String, String> {
    let mut sources = Sources::default();
    let (checked, _folder) = spec::checked(&mut sources, text);
    match checked.found.iter().find(|found| found.severity == Severity::Error) {
        Some(error) => Err(format!("{} {} at {:?}", error.code, error.message, error.labels.first())),
        None => Ok(checked.programs.iter().map(|program| without_places(&program.terms.to_string())).collect()),
    }
}

/// A step of it, and an evaluation, on the CPU and by definition.
fn runs(text: &str) -> Result<(), String> {
    let mut sources = Sources::default();
    let (checked, files, _folder) = spec::opened(&mut sources, text);
    for program in &checked.programs {
        let lowered = compile::lower(program).map_err(|wrong| format!("it has no sound graph: {wrong}"))?;
        let data = files.open(&program.data).ok_or("its data cannot be read")?;
        let batch = program.data.rows()[0];
        let schedule = Schedule { steps: 1, epochs: 1, batch, seed: program.run.seed, threads: 2, kept: KEPT };
        let mut run = Run::new(&lowered, schedule, &data).map_err(|wrong| wrong.message().to_string())?;
        let one = matches!(&lowered.phases[..], [only] if only.times == 1 && lowered.advance.is_empty());
        if one && lowered.accumulate == 1 {
            spec::agrees_with_the_reference(&lowered, &mut run, schedule.seed);
        } else {
            run.take_step().map_err(|wrong| wrong.message().to_string())?;
            run.evaluate("train").map_err(|wrong| wrong.message().to_string())?;
        }
    }
    Ok(())
}
