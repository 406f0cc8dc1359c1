//! A day: contacts with what they take, and how agents behave. From a file of JSON lines, or made by chance from a seed.
//! What an agent does with an offer follows from the day alone, so that two companies are asked the same.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::company::Company;
use crate::facts::ids::Slug;

/// Seconds that a conversation takes on average, where nothing is known.
pub const HANDLING_S: f64 = 240.0;

/// A contact that comes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// When.
    pub at: Timestamp,
    /// What is needed.
    pub skill: Slug,
    /// Seconds from accept to end.
    pub handling_s: f64,
    /// Other than the skill's.
    #[serde(default)]
    pub priority: Option<i32>,
    /// Seconds after which the customer leaves, if nobody has accepted.
    #[serde(default)]
    pub patience_s: Option<f64>,
}

/// How an agent behaves.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Who.
    pub agent: Option<Slug>,
    /// Seconds to an answer, on average: between half and one and a half of it.
    pub answer_s: f64,
    /// Share of offers that are refused.
    pub refuses: f64,
    /// Share of offers that are missed.
    pub misses: f64,
    /// Seconds until the agent is back whom missed offers made unavailable.
    pub back_s: f64,
    /// When the agent works; none: all the day.
    pub shifts: Vec<Shift>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { agent: None, answer_s: 6.0, refuses: 0.02, misses: 0.01, back_s: 120.0, shifts: Vec::new() }
    }
}

/// A time at work.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// From then on.
    pub from: Timestamp,
    /// The last contact is finished, and no new one comes.
    pub to: Timestamp,
}

/// What an agent does with an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Accepts after so long.
    Accept(SignedDuration),
    /// Refuses after so long.
    Refuse(SignedDuration),
    /// Nothing.
    Miss,
}

/// A day.
#[derive(Clone, Debug, Default)]
pub struct Day {
    /// By time.
    pub contacts: Vec<Arrival>,
    /// Of those who are named.
    pub behaviours: BTreeMap<Slug, Behaviour>,
    /// Of everybody else.
    pub usual: Behaviour,
    /// Of what agents do.
    pub seed: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Contact(Arrival),
    Agent(Behaviour),
}

impl Day {
    /// From lines of JSON, `{"contact": …}` or `{"agent": …}`; an agent without a name is every other one.
    ///
    /// # Errors
    /// The first line that is none, with its number.
    pub fn read(text: &str, seed: u64) -> Result<Self, String> {
        let mut day = Self { seed, ..Self::default() };
        for (nr, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match serde_json::from_str(line).map_err(|error| format!("line {nr}: {error}"))? {
                Line::Contact(contact) => day.contacts.push(contact),
                Line::Agent(behaviour) => match behaviour.agent.clone() {
                    Some(agent) => drop(day.behaviours.insert(agent, behaviour)),
                    None => day.usual = behaviour,
                },
            }
        }
        day.contacts.sort_by_key(|contact| contact.at);
        Ok(day)
    }

    /// So many contacts over 24 hours, most of them around noon, spread over the points of contact.
    #[must_use]
    pub fn generate(company: &Company, count: usize, seed: u64, from: Timestamp) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut day = Self { seed, ..Self::default() };
        if company.entrances.is_empty() {
            return day;
        }
        for _ in 0..count {
            let second = (chance.f64() + chance.f64() + chance.f64()) / 3.0 * 86_400.0;
            day.contacts.push(Arrival {
                at: plus(from, span(second)),
                skill: company.entrances[chance.usize(..company.entrances.len())].clone(),
                handling_s: (-(1.0 - chance.f64()).ln() * HANDLING_S).clamp(10.0, 3_600.0),
                priority: None,
                patience_s: None,
            });
        }
        day.contacts.sort_by_key(|contact| contact.at);
        day
    }

    /// How an agent behaves.
    #[must_use]
    pub fn behaviour(&self, agent: &Slug) -> &Behaviour {
        self.behaviours.get(agent).unwrap_or(&self.usual)
    }

    /// What an agent does with the `nth` offer of a contact (both from 0).
    #[must_use]
    pub fn reply(&self, contact: usize, agent: &Slug, nth: u32) -> Reply {
        let name = format!("{contact}/{agent}/{nth}");
        let seed = Uuid::new_v5(&Uuid::from_u128(u128::from(self.seed)), name.as_bytes());
        let mut chance = fastrand::Rng::with_seed(seed.as_u64_pair().0);
        let behaviour = self.behaviour(agent);
        let (what, after) = (chance.f64(), span(behaviour.answer_s * (0.5 + chance.f64())));
        if what < behaviour.misses {
            Reply::Miss
        } else if what < behaviour.misses + behaviour.refuses {
            Reply::Refuse(after)
        } else {
            Reply::Accept(after)
        }
    }
}

/// Seconds in whole milliseconds.
#[must_use]
pub fn span(seconds: f64) -> SignedDuration {
    let seconds = SignedDuration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(SignedDuration::MAX);
    SignedDuration::from_millis(i64::try_from(seconds.as_millis()).unwrap_or(i64::MAX))
}

/// So much later.
#[must_use]
pub fn plus(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
