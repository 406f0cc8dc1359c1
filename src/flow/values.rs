//! What conditions and texts may read, by name: one JSON object a root. Nothing else of the hub can be named, so nothing
//! of another tenant can be read.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::calendar::{clock, day_name};

/// The roots and their fields; those of `vars`, `hours` and `queue` follow from the document and the tenant.
pub const ROOTS: &[(&str, &[&str])] = &[
    ("contact", &["channel", "customer", "our_number", "point_of_contact", "skill", "waited_s"]),
    ("customer", &["sessions", "last_agent", "days_since"]),
    ("queue", &[]),
    ("now", &["date", "time", "hour", "minute", "weekday"]),
    ("hours", &[]),
    ("vars", &[]),
    ("text", &[]),
    ("word", &[]),
];

/// The fields of a root; none: there is no such root.
#[must_use]
pub fn fields(root: &str) -> Option<&'static [&'static str]> {
    ROOTS.iter().find(|(name, _)| *name == root).map(|(_, fields)| *fields)
}

/// How a skill's queue stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Queue {
    /// Contacts that wait.
    pub length: i64,
    /// Seconds that the first of them has waited: what the next one may expect.
    pub estimated_wait_s: i64,
    /// Agents of the skill that are not logged out.
    pub logged_in: i64,
    /// … of them those that could take a contact now.
    pub ready: i64,
}

impl Queue {
    /// As conditions see it.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({"length": self.length, "estimated_wait_s": self.estimated_wait_s, "logged_in": self.logged_in,
               "ready": self.ready})
    }
}

/// The moment as the clock on the wall shows it.
#[must_use]
pub fn now(now: Timestamp, zone: &TimeZone) -> Value {
    let civil = now.to_zoned(zone.clone()).datetime();
    json!({"date": civil.date().to_string(), "time": clock(civil.time()), "hour": civil.hour(), "minute": civil.minute(),
           "weekday": day_name(civil.weekday())})
}

/// A reply as keywords are compared: without spaces around it, in small letters, short.
#[must_use]
pub fn word(text: &str) -> String {
    text.trim().chars().take(200).flat_map(char::to_lowercase).collect()
}

/// An object of JSON.
#[must_use]
pub fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}
