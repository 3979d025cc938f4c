//! `mlx bench --machine`: what the machine can do.

use super::load::print;
use crate::backend::cpu::peaks::Peaks;
use crate::io;
use serde_json::json;
use std::fmt::Write;
use std::time::Duration;

/// Copies read and write at most this part of the machine's memory.
const PART: u64 = 8;

/// What the machine can do with so many threads, each of a dozen limits measured for so long.
pub fn peaks(threads: usize, patience: Duration) -> Peaks {
    Peaks::measure(threads, patience, io::memory().map_or(usize::MAX, |all| (all / PART) as usize))
}

pub fn print_limits(threads: Option<usize>, as_json: bool) -> Result<(), u8> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let peaks = peaks(threads.unwrap_or(processors), Duration::from_millis(150));
    print(&if as_json { format!("{}\n", json(&peaks)) } else { text(&peaks) })
}

/// As `mlx bench --json` has it.
pub fn json(peaks: &Peaks) -> serde_json::Value {
    let products: Vec<_> =
        peaks.products.iter().map(|(side, rate)| json!({ "side": side, "gflops": rate / 1e9 })).collect();
    let copies: Vec<_> = peaks
        .copies
        .iter()
        .map(|(bytes, rate)| json!({ "bytes": bytes, "gb_per_s": rate / 1e9, "in": place(*bytes, peaks.threads) }))
        .collect();
    json!({
        "threads": peaks.threads, "instructions": peaks.instructions,
        "gflops_one_thread": peaks.one / 1e9, "gflops": peaks.all / 1e9,
        "products": products, "copies": copies, "hand_over_ns": peaks.round * 1e9,
    })
}

fn text(peaks: &Peaks) -> String {
    let out = &mut String::new();
    let all = match peaks.threads {
        1 => "1 thread".to_string(),
        threads => format!("{threads} threads"),
    };
    let _ = writeln!(out, "{all}, {} instructions", peaks.instructions);
    let _ = writeln!(out, "products and sums in registers, one thread   {:>8.1} GFLOP/s", peaks.one / 1e9);
    let _ = writeln!(out, "products and sums in registers, all          {:>8.1} GFLOP/s", peaks.all / 1e9);
    for (side, rate) in &peaks.products {
        let share = 100.0 * rate / peaks.all;
        let what = format!("product of matrices, {side} x {side}");
        let _ = writeln!(out, "{what:<43}  {:>8.1} GFLOP/s, {share:.0} % of that", rate / 1e9);
    }
    for (bytes, rate) in &peaks.copies {
        let what = format!("copying in {} ({})", size(*bytes), place(*bytes, peaks.threads));
        let _ = writeln!(out, "{what:<43}  {:>8.1} GB/s read and written", rate / 1e9);
    }
    let _ = writeln!(out, "handing nothing to all threads and back      {:>8.0} ns", peaks.round * 1e9);
    std::mem::take(out)
}

/// Where so many bytes lie that threads share: the first cache in which they fit, or memory.
pub fn place(bytes: usize, threads: usize) -> String {
    // Threads have a cache of their own, as far as processors do not share one.
    let fits = |(size, shared): &(u64, u64)| bytes as u64 <= size * (threads as u64).div_ceil(*shared);
    let level = io::caches().iter().position(fits);
    level.map_or("memory".to_string(), |level| format!("L{}", level + 1))
}

/// `64 KiB`
fn size(bytes: usize) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}
