//! A pool of threads with static shares: each thread does its own, so that results do not depend on scheduling.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// How often a thread polls before it gives others its turn: some ten microseconds.
const LOOKS: usize = 400;

/// How often it gives them its turn before it sleeps. What else runs on a busy machine then runs.
const TURNS: usize = 200;

/// A share of work by its number.
type Work<'w> = dyn Fn(usize) + Sync + 'w;

struct Shared {
    /// Held for the whole of [`Pool::run`]: one job at a time.
    turn: Mutex<()>,
    /// The work of the present job, a `&Work` that lives until all threads have finished it; null at the end of the pool.
    job: AtomicPtr<()>,
    /// Held by who goes to sleep, and who wakes.
    sleep: Mutex<()>,
    wake: Condvar,
    /// Threads that have stopped polling.
    asleep: AtomicUsize,
    /// Counts jobs; the last is the end of the pool.
    generation: AtomicU64,
    /// Threads that have not finished the present job.
    busy: AtomicUsize,
    failed: AtomicUsize,
}

impl Shared {
    /// Gives a job to all threads.
    fn start(&self, job: *mut ()) {
        self.job.store(job, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::SeqCst);
        // Who goes to sleep says so first, then looks at the generation: one of the two sees the other.
        if self.asleep.load(Ordering::SeqCst) > 0 {
            drop(lock(&self.sleep));
            self.wake.notify_all();
        }
    }

    /// Waits for a job after so many, and takes it.
    fn next(&self, seen: u64) -> *mut () {
        let is_new = || self.generation.load(Ordering::SeqCst) != seen;
        if !poll(TURNS, is_new) {
            let mut sleep = lock(&self.sleep);
            self.asleep.fetch_add(1, Ordering::SeqCst);
            while !is_new() {
                sleep = self.wake.wait(sleep).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            self.asleep.fetch_sub(1, Ordering::SeqCst);
        }
        self.job.load(Ordering::Relaxed)
    }
}

/// Polls, and after a while lets others have their turn between two polls, so often at most. Whether it has come about.
fn poll(turns: usize, is_so: impl Fn() -> bool) -> bool {
    for _ in 0..LOOKS {
        if is_so() {
            return true;
        }
        std::hint::spin_loop();
    }
    for _ in 0..turns {
        if is_so() {
            return true;
        }
        std::thread::yield_now();
    }
    is_so()
}

pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of so many threads, the caller's own among them.
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared {
            turn: Mutex::new(()),
            job: AtomicPtr::default(),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            asleep: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
        });
        let spawn = |number: usize| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("mlx-{number}")).spawn(move || serve(&shared, number))
        };
        // Where the system gives no more threads, fewer do the work.
        let threads = (1..threads).map_while(|number| spawn(number).ok()).collect();
        Pool { shared, threads }
    }

    /// How many threads do the work.
    pub fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// How often they have done so.
    pub fn rounds(&self) -> u64 {
        self.shared.generation.load(Ordering::Relaxed)
    }

    /// Calls the work with every number below [`Pool::threads`], each on its own thread, and waits for all.
    pub fn run(&self, work: &Work) {
        if self.threads.is_empty() {
            return work(0);
        }
        let _turn = lock(&self.shared.turn);
        self.shared.failed.store(0, Ordering::Relaxed);
        self.shared.busy.store(self.threads.len(), Ordering::Relaxed);
        self.shared.start((&raw const work).cast_mut().cast());
        let own = catch_unwind(AssertUnwindSafe(|| work(0)));
        while !poll(usize::MAX, || self.shared.busy.load(Ordering::Acquire) == 0) {}
        if let Err(panic) = own {
            std::panic::resume_unwind(panic);
        }
        assert!(self.shared.failed.load(Ordering::Relaxed) == 0, "a thread of the pool has panicked");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.start(std::ptr::null_mut());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn serve(shared: &Shared, number: usize) {
    for seen in 0.. {
        let job = shared.next(seen);
        if job.is_null() {
            return;
        }
        // SAFETY: `Pool::run` made it of a reference, and holds what that refers to until `busy` is 0.
        let work = unsafe { *job.cast::<&Work>() };
        if catch_unwind(AssertUnwindSafe(|| work(number))).is_err() {
            shared.failed.fetch_add(1, Ordering::Relaxed);
        }
        shared.busy.fetch_sub(1, Ordering::Release);
    }
}
