//! A pool of threads with static shares: each thread does its own, so that results do not depend on scheduling.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// How often a thread polls for work before it sleeps: some ten microseconds.
const LOOKS: usize = 4_000;

/// A share of work by its number.
type Work<'w> = dyn Fn(usize) + Sync + 'w;

/// A reference to work without its lifetime; see [`Pool::run`].
#[derive(Clone, Copy)]
struct Job(*const Work<'static>);

// SAFETY: a `Work` is `Sync`, and the pointer is read only while `Pool::run`, which borrows it, waits.
unsafe impl Send for Job {}

struct Shared {
    /// Held for the whole of [`Pool::run`]: one job at a time.
    turn: Mutex<()>,
    job: Mutex<Option<Job>>,
    wake: Condvar,
    /// Threads that have stopped polling.
    asleep: AtomicUsize,
    /// Counts jobs; the last is the end of the pool.
    generation: AtomicU64,
    /// Threads that have not finished the present job.
    busy: AtomicUsize,
    failed: AtomicUsize,
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
            job: Mutex::new(None),
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

    /// Calls the work with every number below [`Pool::threads`], each on its own thread, and waits for all.
    pub fn run(&self, work: &Work) {
        if self.threads.is_empty() {
            return work(0);
        }
        let _turn = lock(&self.shared.turn);
        self.shared.failed.store(0, Ordering::Relaxed);
        self.shared.busy.store(self.threads.len(), Ordering::Relaxed);
        {
            let mut job = lock(&self.shared.job);
            // SAFETY: the lifetime is given up, but this function does not return before every thread is done with it.
            *job = Some(Job(unsafe {
                std::mem::transmute::<*const Work<'_>, *const Work<'static>>(std::ptr::from_ref(work))
            }));
            self.shared.generation.fetch_add(1, Ordering::Release);
        }
        // Who goes to sleep has looked at the generation since, under the lock.
        if self.shared.asleep.load(Ordering::SeqCst) > 0 {
            self.shared.wake.notify_all();
        }
        let own = catch_unwind(AssertUnwindSafe(|| work(0)));
        while self.shared.busy.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
        }
        if let Err(panic) = own {
            std::panic::resume_unwind(panic);
        }
        assert!(self.shared.failed.load(Ordering::Relaxed) == 0, "a thread of the pool has panicked");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        *lock(&self.shared.job) = None;
        self.shared.generation.fetch_add(1, Ordering::Release);
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn serve(shared: &Shared, number: usize) {
    let mut seen = 0;
    loop {
        let mut looks = 0;
        while shared.generation.load(Ordering::Acquire) == seen && looks < LOOKS {
            std::hint::spin_loop();
            looks += 1;
        }
        let mut job = lock(&shared.job);
        while shared.generation.load(Ordering::Acquire) == seen {
            shared.asleep.fetch_add(1, Ordering::SeqCst);
            job = shared.wake.wait(job).unwrap_or_else(std::sync::PoisonError::into_inner);
            shared.asleep.fetch_sub(1, Ordering::SeqCst);
        }
        seen += 1;
        let Some(Job(work)) = *job else { return };
        drop(job);
        // SAFETY: `Pool::run` holds the reference until `busy` is 0.
        let work = unsafe { &*work };
        if catch_unwind(AssertUnwindSafe(|| work(number))).is_err() {
            shared.failed.fetch_add(1, Ordering::Relaxed);
        }
        shared.busy.fetch_sub(1, Ordering::Release);
    }
}
