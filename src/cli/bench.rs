//! `mlx bench FILE [NAME]`: the time of a step, whole and by kernel.

use super::load::{complain, load, lowered, print, program};
use super::{WRONG, kernels, machine};
use crate::io;
use crate::run::error::RunError;
use crate::run::schedule::Schedule;
use crate::run::steps::Run;
use crate::train::driver;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Bench {
    /// The `.mlx` file
    #[arg(value_name = "FILE", required_unless_present = "machine")]
    file: Option<PathBuf>,
    /// The `train` block, where the file has several
    name: Option<String>,
    /// Give a `let` of the file another value
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// How many steps to measure
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// How many threads compute [default: as many as there are processors]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=256))]
    threads: Option<u64>,
    /// List each kernel of a step: its time, what it computes and moves in a second, how near that is to what the machine can do
    #[arg(long)]
    kernels: bool,
    /// Measure what the machine can do: arithmetic, products, copies, and handing work to all threads
    #[arg(long, conflicts_with_all = ["file", "name", "set", "steps", "kernels"])]
    machine: bool,
    /// Print one JSON object on standard output: of a step with its kernels, and with what the machine can do where they are listed
    #[arg(long)]
    json: bool,
}

/// Steps before anything is measured: clocks rise, caches fill.
const WARM_UP: Duration = Duration::from_millis(500);

pub fn run(arguments: &Bench, started: Instant) -> ExitCode {
    let done = match &arguments.file {
        Some(file) => bench(arguments, file, started),
        None => machine::print_limits(arguments.threads.map(|threads| threads as usize), arguments.json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn bench(arguments: &Bench, file: &Path, started: Instant) -> Result<(), u8> {
    let mut loaded = load(file, &arguments.set)?;
    let program = program(&mut loaded, arguments.name.as_deref())?;
    let lowered = lowered(&program)?;
    let Some(data) = loaded.files.open(&program.data) else {
        complain("the data could not be read");
        return Err(WRONG);
    };
    let mut schedule = Schedule::of(&program, program.run.length);
    schedule.threads = arguments.threads.map_or(schedule.threads, |threads| threads as usize);
    let threads = schedule.threads;
    let failed = |error: RunError| super::train::failed(&driver::told(error, &program, &lowered), &loaded.sources);
    let mut run = Run::new(&lowered, schedule, &data).map_err(failed)?;
    run.take_step().map_err(failed)?;
    let first_step = started.elapsed().as_secs_f64();

    let warming = Instant::now();
    while warming.elapsed() < WARM_UP {
        run.take_step().map_err(failed)?;
    }
    let mut times = Vec::new();
    for _ in 0..arguments.steps {
        let step = Instant::now();
        run.take_step().map_err(failed)?;
        times.push(step.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let (median, least) = (times[times.len() / 2], times[0]);
    let kernels = match arguments.kernels || arguments.json {
        true => kernels::measure(&mut run, arguments.steps).map_err(failed)?,
        false => Vec::new(),
    };
    let arena = run.plan().arena() as u64;
    // Before copies that are measured have theirs.
    let peak = io::peak_memory() >> 20;
    let peaks = arguments.kernels.then(|| machine::peaks(threads, kernels::PATIENCE));
    if arguments.json {
        let kernels: Vec<_> = kernels.iter().map(|kernel| kernel.json(peaks.as_ref())).collect();
        let mut bench = json!({
            "steps": arguments.steps, "step_ms_median": median, "step_ms_min": least, "first_step_s": first_step,
            "peak_rss_mb": peak, "arena_bytes": arena, "kernels": kernels,
        });
        if let Some(peaks) = &peaks {
            bench["machine"] = machine::json(peaks);
        }
        return print(&format!("{bench}\n"));
    }
    let mut out = peaks.map_or_else(String::new, |peaks| kernels::text(&kernels, &peaks));
    let _ = writeln!(out, "step: {median:.4} ms in the median, {least:.4} at least, of {} steps", arguments.steps);
    let _ = writeln!(out, "first step {first_step:.3} s after the start; {peak} MB at most, {arena} bytes of arena");
    print(&out)
}
