//! Faults on demand, for tests that kill: `TEXTHUB_CRASH_AT=<worker>:<point>[:<n>]` ends the process, without a word,
//! when the worker reaches the point for the n-th time. Off unless the setting is there.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

static ARMED: OnceLock<(String, u32)> = OnceLock::new();
static REACHED: AtomicU32 = AtomicU32::new(0);

/// Arms a crash: `worker:point` or `worker:point:n`.
pub fn arm(at: &str) {
    let (place, nth) = match at.rsplit_once(':') {
        Some((place, n)) if n.bytes().all(|b| b.is_ascii_digit()) => (place, n.parse().unwrap_or(1)),
        _ => (at, 1),
    };
    let _ = ARMED.set((place.to_owned(), nth));
}

/// A point that a crash may be armed for.
pub fn here(worker: &str, point: &str) {
    if let Some((place, nth)) = ARMED.get() {
        let is_here = place.split_once(':').is_some_and(|(w, p)| w == worker && p == point);
        if is_here && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
            std::process::abort();
        }
    }
}
