//! Pauses of carriers that do not want texts now: one rung for all texts of a carrier, so that they come back in line,
//! longer with every refusal in a row. Kept by the process alone: another one finds out by a call of its own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::facts::ids::Slug;

/// The first pause, doubled with every further refusal.
const FIRST: Duration = Duration::from_millis(500);
/// The longest, whatever the carrier wishes: a text is held after a minute.
const LONGEST: Duration = Duration::from_secs(16);

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Timestamp,
    rung: Duration,
}

/// The carriers that are paused.
#[derive(Debug, Default)]
pub struct Pauses(Mutex<HashMap<Slug, Pause>>);

impl Pauses {
    /// When the carrier's pause ends, where it has one.
    #[must_use]
    pub fn until(&self, carrier: &Slug) -> Option<Timestamp> {
        self.lock().get(carrier).map(|pause| pause.until)
    }

    /// How long all texts of this carrier wait.
    #[must_use]
    pub fn rung(&self, carrier: &Slug) -> Duration {
        self.lock().get(carrier).map_or(FIRST, |pause| pause.rung)
    }

    /// The carrier did not want a text: the next pause, as long as it wishes where it says so. Refusals that were under
    /// way when a pause began do not lengthen it.
    pub fn begin(&self, carrier: &Slug, now: Timestamp, wish: Option<Duration>) {
        let mut pauses = self.lock();
        let before = pauses.get(carrier).copied();
        if before.is_some_and(|pause| pause.until > now) {
            return;
        }
        let rung = wish.unwrap_or_else(|| before.map_or(FIRST, |pause| pause.rung * 2)).clamp(FIRST, LONGEST);
        // a little less than the rung, so that what comes back from it is not sent round again
        let until = now + SignedDuration::try_from(rung * 9 / 10).unwrap_or(SignedDuration::ZERO);
        pauses.insert(carrier.clone(), Pause { until, rung });
    }

    /// The carrier took a text.
    pub fn end(&self, carrier: &Slug) {
        self.lock().remove(carrier);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Slug, Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millisecond).unwrap()
    }

    #[test]
    fn pauses_double_until_the_longest_and_end_with_the_first_text_that_is_taken() {
        let (pauses, carrier) = (Pauses::default(), Slug::new("simulator").unwrap());
        assert_eq!(pauses.until(&carrier), None);
        let mut rungs = Vec::new();
        let mut now = at(0);
        for _ in 0..7 {
            pauses.begin(&carrier, now, None);
            pauses.begin(&carrier, now, None);
            rungs.push(pauses.rung(&carrier).as_millis());
            now = pauses.until(&carrier).unwrap();
        }
        assert_eq!(rungs, [500, 1000, 2000, 4000, 8000, 16000, 16000]);
        pauses.end(&carrier);
        assert_eq!((pauses.until(&carrier), pauses.rung(&carrier)), (None, FIRST));
    }

    #[test]
    fn the_carriers_wish_counts_within_bounds() {
        let (pauses, carrier) = (Pauses::default(), Slug::new("simulator").unwrap());
        pauses.begin(&carrier, at(0), Some(Duration::from_secs(3)));
        assert_eq!(pauses.rung(&carrier), Duration::from_secs(3));
        pauses.begin(&carrier, at(10_000), Some(Duration::from_hours(1)));
        assert_eq!(pauses.rung(&carrier), LONGEST);
    }
}
