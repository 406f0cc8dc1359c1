//! The order of a queue, pure: what `waiting::next` asks the database for. Priority grows with the wait at one pace for the
//! whole skill, up to its maximum; ties go by the time of queueing, then by id. A test on a database holds both together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::facts::ids::ContactId;

/// How the priority of a skill's contacts grows.
#[derive(Clone, Copy, Debug)]
pub struct Ageing {
    /// Points a minute.
    pub per_min: i32,
    /// Where that ends.
    pub max: i32,
}

/// Parts of a point, so that points stay whole numbers: one a microsecond at one point a minute.
const PARTS: i128 = 60_000_000;

impl Ageing {
    /// The effective priority, in parts of a point.
    #[must_use]
    pub fn parts(self, priority: i32, queued_at: Timestamp, now: Timestamp) -> i128 {
        let grown = i128::from(self.per_min) * now.duration_since(queued_at).as_micros();
        let most = i128::from(self.max.max(priority)) * PARTS;
        (i128::from(priority) * PARTS + grown).min(most)
    }
}

/// Waiting contacts of one skill.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    levels: BTreeMap<Reverse<i32>, BTreeSet<(Timestamp, ContactId)>>,
}

impl Queue {
    /// A contact waits.
    pub fn insert(&mut self, priority: i32, queued_at: Timestamp, id: ContactId) {
        self.levels.entry(Reverse(priority)).or_default().insert((queued_at, id));
    }

    /// It waits no longer.
    pub fn remove(&mut self, priority: i32, queued_at: Timestamp, id: ContactId) {
        if let Some(level) = self.levels.get_mut(&Reverse(priority)) {
            level.remove(&(queued_at, id));
            if level.is_empty() {
                self.levels.remove(&Reverse(priority));
            }
        }
    }

    /// Nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The first `limit`, in order.
    #[must_use]
    pub fn first(&self, ageing: Ageing, now: Timestamp, limit: usize) -> Vec<ContactId> {
        let levels = self.levels.iter().flat_map(|(Reverse(priority), level)| {
            let place = move |(at, id): &(Timestamp, ContactId)| (Reverse(ageing.parts(*priority, *at, now)), *at, *id);
            level.iter().take(limit).map(place)
        });
        let mut first: Vec<_> = levels.collect();
        first.sort_unstable();
        first.into_iter().take(limit).map(|(.., id)| id).collect()
    }
}
