//! How a skill orders, chooses and offers: what the tenant set for it.

use deadpool_postgres::Transaction;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::choose::Choice;
use super::waiting::WORST;
use crate::facts::ids::Slug;
use crate::failure::Failure;
use crate::hub::sql;

/// What routing must know of a skill.
#[derive(Clone, Debug)]
pub struct Skill {
    /// Seconds to answer an offer.
    pub offer_timeout_s: i32,
    /// How it chooses among its ready agents.
    pub choice: Choice,
    /// From when on which proficiency may have a contact; empty: any.
    pub widening: Vec<Step>,
    /// Offers are accepted as they are made.
    pub accepts_by_itself: bool,
    /// Its contacts' channel: `sms` or `chat`.
    pub channel: String,
    /// Slots that a contact of the channel takes of its agent.
    pub slots: i32,
}

/// After so many seconds of waiting a contact may go to agents up to this proficiency.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Step {
    /// Seconds.
    pub after_s: i32,
    /// 1 best … 20.
    pub worst: i32,
}

impl Skill {
    /// A skill by its slug; none where it is unknown.
    pub async fn of(tx: &Transaction<'_>, tenant: &Slug, skill: &Slug) -> Result<Option<Self>, Failure> {
        let row = sql::row(
            tx,
            "select k.offer_timeout_s, k.agent_choice, k.widening, k.accept_by_itself, k.channel,
                    case k.channel when 'chat' then t.chat_slots else t.sms_slots end
             from skills k join tenants t on t.id = k.tenant where k.tenant = $1 and k.id = $2",
            &[tenant, skill],
        )
        .await?;
        Ok(row.map(|row| Self {
            offer_timeout_s: row.get(0),
            choice: Choice::of(row.get(1)),
            widening: row
                .get::<_, Option<Value>>(2)
                .and_then(|steps| serde_json::from_value(steps).ok())
                .unwrap_or_default(),
            accepts_by_itself: row.get(3),
            channel: row.get(4),
            slots: row.get(5),
        }))
    }

    /// The worst proficiency that may have a contact which waits since then.
    #[must_use]
    pub fn worst(&self, now: Timestamp, queued_at: Timestamp) -> i32 {
        let waited = now.duration_since(queued_at);
        let passed = |step: &&Step| waited >= SignedDuration::from_secs(i64::from(step.after_s));
        match self.widening.iter().rfind(passed) {
            Some(step) => step.worst,
            None => self.widening.first().map_or(WORST, |step| step.worst),
        }
    }

    /// From when on a contact that waits since then may go to this proficiency; none: never.
    #[must_use]
    pub fn widens_at(&self, queued_at: Timestamp, proficiency: i32) -> Option<Timestamp> {
        let step = self.widening.iter().find(|step| step.worst >= proficiency)?;
        queued_at.checked_add(SignedDuration::from_secs(i64::from(step.after_s))).ok()
    }

    /// When an offer that is made now lapses.
    #[must_use]
    pub fn lapses_at(&self, now: Timestamp) -> Timestamp {
        now.checked_add(SignedDuration::from_secs(i64::from(self.offer_timeout_s))).unwrap_or(now)
    }
}
