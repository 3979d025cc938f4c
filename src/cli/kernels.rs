//! The kernels of a step, each on its own: how long it takes, and how near that is to what the machine can do.

use super::machine::place;
use crate::backend::cpu::peaks::{Bound, Peaks};
use crate::plan::{Cost, Kernel};
use crate::run::error::RunError;
use crate::run::steps::Run;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// How long each limit of the machine is measured.
pub const PATIENCE: Duration = Duration::from_millis(40);

/// How many names are told where most is lost.
const LOST: usize = 8;

pub struct Measured {
    name: String,
    /// The median.
    ms: f64,
    cost: Cost,
    /// How often it has all threads do something.
    rounds: u64,
}

/// Every kernel of a step, so many times.
pub fn measure(run: &mut Run, passes: u64) -> Result<Vec<Measured>, RunError> {
    let plan = run.plan();
    let measured = |kernel: &Kernel| Measured { name: kernel.name(), ms: 0.0, cost: plan.cost(kernel), rounds: 0 };
    let mut kernels: Vec<Measured> = plan.kernels.iter().map(measured).collect();
    let mut times = vec![Vec::new(); kernels.len()];
    for _ in 0..passes {
        for (at, (kernel, times)) in kernels.iter_mut().zip(&mut times).enumerate() {
            let before = run.rounds();
            let started = Instant::now();
            run.run_kernel(at)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            kernel.rounds = run.rounds() - before;
        }
    }
    for (kernel, mut times) in kernels.iter_mut().zip(times) {
        times.sort_by(f64::total_cmp);
        kernel.ms = times[times.len() / 2];
    }
    Ok(kernels)
}

impl Measured {
    fn threads(&self, all: usize) -> usize {
        if self.rounds > 0 { all } else { 1 }
    }

    /// In units of 10⁹ a second.
    fn rate(&self, count: u64) -> f64 {
        if self.ms > 0.0 { count as f64 / self.ms / 1e6 } else { 0.0 }
    }

    /// The part of its time that it would take at the machine's limit, and what bounds it there.
    fn share(&self, peaks: &Peaks) -> (f64, String) {
        let limit = peaks.limit(self.cost);
        let bound = match limit.of {
            Bound::Computing => "arithmetic".to_string(),
            Bound::Moving(working) => place(working, peaks.threads),
        };
        (if self.ms > 0.0 { limit.seconds * 1e3 / self.ms } else { 0.0 }, bound)
    }

    pub fn json(&self, peaks: Option<&Peaks>) -> Value {
        let Cost { flops, bytes } = self.cost;
        let mut kernel =
            json!({ "kernel": self.name, "ms": self.ms, "flops": flops, "bytes": bytes, "rounds": self.rounds });
        if let Some(peaks) = peaks {
            let (share, bound) = self.share(peaks);
            kernel["threads"] = json!(self.threads(peaks.threads));
            kernel["bound"] = json!(bound);
            kernel["share"] = json!(share);
        }
        kernel
    }
}

/// A line for each kernel, and what all need together.
pub fn text(kernels: &[Measured], peaks: &Peaks) -> String {
    let mut out = String::new();
    let _ =
        writeln!(out, "{:>12}  of limit  {:<10}  threads  {:>9}  {:>7}  kernel", "time", "bound by", "GFLOP/s", "GB/s");
    let (mut all, mut needed) = (0.0, 0.0);
    for kernel in kernels {
        let (share, bound) = kernel.share(peaks);
        let (flops, bytes) = (kernel.rate(kernel.cost.flops), kernel.rate(kernel.cost.bytes));
        let (ms, name, threads) = (kernel.ms, &kernel.name, kernel.threads(peaks.threads));
        let percent = 100.0 * share;
        let _ = writeln!(
            out,
            "{ms:>9.4} ms  {percent:>6.0} %  {bound:<10}  {threads:>7}  {flops:>9.2}  {bytes:>7.2}  {name}"
        );
        all += ms;
        needed += ms * share;
    }
    let percent = if all > 0.0 { 100.0 * needed / all } else { 0.0 };
    let _ = writeln!(
        out,
        "kernels: {all:.4} ms one by one; at the machine's limits {needed:.4} ms, {percent:.0} % of that"
    );
    out + &lost(kernels, peaks)
}

/// Kernels of one name together: how many, their time, and the time at the machine's limits.
struct Alike<'k> {
    name: &'k str,
    count: usize,
    ms: f64,
    needed: f64,
}

/// Where most time goes that the limits do not ask for, the most first.
fn lost(kernels: &[Measured], peaks: &Peaks) -> String {
    let mut all: Vec<Alike> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for kernel in kernels {
        let at = *known.entry(&kernel.name).or_insert_with(|| {
            all.push(Alike { name: &kernel.name, count: 0, ms: 0.0, needed: 0.0 });
            all.len() - 1
        });
        let alike = &mut all[at];
        alike.count += 1;
        alike.ms += kernel.ms;
        alike.needed += peaks.limit(kernel.cost).seconds * 1e3;
    }
    all.retain(|alike| alike.ms > alike.needed);
    all.sort_by(|a, b| (b.ms - b.needed).total_cmp(&(a.ms - a.needed)));
    let mut out = String::from("most time beyond the limits:\n");
    for Alike { name, count, ms, needed } in all.into_iter().take(LOST) {
        let _ = writeln!(out, "{:>9.4} of {ms:.4} ms in {count} × {name}", ms - needed);
    }
    out
}
