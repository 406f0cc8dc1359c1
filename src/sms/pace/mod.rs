//! How fast texts may leave, counted in segments: a pure decision over buckets. Live conversation goes first, bulk after
//! it and tenant by tenant; what cannot go now gets its time. A bucket holds what comes in a second, at least one segment,
//! and a long text may take more than there is: the next one waits for it. So no text waits for ever, and in any span at
//! most `rate × span`, a second's worth and one text leave.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub mod meter;
pub mod policy;
pub mod rows;

use policy::Pace;

/// Why a text waits.
pub const PACED: &str = "paced";
/// Why a text waits until tomorrow.
pub const DAY_IS_FULL: &str = "day_is_full";
/// The least part of its pace that a carrier is slowed to.
const LEAST: f64 = 1.0 / 64.0;
/// From half the pace to all of it.
const RECOVERS: SignedDuration = SignedDuration::from_mins(5);
/// How long bulk stands back once a live text found nothing left.
const STANDS_BACK: SignedDuration = SignedDuration::from_secs(1);

/// Which bucket: tenant, pace, and the number where the pace is each number's own.
pub type BucketKey = (String, String, String);

/// What is left of a pace.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Segments that may leave now; below zero after a long text.
    pub left: f64,
    /// As of when.
    pub filled_at: Timestamp,
    /// Live conversation waits until then.
    pub live_until: Option<Timestamp>,
    /// Until when bulk that waits takes what comes.
    pub queued_to: Option<Timestamp>,
    /// The day that `used` is of.
    pub day: Date,
    /// Segments that left on it.
    pub used: i32,
}

/// A bucket as a batch works with it.
#[derive(Clone, Debug)]
pub struct Working {
    /// What is left.
    pub bucket: Bucket,
    /// Segments a second, as the carrier is slowed now; none: any number.
    rate: Option<f64>,
    per_day: Option<i32>,
    zone: TimeZone,
}

impl Working {
    /// A bucket filled up to now.
    #[must_use]
    pub fn new(now: Timestamp, bucket: Option<Bucket>, pace: &Pace, factor: f64, zone: &TimeZone) -> Self {
        let rate = pace.per_minute.map(|n| f64::from(n) / 60.0 * factor);
        let day = now.to_zoned(zone.clone()).date();
        let most = rate.map_or(1.0, |rate| rate.max(1.0));
        let fresh = Bucket { left: most, filled_at: now, live_until: None, queued_to: None, day, used: 0 };
        let mut bucket = bucket.unwrap_or(fresh);
        let seconds = now.duration_since(bucket.filled_at).as_secs_f64().max(0.0);
        bucket.left = (bucket.left + seconds * rate.unwrap_or_default()).min(most);
        bucket.filled_at = bucket.filled_at.max(now);
        if bucket.day < day {
            (bucket.day, bucket.used) = (day, 0);
        }
        Self { bucket, rate, per_day: pace.per_day, zone: zone.clone() }
    }

    /// When one more may ask; none: now.
    fn wait(&self, now: Timestamp, is_live: bool, segments: i32) -> Option<(Timestamp, &'static str)> {
        // a text longer than the day's count goes on a fresh day, not never
        if self.per_day.is_some_and(|most| self.bucket.used > 0 && self.bucket.used + segments > most) {
            return Some((self.tomorrow(now), DAY_IS_FULL));
        }
        let rate = self.rate?;
        let short = 1.0 - self.bucket.left;
        let filled = (short > 1e-9).then(|| after(now, short / rate));
        let (stands_back, queue) = if is_live { (None, None) } else { (self.bucket.live_until, self.bucket.queued_to) };
        let queue = queue.filter(|_| filled.is_some());
        let until = filled.max(stands_back).max(queue)?;
        (until > now).then_some((until, PACED))
    }

    fn tomorrow(&self, now: Timestamp) -> Timestamp {
        let day = now.to_zoned(self.zone.clone()).date();
        let next = day.tomorrow().ok().and_then(|day| day.to_zoned(self.zone.clone()).ok());
        next.map_or_else(|| after(now, 86_400.0), |zoned| zoned.timestamp())
    }

    fn take(&mut self, segments: i32) {
        if self.rate.is_some() {
            self.bucket.left -= f64::from(segments);
        }
        self.bucket.used = self.bucket.used.saturating_add(segments);
    }

