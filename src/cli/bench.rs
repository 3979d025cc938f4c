//! `mlx bench FILE [NAME]`: the time of a step, whole and by kernel.

use super::WRONG;
use super::load::{complain, load, lowered, print, program};
use crate::io;
use crate::plan::Cost;
use crate::run::error::RunError;
use crate::run::schedule::Schedule;
use crate::run::steps::Run;
use crate::train::driver;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Bench {
    /// The `.mlx` file
    #[arg(value_name = "FILE")]
    file: PathBuf,
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
    /// List each kernel of a step: its time, what it computes and moves in a second
    #[arg(long)]
    kernels: bool,
    /// Print one JSON object on standard output, with the kernels
    #[arg(long)]
    json: bool,
}

/// Steps before anything is measured: clocks rise, caches fill.
const WARM_UP: Duration = Duration::from_millis(500);

pub fn run(arguments: &Bench, started: Instant) -> ExitCode {
    match bench(arguments, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn bench(arguments: &Bench, started: Instant) -> Result<(), u8> {
    let mut loaded = load(&arguments.file, &arguments.set)?;
    let program = program(&mut loaded, arguments.name.as_deref())?;
    let lowered = lowered(&program)?;
    let Some(data) = loaded.files.open(&program.data) else {
        complain("the data could not be read");
        return Err(WRONG);
    };
    let mut schedule = Schedule::of(&program, program.run.length);
    schedule.threads = arguments.threads.map_or(schedule.threads, |threads| threads as usize);
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
        true => kernels(&mut run, arguments.steps).map_err(failed)?,
        false => Vec::new(),
    };
    let arena = run.plan().arena() as u64;
    let peak = io::peak_memory() >> 20;
    let out = &mut String::new();
    if arguments.json {
        let kernels: Vec<_> = kernels
            .iter()
            .map(|(name, ms, cost)| json!({ "kernel": name, "ms": ms, "flops": cost.flops, "bytes": cost.bytes }))
            .collect();
        let bench = json!({
            "steps": arguments.steps, "step_ms_median": median, "step_ms_min": least, "first_step_s": first_step,
            "peak_rss_mb": peak, "arena_bytes": arena, "kernels": kernels,
        });
        return print(&format!("{bench}\n"));
    }
    if arguments.kernels {
        let _ = writeln!(out, "{:>12}  {:>9}  {:>7}  kernel", "time", "GFLOP/s", "GB/s");
    }
    for (name, ms, cost) in &kernels {
        // Of a millisecond to that of a second, in units of 10⁹.
        let rate = |count: u64| if *ms > 0.0 { count as f64 / ms / 1e6 } else { 0.0 };
        let _ = writeln!(out, "{ms:>9.4} ms  {:>9.2}  {:>7.2}  {name}", rate(cost.flops), rate(cost.bytes));
    }
    let _ = writeln!(out, "step: {median:.4} ms in the median, {least:.4} at least, of {} steps", arguments.steps);
    let _ = writeln!(out, "first step {first_step:.3} s after the start; {peak} MB at most, {arena} bytes of arena");
    print(out)
}

/// Every kernel of a step on its own: its name, its median time in milliseconds, and what it computes and moves.
fn kernels(run: &mut Run, passes: u64) -> Result<Vec<(String, f64, Cost)>, RunError> {
    let plan = run.plan();
    let named: Vec<(String, Cost)> = plan.kernels.iter().map(|kernel| (kernel.name(), plan.cost(kernel))).collect();
    let mut times = vec![Vec::new(); named.len()];
    for _ in 0..passes {
        for (kernel, times) in times.iter_mut().enumerate() {
            let started = Instant::now();
            run.run_kernel(kernel)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    Ok(named.into_iter().zip(times).map(|((name, cost), times)| (name, median(times), cost)).collect())
}
