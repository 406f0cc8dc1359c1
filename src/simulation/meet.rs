//! Where waiting contacts meet ready agents: claim after claim, as `route_contact` makes them, with the same order of the
//! queue, the same choice and the same rule of who is ready.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::day::plus;
use super::engine::{Event, Hub};
use super::people::{Job, State};
use crate::facts::ids::{ContactId, Slug};
use crate::routing::choose::{Candidate, Waiting, choose};
use crate::routing::waiting::{COOL_DOWN_S, WORST};

/// Waiting contacts of the first claim, and of the largest.
const FEW: usize = 8;
const MOST: usize = 1024;
/// Milliseconds between two passes of the matcher.
pub const PASS_MS: i64 = 500;

impl Hub<'_> {
    /// All of a skill's contacts and agents that may meet do.
    pub(super) fn meet(&mut self, skill: usize) {
        let mut limit = FEW;
        loop {
            let rules = &self.skills[skill];
            let first = rules.queue.first(rules.work.ageing, self.now, limit);
            let looked: Vec<usize> = first.into_iter().map(index_of).collect();
            let ready = self.ready(skill);
            let (waiting, cooling) = self.seen(skill, &looked);
            let pairs = choose(self.skills[skill].work.rules.choice, &waiting, &ready, &cooling);
            let free: i32 = ready.iter().map(|candidate| candidate.free).sum();
            for pair in &pairs {
                let agent = self.names[&pair.agent];
                self.offer(index_of(pair.contact), agent);
            }
            let are_passed_over = pairs.len() < looked.len();
            let is_all = looked.len() < limit || usize::try_from(free).unwrap_or(0) <= pairs.len();
            if is_all || limit >= MOST && are_passed_over {
                self.wake(skill, &looked);
                return;
            }
            limit = if are_passed_over { MOST.min(limit * 4) } else { limit };
        }
    }

    fn ready(&mut self, skill: usize) -> Vec<Candidate> {
        let rules = &self.skills[skill].work.rules;
        let mut ready = Vec::new();
        for (agent, proficiency) in &self.skills[skill].members {
            ready.extend(self.agents[*agent].as_of(rules, *proficiency).ready(rules).ok());
        }
        ready
    }

    fn seen(&self, skill: usize, looked: &[usize]) -> (Vec<Waiting>, HashSet<(ContactId, Slug)>) {
        let rules = &self.skills[skill].work.rules;
        let waiting = looked.iter().map(|job| Waiting {
            id: id_of(*job),
            preferred_agent: None,
            best: 1,
            worst: rules.worst(self.now, self.jobs[*job].queued_at).min(WORST),
            is_held: false,
        });
        let cooling = looked.iter().flat_map(|job| {
            let still = |until: &Timestamp| *until > self.now;
            let lately = self.jobs[*job].cooling.iter().filter(move |(_, until)| still(until));
            lately.map(|(agent, _)| (id_of(*job), self.agents[*agent].seen.agent.clone()))
        });
        (waiting.collect(), cooling.collect())
    }

    /// Asks again when the first of those who are left may go to more agents: at the pass that follows.
    fn wake(&mut self, skill: usize, looked: &[usize]) {
        let rules = &self.skills[skill].work.rules;
        let left = looked.iter().map(|job| &self.jobs[*job]).filter(|job| job.state == State::Waiting);
        let wider = |job: &Job| {
            let steps = rules.widening.iter().map(|step| SignedDuration::from_secs(i64::from(step.after_s)));
            steps.map(|after| plus(job.queued_at, after)).find(|at| *at > self.now)
        };
        let cool = |job: &Job| job.cooling.iter().map(|(_, until)| *until).filter(|at| *at > self.now).min();
        let next = left.flat_map(|job| [wider(job), cool(job)]).flatten().min();
        let Some(at) = next.map(|at| on_grid(at, PASS_MS)) else { return };
        if self.skills[skill].wakes_at.is_none_or(|before| before <= self.now || at < before) {
            self.skills[skill].wakes_at = Some(at);
            self.plan(at, Event::Pass(skill));
        }
    }
}

/// When a contact that was refused or missed now may be offered to the same agent again.
pub(super) fn cool_until(now: Timestamp) -> Timestamp {
    plus(now, SignedDuration::from_secs(COOL_DOWN_S))
}

/// The next moment of a clock that strikes each so many milliseconds.
#[must_use]
pub fn on_grid(at: Timestamp, every_ms: i64) -> Timestamp {
    let us = at.as_microsecond();
    let next = us.div_euclid(every_ms * 1_000) + i64::from(us.rem_euclid(every_ms * 1_000) > 0);
    Timestamp::from_microsecond(next * every_ms * 1_000).unwrap_or(at)
}

pub(super) fn id_of(job: usize) -> ContactId {
    ContactId(Uuid::from_u128(job as u128))
}

fn index_of(id: ContactId) -> usize {
    usize::try_from(id.0.as_u128()).unwrap_or(usize::MAX)
}