    /// Notes one that waits, and says until when: bulk gets its place behind bulk that waits already.
    fn queue(&mut self, until: Timestamp, is_live: bool, segments: i32) -> Timestamp {
        if is_live {
            let back = until.checked_add(STANDS_BACK).unwrap_or(until);
            self.bucket.live_until = self.bucket.live_until.max(Some(back));
            return until;
        }
        let place = self.bucket.queued_to.map_or(until, |queued| queued.max(until));
        self.bucket.queued_to =
            self.rate.map(|rate| after(place, f64::from(segments) / rate)).or(self.bucket.queued_to);
        place
    }
}

fn after(at: Timestamp, seconds: f64) -> Timestamp {
    let span = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::from_hours(24));
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// A text that wants to leave.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Whose.
    pub tenant: String,
    /// A conversation's, not bulk.
    pub is_live: bool,
    /// Its length.
    pub segments: i32,
    /// The buckets that must all have something left.
    pub buckets: Vec<BucketKey>,
}

/// What is decided of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// Now.
    Go,
    /// Live, and not now: soon.
    Soon,
    /// Not before then: why.
    Until(Timestamp, &'static str),
}

/// Decides of each, live ones first and bulk tenant by tenant; the answers stand as they asked.
pub fn decide(now: Timestamp, asked: &[Asking], buckets: &mut HashMap<BucketKey, Working>) -> Vec<Pacing> {
    let mut answers = vec![Pacing::Go; asked.len()];
    for index in turns(asked) {
        let asking = &asked[index];
        let waits = asking.buckets.iter().filter_map(|key| Some((key, buckets.get(key)?)));
        let longest = waits.filter_map(|(key, working)| {
            working.wait(now, asking.is_live, asking.segments).map(|(until, why)| (until, why, key.clone()))
        });
        let Some((until, why, key)) = longest.max_by_key(|(until, ..)| *until) else {
            for key in &asking.buckets {
                if let Some(working) = buckets.get_mut(key) {
                    working.take(asking.segments);
                }
            }
            continue;
        };
        let place = match buckets.get_mut(&key) {
            Some(working) if why == PACED => working.queue(until, asking.is_live, asking.segments),
            _ => until,
        };
        answers[index] = if asking.is_live && why == PACED { Pacing::Soon } else { Pacing::Until(place, why) };
    }
    answers
}

/// The order in which they are decided: live ones as they came, then one of each tenant's bulk in turn.
fn turns(asked: &[Asking]) -> Vec<usize> {
    let (live, bulk): (Vec<usize>, Vec<usize>) = (0..asked.len()).partition(|index| asked[*index].is_live);
    let mut before: BTreeMap<&str, usize> = BTreeMap::new();
    let mut bulk: Vec<(usize, usize)> = bulk
        .into_iter()
        .map(|index| {
            let rank = before.entry(&asked[index].tenant).or_default();
            *rank += 1;
            (*rank, index)
        })
        .collect();
    bulk.sort_unstable();
    live.into_iter().chain(bulk.into_iter().map(|(_, index)| index)).collect()
}

/// A carrier that said "too fast".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowed {
    /// Just after it said so.
    pub factor: f64,
    /// Segments a minute before.
    pub measured: i32,
    /// When.
    pub at: Timestamp,
}

impl Slowed {
    /// What of its pace it gets now: it recovers by a tenth a minute.
    #[must_use]
    pub fn factor(&self, now: Timestamp) -> f64 {
        let gone = now.duration_since(self.at).as_secs_f64().max(0.0) / RECOVERS.as_secs_f64();
        (self.factor + gone / 2.0).clamp(LEAST, 1.0)
    }

    /// What follows from another "too fast": half of what it has now. Those that were under way together count once.
    #[must_use]
    pub fn again(before: Option<Self>, now: Timestamp, measured: i32) -> Self {
        match before {
            Some(before) if now.duration_since(before.at) < SignedDuration::from_secs(1) => before,
            Some(before) if before.factor(now) < 1.0 => {
                Self { factor: (before.factor(now) / 2.0).max(LEAST), measured: before.measured, at: now }
            }
            _ => Self { factor: 0.5, measured: measured.max(1), at: now },
        }
    }
}

#[cfg(test)]
mod tests;
