//! The only asker of the time and of random ids. Decisions about rows use the database's clock (`Context::now`), never
//! this one; what must be near it without a query (a timer that came early) uses `near`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Microseconds by which the database's clock was last seen ahead of ours.
static AHEAD_US: AtomicI64 = AtomicI64::new(0);

/// The database's clock as it was last read, and when that was by this machine's steady clock.
static READ: Mutex<Option<(Timestamp, Instant)>> = Mutex::new(None);

/// How long a reading is carried on.
const FRESH: Duration = Duration::from_secs(1);

/// This machine's wall clock, for what stands outside the hub: simulated phones and carriers, logs.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// Notes the database's clock, read just now.
pub fn note_database(now: Timestamp) {
    let ahead = now.duration_since(wall()).as_micros();
    AHEAD_US.store(i64::try_from(ahead).unwrap_or(0), Ordering::Relaxed);
    *READ.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
}

/// The database's clock, where it was read less than a second ago: read then, carried on by the machine's steady clock.
/// It is behind by no more than the answer took, never ahead. In whole microseconds, as rows hold it: what is said again
/// from a row is what was said.
#[must_use]
pub fn carried_on() -> Option<Timestamp> {
    let (read, at) = (*READ.lock().unwrap_or_else(PoisonError::into_inner))?;
    carry(read, at.elapsed())
}

fn carry(read: Timestamp, since: Duration) -> Option<Timestamp> {
    let micros = i64::try_from(since.as_micros()).ok()?;
    (since < FRESH).then(|| read.checked_add(SignedDuration::from_micros(micros)).ok()).flatten()
}

/// The database's clock as well as it is known without asking.
#[must_use]
pub fn near() -> Timestamp {
    let ahead = SignedDuration::from_micros(AHEAD_US.load(Ordering::Relaxed));
    wall().checked_add(ahead).unwrap_or_else(|_| wall())
}

/// A new time-ordered id.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Measures spans.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_carried_on_for_a_second_in_microseconds_that_a_row_can_hold() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let read = at("2026-01-01T00:00:00.000007Z");
        assert_eq!(carry(read, Duration::from_nanos(1_999)), Some(at("2026-01-01T00:00:00.000008Z")));
        assert_eq!(carry(read, Duration::from_nanos(999_999_999)), Some(at("2026-01-01T00:00:01.000006Z")));
        assert_eq!(carry(read, FRESH), None);
    }
}
