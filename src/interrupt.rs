//! Signals that ask a run to end: Ctrl-C, `kill`, a terminal that closes. The run ends after the step that it is in.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Whether a prompt waits: nothing runs, so that a signal has nothing to end but the program.
static WAITS: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The exit status of a run that a signal ended, and of a program that a second Ctrl-C ends at once.
pub const STATUS: u8 = 130;

/// Listens for signals from now on; what came before is forgotten. Where the system allows none, each ends the program
/// at once, which loses a run but nothing else.
pub fn watch() {
    let asked = ASKED.get_or_init(|| {
        let asked = Arc::new(AtomicBool::new(false));
        let _ = register_conditional_shutdown(SIGINT, STATUS.into(), Arc::clone(&asked));
        let _ = register(SIGINT, Arc::clone(&asked));
        let _ = register_conditional_shutdown(SIGTERM, STATUS.into(), Arc::clone(&WAITS));
        let _ = register(SIGTERM, Arc::clone(&asked));
        // `nohup` has it ignored, and then a run goes on.
        #[cfg(unix)]
        if !crate::io::ignores(signal_hook::consts::SIGHUP) {
            let _ = register_conditional_shutdown(signal_hook::consts::SIGHUP, STATUS.into(), Arc::clone(&WAITS));
            let _ = register(signal_hook::consts::SIGHUP, Arc::clone(&asked));
        }
        asked
    });
    asked.store(false, Ordering::Relaxed);
}

/// Says that a prompt waits, or no longer does. Ctrl-C is a key there, and clears what is written.
pub fn waits(yes: bool) {
    WAITS.store(yes, Ordering::Relaxed);
}

/// Whether a signal has come.
pub fn asked() -> bool {
    ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed))
}
