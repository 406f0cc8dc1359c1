//! Our retry policy: exponential with jitter, tries counted by the caller. The only file that names `backoff`, which is
//! given but unmaintained (RUSTSEC-2025-0012); its own give-up by elapsed time is off.
#![expect(clippy::disallowed_types, reason = "the one place")]

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// A series of waits.
#[derive(Debug)]
pub struct Waits(ExponentialBackoff);

impl Waits {
    /// From `first` doubling up to `most`, each ± 50 %.
    #[must_use]
    pub fn new(first: Duration, most: Duration) -> Self {
        Self(ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            randomization_factor: 0.5,
            multiplier: 2.0,
            max_interval: most,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        })
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        let wait = self.0.next_backoff().unwrap_or(self.0.max_interval);
        tokio::time::sleep(wait).await;
    }

    /// Begins again at the first.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}
