//! How fast a process' texts went of late, by carrier: the pace of one that says "too fast" and has none of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::facts::ids::Slug;

/// Seconds that are counted together.
const SPAN_S: i64 = 10;

/// Segments a minute of one that took less of late: what is halved from there is still some.
const LEAST: i32 = 600;

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    span: i64,
    now: i32,
    before: i32,
}

/// Segments that carriers took.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<HashMap<Slug, Counted>>>);

impl Meter {
    /// Counts what a carrier took.
    pub fn count(&self, now: Timestamp, carrier: &Slug, segments: i32) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all.entry(carrier.clone()).or_default();
        let span = now.as_second() / SPAN_S;
        if counted.span != span {
            let before = if counted.span + 1 == span { counted.now } else { 0 };
            *counted = Counted { span, now: 0, before };
        }
        counted.now = counted.now.saturating_add(segments);
    }

    /// Segments a minute, by the busier of this span and the one before; at least 600.
    #[must_use]
    pub fn per_minute(&self, now: Timestamp, carrier: &Slug) -> i32 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all.get(carrier).copied().unwrap_or_default();
        let busier = match now.as_second() / SPAN_S - counted.span {
            0 => counted.now.max(counted.before),
            1 => counted.now,
            _ => 0,
        };
        busier.saturating_mul(6).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busier_of_the_last_two_spans_counts() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let (meter, carrier) = (Meter::default(), Slug::new("wire").unwrap());
        assert_eq!(meter.per_minute(at(0), &carrier), LEAST);
        meter.count(at(0), &carrier, 2000);
        meter.count(at(11), &carrier, 500);
        assert_eq!(meter.per_minute(at(12), &carrier), 12_000);
        assert_eq!(meter.per_minute(at(21), &carrier), 3_000);
        assert_eq!(meter.per_minute(at(40), &carrier), LEAST);
    }
}
