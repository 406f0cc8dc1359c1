//! `[[paces]]`: how fast texts may leave.

use super::super::reader::{At, Part, Reader};
use crate::facts::ids::Slug;
use crate::sms::pace::policy;

/// Most segments a minute, and a day.
const MOST: i32 = 100_000_000;

/// `[[paces]]`.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Slug.
    pub id: Option<At<Slug>>,
    /// By this connection alone.
    pub carrier: Option<At<Slug>>,
    /// From the numbers of these alone.
    pub points: Vec<At<Slug>>,
    /// Each number by itself.
    pub each: bool,
    /// Segments.
    pub per_minute: Option<i32>,
    /// Segments.
    pub per_day: Option<i32>,
    /// Where the day begins.
    pub day_zone: Option<At<String>>,
}

impl Reader<'_> {
    pub(super) fn pace(&mut self, part: Part<'_>) -> Pace {
        let keys = ["carrier", "points_of_contact", "each", "segments_per_minute", "segments_per_day", "day_zone"];
        self.known(part, &[&["id"][..], &keys[..]].concat());
        let limits = ["segments_per_minute", "segments_per_day"];
        if !limits.iter().any(|key| part.table.contains_key(*key)) {
            let instead = "write segments_per_minute = 60 or segments_per_day = 2000, or take the pace out: without one \
                           texts leave as fast as they can";
            self.say(part.line, "the pace limits nothing", instead);
        }
        Pace {
            id: self.slug(part, "id"),
            carrier: part.table.contains_key("carrier").then(|| self.slug(part, "carrier")).flatten(),
            points: self.slugs(part, "points_of_contact"),
            each: self.yes(part, "each"),
            per_minute: self.number(part, "segments_per_minute", 1..=MOST),
            per_day: self.number(part, "segments_per_day", 1..=MOST),
            day_zone: self.text(part, "day_zone"),
        }
    }
}

impl Pace {
    /// As the tenant's row has it; `numbers` are those of its points of contact.
    #[must_use]
    pub fn policy(&self, numbers: Vec<String>) -> policy::Pace {
        policy::Pace {
            id: self.id.as_ref().map(|at| at.value.to_string()).unwrap_or_default(),
            carrier: self.carrier.as_ref().map(|at| at.value.to_string()),
            numbers,
            each: self.each,
            per_minute: self.per_minute,
            per_day: self.per_day,
            day_zone: self.day_zone.as_ref().map(|at| at.value.clone()),
        }
    }
}
