//! Which `deliver_sm` is a repeat. SMPP 3.4 gives a text that comes in no id, so one is made of its octets, the five minutes
//! in which it came, and how often it came in them. A text counts as come again, not as written again, when the same
//! octets were answered with a "try again", or their line broke before the answer or less than ten seconds after it: then
//! the SMSC may not have it. What this cannot tell apart: after this process itself has ended, the same octets within the
//! same five minutes are taken for a repeat, and later ones for a new text; and of equal texts that were under way
//! together when a line broke, only the last is known as a repeat.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::super::heard::hex;
use crate::runtime::clock::Stopwatch;

/// What one id stretches over, in seconds.
const SPAN: i64 = 300;
/// How long a repeat may take to come.
const COMES: Duration = Duration::from_secs(600);
/// An answer so shortly before the line broke may not have arrived.
const IN_DOUBT: Duration = Duration::from_secs(10);

/// Octets by their hash.
pub type Key = [u8; 16];

#[derive(Clone, Debug)]
struct Known {
    id: String,
    /// The span and the count in it.
    span: i64,
    nth: u32,
    session: u64,
    since: Stopwatch,
    answered: Option<Stopwatch>,
    /// Its SMSC may not have the answer.
    is_open: bool,
}

/// What came of late.
#[derive(Debug, Default)]
pub struct Repeats(Mutex<HashMap<Key, Known>>);

/// Of a body's octets.
#[must_use]
pub fn key(body: &[u8]) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&Sha256::digest(body)[..16]);
    key
}

impl Repeats {
    /// The id of what came.
    pub fn id(&self, key: &Key, session: u64, now: Timestamp) -> String {
        let mut all = self.lock();
        if all.len() > 10_000 {
            all.retain(|_, known| known.since.elapsed() < COMES);
        }
        let span = now.as_second().div_euclid(SPAN);
        let known = all.get(key).filter(|known| known.since.elapsed() < COMES);
        let nth = match known {
            Some(known) if known.is_open => {
                let again = Known { session, answered: None, is_open: false, ..known.clone() };
                let id = again.id.clone();
                all.insert(*key, again);
                return id;
            }
            Some(known) if known.span == span => known.nth + 1,
            _ => 0,
        };
        let id = format!("{}-{span}-{nth}", hex(key));
        let since = Stopwatch::start();
        all.insert(*key, Known { id: id.clone(), span, nth, session, since, answered: None, is_open: false });
        id
    }

    /// These were taken, and answered so.
    pub fn answered(&self, session: u64, keys: &[Key]) {
        let mut all = self.lock();
        for key in keys {
            if let Some(known) = all.get_mut(key).filter(|known| known.session == session) {
                known.answered = Some(Stopwatch::start());
            }
        }
    }

    /// These were not taken: they come again.
    pub fn not_taken(&self, keys: &[Key]) {
        let mut all = self.lock();
        for key in keys {
            all.entry(*key).and_modify(|known| known.is_open = true);
        }
    }

    /// The line broke.
    pub fn ended(&self, session: u64) {
        for known in self.lock().values_mut().filter(|known| known.session == session) {
            known.is_open |= known.answered.is_none_or(|answered| answered.elapsed() < IN_DOUBT);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn what_was_answered_and_comes_once_more_is_a_text_of_its_own() {
        let (repeats, yes) = (Repeats::default(), key(b"yes"));
        let first = repeats.id(&yes, 1, at(0));
        repeats.answered(1, &[yes]);
        let second = repeats.id(&yes, 1, at(1));
        repeats.answered(1, &[yes]);
        let later = repeats.id(&yes, 1, at(400));
        assert!(first != second && second != later && first != later);
        assert_ne!(repeats.id(&key(b"no"), 1, at(0)), first);
    }

    #[test]
    fn what_was_not_answered_or_whose_answer_may_be_lost_is_a_repeat() {
        let (repeats, yes) = (Repeats::default(), key(b"yes"));
        let first = repeats.id(&yes, 1, at(0));
        repeats.not_taken(&[yes]);
        assert_eq!(repeats.id(&yes, 1, at(1)), first, "told to try again");
        repeats.ended(1);
        assert_eq!(repeats.id(&yes, 2, at(400)), first, "the line broke before the answer");
        repeats.answered(2, &[yes]);
        repeats.ended(2);
        assert_eq!(repeats.id(&yes, 3, at(401)), first, "it broke just after");
        repeats.answered(3, &[yes]);
        assert_ne!(repeats.id(&yes, 3, at(402)), first);
    }

    #[test]
    fn another_process_gives_the_same_id_within_five_minutes() {
        let yes = key(b"yes");
        assert_eq!(Repeats::default().id(&yes, 1, at(0)), Repeats::default().id(&yes, 9, at(299)));
        assert_ne!(Repeats::default().id(&yes, 1, at(0)), Repeats::default().id(&yes, 9, at(300)));
    }
}
