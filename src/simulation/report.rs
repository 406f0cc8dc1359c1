//! What a day's run comes to: service level, waits, abandonments, and how busy each agent was.

use jiff::SignedDuration;
use serde::Serialize;

use super::outcome::{Fate, Run, Worked};
use crate::facts::ids::Slug;

/// The numbers; shares are between 0 and 1.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// That came.
    pub contacts: usize,
    /// That somebody accepted.
    pub answered: usize,
    /// That were given up: the customer left, or they waited too long.
    pub abandoned: usize,
    /// Neither: at the end of the day they wait or are offered again and again.
    pub left: usize,
    /// Of skills that the company does not have: in none of the other numbers.
    pub unknown_skill: usize,
    /// The span of the service level.
    pub within_s: f64,
    /// Share of all contacts that were accepted within it.
    pub service_level: f64,
    /// From coming to accept, of those answered, in seconds.
    pub waits: Waits,
    /// Offers made.
    pub offers: usize,
    /// Of these.
    pub refused: usize,
    /// Of these.
    pub lapsed: usize,
    /// Share of all slots in use.
    pub occupancy: f64,
    /// By name.
    pub agents: Vec<Busy>,
}

/// Seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Waits {
    /// Of all.
    pub average: f64,
    /// Half waited no longer.
    pub p50: f64,
    /// Nine of ten waited no longer.
    pub p90: f64,
    /// The worst.
    pub longest: f64,
}

/// An agent.
#[derive(Clone, Debug, Serialize)]
pub struct Busy {
    /// Who.
    pub agent: Slug,
    /// Contacts accepted.
    pub answered: usize,
    /// Share of the slots in use, while the agent was there.
    pub occupancy: f64,
}

impl Report {
    /// Of a run, with the service level for so many seconds.
    #[must_use]
    pub fn of(run: &Run, within_s: f64) -> Self {
        let waited = |fate: &Fate| Some(fate.accepted_at?.duration_since(fate.queued_at).as_secs_f64());
        let mut waits: Vec<f64> = run.fates.iter().filter_map(waited).collect();
        waits.sort_by(f64::total_cmp);
        let in_time = waits.iter().filter(|wait| **wait <= within_s).count();
        let sum = |of: fn(&Worked) -> SignedDuration| run.agents.iter().map(|a| of(a).as_secs_f64()).sum::<f64>();
        let abandoned = run.fates.iter().filter(|fate| fate.abandoned_at.is_some()).count();
        Self {
            contacts: run.fates.len(),
            answered: waits.len(),
            abandoned,
            left: run.fates.len() - waits.len() - abandoned,
            unknown_skill: run.unknown_skill,
            within_s,
            service_level: share(count(in_time), count(run.fates.len())),
            waits: Waits {
                average: share(waits.iter().sum(), count(waits.len())),
                p50: at_share(&waits, 50),
                p90: at_share(&waits, 90),
                longest: waits.last().copied().unwrap_or(0.0),
            },
            offers: run.offers.len(),
            refused: run.refused,
            lapsed: run.lapsed,
            occupancy: share(sum(|a| a.used), sum(|a| a.there)),
            agents: run.agents.iter().map(busy).collect(),
        }
    }
}

fn busy(worked: &Worked) -> Busy {
    let occupancy = share(worked.used.as_secs_f64(), worked.there.as_secs_f64());
    Busy { agent: worked.agent.clone(), answered: worked.answered, occupancy }
}

/// The smallest of sorted values that so many of a hundred do not exceed.
fn at_share(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(0.0)
}

fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
